//! What the tests in `tests/`, which run the sender against the receiver as real processes, share with whoever measures.

pub mod proxy;
