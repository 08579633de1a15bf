//! Reports as CSV (RFC 4180), for spreadsheets.
//!
//! It begins with a byte-order mark, because Excel takes a file without one for the code page of the machine, in which a
//! Greek name is unreadable. A text that a spreadsheet would take for a formula gets an apostrophe before it, by which
//! spreadsheets know a text. Numbers are numbers; times are UTC.

use std::io;

use chrono::{DateTime, Utc};
use csv::{Terminator, Writer, WriterBuilder};

use crate::reports::campaign::{Campaign, Listed};
use crate::reports::days::Day;
use crate::reports::durations::{Bound, Durations};
use crate::reports::outcomes::Outcomes;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// A row for each campaign.
pub fn of_list(listed: &[Listed]) -> Vec<u8> {
    let header = [
        &["campaign", "latest_hour"][..],
        &Outcomes::NAMES,
        &["price", "replies", "delivered_median_s", "delivered_p90_s", "seen_median_s", "seen_p90_s"],
    ];
    let rows = listed.iter().map(|Listed { id, last_hour, totals }| {
        let mut row = vec![text(id), time(*last_hour)];
        row.extend(numbers(&totals.outcomes));
        row.extend([totals.price.to_string(), totals.replies.to_string()]);
        for durations in [&totals.to_delivery, &totals.to_first_look] {
            row.extend([50, 90].map(|percent| seconds(durations.quantile(percent))));
        }
        row
    });
    written(&header.concat(), rows)
}

/// A row for each number: of what it is, by which name, and, if it is only of a part of the time, from when.
pub fn of_campaign(campaign: &Campaign) -> Vec<u8> {
    let Campaign { id: _, totals, statuses, reasons, timeline } = campaign;
    let mut rows = Vec::new();
    let mut add = |from: &str, what: &str, name: &str, number: String| {
        rows.push(vec![from.to_owned(), what.to_owned(), text(name), number]);
    };
    for (what, number) in Outcomes::NAMES.into_iter().zip(numbers(&totals.outcomes)) {
        add("", what, "", number);
    }
    add("", "price", "", totals.price.to_string());
    add("", "messages_with_price", "", totals.price.messages.to_string());
    add("", "replies", "", totals.replies.to_string());
    for (what, counts) in [("status", statuses), ("reason", reasons)] {
        for (name, count) in counts {
            add("", what, name, count.to_string());
        }
    }
    let durations: [(_, &Durations); 2] = [("delivered", &totals.to_delivery), ("seen", &totals.to_first_look)];
    for (what, durations) in durations {
        for (name, percent) in [("median", 50), ("p90", 90)] {
            add("", &format!("{what}_{name}_s"), "", seconds(durations.quantile(percent)));
        }
        for (bound, count) in durations.buckets() {
            add("", &format!("{what}_within_s"), &bound.0.to_string(), count.to_string());
        }
    }
    for point in &timeline.points {
        for (what, number) in Outcomes::NAMES.into_iter().zip(numbers(&point.outcomes)) {
            add(&time(point.from), what, timeline.unit.as_str(), number);
        }
    }
    written(&["from", "what", "name", "number"], rows)
}

/// A row for each day.
pub fn of_days(days: &[Day]) -> Vec<u8> {
    let header = [&["day"][..], &Outcomes::NAMES, &["price", "replies"]].concat();
    let rows = days.iter().map(|day| {
        let mut row = vec![day.from.format("%Y-%m-%d").to_string()];
        row.extend(numbers(&day.outcomes));
        row.extend([day.price.to_string(), day.replies.to_string()]);
        row
    });
    written(&header, rows)
}

fn numbers(outcomes: &Outcomes) -> [String; 6] {
    outcomes.numbers().map(|number| number.to_string())
}

fn seconds(bound: Option<Bound>) -> String {
    bound.map(|bound| bound.0.to_string()).unwrap_or_default()
}

/// As spreadsheets read it.
fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M").to_string()
}

/// A text of somebody else's that no spreadsheet takes for a formula.
fn text(text: &str) -> String {
    let is_formula = text.starts_with(['\t', '\r']) || text.trim_start().starts_with(['=', '+', '-', '@']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

fn written(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> Vec<u8> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(BYTE_ORDER_MARK.to_vec());
    let write = |writer: &mut Writer<Vec<u8>>| -> csv::Result<()> {
        writer.write_record(header)?;
        for row in rows {
            writer.write_record(row)?;
        }
        Ok(writer.flush()?)
    };
    write(&mut writer)
        .and_then(|()| writer.into_inner().map_err(|error| io::Error::other(error.to_string()).into()))
        .expect("rows of one length go into memory")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_a_formula_is_made_harmless_and_everything_else_stays() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\tx", "\rx", " =1", "\n=1"] {
            assert_eq!(text(formula), format!("'{formula}"));
        }
        for harmless in ["", "a", "a=1", "'=1", "1", "\nx", " x", "πέντε"] {
            assert_eq!(text(harmless), harmless);
        }
    }

    #[test]
    fn cells_are_quoted_as_rfc_4180_has_it() {
        let rows = [["a,b", "say \"hi\"", "two\r\nlines", "Ωmega"].map(ToOwned::to_owned).to_vec()];
        let expected = "\u{feff}1,2,3,4\r\n\"a,b\",\"say \"\"hi\"\"\",\"two\r\nlines\",Ωmega\r\n";
        assert_eq!(String::from_utf8(written(&["1", "2", "3", "4"], rows)).unwrap(), expected);
    }
}
