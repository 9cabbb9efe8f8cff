#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::docker::helper_answer::check_input(input));
