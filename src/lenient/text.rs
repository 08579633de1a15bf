//! A body as bytes: the byte-order mark, what is not UTF-8, and half surrogate pairs.

use std::borrow::Cow;

use serde_json::de::{Deserializer, StrRead};

use crate::CallbackError;
use crate::lenient::model::{self, Model};
use crate::lenient::path::{Path, Refusal};

/// Reads the bytes of a body as one model.
#[inline]
pub(crate) fn from_slice<T: Model>(bytes: &[u8]) -> Result<T, CallbackError> {
    read(bytes, T::blank, |model, deserializer, at| model::read(model, deserializer, at))
}

/// Reads bytes into a blank place: as they are, then with U+FFFD for every escape of half a surrogate pair.
#[inline]
pub(crate) fn read<T>(
    bytes: &[u8],
    blank: impl Fn() -> T,
    read: impl Fn(&mut T, &mut Deserializer<StrRead>, &Path) -> Result<(), serde_json::Error>,
) -> Result<T, CallbackError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    let refusal = Refusal::default();
    let read_text = |place: &mut T, text: &str| {
        let mut deserializer = Deserializer::from_str(text);
        read(place, &mut deserializer, &Path::Root(&refusal))?;
        deserializer.end()
    };
    let mut place = blank();
    let Err(mut error) = read_text(&mut place, &text) else {
        return Ok(place);
    };
    if let Some(text) = without_lone_surrogates(&text) {
        refusal.take();
        place = blank();
        match read_text(&mut place, &text) {
            Ok(()) => return Ok(place),
            Err(of_mended) => error = of_mended,
        }
    }
    Err(CallbackError::new(&error, refusal.take()))
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
