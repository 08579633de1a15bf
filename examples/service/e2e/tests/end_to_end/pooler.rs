//! PgBouncer between the receiver and PostgreSQL.

use std::fs;
use std::path::Path;
use std::process::{Child, Stdio};

use anyhow::{Result, ensure};
use tempfile::TempDir;

use crate::database::{Database, connect};
use crate::operations::run;
use crate::postgres::{Postgres, as_postgres, database, free_port, give_to_postgres};
use crate::processes::{Receiver, Sender, until};
use crate::setup::Directory;
use crate::stored::Stored;

/// How many connections the pool has to PostgreSQL.
const POOL: usize = 10;

/// What a session of PostgreSQL has that the receiver must not leave behind.
const LEFT: &str =
    "SELECT current_setting('lock_timeout'), current_setting('statement_timeout'), current_setting('jit'),
     current_setting('idle_in_transaction_session_timeout'), current_setting('plan_cache_mode'),
     (SELECT count(*) FROM pg_prepared_statements)";

struct PgBouncer {
    process: Child,
    database: Database,
}

impl PgBouncer {
    async fn start(directory: &TempDir, postgres: &Postgres, lines: &str) -> Result<Self> {
        let port = free_port()?;
        let (configuration, log) = (directory.path().join("pgbouncer.ini"), directory.path().join("pgbouncer.log"));
        let server = format!("* = host=127.0.0.1 port={} user=routee", postgres.port);
        let address = format!("listen_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\nauth_type = any");
        let pool = format!("default_pool_size = {POOL}\nlogfile = {}", log.display());
        fs::write(&configuration, format!("[databases]\n{server}\n[pgbouncer]\n{address}\n{pool}\n{lines}\n"))?;
        give_to_postgres(&configuration)?;
        let mut command = as_postgres(Path::new("/usr/sbin/pgbouncer"));
        let process =
            command.arg(&configuration).current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        let pgbouncer = Self { process, database: database("postgres", port) };
        until("PgBouncer listens", async || Ok(connect(&pgbouncer.database.url()).await.is_ok())).await?;
        Ok(pgbouncer)
    }

    /// What each connection of the pool has.
    async fn left(&self) -> Result<Vec<Vec<String>>> {
        let mut clients = Vec::new();
        let mut left = Vec::new();
        for _ in 0..POOL {
            let client = connect(&self.database.url()).await?;
            // It keeps its connection until its transaction ends.
            client.batch_execute("BEGIN").await?;
            let found = client.query_typed_one(LEFT, &[]).await?;
            let mut texts: Vec<String> = (0..5).map(|column| found.get(column)).collect();
            texts.push(found.get::<_, i64>(5).to_string());
            left.push(texts);
            clients.push(client);
        }
        left.dedup();
        Ok(left)
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        // `runuser` passes it on.
        let _ = std::process::Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}

async fn leaves_nothing_behind(lines: &str) -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let pgbouncer = PgBouncer::start(&directory, &postgres, lines).await?;
    let untouched = vec![["0", "0", "on", "0", "auto", "0"].map(ToOwned::to_owned).to_vec()];
    ensure!(pgbouncer.left().await? == untouched);

    let receiver = Receiver::start(&directory, &pgbouncer.database, &[]).await?;
    let load = ["--messages=2000", "--connections=64", "--failover=0.1", "--replies=0.1", "--malformed=0.01"];
    let sent = Sender::start(&directory, "sender", &[&receiver.url], &load).await?.finish().await?;
    ensure!(sent.all_answered_200());
    for path in ["/", "/readyz", "/changes?after=0"] {
        ensure!(receiver.ask(path).await?.status() == 200, "{path}");
    }
    ensure!(run(&pgbouncer.database, &["purge", "--older-than=30d"]).await?.status.success());
    ensure!(receiver.refused().await? == 0);
    // In session mode, the receiver keeps its connections until it ends.
    if !lines.contains("session") {
        ensure!(pgbouncer.left().await? == untouched);
    }
    receiver.terminate().await?;
    ensure!(pgbouncer.left().await? == untouched);
    Stored::read(&postgres.database).await?.is_what_was(&sent)
}

#[tokio::test]
async fn pooling_transactions() -> Result<()> {
    leaves_nothing_behind("pool_mode = transaction").await
}

#[tokio::test]
async fn pooling_transactions_and_dropping_options() -> Result<()> {
    leaves_nothing_behind("pool_mode = transaction\nignore_startup_parameters = options").await
}

#[tokio::test]
async fn pooling_sessions() -> Result<()> {
    leaves_nothing_behind("pool_mode = session").await
}
