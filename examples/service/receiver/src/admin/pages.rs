//! The pages that a person looks at.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use routee_viber::{Stage, StatusName};
use serde::Deserialize;
use serde_json::Value;

use crate::admin::dates::{rfc3339, to_the_second};
use crate::admin::messages::MessageDetails;
use crate::admin::overview::{self, Latest, Overview};
use crate::admin::state::Admin;
use crate::store::error::StoreError;

/// How long a page counts. What it shows besides the overview is cheap, but many may ask for it.
const SHOWN_FOR: Duration = Duration::from_secs(1);

/// How many characters of a body or of another text are shown.
const EXCERPT: usize = 1024;

/// How many characters of an id or of a name are shown.
const NAME: usize = 80;

const STYLE: &str = include_str!("style.css");

pub async fn overview(State(admin): State<Admin>) -> Html<Bytes> {
    let draw = async || {
        let overview = admin.overview.get(async || Overview::count(&*admin.store).await).await;
        (overview_page(&overview, admin.intake.backlog().callbacks, &admin.metrics.answers()), SHOWN_FOR)
    };
    admin.page.get(draw).await
}

/// `waiting` is how many callbacks wait for a commit, `answers` how many there were by code.
fn overview_page(overview: &Overview, waiting: usize, answers: &[(u16, u64)]) -> Html<Bytes> {
    let has_messages = !overview.missing.contains(&overview::MESSAGES);
    let total: i64 = overview.statuses.iter().map(|(_, count)| count).sum();
    page(
        "Routee callbacks",
        "",
        Some(10),
        &html! {
            @if !overview.missing.is_empty() {
                p.missing role="alert" {
                    "Missing here, since the database could not be asked: " (overview.missing.join(", ")) ". "
                    "The log says why."
                }
            }
            section.figures {
                @if has_messages { (figure("messages", &grouped(total))) }
                @if let Some(percent) = overview.percent_seen() {
                    (figure("seen, of those delivered", &format!("{percent:.1} %")))
                }
                @if let Some(overdue) = overview.overdue { (figure("overdue", &grouped(overdue))) }
                @if let Some(overdue) = overview.flows_overdue.filter(|_| !overview.flows.is_empty()) {
                    (figure("flows overdue", &grouped(overdue)))
                }
                @if let Some((state, at)) = overview.reconciliation.and_then(|state| Some((state, state.ran_at?))) {
                    (figure("recovered by asking Routee", &grouped(state.recovered)))
                    @if !overview.flows.is_empty() { (figure("flows recovered", &grouped(state.recovered_flows))) }
                    (figure("Routee was last asked", &to_the_second(at)))
                }
                (figure("waiting for a commit", &waiting.to_string()))
            }
            div.columns {
                @if has_messages { (counts("Messages by status", &overview.statuses, name_class)) }
                div {
                    @if has_messages { (counts("Failed, by reason", &overview.reasons, |_| "failed")) }
                    @if !overview.flows.is_empty() { (counts("Failover flows", &overview.flows, |_| "")) }
                }
                div {
                    section {
                        h2 { "Answers since the start" }
                        table {
                            @for (code, count) in answers {
                                tr { td { (code) } td.number { (grouped(i64::try_from(*count).unwrap_or(i64::MAX))) } }
                            }
                        }
                    }
                    @if !overview.others.is_empty() { (counts("Other kinds of bodies", &overview.others, |_| "")) }
                }
            }
            div.columns.wide {
                (list("Latest messages", &overview.messages, true))
                (list("Latest anomalies", &overview.anomalies, false))
                (list("Latest replies", &overview.replies, false))
            }
            @if !overview.unreadable.is_empty() {
                section {
                    h2 { "Bodies that could not be read" }
                    @for unreadable in &overview.unreadable {
                        article {
                            p { (when(unreadable.at)) " " strong { (excerpt(&unreadable.reason)) } }
                            pre { (excerpt(&unreadable.body)) }
                        }
                    }
                }
            }
            footer {
                "Counted at " (when(overview.counted_at)) ". All times are UTC. "
                "Bodies hold phone numbers and texts: show them to nobody else."
            }
        },
    )
}

#[derive(Deserialize)]
pub struct MessageQuery {
    id: String,
}

/// The id is in the query, since a path cannot hold every id: `..` would be another page.
pub async fn message(
    State(admin): State<Admin>,
    Query(MessageQuery { id }): Query<MessageQuery>,
) -> Result<Response, StoreError> {
    let Some(message) = MessageDetails::find(&*admin.store, &id).await? else {
        let missing = page("Nothing is known of", &id, None, &html! { p { a href="/" { "All messages" } } });
        return Ok((StatusCode::NOT_FOUND, missing).into_response());
    };
    let content = html! {
        p { a href="/" { "All messages" } }
        section.figures {
            div { strong { (described(&message.status)) } span { "status" } }
            @if let Some(date) = message.status["updatedDate"].as_str() { (figure("date of the status", &date_of_status(date))) }
            (figure("received", &to_the_second(message.changed_at)))
            @if let Some(at) = message.overdue_at { (figure("overdue from", &to_the_second(at))) }
        }
        section {
            h2 { "History" }
            ul {
                @for row in &message.history {
                    li {
                        (when(row.received_at)) " " (described(&row.status))
                        @if row.kind == "step" { " in a failover flow" }
                        @if row.kind == "tracked" { " as Routee answered when asked" }
                        @if row.is_variant { " again, with other content" }
                        @if let Some(text) = row.status["reason"]["description"].as_str() { p { (excerpt(text)) } }
                        @for anomaly in &row.anomalies { p.anomaly { (excerpt(anomaly)) } }
                        details {
                            summary { "JSON" }
                            pre { (excerpt(&serde_json::to_string_pretty(&row.status).unwrap_or_default())) }
                        }
                    }
                }
            }
        }
        footer { "All times are UTC." }
    };
    Ok(page("Message", &id, None, &content).into_response())
}

/// The name of a status, and its reason.
fn described(status: &Value) -> Markup {
    html! {
        (self::status(status["name"].as_str().unwrap_or_default()))
        @if let Some(reason) = status["reason"]["detailedStatus"].as_str() { " " (short(reason)) }
    }
}

fn page(title: &str, id: &str, refresh: Option<u32>, content: &Markup) -> Html<Bytes> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                @if let Some(seconds) = refresh { meta http-equiv="refresh" content=(seconds); }
                title { (title) " " (short(id)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header { h1 { (title) @if !id.is_empty() { " " code { (excerpt(id)) } } } }
                main { (content) }
            }
        }
    };
    Html(page.into_string().into())
}

fn figure(name: &str, value: &str) -> Markup {
    html! { div { strong { (value) } span { (name) } } }
}

fn counts(title: &str, counts: &[(String, i64)], class: fn(&str) -> &'static str) -> Markup {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    html! {
        section {
            h2 { (title) }
            @if counts.is_empty() { p.none { "none yet" } }
            table {
                @for (name, count) in counts {
                    tr {
                        td { (short(name)) }
                        td.number { (grouped(*count)) }
                        td.bar { meter class=(class(name)) min="0" max=(most) value=(count) {} }
                    }
                }
            }
        }
    }
}

fn list(title: &str, rows: &[Latest], is_status: bool) -> Markup {
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (title) }
                ul {
                    @for row in rows {
                        li.row {
                            (when(row.at)) " "
                            @if is_status { (status(&row.what)) " " }
                            @if !row.id.is_empty() { (link(&row.id)) " " }
                            @if !is_status { span.what { (excerpt(&row.what)) } }
                        }
                    }
                }
            }
        }
    }
}

fn link(id: &str) -> Markup {
    let query: String = id
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect();
    html! { a href={ "/message?id=" (query) } { (short(id)) } }
}

fn status(name: &str) -> Markup {
    html! { span class={ "status " (name_class(name)) } { (short(name)) } }
}

fn name_class(name: &str) -> &'static str {
    StatusName::from(name).stage().map_or("unknown", |stage| match stage {
        Stage::Pending => "pending",
        Stage::Failed => "failed",
        Stage::Delivered => "delivered",
        Stage::Seen => "seen",
    })
}

fn when(millis: i64) -> Markup {
    html! { time datetime=(rfc3339(millis)) { (to_the_second(millis)) } }
}

/// A date as Routee writes it, shown like the other times.
fn date_of_status(date: &str) -> String {
    date.parse::<DateTime<Utc>>().map_or_else(|_| short(date), |date| to_the_second(date.timestamp_millis()))
}

/// 1 234 567, with narrow spaces that do not break.
fn grouped(number: i64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

/// The beginning of a text, its control and direction characters shown as what they are.
fn excerpt(text: &str) -> String {
    shown(text, EXCERPT)
}

/// The same of an id or of a name.
fn short(text: &str) -> String {
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
