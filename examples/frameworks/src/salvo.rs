//! salvo: push [`routes`] into your router.

use std::sync::Arc;

use routee_viber::ViberCallback;
use salvo::conn::tcp::TcpAcceptor;
use salvo::http::{ParseError, StatusCode};
use salvo::{Request, Router, Server, handler};
use tokio::net::TcpListener;

use crate::{BODY_LIMIT, Inbox};

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
        match ViberCallback::from_slice(body) {
            Ok(callback) => inbox.handle(callback),
            Err(reason) => inbox.keep(body, &reason),
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
