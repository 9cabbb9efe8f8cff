#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::ecr::ecru_config::check_input(input));
