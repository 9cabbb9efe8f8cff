#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::ecr::aws_answer::check_input(input));
