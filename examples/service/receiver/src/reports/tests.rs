//! Reports of counters with known numbers, on a SQLite file. The end-to-end tests do the same on PostgreSQL.

use chrono::{DateTime, Utc};
use tempfile::TempDir;

use crate::reports::campaign::{self, Campaign, Place};
use crate::reports::durations::Bound;
use crate::reports::outcomes::Outcomes;
use crate::reports::scope::Scope;
use crate::reports::timeline::{Point, Timeline, Unit, hour_of};
use crate::reports::{csv, days, terminal};
use crate::store::Store;
use crate::store::fake::open_in;
use crate::store::value::Value;

fn date(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// Counts something of a campaign in an hour, as the receiver does: also in its day, week and month, of all times, and of all
/// campaigns.
async fn count(store: &dyn Store, campaign: &str, at: &str, what: &str, value: &str, count: i64) {
    let last_hour = hour_of(date(at));
    let mut statements = Vec::new();
    let units = [Unit::Hour, Unit::Day, Unit::Week, Unit::Month];
    let units = units.map(|unit| (unit.as_str(), hour_of(unit.start(date(at)))));
    for (unit, hour) in units.into_iter().chain([("ever", 0)]) {
        let key = || vec![Value::from(unit), hour.into(), what.into(), value.into(), count.into()];
        statements.push((
            "INSERT INTO tally (unit, hour, what, value, count, forgotten) VALUES ($1, $2, $3, $4, $5, 0)
             ON CONFLICT (what, unit, hour, value) DO UPDATE SET count = tally.count + excluded.count",
            key(),
        ));
        statements.push((
            "INSERT INTO campaign_tally (unit, hour, what, value, count, campaign, forgotten)
             VALUES ($1, $2, $3, $4, $5, $6, 0)
             ON CONFLICT (campaign, what, unit, hour, value) DO UPDATE SET count = campaign_tally.count + excluded.count",
            [key(), vec![campaign.into()]].concat(),
        ));
    }
    statements.push((
        "INSERT INTO campaign (id, last_hour) VALUES ($1, $2)
         ON CONFLICT (id) DO UPDATE SET last_hour = max(campaign.last_hour, excluded.last_hour)",
        vec![campaign.into(), last_hour.into()],
    ));
    store.execute(statements).await.unwrap();
}

/// A campaign of two hours, with everything that is counted.
async fn spring(store: &dyn Store) {
    for (at, status, messages) in [
        ("2026-11-23T10:00:00Z", "SEEN", 3),
        ("2026-11-23T10:30:00Z", "DELIVERED", 1),
        ("2026-11-23T12:59:59Z", "UNDELIVERED", 2),
        ("2026-11-23T12:00:00Z", "QUEUED", 1),
        ("2026-11-23T12:00:00Z", "Sent", 1),
    ] {
        count(store, "spring", at, "status", status, messages).await;
    }
    let hour = "2026-11-23T12:00:00Z";
    for (what, value, messages) in [
        ("reason", "Opted Out", 1),
        ("reason", "", 1),
        ("price", "0.1", 3),
        ("price", "0.035", 2),
        ("delivered", "5", 2),
        ("delivered", "30", 2),
        ("seen", "1209600", 3),
        ("reply", "", 2),
    ] {
        count(store, "spring", hour, what, value, messages).await;
    }
}

const SPRING: Outcomes = Outcomes { messages: 8, delivered: 4, seen: 3, failed: 2, pending: 1, unrecognized: 1 };

#[tokio::test]
async fn a_campaign_has_exact_numbers() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    spring(&*store).await;
    count(&*store, "other", "2026-11-23T10:00:00Z", "status", "SEEN", 1000).await;
    let campaign = Campaign::find(&*store, "spring").await.unwrap().unwrap();
    let totals = &campaign.totals;
    assert_eq!((totals.outcomes, totals.replies), (SPRING, 2));
    assert_eq!((totals.price.to_string(), totals.price.messages), ("0.37".to_owned(), 5));
    let quantiles =
        [&totals.to_delivery, &totals.to_first_look].map(|took| [50, 90].map(|percent| took.quantile(percent)));
    assert_eq!(quantiles, [[Some(Bound(5)), Some(Bound(30))], [Some(Bound(1_209_600)); 2]]);
    let counts = |counts: &[(&str, i64)]| -> Vec<_> {
        counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
    };
    let statuses = [("SEEN", 3), ("UNDELIVERED", 2), ("DELIVERED", 1), ("QUEUED", 1), ("Sent", 1)];
    assert_eq!(campaign.statuses, counts(&statuses));
    assert_eq!(campaign.reasons, counts(&[("", 1), ("Opted Out", 1)]));
    let [ten, eleven, twelve] = &campaign.timeline.points[..] else { panic!("{:?}", campaign.timeline) };
    assert_eq!(campaign.timeline.unit, Unit::Hour);
    assert_eq!(ten.outcomes, Outcomes { messages: 4, delivered: 4, seen: 3, ..Outcomes::default() });
    assert_eq!(*eleven, Point { from: date("2026-11-23T11:00:00Z"), outcomes: Outcomes::default() });
    let outcomes = Outcomes { messages: 4, failed: 2, pending: 1, unrecognized: 1, ..Outcomes::default() };
    assert_eq!(*twelve, Point { from: date("2026-11-23T12:00:00Z"), outcomes });
    for unknown in ["", "Spring", "a\0"] {
        assert!(Campaign::find(&*store, unknown).await.unwrap().is_none(), "{unknown}");
    }
    store.close().await;
}

#[tokio::test]
async fn a_campaign_as_csv_has_a_row_for_each_number() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    spring(&*store).await;
    count(&*store, "spring", "2026-11-23T10:00:00Z", "reason", "=1+1", 1).await;
    let campaign = Campaign::find(&*store, "spring").await.unwrap().unwrap();
    let csv = String::from_utf8(csv::of_campaign(&campaign)).unwrap();
    let expected = "\u{feff}from,what,name,number|,messages,,8|,delivered,,4|,seen,,3|,failed,,2|,pending,,1|,unrecognized,,1|\
        ,price,,0.37|,messages_with_price,,5|,replies,,2|,status,SEEN,3|,status,UNDELIVERED,2|,status,DELIVERED,1|\
        ,status,QUEUED,1|,status,Sent,1|,reason,,1|,reason,'=1+1,1|,reason,Opted Out,1|,delivered_median_s,,5|,delivered_p90_s,,30|\
        ,delivered_within_s,5,2|,delivered_within_s,30,2|,seen_median_s,,1209600|,seen_p90_s,,1209600|\
        ,seen_within_s,1209600,3|2026-11-23 10:00,messages,hour,4|2026-11-23 10:00,delivered,hour,4|";
    assert!(csv.replace("\r\n", "|").starts_with(expected), "{csv}");
    assert!(
        !csv.replace("\r\n", "").contains(['\r', '\n']) && csv.ends_with("2026-11-23 12:00,unrecognized,hour,1\r\n"),
        "{csv}"
    );
    store.close().await;
}

#[tokio::test]
async fn a_campaign_in_a_terminal_is_a_few_tables() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    spring(&*store).await;
    let campaign = Campaign::find(&*store, "spring").await.unwrap().unwrap();
    let text = terminal::of_campaign(&campaign);
    let lines: Vec<_> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in [
        "campaign spring",
        "messages 8 100.0 %",
        "delivered 4 50.0 %",
        "price 0.37",
        "delivery 4 within 5 s within 30 s",
        "first look 3 more than 7 d more than 7 d",
        "no reason given 1",
        "2026-11-23 12:00 4 0 0 2 1 1",
        "All times are UTC.",
    ] {
        assert!(lines.iter().any(|found| found == line), "{line} is not in\n{text}");
    }
    store.close().await;
}

#[tokio::test]
async fn the_list_has_the_latest_first_and_goes_on_where_a_page_ends() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    for (campaign, at) in [
        ("old", "2026-11-01T00:00:00Z"),
        ("b", "2026-11-02T00:00:00Z"),
        ("a.1", "2026-11-02T00:59:00Z"),
        ("", "2026-11-02T00:00:00Z"),
        ("new", "2026-11-03T00:00:00Z"),
    ] {
        count(&*store, campaign, at, "status", "SEEN", 1).await;
        count(&*store, campaign, at, "price", "0.1", 1).await;
    }
    let mut ids = Vec::new();
    let mut after = None;
    let mut pages = 0;
    loop {
        let (listed, next) = campaign::list(&*store, after, 2).await.unwrap();
        for campaign in &listed {
            assert_eq!((campaign.totals.outcomes.seen, campaign.totals.price.to_string()), (1, "0.1".to_owned()));
        }
        pages += 1;
        ids.extend(listed.into_iter().map(|campaign| campaign.id));
        // As it comes back in a query.
        let Some(place) = next else { break };
        after = Some(place.to_string().parse().unwrap());
    }
    assert_eq!((ids.as_slice(), pages), (&["new", "", "a.1", "b", "old"].map(ToOwned::to_owned)[..], 3));
    let (all, next) = campaign::list(&*store, None, 5).await.unwrap();
    assert_eq!((all.len(), next, all[0].last_hour), (5, None, date("2026-11-03T00:00:00Z")));
    let csv = String::from_utf8(csv::of_list(&all[..1])).unwrap();
    let header = "\u{feff}campaign,latest_hour,messages,delivered,seen,failed,pending,unrecognized,price,replies,\
                  delivered_median_s,delivered_p90_s,seen_median_s,seen_p90_s";
    assert_eq!(csv, format!("{header}\r\nnew,2026-11-03 00:00,1,1,1,0,0,0,0.1,0,,,,\r\n"));
    for wrong in ["", "1", "x.y", "1.a\0"] {
        assert_eq!(wrong.parse::<Place>(), Err("no place in the list"), "{wrong}");
    }
    store.close().await;
}

#[tokio::test]
async fn so_many_prices_are_all_added() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    count(&*store, "c", "2026-11-01T00:00:00Z", "status", "SEEN", 1).await;
    // More than are read at once, in two campaigns that share the prices.
    for campaign in ["c", "d"] {
        let insert = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 15000)
                      INSERT INTO campaign_tally SELECT $1, 'ever', 0, 'price', '0.' || (1000000 + n), 1, 0 FROM n";
        store.execute(vec![(insert, vec![campaign.into()])]).await.unwrap();
    }
    let campaign = Campaign::find(&*store, "c").await.unwrap().unwrap();
    let expected = (1500.0_f64 + 15_000.0 * 15_001.0 / 2.0 / 1e7).to_string();
    assert_eq!((campaign.totals.price.to_string(), campaign.totals.price.messages), (expected, 15_000));
    store.close().await;
}

#[tokio::test]
async fn the_unit_is_the_shortest_of_which_sixty_cover_all() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    let first = "2026-01-31T00:00:00Z";
    for (last, unit, points) in [
        ("2026-01-31T00:00:00Z", Unit::Hour, 1),
        ("2026-02-02T11:00:00Z", Unit::Hour, 60),
        ("2026-02-02T12:00:00Z", Unit::Day, 3),
        ("2026-03-31T23:00:00Z", Unit::Day, 60),
        ("2026-04-01T00:00:00Z", Unit::Week, 10),
        // 2026-01-26, a Monday, and the 59 after it.
        ("2027-03-21T23:00:00Z", Unit::Week, 60),
        ("2027-03-22T00:00:00Z", Unit::Month, 15),
        ("2030-12-31T23:00:00Z", Unit::Month, 60),
        ("2031-01-01T00:00:00Z", Unit::Year, 6),
    ] {
        let campaign = format!("until {last}");
        for at in [first, last] {
            count(&*store, &campaign, at, "status", "SEEN", 1).await;
        }
        let timeline = Timeline::of_all_times(&*store, Scope::Campaign(&campaign)).await.unwrap();
        assert_eq!((timeline.unit, timeline.points.len()), (unit, points), "{last}");
        let messages: i64 = timeline.points.iter().map(|point| point.outcomes.messages).sum();
        assert_eq!(messages, 2, "{last}");
        let ends = [timeline.points.first(), timeline.points.last()].map(|point| point.unwrap().outcomes.messages);
        assert_eq!(ends, if points == 1 { [2, 2] } else { [1, 1] }, "{last}");
    }
    let starts = [Unit::Hour, Unit::Day, Unit::Week, Unit::Month, Unit::Year]
        .map(|unit| unit.start(date("2026-11-25T13:45:00Z")));
    let expected = [
        "2026-11-25T13:00:00Z",
        "2026-11-25T00:00:00Z",
        "2026-11-23T00:00:00Z",
        "2026-11-01T00:00:00Z",
        "2026-01-01T00:00:00Z",
    ];
    assert_eq!(starts, expected.map(date));
    store.close().await;
}

#[tokio::test]
async fn days_begin_with_the_first_that_has_messages() {
    let directory = TempDir::new().unwrap();
    let store = open_in(&directory).await;
    assert_eq!(days::since(&*store, DateTime::<Utc>::MIN_UTC).await.unwrap(), []);
    spring(&*store).await;
    count(&*store, "", "2026-11-25T00:00:00Z", "status", "SEEN", 1).await;
    count(&*store, "", "2026-11-21T23:59:59Z", "status", "SEEN", 1).await;
    let found = days::since(&*store, date("2026-11-22T00:00:00Z")).await.unwrap();
    let expected = "\u{feff}day,messages,delivered,seen,failed,pending,unrecognized,price,replies\r\n\
                    2026-11-23,8,4,3,2,1,1,0.37,2\r\n2026-11-24,0,0,0,0,0,0,0,0\r\n2026-11-25,1,1,1,0,0,0,0,0\r\n";
    assert_eq!(String::from_utf8(csv::of_days(&found)).unwrap(), expected);
    // Within the day of the date, and before all times.
    for (since, expected) in [("2026-11-25T23:00:00Z", 1), ("2026-11-26T00:00:00Z", 0), ("-0100-01-01T00:00:00Z", 5)] {
        assert_eq!(days::since(&*store, date(since)).await.unwrap().len(), expected, "{since}");
    }
    let text = terminal::of_days(&found);
    assert!(text.contains("2026-11-23") && text.contains("0.37"), "{text}");
    store.close().await;
}
