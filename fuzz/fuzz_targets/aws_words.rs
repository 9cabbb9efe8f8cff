#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::ecr::aws_words::check_input(input));
