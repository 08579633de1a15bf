//! The receiver and the sender as processes, and waiting for them.

use std::env;
use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard, OnceCell};
use tokio::time::{sleep, timeout};

use crate::sent::Sent;

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_mins(2);

/// Tests that measure time do not run beside each other.
pub async fn one_at_a_time() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::const_new(());
    TURN.lock().await
}

/// Asks again and again until it is so.
pub async fn until(what: &str, mut is_so: impl AsyncFnMut() -> Result<bool>) -> Result<()> {
    let begin = Instant::now();
    while !is_so().await? {
        ensure!(begin.elapsed() < PATIENCE, "waited in vain until {what}");
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Builds the binaries once and says where this one is. Cargo tells the path of a binary only to the
/// tests of its own package.
async fn binary(name: &str) -> Result<PathBuf> {
    static PROFILE: OnceCell<PathBuf> = OnceCell::const_new();
    let build = async || {
        let test = env::current_exe()?;
        let directory = test.ancestors().nth(2).context("no target directory")?;
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--workspace", "--bins"]);
        if directory.file_name() == Some(OsStr::new("release")) {
            cargo.arg("--release");
        }
        let target = directory.parent().context("no target directory")?;
        let cargo = cargo.arg("--target-dir").arg(target).current_dir(env!("CARGO_MANIFEST_DIR"));
        ensure!(cargo.status().await?.success(), "the binaries cannot be built");
        Ok(directory.to_owned())
    };
    Ok(PROFILE.get_or_try_init(build).await?.join(name))
}

pub struct Receiver {
    pub url: String,
    process: Child,
    directory: PathBuf,
    database: String,
}

impl Receiver {
    pub async fn start(directory: &TempDir, database: &str, arguments: &[&str]) -> Result<Self> {
        Self::start_at("127.0.0.1:0", directory.path(), database, arguments).await
    }

    async fn start_at(address: &str, directory: &Path, database: &str, arguments: &[&str]) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(directory.join("receiver.log"))?;
        let mut process = Command::new(binary("receiver").await?)
            .args(["--listen", address, "--database-url", database, "--log", "error"])
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("no output")?);
        let mut line = String::new();
        timeout(PATIENCE, output.read_line(&mut line)).await??;
        let url = line.trim().strip_prefix("listening on ");
        Ok(Self {
            url: url.with_context(|| log_of(directory))?.to_owned(),
            process,
            directory: directory.to_owned(),
            database: database.to_owned(),
        })
    }

    /// Ends it with SIGKILL and starts it at the same port, with the same database.
    pub async fn kill_and_restart(mut self) -> Result<Self> {
        self.process.kill().await?;
        let address = self.url.trim_start_matches("http://");
        Self::start_at(address, &self.directory, &self.database, &[]).await
    }

    /// Ends it with SIGTERM, which is to be a success.
    pub async fn terminate(mut self) -> Result<()> {
        let id = self.process.id().context("it has ended")?.to_string();
        Command::new("kill").args(["-TERM", &id]).status().await?;
        let status = timeout(PATIENCE, self.process.wait()).await??;
        ensure!(status.success(), "{status}: {}", log_of(&self.directory));
        Ok(())
    }

    pub async fn get(&self, path: &str) -> Result<String> {
        let answer = reqwest::get(format!("{}{path}", self.url)).await?;
        Ok(answer.error_for_status()?.text().await?)
    }

    pub async fn post(&self, body: &str) -> Result<u16> {
        let request = reqwest::Client::new().post(format!("{}/callbacks", self.url));
        Ok(request.body(body.to_owned()).send().await?.status().as_u16())
    }

    /// How many callbacks it refused because it could not store them.
    pub async fn refused(&self) -> Result<u64> {
        self.counter("code=\"503\"").await
    }

    /// The counter with that label; 0 where there is none yet.
    pub async fn counter(&self, label: &str) -> Result<u64> {
        let url = format!("{}/metrics", self.url);
        let metrics = reqwest::get(url).await?.error_for_status()?.text().await?;
        let line = metrics.lines().find(|line| line.contains(label));
        let value = line.and_then(|line| line.split(' ').next_back());
        Ok(value.map_or(Ok(0), str::parse)?)
    }
}

fn log_of(directory: &Path) -> String {
    std::fs::read_to_string(directory.join("receiver.log")).unwrap_or_default()
}

pub struct Sender {
    process: Child,
    record: PathBuf,
    output: PathBuf,
}

impl Sender {
    pub async fn start(directory: &TempDir, urls: &[&str], arguments: &[&str]) -> Result<Self> {
        let record = directory.path().join("record.jsonl");
        let output = directory.path().join("sender.log");
        let urls = urls.iter().map(|url| format!("--url={url}/callbacks"));
        let process = Command::new(binary("sender").await?)
            .args(urls)
            .args(arguments)
            .arg("--record")
            .arg(&record)
            .stdout(File::create(&output)?)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { process, record, output })
    }

    pub fn is_finished(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_some())
    }

    /// What it sent, once it is through; it is to have given up nothing.
    pub async fn finish(self) -> Result<Sent> {
        let (sent, has_given_up) = self.finish_or_give_up().await?;
        ensure!(!has_given_up, "callbacks were given up");
        Ok(sent)
    }

    /// What it sent, and whether it gave up something.
    pub async fn finish_or_give_up(mut self) -> Result<(Sent, bool)> {
        let status = timeout(PATIENCE, self.process.wait()).await??;
        println!("{}", std::fs::read_to_string(&self.output)?);
        Ok((Sent::read(&self.record)?, !status.success()))
    }
}
