//! A batch as rows of each table, and what a commit did with them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use chrono::DateTime;

use crate::entry::{Content, Delivery, Entry, Flow, Kind, Message, Reply, State};

/// The rows of a batch. Those of a table are sorted, so that all receivers lock them in the same order.
/// Of several states of one message only the highest is left, since a statement can change a row only once.
pub struct BatchRows<'a> {
    pub deliveries: Vec<(&'a Entry, &'a Delivery)>,
    pub messages: Vec<(&'a Entry, &'a Delivery, &'a Message)>,
    /// The ids of those messages that are steps of flows, as one of the deliveries says.
    pub steps: HashSet<&'a str>,
    pub flows: Vec<(&'a Entry, &'a Delivery, &'a Flow)>,
    pub replies: Vec<(&'a Entry, &'a Delivery, &'a Reply)>,
    /// Digest, what it is, entry.
    pub others: Vec<(String, &'a str, &'a Entry)>,
    /// Digest, reason, entry.
    pub unreadable: Vec<(String, &'a str, &'a Entry)>,
}

impl<'a> BatchRows<'a> {
    pub fn of(entries: &'a [Arc<Entry>]) -> Self {
        let mut deliveries: Vec<_> = entries
            .iter()
            .flat_map(|entry| entry.deliveries().iter().map(move |delivery| (&**entry, delivery)))
            .collect();
        deliveries.sort_by(|(_, one), (_, other)| (&one.tracking_id, &one.key).cmp(&(&other.tracking_id, &other.key)));
        let is_step = |(_, delivery): &&(_, &Delivery)| delivery.kind == Kind::Step;
        let steps = deliveries.iter().filter(is_step).map(|(_, delivery)| &*delivery.tracking_id).collect();
        let (mut messages, mut flows, mut replies) = (Vec::new(), Vec::new(), Vec::new());
        for &(entry, delivery) in &deliveries {
            match &delivery.state {
                State::Message(message) => push_highest(&mut messages, (entry, delivery, message), |state| &state.rank),
                State::Flow(flow) => push_highest(&mut flows, (entry, delivery, flow), |state| &state.rank),
                State::Reply(reply) => replies.push((entry, delivery, reply)),
            }
        }
        replies.sort_by(|(_, one, _), (_, other, _)| one.key.cmp(&other.key));
        replies.dedup_by(|(_, one, _), (_, other, _)| one.key == other.key);
        let (mut others, mut unreadable) = (HashMap::new(), HashMap::new());
        for entry in entries {
            match &entry.content {
                Content::Deliveries(_) => {}
                Content::Other(what) => drop(others.insert(entry.digest(), (what.as_str(), &**entry))),
                Content::Unreadable(reason) => drop(unreadable.insert(entry.digest(), (reason.as_str(), &**entry))),
            }
        }
        Self { deliveries, messages, steps, flows, replies, others: sorted(others), unreadable: sorted(unreadable) }
    }

    /// How many rows of each kind are given; none of them is added yet.
    pub fn counts(&self) -> RowCounts {
        let mut counts = RowCounts::default();
        for (_, delivery) in &self.deliveries {
            counts.of(delivery.kind).given += 1;
        }
        counts.of(Kind::Other).given = self.others.len() as u64;
        counts.of(Kind::Unreadable).given = self.unreadable.len() as u64;
        counts
    }
}

/// Adds a state, or replaces the last one if that is a lower one of the same id.
fn push_highest<'a, S>(
    states: &mut Vec<(&'a Entry, &'a Delivery, &'a S)>,
    state: (&'a Entry, &'a Delivery, &'a S),
    rank: impl Fn(&S) -> &str,
) {
    match states.last_mut() {
        Some(last) if last.1.tracking_id == state.1.tracking_id => {
            if rank(state.2) > rank(last.2) {
                *last = state;
            }
        }
        _ => states.push(state),
    }
}

fn sorted<'a>(rows: HashMap<String, (&'a str, &'a Entry)>) -> Vec<(String, &'a str, &'a Entry)> {
    let mut rows: Vec<_> = rows.into_iter().map(|(digest, (what, entry))| (digest, what, entry)).collect();
    rows.sort_by(|(one, ..), (other, ..)| one.cmp(other));
    rows
}

/// What a commit did with the rows of each kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCounts([RowCount; Kind::ALL.len()]);

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RowCount {
    pub given: u64,
    /// Those that were not there before.
    pub added: u64,
    /// Those whose key was there with other bytes, and which are kept beside the first one.
    pub variants: u64,
    /// Those that changed the state of something.
    pub advanced: u64,
}

impl RowCounts {
    pub fn of(&mut self, kind: Kind) -> &mut RowCount {
        &mut self.0[kind as usize]
    }

    pub fn add(&mut self, more: &Self) {
        for (count, more) in self.0.iter_mut().zip(more.0) {
            count.given += more.given;
            count.added += more.added;
            count.variants += more.variants;
            count.advanced += more.advanced;
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (Kind, RowCount)> {
        Kind::ALL.into_iter().zip(self.0)
    }
}

/// One entry of each kind, which every database with our tables takes. Their ids are used for nothing else: a row that
/// is there already would prove nothing.
pub fn canaries() -> Vec<Arc<Entry>> {
    const STATUS: &str = r#"{"trackingId":"receiver canary","status":"SEEN"}"#;
    const FLOW: &str = r#"{"trackingId":"receiver canary","status":"Succeeded","messages":[
        {"type":"Viber","trackingId":"receiver canary","status":"SEEN"}]}"#;
    const REPLY: &str = r#"{"from":"1","message":"receiver canary","sentDate":"1970-01-01T00:00:00Z"}"#;
    const OTHER: &str = r#"{"receiver":"canary"}"#;
    [STATUS, FLOW, REPLY, OTHER, "receiver canary"]
        .map(|body| Arc::new(Entry::read(body.into(), DateTime::UNIX_EPOCH)))
        .into()
}
