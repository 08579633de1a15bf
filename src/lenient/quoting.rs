//! Texts from outside in an error or in a line of a log.

use std::borrow::Cow;
use std::fmt;

/// A text that is quoted if it is empty or has white space, a quote, a backslash, a character that does not print, or one
/// of the marks.
pub(crate) struct Quoted<'a> {
    pub(crate) text: &'a str,
    pub(crate) marks: &'static [char],
}

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let is_plain = |c: char| {
            let is_mark = matches!(c, '"' | '\'' | '`' | '\\') || self.marks.contains(&c);
            !is_mark && !c.is_whitespace() && c.escape_debug().next() == Some(c)
        };
        if !self.text.is_empty() && self.text.chars().all(is_plain) {
            f.write_str(self.text)
        } else {
            fmt::Debug::fmt(self.text, f)
        }
    }
}

/// A text of at most that many characters.
pub(crate) fn shortened(text: &str, longest: usize) -> Cow<'_, str> {
    let end = text.char_indices().nth(longest).map(|(end, _)| end);
    match end.and_then(|end| text.get(..end)) {
        Some(start) => format!("{start}…").into(),
        None => text.into(),
    }
}

/// Whether a text is a word or a few, and no message that may hold a number or a name: at most 32 ASCII letters and marks.
pub(crate) fn is_plain_word(text: &str, marks: &[u8]) -> bool {
    text.len() <= 32 && text.bytes().all(|byte| byte.is_ascii_alphabetic() || marks.contains(&byte))
}

/// A line of a log has ids up to this many characters.
const LONGEST_ID: usize = 64;

/// An id in a line of a log.
pub(crate) fn logged_id(id: &str) -> String {
    in_line(&shortened(id, LONGEST_ID)).to_string()
}

/// A name in a line of a log: one that is not recognized only if it is a word or a few.
pub(crate) fn logged_name(name: &(impl AsRef<str> + ?Sized)) -> Quoted<'_> {
    let name = name.as_ref();
    in_line(if is_plain_word(name, b" _-") { name } else { "?" })
}

fn in_line(text: &str) -> Quoted<'_> {
    Quoted { text, marks: &['(', ')', '[', ']', ','] }
}
