#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::gitlab::gitlab_ci_includes::check_input(input));
