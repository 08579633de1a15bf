//! `POST /callbacks`, the only route of the public address.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use axum::routing::post;
use chrono::Utc;
use http_body_util::LengthLimitError;
use routee_viber::{RESPONSE_DEADLINE, SenderAllowlist};
use tokio::sync::watch;
use tokio::time;
use tracing::debug;

use crate::entry::Entry;
use crate::intake::Intake;
use crate::metrics::Metrics;

/// How soon every callback is answered, if need be with a refusal: half a second before Routee stops waiting.
const ANSWER_WITHIN: Duration = RESPONSE_DEADLINE.saturating_sub(Duration::from_millis(500));

/// The longest body that is read, which is more than a callback of the documented shape can have.
const LONGEST_BODY: usize = 64 << 10;

#[derive(Clone)]
pub struct Callbacks {
    pub intake: Intake,
    /// Who may send callbacks; `None` allows anybody.
    pub senders: watch::Receiver<Option<SenderAllowlist>>,
    pub metrics: Arc<Metrics>,
}

pub fn router(callbacks: Callbacks) -> Router {
    Router::new().route("/callbacks", post(receive)).with_state(callbacks)
}

/// Why a callback is not answered 200, as a code and as the reason that is counted.
type Refused = (StatusCode, &'static str);

async fn receive(
    State(callbacks): State<Callbacks>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Body,
) -> StatusCode {
    let begin = Instant::now();
    let code = match accept(&callbacks, peer, body, begin + ANSWER_WITHIN).await {
        Ok(()) => StatusCode::OK,
        Err((code, reason)) => {
            callbacks.metrics.refused(reason);
            code
        }
    };
    callbacks.metrics.answered(code.as_u16(), begin);
    code
}

/// Returns once the body is committed, even if it cannot be read: if it were refused, Routee would send the same bytes
/// twelve more times.
async fn accept(callbacks: &Callbacks, peer: SocketAddr, body: Body, deadline: Instant) -> Result<(), Refused> {
    let is_allowed = callbacks.senders.borrow().as_ref().is_none_or(|senders| senders.contains(peer.ip()));
    if !is_allowed {
        return Err((StatusCode::FORBIDDEN, "sender"));
    }
    let body = time::timeout_at(deadline.into(), read(body)).await;
    let body = body.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "body_slow"))??;
    let entry = Entry::read(body, Utc::now());
    for &kind in &entry.anomalies {
        // Only the kind is a label: paths come from the sender, who could make any number of time series with them.
        callbacks.metrics.anomaly(kind);
    }
    debug!("{entry}");
    match time::timeout_at(deadline.into(), callbacks.intake.submit(entry)).await {
        Ok(submitted) => submitted.map_err(|refusal| (StatusCode::SERVICE_UNAVAILABLE, refusal.as_str())),
        Err(_) => Err((StatusCode::SERVICE_UNAVAILABLE, "too_slow")),
    }
}

async fn read(body: Body) -> Result<Bytes, Refused> {
    to_bytes(body, LONGEST_BODY).await.map_err(|error| {
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) {
            (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large")
        } else {
            (StatusCode::BAD_REQUEST, "body_broken")
        }
    })
}
