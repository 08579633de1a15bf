//! The closing figures.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use comfy_table::{CellAlignment, Table, presets};
use hdrhistogram::Histogram;

#[derive(Clone, Copy, PartialEq)]
pub enum Answer {
    Ok,
    Refused,
    None,
}

#[derive(Clone, Copy, Default)]
struct Counts {
    sent: u64,
    answered: u64,
    refused: u64,
    unanswered: u64,
    retries: u64,
    given_up: u64,
}

pub struct Tally {
    begin: Instant,
    counts: BTreeMap<String, Counts>,
    /// Of every answer, 200 or not, in microseconds.
    times: Histogram<u64>,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            begin: Instant::now(),
            counts: BTreeMap::new(),
            times: Histogram::new(3).expect("three digits are possible"),
        }
    }
}

impl Tally {
    pub fn add(&mut self, label: &str, is_retry: bool, answer: Answer, took: Duration) {
        let counts = self.counts.entry(label.to_owned()).or_default();
        counts.sent += 1;
        counts.retries += u64::from(is_retry);
        match answer {
            Answer::Ok => counts.answered += 1,
            Answer::Refused => counts.refused += 1,
            Answer::None => counts.unanswered += 1,
        }
        if answer != Answer::None {
            self.times += u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        }
    }

    pub fn give_up(&mut self, label: &str) {
        self.counts.entry(label.to_owned()).or_default().given_up += 1;
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
        })
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        table.set_header(["", "sent", "answered 200", "refused", "unanswered", "retries", "given up"]);
        let total = self.total();
        for (label, counts) in
            self.counts.iter().map(|(label, counts)| (label.as_str(), counts)).chain([("total", &total)])
        {
            let numbers =
                [counts.sent, counts.answered, counts.refused, counts.unanswered, counts.retries, counts.given_up];
            table.add_row([label.to_owned()].into_iter().chain(numbers.map(|number| number.to_string())));
        }
        table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));

        let seconds = self.begin.elapsed().as_secs_f64();
        let millis = |micros| Duration::from_micros(micros).as_secs_f64() * 1e3;
        #[allow(clippy::cast_precision_loss)]
        let rate = total.answered as f64 / seconds;
        writeln!(f, "{table}")?;
        writeln!(f, "{rate:.0} callbacks per second answered 200 within 2 s, for {seconds:.1} s")?;
        write!(
            f,
            "answers: p50 {:.1} ms, p99 {:.1} ms, slowest {:.1} ms",
            millis(self.times.value_at_quantile(0.5)),
            millis(self.times.value_at_quantile(0.99)),
            millis(self.times.max()),
        )
    }
}
