//! Which deliveries are the same.

use crate::common::{fixture, read};
use routee_viber::{FailoverCallback, InboundMessage, Incoming, Progress, ViberCallback};
use serde_json::{Value, json};

const DATE: &str = "2019-07-05T10:28:49Z";

fn key(body: Value) -> String {
    read::<ViberCallback>(&body).idempotency_key()
}

#[test]
fn the_key_of_a_status_has_its_documented_format() {
    for (id, status, expected) in [
        (json!("1"), json!("SEEN"), r#"["1","SEEN",null]"#),
        (json!(1), json!("seen"), r#"["1","SEEN",null]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": ""}), r#"["1","SEEN",null]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": DATE}), r#"["1","SEEN","2019-07-05T10:28:49Z"]"#),
        (
            json!("1"),
            json!({"name": "SEEN", "date": "2019-07-05 13:28:49.5+0300"}),
            r#"["1","SEEN","2019-07-05T10:28:49.500Z"]"#,
        ),
        (json!("1"), json!({"name": "SEEN", "updatedDate": 1_562_322_529}), r#"["1","SEEN","2019-07-05T10:28:49Z"]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": "soon"}), r#"["1","SEEN","soon"]"#),
        (json!("1"), json!({"name": "SEEN", "date": "soon"}), r#"["1","SEEN","soon"]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": "soon", "date": DATE}), r#"["1","SEEN","soon"]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": 5}), r#"["1","SEEN",5]"#),
        (json!("1"), json!({"name": "SEEN", "updatedDate": {"a": [null]}}), r#"["1","SEEN",{"a":[null]}]"#),
        (json!("1"), json!({"name": "Not Seen"}), r#"["1","Not Seen",null]"#),
        (json!("a\",\"b\\\n\u{1b}é"), json!("SEEN"), "[\"a\\\",\\\"b\\\\\\n\\u001bé\",\"SEEN\",null]"),
    ] {
        assert_eq!(key(json!({"trackingId": id, "status": status})), expected);
    }
}

#[test]
fn the_key_of_a_status_depends_on_nothing_else() {
    let status = json!({"name": "SEEN", "updatedDate": DATE});
    let bare = key(json!({"trackingId": "1", "status": status}));
    let mut full = fixture("documented-shape");
    full["trackingId"] = json!("1");
    full["status"]["name"] = json!("SEEN");
    full["status"]["updatedDate"] = json!(DATE);
    assert_eq!(key(full), bare);
}

#[test]
fn the_key_of_a_reply_has_its_documented_format() {
    let key = |body: Value| read::<InboundMessage>(&body).idempotency_key();
    for (body, expected) in [
        (
            fixture("inbound"),
            concat!(
                r#"["dcfa62e1-13af-459a-a6ca-f15727a0b830","+306900000001","your_sender_id","2017-08-11T12:36:45.393Z","#,
                r#""This is the body of the inbound message","https://example.com/reply.jpg"]"#,
            ),
        ),
        (
            json!({"from": "1", "referenceTrackingId": "2", "sentDate": DATE, "media": "x"}),
            r#"["2","1",null,"2019-07-05T10:28:49Z",null,"x"]"#,
        ),
        (json!({"from": "1", "sentDate": "soon", "message": "Hi"}), r#"[null,"1",null,"soon","Hi",null]"#),
        (json!({"from": "1", "SENTDATE": 5, "To": {"a": 1}}), r#"[null,"1",{"a":1},5,null,null]"#),
        (json!({"from": 1, "to": 2, "media": [3]}), r#"[null,"1","2",null,null,[3]]"#),
        (json!({"from": "1"}), r#"[null,"1",null,null,null,null]"#),
    ] {
        assert_eq!(key(body), expected);
    }
}

/// "no" and "STOP", three pictures of an album, STOP to two senders, all within one second.
#[test]
fn two_replies_never_share_a_key() {
    let reply = fixture("inbound");
    let key = |body: &Value| read::<InboundMessage>(body).idempotency_key();
    for field in ["referenceTrackingId", "from", "to", "sentDate", "message", "media"] {
        let mut other = reply.clone();
        other[field] = json!("2017-08-11T12:36:45.394Z");
        assert_ne!(key(&other), key(&reply), "{field}");
    }
    for field in ["campaignName", "campaignTrackingId", "direction", "filename", "label", "new"] {
        let mut same = reply.clone();
        same[field] = json!("x");
        assert_eq!(key(&same), key(&reply), "{field}");
    }
}

#[test]
fn the_key_of_a_flow_has_its_documented_format() {
    let key = |body: Value| read::<FailoverCallback>(&body).idempotency_key();
    for (body, expected) in [
        (
            fixture("failover"),
            concat!(
                r#"["30830fad-21ed-49b0-89d0-bbada2fd5640","Succeeded","2019-07-05T10:28:49.634Z","#,
                r#"["0a047b46-a4dd-4ca8-b817-a6a134dd1234",null,null,"DELIVERED","2019-07-05T10:28:44.996Z"],"#,
                r#"[null,"82a91dc3-e842-41eb-86e5-07d55eb51234","1274d238-38b7-4c56-b49a-9b70d25c1234","#,
                r#""DELIVERED","2019-07-05T10:28:49Z"]]"#,
            ),
        ),
        (json!({"trackingId": 1, "status": "queued"}), r#"["1","Queued",null]"#),
        (
            json!({
                "trackingId": "1", "status": "Paused", "updatedAt": "soon",
                "messages": [{}, {"status": {"name": "x", "date": 5}}],
            }),
            r#"["1","Paused","soon",[null,null,null,null,null],[null,null,null,"x",5]]"#,
        ),
        (
            json!({
                "trackingId": "1", "status": "Queued",
                "messages": [{"trackingId": [2], "MESSAGEID": 1.5, "smsId": {"a": null}, "status": {"code": 5}}],
            }),
            r#"["1","Queued",null,[[2],1.5,{"a":null},{"code":5},null]]"#,
        ),
        // What is no list of steps cannot be taken for one.
        (
            json!({"trackingId": "1", "status": "Failed", "messages": ["a", null, null, "SEEN", null]}),
            r#"["1","Failed",null,[["a",null,null,"SEEN",null]]]"#,
        ),
        (json!({"trackingId": "1", "status": "Failed", "messages": {"b": 5}}), r#"["1","Failed",null,[{"b":5}]]"#),
    ] {
        assert_eq!(key(body), expected);
    }
}

/// Under `preserve_order` an object keeps the order of the body, in which its keys mean nothing.
#[test]
fn the_order_of_keys_in_an_unreadable_value_changes_no_key_and_no_rank() {
    let status = |date: &str| format!(r#"{{"trackingId":"1","status":{{"name":"SEEN","updatedDate":{date}}}}}"#);
    let [one, other] = [r#"[{"b":{"d":1,"c":2},"a":3}]"#, r#"[{"a":3,"b":{"c":2,"d":1}}]"#].map(|date| {
        let callback: ViberCallback = status(date).parse().unwrap();
        (callback.idempotency_key(), callback.status.rank(), callback.status)
    });
    assert_eq!(one.0, r#"["1","SEEN",[{"a":3,"b":{"c":2,"d":1}}]]"#);
    assert_eq!((&one.0, &one.1), (&other.0, &other.1));
    assert_eq!(one.2.progress_from(&other.2), Progress::Duplicate);

    let [one, other] = [r#"{"b":1,"a":2}"#, r#"{"a":2,"b":1}"#].map(|value| {
        let reply = format!(r#"{{"from":"1","message":{value}}}"#);
        let step = format!(r#"{{"trackingId":{value},"status":{value}}}"#);
        let flow = format!(r#"{{"trackingId":"1","status":"Failed","updatedAt":{value},"messages":[{step}]}}"#);
        let flow: FailoverCallback = flow.parse().unwrap();
        let reply: InboundMessage = reply.parse().unwrap();
        [reply.idempotency_key(), flow.idempotency_key(), flow.rank()]
    });
    assert_eq!(one[0], r#"[null,"1",null,null,{"a":2,"b":1},null]"#);
    assert_eq!(one[1], r#"["1","Failed",{"a":2,"b":1},[{"a":2,"b":1},null,null,{"a":2,"b":1},null]]"#);
    assert_eq!(one, other);
}

#[test]
fn two_updates_of_a_flow_never_share_a_key() {
    let flow = fixture("failover");
    let key = |body: &Value| read::<FailoverCallback>(body).idempotency_key();
    for (pointer, value) in [
        ("/trackingId", json!("2")),
        ("/status", json!("InProgress")),
        ("/updatedAt", json!("2019-07-05T10:28:49.635Z")),
        ("/updatedAt", json!(null)),
        ("/messages", json!([])),
        ("/messages/0/trackingId", json!("2")),
        ("/messages/1/messageId", json!("2")),
        ("/messages/1/smsId", json!("2")),
        ("/messages/0/status/name", json!("SEEN")),
        ("/messages/0/status/updatedDate", json!("2019-07-05T10:28:44.997Z")),
        ("/messages/1/status", json!(null)),
    ] {
        let mut update = flow.clone();
        *update.pointer_mut(pointer).unwrap() = value;
        assert_ne!(key(&update), key(&flow), "{pointer}");
    }
    let mut same = flow.clone();
    same["totalPrice"] = json!(1);
    same["messages"][0]["status"]["reason"] = json!("Opted Out");
    assert_eq!(key(&same), key(&flow));
}

#[test]
fn another_kind_of_body_has_no_key() {
    assert_eq!(r#"{"shortUrl": "x"}"#.parse::<Incoming>().unwrap().idempotency_key(), None);
    let status: Incoming = r#"{"trackingId": "1", "status": "SEEN"}"#.parse().unwrap();
    assert_eq!(status.idempotency_key().as_deref(), Some(r#"["1","SEEN",null]"#));
}
