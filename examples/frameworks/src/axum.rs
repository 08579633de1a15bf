//! axum: merge [`routes`] into your router.
//!
//! ```toml
//! [dependencies]
//! axum = { version = "0.8", default-features = false, features = ["http1", "tokio"] }
//! routee-viber = { path = "../.." }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! ```
//!
//! Serve the router with `into_make_service_with_connect_info`, as [`serve`] does: without it there is no
//! peer address, and the handler answers 500.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::routing::post;
use routee_viber::Incoming;
use tokio::net::TcpListener;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

async fn receive(
    State(inbox): State<Arc<Inbox>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> StatusCode {
    if !inbox.senders.contains(peer.ip()) {
        return StatusCode::FORBIDDEN;
    }
    match Incoming::from_slice(&body) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(&body, &error),
    }
    StatusCode::OK
}

/// The route of the callbacks.
pub fn routes(inbox: Arc<Inbox>) -> Router {
    Router::new().route("/viber", post(receive)).layer(DefaultBodyLimit::max(BODY_LIMIT)).with_state(inbox)
}

/// Serves the route on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    let service = routes(inbox).into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, service).await
}
