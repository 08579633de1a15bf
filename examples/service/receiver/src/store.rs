//! The database: SQLite or PostgreSQL, with the same statements wherever they can be the same.

use std::time::Duration;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use sqlx::any::AnyPoolOptions;
use sqlx::{
    Any, AnyPool, AssertSqlSafe, Executor as _, Transaction, query, query_as, query_scalar, raw_sql,
};

/// How long a task waits for a connection, and SQLite for a lock. Less than the time there is to answer.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub struct Store {
    writes: AnyPool,
    reads: AnyPool,
    is_postgres: bool,
}

/// A body and when it came.
pub struct Arrived {
    pub at: DateTime<Utc>,
    pub body: Bytes,
}

/// A stored body that is being processed.
pub struct Stored {
    pub id: i64,
    pub received_at: i64,
    pub body: Vec<u8>,
}

type Result<T> = sqlx::Result<T>;

impl Store {
    /// Opens the database and makes the tables that are not there yet.
    pub async fn open(url: &str) -> Result<Self> {
        sqlx::any::install_default_drivers();
        let is_postgres = url.starts_with("postgres");
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        if !is_postgres {
                            // FULL, because a 200 must survive a power cut.
                            let lock = format!("PRAGMA busy_timeout = {}", PATIENCE.as_millis());
                            connection.execute(AssertSqlSafe(lock)).await?;
                            connection.execute("PRAGMA journal_mode = WAL").await?;
                            connection.execute("PRAGMA synchronous = FULL").await?;
                        }
                        Ok(())
                    })
                })
                .connect(url)
        };
        let store = if is_postgres {
            let pool = pool(8).await?;
            Self {
                writes: pool.clone(),
                reads: pool,
                is_postgres,
            }
        } else {
            // SQLite has one writer at a time. Who waits for the one connection is served in turn; who
            // waits for SQLite's lock polls it.
            Self {
                writes: pool(1).await?,
                reads: pool(2).await?,
                is_postgres,
            }
        };
        let (lock, id, bytes) = if is_postgres {
            (
                "SELECT 1 FROM pg_advisory_xact_lock(7237);",
                "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
                "BYTEA",
            )
        } else {
            ("", "INTEGER PRIMARY KEY", "BLOB")
        };
        let schema = include_str!("schema.sql")
            .replace("SERIAL_KEY", id)
            .replace("BYTES", bytes);
        raw_sql(AssertSqlSafe(format!("{lock}{schema}")))
            .execute(&store.writes)
            .await?;
        Ok(store)
    }

    /// Stores raw bodies, all or none; durable when it returns.
    pub async fn keep(&self, bodies: &[&Arrived]) -> Result<()> {
        if bodies.is_empty() {
            return Ok(());
        }
        let rows = (0..bodies.len())
            .map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2))
            .collect::<Vec<_>>();
        let insert = format!(
            "INSERT INTO inbox (received_at, body) VALUES {}",
            rows.join(", ")
        );
        let insert = bodies.iter().fold(
            query(AssertSqlSafe(insert)).persistent(false),
            |insert, arrived| {
                insert
                    .bind(arrived.at.timestamp_millis())
                    .bind(arrived.body.to_vec())
            },
        );
        insert.execute(&self.writes).await.map(drop)
    }

    pub async fn begin(&self) -> Result<Transaction<'static, Any>> {
        self.writes.begin().await
    }

    /// Takes the oldest stored bodies for this transaction; they are back if it does not commit.
    ///
    /// With a DELETE first, a transaction of SQLite holds the write lock from the start.
    pub async fn take(
        &self,
        tx: &mut Transaction<'static, Any>,
        limit: i64,
    ) -> Result<Vec<Stored>> {
        let take = if self.is_postgres {
            "WITH oldest AS MATERIALIZED (SELECT id FROM inbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
             DELETE FROM inbox WHERE id IN (SELECT id FROM oldest) RETURNING id, received_at, body"
        } else {
            "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox ORDER BY id LIMIT $1) RETURNING id, received_at, body"
        };
        let taken: Vec<(i64, i64, Vec<u8>)> =
            query_as(take).bind(limit).fetch_all(&mut **tx).await?;
        Ok(taken
            .into_iter()
            .map(|(id, received_at, body)| Stored {
                id,
                received_at,
                body,
            })
            .collect())
    }

    pub async fn waiting(&self) -> Result<i64> {
        query_scalar("SELECT count(*) FROM inbox")
            .fetch_one(&self.reads)
            .await
    }

    pub async fn unreadable(&self) -> Result<i64> {
        query_scalar("SELECT count(*) FROM unreadable")
            .fetch_one(&self.reads)
            .await
    }

    pub async fn message(&self, tracking_id: &str) -> Result<Option<(i64, String)>> {
        query_as("SELECT changed_at, status FROM message WHERE tracking_id = $1")
            .bind(tracking_id)
            .fetch_optional(&self.reads)
            .await
    }

    pub async fn history(&self, tracking_id: &str) -> Result<Vec<(i64, String, String)>> {
        query_as(
            "SELECT received_at, verdict, status FROM history WHERE tracking_id = $1 ORDER BY id",
        )
        .bind(tracking_id)
        .fetch_all(&self.reads)
        .await
    }

    pub async fn counts(&self) -> Result<Vec<(String, i64)>> {
        query_as("SELECT status_name, count(*) FROM message GROUP BY status_name ORDER BY 2 DESC")
            .fetch_all(&self.reads)
            .await
    }

    pub async fn latest(&self) -> Result<Vec<(String, String, i64)>> {
        query_as("SELECT tracking_id, status_name, changed_at FROM message ORDER BY changed_at DESC LIMIT 20")
            .fetch_all(&self.reads)
            .await
    }

    pub async fn anomalies(&self) -> Result<Vec<(String, i64, i64)>> {
        query_as(
            "SELECT sentence, seen, last_seen_at FROM anomaly ORDER BY last_seen_at DESC LIMIT 20",
        )
        .fetch_all(&self.reads)
        .await
    }
}
