//! The marks by which the kinds of bodies are told apart that may arrive at one URL.
//!
//! Each rule is two documented marks, or one that no status callback could have by accident: a field that Routee adds
//! tomorrow must not turn callbacks away. Keys count in any ASCII case, and a mark is there if its value is neither
//! null nor `""`.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::Extra;
use crate::lenient::value::Tree;

/// What a body plainly is, judged by its keys alone.
pub(crate) enum Kind {
    Failover,
    Inbound,
    /// Not about a Viber message.
    Foreign,
    /// A Viber status, if it has what that requires.
    Status,
}

pub(crate) const FAILOVER: &str = "a failover callback";

/// What a body plainly is instead of a Viber status, judged by what no field took.
pub(crate) fn of_callback(extra: &Extra, status: &Extra) -> Option<&'static str> {
    if extra.is_empty() && status.is_empty() {
        return None;
    }
    let is_flow = |value: &Value| value.as_array().is_some_and(|items| items.iter().any(Value::is_object));
    let has = |entries: &Extra, name: &str| entries.iter().any(|(key, value)| is(key, name) && is_present(value));
    if extra.iter().any(|(key, value)| is(key, "messages") && is_flow(value)) {
        return Some(FAILOVER);
    }
    foreign(|name| has(extra, name), |name| has(status, name))
}

/// Which kind a body is.
pub(crate) fn of_body(entries: &[(String, Tree)]) -> Kind {
    let is_there = |value: &Tree| !matches!(value, Tree::Leaf(leaf) if !is_present(leaf));
    let has = |entries: &[(String, Tree)], name: &str| {
        // Of a key that stands twice, the last value stays.
        let mut later = BTreeSet::new();
        entries.iter().rev().any(|(key, value)| is(key, name) && later.insert(key) && is_there(value))
    };
    let top = |name: &str| has(entries, name);
    // The documented spelling comes first, then the others in the order of their names.
    let statuses = entries.iter().filter(|(key, value)| is(key, "status") && is_there(value));
    let status = statuses.min_by_key(|(key, _)| (key != "status", key));
    let status = |name: &str| matches!(status, Some((_, Tree::Object(inner))) if has(inner, name));
    let is_flow =
        |value: &Tree| matches!(value, Tree::List(items) if items.iter().any(|item| matches!(item, Tree::Object(_))));
    if entries.iter().any(|(key, value)| is(key, "messages") && is_flow(value)) {
        return Kind::Failover;
    }
    let is_reply = !["trackingId", "messageId", "status", "event"].into_iter().any(top)
        && top("from")
        && (top("message") || top("media"))
        && (top("referenceTrackingId") || top("sentDate"));
    if is_reply {
        return Kind::Inbound;
    }
    if foreign(top, status).is_some() { Kind::Foreign } else { Kind::Status }
}

/// The kinds that are not about Viber messages: two marks of a body each.
const FOREIGN: [([&str; 2], &str); 3] = [
    (["recipient", "applicationId"], "a two-step verification"),
    (["steps", "flowId"], "a failover OTP callback"),
    (["campaignStatus", "messageStatuses"], "an SMS campaign callback"),
];

/// As [`FOREIGN`], but in `status`.
const FOREIGN_STATUS: [([&str; 2], &str); 2] =
    [(["dateTime", "final"], "an e-mail status"), (["dateTime", "delivered"], "an e-mail status")];

fn foreign(top: impl Fn(&str) -> bool, status: impl Fn(&str) -> bool) -> Option<&'static str> {
    let of_body = FOREIGN.iter().find(|(marks, _)| marks.iter().all(|mark| top(mark)));
    let of_status = || FOREIGN_STATUS.iter().find(|(marks, _)| marks.iter().all(|mark| status(mark)));
    of_body.or_else(of_status).map(|(_, kind)| *kind)
}

/// Whether a key of a body or of a status may tell another kind than a Viber status.
pub(crate) fn is_mark(key: &str) -> bool {
    let foreign = FOREIGN.iter().chain(&FOREIGN_STATUS).flat_map(|(marks, _)| marks);
    foreign.chain([&"messages"]).any(|mark| is(key, mark))
}

fn is(key: &str, name: &str) -> bool {
    key.eq_ignore_ascii_case(name)
}

fn is_present(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}
