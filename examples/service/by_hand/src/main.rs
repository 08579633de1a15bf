//! What one would write by hand to keep callbacks: a row of history and the message's status, in one transaction each.
//! `receiver/compare` measures the receiver beside it.
//!
//! ```sh
//! by_hand sqlite:FILE
//! by_hand postgres://USER@HOST/DATABASE
//! ```

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use serde::Deserialize;
use sqlx::any::{AnyPoolOptions, install_default_drivers};
use sqlx::{AnyPool, Executor as _, query};
use tokio::net::TcpListener;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Callback {
    tracking_id: String,
    status: Status,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Status {
    name: String,
    updated_date: Option<String>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("which database? sqlite:FILE or postgres://USER@HOST/DATABASE")?;
    install_default_drivers();
    let pool = if url.starts_with("sqlite:") {
        // Only one can write, and waiting for a place in the pool costs less than waiting for SQLite's lock.
        let options = AnyPoolOptions::new().max_connections(1).after_connect(|connection, _| {
            let settings = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL";
            Box::pin(async move { connection.execute(settings).await.map(drop) })
        });
        tables(options.connect(&format!("{url}?mode=rwc")).await?, "INTEGER PRIMARY KEY", "BLOB").await?
    } else {
        let options = AnyPoolOptions::new().max_connections(16);
        tables(options.connect(&url).await?, "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BYTEA").await?
    };
    let router = Router::new().route("/callbacks", post(callback)).with_state(pool);
    axum::serve(TcpListener::bind("127.0.0.1:8091").await?, router).await?;
    Ok(())
}

async fn tables(pool: AnyPool, id: &str, bytes: &str) -> sqlx::Result<AnyPool> {
    let history = format!(
        "CREATE TABLE IF NOT EXISTS history
             (id {id}, tracking_id TEXT NOT NULL, received_at BIGINT NOT NULL, body {bytes} NOT NULL)"
    );
    pool.execute(sqlx::AssertSqlSafe(history)).await?;
    pool.execute("CREATE INDEX IF NOT EXISTS history_tracking_id ON history (tracking_id)").await?;
    let message = "CREATE TABLE IF NOT EXISTS message
                       (tracking_id TEXT PRIMARY KEY, status TEXT NOT NULL, updated_at TEXT NOT NULL)";
    pool.execute(message).await?;
    Ok(pool)
}

async fn callback(State(pool): State<AnyPool>, body: Bytes) -> StatusCode {
    let Ok(callback) = serde_json::from_slice::<Callback>(&body) else { return StatusCode::BAD_REQUEST };
    match keep(&pool, &callback, &body).await {
        Ok(()) => StatusCode::OK,
        Err(error) => {
            eprintln!("cannot keep a callback: {error}");
            StatusCode::SERVICE_UNAVAILABLE
        }
    }
}

async fn keep(pool: &AnyPool, callback: &Callback, body: &[u8]) -> sqlx::Result<()> {
    let received_at = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
    let mut transaction = pool.begin().await?;
    query("INSERT INTO history (tracking_id, received_at, body) VALUES ($1, $2, $3)")
        .bind(&callback.tracking_id)
        .bind(i64::try_from(received_at).unwrap_or(i64::MAX))
        .bind(body)
        .execute(&mut *transaction)
        .await?;
    query(
        "INSERT INTO message (tracking_id, status, updated_at) VALUES ($1, $2, $3)
         ON CONFLICT (tracking_id) DO UPDATE SET status = excluded.status, updated_at = excluded.updated_at
         WHERE message.updated_at < excluded.updated_at",
    )
    .bind(&callback.tracking_id)
    .bind(&callback.status.name)
    .bind(callback.status.updated_date.as_deref().unwrap_or_default())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
