//! The public address: `POST /callbacks`, and health for load balancers.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, HttpBody as _, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode, Uri};
use axum::routing::{get, post};
use chrono::Utc;
use http_body_util::LengthLimitError;
use routee_viber::{RESPONSE_DEADLINE, SenderAllowlist};
use tokio::sync::watch;
use tokio::time;
use tracing::debug;

use crate::encoding::{DecodeError, Encoding};
use crate::entry::Entry;
use crate::intake::Intake;
use crate::metrics::Metrics;
use crate::proxies::TrustedProxies;
use crate::readiness::Readiness;
use crate::refusals::Refusals;

/// How soon every callback is answered, if need be with a refusal: half a second before Routee stops waiting.
const ANSWER_WITHIN: Duration = RESPONSE_DEADLINE.saturating_sub(Duration::from_millis(500));

/// The longest body that is read, before and after it is decoded. It is more than a callback of the documented shape can
/// have.
const LONGEST_BODY: usize = 64 << 10;

#[derive(Clone)]
pub struct Callbacks {
    pub intake: Intake,
    /// Who may send callbacks; `None` allows anybody.
    pub senders: watch::Receiver<Option<SenderAllowlist>>,
    /// The proxies whose `X-Forwarded-For` counts.
    pub trusted: TrustedProxies,
    pub metrics: Arc<Metrics>,
    pub refusals: Arc<Refusals>,
    pub readiness: Arc<Readiness>,
}

pub fn router(callbacks: Callbacks) -> Router {
    Router::new()
        .route("/callbacks", post(receive))
        // A slash at the end is easily typed into Routee's settings.
        .route("/callbacks/", post(receive))
        .route("/healthz", get(StatusCode::OK))
        .route("/readyz", get(ready))
        .method_not_allowed_fallback(wrong_method)
        .fallback(not_found)
        .with_state(callbacks)
}

/// Says no more than the code, because anybody can ask.
async fn ready(State(callbacks): State<Callbacks>) -> StatusCode {
    callbacks.readiness.check().await.map_or(StatusCode::SERVICE_UNAVAILABLE, |()| StatusCode::OK)
}

async fn not_found(State(callbacks): State<Callbacks>, head: Head) -> StatusCode {
    callbacks.answer(&head, Instant::now(), Err((StatusCode::NOT_FOUND, "not_found")))
}

async fn wrong_method(State(callbacks): State<Callbacks>, head: Head) -> StatusCode {
    callbacks.answer(&head, Instant::now(), Err((StatusCode::METHOD_NOT_ALLOWED, "method")))
}

/// What of the head of a request decides, or is shown in the log.
struct Head {
    client: IpAddr,
    method: Method,
    uri: Uri,
    encoding: Option<Encoding>,
}

impl FromRequestParts<Callbacks> for Head {
    type Rejection = <ConnectInfo<SocketAddr> as FromRequestParts<Callbacks>>::Rejection;

    async fn from_request_parts(parts: &mut Parts, callbacks: &Callbacks) -> Result<Self, Self::Rejection> {
        let ConnectInfo(peer) = ConnectInfo::<SocketAddr>::from_request_parts(parts, callbacks).await?;
        Ok(Self {
            client: callbacks.trusted.client(peer.ip(), &parts.headers),
            method: parts.method.clone(),
            uri: parts.uri.clone(),
            encoding: Encoding::of(&parts.headers),
        })
    }
}

impl Callbacks {
    /// Counts the answer, and leaves a trace of a refusal.
    fn answer(&self, head: &Head, begin: Instant, outcome: Result<(), Refused>) -> StatusCode {
        let code = match outcome {
            Ok(()) => StatusCode::OK,
            Err((code, reason)) => {
                self.refusals.request(reason, head.client, &head.method, head.uri.path());
                code
            }
        };
        self.metrics.answered(code.as_u16(), begin);
        code
    }
}

/// Why a callback is not answered 200, as a code and as the reason that is counted.
type Refused = (StatusCode, &'static str);

const TOO_LARGE: Refused = (StatusCode::PAYLOAD_TOO_LARGE, "body_too_large");

/// The body does not end, or it is not compressed as the head says.
const BROKEN: Refused = (StatusCode::BAD_REQUEST, "body_broken");

async fn receive(State(callbacks): State<Callbacks>, head: Head, body: Body) -> StatusCode {
    let begin = Instant::now();
    let outcome = accept(&callbacks, &head, body, begin + ANSWER_WITHIN).await;
    callbacks.answer(&head, begin, outcome)
}

/// Returns once the body is committed, even if it cannot be read: if it were refused, Routee would send the same bytes
/// twelve more times.
async fn accept(callbacks: &Callbacks, head: &Head, body: Body, deadline: Instant) -> Result<(), Refused> {
    let is_allowed = callbacks.senders.borrow().as_ref().is_none_or(|senders| senders.contains(head.client));
    if !is_allowed {
        return Err((StatusCode::FORBIDDEN, "sender"));
    }
    let encoding = head.encoding.ok_or((StatusCode::UNSUPPORTED_MEDIA_TYPE, "encoding"))?;
    // What `Content-Length` says is known before the body arrives.
    if body.size_hint().lower() > LONGEST_BODY as u64 {
        return Err(TOO_LARGE);
    }
    let body = time::timeout_at(deadline.into(), read(body)).await;
    let body = body.map_err(|_| (StatusCode::REQUEST_TIMEOUT, "body_slow"))??;
    let body = encoding.decode(body, LONGEST_BODY).map_err(|error| match error {
        DecodeError::TooLarge => TOO_LARGE,
        DecodeError::Broken => BROKEN,
    })?;
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
        if error.source().is_some_and(<dyn Error>::is::<LengthLimitError>) { TOO_LARGE } else { BROKEN }
    })
}
