//! What the fuzzers of this crate start from, and what they once found, stays harmless with any compiler.

#![cfg(test)]

#[path = "../../../fuzz/src/seeds.rs"]
#[expect(unreachable_pub, reason = "it is a part of the crate of the fuzz targets, too")]
mod seeds;
#[path = "../../../fuzz/src/docker/mod.rs"]
#[expect(unreachable_pub, reason = "it is a part of the crate of the fuzz targets, too")]
mod targets;

#[test]
fn the_seeds_of_the_fuzz_targets_hold() {
    seeds::replay(&targets::TARGETS);
}
