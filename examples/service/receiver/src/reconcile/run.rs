//! A run over a file, a date, a campaign or a search for flows: in the database, so that it goes on where it was if it was stopped.

use chrono::{DateTime, Utc};

use crate::reconcile::window::Window;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Statement;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub name: String,
    pub started_at: i64,
    /// Of pages: the one to read next.
    pub page: u32,
    /// Of pages: how many readings of them came before this one.
    pub reading: u32,
    /// Of pages: how many entries of this reading have no id that can be read.
    pub unreadable: u32,
    /// Of a search that has begun: the window of time that is being read.
    pub window: Option<Window>,
}

impl Run {
    /// The unfinished run of this name, or a new one.
    pub async fn begin(store: &dyn Store, name: &str, now: DateTime<Utc>) -> Result<Self, StoreError> {
        let begin = "INSERT INTO run (name, started_at, page, reading, unreadable) VALUES ($1, $2, 0, 0, 0)
                     ON CONFLICT (name) DO NOTHING";
        store.execute(vec![(begin, vec![name.into(), now.timestamp_millis().into()])]).await?;
        let read = "SELECT started_at, page, reading, unreadable, window_start, window_end FROM run WHERE name = $1";
        let row = store.query_one(read, vec![name.into()]).await?;
        Ok(Self {
            name: name.to_owned(),
            started_at: row.get(0)?,
            page: count(row.get(1)?),
            reading: count(row.get(2)?),
            unreadable: count(row.get(3)?),
            window: row.get::<Option<_>>(4)?.zip(row.get(5)?).map(|(start, end)| Window { start, end }),
        })
    }

    /// The statement that saves where it is now.
    pub fn saved(&self) -> Statement<'static> {
        (
            "UPDATE run SET page = $1, reading = $2, unreadable = $3, window_start = $4, window_end = $5 WHERE name = $6",
            vec![
                self.page.into(),
                self.reading.into(),
                self.unreadable.into(),
                self.window.map(|window| window.start).into(),
                self.window.map(|window| window.end).into(),
                self.name.as_str().into(),
            ],
        )
    }

    pub async fn end(&self, store: &dyn Store) -> Result<(), StoreError> {
        store.execute(vec![("DELETE FROM run WHERE name = $1", vec![self.name.as_str().into()])]).await.map(drop)
    }

    /// How many messages its pages had.
    pub async fn found(&self, store: &dyn Store) -> Result<u64, StoreError> {
        let count = "SELECT count(*) FROM asked WHERE run = $1 AND asked_at >= $2";
        let count = store.query_one(count, vec![self.name.as_str().into(), self.started_at.into()]).await?;
        Ok(count.get::<i64>(0)?.unsigned_abs())
    }
}

fn count(number: i64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}
