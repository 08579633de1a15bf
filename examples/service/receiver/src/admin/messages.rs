//! One message and its history: as it is read, and as `GET /messages/{trackingId}` answers it: as JSON, or as a page to
//! whoever wants HTML. `/message?id=ID` is the page of every id, since a path cannot hold `..`, which is another page.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use chrono::{DateTime, TimeDelta, Utc};
use maud::{Markup, html};
use routee_viber::{Incoming, RetryPlan, ViberCallback};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::dates::{rfc3339, to_the_second};
use crate::admin::find::lead_to;
use crate::admin::format::Format;
use crate::admin::parts::{date_of_status, described, figure, link, page, when};
use crate::admin::state::Admin;
use crate::excerpt::excerpt;
use crate::store::Store;
use crate::store::error::StoreError;

/// The most rows of history that are shown. Routee sends a handful; somebody else could send any number.
const MOST: i64 = 200;

/// How far from its expected time an attempt may arrive: half of the shortest delay, so that it fits one at most.
const TOLERANCE: Duration = Duration::from_secs(15);

pub struct MessageDetails {
    /// As the library writes it; no more than its name and reason once a purge has removed the rest.
    pub status: Value,
    pub changed_at: i64,
    pub overdue_at: Option<i64>,
    /// The oldest first.
    pub history: Vec<HistoryRow>,
    /// What was sent: the campaign that it counts in, and the rest as far as the deliveries that are there say so.
    pub sent: Sent,
}

#[derive(Default)]
pub struct Sent {
    pub created_at: Option<DateTime<Utc>>,
    pub to: Option<String>,
    pub text: Option<String>,
    pub campaign: Option<String>,
}

pub struct HistoryRow {
    pub received_at: i64,
    pub kind: String,
    pub status: Value,
    pub anomalies: Vec<String>,
    /// It has the key of another one, and other bytes.
    pub is_variant: bool,
    /// How long after the date of its status it arrived.
    pub delay: Option<TimeDelta>,
    /// Which attempt of Routee's it probably was: 0 for the first, 1 to 12 for the retries. A guess by the clock.
    pub attempt: Option<u8>,
    /// It arrived after a delivery with a newer status.
    pub is_out_of_order: bool,
}

#[derive(Deserialize)]
pub struct FormatQuery {
    format: Option<Format>,
}

pub async fn by_path(
    State(admin): State<Admin>,
    Path(tracking_id): Path<String>,
    Query(query): Query<FormatQuery>,
    headers: HeaderMap,
) -> Result<Response, StoreError> {
    let formats = [Format::Json, Format::Html, Format::Json];
    message(&admin, &tracking_id, Format::of(query.format, &headers, formats)).await
}

#[derive(Deserialize)]
pub struct MessageQuery {
    id: String,
    format: Option<Format>,
}

pub async fn by_query(
    State(admin): State<Admin>,
    Query(query): Query<MessageQuery>,
    headers: HeaderMap,
) -> Result<Response, StoreError> {
    let formats = [Format::Html, Format::Json, Format::Json];
    message(&admin, &query.id, Format::of(query.format, &headers, formats)).await
}

async fn message(admin: &Admin, tracking_id: &str, format: Format) -> Result<Response, StoreError> {
    Ok(match (MessageDetails::find(&*admin.store, tracking_id).await?, format) {
        (Some(message), Format::Html) => message_page(tracking_id, &message).into_response(),
        (Some(message), _) => Json(message_json(tracking_id, &message)).into_response(),
        // It may be a flow.
        (None, Format::Html) => lead_to(admin, tracking_id).await?,
        (None, _) => (StatusCode::NOT_FOUND, "no such message").into_response(),
    })
}

fn message_json(tracking_id: &str, message: &MessageDetails) -> Value {
    let history: Vec<_> = message
        .history
        .iter()
        .map(|row| {
            json!({
                "receivedAt": rfc3339(row.received_at),
                "kind": row.kind,
                "status": row.status,
                "anomalies": row.anomalies,
                "isVariant": row.is_variant,
                "attempt": row.attempt,
                "isOutOfOrder": row.is_out_of_order,
            })
        })
        .collect();
    json!({
        "trackingId": tracking_id,
        "status": message.status,
        "changedAt": rfc3339(message.changed_at),
        "overdueAt": message.overdue_at.map(rfc3339),
        "createdAt": message.sent.created_at.map(|at| rfc3339(at.timestamp_millis())),
        "campaign": message.sent.campaign,
        "history": history,
    })
}

fn message_page(id: &str, message: &MessageDetails) -> impl IntoResponse + use<> {
    let MessageDetails { status, changed_at, overdue_at, history, sent } = message;
    let content = html! {
        section.figures {
            div { strong { (described(status)) } span { "status" } }
            @if let Some(date) = status["updatedDate"].as_str() { (figure("date of the status", &date_of_status(date))) }
            (figure("received", &to_the_second(*changed_at)))
            @if let Some(at) = overdue_at { (figure("overdue after", &to_the_second(*at))) }
            @if let Some(campaign) = &sent.campaign { div { strong.id { (link("/campaign", campaign)) } span { "campaign" } } }
        }
        section {
            h2 { "Its life, in the order of arrival" }
            @if history.is_empty() { p.none { "a purge has removed what had arrived" } }
            ol.life {
                @if let Some(at) = sent.created_at {
                    li {
                        (when(at.timestamp_millis())) " created at Routee"
                        @if let Some(to) = &sent.to { ", to " (excerpt(to)) }
                        @if let Some(text) = &sent.text { pre { (excerpt(text)) } }
                    }
                }
                @for row in history { li { (arrival(row)) } }
            }
        }
        footer {
            "All times are UTC. Routee says neither when it sent something first nor which attempt it was: here, the first "
            "attempt is taken to be at the date of the status, and an attempt is one that was due within "
            (TOLERANCE.as_secs()) " s of its arrival (inferred)."
        }
    };
    page("Message", id, &content)
}

fn arrival(row: &HistoryRow) -> Markup {
    html! {
        (when(row.received_at)) " " (described(&row.status))
        @match row.kind.as_str() {
            "step" => " in a failover flow",
            "tracked" => " as Routee answered when asked",
            _ => "",
        }
        @if row.is_variant { strong { " again, with other content" } }
        @if row.is_out_of_order { strong { " out of order: a newer status was there" } }
        @if let Some(delay) = row.delay {
            p {
                (since(delay)) " the date of the status, "
                (date_of_status(row.status["updatedDate"].as_str().unwrap_or_default()))
                @match (row.kind.as_str(), row.attempt) {
                    ("status", Some(0)) => ": in time",
                    ("status", Some(attempt)) => { ": late, probably retry " (attempt) " of 12" },
                    ("status", None) => { ": " strong { "not when an attempt was due" } },
                    _ => "",
                }
            }
        }
        @if let Some(text) = row.status["reason"]["description"].as_str() { p { (excerpt(text)) } }
        @for anomaly in &row.anomalies { p.anomaly { (excerpt(anomaly)) } }
        details {
            summary { "JSON" }
            pre { (excerpt(&serde_json::to_string_pretty(&row.status).unwrap_or_default())) }
        }
    }
}

/// Such as `1m 30s after`, without parts of a second.
fn since(delay: TimeDelta) -> String {
    let length = Duration::from_secs(delay.num_seconds().unsigned_abs());
    format!("{} {}", humantime::format_duration(length), if delay < TimeDelta::zero() { "before" } else { "after" })
}

impl MessageDetails {
    pub async fn find(store: &dyn Store, tracking_id: &str) -> Result<Option<Self>, StoreError> {
        // No message has such an id, and PostgreSQL would refuse the query.
        if tracking_id.contains('\0') {
            return Ok(None);
        }
        let current = store.queries().message;
        let current = store.query(current, vec![tracking_id.into()]).await?;
        let Some(current) = current.first() else { return Ok(None) };
        let (history, parameters) = (store.queries().history)(tracking_id, MOST);
        let rows = store.query(history, parameters).await?;
        let (rank, name, reason): (&str, &str, Option<&str>) = (current.get(0)?, current.get(1)?, current.get(2)?);
        let mut moved = None;
        let mut newest: Option<(String, i64)> = None;
        let campaign = current.get::<Option<&str>>(5)?.map(ToOwned::to_owned);
        let mut sent = Sent { campaign, ..Sent::default() };
        let mut history = Vec::new();
        for row in &rows {
            let callback = callback(row.get(3)?);
            let received_at = row.get(0)?;
            let is_variant = row.get::<i64>(4)? != 0;
            let is_state = |callback: &&ViberCallback| {
                let found = callback.status.detailed_status();
                !is_variant && callback.status.rank() == rank && found.as_ref().map(|found| found.as_str()) == reason
            };
            let status = callback.as_ref().map(written).unwrap_or_default();
            moved = moved.or_else(|| callback.as_ref().filter(is_state).map(|_| status.clone()));
            let own_rank = callback.as_ref().map(|callback| callback.status.rank());
            let is_older =
                |(newest, at): &(String, i64)| own_rank.as_ref().is_some_and(|own| own < newest) && *at < received_at;
            let is_out_of_order = newest.as_ref().is_some_and(is_older);
            if let Some(own) = own_rank.filter(|own| newest.as_ref().is_none_or(|(newest, _)| own > newest)) {
                newest = Some((own, received_at));
            }
            let kind = row.get::<&str>(1)?.to_owned();
            let arrived = DateTime::from_timestamp_millis(received_at).unwrap_or_default();
            let dated = callback.as_ref().and_then(|callback| callback.status.updated_date);
            if let Some(callback) = callback.filter(|_| !is_variant) {
                sent.add(callback);
            }
            history.push(HistoryRow {
                received_at,
                attempt: dated
                    .filter(|_| kind == "status")
                    .and_then(|date| RetryPlan::new(date).attempt_at(arrived, TOLERANCE)),
                delay: dated.map(|date| arrived - date),
                kind,
                status,
                anomalies: row.get::<Option<&str>>(2)?.unwrap_or_default().lines().map(ToOwned::to_owned).collect(),
                is_variant,
                is_out_of_order,
            });
        }
        let purged = || match reason {
            Some(reason) => json!({ "name": name, "reason": { "detailedStatus": reason } }),
            None => json!({ "name": name }),
        };
        let status = moved.unwrap_or_else(purged);
        Ok(Some(Self { status, changed_at: current.get(3)?, overdue_at: current.get(4)?, history, sent }))
    }
}

impl Sent {
    /// Takes over what is not known yet.
    fn add(&mut self, callback: ViberCallback) {
        self.created_at = self.created_at.or(callback.created_at);
        self.to = self.to.take().or(callback.to);
        self.text = self.text.take().or(callback.body.and_then(|body| body.text));
    }
}

fn callback(body: &[u8]) -> Option<ViberCallback> {
    match Incoming::from_slice(body) {
        Ok(Incoming::Status(callback)) => Some(callback),
        _ => None,
    }
}

fn written(callback: &ViberCallback) -> Value {
    serde_json::to_value(&callback.status).unwrap_or_default()
}
