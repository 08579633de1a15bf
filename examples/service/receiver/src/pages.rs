//! The pages that a person looks at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use chrono::{DateTime, Utc};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use routee_viber::{Stage, StatusName};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::admin::{Admin, date};
use crate::messages;
use crate::reconcile::Reconciliation;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Row;

/// How long an overview counts, however many look; and at least this many times as long as it took to make, so that
/// counting millions of messages leaves the database to the callbacks.
const FRESH_FOR: Duration = Duration::from_secs(5);
const SHARE: u32 = 20;

/// How long a page counts: what it shows besides the overview is of the process and cheap, but many may ask for it.
const SHOWN_FOR: Duration = Duration::from_secs(1);

/// How many characters of a body or of a text are shown, and of an id or of a name.
const EXCERPT: usize = 1024;
const NAME: usize = 80;

const NO_REASON: &str = "no reason given";

const STYLE: &str = include_str!("style.css");

/// The last overview, and the last page and since when there is that.
#[derive(Default)]
pub struct Overviews {
    overview: Mutex<Option<Counted>>,
    page: Mutex<Option<(Instant, Html<Bytes>)>>,
}

/// Until when an overview counts, and how counting went.
type Counted = (Instant, Result<Arc<Overview>, StoreError>);

pub struct Overview {
    counted_at: i64,
    /// Status name, how many; in the order of a message's life.
    statuses: Vec<(String, i64)>,
    /// Reason, how many failed for it; the most frequent first.
    reasons: Vec<(String, i64)>,
    overdue: i64,
    reconciliation: Reconciliation,
    messages: Vec<Latest>,
    anomalies: Vec<Latest>,
    replies: Vec<Latest>,
    flows: Vec<(String, i64)>,
    others: Vec<(String, i64)>,
    unreadable: Vec<(Latest, String)>,
}

struct Latest {
    at: i64,
    id: String,
    what: String,
}

impl Overviews {
    /// One counts, and the others wait for it or take the last one.
    async fn get(&self, store: &dyn Store) -> Result<Arc<Overview>, StoreError> {
        let mut last = self.overview.lock().await;
        if let Some((until, overview)) = &*last
            && Instant::now() < *until
        {
            return overview.clone();
        }
        let begin = Instant::now();
        // A failure counts as long: if counting takes too long, trying again and again would take everything.
        let overview = Overview::read(store).await.map(Arc::new);
        let until = Instant::now() + FRESH_FOR.max(begin.elapsed() * SHARE);
        *last = Some((until, overview.clone()));
        overview
    }
}

impl Overview {
    async fn read(store: &dyn Store) -> Result<Self, StoreError> {
        let now = Utc::now().timestamp_millis();
        let latest = async |sql| -> Result<Vec<Latest>, StoreError> {
            let rows = store.query(sql, vec![]).await?;
            rows.iter().map(|row| Ok(Latest { at: row.get(0)?, id: text(row, 1)?, what: text(row, 2)? })).collect()
        };
        let counted = "SELECT substr(status_name, 1, 100), substr(reason, 1, 100), count(*),
                              count(CASE WHEN overdue_at <= $1 THEN 1 END)
                       FROM message GROUP BY 1, 2 ORDER BY 3 DESC LIMIT 1000";
        let (mut statuses, mut reasons, mut overdue) = (Vec::new(), Vec::new(), 0);
        for row in store.query(counted, vec![now.into()]).await? {
            let (name, reason, count) = (row.get(0)?, text(&row, 1)?, row.get(2)?);
            add(&mut statuses, name, count);
            if StatusName::from(name).is_failure() {
                add(&mut reasons, if reason.is_empty() { NO_REASON } else { &reason }, count);
            }
            overdue += row.get::<i64>(3)?;
        }
        statuses.sort_by_key(|(name, count)| (place(name), -count));
        statuses.truncate(30);
        reasons.sort_by_key(|(name, count)| (name == NO_REASON, -count));
        reasons.truncate(15);
        let counts = async |sql| -> Result<Vec<(String, i64)>, StoreError> {
            let rows = store.query(sql, vec![]).await?;
            rows.iter().map(|row| Ok((text(row, 0)?, row.get(1)?))).collect()
        };
        let unreadable = "SELECT received_at, reason, body FROM unreadable ORDER BY received_at DESC LIMIT 10";
        let unreadable = store.query(unreadable, vec![]).await?;
        Ok(Self {
            counted_at: now,
            statuses,
            reasons,
            overdue,
            reconciliation: Reconciliation::read(store).await?,
            messages: latest(
                "SELECT changed_at, tracking_id, status_name FROM message WHERE tracking_id IN
                     (SELECT history.tracking_id FROM
                          (SELECT idempotency_key FROM change WHERE kind = 'message' ORDER BY number DESC LIMIT 20)
                          AS latest
                      JOIN history ON history.idempotency_key = latest.idempotency_key)
                 ORDER BY changed_at DESC",
            )
            .await?,
            anomalies: latest(
                "SELECT received_at, tracking_id, anomalies FROM history WHERE anomalies <> ''
                 ORDER BY received_at DESC LIMIT 20",
            )
            .await?,
            replies: latest(
                "SELECT received_at, reference_tracking_id, message FROM reply ORDER BY received_at DESC LIMIT 10",
            )
            .await?,
            flows: counts("SELECT substr(status_name, 1, 100), count(*) FROM flow GROUP BY 1 ORDER BY 2 DESC LIMIT 10")
                .await?,
            others: counts("SELECT what, count(*) FROM other GROUP BY what ORDER BY 2 DESC LIMIT 10").await?,
            unreadable: unreadable
                .iter()
                .map(|row| {
                    let latest = Latest { at: row.get(0)?, id: String::new(), what: text(row, 1)? };
                    Ok((latest, excerpt(&String::from_utf8_lossy(row.get(2)?))))
                })
                .collect::<Result<_, StoreError>>()?,
        })
    }

    fn share_seen(&self) -> Option<f64> {
        let count = |is: fn(&StatusName) -> bool| -> i64 {
            self.statuses.iter().filter(|(name, _)| is(&StatusName::from(name.as_str()))).map(|(_, count)| count).sum()
        };
        let delivered = count(StatusName::is_success);
        #[allow(clippy::cast_precision_loss, reason = "it is shown with one decimal place")]
        (delivered > 0).then(|| count(|name| name.stage() == Some(Stage::Seen)) as f64 / delivered as f64 * 100.0)
    }
}

/// A text; empty if it is NULL.
fn text(row: &Row, column: usize) -> Result<String, StoreError> {
    Ok(row.get::<Option<&str>>(column)?.unwrap_or_default().to_owned())
}

fn add(counts: &mut Vec<(String, i64)>, name: &str, more: i64) {
    match counts.iter_mut().find(|(known, _)| known == name) {
        Some((_, count)) => *count += more,
        None => counts.push((name.to_owned(), more)),
    }
}

/// The order of a message's life; unrecognized names come last.
fn place(name: &str) -> u8 {
    match StatusName::from(name).stage() {
        Some(Stage::Pending) => 0,
        Some(Stage::Delivered) => 1,
        Some(Stage::Seen) => 2,
        Some(Stage::Failed) => 3,
        None => 4,
    }
}

pub async fn overview(State(admin): State<Admin>) -> Result<Html<Bytes>, StoreError> {
    let mut last = admin.overviews.page.lock().await;
    if let Some((since, page)) = &*last
        && since.elapsed() < SHOWN_FOR
    {
        return Ok(page.clone());
    }
    let overview = admin.overviews.get(&*admin.store).await?;
    let backlog = admin.intake.backlog();
    let total: i64 = overview.statuses.iter().map(|(_, count)| count).sum();
    let shown = page(
        "Routee callbacks",
        "",
        Some(10),
        &html! {
            section.figures {
                (figure("messages", &grouped(total)))
                @if let Some(share) = overview.share_seen() {
                    (figure("seen, of those delivered", &format!("{share:.1} %")))
                }
                (figure("overdue", &grouped(overview.overdue)))
                @if let Some(at) = overview.reconciliation.ran_at {
                    (figure("recovered by asking Routee", &grouped(overview.reconciliation.recovered)))
                    (figure("Routee was last asked", &second(at)))
                }
                (figure("waiting for a commit", &backlog.callbacks.to_string()))
            }
            div.columns {
                (counts("Messages by status", &overview.statuses, name_class))
                div {
                    (counts("Failed, by reason", &overview.reasons, |_| "failed"))
                    @if !overview.flows.is_empty() { (counts("Failover flows", &overview.flows, |_| "")) }
                }
                div {
                    section {
                        h2 { "Answers since the start" }
                        table {
                            @for (code, count) in admin.metrics.answers() {
                                tr { td { (code) } td.number { (grouped(i64::try_from(count).unwrap_or(i64::MAX))) } }
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
                    @for (latest, body) in &overview.unreadable {
                        article {
                            p { (when(latest.at)) " " strong { (excerpt(&latest.what)) } }
                            pre { (body) }
                        }
                    }
                }
            }
            footer {
                "Counted at " (when(overview.counted_at)) ". All times are UTC. "
                "Bodies hold phone numbers and texts: show them to nobody else."
            }
        },
    );
    *last = Some((Instant::now(), shown.clone()));
    Ok(shown)
}

#[derive(Deserialize)]
pub struct Asked {
    id: String,
}

/// The id is in the query, since a path cannot hold every id: `..` would be another page.
pub async fn message(State(admin): State<Admin>, Query(asked): Query<Asked>) -> Result<Response, StoreError> {
    let Some(message) = messages::read(&*admin.store, &asked.id).await? else {
        let missing = page("Nothing is known of", &asked.id, None, &html! { p { a href="/" { "All messages" } } });
        return Ok((StatusCode::NOT_FOUND, missing).into_response());
    };
    let content = html! {
        p { a href="/" { "All messages" } }
        section.figures {
            div { strong { (described(&message.status)) } span { "status" } }
            @if let Some(date) = message.status["updatedDate"].as_str() { (figure("date of the status", &of_status(date))) }
            (figure("received", &second(message.changed_at)))
            @if let Some(at) = message.overdue_at { (figure("overdue from", &second(at))) }
        }
        section {
            h2 { "History" }
            ul {
                @for row in &message.history {
                    li {
                        (when(row.received_at)) " " (described(&row.status))
                        @if row.kind == "step" { " in a failover flow" }
                        @if row.kind == "tracked" { " as Routee answered when asked" }
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
    Ok(page("Message", &asked.id, None, &content).into_response())
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
    html! { time datetime=(date(millis)) { (second(millis)) } }
}

/// As Routee dates a status, shown like the other times.
fn of_status(date: &str) -> String {
    date.parse::<DateTime<Utc>>().map_or_else(|_| short(date), |date| second(date.timestamp_millis()))
}

/// To the second, in UTC.
fn second(millis: i64) -> String {
    DateTime::from_timestamp_millis(millis).unwrap_or_default().format("%Y-%m-%d %H:%M:%S").to_string()
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
