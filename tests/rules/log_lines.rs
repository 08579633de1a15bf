//! The one line for logs: nothing personal, and nothing from outside can forge another one.

use crate::common::{fixture, read};
use routee_viber::{FailoverCallback, InboundMessage, StatusName, ViberCallback};
use serde_json::{Value, json};

#[test]
fn the_line_of_a_status() {
    for (id, status, line) in [
        ("1", json!("SEEN"), "1 SEEN"),
        ("1", json!({"name": "seen", "updatedDate": "2019-07-05T10:28:49.5Z"}), "1 SEEN at 2019-07-05T10:28:49.500Z"),
        ("1", json!({"name": "FAILED", "reason": "timed_out"}), "1 FAILED (Timed Out)"),
        ("1", json!({"name": "FAILED", "reason": "+306912345678"}), "1 FAILED"),
        ("1", json!({"name": "FAILED", "reason": {"description": "+306912345678"}}), "1 FAILED"),
        ("1", json!({"name": "Sent", "updatedDate": "soon"}), "1 Sent"),
        ("1", json!("Not Seen"), r#"1 "Not Seen""#),
        ("1 SEEN", json!("SEEN"), r#""1 SEEN" SEEN"#),
        ("1\n2\r\u{1b}[2J\u{2028}\u{202e}b", json!("SEEN"), r#""1\n2\r\u{1b}[2J\u{2028}\u{202e}b" SEEN"#),
        ("a(b)", json!("a_b-C"), r#""a(b)" a_b-C"#),
        ("a'b", json!("a`b"), r#""a'b" ?"#),
        ("a\\b", json!("Καλή"), r#""a\\b" ?"#),
        ("a\u{a0}b", json!("SEEN"), r#""a\u{a0}b" SEEN"#),
        ("1", json!("Message to +306900000001 was rejected"), "1 ?"),
        ("1", json!("Sent2"), "1 ?"),
        ("1", json!("a\nb"), "1 ?"),
    ] {
        let callback = read::<ViberCallback>(&json!({"trackingId": id, "status": status}));
        assert_eq!(callback.to_string(), line);
    }
    assert_eq!(ViberCallback::new("", StatusName::from("")).to_string(), r#""" """#);
    let line = |id: &str, name: &str| ViberCallback::new(id, StatusName::from(name)).to_string();
    for letter in ["i", "é"] {
        assert_eq!(line(&letter.repeat(64), "SEEN"), format!("{} SEEN", letter.repeat(64)));
        assert_eq!(line(&letter.repeat(65), "SEEN"), format!("{}… SEEN", letter.repeat(64)));
    }
    assert_eq!(line(&format!(" {}", "i".repeat(64)), "SEEN"), format!("\" {}…\" SEEN", "i".repeat(63)));
    assert_eq!(line("1", &"n".repeat(32)), format!("1 {}", "n".repeat(32)));
    assert_eq!(line("1", &"n".repeat(33)), "1 ?");
}

#[test]
fn the_line_of_a_reply() {
    let line = |body: Value| read::<InboundMessage>(&body).to_string();
    assert_eq!(line(fixture("inbound")), "reply to dcfa62e1-13af-459a-a6ca-f15727a0b830 at 2017-08-11T12:36:45.393Z");
    assert_eq!(line(json!({"from": "1", "referenceTrackingId": "2"})), "reply to 2");
    assert_eq!(line(json!({"from": "1", "referenceTrackingId": "2 at\n"})), r#"reply to "2 at\n""#);
    assert_eq!(line(json!({"from": "1", "sentDate": "2019-07-05T10:28:49Z"})), "reply at 2019-07-05T10:28:49Z");
    assert_eq!(line(json!({"from": "1", "sentDate": "soon", "message": "Hi"})), "reply");
}

#[test]
fn the_line_of_a_flow() {
    let line = |body: Value| read::<FailoverCallback>(&body).to_string();
    assert_eq!(
        line(fixture("failover")),
        "30830fad-21ed-49b0-89d0-bbada2fd5640 Succeeded [Viber DELIVERED, Sms DELIVERED] at 2019-07-05T10:28:49.634Z",
    );
    assert_eq!(line(json!({"trackingId": "1", "status": "Queued"})), "1 Queued");
    assert_eq!(line(json!({"trackingId": "1", "status": "In\n", "updatedAt": "soon", "messages": [{}]})), "1 ? [? ?]");
    assert_eq!(
        line(json!({
            "trackingId": "1 2",
            "status": "Failed",
            "messages": [
                {"order": 2, "type": "Pigeon x", "status": "a]"}, {"order": 1, "status": "SEEN"}, {"type": "Voice"},
            ],
        })),
        r#""1 2" Failed ["Pigeon x" ?, ? SEEN, Voice ?]"#,
    );
}
