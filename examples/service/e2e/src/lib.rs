//! What the end-to-end tests in `tests/` share with `examples/far.rs`, which is for measurements.

pub mod proxy;
