//! Any bytes, as every other kind of body and as whichever they are.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| routee_viber_fuzz::check_kinds(bytes));
