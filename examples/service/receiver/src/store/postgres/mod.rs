//! PostgreSQL: one pipelined connection that writes, and a few that read.
//!
//! A batch is one statement, `commit.sql`, sent in one piece with the end of its transaction: a receiver that hangs
//! holds no lock. Each time limit is within the next: a lock, a statement, the client, the answer.

mod commit;

use std::error::Error;
use std::fmt::Display;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use futures_util::future::try_join_all;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::{task, time};
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Config, Connection, NoTls};
use tokio_postgres_rustls::MakeRustlsConnect;
use tracing::debug;

use crate::entry::Entry;
use crate::store::batch::{BatchRows, RowCounts, canaries};
use crate::store::error::{Cause, StoreError};
use crate::store::pool::Pool;
use crate::store::postgres::commit::Commit;
use crate::store::value::{Row, Statement, Value};
use crate::store::{Batching, READ_WITHIN, Store, migration};

/// The longest that a batch may take; what became of it is unknown then. PostgreSQL itself gives up sooner, see
/// [`SETTINGS`], but has no limit for the commit.
const WRITE_WITHIN: Duration = Duration::from_millis(1200);

/// The longest that making a connection may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// From which round trip on the database is far, and how many batches are under way then.
const FAR: Duration = Duration::from_millis(10);
const BATCHES_IF_FAR: u32 = 8;

/// How many may read at once.
const READERS: u32 = 4;

/// Of a connection that writes. One plan serves batches of all sizes.
const SETTINGS: &str = "SET lock_timeout = 250; SET statement_timeout = 900; SET jit = off;
     SET idle_in_transaction_session_timeout = 2000; SET plan_cache_mode = force_generic_plan;
     SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// Of a connection that reads.
const READER_SETTINGS: &str = "SET lock_timeout = 1000; SET statement_timeout = 9000; SET jit = off;
     SET idle_in_transaction_session_timeout = 2000";

/// Of the connection that makes the tables or brings them over, which may take long, and waits for one that does.
const MIGRATION_SETTINGS: &str = "SET lock_timeout = 0; SET statement_timeout = 0; SET jit = off;
     SET idle_in_transaction_session_timeout = 10000; SET plan_cache_mode = force_generic_plan";

pub struct Postgres {
    config: Config,
    /// Only with `sslmode=require`. Otherwise a server whose certificate the system does not trust could not be used.
    tls: Option<MakeRustlsConnect>,
    writer: tokio::sync::Mutex<Option<Arc<WriteConnection>>>,
    /// Of the connection that writes, in microseconds.
    round_trip: AtomicU64,
    readers: Pool<Client>,
}

struct WriteConnection {
    client: Client,
    commit: Commit,
}

impl Postgres {
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let mut config: Config = url.parse()?;
        // A server that is gone without closing the connection is noticed in seconds.
        config
            .connect_timeout(CONNECT_WITHIN)
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_secs(10));
        if config.get_application_name().is_none() {
            config.application_name("routee receiver");
        }
        let tls = if config.get_ssl_mode() == SslMode::Require { Some(tls()?) } else { None };
        let postgres = Self {
            config,
            tls,
            writer: tokio::sync::Mutex::default(),
            round_trip: AtomicU64::default(),
            readers: Pool::new(READERS),
        };
        let encoding = postgres.query_one("SELECT current_setting('server_encoding')", vec![]).await?;
        let encoding: &str = encoding.get(0)?;
        ensure!(encoding == "UTF8", "the encoding of the database is {encoding}; it must be UTF8, or texts do not fit");
        Ok(postgres)
    }

    async fn connect(&self, settings: &str) -> Result<Client, StoreError> {
        let connect = async {
            let client = match &self.tls {
                Some(tls) => driven(self.config.connect(tls.clone()).await?),
                None => driven(self.config.connect(NoTls).await?),
            };
            client.batch_execute(settings).await?;
            Ok(client)
        };
        time::timeout(CONNECT_WITHIN, connect).await.map_err(StoreError::unavailable)?
    }

    /// The connection that writes, made if there is none.
    async fn writer(&self) -> Result<Arc<WriteConnection>, StoreError> {
        let mut writer = self.writer.lock().await;
        if let Some(writer) = &*writer
            && !writer.client.is_closed()
        {
            return Ok(writer.clone());
        }
        let client = self.connect(SETTINGS).await?;
        let commit = Commit::prepare(&client).await?;
        let begin = Instant::now();
        client.batch_execute("").await?;
        self.round_trip.store(u64::try_from(begin.elapsed().as_micros()).unwrap_or(u64::MAX), Relaxed);
        let connected = Arc::new(WriteConnection { client, commit });
        *writer = Some(connected.clone());
        Ok(connected)
    }

    /// Makes the next batch use a new connection. The batches that are under way on this one go on.
    async fn discard(&self, writer: &Arc<WriteConnection>) {
        let mut current = self.writer.lock().await;
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, writer)) {
            *current = None;
        }
    }

    /// Does something on a connection that reads. If it fails or takes too long, the connection is closed.
    async fn read<T>(
        &self,
        within: Duration,
        work: impl AsyncFnOnce(&mut Client) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let (_permit, idle) = self.readers.acquire().await?;
        let mut reader = match idle {
            Some(reader) if !reader.is_closed() => reader,
            _ => self.connect(READER_SETTINGS).await?,
        };
        let done = time::timeout(within, work(&mut reader)).await.map_err(StoreError::unavailable)??;
        self.readers.release(reader);
        Ok(done)
    }
}

#[async_trait]
impl Store for Postgres {
    /// If the database is far away, several batches are on their way at once, and each starts a little after the one
    /// before. If they started as soon as they could, the first ones would have one callback each, and all others would
    /// wait for a whole round trip.
    fn batching(&self) -> Batching {
        let round_trip = Duration::from_micros(self.round_trip.load(Relaxed));
        if round_trip < FAR {
            return Batching::default();
        }
        Batching { max_in_flight: BATCHES_IF_FAR, linger: round_trip / BATCHES_IF_FAR }
    }

    async fn commit(&self, entries: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
        let writer = self.writer().await?;
        let rows = BatchRows::of(entries);
        let committed = match time::timeout(WRITE_WITHIN, writer.commit.run(&writer.client, &rows)).await {
            Ok(committed) => committed,
            Err(_) => Err(StoreError::unavailable("PostgreSQL takes too long")),
        };
        if matches!(&committed, Err(StoreError { cause: Cause::Unavailable, .. })) {
            self.discard(&writer).await;
        }
        committed
    }

    async fn check(&self) -> Result<(), StoreError> {
        let canaries = canaries();
        let check = async |reader: &mut Client| {
            let commit = Commit::prepare(reader).await?;
            let rows = BatchRows::of(&canaries);
            // All three are sent before the first is answered, so that the transaction is not open for a round trip.
            let (begin, written, rollback) = tokio::join!(
                biased;
                reader.batch_execute("BEGIN"),
                commit.run(reader, &rows),
                reader.batch_execute("ROLLBACK"),
            );
            begin?;
            rollback?;
            written.map(drop)
        };
        self.read(WRITE_WITHIN, check).await
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        self.read(READ_WITHIN, async |reader: &mut Client| query(reader, sql, &parameters).await).await
    }

    async fn execute(&self, statements: Vec<Statement<'_>>) -> Result<u64, StoreError> {
        let execute = async |writer: &mut Client| {
            let transaction = writer.transaction().await?;
            // All of them are sent before the first is answered, so that they take one round trip together.
            let changed = statements
                .iter()
                .map(async |(sql, parameters)| transaction.execute_typed(sql, &typed(parameters)).await);
            let changed = try_join_all(changed).await?.last().copied().unwrap_or_default();
            transaction.commit().await?;
            Ok(changed)
        };
        self.read(READ_WITHIN, execute).await
    }

    async fn has_tables(&self) -> Result<bool, StoreError> {
        let tables = self.query_one("SELECT count(to_regclass('schema_version'))", vec![]).await?;
        Ok(tables.get::<i64>(0)? > 0)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let client = self.connect(MIGRATION_SETTINGS).await?;
        migrate(&client).await
    }

    async fn ended(&self) {
        std::future::pending::<()>().await;
    }

    async fn close(&self) {
        self.writer.lock().await.take();
        self.readers.close().await;
    }
}

/// TLS with the certificates that the system trusts; `SSL_CERT_FILE` names others.
fn tls() -> anyhow::Result<MakeRustlsConnect> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    ensure!(!roots.is_empty(), "the system trusts no certificates: {:?}", found.errors);
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Lets the connection work for its client, in a task that ends with it.
fn driven<S, T>((client, connection): (Client, Connection<S, T>)) -> Client
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    task::spawn(async move {
        if let Err(error) = connection.await {
            debug!(error = %Chain(&error), "a connection to PostgreSQL has ended");
        }
    });
    client
}

/// If it fails, the transaction ends with the connection.
async fn migrate(client: &Client) -> Result<(), StoreError> {
    // Receivers that start at once would make the tables at once, which fails.
    client.batch_execute("BEGIN; SELECT pg_advisory_xact_lock(7237)").await?;
    let is_made = client.query_one("SELECT to_regclass('schema_version') IS NOT NULL", &[]).await?;
    if is_made.try_get(0)? {
        let version = client.query_one("SELECT max(version) FROM schema_version", &[]).await?;
        if version.try_get::<_, Option<i64>>(0)? == Some(migration::FROM) {
            // Keeps receivers that are still running from writing. Locked in the order of `commit.sql`, so that no
            // deadlock can arise.
            let lock = "LOCK TABLE history, message, flow, reply, other, unreadable, change_counter, change";
            client.batch_execute(lock).await?;
            let commit = Commit::prepare(client).await?;
            migration::bring_over(&PostgresTransaction { client, commit }).await?;
        }
    } else {
        client.batch_execute(include_str!("tables.sql")).await?;
    }
    Ok(client.batch_execute("COMMIT").await?)
}

struct PostgresTransaction<'a> {
    client: &'a Client,
    commit: Commit,
}

impl migration::Transaction for PostgresTransaction<'_> {
    type Error = StoreError;

    async fn run(&self, statements: &str) -> Result<(), StoreError> {
        Ok(self.client.batch_execute(statements).await?)
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        query(self.client, sql, &parameters).await
    }

    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<(), StoreError> {
        self.client.execute_typed(sql, &typed(&parameters)).await?;
        Ok(())
    }

    async fn write(&self, entries: &[Arc<Entry>]) -> Result<(), StoreError> {
        self.commit.run(self.client, &BatchRows::of(entries)).await.map(drop)
    }

    fn cause(error: &StoreError) -> Cause {
        error.cause
    }
}

async fn query(client: &Client, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, StoreError> {
    let rows = client.query_typed(sql, &typed(parameters)).await?;
    let row = |row: &tokio_postgres::Row| (0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>();
    Ok(rows.iter().map(|columns| row(columns).map(Row)).collect::<Result<_, _>>()?)
}

/// Parameters with what PostgreSQL calls their types.
fn typed(parameters: &[Value]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    fn of(value: &Value) -> (&(dyn ToSql + Sync), Type) {
        match value {
            Value::Null => (&None::<&str>, Type::TEXT),
            Value::Integer(integer) => (integer, Type::INT8),
            Value::Text(text) => (text, Type::TEXT),
            Value::Bytes(bytes) => (bytes, Type::BYTEA),
        }
    }
    parameters.iter().map(of).collect()
}

impl FromSql<'_> for Value {
    fn from_sql(of: &Type, raw: &[u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        match *of {
            Type::INT8 => i64::from_sql(of, raw).map(Self::Integer),
            Type::BYTEA => Vec::from_sql(of, raw).map(Self::Bytes),
            _ => String::from_sql(of, raw).map(Self::Text),
        }
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(of: &Type) -> bool {
        matches!(*of, Type::INT8 | Type::BYTEA) || <String as FromSql>::accepts(of)
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        let cause = match error.code() {
            Some(
                &SqlState::LOCK_NOT_AVAILABLE | &SqlState::T_R_DEADLOCK_DETECTED | &SqlState::T_R_SERIALIZATION_FAILURE,
            ) => Cause::Locked,
            Some(code) if ["22", "23", "54"].iter().any(|class| code.code().starts_with(class)) => Cause::Data,
            _ => Cause::Unavailable,
        };
        // Without the detail, which may quote the row.
        let message = error.as_db_error().map_or_else(|| Chain(&error).to_string(), |error| error.message().to_owned());
        Self { cause, message }
    }
}

/// An error with what caused it, which tokio-postgres leaves out.
struct Chain<'a>(&'a tokio_postgres::Error);

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
