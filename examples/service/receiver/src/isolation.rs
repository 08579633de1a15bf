//! A body that the database refuses must not take others with it.
//!
//! A batch is committed whole or not at all. If it fails because of what one of its rows says, or of a row that
//! somebody else has locked, it is sent again in parts, all at once, and those that fail body by body. A body whose
//! data is refused even then goes to `unreadable` with the database's message, so that it is answered 200 and does not
//! come again. That is done only if the database takes bodies that must always fit: with a column changed it refuses
//! everything.

use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use tokio::sync::OnceCell;
use tracing::warn;

use crate::entry::Entry;
use crate::store::Store;
use crate::store::batch::RowCounts;
use crate::store::error::{Cause, StoreError};

/// The size of the parts that a batch is sent again in.
const PART: usize = 16;

/// What became of a batch.
#[derive(Debug, Default)]
pub struct Outcome {
    /// For each entry, in the order in which they were given.
    pub is_kept: Vec<bool>,
    /// The entries whose rows somebody else has locked.
    pub locked: Vec<Arc<Entry>>,
    pub kept: Vec<RowCounts>,
    /// Why some were not, or not at first.
    pub failures: Vec<Cause>,
    /// Why the last one was refused.
    pub failure: Option<StoreError>,
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
        let failure = match store.commit(entries).await {
            Ok(kept) => return Outcome { is_kept: vec![true; entries.len()], kept: vec![kept], ..Outcome::default() },
            Err(failure) => failure,
        };
        let mut outcome = match (failure.cause, entries) {
            (Cause::Unavailable, _) => refused(entries, failure.clone()),
            (Cause::Locked, [entry]) => Outcome { locked: vec![entry.clone()], ..refused(entries, failure.clone()) },
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
async fn aside(store: &dyn Store, entry: &Arc<Entry>, failure: StoreError, is_sound: &OnceCell<bool>) -> Outcome {
    let is_sound = is_sound.get_or_init(async || store.check().await.is_ok()).await;
    if !is_sound {
        return refused(std::slice::from_ref(entry), failure);
    }
    match store.commit(&[Arc::new(entry.aside(&failure.message))]).await {
        Ok(kept) => {
            warn!("the database refuses a body, which is kept in `unreadable`: {failure}");
            Outcome { is_kept: vec![true], kept: vec![kept], ..Outcome::default() }
        }
        Err(failure) => refused(std::slice::from_ref(entry), failure),
    }
}

fn refused(entries: &[Arc<Entry>], failure: StoreError) -> Outcome {
    Outcome { is_kept: vec![false; entries.len()], failure: Some(failure), ..Outcome::default() }
}

fn joined(parts: Vec<Outcome>) -> Outcome {
    let mut joined = Outcome::default();
    for part in parts {
        joined.is_kept.extend(part.is_kept);
        joined.locked.extend(part.locked);
        joined.kept.extend(part.kept);
        joined.failures.extend(part.failures);
        joined.failure = part.failure.or(joined.failure);
    }
    joined
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::fake::{FakeStore, entry};

    /// 100 good ones, with others in their places.
    fn hundred(others: &[(usize, &str)]) -> Vec<Arc<Entry>> {
        let status = |place: usize| {
            let other = others.iter().find(|(at, _)| *at == place);
            let id = other.map_or_else(|| place.to_string(), |(_, id)| (*id).to_owned());
            entry(&format!(r#"{{"trackingId":"{id}","status":"SEEN"}}"#))
        };
        (0..100).map(status).collect()
    }

    fn refused(outcome: &Outcome) -> Vec<usize> {
        let places = outcome.is_kept.iter().enumerate();
        places.filter(|(_, is_kept)| !**is_kept).map(|(place, _)| place).collect()
    }

    #[tokio::test]
    async fn what_fits_is_one_commit() {
        let store = FakeStore::new();
        let outcome = keep(&store, &hundred(&[])).await;
        assert_eq!(outcome.is_kept, [true; 100]);
        assert_eq!(*store.sizes.lock().unwrap(), [100]);
        assert_eq!((outcome.failures, outcome.failure), (vec![], None));
    }

    #[tokio::test]
    async fn refused_data_goes_aside_and_takes_nothing_with_it() {
        let store = FakeStore::new();
        let outcome = keep(&store, &hundred(&[(0, "data"), (5, "data"), (99, "data")])).await;
        assert_eq!(outcome.is_kept, [true; 100]);
        assert_eq!(outcome.failure, None);
        let mut kept = store.committed.into_inner().unwrap();
        kept.sort();
        let aside = kept.extract_if(.., |entry| entry == "unreadable: refused: Data").count();
        assert_eq!((aside, kept.len()), (3, 97));
        // The batch; six parts of 16 and one of 4, of which the first and the last fail; their 16 and 4 bodies; and
        // the three that go aside.
        let mut sizes = store.sizes.into_inner().unwrap();
        sizes.sort_unstable();
        assert_eq!(sizes, [vec![1; 16 + 4 + 3], vec![4], vec![16; 6], vec![100]].concat());
    }

    #[tokio::test]
    async fn a_database_that_refuses_everything_gets_nothing_aside() {
        let store = FakeStore { takes_canaries: false, ..FakeStore::new() };
        let outcome = keep(&store, &hundred(&[(7, "data")])).await;
        assert_eq!(refused(&outcome), [7]);
        assert_eq!(outcome.failure.unwrap().message, "refused: Data");
        assert_eq!(store.committed.into_inner().unwrap().len(), 99);
    }

    #[tokio::test]
    async fn what_cannot_go_aside_is_refused() {
        let store = FakeStore { takes_unreadable: false, ..FakeStore::new() };
        let outcome = keep(&store, &hundred(&[(7, "data")])).await;
        assert_eq!(refused(&outcome), [7]);
    }

    #[tokio::test]
    async fn a_locked_row_holds_up_itself_alone() {
        let store = FakeStore::new();
        let outcome = keep(&store, &hundred(&[(50, "locked")])).await;
        assert_eq!(refused(&outcome), [50]);
        assert_eq!(outcome.failures, [Cause::Locked; 3]);
        assert_eq!(outcome.locked.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"status "locked" "SEEN""#]);
        assert_eq!(outcome.failure.unwrap().message, "refused: Locked");
    }

    #[tokio::test]
    async fn a_database_that_is_gone_is_asked_once() {
        let store = FakeStore::new();
        let outcome = keep(&store, &hundred(&[(50, "gone")])).await;
        assert_eq!(refused(&outcome), (0..100).collect::<Vec<_>>());
        assert_eq!(*store.sizes.lock().unwrap(), [100]);
    }
}
