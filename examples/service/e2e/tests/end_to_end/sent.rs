//! What the sender did, from its own record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

#[derive(Default)]
pub struct Sent {
    /// The last status of each message's life, which is the one it has to end in, whether it was told by a callback of
    /// its own or by one of its flow, or was lost.
    pub messages: BTreeMap<String, String>,
    /// The last status of each flow.
    pub flows: BTreeMap<String, String>,
    /// The key of the last update of each flow, which says how each of its steps has ended.
    pub last_of_flows: BTreeMap<String, Value>,
    /// Of the messages that are steps: their flows.
    pub flow_of: BTreeMap<String, String>,
    /// The idempotency keys of all callbacks and replies.
    pub keys: BTreeSet<String>,
    /// The bodies that have no key: broken ones and those of other kinds.
    pub bodies: BTreeSet<String>,
    pub attempts: Vec<Attempt>,
    /// How many callbacks and replies were never POSTed.
    pub lost: usize,
    newest: BTreeMap<String, DateTime<Utc>>,
}

pub struct Attempt {
    pub number: u64,
    pub begin: DateTime<Utc>,
    pub took: TimeDelta,
    /// None if it was not answered within two seconds; `error` says why.
    pub code: Option<u64>,
    pub error: Option<String>,
}

impl Sent {
    pub fn read(record: &Path) -> Result<Self> {
        let mut sent = Self::default();
        for line in fs::read_to_string(record)?.lines() {
            let attempt: Value = serde_json::from_str(line)?;
            if attempt["call"].is_string() {
                continue;
            }
            if attempt["lost"] == true {
                let key = attempt["key"].as_str().context("no key")?;
                sent.tells(attempt["label"].as_str().context("no label")?, serde_json::from_str(key)?)?;
                sent.lost += 1;
                continue;
            }
            ensure!(attempt["id"].as_str().is_some_and(|id| !id.is_empty()), "no id: {line}");
            let begin = attempt["at"].as_i64().context("no time")?;
            sent.attempts.push(Attempt {
                number: attempt["attempt"].as_u64().context("no number")?,
                begin: DateTime::from_timestamp_millis(begin).context("no time")?,
                took: TimeDelta::milliseconds(attempt["millis"].as_i64().context("no duration")?),
                code: attempt["code"].as_u64(),
                error: attempt["error"].as_str().map(ToOwned::to_owned),
            });
            match attempt["key"].as_str() {
                Some(key) if sent.keys.insert(key.to_owned()) => {
                    sent.tells(attempt["label"].as_str().context("no label")?, serde_json::from_str(key)?)?;
                }
                Some(_) => {}
                None => drop(sent.bodies.insert(attempt["body"].as_str().context("no body")?.to_owned())),
            }
        }
        Ok(sent)
    }

    /// What a callback with that key tells of a message or a flow and its steps.
    fn tells(&mut self, label: &str, key: Vec<Value>) -> Result<()> {
        match label {
            "reply" => Ok(()),
            "failover" => {
                let all = Value::from(key.clone());
                let mut key = key.into_iter();
                let flow: Vec<_> = key.by_ref().take(3).collect();
                let id = flow[0].as_str().context("no id")?;
                if Self::newer(&mut self.newest, &mut self.flows, &flow[0], &flow[1], &flow[2])? {
                    self.last_of_flows.insert(id.to_owned(), all);
                }
                for step in key.filter(|step| step[0].is_string()) {
                    self.flow_of.insert(step[0].as_str().context("no id")?.to_owned(), id.to_owned());
                    Self::newer(&mut self.newest, &mut self.messages, &step[0], &step[3], &step[4])?;
                }
                Ok(())
            }
            _ => Self::newer(&mut self.newest, &mut self.messages, &key[0], &key[1], &key[2]).map(drop),
        }
    }

    /// Whether it is newer than what was told before.
    fn newer(
        newest: &mut BTreeMap<String, DateTime<Utc>>,
        last: &mut BTreeMap<String, String>,
        id: &Value,
        name: &Value,
        date: &Value,
    ) -> Result<bool> {
        let id = id.as_str().context("no id")?;
        let date: DateTime<Utc> = date.as_str().context("no date")?.parse()?;
        let is_newer = newest.get(id).is_none_or(|newest| date > *newest);
        if is_newer {
            newest.insert(id.to_owned(), date);
            last.insert(id.to_owned(), name.as_str().context("no name")?.to_owned());
        }
        Ok(is_newer)
    }

    /// What both have sent, of messages and flows their statuses alone.
    pub fn and(mut self, other: Self) -> Self {
        for (id, date) in other.newest {
            if self.newest.get(&id).is_none_or(|newest| date > *newest) {
                for (last, from) in [(&mut self.messages, &other.messages), (&mut self.flows, &other.flows)] {
                    last.extend(from.get_key_value(&id).map(|(id, name)| (id.clone(), name.clone())));
                }
                self.newest.insert(id, date);
            }
        }
        self.keys.extend(other.keys);
        self.bodies.extend(other.bodies);
        self.attempts.extend(other.attempts);
        self.lost += other.lost;
        self
    }

    /// Those of messages, and those of flows.
    pub fn all_ids(&self) -> Vec<&str> {
        self.messages.keys().chain(self.flows.keys()).map(String::as_str).collect()
    }

    /// Whether every attempt was answered 200.
    pub fn all_answered_200(&self) -> bool {
        self.attempts.iter().all(|attempt| attempt.code == Some(200))
    }

    pub fn answered_200_between(&self, begin: DateTime<Utc>, end: DateTime<Utc>) -> usize {
        let answered = self.attempts.iter().filter(|attempt| attempt.code == Some(200));
        answered.filter(|attempt| (begin..end).contains(&(attempt.begin + attempt.took))).count()
    }

    /// How many attempts had no answer within two seconds.
    pub fn unanswered(&self) -> usize {
        self.attempts.iter().filter(|attempt| attempt.code.is_none()).count()
    }
}
