//! A receiver of what Routee POSTs about Viber messages, to run as it is or to start your own from.
//!
//! The path of a callback: `callbacks` takes it, `entry` reads it into rows, `intake` gathers those that wait, `store`
//! commits them in one step, and only then are they answered 200. `isolation` finds the one that the database refuses.

mod admin;
mod cached;
mod callbacks;
mod check;
mod cli;
mod connections;
mod counting;
mod encoding;
mod entry;
mod excerpt;
mod idle;
mod intake;
mod isolation;
mod metrics;
mod proxies;
mod purge;
mod readiness;
mod reconcile;
mod refusals;
mod reports;
mod senders;
mod serve;
mod store;

use std::io::{self, Write as _};

use clap::Parser as _;
use tracing_appender::non_blocking::WorkerGuard;

use crate::cli::{Cli, Command, Common, LogFormat};
use crate::store::open::{backup, open_current};

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let Cli { command, common } = Cli::parse();
    let _log = log(&common);
    match command {
        Command::Serve(options) => serve::serve(&common.database_url, options).await,
        Command::Migrate => {
            open_current(&common.database_url, None, true).await?.close().await;
            Ok(())
        }
        Command::Backup { file } => backup(&common.database_url, &file),
        Command::Check => {
            let store = open_current(&common.database_url, None, false).await?;
            let checked = check::check(&*store, &mut io::stdout().lock()).await;
            store.close().await;
            checked
        }
        Command::Purge(options) => purge::purge_once(&common.database_url, &options).await,
        Command::Report { selection, csv } => {
            let store = open_current(&common.database_url, None, false).await?;
            let report = reports::print(&*store, selection, csv).await;
            store.close().await;
            Ok(io::stdout().write_all(&report?)?)
        }
        Command::Reconcile { selection, api } => reconcile::reconcile(&common.database_url, selection, &api).await,
    }
}

/// Logs to standard error through a thread of its own, so that a log that nobody reads blocks nothing: its lines are
/// dropped.
fn log(options: &Common) -> WorkerGuard {
    let (writer, guard) = tracing_appender::non_blocking(io::stderr());
    let log = tracing_subscriber::fmt()
        .with_max_level(options.log)
        .with_writer(writer)
        .with_ansi(io::IsTerminal::is_terminal(&io::stderr()))
        .log_internal_errors(false);
    match options.log_format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
    guard
}
