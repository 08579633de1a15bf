//! Which kind a body is, from both sides of every rule.

use crate::common::{self, Payload, fixture, fixtures, map, oracle, root_of, try_read, written};
use routee_viber::{Anomaly, CallbackErrorKind, FailoverCallback, InboundMessage, Incoming, StatusName, ViberCallback};
use serde_json::{Value, json};

/// Reads a body by every way, and says which kind it is.
fn kind(body: &Value) -> &'static str {
    let text = body.to_string();
    let incoming = Incoming::from_slice(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
    assert_eq!(text.parse::<Incoming>().as_ref(), Ok(&incoming), "{text}");
    assert_eq!(serde_json::from_str::<Incoming>(&text).unwrap(), incoming, "{text}");
    assert_eq!(serde_json::from_slice::<Incoming>(text.as_bytes()).unwrap(), incoming, "{text}");
    assert_eq!(serde_json::from_reader::<_, Incoming>(text.as_bytes()).unwrap(), incoming, "{text}");
    assert_eq!(serde_json::from_value::<Incoming>(body.clone()).unwrap(), incoming, "{text}");
    let again = written(&incoming).to_string();
    assert_eq!(again.parse::<Incoming>().as_ref(), Ok(&incoming), "{again}, written for {text}");
    match incoming {
        Incoming::Status(callback) => {
            assert_eq!(ViberCallback::from_slice(text.as_bytes()), Ok(callback));
            "status"
        }
        Incoming::Inbound(message) => {
            assert_eq!(InboundMessage::from_slice(text.as_bytes()), Ok(message));
            "inbound"
        }
        Incoming::Failover(callback) => {
            assert_eq!(FailoverCallback::from_slice(text.as_bytes()), Ok(callback));
            "failover"
        }
        Incoming::Other(other) => {
            assert_eq!(json!(other), oracle::held(body));
            "other"
        }
        _ => unreachable!(),
    }
}

#[test]
fn every_sample_is_of_its_kind() {
    let mut kinds = Vec::new();
    for (name, text) in fixtures() {
        let body: Value = serde_json::from_str(&text).unwrap();
        let expected = match root_of(&name).map(|root| root.model.name) {
            // A message of the tracking API has all that a status has.
            Some("ViberCallback" | "TrackedMessage") => "status",
            Some("InboundMessage") => "inbound",
            Some("FailoverCallback") => "failover",
            _ => "other",
        };
        assert_eq!(kind(&body), expected, "{name}");
        kinds.push(expected);
    }
    for (expected, count) in [("inbound", 1), ("failover", 2), ("other", 7)] {
        assert_eq!(kinds.iter().filter(|kind| **kind == expected).count(), count, "{expected}");
    }
}

#[test]
fn a_status_is_no_other_kind_and_says_which_it_is() {
    use CallbackErrorKind::{MissingField, OtherKind};
    for (name, error, message) in [
        ("failover", OtherKind, "a failover callback, not a Viber status"),
        ("failover-older", OtherKind, "a failover callback, not a Viber status"),
        ("other-two-step", OtherKind, "a two-step verification, not a Viber status"),
        ("other-failover-otp", OtherKind, "a failover OTP callback, not a Viber status"),
        ("other-sms-campaign", OtherKind, "an SMS campaign callback, not a Viber status"),
        ("other-email-status", OtherKind, "an e-mail status, not a Viber status"),
        ("other-email-event", MissingField, "no readable `trackingId`"),
        ("other-sms-status", MissingField, "no readable `trackingId`"),
        ("inbound", MissingField, "no readable `trackingId`"),
        ("tracking-page", MissingField, "no readable `trackingId`"),
    ] {
        let body = fixture(name);
        let found = try_read::<ViberCallback>(&body.to_string()).unwrap_err();
        assert_eq!((found.kind(), found.to_string().as_str()), (error, message), "{name}");
        let found = serde_json::from_value::<ViberCallback>(body).unwrap_err();
        assert_eq!(found.to_string(), message, "{name}");
    }
}

/// The keys of every kind of body that is not about Viber, with values that would be marks.
fn foreign_fields() -> Vec<(String, Value)> {
    let mut fields = vec![
        ("event".to_owned(), json!("delivered")),
        ("final".to_owned(), json!(true)),
        ("delivered".to_owned(), json!(true)),
        ("dateTime".to_owned(), json!(1)),
        ("messages".to_owned(), json!([])),
        ("messages".to_owned(), json!(["SEEN"])),
        ("messages".to_owned(), json!({"0": {}})),
        ("messages".to_owned(), json!("SEEN")),
        ("state".to_owned(), json!("Queued")),
        ("type".to_owned(), json!("Viber")),
        ("shortUrl".to_owned(), json!("https://example.com/s")),
        ("conversationTrackingId".to_owned(), json!("c-1")),
        ("audioMessage".to_owned(), json!("Hi")),
        ("hangupDelay".to_owned(), json!(1)),
        ("fileURL".to_owned(), json!("https://example.com/f")),
        ("receivedDate".to_owned(), json!("2019-07-05T10:28:49Z")),
        ("channel".to_owned(), json!("whatsapp")),
    ];
    for (name, text) in fixtures() {
        if !matches!(root_of(&name).map(|root| root.model.name), Some("ViberCallback")) {
            let body = map(serde_json::from_str(&text).unwrap());
            fields.extend(body.into_iter().filter(|(key, value)| {
                let has_object = value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
                !(["trackingId", "status"].contains(&key.as_str()) || key == "messages" && has_object)
            }));
        }
    }
    fields
}

#[test]
fn a_status_that_gains_any_one_foreign_field_is_still_a_status() {
    for status in [json!({"trackingId": "1", "status": "SEEN"}), fixture("documented-shape")] {
        for (key, value) in foreign_fields() {
            for key in [key.clone(), key.to_uppercase()] {
                let mut body = status.clone();
                body[&key] = value.clone();
                assert_eq!(kind(&body), "status", "{key}: {value}");
            }
        }
        for (key, value) in foreign_fields() {
            let mut body = status.clone();
            if body["status"].is_string() {
                body["status"] = json!({"name": "SEEN"});
            }
            body["status"][key.as_str()] = value.clone();
            if key != "date" && key != "name" {
                assert_eq!(kind(&body), "status", "status.{key}: {value}");
            }
        }
    }
}

/// A body, and the kind it is.
#[test]
fn near_misses_from_both_sides_of_every_rule() {
    let reply = json!({"from": "1", "message": "Hi", "sentDate": "x"});
    let with = |body: &Value, entries: Value| {
        let mut body = map(body.clone());
        body.extend(map(entries));
        Value::from(body)
    };
    let without = |body: &Value, key: &str| {
        let mut body = map(body.clone());
        body.remove(key).unwrap();
        Value::from(body)
    };
    let status = json!({"trackingId": "1", "status": {"name": "SEEN"}});
    let email = |status: Value| json!({"trackingId": "1", "status": status});
    let cases = [
        // A list with an object in it.
        ("failover", with(&status, json!({"status": "Failed", "messages": [{}]}))),
        ("failover", with(&status, json!({"status": "Failed", "MESSAGES": [0, {}]}))),
        ("failover", with(&status, json!({"status": "Succeeded", "messages": [{}], "flowId": 1, "steps": 1}))),
        ("status", with(&status, json!({"messages": [0, [{}]]}))),
        ("status", with(&status, json!({"messages": {}}))),
        ("other", json!({"from": "1", "status": "x", "messages": []})),
        // A reply.
        ("inbound", reply.clone()),
        ("inbound", with(&reply, json!({"trackingId": null, "status": "", "messageId": null, "event": ""}))),
        ("inbound", json!({"FROM": 1, "Media": "x", "referencetrackingid": "x"})),
        ("inbound", json!({"from": "1", "media": [], "referenceTrackingId": {}})),
        ("inbound", with(&reply, json!({"recipient": 1, "applicationId": 1, "steps": 1, "flowId": 1}))),
        ("other", without(&reply, "from")),
        ("other", without(&reply, "message")),
        ("other", without(&reply, "sentDate")),
        ("other", with(&reply, json!({"from": ""}))),
        ("other", with(&reply, json!({"message": null}))),
        ("other", with(&reply, json!({"sentDate": ""}))),
        ("other", with(&reply, json!({"trackingId": "1"}))),
        ("other", with(&reply, json!({"messageID": "1"}))),
        ("other", with(&reply, json!({"status": {}}))),
        ("other", with(&reply, json!({"EVENT": false}))),
        ("status", with(&reply, json!({"trackingId": "1", "status": "SEEN"}))),
        // A status.
        ("status", status.clone()),
        ("status", json!({"trackingID": 1, "STATUS": {"Status": true}})),
        ("other", without(&status, "trackingId")),
        ("other", without(&status, "status")),
        ("other", with(&status, json!({"trackingId": []}))),
        ("other", with(&status, json!({"status": {}}))),
        ("other", json!({})),
        // Two marks that no status has.
        ("other", with(&status, json!({"recipient": "1", "applicationId": "2"}))),
        ("other", with(&status, json!({"Recipient": 1, "APPLICATIONID": {}}))),
        ("status", with(&status, json!({"recipient": "1", "applicationId": null}))),
        ("status", with(&status, json!({"recipient": "", "applicationId": "2"}))),
        ("other", with(&status, json!({"steps": [], "flowId": "1"}))),
        ("status", with(&status, json!({"steps": [], "flowId": ""}))),
        ("status", with(&status, json!({"steps": null, "flowId": "1"}))),
        ("other", with(&status, json!({"campaignStatus": "x", "messageStatuses": {}}))),
        ("status", with(&status, json!({"campaignStatus": "x", "messageStatuses": null}))),
        ("status", with(&status, json!({"recipient": 1, "flowId": 1, "campaignStatus": 1}))),
        ("status", with(&status, json!({"applicationId": 1, "steps": 1, "messageStatuses": 1}))),
        ("other", email(json!({"name": "SEEN", "dateTime": 1, "final": false}))),
        ("other", email(json!({"name": "SEEN", "DATETIME": 1, "Delivered": false}))),
        ("status", email(json!({"name": "SEEN", "dateTime": 1}))),
        ("status", email(json!({"name": "SEEN", "dateTime": null, "final": true}))),
        ("status", email(json!({"name": "SEEN", "final": true, "delivered": true}))),
        ("status", email(json!({"name": "SEEN", "dateTime": 1, "final": null, "delivered": ""}))),
        ("status", with(&status, json!({"dateTime": 1, "final": true, "delivered": true}))),
        // The body's status is `status`; the other spelling lost.
        ("status", with(&status, json!({"STATUS": {"dateTime": 1, "final": true}}))),
        ("status", email(json!({"name": "SEEN", "recipient": 1, "applicationId": 1, "steps": 1, "flowId": 1}))),
    ];
    for (expected, body) in cases {
        assert_eq!(kind(&body), expected, "{body}");
        let is_status = ViberCallback::from_slice(body.to_string().as_bytes()).is_ok();
        assert_eq!(is_status, expected == "status", "{body}");
    }
}

#[test]
fn what_is_plainly_a_kind_but_lacks_what_it_requires_is_an_error() {
    for (body, path) in [
        (json!({"messages": [{}]}), "trackingId"),
        (json!({"messages": [{}], "trackingId": "1"}), "status"),
        (json!({"messages": [{}], "trackingId": "1", "status": {}}), "status"),
        (json!({"from": [], "message": "Hi", "sentDate": "x"}), "from"),
    ] {
        let error = Incoming::from_slice(body.to_string().as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), format!("no readable `{path}`"), "{body}");
        assert_eq!((error.kind(), error.path()), (CallbackErrorKind::MissingField, Some(path)));
    }
}

#[test]
fn the_same_key_twice_is_an_error_at_the_top_of_every_kind() {
    for (body, path) in [
        (r#"{"a": 1, "a": 2}"#, "a"),
        (r#"{"shortUrl": 1, "x": {"y": 1}, "shortUrl": null}"#, "shortUrl"),
        (r#"{"from": "1", "message": "Hi", "sentDate": "x", "message": "Ho"}"#, "message"),
        (r#"{"messages": [{"to": 1, "to": 2}], "trackingId": "1", "status": "Failed"}"#, "messages[0].to"),
        (
            r#"{"messages": [{}, {"status": {"x": 1, "x": 2}}], "trackingId": "1", "status": "Failed"}"#,
            "messages[1].status.x",
        ),
        (r#"{"trackingId": "1", "status": {"name": "SEEN", "name": "SEEN"}}"#, "status.name"),
        (r#"{"trackingId": "1", "status": "SEEN", "x": null, "x": null}"#, "x"),
    ] {
        let errors = [Incoming::from_slice(body.as_bytes()), body.parse()].map(Result::unwrap_err);
        for error in errors {
            assert_eq!(common::what(&error), format!("`{path}` is given twice"), "{body}");
            assert_eq!((error.kind(), error.path()), (CallbackErrorKind::DuplicateKey, Some(path)));
        }
        let error = serde_json::from_str::<Incoming>(body).unwrap_err();
        assert_eq!(common::what(&error), format!("`{path}` is given twice"), "{body}");
    }
    // A body of another kind is read once more, but the place is that of the first reading.
    let error = Incoming::from_slice(b"{\"shortUrl\": 1,\n\"shortUrl\": 2,\n\"x\": 3}").unwrap_err();
    assert_eq!(error.to_string(), "`shortUrl` is given twice at line 2 column 10");
    // Another kind of body is kept, whatever stands twice within; its status may have another spelling.
    for email in [
        r#"{"status": {"name": 1, "name": 2, "dateTime": 3, "final": true}}"#,
        r#"{"status": null, "Status": {"name": 1, "name": 2, "dateTime": 3, "final": true}}"#,
    ] {
        assert!(matches!(email.parse(), Ok(Incoming::Other(_))), "{email}");
    }
    // What tells its kind is the value that stays, so that it is of the same kind when it is read again.
    let body = r#"{"trackingId": "1", "status": {"name": "SEEN", "dateTime": 1, "final": 1, "final": ""}}"#;
    for error in [body.parse::<Incoming>().unwrap_err(), body.parse::<ViberCallback>().unwrap_err()] {
        assert_eq!(common::what(&error), "`status.final` is given twice");
    }
    let body = body.replace(r#""final": 1, "final": """#, r#""final": "", "final": 1"#);
    let email = json!({"trackingId": "1", "status": {"name": "SEEN", "dateTime": 1, "final": 1}});
    assert_eq!(body.parse(), Ok(Incoming::Other(map(email))));
    let inside = r#"{"shortUrl": 1, "x": {"y": 1, "y": 2}, "list": [{"z": 1, "z": 2}]}"#;
    assert_eq!(inside.parse(), Ok(Incoming::Other(map(json!({"shortUrl": 1, "x": {"y": 2}, "list": [{"z": 2}]})))));
}

#[test]
fn what_an_incoming_says_is_what_its_model_says() {
    let sentences = |anomalies: Vec<Anomaly>| anomalies.iter().map(ToString::to_string).collect::<Vec<_>>();
    for (name, text) in fixtures() {
        let incoming: Incoming = text.parse().unwrap();
        let (key, anomalies, line) = match &incoming {
            Incoming::Status(it) => (Some(it.idempotency_key()), it.reported(), it.to_string()),
            Incoming::Inbound(it) => (Some(it.idempotency_key()), it.reported(), it.to_string()),
            Incoming::Failover(it) => (Some(it.idempotency_key()), it.reported(), it.to_string()),
            Incoming::Other(_) => (None, sentences(incoming.anomalies()), incoming.to_string()),
            _ => unreachable!(),
        };
        assert_eq!(
            (incoming.idempotency_key(), sentences(incoming.anomalies()), incoming.to_string()),
            (key, anomalies, line),
            "{name}"
        );
    }
}

#[test]
fn the_line_of_another_kind_of_body_has_its_keys() {
    let line = |body: Value| Incoming::Other(map(body)).to_string();
    assert_eq!(line(json!({"b": "+306912345678"})), "other kind of body: b");
    assert_eq!(line(json!({"a b\n": 1})), r#"other kind of body: "a b\n""#);
    assert_eq!(line(json!({"k".repeat(61): 1})), format!("other kind of body: {}…", "k".repeat(60)));
    let many: Value = (10..31).map(|n| (format!("k{n}"), json!(n))).collect();
    let first: Vec<_> = (10..30).map(|n| format!("k{n}")).collect();
    assert_eq!(line(many), format!("other kind of body: {}, …", first.join(", ")));
    let twenty: Value = (10..30).map(|n| (format!("k{n}"), json!(n))).collect();
    assert_eq!(line(twenty), format!("other kind of body: {}", first.join(", ")));
}

#[test]
fn a_status_can_be_made_by_hand_and_written() {
    let incoming = Incoming::Status(ViberCallback::new("1", StatusName::Seen));
    assert_eq!(written(&incoming), json!({"trackingId": "1", "status": {"name": "SEEN"}}));
    assert_eq!(written(&Incoming::Other(map(json!({"b": [1], "a": null})))), json!({"a": null, "b": [1]}));
}
