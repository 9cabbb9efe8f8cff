#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::emulator::id_token::check_input(input));
