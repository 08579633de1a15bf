//! Databases that a receiver of 0.2 has filled; `fixtures/README.md` says how.

use std::fmt::Write as _;
use std::process::Output;

use anyhow::{Result, ensure};
use serde_json::Value;
use tempfile::TempDir;

use crate::database::{Database, bytes};
use crate::operations::run;
use crate::postgres::Postgres;
use crate::processes::Receiver;
use crate::setup::Directory;

const SQLITE: &str = include_str!("../../fixtures/sqlite.sql");
const POSTGRES: &str = include_str!("../../fixtures/postgres.sql");
const MIGRATED: &str = include_str!("../../fixtures/migrated.txt");
const CHANGES: &str = include_str!("../../fixtures/changes.jsonl");

/// What stays as it is.
const OTHERS: &str = "SELECT * FROM change_counter
SELECT * FROM asked ORDER BY 1
SELECT name, started_at, page, reading, unreadable FROM run ORDER BY 1
SELECT * FROM sender ORDER BY 1
SELECT owner, until, ran_at, recovered FROM reconciliation";

/// What the database answers to the queries among these lines: each, and its rows, a line each.
async fn shown(database: &Database, lines: &str) -> Result<String> {
    let mut shown = String::new();
    for query in lines.lines().filter(|line| line.starts_with("SELECT ")) {
        writeln!(shown, "{query}")?;
        for mut row in database.rows(query).await? {
            if query.contains(", body FROM ")
                && let Some(body) = row.last_mut()
            {
                *body = String::from_utf8(bytes(body)?)?;
            }
            writeln!(shown, "{}", row.join(" | ").replace('\n', "\\n"))?;
        }
    }
    Ok(shown)
}

fn same_lines(found: &str, expected: &str) -> Result<()> {
    for (found, expected) in found.lines().zip(expected.lines()) {
        ensure!(found == expected, "found:    {found}\nexpected: {expected}");
    }
    ensure!(found.lines().count() == expected.lines().count());
    Ok(())
}

fn said(ended: &Output) -> String {
    String::from_utf8_lossy(&ended.stderr).into_owned()
}

async fn is_brought_over(directory: &TempDir, database: &Database) -> Result<()> {
    let others = shown(database, OTHERS).await?;
    let serve = ["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--no-migrate"];
    let refused = run(database, &serve).await?;
    let version = "Error: the tables have version 1, and this receiver works with 2: run `receiver migrate`\n";
    ensure!(!refused.status.success() && said(&refused).starts_with(version), "{}", said(&refused));

    // At once, and once more.
    let (one, other) = tokio::try_join!(run(database, &["migrate"]), run(database, &["migrate"]))?;
    for migrated in [one, other, run(database, &["migrate"]).await?] {
        ensure!(migrated.status.success(), "{}", said(&migrated));
        same_lines(&shown(database, MIGRATED).await?, MIGRATED)?;
        same_lines(&shown(database, OTHERS).await?, &others)?;
        ensure!(database.number("SELECT max(version) FROM schema_version").await? == 2);
    }

    let receiver = Receiver::start(directory, database, &["--no-migrate"]).await?;
    same_lines(&receiver.get("/changes?after=18&limit=10000").await?, CHANGES)?;
    let callback = |id, name| {
        format!(r#"{{"trackingId":"{id}","status":{{"name":"{name}","updatedDate":"2026-11-02T00:00:00Z"}}}}"#)
    };
    for body in [
        callback("ordered", "QUEUED"),
        callback("digits-alone", "DELIVERED"),
        callback("purged-seen", "DELIVERED"),
        // A retry of what was purged, and a reply that 0.2 took for another one of the same second.
        r#"{"trackingId":"flow-purged-early","status":"Queued","originatingService":"Failover","messages":[],
            "updatedAt":"2026-11-01T10:00:01Z"}"#
            .to_owned(),
        r#"{"from":"+306900000001","to":"shop","message":"STOP","sentDate":"2026-11-01T10:00:01Z",
            "referenceTrackingId":"ordered"}"#
            .to_owned(),
    ] {
        ensure!(receiver.post(body).await? == 200);
    }
    let status = async |table, id: &str| {
        let rows = database.rows(&format!("SELECT status_name FROM {table} WHERE tracking_id = '{id}'")).await?;
        anyhow::Ok(rows.concat().concat())
    };
    ensure!(status("message", "ordered").await? == "SEEN");
    ensure!(status("message", "digits-alone").await? == "DELIVERED");
    ensure!(status("message", "purged-seen").await? == "SEEN");
    ensure!(status("flow", "flow-purged-early").await? == "Succeeded");

    // What a consumer of 0.2 has not seen yet: the last change of then, and those of now.
    let changes = receiver.get("/changes?after=71").await?;
    let changes: Vec<Value> = changes.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let changes: Vec<_> = changes
        .iter()
        .map(|change| (change["change"].as_i64(), change["kind"].as_str(), change["trackingId"].as_str()))
        .collect();
    let expected = [(72, "message", "tracked-misread"), (73, "message", "digits-alone"), (74, "reply", "ordered")];
    ensure!(changes == expected.map(|(number, kind, id)| (Some(number), Some(kind), Some(id))), "{changes:?}");
    receiver.terminate().await
}

#[tokio::test]
async fn a_database_of_0_2_is_brought_over() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for (database, filled) in [(&Database::sqlite(&directory), SQLITE), (&postgres.database, POSTGRES)] {
        database.run(filled).await?;
        is_brought_over(&directory, database).await?;
    }
    Ok(())
}

#[tokio::test]
async fn what_a_database_refuses_again_stays_aside() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let database = &postgres.database;
    database.run(POSTGRES).await?;
    database
        .run(
            "CREATE FUNCTION refuse() RETURNS trigger AS
             $$ BEGIN RAISE 'not this one' USING ERRCODE = 'check_violation'; END $$ LANGUAGE plpgsql;
             CREATE TRIGGER choosy BEFORE INSERT ON message FOR EACH ROW WHEN (NEW.tracking_id = 'with-messages')
             EXECUTE FUNCTION refuse()",
        )
        .await?;
    ensure!(run(database, &["migrate"]).await?.status.success());
    let expected: Vec<_> = MIGRATED.lines().filter(|line| !line.contains("with-messages")).collect();
    let found = shown(database, MIGRATED).await?;
    let (aside, found): (Vec<_>, Vec<_>) = found.lines().partition(|line| line.contains("with-messages"));
    same_lines(&found.join("\n"), &expected.join("\n"))?;
    ensure!(aside.len() == 1 && aside[0].contains(" | not this one | "), "{aside:?}");
    Ok(())
}

#[tokio::test]
async fn serving_brings_tables_over() -> Result<()> {
    let directory = Directory::new().await?;
    let database = Database::sqlite(&directory);
    database.run(SQLITE).await?;
    let receiver = Receiver::start(&directory, &database, &[]).await?;
    same_lines(&shown(&database, MIGRATED).await?, MIGRATED)?;
    let page = receiver.get("/").await?;
    ensure!(page.contains("a failover callback that lacks a required field"), "{page}");
    receiver.terminate().await
}
