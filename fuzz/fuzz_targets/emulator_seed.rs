#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::emulator::emulator_seed::check_input(input));
