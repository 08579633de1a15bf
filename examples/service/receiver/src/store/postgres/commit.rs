//! How a batch is written: in one statement, which gets the rows of each table as an array for each column. It is
//! `messages.sql` if every delivery is about a message outside of flows, as is usual, and `commit.sql` otherwise.
//! `unmoved.sql` follows for the deliveries that moved nothing.
//!
//! Here a column has a line that says its name and its values, so that nobody has to count parameters.

use std::collections::HashSet;
use std::sync::LazyLock;

use futures_util::future::try_join;
use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use crate::entry::{Delivery, Entry, Flow, Kind, Message, Reply, State};
use crate::store::batch::{BatchRows, RowCounts};

static MESSAGES: LazyLock<String> =
    LazyLock::new(|| with_rows(include_str!("messages.sql"), &[messages(&BatchRows::of(&[]))]));

static COMMIT: LazyLock<String> = LazyLock::new(|| with_rows(include_str!("commit.sql"), &tables(&BatchRows::of(&[]))));

static UNMOVED: LazyLock<String> = LazyLock::new(|| with_rows(include_str!("unmoved.sql"), &[unmoved(&[])]));

const LOCK: &str = include_str!("lock.sql");

/// The statement with the files that it names, and with each `{table}` replaced by the rows that are given for it.
fn with_rows(sql: &str, tables: &[Table<'_>]) -> String {
    let mut sql = sql
        .replace("{advanced_message}", include_str!("advanced_message.sql"))
        .replace("{numbered}", include_str!("numbered.sql"));
    let mut first = 1;
    for table in tables {
        sql = sql.replace(&format!("{{{}}}", table.name), &table.unnest(first));
        first += table.columns.len();
    }
    sql
}

/// The statements, prepared, which saves the time of planning them.
pub struct Prepared {
    messages: Statement,
    commit: Statement,
    lock: Statement,
    unmoved: Statement,
}

impl Prepared {
    pub async fn on(client: &Client) -> Result<Self, Error> {
        let (messages, commit, lock, unmoved) = tokio::try_join!(
            client.prepare(&MESSAGES),
            client.prepare(&COMMIT),
            client.prepare(LOCK),
            client.prepare(&UNMOVED)
        )?;
        Ok(Self { messages, commit, lock, unmoved })
    }
}

/// One of the statements with its rows.
pub struct Write<'a> {
    sql: &'static str,
    prepared: fn(&Prepared) -> &Statement,
    tables: Vec<Table<'a>>,
}

impl<'a> Write<'a> {
    /// Writes the rows of a batch, and gives each state that they change its number.
    pub fn batch(rows: &'a BatchRows<'_>) -> Self {
        let BatchRows { steps, flows, replies, others, unreadable, .. } = rows;
        if steps.is_empty() && flows.is_empty() && replies.is_empty() && others.is_empty() && unreadable.is_empty() {
            let tables = vec![messages(rows)];
            return Self { sql: &MESSAGES, prepared: |prepared| &prepared.messages, tables };
        }
        Self { sql: &COMMIT, prepared: |prepared| &prepared.commit, tables: tables(rows).into() }
    }

    fn lock(deliveries: &'a [Delivered<'_>]) -> Self {
        Self { sql: LOCK, prepared: |prepared| &prepared.lock, tables: vec![subjects(deliveries)] }
    }

    fn unmoved(deliveries: &'a [Delivered<'_>]) -> Self {
        Self { sql: &UNMOVED, prepared: |prepared| &prepared.unmoved, tables: vec![unmoved(deliveries)] }
    }

    pub async fn run(&self, client: &Client, prepared: Option<&Prepared>) -> Result<Vec<Row>, Error> {
        if let Some(prepared) = prepared {
            let parameters: Vec<_> = self.columns().map(|column| &*column.values as &(dyn ToSql + Sync)).collect();
            return client.query((self.prepared)(prepared), &parameters).await;
        }
        // With a statement that leaves nothing behind on the connection.
        let parameters: Vec<_> =
            self.columns().map(|column| (&*column.values as &(dyn ToSql + Sync), column.array.clone())).collect();
        client.query_typed(self.sql, &parameters).await
    }

    fn columns(&self) -> impl Iterator<Item = &Column<'a>> {
        self.tables.iter().flat_map(|table| &table.columns)
    }
}

/// Keeps deliveries that moved nothing, unless they are there, in a transaction of the caller's.
pub async fn keep_unmoved(
    deliveries: &[Delivered<'_>],
    client: &Client,
    prepared: Option<&Prepared>,
) -> Result<Vec<Row>, Error> {
    let (lock, unmoved) = (Write::lock(deliveries), Write::unmoved(deliveries));
    // Both are on their way before the first is answered.
    let (_, kept) = try_join(lock.run(client, prepared), unmoved.run(client, prepared)).await?;
    Ok(kept)
}

/// A delivery with the body that it came in.
pub type Delivered<'a> = (&'a Entry, &'a Delivery);

/// What [`Write::batch`] has written, and the deliveries that moved nothing, for [`keep_unmoved`].
pub fn counts<'a>(rows: &BatchRows<'a>, written: &[Row]) -> Result<(RowCounts, Vec<Delivered<'a>>), Error> {
    let mut counts = rows.counts();
    let mut moved = HashSet::new();
    for row in written {
        let states = [places(row, 0)?, places(row, 1)?, places(row, 2)?];
        let [messages, flows, replies] = &states;
        let messages = messages.iter().map(|place| rows.messages[*place].1);
        let flows = flows.iter().map(|place| rows.flows[*place].1);
        let replies = replies.iter().map(|place| rows.replies[*place].1);
        for delivery in messages.chain(flows).chain(replies) {
            counts.of(delivery.kind).added += 1;
            counts.of(delivery.kind).advanced += 1;
            moved.insert(std::ptr::from_ref(delivery));
        }
        for (kind, column) in [(Kind::Other, 3), (Kind::Unreadable, 4)] {
            let added = row.try_get::<_, i64>(column)?.unsigned_abs();
            counts.of(kind).added += added;
            counts.of(kind).advanced += added;
        }
    }
    // Those of one key are neighbours.
    let repeats = |place: usize| {
        place > 0 && {
            let (before, this) = (rows.deliveries[place - 1].1, rows.deliveries[place].1);
            before.key == this.key && before.body == this.body
        }
    };
    let is_moved = |place: usize| moved.contains(&std::ptr::from_ref(rows.deliveries[place].1));
    let unmoved = (0..rows.deliveries.len()).filter(|place| !is_moved(*place) && !repeats(*place));
    Ok((counts, unmoved.map(|place| rows.deliveries[place]).collect()))
}

/// Places among the rows of a table, which SQL counts from 1.
fn places(row: &Row, column: usize) -> Result<Vec<usize>, Error> {
    let places = row.try_get::<_, Option<Vec<i64>>>(column)?.unwrap_or_default();
    Ok(places.iter().map(|place| usize::try_from(*place).expect("places begin with 1") - 1).collect())
}

/// Adds what [`keep_unmoved`] has written.
pub fn count_unmoved(counts: &mut RowCounts, kept: &[Row]) -> Result<(), Error> {
    for row in kept {
        let count = counts.of(row.try_get(0)?);
        if row.try_get(1)? { count.variants += 1 } else { count.added += 1 }
    }
    Ok(())
}

fn tables<'a>(rows: &'a BatchRows<'_>) -> [Table<'a>; 5] {
    [messages(rows), flows(&rows.flows), replies(&rows.replies), others(&rows.others), unreadable(&rows.unreadable)]
}

/// What every delivery has.
fn deliveries<'a, R>(name: &'static str, rows: &'a [R], of: impl Fn(&'a R) -> Delivered<'a>) -> Table<'a> {
    Table::new(name)
        .column("kind", rows, |row| of(row).1.kind.as_str())
        .column("tracking_id", rows, |row| of(row).1.tracking_id.as_str())
        .column("received_at", rows, |row| of(row).0.received_at)
        .column("anomalies", rows, |row| of(row).1.anomalies())
        .column("key", rows, |row| of(row).1.key_digest().to_vec())
        .column("body", rows, |row| &*of(row).1.body)
}

fn messages<'a>(BatchRows { messages: rows, steps, .. }: &'a BatchRows<'_>) -> Table<'a> {
    deliveries("message", rows, |(entry, delivery, _)| (entry, delivery))
        .column("is_step", rows, |(_, delivery, _)| steps.contains(&*delivery.tracking_id))
        .column("rank", rows, |(_, _, message)| message.rank.as_str())
        .column("status_name", rows, |(_, _, message)| message.status_name.as_str())
        .column("reason", rows, |(_, _, message)| message.reason.as_deref())
        .column("overdue_at", rows, |(_, _, message)| message.overdue_at)
        .column("campaign", rows, |(_, _, message)| message.campaign.as_deref())
        .column("hour", rows, |(_, _, message)| message.hour)
        .column("price", rows, |(_, _, message)| message.price.as_deref())
        .column("delivered_within", rows, |(_, _, message)| message.delivered_within)
        .column("seen_within", rows, |(_, _, message)| message.seen_within)
}

fn flows<'a>(rows: &'a [(&Entry, &Delivery, &Flow)]) -> Table<'a> {
    deliveries("flow", rows, |(entry, delivery, _)| (entry, delivery))
        .column("rank", rows, |(_, _, flow)| flow.rank.as_str())
        .column("status_name", rows, |(_, _, flow)| flow.status_name.as_str())
        .column("termination_channel", rows, |(_, _, flow)| flow.termination_channel.as_deref())
        .column("overdue_at", rows, |(_, _, flow)| flow.overdue_at)
        .column("hour", rows, |(_, _, flow)| flow.hour)
}

fn replies<'a>(rows: &'a [(&Entry, &Delivery, &Reply)]) -> Table<'a> {
    deliveries("reply", rows, |(entry, delivery, _)| (entry, delivery))
        .column("idempotency_key", rows, |(_, delivery, _)| delivery.key.as_str())
        .column("sender", rows, |(_, _, reply)| reply.sender.as_str())
        .column("recipient", rows, |(_, _, reply)| reply.recipient.as_deref())
        .column("message", rows, |(_, _, reply)| reply.message.as_deref())
        .column("media", rows, |(_, _, reply)| reply.media.as_deref())
        .column("sent_at", rows, |(_, _, reply)| reply.sent_at)
        .column("campaign", rows, |(_, _, reply)| reply.campaign.as_deref())
        .column("hour", rows, |(_, _, reply)| reply.hour)
}

fn others<'a>(rows: &'a [(String, &str, &Entry)]) -> Table<'a> {
    Table::new("other")
        .column("digest", rows, |(digest, _, _)| digest.as_str())
        .column("what", rows, |(_, what, _)| *what)
        .column("received_at", rows, |(_, _, entry)| entry.received_at)
        .column("body", rows, |(_, _, entry)| &*entry.body)
}

fn unreadable<'a>(rows: &'a [(String, &str, &Entry)]) -> Table<'a> {
    Table::new("unreadable")
        .column("digest", rows, |(digest, _, _)| digest.as_str())
        .column("reason", rows, |(_, reason, _)| *reason)
        .column("received_at", rows, |(_, _, entry)| entry.received_at)
        .column("body", rows, |(_, _, entry)| &*entry.body)
}

fn unmoved<'a>(rows: &'a [Delivered<'_>]) -> Table<'a> {
    deliveries("delivery", rows, |(entry, delivery)| (entry, delivery))
        .column("of", rows, |(_, delivery)| delivery.state.as_str())
        .column("id", rows, |(_, delivery)| id_of_subject(delivery))
        .column("digest", rows, |(_, delivery)| delivery.body_digest().to_vec())
        .column("rank", rows, |(_, delivery)| Some(message_of(delivery)?.rank.as_str()))
        .column("campaign", rows, |(_, delivery)| message_of(delivery)?.campaign.as_deref())
        .column("price", rows, |(_, delivery)| message_of(delivery)?.price.as_deref())
        .column("delivered_within", rows, |(_, delivery)| message_of(delivery)?.delivered_within)
        .column("seen_within", rows, |(_, delivery)| message_of(delivery)?.seen_within)
}

/// The ids of the messages, of the flows and of the replies.
fn subjects<'a>(rows: &'a [Delivered<'_>]) -> Table<'a> {
    let ids = |of: &str| -> Vec<_> {
        let rows = rows.iter().filter(|(_, delivery)| delivery.state.as_str() == of);
        rows.map(|(_, delivery)| id_of_subject(delivery)).collect()
    };
    ["message", "flow", "reply"].into_iter().fold(Table::new("subject"), |table, of| table.values(of, ids(of)))
}

fn message_of(delivery: &Delivery) -> Option<&Message> {
    match &delivery.state {
        State::Message(message) => Some(message),
        State::Flow(_) | State::Reply(_) => None,
    }
}

/// What a delivery's message, flow or reply is found by.
fn id_of_subject(delivery: &Delivery) -> &str {
    if matches!(delivery.state, State::Reply(_)) { &delivery.key } else { &delivery.tracking_id }
}

/// The rows for one table.
struct Table<'a> {
    name: &'static str,
    columns: Vec<Column<'a>>,
}

struct Column<'a> {
    name: &'static str,
    array: Type,
    values: Box<dyn ToSql + Send + Sync + 'a>,
}

impl<'a> Table<'a> {
    fn new(name: &'static str) -> Self {
        Self { name, columns: Vec::new() }
    }

    fn column<R, T: Element + 'a>(self, name: &'static str, rows: &'a [R], value: impl Fn(&'a R) -> T) -> Self {
        self.values(name, rows.iter().map(value).collect())
    }

    fn values<T: Element + 'a>(mut self, name: &'static str, values: Vec<T>) -> Self {
        self.columns.push(Column { name, array: T::ARRAY, values: Box::new(values) });
        self
    }

    /// Its rows in SQL, the place of each among them included. Its parameters begin with the one of that number.
    fn unnest(&self, first: usize) -> String {
        let arrays =
            self.columns.iter().zip(first..).map(|(column, number)| format!("${number}::{}", column.array.name()));
        let names = self.columns.iter().map(|column| column.name);
        let (arrays, names) = (arrays.collect::<Vec<_>>().join(", "), names.collect::<Vec<_>>().join(", "));
        format!("unnest({arrays}) WITH ORDINALITY AS given_{} ({names}, place)", self.name)
    }
}

/// What can stand in an array.
trait Element: ToSql + Send + Sync {
    const ARRAY: Type;
}

impl Element for &str {
    const ARRAY: Type = Type::TEXT_ARRAY;
}

impl Element for String {
    const ARRAY: Type = Type::TEXT_ARRAY;
}

impl Element for bool {
    const ARRAY: Type = Type::BOOL_ARRAY;
}

impl Element for i64 {
    const ARRAY: Type = Type::INT8_ARRAY;
}

impl Element for &[u8] {
    const ARRAY: Type = Type::BYTEA_ARRAY;
}

impl Element for Vec<u8> {
    const ARRAY: Type = Type::BYTEA_ARRAY;
}

impl<T: Element> Element for Option<T> {
    const ARRAY: Type = T::ARRAY;
}

impl<'a> FromSql<'a> for Kind {
    fn from_sql(of: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        let name = <&str>::from_sql(of, raw)?;
        Self::of(name).ok_or_else(|| format!("an unrecognized kind {name:?}").into())
    }

    fn accepts(of: &Type) -> bool {
        <&str as FromSql>::accepts(of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_an_array_for_each_column() {
        let table = Table::new("t").column("name", &["a"], |name| *name).column("age", &["a"], |_| Some(1));
        assert_eq!(table.unnest(3), "unnest($3::_text, $4::_int8) WITH ORDINALITY AS given_t (name, age, place)");
    }

    #[test]
    fn each_statement_takes_each_parameter_once() {
        let reply = [crate::store::fake::entry(r#"{"from":"1","message":"x","sentDate":"2026-11-01T00:00:00Z"}"#)];
        let (messages, every) = (BatchRows::of(&[]), BatchRows::of(&reply));
        let writes = [Write::batch(&messages), Write::batch(&every), Write::lock(&[]), Write::unmoved(&[])];
        assert_eq!(writes.each_ref().map(|write| write.columns().count()), [16, 49, 3, 14]);
        for write in writes {
            for number in 1..=write.columns().count() {
                assert_eq!(write.sql.matches(&format!("${number}::")).count(), 1, "{number} in {}", write.sql);
            }
            assert!(!write.sql.contains(['{', '}']), "{}", write.sql);
        }
    }
}
