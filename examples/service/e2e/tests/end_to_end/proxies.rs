//! Real proxies in front of receivers, as the README sets them up.

use std::fs;
use std::net::{IpAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::{Certificate, Client};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::postgres::Postgres;
use crate::processes::{PATIENCE, Receiver, Sender, until};
use crate::setup::{Directory, serve_on_sqlite};
use crate::stored::Stored;

const README: &str = include_str!("../../../README.md");

/// How many callbacks are under way at once, so that as many connections are kept.
const BURST: usize = 32;

/// How many milliseconds before a limit the next burst begins. It takes a few until it is at the receiver.
const BEFORE: [u64; 8] = [10, 7, 5, 4, 3, 2, 1, 0];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Nginx,
    Haproxy,
    Caddy,
}

struct Proxy {
    url: String,
    /// The file with its certificate.
    certificate: PathBuf,
    _process: Child,
}

impl Proxy {
    /// Starts it with the README's configuration, in which only addresses, files and what `changes` says are other
    /// ones.
    async fn start(directory: &TempDir, kind: Kind, receivers: &[&Receiver], changes: &[(&str, &str)]) -> Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let place = tempfile::tempdir_in(directory.path())?.keep();
        let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()])?;
        let (certificate, key) = (place.join("callbacks.pem"), place.join("callbacks.key"));
        // HAProxy takes both from one file.
        fs::write(&certificate, certified.cert.pem() + &certified.signing_key.serialize_pem())?;
        fs::write(&key, certified.signing_key.serialize_pem())?;

        let mut configuration = kind.configuration()?;
        let mut replace = |from: &str, to: &str| {
            ensure!(configuration.contains(from), "the README has no `{from}`");
            configuration = configuration.replace(from, to);
            anyhow::Ok(())
        };
        let address = |receiver: &Receiver| receiver.url.replace("http://", "");
        let each = |line: &dyn Fn(usize, String) -> String| -> String {
            receivers.iter().enumerate().map(|(number, receiver)| line(number, address(receiver))).collect()
        };
        let [certificate_path, key_path] = [&certificate, &key].map(|path| path.display().to_string());
        match kind {
            Kind::Nginx => {
                replace(
                    "    server 127.0.0.1:8080 max_fails=0;",
                    &each(&|_, address| format!("server {address} max_fails=0;\n")),
                )?;
                replace("listen 443", &format!("listen 127.0.0.1:{port}"))?;
            }
            Kind::Haproxy => {
                let server = |number, address| format!("    server server{number} {address}\n");
                replace("    server one 127.0.0.1:8080", &each(&server))?;
                replace("bind :443", &format!("bind 127.0.0.1:{port}"))?;
            }
            Kind::Caddy => {
                replace("127.0.0.1:8080", &each(&|_, address| format!("{address} ")))?;
                let tls = format!("https://127.0.0.1:{port} {{\nbind 127.0.0.1\ntls {certificate_path} {key_path}\n");
                replace("callbacks.example.com {", &tls)?;
            }
        }
        if kind != Kind::Caddy {
            replace("/etc/ssl/callbacks.pem", &certificate_path)?;
        }
        if kind == Kind::Nginx {
            replace("/etc/ssl/callbacks.key", &key_path)?;
        }
        for (from, to) in changes {
            replace(from, to)?;
        }

        let (around, program, arguments): (_, _, &[&str]) = match kind {
            Kind::Nginx => (NGINX, "nginx", &["-p", ".", "-e", "error.log", "-c", "configuration"]),
            Kind::Haproxy => ("", "haproxy", &["-f", "configuration"]),
            Kind::Caddy => (CADDY, "caddy", &["run", "--adapter", "caddyfile", "--config", "configuration"]),
        };
        fs::write(place.join("snippet"), &configuration)?;
        fs::write(place.join("configuration"), if around.is_empty() { &configuration } else { around })?;
        let log = fs::File::create(place.join("log"))?;
        let mut process = Command::new(program)
            .args(arguments)
            .current_dir(&place)
            .env("HOME", &place)
            .env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
            .stdout(Stdio::from(log.try_clone()?))
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("{program} cannot be started"))?;
        until("the proxy listens", async || {
            ensure!(process.try_wait()?.is_none(), "it has ended: {}", fs::read_to_string(place.join("log"))?);
            Ok(TcpStream::connect(("127.0.0.1", port)).await.is_ok())
        })
        .await?;
        Ok(Self { url: format!("https://127.0.0.1:{port}"), certificate, _process: process })
    }

    /// A client that sends from this address.
    fn client(&self, from: [u8; 4]) -> Result<Client> {
        let certificates = Certificate::from_pem_bundle(&fs::read(&self.certificate)?)?;
        Ok(Client::builder().tls_certs_only(certificates).local_address(IpAddr::from(from)).build()?)
    }
}

const NGINX: &str = "
daemon off;
master_process off;
pid nginx.pid;
events {}
http {
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    include snippet;
}
";

const CADDY: &str = "
{
    admin off
    auto_https disable_redirects
    skip_install_trust
}
import snippet
";

impl Kind {
    /// The setting for how long it keeps idle connections to the receiver, and one of a second.
    fn shorter_idle_limit(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("keepalive_timeout 60s", "keepalive_timeout 1s"),
            Self::Haproxy => ("pool-purge-delay 5s", "pool-purge-delay 1s"),
            Self::Caddy => ("keepalive 60s", "keepalive 1s"),
        }
    }

    /// What the README has for it.
    fn configuration(self) -> Result<String> {
        let language = match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "haproxy",
            Self::Caddy => "caddyfile",
        };
        let (_, rest) = README.split_once(&format!("\n```{language}\n")).context("no snippet")?;
        let (snippet, _) = rest.split_once("\n```\n").context("no end of the snippet")?;
        Ok(format!("{snippet}\n"))
    }
}

/// Sends bursts with pauses around a limit between them. Each callback has to be answered 200, and the receiver has to
/// have kept connections, or this would try nothing.
async fn send_around(proxy: &Proxy, receiver: &Receiver, limit: Duration) -> Result<()> {
    let client = proxy.client([127, 0, 0, 1])?;
    let answered = receiver.answered().await?;
    for before in BEFORE {
        let mut burst = JoinSet::new();
        for _ in 0..BURST {
            let request = client.post(format!("{}/callbacks", proxy.url)).body("{}");
            burst.spawn(async move { request.send().await.map(|answer| answer.status().as_u16()) });
        }
        for code in burst.join_all().await {
            ensure!(matches!(code, Ok(200)), "{before} ms before the limit: {code:?}");
        }
        let kept = receiver.metric("routee_connections{listener=\"callbacks\"}").await?;
        ensure!(kept > 1, "it has kept no connection");
        sleep(limit.saturating_sub(Duration::from_millis(before))).await;
    }
    // One that was sent twice is answered twice.
    ensure!(receiver.answered().await? - answered >= (BEFORE.len() * BURST) as u64);
    Ok(())
}

/// Around both limits with a proxy that keeps connections for a shorter time than the receiver, as the README says, and
/// around the receiver's with one that keeps them for longer. Caddy 2.6 can only do the first: a POST whose body it has sent
/// already goes out again without the body, which ends in 502.
async fn idle_connections(kind: Kind) -> Result<()> {
    let [of_proxy, of_receiver] = [1, 2].map(Duration::from_secs);
    let idle = ["--idle=2s", "--trust-proxy=127.0.0.1"];
    let (directory, _database, receiver) = serve_on_sqlite(&idle).await?;
    let proxy = Proxy::start(&directory, kind, &[&receiver], &[kind.shorter_idle_limit()]).await?;
    for limit in [of_proxy, of_receiver] {
        send_around(&proxy, &receiver, limit).await?;
    }
    drop(proxy);
    if kind != Kind::Caddy {
        let proxy = Proxy::start(&directory, kind, &[&receiver], &[]).await?;
        send_around(&proxy, &receiver, of_receiver).await?;
    }
    receiver.terminate().await
}

#[tokio::test]
async fn no_callback_is_lost_around_an_idle_limit_behind_nginx() -> Result<()> {
    idle_connections(Kind::Nginx).await
}

#[tokio::test]
async fn no_callback_is_lost_around_an_idle_limit_behind_haproxy() -> Result<()> {
    idle_connections(Kind::Haproxy).await
}

#[tokio::test]
async fn no_callback_is_lost_around_an_idle_limit_behind_caddy() -> Result<()> {
    idle_connections(Kind::Caddy).await
}

/// The README's list of senders: the receiver's own, by the address that the proxy tells.
#[tokio::test]
async fn a_sender_behind_a_proxy_is_told_by_its_own_address() -> Result<()> {
    let (directory, _database, receiver) =
        serve_on_sqlite(&["--trust-proxy=127.0.0.1", "--allow-from=127.0.0.2"]).await?;
    let send = async |proxy: &Proxy, from: [u8; 4]| {
        let request = proxy.client(from)?.post(format!("{}/callbacks", proxy.url));
        let answer = request.header("x-forwarded-for", "127.0.0.2").body("{}").send().await?;
        anyhow::Ok(answer.status().as_u16())
    };
    let through_header = [
        (Kind::Nginx, vec![]),
        (Kind::Haproxy, vec![]),
        (Kind::Caddy, vec![]),
        // By the PROXY protocol instead.
        (Kind::Haproxy, vec![("default-server ", "default-server send-proxy "), ("    option forwardfor\n", "")]),
        (Kind::Haproxy, vec![("default-server ", "default-server send-proxy-v2 "), ("    option forwardfor\n", "")]),
    ];
    for (kind, changes) in through_header {
        let proxy = Proxy::start(&directory, kind, &[&receiver], &changes).await?;
        ensure!(send(&proxy, [127, 0, 0, 2]).await? == 200, "{kind:?}, {changes:?}");
        ensure!(send(&proxy, [127, 0, 0, 3]).await? == 403, "{kind:?}, {changes:?}");
    }
    receiver.terminate().await
}

#[tokio::test]
async fn what_others_say_of_addresses_changes_nothing() -> Result<()> {
    let trusting = ["--trust-proxy=127.0.0.9", "--allow-from=127.0.0.2"];
    let (directory, database, receiver) = serve_on_sqlite(&trusting).await?;
    let post = receiver.client.post(format!("{}/callbacks", receiver.url)).header("x-forwarded-for", "127.0.0.2");
    ensure!(post.body("{}").send().await?.status() == 403);
    // It is no HTTP from somebody who is not trusted.
    let mut client = TcpStream::connect(receiver.url.replace("http://", "")).await?;
    client.write_all(b"PROXY TCP4 127.0.0.2 127.0.0.1 1 2\r\nPOST /callbacks HTTP/1.1\r\nhost: a\r\n\r\n").await?;
    let mut answer = String::new();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await??;
    ensure!(answer.starts_with("HTTP/1.1 400 "), "{answer}");
    receiver.terminate().await?;

    let receiver = Receiver::start(&directory, &database, &["--trust-proxy=127.0.0.1"]).await?;
    let mut client = TcpStream::connect(receiver.url.replace("http://", "")).await?;
    client.write_all(b"PROXY nonsense\r\n").await?;
    answer.clear();
    timeout(PATIENCE, client.read_to_string(&mut answer)).await??;
    ensure!(answer.is_empty(), "{answer}");
    let line = "refused reason=\"proxy_header\" count=1 last=a connection from 127.0.0.1\n";
    until("the log says so", async || Ok(receiver.log().contains(line))).await?;
    ensure!(receiver.metric("routee_refused_total{reason=\"proxy_header\"}").await? == 1);
    receiver.terminate().await
}

/// Two receivers are restarted one after the other, while callbacks arrive all the time.
async fn rolling_restart(kind: Kind, changes: &[(&str, &str)]) -> Result<()> {
    let directory = Directory::new().await?;
    let postgres = Postgres::start(&directory).await?;
    let drain = ["--drain=3s"];
    let first = Receiver::start(&directory, &postgres.database, &drain).await?;
    let second = Receiver::start(&directory, &postgres.database, &drain).await?;
    let proxy = Proxy::start(&directory, kind, &[&first, &second], changes).await?;

    let load = ["--messages=2500", "--connections=16", "--rate=250"];
    let ca = format!("--ca={}", proxy.certificate.display());
    let arguments = [&load[..], &[&ca]].concat();
    let mut sender = Sender::start(&directory, "sender", &[&proxy.url], &arguments).await?;
    let mut restarted = Vec::new();
    for receiver in [first, second] {
        until("callbacks arrive", async || Ok(receiver.answered().await? > 50)).await?;
        let receiver = receiver.restart(&drain).await?;
        // The proxy is to find it again before the other one goes.
        until("callbacks arrive again", async || Ok(receiver.answered().await? > 50)).await?;
        restarted.push(receiver);
    }
    ensure!(!sender.is_finished()?, "the load has ended too early");
    let sent = sender.finish().await?;
    let codes: Vec<_> =
        sent.attempts.iter().filter(|attempt| attempt.code != Some(200)).map(|attempt| attempt.code).collect();
    ensure!(codes.is_empty(), "{} of {} were not answered 200: {codes:?}", codes.len(), sent.attempts.len());
    Stored::read(&postgres.database).await?.is_what_was(&sent)?;
    for receiver in restarted {
        receiver.terminate().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_rolling_restart_behind_nginx_is_not_noticed() -> Result<()> {
    rolling_restart(Kind::Nginx, &[]).await
}

#[tokio::test]
async fn a_rolling_restart_behind_haproxy_is_not_noticed() -> Result<()> {
    rolling_restart(Kind::Haproxy, &[]).await
}

/// Without second attempts, that it is not noticed is owed to `/readyz` and the drain alone.
#[tokio::test]
async fn a_balancer_that_asks_for_health_notices_a_restart_in_time() -> Result<()> {
    let once = [("retries 20", "retries 0"), ("retry-on conn-failure empty-response", "retry-on none")];
    rolling_restart(Kind::Haproxy, &once).await
}
