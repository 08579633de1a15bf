//! The least that a receiver in axum does: it reads the body and answers 200. What the real one is measured beside.

use axum::Router;
use axum::body::Bytes;
use axum::http::StatusCode;
use axum::routing::post;
use tokio::net::TcpListener;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let router = Router::new().route("/callbacks", post(async |_: Bytes| StatusCode::OK));
    axum::serve(TcpListener::bind("127.0.0.1:8090").await?, router).await
}
