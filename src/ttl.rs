//! How long a message may wait for its delivery.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::TimeDelta;
use serde::de::{DeserializeSeed as _, Error as _};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Number, Value};

use crate::lenient::decimal::Decimal;
use crate::lenient::scalar::{Leaf, Scalar};
use crate::lenient::value::{holding, whole};

/// The time to live of a message: how long Routee tries to deliver it.
///
/// Unit: whole seconds. Range: 30 to 86 400 (24 hours), or exactly 1 209 600 (14 days): the TTL that applies if
/// none was set, which you cannot set explicitly. For web clients the minimum is 300 seconds, see [`Ttl::for_web`]. The
/// steps of a failover flow count **minutes** instead, see [`FailoverStep::ttl_minutes`](crate::FailoverStep::ttl_minutes).
/// Source: [docs/viber-callback](https://docs.routee.net/docs/viber-callback),
/// [reference/send-a-viber-single-message](https://docs.routee.net/reference/send-a-viber-single-message) and
/// [reference/send-a-viber-campaign](https://docs.routee.net/reference/send-a-viber-campaign).
///
/// | | seconds |
/// |---|---|
/// | may be set | 30 to 86 400 |
/// | may be set for web clients | 300 to 86 400 |
/// | if none was set ([`Ttl::DEFAULT`]) | 1 209 600 |
///
/// ```
/// use routee_viber::Ttl;
///
/// let ttl = Ttl::from_secs(3600)?;
/// assert_eq!(ttl.as_secs(), 3600);
/// assert_eq!(ttl.to_string(), "3600");
///
/// let error = Ttl::from_secs(29).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "a TTL of 29 s is outside 30 to 86400 s \
///      (or exactly 1209600 s, the default)",
/// );
///
/// assert!(Ttl::WEB_MIN.for_web().is_ok());
/// assert!(Ttl::MIN.for_web().is_err());
/// # Ok::<(), routee_viber::TtlError>(())
/// ```
///
/// You cannot set the default explicitly, so leave it out of your requests:
///
/// ```
/// use routee_viber::Ttl;
///
/// #[derive(serde::Serialize)]
/// struct Message {
///     #[serde(skip_serializing_if = "Ttl::is_default")]
///     ttl: Ttl,
/// }
///
/// let message = Message { ttl: Ttl::DEFAULT };
/// assert_eq!(serde_json::to_string(&message)?, "{}");
/// let message = Message { ttl: Ttl::MAX };
/// assert_eq!(serde_json::to_string(&message)?, r#"{"ttl":86400}"#);
/// # Ok::<(), serde_json::Error>(())
/// ```
///
/// # serde
///
/// Serialized as a number. Deserialized from a whole number, from one with a zero fraction (`3600.0`), or from either
/// in a string; out of range is an error that names the value and the range. In a callback such a value is no error: it
/// leaves `ttl` as `None` and is kept in `extra`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u32);

impl Ttl {
    /// The shortest TTL that may be set: 30 seconds.
    pub const MIN: Self = Self(30);
    /// The longest TTL that may be set: 86 400 seconds, 24 hours.
    pub const MAX: Self = Self(86_400);
    /// The shortest TTL for web clients: 300 seconds.
    pub const WEB_MIN: Self = Self(300);
    /// The TTL that applies if none was set: 14 days. Longer than [`Ttl::MAX`].
    pub const DEFAULT: Self = Self(1_209_600);

    /// A TTL of that many seconds.
    ///
    /// # Errors
    ///
    /// If the value is neither in 30 to 86 400 nor exactly 1 209 600.
    pub const fn from_secs(seconds: u32) -> Result<Self, TtlError> {
        let ttl = Self(seconds);
        if ttl.is_default() || (Self::MIN.0 <= seconds && seconds <= Self::MAX.0) {
            Ok(ttl)
        } else {
            Err(TtlError(Kind::OutOfRange(seconds as i128)))
        }
    }

    /// The TTL in seconds.
    #[must_use]
    pub const fn as_secs(self) -> u32 {
        self.0
    }

    /// The TTL as a [`Duration`].
    #[must_use]
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.0 as u64)
    }

    /// Whether this is the TTL that applies if none was set.
    #[must_use]
    #[allow(clippy::trivially_copy_pass_by_ref, reason = "fits `skip_serializing_if`")]
    pub const fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT.0
    }

    /// Returns the TTL if it is valid for web clients.
    ///
    /// [`Ttl::DEFAULT`] is valid, because it applies if none was set (inferred).
    ///
    /// # Errors
    ///
    /// If the TTL is below 300 seconds.
    pub const fn for_web(self) -> Result<Self, TtlError> {
        if self.0 < Self::WEB_MIN.0 { Err(TtlError(Kind::TooShortForWeb(self.0))) } else { Ok(self) }
    }
}

/// The error for a value that is not a [`Ttl`]: it names the value, if it is a number, and the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[error(transparent)]
pub struct TtlError(Kind);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
enum Kind {
    #[error("a TTL of {0} s is outside {min} to {max} s (or exactly {default} s, the default)", min = Ttl::MIN, max = Ttl::MAX, default = Ttl::DEFAULT)]
    OutOfRange(i128),
    #[error("a TTL of {0} s is outside {min} to {max} s, the range for web clients", min = Ttl::WEB_MIN, max = Ttl::MAX)]
    TooShortForWeb(u32),
    #[error("a TTL is a whole number of seconds, {min} to {max} (or exactly {default}, the default)", min = Ttl::MIN, max = Ttl::MAX, default = Ttl::DEFAULT)]
    NotWholeSeconds,
}

impl TtlError {
    /// The value in seconds; `None` if it is not a whole number of them.
    #[must_use]
    pub const fn seconds(&self) -> Option<i128> {
        match self.0 {
            Kind::OutOfRange(seconds) => Some(seconds),
            Kind::TooShortForWeb(seconds) => Some(seconds as i128),
            Kind::NotWholeSeconds => None,
        }
    }
}

/// [`Ttl::DEFAULT`].
impl Default for Ttl {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// The seconds, as a number alone.
impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads what `Deserialize` reads from a string: `3600`, `3600.0`.
impl FromStr for Ttl {
    type Err = TtlError;

    fn from_str(text: &str) -> Result<Self, TtlError> {
        from_whole(Decimal::parse(text).and_then(Decimal::to_whole))
    }
}

impl TryFrom<u32> for Ttl {
    type Error = TtlError;

    fn try_from(seconds: u32) -> Result<Self, TtlError> {
        Self::from_secs(seconds)
    }
}

impl TryFrom<u64> for Ttl {
    type Error = TtlError;

    fn try_from(seconds: u64) -> Result<Self, TtlError> {
        from_whole(Some(seconds.into()))
    }
}

impl TryFrom<i64> for Ttl {
    type Error = TtlError;

    fn try_from(seconds: i64) -> Result<Self, TtlError> {
        from_whole(Some(seconds.into()))
    }
}

/// Whole seconds only: nothing is rounded.
impl TryFrom<Duration> for Ttl {
    type Error = TtlError;

    fn try_from(duration: Duration) -> Result<Self, TtlError> {
        from_whole((duration.subsec_nanos() == 0).then(|| duration.as_secs().into()))
    }
}

/// Whole seconds only: nothing is rounded.
impl TryFrom<TimeDelta> for Ttl {
    type Error = TtlError;

    fn try_from(delta: TimeDelta) -> Result<Self, TtlError> {
        from_whole((delta.subsec_nanos() == 0).then(|| delta.num_seconds().into()))
    }
}

impl From<Ttl> for u32 {
    fn from(ttl: Ttl) -> Self {
        ttl.as_secs()
    }
}

impl From<Ttl> for u64 {
    fn from(ttl: Ttl) -> Self {
        ttl.as_secs().into()
    }
}

impl From<Ttl> for Duration {
    fn from(ttl: Ttl) -> Self {
        ttl.as_duration()
    }
}

impl Serialize for Ttl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(self.0)
    }
}

impl<'de> Deserialize<'de> for Ttl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match holding().deserialize(deserializer)? {
            Value::Number(number) => from_number(&number),
            Value::String(text) => text.parse(),
            _ => from_whole(None),
        }
        .map_err(D::Error::custom)
    }
}

impl Scalar for Ttl {
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        match leaf {
            Leaf::Text(text) => text.parse().ok(),
            Leaf::Number(number) => from_number(number).ok(),
            Leaf::Bool(_) | Leaf::List(_) => None,
        }
    }
}

/// A whole number, however it is written; as a float only if that is exact.
#[allow(clippy::cast_possible_truncation)]
fn from_number(number: &Number) -> Result<Ttl, TtlError> {
    from_whole(whole(number).or_else(|| {
        let value = number.as_f64()?;
        (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i128)
    }))
}

fn from_whole(seconds: Option<i128>) -> Result<Ttl, TtlError> {
    let seconds = seconds.ok_or(TtlError(Kind::NotWholeSeconds))?;
    u32::try_from(seconds).map_err(|_| TtlError(Kind::OutOfRange(seconds))).and_then(Ttl::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RANGE: &str = "s is outside 30 to 86400 s (or exactly 1209600 s, the default)";
    const NOT_WHOLE: &str = "a TTL is a whole number of seconds, 30 to 86400 (or exactly 1209600, the default)";

    /// Seconds, and whether they are a TTL.
    const SECONDS: [(u32, bool); 12] = [
        (0, false),
        (29, false),
        (30, true),
        (31, true),
        (299, true),
        (300, true),
        (86_399, true),
        (86_400, true),
        (86_401, false),
        (1_209_599, false),
        (1_209_600, true),
        (1_209_601, false),
    ];

    const HOUR: Result<Ttl, TtlError> = Ttl::from_secs(3600);

    fn message<T: fmt::Debug>(result: Result<T, impl fmt::Display>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn constants() {
        let constants = [Ttl::MIN, Ttl::WEB_MIN, Ttl::MAX, Ttl::DEFAULT].map(Ttl::as_secs);
        assert_eq!(constants, [30, 300, 86_400, 1_209_600]);
        assert_eq!(Ttl::default(), Ttl::DEFAULT);
        assert_eq!([Ttl::MAX, Ttl::DEFAULT].map(|ttl| ttl.is_default()), [false, true]);
        assert!(Ttl::DEFAULT > Ttl::MAX);
        assert_eq!(HOUR.map(Ttl::as_secs), Ok(3600));
    }

    #[test]
    fn both_sides_of_every_bound() {
        for (seconds, is_ttl) in SECONDS {
            let results = [
                Ttl::from_secs(seconds),
                Ttl::try_from(seconds),
                Ttl::try_from(u64::from(seconds)),
                Ttl::try_from(i64::from(seconds)),
                Ttl::try_from(TimeDelta::seconds(seconds.into())),
                Ttl::try_from(Duration::from_secs(seconds.into())),
                seconds.to_string().parse(),
            ];
            for result in results {
                if is_ttl {
                    let ttl = result.unwrap();
                    assert_eq!((ttl.as_secs(), u32::from(ttl), u64::from(ttl)), (seconds, seconds, seconds.into()));
                    assert_eq!(ttl.as_duration(), Duration::from_secs(seconds.into()));
                    assert_eq!(Duration::from(ttl), ttl.as_duration());
                    assert_eq!(ttl.to_string(), seconds.to_string());
                } else {
                    assert_eq!(result.unwrap_err().seconds(), Some(seconds.into()));
                    assert_eq!(message(result), format!("a TTL of {seconds} {RANGE}"));
                }
            }
        }
    }

    #[test]
    fn web_clients_take_no_less_than_300_seconds() {
        for (seconds, is_taken) in [(30, false), (299, false), (300, true), (86_400, true), (1_209_600, true)] {
            let ttl = Ttl::from_secs(seconds).unwrap();
            if is_taken {
                assert_eq!(ttl.for_web(), Ok(ttl));
            } else {
                let expected = format!("a TTL of {seconds} s is outside 300 to 86400 s, the range for web clients");
                assert_eq!(ttl.for_web().unwrap_err().seconds(), Some(seconds.into()));
                assert_eq!(message(ttl.for_web()), expected);
            }
        }
    }

    #[test]
    fn durations_with_a_fraction_and_texts_that_are_no_number() {
        let almost = Duration::from_secs(30) + Duration::from_nanos(1);
        assert_eq!(Ttl::try_from(almost).unwrap_err().seconds(), None);
        assert_eq!(message(Ttl::try_from(almost)), NOT_WHOLE);
        let longest = format!("a TTL of {} {RANGE}", u64::MAX);
        assert_eq!(message(Ttl::try_from(Duration::from_secs(u64::MAX))), longest);
        assert_eq!(message(Ttl::try_from(TimeDelta::nanoseconds(30_000_000_001))), NOT_WHOLE);
        assert_eq!(message(Ttl::try_from(TimeDelta::seconds(-30))), format!("a TTL of -30 {RANGE}"));
        assert_eq!(message(Ttl::try_from(-30_i64)), format!("a TTL of -30 {RANGE}"));
        assert_eq!(message(Ttl::try_from(i64::MIN)), format!("a TTL of {} {RANGE}", i64::MIN));
        assert_eq!(["30.0", "3e1"].map(str::parse), [Ok(Ttl::MIN); 2]);
        for text in
            ["", "x", "+30", "030", "30.", " 30", "30 ", "30s", "0x1e", "29.9999999999999999999", &"9".repeat(60)]
        {
            assert_eq!(message(text.parse::<Ttl>()), NOT_WHOLE, "{text}");
        }
        assert_eq!(message("-30".parse::<Ttl>()), format!("a TTL of -30 {RANGE}"));
        let display = format!("{:>6}|{:<4}|", Ttl::MIN, Ttl::MIN);
        assert_eq!(display, "    30|30  |");
    }

    #[test]
    fn serde() {
        for (seconds, is_ttl) in SECONDS {
            for json in
                [format!("{seconds}"), format!("{seconds}.0"), format!("\"{seconds}\""), format!("\"{seconds}.0\"")]
            {
                let result = serde_json::from_str::<Ttl>(&json);
                if is_ttl {
                    assert_eq!(serde_json::to_string(&result.unwrap()).unwrap(), seconds.to_string());
                } else {
                    assert_eq!(message(result), format!("a TTL of {seconds} {RANGE}"));
                }
            }
        }
        assert_eq!(message(serde_json::from_str::<Ttl>("-30")), format!("a TTL of -30 {RANGE}"));
        // From 1e15 on a float is not taken for a whole number of seconds.
        assert_eq!(
            message(serde_json::from_str::<Ttl>("999999999999999.0")),
            format!("a TTL of 999999999999999 {RANGE}")
        );
        for json in ["1e15", "null", "true", "30.5", "\"30.5\"", "\"x\"", "\"\"", "[30]", "{}", "1e300", "-1e300"] {
            assert_eq!(message(serde_json::from_str::<Ttl>(json)), NOT_WHOLE, "{json}");
        }
    }
}
