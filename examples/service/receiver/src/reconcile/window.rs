//! A window of time that is searched for flows.

use chrono::{DateTime, Utc};

const MINUTE: i64 = 60;

/// On which of a flow's dates Routee searches is not documented, so that a search begins and ends this much further out.
const MARGIN: i64 = 60;

/// In minutes of the epoch, since the dates of a search have no seconds. Both ends belong to it, and windows that follow
/// each other share one, since whether Routee counts it is not documented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
}

impl Window {
    /// What is searched for the flows of that time.
    pub const fn around(since: DateTime<Utc>, until: DateTime<Utc>) -> Self {
        let (since, until) = (since.timestamp(), until.timestamp());
        // A minute that has begun counts whole.
        Self { start: since.div_euclid(MINUTE) - MARGIN, end: until.div_euclid(MINUTE) + 1 + MARGIN }
    }

    /// Its first half; `None` if it is a minute.
    pub const fn first_half(self) -> Option<Self> {
        let half = (self.end - self.start) / 2;
        if half > 0 { Some(Self { start: self.start, end: self.start + half }) } else { None }
    }

    /// What comes next in the range: twice as long, as far as there is that much. `None` if the range is over.
    pub fn next_in(self, range: Self) -> Option<Self> {
        let end = (self.end + 2 * (self.end - self.start)).min(range.end);
        (self.end < range.end).then_some(Self { start: self.end, end })
    }

    /// Its ends as Routee's pages show them: `2025-05-05T15:00Z`.
    pub fn dates(self) -> [String; 2] {
        [self.start, self.end].map(|minute| {
            let date = DateTime::from_timestamp(minute * MINUTE, 0).unwrap_or_default();
            date.format("%Y-%m-%dT%H:%MZ").to_string()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn around(since: &str, until: &str) -> Window {
        Window::around(since.parse().unwrap(), until.parse().unwrap())
    }

    #[test]
    fn a_range_is_an_hour_wider_on_both_sides() {
        let window = around("2026-11-01T00:00:59.999Z", "2026-11-02T00:00:00Z");
        assert_eq!(window.dates(), ["2026-10-31T23:00Z", "2026-11-02T01:01Z"]);
        let window = around("1969-12-31T23:59:59Z", "1970-01-01T00:00:59Z");
        assert_eq!(window.dates(), ["1969-12-31T22:59Z", "1970-01-01T01:01Z"]);
    }

    #[test]
    fn a_window_can_be_halved_down_to_a_minute() {
        let half = |start, end| Window { start, end }.first_half();
        assert_eq!(half(10, 15), Some(Window { start: 10, end: 12 }));
        assert_eq!(half(10, 12), Some(Window { start: 10, end: 11 }));
        assert_eq!(half(10, 11), None);
        assert_eq!(half(10, 10), None);
    }

    #[test]
    fn windows_follow_each_other_to_the_end_of_the_range() {
        let range = Window { start: 0, end: 100 };
        let mut window = Window { start: 0, end: 10 };
        let mut all = vec![window.end];
        while let Some(next) = window.next_in(range) {
            assert_eq!(next.start, window.end);
            all.push(next.end);
            window = next;
        }
        assert_eq!(all, [10, 30, 70, 100]);
        assert_eq!(range.next_in(range), None);
    }
}
