//! Databases that a receiver of 0.2 has filled; `fixtures/README.md` says how.

use std::fmt::Write as _;
use std::process::Output;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use crate::database::{Database, bytes};
use crate::operations::run;
use crate::postgres::Postgres;
use crate::processes::{Receiver, binary, until};
use crate::setup::Directory;

const SQLITE: &str = include_str!("../../fixtures/sqlite.sql");
const POSTGRES: &str = include_str!("../../fixtures/postgres.sql");
const MIGRATED: &str = include_str!("../../fixtures/migrated.txt");
const CHANGES: &str = include_str!("../../fixtures/changes.jsonl");

/// What stays as it is.
const OTHERS: &str = "SELECT number FROM change_counter
SELECT * FROM asked ORDER BY 1
SELECT name, started_at, page, reading, unreadable FROM run ORDER BY 1
SELECT * FROM sender ORDER BY 1
SELECT owner, until, ran_at, recovered FROM reconciliation";

/// What the database answers to the queries among these lines: each, and its rows, a line each.
async fn shown(database: &Database, lines: &str) -> Result<String> {
    let mut shown = String::new();
    for query in lines.lines().filter(|line| line.starts_with("SELECT ")) {
        writeln!(shown, "{query}")?;
        let query_here =
            query.replace(", rank, status_name, reason", &format!(", {}, status_name, reason", database.rank()));
        for mut row in database.rows(&query_here).await? {
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

/// Adds messages that 0.2 has stored: most with one delivery, some with two, some with nothing left but their status.
/// `{bytes}` stands before a text that becomes bytes.
const MANY: &str = "
    CREATE TABLE many AS WITH RECURSIVE many (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM many WHERE n < 50000)
        SELECT n, 'many ' || n AS id, 1795700000000 + n / 3 AS at FROM many;
    INSERT INTO message (tracking_id, rank, status_name, status, changed_at, overdue_at)
        SELECT id, '210001793527201000000000015345454e0000', 'SEEN', '{\"name\":\"SEEN\",\"updatedDate\":\"2026-11-01T10:00:01Z\"}', at,
               CASE WHEN n % 100 = 0 THEN 1 END FROM many;
    INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
        SELECT '[\"' || id || '\",\"SEEN\",\"2026-11-01T10:00:01Z\"]', 'status', id, at, '',
               {bytes}('{\"trackingId\":\"' || id || '\",\"status\":{\"name\":\"SEEN\",\"updatedDate\":\"2026-11-01T10:00:01Z\"}}'{as_bytes})
        FROM many WHERE n % 10 <> 0;
    INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
        SELECT '[\"' || id || '\",\"DELIVERED\",null]', 'status', id, at + 1, 'an anomaly',
               {bytes}('{\"trackingId\":\"' || id || '\",\"status\":\"DELIVERED\"}'{as_bytes})
        FROM many WHERE n % 10 = 1;
    INSERT INTO change (number, kind, idempotency_key)
        SELECT 72 + n, 'message', '[\"' || id || '\",\"SEEN\",\"2026-11-01T10:00:01Z\"]' FROM many;
    UPDATE change_counter SET number = 50072;
    DROP TABLE many;
    -- A step that came after a newer status.
    INSERT INTO message (tracking_id, rank, status_name, status, changed_at)
        VALUES ('of many late', '1000000000000000000000000244454c4956455245440000', 'DELIVERED', '{\"name\":\"DELIVERED\"}', 1795700000000);
    INSERT INTO history (idempotency_key, kind, tracking_id, received_at, anomalies, body)
        VALUES ('[\"of many late\",\"DELIVERED\",null]', 'status', 'of many late', 1795700000000, '',
                {bytes}('{\"trackingId\":\"of many late\",\"status\":\"DELIVERED\"}'{as_bytes})),
               ('[\"of many late\",\"QUEUED\",null,\"f\"]', 'step', 'of many late', 1795700099000, '',
                {bytes}('{\"trackingId\":\"of many late\",\"status\":\"QUEUED\"}'{as_bytes}))";

/// Every row of every table, a line each. PostgreSQL's numbers of messages, flows and replies have gaps where something was
/// killed, so that they differ.
async fn everything(database: &Database) -> Result<Vec<String>> {
    let tables = match database {
        Database::Sqlite(_) => "SELECT name FROM sqlite_schema WHERE type = 'table'",
        Database::Postgres(_) => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
    };
    let mut rows = Vec::new();
    for table in database.rows(tables).await?.concat() {
        let columns = match (database, &*table) {
            (Database::Postgres(_), "message" | "flow" | "reply") => "to_jsonb(it) - 'number'",
            (Database::Postgres(_), "change" | "no_change") => "to_jsonb(it) - 'about'",
            _ => "*",
        };
        let table_rows = database.rows(&format!("SELECT {columns} FROM {table} AS it")).await?;
        rows.extend(table_rows.into_iter().map(|row| format!("{table}: {}", row.join(" | "))));
    }
    rows.sort();
    Ok(rows)
}

/// The step that a migration is at, and how many of its rows are done.
async fn place(database: &Database) -> Result<(i64, i64)> {
    let place = database.rows("SELECT step, done FROM migration").await?;
    let [step, done] = place.first().context("it has ended")?.as_slice() else { bail!("{place:?}") };
    Ok((step.parse()?, done.parse()?))
}

/// Migrates, kills that as soon as it has gone on from where it was, and returns where it is then.
async fn migrate_and_kill(database: &Database, from: (i64, i64)) -> Result<(i64, i64)> {
    let mut command = Command::new(binary("receiver").await?);
    command.args(["migrate", "--log=warn", "--database-url", &database.url()]);
    let mut migrate = command.kill_on_drop(true).spawn()?;
    until("the migration goes on", async || Ok(place(database).await.is_ok_and(|place| place > from))).await?;
    migrate.kill().await?;
    place(database).await
}

#[tokio::test]
async fn a_migration_that_is_killed_goes_on_where_it_was() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    for (database, filled, bytes, as_bytes) in [
        (&Database::sqlite(&directory), SQLITE, "CAST", " AS BLOB"),
        (&postgres.database, POSTGRES, "convert_to", ", 'UTF8'"),
    ] {
        database.run(filled).await?;
        database.run(&MANY.replace("{bytes}", bytes).replace("{as_bytes}", as_bytes)).await?;
        let at_once = database.copy("at_once").await?;
        ensure!(run(&at_once, &["migrate"]).await?.status.success());

        let mut at = (-1, 0);
        let mut kills = 0;
        // Most of the rows are bodies, which are the fifth step.
        while at < (4, 15_000) {
            at = migrate_and_kill(database, at).await?;
            kills += 1;
            let refused = run(database, &["purge", "--older-than=30d"]).await?;
            let expected = "Error: a migration of the tables has not come to its end: run `receiver migrate`\n";
            ensure!(!refused.status.success() && said(&refused).starts_with(expected), "{}", said(&refused));
        }
        ensure!(kills > 2, "{kills}");
        // Two at once take turns.
        let (one, other) = tokio::try_join!(run(database, &["migrate"]), run(database, &["migrate"]))?;
        ensure!(one.status.success() && other.status.success(), "{}{}", said(&one), said(&other));

        let checked = run(database, &["check"]).await?;
        ensure!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stdout));
        ensure!(
            database.number("SELECT count(*) FROM message WHERE is_step AND tracking_id = 'of many late'").await? == 1
        );
        let (found, expected) = (everything(database).await?, everything(&at_once).await?);
        same_lines(&found.join("\n"), &expected.join("\n"))?;
        ensure!(database.number("SELECT count(*) FROM message WHERE tracking_id LIKE 'many %'").await? == 50_000);
        ensure!(database.number("SELECT count(*) FROM history WHERE tracking_id LIKE 'many %'").await? == 50_000);
        let ranks = format!(
            "SELECT count(*) FROM message
             WHERE tracking_id LIKE 'many %' AND {} = '2a10001793527201a0000000000a0a5345454e0000'",
            database.rank()
        );
        ensure!(database.number(&ranks).await? == 50_000);
        ensure!(database.number("SELECT count(*) FROM change WHERE number > 72").await? == 50_000);
        ensure!(database.number("SELECT number FROM change_counter").await? == 50_072);
        let shown = shown(database, MIGRATED).await?;
        let shown: Vec<_> = shown.lines().filter(|line| !line.contains("many ")).collect();
        same_lines(&shown.join("\n"), MIGRATED)?;
    }
    Ok(())
}

#[tokio::test]
async fn others_keep_their_rights_to_the_tables() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let database = &postgres.database;
    database.run(POSTGRES).await?;
    database
        .run(
            "CREATE ROLE owner; CREATE ROLE server LOGIN; CREATE ROLE reader;
             GRANT CREATE ON SCHEMA public TO owner;
             ALTER TABLE message OWNER TO owner;
             GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO server;
             GRANT SELECT ON message TO reader WITH GRANT OPTION; GRANT SELECT ON flow TO PUBLIC;
             CREATE VIEW report AS SELECT status_name FROM message",
        )
        .await?;
    let rights = "SELECT relname, relowner::regrole, acl.grantee::regrole, acl.privilege_type, acl.is_grantable
                  FROM pg_class CROSS JOIN aclexplode(relacl) AS acl
                  WHERE relname IN ('message', 'flow', 'reply', 'other', 'unreadable', 'change') ORDER BY 1, 2, 3, 4";
    let before = database.rows(rights).await?;

    let refused = run(database, &["migrate"]).await?;
    let expected = "cannot drop table old_message because other objects depend on it";
    ensure!(!refused.status.success() && said(&refused).contains(expected), "{}", said(&refused));
    ensure!(database.number("SELECT max(version) FROM schema_version").await? == 1);
    database.run("DROP VIEW report").await?;
    ensure!(run(database, &["migrate"]).await?.status.success());
    ensure!(database.rows(rights).await? == before);

    let server = Database::Postgres(database.url().replace("routee@", "server@"));
    let receiver = Receiver::start(&directory, &server, &["--no-migrate"]).await?;
    ensure!(receiver.post(r#"{"trackingId":"1","status":"SEEN"}"#).await? == 200);
    receiver.terminate().await
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
             -- The table is made by the migration.
             CREATE FUNCTION watch() RETURNS event_trigger AS
             $$ BEGIN
                 IF to_regclass('message') IS NOT NULL AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgname = 'choosy') THEN
                     CREATE TRIGGER choosy BEFORE INSERT ON message FOR EACH ROW
                     WHEN (NEW.tracking_id = 'with-messages') EXECUTE FUNCTION refuse();
                 END IF;
             END $$ LANGUAGE plpgsql;
             CREATE EVENT TRIGGER watch ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION watch()",
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
