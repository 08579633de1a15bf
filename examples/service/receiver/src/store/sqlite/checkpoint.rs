//! Keeps SQLite's WAL short, on a thread beside the writer.
//!
//! A commit adds pages to the WAL, and a checkpoint moves them into the file. Once all are there, the WAL begins anew, but
//! only if nobody reads it at that moment. Beside those who read again and again that moment may not come by itself, so
//! the writer waits for it a little between two transactions. Whoever reads on and on makes the WAL grow.

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

/// From how many bytes on the WAL is emptied, so that it never has 100 MB.
const LONG: u64 = 32 << 20;

/// How many pages may be left to move if the writer is to empty the WAL: everything waits meanwhile. If somebody reads an
/// old state, more than these are left, and it would be in vain.
const FEW_PAGES: i64 = 1000;

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

    /// Whether it is to be emptied.
    pub fn is_long(&self) -> bool {
        let bytes = fs::metadata(&self.path).map_or(0, |wal| wal.len());
        self.bytes.store(bytes, Relaxed);
        bytes > LONG
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

/// How many pages the WAL has, and how many of them are in the file.
struct Pages {
    all: i64,
    moved: i64,
}

impl Checkpointer {
    pub const fn new(connection: Connection, wal: Arc<Wal>, writer: mpsc::WeakUnboundedSender<Job>) -> Self {
        Self { connection, wal, writer, in_vain_at: None, held: None }
    }

    /// Makes a checkpoint whenever it is asked to, until nobody can ask any more.
    pub fn run(mut self, asked: &Receiver<()>) {
        loop {
            let is_asked = match asked.recv_timeout(PAUSE) {
                Ok(()) => true,
                Err(RecvTimeoutError::Timeout) => false,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            let is_long = self.wal.is_long();
            let has_waited = self.in_vain_at.is_some_and(|at| at.elapsed() < PAUSE_IN_VAIN);
            if is_asked && !is_long || is_long && !has_waited {
                self.checkpoint();
            }
        }
    }

    fn checkpoint(&mut self) {
        let mut pages = None;
        for _ in 0..PASSES {
            match pass(&self.connection) {
                Ok(passed) => pages = passed,
                Err(error) => debug!(%error, "cannot move SQLite's WAL into the file"),
            }
        }
        let Some(pages) = pages else { return };
        let is_long = self.wal.is_long();
        let left = pages.all - pages.moved;
        if is_long && left <= FEW_PAGES {
            let is_empty = self.empty();
            self.in_vain_at = (!is_empty).then(Instant::now);
            self.wal.is_long();
            if is_empty {
                self.held = None;
                return;
            }
        }
        self.hold(&pages, is_long);
    }

    /// Has the writer empty the WAL between two transactions; whether it could.
    fn empty(&self) -> bool {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |writer| {
            let _ = answer.send(writer.empty_wal());
        });
        let is_sent = self.writer.upgrade().is_some_and(|writer| writer.send(job).is_ok());
        is_sent && answered.blocking_recv() == Ok(true)
    }

    /// Warns of somebody who does not stop reading.
    fn hold(&mut self, pages: &Pages, is_long: bool) {
        if pages.all == pages.moved && !is_long {
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

/// One that waits for nobody. None if another one is under way.
fn pass(connection: &Connection) -> Result<Option<Pages>> {
    connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
        let pages = Pages { all: row.get(1)?, moved: row.get(2)? };
        Ok((pages.all >= 0).then_some(pages))
    })
}

/// Moves the rest of the WAL into the file and makes it an empty file, unless somebody reads it; whether that could be.
/// It waits as long as the connection waits for a lock.
pub fn empty(connection: &Connection) -> Result<bool> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| Ok(row.get::<_, i64>(0)? == 0))
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

        let (mut longest, mut copied) = (0, None);
        for batch in 0..250 {
            let body = |place: i32| {
                let text = "x".repeat(60_000);
                entry(&format!(r#"{{"trackingId":"{batch} {place}","status":"SEEN","label":"{text}"}}"#))
            };
            store.commit(&(0..10).map(body).collect::<Vec<_>>()).await.unwrap();
            // Nobody writes as fast as the disk can.
            tokio::time::sleep(Duration::from_millis(10)).await;
            longest = longest.max(fs::metadata(directory.path().join("routee.db-wal")).unwrap().len());
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
        assert!((LONG..TOO_LONG).contains(&longest), "{longest}");
        let copy = Connection::open(directory.path().join("copy.db")).unwrap();
        let messages: i64 = copy.query_row("SELECT count(*) FROM message", [], |row| row.get(0)).unwrap();
        assert!(messages >= 500, "{messages}");
        let is_sound: String = copy.pragma_query_value(None, "integrity_check", |row| row.get(0)).unwrap();
        assert_eq!(is_sound, "ok");
        store.close().await;
    }
}
