//! End to end with the real host names of Amazon ECR: a real Docker engine and, as an independent client, skopeo
//! pull images of two accounts and two regions with credentials from our helper, and `ecru run` runs a job on them.
//!
//! The names are real and lead to the emulator all the same: the test runs itself again in namespaces of its own, in
//! which /etc/hosts knows them, the emulator has port 443, and its authority is trusted for them as Docker trusts one
//! (docs.docker.com, "Verify repository client with certificates"). No variable points an AWS client anywhere, and
//! none says a region.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "functions that help a test fail and speak as it does"
)]

mod aws;
mod engine;
mod namespaces;
mod story;

#[test]
#[ignore = "needs root, unshare, dockerd, docker, skopeo and a static busybox"]
fn real_host_names() {
    if namespaces::is_inside() {
        story::play();
    } else {
        namespaces::run_again_inside("real_host_names");
    }
}
