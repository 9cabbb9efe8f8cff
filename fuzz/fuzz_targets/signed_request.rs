#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::emulator::signed_request::check_input(input));
