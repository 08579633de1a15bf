//! What is answered to whom.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Json, Response};
use axum::routing::{get, post};
use chrono::{DateTime, SecondsFormat};
use maud::html;
use routee_viber::{RESPONSE_DEADLINE, SenderAllowlist};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time;
use tracing::error;

use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::store::Store;

/// When a callback is refused instead of answered late: what is left of Routee's deadline is for the way.
pub const ANSWER_WITHIN: Duration = RESPONSE_DEADLINE.saturating_sub(Duration::from_millis(500));

/// More than a callback of the documented shape can need.
const LONGEST_BODY: usize = 256 * 1024;

#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub intake: Intake,
    pub metrics: Arc<Metrics>,
    pub senders: watch::Receiver<Option<SenderAllowlist>>,
}

pub fn service(app: App) -> IntoMakeServiceWithConnectInfo<Router, SocketAddr> {
    Router::new()
        .route("/callbacks", post(receive))
        .layer(DefaultBodyLimit::max(LONGEST_BODY))
        .layer(from_fn_with_state(app.clone(), guard))
        .route("/", get(overview))
        .route("/messages/{tracking_id}", get(message))
        .route("/metrics", get(metrics))
        .with_state(app)
        .into_make_service_with_connect_info()
}

/// Lets in who may send callbacks, and answers in time whatever happens behind it, a slow body included.
async fn guard(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let is_allowed = app
        .senders
        .borrow()
        .as_ref()
        .is_none_or(|senders| senders.contains(peer.ip()));
    let answer = if is_allowed {
        let answer = time::timeout(ANSWER_WITHIN, next.run(request)).await;
        answer.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
    } else {
        StatusCode::FORBIDDEN.into_response()
    };
    app.metrics
        .answered(answer.status().as_u16(), begin.elapsed());
    answer
}

/// 200 as soon as the body is durable, whatever it says: Routee would send an unreadable one twelve times
/// more, and it would be no more readable.
async fn receive(State(app): State<App>, body: Bytes) -> StatusCode {
    match app.intake.store(body).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn message(
    State(app): State<App>,
    Path(tracking_id): Path<String>,
) -> Result<Json<Value>, Failure> {
    let (changed_at, status) = app
        .store
        .message(&tracking_id)
        .await?
        .ok_or(Failure::NotFound)?;
    let history = app.store.history(&tracking_id).await?;
    let history = history.iter().map(|(received_at, verdict, status)| {
        json!({ "receivedAt": date(*received_at), "verdict": verdict, "status": parsed(status) })
    });
    Ok(Json(json!({
        "trackingId": tracking_id,
        "status": parsed(&status),
        "changedAt": date(changed_at),
        "history": history.collect::<Vec<_>>(),
    })))
}

async fn overview(State(app): State<App>) -> Result<Html<String>, Failure> {
    let (counts, latest, anomalies) = tokio::try_join!(
        app.store.counts(),
        app.store.latest(),
        app.store.anomalies()
    )?;
    let (waiting, unreadable) = tokio::try_join!(app.store.waiting(), app.store.unreadable())?;
    let page = html! {
        (maud::DOCTYPE)
        meta charset="utf-8";
        title { "Routee callbacks" }
        style { "body { font-family: sans-serif } td, th { padding: 0 1em; text-align: left }" }
        h1 { "Messages" }
        table {
            @for (name, count) in counts { tr { th { (name) } td { (count) } } }
        }
        p { (waiting) " bodies wait to be processed, " (unreadable) " could not be read." }
        h1 { "Latest" }
        table {
            @for (tracking_id, name, changed_at) in latest {
                tr { td { (date(changed_at)) } td { (tracking_id) } td { (name) } }
            }
        }
        h1 { "Not understood" }
        table {
            @for (sentence, seen, last_seen_at) in anomalies {
                tr { td { (date(last_seen_at)) } td { (seen) " times" } td { (sentence) } }
            }
        }
    };
    Ok(Html(page.into_string()))
}

async fn metrics(State(app): State<App>) -> Result<impl IntoResponse, Failure> {
    let page = app.metrics.render(app.store.waiting().await?);
    Ok((
        [(
            header::CONTENT_TYPE,
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        )],
        page,
    ))
}

/// Why a page cannot be shown.
enum Failure {
    NotFound,
    Database(sqlx::Error),
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        match self {
            Self::NotFound => StatusCode::NOT_FOUND.into_response(),
            Self::Database(error) => {
                error!(%error, "cannot read the database");
                StatusCode::SERVICE_UNAVAILABLE.into_response()
            }
        }
    }
}

fn date(millis: i64) -> String {
    let date = DateTime::from_timestamp_millis(millis).unwrap_or_default();
    date.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn parsed(status: &str) -> Value {
    serde_json::from_str(status).unwrap_or_default()
}
