//! How a batch is written: a statement for each row, in the transaction of the caller.

use rusqlite::{Connection, Result, named_params};

use crate::entry::{Delivery, Kind};
use crate::store::batch::{BatchRows, RowCounts};

/// Writes the rows, and gives each state that they change its number.
pub fn write_rows(connection: &Connection, rows: &BatchRows<'_>) -> Result<RowCounts> {
    let mut counts = rows.counts();
    add_deliveries(connection, rows, &mut counts)?;
    let changed =
        [advance_messages(connection, rows)?, advance_flows(connection, rows)?, add_replies(connection, rows)?]
            .concat();
    for delivery in &changed {
        counts.of(delivery.kind).advanced += 1;
    }
    let (others, unreadable) = (add_others(connection, rows)?, add_unreadable(connection, rows)?);
    for (kind, added) in [(Kind::Other, others), (Kind::Unreadable, unreadable)] {
        counts.of(kind).added = added;
        counts.of(kind).advanced = added;
    }
    number(connection, &changed)?;
    Ok(counts)
}

fn add_deliveries(connection: &Connection, rows: &BatchRows<'_>, counts: &mut RowCounts) -> Result<()> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
         VALUES (:idempotency_key, :kind, :tracking_id, :received_at, :anomalies, :body)
         ON CONFLICT (idempotency_key, digest) DO NOTHING",
    )?;
    let mut insert_variant = connection.prepare_cached(
        "INSERT INTO history (idempotency_key, digest, kind, tracking_id, received_at, anomalies, body)
         SELECT :idempotency_key, :digest, :kind, :tracking_id, :received_at, :anomalies, :body
         WHERE NOT EXISTS (SELECT 1 FROM history
                           WHERE idempotency_key = :idempotency_key AND digest = '' AND body = :body)
         ON CONFLICT (idempotency_key, digest) DO NOTHING",
    )?;
    for (entry, delivery) in &rows.deliveries {
        let added = insert.execute(named_params! {
            ":idempotency_key": delivery.key,
            ":kind": delivery.kind.as_str(),
            ":tracking_id": delivery.tracking_id,
            ":received_at": entry.received_at,
            ":anomalies": delivery.anomalies,
            ":body": &*delivery.body,
        })?;
        counts.of(delivery.kind).added += added as u64;
        if added == 0 && delivery.kind.has_variants() {
            let variants = insert_variant.execute(named_params! {
                ":idempotency_key": delivery.key,
                ":digest": delivery.digest(),
                ":kind": delivery.kind.as_str(),
                ":tracking_id": delivery.tracking_id,
                ":received_at": entry.received_at,
                ":anomalies": delivery.anomalies,
                ":body": &*delivery.body,
            })?;
            counts.of(delivery.kind).variants += variants as u64;
        }
    }
    Ok(())
}

/// Those that have changed the state of their message.
fn advance_messages<'a>(connection: &Connection, rows: &BatchRows<'a>) -> Result<Vec<&'a Delivery>> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO message (tracking_id, rank, status_name, reason, status, changed_at, overdue_at)
         VALUES (:tracking_id, :rank, :status_name, :reason, :status, :changed_at, :overdue_at)
         ON CONFLICT (tracking_id) DO UPDATE SET rank = excluded.rank, status_name = excluded.status_name,
             reason = excluded.reason, status = excluded.status, changed_at = excluded.changed_at,
             overdue_at = CASE WHEN message.overdue_at < excluded.overdue_at THEN message.overdue_at
                               ELSE excluded.overdue_at END
         WHERE excluded.rank > message.rank",
    )?;
    let mut changed = Vec::new();
    for (entry, delivery, message) in &rows.messages {
        let rows = upsert.execute(named_params! {
            ":tracking_id": delivery.tracking_id,
            ":rank": message.rank,
            ":status_name": message.status_name,
            ":reason": message.reason,
            ":status": message.status,
            ":changed_at": entry.received_at,
            ":overdue_at": message.overdue_at,
        })?;
        changed.extend((rows > 0).then_some(*delivery));
    }
    Ok(changed)
}

/// Those that have changed the state of their flow.
fn advance_flows<'a>(connection: &Connection, rows: &BatchRows<'a>) -> Result<Vec<&'a Delivery>> {
    let mut upsert = connection.prepare_cached(
        "INSERT INTO flow (tracking_id, rank, status_name, termination_channel, changed_at, overdue_at)
         VALUES (:tracking_id, :rank, :status_name, :termination_channel, :changed_at, :overdue_at)
         ON CONFLICT (tracking_id) DO UPDATE SET rank = excluded.rank, status_name = excluded.status_name,
             termination_channel = excluded.termination_channel, changed_at = excluded.changed_at,
             overdue_at = excluded.overdue_at
         WHERE excluded.rank > flow.rank",
    )?;
    let mut changed = Vec::new();
    for (entry, delivery, flow) in &rows.flows {
        let rows = upsert.execute(named_params! {
            ":tracking_id": delivery.tracking_id,
            ":rank": flow.rank,
            ":status_name": flow.status_name,
            ":termination_channel": flow.termination_channel,
            ":changed_at": entry.received_at,
            ":overdue_at": flow.overdue_at,
        })?;
        changed.extend((rows > 0).then_some(*delivery));
    }
    Ok(changed)
}

/// Those that are new.
fn add_replies<'a>(connection: &Connection, rows: &BatchRows<'a>) -> Result<Vec<&'a Delivery>> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO reply
             (idempotency_key, reference_tracking_id, sender, recipient, message, media, sent_at, received_at)
         VALUES (:idempotency_key, :reference_tracking_id, :sender, :recipient, :message, :media, :sent_at, :received_at)
         ON CONFLICT (idempotency_key) DO NOTHING",
    )?;
    let mut added = Vec::new();
    for (entry, delivery, reply) in &rows.replies {
        let rows = insert.execute(named_params! {
            ":idempotency_key": delivery.key,
            ":reference_tracking_id": delivery.tracking_id,
            ":sender": reply.sender,
            ":recipient": reply.recipient,
            ":message": reply.message,
            ":media": reply.media,
            ":sent_at": reply.sent_at,
            ":received_at": entry.received_at,
        })?;
        added.extend((rows > 0).then_some(*delivery));
    }
    Ok(added)
}

/// How many are new.
fn add_others(connection: &Connection, rows: &BatchRows<'_>) -> Result<u64> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO other (digest, what, received_at, body) VALUES (:digest, :what, :received_at, :body)
         ON CONFLICT (digest) DO NOTHING",
    )?;
    let mut added = 0;
    for (digest, what, entry) in &rows.others {
        let other = named_params! {
            ":digest": digest, ":what": what, ":received_at": entry.received_at, ":body": &*entry.body,
        };
        added += insert.execute(other)? as u64;
    }
    Ok(added)
}

/// How many are new.
fn add_unreadable(connection: &Connection, rows: &BatchRows<'_>) -> Result<u64> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO unreadable (digest, reason, received_at, body) VALUES (:digest, :reason, :received_at, :body)
         ON CONFLICT (digest) DO NOTHING",
    )?;
    let mut added = 0;
    for (digest, reason, entry) in &rows.unreadable {
        let unreadable = named_params! {
            ":digest": digest, ":reason": reason, ":received_at": entry.received_at, ":body": &*entry.body,
        };
        added += insert.execute(unreadable)? as u64;
    }
    Ok(added)
}

/// Gives each change the next number.
fn number(connection: &Connection, changed: &[&Delivery]) -> Result<()> {
    if changed.is_empty() {
        return Ok(());
    }
    let count = i64::try_from(changed.len()).unwrap_or(i64::MAX);
    let last: i64 = connection
        .prepare_cached("UPDATE change_counter SET number = number + ? RETURNING number")?
        .query_row([count], |row| row.get(0))?;
    let mut insert = connection.prepare_cached(
        "INSERT INTO change (number, kind, idempotency_key) VALUES (:number, :kind, :idempotency_key)",
    )?;
    for (number, delivery) in (last - count + 1..).zip(changed) {
        insert.execute(named_params! {
            ":number": number, ":kind": delivery.state.as_str(), ":idempotency_key": delivery.key,
        })?;
    }
    Ok(())
}
