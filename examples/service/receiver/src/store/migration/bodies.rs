//! The bodies that are there, read again in the order of arrival.

use std::sync::Arc;
use std::{mem, slice};

use axum::body::Bytes;
use chrono::DateTime;
use routee_viber::TrackedMessage;

use crate::entry::{ANOTHER_TRACKED, Delivery, Entry, INBOUND_TRACKED, Kind, State};
use crate::store::error::Cause;
use crate::store::migration::{Place, Transaction, places};
use crate::store::value::{Row, Value, WrongType};

/// What arrived next, in its order: a flow before its steps. Each table is read in the order of an index.
const NEXT: &str = "
    SELECT received_at, kind, key, said, body FROM (
        SELECT * FROM (
            SELECT received_at, kind, idempotency_key AS key, anomalies AS said, body FROM old_history
            WHERE (received_at, kind, idempotency_key) > ($1, $2, $3)
            ORDER BY received_at, kind, idempotency_key LIMIT $4
        ) AS next_history
        UNION ALL
        SELECT * FROM (
            SELECT received_at, 'other', digest, what, body FROM old_other
            WHERE received_at >= $1 AND (received_at, 'other', digest) > ($1, $2, $3)
            ORDER BY received_at, digest LIMIT $4
        ) AS next_other
        UNION ALL
        SELECT * FROM (
            SELECT received_at, 'unreadable', digest, reason, body FROM old_unreadable
            WHERE received_at >= $1 AND (received_at, 'unreadable', digest) > ($1, $2, $3)
            ORDER BY received_at, digest LIMIT $4
        ) AS next_unreadable
    ) AS next ORDER BY received_at, kind, key LIMIT $4";

/// The flows that arrived at a moment, up to a place in that order.
const FLOWS: &str = "SELECT received_at, kind, idempotency_key, anomalies, body FROM old_history
    WHERE received_at = $1 AND kind = 'flow' AND (kind, idempotency_key) <= ($2, $3) ORDER BY idempotency_key";

/// Reads the next bodies again and writes the rows that they become now.
pub async fn read_again<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let from = || vec![place.number.into(), place.kind.as_str().into(), place.key.as_str().into()];
    let rows = on.query(NEXT, [from(), vec![chunk.into()]].concat()).await?;
    let (Some(first), Some(last)) = (rows.first(), rows.last()) else { return Ok(None) };
    // The flows that arrived at the same moment as the current row, some of which may be in the chunk before.
    let mut flows: Vec<Arc<Entry>> = Vec::new();
    if first.get::<i64>(0)? == place.number {
        for row in on.query(FLOWS, from()).await? {
            flows.push(Arc::new(Arrived::of(&row)?.read()));
        }
    }
    let (mut entries, mut renamed, mut done) = (Vec::new(), Vec::new(), place.done);
    for row in &rows {
        done += 1;
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
    Ok(Some(Place {
        number: last.get(0)?,
        kind: last.get::<&str>(1)?.to_owned(),
        key: last.get::<&str>(2)?.to_owned(),
        done,
    }))
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
            received_at: row.get(0)?,
            // Another program may have added a row of another kind: its body is read as if it had just come.
            kind: Kind::of(row.get(1)?).unwrap_or(Kind::Unreadable),
            key: row.get(2)?,
            said: row.get(3)?,
            body: Bytes::copy_from_slice(row.get(4)?),
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
