//! A value that is remembered for a while.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

/// The last value, and until when it counts.
pub struct Cached<T>(Mutex<Option<(Instant, T)>>);

impl<T> Default for Cached<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T: Clone> Cached<T> {
    /// The last value if it still counts; otherwise a new one, which `make` returns with how long it counts. However
    /// many ask at once, one makes it, and the others wait for it.
    pub async fn get(&self, make: impl AsyncFnOnce() -> (T, Duration)) -> T {
        let mut last = self.0.lock().await;
        if let Some((until, value)) = &*last
            && Instant::now() < *until
        {
            return value.clone();
        }
        let (value, counts_for) = make().await;
        *last = Some((Instant::now() + counts_for, value.clone()));
        value
    }
}

#[cfg(test)]
mod tests {
    use tokio::time;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_value_counts_until_its_time_is_over() {
        let cached = Cached::default();
        let get = async |value| cached.get(async || (value, Duration::from_secs(1))).await;
        assert_eq!(get(1).await, 1);
        time::sleep(Duration::from_millis(999)).await;
        assert_eq!(get(2).await, 1);
        time::sleep(Duration::from_millis(1)).await;
        assert_eq!(get(3).await, 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_value_that_counts_for_no_time_is_made_anew() {
        let cached = Cached::default();
        for value in [1, 2] {
            assert_eq!(cached.get(async || (value, Duration::ZERO)).await, value);
        }
    }
}
