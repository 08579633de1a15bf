//! warp: put [`routes`] into your filter with `or`.
//!
//! ```toml
//! [dependencies]
//! futures-util = { version = "0.3", default-features = false }
//! routee-viber = { path = "../.." }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! warp = { version = "0.4", default-features = false, features = ["server"] }
//! ```
//!
//! `warp::body::content_length_limit` would refuse a body that is sent in chunks, so the handler counts.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;

use futures_util::{Stream, StreamExt};
use routee_viber::Incoming;
use tokio::net::TcpListener;
use warp::http::StatusCode;
use warp::{Buf, Filter, Rejection};

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

async fn receive(
    inbox: Arc<Inbox>,
    peer: Option<SocketAddr>,
    body: impl Stream<Item = Result<impl Buf, warp::Error>>,
) -> StatusCode {
    if !peer.is_some_and(|peer| inbox.senders.contains(peer.ip())) {
        return StatusCode::FORBIDDEN;
    }
    let mut body = pin!(body);
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await {
        let Ok(mut chunk) = chunk else {
            return StatusCode::BAD_REQUEST;
        };
        if bytes.len() + chunk.remaining() > BODY_LIMIT {
            return StatusCode::PAYLOAD_TOO_LARGE;
        }
        bytes.extend(chunk.copy_to_bytes(chunk.remaining()));
    }
    match Incoming::from_slice(&bytes) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(&bytes, &error),
    }
    StatusCode::OK
}

/// The route of the callbacks.
pub fn routes(inbox: Arc<Inbox>) -> impl Filter<Extract = (StatusCode,), Error = Rejection> + Clone {
    warp::path!("viber")
        .and(warp::post())
        .and(warp::addr::remote())
        .and(warp::body::stream())
        .then(move |peer, body| receive(Arc::clone(&inbox), peer, body))
}

/// Serves the route on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    warp::serve(routes(inbox)).incoming(listener).run().await;
    Ok(())
}
