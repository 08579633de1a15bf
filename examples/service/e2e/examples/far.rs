//! A PostgreSQL that is 50 ms away, to measure with: 127.0.0.1:5433 leads to 127.0.0.1:5432, 25 ms each way.

use std::future::pending;
use std::time::Duration;

use e2e::proxy::Proxy;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let _proxy = Proxy::start(5433, 5432, Duration::from_millis(25)).await?;
    pending().await
}
