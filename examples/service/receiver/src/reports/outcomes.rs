//! How many messages were delivered, seen, and so on.

use std::ops::AddAssign;

use serde::Serialize;

use crate::store::error::StoreError;
use crate::store::value::Row;

/// How many messages there are, by what has become of them so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    pub messages: i64,
    /// DELIVERED or SEEN.
    pub delivered: i64,
    /// SEEN; these are counted as delivered, too.
    pub seen: i64,
    /// EXPIRED, FAILED, UNDELIVERED or UNSENT.
    pub failed: i64,
    /// QUEUED.
    pub pending: i64,
    /// With a status that Routee does not document.
    pub unrecognized: i64,
}

/// In SQL, all numbers of tallies of statuses but the unrecognized ones. The statuses that Routee does not document are put
/// together, since there may be any number of them.
pub const SUMS: &str = "CAST(sum(count) AS BIGINT),
    CAST(sum(count) FILTER (WHERE value IN ('DELIVERED', 'SEEN')) AS BIGINT),
    CAST(sum(count) FILTER (WHERE value = 'SEEN') AS BIGINT),
    CAST(sum(count) FILTER (WHERE value IN ('EXPIRED', 'FAILED', 'UNDELIVERED', 'UNSENT')) AS BIGINT),
    CAST(sum(count) FILTER (WHERE value = 'QUEUED') AS BIGINT)";

impl Outcomes {
    /// What [`Self::numbers`] are.
    pub const NAMES: [&str; 6] = ["messages", "delivered", "seen", "failed", "pending", "unrecognized"];

    pub const fn numbers(&self) -> [i64; 6] {
        let Self { messages, delivered, seen, failed, pending, unrecognized } = *self;
        [messages, delivered, seen, failed, pending, unrecognized]
    }

    /// Those of a row that has [`SUMS`] from some column on.
    pub fn read(row: &Row, column: usize) -> Result<Self, StoreError> {
        let sum = |place| row.get::<Option<i64>>(column + place).map(Option::unwrap_or_default);
        let [messages, delivered, seen, failed, pending] = [sum(0)?, sum(1)?, sum(2)?, sum(3)?, sum(4)?];
        let unrecognized = messages - delivered - failed - pending;
        Ok(Self { messages, delivered, seen, failed, pending, unrecognized })
    }

    /// The percentage of the messages that a number of them is; `None` if there are no messages.
    pub fn percent(&self, part: i64) -> Option<f64> {
        percent(part, self.messages)
    }
}

impl AddAssign for Outcomes {
    fn add_assign(&mut self, other: Self) {
        let Self { messages, delivered, seen, failed, pending, unrecognized } = other;
        self.messages += messages;
        self.delivered += delivered;
        self.seen += seen;
        self.failed += failed;
        self.pending += pending;
        self.unrecognized += unrecognized;
    }
}

/// The percentage of the whole that a part is; `None` if there is no whole.
#[allow(clippy::cast_precision_loss, reason = "it is shown with one decimal place")]
pub fn percent(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use routee_viber::{Stage, StatusName};
    use tempfile::TempDir;

    use super::*;
    use crate::store::fake::open_in;

    #[tokio::test]
    async fn each_message_has_one_outcome_and_a_seen_one_was_delivered() {
        let directory = TempDir::new().unwrap();
        let store = open_in(&directory).await;
        let mut expected = Outcomes::default();
        for (place, status) in
            (0..).zip(["QUEUED", "DELIVERED", "SEEN", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT", "Sent", ""])
        {
            let count = 1_i64 << place;
            let insert =
                "INSERT INTO tally (unit, hour, what, value, count, forgotten) VALUES ('ever', 0, 'status', $1, $2, 0)";
            store.execute(vec![(insert, vec![status.into(), count.into()])]).await.unwrap();
            let stage = StatusName::from(status).stage();
            let of = |stages: &[Option<Stage>]| if stages.contains(&stage) { count } else { 0 };
            expected += Outcomes {
                messages: count,
                delivered: of(&[Some(Stage::Delivered), Some(Stage::Seen)]),
                seen: of(&[Some(Stage::Seen)]),
                failed: of(&[Some(Stage::Failed)]),
                pending: of(&[Some(Stage::Pending)]),
                unrecognized: of(&[None]),
            };
        }
        assert_eq!(expected.numbers(), [511, 2 + 4, 4, 8 + 16 + 32 + 64, 1, 128 + 256]);
        let row = store.query_one(&format!("SELECT 'x', {SUMS} FROM tally"), vec![]).await.unwrap();
        assert_eq!(Outcomes::read(&row, 1), Ok(expected));
        store.close().await;
    }

    #[test]
    fn there_are_percentages_of_something_only() {
        assert_eq!((percent(1, 8), percent(0, 8), percent(0, 0)), (Some(12.5), Some(0.0), None));
    }
}
