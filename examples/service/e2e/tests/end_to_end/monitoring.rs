//! What a Prometheus of Debian makes of the metrics, with the configuration, the alert rules and the dashboard of
//! `deploy`.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::net::TcpListener;

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use reqwest::Url;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::{net, task};

use crate::database::Database;
use crate::processes::{Receiver, binary, until};
use crate::setup::serve_on_sqlite;

const FRESH: &str = include_str!("fresh-metrics.txt");
const CONFIGURATION: &str = include_str!("../../../deploy/prometheus.yml");
const ALERTS: &str = include_str!("../../../deploy/alerts.yml");
const DASHBOARD: &str = include_str!("../../../deploy/dashboard.json");

/// A body that is over the limit by one byte.
const TOO_LONG: usize = (64 << 10) + 1;

#[tokio::test]
async fn a_fresh_process_has_every_series_at_0() -> Result<()> {
    let (_directory, _, receiver) = serve_on_sqlite(&[]).await?;
    // What is counted in the database comes a moment later.
    until("the database is counted", async || Ok(receiver.get("/metrics").await?.contains("\nroutee_overdue ")))
        .await?;
    let metrics = receiver.get("/metrics").await?;
    let series = metrics.lines().filter(|line| !line.starts_with('#'));
    // SQLite's WAL has the tables, which were just made; and it was asked over one connection or two.
    let others = ["routee_sqlite_wal_bytes", "routee_connections{listener=\"admin\"}"];
    let mut series: Vec<_> =
        series.map(|line| others.into_iter().find(|other| line.starts_with(other)).unwrap_or(line)).collect();
    series.sort_unstable();
    let expected: Vec<_> = FRESH.lines().collect();
    ensure!(series == expected, "{}", series.join("\n"));
    receiver.terminate().await
}

struct Prometheus {
    url: String,
    process: Child,
}

impl Prometheus {
    /// Scrapes that receiver every second.
    async fn start(directory: &TempDir, admin: &str) -> Result<Self> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        ensure!(CONFIGURATION.matches("127.0.0.1:8081").count() == 1 && CONFIGURATION.matches("15s").count() == 2);
        let configuration =
            CONFIGURATION.replace("127.0.0.1:8081", admin.trim_start_matches("http://")).replace("15s", "1s");
        let path = directory.path().join("prometheus.yml");
        fs::write(&path, configuration)?;
        fs::write(directory.path().join("alerts.yml"), ALERTS)?;
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", directory.path().join("prometheus").display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(File::create(directory.path().join("prometheus.log"))?)
            .kill_on_drop(true)
            .spawn();
        let process = process.context("this test needs Prometheus: apt-get install prometheus")?;
        let prometheus = Self { url: format!("http://{address}/api/v1/"), process };
        let is_up = async || {
            let targets = prometheus.get("targets").await.unwrap_or_default();
            Ok(targets["activeTargets"][0]["health"] == "up")
        };
        until("the target is up", is_up).await?;
        Ok(prometheus)
    }

    /// Ends it before its directory is removed.
    async fn stop(mut self) -> Result<()> {
        Ok(self.process.kill().await?)
    }

    /// The data of an answer.
    async fn get(&self, path: &str) -> Result<Value> {
        let answer = reqwest::get(format!("{}{path}", self.url)).await?.error_for_status()?;
        let answer: Value = serde_json::from_str(&answer.text().await?)?;
        Ok(answer["data"].clone())
    }

    /// Waits until the query returns something.
    async fn has(&self, query: &str) -> Result<()> {
        let path = Url::parse_with_params("http://prometheus/query", [("query", query)])?;
        let path = format!("query?{}", path.query().unwrap_or_default());
        let has_values = async || Ok(self.get(&path).await?["result"].as_array().is_some_and(|all| !all.is_empty()));
        until(&format!("{query} has values"), has_values).await
    }
}

/// What begins with the name of one of the receiver's metrics, with the labels that follow.
fn selectors(text: &str) -> BTreeSet<&str> {
    let places = text.match_indices("routee_").map(|(place, _)| &text[place..]);
    places
        .map(|rest| {
            let name = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
            let labels = rest[name..].strip_prefix('{').and_then(|labels| labels.find('}')).map_or(0, |end| end + 2);
            &rest[..name + labels]
        })
        .collect()
}

fn dashboard_queries() -> Result<Vec<String>> {
    let dashboard: Value = serde_json::from_str(DASHBOARD)?;
    let panels = dashboard["panels"].as_array().context("no panels")?;
    let targets = panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten();
    let queries = targets.map(|target| {
        let query = target["expr"].as_str().context("no query")?;
        Ok(query.replace("$instance", ".*").replace("$__rate_interval", "1m"))
    });
    queries.collect()
}

#[tokio::test]
async fn every_query_of_the_alerts_and_of_the_dashboard_has_values_in_a_real_prometheus() -> Result<()> {
    let directory = TempDir::new()?;
    // This API answers 404 whatever it is asked, so that asking Routee fails.
    let listener = net::TcpListener::bind("127.0.0.1:0").await?;
    let api = format!("http://{}", listener.local_addr()?);
    task::spawn(axum::serve(listener, Router::new()).into_future());
    let mut serve = Command::new(binary("receiver").await?);
    serve.args(["serve", "--listen=127.0.0.1:0", "--log=warn", "--every=1s"]);
    serve.envs([("ROUTEE_APPLICATION_ID", "any"), ("ROUTEE_APPLICATION_SECRET", "any")]);
    serve.envs([("ROUTEE_API_URL", &api), ("ROUTEE_AUTH_URL", &api)]);
    serve.stderr(File::create(directory.path().join("receiver.log"))?);
    let database = Database::sqlite(&directory);
    let receiver = Receiver::spawn(serve, directory.path(), &database).await?;
    let prometheus = Prometheus::start(&directory, &receiver.admin).await?;

    // The first of each, after a scrape that has seen the 0. The last message and the flow have been overdue for years.
    ensure!(receiver.post(" ".repeat(TOO_LONG)).await? == 413);
    ensure!(receiver.post("no JSON").await? == 200);
    let overdue = json!({"trackingId": "1", "status": {"name": "QUEUED", "updatedDate": "2020-01-01T00:00:00Z"}});
    ensure!(receiver.post(overdue.to_string()).await? == 200);
    let flow =
        json!({"trackingId": "2", "status": "InProgress", "messages": [{}], "createdAt": "2020-01-01T00:00:00Z"});
    ensure!(receiver.post(flow.to_string()).await? == 200);
    for alert in ["CallbacksRefused", "CallbacksUnreadable"] {
        prometheus.has(&format!("ALERTS{{alertname=\"{alert}\",alertstate=\"firing\"}}")).await?;
    }
    for alert in ["MessagesOverdue", "FlowsOverdue", "ReconcileFailing"] {
        prometheus.has(&format!("ALERTS{{alertname=\"{alert}\",alertstate=\"pending\"}}")).await?;
    }

    let queries = dashboard_queries()?;
    ensure!(queries.len() > 10, "{queries:?}");
    let in_rules = selectors(ALERTS);
    ensure!(in_rules.len() > 10, "{in_rules:?}");
    for query in queries.iter().map(String::as_str).chain(in_rules) {
        prometheus.has(query).await?;
    }

    let rules = prometheus.get("rules").await?;
    let rules = rules["groups"][0]["rules"].as_array().context("no rules")?;
    ensure!(rules.len() == ALERTS.matches("- alert: ").count());
    ensure!(rules.iter().all(|rule| rule["health"] == "ok"), "{rules:?}");
    prometheus.stop().await?;
    receiver.terminate().await
}
