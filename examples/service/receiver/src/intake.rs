//! From the callbacks that wait to batches that the store commits.
//!
//! A commit waits for the disk or the network, so a callback does not get one of its own: what arrives while one is
//! under way goes into the next together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tracing::error;

use crate::entry::Entry;
use crate::isolation;
use crate::metrics::Metrics;
use crate::store::Store;

/// The most bodies of one batch.
const BATCH: usize = 512;

/// The most bytes of one batch, unless it is of one body.
const BATCH_BYTES: usize = 4 << 20;

/// How many callbacks may wait, and how many bytes they may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub callbacks: usize,
    pub bytes: usize,
}

/// Why a callback was not kept. Routee sends it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    QueueFull,
    QueueBytes,
    Database,
}

impl Refusal {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::QueueBytes => "queue_bytes",
            Self::Database => "database",
        }
    }
}

/// Where callbacks are handed in.
#[derive(Clone)]
pub struct Intake(Arc<Queue>);

struct Queue {
    limits: Limits,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Waiting>,
    /// When the oldest callback of each batch that is under way arrived, by the number of the batch.
    under_way: BTreeMap<u64, Instant>,
    batches: u64,
    callbacks: usize,
    bytes: usize,
    is_closed: bool,
}

struct Waiting {
    entry: Arc<Entry>,
    weight: usize,
    since: Instant,
    is_kept: oneshot::Sender<bool>,
}

struct Batch {
    number: u64,
    weight: usize,
    waiting: Vec<Waiting>,
}

/// What waits for its answer, batches that are under way included.
pub struct Backlog {
    pub callbacks: usize,
    pub bytes: usize,
    pub oldest: Duration,
}

impl Intake {
    pub fn new(limits: Limits) -> Self {
        Self(Arc::new(Queue { limits, state: Mutex::default(), arrived: Notify::new() }))
    }

    /// Returns once the entry is committed.
    pub async fn keep(&self, entry: Entry) -> Result<(), Refusal> {
        let (is_kept, kept) = oneshot::channel();
        let weight = entry.weight();
        let waiting = Waiting { entry: Arc::new(entry), weight, since: Instant::now(), is_kept };
        {
            let mut state = self.0.state();
            if state.is_closed || state.callbacks >= self.0.limits.callbacks {
                return Err(Refusal::QueueFull);
            }
            if state.bytes + weight > self.0.limits.bytes {
                return Err(Refusal::QueueBytes);
            }
            state.callbacks += 1;
            state.bytes += weight;
            state.waiting.push_back(waiting);
        }
        self.0.arrived.notify_one();
        if kept.await == Ok(true) { Ok(()) } else { Err(Refusal::Database) }
    }

    pub fn backlog(&self) -> Backlog {
        let state = self.0.state();
        let waiting = state.waiting.front().map(|waiting| &waiting.since);
        let oldest = state.under_way.values().chain(waiting).min();
        let oldest = oldest.map_or(Duration::ZERO, Instant::elapsed);
        Backlog { callbacks: state.callbacks, bytes: state.bytes, oldest }
    }

    /// Lets [`run`](Self::run) return once everything that waits is answered.
    pub fn close(&self) {
        self.0.state().is_closed = true;
        self.0.arrived.notify_one();
    }

    /// Commits what is handed in, batch by batch, until it is closed.
    pub async fn run(self, store: Arc<dyn Store>, metrics: Arc<Metrics>) {
        let mut writing = JoinSet::new();
        let mut told = None;
        let mut is_open = true;
        while is_open || !writing.is_empty() {
            tokio::select! {
                batch = self.0.next(), if is_open && writing.len() < store.at_once() => match batch {
                    Some(batch) => {
                        let (queue, store, metrics) = (self.0.clone(), store.clone(), metrics.clone());
                        writing.spawn(async move { queue.write(batch, &*store, &metrics).await });
                    }
                    None => is_open = false,
                },
                Some(written) = writing.join_next() => {
                    let Some(failure) = written.expect("a batch is neither aborted nor panics") else { continue };
                    // Once a second is enough to know.
                    if told.is_none_or(|told: Instant| told.elapsed() > Duration::from_secs(1)) {
                        error!("callbacks are refused: {failure}");
                        told = Some(Instant::now());
                    }
                }
            }
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, which is at least one body; `None` once the queue is closed and empty.
    async fn next(&self) -> Option<Batch> {
        loop {
            {
                let mut state = self.state();
                if !state.waiting.is_empty() {
                    return Some(state.take());
                }
                if state.is_closed {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// Commits a batch and answers it; why some are refused.
    async fn write(&self, mut batch: Batch, store: &dyn Store, metrics: &Metrics) -> Option<String> {
        let begin = Instant::now();
        let count = batch.waiting.len();
        // Whoever was refused in the meantime comes again.
        batch.waiting.retain(|waiting| !waiting.is_kept.is_closed());
        let entries: Vec<_> = batch.waiting.iter().map(|waiting| waiting.entry.clone()).collect();
        let outcome =
            if entries.is_empty() { isolation::Outcome::default() } else { isolation::keep(store, &entries).await };
        metrics.batch(entries.len(), begin.elapsed(), &outcome);
        {
            let mut state = self.state();
            state.under_way.remove(&batch.number);
            state.callbacks -= count;
            state.bytes -= batch.weight;
        }
        for (waiting, is_kept) in batch.waiting.into_iter().zip(outcome.is_kept) {
            // An error means that it was answered in the meantime, because it took too long.
            let _ = waiting.is_kept.send(is_kept);
        }
        outcome.failure.map(|failure| failure.message)
    }
}

impl State {
    fn take(&mut self) -> Batch {
        let mut weight = 0;
        let mut waiting = Vec::new();
        while let Some(next) = self.waiting.front() {
            if waiting.len() == BATCH || (!waiting.is_empty() && weight + next.weight > BATCH_BYTES) {
                break;
            }
            weight += next.weight;
            waiting.extend(self.waiting.pop_front());
        }
        self.batches += 1;
        if let Some(oldest) = waiting.first() {
            self.under_way.insert(self.batches, oldest.since);
        }
        Batch { number: self.batches, weight, waiting }
    }
}
