//! What pages are made of.

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse as _, Response};
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use routee_viber::{Stage, StatusName};
use serde_json::Value;

use crate::admin::dates::{rfc3339, to_the_second};
use crate::admin::overview::Latest;
use crate::excerpt::{excerpt, short};

const STYLE: &str = include_str!("style.css");

/// The name of a status, and its reason.
pub fn described(status: &Value) -> Markup {
    html! {
        (self::status(status["name"].as_str().unwrap_or_default()))
        @if let Some(reason) = status["reason"]["detailedStatus"].as_str() { " " (short(reason)) }
    }
}

/// A page, with the ways to all others above it. An id may be whatever somebody has sent.
pub fn page(title: &str, id: &str, content: &Markup) -> Html<Bytes> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) @if !id.is_empty() { " " (short(id)) } }
                style { (PreEscaped(STYLE)) }
            }
            body {
                header {
                    nav {
                        a href="/" { "Overview" }
                        a href="/campaigns" { "Campaigns" }
                        form action="/find" role="search" {
                            label for="id" { "Message, flow or campaign" }
                            input #id name="id" required placeholder="its id" autocomplete="off" spellcheck="false";
                            button { "Find" }
                        }
                    }
                    h1 { (title) @if !id.is_empty() { " " code { (excerpt(id)) } } }
                }
                main { (content) }
            }
        }
    };
    Html(page.into_string().into())
}

/// The page that says that there is no such thing.
pub fn nothing(id: &str) -> Response {
    let page =
        page("No message, flow or campaign has exactly this id:", id, &html! { p { a href="/" { "Overview" } } });
    (StatusCode::NOT_FOUND, page).into_response()
}

pub fn figure(name: &str, value: &str) -> Markup {
    html! { div { strong { (value) } span { (name) } } }
}

/// A table of how often each name was counted, with bars.
pub fn counts(title: &str, counts: &[(String, i64)], class: fn(&str) -> &'static str) -> Markup {
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(1).max(1);
    html! {
        section {
            h2 { (title) }
            @if counts.is_empty() { p.none { "none yet" } }
            table {
                @for (name, count) in counts {
                    tr {
                        th scope="row" { (short(name)) }
                        td.number { (grouped(*count)) }
                        td.bar { meter aria-hidden="true" class=(class(name)) min="0" max=(most) value=(count) {} }
                    }
                }
            }
        }
    }
}

pub fn list(title: &str, rows: &[Latest], is_status: bool) -> Markup {
    html! {
        @if !rows.is_empty() {
            section {
                h2 { (title) }
                ul {
                    @for row in rows {
                        li.row {
                            (when(row.at)) " "
                            @if is_status { (status(&row.what)) " " }
                            @if !row.id.is_empty() { (link("/message", &row.id)) " " }
                            @if !is_status { span.what { (excerpt(&row.what)) } }
                        }
                    }
                }
            }
        }
    }
}

/// A link to what has that id. The id is in the query, since a path cannot hold every id: `..` would be another page.
pub fn link(path: &str, id: &str) -> Markup {
    html! { a href=(url(path, id)) { (short(id)) } }
}

/// Where there is something about that id.
pub fn url(path: &str, id: &str) -> String {
    format!("{path}?id={}", utf8_percent_encode(id, NON_ALPHANUMERIC))
}

pub fn status(name: &str) -> Markup {
    html! { span class={ "status " (name_class(name)) } { (short(name)) } }
}

pub fn name_class(name: &str) -> &'static str {
    StatusName::from(name).stage().map_or("unknown", |stage| match stage {
        Stage::Pending => "pending",
        Stage::Failed => "failed",
        Stage::Delivered => "delivered",
        Stage::Seen => "seen",
    })
}

pub fn when(millis: i64) -> Markup {
    html! { time datetime=(rfc3339(millis)) { (to_the_second(millis)) } }
}

/// A date as Routee writes it, shown like the other times.
pub fn date_of_status(date: &str) -> String {
    date.parse::<DateTime<Utc>>().map_or_else(|_| short(date), |date| to_the_second(date.timestamp_millis()))
}

/// 1 234 567, with narrow spaces that do not break.
pub fn grouped(number: i64) -> String {
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
