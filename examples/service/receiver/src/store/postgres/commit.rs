//! How a batch is written: in one statement, `commit.sql`, which gets the rows of each table as an array for each
//! column. If some of its deliveries have a key that was there, `variants.sql` follows for these.
//!
//! Here a column has a line that says its name and its values, so that nobody has to count parameters.

use std::sync::LazyLock;

use tokio_postgres::types::{FromSql, ToSql, Type};
use tokio_postgres::{Client, Error, Row, Statement};

use crate::entry::{Delivery, Entry, Flow, Kind, Message, Reply};
use crate::store::batch::{BatchRows, RowCounts};

static COMMIT: LazyLock<String> = LazyLock::new(|| with_rows(include_str!("commit.sql"), &tables(&BatchRows::of(&[]))));

static VARIANTS: LazyLock<String> = LazyLock::new(|| with_rows(include_str!("variants.sql"), &[variants(&[])]));

/// The statement with each `{table}` replaced by the rows that are given for it.
fn with_rows(sql: &str, tables: &[Table<'_>]) -> String {
    let (mut sql, mut first) = (sql.to_owned(), 1);
    for table in tables {
        sql = sql.replace(&format!("{{{}}}", table.name), &table.unnest(first));
        first += table.columns.len();
    }
    sql
}

/// Both statements, prepared, which saves the time of planning them.
pub struct Prepared {
    commit: Statement,
    variants: Statement,
}

impl Prepared {
    pub async fn on(client: &Client) -> Result<Self, Error> {
        let (commit, variants) = tokio::try_join!(client.prepare(&COMMIT), client.prepare(&VARIANTS))?;
        Ok(Self { commit, variants })
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
        Self { sql: &COMMIT, prepared: |prepared| &prepared.commit, tables: tables(rows).into() }
    }

    /// Keeps those deliveries whose key was there with other bytes.
    pub fn variants(deliveries: &'a [(&Entry, &Delivery)]) -> Self {
        Self { sql: &VARIANTS, prepared: |prepared| &prepared.variants, tables: vec![variants(deliveries)] }
    }

    pub async fn run_prepared(&self, client: &Client, prepared: &Prepared) -> Result<Vec<Row>, Error> {
        let parameters: Vec<_> = self.columns().map(|column| &*column.values as &(dyn ToSql + Sync)).collect();
        client.query((self.prepared)(prepared), &parameters).await
    }

    /// The same with a statement that leaves nothing behind on the connection.
    pub async fn run(&self, client: &Client) -> Result<Vec<Row>, Error> {
        let parameters: Vec<_> =
            self.columns().map(|column| (&*column.values as &(dyn ToSql + Sync), column.array.clone())).collect();
        client.query_typed(self.sql, &parameters).await
    }

    fn columns(&self) -> impl Iterator<Item = &Column<'a>> {
        self.tables.iter().flat_map(|table| &table.columns)
    }
}

/// A delivery with the body that it came in.
type Delivered<'a> = (&'a Entry, &'a Delivery);

/// What [`Write::batch`] has written, and the deliveries whose key was there, for [`Write::variants`].
pub fn counts<'a>(rows: &BatchRows<'a>, written: &[Row]) -> Result<(RowCounts, Vec<Delivered<'a>>), Error> {
    let mut counts = rows.counts();
    let mut was_there = vec![false; rows.deliveries.len()];
    for row in written {
        let (kind, added, advanced): (Kind, i64, i64) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
        counts.of(kind).added += added.unsigned_abs();
        counts.of(kind).advanced += advanced.unsigned_abs();
        if let Some(place) = row.try_get::<_, Option<i64>>(3)? {
            was_there[usize::try_from(place).expect("places begin with 1") - 1] = true;
        }
    }
    // Those of one key are neighbours.
    let comes_again = |place: usize| {
        place > 0 && {
            let (before, this) = (rows.deliveries[place - 1].1, rows.deliveries[place].1);
            before.key == this.key && before.body != this.body
        }
    };
    let known = (0..was_there.len()).filter(|place| was_there[*place] || comes_again(*place));
    let known = known.map(|place| rows.deliveries[place]).filter(|(_, delivery)| delivery.kind.has_variants());
    Ok((counts, known.collect()))
}

/// Adds what [`Write::variants`] has written.
pub fn count_variants(counts: &mut RowCounts, written: &[Row]) -> Result<(), Error> {
    for row in written {
        counts.of(row.try_get(0)?).variants += 1;
    }
    Ok(())
}

fn tables<'a>(rows: &'a BatchRows<'_>) -> [Table<'a>; 6] {
    [
        deliveries(&rows.deliveries),
        messages(&rows.messages),
        flows(&rows.flows),
        replies(&rows.replies),
        others(&rows.others),
        unreadable(&rows.unreadable),
    ]
}

fn deliveries<'a>(rows: &'a [(&Entry, &Delivery)]) -> Table<'a> {
    Table::new("delivery")
        .column("idempotency_key", rows, |(_, delivery)| delivery.key.as_str())
        .column("kind", rows, |(_, delivery)| delivery.kind.as_str())
        .column("tracking_id", rows, |(_, delivery)| delivery.tracking_id.as_str())
        .column("received_at", rows, |(entry, _)| entry.received_at)
        .column("anomalies", rows, |(_, delivery)| delivery.anomalies.as_str())
        .column("body", rows, |(_, delivery)| &*delivery.body)
}

fn variants<'a>(rows: &'a [(&Entry, &Delivery)]) -> Table<'a> {
    deliveries(rows).column("digest", rows, |(_, delivery)| delivery.digest())
}

fn messages<'a>(rows: &'a [(&Entry, &Delivery, &Message)]) -> Table<'a> {
    Table::new("message")
        .column("tracking_id", rows, |(_, delivery, _)| delivery.tracking_id.as_str())
        .column("rank", rows, |(_, _, message)| message.rank.as_str())
        .column("status_name", rows, |(_, _, message)| message.status_name.as_str())
        .column("reason", rows, |(_, _, message)| message.reason.as_deref())
        .column("changed_at", rows, |(entry, _, _)| entry.received_at)
        .column("overdue_at", rows, |(_, _, message)| message.overdue_at)
        .column("idempotency_key", rows, |(_, delivery, _)| delivery.key.as_str())
        .column("kind", rows, |(_, delivery, _)| delivery.kind.as_str())
}

fn flows<'a>(rows: &'a [(&Entry, &Delivery, &Flow)]) -> Table<'a> {
    Table::new("flow")
        .column("tracking_id", rows, |(_, delivery, _)| delivery.tracking_id.as_str())
        .column("rank", rows, |(_, _, flow)| flow.rank.as_str())
        .column("status_name", rows, |(_, _, flow)| flow.status_name.as_str())
        .column("termination_channel", rows, |(_, _, flow)| flow.termination_channel.as_deref())
        .column("changed_at", rows, |(entry, _, _)| entry.received_at)
        .column("overdue_at", rows, |(_, _, flow)| flow.overdue_at)
        .column("idempotency_key", rows, |(_, delivery, _)| delivery.key.as_str())
        .column("kind", rows, |(_, delivery, _)| delivery.kind.as_str())
}

fn replies<'a>(rows: &'a [(&Entry, &Delivery, &Reply)]) -> Table<'a> {
    Table::new("reply")
        .column("idempotency_key", rows, |(_, delivery, _)| delivery.key.as_str())
        .column("reference_tracking_id", rows, |(_, delivery, _)| delivery.tracking_id.as_str())
        .column("sender", rows, |(_, _, reply)| reply.sender.as_str())
        .column("recipient", rows, |(_, _, reply)| reply.recipient.as_deref())
        .column("message", rows, |(_, _, reply)| reply.message.as_deref())
        .column("media", rows, |(_, _, reply)| reply.media.as_deref())
        .column("sent_at", rows, |(_, _, reply)| reply.sent_at)
        .column("received_at", rows, |(entry, _, _)| entry.received_at)
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

    fn column<R, T: Element + 'a>(mut self, name: &'static str, rows: &'a [R], value: impl Fn(&'a R) -> T) -> Self {
        let values = Box::new(rows.iter().map(value).collect::<Vec<_>>());
        self.columns.push(Column { name, array: T::ARRAY, values });
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

impl Element for i64 {
    const ARRAY: Type = Type::INT8_ARRAY;
}

impl Element for &[u8] {
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
        let rows = BatchRows::of(&[]);
        for write in [Write::batch(&rows), Write::variants(&[])] {
            for number in 1..=write.columns().count() {
                assert_eq!(write.sql.matches(&format!("${number}::")).count(), 1, "{number} in {}", write.sql);
            }
            assert!(!write.sql.contains(['{', '}']), "{}", write.sql);
        }
    }
}
