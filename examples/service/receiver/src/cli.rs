//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use tracing::level_filters::LevelFilter;

/// Receives what Routee POSTs about Viber messages and keeps it in SQLite or PostgreSQL.
#[derive(Parser)]
#[command(version)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
    #[command(flatten)]
    pub common: Common,
}

#[derive(Args)]
pub struct Common {
    /// `sqlite:FILE` for one receiver, `postgres://…` for one or several
    #[arg(long, global = true, env = "DATABASE_URL", hide_env_values = true, default_value = "sqlite:routee.db")]
    pub database_url: String,
    /// off, error, warn, info or debug (each callback, without numbers and texts)
    #[arg(long, global = true, env = "LOG", value_name = "LEVEL", default_value = "info")]
    pub log: LevelFilter,
    /// How the log is written
    #[arg(long, global = true, env = "LOG_FORMAT", default_value = "text")]
    pub log_format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Subcommand)]
pub enum Command {
    /// Take callbacks at POST /callbacks
    Serve(Serve),
    /// Make the tables, or bring them up to date
    Migrate,
    /// Remove old history, replies, changes, and bodies of other kinds; the status of each message stays
    Purge {
        /// How old, as in `30d`; 40h 3m 30s at the least, because Routee may send a callback again until then
        #[arg(long, value_name = "AGE", value_parser = humantime::parse_duration)]
        older_than: Duration,
    },
}

#[derive(Args)]
pub struct Serve {
    /// Where callbacks are taken; port 0 takes a free one, and the address is printed
    #[arg(long, env = "LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where messages, changes, pages, metrics and health are; keep it private
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub admin_listen: SocketAddr,
    /// Do not make or change tables; `receiver migrate` does that, with more rights
    #[arg(long)]
    pub no_migrate: bool,
    /// Take callbacks from the addresses of Routee's callback host alone
    #[arg(long)]
    pub allow_routee: bool,
    /// Take callbacks from this address alone; may be given more than once
    #[arg(long, value_name = "IP", conflicts_with = "allow_routee")]
    pub allow_from: Vec<IpAddr>,
    /// How many callbacks may wait for their commit; any more are answered 503
    #[arg(long, value_name = "CALLBACKS", default_value_t = 4096)]
    pub queue: usize,
    /// About how much memory they may take
    #[arg(long, value_name = "BYTES", default_value_t = 64 << 20)]
    pub queue_bytes: usize,
    /// How many connections may be open at the public address; any more are answered 503
    #[arg(long, value_name = "CONNECTIONS", default_value_t = 1024)]
    pub connections: usize,
    /// How many pages SQLite's file may have, to try what happens when a disk is full
    #[arg(long, value_name = "PAGES", hide = true)]
    pub max_pages: Option<u32>,
}
