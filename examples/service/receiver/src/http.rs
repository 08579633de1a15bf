//! What is answered to whom.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::connect_info::IntoMakeServiceWithConnectInfo;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse as _, Json, Response};
use axum::routing::{get, post};
use chrono::{DateTime, Utc};
use maud::html;
use metrics::{counter, gauge, histogram};
use metrics_exporter_prometheus::PrometheusHandle;
use routee_viber::{RESPONSE_DEADLINE, SenderAllowlist};
use serde_json::{Value, json};
use sqlx::{query_as, query_scalar};
use tokio::sync::watch;
use tokio::time;
use tracing::error;

use crate::intake::Intake;
use crate::store::Store;

/// When a callback is refused rather than answered late: half a second less than Routee waits.
pub const ANSWER_WITHIN: Duration = RESPONSE_DEADLINE.saturating_sub(Duration::from_millis(500));

/// More than a callback of the documented shape can need.
const LONGEST_BODY: usize = 256 * 1024;

#[derive(Clone)]
pub struct App {
    pub store: Store,
    pub intake: Intake,
    pub senders: watch::Receiver<Option<SenderAllowlist>>,
    pub metrics: PrometheusHandle,
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

/// Lets in who may send callbacks, and answers in time whatever happens, a slow body included.
async fn guard(
    State(app): State<App>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    request: Request,
    next: Next,
) -> Response {
    let begin = Instant::now();
    let is_allowed = match &*app.senders.borrow() {
        Some(senders) => senders.contains(peer.ip()),
        None => true,
    };
    let answer = if is_allowed {
        let answer = time::timeout(ANSWER_WITHIN, next.run(request)).await;
        answer.unwrap_or_else(|_| StatusCode::SERVICE_UNAVAILABLE.into_response())
    } else {
        StatusCode::FORBIDDEN.into_response()
    };
    counter!("routee_answers_total", "code" => answer.status().as_u16().to_string()).increment(1);
    histogram!("routee_answer_seconds").record(begin.elapsed());
    answer
}

/// 200 once the body is durable, whatever it says: Routee would send an unreadable one twelve times
/// more, and it would be no more readable.
async fn receive(State(app): State<App>, body: Bytes) -> StatusCode {
    match app.intake.store(body).await {
        Ok(()) => StatusCode::OK,
        Err(_) => StatusCode::SERVICE_UNAVAILABLE,
    }
}

async fn message(State(app): State<App>, Path(tracking_id): Path<String>) -> Result<Json<Value>, StatusCode> {
    let current: Option<(i64, String)> = query_as("SELECT changed_at, status FROM message WHERE tracking_id = $1")
        .bind(tracking_id.as_str())
        .fetch_optional(&app.store.reads)
        .await
        .map_err(unavailable)?;
    let (changed_at, status) = current.ok_or(StatusCode::NOT_FOUND)?;
    let history: Vec<(i64, String, String)> =
        query_as("SELECT received_at, verdict, status FROM history WHERE tracking_id = $1 ORDER BY id")
            .bind(tracking_id.as_str())
            .fetch_all(&app.store.reads)
            .await
            .map_err(unavailable)?;
    let history: Vec<_> = history
        .iter()
        .map(|(received_at, verdict, status)| {
            json!({ "receivedAt": date(*received_at), "verdict": verdict, "status": parsed(status) })
        })
        .collect();
    Ok(Json(json!({
        "trackingId": tracking_id,
        "status": parsed(&status),
        "changedAt": date(changed_at),
        "history": history,
    })))
}

async fn overview(State(app): State<App>) -> Result<Html<String>, StatusCode> {
    let database = &app.store.reads;
    let counts = query_as("SELECT status_name, count(*) FROM message GROUP BY status_name ORDER BY status_name");
    let counts: Vec<(String, i64)> = counts.fetch_all(database).await.map_err(unavailable)?;
    let latest = query_as("SELECT changed_at, tracking_id, status_name FROM message ORDER BY changed_at DESC LIMIT 20");
    let latest: Vec<(i64, String, String)> = latest.fetch_all(database).await.map_err(unavailable)?;
    let odd = query_as(
        "SELECT received_at, tracking_id, anomalies FROM history WHERE anomalies <> ''
         ORDER BY id DESC LIMIT 20",
    );
    let odd: Vec<(i64, String, String)> = odd.fetch_all(database).await.map_err(unavailable)?;
    let unreadable = query_scalar("SELECT count(*) FROM unreadable");
    let unreadable: i64 = unreadable.fetch_one(database).await.map_err(unavailable)?;
    let page = html! {
        (maud::DOCTYPE)
        meta charset="utf-8";
        title { "Routee callbacks" }
        h1 { "Messages by status" }
        table { @for (name, count) in counts { tr { td { (name) } td { (count) } } } }
        p { (unreadable) " bodies could not be read and are kept aside." }
        @for (title, rows) in [("Latest messages", latest), ("Latest anomalies", odd)] {
            h1 { (title) }
            table {
                @for (at, tracking_id, what) in rows {
                    tr { td { (date(at)) } td { (tracking_id) } td { (what) } }
                }
            }
        }
    };
    Ok(Html(page.into_string()))
}

/// Without the database, too: that is when somebody wants to look.
async fn metrics(State(app): State<App>) -> String {
    let waiting = query_scalar("SELECT count(*) FROM inbox");
    let waiting: sqlx::Result<i64> = waiting.fetch_one(&app.store.reads).await;
    #[allow(clippy::cast_precision_loss)]
    gauge!("routee_waiting").set(waiting.map_or(f64::NAN, |waiting| waiting as f64));
    app.metrics.render()
}

#[allow(clippy::needless_pass_by_value)] // as `map_err` gives it
fn unavailable(error: sqlx::Error) -> StatusCode {
    error!(%error, "cannot read the database");
    StatusCode::SERVICE_UNAVAILABLE
}

fn date(millis: i64) -> String {
    DateTime::<Utc>::from_timestamp_millis(millis).unwrap_or_default().to_rfc3339()
}

fn parsed(status: &str) -> Value {
    serde_json::from_str(status).unwrap_or_default()
}
