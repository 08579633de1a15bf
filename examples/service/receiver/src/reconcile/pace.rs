//! How fast Routee is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};

/// Gives each request its time, all of them the same distance apart.
pub struct Pace {
    distance: Duration,
    times: Mutex<Times>,
}

struct Times {
    /// When the next request may go.
    next: Instant,
    /// No request goes before that.
    rested: Instant,
}

impl Pace {
    pub fn new(distance: Duration) -> Self {
        let now = Instant::now();
        Self { distance, times: Mutex::new(Times { next: now, rested: now }) }
    }

    /// Returns when the next request may go.
    pub async fn turn(&self) {
        loop {
            let at = {
                let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
                let at = times.next.max(Instant::now());
                times.next = at + self.distance;
                at
            };
            time::sleep_until(at).await;
            // Somebody may have been told to wait since.
            if self.times.lock().unwrap_or_else(PoisonError::into_inner).rested <= at {
                return;
            }
        }
    }

    /// Lets no further request go for that long.
    pub fn rest(&self, wait: Duration) {
        let mut times = self.times.lock().unwrap_or_else(PoisonError::into_inner);
        times.rested = times.rested.max(Instant::now() + wait);
        // Those that had a time before that take another one.
        times.next = times.next.max(times.rested);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn requests_keep_their_distance() {
        let begin = Instant::now();
        let pace = Pace::new(SECOND / 4);
        let mut times = Vec::new();
        for _ in 0..3 {
            pace.turn().await;
            times.push(begin.elapsed());
        }
        // Nobody may catch up on what was not used.
        time::sleep(10 * SECOND).await;
        for _ in 0..2 {
            pace.turn().await;
            times.push(begin.elapsed());
        }
        assert_eq!(times, [0, 250, 500, 10_500, 10_750].map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_holds_for_everybody() {
        let begin = Instant::now();
        let pace = Pace::new(SECOND);
        pace.turn().await;
        pace.rest(30 * SECOND);
        // A shorter one changes nothing.
        pace.rest(2 * SECOND);
        let mut times = [Duration::ZERO; 2];
        for time in &mut times {
            pace.turn().await;
            *time = begin.elapsed();
        }
        assert_eq!(times, [30 * SECOND, 31 * SECOND]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_rest_holds_for_those_that_have_their_time() {
        let begin = Instant::now();
        let pace = Pace::new(SECOND);
        pace.turn().await;
        let turn = async || {
            pace.turn().await;
            begin.elapsed()
        };
        let times = tokio::join!(biased; turn(), turn(), async {
            time::sleep(SECOND / 2).await;
            pace.rest(30 * SECOND);
        });
        let rested = 30 * SECOND + SECOND / 2;
        assert_eq!(times, (rested, rested + SECOND, ()));
    }
}
