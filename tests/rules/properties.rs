//! The promises of the crate for bodies that nobody thought of: generated ones, and fixtures with
//! something changed anywhere. `oracle` says what must come of them.

use crate::common::fields::{DETAILED_STATUSES, Field, Kind, Model, STATUS_NAMES};
use crate::common::oracle;
use crate::common::{self, ROOTS, Root, config, root_of, what, written};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use routee_viber::{BodyKind, CallbackErrorKind, Incoming, ViberCallback};
use serde_json::{Map, Value, json};

/// Reads a body by every way, and demands what the oracle says.
fn check(root: &Root, body: &Value) {
    let read = root.read(body);
    let Some(sent) = body.as_object() else {
        assert_eq!(read.unwrap_err().kind(), CallbackErrorKind::NotAnObject);
        return;
    };
    let foreign = oracle::foreign_kind(sent).filter(|_| root.model.name == "ViberCallback");
    match (foreign, oracle::missing(root.model, sent)) {
        (Some(kind), _) => {
            let error = read.unwrap_err();
            assert_eq!(error.to_string(), format!("{kind}, not a Viber status"), "{body}");
            assert_eq!((error.kind(), error.body_kind()), (CallbackErrorKind::OtherKind, Some(kind)));
        }
        (None, Some(path)) => {
            let error = read.unwrap_err();
            assert_eq!(error.to_string(), format!("no readable `{path}`"), "{body}");
            assert_eq!((error.kind(), error.path()), (CallbackErrorKind::MissingField, Some(path.as_str())));
        }
        (None, None) => {
            let read = read.unwrap_or_else(|error| panic!("{error}: {body}"));
            oracle::assert_kept(root.model, oracle::held(body).as_object().unwrap(), &read.written);
            // What is kept is what was sent, and is reported.
            let kept = read.kept.as_object().unwrap();
            assert!(read.reported.len() >= kept.len(), "{body}");
            for path in kept.keys() {
                assert!(read.reported.iter().any(|it| it.starts_with(&format!("`{path}` "))), "{path} of {body}");
            }
        }
    }
}

/// Reads a body whatever its kind, and demands what the oracle and the model of its kind say.
fn check_incoming(body: &Value) {
    let text = body.to_string();
    let incoming = Incoming::from_slice(text.as_bytes());
    let by_serde = serde_json::from_value::<Incoming>(body.clone());
    assert_eq!(by_serde.as_ref().map_err(what), incoming.as_ref().map_err(what), "{text}");
    let Some(sent) = body.as_object() else {
        assert_eq!(incoming.unwrap_err().kind(), CallbackErrorKind::NotAnObject);
        return;
    };
    let incoming = incoming.unwrap_or_else(|error| panic!("{error}: {text}"));
    assert!(!incoming.to_string().contains(char::is_control), "{incoming}");
    let again = written(&incoming).to_string();
    assert_eq!(Incoming::from_slice(again.as_bytes()).as_ref(), Ok(&incoming), "{again}, written for {text}");

    let kind = oracle::read_kind(sent);
    let model = match kind {
        BodyKind::Status => "ViberCallback",
        BodyKind::Inbound => "InboundMessage",
        BodyKind::Failover => "FailoverCallback",
        _ => {
            let held = oracle::held(body).as_object().unwrap().clone();
            assert_eq!(incoming, Incoming::Other(held), "{text}");
            assert_eq!(incoming.kind(), oracle::marked_kind(sent).unwrap_or(BodyKind::Other), "{text}");
            return;
        }
    };
    assert_eq!(incoming.kind(), kind, "{text}");
    let read = ROOTS.iter().find(|root| root.model.name == model).unwrap().read(body).unwrap();
    assert_eq!(written(&incoming), read.written);
    let reported: Vec<_> = incoming.anomalies().iter().map(ToString::to_string).collect();
    assert_eq!(reported, read.reported);
    let kept: Value = incoming.extras().map(|(path, value)| (path, value.clone())).collect();
    assert_eq!(kept, read.kept);
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
    let name =
        select([STATUS_NAMES, DETAILED_STATUSES, &["viber", "in_bound", "in progress", "TRUE", "false"]].concat());
    let number = prop_oneof![
        "(0|-?[1-9][0-9]{0,17})(\\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?",
        select(vec!["29", "30", "86400", "86400.0", "86401", "1209600", "9007199254740993", "29.9999999999999999999"])
            .prop_map(str::to_owned),
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
        "1[0-9]{9}([0-9]{3})?(\\.[0-9]{1,20})?".prop_map(Value::from),
        vec(any::<String>(), 0..4).prop_map(Value::from),
        (0_i32..=10_000, vec(0_u32..61, 3..7))
            .prop_map(|(year, rest)| { [json!(year)].into_iter().chain(rest.into_iter().map(Value::from)).collect() }),
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
        "(:([0-5][0-9]|60)(\\.[0-9]{0,10})?)?([Zz]|[+-](00|03|23|24):?(00|45|59))?(\\[(UTC|Europe/Athens|a b|)\\]?)?"
    )
}

/// Keys that tell other kinds apart.
const MARKS: [&str; 14] = [
    "messages",
    "recipient",
    "applicationId",
    "steps",
    "flowId",
    "campaignStatus",
    "messageStatuses",
    "dateTime",
    "final",
    "delivered",
    "event",
    "messageId",
    "media",
    "referenceTrackingId",
];

/// A key of an object: documented, spelled otherwise, or unknown.
fn key(field: &'static Field) -> impl Strategy<Value = String> {
    let spellings: Vec<_> = [field.key].iter().chain(field.others).map(|name| name.to_string()).collect();
    prop_oneof![
        6 => Just(field.key.to_owned()),
        2 => select(spellings.clone()),
        2 => select(spellings.clone()).prop_map(|name| name.to_uppercase()),
        2 => select(spellings).prop_map(|name| name.to_lowercase()),
        2 => any::<String>(),
        1 => select(MARKS.to_vec()).prop_map(str::to_owned),
    ]
}

fn object(model: &'static Model) -> BoxedStrategy<Map<String, Value>> {
    let entries = model.fields.iter().map(|field| {
        let value = match field.kind {
            Kind::Object(model, _) => prop_oneof![1 => value(), 2 => object(model).prop_map(Value::from)].boxed(),
            Kind::Objects(model) => {
                let item = prop_oneof![1 => json(), 9 => object(model).prop_map(Value::from)];
                prop_oneof![1 => value(), 3 => vec(item, 0..3).prop_map(Value::from)].boxed()
            }
            _ => value().boxed(),
        };
        (key(field), value).boxed()
    });
    let entries: Vec<_> = entries.collect();
    vec(select(entries).prop_flat_map(|entry| entry), 0..=model.fields.len())
        .prop_map(|entries| entries.into_iter().collect())
        .boxed()
}

/// A body with what is required, unless an entry of the same key comes later.
fn body() -> impl Strategy<Value = (&'static Root, Value)> {
    let of_root = |root: &'static Root| {
        object(root.model).prop_map(move |entries| {
            let required = root.model.fields.iter().filter(|field| field.required);
            let required = required.map(|field| (field.key.to_owned(), json!("SEEN")));
            (root, required.chain(entries).collect())
        })
    };
    proptest::strategy::Union::new(ROOTS.iter().map(of_root))
}

/// Bodies of few keys and values, so that they are of every kind and nearly so.
fn nearly_any_kind() -> impl Strategy<Value = Value> {
    let keys = [&MARKS[..], &["trackingId", "status", "from", "message", "sentDate", "name"]].concat();
    let key = |keys: Vec<&'static str>| {
        (select(keys), 0..4).prop_map(|(key, case)| match case {
            0 => key.to_uppercase(),
            1 => key.to_lowercase(),
            _ => key.to_owned(),
        })
    };
    let leaf = || select(vec![json!(null), json!(""), json!("SEEN"), json!([]), json!([1]), json!({}), json!(false)]);
    let status_keys = vec!["name", "status", "dateTime", "final", "delivered", "updatedDate"];
    let status = vec((key(status_keys), leaf()), 0..4).prop_map(|entries| entries.into_iter().collect::<Value>());
    let value = prop_oneof![3 => leaf(), 1 => Just(json!([{"to": 1}, null])), 1 => Just(json!([{}])), 3 => status];
    let base = select(vec![
        json!({}),
        json!({"trackingId": "1", "status": {"name": "SEEN"}}),
        json!({"from": "1", "message": "Hi", "sentDate": "x"}),
    ]);
    (base, vec((key(keys), value), 0..6)).prop_map(|(mut body, entries)| {
        body.as_object_mut().unwrap().extend(entries);
        body
    })
}

/// The fixtures, each with the model that reads it, and a status for those of other kinds.
fn fixtures() -> impl Strategy<Value = (&'static Root, Value)> {
    let read =
        |(name, text): (String, String)| (root_of(&name).unwrap_or(&ROOTS[0]), serde_json::from_str(&text).unwrap());
    select(common::fixtures().into_iter().map(read).collect::<Vec<_>>())
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
        |_| "messages".to_owned(),
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

/// A value that is written as it is read.
fn normal(field: &'static Field) -> BoxedStrategy<Value> {
    let text = || any::<String>().prop_filter("the same as absent", |text| !text.is_empty());
    // A known name is written in its documented spelling.
    let name = |names: &'static [&'static str]| {
        prop_oneof![select(names).prop_map(str::to_owned), text().prop_map(|text| format!("+{text}"))]
    };
    let years_0_to_9999 = -62_167_219_200_i64..253_402_300_800;
    match field.kind {
        Kind::Text => text().prop_map(Value::from).boxed(),
        Kind::Name(names) => name(names).prop_map(Value::from).boxed(),
        Kind::Texts => vec(any::<String>(), 1..4).prop_map(Value::from).boxed(),
        Kind::Names(names) => vec(name(names), 1..4).prop_map(Value::from).boxed(),
        Kind::Ttl => prop_oneof![30_u32..=86_400, Just(1_209_600)].prop_map(Value::from).boxed(),
        Kind::Float => finite().prop_map(Value::from).boxed(),
        Kind::Bool => any::<bool>().prop_map(Value::from).boxed(),
        Kind::U32 => any::<u32>().prop_map(Value::from).boxed(),
        Kind::U64 => any::<u64>().prop_map(Value::from).boxed(),
        Kind::Date => (years_0_to_9999, 0_u32..1_000_000_000)
            .prop_map(|(seconds, nanos)| json!(chrono::DateTime::from_timestamp(seconds, nanos).unwrap()))
            .boxed(),
        Kind::Object(model, _) => normal_object(model),
        Kind::Objects(model) => vec(normal_object(model), 1..3).prop_map(Value::from).boxed(),
        Kind::Values => vec(json(), 1..4).prop_map(Value::from).boxed(),
    }
}

/// Some fields of a model, and entries that have no field in any object.
fn normal_object(model: &'static Model) -> BoxedStrategy<Value> {
    let field = |field: &'static Field| {
        let entry = normal(field).prop_map(|value| (field.key.to_owned(), value));
        if field.required { entry.prop_map(Some).boxed() } else { proptest::option::weighted(0.4, entry).boxed() }
    };
    let fields: Vec<_> = model.fields.iter().map(field).collect();
    let extra = vec((any::<String>().prop_map(|key| format!("+{key}")), json()), 0..3);
    (fields, extra).prop_map(|(fields, extra)| fields.into_iter().flatten().chain(extra).collect()).boxed()
}

/// The path of an object that a model reads, by the place of it in a body.
fn modelled(mut model: &'static Model, pointer: &str) -> Option<String> {
    let mut path = String::new();
    let mut keys = pointer.split('/').skip(1);
    while let Some(key) = keys.next() {
        let field = model.field(key)?;
        model = field.model()?;
        path += field.key;
        if matches!(field.kind, Kind::Objects(_)) {
            path += &format!("[{}]", keys.next()?);
        }
        path += ".";
    }
    Some(path)
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn promises_hold_for_changed_fixtures(
        (root, mut body) in fixtures(),
        changes in vec((any::<Index>(), change()), 1..6),
    ) {
        for (place, change) in &changes {
            apply(&mut body, *place, change);
        }
        check(root, &body);
        check_incoming(&body);
    }

    #[test]
    fn promises_hold_for_generated_bodies((root, body) in body()) {
        check(root, &body);
        check_incoming(&body);
    }

    #[test]
    fn promises_hold_for_bodies_of_every_kind_and_nearly_so(body in nearly_any_kind()) {
        for root in &ROOTS {
            check(root, &body);
        }
        check_incoming(&body);
    }

    #[test]
    fn promises_hold_for_any_json(value in json()) {
        for root in &ROOTS {
            check(root, &value);
        }
        check_incoming(&value);
    }

    #[test]
    fn what_is_in_its_normal_form_is_written_as_it_came(
        (root, body) in proptest::strategy::Union::new(
            ROOTS.iter().map(|root| normal_object(root.model).prop_map(move |body| (root, body))),
        ),
    ) {
        prop_assert_eq!(root.read(&body).unwrap().written, body);
    }

    #[test]
    fn the_same_key_twice_is_named_if_the_object_is_modelled(
        (root, mut body) in fixtures(),
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
        let text = body.to_string().replace(&format!("{MARK}\":"), "\":");
        let result = root.read_text(&text);
        match modelled(root.model, parent) {
            Some(path) => {
                prop_assert_eq!(what(&result.unwrap_err()), format!("`{path}{key}` is given twice"), "{}", text);
            }
            // The last value stays, which may be none for a name that is required.
            None => {
                let is_refused = result.is_err_and(|error| error.kind() == CallbackErrorKind::DuplicateKey);
                prop_assert!(!is_refused, "{}", text);
            }
        }
        if parent.is_empty() {
            let error = Incoming::from_slice(text.as_bytes()).unwrap_err();
            prop_assert_eq!(what(&error), format!("`{key}` is given twice"), "{}", text);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>(), text in any::<String>()) {
        prop_assert!(ViberCallback::from_slice(&bytes).is_err());
        let _ = Incoming::from_slice(&bytes);
        for root in &ROOTS {
            prop_assert!(root.read_text(&text).is_err());
        }
    }

    #[test]
    fn no_broken_body_panics_and_what_is_read_of_it_stays(
        (_, body) in fixtures(),
        breaks in vec((any::<Index>(), any::<[u8; 2]>(), 0_usize..4), 1..4),
    ) {
        let mut bytes = body.to_string().into_bytes();
        for (place, new, count) in breaks {
            let start = place.index(bytes.len());
            let end = bytes.len().min(start + count);
            bytes.splice(start..end, new);
        }
        if let Ok(incoming) = Incoming::from_slice(&bytes) {
            let again = written(&incoming).to_string();
            prop_assert_eq!(again.parse::<Incoming>(), Ok(incoming));
        }
    }

    #[test]
    fn different_status_changes_have_different_idempotency_keys(one in delivery(), other in delivery()) {
        let is_same = one.tracking_id == other.tracking_id && one.status == other.status;
        prop_assert_eq!(one.idempotency_key() == other.idempotency_key(), is_same);
        prop_assert_eq!(common::read::<ViberCallback>(&written(&one)).idempotency_key(), one.idempotency_key());
        let parts: Value = serde_json::from_str(&one.idempotency_key()).unwrap();
        prop_assert_eq!(&parts[0], one.tracking_id.as_str());
        prop_assert_eq!(&parts[1], one.status.name.as_str());
    }
}

/// A tracking id, and a status whose date may be any value.
fn delivery() -> impl Strategy<Value = ViberCallback> {
    let hostile = "[a\"\\\\,\\[\\]\n ]{0,4}";
    let date = prop_oneof![date_text().prop_map(Value::from), hostile.prop_map(Value::from), json()];
    (hostile, hostile, date).prop_map(|(id, name, date)| {
        let body = json!({
            "trackingId": format!("{id}1"),
            "status": {"name": format!("{name}n"), "updatedDate": date},
        });
        serde_json::from_value(body).unwrap()
    })
}
