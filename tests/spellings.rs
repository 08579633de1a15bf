//! Which key is read for a field, and what becomes of a second one.

mod common;

use common::{extra, extras, minimal, parent, read, try_read, what};
use serde_json::{Value, json};

/// Every key, by the path of its object, with another readable value than `with_every_field` has.
const TEXTS: [&str; 19] = [
    "campaignTrackingId",
    "to",
    "from",
    "country",
    "label",
    "inboundUrl",
    "applicationName",
    "direction",
    "originatingService",
    "status.reason.detailedStatus",
    "status.reason.description",
    "body.text",
    "body.iosFallbackText",
    "body.imageURL",
    "body.viberAction.caption",
    "body.viberAction.targetUrl",
    "body.viberFile.fileName",
    "body.viberFile.fileType",
    "body.viberFile.fileUrl",
];

/// The other keys, each with a value that its field reads.
fn fields() -> Vec<(&'static str, Value)> {
    let mut fields: Vec<_> = TEXTS.iter().map(|path| (*path, json!("Text"))).collect();
    fields.extend([
        ("body.viberVideo.videoURL", json!("Text")),
        ("body.viberVideo.videoThumbnail", json!("Text")),
        ("body.viberVideo.fileSize", json!(12.5)),
        ("body.viberVideo.duration", json!(45.0)),
        ("groups", json!(["vip"])),
        ("ttl", json!(3600)),
        ("price", json!(0.035)),
        ("createdAt", json!("2019-07-05T10:28:44.440Z")),
        ("status.updatedDate", json!("2019-07-05T10:28:44.996Z")),
        ("status.reason", json!({"detailedStatus": "Opted Out"})),
        ("body", json!({"text": "Text"})),
        ("body.viberAction", json!({"caption": "Text"})),
        ("body.viberFile", json!({"fileName": "Text"})),
        ("body.viberVideo", json!({"videoURL": "Text"})),
    ]);
    fields
}

fn with(path: &str, key: &str, value: &Value) -> Value {
    let (object, _) = parent(path);
    let mut body = minimal();
    let entry = if object.is_empty() { &mut body } else { common::at(&mut body, object) };
    entry[key] = value.clone();
    body
}

/// Other spellings of a documented key, in the order of their bytes.
fn other_cases(key: &str) -> [String; 3] {
    let mut swapped: String = key.to_owned();
    if let Some(last) = swapped.pop() {
        swapped.push(if last.is_ascii_uppercase() { last.to_ascii_lowercase() } else { last.to_ascii_uppercase() });
    }
    let mut spellings = [key.to_ascii_uppercase(), swapped, key.to_ascii_lowercase()];
    if spellings[2] == key {
        spellings[2] = format!("{}{}", key[..1].to_ascii_uppercase(), &key[1..]);
    }
    spellings
}

#[test]
fn every_key_is_read_in_any_ascii_case() {
    for (path, value) in fields() {
        let (_, key) = parent(path);
        let documented = read(&with(path, key, &value));
        for spelling in other_cases(key) {
            assert_ne!(spelling, key);
            assert_eq!(read(&with(path, &spelling, &value)), documented, "{spelling} for {path}");
        }
    }
}

#[test]
fn the_required_keys_are_read_in_any_ascii_case() {
    let documented = read(&minimal());
    for (id, status, name) in [("trackingID", "STATUS", "Name"), ("TRACKINGID", "Status", "NAME")] {
        assert_eq!(read(&json!({id: "0a047b46", status: {name: "SEEN"}})), documented);
    }
}

#[test]
fn the_spellings_of_other_pages_are_read() {
    let aliases = [
        ("body.viberAction", "action", json!({"caption": "Go"})),
        ("body.viberAction", "ACTION", json!({"caption": "Go"})),
        ("status.updatedDate", "date", json!("2019-07-05T10:28:49Z")),
        ("status.updatedDate", "Date", json!("2019-07-05T10:28:49Z")),
    ];
    for (path, alias, value) in aliases {
        let (_, key) = parent(path);
        assert_eq!(read(&with(path, alias, &value)), read(&with(path, key, &value)), "{alias}");
    }
    for alias in ["status", "Status", "STATUS"] {
        assert_eq!(read(&json!({"trackingId": "0a047b46", "status": {alias: "SEEN"}})), read(&minimal()));
    }
}

#[test]
fn the_spellings_of_other_pages_are_read_in_their_own_object_alone() {
    let body = json!({
        "trackingId": "0a047b46",
        "action": {"caption": "Go"},
        "date": "2019-07-05T10:28:49Z",
        "name": "SEEN",
        "status": {"name": "SEEN", "action": 1, "reason": {"status": "Opted Out", "date": 2}},
        "body": {"status": 3, "date": 4},
    });
    let expected = json!({
        "": {"action": {"caption": "Go"}, "date": "2019-07-05T10:28:49Z", "name": "SEEN"},
        "status": {"action": 1},
        "status.reason": {"status": "Opted Out", "date": 2},
        "body": {"status": 3, "date": 4},
    });
    assert_eq!(extras(&read(&body)), expected);
}

/// Each pair of keys in both orders, as text, since a map would bring them in one.
fn both_orders(path: &str, one: (&str, &Value), other: (&str, &Value)) -> [String; 2] {
    let (object, _) = parent(path);
    let write = |pairs: [(&str, &Value); 2]| {
        let pairs = pairs.map(|(key, value)| format!("{}:{value}", json!(key))).join(",");
        let mut body = minimal();
        let entry = if object.is_empty() { &mut body } else { common::at(&mut body, object) };
        entry["here"] = json!(0);
        body.to_string().replacen("\"here\":0", &pairs, 1)
    };
    [write([one, other]), write([other, one])]
}

#[test]
fn the_documented_spelling_owns_its_field_wherever_it_stands() {
    for (path, value) in fields() {
        let (object, key) = parent(path);
        let alone = read(&with(path, key, &value));
        for spelling in other_cases(key) {
            for body in both_orders(path, (key, &value), (&spelling, &json!("other"))) {
                let callback = try_read(&body).unwrap();
                assert_eq!(
                    extra(&callback, object),
                    json!({spelling.as_str(): "other"}).as_object().unwrap(),
                    "{body}"
                );
                let mut without = callback.clone();
                remove(&mut without, object, &spelling);
                assert_eq!(without, alone, "{body}");
            }
        }
    }
}

fn remove(callback: &mut routee_viber::ViberCallback, object: &str, key: &str) {
    let mut written = common::written(callback);
    let entry = if object.is_empty() { &mut written } else { common::at(&mut written, object) };
    entry.as_object_mut().unwrap().remove(key).unwrap();
    *callback = read(&written);
}

#[test]
fn another_spelling_is_read_where_the_documented_one_is_null_or_empty() {
    for (path, value) in fields() {
        let (object, key) = parent(path);
        let alone = read(&with(path, key, &value));
        for (spelling, nothing) in other_cases(key).iter().zip([json!(null), json!(""), json!(null)]) {
            for body in both_orders(path, (key, &nothing), (spelling, &value)) {
                let callback = try_read(&body).unwrap();
                assert_eq!(callback, alone, "{body}");
                assert!(extra(&callback, object).is_empty());
            }
        }
    }
}

#[test]
fn another_spelling_stays_where_the_documented_one_is_unreadable() {
    for (path, value) in fields() {
        let (object, key) = parent(path);
        let unreadable = json!([[]]);
        for spelling in other_cases(key) {
            for body in both_orders(path, (key, &unreadable), (&spelling, &value)) {
                let callback = try_read(&body).unwrap();
                let expected = json!({key: unreadable, spelling.as_str(): value});
                assert_eq!(extra(&callback, object), expected.as_object().unwrap(), "{body}");
            }
        }
    }
}

#[test]
fn an_unreadable_value_in_another_spelling_stays_under_its_own_key() {
    for (path, _) in fields() {
        let (object, key) = parent(path);
        for spelling in other_cases(key) {
            let callback = read(&with(path, &spelling, &json!([[]])));
            assert_eq!(extra(&callback, object), json!({spelling: [[]]}).as_object().unwrap());
        }
    }
}

#[test]
fn of_two_other_spellings_the_order_of_their_bytes_decides() {
    for (path, value) in fields() {
        let (object, key) = parent(path);
        let alone = read(&with(path, key, &value));
        let [mut first, mut second, _] = other_cases(key);
        if second < first {
            std::mem::swap(&mut first, &mut second);
        }
        for body in both_orders(path, (&first, &value), (&second, &json!([[]]))) {
            let mut callback = try_read(&body).unwrap();
            assert_eq!(extra(&callback, object), json!({second.as_str(): [[]]}).as_object().unwrap(), "{body}");
            remove(&mut callback, object, &second);
            assert_eq!(callback, alone, "{body}");
        }
        for body in both_orders(path, (&first, &json!([[]])), (&second, &value)) {
            let mut callback = try_read(&body).unwrap();
            assert_eq!(extra(&callback, object), json!({first.as_str(): [[]]}).as_object().unwrap(), "{body}");
            remove(&mut callback, object, &first);
            assert_eq!(callback, alone, "{body}");
        }
    }
}

#[test]
fn the_same_key_twice_is_an_error_that_names_it() {
    let mut paths: Vec<_> = fields().into_iter().map(|(path, _)| path).collect();
    paths.extend(["trackingId", "status", "status.name", "unknown", "status.unknown", "body.unknown"]);
    paths.extend([
        "status.reason.unknown",
        "body.viberAction.unknown",
        "body.viberFile.unknown",
        "body.viberVideo.unknown",
    ]);
    paths.extend(["body.action", "status.date", "status.STATUS", "TTL"]);
    let values = [json!(null), json!(""), json!([[]]), json!("Text"), json!(3600), json!({})];
    for path in paths {
        let (object, key) = parent(path);
        for (one, other) in [(0, 0), (0, 3), (3, 0), (2, 3), (3, 2), (1, 4), (5, 5)] {
            let pairs = format!("{0}:{1},{0}:{2}", json!(key), values[one], values[other]);
            let inner = if object.is_empty() {
                format!("{{{pairs}}}")
            } else {
                object.rsplit('.').fold(format!("{{{pairs}}}"), |inner, name| format!("{{\"{name}\":{inner}}}"))
            };
            let error = try_read(&inner).unwrap_err();
            assert_eq!(what(&error), format!("`{path}` is given twice"), "{inner}");
        }
    }
}

#[test]
fn a_key_that_is_escaped_is_the_same_key() {
    let error = try_read(r#"{"to": "a", "\u0074o": "b"}"#).unwrap_err();
    assert_eq!(error, "`to` is given twice at line 1 column 21");
    let callback = try_read(r#"{"tracking\u0049d": "1", "status": "SEEN"}"#).unwrap();
    assert_eq!(callback.tracking_id, "1");
}

#[test]
fn inside_a_value_that_no_model_knows_the_last_one_stays() {
    let callback = try_read(r#"{"trackingId": "1", "status": "SEEN", "x": {"a": 1, "a": 2}, "to": {"b": 1, "b": 2}}"#);
    assert_eq!(extras(&callback.unwrap()), json!({"": {"x": {"a": 2}, "to": {"b": 2}}}));
}

#[test]
fn a_key_in_an_error_is_escaped() {
    let error = try_read("{\"a\\n\\u001b\": 1, \"a\\n\\u001b\": 2}").unwrap_err();
    assert_eq!(error, "`a\\n\\u{1b}` is given twice at line 1 column 28");
}
