//! When a message expires, and when a status or a flow that is still pending has missed a callback.

use crate::common::read;
use chrono::{DateTime, Utc};
use routee_viber::{FailoverCallback, LONGEST_RETRY_SPAN, ViberCallback};
use serde_json::{Value, json};

const CREATED: &str = "2019-07-05T10:28:49Z";

fn callback(status: &str, ttl: Value, created_at: Value) -> ViberCallback {
    read(&json!({"trackingId": "1", "status": status, "ttl": ttl, "createdAt": created_at}))
}

#[test]
fn expires_at_counts_the_ttl_from_the_creation() {
    for (ttl, created_at, expected) in [
        (json!(3600), json!(CREATED), json!("2019-07-05T11:28:49Z")),
        (json!(30), json!(CREATED), json!("2019-07-05T10:29:19Z")),
        (json!(null), json!(CREATED), json!("2019-07-19T10:28:49Z")),
        (json!(1_209_600), json!(CREATED), json!("2019-07-19T10:28:49Z")),
        (json!(10), json!(CREATED), json!(null)),
        (json!("soon"), json!(CREATED), json!(null)),
        (json!(3600), json!(null), json!(null)),
        (json!(3600), json!("soon"), json!(null)),
    ] {
        for status in ["QUEUED", "SEEN"] {
            let found = callback(status, ttl.clone(), created_at.clone()).expires_at();
            assert_eq!(json!(found), expected, "{ttl} {created_at}");
        }
    }
    let mut other_spelling: ViberCallback =
        read(&json!({"trackingId": "1", "status": "QUEUED", "TTL": 10, "createdAt": CREATED}));
    assert_eq!(other_spelling.expires_at(), None);
    other_spelling.extra.clear();
    other_spelling.created_at = Some(DateTime::<Utc>::MAX_UTC);
    assert_eq!((other_spelling.expires_at(), other_spelling.overdue_at()), (None, None));
}

#[test]
fn overdue_at_is_for_pending_statuses_after_the_last_retry() {
    for (status, ttl, created_at, expected) in [
        ("QUEUED", json!(3600), json!(CREATED), json!("2019-07-07T03:32:19Z")),
        ("QUEUED", json!(null), json!(CREATED), json!("2019-07-21T02:32:19Z")),
        ("QUEUED", json!(10), json!(CREATED), json!(null)),
        ("QUEUED", json!(3600), json!(null), json!(null)),
        ("DELIVERED", json!(3600), json!(CREATED), json!(null)),
        ("SEEN", json!(3600), json!(CREATED), json!(null)),
        ("EXPIRED", json!(3600), json!(CREATED), json!(null)),
        ("Sent", json!(3600), json!(CREATED), json!(null)),
    ] {
        let callback = callback(status, ttl, created_at);
        assert_eq!(json!(callback.overdue_at()), expected, "{callback:?}");
        let computed = callback.expires_at().map(|at| at + LONGEST_RETRY_SPAN);
        assert!(callback.overdue_at().is_none_or(|at| Some(at) == computed));
    }
}

#[test]
fn a_pending_flow_is_overdue_after_the_ttls_of_its_steps_and_the_last_retry() {
    let viber = |ttl: Value| json!([{"type": "Viber", "ttl": ttl}]);
    let of = |channel: &str| json!([{"type": channel}]);
    for (steps, expected) in [
        (json!([]), json!("2019-07-07T02:32:19Z")),
        (json!(null), json!("2019-07-07T02:32:19Z")),
        // The documented bounds of a Viber step, in minutes, then what no step may have.
        (viber(json!(0.5)), json!("2019-07-07T02:32:49Z")),
        (viber(json!(1440.0)), json!("2019-07-08T02:32:19Z")),
        (viber(json!("30")), json!("2019-07-07T03:02:19Z")),
        (viber(json!(0)), json!("2019-07-07T02:32:19Z")),
        (viber(json!(-0.1)), json!(null)),
        (viber(json!("soon")), json!(null)),
        (json!([{"type": "Viber", "TTL": "soon"}]), json!(null)),
        (viber(json!(1e30)), json!(null)),
        (viber(json!(1e16)), json!(null)),
        (json!([{"ttl": 3e17}, {"ttl": 3e17}]), json!(null)),
        // The defaults.
        (of("Viber"), json!("2019-07-07T02:42:19Z")),
        (of("Sms"), json!("2019-07-07T22:32:19Z")),
        (of("Voice"), json!("2019-07-08T02:32:19Z")),
        (of("Fax"), json!("2019-07-08T02:32:19Z")),
        (json!([{}]), json!("2019-07-08T02:32:19Z")),
        (json!([{"type": "Viber", "ttl": 1}, {"type": "Sms", "ttl": 2}]), json!("2019-07-07T02:35:19Z")),
        (json!({"type": "Viber"}), json!(null)),
        (json!([1]), json!(null)),
    ] {
        for (status, is_pending) in
            [("Queued", true), ("inprogress", true), ("Succeeded", false), ("Failed", false), ("Stuck", false)]
        {
            let flow = json!({"trackingId": "1", "status": status, "messages": steps, "createdAt": CREATED});
            let overdue_at = json!(read::<FailoverCallback>(&flow).overdue_at());
            assert_eq!(&overdue_at, if is_pending { &expected } else { &Value::Null }, "{flow}");
        }
    }
    for created_at in [json!(null), json!("soon")] {
        let flow = json!({"trackingId": "1", "status": "Queued", "createdAt": created_at});
        assert_eq!(read::<FailoverCallback>(&flow).overdue_at(), None, "{flow}");
    }
    let mut flow = read::<FailoverCallback>(&json!({"trackingId": "1", "status": "Queued", "createdAt": CREATED}));
    flow.created_at = Some(DateTime::<Utc>::MAX_UTC);
    assert_eq!(flow.overdue_at(), None);
}
