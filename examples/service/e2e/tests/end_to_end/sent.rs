//! What the sender did, from its own record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

#[derive(Default)]
pub struct Sent {
    /// The last status of each message's life, which is the one it has to end in.
    pub last: BTreeMap<String, String>,
    /// The idempotency keys of all callbacks.
    pub keys: BTreeSet<String>,
    /// How many broken bodies were answered 200.
    pub broken: i64,
    pub attempts: Vec<Attempt>,
}

pub struct Attempt {
    pub number: u64,
    pub begin: DateTime<Utc>,
    pub took: TimeDelta,
    /// None where it was not answered within two seconds.
    pub code: Option<u64>,
}

impl Sent {
    pub fn read(record: &Path) -> Result<Self> {
        let mut sent = Self::default();
        let mut newest = BTreeMap::<String, DateTime<Utc>>::new();
        for line in fs::read_to_string(record)?.lines() {
            let attempt: Value = serde_json::from_str(line)?;
            let code = attempt["code"].as_u64();
            let begin = attempt["at"].as_i64().context("no time")?;
            let took = attempt["millis"].as_i64().context("no duration")?;
            sent.attempts.push(Attempt {
                number: attempt["attempt"].as_u64().context("no number")?,
                begin: DateTime::from_timestamp_millis(begin).context("no time")?,
                took: TimeDelta::milliseconds(took),
                code,
            });
            let Some(key) = attempt["key"].as_str() else {
                sent.broken += i64::from(code == Some(200));
                continue;
            };
            let (id, status, date): (String, String, DateTime<Utc>) = serde_json::from_str(key)?;
            if newest.get(&id).is_none_or(|newest| date > *newest) {
                newest.insert(id.clone(), date);
                sent.last.insert(id, status);
            }
            sent.keys.insert(key.to_owned());
        }
        Ok(sent)
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
