//! For the operator and for your other programs: messages, changes, pages, metrics and health.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use serde_json::{Value, json};
use tokio::sync::Mutex;
use tokio::time;
use tracing::warn;

use crate::changes;
use crate::intake::Intake;
use crate::messages;
use crate::metrics::Metrics;
use crate::pages::{self, Overviews};
use crate::store::Store;
use crate::store::error::StoreError;

/// How long an answer about readiness counts, and how long it may take.
const READY_FOR: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(2);

#[derive(Clone)]
pub struct Admin {
    pub store: Arc<dyn Store>,
    pub intake: Intake,
    pub metrics: Arc<Metrics>,
    pub overviews: Arc<Overviews>,
    ready: Arc<Mutex<Option<Readiness>>>,
}

/// When it was tried, and how that went.
type Readiness = (Instant, Result<(), StoreError>);

impl Admin {
    pub fn new(store: Arc<dyn Store>, intake: Intake, metrics: Arc<Metrics>) -> Self {
        Self { store, intake, metrics, overviews: Arc::default(), ready: Arc::default() }
    }
}

pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(pages::overview))
        .route("/message", get(pages::message))
        .route("/messages/{tracking_id}", get(message))
        .route("/changes", get(changes::changes))
        .route("/metrics", get(metrics))
        .route("/healthz", get(async || "alive"))
        .route("/readyz", get(ready))
        .with_state(admin)
}

impl IntoResponse for StoreError {
    fn into_response(self) -> Response {
        warn!("cannot read the database: {self}");
        (StatusCode::SERVICE_UNAVAILABLE, "the database cannot be read; the log says why").into_response()
    }
}

async fn message(State(admin): State<Admin>, Path(tracking_id): Path<String>) -> Result<Json<Value>, Response> {
    let message = messages::read(&*admin.store, &tracking_id).await.map_err(StoreError::into_response)?;
    let message = message.ok_or_else(|| (StatusCode::NOT_FOUND, "no such message").into_response())?;
    let history: Vec<_> = message
        .history
        .iter()
        .map(|row| {
            json!({
                "receivedAt": date(row.received_at),
                "kind": row.kind,
                "status": row.status,
                "anomalies": row.anomalies,
            })
        })
        .collect();
    Ok(Json(json!({
        "trackingId": tracking_id,
        "status": message.status,
        "changedAt": date(message.changed_at),
        "overdueAt": message.overdue_at.map(date),
        "history": history,
    })))
}

/// Without the database, too: that is when somebody wants to look.
async fn metrics(State(admin): State<Admin>) -> Result<Response, StatusCode> {
    let text = admin.metrics.render(&admin.intake.backlog()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// Whether callbacks can be kept. Tried at most once a second, however many ask.
async fn ready(State(admin): State<Admin>) -> Response {
    let mut ready = admin.ready.lock().await;
    let known = ready.take().filter(|(since, _)| since.elapsed() < READY_FOR);
    let (since, is_ready) = if let Some(known) = known {
        known
    } else {
        let checked = time::timeout(READY_WITHIN, admin.store.check()).await;
        (Instant::now(), checked.unwrap_or_else(|_| Err(StoreError::unavailable("that takes too long"))))
    };
    *ready = Some((since, is_ready.clone()));
    match is_ready {
        Ok(()) => "ready".into_response(),
        Err(failure) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("cannot write to the database: {failure}")).into_response()
        }
    }
}

pub fn date(millis: i64) -> String {
    let date = chrono::DateTime::from_timestamp_millis(millis).unwrap_or_default();
    date.to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
