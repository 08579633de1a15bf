//! Several PostgreSQL servers in one URL.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Result, ensure};
use e2e::proxy::Proxy;

use crate::database::Database;
use crate::operations::run;
use crate::postgres::{Postgres, free_port};
use crate::processes::{Receiver, until};
use crate::setup::Directory;

const BODY: &str = r#"{"trackingId":"m","status":"SEEN"}"#;

fn servers(ports: [u16; 2]) -> Database {
    Database::Postgres(format!("postgres://routee:secret@127.0.0.1:{},127.0.0.1:{}/postgres", ports[0], ports[1]))
}

#[tokio::test]
async fn a_server_that_refuses_is_passed_over() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let refusing = free_port()?;
    let receiver = Receiver::start(&directory, &servers([refusing, postgres.port]), &[]).await?;
    ensure!(receiver.post(BODY).await? == 200);
    let now = format!(
        "PostgreSQL is at 127.0.0.1:{} now: 127.0.0.1:{refusing}: Connection refused (os error 111)\n",
        postgres.port
    );
    until("the log says so", async || Ok(receiver.log().contains(&now))).await?;
    ensure!(!receiver.log().contains("secret"), "{}", receiver.log());
    receiver.terminate().await
}

#[tokio::test]
async fn a_server_that_is_silent_at_the_start_costs_no_callback() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    // The kernel accepts, and nobody ever answers.
    let silent = TcpListener::bind("127.0.0.1:0")?;
    let silent_port = silent.local_addr()?.port();
    let receiver = Receiver::start(&directory, &servers([silent_port, postgres.port]), &[]).await?;
    for _ in 0..3 {
        ensure!(receiver.post(BODY).await? == 200);
    }
    let now = format!(
        "PostgreSQL is at 127.0.0.1:{} now: 127.0.0.1:{silent_port}: waited 500 ms for a login\n",
        postgres.port
    );
    until("the log says so", async || Ok(receiver.log().contains(&now))).await?;
    ensure!(receiver.log().matches("waited").count() == 1, "{}", receiver.log());
    receiver.terminate().await
}

#[tokio::test]
async fn a_server_that_falls_silent_costs_one_batch() -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let proxy = Proxy::start(0, postgres.port, Duration::ZERO).await?;
    let receiver = Receiver::start(&directory, &servers([proxy.port, postgres.port]), &[]).await?;
    ensure!(receiver.post(BODY).await? == 200);
    proxy.freeze();
    ensure!(receiver.post(BODY).await? == 503);
    for _ in 0..3 {
        ensure!(receiver.post(BODY).await? == 200);
    }
    let refused = format!("callbacks are refused: 127.0.0.1:{}: waited 1200 ms for a commit\n", proxy.port);
    let now = format!(
        "PostgreSQL is at 127.0.0.1:{} now: 127.0.0.1:{}: waited 500 ms for a login\n",
        postgres.port, proxy.port
    );
    let has_both = async || Ok(receiver.log().contains(&refused) && receiver.log().contains(&now));
    until("the log says so", has_both).await?;
    ensure!(receiver.refused().await? == 1);
    receiver.terminate().await
}

#[tokio::test]
async fn a_promoted_standby_takes_over() -> Result<()> {
    let directory = Directory::new().await?;
    let primary = Postgres::start(&directory).await?;
    let standby = primary.standby(&directory).await?;

    let Database::Postgres(alone) = &standby.database else { unreachable!() };
    let alone = Database::Postgres(format!("{alone}?target_session_attrs=read-write"));
    let refused = run(&alone, &["migrate"]).await?;
    let said = String::from_utf8_lossy(&refused.stderr);
    ensure!(said.contains(&format!("127.0.0.1:{}: it is read-only\n", standby.port)), "{said}");

    let receiver = Receiver::start(&directory, &servers([standby.port, primary.port]), &[]).await?;
    ensure!(receiver.post(BODY).await? == 200);
    let now = format!("PostgreSQL is at 127.0.0.1:{} now: 127.0.0.1:{}: it is read-only\n", primary.port, standby.port);
    until("the log says so", async || Ok(receiver.log().contains(&now))).await?;
    let is_there = async || {
        let tables = standby.database.number("SELECT count(*) FROM pg_tables WHERE tablename = 'message'").await?;
        Ok(tables == 1 && standby.database.count().await? == 1)
    };
    until("the standby has it", is_there).await?;

    primary.stop().await?;
    ensure!(receiver.post(r#"{"trackingId":"n","status":"SEEN"}"#).await? == 503);
    standby.promote().await?;
    until("the standby takes it", async || Ok(receiver.post(r#"{"trackingId":"n","status":"SEEN"}"#).await? == 200))
        .await?;
    ensure!(standby.database.count().await? == 2);
    receiver.terminate().await
}
