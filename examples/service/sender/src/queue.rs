//! What is POSTed next, and when: retries that are due, then the next callback of a message that has begun, then
//! another message. A million callbacks that wait for a retry fit into tens of megabytes, since each is no more than
//! its place in the plan.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{self, Instant};

/// One attempt to deliver a callback.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Delivery {
    /// When it is to begin, counted from the start of the run.
    pub due: Duration,
    pub message: u32,
    pub post: u16,
    /// 0 is the first attempt.
    pub attempt: u8,
    /// Whether this is the second of a callback that is POSTed twice at once.
    pub is_copy: bool,
}

pub struct Queue {
    begin: Instant,
    messages: u32,
    /// How many callbacks begin per second.
    rate: Option<f64>,
    waiting: Mutex<Waiting>,
    more: Notify,
}

#[derive(Default)]
struct Waiting {
    ready: VecDeque<Delivery>,
    retries: BinaryHeap<Reverse<Delivery>>,
    messages_begun: u32,
    callbacks_begun: u64,
}

enum Next {
    Now(Delivery),
    At(Duration),
    Nothing,
}

impl Queue {
    pub fn new(messages: u32, rate: Option<f64>) -> Self {
        Self { begin: Instant::now(), messages, rate, waiting: Mutex::default(), more: Notify::new() }
    }

    /// Whether callbacks begin at a fixed rate.
    pub fn is_paced(&self) -> bool {
        self.rate.is_some()
    }

    /// The time since the start of the run.
    pub fn now(&self) -> Duration {
        self.begin.elapsed()
    }

    /// What to POST next, as soon as it is due. None if all that is left is under way elsewhere.
    pub async fn next(&self) -> Option<Delivery> {
        loop {
            match self.next_at(self.now()) {
                Next::Now(delivery) => return Some(delivery),
                Next::Nothing => return None,
                Next::At(due) => drop(time::timeout_at(self.begin + due, self.more.notified()).await),
            }
        }
    }

    fn next_at(&self, now: Duration) -> Next {
        let mut waiting = self.waiting.lock().unwrap();
        let retry = waiting.retries.peek().map(|Reverse(retry)| retry.due);
        if retry.is_some_and(|due| due <= now) {
            return waiting.retries.pop().map_or(Next::Nothing, |Reverse(retry)| Next::Now(retry));
        }
        let is_more = !waiting.ready.is_empty() || waiting.messages_begun < self.messages;
        #[expect(clippy::cast_precision_loss)]
        let begins = match self.rate {
            _ if !is_more => None,
            Some(rate) => Some(Duration::from_secs_f64(waiting.callbacks_begun as f64 / rate)),
            None => Some(now),
        };
        if let Some(due) = begins.filter(|due| *due <= now) {
            waiting.callbacks_begun += 1;
            let delivery = waiting.ready.pop_front().unwrap_or_else(|| {
                waiting.messages_begun += 1;
                Delivery { due, message: waiting.messages_begun - 1, post: 0, attempt: 0, is_copy: false }
            });
            return Next::Now(Delivery { due, ..delivery });
        }
        begins.into_iter().chain(retry).min().map_or(Next::Nothing, Next::At)
    }

    /// To be POSTed as soon as the rate allows.
    pub fn begin(&self, delivery: Delivery) {
        self.waiting.lock().unwrap().ready.push_back(delivery);
        self.more.notify_one();
    }

    /// To be POSTed again when it is due.
    pub fn retry(&self, delivery: Delivery) {
        self.waiting.lock().unwrap().retries.push(Reverse(delivery));
        self.more.notify_one();
    }

    /// How many messages have begun, and how many callbacks wait for a retry.
    pub fn progress(&self) -> (u32, usize) {
        let waiting = self.waiting.lock().unwrap();
        (waiting.messages_begun, waiting.retries.len())
    }
}
