//! Why the database did not do what it was asked for.

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StoreError {
    pub cause: Cause,
    pub message: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// The database refuses the values of a row. It may take other rows.
    Data,
    /// Another connection has locked a row. Other rows may be free.
    Locked,
    /// The database cannot be reached, takes too long, or has other tables than it should.
    Unavailable,
}

impl Cause {
    pub const ALL: [Self; 3] = [Self::Data, Self::Locked, Self::Unavailable];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Data => "data",
            Self::Locked => "locked",
            Self::Unavailable => "unavailable",
        }
    }
}

impl StoreError {
    #[allow(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
    pub fn unavailable(message: impl ToString) -> Self {
        Self { cause: Cause::Unavailable, message: message.to_string() }
    }
}
