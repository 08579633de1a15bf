//! The forms of a date.
//!
//! ```text
//! text     = calendar / epoch
//! calendar = date ("T" / "t" / " ") time [offset [zone]]    ; without an offset it is UTC
//! date     = 4DIGIT "-" 2DIGIT "-" 2DIGIT
//! time     = 2DIGIT ":" 2DIGIT [":" 2DIGIT ["." 1*9DIGIT]]  ; second 60 at 23:59 UTC alone
//! offset   = "Z" / "z" / " UTC" / " GMT" / [" "] ("Z" / "z" / shift)
//! shift    = ("+" / "-") 2DIGIT [[":"] 2DIGIT]              ; 00 to 23, 00 to 59
//! zone     = "[" 1*(ALPHA / DIGIT / "_" / "+" / "-" / "/" / ":" / "~" / ".") "]"
//!
//! epoch    = decimal     ; 10 digits before the point: seconds; 13: milliseconds; the first two below 41
//! number   = the same as a number of JSON, from 1e9 to 4.1e9, or from 1e12 to 4.1e12
//! list     = "[" year "," month "," day "," hour "," minute ["," second ["," nanosecond]] "]"
//!            ; in UTC; a nanosecond from 1 to 999 may be milliseconds, and is not read
//! ```
//!
//! Routee's examples are RFC 3339 in UTC; the other forms are those of common JSON mappers (inferred).

use chrono::{DateTime, Datelike, FixedOffset, NaiveDate, NaiveDateTime, Timelike, Utc};
use serde::ser::SerializeMap;
use serde_json::Value;

use crate::lenient::decimal::Decimal;
use crate::lenient::scalar::{Leaf, Scalar};

impl Scalar for DateTime<Utc> {
    #[inline(always)]
    fn from_leaf(leaf: Leaf) -> Option<Self> {
        match leaf {
            Leaf::Text(text) => calendar(text.as_bytes()).or_else(|| epoch_of_text(text)),
            Leaf::Number(number) => epoch(number.as_f64()?),
            Leaf::List(items) => parts(items),
            Leaf::Bool(_) => None,
        }
    }

    /// In one piece: chrono's own `Serialize` hands over a dozen, and each is looked through for escapes.
    fn write_entry<M: SerializeMap>(&self, name: &'static str, map: &mut M) -> Result<(), M::Error> {
        let mut template = *b"0000-00-00T00:00:00.000000000Z";
        match written(*self, &mut template) {
            Some(text) => map.serialize_entry(name, text),
            None => map.serialize_entry(name, self),
        }
    }
}

/// The date as chrono writes it, with no, three, six or nine digits of a second, in a template of the longest; `None` for
/// a year of more than four digits.
fn written(date: DateTime<Utc>, template: &mut [u8; 30]) -> Option<&str> {
    let leap = date.nanosecond() / LEAP_SECOND;
    let nanos = date.nanosecond() % LEAP_SECOND;
    let year = u32::try_from(date.year()).ok().filter(|year| *year <= 9999)?;
    let parts = [year, date.month(), date.day(), date.hour(), date.minute(), date.second() + leap, nanos];
    let places = template.split_mut(|byte| !byte.is_ascii_digit());
    for (part, digits) in parts.into_iter().zip(places) {
        let mut rest = part;
        for digit in digits.iter_mut().rev() {
            *digit = b'0' + u8::try_from(rest % 10).ok()?;
            rest /= 10;
        }
    }
    let end = match nanos {
        0 => 19,
        _ if nanos % 1_000_000 == 0 => 23,
        _ if nanos % 1_000 == 0 => 26,
        _ => 29,
    };
    *template.get_mut(end)? = b'Z';
    std::str::from_utf8(template.get(..=end)?).ok()
}

/// A calendar date. Its year in UTC has four digits, and its leap second is the last one of a day in UTC.
fn calendar(text: &[u8]) -> Option<DateTime<Utc>> {
    let (local, rest) = local_time(text)?;
    let date = match offset(without_zone_id(rest)?)? {
        0 => local,
        seconds => local.checked_sub_offset(FixedOffset::east_opt(seconds)?)?,
    };
    let has_four_digit_year = (0..=9999).contains(&date.year());
    let is_leap_second = date.nanosecond() >= LEAP_SECOND;
    (has_four_digit_year && (!is_leap_second || (date.hour(), date.minute()) == (23, 59))).then(|| date.and_utc())
}

/// Epoch seconds or milliseconds of the years 2001 to 2099, so that neither is taken for the other, nor the digits of a
/// calendar for either. Rounded to the microsecond.
#[allow(clippy::cast_possible_truncation, reason = "the ranges are far within an `i64`")]
fn epoch(value: f64) -> Option<DateTime<Utc>> {
    let micros_per_unit: i32 = match value {
        1e9..4.1e9 => 1_000_000,
        1e12..4.1e12 => 1_000,
        _ => return None,
    };
    // The fraction alone, since the product of the whole value is past what an `f64` holds exactly.
    let fraction = (value.fract() * f64::from(micros_per_unit)).round() as i64;
    DateTime::from_timestamp_micros(value.trunc() as i64 * i64::from(micros_per_unit) + fraction)
}

/// The same in a text, whose digits are exact, so that they are rounded to the nanosecond.
fn epoch_of_text(text: &str) -> Option<DateTime<Utc>> {
    let number = Decimal::parse(text)?;
    let places = match number.whole_digits()? {
        10 => 9,
        13 => 6,
        _ => return None,
    };
    let is_past = number.first_two_digits() >= 41;
    if is_past { None } else { number.scaled(places).map(DateTime::from_timestamp_nanos) }
}

/// Year, month, day, hour, minute, second and nanosecond in UTC; the last two may be left out. From 1 to 999 the last may
/// be milliseconds, as Jackson writes them with nanoseconds switched off.
fn parts(items: &[Value]) -> Option<DateTime<Utc>> {
    let number = |item: &Value| item.as_u64()?.try_into().ok();
    let items: Vec<u32> = items.iter().map(number).collect::<Option<_>>()?;
    let [year, month, day, hour, minute, ref rest @ ..] = *items.as_slice() else { return None };
    let (second, nanos) = match *rest {
        [] => (0, 0),
        [second] => (second, 0),
        [second, nanos @ (0 | 1000..LEAP_SECOND)] => (second, nanos),
        _ => return None,
    };
    let year = i32::try_from(year).ok().filter(|year| *year <= 9999)?;
    Some(NaiveDate::from_ymd_opt(year, month, day)?.and_hms_nano_opt(hour, minute, second, nanos)?.and_utc())
}

/// From this nanosecond on chrono means the sixty-first second of a minute.
const LEAP_SECOND: u32 = 1_000_000_000;

/// Reads the date and the time of day; what comes after them is returned too.
fn local_time(text: &[u8]) -> Option<(NaiveDateTime, &[u8])> {
    let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2, b'T' | b't' | b' ', time @ ..] = text else {
        return None;
    };
    let date = NaiveDate::from_ymd_opt(
        i32::try_from(number(&[*y1, *y2, *y3, *y4])?).ok()?,
        number(&[*m1, *m2])?,
        number(&[*d1, *d2])?,
    )?;
    let [h1, h2, b':', m1, m2, rest @ ..] = time else {
        return None;
    };
    let (hour, minute) = (number(&[*h1, *h2])?, number(&[*m1, *m2])?);
    let [b':', s1, s2, rest @ ..] = rest else {
        return Some((date.and_hms_opt(hour, minute, 0)?, rest));
    };
    let (nanos, rest) = fraction(rest)?;
    let local = match number(&[*s1, *s2])? {
        60 => date.and_hms_nano_opt(hour, minute, 59, LEAP_SECOND + nanos),
        second => date.and_hms_nano_opt(hour, minute, second, nanos),
    }?;
    Some((local, rest))
}

/// Reads the fraction of a second as nanoseconds, 0 if there is none; up to nine digits.
fn fraction(text: &[u8]) -> Option<(u32, &[u8])> {
    let [b'.', b'0'..=b'9', ..] = text else {
        return (text.first() != Some(&b'.')).then_some((0, text));
    };
    let (mut nanos, mut place, mut rest) = (0, 1_000_000_000, text.get(1..)?);
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        place /= 10;
        if place == 0 {
            return None;
        }
        nanos += u32::from(digit - b'0') * place;
        rest = tail;
    }
    Some((nanos, rest))
}

/// The offset without the zone id that the JVM writes behind it, as in `+03:00[Europe/Athens]`.
fn without_zone_id(text: &[u8]) -> Option<&[u8]> {
    let Some(text) = text.strip_suffix(b"]") else { return Some(text) };
    let open = text.iter().position(|byte| *byte == b'[')?;
    let (offset, id) = text.split_at_checked(open)?;
    let id = id.strip_prefix(b"[")?;
    let is_id = !id.is_empty() && id.iter().all(|byte| byte.is_ascii_alphanumeric() || b"_+-/:~.".contains(byte));
    (is_id && !offset.is_empty()).then_some(offset)
}

/// Reads the offset from UTC in seconds.
fn offset(text: &[u8]) -> Option<i32> {
    let (sign, hours, minutes) = match text {
        [] | [b'Z' | b'z'] | b" UTC" | b" GMT" => return Some(0),
        [b' ', rest @ ..] => return if rest.is_empty() || rest.starts_with(b" ") { None } else { offset(rest) },
        [sign, h1, h2] => (sign, number(&[*h1, *h2])?, 0),
        [sign, h1, h2, b':', m1, m2] | [sign, h1, h2, m1, m2] => (sign, number(&[*h1, *h2])?, number(&[*m1, *m2])?),
        _ => return None,
    };
    if hours > 23 || minutes > 59 {
        return None;
    }
    let seconds = i32::try_from(hours * 3600 + minutes * 60).ok()?;
    match sign {
        b'+' => Some(seconds),
        b'-' => Some(-seconds),
        _ => None,
    }
}

/// Reads a few digits.
fn number(digits: &[u8]) -> Option<u32> {
    digits.iter().try_fold(0, |number, digit| Some(number * 10 + char::from(*digit).to_digit(10)?))
}
