//! Texts that anybody may have sent, as they are shown to a person.

/// How many characters of a body or of another text are shown.
const EXCERPT: usize = 1024;

/// How many characters of an id or of a name are shown.
const NAME: usize = 80;

/// The beginning of a text, its control and direction characters shown as what they are.
pub fn excerpt(text: &str) -> String {
    shown(text, EXCERPT)
}

/// The same of an id or of a name.
pub fn short(text: &str) -> String {
    shown(text, NAME)
}

fn shown(text: &str, most: usize) -> String {
    let mut shown = String::new();
    for (place, c) in text.chars().enumerate() {
        if place == most {
            shown.push('…');
            break;
        }
        let is_shown = c == '\n'
            || !(c.is_control()
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'));
        if is_shown { shown.push(c) } else { shown.extend(c.escape_unicode()) }
    }
    shown
}
