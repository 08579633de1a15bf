//! salvo: push [`routes`] into your router.
//!
//! ```toml
//! [dependencies]
//! routee-viber = { path = "../.." }
//! salvo = { version = "1", default-features = false, features = ["http1", "server"] }
//! tokio = { version = "1", features = ["macros", "net", "rt-multi-thread"] }
//! ```

use std::sync::Arc;

use routee_viber::Incoming;
use salvo::conn::tcp::TcpAcceptor;
use salvo::http::{ParseError, StatusCode};
use salvo::{Request, Router, Server, handler};
use tokio::net::TcpListener;

use crate::Inbox;

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
const BODY_LIMIT: usize = 64 * 1024;

struct Receive(Arc<Inbox>);

#[handler]
impl Receive {
    async fn handle(&self, request: &mut Request) -> Result<StatusCode, ParseError> {
        let Self(inbox) = self;
        let peer = request.remote_addr().ip();
        if !peer.is_some_and(|peer| inbox.senders.contains(peer)) {
            return Ok(StatusCode::FORBIDDEN);
        }
        let body = request.payload_with_max_size(BODY_LIMIT).await?;
        match Incoming::from_slice(body) {
            Ok(Incoming::Status(callback)) => inbox.status(callback),
            Ok(other) => inbox.other(other),
            Err(error) => inbox.unreadable(body, &error),
        }
        Ok(StatusCode::OK)
    }
}

/// The route of the callbacks.
pub fn routes(inbox: Arc<Inbox>) -> Router {
    Router::with_path("viber").post(Receive(inbox))
}

/// Serves the route on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    let acceptor = TcpAcceptor::try_from(listener)?;
    Server::new(acceptor).try_serve(routes(inbox)).await
}
