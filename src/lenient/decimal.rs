//! A number as text, digit by digit.

use std::io::Write as _;

/// A number in JSON's grammar: no `+`, no spaces, no leading zeros.
///
/// Two are equal if they are the same number, whatever the zeros at their ends and their exponents.
#[derive(Clone, Copy)]
pub(crate) struct Decimal<'a> {
    is_negative: bool,
    whole: &'a str,
    fraction: &'a str,
    exponent: i64,
}

/// An `i128` holds every number of this many digits.
const LONGEST_WHOLE: i64 = 38;

impl<'a> Decimal<'a> {
    pub(crate) fn parse(text: &'a str) -> Option<Self> {
        let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (whole, rest) = digits(rest)?;
        if whole.len() > 1 && whole.starts_with('0') {
            return None;
        }
        let (fraction, rest) = match rest.strip_prefix('.') {
            Some(rest) => digits(rest)?,
            None => ("", rest),
        };
        let exponent = match rest.strip_prefix(['e', 'E']) {
            Some(rest) => exponent(rest)?,
            None if rest.is_empty() => 0,
            None => return None,
        };
        Some(Self { is_negative, whole, fraction, exponent })
    }

    /// The digits from the first to the last that is not 0, and the place of the decimal point, counted from the first
    /// of them. Zero has no digits.
    fn significant(self) -> (impl Iterator<Item = u8> + Clone, i64, i64) {
        let digits = self.whole.bytes().chain(self.fraction.bytes());
        let is_zero = |digit: &u8| *digit == b'0';
        let leading = digits.clone().take_while(is_zero).count();
        let trailing = digits.clone().rev().take_while(is_zero).count();
        let count = (self.whole.len() + self.fraction.len()).saturating_sub(leading + trailing);
        let point = self.exponent.saturating_add(signed(self.whole.len())).saturating_sub(signed(leading));
        (digits.skip(leading).take(count), signed(count), if count == 0 { 0 } else { point })
    }

    /// The number, if it is whole and an `i128` holds it.
    pub(crate) fn to_whole(self) -> Option<i128> {
        let (digits, count, point) = self.significant();
        if point < count || point > LONGEST_WHOLE {
            return None;
        }
        let zeros = u32::try_from(point - count).ok()?;
        let value = digits.fold(0, |value, digit| value * 10 + i128::from(digit - b'0')) * 10_i128.pow(zeros);
        Some(if self.is_negative { -value } else { value })
    }

    /// How many digits stand before the decimal point of a number that is not negative and at least 1.
    pub(crate) fn whole_digits(self) -> Option<i64> {
        let (_, _, point) = self.significant();
        (point > 0 && !self.is_negative).then_some(point)
    }

    /// The number times ten to the power of `places`, rounded to a whole one, half up; for numbers that are not
    /// negative.
    pub(crate) fn scaled(self, places: i64) -> Option<i64> {
        let (digits, _, point) = self.significant();
        let kept = usize::try_from(point.checked_add(places)?).ok()?;
        let mut digits = digits.map(|digit| i64::from(digit - b'0')).chain(std::iter::repeat(0));
        let whole =
            digits.by_ref().take(kept).try_fold(0_i64, |value, digit| value.checked_mul(10)?.checked_add(digit))?;
        whole.checked_add(i64::from(digits.next()? >= 5))
    }

    /// The number of the first two digits: 41 for 4.1, for 41 and for 4100.
    pub(crate) fn first_two_digits(self) -> u32 {
        let (digits, ..) = self.significant();
        digits.chain([b'0'; 2]).take(2).fold(0, |value, digit| value * 10 + u32::from(digit - b'0'))
    }
}

impl PartialEq for Decimal<'_> {
    fn eq(&self, other: &Self) -> bool {
        let ((digits, count, point), (others, other_count, other_point)) = (self.significant(), other.significant());
        (self.is_negative, count, point) == (other.is_negative, other_count, other_point) && digits.eq(others)
    }
}

/// The `f64` that a text is exactly: the nearest one, if it prints back as the same number.
pub(crate) fn exact_f64(text: &str) -> Option<f64> {
    let sent = Decimal::parse(text)?;
    let value: f64 = text.parse().ok().filter(|value: &f64| value.is_finite())?;
    // The longest is -1.2345678901234567e-308. On the stack, since a text may hold a price in every body.
    let mut printed = [0; 32];
    let mut rest = &mut printed[..];
    write!(rest, "{value:e}").ok()?;
    let length = 32 - rest.len();
    let printed = std::str::from_utf8(printed.get(..length)?).ok()?;
    (Decimal::parse(printed)? == sent).then_some(value)
}

/// Splits at least one digit from what comes after it.
fn digits(text: &str) -> Option<(&str, &str)> {
    let end = text.bytes().take_while(u8::is_ascii_digit).count();
    text.split_at_checked(end).filter(|(digits, _)| !digits.is_empty())
}

/// An exponent; one that is past every number is as large as any.
fn exponent(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, rest) = digits(rest)?;
    rest.is_empty().then(|| sign * digits.parse().unwrap_or(i64::MAX / 4))
}

fn signed(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX / 4)
}
