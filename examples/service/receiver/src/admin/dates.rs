//! Times of the database, which are milliseconds of the epoch, as text.

use chrono::{DateTime, SecondsFormat, Utc};

/// As programs read it: `2026-11-23T10:00:00.000Z`.
pub fn rfc3339(millis: i64) -> String {
    of(millis).to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// As people read it, in UTC: `2026-11-23 10:00:00`.
pub fn to_the_second(millis: i64) -> String {
    of(millis).format("%Y-%m-%d %H:%M:%S").to_string()
}

fn of(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or_default()
}
