#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::emulator::fault_rule::check_input(input));
