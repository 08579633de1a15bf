//! AWS Lambda: run [`receive`] behind an API Gateway (HTTP or REST API) or a function URL.
//!
//! ```toml
//! [dependencies]
//! lambda_http = { version = "1", default-features = false, features = ["apigw_http", "apigw_rest"] }
//! routee-viber = { path = "../.." }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! ```
//!
//! ```no_run
//! use lambda_http::{Error, run, service_fn};
//! use routee_viber::SenderAllowlist;
//! use routee_viber_frameworks::{Inbox, lambda_http::receive};
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Error> {
//!     let inbox = Inbox::new(SenderAllowlist::resolve()?);
//!     run(service_fn(|request| receive(&inbox, request))).await
//! }
//! ```

use lambda_http::http::StatusCode;
use lambda_http::request::RequestContext;
use lambda_http::{Error, IntoResponse, Request, RequestExt};
use routee_viber::Incoming;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

/// Answers one event.
pub async fn receive(inbox: &Inbox, request: Request) -> Result<impl IntoResponse, Error> {
    let peer = match request.request_context_ref() {
        Some(RequestContext::ApiGatewayV2(context)) => context.http.source_ip.as_deref(),
        Some(RequestContext::ApiGatewayV1(context)) => context.identity.source_ip.as_deref(),
        _ => None,
    };
    if !peer.is_some_and(|peer| peer.parse().is_ok_and(|peer| inbox.senders.contains(peer))) {
        return Ok((StatusCode::FORBIDDEN, ""));
    }
    let body = request.body();
    if body.len() > BODY_LIMIT {
        return Ok((StatusCode::PAYLOAD_TOO_LARGE, ""));
    }
    match Incoming::from_slice(body) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(body, &error),
    }
    Ok((StatusCode::OK, ""))
}
