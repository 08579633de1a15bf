//! The tables from which a purge removes what is old.

use crate::store::value::Value;

/// A table from which a purge removes what is old, one range of keys after the other.
pub struct Purgeable {
    pub table: &'static str,
    /// What comes before all keys.
    pub first: Value,
    /// The rows after the key `$1`, at most `$2`, in the order of their keys: the key, the time by which it is old, and how
    /// many bytes its body has.
    pub next: &'static str,
    /// Removes the rows after the key `$1` and up to `$2` whose time is before `$3`, or chooses them for `then`.
    pub remove: &'static str,
    /// Statements without parameters, of which the last one removes what was chosen.
    pub then: &'static [&'static str],
    /// The keys are in the order of that time, so that there is nothing old behind what is new.
    pub is_in_order: bool,
}

pub const UNREADABLE: Purgeable = Purgeable {
    table: "unreadable",
    first: Value::Integer(i64::MIN),
    next: "SELECT received_at, received_at, CAST(length(body) AS BIGINT) FROM unreadable
           WHERE received_at > (SELECT CAST($1 AS BIGINT)) ORDER BY received_at LIMIT $2",
    remove: "DELETE FROM unreadable WHERE received_at > (SELECT CAST($1 AS BIGINT))
                 AND received_at <= (SELECT CAST($2 AS BIGINT)) AND received_at < $3",
    then: &[],
    is_in_order: true,
};

/// An id stays until its pause is over, or it would be asked for too soon.
pub const ASKED: Purgeable = Purgeable {
    table: "asked",
    first: Value::Text(String::new()),
    next: "SELECT tracking_id, next_at, CAST(0 AS BIGINT) FROM asked
           WHERE tracking_id > $1 ORDER BY tracking_id LIMIT $2",
    remove: "DELETE FROM asked WHERE tracking_id > $1 AND tracking_id <= $2 AND next_at < $3",
    then: &[],
    is_in_order: false,
};

pub const RUN: Purgeable = Purgeable {
    table: "run",
    first: Value::Text(String::new()),
    next: "SELECT name, started_at, CAST(0 AS BIGINT) FROM run WHERE name > $1 ORDER BY name LIMIT $2",
    remove: "DELETE FROM run WHERE name > $1 AND name <= $2 AND started_at < $3",
    then: &[],
    is_in_order: false,
};
