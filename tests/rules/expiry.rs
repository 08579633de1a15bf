//! When a message expires, and when a status that is still pending has missed a callback.

use crate::common::read;
use chrono::{DateTime, Utc};
use routee_viber::{LONGEST_RETRY_SPAN, ViberCallback};
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
