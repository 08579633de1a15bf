//! POSTs callbacks as Routee is documented to: 2 seconds for the answer 200, then the retries.

use std::error::Error;
use std::io;
use std::iter;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chrono::Utc;
use reqwest::{Client, StatusCode, Url, header};
use serde_json::json;
use tokio::task::{self, JoinSet};

use crate::campaign::Campaign;
use crate::plan::Post;
use crate::queue::{Delivery, Queue};
use crate::record::Record;
use crate::tally::Tally;

pub struct Routee {
    client: Client,
    urls: Vec<Url>,
    next_url: AtomicUsize,
    campaign: Arc<Campaign>,
    pub queue: Queue,
    /// The pauses between one attempt and the next, on the faster clock.
    waits: Vec<Duration>,
    record: Arc<Record>,
    tally: Mutex<Tally>,
}

impl Routee {
    pub fn new(
        client: Client,
        urls: Vec<Url>,
        campaign: Arc<Campaign>,
        queue: Queue,
        waits: Vec<Duration>,
        record: Arc<Record>,
    ) -> Arc<Self> {
        let (next_url, tally) = (AtomicUsize::new(0), Mutex::new(Tally::new(queue.is_paced())));
        Arc::new(Self { client, urls, next_url, campaign, queue, waits, record, tally })
    }

    /// POSTs all that is planned, until everything is answered or given up. Fails if the record cannot be written.
    pub async fn run(self: Arc<Self>, connections: u16) -> io::Result<Tally> {
        let mut working: JoinSet<_> = (0..connections).map(|_| self.clone().work()).collect();
        while let Some(ended) = working.join_next().await {
            ended.unwrap_or_else(|error| Err(io::Error::other(error)))?;
        }
        self.record.flush()?;
        Ok(self.tally.lock().unwrap().clone())
    }

    async fn work(self: Arc<Self>) -> io::Result<()> {
        while let Some(delivery) = self.queue.next().await {
            self.deliver(delivery).await?;
        }
        Ok(())
    }

    /// Makes one attempt and queues what comes of it. The next callback of a message does not wait for the retries of
    /// the one before.
    async fn deliver(&self, delivery: Delivery) -> io::Result<()> {
        let Some(post) = self.campaign.plan.post(delivery.message, delivery.post) else { return Ok(()) };
        let is_first = delivery.attempt == 0;
        if is_first && !delivery.is_copy {
            self.campaign.goes_on(delivery.message, post.make);
        }
        if is_first && !delivery.is_copy && post.fate.is_twice && !post.fate.is_lost {
            self.queue.begin(Delivery { is_copy: true, ..delivery });
        }
        let begin = self.queue.now();
        let next = if post.fate.is_lost {
            self.lose(&post)?;
            // Unlike the others it waits for nothing, so nothing else would get its turn.
            task::yield_now().await;
            None
        } else if self.attempt(&post, delivery).await? {
            post.fate.late.filter(|_| is_first)
        } else {
            Some(delivery.attempt + 1)
        };
        if is_first && !delivery.is_copy && !post.is_last {
            self.queue.begin(Delivery { post: delivery.post + 1, ..delivery });
        }
        if let Some(attempt) = next {
            let waits = self.waits.get(delivery.attempt.into()..attempt.into());
            match waits {
                Some(waits) => {
                    let due = if is_first { begin } else { delivery.due } + waits.iter().sum::<Duration>();
                    self.queue.retry(Delivery { due, attempt, ..delivery });
                }
                None => self.tally.lock().unwrap().give_up(post.label),
            }
        }
        Ok(())
    }

    fn lose(&self, post: &Post<'_>) -> io::Result<()> {
        self.tally.lock().unwrap().lose(post.label);
        let line = || json!({ "id": post.id, "label": post.label, "key": post.idempotency_key, "lost": true });
        self.record.write(line)
    }

    /// Whether it was answered 200 in time.
    async fn attempt(&self, post: &Post<'_>, delivery: Delivery) -> io::Result<bool> {
        let url = &self.urls[self.next_url.fetch_add(1, Ordering::Relaxed) % self.urls.len()];
        let (at, begin) = (Utc::now(), Instant::now());
        let request = self.client.post(url.clone()).header(header::CONTENT_TYPE, "application/json");
        let answer = request.body(post.body.clone()).send().await;
        let (took, since_due) = (begin.elapsed(), self.queue.now().saturating_sub(delivery.due));

        let code = answer.map(|answer| answer.status()).map_err(|error| why(&error));
        self.tally.lock().unwrap().add(post.label, delivery.attempt > 0, &code, since_due);
        let line = || {
            json!({
                "id": post.id,
                "label": post.label,
                "key": post.idempotency_key,
                // The key tells which one it was, if there is one.
                "body": post.idempotency_key.is_none().then_some(&post.body),
                "attempt": delivery.attempt,
                "at": at.timestamp_millis(),
                "millis": took.as_millis(),
                "code": code.as_ref().ok().map(StatusCode::as_u16),
                "error": code.as_ref().err(),
            })
        };
        self.record.write(line)?;
        Ok(code == Ok(StatusCode::OK))
    }
}

/// Why there was no answer.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "timed out".to_owned();
    }
    let innermost = iter::successors(Some(error as &(dyn Error + 'static)), |error| inner(*error)).last();
    match innermost.and_then(<dyn Error>::downcast_ref::<rustls::Error>) {
        Some(error) => format!("TLS: {error}"),
        None => innermost.map(ToString::to_string).unwrap_or_default(),
    }
}

/// The source, which of an `io::Error` leaves out the error that it wraps.
fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => error.source(),
    }
}
