//! How fast Routee is asked.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};

/// Gives each request its time, all of them the same distance apart.
pub struct Pace {
    distance: Duration,
    next: Mutex<Instant>,
}

impl Pace {
    pub fn new(distance: Duration) -> Self {
        Self { distance, next: Mutex::new(Instant::now()) }
    }

    /// Returns when the next request may go.
    pub async fn turn(&self) {
        let at = {
            let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
            let at = (*next).max(Instant::now());
            *next = at + self.distance;
            at
        };
        time::sleep_until(at).await;
    }

    /// Lets no further request go for that long.
    pub fn rest(&self, wait: Duration) {
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = (*next).max(Instant::now() + wait);
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
}
