#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::emulator::iam_policy::check_input(input));
