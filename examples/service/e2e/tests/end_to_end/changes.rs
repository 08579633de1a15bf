//! A consumer of `/changes`, which remembers one number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use routee_viber::{FailoverCallback, Incoming, Progress, ViberCallback};
use serde_json::Value;
use tokio::task::{JoinHandle, spawn};
use tokio::time::sleep;

use crate::database::connect;
use crate::operations::run;
use crate::processes::{Receiver, until};
use crate::setup::serve_on_postgres;

/// What the changes say, each state after the one before it.
#[derive(Default)]
pub struct Changes {
    messages: BTreeMap<String, ViberCallback>,
    flows: BTreeMap<String, FailoverCallback>,
    /// The messages that were replied to.
    pub replied: BTreeSet<String>,
    last: u64,
}

impl Changes {
    /// Reads on from the last number; false if there is nothing new.
    async fn read(&mut self, client: &Client, admin: &str) -> Result<bool> {
        let url = format!("{admin}/changes?after={}&limit=500", self.last);
        let answer = client.get(url).send().await?;
        let lines = answer.error_for_status()?.text().await?;
        for line in lines.lines() {
            let change: Value = serde_json::from_str(line)?;
            let number = change["change"].as_u64().context("no number")?;
            ensure!(number == self.last + 1, "{number} comes after {}", self.last);
            self.last = number;
            let id = change["trackingId"].as_str().context("no id")?.to_owned();
            match (change["kind"].as_str(), serde_json::from_value(change["callback"].clone())?) {
                (Some("message" | "step"), Incoming::Status(callback)) => {
                    let before = self.messages.get(&id).map(|before| callback.status.progress_from(&before.status));
                    ensure!(before.is_none_or(|progress| progress == Progress::Advance), "{number}: {before:?}");
                    self.messages.insert(id, callback);
                }
                (Some("flow"), Incoming::Failover(flow)) => {
                    let before = self.flows.get(&id).map(|before| flow.progress_from(before));
                    ensure!(before.is_none_or(|progress| progress == Progress::Advance), "{number}: {before:?}");
                    self.flows.insert(id, flow);
                }
                (Some("reply"), Incoming::Inbound(_)) => drop(self.replied.insert(id)),
                _ => anyhow::bail!("what is {change}?"),
            }
        }
        Ok(!lines.is_empty())
    }

    /// The last status of each message.
    pub fn messages(&self) -> BTreeMap<String, String> {
        self.messages.iter().map(|(id, callback)| (id.clone(), callback.status.name.to_string())).collect()
    }

    /// The last status of each flow.
    pub fn flows(&self) -> BTreeMap<String, String> {
        self.flows.iter().map(|(id, flow)| (id.clone(), flow.status.to_string())).collect()
    }
}

/// Follows the changes of a receiver in the background.
pub struct Follower {
    following: JoinHandle<Result<Changes>>,
    is_last: Arc<AtomicBool>,
}

impl Follower {
    pub fn start(receiver: &Receiver) -> Self {
        let is_last = Arc::new(AtomicBool::new(false));
        let (admin, stop) = (receiver.admin.clone(), is_last.clone());
        let following = spawn(async move {
            let (client, mut changes) = (Client::new(), Changes::default());
            loop {
                let is_last = stop.load(Ordering::SeqCst);
                if !changes.read(&client, &admin).await? {
                    if is_last {
                        return Ok(changes);
                    }
                    sleep(Duration::from_millis(5)).await;
                }
            }
        });
        Self { following, is_last }
    }

    /// All changes, once nothing more happens.
    pub async fn finish(self) -> Result<Changes> {
        self.is_last.store(true, Ordering::SeqCst);
        self.following.await?
    }
}

/// The kinds of the changes of a message after a number, and the number of the last change.
async fn kinds(receiver: &Receiver, after: u64, id: &str) -> Result<(Vec<String>, u64)> {
    let (mut kinds, mut last) = (Vec::new(), after);
    for line in receiver.get(&format!("/changes?after={after}")).await?.lines() {
        let change: Value = serde_json::from_str(line)?;
        if change["trackingId"] == id {
            kinds.push(change["kind"].as_str().context("no kind")?.to_owned());
        }
        last = change["change"].as_u64().context("no number")?;
    }
    Ok((kinds, last))
}

#[tokio::test]
async fn a_message_is_a_step_from_the_first_delivery_that_says_so_on_postgresql() -> Result<()> {
    let (_directory, postgres, receiver) = serve_on_postgres(&[]).await?;
    let own = |id: &str, name: &str| format!(r#"{{"trackingId":"{id}","status":"{name}"}}"#);
    let step = |id: &str, name: &str| {
        let step = format!(r#"{{"type":"Viber","trackingId":"{id}","status":"{name}"}}"#);
        format!(r#"{{"trackingId":"flow of {id}","status":"InProgress","messages":[{step}]}}"#)
    };
    for (id, bodies, expected) in [
        ("no step", vec![own("no step", "QUEUED"), own("no step", "SEEN")], vec!["message", "message"]),
        ("at first", vec![step("at first", "QUEUED"), own("at first", "SEEN")], vec!["step", "step"]),
        (
            "it moves",
            vec![own("it moves", "QUEUED"), step("it moves", "DELIVERED"), own("it moves", "SEEN")],
            vec!["message", "step", "step"],
        ),
        (
            "it moves nothing",
            vec![
                own("it moves nothing", "DELIVERED"),
                step("it moves nothing", "QUEUED"),
                own("it moves nothing", "SEEN"),
            ],
            vec!["message", "step"],
        ),
    ] {
        for body in bodies {
            ensure!(receiver.post(body).await? == 200);
        }
        let (found, _) = kinds(&receiver, 0, id).await?;
        ensure!(found == expected, "{id}: {found:?}");
    }

    // What said so is purged.
    ensure!(receiver.post(step("purged", "QUEUED")).await? == 200);
    let (_, last) = kinds(&receiver, 0, "purged").await?;
    postgres.database.make_older_by_days(3).await?;
    ensure!(run(&postgres.database, &["purge", "--older-than=2d"]).await?.status.success());
    ensure!(receiver.ask(&format!("/changes?after={}", last - 1)).await?.status() == 410);
    ensure!(receiver.post(own("purged", "EXPIRED")).await? == 200);
    ensure!(kinds(&receiver, last, "purged").await?.0 == ["step"]);

    // It moves nothing, and cannot be kept yet, while its flow is there already.
    ensure!(receiver.post(own("kept later", "DELIVERED")).await? == 200);
    let (_, last) = kinds(&receiver, last, "kept later").await?;
    let holder = connect(&postgres.database.url()).await?;
    holder.batch_execute("BEGIN; LOCK TABLE no_change IN SHARE MODE").await?;
    ensure!(receiver.post(step("kept later", "QUEUED")).await? == 503);
    let seen = own("kept later", "SEEN");
    until("it is taken", async || Ok(receiver.post(seen.clone()).await? == 200)).await?;
    holder.batch_execute("ROLLBACK").await?;
    ensure!(kinds(&receiver, last, "flow of kept later").await?.0 == ["flow"]);
    ensure!(kinds(&receiver, last, "kept later").await?.0 == ["step"]);
    receiver.terminate().await
}
