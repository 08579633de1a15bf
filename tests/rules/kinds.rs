//! Which kind a body is, from both sides of every rule.

use crate::common::{self, Payload, fixture, fixtures, map, oracle, root_of, try_read, written};
use routee_viber::{
    Anomaly, BodyKind, CallbackErrorKind, Direction, FailoverCallback, FailoverStatus, InboundMessage, Incoming,
    StatusName, ViberCallback,
};
use serde_json::{Value, json};

/// Reads a body by every way, and says as which kind.
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
    let (kind, marked) = (incoming.kind(), oracle::marked_kind(body.as_object().unwrap()));
    match incoming {
        Incoming::Status(callback) => {
            assert_eq!(ViberCallback::from_slice(text.as_bytes()), Ok(callback));
            assert_eq!((kind, marked), (BodyKind::Status, None), "{text}");
            "status"
        }
        Incoming::Inbound(message) => {
            assert_eq!(InboundMessage::from_slice(text.as_bytes()), Ok(message));
            assert_eq!((kind, marked), (BodyKind::Inbound, Some(kind)), "{text}");
            "inbound"
        }
        Incoming::Failover(callback) => {
            assert_eq!(FailoverCallback::from_slice(text.as_bytes()), Ok(callback));
            assert_eq!((kind, marked), (BodyKind::Failover, Some(kind)), "{text}");
            "failover"
        }
        Incoming::Other(other) => {
            assert_eq!(json!(other), oracle::held(body));
            assert_eq!(kind, marked.unwrap_or(BodyKind::Other), "{text}");
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
    for (name, error, kind, message) in [
        ("failover", OtherKind, Some(BodyKind::Failover), "a failover callback, not a Viber status"),
        ("failover-older", OtherKind, Some(BodyKind::Failover), "a failover callback, not a Viber status"),
        (
            "other-two-step",
            OtherKind,
            Some(BodyKind::TwoStepVerification),
            "a two-step verification, not a Viber status",
        ),
        ("other-failover-otp", OtherKind, Some(BodyKind::FailoverOtp), "a failover OTP callback, not a Viber status"),
        ("other-sms-campaign", OtherKind, Some(BodyKind::SmsCampaign), "an SMS campaign callback, not a Viber status"),
        ("other-email-status", OtherKind, Some(BodyKind::Email), "an e-mail status, not a Viber status"),
        ("other-email-event", MissingField, None, "no readable `trackingId`"),
        ("other-sms-status", MissingField, None, "no readable `trackingId`"),
        ("inbound", MissingField, None, "no readable `trackingId`"),
        ("tracking-page", MissingField, None, "no readable `trackingId`"),
    ] {
        let body = fixture(name);
        let found = try_read::<ViberCallback>(&body.to_string()).unwrap_err();
        assert_eq!((found.kind(), found.body_kind(), found.to_string().as_str()), (error, kind, message), "{name}");
        let found = serde_json::from_value::<ViberCallback>(body.clone()).unwrap_err();
        assert_eq!(found.to_string(), message, "{name}");
        let incoming: Incoming = body.to_string().parse().unwrap();
        assert_eq!(
            incoming.kind(),
            oracle::marked_kind(body.as_object().unwrap()).unwrap_or(BodyKind::Other),
            "{name}"
        );
    }
}

#[test]
fn every_kind_has_a_label_and_a_name() {
    for (kind, label, name) in [
        (BodyKind::Status, "status", "a Viber status"),
        (BodyKind::Inbound, "inbound", "a reply"),
        (BodyKind::Failover, "failover", "a failover callback"),
        (BodyKind::FailoverOtp, "failover_otp", "a failover OTP callback"),
        (BodyKind::TwoStepVerification, "two_step_verification", "a two-step verification"),
        (BodyKind::SmsCampaign, "sms_campaign", "an SMS campaign callback"),
        (BodyKind::Email, "email", "an e-mail status"),
        (BodyKind::Other, "other", "another kind of body"),
    ] {
        assert_eq!((kind.as_str(), kind.to_string().as_str()), (label, name));
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
        ("messages".to_owned(), json!([{}])),
        ("messages".to_owned(), json!([[{}]])),
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
            fields.extend(body.into_iter().filter(|(key, _)| !["trackingId", "status"].contains(&key.as_str())));
        }
    }
    fields
}

#[test]
fn a_status_that_gains_any_one_foreign_field_is_still_a_status() {
    for status in [json!({"trackingId": "1", "status": {"name": "SEEN"}}), fixture("documented-shape")] {
        for (key, value) in foreign_fields() {
            for key in [key.clone(), key.to_uppercase()] {
                let mut body = status.clone();
                body[&key] = value.clone();
                assert_eq!(kind(&body), "status", "{key}: {value}");
                body["originatingService"] = json!("Failover");
                assert_eq!(kind(&body), "status", "{key}: {value}");
            }
        }
        for (key, value) in foreign_fields() {
            let mut body = status.clone();
            body["status"][key.as_str()] = value.clone();
            if key != "date" && key != "name" {
                assert_eq!(kind(&body), "status", "status.{key}: {value}");
            }
        }
    }
}

/// A body, and the kind it is read as.
#[test]
fn near_misses_from_both_sides_of_every_rule() {
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
    let reply = json!({"from": "1", "message": "Hi", "sentDate": "x"});
    let status = json!({"trackingId": "1", "status": {"name": "SEEN"}});
    let text = json!({"trackingId": "1", "status": "SEEN"});
    let flow = json!({"trackingId": "1", "status": "Failed", "messages": [{}]});
    let bare = json!({"trackingId": "1", "status": "Queued", "updatedAt": "x"});
    let email = |status: Value| json!({"trackingId": "1", "status": status});
    let cases = [
        // 1. An object in `messages`, and a status that is no object with a readable name.
        ("failover", flow.clone()),
        ("failover", with(&flow, json!({"MESSAGES": [0, {}], "messages": null}))),
        ("failover", with(&flow, json!({"messages": {}}))),
        ("failover", with(&flow, json!({"messages": {"type": "Viber"}}))),
        ("failover", with(&flow, json!({"messages": ["java.util.ArrayList", [{}]]}))),
        ("failover", with(&flow, json!({"to": "1", "from": "2", "body": "x"}))),
        ("failover", with(&flow, json!({"flowId": 1, "steps": 1, "recipient": 1, "messageId": 1}))),
        ("failover", with(&flow, json!({"status": true}))),
        ("status", with(&flow, json!({"messages": []}))),
        ("status", with(&flow, json!({"messages": null}))),
        ("status", with(&flow, json!({"messages": [[[{}]]]}))),
        ("status", with(&flow, json!({"messages": ["x", 1]}))),
        ("status", with(&status, json!({"messages": [{}]}))),
        ("status", with(&status, json!({"messages": {}, "originatingService": "Failover", "updatedAt": 1}))),
        ("status", with(&flow, json!({"status": {"status": "SEEN"}}))),
        ("status", with(&flow, json!({"status": {"NAME": 5}}))),
        // The same marks, but not what the kind requires.
        ("other", with(&flow, json!({"status": {}}))),
        ("other", with(&flow, json!({"status": {"name": []}}))),
        ("other", with(&flow, json!({"status": {"Name": [], "status": "SEEN"}}))),
        ("other", with(&flow, json!({"status": []}))),
        ("other", without(&flow, "trackingId")),
        ("other", without(&flow, "status")),
        // 2. A reply.
        ("inbound", reply.clone()),
        ("inbound", with(&reply, json!({"trackingId": null, "status": "", "messageId": null, "event": ""}))),
        ("inbound", json!({"FROM": 1, "Media": "x", "referencetrackingid": "x"})),
        ("inbound", json!({"from": "1", "media": [], "referenceTrackingId": {}})),
        ("inbound", json!({"from": "1", "message": "Hi", "direction": "in-bound"})),
        ("inbound", json!({"from": "1", "message": "Hi", "DIRECTION": "INBOUND"})),
        ("inbound", with(&reply, json!({"recipient": 1, "applicationId": 1, "steps": 1, "flowId": 1}))),
        ("other", json!({"from": "1", "message": "Hi"})),
        ("other", json!({"from": "1", "message": "Hi", "direction": "Outbound"})),
        ("other", without(&reply, "from")),
        ("other", without(&reply, "message")),
        ("other", without(&reply, "sentDate")),
        ("other", with(&reply, json!({"from": ""}))),
        ("other", with(&reply, json!({"from": []}))),
        ("other", with(&reply, json!({"message": null}))),
        ("other", with(&reply, json!({"sentDate": ""}))),
        ("other", with(&reply, json!({"trackingId": "1"}))),
        ("other", with(&reply, json!({"messageID": "1"}))),
        ("other", with(&reply, json!({"status": {}}))),
        ("other", with(&reply, json!({"EVENT": false}))),
        ("status", with(&reply, json!({"trackingId": "1", "status": "SEEN"}))),
        // 3. Other kinds.
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
        ("status", email(json!({"name": "SEEN", "recipient": 1, "applicationId": 1, "steps": 1, "flowId": 1}))),
        ("other", with(&text, json!({"recipient": "1"}))),
        ("other", with(&text, json!({"messageId": "1"}))),
        ("other", with(&text, json!({"EVENT": "1"}))),
        ("status", with(&text, json!({"recipient": null, "messageId": "", "event": null}))),
        ("status", with(&status, json!({"recipient": "1", "messageId": "1", "event": "1"}))),
        // 4. Two marks of a flow, and none of what only its steps have.
        ("failover", bare.clone()),
        ("failover", with(&bare, json!({"messages": []}))),
        ("failover", with(&bare, json!({"messages": null, "to": null, "from": "", "body": null}))),
        ("failover", with(&text, json!({"originatingService": "Failover"}))),
        ("failover", with(&text, json!({"ORIGINATINGSERVICE": "fail_over"}))),
        ("failover", with(&text, json!({"terminationChannel": "Sms"}))),
        ("failover", with(&text, json!({"totalPrice": 0}))),
        ("failover", with(&text, json!({"flowKind": "transactional"}))),
        ("failover", with(&text, json!({"STATUSCODE": 0}))),
        ("failover", with(&text, json!({"applicationId": "1"}))),
        ("failover", with(&bare, json!({"status": 5, "flowKind": "x"}))),
        ("other", with(&bare, json!({"status": {}, "flowKind": "x"}))),
        ("other", without(&bare, "trackingId")),
        ("other", with(&without(&bare, "status"), json!({"flowKind": "x"}))),
        ("status", text.clone()),
        ("status", with(&text, json!({"updatedAt": null, "totalPrice": "", "originatingService": "Viber"}))),
        ("status", with(&bare, json!({"to": "1"}))),
        ("status", with(&bare, json!({"FROM": "1"}))),
        ("status", with(&bare, json!({"body": {}}))),
        ("status", with(&bare, json!({"body": []}))),
        ("status", with(&bare, json!({"status": {"name": "SEEN"}, "flowKind": "x", "applicationId": "1"}))),
        // 5. A status.
        ("status", status.clone()),
        ("status", json!({"trackingID": 1, "STATUS": {"Status": true}})),
        ("other", without(&status, "trackingId")),
        ("other", without(&status, "status")),
        ("other", with(&status, json!({"trackingId": []}))),
        ("other", with(&status, json!({"status": {}}))),
        ("other", json!({"from": "1", "status": "x", "messages": []})),
        ("other", json!({})),
        // The body's status is `status`; the other spelling lost.
        ("status", with(&status, json!({"STATUS": {"dateTime": 1, "final": true}}))),
        ("status", with(&status, json!({"STATUS": "SEEN", "updatedAt": "x"}))),
        ("other", with(&bare, json!({"status": [], "STATUS": "SEEN"}))),
        ("failover", with(&without(&bare, "status"), json!({"STATUS": [], "Status": "SEEN"}))),
        ("other", json!({"trackingId": 1, "STATUS": {"dateTime": 1, "final": 1}, "Status": {}})),
        ("status", json!({"trackingId": 1, "STATUS": {"dateTime": 1, "final": 1}, "Status": {"name": "SEEN"}})),
    ];
    for (expected, body) in cases {
        assert_eq!(kind(&body), expected, "{body}");
        let is_status = ViberCallback::from_slice(body.to_string().as_bytes()).is_ok();
        assert_eq!(is_status, expected == "status", "{body}");
    }
}

/// What was once taken for a Viber status, or could not be read.
#[test]
fn a_flow_without_readable_steps_is_a_flow() {
    let flow = |messages: Value| {
        json!({
            "trackingId": "f", "messages": messages, "status": "Queued", "originatingService": "Failover",
            "updatedAt": "2019-07-05T10:28:49Z",
        })
    };
    for (messages, steps) in [
        (json!([]), 0),
        (json!(null), 0),
        (json!({"type": "Viber"}), 0),
        (json!(["java.util.ArrayList", [{"type": "Viber"}]]), 0),
        (json!([{"type": "Viber"}]), 1),
    ] {
        assert_eq!(kind(&flow(messages.clone())), "failover", "{messages}");
        let read: FailoverCallback = serde_json::from_value(flow(messages.clone())).unwrap();
        assert_eq!(read.messages.len(), steps, "{messages}");
        let is_kept = steps == 0 && !messages.is_null() && messages != json!([]);
        assert_eq!(read.kept(), if is_kept { json!({"messages": messages}) } else { json!({}) });
    }
    let mut absent = map(flow(json!(null)));
    absent.remove("messages");
    assert_eq!(kind(&absent.into()), "failover");
    assert_eq!(kind(&written(&FailoverCallback::new("f", FailoverStatus::Failed))), "failover");
}

#[test]
fn a_reply_that_was_made_by_hand_is_a_reply() {
    let mut reply = InboundMessage::new("1");
    reply.message = Some("Hi".to_owned());
    assert_eq!(kind(&written(&reply)), "other");
    reply.direction = Some(Direction::Inbound);
    assert_eq!(kind(&written(&reply)), "inbound");
}

#[test]
fn what_lacks_what_its_kind_requires_is_another_kind_whole() {
    for (body, marked) in [
        (json!({"messages": [{}], "status": "Failed"}), BodyKind::Failover),
        (json!({"messages": [{}], "trackingId": "1", "status": {}}), BodyKind::Failover),
        (json!({"from": [], "message": "Hi", "sentDate": "x"}), BodyKind::Inbound),
        (json!({"messages": [{}], "trackingId": "1"}), BodyKind::Other),
        (json!({"trackingId": "1", "status": {"name": []}}), BodyKind::Other),
    ] {
        assert_eq!(kind(&body), "other", "{body}");
        let incoming: Incoming = serde_json::from_value(body.clone()).unwrap();
        assert_eq!((incoming.kind(), &incoming), (marked, &Incoming::Other(map(body))));
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
    for other in [
        r#"{"status": {"name": 1, "name": 2, "dateTime": 3, "final": true}}"#,
        r#"{"status": null, "Status": {"name": 1, "name": 2, "dateTime": 3, "final": true}}"#,
        r#"{"statUs": {"name": "SEEN", "final": true, "final": true}}"#,
        r#"{"trackingId": "1", "statUs": {"id": 3, "final": true, "final": true}}"#,
    ] {
        assert!(matches!(other.parse(), Ok(Incoming::Other(_))), "{other}");
        assert!(matches!(serde_json::from_str(other), Ok(Incoming::Other(_))), "{other}");
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
fn the_line_of_another_kind_of_body_has_its_keys_if_they_are_words() {
    let line = |body: Value| Incoming::Other(map(body)).to_string();
    assert_eq!(line(json!({"b": "+306912345678"})), "other kind of body: b");
    assert_eq!(line(json!({"a_b-c.D": 1})), "other kind of body: a_b-c.D");
    for key in ["a b", "a\n", "+306912345678", "k1", "Καλή", "a\"b"] {
        assert_eq!(line(json!({key: 1})), "other kind of body: ?", "{key}");
    }
    assert_eq!(line(json!({"k".repeat(32): 1})), format!("other kind of body: {}", "k".repeat(32)));
    assert_eq!(line(json!({"k".repeat(33): 1})), "other kind of body: ?");
    let keys = |count: u8| (b'a'..b'a' + count).map(|letter| char::from(letter).to_string());
    let body = |count| keys(count).map(|key| (key, json!(1))).collect::<Value>();
    let first = keys(20).collect::<Vec<_>>().join(", ");
    assert_eq!(line(body(20)), format!("other kind of body: {first}"));
    assert_eq!(line(body(21)), format!("other kind of body: {first}, …"));
}

#[test]
fn a_status_can_be_made_by_hand_and_written() {
    let incoming = Incoming::Status(ViberCallback::new("1", StatusName::Seen));
    assert_eq!(written(&incoming), json!({"trackingId": "1", "status": {"name": "SEEN"}}));
    assert_eq!(written(&Incoming::Other(map(json!({"b": [1], "a": null})))), json!({"a": null, "b": [1]}));
}

/// It is written as the text that it becomes, which must be of the same kind.
#[test]
fn a_status_that_becomes_a_text_counts_as_one() {
    for (status, is_text) in [
        (json!("x"), true),
        (json!(5), true),
        (json!(-1), true),
        (json!(true), true),
        (json!(1.5), false),
        (json!([5]), false),
    ] {
        let of = |more: Value| {
            let mut body = map(json!({"trackingId": "1", "status": status, "totalPrice": 1}));
            body.extend(map(more));
            Value::Object(body)
        };
        let expected = if is_text { "failover" } else { "other" };
        assert_eq!(kind(&of(json!({}))), expected, "{status}");
        for (mark, of_text) in
            [("recipient", BodyKind::TwoStepVerification), ("event", BodyKind::Other), ("messageId", BodyKind::Other)]
        {
            let body = of(json!({"flowKind": "x", mark: "r"}));
            let incoming = body.to_string().parse::<Incoming>().unwrap();
            assert_eq!(incoming.kind(), if is_text { of_text } else { BodyKind::Failover }, "{body}");
            assert_eq!(incoming, Incoming::Other(map(body.clone())), "{body}");
            assert_eq!(serde_json::from_value::<Incoming>(body).unwrap(), incoming);
        }
    }
    // Of two spellings a status has the one that it can read, and so does what tells its kind.
    let body = json!({"trackingId": "1", "STATUS": 5, "Status": {"name": "SEEN"}, "updatedAt": "x"});
    assert_eq!(kind(&body), "status");
    assert!(matches!(body.to_string().parse(), Ok(Incoming::Status(_))));
}

/// As an older version of the page on flow trackings has them.
#[test]
fn a_flow_in_the_flat_shape_of_an_sms_tracking_is_another_kind_whole() {
    let flat = json!({
        "smsId": "1274d238-38b7-4c56-b49a-9b70d25c1234",
        "messageId": "82a91dc3-e842-41eb-86e5-07d55eb51234",
        "to": "+306912345678",
        "from": "Routee",
        "country": "GR",
        "operator": "Vodafone",
        "groups": [],
        "status": {"status": "Delivered", "date": "2019-07-05T10:28:49Z"},
        "body": "Hello from failover",
        "originatingService": "failover",
        "price": 0.036,
    });
    let incoming: Incoming = serde_json::from_value(flat.clone()).unwrap();
    assert_eq!((incoming.kind(), incoming), (BodyKind::Other, Incoming::Other(map(flat.clone()))));
    let error = flat.to_string().parse::<FailoverCallback>().unwrap_err();
    assert_eq!(error.to_string(), "no readable `trackingId`");
}
