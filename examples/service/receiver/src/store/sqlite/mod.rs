//! SQLite: one thread that owns the one connection that writes, and a few that read.
//!
//! After an automatic rollback (a full disk is enough) SQLite commits every further statement alone. So the first
//! error ends a transaction and its connection, and nothing counts as committed until `COMMIT` has returned and
//! autocommit is on again. The next transaction opens the file anew.

mod backup;
mod checkpoint;
mod commit;
pub mod migrate;
mod queries;
mod tallies;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;
use async_trait::async_trait;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, Type, ValueRef};
use rusqlite::{Connection, ErrorCode, OpenFlags, params_from_iter};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::{task, time};
use tracing::{debug, info};

use crate::entry::Entry;
use crate::store::batch::{BatchRows, RowCounts, canaries};
use crate::store::error::{Cause, StoreError};
use crate::store::migration::{CHUNK, Progress, Report};
use crate::store::pool::Pool;
use crate::store::sqlite::checkpoint::{Checkpointer, TRUNCATE, Wal};
use crate::store::sqlite::commit::write_rows;
use crate::store::value::{Row, Statement, Value, WrongType};
use crate::store::{Executed, Queries, READ_WITHIN, Store};

pub use crate::store::sqlite::backup::backup;

/// How long a transaction waits for another process that writes: less than there is time to answer.
const LOCK_WITHIN: Duration = Duration::from_secs(1);

/// How often it looks whether that has ended. One that is busy leaves no more than moments between its transactions, which
/// SQLite's own handler misses, since it comes to look every 100 ms.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// How often to try to have the WAL in the file once that has no free pages any more, and how long to wait in between.
const SHRINK_TRIES: u32 = 20;
const SHRINK_PAUSE: Duration = Duration::from_millis(100);

/// How long the writer waits for those who read, if it is to let the WAL begin anew.
const ANEW_WITHIN: Duration = Duration::from_millis(50);

/// How many may read at once.
const READERS: u32 = 2;

/// What `PRAGMA auto_vacuum` says of a file that can be made smaller.
const INCREMENTAL: i64 = 2;

pub struct Sqlite {
    path: PathBuf,
    jobs: Mutex<Option<mpsc::UnboundedSender<Job>>>,
    writer: watch::Receiver<()>,
    readers: Pool<Connection>,
    wal: Arc<Wal>,
}

/// The tables of deliveries, of what they are about, and of how many there are.
const DELIVERIES: &str = concat!(include_str!("deliveries.sql"), include_str!("tallies.sql"));

/// Work for the writer, which also sends the answer.
type Job = Box<dyn FnOnce(&mut Writer) + Send>;

struct Writer {
    path: PathBuf,
    max_pages: Option<u32>,
    /// The disk was full once, so that the WAL is kept short.
    is_cramped: bool,
    connection: Option<Connection>,
    /// Has the other thread look at the WAL.
    checkpoint: std::sync::mpsc::SyncSender<()>,
}

impl Sqlite {
    pub fn open(path: &str, max_pages: Option<u32>) -> anyhow::Result<Self> {
        let path = PathBuf::from(path);
        let (checkpoint, checkpoints) = std::sync::mpsc::sync_channel(1);
        let connection = Connection::open(&path)?;
        let wal = Arc::new(Wal::of(&connection));
        let writer = Writer { path: path.clone(), max_pages, is_cramped: false, connection: None, checkpoint };
        let writer = Writer { connection: Some(writer.connect()?), ..writer };
        let (jobs, mut to_do) = mpsc::unbounded_channel::<Job>();
        let checkpointer = Checkpointer::new(connection, wal.clone(), jobs.downgrade());
        let checkpointer =
            thread::Builder::new().name("checkpoint".to_owned()).spawn(move || checkpointer.run(&checkpoints))?;
        let (alive, is_alive) = watch::channel(());
        thread::Builder::new().name("sqlite".to_owned()).spawn(move || {
            // Dropped in the opposite order: the connection is closed before `alive` shows that the thread has ended.
            let (_alive, mut writer) = (alive, writer);
            while let Some(job) = to_do.blocking_recv() {
                job(&mut writer);
            }
            // The last connection that closes moves the WAL into the file. That must be the writer's, so the other
            // thread ends first.
            drop(writer.checkpoint);
            let _ = checkpointer.join();
        })?;
        Ok(Self { path, jobs: Mutex::new(Some(jobs)), writer: is_alive, readers: Pool::new(READERS), wal })
    }

    /// Runs `work` in a transaction of the writer's.
    async fn write<T: Send + 'static>(
        &self,
        end: End,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        Ok(self.write_timed(end, work).await?.0)
    }

    /// The same, and for how long nobody else could write.
    async fn write_timed<T: Send + 'static>(
        &self,
        end: End,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<(T, Duration), StoreError> {
        self.let_write(move |writer| writer.transaction(end, work)).await
    }

    /// Lets the writer do something.
    async fn let_write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            let _ = answer.send(work(writer));
        });
        let gone = || StoreError::unavailable("the writer of SQLite has ended");
        {
            let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
            jobs.as_ref().ok_or_else(gone)?.send(job).map_err(|_| gone())?;
        }
        answered.await.map_err(|_| gone())?
    }
}

#[async_trait]
impl Store for Sqlite {
    async fn commit(&self, entries: &[Arc<Entry>]) -> Result<RowCounts, StoreError> {
        let entries = entries.to_vec();
        self.write(End::Commit, move |connection| write_rows(connection, &BatchRows::of(&entries))).await
    }

    async fn check(&self) -> Result<(), StoreError> {
        let work = |connection: &Connection| write_rows(connection, &BatchRows::of(&canaries()));
        self.write(End::Rollback, work).await?;
        // A full disk shows only when a page is written, and only a change of a value writes one.
        let differs = |connection: &Connection| {
            let last: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
            connection.pragma_update(None, "user_version", last.wrapping_add(1))
        };
        self.write(End::Commit, differs).await
    }

    fn queries(&self) -> &'static Queries {
        &queries::QUERIES
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        let (_permit, idle) = self.readers.acquire().await?;
        let reader = match idle {
            Some(reader) => reader,
            None => open_reader(&self.path)?,
        };
        let interrupt = reader.get_interrupt_handle();
        let sql = sql.to_owned();
        let mut reading = task::spawn_blocking(move || {
            let rows = read(&reader, &sql, &parameters);
            (reader, rows)
        });
        let Ok(read) = time::timeout(READ_WITHIN, &mut reading).await else {
            interrupt.interrupt();
            return Err(StoreError::unavailable("reading the database takes too long"));
        };
        let (reader, rows) = read.map_err(StoreError::unavailable)?;
        let rows = rows?;
        self.readers.release(reader);
        Ok(rows)
    }

    async fn scan(&self, sql: &str) -> Result<Vec<Row>, StoreError> {
        let (reader, sql) = (open_reader(&self.path)?, sql.to_owned());
        let rows = task::spawn_blocking(move || read(&reader, &sql, &[])).await.map_err(StoreError::unavailable)?;
        Ok(rows?)
    }

    async fn execute_timed(&self, statements: Vec<Statement<'_>>) -> Result<Executed, StoreError> {
        let statements: Vec<_> = statements.into_iter().map(|(sql, parameters)| (sql.to_owned(), parameters)).collect();
        let work = move |connection: &Connection| {
            let execute = |(sql, parameters): &(String, Vec<Value>)| {
                let changed = connection.prepare_cached(sql)?.execute(params_from_iter(parameters))?;
                Ok(changed as u64)
            };
            let rows = statements.iter().map(execute).collect::<rusqlite::Result<_>>()?;
            tallies::settle_forgotten(connection)?;
            Ok(rows)
        };
        let (rows, took) = self.write_timed(End::Commit, work).await?;
        Ok(Executed { rows, took })
    }

    async fn has_tables(&self) -> Result<bool, StoreError> {
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'schema_version'";
        Ok(self.query_one(tables, vec![]).await?.get::<i64>(0)? > 0)
    }

    async fn migrate(&self) -> Result<(), StoreError> {
        let mut report = Report::new(Instant::now());
        while let Some(progress) = self.let_write(Writer::migrate).await? {
            if let Some(line) = report.line(progress, Instant::now()) {
                info!("{line}");
            }
        }
        Ok(())
    }

    async fn settle(&self) -> Result<(), StoreError> {
        self.write(End::Commit, tallies::settle).await
    }

    async fn free_pages(&self) -> anyhow::Result<i64> {
        let mode: i64 = self.query_one("PRAGMA auto_vacuum", vec![]).await?.get(0)?;
        ensure!(
            mode == INCREMENTAL,
            "this file cannot be made smaller beside a running receiver. Once, stop the receiver and run: sqlite3 {} 'PRAGMA auto_vacuum = INCREMENTAL; VACUUM'",
            self.path.display()
        );
        Ok(self.query_one("PRAGMA freelist_count", vec![]).await?.get(0)?)
    }

    async fn shrink(&self, pages: i64) -> Result<Executed, StoreError> {
        let work = move |connection: &Connection| {
            let mut vacuum = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
            let (mut steps, mut freed) = (vacuum.query([])?, 0);
            // Each step gives one page back.
            while steps.next()?.is_some() {
                freed += 1;
            }
            let left: i64 = connection.pragma_query_value(None, "freelist_count", |row| row.get(0))?;
            Ok((freed, left))
        };
        let ((freed, left), took) = self.write_timed(End::Commit, work).await?;
        if left == 0 {
            // The file is shorter only once the WAL is in it, which whoever reads can delay.
            for _ in 0..SHRINK_TRIES {
                if self.let_write(|writer| Ok(writer.begin_wal_anew(TRUNCATE))).await? {
                    break;
                }
                time::sleep(SHRINK_PAUSE).await;
            }
        }
        Ok(Executed { rows: vec![freed], took })
    }

    fn wal_bytes(&self) -> u64 {
        self.wal.bytes()
    }

    async fn ended(&self) {
        let mut writer = self.writer.clone();
        while writer.changed().await.is_ok() {}
    }

    async fn close(&self) {
        // The writer is closed last: the last connection moves the WAL into the file, which a reader cannot do.
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.readers.close().await;
        drop(jobs);
        self.ended().await;
    }
}

#[derive(Clone, Copy)]
enum End {
    Commit,
    Rollback,
}

impl Writer {
    fn connect(&self) -> rusqlite::Result<Connection> {
        let mut connection = Connection::open(&self.path)?;
        wait(&mut connection)?;
        // FULL: what was answered 200 survives a power cut. The cache holds what a batch changes. SQLite looks through all of
        // it in nearly every commit, so that one four times as large costs more than it saves.
        connection.execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 20000;
             PRAGMA cache_size = -16384",
        )?;
        if self.is_cramped {
            // A WAL of 20 000 pages may be all that the disk has room for, and only a checkpoint makes it shorter. If
            // there is no room for that either, the next attempt tries again.
            connection.pragma_update(None, "wal_autocheckpoint", 1000)?;
            if let Err(error) = begin_wal_anew(&mut connection, TRUNCATE) {
                debug!(%error, "cannot empty SQLite's WAL");
            }
        }
        if let Some(pages) = self.max_pages {
            connection.execute_batch(&format!("PRAGMA max_page_count = {pages}"))?;
        }
        connection.execute_batch(tallies::TEMPORARY)?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(connection)
    }

    /// Whether the WAL begins anew with the next commit.
    fn begin_wal_anew(&mut self, mode: &str) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        begin_wal_anew(connection, if self.is_cramped { TRUNCATE } else { mode }).unwrap_or_else(|error| {
            debug!(%error, "cannot let SQLite's WAL begin anew");
            self.connection = None;
            false
        })
    }

    /// Does the next chunk of a migration.
    fn migrate(&mut self) -> Result<Option<Progress>, StoreError> {
        let mut connection = self.take_connection()?;
        migrate::wait_long(&mut connection)?;
        self.connection = Some(connection);
        let (progress, _) = self.transaction(End::Commit, |connection| migrate::advance(connection, CHUNK))?;
        let mut connection = self.take_connection()?;
        wait(&mut connection)?;
        self.connection = Some(connection);
        Ok(progress)
    }

    fn take_connection(&mut self) -> rusqlite::Result<Connection> {
        self.connection.take().map_or_else(|| self.connect(), Ok)
    }

    fn transaction<T>(
        &mut self,
        end: End,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<(T, Duration), StoreError> {
        let connection = self.take_connection()?;
        // From here on an error drops the connection, and the transaction with it.
        let mut store_error = |error: rusqlite::Error| {
            let code = error.sqlite_error_code();
            self.is_cramped |= matches!(code, Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure));
            StoreError::from(error)
        };
        connection.execute_batch("BEGIN IMMEDIATE").map_err(&mut store_error)?;
        let begin = Instant::now();
        let outcome = work(&connection).map_err(&mut store_error)?;
        if connection.is_autocommit() {
            return Err(StoreError::unavailable("SQLite has rolled back by itself"));
        }
        let end = match end {
            End::Commit => "COMMIT",
            End::Rollback => "ROLLBACK",
        };
        connection.execute_batch(end).map_err(&mut store_error)?;
        if !connection.is_autocommit() {
            return Err(StoreError::unavailable("SQLite has not ended the transaction"));
        }
        let took = begin.elapsed();
        if checkpoint::is_long(&connection) {
            // It may have been asked already.
            let _ = self.checkpoint.try_send(());
        }
        self.connection = Some(connection);
        Ok((outcome, took))
    }
}

/// Makes the connection wait for another process that writes.
fn wait(connection: &mut Connection) -> rusqlite::Result<()> {
    connection.busy_handler(Some(|looks| look_again(looks, LOCK_WITHIN)))
}

/// Waits for a moment, and says whether to look again after so many looks.
fn look_again(looks: i32, within: Duration) -> bool {
    thread::sleep(LOOK_EVERY);
    LOOK_EVERY * looks.unsigned_abs() < within
}

/// Whether the WAL begins anew with the next commit; it does not if somebody reads it.
fn begin_wal_anew(connection: &mut Connection, mode: &str) -> rusqlite::Result<bool> {
    connection.busy_timeout(ANEW_WITHIN)?;
    let begins_anew = checkpoint::begin_anew(connection, mode);
    wait(connection)?;
    begins_anew
}

fn open_reader(path: &Path) -> rusqlite::Result<Connection> {
    let connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    connection.busy_timeout(LOCK_WITHIN)?;
    Ok(connection)
}

pub fn read(connection: &Connection, sql: &str, parameters: &[Value]) -> rusqlite::Result<Vec<Row>> {
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let rows = statement.query_map(params_from_iter(parameters), |row| {
        Ok(Row((0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>()?))
    })?;
    rows.collect()
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(integer) => ValueRef::Integer(*integer),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

impl FromSql for Value {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        match value {
            ValueRef::Null => Ok(Self::Null),
            ValueRef::Integer(integer) => Ok(Self::Integer(integer)),
            ValueRef::Text(_) => Ok(Self::from(value.as_str()?)),
            ValueRef::Blob(bytes) => Ok(Self::Bytes(bytes.to_owned())),
            ValueRef::Real(_) => Err(FromSqlError::InvalidType),
        }
    }
}

impl From<WrongType> for rusqlite::Error {
    fn from(error: WrongType) -> Self {
        Self::FromSqlConversionFailure(error.column, Type::Null, Box::new(error))
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        Self { cause: cause(&error), message: error.to_string() }
    }
}

fn cause(error: &rusqlite::Error) -> Cause {
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation | ErrorCode::TooBig | ErrorCode::TypeMismatch) => Cause::Data,
        _ => Cause::Unavailable,
    }
}
