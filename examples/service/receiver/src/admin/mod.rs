//! For the operator and for your other programs: messages, changes, pages, metrics and health.

mod campaigns;
pub mod changes;
mod chart;
mod dates;
mod find;
mod flows;
mod format;
pub mod messages;
mod overview;
mod pages;
mod parts;
pub mod state;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tracing::warn;

use crate::admin::state::Admin;
use crate::intake::Backlog;
use crate::store::error::StoreError;

pub fn router(admin: Admin) -> Router {
    Router::new()
        .route("/", get(pages::overview))
        .route("/message", get(messages::by_query))
        .route("/messages/{tracking_id}", get(messages::by_path))
        .route("/flow", get(flows::flow))
        .route("/campaigns", get(campaigns::list))
        .route("/campaigns/{id}", get(campaigns::by_path))
        .route("/campaign", get(campaigns::by_query))
        .route("/find", get(find::find))
        .layer(middleware::from_fn(format::tag))
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
    admin.metrics.wal(admin.store.wal_bytes());
    let text = admin.metrics.render(callbacks, bytes, oldest).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok(([(header::CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], text).into_response())
}

async fn ready(State(admin): State<Admin>) -> Response {
    match admin.readiness.check().await {
        Ok(()) => "ready".into_response(),
        Err(error) => (StatusCode::SERVICE_UNAVAILABLE, error.to_string()).into_response(),
    }
}
