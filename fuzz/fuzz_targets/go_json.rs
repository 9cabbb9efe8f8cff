#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::docker::go_json::check_input(input));
