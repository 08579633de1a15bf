//! What the tests begin with: their turn, a directory, and a receiver that stores in it.

use std::ops::Deref;

use anyhow::Result;
use tempfile::TempDir;
use tokio::sync::{Mutex, MutexGuard};

use crate::database::Database;
use crate::postgres::Postgres;
use crate::processes::Receiver;

/// Waits until no other test holds the turn, so that tests that measure time do not run beside each other.
pub async fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// The directory of a test, which holds the turn as long as it exists.
pub struct Directory {
    directory: TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Directory {
    pub async fn new() -> Result<Self> {
        let turn = one_at_a_time().await;
        Ok(Self { directory: TempDir::new()?, _turn: turn })
    }
}

impl Deref for Directory {
    type Target = TempDir;

    fn deref(&self) -> &TempDir {
        &self.directory
    }
}

/// A receiver with these arguments, on SQLite.
pub async fn serve_on_sqlite(arguments: &[&str]) -> Result<(Directory, Database, Receiver)> {
    let directory = Directory::new().await?;
    let database = Database::sqlite(&directory);
    let receiver = Receiver::start(&directory, &database, arguments).await?;
    Ok((directory, database, receiver))
}

/// A receiver with these arguments, on a PostgreSQL of the test's own.
pub async fn serve_on_postgres(arguments: &[&str]) -> Result<(Directory, Postgres, Receiver)> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let receiver = Receiver::start(&directory, &postgres.database, arguments).await?;
    Ok((directory, postgres, receiver))
}
