//! What was not understood is visible, under its path.

use crate::common::fields::Kind;
use crate::common::{self, Payload, Place, places, read};
use routee_viber::{AnomalyKind, FailoverCallback, Status, ViberCallback};
use serde_json::{Value, json};

fn sentences(body: Value) -> Vec<String> {
    read::<ViberCallback>(&body).reported()
}

#[test]
fn every_kind_has_a_label_and_a_sentence() {
    let body = json!({
        "trackingId": "1",
        "status": {"name": "Sent"},
        "body": {"imageURL": "a", "imageUrl": "b"},
        "ttl": 10,
        "carrier": "x",
    });
    let callback = read::<ViberCallback>(&body);
    let found: Vec<_> = callback.anomalies().iter().map(|it| (it.path.clone(), it.kind, it.to_string())).collect();
    let expected = [
        (
            "body.imageUrl",
            AnomalyKind::OtherSpelling,
            "`body.imageUrl` is another spelling of a field that was already read",
        ),
        ("carrier", AnomalyKind::UnknownField, "`carrier` is not a known field"),
        ("status.name", AnomalyKind::UnrecognizedName, "`status.name` has an unrecognized name"),
        ("ttl", AnomalyKind::UnreadableValue, "`ttl` has a value that could not be read"),
    ];
    assert_eq!(found, expected.map(|(path, kind, sentence)| (path.to_owned(), kind, sentence.to_owned())));
    for (kind, label) in [
        (AnomalyKind::UnknownField, "unknown_field"),
        (AnomalyKind::OtherSpelling, "other_spelling"),
        (AnomalyKind::UnreadableValue, "unreadable_value"),
        (AnomalyKind::UnrecognizedName, "unrecognized_name"),
        (AnomalyKind::BrokenText, "broken_text"),
    ] {
        assert_eq!((kind.as_str(), kind.to_string().as_str()), (label, label));
    }
}

#[test]
fn a_spelling_that_lost_and_a_value_that_could_not_be_read() {
    let body = |body: Value| json!({"trackingId": "1", "status": "SEEN", "body": body});
    let lost = "`body.imageUrl` is another spelling of a field that was already read";
    assert_eq!(sentences(body(json!({"imageURL": "a", "imageUrl": "b"}))), [lost]);
    assert_eq!(sentences(body(json!({"imageURL": "a", "imageUrl": []}))), [lost]);
    assert_eq!(
        sentences(body(json!({"imageURL": null, "imageUrl": []}))),
        ["`body.imageUrl` has a value that could not be read"]
    );
    let unreadable = sentences(body(json!({"imageURL": [], "imageUrl": "b"})));
    assert_eq!(unreadable.len(), 2);
    assert_eq!(unreadable[0], "`body.imageURL` has a value that could not be read");
    assert!(unreadable[1].starts_with("`body.imageUrl` "));
}

#[test]
fn a_path_quotes_the_keys_that_it_must() {
    for (key, path) in [
        ("plain", "plain"),
        ("Καλή", "Καλή"),
        ("a-b_c$", "a-b_c$"),
        ("", r#""""#),
        ("status.x", r#""status.x""#),
        ("messages[1]", r#""messages[1]""#),
        ("a]", r#""a]""#),
        ("a b", r#""a b""#),
        ("a\nb", r#""a\nb""#),
        ("\u{1b}", r#""\u{1b}""#),
        ("a\"b", r#""a\"b""#),
        ("a'b", r#""a'b""#),
        ("a`b", r#""a`b""#),
        ("a\\b", r#""a\\b""#),
        ("\u{a0}", r#""\u{a0}""#),
    ] {
        for (object, before) in [("", ""), ("/body", "body."), ("/status", "status.")] {
            let mut body = json!({"trackingId": "1", "status": {"name": "SEEN"}, "body": {}});
            body.pointer_mut(object).unwrap()[key] = json!(null);
            let callback = read::<ViberCallback>(&body);
            let path = format!("{before}{path}");
            assert_eq!(callback.reported(), [format!("`{path}` is not a known field")]);
            assert_eq!(callback.kept(), json!({path: null}));
        }
    }
    let long = "k".repeat(100);
    assert_eq!(
        sentences(json!({"trackingId": "1", "status": "SEEN", &long: 1})),
        [format!("`{long}` is not a known field")]
    );
}

#[test]
fn a_key_and_a_path_of_one_look_are_two() {
    let body =
        json!({"trackingId": "1", "status": {"name": "SEEN", "x": 1}, "status.x": 2, "messages": [], "messages[0]": 3});
    let expected = json!({"\"messages[0]\"": 3, "\"status.x\"": 2, "messages": [], "status.x": 1});
    assert_eq!(read::<ViberCallback>(&body).kept(), expected);
}

#[test]
fn every_unrecognized_name_is_reported() {
    let unrecognized = |path: &&str| format!("`{path}` has an unrecognized name");
    let body = json!({
        "trackingId": "1",
        "status": {"name": "Sent", "reason": "Blocked"},
        "direction": "Sideways",
        "originatingService": "Pigeon",
    });
    let paths = ["direction", "originatingService", "status.name", "status.reason.detailedStatus"];
    assert_eq!(sentences(body), paths.iter().map(unrecognized).collect::<Vec<_>>());
    let body = json!({
        "trackingId": "1",
        "status": "Paused",
        "terminationChannel": "Pigeon",
        "messages": [{"type": "Sms"}, {"type": "Pigeon", "status": "Sent", "failoverOnStatuses": ["SEEN", "Sent"]}],
    });
    let paths = [
        "messages[1].failoverOnStatuses[1]",
        "messages[1].status.name",
        "messages[1].type",
        "status",
        "terminationChannel",
    ];
    assert_eq!(read::<FailoverCallback>(&body).reported(), paths.iter().map(unrecognized).collect::<Vec<_>>());
}

/// Wherever it stands: mended here, or before it was sent.
#[test]
fn broken_text_is_reported_beside_what_else_is_said_of_its_path() {
    let broken = |path: &str| format!("`{path}` has broken text");
    for place in places() {
        let text =
            |text: &str| place.root.read_text(&place.text_with(&[(place.field.key, &json!(text))])).unwrap().reported;
        let (expected, path) = match place.field.kind {
            Kind::Text => (vec![broken(&place.path())], place.path()),
            Kind::Name(_) => (vec!["?".to_owned(), broken(&place.path())], place.path()),
            Kind::Texts => (vec![broken(&(place.path() + "[0]"))], place.path() + "[0]"),
            Kind::Names(_) => (vec!["?".to_owned(), broken(&(place.path() + "[0]"))], place.path() + "[0]"),
            Kind::Object(_, Some(inner)) => {
                let path = format!("{}.{}", place.path(), inner_key(&place, inner));
                let name = place.field.model().unwrap().field(inner).unwrap().kind;
                let also = if matches!(name, Kind::Name(_)) { vec!["?".to_owned()] } else { vec![] };
                ([also, vec![broken(&path)]].concat(), path)
            }
            // What the field cannot take is an entry of `extra`.
            _ => (
                vec![format!("`{}` has a value that could not be read", place.path()), broken(&place.path())],
                place.path(),
            ),
        };
        let unrecognized = format!("`{path}` has an unrecognized name");
        let expected: Vec<_> =
            expected.into_iter().map(|it| if it == "?" { unrecognized.clone() } else { it }).collect();
        assert_eq!(text("a\u{fffd}b"), expected, "{}", place.path());
        assert!(!text("ab").iter().any(|it| it.contains("broken")));
    }
    let body = json!({"trackingId": "1", "status": "SEEN", "a": [{"b": "\u{fffd}"}], "\u{fffd}": 1, "c": {"\u{fffd}": 1}, "d": "d"});
    let expected = [
        "`a` is not a known field",
        "`a` has broken text",
        "`c` is not a known field",
        "`c` has broken text",
        "`d` is not a known field",
        "`\u{fffd}` is not a known field",
        "`\u{fffd}` has broken text",
    ];
    assert_eq!(sentences(body), expected);
    let bytes = b"{\"trackingId\":\"1\",\"status\":\"SEEN\",\"label\":\"\xff\",\"groups\":[\"a\",\"\\ud83d\"]}";
    let anomalies = ViberCallback::from_slice(bytes).unwrap().anomalies();
    assert_eq!(anomalies.iter().map(|it| it.path.as_str()).collect::<Vec<_>>(), ["groups[1]", "label"]);
    assert!(anomalies.iter().all(|it| it.kind == AnomalyKind::BrokenText));
}

fn inner_key(place: &Place, inner: &str) -> &'static str {
    place.field.model().unwrap().field(inner).unwrap().key
}

/// At every place that a model stands in, in every model.
#[test]
fn every_field_is_reported_under_its_path() {
    for place in places().iter().filter(|place| !matches!(place.field.kind, Kind::Values)) {
        let value = common::sample(place.field);
        let with = |entries: &[(&str, &Value)]| place.root.read_text(&place.text_with(entries)).unwrap().reported;
        let key = place.field.key;
        let of_sample = with(&[(key, &value)]);
        let unknown = format!("`{}` is not a known field", place.path_of("+new"));
        let mut expected = [of_sample.clone(), vec![unknown]].concat();
        expected.sort();
        let mut found = with(&[(key, &value), ("+new", &json!(1))]);
        found.sort();
        assert_eq!(found, expected);

        let other = if key.to_ascii_uppercase() == key { key.to_ascii_lowercase() } else { key.to_ascii_uppercase() };
        let lost = format!("`{}` is another spelling of a field that was already read", place.path_of(&other));
        let mut expected = [of_sample, vec![lost]].concat();
        expected.sort();
        let mut found = with(&[(key, &value), (&other, &json!(1))]);
        found.sort();
        assert_eq!(found, expected);
        if !place.field.required {
            let unreadable = format!("`{}` has a value that could not be read", place.path());
            assert_eq!(with(&[(key, &json!([[]]))]), [unreadable]);
        }
    }
}

#[test]
fn anomalies_are_sorted_and_a_status_has_its_own() {
    let body = json!({"trackingId": "1", "status": "x", "b": 1, "a": 1, "ttl": 1, "c": 1, "direction": "x"});
    let callback = read::<ViberCallback>(&body);
    let anomalies = callback.anomalies();
    assert!(anomalies.is_sorted_by(|one, other| (&one.path, one.kind) <= (&other.path, other.kind)), "{anomalies:?}");
    let empty = read::<ViberCallback>(&json!({"trackingId": "1", "status": "SEEN"}));
    assert_eq!((empty.anomalies(), empty.extras().count()), (vec![], 0));
    let status: Status = serde_json::from_value(json!({"name": "x"})).unwrap();
    assert_eq!(status.name.as_str(), "x");
}
