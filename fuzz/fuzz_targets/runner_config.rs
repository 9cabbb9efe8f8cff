#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::gitlab::runner_config::check_input(input));
