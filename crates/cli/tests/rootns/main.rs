//! End to end with the real host names of Amazon ECR: a real Docker engine and, as an independent client, skopeo
//! pull images of two accounts and two regions with credentials from our helper, and `ecru run` runs a job on them; and
//! a machine is set up as `docs/SETUP.md` says, until nothing is wrong with it.
//!
//! The names are real and lead to the emulator all the same: the test runs itself again in namespaces of its own, in
//! which /etc/hosts knows them, the emulator has port 443, and its authority is trusted for them as Docker trusts one
//! (docs.docker.com, "Verify repository client with certificates"). No variable points an AWS client anywhere but to the
//! instance metadata, and none says a region.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "functions that help a test fail and speak as it does"
)]

mod aws;
mod engine;
mod namespaces;
mod setup_page;
mod story;
mod workstation;

#[test]
#[ignore = "needs root, unshare, dockerd, docker, skopeo and a static busybox"]
fn real_host_names() {
    if namespaces::is_inside() {
        story::play();
    } else {
        namespaces::run_again_inside("real_host_names");
    }
}

#[test]
#[ignore = "needs root, unshare, ip, nft, iptables, dockerd, docker and a static busybox"]
fn the_page_of_set_ups() {
    if namespaces::is_inside() {
        setup_page::play();
    } else {
        namespaces::run_again_inside("the_page_of_set_ups");
    }
}
