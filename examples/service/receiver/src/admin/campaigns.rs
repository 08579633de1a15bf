//! `GET /campaigns`, and `/campaigns/{id}`: what became of a campaign, as a page, as JSON and as CSV.
//!
//! `/campaign?id=ID` is the same as the latter, for every id: a path cannot hold `..`, which is another page, or an empty
//! id, which stands for the messages without a campaign.

use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LINK};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Json, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::admin::chart::chart;
use crate::admin::format::Format;
use crate::admin::overview::named;
use crate::admin::parts::{counts, figure, grouped, link, name_class, nothing, page, url};
use crate::admin::state::Admin;
use crate::reports::campaign::{self, Campaign, Listed, Place};
use crate::reports::csv;
use crate::reports::durations::{Bound, Durations};
use crate::reports::outcomes::Outcomes;
use crate::reports::totals::Totals;
use crate::store::error::StoreError;

/// Whoever says nothing gets JSON, as at `/messages/{trackingId}`.
const FORMATS: [Format; 3] = [Format::Json, Format::Html, Format::Csv];

const DEFAULT_LIMIT: usize = 50;
const HIGHEST_LIMIT: usize = 1000;

/// What the messages without a campaign are listed as.
const NONE: &str = "none";

#[derive(Deserialize)]
pub struct ListQuery {
    after: Option<String>,
    limit: Option<usize>,
    format: Option<Format>,
}

pub async fn list(
    State(admin): State<Admin>,
    Query(query): Query<ListQuery>,
    headers: HeaderMap,
) -> Result<Response, StoreError> {
    let Ok(after) = query.after.map(|after| after.parse::<Place>()).transpose() else {
        return Ok((StatusCode::BAD_REQUEST, "`after` is no place in the list").into_response());
    };
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, HIGHEST_LIMIT);
    admin.settle().await?;
    let (listed, next) = campaign::list(&*admin.store, after, limit).await?;
    let next = next.map(|place| {
        let limit = query.limit.map(|_| format!("&limit={limit}")).unwrap_or_default();
        let format = query.format.map(|format| format!("&format={}", format.as_str())).unwrap_or_default();
        format!("/campaigns?after={}{limit}{format}", utf8_percent_encode(&place.to_string(), NON_ALPHANUMERIC))
    });
    let mut answer = match Format::of(query.format, &headers, FORMATS) {
        Format::Html => list_page(&listed, next.as_deref()).into_response(),
        Format::Json => {
            let campaigns: Vec<_> = listed.iter().map(listed_json).collect();
            Json(json!({ "campaigns": campaigns, "next": next })).into_response()
        }
        Format::Csv => csv_file("campaigns", csv::of_list(&listed)),
    };
    if let Some(link) = next.and_then(|next| format!("<{next}>; rel=\"next\"").parse().ok()) {
        answer.headers_mut().insert(LINK, link);
    }
    Ok(answer)
}

#[derive(Deserialize)]
pub struct FormatQuery {
    format: Option<Format>,
}

pub async fn by_path(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Query(query): Query<FormatQuery>,
    headers: HeaderMap,
) -> Result<Response, StoreError> {
    one(&admin, &id, Format::of(query.format, &headers, FORMATS)).await
}

#[derive(Deserialize)]
pub struct OneQuery {
    id: String,
    format: Option<Format>,
}

pub async fn by_query(
    State(admin): State<Admin>,
    Query(query): Query<OneQuery>,
    headers: HeaderMap,
) -> Result<Response, StoreError> {
    one(&admin, &query.id, Format::of(query.format, &headers, FORMATS)).await
}

async fn one(admin: &Admin, id: &str, format: Format) -> Result<Response, StoreError> {
    admin.settle().await?;
    let campaign = Campaign::find(&*admin.store, id).await?;
    Ok(match (campaign, format) {
        (Some(campaign), Format::Html) => campaign_page(&campaign).into_response(),
        (Some(campaign), Format::Json) => Json(campaign_json(&campaign)).into_response(),
        (Some(campaign), Format::Csv) => csv_file(&name_of_file(id), csv::of_campaign(&campaign)),
        (None, Format::Html) => nothing(if id.is_empty() { NONE } else { id }),
        (None, _) => (StatusCode::NOT_FOUND, "no such campaign").into_response(),
    })
}

/// The id, as far as every system takes it for a name.
fn name_of_file(id: &str) -> String {
    let plain = |letter: char| if letter.is_ascii_alphanumeric() || letter == '-' { letter } else { '_' };
    format!("campaign-{}", if id.is_empty() { NONE.to_owned() } else { id.chars().take(60).map(plain).collect() })
}

fn csv_file(name: &str, csv: Vec<u8>) -> Response {
    let disposition = format!("attachment; filename=\"{name}.csv\"");
    ([(CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()), (CONTENT_DISPOSITION, disposition)], csv).into_response()
}

fn listed_json(Listed { id, last_hour, totals }: &Listed) -> Value {
    let mut json = totals_json(totals);
    json["campaign"] = id_json(id);
    json["latestHour"] = json!(time_json(*last_hour));
    json
}

fn campaign_json(Campaign { id, totals, statuses, reasons, timeline }: &Campaign) -> Value {
    let by = |name: &str, counts: &[(String, i64)]| -> Vec<_> {
        counts.iter().map(|(value, count)| json!({ name: value, "messages": count })).collect()
    };
    let point = |from: DateTime<Utc>, outcomes: &Outcomes| {
        let mut json = json!(outcomes);
        json["from"] = json!(time_json(from));
        json
    };
    let points: Vec<_> = timeline.points.iter().map(|at| point(at.from, &at.outcomes)).collect();
    let mut json = totals_json(totals);
    json["campaign"] = id_json(id);
    json["statuses"] = json!(by("status", statuses));
    json["reasons"] = json!(by("reason", reasons));
    json["timeline"] = json!({ "unit": timeline.unit.as_str(), "points": points });
    json
}

fn id_json(id: &str) -> Value {
    if id.is_empty() { Value::Null } else { json!(id) }
}

fn totals_json(Totals { outcomes, to_delivery, to_first_look, price, replies }: &Totals) -> Value {
    let mut json = json!(outcomes);
    // A text, since most programs would round a number.
    json["price"] = json!({ "sum": price.to_string(), "messages": price.messages });
    json["replies"] = json!(replies);
    json["toDelivery"] = durations_json(to_delivery);
    json["toFirstLook"] = durations_json(to_first_look);
    json
}

fn durations_json(durations: &Durations) -> Value {
    let quantile = |percent| durations.quantile(percent).map(|bound| bound.0);
    let bucket = |(bound, messages): (Bound, i64)| json!({ "withinSeconds": bound.0, "messages": messages });
    json!({
        "messages": durations.messages(),
        "medianWithinSeconds": quantile(50),
        "p90WithinSeconds": quantile(90),
        "buckets": durations.buckets().map(bucket).collect::<Vec<_>>(),
    })
}

fn time_json(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

fn list_page(listed: &[Listed], next: Option<&str>) -> impl IntoResponse {
    // On a phone, a campaign is a card on which each number has its name beside it.
    let share = |name: &str, outcomes: &Outcomes, part| {
        html! {
            td.number data-name=(name) {
                (grouped(part))
                @if let Some(percent) = outcomes.percent(part) { " " small { (format!("{percent:.1} %")) } }
            }
        }
    };
    let content = html! {
        section {
            @if listed.is_empty() { p.none { "none yet" } }
            @else {
                table.numbers.cards {
                    thead {
                        tr {
                            th scope="col" { "campaign" }
                            @for name in ["messages", "delivered", "seen", "failed", "price", "replies"] {
                                th.number scope="col" { (name) }
                            }
                            th.number scope="col" { "latest hour" }
                        }
                    }
                    tbody {
                        @for Listed { id, last_hour, totals } in listed {
                            tr {
                                th scope="row" { (named_link(id)) }
                                td.number data-name="messages" { (grouped(totals.outcomes.messages)) }
                                (share("delivered", &totals.outcomes, totals.outcomes.delivered))
                                (share("seen", &totals.outcomes, totals.outcomes.seen))
                                (share("failed", &totals.outcomes, totals.outcomes.failed))
                                td.number data-name="price" { (totals.price) }
                                td.number data-name="replies" { (grouped(totals.replies)) }
                                td.number data-name="latest hour" { (last_hour.format("%Y-%m-%d %H:%M").to_string()) }
                            }
                        }
                    }
                }
            }
        }
        p.ways {
            @if let Some(next) = next { a rel="next" href=(next) { "Earlier campaigns" } " " }
            a href="/campaigns?format=csv&limit=1000" { "CSV of the latest " (HIGHEST_LIMIT) } " "
            a href="/campaigns?format=json&limit=1000" { "JSON" }
        }
        footer {
            "The latest first, by the hour in which a message was created or a reply was sent. "
            "All times are UTC. Shares are of all messages of a campaign. "
            "\u{201c}" (NONE) "\u{201d} has the messages without a campaign."
        }
    };
    page("Campaigns", "", &content)
}

fn named_link(id: &str) -> Markup {
    if id.is_empty() {
        html! { em { a href="/campaign?id=" { (NONE) } } }
    } else {
        link("/campaign", id)
    }
}

fn campaign_page(Campaign { id, totals, statuses, reasons, timeline }: &Campaign) -> impl IntoResponse {
    let Totals { outcomes, to_delivery, to_first_look, price, replies } = totals;
    let share = |part| outcomes.percent(part).map(|percent| format!(" ({percent:.1} %)")).unwrap_or_default();
    let bars = [
        ("delivered", outcomes.delivered),
        ("of these, seen", outcomes.seen),
        ("failed", outcomes.failed),
        ("pending", outcomes.pending),
        ("unrecognized", outcomes.unrecognized),
    ];
    let bars = bars.map(|(name, count)| (name.to_owned(), count));
    let content = html! {
        section.figures {
            (figure("messages", &grouped(outcomes.messages)))
            (figure("delivered", &format!("{}{}", grouped(outcomes.delivered), share(outcomes.delivered))))
            (figure("seen", &format!("{}{}", grouped(outcomes.seen), share(outcomes.seen))))
            (figure("failed", &format!("{}{}", grouped(outcomes.failed), share(outcomes.failed))))
            (figure("replies", &grouped(*replies)))
            (figure(&format!("price (messages with one: {})", grouped(price.messages)), &price.to_string()))
        }
        (chart("What became of the messages, by when they were created", timeline))
        div.columns {
            (counts("What became of them", &bars, |name| match name {
                "delivered" => "delivered",
                "failed" => "failed",
                "pending" => "pending",
                "of these, seen" => "seen",
                _ => "",
            }))
            (counts("Failed, by reason", &named(reasons.clone()), |_| "failed"))
            (counts("Messages by status", statuses, name_class))
        }
        section {
            h2 { "How long it took from createdAt" }
            table.numbers {
                thead {
                    tr {
                        th scope="col" { "to" }
                        th.number scope="col" { "messages" }
                        th.number scope="col" { "median" }
                        th.number scope="col" { "90 %" }
                    }
                }
                tbody {
                    @for (name, durations) in [("delivery", to_delivery), ("the first look", to_first_look)] {
                        tr {
                            th scope="row" { (name) }
                            td.number { (grouped(durations.messages())) }
                            @for percent in [50, 90] {
                                td.number { (durations.quantile(percent).map_or("\u{2013}".to_owned(), Bound::described)) }
                            }
                        }
                    }
                }
            }
            p.none {
                "\u{201c}within 30 s\u{201d} means that at least half of the messages, or 90 % of them, took 30 s or less. "
                "Times are counted in fixed steps (1, 2, 5, 10, 30 s, 1, 5, 15 min, 1, 4 h, 1, 7 d), so that hours can be added."
            }
        }
        p.ways {
            a href={ (url("/campaign", id)) "&format=csv" } { "CSV" } " "
            a href={ (url("/campaign", id)) "&format=json" } { "JSON" }
        }
        footer {
            "All times are UTC. Delivered is DELIVERED or SEEN; failed is EXPIRED, FAILED, UNDELIVERED or UNSENT. "
            "A message that expired after its delivery is one of the failed, and its time to delivery is counted all the same. "
            "The price is the sum of all prices, exact to the last digit; Routee's callbacks name no currency."
        }
    };
    if id.is_empty() { page("Messages without a campaign", "", &content) } else { page("Campaign", id, &content) }
}
