//! A supervisor that is to know when the receiver serves, as systemd does with `Type=notify`.

use std::fs::File;
use std::net::TcpListener;
use std::process::Stdio;

use anyhow::{Result, ensure};
use reqwest::Client;
use tempfile::TempDir;
use tokio::net::UnixDatagram;
use tokio::process::Command;
use tokio::time::timeout;

use crate::database::Database;
use crate::processes::{PATIENCE, binary, signal};

async fn told(socket: &UnixDatagram) -> Result<String> {
    let mut message = [0; 100];
    let length = timeout(PATIENCE, socket.recv(&mut message)).await??;
    Ok(String::from_utf8_lossy(&message[..length]).into_owned())
}

#[tokio::test]
async fn a_supervisor_is_told_when_the_receiver_serves_and_when_it_stops() -> Result<()> {
    let directory = TempDir::new()?;
    let path = directory.path().join("notify");
    let socket = UnixDatagram::bind(&path)?;
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let mut receiver = Command::new(binary("receiver").await?)
        .args(["serve", &format!("--listen={address}"), "--admin-listen=127.0.0.1:0", "--log=warn"])
        .args(["--database-url", &Database::sqlite(&directory).url()])
        .env("NOTIFY_SOCKET", &path)
        .stdout(Stdio::null())
        .stderr(File::create(directory.path().join("receiver.log"))?)
        .kill_on_drop(true)
        .spawn()?;
    ensure!(told(&socket).await? == "READY=1\n");
    // At once, since whoever waited for it may send now.
    let answer = Client::new().post(format!("http://{address}/callbacks")).body("{}").send().await?;
    ensure!(answer.status() == 200);
    signal(&receiver, "-TERM").await?;
    ensure!(told(&socket).await? == "STOPPING=1\n");
    ensure!(timeout(PATIENCE, receiver.wait()).await??.success());
    Ok(())
}
