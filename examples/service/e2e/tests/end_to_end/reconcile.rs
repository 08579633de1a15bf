//! Callbacks that never arrive, and asking the sender's API for what they would have told.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::{Output, Stdio};

use anyhow::{Result, ensure};
use chrono::{DateTime, SubsecRound as _, TimeDelta, Utc};
use routee_viber::FailoverCallback;
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::timeout;

use crate::database::Database;
use crate::postgres::Postgres;
use crate::processes::{PATIENCE, Receiver, Sender, binary, until};
use crate::sent::Sent;
use crate::setup::one_at_a_time;
use crate::stored::{Stored, same};

const APPLICATION: &str = "e2e-application";
const SECRET: &str = "a secret that nobody may see";

/// The secret, the two as HTTP Basic has them, and what the sender's tokens begin with.
const SECRETS: [&str; 3] =
    [SECRET, "ZTJlLWFwcGxpY2F0aW9uOmEgc2VjcmV0IHRoYXQgbm9ib2R5IG1heSBzZWU", "token-of-the-sender"];

/// A sender that plays Routee's API, with its POSTing over, and the database that got what was not lost.
struct Lost {
    directory: TempDir,
    database: Database,
    sender: Sender,
    api: String,
    campaign: String,
    start: DateTime<Utc>,
    sent: Sent,
}

impl Lost {
    /// Messages of three weeks ago, so that those that are pending are overdue. The receiver has ended.
    async fn post(directory: TempDir, database: Database, arguments: &[&str]) -> Result<Self> {
        let receiver = Receiver::start(&directory, &database, &[]).await?;
        let start = Utc::now().trunc_subsecs(0) - TimeDelta::weeks(3);
        let from = format!("--start={}", date(start));
        let arguments = [&["--api=127.0.0.1:0", "--connections=64", "--seed=3", &from], arguments].concat();
        let sender = Sender::start(&directory, "sender", &[&receiver.url], &arguments).await?;
        let (api, campaign) = sender.api().await?;
        let sent = sender.posted().await?;
        receiver.terminate().await?;
        Ok(Self { directory, database, sender, api, campaign, start, sent })
    }

    /// Runs `receiver reconcile` to its end, which is to be a success; how many calls it made.
    async fn reconcile(&self, database: &Database, arguments: &[&str]) -> Result<usize> {
        let calls = self.sender.calls()?.len();
        let ended = end(reconcile(database, &self.api, arguments).await?).await?;
        ensure!(ended.status.success(), "{arguments:?}: {}", said(&ended));
        Ok(self.sender.calls()?.len() - calls)
    }

    /// A file of all ids that the customer got when sending, of messages and of flows.
    fn ids(&self) -> Result<String> {
        let path = self.directory.path().join("ids");
        fs::write(&path, self.sent.all_ids().join("\n"))?;
        Ok(format!("--ids={}", path.display()))
    }

    async fn messages_are_the_truth(&self, database: &Database) -> Result<()> {
        let stored = Stored::read(database).await?;
        same("messages", stored.messages.iter(), self.sent.messages.iter())
    }

    async fn is_the_truth(&self, database: &Database) -> Result<()> {
        self.messages_are_the_truth(database).await?;
        same("flows", Stored::read(database).await?.flows.iter(), self.sent.flows.iter())?;
        // Step by step: the last change of each flow is what its last callback told, or would have told.
        let mut last = BTreeMap::new();
        for body in database.bodies_that_moved_flows().await? {
            let flow = FailoverCallback::from_slice(&body)?;
            last.insert(flow.tracking_id.clone(), serde_json::from_str(&flow.idempotency_key())?);
        }
        let texts = |of: &BTreeMap<String, Value>| of.values().map(ToString::to_string).collect::<Vec<_>>();
        same("updates of flows", texts(&last).iter(), texts(&self.sent.last_of_flows).iter())
    }
}

/// With SQLite and with PostgreSQL, side by side, since much of it is waiting.
async fn on_both<F: Future<Output = Result<()>>>(test: impl Fn(TempDir, Database) -> F) -> Result<()> {
    let _turn = one_at_a_time().await;
    let (sqlite, others) = (TempDir::new()?, TempDir::new()?);
    let postgres = Postgres::start(&others).await?;
    let database = Database::sqlite(&sqlite);
    tokio::try_join!(test(sqlite, database), test(TempDir::new()?, postgres.database.clone()))?;
    Ok(())
}

fn date(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn with_api(command: &mut Command, api: &str) {
    command.args(["--api-url", api, "--auth-url", api, "--rate=10000"]);
    command.env("ROUTEE_APPLICATION_ID", APPLICATION).env("ROUTEE_APPLICATION_SECRET", SECRET);
}

async fn reconcile(database: &Database, api: &str, arguments: &[&str]) -> Result<Command> {
    let mut command = Command::new(binary("receiver").await?);
    command.arg("reconcile").args(["--log=debug", "--database-url", &database.url()]).args(arguments);
    with_api(&mut command, api);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    Ok(command)
}

/// Runs it to its end; it is to have said no secret.
async fn end(mut command: Command) -> Result<Output> {
    let ended = timeout(PATIENCE, command.output()).await??;
    says_no_secret(&said(&ended))?;
    Ok(ended)
}

fn said(ended: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr))
}

fn says_no_secret(said: &str) -> Result<()> {
    for secret in SECRETS {
        ensure!(!said.contains(secret), "{secret} is in what it said");
    }
    Ok(())
}

/// A tenth of all callbacks are lost, and the API has all its faults. With this seed one answer is slow, and it comes
/// when about half of the calls are made.
const TENTH: [&str; 9] = [
    "--messages=10000",
    "--lost=0.1",
    "--replies=0.1",
    "--failover=0.1",
    "--api-429=0.0003",
    "--api-500=0.003",
    "--api-slow=0.0001",
    "--api-token-calls=3000",
    "--api-newcomers=100",
];

#[tokio::test]
async fn reconciling_recovers_a_tenth_of_all_callbacks() -> Result<()> {
    on_both(a_tenth_is_lost).await
}

async fn a_tenth_is_lost(directory: TempDir, database: Database) -> Result<()> {
    let lost = Lost::post(directory, database, &TENTH).await?;
    let before = Stored::read(&lost.database).await?;
    ensure!(lost.sent.messages.len() == 10_000 && before.messages.len() < 10_000 && lost.sent.lost > 1000);

    let (killed, ids) = (lost.database.copy("killed").await?, lost.ids()?);
    let mut running = reconcile(&killed, &lost.api, &[&ids]).await?.spawn()?;
    until("about half of them were asked for", async || Ok(lost.sender.calls()?.len() >= 4000)).await?;
    running.kill().await?;
    says_no_secret(&said(&running.wait_with_output().await?))?;
    ensure!(lost.is_the_truth(&killed).await.is_err(), "it was through already");

    // Once, since this is when the newcomers come into the pages.
    let campaign = lost.database.copy("campaign").await?;
    lost.reconcile(&campaign, &["--campaign", &lost.campaign]).await?;
    lost.messages_are_the_truth(&campaign).await?;

    let by_ids = lost.database.copy("by_ids").await?;
    let asked = lost.reconcile(&by_ids, &[&ids]).await?;
    lost.is_the_truth(&by_ids).await?;

    let plain = lost.database.copy("plain").await?;
    lost.reconcile(&plain, &[]).await?;
    let after = Stored::read(&plain).await?;
    let expected = before.messages.iter().map(|(id, status)| {
        let of_flow = lost.sent.flow_of.get(id).and_then(|flow| before.flows.get(flow));
        let is_pending = status == "QUEUED" || of_flow.is_some_and(|status| status == "InProgress");
        (id, if is_pending { &lost.sent.messages[id] } else { status })
    });
    same("messages", after.messages.iter(), expected)?;
    same("flows", after.flows.iter(), before.flows.keys().map(|id| (id, &lost.sent.flows[id])))?;
    ensure!(after.flows != before.flows);
    ensure!(after.messages.values().all(|status| status != "QUEUED") && after.messages != before.messages);
    let calls = lost.reconcile(&plain, &[]).await?;
    ensure!(calls == 0, "a second run made {calls} calls");

    let rest = lost.reconcile(&killed, &[&ids]).await?;
    lost.is_the_truth(&killed).await?;
    ensure!(rest < asked - 3000, "it began anew: {rest} calls after 4000 of {asked}");

    let calls = lost.sender.calls()?;
    let codes: BTreeSet<_> = calls.iter().map(|call| call.code).collect();
    // 404 for flows that were lost altogether, which are asked for as messages first.
    ensure!(codes == BTreeSet::from([200, 401, 404, 429, 500]), "{codes:?}");
    ensure!(calls.iter().any(|call| call.is_slow));
    Ok(())
}

/// One flow each minute.
const FLOWS: [&str; 8] = [
    "--messages=5000",
    "--failover=1",
    "--apart=60",
    "--lost=0.1",
    "--lost-flows=0.05",
    "--api-500=0.01",
    "--api-token-calls=70",
    "--api-newcomers=150",
];

#[tokio::test]
async fn a_search_recovers_flows_that_were_lost_altogether() -> Result<()> {
    on_both(flows_are_lost).await
}

async fn flows_are_lost(directory: TempDir, database: Database) -> Result<()> {
    let date = if matches!(database, Database::Sqlite(_)) { "created-at" } else { "updated-at" };
    let by = format!("--api-flows-by={date}");
    let lost = Lost::post(directory, database, &[&FLOWS[..], &[&by]].concat()).await?;
    let before = Stored::read(&lost.database).await?;
    ensure!(lost.sent.flows.len() == 5000 && (4650..4850).contains(&before.flows.len()), "{}", before.flows.len());
    let steps: BTreeSet<_> =
        lost.sent.last_of_flows.values().filter_map(|key| Some(key.as_array()?.len() - 3)).collect();
    ensure!(steps == BTreeSet::from([1, 2, 3]), "{steps:?}");
    let since = format!("--flows-since={}", self::date(lost.start));
    let until = format!("--until={}", self::date(lost.start + TimeDelta::minutes(4999)));

    let killed = lost.database.copy("killed").await?;
    let mut running = reconcile(&killed, &lost.api, &[&since, &until]).await?.spawn()?;
    self::until("a part of the pages was read", async || Ok(lost.sender.calls()?.len() >= 75)).await?;
    running.kill().await?;
    says_no_secret(&said(&running.wait_with_output().await?))?;
    ensure!(lost.is_the_truth(&killed).await.is_err(), "it was through already");

    let whole = lost.database.copy("whole").await?;
    let calls = lost.reconcile(&whole, &[&since, &until]).await?;
    lost.is_the_truth(&whole).await?;
    let kept = async || {
        let counts = "SELECT (SELECT count(*) FROM history), (SELECT number FROM change_counter)";
        whole.rows(counts).await
    };
    let before = kept().await?;
    // All of what has ended is found again, and nothing is new.
    lost.reconcile(&whole, &[&since, &until]).await?;
    ensure!(kept().await? == before);
    ensure!(lost.reconcile(&whole, &[]).await? == 0, "something is overdue");

    let rest = lost.reconcile(&killed, &[&since, &until]).await?;
    lost.is_the_truth(&killed).await?;
    println!("{calls} calls, and {rest} after 75");
    Ok(())
}

#[tokio::test]
async fn reconciling_since_a_date_recovers_a_lost_seen() -> Result<()> {
    on_both(is_seen).await
}

async fn is_seen(directory: TempDir, database: Database) -> Result<()> {
    let arguments = ["--messages=400", "--status=DELIVERED,SEEN", "--lost=0.5"];
    let lost = Lost::post(directory, database, &arguments).await?;
    let delivered = async || lost.database.number("SELECT count(*) FROM message WHERE status_name = 'DELIVERED'").await;
    ensure!(delivered().await? > 50);
    // Nothing is pending, and nothing has changed since.
    let later = format!("--since={}", date(Utc::now() + TimeDelta::hours(1)));
    for nothing in [&[] as &[&str], &[&later]] {
        ensure!(lost.reconcile(&lost.database, nothing).await? == 0, "{nothing:?}");
    }
    let messages = lost.database.number("SELECT count(*) FROM message").await?;
    let earlier = format!("--since={}", date(Utc::now() - TimeDelta::weeks(4)));
    lost.reconcile(&lost.database, &[&earlier]).await?;
    ensure!(delivered().await? == 0 && lost.database.number("SELECT count(*) FROM message").await? == messages);
    Ok(())
}

#[tokio::test]
async fn serving_recovers_overdue_messages() -> Result<()> {
    on_both(is_serving).await
}

async fn is_serving(directory: TempDir, database: Database) -> Result<()> {
    let faults = ["--api-500=0.02", "--api-token-calls=50"];
    let arguments = [&["--messages=2000", "--lost=0.2", "--failover=0.3"], &faults[..]].concat();
    let lost = Lost::post(directory, database, &arguments).await?;
    let pending = async || lost.database.number("SELECT count(*) FROM message WHERE status_name = 'QUEUED'").await;
    let in_progress = async || lost.database.number("SELECT count(*) FROM flow WHERE overdue_at IS NOT NULL").await;
    ensure!(pending().await? > 20 && in_progress().await? > 20);

    let mut serve = Command::new(binary("receiver").await?);
    serve.args(["serve", "--listen=127.0.0.1:0", "--log=debug", "--every=1s"]);
    with_api(&mut serve, &lost.api);
    serve.stderr(fs::File::create(lost.directory.path().join("receiver.log"))?);
    let receiver = Receiver::spawn(serve, lost.directory.path(), &lost.database).await?;
    let arguments = ["--messages=2000", "--seed=2", "--status=QUEUED,DELIVERED"];
    let others = Sender::start(&lost.directory, "others", &[&receiver.url], &arguments).await?.finish().await?;
    ensure!(others.all_answered_200());
    until("nothing is pending", async || Ok(pending().await? + in_progress().await? == 0)).await?;
    let stored = Stored::read(&lost.database).await?;
    ensure!(others.messages.iter().all(|(id, status)| stored.messages.get(id) == Some(status)));

    says_no_secret(&receiver.log())?;
    for path in ["/", "/metrics"] {
        says_no_secret(&receiver.get(path).await?)?;
    }
    receiver.terminate().await
}

#[tokio::test]
async fn what_cannot_be_asked_is_an_error_without_the_secret() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = Database::sqlite(&directory);
    let lost = Lost::post(directory, database, &["--messages=10", "--lost=0.5"]).await?;
    let receiver = Receiver::start(&lost.directory, &lost.database, &[]).await?;
    // Neither is Routee's API.
    for api in [&receiver.admin, &format!("{}/nothing", lost.api)] {
        let ended = end(reconcile(&lost.database, api, &[&lost.ids()?]).await?).await?;
        ensure!(!ended.status.success(), "{}", said(&ended));
    }
    let mut anonymous = reconcile(&lost.database, &lost.api, &[]).await?;
    anonymous.env_remove("ROUTEE_APPLICATION_ID");
    let ended = end(anonymous).await?;
    ensure!(!ended.status.success() && said(&ended).contains("ROUTEE_APPLICATION_ID"), "{}", said(&ended));
    for arguments in [["--help"], ["--rate=no"]] {
        end(reconcile(&lost.database, &lost.api, &arguments).await?).await?;
    }
    receiver.terminate().await?;
    lost.sender.stop().await
}

#[tokio::test]
async fn the_log_says_which_ids_are_those_of_flows() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = Database::sqlite(&directory);
    let lost = Lost::post(directory, database, &["--messages=2", "--failover=1", "--lost-flows=1"]).await?;
    let path = lost.ids()?;
    fs::write(path.trim_start_matches("--ids="), format!("{}\nnobody", lost.sent.all_ids().join("\n")))?;
    let ended = end(reconcile(&lost.database, &lost.api, &[&path]).await?).await?;
    let said = said(&ended);
    ensure!(ended.status.success(), "{said}");
    for (ids, what) in [(lost.sent.messages.keys(), "a message"), (lost.sent.flows.keys(), "a flow")] {
        for id in ids {
            ensure!(said.contains(&format!("{id:?} is {what}")), "{said}");
        }
    }
    ensure!(said.contains("\"nobody\" is unknown to Routee") && said.contains("\nflows recovered: 2\n"), "{said}");
    lost.is_the_truth(&lost.database).await
}

#[tokio::test]
async fn an_unknown_id_is_not_asked_for_twice_in_a_row() -> Result<()> {
    let _turn = one_at_a_time().await;
    let directory = TempDir::new()?;
    let database = Database::sqlite(&directory);
    let lost = Lost::post(directory, database, &["--messages=1", "--status=SEEN"]).await?;
    let receiver = Receiver::start(&lost.directory, &lost.database, &[]).await?;
    let stranger = r#"{"trackingId":"a stranger","status":"QUEUED","createdAt":"2026-11-01T00:00:00Z","ttl":30}"#;
    ensure!(receiver.post(stranger).await? == 200);
    receiver.terminate().await?;
    for expected in [2, 0] {
        let calls = lost.reconcile(&lost.database, &[]).await?;
        ensure!(calls == expected, "{calls} calls, and not {expected}");
    }
    let codes: Vec<_> = lost.sender.calls()?.iter().map(|call| call.code).collect();
    ensure!(codes == [200, 404], "{codes:?}");
    Ok(())
}
