//! POSTs callbacks as Routee is documented to: 2 seconds for the answer 200, then the retries.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use indicatif::ProgressBar;
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Url, header};
use routee_viber::{Counting, RESPONSE_DEADLINE, RetryPlan};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{self, Instant};

use crate::plan::Post;
use crate::tally::{Answer, Tally};

pub struct Routee {
    client: Client,
    urls: Vec<Url>,
    next_url: AtomicUsize,
    /// When each retry comes after the first attempt, on the faster clock.
    retries: Vec<Duration>,
    connections: Semaphore,
    progress: ProgressBar,
    record: Option<Mutex<Box<dyn Write + Send>>>,
    pub tally: Mutex<Tally>,
}

impl Routee {
    pub fn new(
        urls: Vec<Url>,
        counting: Counting,
        speed_up: f64,
        connections: usize,
        progress: ProgressBar,
        record: Option<Box<dyn Write + Send>>,
    ) -> reqwest::Result<Self> {
        let first = DateTime::<Utc>::UNIX_EPOCH;
        let retries = RetryPlan::new(first).counting(counting).times();
        Ok(Self {
            // What is not 200 is no answer, a redirect included.
            client: Client::builder().redirect(Policy::none()).build()?,
            urls,
            next_url: AtomicUsize::new(0),
            retries: retries.map(|at| (at - first).to_std().unwrap_or_default().div_f64(speed_up)).collect(),
            connections: Semaphore::new(connections),
            progress,
            record: record.map(Mutex::new),
            tally: Mutex::default(),
        })
    }

    /// POSTs all callbacks of a message. None waits for the retries of the one before.
    pub async fn play(self: Arc<Self>, message: Vec<Post>) {
        let mut retrying = JoinSet::new();
        for post in message {
            let second = async { !post.is_twice || self.attempt(&post, 0).await.1 };
            let ((begin, is_first_answered), is_second_answered) = tokio::join!(self.attempt(&post, 0), second);
            let next_retry = if is_first_answered && is_second_answered { post.late } else { Some(1) };
            match next_retry {
                Some(number) => drop(retrying.spawn(self.clone().retry(post, begin, number))),
                None => self.progress.inc(1),
            }
        }
        retrying.join_all().await;
    }

    /// Retries from that number on until one is answered.
    async fn retry(self: Arc<Self>, post: Post, first: Instant, from: u8) {
        for (number, delay) in (1..).zip(&self.retries).filter(|(number, _)| *number >= from) {
            time::sleep_until(first + *delay).await;
            if self.attempt(&post, number).await.1 {
                self.progress.inc(1);
                return;
            }
        }
        self.tally.lock().unwrap().give_up(&post.label);
        self.progress.inc(1);
    }

    /// When it was POSTed, and whether it was answered 200 in time.
    async fn attempt(&self, post: &Post, number: u8) -> (Instant, bool) {
        let _connection = self.connections.acquire().await;
        let url = &self.urls[self.next_url.fetch_add(1, Ordering::Relaxed) % self.urls.len()];
        let (at, begin) = (Utc::now(), Instant::now());
        let request = self
            .client
            .post(url.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(post.body.clone())
            .timeout(RESPONSE_DEADLINE);
        let code = request.send().await.ok().map(|answer| answer.status());
        let took = begin.elapsed();

        let answer = match code {
            Some(StatusCode::OK) => Answer::Ok,
            Some(_) => Answer::Refused,
            None => Answer::None,
        };
        self.tally.lock().unwrap().add(&post.label, number > 0, answer, took);
        if let Some(record) = &self.record {
            let line = json!({
                "key": post.idempotency_key,
                "attempt": number,
                "at": at.timestamp_millis(),
                "millis": took.as_millis(),
                "code": code.map(|code| code.as_u16()),
            });
            writeln!(record.lock().unwrap(), "{line}").expect("the record can be written");
        }
        (begin, answer == Answer::Ok)
    }
}
