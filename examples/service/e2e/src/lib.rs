//! Nothing but the tests in `tests/`, which run the sender against the receiver as real processes.
