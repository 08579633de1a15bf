//! The first page.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::response::Html;
use maud::html;

use crate::admin::chart::chart;
use crate::admin::dates::to_the_second;
use crate::admin::overview::Overview;
use crate::admin::parts::{counts, figure, grouped, list, name_class, page, when};
use crate::admin::state::Admin;
use crate::excerpt::excerpt;

/// How long a page counts. What it shows besides the overview is cheap, but many may ask for it.
const SHOWN_FOR: Duration = Duration::from_secs(1);

pub async fn overview(State(admin): State<Admin>) -> Html<Bytes> {
    let draw = async || {
        let overview = admin.overview.get(async || Overview::count(&*admin.store).await).await;
        (overview_page(&overview, admin.intake.backlog().callbacks, &admin.metrics.answers()), SHOWN_FOR)
    };
    admin.page.get(draw).await
}

/// `waiting` is how many callbacks wait for a commit, `answers` how many there were by code.
fn overview_page(overview: &Overview, waiting: usize, answers: &[(u16, u64)]) -> Html<Bytes> {
    let total: i64 = overview.statuses.iter().map(|(_, count)| count).sum();
    page(
        "Routee callbacks",
        "",
        &html! {
            @if !overview.missing.is_empty() {
                p.missing role="alert" {
                    "Missing here, since the database could not be asked: " (overview.missing.join(", ")) ". "
                    "The log says why."
                }
            }
            section.figures {
                @if !overview.statuses.is_empty() { (figure("messages", &grouped(total))) }
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
            @if let Some(timeline) = &overview.last_hours { (chart("The last 24 hours", timeline)) }
            @if let Some(timeline) = &overview.last_days { (chart("The last 30 days", timeline)) }
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
                            @for (code, count) in answers {
                                tr { th scope="row" { (code) } td.number { (grouped(i64::try_from(*count).unwrap_or(i64::MAX))) } }
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
                "Counted at " (when(overview.counted_at)) "; load the page again for newer numbers. All times are UTC. "
                "The pictures go by when a message was created. "
                "Bodies hold phone numbers and texts: show them to nobody else."
            }
        },
    )
}
