#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::ecr::registry_host::check_input(input));
