//! Brings tables of version 1 over, which a receiver with the library's 0.2 has filled.
//!
//! What differs is what the library makes of a body, its kind, its key and its rank, and the tables of each database
//! ([`Transaction::renew`]). So every body that is still there is read again, in the order of arrival, and kept as if it had
//! just come. Of a body that was purged, only the state is there; its rank is made anew from what its row says. The numbers
//! in `change` stay, and point to what their deliveries have become. What 0.3 reads in another way gets no number of its own.

#[cfg(test)]
mod tests;

use std::fmt::Display;
use std::sync::Arc;
use std::{mem, slice};

use axum::body::Bytes;
use chrono::DateTime;
use routee_viber::{FailoverCallback, FailoverStatus, Status, StatusName, TrackedMessage};
use serde_json::{Value as Json, json};
use tracing::info;

use crate::entry::{ANOTHER_TRACKED, Delivery, Entry, INBOUND_TRACKED, Kind, State};
use crate::store::VERSION;
use crate::store::error::Cause;
use crate::store::value::{Row, Value, WrongType};

/// The version that it brings over to [`VERSION`].
pub const FROM: i64 = 1;

/// How many rows are read and written at once.
const CHUNK: i64 = 500;

/// A transaction of either database, during which no other one can write. The SQL is understood by both databases.
pub trait Transaction {
    type Error: Display + From<WrongType>;

    /// Runs statements that answer nothing.
    async fn run(&self, statements: &str) -> Result<(), Self::Error>;

    /// Brings the tables of deliveries to what they are now. What is left in them is of purged deliveries.
    async fn renew(&self) -> Result<(), Self::Error>;

    /// Gives the changes their old numbers, which `renamed` and the keys of the old changes say.
    async fn number_again(&self) -> Result<(), Self::Error>;

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, Self::Error>;

    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<(), Self::Error>;

    /// Writes them as [`Store::commit`](crate::store::Store::commit) does, within this transaction, but for the numbers.
    async fn write(&self, entries: &[Arc<Entry>]) -> Result<(), Self::Error>;

    fn cause(error: &Self::Error) -> Cause;
}

pub async fn bring_over<T: Transaction>(on: &T) -> Result<(), T::Error> {
    info!("the tables have version {FROM}: every body is read again");
    on.run(include_str!("set_aside.sql")).await?;
    on.renew().await?;
    rank_again(on, "message", "status_name, status", rank_of_message).await?;
    rank_again(on, "flow", "status_name, rank", rank_of_flow).await?;
    read_again(on).await?;
    on.number_again().await?;
    on.run(include_str!("put_back.sql")).await?;
    info!("the tables have version {VERSION}");
    Ok(())
}

/// Makes the rank of each purged state anew: of its id and these two columns.
async fn rank_again<T: Transaction>(
    on: &T,
    table: &str,
    columns: &str,
    rank: fn(&str, &str, &str) -> String,
) -> Result<(), T::Error> {
    let next = format!(
        "SELECT tracking_id, {columns} FROM purged_{table} WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2"
    );
    let mut last = String::new();
    loop {
        let rows = on.query(&next, vec![last.as_str().into(), CHUNK.into()]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.get::<&str>(0)?.to_owned();
        let update = format!(
            "WITH ranked (tracking_id, rank) AS (VALUES {})
             UPDATE {table} SET rank = ranked.rank FROM ranked WHERE ranked.tracking_id = {table}.tracking_id",
            places(rows.len(), 2)
        );
        let mut ranks = Vec::new();
        for row in &rows {
            let id = row.get(0)?;
            ranks.extend([Value::from(id), Value::Text(rank(id, row.get(1)?, row.get(2)?))]);
        }
        on.execute(&update, ranks).await?;
    }
}

/// The rank of the status as 0.2 read it. A date that 0.2 misread stays misread, since the body may be gone.
fn rank_of_message(_: &str, name: &str, status: &str) -> String {
    serde_json::from_str(status).unwrap_or_else(|_| Status::new(StatusName::from(name))).rank()
}

/// The row itself has no date and no steps, but 0.2's rank ends in the flow's key, which has all that a rank is made
/// of. This assumes that the key says what was sent: a date that 0.2 misread stays misread, as in a message. Of a rank
/// that has another form, only the status counts.
fn rank_of_flow(tracking_id: &str, status: &str, rank: &str) -> String {
    let again = key_in(rank).and_then(|key| FailoverCallback::from_slice(flow_of(&key)?.to_string().as_bytes()).ok());
    again.unwrap_or_else(|| FailoverCallback::new(tracking_id, FailoverStatus::from(status))).rank()
}

/// The key that a flow's rank of 0.2 ends in, behind a level, 24 digits of a date and a tie: the bytes of its text in
/// hexadecimal, then 00 for its end and that of an empty text.
fn key_in(rank: &str) -> Option<Vec<Json>> {
    let digits = rank.get(26..)?.strip_suffix("0000")?;
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let text: Vec<_> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    serde_json::from_slice(&text).ok()
}

/// A flow with that key. In it are the id, the status, the date, and of each step its three ids, the name of its status
/// and the date of that; a list of one is `messages` that could not be read. What could not be read is there as it was
/// sent.
fn flow_of(key: &[Json]) -> Option<Json> {
    let [tracking_id, status, updated_at, steps @ ..] = key else { return None };
    let messages = match steps {
        [Json::Array(unread)] if unread.len() == 1 => unread.first()?.clone(),
        _ => steps.iter().map(step_of).collect::<Option<_>>()?,
    };
    Some(json!({ "trackingId": tracking_id, "status": status, "updatedAt": updated_at, "messages": messages }))
}

fn step_of(step: &Json) -> Option<Json> {
    let [tracking_id, message_id, sms_id, name, date] = step.as_array()?.as_slice() else { return None };
    let status = if name.is_string() { json!({ "name": name, "updatedDate": date }) } else { name.clone() };
    Some(json!({ "trackingId": tracking_id, "messageId": message_id, "smsId": sms_id, "status": status }))
}

/// Reads every body again and writes the rows that it becomes now.
async fn read_again<T: Transaction>(on: &T) -> Result<(), T::Error> {
    let next = "SELECT place, received_at, kind, key, said, body FROM arrived WHERE place > $1 ORDER BY place LIMIT $2";
    let mut last = 0;
    // The flows that arrived at the same moment as the current row.
    let mut flows: Vec<Arc<Entry>> = Vec::new();
    loop {
        let rows = on.query(next, vec![last.into(), CHUNK.into()]).await?;
        let Some(row) = rows.last() else { return Ok(()) };
        last = row.get(0)?;
        let (mut entries, mut renamed) = (Vec::new(), Vec::new());
        for row in &rows {
            let arrived = Arrived::of(row)?;
            flows.retain(|flow| flow.received_at == arrived.received_at);
            let entry = Arc::new(arrived.read());
            let delivery = entry.deliveries().first();
            let of_flow = delivery.filter(|_| arrived.kind == Kind::Step).and_then(|step| same_step(&flows, step));
            renamed.extend(of_flow.or(delivery).and_then(|delivery| arrived.renamed(delivery)));
            if of_flow.is_some() {
                continue;
            }
            if arrived.kind == Kind::Flow {
                flows.push(entry.clone());
            }
            if arrived.is_of_history() || entry.deliveries().is_empty() {
                entries.push(entry);
            } else {
                on.write(&mem::take(&mut entries)).await?;
                write_or_set_aside(on, &entry).await?;
            }
        }
        on.write(&entries).await?;
        if !renamed.is_empty() {
            let insert = format!("INSERT INTO renamed (was, key, kind) VALUES {}", places(renamed.len(), 3));
            on.execute(&insert, renamed.concat()).await?;
        }
    }
}

/// A row of `history`, `other` or `unreadable`, as it arrived and as 0.2 read it.
struct Arrived<'a> {
    received_at: i64,
    kind: Kind,
    key: &'a str,
    /// Its anomalies, what it is, or why it could not be read.
    said: &'a str,
    body: Bytes,
}

impl<'a> Arrived<'a> {
    fn of(row: &'a Row) -> Result<Self, WrongType> {
        Ok(Self {
            received_at: row.get(1)?,
            // Another program may have added a row of another kind: its body is read as if it had just come.
            kind: Kind::of(row.get(2)?).unwrap_or(Kind::Unreadable),
            key: row.get(3)?,
            said: row.get(4)?,
            body: Bytes::copy_from_slice(row.get(5)?),
        })
    }

    const fn is_of_history(&self) -> bool {
        !matches!(self.kind, Kind::Other | Kind::Unreadable)
    }

    fn read(&self) -> Entry {
        let (body, at) = (self.body.clone(), DateTime::from_timestamp_millis(self.received_at).unwrap_or_default());
        match self.kind {
            Kind::Step | Kind::Tracked => Entry::from_history(self.kind, self.key, self.said, body, at),
            Kind::Other if self.said == INBOUND_TRACKED => {
                Entry::tracked(TrackedMessage::from_slice(&self.body), body, at)
            }
            // It can be read, but it is not the message that was asked for.
            Kind::Unreadable if self.said == ANOTHER_TRACKED => Entry::read(body, at).aside(ANOTHER_TRACKED),
            _ => Entry::read(body, at),
        }
    }

    /// Its old key, its new key, and which state the new key belongs to; `None` if nothing has changed.
    fn renamed(&self, delivery: &Delivery) -> Option<[Value; 3]> {
        let is_as_it_was = (self.key, self.kind) == (&*delivery.key, delivery.kind);
        let row = || [self.key.to_owned(), delivery.key.clone(), delivery.state.as_str().to_owned()].map(Value::Text);
        (!is_as_it_was).then(row)
    }
}

/// The same step as one of a flow that arrived at the same moment and is read again itself. What the library wrote of
/// the step has its date as 0.2 took it, so that the keys may differ.
fn same_step<'a>(flows: &'a [Arc<Entry>], step: &Delivery) -> Option<&'a Delivery> {
    let steps = || flows.iter().flat_map(|flow| flow.deliveries()).filter(|delivery| delivery.kind == Kind::Step);
    let is_same = |delivery: &&Delivery| match (&delivery.state, &step.state) {
        (State::Message(one), State::Message(other)) => {
            (&delivery.tracking_id, &one.status_name) == (&step.tracking_id, &other.status_name)
        }
        _ => false,
    };
    steps().find(|delivery| delivery.key == step.key).or_else(|| steps().find(is_same))
}

/// Writes deliveries of a body that 0.2 took for another kind, could not read or could not store. If the database
/// refuses them, the body goes to `unreadable`.
async fn write_or_set_aside<T: Transaction>(on: &T, entry: &Arc<Entry>) -> Result<(), T::Error> {
    on.run("SAVEPOINT body").await?;
    match on.write(slice::from_ref(entry)).await {
        Ok(()) => {}
        Err(error) if T::cause(&error) == Cause::Data => {
            on.run("ROLLBACK TO SAVEPOINT body").await?;
            on.write(&[Arc::new(entry.aside(&error.to_string()))]).await?;
        }
        Err(error) => return Err(error),
    }
    on.run("RELEASE SAVEPOINT body").await
}

/// The places of parameters in that many rows.
fn places(rows: usize, columns: usize) -> String {
    let row = |row| {
        let places: Vec<_> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}
