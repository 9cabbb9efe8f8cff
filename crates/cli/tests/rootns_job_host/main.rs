//! A job host end to end: a real engine, real containers, and instance metadata a hop away, emulated in a network
//! namespace of its own. `ecru setup job-host` writes the rules, the checks of `ecru doctor` see what containers get.
//!
//! Nothing is asked at the addresses of EC2: the metadata is at an address for documentation (RFC 5737).

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "functions that help a test fail and speak as it does"
)]

#[path = "../rootns/engine.rs"]
mod engine;
mod metadata;
#[path = "../rootns/namespaces.rs"]
mod namespaces;
mod story;

#[test]
#[ignore = "needs root, unshare, ip, nft, iptables, dockerd and docker"]
fn containers_are_kept_from_the_metadata() {
    if namespaces::is_inside() {
        story::play();
    } else {
        namespaces::run_again_inside("containers_are_kept_from_the_metadata");
    }
}
