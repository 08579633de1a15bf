//! The promises of the crate for bodies that nobody thought of: generated ones, and fixtures with
//! something changed anywhere. `oracle` says what must come of them.
//!
//! The seed is fixed, so that a run says something about the code alone; `PROPTEST_RNG_SEED` and
//! `PROPTEST_CASES` look further.

mod common;
mod oracle;

use std::fs;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use common::{minimal, read, try_read, written};
use oracle::{CALLBACK, DETAILED_STATUSES, Fields, Kind, STATUS_NAMES};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::RngSeed;
use routee_viber::{
    Body, Counting, Extra, Progress, Reason, RetryPlan, Stage, Status, StatusName, Ttl, ViberAction, ViberCallback,
    ViberFile, ViberVideo,
};
use serde_json::{Map, Value, json};

fn config() -> ProptestConfig {
    let config = ProptestConfig { failure_persistence: None, ..ProptestConfig::default() };
    match config.rng_seed {
        RngSeed::Random => ProptestConfig { rng_seed: RngSeed::Fixed(1), ..config },
        RngSeed::Fixed(_) => config,
    }
}

/// Reads a body by every way, and demands what the oracle says.
fn check(body: &Value) {
    let Some(sent) = body.as_object() else {
        assert!(try_read(&body.to_string()).is_err());
        return;
    };
    match oracle::missing(sent) {
        None => oracle::assert_kept(sent, &written(&read(body))),
        Some(path) => {
            let message = format!("no readable `{path}`");
            assert_eq!(try_read(&body.to_string()), Err(message.clone()));
            let from_value = serde_json::from_value::<ViberCallback>(body.clone());
            assert_eq!(from_value.unwrap_err().to_string(), message);
        }
    }
}

fn finite() -> impl Strategy<Value = f64> {
    any::<f64>().prop_filter("JSON has no other", |value| value.is_finite())
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        finite().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec((any::<String>(), inner), 0..4).prop_map(|entries| entries.into_iter().collect()),
        ]
    })
}

/// A value that some field takes, or almost takes.
fn value() -> impl Strategy<Value = Value> {
    let name = select([&STATUS_NAMES[..], &DETAILED_STATUSES, &["viber", "in_bound"]].concat());
    let number = prop_oneof![
        "(0|-?[1-9][0-9]{0,17})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        select(vec!["29", "30", "86400", "86400.0", "86401", "1209600", "9007199254740993"]).prop_map(str::to_owned),
    ];
    prop_oneof![
        json(),
        name.prop_map(Value::from),
        name_respelled().prop_map(Value::from),
        number.clone().prop_map(Value::from),
        number.prop_map(|text| serde_json::from_str(&text).unwrap_or(Value::from(text))),
        date_text().prop_map(Value::from),
        (1_000_000_000_i64..100_000_000_000).prop_map(Value::from),
        (1_000_000_000.0..100_000_000_000.0).prop_map(Value::from),
        (1_000_000_000_000.0..100_000_000_000_000.0).prop_map(Value::from),
        vec(any::<String>(), 0..4).prop_map(Value::from),
    ]
}

fn name_respelled() -> impl Strategy<Value = String> {
    (select(DETAILED_STATUSES.to_vec()), "[ _-]", any::<bool>()).prop_map(|(name, between, upper)| {
        let name = name.replace(' ', &between);
        if upper { name.to_uppercase() } else { name.to_lowercase() }
    })
}

fn date_text() -> impl Strategy<Value = String> {
    concat!(
        "(0000|2016|2019|2020|9999)-(02|06|12)-(0[019]|28|29|30|31)[Tt ]([01][0-9]|2[0-4]):([0-5][0-9]|60)",
        ":([0-5][0-9]|60)(\\.[0-9]{0,10})?([Zz]|[+-](00|03|23|24):?(00|45|59))?"
    )
}

/// A key of an object: documented, spelled otherwise, or unknown.
fn key(name: &'static str, others: &'static [&'static str]) -> impl Strategy<Value = String> {
    let spellings: Vec<_> = [name].iter().chain(others).map(|name| name.to_string()).collect();
    prop_oneof![
        3 => Just(name.to_owned()),
        1 => select(spellings.clone()),
        1 => select(spellings.clone()).prop_map(|name| name.to_uppercase()),
        1 => select(spellings).prop_map(|name| name.to_lowercase()),
        1 => any::<String>(),
    ]
}

fn object(fields: Fields) -> BoxedStrategy<Map<String, Value>> {
    let entries: Vec<_> = fields
        .iter()
        .map(|(name, others, kind)| {
            let value = match kind {
                Kind::Object(fields, _) => prop_oneof![1 => value(), 2 => object(fields).prop_map(Value::from)].boxed(),
                _ => value().boxed(),
            };
            (key(name, others), value).boxed()
        })
        .collect();
    vec(select(entries).prop_flat_map(|entry| entry), 0..=fields.len())
        .prop_map(|entries| entries.into_iter().collect())
        .boxed()
}

/// A body with what is required, unless an entry of the same key comes later.
fn body() -> impl Strategy<Value = Value> {
    object(CALLBACK).prop_map(|entries| {
        let mut body = minimal();
        body.as_object_mut().unwrap().extend(entries);
        body
    })
}

fn fixtures() -> impl Strategy<Value = Value> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let mut paths: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let bodies: Vec<Value> =
        paths.iter().map(|path| serde_json::from_slice(&fs::read(path).unwrap()).unwrap()).collect();
    assert!(bodies.len() > 30);
    select(bodies)
}

#[derive(Debug, Clone)]
enum Change {
    Drop,
    Become(Value),
    BecomeItsText,
    Rename(fn(&str) -> String),
}

fn change() -> impl Strategy<Value = Change> {
    let renames: Vec<fn(&str) -> String> = vec![
        str::to_uppercase,
        str::to_lowercase,
        |_| "status".to_owned(),
        |_| "date".to_owned(),
        |_| "Action".to_owned(),
        |key| format!("{key}2"),
    ];
    prop_oneof![
        Just(Change::Drop),
        Just(Change::Become(Value::Null)),
        value().prop_map(Change::Become),
        Just(Change::BecomeItsText),
        select(renames).prop_map(Change::Rename),
    ]
}

/// The JSON pointers of every value inside a value.
fn places(value: &Value) -> Vec<String> {
    let inside: Vec<_> = match value {
        Value::Object(object) => {
            object.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    let deeper = |(key, value): (String, _)| {
        let below = places(value).into_iter().map({
            let key = key.clone();
            move |place| format!("/{key}{place}")
        });
        [format!("/{key}")].into_iter().chain(below).collect::<Vec<_>>()
    };
    inside.into_iter().flat_map(deeper).collect()
}

fn apply(body: &mut Value, place: Index, change: &Change) {
    let places = places(body);
    if places.is_empty() {
        return;
    }
    let place = place.get(&places);
    let (parent, key) = place.rsplit_once('/').unwrap();
    let key = key.replace("~1", "/").replace("~0", "~");
    match (change, body.pointer_mut(parent).unwrap()) {
        (Change::Become(value), parent) => *at(parent, &key) = value.clone(),
        (Change::BecomeItsText, parent) => {
            let value = at(parent, &key);
            *value = Value::from(value.to_string());
        }
        (Change::Drop, Value::Object(parent)) => drop(parent.remove(&key)),
        (Change::Rename(rename), Value::Object(parent)) => {
            let value = parent.remove(&key).unwrap();
            parent.insert(rename(&key), value);
        }
        (Change::Drop, parent) => drop(parent.as_array_mut().unwrap().remove(key.parse().unwrap())),
        (Change::Rename(_), _) => {}
    }
}

fn at<'a>(parent: &'a mut Value, key: &str) -> &'a mut Value {
    match parent {
        Value::Array(items) => &mut items[key.parse::<usize>().unwrap()],
        object => &mut object[key],
    }
}

fn text() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("the same as absent", |text| !text.is_empty())
}

fn some<T: std::fmt::Debug + Clone>(of: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    proptest::option::of(of)
}

/// Entries that have no field in any object.
fn extra() -> impl Strategy<Value = Extra> {
    vec((any::<String>().prop_map(|key| format!("+{key}")), json()), 0..3)
        .prop_map(|entries| entries.into_iter().collect())
}

/// An instant that a body can hold.
fn instant() -> impl Strategy<Value = DateTime<Utc>> {
    let years_0_to_9999 = -62_167_219_200_i64..253_402_300_800;
    (years_0_to_9999, 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap())
}

fn reason() -> impl Strategy<Value = Reason> {
    (some(text()), some(text()), extra()).prop_map(|(detailed_status, description, extra)| {
        let mut reason = Reason::default();
        reason.detailed_status = detailed_status.map(Into::into);
        reason.description = description;
        reason.extra = extra;
        reason
    })
}

fn content() -> impl Strategy<Value = Body> {
    let part = || (some(text()), some(text()), extra());
    let number = || some(finite());
    let texts = (some(text()), some(text()), some(text()), extra());
    (texts, some(part()), some((some(text()), part())), some((part(), number(), number()))).prop_map(
        |((text, ios_fallback_text, image_url, extra), action, file, video)| {
            let mut body = Body::default();
            body.text = text;
            body.ios_fallback_text = ios_fallback_text;
            body.image_url = image_url;
            body.extra = extra;
            body.viber_action = action.map(|(caption, target_url, extra)| {
                let mut action = ViberAction::default();
                action.caption = caption;
                action.target_url = target_url;
                action.extra = extra;
                action
            });
            body.viber_file = file.map(|(name, (file_type, url, extra))| {
                let mut file = ViberFile::default();
                file.file_name = name;
                file.file_type = file_type;
                file.file_url = url;
                file.extra = extra;
                file
            });
            body.viber_video = video.map(|((url, thumbnail, extra), size, duration)| {
                let mut video = ViberVideo::default();
                video.video_url = url;
                video.video_thumbnail = thumbnail;
                video.file_size = size;
                video.duration = duration;
                video.extra = extra;
                video
            });
            body
        },
    )
}

/// A callback that a program might fill in by hand.
fn callback() -> impl Strategy<Value = ViberCallback> {
    let texts = || (some(text()), some(text()), some(text()), some(text()));
    let status = (text(), some(reason()), some(instant()), extra());
    let ttl = some(prop_oneof![30_u32..=86_400, Just(1_209_600)]);
    let rest = (some(content()), ttl, some(finite()), some(instant()), vec(any::<String>(), 0..4), extra());
    (text(), status, texts(), texts(), some(text()), rest).prop_map(
        |(id, (name, reason, updated_date, status_extra), first, second, service, rest)| {
            let mut callback = ViberCallback::new(id, name.into());
            callback.status.reason = reason;
            callback.status.updated_date = updated_date;
            callback.status.extra = status_extra;
            (callback.campaign_tracking_id, callback.to, callback.from, callback.country) = first;
            (callback.label, callback.inbound_url, callback.application_name, _) = second.clone();
            callback.direction = second.3.map(Into::into);
            callback.originating_service = service.map(Into::into);
            let (body, ttl, price, created_at, groups, extra) = rest;
            callback.body = body;
            callback.ttl = ttl.map(|seconds| Ttl::from_secs(seconds).unwrap());
            callback.price = price;
            callback.created_at = created_at;
            callback.groups = groups;
            callback.extra = extra;
            callback
        },
    )
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn promises_hold_for_changed_fixtures(
        mut body in fixtures(),
        changes in vec((any::<Index>(), change()), 1..6),
    ) {
        for (place, change) in &changes {
            apply(&mut body, *place, change);
        }
        check(&body);
    }

    #[test]
    fn promises_hold_for_generated_bodies(body in body()) {
        check(&body);
    }

    #[test]
    fn promises_hold_for_any_json(value in json()) {
        check(&value);
    }

    #[test]
    fn what_is_filled_in_by_hand_is_read_back(callback in callback()) {
        prop_assert_eq!(&read(&written(&callback)), &callback);
    }

    #[test]
    fn the_same_key_twice_is_named_where_the_object_is_modelled(
        mut body in fixtures(),
        place in any::<Index>(),
        value in json(),
    ) {
        // JSON of `serde_json` has no key twice, so one is marked and its mark taken off in the text.
        const MARK: &str = "+again";
        let places: Vec<_> = places(&body)
            .into_iter()
            .filter(|place| body.pointer(place.rsplit_once('/').unwrap().0).unwrap().is_object())
            .collect();
        let (parent, key) = place.get(&places).rsplit_once('/').unwrap();
        body.pointer_mut(parent).unwrap()[format!("{key}{MARK}")] = value;
        let result = try_read(&body.to_string().replace(&format!("{MARK}\":"), "\":"));
        let path = format!("{parent}/{key}")[1..].replace('/', ".");
        let models = ["", "/status", "/status/reason", "/body", "/body/viberAction", "/body/viberFile", "/body/viberVideo"];
        if models.contains(&parent) {
            let error = result.unwrap_err();
            prop_assert_eq!(common::what(&error), format!("`{path}` is given twice"));
        } else {
            // The last value stays, which may be none for a name that is required.
            let is_named_twice = |error: String| error.contains("given twice");
            prop_assert!(!result.is_err_and(is_named_twice));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), text in any::<String>()) {
        prop_assert!(ViberCallback::from_slice(&bytes).is_err());
        prop_assert!(try_read(&text).is_err());
    }

    #[test]
    fn no_broken_body_panics_and_what_is_read_of_it_stays(
        body in fixtures(),
        breaks in vec((any::<Index>(), any::<[u8; 2]>(), 0_usize..4), 1..4),
    ) {
        let mut bytes = body.to_string().into_bytes();
        for (place, new, count) in breaks {
            let start = place.index(bytes.len());
            let end = bytes.len().min(start + count);
            bytes.splice(start..end, new);
        }
        if let Ok(callback) = ViberCallback::from_slice(&bytes) {
            prop_assert_eq!(read(&written(&callback)), callback);
        }
    }
}

/// Names of every stage and one of none; dates that are equal often, and some that cannot be read.
fn status() -> impl Strategy<Value = Status> {
    let name = select([&STATUS_NAMES[..], &["Sent", "Read"]].concat());
    let date = select(vec![
        Value::Null,
        json!("2019-07-05T10:28:44Z"),
        json!("2019-07-05T10:28:45Z"),
        json!(1_562_322_524),
        json!("soon"),
        json!(["soon"]),
    ]);
    (name, date).prop_map(|(name, date)| serde_json::from_value(json!({"name": name, "updatedDate": date})).unwrap())
}

/// What is stored after statuses came in that order.
fn stored(statuses: &[Status]) -> Status {
    let newer = |stored: Status, incoming: &Status| match incoming.progress_from(&stored) {
        Progress::Advance => incoming.clone(),
        Progress::Duplicate | Progress::Stale => stored,
    };
    statuses[1..].iter().fold(statuses[0].clone(), newer)
}

/// A tracking id, and a status whose date may be any value.
fn delivery() -> impl Strategy<Value = ViberCallback> {
    let hostile = "[a\"\\\\,\\[\\]\n ]{0,4}";
    let date = prop_oneof![instant().prop_map(|date| json!(date)), hostile.prop_map(Value::from), json(),];
    (hostile, hostile, date).prop_map(|(id, name, date)| {
        let body = json!({
            "trackingId": format!("{id}1"),
            "status": {"name": format!("{name}n"), "updatedDate": date},
        });
        serde_json::from_value(body).unwrap()
    })
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn two_statuses_that_are_ordered_end_in_the_later_one(
        one in status(),
        other in status(),
        order in vec(any::<bool>(), 0..6),
    ) {
        let mut came: Vec<_> = order.iter().map(|is_one| if *is_one { &one } else { &other }).collect();
        came.insert(order.len() / 2, &one);
        came.insert(order.len() / 3, &other);
        let came: Vec<_> = came.into_iter().cloned().collect();
        match (one.progress_from(&other), other.progress_from(&one)) {
            (Progress::Advance, Progress::Stale) => prop_assert_eq!(stored(&came), one),
            (Progress::Stale, Progress::Advance) => prop_assert_eq!(stored(&came), other),
            (Progress::Duplicate, Progress::Duplicate) => prop_assert_eq!(stored(&came), came[0].clone()),
            // Nothing says which of them is the later one.
            (Progress::Stale, Progress::Stale) => {
                let is_final = |stage| matches!(stage, Some(Stage::Failed | Stage::Delivered));
                let (stage, other) = (one.name.stage(), other.name.stage());
                prop_assert!(stage.is_some() && (stage == other || is_final(stage) && is_final(other)));
                prop_assert_eq!(stored(&came), came[0].clone());
            }
            (Progress::Advance, Progress::Advance) => {
                prop_assert!(one.name.stage().is_none() || other.name.stage().is_none());
            }
            unexpected => prop_assert!(false, "{unexpected:?}"),
        }
    }

    #[test]
    fn any_order_of_dated_statuses_ends_in_the_same(
        names in vec(select(STATUS_NAMES.to_vec()), 1..6),
        order in vec(any::<Index>(), 0..12),
        start in instant(),
    ) {
        let dated = |(at, name): (usize, &&str)| {
            let mut status = Status::new(StatusName::from(*name));
            status.updated_date = Some(start + TimeDelta::seconds(i64::try_from(at).unwrap()));
            status
        };
        let statuses: Vec<_> = names.iter().enumerate().map(dated).collect();
        let shuffled = order.iter().map(|at| at.get(&statuses)).chain(statuses.iter().rev());
        let shuffled: Vec<_> = shuffled.cloned().collect();
        prop_assert_eq!(stored(&shuffled), stored(&statuses));
    }

    #[test]
    fn seen_is_never_left_for_a_name_that_has_a_stage(mut came in vec(status(), 1..6), at in any::<Index>()) {
        came.retain(|status| status.name.stage().is_some());
        let seen = Status::new(StatusName::Seen);
        came.insert(at.index(came.len() + 1), seen);
        prop_assert_eq!(stored(&came).name, StatusName::Seen);
    }

    #[test]
    fn a_duplicate_is_what_has_the_same_idempotency_key(one in status(), other in status()) {
        prop_assert_eq!(one.progress_from(&one), Progress::Duplicate);
        let key = |status: &Status| {
            let mut callback = ViberCallback::new("1", StatusName::Seen);
            callback.status = status.clone();
            callback.idempotency_key()
        };
        let is_duplicate = one.progress_from(&other) == Progress::Duplicate;
        prop_assert_eq!(key(&one) == key(&other), is_duplicate);
    }

    #[test]
    fn different_status_changes_have_different_idempotency_keys(one in delivery(), other in delivery()) {
        let is_same = one.tracking_id == other.tracking_id && one.status == other.status;
        prop_assert_eq!(one.idempotency_key() == other.idempotency_key(), is_same);
        prop_assert_eq!(read(&written(&one)).idempotency_key(), one.idempotency_key());
        let parts: Value = serde_json::from_str(&one.idempotency_key()).unwrap();
        prop_assert_eq!(&parts[0], one.tracking_id.as_str());
        prop_assert_eq!(&parts[1], one.status.name.as_str());
    }
}

fn any_instant() -> impl Strategy<Value = DateTime<Utc>> {
    let (first, last) = (DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC);
    let near = (any::<bool>(), 0_i64..200_000).prop_map(move |(is_last, seconds)| {
        if is_last { last - TimeDelta::seconds(seconds) } else { first + TimeDelta::seconds(seconds) }
    });
    let any = (first.timestamp()..=last.timestamp(), 0_u32..1_000_000_000)
        .prop_map(|(seconds, nanos)| DateTime::from_timestamp(seconds, nanos).unwrap());
    prop_oneof![any, near]
}

fn any_duration() -> impl Strategy<Value = Duration> {
    let any = (any::<u64>(), 0_u32..1_000_000_000).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos));
    prop_oneof![any, (0_u64..200_000).prop_map(Duration::from_secs), Just(Duration::ZERO)]
}

fn plan() -> impl Strategy<Value = RetryPlan> {
    let counting = select(vec![Counting::FromFirstAttempt, Counting::FromPreviousAttempt]);
    (any_instant(), counting).prop_map(|(first, counting)| RetryPlan::new(first).counting(counting))
}

fn attempts(plan: RetryPlan) -> Vec<DateTime<Utc>> {
    plan.attempt(0).into_iter().chain(plan.times()).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn retries_come_one_after_another(plan in plan(), beyond in 13_u8..) {
        let attempts = attempts(plan);
        prop_assert_eq!(attempts.len(), 13);
        let numbered: Vec<_> = (0..13).filter_map(|number| plan.attempt(number)).collect();
        prop_assert_eq!(&numbered, &attempts);
        prop_assert_eq!(plan.attempt(beyond), None);
        prop_assert_eq!(plan.gives_up_at(), attempts[12]);
        let is_saturated = attempts[12] == DateTime::<Utc>::MAX_UTC;
        prop_assert!(attempts.is_sorted());
        prop_assert!(is_saturated || attempts.is_sorted_by(|one, other| one < other));
    }

    #[test]
    fn the_next_retry_is_the_first_of_the_times_that_are_left(
        plan in plan(),
        now in any_instant(),
        since in 0_i64..150_000,
    ) {
        for now in [now, plan.attempt(0).unwrap().checked_add_signed(TimeDelta::seconds(since)).unwrap_or(now)] {
            let next = plan.next_after(now).map(|retry| (usize::from(retry.number), retry.at));
            let expected = plan.times().enumerate().find(|(_, at)| *at > now);
            prop_assert_eq!(next, expected.map(|(index, at)| (index + 1, at)));
        }
    }

    #[test]
    fn an_attempt_is_recognized_by_its_time(plan in plan(), number in 0_u8..=12, tolerance in any_duration()) {
        let at = plan.attempt(number).unwrap();
        let expected = attempts(plan).iter().position(|attempt| *attempt == at).unwrap();
        let found = plan.attempt_at(at, tolerance).map(usize::from);
        prop_assert_eq!(found, Some(expected));
        prop_assert!(expected == usize::from(number) || at == DateTime::<Utc>::MAX_UTC);
    }

    #[test]
    fn the_attempt_of_any_time_is_the_nearest_within_the_tolerance(
        plan in plan(),
        received in any_instant(),
        since in -200_000_i64..200_000,
        tolerance in any_duration(),
    ) {
        let near = plan.attempt(0).unwrap().checked_add_signed(TimeDelta::seconds(since));
        for received in [Some(received), near].into_iter().flatten() {
            let apart = |at: &DateTime<Utc>| (received - at).abs().to_std().unwrap();
            let attempts = attempts(plan);
            let nearest = attempts.iter().enumerate().min_by_key(|(number, at)| (apart(at), *number)).unwrap();
            let expected = (apart(nearest.1) <= tolerance).then_some(nearest.0);
            prop_assert_eq!(plan.attempt_at(received, tolerance).map(usize::from), expected);
        }
    }
}
