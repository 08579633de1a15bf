//! How fast Routee is asked.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};

/// Lets requests go one by one, with an interval between any two.
pub struct RateLimiter {
    interval: Duration,
    times: Mutex<Times>,
}

struct Times {
    /// When the next request may go.
    next: Instant,
    /// No request goes before that.
    paused_until: Instant,
}

impl RateLimiter {
    pub fn new(interval: Duration) -> Self {
        let now = Instant::now();
        Self { interval, times: Mutex::new(Times { next: now, paused_until: now }) }
    }

    /// Returns when the next request may go.
    pub async fn acquire(&self) {
        loop {
            let at = {
                let mut times = self.times();
                let at = times.next.max(Instant::now());
                times.next = at + self.interval;
                at
            };
            time::sleep_until(at).await;
            // During the sleep, Routee may have told another request to wait.
            if self.times().paused_until <= at {
                return;
            }
        }
    }

    /// Lets no further request go for that long, not even one that waits already.
    pub fn pause_for(&self, wait: Duration) {
        let mut times = self.times();
        times.paused_until = times.paused_until.max(Instant::now() + wait);
        times.next = times.next.max(times.paused_until);
    }

    fn times(&self) -> MutexGuard<'_, Times> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn requests_keep_the_interval() {
        let begin = Instant::now();
        let limiter = RateLimiter::new(SECOND / 4);
        let mut times = Vec::new();
        for _ in 0..3 {
            limiter.acquire().await;
            times.push(begin.elapsed());
        }
        // After a long pause, requests still go one by one.
        time::sleep(10 * SECOND).await;
        for _ in 0..2 {
            limiter.acquire().await;
            times.push(begin.elapsed());
        }
        assert_eq!(times, [0, 250, 500, 10_500, 10_750].map(Duration::from_millis));
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_every_request() {
        let begin = Instant::now();
        let limiter = RateLimiter::new(SECOND);
        limiter.acquire().await;
        limiter.pause_for(30 * SECOND);
        // A shorter pause changes nothing.
        limiter.pause_for(2 * SECOND);
        let mut times = [Duration::ZERO; 2];
        for time in &mut times {
            limiter.acquire().await;
            *time = begin.elapsed();
        }
        assert_eq!(times, [30 * SECOND, 31 * SECOND]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_pause_holds_for_requests_that_wait_already() {
        let begin = Instant::now();
        let limiter = RateLimiter::new(SECOND);
        limiter.acquire().await;
        let acquire = async || {
            limiter.acquire().await;
            begin.elapsed()
        };
        let times = tokio::join!(biased; acquire(), acquire(), async {
            time::sleep(SECOND / 2).await;
            limiter.pause_for(30 * SECOND);
        });
        let resumed = 30 * SECOND + SECOND / 2;
        assert_eq!(times, (resumed, resumed + SECOND, ()));
    }
}
