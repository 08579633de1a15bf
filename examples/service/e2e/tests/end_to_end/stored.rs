//! What the receiver made of it, straight from its database.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, ensure};
use routee_viber::Incoming;
use tokio::process::Command;

use crate::database::{Database, bytes};
use crate::processes::binary;
use crate::sent::Sent;

pub struct Stored {
    /// The name of each message's status.
    pub messages: BTreeMap<String, String>,
    pub flows: BTreeMap<String, String>,
    /// The idempotency keys of callbacks and replies.
    pub keys: BTreeSet<String>,
    /// The bodies that could not be read.
    pub unreadable: BTreeSet<String>,
    /// The bodies that are not about Viber messages.
    pub other: BTreeSet<String>,
}

impl Stored {
    /// The database has to be as `receiver check` expects it, its tallies included.
    pub async fn read(database: &Database) -> Result<Self> {
        let mut check = Command::new(binary("receiver").await?);
        let check = check.args(["check", "--database-url", &database.url()]).output().await?;
        let said = [check.stdout, check.stderr].map(|said| String::from_utf8_lossy(&said).into_owned()).concat();
        ensure!(check.status.success(), "{said}");
        let bodies = async |table| {
            let rows = database.rows(&format!("SELECT body FROM {table}")).await?;
            rows.iter().map(|row| Ok(String::from_utf8_lossy(&bytes(&row[0])?).into_owned())).collect::<Result<_>>()
        };
        let names = async |table| {
            let rows = database.rows(&format!("SELECT tracking_id, status_name FROM {table}")).await?;
            anyhow::Ok(rows.into_iter().map(|row| (row[0].clone(), row[1].clone())).collect())
        };
        let deliveries = database.rows("SELECT body FROM history WHERE kind <> 'step'").await?;
        let key = |body: &str| {
            let key = Incoming::from_slice(&bytes(body)?)?.idempotency_key();
            key.context("a delivery without a key")
        };
        Ok(Self {
            messages: names("message").await?,
            flows: names("flow").await?,
            keys: deliveries.concat().iter().map(|body| key(body)).collect::<Result<_>>()?,
            unreadable: bodies("unreadable").await?,
            other: bodies("other").await?,
        })
    }

    /// Everything that was sent is there, each message and each flow has its last status, and nothing else is there.
    pub fn is_what_was(&self, sent: &Sent) -> Result<()> {
        same("messages", self.messages.iter(), sent.messages.iter())?;
        same("flows", self.flows.iter(), sent.flows.iter())?;
        same("keys", self.keys.iter(), sent.keys.iter())?;
        same("bodies", self.unreadable.union(&self.other), sent.bodies.iter())
    }
}

/// Whether what is there is what was sent.
pub fn same<T: Ord + std::fmt::Debug>(
    what: &str,
    stored: impl Iterator<Item = T>,
    sent: impl Iterator<Item = T>,
) -> Result<()> {
    let (stored, sent): (BTreeSet<T>, BTreeSet<T>) = (stored.collect(), sent.collect());
    let first = |of: &BTreeSet<T>, but: &BTreeSet<T>| of.difference(but).next().map(|one| format!("{one:?}"));
    let (missing, extra) = (first(&sent, &stored), first(&stored, &sent));
    ensure!(missing.is_none(), "of {} {what} sent {missing:?} is missing, and {extra:?} is there", sent.len());
    ensure!(extra.is_none(), "{extra:?} of {} {what} was not sent", stored.len());
    Ok(())
}
