//! Which of two statuses is newer: an order that no order of arrival can change.

use std::cmp::Ordering;

use crate::common::fields::STATUS_NAMES;
use crate::common::{config, read};
use chrono::{DateTime, Utc};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use routee_viber::{FailoverCallback, FailoverStatus, FailoverStep, Progress, Stage, Status, StatusName};
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
    progress_of(order(incoming, stored))
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

/// As a collation compares that takes digits for numbers, as ICU's with `kn`: run by run.
fn numeric_collation(one: &str, other: &str) -> Ordering {
    let runs = |text: &str| {
        let mut runs: Vec<(bool, String)> = Vec::new();
        for letter in text.chars() {
            match runs.last_mut() {
                Some((true, run)) if letter.is_ascii_digit() => run.push(letter),
                _ => runs.push((letter.is_ascii_digit(), letter.to_string())),
            }
        }
        // Digits come before letters, and zeros at the front of a number do not count.
        let key = |(is_number, run): (bool, String)| match is_number {
            true => (0, run.trim_start_matches('0').len(), run.trim_start_matches('0').to_owned()),
            false => (1, 0, run),
        };
        runs.into_iter().map(key).collect::<Vec<_>>()
    };
    runs(one).cmp(&runs(other))
}

#[test]
fn ranks_of_known_names_compare_as_the_statuses_do_in_a_collation_of_numbers() {
    assert_eq!(numeric_collation("a9", "a10"), Ordering::Less);
    let known = |status: &Status| !matches!(status.name, StatusName::Other(_)) && status.extra.is_empty();
    let grid: Vec<_> = grid().into_iter().filter(known).collect();
    assert!(grid.len() >= 7 * 12);
    for one in &grid {
        for other in &grid {
            let (rank, other_rank) = (one.rank(), other.rank());
            assert_eq!(
                numeric_collation(&rank, &other_rank),
                order(one, other),
                "{one:?}: {rank}\n{other:?}: {other_rank}"
            );
        }
    }
    // A stored SEEN was once replaced by a QUEUED.
    let ranks = [status("QUEUED", json!(LATER)), status("SEEN", json!(null))].map(|status| status.rank());
    assert_eq!(numeric_collation(&ranks[0], &ranks[1]), Ordering::Less);
}

#[test]
fn a_rank_is_digits_and_lower_case_hex() {
    for rank in grid().iter().map(Status::rank) {
        let is_plain = rank.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        assert!(is_plain, "{rank}");
    }
    let seen = status("SEEN", json!("2019-07-05T10:28:49.5Z")).rank();
    assert_eq!(seen, "2a10001562322529a0500000000a0a5345454e0000");
    let queued = status("QUEUED", json!(null)).rank();
    assert_eq!(queued, "0a00000000000000a0000000000a0a5155455545440000");
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
                assert_eq!(progress, progress_of(flow_order(incoming, &stored)), "{incoming:?} after {stored:?}");
                assert_eq!(progress, progress_of(incoming.rank().cmp(&stored.rank())));
                if progress == Progress::Advance { (*incoming).clone() } else { stored }
            };
            came.iter().fold(came[0].clone(), newer)
        };
        let in_order: Vec<_> = updates.iter().collect();
        let shuffled: Vec<_> = order.iter().map(|at| at.get(&updates)).chain(updates.iter().rev()).collect();
        prop_assert_eq!(stored(&in_order), stored(&shuffled));
    }

    #[test]
    fn ranks_of_flows_compare_as_the_flows_do_in_a_collation_of_numbers(one in known_flow(), other in known_flow()) {
        let order = order_before_the_key(&one, &other);
        if order != Ordering::Equal {
            prop_assert_eq!(numeric_collation(&one.rank(), &other.rank()), order);
        }
    }
}

fn progress_of(order: Ordering) -> Progress {
    match order {
        Ordering::Less => Progress::Stale,
        Ordering::Equal => Progress::Duplicate,
        Ordering::Greater => Progress::Advance,
    }
}

/// The order as the rules state it, by hand: greater is newer.
fn flow_order(one: &FailoverCallback, other: &FailoverCallback) -> Ordering {
    order_before_the_key(one, other).then_with(|| one.idempotency_key().cmp(&other.idempotency_key()))
}

fn order_before_the_key(one: &FailoverCallback, other: &FailoverCallback) -> Ordering {
    let key = |flow: &FailoverCallback| {
        let place = match flow.status.as_str() {
            "Queued" => (0, 0),
            "InProgress" => (0, 1),
            _ => (1, 0),
        };
        (place.0, flow.updated_at, place.1, flow.messages.len())
    };
    let step = |one: &FailoverStep, other: &FailoverStep| match (&one.status, &other.status) {
        (Some(one), Some(other)) => order(one, other),
        (one, other) => one.is_some().cmp(&other.is_some()),
    };
    let steps = one.messages.iter().zip(&other.messages).map(|(one, other)| step(one, other));
    key(one).cmp(&key(other)).then(steps.fold(Ordering::Equal, Ordering::then))
}

/// Flows with known and unknown statuses, equal and missing and unreadable dates, and steps with and without a status.
fn flow() -> impl Strategy<Value = FailoverCallback> {
    let step = prop_oneof![
        4 => (select(vec!["QUEUED", "EXPIRED", "UNSENT", "Sent", "SEEN"]), any_date()).prop_map(Some),
        1 => Just(None),
    ];
    let name = select(vec!["Queued", "InProgress", "Succeeded", "Failed", "Paused"]);
    (name, any_date(), vec(step, 0..3), any::<bool>()).prop_map(|(status, date, steps, is_list)| {
        let step = |(at, step): (usize, &Option<(&str, Value)>)| {
            let status = step.as_ref().map(|(name, date)| json!({"name": name, "updatedDate": date}));
            json!({"trackingId": at.to_string(), "status": status})
        };
        let steps: Vec<_> = steps.iter().enumerate().map(step).collect();
        let steps = if is_list { json!(steps) } else { json!({"0": steps}) };
        let body = json!({"trackingId": "1", "status": status, "updatedAt": date, "messages": steps});
        serde_json::from_value(body).unwrap()
    })
}

fn any_date() -> impl Strategy<Value = Value> {
    select(vec![json!(null), json!(EARLIER), json!(LATER), json!("soon"), json!("later")])
}

fn known_flow() -> impl Strategy<Value = FailoverCallback> {
    let is_known = |flow: &FailoverCallback| {
        let has_no_digits = |step: &FailoverStep| {
            step.status.as_ref().is_none_or(|status| status.extra.is_empty() && status.name.stage().is_some())
        };
        flow.messages.iter().all(has_no_digits)
    };
    flow().prop_filter("what is unrecognized is compared as digits", is_known)
}

#[test]
fn the_updates_of_a_flow_are_ordered() {
    use Progress::{Advance, Duplicate, Stale};
    let flow = |status: &str, date: Value, messages: Value| -> FailoverCallback {
        read(&json!({"trackingId": "1", "status": status, "updatedAt": date, "messages": messages}))
    };
    let step = |name: &str| json!({"status": name});
    let (none, one) = (json!([]), json!([step("QUEUED")]));
    let two = json!([step("QUEUED"), {}]);
    let (later, never) = (json!(LATER), json!(null));
    let is_newer = |incoming: (&str, &Value, &Value), stored: (&str, &Value, &Value)| {
        let (incoming, stored) = (
            flow(incoming.0, incoming.1.clone(), incoming.2.clone()),
            flow(stored.0, stored.1.clone(), stored.2.clone()),
        );
        assert_eq!(incoming.progress_from(&stored), Advance, "{incoming:?} after {stored:?}");
        assert_eq!(stored.progress_from(&incoming), Stale, "{stored:?} after {incoming:?}");
        assert_eq!(incoming.progress_from(&incoming), Duplicate);
        assert!(incoming.rank().bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
    };
    let earlier = json!(EARLIER);
    // Pending before final, to which unknown names belong.
    is_newer(("Succeeded", &earlier, &none), ("InProgress", &later, &two));
    is_newer(("Failed", &never, &none), ("Queued", &later, &none));
    is_newer(("Paused", &never, &none), ("InProgress", &later, &one));
    // The later date; none and an unreadable one before any.
    is_newer(("InProgress", &later, &none), ("Queued", &earlier, &one));
    is_newer(("Queued", &later, &none), ("InProgress", &earlier, &one));
    is_newer(("Failed", &later, &none), ("Succeeded", &earlier, &one));
    is_newer(("Succeeded", &later, &none), ("Failed", &earlier, &one));
    is_newer(("Succeeded", &later, &none), ("Succeeded", &never, &two));
    is_newer(("Succeeded", &later, &none), ("Succeeded", &json!("soon"), &two));
    // Queued before InProgress.
    for date in [&later, &never] {
        is_newer(("InProgress", date, &none), ("Queued", date, &two));
    }
    is_newer(("InProgress", &json!("a"), &none), ("Queued", &json!("b"), &two));
    // More steps.
    for date in [&later, &never] {
        is_newer(("Queued", date, &one), ("Queued", date, &none));
        is_newer(("Queued", date, &two), ("Queued", date, &one));
        is_newer(("Queued", date, &one), ("Queued", date, &json!({"a": step("SEEN"), "b": 1})));
        is_newer(("Queued", date, &json!([{}])), ("Queued", date, &json!(["a", "b"])));
    }
    // The statuses of the steps in their order.
    is_newer(("Queued", &later, &json!([step("QUEUED")])), ("Queued", &later, &json!([{}])));
    is_newer(
        ("Queued", &later, &json!([step("EXPIRED"), {}])),
        ("Queued", &later, &json!([step("QUEUED"), step("SEEN")])),
    );
    is_newer(("Queued", &later, &json!([{}, step("SEEN")])), ("Queued", &later, &json!([{}, step("DELIVERED")])));
    // The key.
    let of = |id: &str| json!([{"trackingId": id, "status": "QUEUED"}]);
    is_newer(("Queued", &later, &of("b")), ("Queued", &later, &of("a")));
    is_newer(("Succeeded", &later, &none), ("Failed", &later, &none));
    assert_eq!(FailoverStatus::KNOWN.len(), 4);
}

#[test]
fn the_rank_of_a_flow_has_its_documented_format() {
    let rank = |body: Value| read::<FailoverCallback>(&body).rank();
    assert_eq!(
        rank(json!({"trackingId": "1", "status": "Queued"})),
        "0a00000000000000a0000000000a0a00000000000000000000a5b2231222c22517565756564222c6e756c6c5d00",
    );
    let with_steps = rank(json!({
        "trackingId": "1", "status": "InProgress", "updatedAt": LATER, "messages": [{}, {"status": "SEEN"}],
    }));
    let expected =
        "0a10001562322529a0000000000a1a00000000000000000002a0a1a2a00000000000000a0000000000a0a5345454e0000a5b22";
    assert!(with_steps.starts_with(expected), "{with_steps}");
}
