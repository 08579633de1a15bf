//! A body as bytes: the byte-order mark, what is not UTF-8, and half surrogate pairs.

use std::borrow::Cow;

use serde_json::de::{Deserializer, StrRead};

use crate::error::CallbackError;
use crate::lenient::model::Model;
use crate::lenient::object;
use crate::lenient::reading::{At, Mode, Reading, Stop};

/// Reads the bytes of a body as one model.
#[inline]
pub(crate) fn from_slice<T: Model>(bytes: &[u8]) -> Result<T, CallbackError> {
    parse(bytes, Mode::Direct, T::blank, |model, json, at| object::read(model, json, at))
}

/// Parses bytes into a blank place: as they are, then with U+FFFD for every escape of half a surrogate pair; and once more
/// if an object has to be handed back that was not held.
#[inline]
pub(crate) fn parse<T>(
    bytes: &[u8],
    mut mode: Mode,
    blank: impl Fn() -> T,
    read: impl Fn(&mut T, &mut Deserializer<StrRead>, &At) -> Result<(), serde_json::Error>,
) -> Result<T, CallbackError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    let mut place = blank();
    loop {
        let reading = Reading::new(mode);
        let mut json = Deserializer::from_str(&text);
        let result = read(&mut place, &mut json, &At::root(&reading)).and_then(|()| json.end());
        let Err(error) = result else { return Ok(place) };
        place = blank();
        if reading.stop() == Some(Stop::HasToBeHeld) {
            mode = Mode::Holding;
        } else if let Some(mended) = without_lone_surrogates(&text) {
            text = Cow::Owned(mended);
        } else {
            return Err(CallbackError::new(&error, reading.take_refusal()));
        }
    }
}

/// Replaces `\u` escapes of half a surrogate pair; `None` if there are none.
fn without_lone_surrogates(text: &str) -> Option<String> {
    let mut mended = String::new();
    let mut copied = 0;
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| rest.find('\\')) {
        at += found;
        at += match (escaped_unit(text, at), escaped_unit(text, at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(text.get(copied..at)?);
                mended.push_str("\\ufffd");
                copied = at + 6;
                6
            }
            _ => 2,
        };
    }
    mended.push_str(text.get(copied..)?);
    (copied > 0).then_some(mended)
}

/// The UTF-16 unit that is written as `\uXXXX` at that place.
fn escaped_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at.checked_add(6)?)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}
