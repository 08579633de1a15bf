//! The tallies, from which reports are made: how many messages there are by status, hour, campaign, and so on.
//!
//! A commit does not touch them, since each page that it writes costs. Every change says what its message counted as before,
//! and the message says what it counts as now; so what a row of changes has moved can be told whenever they are counted: in
//! the transaction of a commit once there are many, and whenever somebody wants to read the tallies.

use rusqlite::{Connection, OptionalExtension as _, Result};

/// How many changes wait at most before they are counted.
const MOST_UNCOUNTED: i64 = 1000;

/// In SQL, the hour with which `unit` begins that has `hour` in it.
macro_rules! first_hour {
    () => {
        "CASE unit WHEN 'hour' THEN hour
                   WHEN 'day' THEN hour / 24 * 24
                   -- The first Monday is hour 96.
                   WHEN 'week' THEN (hour + 72) / 168 * 168 - 72
                   WHEN 'month' THEN unixepoch(hour * 3600, 'unixepoch', 'start of month') / 3600
                   WHEN 'ever' THEN 0 END"
    };
}
pub(super) use first_hour;

/// Makes a table for the differences until they are in the tallies, with a view of them in every unit, and a table for what
/// a purge removes, for this connection alone.
pub const TEMPORARY: &str = concat!(
    "CREATE TEMP TABLE IF NOT EXISTS moved (campaign TEXT, hour INTEGER, what TEXT, value TEXT, count INTEGER, forgotten INTEGER);
     CREATE TEMP TABLE IF NOT EXISTS gone (number INTEGER PRIMARY KEY);
     CREATE TEMP VIEW IF NOT EXISTS moved_in AS
         SELECT campaign, unit, ",
    first_hour!(),
    " AS first_hour, what, value, count, forgotten
         FROM moved, (SELECT 'hour' AS unit UNION ALL SELECT 'day' UNION ALL SELECT 'week' UNION ALL SELECT 'month'
                      UNION ALL SELECT 'ever')"
);

/// Counts the changes that are not counted yet.
pub fn settle(connection: &Connection) -> Result<()> {
    gather(connection)?;
    put(connection)
}

/// At the end of a commit: counts if there are many changes, or something that is no change.
pub fn settle_at_times(connection: &Connection) -> Result<()> {
    let is_time = "SELECT (SELECT max(number) FROM change) - number >= ? OR EXISTS (SELECT 1 FROM moved) FROM counted";
    let is_time: Option<bool> = connection.prepare_cached(is_time)?.query_row([MOST_UNCOUNTED], |row| row.get(0))?;
    if is_time == Some(true) { settle(connection) } else { Ok(()) }
}

/// At the end of any other transaction: counts what it has forgotten.
pub fn settle_forgotten(connection: &Connection) -> Result<()> {
    if !connection.prepare_cached("SELECT 1 FROM gone")?.exists([])? {
        return Ok(());
    }
    settle(connection)?;
    connection.prepare_cached("DELETE FROM gone")?.execute([]).map(drop)
}

/// Counts the messages, flows and replies after `after`, up to `last`, which no tally has yet.
pub fn count_some(connection: &Connection, after: i64, last: i64) -> Result<()> {
    connection.execute_batch(TEMPORARY)?;
    connection
        .prepare_cached(
            "INSERT INTO moved SELECT campaign, hour, fact.key, fact.atom, count(*), 0
             FROM fact AS it, json_each(it.facts) AS fact
             WHERE it.number > ? AND it.number <= ? AND fact.atom IS NOT NULL GROUP BY 1, 2, 3, 4",
        )?
        .execute([after, last])?;
    put(connection)
}

/// Counts the other bodies, once all messages, flows and replies are counted.
pub fn count_others(connection: &Connection) -> Result<()> {
    connection.execute_batch(TEMPORARY)?;
    connection.execute_batch(
        "INSERT INTO moved SELECT NULL, max(received_at / 3600000, 1), 'other', substr(what, 1, 100), count(*), 0
             FROM other GROUP BY 2, 4;
         UPDATE counted SET number = (SELECT number FROM change_counter)",
    )?;
    put(connection)
}

/// What a message or flow counts as.
pub fn of(connection: &Connection, number: i64) -> Result<Option<String>> {
    let fact =
        "SELECT json_object('campaign', campaign, 'hour', hour, 'facts', json(facts)) FROM fact WHERE number = ?";
    connection.prepare_cached(fact)?.query_row([number], |row| row.get(0)).optional()
}

/// Counts another body, which is no change.
pub fn add_other(connection: &Connection, hour: i64, what: &str) -> Result<()> {
    let insert = "INSERT INTO moved VALUES (NULL, ?, 'other', substr(?, 1, 100), 1, 0)";
    connection.prepare_cached(insert)?.execute((hour, what)).map(drop)
}

/// Changes a message in a way that is no change of its own.
pub fn recount(connection: &Connection, number: i64, change: impl FnOnce() -> Result<()>) -> Result<()> {
    gather(connection)?;
    let mut add = connection.prepare_cached(
        "INSERT INTO moved SELECT campaign, hour, fact.key, fact.atom, ?2, 0
         FROM fact AS it, json_each(it.facts) AS fact WHERE it.number = ?1 AND fact.atom IS NOT NULL",
    )?;
    add.execute((number, -1))?;
    change()?;
    add.execute((number, 1))?;
    Ok(())
}

/// Puts what was gathered into the tallies.
fn put(connection: &Connection) -> Result<()> {
    for statement in include_str!("settle.sql").split_inclusive(";\n") {
        connection.prepare_cached(statement)?.execute([])?;
    }
    Ok(())
}

/// Gathers what is not counted.
fn gather(connection: &Connection) -> Result<()> {
    let last: Option<i64> =
        connection.prepare_cached("SELECT max(number) FROM change")?.query_row([], |row| row.get(0))?;
    let Some(last) = last else { return Ok(()) };
    connection.prepare_cached("INSERT INTO moved SELECT *, 0 FROM uncounted")?.execute([])?;
    connection.prepare_cached("UPDATE counted SET number = ?1 WHERE number < ?1")?.execute([last]).map(drop)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use axum::body::Bytes;
    use rand::rngs::StdRng;
    use rand::seq::{IndexedRandom as _, SliceRandom as _};
    use rand::{RngExt as _, SeedableRng as _};
    use routee_viber::TrackedMessage;
    use tempfile::TempDir;

    use super::MOST_UNCOUNTED;
    use crate::entry::Entry;
    use crate::purge::{Ages, purge};
    use crate::reports::campaign;
    use crate::store::Store;
    use crate::store::fake::{entry, open_in};

    const DAY: Duration = Duration::from_hours(24);

    /// Everything in both tallies that is not 0, a line for each row, of each hour and of all times.
    async fn tallies(store: &dyn Store) -> Vec<String> {
        store.settle().await.unwrap();
        let all = "SELECT '(all) ' || hour || ' ' || what || ' ' || value || ': ' || count FROM tally
                   WHERE unit IN ('hour', 'ever') AND count <> 0
                   UNION ALL
                   SELECT campaign || ' ' || hour || ' ' || what || ' ' || value || ': ' || count FROM campaign_tally
                   WHERE unit IN ('hour', 'ever') AND count <> 0 ORDER BY 1";
        let rows = store.query(all, vec![]).await.unwrap();
        rows.iter().map(|row| row.get::<&str>(0).unwrap().to_owned()).collect()
    }

    /// What `receiver check` finds.
    async fn exceptions(store: &dyn Store) -> Vec<String> {
        let mut exceptions = Vec::new();
        for (name, scan) in store.queries().invariants {
            for row in store.scan(scan).await.unwrap() {
                exceptions.push(format!("{name}: {}", row.get::<&str>(0).unwrap()));
            }
        }
        exceptions
    }

    #[tokio::test]
    async fn a_message_counts_as_what_became_of_it() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let status = |name: &str, more: &str, second| {
            entry(&format!(
                r#"{{"trackingId":"m",{more}"createdAt":"1970-01-01T02:00:00Z",
                    "status":{{"name":"{name}","updatedDate":"1970-01-01T02:00:{second:02}Z","reason":"why"}}}}"#
            ))
        };
        let campaign = r#""campaignTrackingId":"c","#;
        store.commit(&[status("QUEUED", "", 0)]).await.unwrap();
        let queued =
            [" 0 status QUEUED: 1", " 2 status QUEUED: 1", "(all) 0 status QUEUED: 1", "(all) 2 status QUEUED: 1"];
        assert_eq!(tallies(&*store).await, queued);
        // What comes later tells the campaign and the price, but not the hour.
        store.commit(&[status("SEEN", &format!(r#"{campaign}"price":0.035,"#), 31)]).await.unwrap();
        let seen =
            |scope, hour| ["price 0.035", "seen 60", "status SEEN"].map(|what| format!("{scope} {hour} {what}: 1"));
        let seen = [seen("(all)", 0), seen("(all)", 2), seen("c", 0), seen("c", 2)].concat();
        assert_eq!(tallies(&*store).await, seen);
        // What is late moves nothing, but says how long it took. It changes neither the campaign nor the price.
        let late = [status("DELIVERED", r#""campaignTrackingId":"d","price":1,"#, 5), status("QUEUED", campaign, 1)];
        store.commit(&late).await.unwrap();
        let mut delivered = seen;
        delivered.extend(["(all) 0", "(all) 2", "c 0", "c 2"].map(|scope| format!("{scope} delivered 5: 1")));
        delivered.sort();
        assert_eq!(tallies(&*store).await, delivered);
        assert_eq!(exceptions(&*store).await, [""; 0]);
        store.close().await;
    }

    #[tokio::test]
    async fn a_failure_a_flow_a_reply_and_another_body_count_too() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let bodies = [
            r#"{"trackingId":"1","status":{"name":"EXPIRED","updatedDate":"1970-01-01T02:00:00Z"}}"#.to_owned(),
            r#"{"trackingId":"2","status":{"name":"UNDELIVERED","reason":"Not Viber User","updatedDate":"1970-01-01T02:59:59Z"}}"#
                .to_owned(),
            format!(r#"{{"trackingId":"3","status":{{"name":"{}","reason":"r"}}}}"#, "X".repeat(101)),
            r#"{"trackingId":"f","status":"Queued","messages":[{}]}"#.to_owned(),
            r#"{"trackingId":"f","status":"Failed","messages":[{}]}"#.to_owned(),
            r#"{"from":"1","message":"x","campaignTrackingId":"c","sentDate":"1970-01-01T03:00:00Z"}"#.to_owned(),
            r#"{"a":1}"#.to_owned(),
            r#"{"a":1}"#.to_owned(),
        ];
        for body in bodies {
            store.commit(&[entry(&body)]).await.unwrap();
        }
        let of_no_campaign = |scope: &str, hour, counts: [i32; 2]| {
            let [two, three] = counts;
            let mut lines = vec![
                format!("{scope} {hour} reason : {two}"),
                format!("{scope} {hour} reason Not Viber User: {two}"),
                format!("{scope} {hour} status EXPIRED: {two}"),
                format!("{scope} {hour} status UNDELIVERED: {two}"),
                format!("{scope} {hour} status {}: {three}", "X".repeat(100)),
            ];
            lines.retain(|line| !line.ends_with(": 0"));
            lines
        };
        let mut expected = [
            of_no_campaign("(all)", 0, [1, 1]),
            of_no_campaign("(all)", 1, [0, 1]),
            of_no_campaign("(all)", 2, [1, 0]),
            of_no_campaign("", 0, [1, 1]),
            of_no_campaign("", 1, [0, 1]),
            of_no_campaign("", 2, [1, 0]),
            ["(all) 0 flow Failed: 1", "(all) 1 flow Failed: 1"].map(ToOwned::to_owned).into(),
            ["(all) 0 other other kind of body: a: 1", "(all) 1 other other kind of body: a: 1"]
                .map(ToOwned::to_owned)
                .into(),
            ["(all) 0 reply : 1", "(all) 3 reply : 1", "c 0 reply : 1", "c 3 reply : 1"].map(ToOwned::to_owned).into(),
        ]
        .concat();
        expected.sort();
        assert_eq!(tallies(&*store).await, expected);
        assert_eq!(exceptions(&*store).await, [""; 0]);
        let campaigns = store.query("SELECT id || ' ' || last_hour FROM campaign ORDER BY id", vec![]).await.unwrap();
        assert_eq!(campaigns.iter().map(|row| row.get(0).unwrap()).collect::<Vec<&str>>(), [" 2", "c 3"]);
        store.close().await;
    }

    #[tokio::test]
    async fn a_day_counts_what_its_hours_do() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        for (id, created_at) in
            [("1", "1970-01-01T23:59:59Z"), ("2", "1970-01-02T00:00:00Z"), ("3", "1970-01-02T00:00:00Z")]
        {
            let campaign = if id == "2" { "" } else { "c" };
            let body = format!(
                r#"{{"trackingId":"{id}","campaignTrackingId":"{campaign}","createdAt":"{created_at}","status":"SEEN"}}"#
            );
            store.commit(&[entry(&body)]).await.unwrap();
        }
        store.settle().await.unwrap();
        let days = "SELECT '(all) ' || hour || ': ' || count FROM tally WHERE unit = 'day'
                    UNION ALL
                    SELECT campaign || ' ' || hour || ': ' || count FROM campaign_tally WHERE unit = 'day' ORDER BY 1";
        let rows = store.query(days, vec![]).await.unwrap();
        let lines: Vec<&str> = rows.iter().map(|row| row.get(0).unwrap()).collect();
        assert_eq!(lines, [" 24: 1", "(all) 0: 1", "(all) 24: 2", "c 0: 1", "c 24: 1"]);
        store.close().await;
    }

    #[tokio::test]
    async fn many_changes_are_counted_by_the_commit_itself() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let commit = async |ids: std::ops::Range<i64>| {
            let batch: Vec<_> = ids.map(|id| entry(&format!(r#"{{"trackingId":"{id}","status":"SEEN"}}"#))).collect();
            store.commit(&batch).await.unwrap();
            let counted =
                store.query_one("SELECT coalesce(sum(count), 0) FROM tally WHERE unit = 'ever'", vec![]).await;
            counted.unwrap().get::<i64>(0).unwrap()
        };
        assert_eq!(commit(1..MOST_UNCOUNTED).await, 0);
        assert_eq!(commit(0..1).await, MOST_UNCOUNTED);
        assert_eq!(commit(MOST_UNCOUNTED..MOST_UNCOUNTED + 1).await, MOST_UNCOUNTED);
        assert_eq!(exceptions(&*store).await, [""; 0]);
        store.close().await;
    }

    /// The callbacks of some messages, flows and replies. Each message always says the same of itself, if it says it, but for
    /// the price.
    fn callbacks(random: &mut StdRng, says_all: bool) -> Vec<Arc<Entry>> {
        let mut bodies = Vec::new();
        for message in 0..20 {
            let campaign = ["", r#""campaignTrackingId":"a","#, r#""campaignTrackingId":"b","#].choose(random).unwrap();
            let created = format!(r#""createdAt":"2026-11-01T{:02}:00:00Z","#, random.random_range(0..3));
            let reason = ["", r#","reason":{"detailedStatus":"Not Viber User"}"#].choose(random).unwrap();
            let lives: [&[&str]; 3] =
                [&["QUEUED", "DELIVERED", "SEEN"], &["QUEUED", "UNDELIVERED"], &["QUEUED", "QUEUED", "EXPIRED"]];
            for (second, name) in lives.choose(random).unwrap().iter().enumerate() {
                let price = ["", r#""price":0.035,"#, r#""price":0.1,"#, r#""price":2,"#].choose(random).unwrap();
                let mut says = |text: &str| if says_all || random.random() { text.to_owned() } else { String::new() };
                let says = [campaign, *price, &created].map(&mut says).concat();
                bodies.push(format!(
                    r#"{{"trackingId":"m{message}",{says}"status":{{"name":"{name}"{reason},"updatedDate":"2026-11-01T03:00:{second:02}Z"}}}}"#
                ));
            }
        }
        for flow in 0..3 {
            for status in ["Queued", "InProgress", "Succeeded"] {
                bodies.push(format!(
                    r#"{{"trackingId":"f{flow}","status":"{status}","createdAt":"2026-11-01T00:00:00Z","messages":[
                        {{"type":"Viber","trackingId":"s{flow}","status":"SEEN","createdAt":"2026-11-01T01:00:00Z"}}]}}"#
                ));
            }
        }
        bodies.push(
            r#"{"from":"1","message":"x","campaignTrackingId":"a","sentDate":"2026-11-01T01:00:00Z"}"#.to_owned(),
        );
        bodies.push(r#"{"other":1}"#.to_owned());
        let received_at = "2026-11-02T00:00:00Z".parse().unwrap();
        let tracked = (0..20).step_by(4).map(|message| {
            let body = Bytes::from(format!(
                r#"{{"trackingId":"m{message}","campaignTrackingId":"t","status":"EXPIRED","date":"2026-11-01T03:00:01Z"}}"#
            ));
            Entry::tracked(TrackedMessage::from_slice(&body), body, received_at)
        });
        let tracked: Vec<_> = tracked.filter(|_| !says_all).collect();
        let read = bodies.into_iter().map(|body| Entry::read(body.into(), received_at));
        read.chain(tracked).map(Arc::new).collect()
    }

    #[tokio::test]
    async fn the_tallies_equal_a_count_whatever_comes_when() {
        for seed in 0..20 {
            let mut random = StdRng::seed_from_u64(seed);
            let mut callbacks = callbacks(&mut random, false);
            callbacks.extend(callbacks.clone());
            callbacks.shuffle(&mut random);
            let directory = TempDir::new().unwrap();
            let mut store = open_in(&directory).await;
            for batch in callbacks.chunks(7) {
                store.commit(batch).await.unwrap();
                if random.random_ratio(1, 4) {
                    store.settle().await.unwrap();
                }
                if random.random_ratio(1, 8) {
                    store.close().await;
                    store = open_in(&directory).await;
                }
                assert_eq!(exceptions(&*store).await, [""; 0], "seed {seed}");
            }
            // Some days later, what it counts is still there, and nothing else.
            let counted = tallies(&*store).await;
            let ages = Ages::new(2 * DAY, Some(3 * DAY)).unwrap();
            purge(&*store, "2026-11-06T00:00:00Z".parse().unwrap(), ages).await.unwrap();
            assert_eq!(exceptions(&*store).await, [""; 0], "seed {seed}");
            assert_eq!(tallies(&*store).await, counted, "seed {seed}");
            let left =
                "SELECT (SELECT count(*) FROM message) + (SELECT count(*) FROM flow) + (SELECT count(*) FROM reply)";
            let left = store.query_one(left, vec![]).await.unwrap().get::<i64>(0).unwrap();
            assert_eq!(left, 0, "seed {seed}");
            store.close().await;
        }
    }

    #[tokio::test]
    async fn a_campaign_is_known_by_what_counts_in_it() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let status = |name: &str, campaign: &str, created_at: &str, day| {
            entry(&format!(
                r#"{{"trackingId":"m",{campaign}{created_at}"status":{{"name":"{name}","updatedDate":"1970-01-0{day}T00:00:00Z"}}}}"#
            ))
        };
        let campaign = |id: &str| format!(r#""campaignTrackingId":"{id}","#);
        store.commit(&[status("QUEUED", "", r#""createdAt":"1970-01-01T02:00:00Z","#, 2)]).await.unwrap();
        store.settle().await.unwrap();
        // The message stays in its hour, and in its campaign.
        store.commit(&[status("DELIVERED", &campaign("c"), "", 3)]).await.unwrap();
        store.commit(&[status("SEEN", &campaign("d"), "", 4)]).await.unwrap();
        store.commit(&[status("DELIVERED", &campaign("e"), "", 1)]).await.unwrap();
        store.settle().await.unwrap();
        let (listed, _) = campaign::list(&*store, None, 10).await.unwrap();
        let listed: Vec<_> = listed.iter().map(|listed| (&*listed.id, listed.last_hour.timestamp() / 3600)).collect();
        assert_eq!(listed, [("", 2), ("c", 2)]);
        for (id, is_known) in [("", true), ("c", true), ("d", false), ("e", false)] {
            assert_eq!(campaign::is_known(&*store, id).await, Ok(is_known), "{id}");
        }
        store.close().await;
    }

    #[tokio::test]
    async fn the_price_is_that_of_the_newest_status_that_has_one() {
        let says = [("QUEUED", Some(0.1)), ("DELIVERED", Some(0.2)), ("SEEN", None)];
        let body = |(name, price): (&str, Option<f64>)| {
            let price = price.map(|price| format!(r#""price":{price},"#)).unwrap_or_default();
            entry(&format!(r#"{{"trackingId":"m",{price}"status":"{name}"}}"#))
        };
        for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
            for together in 1..=3 {
                let directory = TempDir::new().unwrap();
                let store = open_in(&directory).await;
                for batch in order.map(|place| body(says[place])).chunks(together) {
                    store.commit(batch).await.unwrap();
                }
                let price = store.query_one("SELECT price FROM message", vec![]).await.unwrap();
                assert_eq!(price.get::<&str>(0).unwrap(), "0.2", "{order:?}, {together} together");
                store.close().await;
            }
        }
    }

    #[tokio::test]
    async fn the_order_of_arrival_does_not_matter() {
        let mut random = StdRng::seed_from_u64(27);
        let mut callbacks = callbacks(&mut random, true);
        let mut first = None;
        for _ in 0..10 {
            let directory = TempDir::new().unwrap();
            let store = open_in(&directory).await;
            for batch in callbacks.chunks(7) {
                store.commit(batch).await.unwrap();
            }
            let tallies = tallies(&*store).await;
            assert_eq!(*first.get_or_insert_with(|| tallies.clone()), tallies);
            store.close().await;
            callbacks.shuffle(&mut random);
        }
        assert!(first.unwrap().len() > 40);
    }
}
