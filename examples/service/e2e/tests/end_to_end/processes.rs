//! The receiver and the sender as processes, and waiting for them.

use std::env;
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use reqwest::{Body, Client, Response};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::OnceCell;
use tokio::time::{sleep, timeout};

use crate::database::Database;
use crate::sent::Sent;

/// The longest that anything here is waited for.
pub const PATIENCE: Duration = Duration::from_mins(2);

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
pub async fn binary(name: &str) -> Result<PathBuf> {
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

pub async fn signal(process: &Child, signal: &str) -> Result<()> {
    let id = process.id().context("it has ended")?.to_string();
    ensure!(Command::new("kill").args([signal, &id]).status().await?.success(), "cannot send {signal}");
    Ok(())
}

pub struct Receiver {
    /// Where callbacks are taken.
    pub url: String,
    /// Where the pages, the metrics and the changes are.
    pub admin: String,
    pub process: Child,
    pub client: Client,
    directory: PathBuf,
    database: Database,
}

impl Receiver {
    pub async fn start(directory: &TempDir, database: &Database, arguments: &[&str]) -> Result<Self> {
        Self::start_at(["127.0.0.1:0"; 2], directory.path(), database, arguments).await
    }

    async fn start_at(
        [address, admin]: [&str; 2],
        directory: &Path,
        database: &Database,
        arguments: &[&str],
    ) -> Result<Self> {
        let log = OpenOptions::new().create(true).append(true).open(directory.join("receiver.log"))?;
        let mut command = Command::new(binary("receiver").await?);
        command.args(["serve", "--listen", address, "--admin-listen", admin, "--log", "warn"]);
        command.args(arguments).stderr(log);
        Self::spawn(command, directory, database).await
    }

    /// Starts what the command says and waits until it listens.
    pub async fn spawn(mut command: Command, directory: &Path, database: &Database) -> Result<Self> {
        let url = database.url();
        if !command.as_std().get_args().any(|argument| argument.to_string_lossy().starts_with("--drain")) {
            // No balancer has to notice that it ends.
            command.arg("--drain=0s");
        }
        command.args(["--database-url", &url]).envs([("ADMIN_LISTEN", "127.0.0.1:0"), ("RUST_BACKTRACE", "0")]);
        let mut process = command.stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
        let mut output = BufReader::new(process.stdout.take().context("no output")?);
        let mut said = String::new();
        timeout(PATIENCE, output.read_line(&mut said)).await??;
        timeout(PATIENCE, output.read_line(&mut said)).await??;
        let mut lines = said.lines();
        let url = lines.next().and_then(|line| line.strip_prefix("listening on "));
        let admin = lines.next().and_then(|line| line.strip_prefix("admin on "));
        let urls = url.zip(admin).with_context(|| format!("{said}{}", log_of(directory)));
        let (url, admin) = urls.map(|(url, admin)| (url.to_owned(), admin.to_owned()))?;
        // A connection that is kept would count among those that the receiver has.
        let client = Client::builder().pool_max_idle_per_host(0).build()?;
        Ok(Self { url, admin, process, client, directory: directory.to_owned(), database: database.clone() })
    }

    /// Ends it with SIGKILL and starts it at the same ports, with the same database.
    pub async fn kill_and_restart(mut self) -> Result<Self> {
        self.process.kill().await?;
        let addresses = [&self.url, &self.admin].map(|url| url.trim_start_matches("http://"));
        Self::start_at(addresses, &self.directory, &self.database, &[]).await
    }

    /// Ends it with SIGTERM and starts it at the same ports, with the same database.
    pub async fn restart(self, arguments: &[&str]) -> Result<Self> {
        let (url, admin) = (self.url.clone(), self.admin.clone());
        let (directory, database) = (self.directory.clone(), self.database.clone());
        self.terminate().await?;
        let addresses = [&url, &admin].map(|url| url.trim_start_matches("http://"));
        Self::start_at(addresses, &directory, &database, arguments).await
    }

    /// Ends it with SIGTERM, which is to be a success.
    pub async fn terminate(mut self) -> Result<()> {
        signal(&self.process, "-TERM").await?;
        let status = timeout(PATIENCE, self.process.wait()).await??;
        ensure!(status.success(), "{status}: {}", log_of(&self.directory));
        Ok(())
    }

    /// The answer to a GET of the listener that is not public.
    pub async fn ask(&self, path: &str) -> Result<Response> {
        Ok(self.client.get(format!("{}{path}", self.admin)).send().await?)
    }

    pub async fn get(&self, path: &str) -> Result<String> {
        Ok(self.ask(path).await?.error_for_status()?.text().await?)
    }

    pub async fn post(&self, body: impl Into<Body>) -> Result<u16> {
        let request = self.client.post(format!("{}/callbacks", self.url));
        Ok(request.body(body).send().await?.status().as_u16())
    }

    /// How many callbacks it refused because it could not store them.
    pub async fn refused(&self) -> Result<u64> {
        self.metric("routee_answers_total{code=\"503\"}").await
    }

    /// How many callbacks it answered 200.
    pub async fn answered(&self) -> Result<u64> {
        self.metric("routee_answers_total{code=\"200\"}").await
    }

    /// The sum of the metrics whose names and labels begin so.
    pub async fn metric(&self, prefix: &str) -> Result<u64> {
        let metrics = self.get("/metrics").await?;
        let lines = metrics.lines().filter(|line| line.starts_with(prefix));
        let values = lines.map(|line| line.split(' ').nth(1).context("no value")?.parse::<u64>().map_err(Into::into));
        values.sum()
    }

    pub fn log(&self) -> String {
        log_of(&self.directory)
    }
}

fn log_of(directory: &Path) -> String {
    fs::read_to_string(directory.join("receiver.log")).unwrap_or_default()
}

pub struct Sender {
    process: Child,
    record: PathBuf,
    output: PathBuf,
}

/// An answer of the sender's API.
pub struct Call {
    pub code: u64,
    pub is_slow: bool,
}

impl Sender {
    /// Starts it with these arguments and the receivers' URLs. One directory can hold several, by their names.
    pub async fn start(directory: &TempDir, name: &str, urls: &[&str], arguments: &[&str]) -> Result<Self> {
        let record = directory.path().join(name).with_extension("jsonl");
        let output = directory.path().join(name).with_extension("log");
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

    /// Where it plays Routee's API, and the campaign that all messages belong to.
    pub async fn api(&self) -> Result<(String, String)> {
        until("the sender says where its API is", async || Ok(self.said()?.contains("\ncampaign "))).await?;
        let said = self.said()?;
        let after = |prefix| said.lines().find_map(|line| line.strip_prefix(prefix)).map(ToOwned::to_owned);
        after("API on ").zip(after("campaign ")).context("no API")
    }

    /// What it sent and lost, once it is through, while it goes on playing the API.
    pub async fn posted(&self) -> Result<Sent> {
        until("the sender is through", async || Ok(self.said()?.contains("\nlatencies"))).await?;
        println!("{}", self.said()?);
        Sent::read(&self.record)
    }

    /// Ends it with SIGTERM, which is to be a success.
    pub async fn stop(self) -> Result<()> {
        signal(&self.process, "-TERM").await?;
        self.finish().await.map(drop)
    }

    /// The answers of its API.
    pub fn calls(&self) -> Result<Vec<Call>> {
        let record = fs::read_to_string(&self.record)?;
        // The last line may be under way.
        let lines = record.split_inclusive('\n').filter(|line| line.ends_with('\n') && line.contains("\"call\":"));
        lines
            .map(|line| {
                let call: Value = serde_json::from_str(line)?;
                let (code, is_slow) = call["code"].as_u64().zip(call["slow"].as_bool()).context("no code")?;
                Ok(Call { code, is_slow })
            })
            .collect()
    }

    fn said(&self) -> Result<String> {
        Ok(fs::read_to_string(&self.output)?)
    }

    pub fn is_finished(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_some())
    }

    /// What it sent, once it is through; it is to have given up nothing.
    pub async fn finish(self) -> Result<Sent> {
        Ok(self.finish_and_say().await?.0)
    }

    /// What it sent, and whether it gave up something.
    pub async fn finish_or_give_up(self) -> Result<(Sent, bool)> {
        let (sent, _, status) = self.end().await?;
        Ok((sent, !status.success()))
    }

    /// What it sent and what it said of that.
    pub async fn finish_and_say(self) -> Result<(Sent, String)> {
        let (sent, output, status) = self.end().await?;
        ensure!(status.success(), "callbacks were given up");
        Ok((sent, output))
    }

    async fn end(mut self) -> Result<(Sent, String, ExitStatus)> {
        let status = timeout(PATIENCE, self.process.wait()).await??;
        let output = fs::read_to_string(&self.output)?;
        println!("{output}");
        Ok((Sent::read(&self.record)?, output, status))
    }
}
