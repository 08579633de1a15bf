//! How many messages were delivered, seen, and so on.

use routee_viber::{Stage, StatusName};
use serde::Serialize;

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

/// In SQL, the name of a status if it is one that Routee documents, and '' for all others together, of which there may be
/// any number.
pub const RECOGNIZED: &str = "CASE WHEN what <> 'status' OR value IN
    ('QUEUED', 'DELIVERED', 'SEEN', 'UNDELIVERED', 'EXPIRED', 'FAILED', 'UNSENT') THEN value ELSE '' END";

impl Outcomes {
    /// What [`Self::numbers`] are.
    pub const NAMES: [&str; 6] = ["messages", "delivered", "seen", "failed", "pending", "unrecognized"];

    pub const fn numbers(&self) -> [i64; 6] {
        let Self { messages, delivered, seen, failed, pending, unrecognized } = *self;
        [messages, delivered, seen, failed, pending, unrecognized]
    }

    /// Counts so many more messages with that status.
    pub fn add(&mut self, status: &str, count: i64) {
        self.messages += count;
        match StatusName::from(status).stage() {
            Some(Stage::Pending) => self.pending += count,
            Some(Stage::Delivered) => self.delivered += count,
            Some(Stage::Seen) => {
                self.delivered += count;
                self.seen += count;
            }
            Some(Stage::Failed) => self.failed += count,
            None => self.unrecognized += count,
        }
    }

    /// The percentage of the messages that a number of them is; `None` if there are no messages.
    pub fn percent(&self, part: i64) -> Option<f64> {
        percent(part, self.messages)
    }
}

/// The percentage of the whole that a part is; `None` if there is no whole.
#[allow(clippy::cast_precision_loss, reason = "it is shown with one decimal place")]
pub fn percent(part: i64, whole: i64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64 * 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_message_has_one_outcome_and_a_seen_one_was_delivered() {
        let mut outcomes = Outcomes::default();
        for (place, status) in
            (0..).zip(["QUEUED", "DELIVERED", "SEEN", "UNDELIVERED", "EXPIRED", "FAILED", "UNSENT", "Sent", ""])
        {
            // Only those that SQL does not put together are in the list.
            assert_eq!(RECOGNIZED.contains(&format!("'{status}'")), place < 7 || status.is_empty(), "{status}");
            outcomes.add(status, 1 << place);
        }
        let expected = Outcomes {
            messages: 511,
            delivered: 2 + 4,
            seen: 4,
            failed: 8 + 16 + 32 + 64,
            pending: 1,
            unrecognized: 128 + 256,
        };
        assert_eq!(outcomes, expected);
        assert_eq!((percent(1, 8), percent(0, 8), percent(0, 0)), (Some(12.5), Some(0.0), None));
    }
}
