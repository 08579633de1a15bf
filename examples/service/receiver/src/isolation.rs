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
pub struct BatchResult {
    /// For each entry, in the order in which they were given.
    pub is_committed: Vec<bool>,
    /// The entries whose rows somebody else has locked.
    pub locked: Vec<Arc<Entry>>,
    /// What each commit did.
    pub counts: Vec<RowCounts>,
    /// Why commits failed, those included whose entries a later commit took.
    pub causes: Vec<Cause>,
    /// Why the last entry was refused; `None` if every entry was committed.
    pub error: Option<StoreError>,
}

/// Commits what the database takes, each entry with as many others as possible.
pub async fn commit(store: &dyn Store, entries: &[Arc<Entry>]) -> BatchResult {
    in_parts(store, entries, &OnceCell::new()).await
}

fn in_parts<'a>(
    store: &'a dyn Store,
    entries: &'a [Arc<Entry>],
    is_sound: &'a OnceCell<bool>,
) -> BoxFuture<'a, BatchResult> {
    async move {
        let error = match store.commit(entries).await {
            Ok(counts) => {
                return BatchResult {
                    is_committed: vec![true; entries.len()],
                    counts: vec![counts],
                    ..BatchResult::default()
                };
            }
            Err(error) => error,
        };
        let mut result = match (error.cause, entries) {
            (Cause::Unavailable, _) => refused(entries, error.clone()),
            (Cause::Locked, [entry]) => BatchResult { locked: vec![entry.clone()], ..refused(entries, error.clone()) },
            (Cause::Data, [entry]) => set_aside(store, entry, error.clone(), is_sound).await,
            (Cause::Data | Cause::Locked, _) => {
                let size = if entries.len() > PART { PART } else { 1 };
                let parts = entries.chunks(size).map(|part| in_parts(store, part, is_sound));
                joined(join_all(parts).await)
            }
        };
        result.causes.push(error.cause);
        result
    }
    .boxed()
}

/// Puts the body of an entry that the database refuses into `unreadable`, unless the database refuses everything.
async fn set_aside(store: &dyn Store, entry: &Arc<Entry>, error: StoreError, is_sound: &OnceCell<bool>) -> BatchResult {
    let is_sound = is_sound.get_or_init(async || store.check().await.is_ok()).await;
    if !is_sound {
        return refused(std::slice::from_ref(entry), error);
    }
    match store.commit(&[Arc::new(entry.aside(&error.message))]).await {
        Ok(counts) => {
            warn!("the database refuses a body, which is kept in `unreadable`: {error}");
            BatchResult { is_committed: vec![true], counts: vec![counts], ..BatchResult::default() }
        }
        Err(error) => refused(std::slice::from_ref(entry), error),
    }
}

fn refused(entries: &[Arc<Entry>], error: StoreError) -> BatchResult {
    BatchResult { is_committed: vec![false; entries.len()], error: Some(error), ..BatchResult::default() }
}

fn joined(parts: Vec<BatchResult>) -> BatchResult {
    let mut joined = BatchResult::default();
    for part in parts {
        joined.is_committed.extend(part.is_committed);
        joined.locked.extend(part.locked);
        joined.counts.extend(part.counts);
        joined.causes.extend(part.causes);
        joined.error = part.error.or(joined.error);
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

    fn refused(result: &BatchResult) -> Vec<usize> {
        let places = result.is_committed.iter().enumerate();
        places.filter(|(_, is_committed)| !**is_committed).map(|(place, _)| place).collect()
    }

    #[tokio::test]
    async fn a_batch_that_fits_is_one_commit() {
        let store = FakeStore::new();
        let result = commit(&store, &hundred(&[])).await;
        assert_eq!(result.is_committed, [true; 100]);
        assert_eq!(*store.sizes.lock().unwrap(), [100]);
        assert_eq!((result.causes, result.error), (vec![], None));
    }

    #[tokio::test]
    async fn refused_bodies_go_aside_and_the_rest_is_committed() {
        let store = FakeStore::new();
        let result = commit(&store, &hundred(&[(0, "data"), (5, "data"), (99, "data")])).await;
        assert_eq!(result.is_committed, [true; 100]);
        assert_eq!(result.error, None);
        let mut committed = store.committed.into_inner().unwrap();
        committed.sort();
        let aside = committed.extract_if(.., |entry| entry == "unreadable: refused: Data").count();
        assert_eq!((aside, committed.len()), (3, 97));
        // The batch; six parts of 16 and one of 4, of which the first and the last fail; their 16 and 4 bodies; and
        // the three that go aside.
        let mut sizes = store.sizes.into_inner().unwrap();
        sizes.sort_unstable();
        assert_eq!(sizes, [vec![1; 16 + 4 + 3], vec![4], vec![16; 6], vec![100]].concat());
    }

    #[tokio::test]
    async fn a_database_that_refuses_everything_gets_nothing_aside() {
        let store = FakeStore { takes_canaries: false, ..FakeStore::new() };
        let result = commit(&store, &hundred(&[(7, "data")])).await;
        assert_eq!(refused(&result), [7]);
        assert_eq!(result.error.unwrap().message, "refused: Data");
        assert_eq!(store.committed.into_inner().unwrap().len(), 99);
    }

    #[tokio::test]
    async fn a_body_that_cannot_go_aside_is_refused() {
        let store = FakeStore { takes_unreadable: false, ..FakeStore::new() };
        let result = commit(&store, &hundred(&[(7, "data")])).await;
        assert_eq!(refused(&result), [7]);
    }

    #[tokio::test]
    async fn a_locked_row_refuses_only_its_own_callbacks() {
        let store = FakeStore::new();
        let result = commit(&store, &hundred(&[(50, "locked")])).await;
        assert_eq!(refused(&result), [50]);
        assert_eq!(result.causes, [Cause::Locked; 3]);
        assert_eq!(result.locked.iter().map(ToString::to_string).collect::<Vec<_>>(), [r#"status "locked" "SEEN""#]);
        assert_eq!(result.error.unwrap().message, "refused: Locked");
    }

    #[tokio::test]
    async fn an_unavailable_database_is_tried_once() {
        let store = FakeStore::new();
        let result = commit(&store, &hundred(&[(50, "gone")])).await;
        assert_eq!(refused(&result), (0..100).collect::<Vec<_>>());
        assert_eq!(*store.sizes.lock().unwrap(), [100]);
    }
}
