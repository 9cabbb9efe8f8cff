#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::ecr::cache_entry::check_input(input));
