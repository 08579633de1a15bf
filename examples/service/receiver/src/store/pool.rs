//! The connections that read: a few, each used by one at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

use super::{Failure, READ_WITHIN};

pub struct Pool<C> {
    size: u32,
    turns: Semaphore,
    idle: Mutex<Vec<C>>,
}

impl<C> Pool<C> {
    pub fn new(size: u32) -> Self {
        Self { size, turns: Semaphore::new(size as usize), idle: Mutex::default() }
    }

    /// The turn to read, and a connection if one is idle.
    pub async fn take(&self) -> Result<(SemaphorePermit<'_>, Option<C>), Failure> {
        let turn = time::timeout(READ_WITHIN, self.turns.acquire()).await.map_err(Failure::unavailable)?;
        Ok((turn.map_err(Failure::unavailable)?, self.idle().pop()))
    }

    /// For the next one. Whoever met an error drops the connection instead.
    pub fn give_back(&self, connection: C) {
        if !self.turns.is_closed() {
            self.idle().push(connection);
        }
    }

    /// Waits for those who read, and ends all connections.
    pub async fn close(&self) {
        let _all = time::timeout(READ_WITHIN, self.turns.acquire_many(self.size)).await;
        self.turns.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
