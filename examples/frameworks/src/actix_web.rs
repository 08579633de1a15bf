//! actix-web: give [`routes`] to `App::configure`.
//!
//! Answer with a response of your own: the `Ok(())` of a handler is a 204, and Routee sends again.

use std::sync::Arc;

use actix_web::web::{Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, post};
use routee_viber::ViberCallback;
use tokio::net::TcpListener;

use crate::{BODY_LIMIT, Inbox};

#[post("/viber")]
async fn receive(inbox: Data<Inbox>, request: HttpRequest, body: Bytes) -> HttpResponse {
    let peer = request.peer_addr();
    if !peer.is_some_and(|peer| inbox.senders.contains(peer.ip())) {
        return HttpResponse::Forbidden().finish();
    }
    match ViberCallback::from_slice(&body) {
        Ok(callback) => inbox.handle(callback),
        Err(reason) => inbox.keep(&body, &reason),
    }
    HttpResponse::Ok().finish()
}

/// The route of the callbacks.
pub fn routes(config: &mut ServiceConfig, inbox: Arc<Inbox>) {
    config.app_data(Data::from(inbox)).app_data(PayloadConfig::new(BODY_LIMIT)).service(receive);
}

/// Serves the route on that listener.
pub async fn serve(listener: TcpListener, inbox: Arc<Inbox>) -> std::io::Result<()> {
    let app = move || App::new().configure(|config| routes(config, Arc::clone(&inbox)));
    let server = HttpServer::new(app).listen(listener.into_std()?)?.run();
    server.await
}
