//! Each fixture, with what it is read as: the line for logs, what is kept in `extra`, what is reported,
//! and what is written in place of what was sent. All that is in neither is in its field.

use std::fs;

use crate::common::{Payload, fixture, read as read_as, written};
use routee_viber::{
    DetailedStatus, FailoverCallback, InboundMessage, StatusName, TrackedMessage, TrackingPage, ViberCallback,
};
use serde_json::{Value, json};

fn read(body: &Value) -> ViberCallback {
    read_as(body)
}

struct Expected {
    /// The line for logs, without the tracking id that most fixtures share.
    line: &'static str,
    extra: Value,
    anomalies: &'static [&'static str],
    /// What is written at a path instead of what was sent; `null` for nothing.
    changes: Value,
}

const ID: &str = "0a047b46-a4dd-4ca8-b817-a6a134dd1234";

fn check(name: &str, expected: Expected) {
    let sent = fixture(name);
    let callback = read(&sent);
    assert_eq!(callback.to_string().strip_prefix(ID).unwrap(), expected.line);
    assert_eq!(
        (callback.kept(), callback.reported()),
        (expected.extra, expected.anomalies.iter().map(|it| it.to_string()).collect())
    );
    assert_eq!(written(&callback), changed(sent, &expected.changes));
}

/// A body with other values at some paths; `null` for nothing.
fn changed(mut body: Value, changes: &Value) -> Value {
    for (path, change) in changes.as_object().unwrap() {
        let (object, key) = path.rsplit_once('.').unwrap_or(("", path));
        let object =
            object.split('.').filter(|key| !key.is_empty()).fold(&mut body, |object, key| match key.parse::<usize>() {
                Ok(at) => &mut object[at],
                Err(_) => &mut object[key],
            });
        object[key] = change.clone();
        if change.is_null() {
            object.as_object_mut().unwrap().remove(key);
        }
    }
    body
}

/// A fixture of which every value is understood.
fn check_understood(name: &str, line: &'static str, changes: Value) {
    check(name, Expected { line, extra: json!({}), anomalies: &[], changes });
}

/// Most fixtures have a date with two fraction digits, which is written with three.
fn created() -> Value {
    json!({"createdAt": "2019-07-05T10:28:44.440Z"})
}

#[test]
fn every_status_name() {
    for (name, expected) in [
        ("queued", StatusName::Queued),
        ("delivered", StatusName::Delivered),
        ("seen", StatusName::Seen),
        ("undelivered", StatusName::Undelivered),
        ("expired", StatusName::Expired),
        ("failed", StatusName::Failed),
        ("unsent", StatusName::Unsent),
    ] {
        let name = format!("status-{name}");
        assert_eq!(read(&fixture(&name)).status.name, expected);
        let line = format!(" {expected} at 2019-07-05T10:28:49Z");
        check_understood(&name, line.leak(), created());
    }
}

#[test]
fn every_detailed_status() {
    for (name, status, expected) in [
        ("delivered", "DELIVERED", DetailedStatus::Delivered),
        ("message-rejected", "FAILED", DetailedStatus::MessageRejected),
        ("not-viber-user", "UNDELIVERED", DetailedStatus::NotViberUser),
        ("opted-out", "UNDELIVERED", DetailedStatus::OptedOut),
        ("system-failure", "FAILED", DetailedStatus::SystemFailure),
        ("timed-out", "UNDELIVERED", DetailedStatus::TimedOut),
        ("ttl-expired", "EXPIRED", DetailedStatus::TtlExpired),
        ("unsupported-equipment", "UNDELIVERED", DetailedStatus::UnsupportedEquipment),
    ] {
        let name = format!("detailed-{name}");
        let detailed = read(&fixture(&name)).status.reason.unwrap().detailed_status;
        assert_eq!(detailed, Some(expected.clone()));
        let line = format!(" {status} ({expected}) at 2019-07-05T10:28:49Z");
        check_understood(&name, line.leak(), created());
    }
}

#[test]
fn documented_shape() {
    check_understood("documented-shape", " UNDELIVERED (Not Viber User) at 2019-07-05T10:28:44.996Z", json!({}));
}

#[test]
fn every_kind_of_content() {
    for name in ["text-only", "image-and-button", "file", "greek-and-emoji"] {
        check_understood(name, " DELIVERED at 2019-07-05T10:28:49Z", created());
    }
    let mut changes = created();
    changes["body.viberVideo.duration"] = json!(45.0);
    check_understood("video", " DELIVERED at 2019-07-05T10:28:49Z", changes);
}

#[test]
fn single_without_campaign() {
    check_understood("single-without-campaign", " SEEN at 2019-07-05T10:28:49Z", created());
    assert_eq!(read(&fixture("single-without-campaign")).campaign_tracking_id, None);
}

#[test]
fn emoji_as_escapes() {
    check_understood("emoji-as-escapes", " DELIVERED", json!({}));
    let body = read(&fixture("emoji-as-escapes")).body.unwrap();
    assert_eq!(body.text.as_deref(), Some("Hi 🐣 Κ"));
}

#[test]
fn nulls_and_empty_strings_are_absent() {
    for name in ["nulls-everywhere", "empty-strings-everywhere"] {
        let callback = read(&fixture(name));
        assert_eq!(callback.to_string(), format!("{ID} QUEUED"));
        assert_eq!(callback.kept(), json!({}));
        let expected = json!({
            "trackingId": ID,
            "status": {"name": "QUEUED", "reason": {}},
            "body": {"viberAction": {}, "viberFile": {}, "viberVideo": {}},
        });
        assert_eq!(written(&callback), expected);
    }
}

#[test]
fn numbers_as_strings() {
    let mut changes = created();
    changes["ttl"] = json!(3600);
    changes["price"] = json!(0.035);
    changes["body.viberVideo.fileSize"] = json!(12.5);
    changes["body.viberVideo.duration"] = json!(45.0);
    check_understood("numbers-as-strings", " DELIVERED at 2019-07-05T10:28:49Z", changes);
}

#[test]
fn texts_as_numbers() {
    let callback = read(&fixture("texts-as-numbers"));
    let expected = json!({
        "trackingId": "1234567890",
        "campaignTrackingId": "42",
        "to": "306912345678",
        "from": "true",
        "groups": ["7"],
        "status": {"name": "DELIVERED", "updatedDate": "2019-07-05T10:28:49Z"},
        "body": {"text": "2019"},
        "createdAt": "2019-07-05T10:28:44.440Z",
    });
    assert_eq!(callback.kept(), json!({}));
    assert_eq!(written(&callback), expected);
}

#[test]
fn spellings_of_other_pages() {
    let callback = read(&fixture("tracking-spellings"));
    let expected = json!({
        "trackingId": ID,
        "to": "306912345678",
        "status": {"name": "DELIVERED", "updatedDate": "2019-07-05T10:28:44.996Z"},
        "body": {
            "text": "This is a test",
            "imageURL": "https://example.com/image.png",
            "viberAction": {"caption": "Go", "targetUrl": "https://example.com/"},
            "viberFile": {"fileUrl": "https://example.com/terms.pdf"},
            "viberVideo": {"videoURL": "https://example.com/v.mp4"},
        },
        "ttl": 3600,
    });
    assert_eq!(callback.kept(), json!({}));
    assert_eq!(callback.reported(), Vec::<String>::new());
    assert_eq!(written(&callback), expected);
}

#[test]
fn failover_spellings() {
    let action = json!({"caption": "Go", "targetUrl": "https://www.routee.net/"});
    check(
        "failover-spellings",
        Expected {
            line: " DELIVERED (Delivered) at 2019-07-05T10:28:44.996Z",
            extra: json!({"ttl": 10, "expireOnDelivery": false, "expiredOnDeliveryAt": null}),
            anomalies: &[
                "`expireOnDelivery` is not a known field",
                "`expiredOnDeliveryAt` is not a known field",
                "`ttl` has a value that could not be read",
            ],
            changes: json!({
                "createdAt": "2019-07-05T10:28:44.440Z",
                "body.imageUrl": null,
                "body.imageURL": "https://example.com/image.png",
                "body.action": null,
                "body.viberAction": action,
            }),
        },
    );
}

#[test]
fn placeholders_as_printed() {
    let callback = read(&fixture("placeholders-as-printed"));
    assert_eq!(callback.to_string(), "string string");
    let expected = json!({"ttl": 0, "createdAt": "string", "status.updatedDate": "string"});
    assert_eq!(callback.kept(), expected);
    assert_eq!(written(&callback), fixture("placeholders-as-printed"));
    let anomalies: Vec<_> = callback.anomalies().iter().map(ToString::to_string).collect();
    let expected = [
        "`createdAt` has a value that could not be read",
        "`direction` has an unrecognized name",
        "`status.name` has an unrecognized name",
        "`status.reason.detailedStatus` has an unrecognized name",
        "`status.updatedDate` has a value that could not be read",
        "`ttl` has a value that could not be read",
    ];
    assert_eq!(anomalies, expected);
}

#[test]
fn bare_status_and_reason() {
    check_understood("bare-status", " SEEN", json!({"status": {"name": "SEEN"}}));
    check_understood(
        "bare-reason",
        " UNDELIVERED (Not Viber User) at 2019-07-05T10:28:49Z",
        json!({
            "status.reason": {"detailedStatus": "Not Viber User"},
            "status.updatedDate": "2019-07-05T10:28:49Z",
        }),
    );
}

#[test]
fn both_spellings() {
    check(
        "both-spellings",
        Expected {
            line: " SEEN",
            extra: json!({"status.status": "DELIVERED", "body.imageUrl": "https://example.com/other.png"}),
            anomalies: &[
                "`body.imageUrl` is another spelling of a field that was already read",
                "`status.status` is another spelling of a field that was already read",
            ],
            changes: json!({}),
        },
    );
}

#[test]
fn unknown_fields_at_every_level() {
    check(
        "unknown-fields-at-every-level",
        Expected {
            line: " DELIVERED (Delivered)",
            extra: json!({
                "messageId": 1,
                "status.code": 2,
                "status.reason.errorCode": 3,
                "body.sticker": 4,
                "body.viberAction.type": 5,
                "body.viberFile.fileSize": 6,
                "body.viberVideo.codec": 7,
            }),
            anomalies: &[
                "`body.sticker` is not a known field",
                "`body.viberAction.type` is not a known field",
                "`body.viberFile.fileSize` is not a known field",
                "`body.viberVideo.codec` is not a known field",
                "`messageId` is not a known field",
                "`status.code` is not a known field",
                "`status.reason.errorCode` is not a known field",
            ],
            changes: json!({}),
        },
    );
}

#[test]
fn unreadable_values_at_every_level() {
    check(
        "unreadable-values-at-every-level",
        Expected {
            line: " Sent",
            extra: json!({
                "to": ["+306912345678"],
                "groups": ["vip", {"name": "athens"}],
                "ttl": 10,
                "price": "free",
                "direction": 1.5,
                "createdAt": "yesterday",
                "status.updatedDate": "05/07/2019",
                "status.reason.detailedStatus": ["Timed Out"],
                "status.reason.description": {"en": "Timed out"},
                "body.text": 1.5,
                "body.viberAction.caption": [],
                "body.viberFile.fileUrl": {"href": "https://example.com"},
                "body.viberVideo.fileSize": "big",
                "body.viberVideo.duration": false,
            }),
            anomalies: &[
                "`body.text` has a value that could not be read",
                "`body.viberAction.caption` has a value that could not be read",
                "`body.viberFile.fileUrl` has a value that could not be read",
                "`body.viberVideo.duration` has a value that could not be read",
                "`body.viberVideo.fileSize` has a value that could not be read",
                "`createdAt` has a value that could not be read",
                "`direction` has a value that could not be read",
                "`groups` has a value that could not be read",
                "`price` has a value that could not be read",
                "`status.name` has an unrecognized name",
                "`status.reason.description` has a value that could not be read",
                "`status.reason.detailedStatus` has a value that could not be read",
                "`status.updatedDate` has a value that could not be read",
                "`to` has a value that could not be read",
                "`ttl` has a value that could not be read",
            ],
            changes: json!({}),
        },
    );
}

#[test]
fn unreadable_objects() {
    check(
        "unreadable-objects",
        Expected {
            line: " FAILED",
            extra: json!({"body": "Hi", "status.reason": ["Timed Out"]}),
            anomalies: &[
                "`body` has a value that could not be read",
                "`status.reason` has a value that could not be read",
            ],
            changes: json!({}),
        },
    );
}

/// A body of another model: what of it is kept, and what is written instead of what was sent.
fn check_as<P: Payload>(name: &str, kept: Value, changes: Value) {
    let sent = fixture(name);
    let payload = read_as::<P>(&sent);
    assert_eq!(payload.kept(), kept);
    assert_eq!(payload.reported().len(), kept.as_object().unwrap().len());
    assert_eq!(written(&payload), changed(sent, &changes), "{name}");
}

#[test]
fn a_reply() {
    check_as::<InboundMessage>("inbound", json!({}), json!({}));
}

#[test]
fn a_flow_on_both_versions_of_its_page() {
    let action = json!({"caption": "Go", "targetUrl": "https://www.routee.net/"});
    let newer = json!({
        "statusCode": null,
        "createdAt": "2019-07-05T10:28:44.440Z",
        "messages.0.ttl": 10.0,
        "messages.0.expiredOnDeliveryAt": null,
        "messages.0.body.imageUrl": null,
        "messages.0.body.imageURL": "https://example.com/image.png",
        "messages.0.body.action": null,
        "messages.0.body.viberAction": action,
        "messages.1.ttl": 15.0,
        "messages.1.status.name": "DELIVERED",
        "messages.1.body": {"text": "Hello from failover"},
        "messages.1.latency": 4.0,
        "messages.1.failoverOnStatuses": ["UNDELIVERED", "FAILED"],
    });
    check_as::<FailoverCallback>("failover", json!({}), newer);
    let kept = json!({
        "messages[0].status.expireOnDelivery": true,
        "messages[0].status.expiredOnDeliveryAt": "2019-07-05T10:38:44.996Z",
    });
    let older = json!({
        "terminationChannel": null,
        "statusCode": null,
        "createdAt": "2019-07-05T10:28:44.440Z",
        "messages.0.ttl": 10.0,
        "messages.1.ttl": 15.0,
        "messages.1.status.name": "QUEUED",
        "messages.1.message": null,
        "messages.1.body": {"text": "Hello from failover"},
    });
    check_as::<FailoverCallback>("failover-older", kept, older);
}

#[test]
fn what_the_tracking_api_answers() {
    let changes = json!({
        "status.status": null,
        "status.name": "DELIVERED",
        "status.date": null,
        "status.updatedDate": "2019-07-05T10:28:49Z",
        "ttl": 3600,
        "viberVideo.fileSize": 12.0,
        "viberVideo.duration": 30.0,
    });
    check_as::<TrackedMessage>("tracking-single", json!({}), changes);
    // The messages of a page are read one by one, and stay as they came.
    check_as::<TrackingPage>("tracking-page", json!({}), json!({}));
}

#[test]
fn every_fixture_is_named_in_their_readme() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures");
    let readme = fs::read_to_string(format!("{folder}/README.md")).unwrap();
    for entry in fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || readme.contains(&format!("`{name}`")), "{name}");
    }
}
