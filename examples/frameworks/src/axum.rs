//! axum: merge [`routes`] into your router.
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
use routee_viber::ViberCallback;
use tokio::net::TcpListener;

use crate::{BODY_LIMIT, Inbox};

async fn receive(
    State(inbox): State<Arc<Inbox>>,
    ConnectInfo(peer): ConnectInfo<SocketAddr>,
    body: Bytes,
) -> StatusCode {
    if !inbox.senders.contains(peer.ip()) {
        return StatusCode::FORBIDDEN;
    }
    match ViberCallback::from_slice(&body) {
        Ok(callback) => inbox.handle(callback),
        Err(reason) => inbox.keep(&body, &reason),
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
