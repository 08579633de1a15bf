//! A headless Chromium, through WebDriver.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::processes::PATIENCE;

pub struct Browser {
    pub client: Client,
    width: u32,
    driver: String,
    _process: Child,
    _profile: TempDir,
}

impl Drop for Browser {
    /// Ends the browser with its driver, which would leave it running if it were killed.
    fn drop(&mut self) {
        if let Ok(mut driver) = TcpStream::connect(&self.driver) {
            let _ = driver.write_all(b"GET /shutdown HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            let _ = driver.read_to_end(&mut Vec::new());
        }
    }
}

impl Browser {
    /// A window of that width, or a phone if it is narrow.
    pub async fn start(width: u32) -> Result<Self> {
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("this test needs a browser: apt-get install chromium chromium-driver")?;
        let mut output = BufReader::new(process.stdout.take().context("no output")?).lines();
        let port = timeout(PATIENCE, async {
            while let Some(line) = output.next_line().await? {
                if let Some((_, port)) = line.split_once("successfully on port ") {
                    return Ok(port.trim_end_matches('.').to_owned());
                }
            }
            anyhow::bail!("chromedriver has ended")
        })
        .await??;

        let driver = format!("127.0.0.1:{port}");
        let profile = TempDir::new()?;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            &format!("--user-data-dir={}", profile.path().display()),
            &format!("--window-size={width},900"),
        ];
        let mut options = json!({ "args": arguments });
        if width < 500 {
            options["mobileEmulation"] = json!({ "deviceMetrics": { "width": width, "height": 844, "pixelRatio": 2 } });
        }
        let capabilities = [("goog:chromeOptions".to_owned(), options)];
        let client = ClientBuilder::<HttpConnector>::new(HttpConnector::new())
            .capabilities(capabilities.into_iter().collect())
            .connect(&format!("http://{driver}"))
            .await?;
        Ok(Self { client, width, driver, _process: process, _profile: profile })
    }

    /// What the page looks like goes into a file, for somebody to look at.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&directory)?;
        Ok(fs::write(directory.join(format!("{name}-{}.png", self.width)), self.client.screenshot().await?)?)
    }

    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.client.execute(script, Vec::new()).await?)
    }

    /// Nothing reaches beyond the window, and nothing was made smaller to fit into it.
    pub async fn fits(&self) -> Result<()> {
        let width = self.run("return document.scrollingElement.scrollWidth").await?;
        let scale = self.run("return visualViewport.width").await?;
        let url = self.client.current_url().await?;
        let is_in = |value: &Value| value.as_f64().is_some_and(|value| value <= f64::from(self.width));
        ensure!(is_in(&width) && is_in(&scale), "{url} is {width} wide, seen {scale}, on {}", self.width);
        Ok(())
    }
}
