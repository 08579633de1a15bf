//! Reports as tables in a terminal.

use comfy_table::{CellAlignment, LineStyle, Table, presets};

use crate::excerpt::short;
use crate::reports::NO_REASON;
use crate::reports::campaign::Campaign;
use crate::reports::days::Day;
use crate::reports::durations::{Bound, Durations};
use crate::reports::outcomes::Outcomes;

pub fn of_campaign(campaign: &Campaign) -> String {
    let Campaign { id, totals, statuses, reasons, timeline } = campaign;
    let outcomes = &totals.outcomes;
    let mut figures = table(&["what", "number", "share"]);
    for (name, number) in Outcomes::NAMES.into_iter().zip(outcomes.numbers()) {
        figures.add_row([name.to_owned(), number.to_string(), share(outcomes, number)]);
    }
    figures.add_row(["price".to_owned(), totals.price.to_string(), String::new()]);
    figures.add_row(["messages with a price".to_owned(), totals.price.messages.to_string(), String::new()]);
    figures.add_row(["replies".to_owned(), totals.replies.to_string(), String::new()]);

    let mut durations = table(&["from createdAt to", "messages", "median", "90 %"]);
    for (name, took) in [("delivery", &totals.to_delivery), ("first look", &totals.to_first_look)] {
        durations.add_row([name.to_owned(), took.messages().to_string(), quantile(took, 50), quantile(took, 90)]);
    }

    let mut counts = Vec::new();
    for (title, rows) in [("status", statuses), ("failed, by reason", reasons)] {
        let mut table = table(&[title, "messages"]);
        for (name, count) in rows {
            let name = if name.is_empty() { NO_REASON.to_owned() } else { short(name) };
            table.add_row([name, count.to_string()]);
        }
        if !rows.is_empty() {
            counts.push(table);
        }
    }

    let mut times = table(&[&[timeline.unit.as_str()][..], &Outcomes::NAMES].concat());
    for point in &timeline.points {
        let from = point.from.format("%Y-%m-%d %H:%M").to_string();
        times.add_row([from].into_iter().chain(point.outcomes.numbers().map(|number| number.to_string())));
    }

    let title =
        if id.is_empty() { "messages without a campaign".to_owned() } else { format!("campaign {}", short(id)) };
    let tables = [figures, durations].into_iter().chain(counts).chain([times]);
    tables.fold(title, |text, table| format!("{text}\n\n{table}")) + "\n\nAll times are UTC.\n"
}

pub fn of_days(days: &[Day]) -> String {
    let mut table = table(&[&["day"][..], &Outcomes::NAMES, &["price", "replies"]].concat());
    for day in days {
        let date = day.from.format("%Y-%m-%d").to_string();
        let counts = day.outcomes.numbers().map(|number| number.to_string());
        table.add_row([date].into_iter().chain(counts).chain([day.price.to_string(), day.replies.to_string()]));
    }
    format!("{table}\n\nDays are in UTC: those on which the messages were created and the replies sent.\n")
}

/// A table whose first column has names, and the others numbers.
fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none())).set_header(header);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn share(outcomes: &Outcomes, number: i64) -> String {
    outcomes.percent(number).map(|percent| format!("{percent:.1} %")).unwrap_or_default()
}

fn quantile(durations: &Durations, percent: i64) -> String {
    durations.quantile(percent).map(Bound::described).unwrap_or_default()
}
