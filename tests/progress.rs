//! Which of two statuses is newer: an order that no order of arrival can change.

use std::cmp::Ordering;

use crate::common::fields::STATUS_NAMES;
use crate::common::{config, read};
use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use routee_viber::{FailoverCallback, FailoverStatus, Progress, Stage, Status, StatusName};
use serde_json::{Value, json};

const EARLIER: &str = "2019-07-05T10:28:44Z";
const LATER: &str = "2019-07-05T10:28:49Z";

fn status(name: &str, date: Value) -> Status {
    serde_json::from_value(json!({"name": name, "updatedDate": date})).unwrap()
}

#[test]
fn every_name_has_its_stage() {
    let stages = [
        ("QUEUED", Some(Stage::Pending), false, false),
        ("DELIVERED", Some(Stage::Delivered), true, false),
        ("SEEN", Some(Stage::Seen), true, false),
        ("UNDELIVERED", Some(Stage::Failed), false, true),
        ("EXPIRED", Some(Stage::Failed), false, true),
        ("FAILED", Some(Stage::Failed), false, true),
        ("UNSENT", Some(Stage::Failed), false, true),
        ("Sent", None, false, false),
    ];
    for (name, stage, is_success, is_failure) in stages {
        let name = StatusName::from(name);
        assert_eq!((name.stage(), name.is_success(), name.is_failure()), (stage, is_success, is_failure), "{name}");
    }
    assert!(Stage::Pending < Stage::Failed && Stage::Failed < Stage::Delivered && Stage::Delivered < Stage::Seen);
}

#[test]
fn every_stage_and_progress_has_a_label() {
    for (stage, label) in
        [(Stage::Pending, "pending"), (Stage::Failed, "failed"), (Stage::Delivered, "delivered"), (Stage::Seen, "seen")]
    {
        assert_eq!((stage.as_str(), stage.to_string().as_str()), (label, label));
    }
    for (progress, label) in
        [(Progress::Advance, "advance"), (Progress::Duplicate, "duplicate"), (Progress::Stale, "stale")]
    {
        assert_eq!((progress.as_str(), progress.to_string().as_str()), (label, label));
    }
}

/// The order as the rules state it, by hand: greater is newer.
fn order(one: &Status, other: &Status) -> Ordering {
    let key = |status: &Status| {
        let (level, tie) = match status.name.as_str() {
            "QUEUED" => (0, 0),
            "UNDELIVERED" | "EXPIRED" | "FAILED" | "UNSENT" => (1, 0),
            "DELIVERED" => (1, 2),
            "SEEN" => (2, 0),
            _ => (1, 1),
        };
        let date = status.updated_date;
        let raw = status.extra.get("updatedDate").filter(|_| date.is_none()).map(Value::to_string);
        (level, date, tie, status.name.as_str().to_owned(), raw)
    };
    key(one).cmp(&key(other))
}

fn expected(incoming: &Status, stored: &Status) -> Progress {
    match order(incoming, stored) {
        Ordering::Less => Progress::Stale,
        Ordering::Equal => Progress::Duplicate,
        Ordering::Greater => Progress::Advance,
    }
}

#[test]
fn every_pair_of_names_with_every_order_of_dates() {
    use Progress::{Advance, Duplicate, Stale};
    let dates = [(json!(EARLIER), json!(LATER)), (json!(LATER), json!(LATER)), (json!(LATER), json!(EARLIER))];
    let undated = [(json!(null), json!(LATER)), (json!(LATER), json!(null)), (json!(null), json!(null))];
    // The level, and what decides between equal dates, of every name.
    let names = [
        ("QUEUED", 0, 0),
        ("EXPIRED", 1, 0),
        ("FAILED", 1, 1),
        ("UNDELIVERED", 1, 2),
        ("UNSENT", 1, 3),
        ("Blocked", 1, 4),
        ("Sent", 1, 5),
        ("DELIVERED", 1, 6),
        ("SEEN", 2, 0),
    ];
    for (incoming, level, tie) in names {
        for (stored, stored_level, stored_tie) in names {
            let equal_dates = match tie.cmp(&stored_tie) {
                Ordering::Less => Stale,
                Ordering::Equal => Duplicate,
                Ordering::Greater => Advance,
            };
            let expected = match level.cmp(&stored_level) {
                Ordering::Less => [Stale; 6],
                Ordering::Greater => [Advance; 6],
                Ordering::Equal => [Stale, equal_dates, Advance, Stale, Advance, equal_dates],
            };
            for ((date, stored_date), expected) in dates.iter().chain(&undated).zip(expected) {
                let (incoming, stored) = (status(incoming, date.clone()), status(stored, stored_date.clone()));
                assert_eq!(incoming.progress_from(&stored), expected, "{incoming:?} after {stored:?}");
                assert_eq!(self::expected(&incoming, &stored), expected);
            }
        }
    }
}

#[test]
fn unreadable_dates_are_compared_as_they_came_and_before_any_date() {
    let seen = |date: Value| status("SEEN", date);
    for (incoming, stored, expected) in [
        (seen(json!("soon")), seen(json!("soon")), Progress::Duplicate),
        (
            serde_json::from_value(json!({"name": "SEEN", "date": "soon"})).unwrap(),
            seen(json!("soon")),
            Progress::Duplicate,
        ),
        (seen(json!("soon")), seen(json!("later")), Progress::Advance),
        (seen(json!("later")), seen(json!("soon")), Progress::Stale),
        (seen(json!("soon")), seen(json!(null)), Progress::Advance),
        (seen(json!(null)), seen(json!("soon")), Progress::Stale),
        (seen(json!("soon")), seen(json!(LATER)), Progress::Stale),
        (seen(json!(LATER)), seen(json!("soon")), Progress::Advance),
        (seen(json!([1])), seen(json!([1])), Progress::Duplicate),
        (seen(json!([2])), seen(json!([1])), Progress::Advance),
        (seen(json!("2019-07-05T13:28:49+03:00")), seen(json!(LATER)), Progress::Duplicate),
        (seen(json!([2019, 7, 5, 10, 28, 49])), seen(json!(LATER)), Progress::Duplicate),
    ] {
        assert_eq!(incoming.progress_from(&stored), expected, "{incoming:?} after {stored:?}");
    }
}

#[test]
fn other_parts_of_a_status_do_not_make_it_another_one() {
    let stored = Status::new(StatusName::Seen);
    let incoming: Status = serde_json::from_value(json!({"name": "seen", "reason": "Delivered", "code": 1})).unwrap();
    assert_eq!(incoming.progress_from(&stored), Progress::Duplicate);
    assert_eq!(incoming.rank(), stored.rank());
}

/// Statuses of all names, with unknown names of any characters, and every sort of date.
fn grid() -> Vec<Status> {
    let unknown = [
        "",
        "\0",
        "\0\0",
        "\0\u{1}",
        "A",
        "A\0",
        "A\0\0",
        "A\u{1}",
        "AA",
        "a",
        "Sent",
        "Blocked",
        "é",
        "\u{fffd}",
        "🐣",
        "\u{10ffff}",
        "\"",
        "\\",
        "DELIVERED!",
        "z",
    ];
    let names: Vec<StatusName> = STATUS_NAMES.iter().chain(&unknown).map(|name| StatusName::from(*name)).collect();
    let ends = [
        DateTime::<Utc>::MIN_UTC,
        "0000-01-01T00:00:00Z".parse().unwrap(),
        "1969-12-31T23:59:59.999999999Z".parse().unwrap(),
        DateTime::UNIX_EPOCH,
        EARLIER.parse().unwrap(),
        "2019-07-05T10:28:44.000000001Z".parse().unwrap(),
        LATER.parse().unwrap(),
        "2016-12-31T23:59:60.999999999Z".parse().unwrap(),
        "9999-12-31T23:59:59.999999998Z".parse().unwrap(),
        "9999-12-31T23:59:59.999999999Z".parse().unwrap(),
        DateTime::<Utc>::MAX_UTC,
    ];
    let raw = [
        json!("soon"),
        json!("soon\0"),
        json!("sooner"),
        json!("5"),
        json!(5),
        json!(1.5),
        json!(true),
        json!([]),
        json!([1]),
        json!([1, 2]),
        json!({}),
        json!({"a": null}),
        json!("\u{10ffff}"),
    ];
    let with = |name: &StatusName, date: Option<DateTime<Utc>>, raw: Option<&Value>| {
        let mut status = Status::new(name.clone());
        status.updated_date = date;
        status.extra.extend(raw.map(|raw| ("updatedDate".to_owned(), raw.clone())));
        status
    };
    let of_name = |name| {
        let dated = ends.iter().map(move |date| with(name, Some(*date), None));
        dated.chain(raw.iter().map(move |raw| with(name, None, Some(raw)))).chain([with(name, None, None)])
    };
    names.iter().flat_map(of_name).collect()
}

#[test]
fn ranks_compare_as_the_statuses_do() {
    let grid = grid();
    assert!(grid.len() > 600);
    let ranks: Vec<_> = grid.iter().map(Status::rank).collect();
    for (one, rank) in grid.iter().zip(&ranks) {
        for (other, other_rank) in grid.iter().zip(&ranks) {
            assert_eq!(rank.cmp(other_rank), order(one, other), "{one:?}: {rank}\n{other:?}: {other_rank}");
            assert_eq!(one.progress_from(other), expected(one, other), "{one:?} after {other:?}");
        }
    }
}

#[test]
fn a_rank_is_digits_and_lower_case_hex() {
    for rank in grid().iter().map(Status::rank) {
        let is_plain = rank.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(is_plain, "{rank}");
    }
    let seen = status("SEEN", json!("2019-07-05T10:28:49.5Z")).rank();
    assert_eq!(&seen[1..25], "100015623225290500000000");
    assert!(seen.ends_with("5345454e0000"), "{seen}");
    let queued = status("QUEUED", json!(null)).rank();
    assert_eq!(&queued[1..25], "0".repeat(24));
    assert!(queued.ends_with("5155455545440000"), "{queued}");
    assert!(status("a\0b", json!(null)).rank().ends_with("6100ff620000"));
    assert!(status("a", json!([1])).rank().ends_with("61005b315d00"));
}

/// What is stored after statuses came in that order, and the row of a database that keeps the greatest rank.
fn stored<'a>(came: impl IntoIterator<Item = &'a Status>) -> Status {
    let newer = |stored: Option<&'a Status>, incoming: &'a Status| match stored {
        Some(stored) if incoming.progress_from(stored) != Progress::Advance => Some(stored),
        _ => Some(incoming),
    };
    came.into_iter().fold(None, newer).unwrap().clone()
}

/// Known and unknown names; dates that are equal often, missing, or unreadable.
fn any_status() -> impl Strategy<Value = Status> {
    let name =
        prop_oneof![4 => select([STATUS_NAMES, &["Sent", "Read"]].concat()).prop_map(str::to_owned), 1 => ".{1,4}"];
    let date = select(vec![
        json!(null),
        json!(EARLIER),
        json!("2019-07-05T10:28:44.000000001Z"),
        json!(LATER),
        json!(1_562_322_524),
        json!("soon"),
        json!("later"),
        json!(["soon"]),
    ]);
    (name, date).prop_map(|(name, date)| status(&name, date))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn any_order_of_any_statuses_with_repeats_ends_in_the_same(
        statuses in vec(any_status(), 1..6),
        order in vec(any::<Index>(), 0..12),
        at in any::<Index>(),
    ) {
        let expected = stored(&statuses);
        let mut shuffled: Vec<_> = order.iter().map(|at| at.get(&statuses)).chain(statuses.iter().rev()).collect();
        prop_assert_eq!(&stored(shuffled.iter().copied()), &expected);
        let middle = at.index(shuffled.len());
        shuffled.rotate_left(middle);
        prop_assert_eq!(&stored(shuffled.iter().copied()), &expected);
        let greatest = statuses.iter().map(Status::rank).max();
        prop_assert_eq!(Some(expected.rank()), greatest);
    }

    #[test]
    fn no_name_undoes_seen(mut came in vec(any_status(), 0..6), at in any::<Index>()) {
        came.insert(at.index(came.len() + 1), Status::new(StatusName::Seen));
        prop_assert_eq!(stored(&came).name, StatusName::Seen);
    }

    #[test]
    fn the_order_is_the_documented_one(one in any_status(), other in any_status()) {
        prop_assert_eq!(one.progress_from(&other), expected(&one, &other));
        prop_assert_eq!(one.progress_from(&one), Progress::Duplicate);
        prop_assert_eq!(one.rank().cmp(&other.rank()), order(&one, &other));
    }

    #[test]
    fn any_order_of_the_updates_of_a_flow_ends_in_the_same(
        updates in vec(flow(), 1..5),
        order in vec(any::<Index>(), 0..9),
    ) {
        let stored = |came: &[&FailoverCallback]| {
            let newer = |stored: FailoverCallback, incoming: &&FailoverCallback| {
                let progress = incoming.progress_from(&stored);
                let expected = match incoming.rank().cmp(&stored.rank()) {
                    Ordering::Less => Progress::Stale,
                    Ordering::Equal => Progress::Duplicate,
                    Ordering::Greater => Progress::Advance,
                };
                assert_eq!(progress, expected);
                if progress == Progress::Advance { (*incoming).clone() } else { stored }
            };
            came.iter().fold(came[0].clone(), newer)
        };
        let in_order: Vec<_> = updates.iter().collect();
        let shuffled: Vec<_> = order.iter().map(|at| at.get(&updates)).chain(updates.iter().rev()).collect();
        prop_assert_eq!(stored(&in_order), stored(&shuffled));
    }
}

fn flow() -> impl Strategy<Value = FailoverCallback> {
    let step = (select(vec!["QUEUED", "EXPIRED", "SEEN"]), select(vec![json!(null), json!(EARLIER), json!("soon")]));
    let name = select(vec!["Queued", "InProgress", "Succeeded", "Failed", "Paused"]);
    let date = select(vec![json!(null), json!(EARLIER), json!(LATER), json!("soon"), json!("later")]);
    (name, date, vec(step, 0..3)).prop_map(|(status, date, steps)| {
        let step = |(at, (name, date)): (usize, &(&str, Value))| {
            json!({"trackingId": at.to_string(), "status": {"name": name, "updatedDate": date}})
        };
        let steps: Vec<_> = steps.iter().enumerate().map(step).collect();
        let body = json!({"trackingId": "1", "status": status, "updatedAt": date, "messages": steps});
        serde_json::from_value(body).unwrap()
    })
}

#[test]
fn the_updates_of_a_flow_are_ordered() {
    use Progress::{Advance, Duplicate, Stale};
    let flow = |status: &str, date: Value| -> FailoverCallback {
        read(&json!({"trackingId": "1", "status": status, "updatedAt": date, "messages": [{"order": 1}]}))
    };
    for (incoming, stored, expected) in [
        (("InProgress", json!(EARLIER)), ("Queued", json!(LATER)), Stale),
        (("InProgress", json!(LATER)), ("Queued", json!(EARLIER)), Advance),
        (("Succeeded", json!(EARLIER)), ("InProgress", json!(LATER)), Advance),
        (("Failed", json!(null)), ("Queued", json!(LATER)), Advance),
        (("Paused", json!(null)), ("InProgress", json!(LATER)), Advance),
        (("Queued", json!(LATER)), ("Paused", json!(null)), Stale),
        (("Failed", json!(LATER)), ("Succeeded", json!(EARLIER)), Advance),
        (("Succeeded", json!(EARLIER)), ("Failed", json!(LATER)), Stale),
        (("Succeeded", json!(LATER)), ("Succeeded", json!(LATER)), Duplicate),
        (("Succeeded", json!(null)), ("Succeeded", json!(null)), Duplicate),
        (("Succeeded", json!(null)), ("Succeeded", json!(LATER)), Stale),
        (("Succeeded", json!("soon")), ("Succeeded", json!(LATER)), Stale),
        (("Succeeded", json!("soon")), ("Succeeded", json!("soon")), Duplicate),
    ] {
        let (incoming, stored) = (flow(incoming.0, incoming.1), flow(stored.0, stored.1));
        assert_eq!(incoming.progress_from(&stored), expected, "{incoming:?} after {stored:?}");
        assert!(incoming.rank().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    }
    let mut advanced = flow("InProgress", json!(LATER));
    let stored = advanced.clone();
    advanced.messages[0].status = Some(Status::new(StatusName::Expired));
    assert_ne!(advanced.progress_from(&stored), Duplicate);
    assert_eq!(FailoverStatus::KNOWN.len(), 4);
}
