//! What an error of PostgreSQL means for a batch, and how it is named.

use std::error::Error;
use std::fmt::Display;

use tokio_postgres::error::SqlState;

use crate::store::error::{Cause, StoreError};

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let cause = match error.code() {
            Some(
                &SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE,
            ) => Cause::Locked,
            Some(code) if ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)) => Cause::Data,
            _ => Cause::Unavailable,
        };
        Self { cause, message: message(&error) }
    }
}

/// Without the detail, which may quote the row.
pub fn message(error: &tokio_postgres::Error) -> String {
    error.as_db_error().map_or_else(|| Chain(error).to_string(), |error| error.message().to_owned())
}

/// An error with what caused it, which tokio-postgres leaves out.
pub struct Chain<'a>(pub &'a tokio_postgres::Error);

impl Display for Chain<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = Error::source(self.0);
        while let Some(error) = source {
            write!(f, ": {error}")?;
            source = error.source();
        }
        Ok(())
    }
}
