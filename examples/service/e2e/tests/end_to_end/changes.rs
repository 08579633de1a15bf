//! A consumer of `/changes`, which remembers one number.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use reqwest::Client;
use serde_json::Value;
use tokio::task::{JoinHandle, spawn};
use tokio::time::sleep;

use crate::processes::Receiver;

/// What the changes say, each state after the one before it.
#[derive(Default)]
pub struct Changes {
    pub messages: BTreeMap<String, String>,
    pub flows: BTreeMap<String, String>,
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
            let status = &change["callback"]["status"];
            let name = |status: &Value| Ok::<_, anyhow::Error>(status.as_str().context("no status")?.to_owned());
            match change["kind"].as_str() {
                Some("message") => drop(self.messages.insert(id, name(&status["name"])?)),
                Some("flow") => drop(self.flows.insert(id, name(status)?)),
                Some("reply") => drop(self.replied.insert(id)),
                kind => anyhow::bail!("{kind:?} has changed"),
            }
        }
        Ok(!lines.is_empty())
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
