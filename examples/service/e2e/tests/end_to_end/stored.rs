//! What the receiver made of it, straight from its database.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use serde_json::Value;
use sqlx::any::install_default_drivers;
use sqlx::{AnyConnection, Connection as _, query_as, query_scalar};

use crate::processes::until;
use crate::sent::Sent;

pub struct Stored {
    /// The name of each message's status.
    pub messages: BTreeMap<String, String>,
    pub unreadable: i64,
    /// Tracking id, idempotency key, verdict and status, in the order in which they were processed.
    history: Vec<(String, String, String, String)>,
}

impl Stored {
    /// How many bodies are stored, processed or not.
    pub async fn count(database: &str) -> Result<i64> {
        install_default_drivers();
        let mut connection = AnyConnection::connect(database).await?;
        let count = "SELECT (SELECT count(*) FROM inbox) + (SELECT count(*) FROM history)";
        Ok(query_scalar(count).fetch_one(&mut connection).await?)
    }

    /// Waits until nothing is left to be processed.
    pub async fn when_processed(database: &str) -> Result<Self> {
        install_default_drivers();
        let mut connection = AnyConnection::connect(database).await?;
        until("all is processed", async || {
            let waiting: i64 = query_scalar("SELECT count(*) FROM inbox").fetch_one(&mut connection).await?;
            Ok(waiting == 0)
        })
        .await?;
        let messages: Vec<(String, String)> =
            query_as("SELECT tracking_id, status_name FROM message").fetch_all(&mut connection).await?;
        let history = query_as("SELECT tracking_id, idempotency_key, verdict, status FROM history ORDER BY id");
        let unreadable = query_scalar("SELECT count(*) FROM unreadable");
        Ok(Self {
            messages: messages.into_iter().collect(),
            unreadable: unreadable.fetch_one(&mut connection).await?,
            history: history.fetch_all(&mut connection).await?,
        })
    }

    /// Every callback is there once and has been applied once, and every message has its last status.
    pub fn is_what_was(&self, sent: &Sent) -> Result<()> {
        let wrong = sent.last.iter().find(|(id, status)| self.messages.get(*id) != Some(status));
        ensure!(wrong.is_none(), "{wrong:?} is {:?}", wrong.map(|(id, _)| self.messages.get(id)));
        ensure!(self.messages.len() == sent.last.len(), "messages that nobody sent");

        let mut keys: Vec<_> = self.history.iter().map(|(_, key, ..)| key).collect();
        keys.sort();
        ensure!(keys.into_iter().eq(&sent.keys), "the history is not what was sent, once each");

        let mut applied = BTreeMap::new();
        for (id, _, verdict, status) in &self.history {
            if verdict == "Advance" {
                let status: Value = serde_json::from_str(status)?;
                applied.insert(id, status["name"].as_str().unwrap_or_default().to_owned());
            }
        }
        ensure!(applied.into_iter().eq(self.messages.iter().map(|(id, name)| (id, name.clone()))));
        ensure!(self.unreadable == sent.broken, "{} unreadable, {} sent", self.unreadable, sent.broken);
        Ok(())
    }
}
