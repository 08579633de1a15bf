//! PostgreSQL's part of a migration.

use std::sync::Arc;

use tokio_postgres::Client;

use crate::entry::Entry;
use crate::store::batch::BatchRows;
use crate::store::error::{Cause, StoreError};
use crate::store::migration::{self, Progress, Transaction};
use crate::store::postgres::commit::{self, Write};
use crate::store::postgres::{MIGRATING, Scope, query, set, typed};
use crate::store::value::{Row, Value};

/// The tables of deliveries, of what they are about, and of how many there are.
const DELIVERIES: &str = include_str!("deliveries.sql");
const TALLIES: &str = include_str!("tallies.sql");

/// Makes the tables, or does the next chunk of bringing them over, in a transaction; `None` if nothing is left to do. If it
/// fails, the transaction ends with the connection.
pub async fn advance(client: &Client, chunk: i64) -> Result<Option<Progress>, StoreError> {
    // Receivers that start at once would make the tables at once, which fails, and those that migrate at once would do the
    // same chunk twice.
    let begin = format!("BEGIN; {}; SELECT pg_advisory_xact_lock(7237)", set(Scope::Transaction, &MIGRATING));
    client.batch_execute(&begin).await?;
    let is_made = client.query_typed_one("SELECT to_regclass('schema_version') IS NOT NULL", &[]).await?;
    let progress = if is_made.try_get(0)? {
        migration::advance(&PostgresTransaction(client), chunk).await?
    } else {
        for statements in [DELIVERIES, TALLIES, include_str!("tables.sql")] {
            client.batch_execute(statements).await?;
        }
        None
    };
    client.batch_execute("COMMIT").await?;
    Ok(progress)
}

/// Until its deliveries have their old numbers, what is kept again gets others, above these.
const NUMBER_ABOVE: &str = "UPDATE change_counter SET number = 1::bigint << 62";

struct PostgresTransaction<'a>(&'a Client);

impl Transaction for PostgresTransaction<'_> {
    type Error = StoreError;

    const SET_ASIDE: &'static [&'static str] =
        &[include_str!("set_aside.sql"), DELIVERIES, TALLIES, include_str!("rights.sql"), NUMBER_ABOVE];

    const PREPARE: &'static [&'static str] = &[
        "CREATE INDEX old_history_arrival ON old_history (received_at, kind, idempotency_key)",
        "CREATE INDEX old_other_arrival ON old_other (received_at, digest)",
        "CREATE INDEX old_unreadable_arrival ON old_unreadable (received_at, digest)",
        "CREATE INDEX change_key ON change (key)",
        "CREATE INDEX no_change_key ON no_change (key) WHERE NOT is_variant",
        "CREATE INDEX old_history_state ON old_history (tracking_id, received_at, kind)",
        // Without, a chunk may be looked for by reading a whole table.
        "ANALYZE old_history, old_message, old_flow, old_reply, old_other, old_unreadable, old_change",
    ];

    const ADD_MESSAGES: &'static str = include_str!("add_messages.sql");

    const ADD_FLOWS: &'static str = include_str!("add_flows.sql");

    const ADD_REPLIES: &'static str = include_str!("add_replies.sql");

    const COUNT: &'static str = "
        UPDATE change_counter SET number = old.number FROM old_change_counter AS old;
        UPDATE purged SET number = old.purged FROM old_change_counter AS old";

    async fn run(&self, statements: &str) -> Result<(), StoreError> {
        Ok(self.0.batch_execute(statements).await?)
    }

    async fn query(&self, sql: &str, parameters: Vec<Value>) -> Result<Vec<Row>, StoreError> {
        Ok(query(self.0, sql, &parameters).await?)
    }

    async fn execute(&self, sql: &str, parameters: Vec<Value>) -> Result<(), StoreError> {
        self.0.execute_typed(sql, &typed(&parameters)).await?;
        Ok(())
    }

    async fn write(&self, entries: &[Arc<Entry>]) -> Result<(), StoreError> {
        let rows = BatchRows::of(entries);
        let (_, unmoved) = commit::counts(&rows, &Write::batch(&rows).run(self.0, None).await?)?;
        commit::keep_unmoved(&unmoved, self.0, None).await?;
        Ok(())
    }

    async fn number(&self, after: i64, last: i64) -> Result<(), StoreError> {
        self.execute(include_str!("number.sql"), vec![after.into(), last.into()]).await
    }

    /// In one step.
    async fn count(&self, _: i64, _: i64) -> Result<Option<(i64, i64)>, StoreError> {
        self.run(Self::COUNT).await?;
        self.run(include_str!("numbered_again.sql")).await?;
        self.run(include_str!("settle.sql")).await?;
        Ok(None)
    }

    fn cause(error: &StoreError) -> Cause {
        error.cause
    }
}
