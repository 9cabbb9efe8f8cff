//! What the fuzzers of this crate start from, and what they once found, stays harmless with any compiler.

#![cfg(test)]

#[path = "../../../fuzz/src/seeds.rs"]
#[expect(unreachable_pub, reason = "it is a part of the crate of the fuzz targets, too")]
mod seeds;
#[path = "../../../fuzz/src/emulator/mod.rs"]
#[expect(unreachable_pub, reason = "it is a part of the crate of the fuzz targets, too")]
mod targets;

#[test]
fn the_seeds_of_the_fuzz_targets_hold() {
    seeds::replay(&targets::TARGETS);
}

/// Else the fuzzer would never get behind the signature.
#[test]
fn one_token_of_the_seeds_is_good() {
    let (token, keys) = include_str!("../../../fuzz/corpus/id_token/es256.txt").split_once('\n').unwrap();
    let (subject, audiences) = ecru_emulator::fuzzing::subject_of_token(token, keys, 1_800_000_000).unwrap();
    assert!(subject.starts_with("project_path:") && audiences == ["sts.amazonaws.com"], "{subject}");
}
