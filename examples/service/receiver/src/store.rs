//! The database: SQLite or PostgreSQL, with the same statements wherever they can be the same.

use std::time::Duration;

use sqlx::any::AnyPoolOptions;
use sqlx::{Any, AnyPool, AssertSqlSafe, Executor as _, Transaction, query, query_as, raw_sql};

use crate::intake::Arrived;

/// How long to wait for a connection: less than there is time to answer.
const PATIENCE: Duration = Duration::from_secs(1);

/// FULL, because what was answered 200 must survive a power cut.
const SQLITE_SETTINGS: &str = "PRAGMA busy_timeout = 1000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";

#[derive(Clone)]
pub struct Store {
    pub writes: AnyPool,
    pub reads: AnyPool,
    is_postgres: bool,
}

/// A stored body: its number, when it came in milliseconds of the epoch, and itself.
pub type Stored = (i64, i64, Vec<u8>);

impl Store {
    /// Opens the database and makes the tables that are not there yet.
    pub async fn open(url: &str) -> sqlx::Result<Self> {
        sqlx::any::install_default_drivers();
        let is_postgres = url.starts_with("postgres");
        let pool = |connections| {
            AnyPoolOptions::new()
                .max_connections(connections)
                .acquire_timeout(PATIENCE)
                .after_connect(move |connection, _| {
                    Box::pin(async move {
                        if !is_postgres {
                            connection.execute(SQLITE_SETTINGS).await?;
                        }
                        Ok(())
                    })
                })
                .connect(url)
        };
        let (writes, reads) = if is_postgres {
            let pool = pool(8).await?;
            (pool.clone(), pool)
        } else {
            // SQLite has one writer at a time. Who waits for the one connection is served in turn,
            // while who waits for SQLite's lock polls it.
            (pool(1).await?, pool(2).await?)
        };

        let mut schema = include_str!("schema.sql").to_owned();
        if is_postgres {
            // Receivers that start at once would make the tables at once, which fails.
            schema.insert_str(0, "SELECT 1 FROM pg_advisory_xact_lock(7237);\n");
            schema = schema.replace("INTEGER PRIMARY KEY", "BIGSERIAL PRIMARY KEY").replace("BLOB", "BYTEA");
        }
        raw_sql(AssertSqlSafe(schema)).execute(&writes).await?;
        Ok(Self { writes, reads, is_postgres })
    }

    /// Stores raw bodies, all or none; durable when it returns.
    pub async fn keep(&self, bodies: &[Arrived]) -> sqlx::Result<()> {
        if bodies.is_empty() {
            return Ok(());
        }
        let rows: Vec<_> = (0..bodies.len()).map(|row| format!("(${}, ${})", 2 * row + 1, 2 * row + 2)).collect();
        let insert = format!("INSERT INTO inbox (received_at, body) VALUES {}", rows.join(", "));
        let mut insert = query(AssertSqlSafe(insert)).persistent(false);
        for arrived in bodies {
            insert = insert.bind(arrived.at.timestamp_millis()).bind(arrived.body.to_vec());
        }
        insert.execute(&self.writes).await?;
        Ok(())
    }

    /// Takes the oldest stored bodies out of the inbox; they are back if the transaction fails.
    ///
    /// As the first statement of a transaction it gets SQLite's write lock for the whole of it.
    pub async fn take(&self, tx: &mut Transaction<'static, Any>, limit: i64) -> sqlx::Result<Vec<Stored>> {
        let take = if self.is_postgres {
            "WITH oldest AS MATERIALIZED
                 (SELECT id FROM inbox ORDER BY id LIMIT $1 FOR UPDATE SKIP LOCKED)
             DELETE FROM inbox WHERE id IN (SELECT id FROM oldest)
             RETURNING id, received_at, body"
        } else {
            "DELETE FROM inbox WHERE id IN (SELECT id FROM inbox ORDER BY id LIMIT $1)
             RETURNING id, received_at, body"
        };
        query_as(take).bind(limit).fetch_all(&mut **tx).await
    }
}
