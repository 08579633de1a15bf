//! How long messages took, counted in buckets.

use crate::counting::BOUNDS;

/// How many messages took how long. Since the buckets are fixed, those of all hours can be added, which medians cannot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Durations([i64; BOUNDS.len()]);

impl Durations {
    /// Counts so many more messages in the bucket with that bound.
    pub fn add(&mut self, bound: &str, count: i64) {
        let bucket = bound.parse::<i64>().ok().and_then(|bound| BOUNDS.iter().position(|one| *one == bound));
        if let Some(bucket) = bucket {
            self.0[bucket] += count;
        }
    }

    /// How many messages were counted.
    pub fn messages(&self) -> i64 {
        self.0.iter().sum()
    }

    /// The shortest bound that at least so many per cent of the messages did not exceed; `None` if there are none.
    pub fn quantile(&self, percent: i64) -> Option<Bound> {
        let messages = self.messages();
        let mut counted = 0;
        let at_most = |(bound, count): (&i64, &i64)| {
            counted += count;
            (counted * 100 >= messages * percent).then_some(Bound(*bound))
        };
        if messages > 0 { BOUNDS.iter().zip(&self.0).find_map(at_most) } else { None }
    }

    /// The bounds of the buckets that have messages, and how many each has.
    pub fn buckets(&self) -> impl Iterator<Item = (Bound, i64)> {
        BOUNDS.into_iter().map(Bound).zip(self.0).filter(|(_, count)| *count > 0)
    }
}

/// The bound of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound(pub i64);

impl Bound {
    /// In words, such as `within 30 s`.
    pub fn described(self) -> String {
        let [.., longest_exact, last] = BOUNDS;
        if self.0 == last {
            format!("more than {}", written(longest_exact))
        } else {
            format!("within {}", written(self.0))
        }
    }
}

/// A number of seconds in the largest unit of which it is a multiple.
fn written(seconds: i64) -> String {
    let units = [(86_400, "d"), (3600, "h"), (60, "min"), (1, "s")];
    let fits = units.into_iter().find(|(unit, _)| seconds % unit == 0);
    fits.map(|(unit, name)| format!("{} {name}", seconds / unit)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn durations(buckets: &[(i64, i64)]) -> Durations {
        let mut durations = Durations::default();
        for (bound, count) in buckets {
            durations.add(&bound.to_string(), *count);
        }
        durations
    }

    #[test]
    fn a_quantile_is_the_shortest_bound_that_so_many_did_not_exceed() {
        let quantiles = |buckets| [50, 90].map(|percent| durations(buckets).quantile(percent).map(|bound| bound.0));
        assert_eq!(quantiles(&[]), [None, None]);
        assert_eq!(quantiles(&[(30, 1)]), [Some(30), Some(30)]);
        // Exactly half, and one less.
        assert_eq!(quantiles(&[(1, 50), (60, 50)]), [Some(1), Some(60)]);
        assert_eq!(quantiles(&[(1, 49), (60, 51)]), [Some(60), Some(60)]);
        // Exactly nine tenths, and one less.
        assert_eq!(quantiles(&[(5, 90), (3600, 10)]), [Some(5), Some(5)]);
        assert_eq!(quantiles(&[(5, 89), (3600, 11)]), [Some(5), Some(3600)]);
        assert_eq!(quantiles(&[(604_800, 10_000_000), (1_209_600, 10_000_000)]), [Some(604_800), Some(1_209_600)]);
        // Those of several hours can be added.
        assert_eq!(quantiles(&[(1, 1), (2, 1), (1, 2)]), [Some(1), Some(2)]);
    }

    #[test]
    fn a_bound_is_described_in_its_largest_unit() {
        let described = BOUNDS.map(|bound| Bound(bound).described());
        let expected = ["1 s", "2 s", "5 s", "10 s", "30 s", "1 min", "5 min", "15 min", "1 h", "4 h", "1 d", "7 d"];
        assert_eq!(described[..12], expected.map(|bound| format!("within {bound}")));
        assert_eq!(described[12], "more than 7 d");
    }

    #[test]
    fn what_is_no_bucket_is_not_counted() {
        let counted = durations(&[(0, 1), (3, 1), (30, 2)]);
        assert_eq!((counted.messages(), counted.buckets().collect::<Vec<_>>()), (2, vec![(Bound(30), 2)]));
    }
}
