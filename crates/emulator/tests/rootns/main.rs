//! The docker client with a Docker engine, and skopeo, with the peer's credential helper, at the real host names of
//! Amazon ECR and over TLS: nobody here wrote any of these, and none of them is told that AWS is emulated.
//!
//! The names lead to the emulator all the same: the test runs itself again in namespaces of its own, as that of `ecru`
//! with its own helper does, whose stage this is.

#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "functions that help a test fail and speak as it does"
)]

#[path = "../../../cli/tests/rootns/aws.rs"]
#[allow(dead_code, reason = "the other test program uses the rest of it")]
mod aws;
#[path = "../../../cli/tests/rootns/engine.rs"]
mod engine;
#[path = "../../../cli/tests/rootns/namespaces.rs"]
mod namespaces;
mod story;

#[test]
#[ignore = "needs root, unshare, dockerd, docker, skopeo and the peer"]
fn the_peer_at_real_host_names() {
    if namespaces::is_inside() {
        story::play();
    } else {
        namespaces::run_again_inside("the_peer_at_real_host_names");
    }
}
