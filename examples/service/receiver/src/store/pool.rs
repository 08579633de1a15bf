//! The connections that read: a few, each used by one at a time.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time;

use crate::store::READ_WITHIN;
use crate::store::error::StoreError;

pub struct Pool<C> {
    size: u32,
    permits: Semaphore,
    idle: Mutex<Vec<C>>,
}

impl<C> Pool<C> {
    pub fn new(size: u32) -> Self {
        Self { size, permits: Semaphore::new(size as usize), idle: Mutex::default() }
    }

    /// A permit to read, and a connection if one is idle. Waits while all of them are in use.
    pub async fn acquire(&self) -> Result<(SemaphorePermit<'_>, Option<C>), StoreError> {
        let permit = time::timeout(READ_WITHIN, self.permits.acquire()).await.map_err(StoreError::unavailable)?;
        Ok((permit.map_err(StoreError::unavailable)?, self.idle().pop()))
    }

    /// Leaves the connection to the next reader. After an error, drop it instead.
    pub fn release(&self, connection: C) {
        if !self.permits.is_closed() {
            self.idle().push(connection);
        }
    }

    /// Waits until no connection is in use, and closes all of them.
    pub async fn close(&self) {
        let _all = time::timeout(READ_WITHIN, self.permits.acquire_many(self.size)).await;
        self.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<C>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
