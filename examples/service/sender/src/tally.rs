//! The closing figures.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;
use reqwest::StatusCode;

#[derive(Clone, Copy, Default)]
struct Counts {
    sent: u64,
    answered: u64,
    refused: u64,
    unanswered: u64,
    retries: u64,
    given_up: u64,
    lost: u64,
}

#[derive(Clone)]
pub struct Tally {
    begin: Instant,
    is_paced: bool,
    counts: BTreeMap<String, Counts>,
    /// Every answer but 200, and every reason why there was none.
    failures: BTreeMap<String, u64>,
    /// Of every attempt, in microseconds.
    latencies: Histogram<u64>,
}

impl Tally {
    pub fn new(is_paced: bool) -> Self {
        Self {
            begin: Instant::now(),
            is_paced,
            counts: BTreeMap::new(),
            failures: BTreeMap::new(),
            latencies: Histogram::new(3).expect("three digits are possible"),
        }
    }

    pub fn add(&mut self, label: &str, is_retry: bool, answer: &Result<StatusCode, String>, latency: Duration) {
        let counts = of(&mut self.counts, label);
        counts.sent += 1;
        counts.retries += u64::from(is_retry);
        let failure = match answer {
            &Ok(StatusCode::OK) => {
                counts.answered += 1;
                None
            }
            Ok(code) => {
                counts.refused += 1;
                Some(code.as_str())
            }
            Err(reason) => {
                counts.unanswered += 1;
                Some(reason.as_str())
            }
        };
        if let Some(failure) = failure {
            *of(&mut self.failures, failure) += 1;
        }
        self.latencies += u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
    }

    pub fn give_up(&mut self, label: &str) {
        of(&mut self.counts, label).given_up += 1;
    }

    pub fn lose(&mut self, label: &str) {
        of(&mut self.counts, label).lost += 1;
    }

    pub fn total_given_up(&self) -> u64 {
        self.total().given_up
    }

    fn total(&self) -> Counts {
        self.counts.values().fold(Counts::default(), |sum, counts| Counts {
            sent: sum.sent + counts.sent,
            answered: sum.answered + counts.answered,
            refused: sum.refused + counts.refused,
            unanswered: sum.unanswered + counts.unanswered,
            retries: sum.retries + counts.retries,
            given_up: sum.given_up + counts.given_up,
            lost: sum.lost + counts.lost,
        })
    }
}

/// The entry of that name, made only once.
fn of<'a, T: Default>(map: &'a mut BTreeMap<String, T>, name: &str) -> &'a mut T {
    if !map.contains_key(name) {
        map.insert(name.to_owned(), T::default());
    }
    map.get_mut(name).expect("it has just been made")
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["", "sent", "answered 200", "otherwise", "not at all", "retries", "given up", "lost"]);
        let total = self.total();
        for (label, counts) in
            self.counts.iter().map(|(label, counts)| (label.as_str(), counts)).chain([("total", &total)])
        {
            let Counts { sent, answered, refused, unanswered, retries, given_up, lost } = *counts;
            let numbers = [sent, answered, refused, unanswered, retries, given_up, lost];
            table.add_row([label.to_owned()].into_iter().chain(numbers.map(|number| number.to_string())));
        }
        table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));

        writeln!(f, "{table}")?;
        for (failure, count) in &self.failures {
            writeln!(f, "not answered 200: {count} × {failure}")?;
        }
        let seconds = self.begin.elapsed().as_secs_f64();
        #[expect(clippy::cast_precision_loss)]
        let rate = total.answered as f64 / seconds;
        writeln!(f, "{rate:.0} callbacks per second answered 200 within 2 s, for {seconds:.1} s")?;
        let since = if self.is_paced { ", from when each was to begin" } else { "" };
        let millis = |micros| Duration::from_micros(micros).as_secs_f64() * 1e3;
        let quantile = |quantile| millis(self.latencies.value_at_quantile(quantile));
        write!(
            f,
            "latencies{since}: p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, p99.9 {:.1} ms, slowest {:.1} ms",
            quantile(0.5),
            quantile(0.9),
            quantile(0.99),
            quantile(0.999),
            millis(self.latencies.max()),
        )
    }
}
