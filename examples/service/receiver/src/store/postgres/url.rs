//! What the URL of a database says. tokio-postgres reads it, except for what is about certificates, which it does not know.
//!
//! Options mean what they mean to psql. Whatever would be ignored is an error.

use std::fmt::{self, Display};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use percent_encoding::percent_decode_str;
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

use crate::store::postgres::error::Chain;
use crate::store::postgres::tls::{Certificates, Check};

/// What tokio-postgres reads, and the receiver heeds.
const OPTIONS: [&str; 11] = [
    "application_name",
    "channel_binding",
    "connect_timeout",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "target_session_attrs",
    "user",
];

/// What this module reads.
const TLS_OPTIONS: [&str; 4] = ["sslmode", "sslrootcert", "sslcert", "sslkey"];

#[derive(Debug)]
pub struct Target {
    pub config: Config,
    pub has_password: bool,
    /// Without TLS, there are none.
    pub certificates: Option<Certificates>,
    pub servers: Vec<Server>,
}

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    pub host: Host,
    /// In place of what the name of the host resolves to.
    pub address: Option<IpAddr>,
    pub port: u16,
}

impl Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Tcp(name) if name.contains(':') => write!(f, "[{name}]:{}", self.port),
            Host::Tcp(name) => write!(f, "{name}:{}", self.port),
            Host::Unix(directory) => write!(f, "{}", socket(directory, self.port).display()),
        }
    }
}

/// The socket of a server in a directory.
pub fn socket(directory: &Path, port: u16) -> PathBuf {
    directory.join(format!(".s.PGSQL.{port}"))
}

impl Target {
    /// Reads a URL. The password is taken if the URL has none.
    pub fn read(url: &str, password: Option<String>) -> anyhow::Result<Self> {
        let host = url.rfind('@').unwrap_or_default();
        let (base, query) = url.split_at(url[host..].find('?').map_or(url.len(), |query| host + query));
        ensure!(
            base.matches('@').count() <= 1,
            "the database URL has more than one @: write %40 in a name or a password"
        );

        let mut check = None;
        let mut certificates = Certificates::default();
        let mut others = Vec::new();
        for option in query.trim_start_matches('?').split('&').filter(|option| !option.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let value = percent_decode_str(value).decode_utf8().with_context(|| format!("{name} is not UTF-8"))?;
            match name {
                "sslmode" => check = check_of(&value)?,
                "sslrootcert" if value == "system" => certificates.roots = None,
                "sslrootcert" => certificates.roots = Some(PathBuf::from(&*value)),
                "sslcert" => certificates.own = Some(PathBuf::from(&*value)),
                "sslkey" => certificates.key = Some(PathBuf::from(&*value)),
                "target_session_attrs" if !matches!(&*value, "any" | "read-write") => {
                    bail!("target_session_attrs={value} is not supported: use read-write, because the receiver writes")
                }
                "host" if value.contains(',') => {
                    bail!("host={value} is not supported: use postgres://{value}/… for several hosts")
                }
                _ if OPTIONS.contains(&name) => others.push(option),
                _ => bail!(
                    "the option {name} of the database URL is not supported: use {} or {}",
                    OPTIONS.join(", "),
                    TLS_OPTIONS.join(", ")
                ),
            }
        }
        let parsed = format!("{base}?{}", others.join("&")).parse();
        let mut config: Config = parsed.map_err(|error| anyhow::anyhow!("the database URL: {}", Chain(&error)))?;
        let password = config.get_password().map(ToOwned::to_owned).or(password.map(String::into_bytes));
        let has_password = password.is_some();
        // An empty one is refused by the server, which says so in a way that can be told apart.
        config.password(password.unwrap_or_default());
        if config.get_application_name().is_none() {
            config.application_name("routee receiver");
        }
        config.ssl_mode(if check.is_some() { SslMode::Require } else { SslMode::Disable });
        let certificates = match check {
            Some(check) => Some(Certificates { check, ..certificates }),
            None if certificates == Certificates::default() => None,
            None => bail!("sslrootcert, sslcert and sslkey need sslmode=verify-full, verify-ca or require"),
        };
        let servers = servers(&config)?;
        Ok(Self { config, has_password, certificates, servers })
    }
}

/// What is checked; nothing without TLS.
fn check_of(sslmode: &str) -> anyhow::Result<Option<Check>> {
    match sslmode {
        "disable" => Ok(None),
        "require" | "verify-full" => Ok(Some(Check::Name)),
        "verify-ca" => Ok(Some(Check::Authority)),
        other => bail!("sslmode={other} is not supported: use disable, require, verify-ca or verify-full"),
    }
}

/// The hosts with their addresses and ports, as psql pairs them.
fn servers(config: &Config) -> anyhow::Result<Vec<Server>> {
    let (hosts, addresses, ports) = (config.get_hosts(), config.get_hostaddrs(), config.get_ports());
    let count = hosts.len().max(addresses.len());
    ensure!(count > 0, "the database URL names no host, such as postgres://localhost/routee");
    ensure!(
        hosts.is_empty() || addresses.is_empty() || hosts.len() == addresses.len(),
        "the database URL has {} hosts and {} of hostaddr",
        hosts.len(),
        addresses.len()
    );
    ensure!(ports.len() <= 1 || ports.len() == count, "the database URL has {count} hosts and {} ports", ports.len());
    let server = |place| {
        let address: Option<&IpAddr> = addresses.get(place);
        let named = address.map(|address| Host::Tcp(address.to_string()));
        Some(Server {
            host: hosts.get(place).cloned().or(named)?,
            address: address.copied(),
            port: ports.get(place).or(ports.first()).copied().unwrap_or(5432),
        })
    };
    Ok((0..count).filter_map(server).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(url: &str) -> Target {
        Target::read(url, Some("from the environment".to_owned())).unwrap()
    }

    fn refused(url: &str) -> String {
        Target::read(url, None).unwrap_err().to_string()
    }

    fn server(host: &str, port: u16) -> Server {
        Server { host: Host::Tcp(host.to_owned()), address: None, port }
    }

    #[test]
    fn a_url_is_read_as_psql_reads_it() {
        let target = read("postgres://user:p%40ss?@db:6432/routee?application_name=a+b%20c&options=-c%20x%3Dy&");
        let config = &target.config;
        assert_eq!((config.get_user(), config.get_dbname()), (Some("user"), Some("routee")));
        assert_eq!(config.get_password(), Some(&b"p@ss?"[..]));
        assert_eq!((config.get_application_name(), config.get_options()), (Some("a+b c"), Some("-c x=y")));
        assert_eq!((config.get_ssl_mode(), &target.certificates), (SslMode::Disable, &None));
        assert_eq!(target.servers, [server("db", 6432)]);
    }

    #[test]
    fn what_a_url_leaves_out_has_defaults() {
        let target = read("postgresql://db");
        assert_eq!((target.has_password, target.config.get_password()), (true, Some(&b"from the environment"[..])));
        assert!(!Target::read("postgresql://db", None).unwrap().has_password);
        assert_eq!(target.config.get_application_name(), Some("routee receiver"));
        assert_eq!(target.config.get_connect_timeout(), None);
        assert_eq!(target.servers, [server("db", 5432)]);
    }

    #[test]
    fn each_host_has_its_port_and_its_address() {
        assert_eq!(read("postgres://a,b:6432/").servers, [server("a", 5432), server("b", 6432)]);
        let target = read("postgres://a,b:1/?hostaddr=10.0.0.1,::1");
        let address = |server, address: &str| Server { address: Some(address.parse().unwrap()), ..server };
        assert_eq!(target.servers, [address(server("a", 5432), "10.0.0.1"), address(server("b", 1), "::1")]);
        let target = read("postgres:///?hostaddr=10.0.0.1&port=7");
        assert_eq!(target.servers, [address(server("10.0.0.1", 7), "10.0.0.1")]);
        let target = read("postgres:///?host=/run/postgresql");
        assert_eq!(target.servers, [Server { host: Host::Unix("/run/postgresql".into()), ..server("", 5432) }]);
    }

    #[test]
    fn sslmode_says_what_is_checked() {
        for (mode, check) in [("require", Check::Name), ("verify-full", Check::Name), ("verify-ca", Check::Authority)] {
            let target = read(&format!("postgres://db/?sslmode={mode}"));
            assert_eq!(target.config.get_ssl_mode(), SslMode::Require);
            assert_eq!(target.certificates, Some(Certificates { check, ..Certificates::default() }), "{mode}");
        }
        assert_eq!(read("postgres://db/?sslmode=disable").certificates, None);
        let target = read("postgres://db/?sslmode=verify-ca&sslrootcert=/a%20b&sslcert=c&sslkey=k");
        let certificates = Certificates {
            check: Check::Authority,
            roots: Some("/a b".into()),
            own: Some("c".into()),
            key: Some("k".into()),
        };
        assert_eq!(target.certificates, Some(certificates));
        let target = read("postgres://db/?sslmode=require&sslrootcert=system");
        assert_eq!(target.certificates, Some(Certificates::default()));
    }

    #[test]
    fn what_would_be_ignored_is_an_error() {
        for mode in ["prefer", "allow", "on"] {
            assert_eq!(
                refused(&format!("postgres://db/?sslmode={mode}")),
                format!("sslmode={mode} is not supported: use disable, require, verify-ca or verify-full")
            );
        }
        for (option, message) in [
            ("sslcert=c", "sslrootcert, sslcert and sslkey need sslmode=verify-full, verify-ca or require"),
            (
                "target_session_attrs=primary",
                "target_session_attrs=primary is not supported: use read-write, because the receiver writes",
            ),
            (
                "passfile=/p",
                "the option passfile of the database URL is not supported: use application_name, channel_binding, \
                 connect_timeout, dbname, host, hostaddr, options, password, port, target_session_attrs, user or \
                 sslmode, sslrootcert, sslcert, sslkey",
            ),
            (
                "connect_timeout=a",
                "the database URL: invalid connection string: invalid value for option `connect_timeout`",
            ),
            ("host=a,b", "host=a,b is not supported: use postgres://a,b/… for several hosts"),
            ("hostaddr=10.0.0.1,10.0.0.2", "the database URL has 1 hosts and 2 of hostaddr"),
            ("port=1,2", "the database URL has 1 hosts and 3 ports"),
        ] {
            assert_eq!(refused(&format!("postgres://db/?{option}")), message);
        }
        assert_eq!(refused("postgres:///db"), "the database URL names no host, such as postgres://localhost/routee");
    }

    #[test]
    fn an_error_has_no_part_of_the_password() {
        let message = "the database URL has more than one @: write %40 in a name or a password";
        assert_eq!(refused("postgres://user:pass@word@db/routee"), message);
        assert_eq!(
            refused("postgres://user:secret@db:port/routee"),
            "the database URL: invalid connection string: invalid value for option `port`"
        );
    }
}
