//! A PostgreSQL of the test's own.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;
use tokio::task::spawn_blocking;

use crate::database::Database;

pub struct Postgres {
    pub database: Database,
    pub port: u16,
    server: Server,
}

#[derive(Clone)]
struct Server {
    binaries: PathBuf,
    data: PathBuf,
    port: u16,
}

impl Postgres {
    pub async fn start(directory: &TempDir) -> Result<Self> {
        give_to_postgres(directory.path())?;
        let postgres = Self::new(directory, "postgres")?;
        postgres.run("initdb", &["--username=routee", "--auth=trust", "--no-sync"]).await?;
        postgres.start_again().await?;
        Ok(postgres)
    }

    /// A standby of this one, in the same directory.
    pub async fn standby(&self, directory: &TempDir) -> Result<Self> {
        let standby = Self::new(directory, "standby")?;
        let port = format!("--port={}", self.port);
        let arguments = ["--host=127.0.0.1", &port, "--username=routee", "--checkpoint=fast", "--write-recovery-conf"];
        standby.run("pg_basebackup", &arguments).await?;
        standby.start_again().await?;
        Ok(standby)
    }

    fn new(directory: &TempDir, name: &str) -> Result<Self> {
        let server = Server { binaries: binaries()?, data: directory.path().join(name), port: free_port()? };
        Ok(Self { database: database("postgres", server.port), port: server.port, server })
    }

    async fn run(&self, program: &'static str, arguments: &[&str]) -> Result<()> {
        let (server, arguments) = (self.server.clone(), arguments.iter().map(ToString::to_string).collect::<Vec<_>>());
        spawn_blocking(move || {
            let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
            server.run(program, &arguments)
        })
        .await?
    }

    /// Makes a standby take writes.
    pub async fn promote(&self) -> Result<()> {
        self.run("pg_ctl", &["promote", "--wait"]).await
    }

    /// Lets clients in by these lines of `pg_hba.conf`.
    pub async fn let_in(&self, lines: &str) -> Result<()> {
        fs::write(self.server.data.join("pg_hba.conf"), lines)?;
        self.run("pg_ctl", &["reload"]).await
    }

    pub async fn start_again(&self) -> Result<()> {
        let server = self.server.clone();
        spawn_blocking(move || {
            // No test crashes the machine, and a busy disk would make receivers wait for each other's locks too long.
            let port = server.port;
            let options = format!("-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories='' -c fsync=off");
            server.run("pg_ctl", &["start", "--wait", "--log=/dev/null", "--options", &options])
        })
        .await?
    }

    /// Stops it as a crash would.
    pub async fn stop(&self) -> Result<()> {
        let server = self.server.clone();
        spawn_blocking(move || server.stop()).await?
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = self.server.stop();
    }
}

impl Server {
    fn stop(&self) -> Result<()> {
        self.run("pg_ctl", &["stop", "--wait", "--mode=immediate"])
    }

    /// Runs one of its programs, as another user if this is root, since PostgreSQL refuses root.
    fn run(&self, program: &str, arguments: &[&str]) -> Result<()> {
        let program = self.binaries.join(program);
        let mut command = as_postgres(&program);
        // Into a file and not a pipe: the server would keep a pipe open.
        let log = fs::File::options().create(true).append(true).open(self.data.with_extension("log"))?;
        let status = command
            .arg("--pgdata")
            .arg(&self.data)
            .args(arguments)
            .current_dir("/")
            .stdout(log.try_clone()?)
            .stderr(log)
            .status()?;
        let said = || fs::read_to_string(self.data.with_extension("log")).unwrap_or_default();
        ensure!(status.success(), "{}: {status}: {}", program.display(), said());
        Ok(())
    }
}

/// A database of a server, by a port that leads to it.
pub fn database(name: &str, port: u16) -> Database {
    Database::Postgres(format!("postgres://routee@127.0.0.1:{port}/{name}"))
}

/// Where Debian keeps the newest PostgreSQL's own programs, which are not on the path.
fn binaries() -> Result<PathBuf> {
    let version = |path: &Path| path.file_name()?.to_str()?.parse::<u32>().ok();
    fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()))
        .max_by_key(|path| version(path))
        .map(|path| path.join("bin"))
        .context("this test needs PostgreSQL: apt-get install postgresql")
}

/// A port that nobody uses yet.
pub fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A command for a program that refuses root, as a user that it takes.
pub fn as_postgres(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

/// Gives a file or a directory to the user that [`as_postgres`] runs programs as.
pub fn give_to_postgres(path: &Path) -> Result<()> {
    if is_root() {
        let chown = Command::new("chown").arg("postgres").arg(path).status()?;
        ensure!(chown.success(), "there is no user `postgres`");
    }
    Ok(())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
