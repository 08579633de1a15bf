//! Refusals: each one is counted, and the log has a line for each reason, at most once a minute.
//!
//! A line for each would let anybody fill the log. Without any, nobody would learn that Routee's settings have a wrong
//! URL, or which address is missing in the list of senders.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::http::Method;
use tokio::time::{self, Instant};
use tracing::warn;

use crate::metrics::Metrics;

/// How long it takes at least from one line for a reason to the next.
const LOG_EVERY: Duration = Duration::from_mins(1);

/// How often to look for reasons whose line is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How many characters of a method and of a path are shown. The client chooses them, and may choose long ones.
const SHOWN_METHOD: usize = 20;
const SHOWN_PATH: usize = 100;

pub struct Refusals {
    metrics: Arc<Metrics>,
    by_reason: Mutex<BTreeMap<&'static str, Recent>>,
}

/// What was refused for a reason since its last line.
#[derive(Default)]
struct Recent {
    logged_at: Option<Instant>,
    count: u64,
    last: String,
}

/// A line of the log.
#[derive(Debug, PartialEq, Eq)]
struct Line {
    reason: &'static str,
    count: u64,
    last: String,
}

impl Refusals {
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self { metrics, by_reason: Mutex::default() })
    }

    /// A request was answered with a refusal.
    pub fn request(&self, reason: &'static str, client: IpAddr, method: &Method, path: &str) {
        self.refused(reason, || {
            let mut shown = String::new();
            // Writing into a text does not fail.
            let _ = write!(shown, "{} ", cut(method.as_str(), SHOWN_METHOD));
            let _ = write!(shown, "{} from {client}", cut(path, SHOWN_PATH));
            shown
        });
    }

    /// A connection was closed before there was a request that could be answered.
    pub fn connection(&self, reason: &'static str, client: IpAddr) {
        self.refused(reason, || format!("a connection from {client}"));
    }

    fn refused(&self, reason: &'static str, shown: impl FnOnce() -> String) {
        self.metrics.refused(reason);
        let line = {
            let mut by_reason = self.by_reason.lock().unwrap_or_else(PoisonError::into_inner);
            let recent = by_reason.entry(reason).or_default();
            recent.count += 1;
            recent.last = shown();
            recent.line(reason, LOG_EVERY)
        };
        line.iter().for_each(Line::log);
    }

    /// Logs what was refused after the last line for its reason, once that is a minute ago.
    pub async fn run(self: Arc<Self>) {
        loop {
            time::sleep(LOOK_EVERY).await;
            self.due(LOG_EVERY).iter().for_each(Line::log);
        }
    }

    /// Logs what was not logged yet.
    pub fn finish(&self) {
        self.due(Duration::ZERO).iter().for_each(Line::log);
    }

    fn due(&self, pause: Duration) -> Vec<Line> {
        let mut by_reason = self.by_reason.lock().unwrap_or_else(PoisonError::into_inner);
        by_reason.iter_mut().filter_map(|(reason, recent)| recent.line(reason, pause)).collect()
    }
}

impl Recent {
    /// The line, if there is something to say and the last one is long enough ago.
    fn line(&mut self, reason: &'static str, pause: Duration) -> Option<Line> {
        let is_due = self.logged_at.is_none_or(|at| at.elapsed() >= pause);
        if self.count == 0 || !is_due {
            return None;
        }
        let Self { count, last, .. } = std::mem::take(self);
        self.logged_at = Some(Instant::now());
        Some(Line { reason, count, last })
    }
}

impl Line {
    fn log(&self) {
        warn!(reason = self.reason, count = self.count, last = %self.last, "refused");
    }
}

/// The text without control characters, on one line, and without its end if it is long.
fn cut(text: &str, length: usize) -> String {
    let mut escaped = text.escape_default();
    let mut shown: String = escaped.by_ref().take(length).collect();
    if escaped.next().is_some() {
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 7));

    fn line(count: u64, last: &str) -> Vec<Line> {
        vec![Line { reason: "not_found", count, last: last.to_owned() }]
    }

    #[tokio::test(start_paused = true)]
    async fn a_reason_is_logged_once_a_minute_at_most() {
        let metrics = Arc::new(Metrics::default());
        let refusals = Refusals::new(metrics.clone());
        // The first is logged at once, which leaves nothing for later.
        refusals.request("not_found", CLIENT, &Method::POST, "/first");
        assert_eq!(refusals.due(Duration::ZERO), vec![]);
        for path in ["/second", "/third"] {
            refusals.request("not_found", CLIENT, &Method::POST, path);
        }
        time::advance(Duration::from_millis(59_999)).await;
        assert_eq!(refusals.due(LOG_EVERY), vec![]);
        time::advance(Duration::from_millis(1)).await;
        assert_eq!(refusals.due(LOG_EVERY), line(2, "POST /third from 192.0.2.7"));
        time::advance(LOG_EVERY).await;
        assert_eq!(refusals.due(LOG_EVERY), vec![]);
        let rendered = metrics.render(0, 0, Duration::ZERO).unwrap();
        assert!(rendered.contains("\nroutee_refused_total{reason=\"not_found\"} 3\n"), "{rendered}");
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_left_is_logged_at_the_end() {
        let refusals = Refusals::new(Arc::default());
        refusals.connection("not_found", CLIENT);
        refusals.connection("not_found", CLIENT);
        assert_eq!(refusals.due(Duration::ZERO), line(1, "a connection from 192.0.2.7"));
    }

    #[test]
    fn a_path_is_escaped_and_cut() {
        assert_eq!(cut("/a\n\"b\u{1b}é", 100), r#"/a\n\"b\u{1b}\u{e9}"#);
        assert_eq!(cut(&"a".repeat(100), 100), "a".repeat(100));
        assert_eq!(cut(&"a".repeat(101), 100), format!("{}…", "a".repeat(100)));
    }
}
