//! poem: nest [`routes`] into your route.
//!
//! ```toml
//! [dependencies]
//! poem = { version = "3", default-features = false, features = ["server"] }
//! routee-viber = { path = "../.." }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! ```
//!
//! poem's `SizeLimit` would refuse a body that is sent in chunks, so the handler reads with a limit.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::listener::TcpAcceptor;
use poem::web::{Data, RemoteAddr};
use poem::{Body, Endpoint, EndpointExt, Result, Route, Server, handler, post};
use routee_viber::Incoming;
use tokio::net::TcpListener;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

#[handler]
async fn receive(inbox: Data<&Arc<Inbox>>, peer: &RemoteAddr, body: Body) -> Result<StatusCode> {
    let peer = peer.as_socket_addr();
    if !peer.is_some_and(|peer| inbox.senders.contains(peer.ip())) {
        return Ok(StatusCode::FORBIDDEN);
    }
    let body = body.into_bytes_limit(BODY_LIMIT).await?;
    match Incoming::from_slice(&body) {
        Ok(Incoming::Status(callback)) => inbox.status(callback),
        Ok(other) => inbox.other(other),
        Err(error) => inbox.unreadable(&body, &error),
    }
    Ok(StatusCode::OK)
}

/// The route of the callbacks.
pub fn routes(inbox: Arc<Inbox>) -> impl Endpoint {
    Route::new().at("/viber", post(receive)).data(inbox)
}

/// Serves the route on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    let acceptor = TcpAcceptor::from_tokio(listener)?;
    Server::new_with_acceptor(acceptor).run(routes(inbox)).await
}
