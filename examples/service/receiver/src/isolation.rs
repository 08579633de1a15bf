//! A body that the database refuses must not take others with it.
//!
//! A batch is committed whole or not at all. If it fails for what one of its rows says, or for a row that somebody else
//! has locked, it is sent again in parts, all at once, and those that fail body by body. A body that is refused alone
//! goes aside to `unreadable` with the database's words, so that it is answered 200 and does not come again. That is
//! done only if the database takes bodies that must always fit: with a column changed it refuses everything.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::OnceCell;
use tracing::warn;

use crate::entry::Entry;
use crate::store::{Cause, Failure, Kept, Store};

/// The size of the parts that a batch is sent again in.
const PART: usize = 16;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each entry, in the order in which they were given.
    pub is_kept: Vec<bool>,
    pub kept: Vec<Kept>,
    /// Why some were not, or not at first.
    pub failures: Vec<Cause>,
    /// Why the last one was refused.
    pub failure: Option<Failure>,
}

/// Keeps what the database takes, each entry in one commit with as many others as possible.
pub async fn keep(store: &dyn Store, entries: &[Arc<Entry>]) -> Outcome {
    in_parts(store, entries, &OnceCell::new()).await
}

fn in_parts<'a>(
    store: &'a dyn Store,
    entries: &'a [Arc<Entry>],
    is_sound: &'a OnceCell<bool>,
) -> BoxFuture<'a, Outcome> {
    async move {
        let failure = match store.keep(entries).await {
            Ok(kept) => return Outcome { is_kept: vec![true; entries.len()], kept: vec![kept], ..Outcome::default() },
            Err(failure) => failure,
        };
        let mut outcome = match (failure.cause, entries) {
            (Cause::Unavailable, _) | (Cause::Locked, [_]) => refused(entries, failure.clone()),
            (Cause::Data, [entry]) => aside(store, entry, failure.clone(), is_sound).await,
            (Cause::Data | Cause::Locked, _) => {
                let size = if entries.len() > PART { PART } else { 1 };
                let parts = entries.chunks(size).map(|part| in_parts(store, part, is_sound));
                joined(join_all(parts).await)
            }
        };
        outcome.failures.push(failure.cause);
        outcome
    }
    .boxed()
}

/// Keeps the body of an entry that the database refuses, if it is the entry's fault.
async fn aside(store: &dyn Store, entry: &Arc<Entry>, failure: Failure, is_sound: &OnceCell<bool>) -> Outcome {
    let is_sound = is_sound.get_or_init(async || store.check().await.is_ok()).await;
    if !is_sound {
        return refused(std::slice::from_ref(entry), failure);
    }
    match store.keep(&[Arc::new(entry.aside(&failure.message))]).await {
        Ok(kept) => {
            warn!("the database refuses a body, which is kept in `unreadable`: {failure}");
            Outcome { is_kept: vec![true], kept: vec![kept], ..Outcome::default() }
        }
        Err(failure) => refused(std::slice::from_ref(entry), failure),
    }
}

fn refused(entries: &[Arc<Entry>], failure: Failure) -> Outcome {
    Outcome { is_kept: vec![false; entries.len()], failure: Some(failure), ..Outcome::default() }
}

fn joined(parts: Vec<Outcome>) -> Outcome {
    let mut joined = Outcome::default();
    for part in parts {
        joined.is_kept.extend(part.is_kept);
        joined.kept.extend(part.kept);
        joined.failures.extend(part.failures);
        joined.failure = part.failure.or(joined.failure);
    }
    joined
}
