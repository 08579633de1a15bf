//! Looks for what should not be: `receiver check`.

use std::io::Write;

use anyhow::ensure;

use crate::store::Store;

/// Says of each invariant whether it holds, and fails if one does not. It reads everything, beside whoever writes.
pub async fn check(store: &dyn Store, out: &mut impl Write) -> anyhow::Result<()> {
    let mut broken = 0;
    for (name, scan) in store.queries().invariants {
        let exceptions = store.scan(scan).await?;
        broken += usize::from(!exceptions.is_empty());
        writeln!(out, "{}  {name}", if exceptions.is_empty() { "ok " } else { "NO " })?;
        for exception in &exceptions {
            writeln!(out, "       {}", exception.get::<&str>(0)?)?;
        }
    }
    ensure!(broken == 0, "{broken} of these do not hold");
    Ok(())
}

#[cfg(test)]
pub mod tests {
    use rusqlite::Connection;
    use tempfile::TempDir;

    use super::*;
    use crate::store::fake::{entry, open_in};

    /// What `receiver check` prints, and the error that it ends with.
    pub async fn checked(store: &dyn Store) -> (String, Option<String>) {
        let mut out = Vec::new();
        let error = check(store, &mut out).await.err();
        (String::from_utf8(out).unwrap(), error.map(|error| error.to_string()))
    }

    #[tokio::test]
    async fn what_does_not_hold_is_named() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let body = r#"{"trackingId":"m","campaignTrackingId":"c","status":"SEEN","createdAt":"2026-11-30T00:00:00Z"}"#;
        store.commit(&[entry(body), entry(r#"{"a":1}"#)]).await.unwrap();
        let whole = "\
ok   the file is whole
ok   the changes have no gaps
ok   nothing is counted before it is there
ok   every change is about something
ok   every later change is there
ok   every message that was a step of a flow is known as one
ok   the tallies of each hour equal a count
ok   the tallies of each campaign equal a count
ok   the tallies of campaigns add up
ok   the tallies of days, weeks, months and all times are sums of hours
ok   every campaign that is counted is listed
ok   no more are forgotten than were counted
";
        assert_eq!(checked(&*store).await, (whole.to_owned(), None));
        store.settle().await.unwrap();
        assert_eq!(checked(&*store).await, (whole.to_owned(), None));

        let other = Connection::open(directory.path().join("routee.db")).unwrap();
        other
            .execute_batch(
                "UPDATE tally SET count = 3 WHERE unit = 'hour' AND what = 'status';
                 UPDATE campaign_tally SET count = 4 WHERE unit = 'ever' AND campaign = 'c';
                 UPDATE campaign_tally SET count = 5, forgotten = 1 WHERE unit = 'hour' AND campaign = 'c';
                 UPDATE tally SET forgotten = 2, count = 1 WHERE what = 'other';
                 UPDATE counted SET number = 4;
                 DELETE FROM campaign;
                 UPDATE change SET is_step = 1 WHERE number = 1;
                 INSERT INTO change (number, kind, received_at, body) VALUES (3, 'status', 0, x'');
                 INSERT INTO later (about, key, body, change, received_at) VALUES (1, x'', x'', 2, 0)",
            )
            .unwrap();
        let broken = "\
ok   the file is whole
NO   the changes have no gaps
       there are 2 changes, the first 1 and the last 3; 0 of 3 were purged
NO   nothing is counted before it is there
       4 of 3 changes are counted
NO   every change is about something
       change 3
NO   every later change is there
       change 2
NO   every message that was a step of a flow is known as one
       message m
NO   the tallies of each hour equal a count
       hour 1, other other kind of body: a: off by -2
       hour 1, status SEEN: off by 2
NO   the tallies of each campaign equal a count
       campaign , hour 1, status SEEN: off by -1
       campaign c, hour 1, status SEEN: off by 4
NO   the tallies of campaigns add up
       hour 1, status SEEN: count off by 2, forgotten off by 1
NO   the tallies of days, weeks, months and all times are sums of hours
       campaign (all), day of hour 0, status SEEN: count off by -2, forgotten off by 0
       campaign (all), ever of hour 0, status SEEN: count off by -2, forgotten off by 0
       campaign (all), month of hour 0, status SEEN: count off by -2, forgotten off by 0
       campaign (all), week of hour -72, status SEEN: count off by -2, forgotten off by 0
       campaign c, day of hour 0, status SEEN: count off by -4, forgotten off by -1
       campaign c, ever of hour 0, status SEEN: count off by -1, forgotten off by -1
       campaign c, month of hour 0, status SEEN: count off by -4, forgotten off by -1
       campaign c, week of hour -72, status SEEN: count off by -4, forgotten off by -1
NO   every campaign that is counted is listed
       campaign c
NO   no more are forgotten than were counted
       campaign (all), hour 1, other other kind of body: a: 2 of 1 are forgotten
";
        assert_eq!(checked(&*store).await, (broken.to_owned(), Some("11 of these do not hold".to_owned())));
        store.close().await;
    }

    #[tokio::test]
    async fn a_tally_that_begins_at_another_hour_than_its_unit_is_named() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let body = r#"{"trackingId":"m","campaignTrackingId":"c","status":"SEEN"}"#;
        store.commit(&[entry(body)]).await.unwrap();
        store.settle().await.unwrap();
        let other = Connection::open(directory.path().join("routee.db")).unwrap();
        for (table, campaign, unit, right) in [
            ("tally", "(all)", "day", 0),
            ("tally", "(all)", "week", -72),
            ("tally", "(all)", "month", 0),
            ("campaign_tally", "c", "ever", 0),
        ] {
            assert_eq!(checked(&*store).await.1, None);
            let begin_at = |hour| format!("UPDATE {table} SET hour = {hour} WHERE unit = '{unit}'");
            other.execute_batch(&begin_at(1)).unwrap();
            let (found, error) = checked(&*store).await;
            let off_by = |hour, count: i64| {
                format!(
                    "       campaign {campaign}, {unit} of hour {hour}, status SEEN: count off by {count}, forgotten off by 0\n"
                )
            };
            let named = "NO   the tallies of days, weeks, months and all times are sums of hours\n".to_owned();
            assert!(found.contains(&(named + &off_by(right, -1) + &off_by(1, 1))), "{found}");
            assert_eq!(error.as_deref(), Some("1 of these do not hold"));
            other.execute_batch(&begin_at(right)).unwrap();
        }
        let error = other.execute_batch("UPDATE tally SET unit = 'year' WHERE unit = 'month'").unwrap_err().to_string();
        assert_eq!(error, "CHECK constraint failed: unit IN ('hour', 'day', 'week', 'month', 'ever')");
        store.close().await;
    }
}
