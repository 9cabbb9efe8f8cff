#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::gitlab::docker_auth_config::check_input(input));
