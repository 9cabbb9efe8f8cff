#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecru_fuzz::docker::image_reference::check_input(input));
