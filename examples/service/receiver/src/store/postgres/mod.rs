//! PostgreSQL: one pipelined connection that writes, and a few that read.
//!
//! A batch is one statement, `commit.sql` or `messages.sql`, sent in one piece with the end of its transaction: a receiver
//! that hangs holds no lock. Each time limit is within the next: a lock, a statement, the client, the answer.
//!
//! Nothing is left behind on a connection that a pooler may give to others: settings end with their transaction, and
//! statements have no name. Only batches on a connection of our own have both, to save the time of planning.

mod commit;
mod connect;
mod error;
mod migrate;
mod queries;
mod tls;
mod url;

use std::env;
use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use futures_util::future::try_join_all;
use tokio::time;
use tokio_postgres::Client;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tracing::info;

use crate::entry::Entry;
use crate::store::batch::{BatchRows, RowCounts, canaries};
use crate::store::error::{Cause, StoreError};
use crate::store::migration::{CHUNK, Report};
use crate::store::pool::Pool;
use crate::store::postgres::commit::{Prepared, Write};
use crate::store::postgres::connect::{Connected, Servers};
use crate::store::postgres::url::Target;
use crate::store::value::{Row, Statement, Value};
use crate::store::{Batching, Executed, Queries, READ_WITHIN, Store};

/// The longest that a batch may take; what became of it is unknown then. PostgreSQL itself gives up sooner, see
/// [`WRITING`], but has no limit for the commit.
const WRITE_WITHIN: Duration = Duration::from_millis(1200);

/// The longest that preparing a connection that writes may take.
const PREPARE_WITHIN: Duration = Duration::from_secs(1);

/// From which round trip on the database is far, and how many batches are under way then.
const FAR: Duration = Duration::from_millis(10);
const BATCHES_IF_FAR: u32 = 8;

/// How many may read at once.
const READERS: u32 = 4;

/// One plan serves batches of all sizes, and tables that were small when it was made and are large now.
const WRITING: [&str; 6] = [
    "lock_timeout = 250",
    "statement_timeout = 900",
    "idle_in_transaction_session_timeout = 2000",
    "jit = off",
    "plan_cache_mode = force_generic_plan",
    "enable_seqscan = off",
];

const READING: [&str; 4] =
    ["lock_timeout = 1000", "statement_timeout = 9000", "idle_in_transaction_session_timeout = 2000", "jit = off"];

/// Of what can be done again. It does not wait for the disk, for it locks the row that every commit of callbacks needs.
const EXECUTING: [&str; 5] = [
    "lock_timeout = 1000",
    "statement_timeout = 9000",
    "idle_in_transaction_session_timeout = 2000",
    "jit = off",
    "synchronous_commit = off",
];

/// Of what makes the tables or brings them over, which may take long, and waits for one that does.
const MIGRATING: [&str; 5] = [
    "lock_timeout = 0",
    "statement_timeout = 0",
    "idle_in_transaction_session_timeout = 10000",
    "jit = off",
    "plan_cache_mode = force_generic_plan",
];

pub struct Postgres {
    servers: Servers,
    writer: tokio::sync::Mutex<Option<Arc<Writer>>>,
    /// Of the connection that writes, in microseconds.
    round_trip: AtomicU64,
    readers: Pool<Connected>,
}

/// The connection that writes.
struct Writer {
    connected: Connected,
    /// Only on a connection of our own.
    prepared: Option<Prepared>,
    /// Held while the parts of a transaction are handed to the connection, so that they stay together.
    turn: Mutex<()>,
}

impl Postgres {
    pub async fn open(url: &str) -> anyhow::Result<Self> {
        let postgres = Self {
            servers: Servers::new(Target::read(url, env::var("PGPASSWORD").ok())?)?,
            writer: tokio::sync::Mutex::default(),
            round_trip: AtomicU64::default(),
            readers: Pool::new(READERS),
        };
        let encoding = postgres.query_one("SELECT current_setting('server_encoding')", vec![]).await?;
        let encoding: &str = encoding.get(0)?;
        ensure!(encoding == "UTF8", "the encoding of the database is {encoding}; it must be UTF8, or texts do not fit");
        Ok(postgres)
    }

    /// The connection that writes, made if there is none.
    async fn writer(&self) -> Result<Arc<Writer>, StoreError> {
        let mut writer = self.writer.lock().await;
        if let Some(writer) = &*writer
            && !writer.connected.client.is_closed()
        {
            return Ok(writer.clone());
        }
        let connected = self.servers.connect().await?;
        let prepare = async {
            let prepared = if connected.is_direct {
                connected.client.batch_execute(&set(Scope::Session, &WRITING)).await?;
                Some(Prepared::on(&connected.client).await?)
            } else {
                None
            };
            let begin = Instant::now();
            connected.client.batch_execute("").await?;
            Ok::<_, StoreError>((prepared, begin.elapsed()))
        };
        let (prepared, round_trip) = within(PREPARE_WITHIN, &connected.server, "its settings", prepare).await?;
        self.round_trip.store(u64::try_from(round_trip.as_micros()).unwrap_or(u64::MAX), Relaxed);
        let made = Arc::new(Writer { connected, prepared, turn: Mutex::default() });
        *writer = Some(made.clone());
        Ok(made)
    }

    /// Makes the next batch use a new connection. The batches that are under way on this one go on.
    async fn discard(&self, writer: &Arc<Writer>) {
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
            Some(reader) if !reader.client.is_closed() => reader,
            _ => self.servers.connect().await?,
        };
        let Connected { client, server, .. } = &mut reader;
        let done = self::within(within, server, "an answer", work(client)).await?;
        self.readers.release(reader);
        Ok(done)
    }
}

impl Writer {
    async fn write(&self, rows: &BatchRows<'_>) -> Result<RowCounts, StoreError> {
        let (client, prepared) = (&self.connected.client, self.prepared.as_ref());
        let batch = Write::batch(rows);
        let written = if prepared.is_some() {
            // A statement is a transaction of its own.
            self.in_turn(batch.run(client, prepared)).await?
        } else {
            self.in_turn(transact(client, &WRITING, batch.run(client, prepared), "COMMIT")).await?
        };
        let (mut counts, unmoved) = commit::counts(rows, &written)?;
        if !unmoved.is_empty() {
            // As few batches need it, it is on the heap.
            let kept = Box::pin(commit::keep_unmoved(&unmoved, client, prepared));
            let kept = self.in_turn(transact(client, &WRITING, kept, "COMMIT")).await?;
            commit::count_unmoved(&mut counts, &kept)?;
        }
        Ok(counts)
    }

    /// Hands all parts of a transaction to the connection at once.
    async fn in_turn<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        let mut work = pin!(work);
        poll_fn(|context| {
            let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
            work.as_mut().poll(context)
        })
        .await
    }
}

/// A transaction with these settings, which is handed to the connection as a whole when this is polled first: it waits for
/// nobody.
async fn transact<T>(
    client: &Client,
    settings: &[&str],
    work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    end: &str,
) -> Result<T, StoreError> {
    let opening = format!("BEGIN; {}", set(Scope::Transaction, settings));
    let (begun, done, ended) = tokio::join!(biased; client.batch_execute(&opening), work, client.batch_execute(end));
    begun?;
    let done = done?;
    ended?;
    Ok(done)
}

/// How long settings apply.
#[derive(Clone, Copy)]
enum Scope {
    Session,
    Transaction,
}

/// The statements for these settings. Unless they say otherwise, a commit must be on the disk, but may be on that of a
/// standby, too.
fn set(scope: Scope, settings: &[&str]) -> String {
    let (command, is_local) = match scope {
        Scope::Session => ("SET", false),
        Scope::Transaction => ("SET LOCAL", true),
    };
    let statements = settings.join(&format!("; {command} "));
    format!(
        "SELECT set_config('synchronous_commit', 'on', {is_local}) WHERE current_setting('synchronous_commit') = 'off';
         {command} {statements}"
    )
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
        let committed = within(WRITE_WITHIN, &writer.connected.server, "a commit", writer.write(&rows)).await;
        if matches!(&committed, Err(StoreError { cause: Cause::Unavailable, .. })) {
            self.discard(&writer).await;
        }
        committed
    }

    async fn check(&self) -> Result<(), StoreError> {
        let canaries = canaries();
        let check = async |reader: &mut Client| {
            let rows = BatchRows::of(&canaries);
            transact(reader, &WRITING, Write::batch(&rows).run(reader, None), "ROLLBACK").await.map(drop)
        };
        self.read(WRITE_WITHIN, check).await
    }

    fn queries(&self) -> &'static Queries {
        &queries::QUERIES
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let read =
            async |reader: &mut Client| transact(reader, &READING, query(reader, sql, &parameters), "COMMIT").await;
        self.read(READ_WITHIN, read).await
    }

    async fn scan(&self, sql: &str) -> Result<Vec<Row>, StoreError> {
        let client = self.servers.connect().await?.client;
        transact(&client, &MIGRATING, query(&client, sql, &[]), "COMMIT").await
    }

    async fn execute_timed(&self, statements: Vec<Statement<'_>>) -> Result<Executed, StoreError> {
        // What locks a row keeps it only as long as PostgreSQL works, however far it is.
        let execute = async |writer: &mut Client| {
            let begin = Instant::now();
            let rows = transact(writer, &EXECUTING, execute(writer, &statements), "COMMIT").await?;
            Ok(Executed { rows, took: begin.elapsed() })
        };
        self.read(READ_WITHIN, execute).await
    }

    async fn has_tables(&self) -> Result<bool, StoreError> {
        let tables = self.query_one("SELECT count(to_regclass('schema_version'))", vec![]).await?;
        Ok(tables.get::<i64>(0)? > 0)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let connected = self.servers.connect().await?;
        let mut report = Report::new(Instant::now());
        while let Some(progress) = migrate::advance(&connected.client, CHUNK).await? {
            if let Some(line) = report.line(progress, Instant::now()) {
                info!("{line}");
            }
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), StoreError> {
        // The next statement sees what the one that had the lock before has left.
        let lock = "SELECT pg_advisory_xact_lock(7238)";
        self.execute(vec![(lock, vec![]), (include_str!("settle.sql"), vec![])]).await.map(drop)
    }

    async fn ended(&self) {
        std::future::pending::<()>().await;
    }

    async fn close(&self) {
        self.writer.lock().await.take();
        self.readers.close().await;
    }
}

/// The time that something on a connection may take.
async fn within<T>(
    limit: Duration,
    server: &str,
    what: &str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| StoreError::unavailable(format!("{server}: waited {} ms for {what}", limit.as_millis()));
    time::timeout(limit, work).await.map_err(late)?
}

async fn execute(client: &Client, statements: &[Statement<'_>]) -> Result<Vec<u64>, tokio_postgres::Error> {
    let execute = async |(sql, parameters): &Statement<'_>| client.execute_typed(sql, &typed(parameters)).await;
    try_join_all(statements.iter().map(execute)).await
}

async fn query(client: &Client, sql: &str, parameters: &[Value]) -> Result<Vec<Row>, tokio_postgres::Error> {
    let rows = client.query_typed(sql, &typed(parameters)).await?;
    let row = |row: &tokio_postgres::Row| (0..row.len()).map(|column| row.try_get(column)).collect::<Result<_, _>>();
    rows.iter().map(|columns| row(columns).map(Row)).collect()
}

/// Parameters with what PostgreSQL calls their types.
fn typed(parameters: &[Value]) -> Vec<(&(dyn ToSql + Sync), Type)> {
    fn of(value: &Value) -> (&(dyn ToSql + Sync), Type) {
        match value {
            // Of the type that its place asks for.
            Value::Null => (&None::<&str>, Type::UNKNOWN),
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
