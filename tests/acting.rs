//! Acting on a callback: which status is newer, which delivery is the same, what is new to us.

mod common;

use std::net::IpAddr;

use common::read;
use routee_viber::{Progress, SenderAllowlist, Stage, Status, StatusName, ViberCallback};
use serde_json::{Value, json};

const EARLIER: &str = "2019-07-05T10:28:44Z";
const LATER: &str = "2019-07-05T10:28:49Z";

/// Every documented name, and two that are not.
fn names() -> Vec<StatusName> {
    ["QUEUED", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT", "DELIVERED", "SEEN", "Sent", "Blocked"]
        .map(StatusName::from)
        .into()
}

fn status(name: &StatusName, date: Option<&str>) -> Status {
    let mut status = Status::new(name.clone());
    status.updated_date = date.map(|date| date.parse().unwrap());
    status
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

/// The level of a name as the rules state it, by hand.
fn level(name: &StatusName) -> Option<u8> {
    match name.as_str() {
        "QUEUED" => Some(0),
        "UNDELIVERED" | "EXPIRED" | "FAILED" | "UNSENT" | "DELIVERED" => Some(1),
        "SEEN" => Some(2),
        _ => None,
    }
}

#[test]
fn every_pair_of_names_with_every_order_of_dates() {
    use Progress::{Advance, Duplicate, Stale};
    let dates = [
        ("earlier", Some(EARLIER), Some(LATER)),
        ("equal", Some(LATER), Some(LATER)),
        ("later", Some(LATER), Some(EARLIER)),
        ("incoming undated", None, Some(LATER)),
        ("stored undated", Some(LATER), None),
        ("both undated", None, None),
    ];
    for incoming in names() {
        for stored in names() {
            let by_date = match (level(&incoming), level(&stored)) {
                // In the order of `dates`.
                (Some(incoming), Some(stored)) if incoming > stored => [Advance; 6],
                (Some(incoming), Some(stored)) if incoming < stored => [Stale; 6],
                (Some(_), Some(_)) if incoming == stored => [Stale, Duplicate, Advance, Stale, Stale, Duplicate],
                (Some(_), Some(_)) => [Stale, Stale, Advance, Stale, Stale, Stale],
                _ if incoming == stored => [Stale, Duplicate, Advance, Advance, Advance, Duplicate],
                _ => [Stale, Advance, Advance, Advance, Advance, Advance],
            };
            for ((order, date, stored_date), expected) in dates.into_iter().zip(by_date) {
                let progress = status(&incoming, date).progress_from(&status(&stored, stored_date));
                assert_eq!(progress, expected, "{incoming} after {stored}, {order}");
            }
        }
    }
}

#[test]
fn unreadable_dates_are_compared_as_they_came() {
    let status = |date: Value| serde_json::from_value::<Status>(json!({"name": "SEEN", "updatedDate": date})).unwrap();
    let alias = |date: Value| serde_json::from_value::<Status>(json!({"name": "SEEN", "date": date})).unwrap();
    let progress = |one: &Status, other: &Status| one.progress_from(other);
    assert_eq!(progress(&status(json!("soon")), &status(json!("soon"))), Progress::Duplicate);
    assert_eq!(progress(&alias(json!("soon")), &status(json!("soon"))), Progress::Duplicate);
    assert_eq!(progress(&status(json!("soon")), &status(json!("later"))), Progress::Stale);
    assert_eq!(progress(&status(json!("soon")), &status(json!(null))), Progress::Stale);
    assert_eq!(progress(&status(json!("soon")), &status(json!(LATER))), Progress::Stale);
    assert_eq!(progress(&status(json!([1])), &status(json!([1]))), Progress::Duplicate);
    assert_eq!(progress(&status(json!([1])), &status(json!([2]))), Progress::Stale);
    assert_eq!(progress(&status(json!("2019-07-05T13:28:49+03:00")), &status(json!(LATER))), Progress::Duplicate);
}

#[test]
fn other_parts_of_a_status_do_not_make_it_another_one() {
    let stored = Status::new(StatusName::Seen);
    let incoming: Status = serde_json::from_value(json!({"name": "seen", "reason": "Delivered", "code": 1})).unwrap();
    assert_eq!(incoming.progress_from(&stored), Progress::Duplicate);
}

fn key(body: Value) -> String {
    read(&body).idempotency_key()
}

#[test]
fn the_idempotency_key_has_its_documented_format() {
    for (id, status, expected) in [
        (json!("1"), json!("SEEN"), r#"["1","SEEN",null]"#),
        (json!(1), json!("seen"), r#"["1","SEEN",null]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": ""}), r#"["1","SEEN",null]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": LATER}), r#"["1","SEEN","2019-07-05T10:28:49Z"]"#),
        (
            json!("1"),
            json!({"name": "SEEN", "date": "2019-07-05 13:28:49.5+0300"}),
            r#"["1","SEEN","2019-07-05T10:28:49.500Z"]"#,
        ),
        (json!("1"), json!({"name": "SEEN", "updatedDate": 1_562_322_529}), r#"["1","SEEN","2019-07-05T10:28:49Z"]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": "soon"}), r#"["1","SEEN","soon"]"#),
        (json!("1"), json!({"name": "SEEN", "date": "soon"}), r#"["1","SEEN","soon"]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": "soon", "date": LATER}), r#"["1","SEEN","soon"]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": 5}), r#"["1","SEEN",5]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": {"a": [null]}}), r#"["1","SEEN",{"a":[null]}]"#),
        (json!("1"), json!({"name": "Not Seen"}), r#"["1","Not Seen",null]"#),
        (json!("a\",\"b\\\n\u{1b}é"), json!("SEEN"), "[\"a\\\",\\\"b\\\\\\n\\u001bé\",\"SEEN\",null]"),
    ] {
        assert_eq!(key(json!({"trackingId": id, "status": status})), expected);
    }
}

#[test]
fn the_idempotency_key_depends_on_nothing_else() {
    let status = json!({"name": "SEEN", "updatedDate": LATER});
    let bare = key(json!({"trackingId": "1", "status": status}));
    let mut full: Value = serde_json::from_str(include_str!("fixtures/documented-shape.json")).unwrap();
    full["trackingId"] = json!("1");
    full["status"]["name"] = json!("SEEN");
    full["status"]["updatedDate"] = json!(LATER);
    assert_eq!(key(full), bare);
}

#[test]
fn expires_at_counts_the_ttl_from_the_creation() {
    let body = |ttl: Value, created_at: Value| json!({"trackingId": "1", "status": "QUEUED", "ttl": ttl, "createdAt": created_at});
    for (ttl, created_at, expected) in [
        (json!(3600), json!(LATER), json!("2019-07-05T11:28:49Z")),
        (json!(30), json!(LATER), json!("2019-07-05T10:29:19Z")),
        (json!(null), json!(LATER), json!("2019-07-19T10:28:49Z")),
        (json!(1_209_600), json!(LATER), json!("2019-07-19T10:28:49Z")),
        (json!(10), json!(LATER), json!(null)),
        (json!("soon"), json!(LATER), json!(null)),
        (json!(3600), json!(null), json!(null)),
        (json!(3600), json!("soon"), json!(null)),
    ] {
        assert_eq!(json!(read(&body(ttl.clone(), created_at.clone())).expires_at()), expected, "{ttl} {created_at}");
    }
    let mut callback = read(&json!({"trackingId": "1", "status": "QUEUED", "TTL": 10, "createdAt": LATER}));
    assert_eq!(callback.expires_at(), None);
    callback.created_at = Some(chrono::DateTime::<chrono::Utc>::MAX_UTC);
    callback.extra.clear();
    assert_eq!(callback.expires_at(), None);
}

#[test]
fn a_second_spelling_that_lost_is_undocumented_and_one_that_could_not_be_read_is_unreadable() {
    let sentences = |body: Value| -> Vec<String> { read(&body).anomalies().iter().map(ToString::to_string).collect() };
    let body = |body: Value| json!({"trackingId": "1", "status": "SEEN", "body": body});
    assert_eq!(sentences(body(json!({"imageURL": "a", "imageUrl": "b"}))), ["`body.imageUrl` is not documented"]);
    assert_eq!(
        sentences(body(json!({"imageURL": null, "imageUrl": []}))),
        ["`body.imageUrl` has a value that could not be read"]
    );
    assert_eq!(
        sentences(body(json!({"imageURL": [], "imageUrl": "b"}))),
        ["`body.imageURL` has a value that could not be read", "`body.imageUrl` is not documented"],
    );
    assert_eq!(sentences(body(json!({"a\nb": 1}))), ["`body.a\\nb` is not documented"]);
}

#[test]
fn every_unrecognized_name_is_reported() {
    let callback = read(&json!({
        "trackingId": "1",
        "status": {"name": "Sent", "reason": "Blocked"},
        "direction": "Sideways",
        "originatingService": "Pigeon",
    }));
    let sentences: Vec<_> = callback.anomalies().iter().map(ToString::to_string).collect();
    let expected = [
        "`direction` has a name that is not known",
        "`originatingService` has a name that is not known",
        "`status.name` has a name that is not known",
        "`status.reason.detailedStatus` has a name that is not known",
    ];
    assert_eq!(sentences, expected);
}

#[test]
fn the_line_for_logs_is_one_line() {
    let callback = read(&json!({
        "trackingId": "1\n2 SEEN",
        "status": {"name": "a\r\u{1b}[2J\u{2028}\u{202e}b", "reason": "c\n\"d\""},
    }));
    let line = r#"1\n2 SEEN a\r\u{1b}[2J\u{2028}\u{202e}b (c\n\"d\")"#;
    assert_eq!(callback.to_string(), line);
    assert_eq!(ViberCallback::new("1", StatusName::Seen).to_string(), "1 SEEN");
}

#[test]
fn an_empty_list_of_senders_contains_nobody() {
    let anybody: [IpAddr; 3] = ["127.0.0.1", "::1", "0.0.0.0"].map(|address| address.parse().unwrap());
    for address in anybody {
        assert!(!SenderAllowlist::default().contains(address));
        assert!(!SenderAllowlist::from_iter([]).contains(address));
    }
}

#[test]
fn a_list_of_senders_takes_mapped_addresses_for_equal() {
    let address = |text: &str| text.parse::<IpAddr>().unwrap();
    for listed in ["192.0.2.7", "::ffff:192.0.2.7"] {
        let list: SenderAllowlist = [address(listed), address("2001:db8::7")].into_iter().collect();
        for (peer, expected) in [
            ("192.0.2.7", true),
            ("::ffff:192.0.2.7", true),
            ("2001:db8::7", true),
            ("192.0.2.8", false),
            ("::ffff:192.0.2.8", false),
            ("::192.0.2.7", false),
            ("2001:db8::8", false),
        ] {
            assert_eq!(list.contains(address(peer)), expected, "{peer} in {listed}");
        }
    }
}

#[test]
fn a_list_of_senders_is_resolved_from_a_host() {
    let list = SenderAllowlist::resolve_host("127.0.0.1").unwrap();
    assert_eq!(list, SenderAllowlist::from_iter([IpAddr::from([127, 0, 0, 1])]));
    let list = SenderAllowlist::resolve_host("localhost").unwrap();
    assert!(list.contains(IpAddr::from([127, 0, 0, 1])) || list.contains("::1".parse().unwrap()));
    assert!(SenderAllowlist::resolve_host("no such host").is_err());
    assert_eq!(routee_viber::CALLBACK_HOST, "callbacksallow.routee.net");
}
