//! Which ids are due: what Routee has answered for each, and when it may be asked for again, is in the database.

use std::collections::HashMap;

use chrono::TimeDelta;

use crate::reconcile::run::Run;
use crate::reconcile::subject::Subject;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::{Row, Statement, Value, WrongType};

/// How many ids are looked up at once.
pub const CHUNK: u16 = 500;

/// Among how many messages at once those that have changed are looked for.
const PIECE: u16 = 5000;

/// How soon an id is asked for again at the earliest.
const FIRST_PAUSE: TimeDelta = TimeDelta::hours(1);

/// The pause doubles each time that Routee does not know how it has ended, but no more often than this.
const MOST_DOUBLINGS: u32 = 10;

/// An id that may be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub tracking_id: String,
    /// How often in a row it was asked for although Routee did not know how it has ended.
    pub times: i64,
    /// What it belongs to, if the database knows.
    pub subject: Option<Subject>,
}

/// What Routee has answered for an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LookupResult {
    /// A status after which Routee need not be asked again.
    Ended,
    Pending,
    Unknown,
    Unreadable,
}

impl LookupResult {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Pending => "pending",
            Self::Unknown => "unknown",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Ids that the database has and that may be due, in the order of the times from which they are due.
#[derive(Debug, Clone, Copy)]
pub enum DueList {
    /// Messages or flows that were overdue at that time.
    Overdue(Subject, i64),
    /// Ids that were asked for in vain, have neither a message nor a flow yet, and could be asked for again at that time.
    Unknown(i64),
}

/// A place in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    due_at: i64,
    tracking_id: String,
}

impl Place {
    /// Before the first.
    pub const BEGIN: Self = Self { due_at: i64::MIN, tracking_id: String::new() };
}

impl DueList {
    /// The next ids that may be asked for, and the place of the last; `None` at the end.
    ///
    /// What was asked for is in the list no longer. A callback may move an id to before the place, so whoever wants all of
    /// them begins anew until there is none.
    pub async fn after(&self, store: &dyn Store, place: &Place) -> Result<Option<(Vec<Due>, Place)>, StoreError> {
        let (sql, parameters) = self.page(place);
        let rows = store.query(&sql, parameters).await?;
        let Some(last) = rows.last() else { return Ok(None) };
        let place = Place { tracking_id: last.get::<&str>(0)?.to_owned(), due_at: last.get(2)? };
        let subject = match self {
            Self::Overdue(subject, _) => Some(*subject),
            Self::Unknown(_) => None,
        };
        let due = rows.iter().map(|row| Due::of(row, subject)).collect::<Result<_, _>>()?;
        Ok(Some((due, place)))
    }

    /// How many there are.
    pub async fn count(&self, store: &dyn Store) -> Result<u64, StoreError> {
        let (from, parameters) = self.from(&Place::BEGIN);
        let count = store.query_one(&format!("SELECT count(*) {from}"), parameters).await?;
        Ok(count.get::<i64>(0)?.unsigned_abs())
    }

    /// The query for the ids after a place, and its parameters.
    fn page(&self, place: &Place) -> (String, Vec<Value>) {
        let (from, mut parameters) = self.from(place);
        let (id, due_at) = match self {
            Self::Overdue(Subject::Message, _) => ("message.tracking_id", "message.overdue_at"),
            Self::Overdue(Subject::Flow, _) => ("flow.tracking_id", "flow.overdue_at"),
            Self::Unknown(_) => ("asked.tracking_id", "asked.next_at"),
        };
        parameters.push(i64::from(CHUNK).into());
        (format!("SELECT {id}, asked.times, {due_at} {from} ORDER BY {due_at}, {id} LIMIT $4"), parameters)
    }

    /// The FROM and WHERE of its query, and the parameters of these.
    fn from(&self, Place { due_at, tracking_id }: &Place) -> (String, Vec<Value>) {
        let (from, at) = match self {
            Self::Overdue(subject, at) => (
                format!(
                    "FROM {table} LEFT JOIN asked ON asked.tracking_id = {table}.tracking_id
                     WHERE ({table}.overdue_at, {table}.tracking_id) > ($1, $2)
                         AND {table}.overdue_at <= $3 AND coalesce(asked.next_at, 0) <= $3",
                    table = subject.table()
                ),
                at,
            ),
            Self::Unknown(at) => (
                "FROM asked LEFT JOIN message ON message.tracking_id = asked.tracking_id
                     LEFT JOIN flow ON flow.tracking_id = asked.tracking_id
                 WHERE (asked.next_at, asked.tracking_id) > ($1, $2) AND asked.next_at <= $3
                     AND asked.outcome IN ('unknown', 'unreadable')
                     AND message.tracking_id IS NULL AND flow.tracking_id IS NULL"
                    .to_owned(),
                at,
            ),
        };
        (from, vec![(*due_at).into(), tracking_id.as_str().into(), (*at).into()])
    }
}

/// Of the next messages after an id, those that have changed since that time, are not seen yet and were not asked for by
/// this run; and the last id that was looked at. `None` at the end. No index has the changes, since it would cost each
/// callback; so all messages are looked at, some at a time.
pub async fn changed_since(
    store: &dyn Store,
    since: i64,
    run: &Run,
    after: &str,
    now: i64,
) -> Result<Option<(Vec<Due>, String)>, StoreError> {
    let end = "SELECT max(tracking_id) FROM
                   (SELECT tracking_id FROM message WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2) AS piece";
    let end = store.query_one(end, vec![after.into(), i64::from(PIECE).into()]).await?;
    let Some(end) = end.get::<Option<&str>>(0)? else { return Ok(None) };
    let changed = "SELECT message.tracking_id, asked.times
                   FROM message LEFT JOIN asked ON asked.tracking_id = message.tracking_id
                   WHERE message.tracking_id > $1 AND message.tracking_id <= $2
                       AND message.changed_at >= $3 AND message.status_name <> 'SEEN'
                       AND coalesce(asked.asked_at, -1) < $4 AND coalesce(asked.next_at, 0) <= $5
                   ORDER BY message.tracking_id";
    let parameters = vec![after.into(), end.into(), since.into(), run.started_at.into(), now.into()];
    let rows = store.query(changed, parameters).await?;
    let due = rows.iter().map(|row| Due::of(row, Some(Subject::Message))).collect::<Result<_, _>>()?;
    Ok(Some((due, end.to_owned())))
}

/// Those of the ids that are due: not seen yet, and not asked for by this run.
pub async fn among(store: &dyn Store, ids: &[String], run: &Run, now: i64) -> Result<Vec<Due>, StoreError> {
    let (values, mut parameters) = values(ids);
    let next = parameters.len() + 1;
    let sql = format!(
        "WITH wanted (tracking_id) AS (VALUES {values})
         SELECT DISTINCT wanted.tracking_id, asked.times, message.tracking_id, flow.tracking_id
         FROM wanted LEFT JOIN asked ON asked.tracking_id = wanted.tracking_id
             LEFT JOIN message ON message.tracking_id = wanted.tracking_id
             LEFT JOIN flow ON flow.tracking_id = wanted.tracking_id
         WHERE coalesce(message.status_name, '') <> 'SEEN'
             AND coalesce(asked.asked_at, -1) < ${next} AND coalesce(asked.next_at, 0) <= ${}",
        next + 1
    );
    parameters.extend([run.started_at.into(), now.into()]);
    let rows = store.query(&sql, parameters).await?;
    rows.iter()
        .map(|row| {
            let (message, flow): (Option<&str>, Option<&str>) = (row.get(2)?, row.get(3)?);
            let subject = message.map(|_| Subject::Message).or(flow.map(|_| Subject::Flow));
            Ok(Due::of(row, subject)?)
        })
        .collect()
}

/// Those of the ids that were asked for before, and whether this run has found them.
pub async fn asked_before(
    store: &dyn Store,
    ids: &[String],
    subject: Subject,
    run: &Run,
) -> Result<HashMap<String, (Due, bool)>, StoreError> {
    let mut asked = HashMap::new();
    // Routee may send a longer page than it was asked for, and a statement takes only so many parameters.
    for ids in ids.chunks(CHUNK.into()) {
        let (values, parameters) = values(ids);
        let sql = format!("SELECT tracking_id, times, run, asked_at FROM asked WHERE tracking_id IN (VALUES {values})");
        for row in store.query(&sql, parameters).await? {
            let due = Due::of(&row, Some(subject))?;
            let is_found = row.get::<Option<&str>>(2)? == Some(&run.name) && row.get::<i64>(3)? >= run.started_at;
            asked.insert(due.tracking_id.clone(), (due, is_found));
        }
    }
    Ok(asked)
}

impl Due {
    /// Of a row that begins with the id, and how often it was asked for if it was.
    fn of(row: &Row, subject: Option<Subject>) -> Result<Self, WrongType> {
        let times = row.get::<Option<_>>(1)?.unwrap_or_default();
        Ok(Self { tracking_id: row.get::<&str>(0)?.to_owned(), times, subject })
    }
}

fn values(ids: &[String]) -> (String, Vec<Value>) {
    let places: Vec<_> = (1..=ids.len()).map(|place| format!("(${place})")).collect();
    (places.join(", "), ids.iter().cloned().map(Value::Text).collect())
}

/// The statement that remembers what Routee has answered for an id.
pub fn remember(due: &Due, result: LookupResult, run: Option<&str>, now: i64) -> Statement<'static> {
    let times = if result == LookupResult::Ended { 0 } else { due.times + 1 };
    (
        "INSERT INTO asked (tracking_id, asked_at, times, next_at, outcome, run) VALUES ($1, $2, $3, $4, $5, $6)
         ON CONFLICT (tracking_id) DO UPDATE SET asked_at = excluded.asked_at, times = excluded.times,
             next_at = excluded.next_at, outcome = excluded.outcome, run = excluded.run",
        vec![
            due.tracking_id.as_str().into(),
            now.into(),
            times.into(),
            (now + pause(times)).into(),
            result.as_str().into(),
            run.into(),
        ],
    )
}

/// How many milliseconds to wait with an id that was asked for in vain that many times in a row.
fn pause(times: i64) -> i64 {
    let doublings = u32::try_from(times - 1).unwrap_or_default().min(MOST_DOUBLINGS);
    FIRST_PAUSE.num_milliseconds() << doublings
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use tempfile::TempDir;

    use super::*;
    use crate::store::fake::{entry, open_in};

    #[tokio::test]
    async fn what_is_due_is_found_by_an_index() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        for (list, index) in [
            (
                DueList::Overdue(Subject::Message, 0),
                "SEARCH message USING INDEX message_overdue_at (overdue_at>? AND overdue_at<?)",
            ),
            (
                DueList::Overdue(Subject::Flow, 0),
                "SEARCH flow USING INDEX flow_overdue_at (overdue_at>? AND overdue_at<?)",
            ),
            (DueList::Unknown(0), "SEARCH asked USING INDEX asked_unknown ((next_at,tracking_id)>(?,?) AND next_at<?)"),
        ] {
            let (page, parameters) = list.page(&Place::BEGIN);
            let plan = store.query(&format!("EXPLAIN QUERY PLAN {page}"), parameters).await.unwrap();
            let steps: Vec<&str> = plan.iter().map(|step| step.get(3).unwrap()).collect();
            assert_eq!(steps[0], index, "{steps:?}");
            assert!(steps[1..].iter().all(|step| !step.starts_with("SCAN")), "{steps:?}");
        }
        store.close().await;
    }

    #[tokio::test]
    async fn messages_that_have_changed_are_looked_for_piece_by_piece() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let entries: Vec<_> =
            (0..=PIECE).map(|id| entry(&format!(r#"{{"trackingId":"m{id:04}","status":"DELIVERED"}}"#))).collect();
        store.commit(&entries).await.unwrap();
        let changed = "UPDATE message SET changed_at = 7 WHERE tracking_id IN ('m0000', 'm4999', 'm5000')";
        store.execute(vec![(changed, vec![])]).await.unwrap();
        let run = Run::begin(&*store, "since", DateTime::UNIX_EPOCH).await.unwrap();
        let mut pieces = Vec::new();
        let mut after = String::new();
        while let Some((due, last)) = changed_since(&*store, 7, &run, &after, 0).await.unwrap() {
            pieces.push((due.into_iter().map(|due| due.tracking_id).collect::<Vec<_>>().join(" "), last.clone()));
            after = last;
        }
        let piece = |ids: &str, last: &str| (ids.to_owned(), last.to_owned());
        assert_eq!(pieces, [piece("m0000 m4999", "m4999"), piece("m5000", "m5000")]);
        store.close().await;
    }
}
