//! Looking into the receiver's database from outside, the same way into both.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use tempfile::TempDir;
use tokio::task::{spawn, spawn_blocking};
use tokio_postgres::{Client, NoTls, SimpleQueryMessage};

#[derive(Clone)]
pub enum Database {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Database {
    pub fn sqlite(directory: &TempDir) -> Self {
        Self::Sqlite(directory.path().join("routee.db"))
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(path) => format!("sqlite://{}", path.display()),
            Self::Postgres(url) => url.clone(),
        }
    }

    /// The rank of a message as a text.
    pub const fn rank(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "lower(hex(rank))",
            Self::Postgres(_) => "rank",
        }
    }

    /// A copy of it, by that name, while nobody uses it.
    pub async fn copy(&self, name: &str) -> Result<Self> {
        match self {
            Self::Sqlite(path) => {
                let copy = path.with_file_name(name).with_extension("db");
                fs::copy(path, &copy)?;
                Ok(Self::Sqlite(copy))
            }
            Self::Postgres(url) => {
                let (server, original) = url.rsplit_once('/').context("no name")?;
                let client = connect(&format!("{server}/template1")).await?;
                client.batch_execute(&format!("CREATE DATABASE {name} TEMPLATE {original}")).await?;
                Ok(Self::Postgres(format!("{server}/{name}")))
            }
        }
    }

    /// The rows of a query, every value as text: NULL as none, bytes as `\x` and hexadecimal digits.
    pub async fn rows(&self, query: &str) -> Result<Vec<Vec<String>>> {
        match self {
            Self::Sqlite(path) => {
                let (path, query) = (path.clone(), query.to_owned());
                spawn_blocking(move || sqlite_rows(&open(path)?, &query)).await?
            }
            Self::Postgres(url) => {
                let rows = connect(url).await?.simple_query(query).await?;
                let rows = rows.iter().filter_map(|message| match message {
                    SimpleQueryMessage::Row(row) => Some(row),
                    _ => None,
                });
                Ok(rows
                    .map(|row| (0..row.len()).map(|at| row.get(at).unwrap_or_default().to_owned()).collect())
                    .collect())
            }
        }
    }

    /// Runs statements that return nothing.
    pub async fn run(&self, statements: &str) -> Result<()> {
        match self {
            Self::Sqlite(path) => {
                let (path, statements) = (path.clone(), statements.to_owned());
                spawn_blocking(move || Ok(open(path)?.execute_batch(&statements)?)).await?
            }
            Self::Postgres(url) => Ok(connect(url).await?.batch_execute(statements).await?),
        }
    }

    /// Makes what was received as old as if it had come so many days before.
    pub async fn make_older_by_days(&self, days: u32) -> Result<()> {
        let tables = match self {
            Self::Sqlite(_) => &["change", "no_change", "later", "reply", "unreadable"][..],
            Self::Postgres(_) => &["change", "no_change", "reply", "unreadable"],
        };
        for table in tables {
            self.run(&format!("UPDATE {table} SET received_at = received_at - {days} * 86400000")).await?;
        }
        Ok(())
    }

    /// The one number that a query returns.
    pub async fn number(&self, query: &str) -> Result<i64> {
        let rows = self.rows(query).await?;
        Ok(rows.first().and_then(|row| row.first()).context("no row")?.parse()?)
    }

    /// In the order in which they did.
    pub async fn bodies_that_moved_flows(&self) -> Result<Vec<Vec<u8>>> {
        let bodies = "SELECT body FROM change WHERE kind IN ('flow', 'tracked_flow') ORDER BY number";
        self.rows(bodies).await?.concat().iter().map(|body| bytes(body)).collect()
    }

    /// How many bodies it holds.
    pub async fn count(&self) -> Result<i64> {
        let count = "SELECT (SELECT count(*) FROM history) + (SELECT count(*) FROM unreadable)";
        self.number(count).await
    }
}

pub async fn connect(url: &str) -> Result<Client> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    spawn(connection);
    Ok(client)
}

fn open(path: PathBuf) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(10))?;
    Ok(connection)
}

fn sqlite_rows(connection: &Connection, query: &str) -> Result<Vec<Vec<String>>> {
    let mut statement = connection.prepare(query)?;
    let columns = statement.column_count();
    let rows = statement.query_map([], |row| (0..columns).map(|at| Ok(text(row.get_ref(at)?))).collect())?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn text(value: ValueRef) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => bytes.iter().fold("\\x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}

/// The bytes that `rows` shows as hexadecimal digits.
pub fn bytes(shown: &str) -> Result<Vec<u8>> {
    let digits = shown.strip_prefix("\\x").context("no bytes")?;
    (0..digits.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&digits[at..at + 2], 16)?)).collect()
}
