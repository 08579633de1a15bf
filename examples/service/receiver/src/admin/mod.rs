//! For the operator and for your other programs: messages, changes, pages, metrics and health.

mod cached;
pub mod changes;
mod dates;
pub mod messages;
mod overview;
mod pages;
pub mod state;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::time;
use tracing::warn;

use crate::admin::state::Admin;
use crate::intake::Backlog;
use crate::store::error::StoreError;

/// How long an answer about readiness counts, and how long the check may take.
const READY_FOR: Duration = Duration::from_secs(1);
const READY_WITHIN: Duration = Duration::from_secs(2);

pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(pages::overview))
        .route("/message", get(pages::message))
        .route("/messages/{tracking_id}", get(messages::message))
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

/// Reads nothing from the database, since metrics are needed most while the database is away.
async fn metrics(State(admin): State<Admin>) -> Result<Response, StatusCode> {
    let Backlog { callbacks, bytes, oldest } = admin.intake.backlog();
    admin.metrics.log(admin.store.log_bytes());
    let text = admin.metrics.render(callbacks, bytes, oldest).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

/// Whether a callback could be committed. However many ask, the database is tried at most once a second.
async fn ready(State(admin): State<Admin>) -> Response {
    let check = async || {
        let checked = time::timeout(READY_WITHIN, admin.store.check()).await;
        (checked.unwrap_or_else(|_| Err(StoreError::unavailable("that takes too long"))), READY_FOR)
    };
    match admin.readiness.get(check).await {
        Ok(()) => "ready".into_response(),
        Err(error) => {
            (StatusCode::SERVICE_UNAVAILABLE, format!("cannot write to the database: {error}")).into_response()
        }
    }
}
