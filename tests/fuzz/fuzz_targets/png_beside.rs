#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pipeline_testkit::pictures::fuzz::png_beside(bytes));
