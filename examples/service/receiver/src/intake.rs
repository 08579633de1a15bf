//! Makes bodies durable, many with one commit.
//!
//! A commit waits for the disk, so a callback does not get one of its own: what arrives while one is
//! under way goes into the next together.

use std::sync::Arc;

use axum::body::Bytes;
use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::{task, time};
use tracing::error;

use crate::http::ANSWER_WITHIN;
use crate::store::Store;

/// The most bodies that one commit holds.
const BATCH: usize = 256;

/// A body that waits to be stored.
pub struct Arrived {
    pub at: DateTime<Utc>,
    pub body: Bytes,
    stored: oneshot::Sender<()>,
}

/// The body was not stored, or nobody knows: refuse it, and Routee sends it again.
pub struct NotStored;

/// Where bodies are handed in.
#[derive(Clone)]
pub struct Intake(mpsc::Sender<Arrived>);

impl Intake {
    /// Returns once the body is durable.
    pub async fn store(&self, body: Bytes) -> Result<(), NotStored> {
        let (stored, is_stored) = oneshot::channel();
        let at = Utc::now();
        self.0.try_send(Arrived { at, body, stored }).map_err(|_| NotStored)?;
        is_stored.await.map_err(|_| NotStored)
    }
}

/// Starts the task that stores bodies and wakes `stored` after each commit.
pub fn start(store: Store, capacity: usize, stored: Arc<Notify>) -> Intake {
    let (queue, mut arrivals) = mpsc::channel(capacity);
    task::spawn(async move {
        let mut batch: Vec<Arrived> = Vec::with_capacity(BATCH);
        while arrivals.recv_many(&mut batch, BATCH).await > 0 {
            // Who was refused in the meantime comes again.
            batch.retain(|arrived| !arrived.stored.is_closed());
            match time::timeout(ANSWER_WITHIN, store.keep(&batch)).await {
                Ok(Ok(())) => {
                    for arrived in batch.drain(..) {
                        let _ = arrived.stored.send(());
                    }
                    stored.notify_one();
                }
                Ok(Err(error)) => error!(%error, "cannot store; callbacks are refused"),
                Err(_) => error!("storing takes too long; callbacks are refused"),
            }
            batch.clear();
        }
    });
    Intake(queue)
}
