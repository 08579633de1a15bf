//! A slow network: a TCP proxy that delivers everything later, and nothing while it is frozen.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, spawn};
use tokio::time::{Instant, sleep_until};

pub struct Proxy {
    pub port: u16,
    is_frozen: Arc<watch::Sender<bool>>,
}

impl Proxy {
    /// Passes connections to one port on to another, each way with that delay. Port 0 becomes any that is free.
    ///
    /// # Errors
    ///
    /// If it cannot listen there.
    pub async fn start(from: u16, to: u16, delay: Duration) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", from)).await?;
        let port = listener.local_addr()?.port();
        let is_frozen = Arc::new(watch::Sender::new(false));
        let frozen = is_frozen.clone();
        spawn(async move {
            let mut passing = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(("127.0.0.1", to)).await else { continue };
                let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
                passing.spawn(pass(from_client, to_server, delay, frozen.subscribe()));
                passing.spawn(pass(from_server, to_client, delay, frozen.subscribe()));
            }
        });
        Ok(Self { port, is_frozen })
    }

    pub fn freeze(&self) {
        self.is_frozen.send_replace(true);
    }

    pub fn thaw(&self) {
        self.is_frozen.send_replace(false);
    }
}

/// Reads on while what was read waits, as a long line does.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    delay: Duration,
    mut is_frozen: watch::Receiver<bool>,
) -> Result<()> {
    let (line, mut end) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let writing = async {
        while let Some((at, bytes)) = end.recv().await {
            sleep_until(at).await;
            is_frozen.wait_for(|is_frozen| !is_frozen).await?;
            to.write_all(&bytes).await?;
        }
        Ok(to.shutdown().await?)
    };
    let reading = async {
        let mut bytes = vec![0; 65536];
        loop {
            match from.read(&mut bytes).await {
                Ok(0) | Err(_) => break,
                Ok(length) => drop(line.send((Instant::now() + delay, bytes[..length].to_vec()))),
            }
        }
        drop(line);
        Ok(())
    };
    tokio::try_join!(writing, reading).map(drop)
}
