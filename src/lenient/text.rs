//! A body as bytes: the byte-order mark, what is not UTF-8, and half surrogate pairs.

use std::borrow::Cow;

use serde_json::de::{Deserializer, StrRead};

use crate::CallbackError;
use crate::lenient::model::{self, Model};
use crate::lenient::path::{Objects, Path, Root};

/// Reads the bytes of a body as one model.
#[inline]
pub(crate) fn from_slice<T: Model>(bytes: &[u8]) -> Result<T, CallbackError> {
    read(bytes, T::blank, |model, deserializer, at| model::read(model, deserializer, at))
}

/// Reads bytes into a blank place: as they are, then with U+FFFD for every escape of half a surrogate pair; and once more
/// if an object has to be handed back that was not held.
#[inline]
pub(crate) fn read<T>(
    bytes: &[u8],
    blank: impl Fn() -> T,
    read: impl Fn(&mut T, &mut Deserializer<StrRead>, &Path) -> Result<(), serde_json::Error>,
) -> Result<T, CallbackError> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let mut text = match std::str::from_utf8(bytes) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => String::from_utf8_lossy(bytes),
    };
    let mut objects = Objects::Direct;
    let mut place = blank();
    loop {
        let root = Root::new(objects);
        let mut deserializer = Deserializer::from_str(&text);
        let read = read(&mut place, &mut deserializer, &Path::Root(&root)).and_then(|()| deserializer.end());
        let Err(error) = read else { return Ok(place) };
        place = blank();
        if root.has_to_be_read_again() {
            objects = Objects::Held;
        } else if let Some(mended) = without_lone_surrogates(&text) {
            text = Cow::Owned(mended);
        } else {
            return Err(CallbackError::new(&error, root.take_refusal()));
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
