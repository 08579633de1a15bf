//! The command line.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use clap::{Args, Parser, Subcommand, ValueEnum};
use ipnet::IpNet;
use reqwest::Url;
use routee_viber::LONGEST_RETRY_SPAN;
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
    /// off, error, warn, info or debug (a line for each callback, without phone numbers or texts)
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
    /// Copy the SQLite database to a new file, beside the running receiver; for PostgreSQL, use pg_dump
    Backup {
        /// The copy, which must not be there yet
        file: PathBuf,
    },
    /// Look whether everything in the database fits together, the tallies of the reports included; it reads all of it
    Check,
    /// Remove old history, replies, changes, and bodies of other kinds; the status of each message stays
    ///
    /// It goes from the oldest on, in short steps beside the running receiver, and can be stopped at any time: started
    /// again, it goes on. `receiver serve --keep` does the same by itself.
    Purge(Purge),
    /// Print what became of the messages of a campaign, or of all messages day by day, from the counters of the database
    Report {
        #[command(flatten)]
        selection: Reported,
        /// Print it as CSV for spreadsheets: RFC 4180, UTF-8 with a byte-order mark
        #[arg(long)]
        csv: bool,
    },
    /// Ask Routee what became of messages and failover flows whose callbacks were missed; without an option, of those
    /// that are overdue
    ///
    /// The application's id and secret are taken from the environment: ROUTEE_APPLICATION_ID and
    /// ROUTEE_APPLICATION_SECRET. It ends with an error if something could not be asked for; start it again to go
    /// on.
    Reconcile {
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        api: RouteeApi,
    },
}

#[derive(Args)]
pub struct Purge {
    /// How old, such as `30d`; at least 40h 3m 30s, because Routee may send a callback again until then
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub older_than: Duration,
    /// Also remove messages and flows that last changed so long ago, such as `400d`; they stay counted
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub forget: Option<Duration>,
    /// Then give what SQLite's file does not need any more back to the disk
    #[arg(long)]
    pub vacuum: bool,
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct Reported {
    /// The campaign with that id; `--campaign ''` stands for the messages without one
    #[arg(long, value_name = "ID")]
    pub campaign: Option<String>,
    /// All messages, a row for each day in UTC, from the one that this date is in (2026-11-23 or 2026-11-23T12:00:00Z)
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub since: Option<DateTime<Utc>>,
}

#[derive(Default, Args)]
pub struct Selection {
    /// Ask for every message that last changed here since then (2026-11-23 or 2026-11-23T12:00:00Z) and is not SEEN yet
    #[arg(long, value_name = "DATE", value_parser = date, group = "selected")]
    pub since: Option<DateTime<Utc>>,
    /// Ask for the tracking ids in a file, one per line, of messages and of failover flows
    #[arg(long, value_name = "FILE", group = "selected")]
    pub ids: Option<PathBuf>,
    /// Read the pages of a campaign
    #[arg(long, value_name = "ID", group = "selected")]
    pub campaign: Option<String>,
    /// Search for the failover flows since then, even those of which no callback arrived
    #[arg(long, value_name = "DATE", value_parser = date, group = "selected")]
    pub flows_since: Option<DateTime<Utc>>,
    /// The end of that search [default: now]
    #[arg(long, value_name = "DATE", value_parser = date, requires = "flows_since", conflicts_with_all = ["since", "ids", "campaign"])]
    pub until: Option<DateTime<Utc>>,
}

#[derive(Args)]
pub struct RouteeApi {
    /// Where Routee's tracking APIs are
    #[arg(long, env = "ROUTEE_API_URL", hide_env_values = true, value_name = "URL", default_value = "https://connect.routee.net", value_parser = base_url)]
    pub api_url: Url,
    /// Where Routee issues tokens
    #[arg(long, env = "ROUTEE_AUTH_URL", hide_env_values = true, value_name = "URL", default_value = "https://auth.routee.net", value_parser = base_url)]
    pub auth_url: Url,
    /// Send at most this many requests to Routee per second; Routee documents no limit
    #[arg(long, value_name = "PER_SECOND", default_value = "10", value_parser = rate)]
    pub rate: Interval,
}

/// The time from one request to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval(pub Duration);

/// The longest interval. A longer one would be a mistake, and far above this no clock could add it to the time.
const LONGEST_INTERVAL: Duration = Duration::from_hours(24);

/// The interval between requests if there are that many per second.
fn rate(text: &str) -> Result<Interval, &'static str> {
    let per_second = text.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0);
    let interval = per_second.and_then(|rate| Duration::try_from_secs_f64(rate.recip()).ok());
    let interval = interval.filter(|interval| *interval <= LONGEST_INTERVAL);
    interval.map(Interval).ok_or("not a number above 0, or less than one request a day")
}

/// The longest age. Nothing is as old, and no date is before its beginning.
const LONGEST_AGE: Duration = Duration::from_hours(100 * 365 * 24);

/// An age from which on something may be removed.
fn age(text: &str) -> Result<Duration, String> {
    let age = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if age < LONGEST_RETRY_SPAN {
        let least = humantime::format_duration(LONGEST_RETRY_SPAN);
        return Err(format!("must be at least {least}: until then Routee may send a callback again"));
    }
    if age <= LONGEST_AGE { Ok(age) } else { Err("more than a hundred years".to_owned()) }
}

fn pause(text: &str) -> Result<Duration, String> {
    let pause = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if pause < Duration::from_secs(1) { Err("less than a second".to_owned()) } else { Ok(pause) }
}

fn idle(text: &str) -> Result<Duration, String> {
    let idle = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    let is_possible = (Duration::from_secs(1)..=Duration::from_hours(24)).contains(&idle);
    if is_possible { Ok(idle) } else { Err("not between a second and a day".to_owned()) }
}

fn drain(text: &str) -> Result<Duration, String> {
    let drain = humantime::parse_duration(text).map_err(|error| error.to_string())?;
    if drain <= Duration::from_hours(1) { Ok(drain) } else { Err("more than an hour".to_owned()) }
}

fn network(text: &str) -> Result<IpNet, &'static str> {
    let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
    network.map_err(|_| "not a network such as 10.0.0.0/8, or an address")
}

/// A URL without a user, a password or a query, where a secret could be: errors and `--help` show the URL.
fn base_url(text: &str) -> Result<Url, &'static str> {
    let url: Url = text.parse().map_err(|_| "not a URL")?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || !is_plain || url.query().is_some() || url.fragment().is_some() {
        return Err("not an http or https URL with only a host, a port and a path");
    }
    Ok(url)
}

fn date(text: &str) -> Result<DateTime<Utc>, &'static str> {
    let midnight = |date: NaiveDate| date.and_time(NaiveTime::MIN).and_utc();
    let date = text.parse().or_else(|_| text.parse().map(midnight));
    date.map_err(|_| "not a date such as 2026-11-23 or 2026-11-23T12:00:00Z")
}

#[derive(Args)]
pub struct Serve {
    /// Where callbacks are received; port 0 picks a free one, and the address is printed
    #[arg(long, env = "LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    pub listen: SocketAddr,
    /// Where messages, changes, pages, metrics and health are served; keep it private
    #[arg(long, env = "ADMIN_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8081")]
    pub admin_listen: SocketAddr,
    /// Do not make or change tables; `receiver migrate` does that, with more rights
    #[arg(long)]
    pub no_migrate: bool,
    /// Take callbacks only from the addresses of Routee's callback host
    #[arg(long)]
    pub allow_routee: bool,
    /// Take callbacks only from this address; may be given more than once
    #[arg(long, value_name = "IP", conflicts_with = "allow_routee")]
    pub allow_from: Vec<IpAddr>,
    /// Take the sender's address from the PROXY header or X-Forwarded-For of these proxies, such as `10.0.0.0/8` or
    /// `127.0.0.1`; may be given more than once
    #[arg(long, value_name = "CIDR", value_parser = network)]
    pub trust_proxy: Vec<IpNet>,
    /// How many callbacks may wait for their commit; any more are answered 503
    #[arg(long, value_name = "CALLBACKS", default_value = "4096")]
    pub queue: NonZeroUsize,
    /// About how much memory the waiting callbacks may take; any more are answered 503
    #[arg(long, value_name = "BYTES", default_value = "67108864")]
    pub queue_bytes: NonZeroUsize,
    /// How many connections may be open at the public address; for one more, the longest idle one is closed, or the
    /// new one is answered 503 if none is idle
    #[arg(long, value_name = "CONNECTIONS", default_value = "1024")]
    pub connections: NonZeroUsize,
    /// How long a connection may be idle, such as `90s`; longer than a proxy in front keeps its own
    #[arg(long, value_name = "TIME", default_value = "90s", value_parser = idle)]
    pub idle: Duration,
    /// On SIGTERM, how long to take callbacks while /readyz is 503 already, so that load balancers notice
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = drain)]
    pub drain: Duration,
    /// How often to ask Routee for overdue messages and flows, such as `10m`; see `receiver help reconcile`
    #[arg(long, value_name = "PAUSE", value_parser = pause)]
    pub every: Option<Duration>,
    #[command(flatten)]
    pub api: RouteeApi,
    /// How long to keep deliveries, such as `90d`: what is older is removed at the start and every hour, as `receiver purge`
    /// does it
    #[arg(long, value_name = "AGE", value_parser = age)]
    pub keep: Option<Duration>,
    /// How long to keep messages and flows after their last change, such as `400d`; at least as long as deliveries. They
    /// stay counted
    #[arg(long, value_name = "AGE", value_parser = age, requires = "keep")]
    pub forget: Option<Duration>,
    /// How many pages SQLite's file may have, to try what happens when a disk is full
    #[arg(long, value_name = "PAGES", hide = true)]
    pub max_pages: Option<u32>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn a_rate_becomes_an_interval() {
        assert_eq!(rate("10"), Ok(Interval(Duration::from_millis(100))));
        assert_eq!(rate("0.5"), Ok(Interval(Duration::from_secs(2))));
        for text in ["0", "-1", "NaN", "inf", "1e-300", "", "ten"] {
            assert_eq!(rate(text), Err("not a number above 0, or less than one request a day"), "{text}");
        }
    }

    #[test]
    fn nothing_is_old_before_the_last_retry() {
        assert_eq!(age("40h 3m 30s"), Ok(LONGEST_RETRY_SPAN));
        assert_eq!(age("90d"), Ok(Duration::from_hours(90 * 24)));
        assert_eq!(
            age("40h 3m 29s"),
            Err("must be at least 1day 16h 3m 30s: until then Routee may send a callback again".to_owned())
        );
        assert_eq!(age("36500d"), Ok(LONGEST_AGE));
        assert_eq!(age("36500d 1s"), Err("more than a hundred years".to_owned()));
    }

    #[test]
    fn a_pause_is_a_second_at_least() {
        assert_eq!(pause("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(pause("999ms"), Err("less than a second".to_owned()));
    }

    #[test]
    fn a_queue_has_room_for_one_at_least() {
        for option in ["--queue", "--queue-bytes", "--connections"] {
            assert!(Cli::try_parse_from(["receiver", "serve", option, "1"]).is_ok(), "{option}");
            let error = Cli::try_parse_from(["receiver", "serve", option, "0"]).map(drop).unwrap_err().to_string();
            assert!(error.contains(option) && error.contains("number would be zero"), "{error}");
        }
    }

    #[test]
    fn an_idle_connection_may_last_from_a_second_to_a_day() {
        assert_eq!(idle("1s"), Ok(Duration::from_secs(1)));
        assert_eq!(idle("24h"), Ok(Duration::from_hours(24)));
        for text in ["999ms", "24h 1ms"] {
            assert_eq!(idle(text), Err("not between a second and a day".to_owned()), "{text}");
        }
    }

    #[test]
    fn a_receiver_drains_for_an_hour_at_most() {
        assert_eq!(drain("0s"), Ok(Duration::ZERO));
        assert_eq!(drain("1h"), Ok(Duration::from_hours(1)));
        assert_eq!(drain("1h 1ms"), Err("more than an hour".to_owned()));
    }

    #[test]
    fn a_network_may_be_an_address() {
        assert_eq!(network("10.1.0.0/16").unwrap().to_string(), "10.1.0.0/16");
        assert_eq!(network("127.0.0.1").unwrap().to_string(), "127.0.0.1/32");
        assert_eq!(network("::1").unwrap().to_string(), "::1/128");
        for text in ["10.0.0.0/33", "10.0.0/8", "", "proxy.example.com"] {
            assert_eq!(network(text), Err("not a network such as 10.0.0.0/8, or an address"), "{text}");
        }
    }

    #[test]
    fn a_date_may_have_no_time() {
        assert_eq!(date("2026-11-23").unwrap().to_rfc3339(), "2026-11-23T00:00:00+00:00");
        assert_eq!(date("2026-11-23T02:00:00+02:00").unwrap().to_rfc3339(), "2026-11-23T00:00:00+00:00");
        assert_eq!(date("yesterday"), Err("not a date such as 2026-11-23 or 2026-11-23T12:00:00Z"));
    }

    #[test]
    fn a_base_url_has_no_secret() {
        for text in ["http://127.0.0.1:8080", "https://example.com/below/"] {
            assert!(base_url(text).is_ok(), "{text}");
        }
        assert_eq!(base_url("example.com"), Err("not a URL"));
        for text in ["ftp://a", "http://user@a", "http://:word@a", "http://a?b", "http://a#b"] {
            assert_eq!(base_url(text), Err("not an http or https URL with only a host, a port and a path"), "{text}");
        }
    }

    #[test]
    fn one_run_asks_for_one_thing() {
        let of = |arguments: &[&str]| {
            Cli::try_parse_from([&["receiver", "reconcile"], arguments].concat())
                .map(drop)
                .map_err(|error| error.kind())
        };
        assert_eq!(of(&[]), Ok(()));
        assert_eq!(of(&["--campaign", "c"]), Ok(()));
        assert_eq!(of(&["--campaign", "c", "--ids", "f"]), Err(clap::error::ErrorKind::ArgumentConflict));
        assert_eq!(of(&["--flows-since", "2026-11-23", "--until", "2026-11-24"]), Ok(()));
        assert_eq!(of(&["--flows-since", "2026-11-23", "--ids", "f"]), Err(clap::error::ErrorKind::ArgumentConflict));
        assert_eq!(of(&["--until", "2026-11-24"]), Err(clap::error::ErrorKind::MissingRequiredArgument));
        for other in [["--since", "2026-11-23"], ["--ids", "f"], ["--campaign", "c"]] {
            let both = [&other[..], &["--until", "2026-11-24"]].concat();
            assert_eq!(of(&both), Err(clap::error::ErrorKind::ArgumentConflict));
        }
        Cli::command().debug_assert();
    }

    #[test]
    fn one_report_is_of_one_thing() {
        let of = |arguments: &[&str]| {
            Cli::try_parse_from([&["receiver", "report"], arguments].concat()).map(drop).map_err(|error| error.kind())
        };
        for arguments in [&["--campaign", "c"][..], &["--campaign", ""], &["--since", "2026-11-23", "--csv"]] {
            assert_eq!(of(arguments), Ok(()));
        }
        assert_eq!(of(&["--csv"]), Err(clap::error::ErrorKind::MissingRequiredArgument));
        let both = ["--campaign", "c", "--since", "2026-11-23"];
        assert_eq!(of(&both), Err(clap::error::ErrorKind::ArgumentConflict));
    }

    #[test]
    fn help_shows_no_value_of_a_url() {
        let command = Cli::command();
        for subcommand in ["serve", "reconcile"] {
            let subcommand = command.find_subcommand(subcommand).unwrap();
            for argument in ["api_url", "auth_url"] {
                let argument = subcommand.get_arguments().find(|found| found.get_id() == argument).unwrap();
                assert!(argument.is_hide_env_values_set(), "{argument}");
            }
        }
    }
}
