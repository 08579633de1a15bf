//! Any bytes, as a Viber status.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| routee_viber_fuzz::check_status(bytes));
