//! Which registry credentials are used for an image, and why: by GitLab Runner in its versions, by the Docker command
//! line, and by a kubelet.
#![expect(clippy::expect_used, reason = "a test stops where its own premises fail")]

mod docker_cli;
mod documentation;
mod kubernetes;
mod stage;
mod trace;
mod vectors;
mod versions;
