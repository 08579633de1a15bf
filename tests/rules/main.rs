//! The tests are the specification, one file per rule; README.md says which. They are one program, since
//! linking costs more than running.

#![allow(clippy::pedantic, reason = "its lints are for code that others build on")]
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "to panic is how a test fails"
)]

mod common;

mod anomalies;
mod api;
mod bad_input;
mod completeness;
mod expiry;
mod failover;
mod fixtures;
mod idempotency;
mod kinds;
mod log_lines;
mod magic_keys;
mod mappers;
mod names;
mod progress;
mod properties;
mod reading;
mod retry;
mod samples;
mod senders;
mod spellings;
mod tracking;
mod ttl;
mod ways_in;
mod writing;

use std::fs;

#[test]
fn every_file_is_part_of_the_program() {
    let main = include_str!("main.rs");
    for entry in fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/rules")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let module = name.strip_suffix(".rs").filter(|module| *module != "main");
        assert!(module.is_none_or(|module| main.contains(&format!("\nmod {module};\n"))), "{name}");
    }
}
