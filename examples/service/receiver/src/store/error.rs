//! Why the database did not do what it was asked to.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    pub cause: Cause,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The database refuses what a row says. Others may fit.
    Data,
    /// Somebody else has locked a row. Others may be free.
    Locked,
    /// The database works, but not now or not with these tables.
    Unavailable,
}

impl StoreError {
    #[allow(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
    pub fn unavailable(message: impl ToString) -> Self {
        Self { cause: Cause::Unavailable, message: message.to_string() }
    }
}
