//! The tallies of what became of the messages.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow, ensure};
use chrono::{DateTime, Utc};
use serde_json::json;

use crate::database::Database;
use crate::operations::run;
use crate::postgres::Postgres;
use crate::processes::{Receiver, Sender, until};
use crate::setup::{Directory, serve_on_postgres, serve_on_sqlite};

const INVARIANTS: &str = "\
ok   the changes have no gaps
ok   nothing is counted before it is there
ok   every change is about something
ok   every message that was a step of a flow is known as one
ok   the tallies of each hour equal a count
ok   the tallies of each campaign equal a count
ok   the tallies of campaigns add up
ok   the tallies of days, weeks, months and all times are sums of hours
ok   every campaign that is counted is listed
ok   no more are forgotten than were counted
";

async fn check(database: &Database) -> Result<()> {
    let checked = run(database, &["check"]).await?;
    let found = String::from_utf8_lossy(&checked.stdout);
    ensure!(checked.status.success() && found == INVARIANTS, "{found}{}", String::from_utf8_lossy(&checked.stderr));
    Ok(())
}

/// Whatever is behind is counted once nobody writes.
async fn is_settled(database: &Database) -> Result<bool> {
    Ok(database.number("SELECT count(*) FROM uncounted").await? == 0)
}

/// Everything in both tallies, a line for each row.
async fn tallies(database: &Database) -> Result<Vec<String>> {
    until("everything is counted", async || is_settled(database).await).await?;
    let all = "SELECT '(all) ' || unit || ' ' || hour || ' ' || what || ' ' || value || ': ' || count || ' - ' || forgotten
               FROM tally WHERE count <> 0
               UNION ALL
               SELECT campaign || ' ' || unit || ' ' || hour || ' ' || what || ' ' || value || ': ' || count || ' - ' || forgotten
               FROM campaign_tally WHERE count <> 0";
    let mut lines = database.rows(all).await?.concat();
    lines.sort();
    Ok(lines)
}

/// As in the receiver's own test on SQLite.
#[tokio::test]
async fn a_message_counts_as_what_became_of_it_on_postgresql() -> Result<()> {
    let (_directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let database = &postgres.database;
    let status = |name: &str, campaign: Option<&str>, price: Option<f64>, second| {
        json!({ "trackingId": "m", "campaignTrackingId": campaign, "price": price, "createdAt": "1970-01-01T02:00:00Z",
                "status": { "name": name, "updatedDate": format!("1970-01-01T02:00:{second:02}Z"), "reason": "why" } })
        .to_string()
    };
    let lines = |scopes: &[&str], counts: &[&str]| {
        let units = ["hour 2", "day 0", "week -72", "month 0", "ever 0"];
        let scopes = scopes.iter().flat_map(|scope| units.map(|unit| format!("{scope} {unit}")));
        let mut lines: Vec<_> =
            scopes.flat_map(|scope| counts.iter().map(move |count| format!("{scope} {count}"))).collect();
        lines.sort();
        lines
    };
    ensure!(receiver.post(status("FAILED", None, None, 0)).await? == 200);
    let found = tallies(database).await?;
    ensure!(found == lines(&["(all)", ""], &["reason why: 1 - 0", "status FAILED: 1 - 0"]), "{found:?}");
    // What comes later tells the campaign and the price.
    ensure!(receiver.post(status("SEEN", Some("c"), Some(0.035), 31)).await? == 200);
    let found = tallies(database).await?;
    let seen = ["price 0.035: 1 - 0", "seen 60: 1 - 0", "status SEEN: 1 - 0"];
    ensure!(found == lines(&["(all)", "c"], &seen), "{found:?}");
    // What is late moves nothing, but says how long it took. It changes neither the campaign nor the price.
    ensure!(receiver.post(status("DELIVERED", Some("d"), Some(1.0), 5)).await? == 200);
    let found = tallies(database).await?;
    let delivered = [&["delivered 5: 1 - 0"], &seen[..]].concat();
    ensure!(found == lines(&["(all)", "c"], &delivered), "{found:?}");
    check(database).await?;
    // What is deleted is forgotten, and counts on.
    database.run("DELETE FROM message").await?;
    let found = tallies(database).await?;
    let forgotten: Vec<_> = delivered.iter().map(|line| line.replace("- 0", "- 1")).collect();
    let forgotten: Vec<_> = forgotten.iter().map(|line| &**line).collect();
    ensure!(found == lines(&["(all)", "c"], &forgotten), "{found:?}");
    receiver.terminate().await
}

#[tokio::test]
async fn days_weeks_and_months_begin_as_in_a_calendar() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let messages = [
        ("2024-02-29T12:00:00Z", ["2024-02-29", "2024-02-26", "2024-02-01"]),
        ("2026-01-01T00:00:00Z", ["2026-01-01", "2025-12-29", "2026-01-01"]),
        ("2026-02-28T23:59:59Z", ["2026-02-28", "2026-02-23", "2026-02-01"]),
        ("2026-03-01T00:00:00Z", ["2026-03-01", "2026-02-23", "2026-03-01"]),
        ("2026-03-01T23:59:59Z", ["2026-03-01", "2026-02-23", "2026-03-01"]),
        ("2026-03-02T00:00:00Z", ["2026-03-02", "2026-03-02", "2026-03-01"]),
    ];
    for database in [&Database::sqlite(&directory), &postgres.database] {
        let receiver = Receiver::start(&directory, database, &[]).await?;
        let mut expected = BTreeMap::new();
        for (created_at, begins) in messages {
            let body = json!({ "trackingId": created_at, "status": "SEEN", "createdAt": created_at });
            ensure!(receiver.post(body.to_string()).await? == 200);
            for (unit, begin) in ["day", "week", "month"].iter().zip(begins) {
                let hour = format!("{begin}T00:00:00Z").parse::<DateTime<Utc>>()?.timestamp() / 3600;
                *expected.entry([(*unit).to_owned(), hour.to_string()]).or_insert(0) += 1;
            }
        }
        until("everything is counted", async || is_settled(database).await).await?;
        let counts = "SELECT unit, hour, count FROM tally WHERE what = 'status' AND unit NOT IN ('hour', 'ever')";
        let mut counted = BTreeMap::new();
        for row in database.rows(counts).await? {
            let [unit, hour, count] = row.try_into().map_err(|row| anyhow!("{row:?}"))?;
            counted.insert([unit, hour], count.parse()?);
        }
        ensure!(counted == expected, "{counted:?}");
        ensure!(run(database, &["check"]).await?.status.success());
        receiver.terminate().await?;
    }
    Ok(())
}

/// As in the receiver's own test on SQLite, each order one after the other and all at once.
#[tokio::test]
async fn the_price_is_that_of_the_newest_status_that_has_one_on_postgresql() -> Result<()> {
    let (_directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let says = [("QUEUED", Some(0.1)), ("DELIVERED", Some(0.2)), ("SEEN", None)];
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let body = |id: &str, place: usize| {
            let (name, price) = says[place];
            json!({ "trackingId": format!("{id} {order:?}"), "price": price, "status": name }).to_string()
        };
        let [first, second, third] = order.map(|place| receiver.post(body("at once", place)));
        let codes = tokio::try_join!(first, second, third)?;
        ensure!(codes == (200, 200, 200), "{codes:?}");
        for place in order {
            ensure!(receiver.post(body("in turn", place)).await? == 200);
        }
    }
    let prices = postgres.database.rows("SELECT DISTINCT price || ' ' || status_name FROM message").await?;
    ensure!(prices == [["0.2 SEEN"]], "{prices:?}");
    check(&postgres.database).await?;
    receiver.terminate().await
}

#[tokio::test]
async fn what_is_not_counted_yet_is_found_by_an_index_on_postgresql() -> Result<()> {
    let (_directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let many =
        "INSERT INTO change (number, received_at, kind) SELECT n, 0, 'status' FROM generate_series(1, 200000) AS n;
                ANALYZE change";
    postgres.database.run(many).await?;
    let plan = postgres.database.rows("EXPLAIN SELECT * FROM uncounted").await?.concat().join("\n");
    ensure!(plan.contains("Index Scan using change_pkey on change") && !plan.contains("Seq Scan on change "), "{plan}");
    receiver.terminate().await
}

/// What is counted does not depend on the order of arrival, so three receivers that get it from two senders count the same
/// as one.
#[tokio::test]
async fn both_databases_count_the_same() -> Result<()> {
    let (directory, sqlite, receiver) = serve_on_sqlite(&[]).await?;
    let postgres = Postgres::start(&directory).await?;
    let start = || Receiver::start(&directory, &postgres.database, &[]);
    let (one, two, three) = tokio::try_join!(start(), start(), start())?;
    let arguments = [
        "--messages=2000",
        "--seed=27",
        "--start=2026-11-02T17:00:00Z",
        "--duplicates=0.2",
        "--reorder=0.3",
        "--late=0.1",
        "--failover=0.1",
        "--replies=0.1",
        "--foreign=0.02",
        "--malformed=0.01",
        "--speed-up=10000",
        "--connections=32",
    ];
    let alone = Sender::start(&directory, "alone", &[&receiver.url], &arguments).await?;
    let first = Sender::start(&directory, "first", &[&one.url, &two.url], &arguments).await?;
    let second = Sender::start(&directory, "second", &[&two.url, &three.url], &arguments).await?;
    alone.finish().await?;
    first.finish().await?;
    second.finish().await?;
    check(&postgres.database).await?;
    let counted = async |database| {
        // Bodies of other kinds have no date, so that their hour is that of the arrival.
        let lines = tallies(database).await?;
        anyhow::Ok(lines.into_iter().filter(|line| !line.contains(" other ")).collect::<Vec<_>>())
    };
    let (on_sqlite, on_postgres) = (counted(&sqlite).await?, counted(&postgres.database).await?);
    ensure!(on_sqlite.len() > 50, "{on_sqlite:#?}");
    ensure!(on_sqlite == on_postgres, "{on_sqlite:#?}\n{on_postgres:#?}");
    Ok(())
}

/// As in the receiver's own test on SQLite.
#[tokio::test]
async fn what_does_not_hold_is_named_on_postgresql() -> Result<()> {
    let (_directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let database = &postgres.database;
    let step = json!({ "type": "Viber", "trackingId": "s", "status": "SEEN", "createdAt": "1970-01-01T02:00:00Z" });
    for body in [
        json!({ "trackingId": "m", "campaignTrackingId": "c", "status": "SEEN", "createdAt": "1970-01-01T02:00:00Z" }),
        json!({ "trackingId": "f", "status": "Succeeded", "createdAt": "1970-01-01T02:00:00Z", "messages": [step] }),
    ] {
        ensure!(receiver.post(body.to_string()).await? == 200);
    }
    until("everything is counted", async || is_settled(database).await).await?;
    receiver.terminate().await?;
    check(database).await?;

    for (breaks, mends, named) in [
        (
            "UPDATE change SET number = 9 WHERE number = 1",
            "UPDATE change SET number = 1 WHERE number = 9",
            "the changes have no gaps\n       there are 3 changes, the first 2 and the last 9; 0 of 3 were purged",
        ),
        (
            "DELETE FROM purged",
            "INSERT INTO purged VALUES (1, 0)",
            "the changes have no gaps\n       there are 3 changes, the first 1 and the last 3; none of 3 were purged",
        ),
        (
            "DELETE FROM counted",
            "INSERT INTO counted VALUES (1, 3)",
            "nothing is counted before it is there\n       none of 3 changes are counted",
        ),
        (
            "UPDATE change SET about = about + 300 WHERE kind = 'flow'",
            "UPDATE change SET about = about - 300 WHERE kind = 'flow'",
            "every change is about something\n       change ",
        ),
        (
            "UPDATE message SET is_step = FALSE WHERE tracking_id = 's'",
            "UPDATE message SET is_step = TRUE WHERE tracking_id = 's'",
            "every message that was a step of a flow is known as one\n       message s",
        ),
        (
            "UPDATE change SET is_step = FALSE WHERE tracking_id = 's'",
            "UPDATE change SET is_step = TRUE WHERE tracking_id = 's'",
            "every message that was a step of a flow is known as one\n       change ",
        ),
        (
            "UPDATE message SET status_name = 'QUEUED' WHERE tracking_id = 'm'",
            "UPDATE message SET status_name = 'SEEN' WHERE tracking_id = 'm'",
            "the tallies of each hour equal a count\n       hour 2, status QUEUED: off by -1\n       hour 2, status SEEN: off by 1",
        ),
        (
            "UPDATE message SET campaign = 'd' WHERE tracking_id = 'm'",
            "UPDATE message SET campaign = 'c' WHERE tracking_id = 'm'",
            "the tallies of each campaign equal a count\n       campaign c, hour 2, status SEEN: off by 1\n       campaign d, hour 2, status SEEN: off by -1",
        ),
        (
            "UPDATE campaign_tally SET count = 3 WHERE unit = 'hour' AND campaign = 'c'",
            "UPDATE campaign_tally SET count = 1 WHERE unit = 'hour' AND campaign = 'c'",
            "the tallies of campaigns add up\n       hour 2, status SEEN: count off by 2, forgotten off by 0",
        ),
        (
            "UPDATE tally SET hour = 24 WHERE unit = 'day' AND what = 'flow'",
            "UPDATE tally SET hour = 0 WHERE unit = 'day' AND what = 'flow'",
            "the tallies of days, weeks, months and all times are sums of hours\n       \
             campaign (all), day of hour 0, flow Succeeded: count off by -1, forgotten off by 0\n       \
             campaign (all), day of hour 24, flow Succeeded: count off by 1, forgotten off by 0",
        ),
        (
            "UPDATE campaign SET id = 'd' WHERE id = 'c'",
            "UPDATE campaign SET id = 'c' WHERE id = 'd'",
            "every campaign that is counted is listed\n       campaign c",
        ),
        (
            "UPDATE tally SET forgotten = 2 WHERE unit = 'hour' AND what = 'flow'",
            "UPDATE tally SET forgotten = 0 WHERE unit = 'hour' AND what = 'flow'",
            "no more are forgotten than were counted\n       campaign (all), hour 2, flow Succeeded: 2 of 1 are forgotten",
        ),
    ] {
        database.run(breaks).await?;
        let checked = run(database, &["check"]).await?;
        let found = String::from_utf8_lossy(&checked.stdout);
        ensure!(!checked.status.success() && found.contains(&format!("NO   {named}")), "{breaks}: {found}");
        database.run(mends).await?;
    }
    check(database).await
}
