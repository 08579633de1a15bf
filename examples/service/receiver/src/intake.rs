//! Makes bodies durable, many with one commit.
//!
//! A commit costs a write to the disk that must be waited for, so a callback does not get one of its own:
//! what arrives while a commit is under way goes into the next one together.

use std::sync::Arc;

use axum::body::Bytes;
use chrono::Utc;
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::{task, time};
use tracing::error;

use crate::http::ANSWER_WITHIN;
use crate::store::{Arrived, Store};

/// The most bodies that one commit holds.
const BATCH: usize = 256;

/// A body that waits to be stored, and who waits for that.
struct Waiting {
    arrived: Arrived,
    stored: oneshot::Sender<()>,
}

/// Where bodies are handed in.
#[derive(Clone)]
pub struct Intake(mpsc::Sender<Waiting>);

/// The body was not stored, or nobody knows: refuse it, and Routee sends it again.
pub struct NotStored;

/// Starts the task that stores bodies. It wakes `stored` after each commit.
pub fn start(store: Store, capacity: usize, stored: Arc<Notify>) -> Intake {
    let (queue, waiting) = mpsc::channel(capacity);
    task::spawn(write(store, waiting, stored));
    Intake(queue)
}

impl Intake {
    /// Returns once the body is durable.
    pub async fn store(&self, body: Bytes) -> Result<(), NotStored> {
        let (stored, is_stored) = oneshot::channel();
        let arrived = Arrived {
            at: Utc::now(),
            body,
        };
        self.0
            .try_send(Waiting { arrived, stored })
            .map_err(|_| NotStored)?;
        is_stored.await.map_err(|_| NotStored)
    }
}

async fn write(store: Store, mut queue: mpsc::Receiver<Waiting>, stored: Arc<Notify>) {
    let mut batch = Vec::with_capacity(BATCH);
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        // Who has been refused in the meantime will come again.
        batch.retain(|waiting| !waiting.stored.is_closed());
        let bodies = batch
            .iter()
            .map(|waiting| &waiting.arrived)
            .collect::<Vec<_>>();
        match time::timeout(ANSWER_WITHIN, store.keep(&bodies)).await {
            Ok(Ok(())) => {
                for waiting in batch.drain(..) {
                    let _ = waiting.stored.send(());
                }
                stored.notify_one();
            }
            Ok(Err(error)) => {
                error!(%error, count = batch.len(), "cannot store callbacks; they are refused")
            }
            Err(_) => error!(
                count = batch.len(),
                "storing callbacks takes too long; they are refused"
            ),
        }
        batch.clear();
    }
}
