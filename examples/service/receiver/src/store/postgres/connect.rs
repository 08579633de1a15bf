//! Connecting to the first of several servers that answers and can be written to.
//!
//! Each has its share of the time, and so has each address of its name. The one that answered last is asked first, so that
//! a server that is silent costs its share once.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream, lookup_host};
use tokio::task;
use tokio::time::{Instant, timeout_at};
use tokio_postgres::config::{Host, TargetSessionAttrs};
use tokio_postgres::error::SqlState;
use tokio_postgres::tls::MakeTlsConnect;
use tokio_postgres::{Client, Config, Connection, NoTls, SimpleQueryMessage};
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::either::Either;
use tracing::{debug, warn};

use crate::store::error::StoreError;
use crate::store::postgres::error::{Chain, message};
use crate::store::postgres::url::{Server, Target, socket};

/// The longest that all servers together may take, if the URL has no `connect_timeout` for each.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// A setting of a connection that PgBouncer does not pass on: it refuses the login or, if it is told to, drops it.
const DIRECT: &str = "-c receiver.is_direct=on";

/// Whether the setting arrived, and whether the server only reads.
const LOOK: &str = "SELECT current_setting('receiver.is_direct', true), current_setting('transaction_read_only')";

pub struct Servers {
    list: Vec<Server>,
    /// As it is, and with [`DIRECT`].
    config: Config,
    direct: Config,
    has_password: bool,
    tls: Option<MakeRustlsConnect>,
    /// The longest that each server may take.
    share: Duration,
    must_write: bool,
    /// The one that answered last.
    current: AtomicUsize,
}

/// A connection, and what it leads to.
pub struct Connected {
    pub client: Client,
    pub server: String,
    /// If not, a pooler may give our session to others between two transactions.
    pub is_direct: bool,
}

impl Servers {
    pub fn new(target: Target) -> anyhow::Result<Self> {
        let Target { config, has_password, certificates, servers } = target;
        let mut direct = config.clone();
        direct.options(config.get_options().map_or_else(|| DIRECT.to_owned(), |given| format!("{given} {DIRECT}")));
        let count = u32::try_from(servers.len())?;
        Ok(Self {
            direct,
            has_password,
            tls: certificates.map(|certificates| certificates.connector()).transpose()?,
            share: config.get_connect_timeout().copied().unwrap_or(CONNECT_WITHIN / count),
            // A standby in a list is no use to us, whatever the URL says.
            must_write: config.get_target_session_attrs() == TargetSessionAttrs::ReadWrite || count > 1,
            current: AtomicUsize::new(0),
            config,
            list: servers,
        })
    }

    pub async fn connect(&self) -> Result<Connected, StoreError> {
        let current = self.current.load(Relaxed);
        let others = (0..self.list.len()).filter(|place| *place != current);
        let mut failures = Vec::new();
        for place in std::iter::once(current).chain(others) {
            let server = &self.list[place];
            match self.connect_to(server).await {
                Ok(connected) => {
                    if self.current.swap(place, Relaxed) != place {
                        warn!("PostgreSQL is at {server} now: {}", failures.join("; "));
                    }
                    return Ok(connected);
                }
                Err(failure) => failures.push(format!("{server}: {failure}")),
            }
        }
        Err(StoreError::unavailable(failures.join("; ")))
    }

    async fn connect_to(&self, server: &Server) -> Result<Connected, Failure> {
        let (name, addresses) = match &server.host {
            Host::Unix(directory) => ("", vec![Address::Unix(socket(directory, server.port))]),
            Host::Tcp(name) => (&**name, self.addresses(server, name).await?),
        };
        let length = self.share / u32::try_from(addresses.len()).unwrap_or(u32::MAX).max(1);
        let mut failure = Failure::NoAddress;
        for address in &addresses {
            match self.connect_at(server, name, address, Share::of(length)).await {
                Ok(connected) => return Ok(connected),
                Err(failed) => failure = failed,
            }
        }
        Err(failure)
    }

    async fn addresses(&self, server: &Server, name: &str) -> Result<Vec<Address>, Failure> {
        if let Some(address) = server.address {
            return Ok(vec![Address::Tcp((address, server.port).into())]);
        }
        let found = Share::of(self.share).wait("the address of its name", lookup_host((name, server.port))).await?;
        Ok(found.map(Address::Tcp).collect())
    }

    async fn connect_at(
        &self,
        server: &Server,
        name: &str,
        address: &Address,
        share: Share,
    ) -> Result<Connected, Failure> {
        let client = match self.log_in(&self.direct, name, address, share).await {
            // The codes of PgBouncer and of RDS Proxy.
            Err(Failure::Postgres(error))
                if matches!(error.code(), Some(&(SqlState::PROTOCOL_VIOLATION | SqlState::FEATURE_NOT_SUPPORTED))) =>
            {
                self.log_in(&self.config, name, address, share).await?
            }
            Err(Failure::Postgres(error))
                if !self.has_password && error.code() == Some(&SqlState::INVALID_PASSWORD) =>
            {
                return Err(Failure::NoPassword);
            }
            logged_in => logged_in?,
        };
        let (mut is_direct, mut is_read_only) = (false, false);
        for message in share.wait("an answer", client.simple_query(LOOK)).await? {
            if let SimpleQueryMessage::Row(row) = message {
                (is_direct, is_read_only) = (row.try_get(0)? == Some("on"), row.try_get(1)? == Some("on"));
            }
        }
        if self.must_write && is_read_only {
            return Err(Failure::ReadOnly);
        }
        Ok(Connected { client, server: server.to_string(), is_direct })
    }

    async fn log_in(&self, config: &Config, name: &str, address: &Address, share: Share) -> Result<Client, Failure> {
        let stream = share.wait("a connection", address.open()).await?;
        match self.tls.clone() {
            Some(mut tls) => {
                let Ok(tls) = MakeTlsConnect::<Stream>::make_tls_connect(&mut tls, name);
                Ok(driven(share.wait("a login", config.connect_raw(stream, tls)).await?))
            }
            None => Ok(driven(share.wait("a login", config.connect_raw(stream, NoTls)).await?)),
        }
    }
}

enum Address {
    Tcp(SocketAddr),
    Unix(PathBuf),
}

type Stream = Either<TcpStream, UnixStream>;

impl Address {
    async fn open(&self) -> io::Result<Stream> {
        match self {
            Self::Unix(socket) => Ok(Either::Right(UnixStream::connect(socket).await?)),
            Self::Tcp(address) => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                // A peer that is gone without a word is noticed in seconds.
                let keepalive = TcpKeepalive::new()
                    .with_time(Duration::from_secs(5))
                    .with_interval(Duration::from_secs(2))
                    .with_retries(3);
                let socket = SockRef::from(&stream);
                socket.set_tcp_keepalive(&keepalive)?;
                socket.set_tcp_user_timeout(Some(Duration::from_secs(10)))?;
                Ok(Either::Left(stream))
            }
        }
    }
}

/// The time that a server has.
#[derive(Clone, Copy)]
struct Share {
    length: Duration,
    end: Instant,
}

impl Share {
    fn of(length: Duration) -> Self {
        Self { length, end: Instant::now() + length }
    }

    async fn wait<T, E>(self, what: &'static str, work: impl Future<Output = Result<T, E>>) -> Result<T, Failure>
    where
        Failure: From<E>,
    {
        match timeout_at(self.end, work).await {
            Ok(done) => Ok(done?),
            Err(_) => Err(Failure::Late { waited: self.length, what }),
        }
    }
}

/// Why a server is passed over.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("waited {} ms for {what}", .waited.as_millis())]
    Late { waited: Duration, what: &'static str },
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error("{}", message(.0))]
    Postgres(#[from] tokio_postgres::Error),
    #[error("its name has no address")]
    NoAddress,
    #[error("it asks for a password, and there is none in the URL or in PGPASSWORD; .pgpass is not read")]
    NoPassword,
    #[error("it is read-only")]
    ReadOnly,
}

/// Lets the connection work for its client, in a task that ends with it.
fn driven<T>((client, connection): (Client, Connection<Stream, T>)) -> Client
where
    T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    task::spawn(async move {
        if let Err(error) = connection.await {
            debug!(error = %Chain(&error), "a connection to PostgreSQL has ended");
        }
    });
    client
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    async fn failure(url: &str) -> String {
        let servers = Servers::new(Target::read(url, None).unwrap()).unwrap();
        servers.connect().await.err().unwrap().message
    }

    #[tokio::test]
    async fn an_error_names_each_server_and_what_was_waited_for() {
        let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let silent_port = silent.local_addr().unwrap().port();
        // Nobody listens at a port that is bound only.
        let bound = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        bound.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        let refusing_port = bound.local_addr().unwrap().as_socket().unwrap().port();
        let url = format!("postgres://u:secret@127.0.0.1:{silent_port},127.0.0.1:{refusing_port}/db");
        assert_eq!(
            failure(&url).await,
            format!(
                "127.0.0.1:{silent_port}: waited 500 ms for a login; \
                 127.0.0.1:{refusing_port}: Connection refused (os error 111)"
            )
        );
        assert_eq!(
            failure(&format!("postgres://u@127.0.0.1:{silent_port}/?connect_timeout=1")).await,
            format!("127.0.0.1:{silent_port}: waited 1000 ms for a login")
        );
        let missing = failure("postgres://u@/?host=/no/such/directory").await;
        assert_eq!(missing, "/no/such/directory/.s.PGSQL.5432: No such file or directory (os error 2)");
    }

    #[tokio::test]
    async fn a_server_has_the_time_that_the_url_says() {
        let share = |url: &str| Servers::new(Target::read(url, None).unwrap()).unwrap().share;
        assert_eq!(share("postgres://a"), Duration::from_secs(1));
        assert_eq!(share("postgres://a,b,c,d"), Duration::from_millis(250));
        assert_eq!(share("postgres://a,b/?connect_timeout=3"), Duration::from_secs(3));
        assert_eq!(share("postgres://a,b/?connect_timeout=0"), Duration::from_millis(500));
    }
}
