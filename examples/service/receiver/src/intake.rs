//! From the callbacks that wait to batches that the store commits.
//!
//! A commit waits for the disk or the network, so a callback does not get one of its own: what arrives while one is
//! under way goes into the next together.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use routee_viber::RESPONSE_DEADLINE;
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinSet;
use tokio::time;
use tracing::error;

use crate::entry::Entry;
use crate::isolation::{self, BatchResult};
use crate::metrics::Metrics;
use crate::store::Store;

/// The most bodies of one batch.
const BATCH: usize = 512;

/// The most bytes of one batch, unless it is of one body.
const BATCH_BYTES: usize = 4 << 20;

/// How long the callbacks of a message are refused at once after its row was found locked. Each attempt would make the
/// other callbacks of its batch wait for the lock.
const LOCKED_FOR: Duration = Duration::from_secs(5);

/// How many callbacks may wait, and how many bytes they may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    pub callbacks: usize,
    pub bytes: usize,
}

/// Why a callback was not committed. Routee sends it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    QueueFull,
    QueueBytes,
    Locked,
    Database,
}

impl Refusal {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::QueueFull => "queue_full",
            Self::QueueBytes => "queue_bytes",
            Self::Locked => "locked",
            Self::Database => "database",
        }
    }
}

/// Where callbacks are submitted.
#[derive(Clone)]
pub struct Intake(Arc<Queue>);

struct Queue {
    limits: Limits,
    state: Mutex<QueueState>,
    arrived: Notify,
}

#[derive(Default)]
struct QueueState {
    waiting: VecDeque<Waiting>,
    /// When the oldest callback of each batch that is under way arrived, by the number of the batch.
    under_way: BTreeMap<u64, Instant>,
    batches: u64,
    /// The ids that somebody else has locked, and since when.
    locked: HashMap<String, Instant>,
    callbacks: usize,
    bytes: usize,
    is_closed: bool,
}

struct Waiting {
    entry: Arc<Entry>,
    weight: usize,
    since: Instant,
    is_committed: oneshot::Sender<bool>,
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
    pub async fn submit(&self, entry: Entry) -> Result<(), Refusal> {
        let (is_committed, answer) = oneshot::channel();
        let weight = entry.weight();
        let waiting = Waiting { entry: Arc::new(entry), weight, since: Instant::now(), is_committed };
        {
            let mut state = self.0.state();
            if state.is_closed || state.callbacks >= self.0.limits.callbacks {
                return Err(Refusal::QueueFull);
            }
            if state.bytes + weight > self.0.limits.bytes {
                return Err(Refusal::QueueBytes);
            }
            if state.is_locked(&waiting.entry) {
                return Err(Refusal::Locked);
            }
            state.callbacks += 1;
            state.bytes += weight;
            state.waiting.push_back(waiting);
        }
        self.0.arrived.notify_one();
        if answer.await == Ok(true) { Ok(()) } else { Err(Refusal::Database) }
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

    /// Commits what is submitted, batch by batch, until it is closed.
    pub async fn run(self, store: Arc<dyn Store>, metrics: Arc<Metrics>) {
        let mut committing = JoinSet::new();
        let mut told: Option<Instant> = None;
        // At most one line a second, however many are refused.
        let mut tell = |why: &dyn Display| {
            if told.is_none_or(|told| told.elapsed() > Duration::from_secs(1)) {
                error!("callbacks are refused: {why}");
                told = Some(Instant::now());
            }
        };
        let mut seconds = time::interval(Duration::from_secs(1));
        let mut is_open = true;
        while is_open || !committing.is_empty() {
            let batching = store.batching();
            tokio::select! {
                batch = self.0.next(batching.linger), if is_open && committing.len() < batching.max_in_flight as usize => match batch {
                    Some(batch) => {
                        let (queue, store, metrics) = (self.0.clone(), store.clone(), metrics.clone());
                        committing.spawn(async move { queue.commit(batch, &*store, &metrics).await });
                    }
                    None => is_open = false,
                },
                Some(committed) = committing.join_next() => {
                    if let Some(error) = committed.expect("a batch is neither aborted nor panics") {
                        tell(&error);
                    }
                }
                _ = seconds.tick() => {
                    let oldest = self.backlog().oldest;
                    if oldest > RESPONSE_DEADLINE {
                        tell(&format_args!("a commit has been under way for {} s", oldest.as_secs()));
                    }
                }
            }
        }
    }
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, QueueState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next batch, which is at least one body; `None` once the queue is closed and empty.
    async fn next(&self, linger: Duration) -> Option<Batch> {
        loop {
            let ready_at = {
                let mut state = self.state();
                let ready_at = state.waiting.front().map(|first| first.since + linger);
                match ready_at {
                    Some(at) if at <= Instant::now() || state.waiting.len() >= BATCH || state.is_closed => {
                        return Some(state.take());
                    }
                    None if state.is_closed => return None,
                    _ => ready_at,
                }
            };
            tokio::select! {
                () = self.arrived.notified() => {}
                () = time::sleep_until(ready_at.unwrap_or_else(Instant::now).into()), if ready_at.is_some() => {}
            }
        }
    }

    /// Commits a batch and answers each callback of it; returns why some are refused.
    async fn commit(&self, mut batch: Batch, store: &dyn Store, metrics: &Metrics) -> Option<String> {
        let begin = Instant::now();
        let count = batch.waiting.len();
        // Nobody waits for these any longer: they were answered 503, and Routee sends them again.
        batch.waiting.retain(|waiting| !waiting.is_committed.is_closed());
        let entries: Vec<_> = batch.waiting.iter().map(|waiting| waiting.entry.clone()).collect();
        let result = if entries.is_empty() { BatchResult::default() } else { isolation::commit(store, &entries).await };
        metrics.batch(entries.len(), begin.elapsed(), &result.causes, &result.counts);
        {
            let mut state = self.state();
            state.under_way.remove(&batch.number);
            state.callbacks -= count;
            state.bytes -= batch.weight;
            let locked = result.locked.iter().flat_map(|entry| entry.deliveries());
            state.locked.extend(locked.map(|delivery| (delivery.tracking_id.clone(), Instant::now())));
        }
        for (waiting, is_committed) in batch.waiting.into_iter().zip(result.is_committed) {
            // An error means that nobody waits for it any longer, because it took too long.
            let _ = waiting.is_committed.send(is_committed);
        }
        result.error.map(|error| error.message)
    }
}

impl QueueState {
    fn is_locked(&mut self, entry: &Entry) -> bool {
        if self.locked.is_empty() {
            return false;
        }
        self.locked.retain(|_, since| since.elapsed() < LOCKED_FOR);
        entry.deliveries().iter().any(|delivery| self.locked.contains_key(&delivery.tracking_id))
    }

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

#[cfg(test)]
mod tests {
    use tokio::sync::Semaphore;
    use tokio::task;

    use super::*;
    use crate::store::Batching;
    use crate::store::fake::{FakeStore, entry};

    fn status(id: &str) -> Entry {
        Arc::into_inner(entry(&format!(r#"{{"trackingId":"{id}","status":"SEEN"}}"#))).unwrap()
    }

    /// On a store that commits a batch for each permit that it is given.
    fn start(limits: Limits) -> (Intake, Arc<FakeStore>, task::JoinHandle<()>) {
        start_on(FakeStore { permits: Semaphore::new(0), ..FakeStore::new() }, limits)
    }

    fn start_on(store: FakeStore, limits: Limits) -> (Intake, Arc<FakeStore>, task::JoinHandle<()>) {
        let (intake, store) = (Intake::new(limits), Arc::new(store));
        let running = task::spawn(intake.clone().run(store.clone(), Arc::default()));
        (intake, store, running)
    }

    const PLENTY: Limits = Limits { callbacks: 10_000, bytes: 64 << 20 };

    /// Submits one, and returns once it is in the queue or in a batch.
    async fn submit(intake: &Intake, id: &str) -> task::JoinHandle<Result<(), Refusal>> {
        let (intake, entry) = (intake.clone(), status(id));
        let submitted = task::spawn(async move { intake.submit(entry).await });
        task::yield_now().await;
        submitted
    }

    #[tokio::test]
    async fn callbacks_that_arrive_during_a_commit_share_the_next_batch() {
        let (intake, store, running) = start(PLENTY);
        let mut submitted = vec![submit(&intake, "first").await];
        task::yield_now().await;
        submitted.push(submit(&intake, "second").await);
        task::yield_now().await;
        for place in 0..BATCH + 10 {
            submitted.push(submit(&intake, &place.to_string()).await);
        }
        assert_eq!(intake.backlog().callbacks, BATCH + 12);
        store.permits.add_permits(4);
        for submitted in submitted {
            assert_eq!(submitted.await.unwrap(), Ok(()));
        }
        let mut sizes = store.sizes.lock().unwrap().clone();
        sizes.sort_unstable();
        assert_eq!(sizes, [1, 1, 10, BATCH]);
        let backlog = intake.backlog();
        assert_eq!((backlog.callbacks, backlog.bytes, backlog.oldest), (0, 0, Duration::ZERO));
        intake.close();
        running.await.unwrap();
        assert_eq!(intake.submit(status("late")).await, Err(Refusal::QueueFull));
    }

    #[tokio::test]
    async fn the_first_of_a_batch_waits_for_others_if_the_store_says_so() {
        let batching = Batching { max_in_flight: 2, linger: Duration::from_hours(1) };
        let (intake, store, running) = start_on(FakeStore { batching, ..FakeStore::new() }, PLENTY);
        let mut submitted = Vec::new();
        for place in 0..BATCH + 10 {
            submitted.push(submit(&intake, &place.to_string()).await);
        }
        for submitted in submitted.drain(..BATCH) {
            assert_eq!(submitted.await.unwrap(), Ok(()));
        }
        assert_eq!(*store.sizes.lock().unwrap(), [BATCH]);
        intake.close();
        for submitted in submitted {
            assert_eq!(submitted.await.unwrap(), Ok(()));
        }
        running.await.unwrap();
        assert_eq!(*store.sizes.lock().unwrap(), [BATCH, 10]);
    }

    #[tokio::test]
    async fn the_queue_has_two_limits() {
        let weight = status("0").weight();
        for (limits, refusal) in [
            (Limits { callbacks: 3, ..PLENTY }, Refusal::QueueFull),
            (Limits { bytes: 4 * weight - 1, ..PLENTY }, Refusal::QueueBytes),
        ] {
            let (intake, store, _running) = start(limits);
            let mut submitted = Vec::new();
            for id in 0..3 {
                submitted.push(submit(&intake, &id.to_string()).await);
            }
            assert_eq!(intake.submit(status("3")).await, Err(refusal));
            store.permits.add_permits(3);
            for submitted in submitted {
                assert_eq!(submitted.await.unwrap(), Ok(()));
            }
            store.permits.add_permits(1);
            assert_eq!(intake.submit(status("3")).await, Ok(()));
        }
    }

    #[tokio::test]
    async fn closing_waits_until_every_callback_is_answered() {
        let (intake, store, running) = start(PLENTY);
        let submitted = submit(&intake, "1").await;
        intake.close();
        task::yield_now().await;
        assert!(!running.is_finished());
        store.permits.add_permits(1);
        assert_eq!(submitted.await.unwrap(), Ok(()));
        running.await.unwrap();
    }

    #[tokio::test]
    async fn a_locked_message_is_refused_at_once_for_a_while() {
        let (intake, store, _running) = start(PLENTY);
        store.permits.add_permits(2);
        assert_eq!(intake.submit(status("locked")).await, Err(Refusal::Database));
        // Refused without a commit, which would take the second permit.
        assert_eq!(intake.submit(status("locked")).await, Err(Refusal::Locked));
        assert_eq!(intake.submit(status("free")).await, Ok(()));
        assert_eq!(*store.sizes.lock().unwrap(), [1, 1]);
    }

    #[tokio::test]
    async fn cancelled_callbacks_are_not_committed() {
        let (intake, store, _running) = start(PLENTY);
        let (first, second) = (submit(&intake, "1").await, submit(&intake, "2").await);
        task::yield_now().await;
        let cancelled = submit(&intake, "cancelled").await;
        cancelled.abort();
        assert!(cancelled.await.unwrap_err().is_cancelled());
        let third = submit(&intake, "3").await;
        store.permits.add_permits(3);
        for submitted in [first, second, third] {
            assert_eq!(submitted.await.unwrap(), Ok(()));
        }
        assert_eq!(store.sizes.lock().unwrap().iter().sum::<usize>(), 3);
        assert_eq!(intake.backlog().bytes, 0);
    }
}
