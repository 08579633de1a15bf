//! Keeps SQLite's WAL short, on a thread beside the writer.
//!
//! A commit adds pages to the WAL, and a checkpoint moves them into the file. Once all are there, the WAL begins anew, but
//! only if nobody reads it at that moment. Beside those who read again and again that moment may not come by itself, so
//! the writer waits for it a little between two transactions. Whoever reads on and on makes the WAL grow.
//!
//! As it begins anew, it keeps its bytes on the disk, unless there are very many: writing over them is quicker than getting
//! new ones (12 to 25 % more callbacks a second).

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, Result};
use tokio::sync::{mpsc, oneshot};
use tracing::{debug, warn};

use crate::store::sqlite::Job;

/// How often in a row. SQLite synchronizes the file only after a pass during which nothing was written. Each pass has less
/// to do than the one before, so one of the last is short enough; otherwise the writer does it, and everything waits.
const PASSES: u32 = 4;

/// From how many pages on the WAL is to begin anew: 32 MB, so that it never has 100 MB.
const LONG: i64 = 8192;

/// How many pages may be left to move if the writer is to let it begin anew: everything waits meanwhile. If somebody reads an
/// old state, more than these are left, and it would be in vain.
const FEW_PAGES: i64 = 1000;

/// From how many bytes on the WAL is emptied as it begins anew.
const MOST_KEPT: u64 = 64 << 20;

/// How often to look at the WAL if nothing is written.
const PAUSE: Duration = Duration::from_secs(1);

/// How soon the writer may wait again if it has waited in vain.
const PAUSE_IN_VAIN: Duration = Duration::from_millis(250);

/// From when on somebody who reads is worth a warning.
const LONG_READING: Duration = Duration::from_secs(5);

/// The WAL as a file.
pub struct Wal {
    path: PathBuf,
    bytes: AtomicU64,
}

impl Wal {
    pub fn of(connection: &Connection) -> Self {
        // As SQLite knows it, which follows symbolic links.
        let path = PathBuf::from(format!("{}-wal", connection.path().unwrap_or_default()));
        Self { path, bytes: AtomicU64::default() }
    }

    /// How many bytes it had when somebody last looked.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Whether it has so many bytes that it is to be emptied.
    fn is_large(&self) -> bool {
        let bytes = fs::metadata(&self.path).map_or(0, |wal| wal.len());
        self.bytes.store(bytes, Relaxed);
        bytes > MOST_KEPT
    }
}

pub struct Checkpointer {
    connection: Connection,
    wal: Arc<Wal>,
    writer: mpsc::WeakUnboundedSender<Job>,
    /// When the writer has last waited in vain.
    in_vain_at: Option<Instant>,
    held: Option<Held>,
}

/// The WAL cannot begin anew.
struct Held {
    /// Up to this page somebody reads.
    page: i64,
    since: DateTime<Utc>,
    is_told: bool,
}

/// How many pages the WAL has had since it last began, and how many of them are in the file.
struct Pages {
    all: i64,
    moved: i64,
}

impl Pages {
    const fn left(&self) -> i64 {
        self.all - self.moved
    }

    const fn are_many(&self) -> bool {
        self.all > LONG
    }
}

impl Checkpointer {
    pub const fn new(connection: Connection, wal: Arc<Wal>, writer: mpsc::WeakUnboundedSender<Job>) -> Self {
        Self { connection, wal, writer, in_vain_at: None, held: None }
    }

    /// Makes a checkpoint if the WAL is long, now and then and whenever it is asked to look, until nobody can ask any more.
    pub fn run(mut self, asked: &Receiver<()>) {
        while asked.recv_timeout(PAUSE) != Err(RecvTimeoutError::Disconnected) {
            let is_long = self.wal.is_large() || is_long(&self.connection);
            let has_waited = self.in_vain_at.is_some_and(|at| at.elapsed() < PAUSE_IN_VAIN);
            if !is_long {
                self.held = None;
            } else if !has_waited {
                self.checkpoint();
            }
        }
    }

    fn checkpoint(&mut self) {
        let mut pages = None;
        for _ in 0..PASSES {
            match pages_after(&self.connection, PASSIVE) {
                Ok(passed) => pages = passed,
                Err(error) => debug!(%error, "cannot move SQLite's WAL into the file"),
            }
        }
        let Some(pages) = pages else { return };
        let is_large = self.wal.is_large();
        let is_long = is_large || pages.are_many();
        if is_long && pages.left() <= FEW_PAGES {
            let begins_anew = self.begin_anew(if is_large { TRUNCATE } else { RESTART });
            self.in_vain_at = (!begins_anew).then(Instant::now);
            self.wal.is_large();
            if begins_anew {
                self.held = None;
                return;
            }
        }
        self.hold(&pages, is_long);
    }

    /// Has the writer let the WAL begin anew between two transactions; whether it could.
    fn begin_anew(&self, mode: &'static str) -> bool {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            let _ = answer.send(writer.begin_wal_anew(mode));
        });
        let is_sent = self.writer.upgrade().is_some_and(|writer| writer.send(job).is_ok());
        is_sent && answered.blocking_recv() == Ok(true)
    }

    /// Warns of somebody who does not stop reading.
    fn hold(&mut self, pages: &Pages, is_long: bool) {
        if pages.left() == 0 && !is_long {
            self.held = None;
            return;
        }
        let now = Utc::now();
        let held = match self.held.take() {
            Some(held) if held.page == pages.moved => held,
            _ => Held { page: pages.moved, since: now, is_told: false },
        };
        let is_told = held.is_told || is_long && (now - held.since).to_std().is_ok_and(|time| time >= LONG_READING);
        if is_told && !held.is_told {
            warn!(
                "SQLite's WAL has {} MB and goes on growing, because somebody reads the database since {} or longer",
                self.wal.bytes() >> 20,
                held.since.format("%Y-%m-%d %H:%M:%S"),
            );
        }
        self.held = Some(Held { is_told, ..held });
    }
}

/// Whether the WAL may have to be helped to begin anew. Once nothing is left, the next commit lets it, unless somebody reads.
pub fn is_long(connection: &Connection) -> bool {
    let pages = pages_after(connection, NOOP);
    pages.is_ok_and(|pages| pages.is_some_and(|pages| pages.are_many() && pages.left() > 0))
}

/// Moves nothing.
const NOOP: &str = "PRAGMA wal_checkpoint(NOOP)";

/// Moves what nobody reads, and waits for nobody.
const PASSIVE: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// With [`begin_anew`], the WAL keeps its bytes.
pub const RESTART: &str = "PRAGMA wal_checkpoint(RESTART)";

/// With [`begin_anew`], the WAL is an empty file.
pub const TRUNCATE: &str = "PRAGMA wal_checkpoint(TRUNCATE)";

/// None if another checkpoint is under way that moves something.
fn pages_after(connection: &Connection, mode: &str) -> Result<Option<Pages>> {
    connection.prepare_cached(mode)?.query_row([], |row| {
        let pages = Pages { all: row.get(1)?, moved: row.get(2)? };
        Ok((pages.all >= 0).then_some(pages))
    })
}

/// Moves the rest of the WAL into the file and lets the next commit begin it anew, unless somebody reads it; whether that could
/// be. It waits as long as the connection waits for a lock.
pub fn begin_anew(connection: &Connection, mode: &str) -> Result<bool> {
    connection.query_row(mode, [], |row| Ok(row.get::<_, i64>(0)? == 0))
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::atomic::AtomicBool;
    use std::thread;

    use tempfile::TempDir;

    use super::*;
    use crate::store::fake::{entry, open_in};
    use crate::store::sqlite::backup;

    /// A bit longer than the WAL may be.
    const TOO_LONG: u64 = 100_000_000;

    #[test]
    fn what_begins_anew_is_written_over_or_emptied() {
        let directory = TempDir::new().unwrap();
        let connection = Connection::open(directory.path().join("db")).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t (x)").unwrap();
        let wal = Wal::of(&connection);
        let add = |bytes: i64| connection.execute("INSERT INTO t VALUES (zeroblob(?))", [bytes]).unwrap();
        // Whether it has many pages, whether some are left, and its bytes.
        let state = || {
            let pages = pages_after(&connection, NOOP).unwrap().unwrap();
            wal.is_large();
            (pages.all > 200, pages.left() > 0, wal.bytes())
        };

        add(1 << 20);
        let (has_many, are_left, bytes) = state();
        assert!(has_many && are_left && (1 << 20..2 << 20).contains(&bytes), "{bytes}");
        assert!(begin_anew(&connection, RESTART).unwrap());
        assert_eq!(state(), (true, false, bytes));
        add(1);
        assert_eq!(state(), (false, true, bytes));
        assert!(begin_anew(&connection, TRUNCATE).unwrap());
        assert_eq!(state(), (false, false, 0));
    }

    fn read_again_and_again(database: &Path, is_over: &AtomicBool) {
        let reader = Connection::open(database).unwrap();
        while !is_over.load(Relaxed) {
            reader.execute_batch("BEGIN; SELECT count(*) FROM message").unwrap();
            thread::sleep(Duration::from_millis(20));
            reader.execute_batch("COMMIT").unwrap();
        }
    }

    #[tokio::test]
    async fn the_wal_stays_short_beside_those_who_read_again_and_again() {
        let directory = TempDir::new().unwrap();
        let database = directory.path().join("routee.db");
        let store = open_in(&directory).await;
        let is_over = Arc::new(AtomicBool::new(false));
        // As good as always one of them reads, so that the WAL does not begin anew by itself.
        let readers: Vec<_> = (0..3)
            .map(|_| {
                let (database, is_over) = (database.clone(), is_over.clone());
                thread::spawn(move || read_again_and_again(&database, &is_over))
            })
            .collect();

        let look = Connection::open(&database).unwrap();
        let (mut last, mut longest, mut restarts, mut copied) = ((0, 0), 0, 0, None);
        for batch in 0..250 {
            let body = |place: i32| {
                let text = "x".repeat(60_000);
                entry(&format!(r#"{{"trackingId":"{batch} {place}","status":"SEEN","label":"{text}"}}"#))
            };
            store.commit(&(0..10).map(body).collect::<Vec<_>>()).await.unwrap();
            // Nobody writes as fast as the disk can.
            tokio::time::sleep(Duration::from_millis(10)).await;
            let length = fs::metadata(directory.path().join("routee.db-wal")).unwrap().len();
            let pages = pages_after(&look, NOOP).unwrap().unwrap().all;
            restarts += u32::from(length >= last.0 && pages < last.1);
            (last, longest) = ((length, pages), longest.max(length));
            if batch == 50 {
                let (database, copy) = (database.clone(), directory.path().join("copy.db"));
                copied = Some(thread::spawn(move || backup(&database, &copy).unwrap()));
            }
        }
        copied.unwrap().join().unwrap();
        is_over.store(true, Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
        // A reader that went on and on would have made it 150 MB.
        assert!((32 << 20..TOO_LONG).contains(&longest), "{longest}");
        // It has begun anew, and kept its bytes.
        assert!(restarts > 0);
        let copy = Connection::open(directory.path().join("copy.db")).unwrap();
        let messages: i64 = copy.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
        assert!(messages >= 500, "{messages}");
        let is_sound: String = copy.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(is_sound, "ok");
        store.close().await;
    }
}
