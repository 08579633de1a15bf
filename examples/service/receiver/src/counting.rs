//! What a message counts as in the reports, apart from its status: its campaign, its hour, and how long things took.

use chrono::{DateTime, TimeDelta, Utc};

use crate::entry::fault_of_id;

/// The upper bounds of the buckets of a duration, in seconds. What took longer is in the last one, which is as long as a
/// message can live.
pub const BOUNDS: [i64; 13] = [1, 2, 5, 10, 30, 60, 300, 900, 3600, 14_400, 86_400, 604_800, 1_209_600];

/// How far a sender's clock may be ahead of ours.
const AHEAD: TimeDelta = TimeDelta::days(1);

/// The hour of a date, counted from the epoch; 0 stands for none. A date that is too far ahead is none, and then the arrival
/// counts.
pub fn hour(date: Option<DateTime<Utc>>, received_at: DateTime<Utc>) -> i64 {
    let date = date.filter(|date| *date - received_at <= AHEAD).unwrap_or(received_at);
    date.timestamp().div_euclid(3600).max(1)
}

/// The upper bound of the bucket that the time between the dates is in. A clock that runs backwards counts as the shortest.
pub fn within(from: Option<DateTime<Utc>>, to: Option<DateTime<Utc>>) -> Option<i64> {
    let took = (to? - from?).num_milliseconds();
    let [.., longest] = BOUNDS;
    Some(BOUNDS.into_iter().find(|bound| took <= bound * 1000).unwrap_or(longest))
}

/// The id of a campaign, unless it is one that a database would refuse.
pub fn campaign(id: Option<&String>) -> Option<String> {
    id.filter(|id| !id.is_empty() && fault_of_id(id).is_none()).cloned()
}

/// A price as JSON writes the number.
pub fn price(price: f64) -> Option<String> {
    serde_json::Number::from_f64(price).map(|price| price.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    #[test]
    fn an_hour_is_that_of_the_date_or_of_the_arrival() {
        let now = date("2026-11-30T12:59:59.999Z");
        let hour_of = |text| hour(Some(date(text)), now) - hour(None, now);
        assert_eq!(hour(None, now), 498_900);
        assert_eq!([hour_of("2026-11-30T12:00:00Z"), hour_of("2026-11-30T11:59:59.999Z")], [0, -1]);
        // A day ahead, and a millisecond more.
        assert_eq!([hour_of("2026-12-01T12:59:59.999Z"), hour_of("2026-12-01T13:00:00Z")], [24, 0]);
        for early in ["1970-01-01T01:59:59Z", "1970-01-01T00:00:00Z", "-0001-01-01T00:00:00Z"] {
            assert_eq!(hour(Some(date(early)), now), 1, "{early}");
        }
        assert_eq!(hour(Some(date("1970-01-01T02:00:00Z")), now), 2);
        assert_eq!(hour(Some(DateTime::<Utc>::MAX_UTC), DateTime::<Utc>::MIN_UTC), 1);
    }

    #[test]
    fn a_duration_is_in_the_first_bucket_that_holds_it() {
        let from = date("2026-11-30T00:00:00Z");
        let of = |milliseconds| within(Some(from), Some(from + TimeDelta::milliseconds(milliseconds))).unwrap();
        assert_eq!(of(-1), 1);
        let mut shorter = 0;
        for bound in BOUNDS {
            assert_eq!([of(shorter * 1000 + 1), of(bound * 1000)], [bound, bound]);
            shorter = bound;
        }
        assert_eq!(of(1_209_600_001), 1_209_600);
        assert_eq!((within(None, Some(from)), within(Some(from), None)), (None, None));
        assert_eq!(within(Some(DateTime::<Utc>::MIN_UTC), Some(DateTime::<Utc>::MAX_UTC)), Some(1_209_600));
    }

    #[test]
    fn a_campaign_has_an_id_that_fits() {
        let id = |id: &str| campaign(Some(&id.to_owned()));
        assert_eq!(id("spring"), Some("spring".to_owned()));
        assert_eq!(id(&"c".repeat(1024)), Some("c".repeat(1024)));
        assert_eq!([campaign(None), id(""), id(&"c".repeat(1025)), id("a\0")], [const { None }; 4]);
    }

    #[test]
    fn a_price_has_the_digits_that_it_came_with() {
        assert_eq!(
            [0.035, 1.0, 1e300, 5e-324].map(|number| price(number).unwrap()),
            ["0.035", "1.0", "1e+300", "5e-324"]
        );
        assert_eq!(price(f64::NAN), None);
    }
}
