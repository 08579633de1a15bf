//! A headless Chromium, through WebDriver.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use crate::processes::{PATIENCE, until};

/// The version of axe-core, whose rules the pages keep.
const AXE: &str = "axe-core@4.14.1";

#[derive(Debug, Clone, Copy)]
pub enum Scheme {
    Light,
    Dark,
}

pub struct Browser {
    pub client: Client,
    width: u32,
    scheme: Scheme,
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
    /// A window of that width, or a phone if it is narrow, whose user likes it light or dark.
    pub async fn start(width: u32, scheme: Scheme) -> Result<Self> {
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
            match scheme {
                Scheme::Dark => "--blink-settings=preferredColorScheme=0",
                Scheme::Light => "--blink-settings=preferredColorScheme=1",
            },
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
        Ok(Self { client, width, scheme, driver, _process: process, _profile: profile })
    }

    /// What the page looks like goes into a file, for somebody to look at.
    pub async fn screenshot(&self, name: &str) -> Result<()> {
        let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("screenshots");
        fs::create_dir_all(&directory)?;
        Ok(fs::write(
            directory.join(format!("{name}-{}-{:?}.png", self.width, self.scheme).to_lowercase()),
            self.client.screenshot().await?,
        )?)
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

    /// Loads a page again until it shows that, since it may be a few seconds old.
    pub async fn goto_until(&self, url: &str, shows: Locator<'_>) -> Result<()> {
        until("the page shows it", async || {
            self.client.goto(url).await?;
            Ok(!self.client.find_all(shows).await?.is_empty())
        })
        .await
    }

    /// By the rules of axe-core, everybody can use the page, and it has the colours of the scheme.
    pub async fn is_accessible(&self) -> Result<()> {
        self.run(axe().await?).await?;
        let script = "const done = arguments[arguments.length - 1];
                      axe.run().then(found => done(found.violations.map(rule => [rule.id, rule.nodes.map(node => node.html)])))";
        let violations = self.client.execute_async(script, Vec::new()).await?;
        let url = self.client.current_url().await?;
        ensure!(violations == json!([]), "{url}, {} wide, {:?}: {violations:#}", self.width, self.scheme);
        let is_dark = self
            .run("return getComputedStyle(document.documentElement).backgroundColor !== 'rgb(255, 255, 255)'")
            .await?;
        ensure!(is_dark == matches!(self.scheme, Scheme::Dark), "{url} is not {:?}", self.scheme);
        Ok(())
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: &str) -> Result<()> {
        Ok(self.client.active_element().await?.send_keys(keys).await?)
    }

    /// Presses Tab until that element has the focus, which must be visible.
    pub async fn tab_to(&self, css: &str) -> Result<()> {
        for _ in 0..100 {
            self.press("\u{e004}").await?;
            let found = self.run(&format!("return document.activeElement.matches({})", json!(css))).await?;
            if found == true {
                let outline = self.run("return getComputedStyle(document.activeElement).outlineStyle").await?;
                ensure!(outline == "solid", "nobody sees that {css} has the focus: {outline}");
                return Ok(());
            }
        }
        anyhow::bail!("no way leads to {css} by the keyboard")
    }
}

/// The source of axe-core.
async fn axe() -> Result<&'static str> {
    static AXE_SOURCE: OnceCell<String> = OnceCell::const_new();
    let fetch = async || {
        let directory = TempDir::new()?;
        let run = async |program, arguments: &[&str]| {
            let status =
                Command::new(program).args(arguments).current_dir(&directory).stdout(Stdio::null()).status().await;
            ensure!(status.context("this test needs npm")?.success(), "{program} cannot get {AXE}");
            Ok(())
        };
        run("npm", &["pack", "--silent", "--prefer-offline", AXE]).await?;
        let archive = fs::read_dir(&directory)?.next().context("no archive")??.path();
        run("tar", &["-xzf", &archive.to_string_lossy(), "package/axe.min.js"]).await?;
        Ok(fs::read_to_string(directory.path().join("package/axe.min.js"))?)
    };
    AXE_SOURCE.get_or_try_init(fetch).await.map(String::as_str)
}
