//! How a batch is written: a few statements for each delivery, in the transaction of the caller.

use std::cmp::Reverse;
use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension as _, Result, named_params, params};

use crate::counting;
use crate::entry::{Delivery, Entry, Kind, Message, State};
use crate::store::batch::{BatchRows, RowCounts};
use crate::store::sqlite::tallies;

/// Writes the rows, and gives each state that they change its number.
pub fn write_rows(connection: &Connection, rows: &BatchRows<'_>) -> Result<RowCounts> {
    let next = connection.prepare_cached("SELECT number + 1 FROM change_counter")?.query_row([], |row| row.get(0))?;
    let counts =
        write(rows, Writer { connection, numbers: Numbers::Next(next), steps: &rows.steps, counts: rows.counts() })?;
    tallies::settle_at_times(connection)?;
    Ok(counts)
}

/// Writes the rows of a migration. Those that were changes are again, with the numbers that they had.
pub fn write_with_old_numbers(connection: &Connection, rows: &BatchRows<'_>) -> Result<()> {
    write(rows, Writer { connection, numbers: Numbers::Old, steps: &rows.steps, counts: rows.counts() }).map(drop)
}

fn write(rows: &BatchRows<'_>, mut writer: Writer<'_>) -> Result<RowCounts> {
    let mut deliveries = rows.deliveries.clone();
    // Of several states of one message the highest comes first, so that it alone moves the message.
    deliveries.sort_by_key(|(_, delivery)| (&*delivery.tracking_id, Reverse(rank(&delivery.state))));
    for (entry, delivery) in deliveries {
        writer.add(entry, delivery)?;
    }
    let Writer { connection, numbers, mut counts, .. } = writer;
    let (others, unreadable) = (add_others(connection, rows, &numbers)?, add_unreadable(connection, rows)?);
    for (kind, added) in [(Kind::Other, others), (Kind::Unreadable, unreadable)] {
        counts.of(kind).added = added;
        counts.of(kind).advanced = added;
    }
    Ok(counts)
}

/// A reply has none, since it never changes.
fn rank(state: &State) -> &str {
    match state {
        State::Message(message) => &message.rank,
        State::Flow(flow) => &flow.rank,
        State::Reply(_) => "",
    }
}

struct Writer<'a> {
    connection: &'a Connection,
    numbers: Numbers,
    /// The ids of those messages that the batch says are steps of flows.
    steps: &'a HashSet<&'a str>,
    counts: RowCounts,
}

/// Which numbers changes have.
enum Numbers {
    /// This, and those after it.
    Next(i64),
    /// Those of `old_change`. All is counted in the end.
    Old,
}

impl Numbers {
    const fn are_new(&self) -> bool {
        matches!(self, Self::Next(_))
    }
}

/// The message, flow or reply that a delivery is about.
struct Subject {
    number: i64,
    /// The digest of the key that its first delivery had.
    key: Vec<u8>,
    rank: String,
    /// With what the batch says.
    is_step: bool,
}

impl Writer<'_> {
    fn add(&mut self, entry: &Entry, delivery: &Delivery) -> Result<()> {
        match self.find(delivery)? {
            None => {
                let number = self.number(delivery, true)?;
                let is_step = self.is_step(delivery);
                let about = self.begin(entry, delivery, number, is_step)?;
                self.keep(about, is_step, entry, delivery, number, None)
            }
            Some(subject) if self.is_new(&subject, delivery)? => {
                let moves = rank(&delivery.state) > &*subject.rank;
                let was =
                    if moves && self.numbers.are_new() { tallies::of(self.connection, subject.number)? } else { None };
                if moves {
                    self.advance(&subject, entry, delivery)?;
                } else if let State::Message(message) = &delivery.state {
                    self.mark_step(&subject)?;
                    self.complete(&subject, message)?;
                }
                let number = self.number(delivery, moves)?;
                self.keep(subject.number, subject.is_step, entry, delivery, number, was.as_deref())
            }
            Some(subject) => self.keep_variant(&subject, entry, delivery),
        }
    }

    /// The number of the change that a new delivery is, if it is one.
    fn number(&mut self, delivery: &Delivery, moves: bool) -> Result<Option<i64>> {
        match &mut self.numbers {
            Numbers::Next(next) => Ok(moves.then(|| {
                *next += 1;
                *next - 1
            })),
            Numbers::Old => self
                .connection
                .prepare_cached(
                    "SELECT max(number) FROM old_change WHERE idempotency_key = ?
                     AND NOT EXISTS (SELECT 1 FROM change WHERE change.number = old_change.number)",
                )?
                .query_row([&delivery.key], |row| row.get(0)),
        }
    }

    /// Whether the batch says that this is about a step of a flow.
    fn is_step(&self, delivery: &Delivery) -> bool {
        matches!(delivery.state, State::Message(_)) && self.steps.contains(&*delivery.tracking_id)
    }

    fn find(&self, delivery: &Delivery) -> Result<Option<Subject>> {
        const MESSAGE: &str = "SELECT number, key, lower(hex(rank)), is_step FROM message WHERE tracking_id = ?";
        const FLOW: &str = "SELECT number, key, rank, FALSE FROM flow WHERE tracking_id = ?";
        const REPLY: &str = "SELECT number, key, '', FALSE FROM reply WHERE idempotency_key = ?";
        let (sql, id) = match delivery.state {
            State::Message(_) => (MESSAGE, &delivery.tracking_id),
            State::Flow(_) => (FLOW, &delivery.tracking_id),
            State::Reply(_) => (REPLY, &delivery.key),
        };
        let subject = |row: &rusqlite::Row<'_>| {
            let is_step = row.get(3)? || self.is_step(delivery);
            Ok(Subject { number: row.get(0)?, key: row.get(1)?, rank: row.get(2)?, is_step })
        };
        self.connection.prepare_cached(sql)?.query_row([id], subject).optional()
    }

    /// Adds a message, flow or reply, and returns its number, which is that of its first change. If a migration finds none,
    /// it is negative, which no change can have.
    fn begin(&self, entry: &Entry, delivery: &Delivery, number: Option<i64>, is_step: bool) -> Result<i64> {
        let lowest = "SELECT min(0, coalesce((SELECT min(number) FROM message), 0),
                                 coalesce((SELECT min(number) FROM flow), 0), coalesce((SELECT min(number) FROM reply), 0))";
        let (number, key) = match number {
            Some(number) => (number, delivery.key_digest().to_vec()),
            None => (self.connection.prepare_cached(lowest)?.query_row([], |row| row.get::<_, i64>(0))? - 1, vec![]),
        };
        match &delivery.state {
            State::Message(message) => self
                .connection
                .prepare_cached(
                    "INSERT INTO message (number, tracking_id, key, is_step, rank, status_name, reason, changed_at,
                                          overdue_at, campaign, hour, price, delivered_within, seen_within)
                     VALUES (:number, :tracking_id, :key, :is_step, unhex(:rank), :status_name, :reason, :changed_at,
                             :overdue_at, :campaign, :hour, :price, :delivered_within, :seen_within)",
                )?
                .execute(named_params! {
                    ":number": number,
                    ":tracking_id": delivery.tracking_id,
                    ":key": key,
                    ":is_step": is_step,
                    ":rank": message.rank,
                    ":status_name": message.status_name,
                    ":reason": message.reason,
                    ":changed_at": entry.received_at,
                    ":overdue_at": message.overdue_at,
                    ":campaign": self.campaign(message.campaign.as_deref())?,
                    ":hour": message.hour,
                    ":price": message.price,
                    ":delivered_within": message.delivered_within,
                    ":seen_within": message.seen_within,
                })?,
            State::Flow(flow) => self
                .connection
                .prepare_cached(
                    "INSERT INTO flow
                         (number, tracking_id, key, rank, status_name, termination_channel, changed_at, overdue_at, hour)
                     VALUES (:number, :tracking_id, :key, :rank, :status_name, :termination_channel, :changed_at,
                             :overdue_at, :hour)",
                )?
                .execute(named_params! {
                    ":number": number,
                    ":tracking_id": delivery.tracking_id,
                    ":key": key,
                    ":rank": flow.rank,
                    ":status_name": flow.status_name,
                    ":termination_channel": flow.termination_channel,
                    ":changed_at": entry.received_at,
                    ":overdue_at": flow.overdue_at,
                    ":hour": flow.hour,
                })?,
            State::Reply(reply) => self
                .connection
                .prepare_cached(
                    "INSERT INTO reply (number, idempotency_key, key, reference_tracking_id, sender, recipient, message,
                                        media, sent_at, received_at, campaign, hour)
                     VALUES (:number, :idempotency_key, :key, :reference_tracking_id, :sender, :recipient, :message,
                             :media, :sent_at, :received_at, :campaign, :hour)",
                )?
                .execute(named_params! {
                    ":number": number,
                    ":idempotency_key": delivery.key,
                    ":key": key,
                    ":reference_tracking_id": delivery.tracking_id,
                    ":sender": reply.sender,
                    ":recipient": reply.recipient,
                    ":message": reply.message,
                    ":media": reply.media,
                    ":sent_at": reply.sent_at,
                    ":received_at": entry.received_at,
                    ":campaign": self.campaign(reply.campaign.as_deref())?,
                    ":hour": reply.hour,
                })?,
        };
        Ok(number)
    }

    /// Gives it the state that the delivery brings.
    fn advance(&self, subject: &Subject, entry: &Entry, delivery: &Delivery) -> Result<()> {
        match &delivery.state {
            State::Message(message) => self
                .connection
                .prepare_cached(
                    "UPDATE message SET is_step = :is_step, rank = unhex(:rank), status_name = :status_name, reason = :reason,
                         changed_at = :changed_at,
                         overdue_at = CASE WHEN overdue_at < :overdue_at THEN overdue_at ELSE :overdue_at END,
                         campaign = coalesce(campaign, :campaign), price = coalesce(:price, price),
                         price_rank = CASE WHEN :price IS NULL AND price IS NOT NULL THEN coalesce(price_rank, rank) END,
                         delivered_within = coalesce(delivered_within, :delivered_within),
                         seen_within = coalesce(seen_within, :seen_within)
                     WHERE number = :number",
                )?
                .execute(named_params! {
                    ":number": subject.number,
                    ":is_step": subject.is_step,
                    ":rank": message.rank,
                    ":status_name": message.status_name,
                    ":reason": message.reason,
                    ":changed_at": entry.received_at,
                    ":overdue_at": message.overdue_at,
                    ":campaign": self.campaign(message.campaign.as_deref())?,
                    ":price": message.price,
                    ":delivered_within": message.delivered_within,
                    ":seen_within": message.seen_within,
                }),
            State::Flow(flow) => self
                .connection
                .prepare_cached(
                    "UPDATE flow SET rank = :rank, status_name = :status_name,
                         termination_channel = :termination_channel, changed_at = :changed_at, overdue_at = :overdue_at
                     WHERE number = :number",
                )?
                .execute(named_params! {
                    ":number": subject.number,
                    ":rank": flow.rank,
                    ":status_name": flow.status_name,
                    ":termination_channel": flow.termination_channel,
                    ":changed_at": entry.received_at,
                    ":overdue_at": flow.overdue_at,
                }),
            State::Reply(_) => Ok(0),
        }
        .map(drop)
    }

    /// A delivery that does not move the message may say that it is a step.
    fn mark_step(&self, subject: &Subject) -> Result<()> {
        if subject.is_step {
            let mark = "UPDATE message SET is_step = TRUE WHERE number = ? AND NOT is_step";
            self.connection.prepare_cached(mark)?.execute([subject.number])?;
        }
        Ok(())
    }

    /// Takes from a delivery that does not move the message what it alone says, such as when it was delivered.
    fn complete(&self, subject: &Subject, message: &Message) -> Result<()> {
        let campaign = self.campaign(message.campaign.as_deref())?;
        let (delivered_within, seen_within) = (message.delivered_within, message.seen_within);
        let says = named_params! {
            ":number": subject.number, ":campaign": campaign, ":price": message.price, ":rank": message.rank,
            ":delivered_within": delivered_within, ":seen_within": seen_within,
        };
        let lacks = "SELECT 1 FROM message WHERE number = :number AND (
                         campaign IS NULL AND :campaign IS NOT NULL
                         OR :price IS NOT NULL AND (price IS NULL OR price_rank < unhex(:rank))
                         OR delivered_within IS NULL AND :delivered_within IS NOT NULL
                         OR seen_within IS NULL AND :seen_within IS NOT NULL)";
        if !self.connection.prepare_cached(lacks)?.exists(says)? {
            return Ok(());
        }
        let complete = "WITH it AS (
                            SELECT (:price IS NOT NULL AND (price IS NULL OR price_rank < unhex(:rank))) IS TRUE AS is_newer
                            FROM message WHERE number = :number
                        )
                        UPDATE message SET campaign = coalesce(campaign, :campaign),
                            price = iif(is_newer, :price, price), price_rank = iif(is_newer, unhex(:rank), price_rank),
                            delivered_within = coalesce(delivered_within, :delivered_within),
                            seen_within = coalesce(seen_within, :seen_within)
                        FROM it WHERE number = :number";
        let complete = || self.connection.prepare_cached(complete)?.execute(says).map(drop);
        if self.numbers.are_new() { tallies::recount(self.connection, subject.number, complete) } else { complete() }
    }

    /// The number of a campaign. It has no last hour until something of it is counted.
    fn campaign(&self, id: Option<&str>) -> Result<Option<i64>> {
        let Some(id) = id else { return Ok(None) };
        let find = "SELECT number FROM campaign WHERE id = ?";
        if let Some(number) = self.connection.prepare_cached(find)?.query_row([id], |row| row.get(0)).optional()? {
            return Ok(Some(number));
        }
        self.connection.prepare_cached("INSERT INTO campaign (id, last_hour) VALUES (?, 0)")?.insert([id]).map(Some)
    }

    /// What was purged is new again.
    fn is_new(&self, subject: &Subject, delivery: &Delivery) -> Result<bool> {
        let key = delivery.key_digest();
        let is_known = "SELECT 1 FROM change WHERE number = :about AND :key = :first_key
                        UNION ALL SELECT 1 FROM later WHERE about = :about AND key = :key";
        let known = named_params! { ":about": subject.number, ":key": key, ":first_key": subject.key };
        Ok(!self.connection.prepare_cached(is_known)?.exists(known)?)
    }

    /// Keeps a new delivery, as a change if it has a number.
    fn keep(
        &mut self,
        about: i64,
        is_step: bool,
        entry: &Entry,
        delivery: &Delivery,
        number: Option<i64>,
        was: Option<&str>,
    ) -> Result<()> {
        let count = self.counts.of(delivery.kind);
        count.added += 1;
        let Some(number) = number else {
            self.keep_unmoved(about, entry, delivery, false)?;
            return self.remember(about, entry, delivery, None).map(drop);
        };
        count.advanced += 1;
        let begins = number == about;
        self.connection
            .prepare_cached(
                "INSERT INTO change (number, about, kind, is_step, received_at, anomalies, was, body)
                 VALUES (:number, :about, :kind, :is_step, :received_at, :anomalies, :was, :body)",
            )?
            .execute(named_params! {
                ":number": number,
                ":about": (!begins).then_some(about),
                ":kind": delivery.kind.as_str(),
                ":is_step": is_step,
                ":received_at": entry.received_at,
                ":anomalies": delivery.anomalies(),
                ":was": was,
                ":body": &*delivery.body,
            })?;
        if begins { Ok(()) } else { self.remember(about, entry, delivery, Some(number)).map(drop) }
    }

    /// Keeps a delivery whose key is there, unless its bytes are there as well.
    fn keep_variant(&mut self, subject: &Subject, entry: &Entry, delivery: &Delivery) -> Result<()> {
        let is_first = "SELECT 1 FROM change WHERE number = ? AND ? = ? AND body = ?";
        let is_variant = delivery.kind.has_variants()
            && !self.connection.prepare_cached(is_first)?.exists(params![
                subject.number,
                subject.key,
                delivery.key_digest(),
                &*delivery.body
            ])?
            && self.remember(subject.number, entry, delivery, None)?;
        if is_variant {
            self.counts.of(delivery.kind).variants += 1;
            self.keep_unmoved(subject.number, entry, delivery, true)?;
        }
        Ok(())
    }

    fn keep_unmoved(&self, about: i64, entry: &Entry, delivery: &Delivery, is_variant: bool) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO no_change (about, kind, is_variant, received_at, anomalies, body)
                 VALUES (:about, :kind, :is_variant, :received_at, :anomalies, :body)",
            )?
            .execute(named_params! {
                ":about": about,
                ":kind": delivery.kind.as_str(),
                ":is_variant": is_variant,
                ":received_at": entry.received_at,
                ":anomalies": delivery.anomalies(),
                ":body": &*delivery.body,
            })
            .map(drop)
    }

    /// Whether its key and bytes were not there together.
    fn remember(&self, about: i64, entry: &Entry, delivery: &Delivery, change: Option<i64>) -> Result<bool> {
        let insert = "INSERT INTO later (about, key, body, change, received_at) VALUES (?, ?, ?, ?, ?)
                      ON CONFLICT DO NOTHING";
        let later = params![about, delivery.key_digest(), delivery.body_digest(), change, entry.received_at];
        Ok(self.connection.prepare_cached(insert)?.execute(later)? > 0)
    }
}

/// How many are new.
fn add_others(connection: &Connection, rows: &BatchRows<'_>, numbers: &Numbers) -> Result<u64> {
    let mut insert = connection.prepare_cached(
        "INSERT INTO other (digest, what, received_at, body) VALUES (:digest, :what, :received_at, :body)
         ON CONFLICT (digest) DO NOTHING",
    )?;
    let mut added = 0;
    for (digest, what, entry) in &rows.others {
        let other = named_params! {
            ":digest": digest, ":what": what, ":received_at": entry.received_at, ":body": &*entry.body,
        };
        if insert.execute(other)? > 0 {
            added += 1;
            if numbers.are_new() {
                tallies::add_other(connection, counting::hour(None, entry.arrived()), what)?;
            }
        }
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
