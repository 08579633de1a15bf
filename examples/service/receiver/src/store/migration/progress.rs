//! How far a migration is, for the log.

use std::time::{Duration, Instant};

use crate::store::migration::Step;

/// How often the log says it.
const EVERY: Duration = Duration::from_secs(5);

/// How many of its rows a step has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    pub step: Step,
    pub done: i64,
    pub total: i64,
}

/// What this process has seen of it.
pub struct Report {
    /// Where the current step was when this process came to it, and when that was.
    from: Option<(Progress, Instant)>,
    said: Instant,
}

impl Report {
    pub const fn new(now: Instant) -> Self {
        Self { from: None, said: now }
    }

    /// The next line, if it is time for one.
    pub fn line(&mut self, progress: Progress, now: Instant) -> Option<String> {
        let (from, since) = match self.from {
            Some((from, since)) if from.step == progress.step => (from, since),
            _ => *self.from.insert((progress, now)),
        };
        if now.duration_since(self.said) < EVERY {
            return None;
        }
        self.said = now;
        let Progress { step, done, total } = progress;
        let line =
            format!("migrating, step {} of {}: {}, {done} of {total}", step as u32 + 1, Step::ALL.len(), step.as_str());
        let left = left(now.duration_since(since), done - from.done, total - done);
        Some(left.map_or(line.clone(), |left| format!("{line}, about {} left", humantime::format_duration(left))))
    }
}

/// How long the rest of a step takes if it goes on as before, in whole seconds; `None` if nothing is known yet.
fn left(spent: Duration, done: i64, rest: i64) -> Option<Duration> {
    let (done, rest) = (u128::try_from(done).ok()?, u128::try_from(rest).ok()?);
    let millis = spent.as_millis().checked_mul(rest)?.checked_div(done)?;
    Some(Duration::from_secs(u64::try_from(millis.div_ceil(1000)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_every_few_seconds_says_how_far_it_is() {
        let start = Instant::now();
        let mut report = Report::new(start);
        let mut line = |millis, step, done| {
            report.line(Progress { step, done, total: 1000 }, start + Duration::from_millis(millis))
        };
        assert_eq!(line(0, Step::Bodies, 0), None);
        assert_eq!(line(4999, Step::Bodies, 90), None);
        assert_eq!(
            line(5000, Step::Bodies, 100).unwrap(),
            "migrating, step 5 of 9: bodies, 100 of 1000, about 45s left"
        );
        assert_eq!(line(9999, Step::Bodies, 200), None);
        // Of a step that has just begun nothing is known, nor of one whose rows are all done.
        assert_eq!(line(10_000, Step::Numbers, 500).unwrap(), "migrating, step 6 of 9: changes, 500 of 1000");
        assert_eq!(
            line(130_000, Step::Numbers, 600).unwrap(),
            "migrating, step 6 of 9: changes, 600 of 1000, about 8m left"
        );
        assert_eq!(
            line(135_000, Step::Numbers, 1000).unwrap(),
            "migrating, step 6 of 9: changes, 1000 of 1000, about 0s left"
        );
    }
}
