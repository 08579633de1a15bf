//! What is POSTed: messages, their lives and what goes wrong, all from a seed.
//!
//! A message is made again from the seed and its number whenever one of its callbacks is POSTed, so none is held.

use chrono::{DateTime, Utc};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use routee_viber::{Incoming, StatusName};

use crate::bodies::{self, Message};

/// Lives of a message that the meanings of the statuses allow (inferred: Routee documents no order).
/// With the option `expireOnDelivery` a delivered message may expire.
const LIVES: [&[StatusName]; 8] = [
    &[StatusName::Queued, StatusName::Delivered, StatusName::Seen],
    &[StatusName::Delivered, StatusName::Seen],
    &[StatusName::Queued, StatusName::Delivered],
    &[StatusName::Delivered, StatusName::Expired],
    &[StatusName::Queued, StatusName::Undelivered],
    &[StatusName::Queued, StatusName::Expired],
    &[StatusName::Failed],
    &[StatusName::Unsent],
];

/// The retries at which a late callback may come again.
const LATE: std::ops::RangeInclusive<u8> = 1..=8;

/// What else is POSTed, and how much goes wrong. Each is a share, 0 to 1.
#[derive(Args)]
pub struct Shares {
    /// Of the messages, sent as the first step of a failover flow
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Other kinds")]
    failover: f64,
    /// Of the messages, replied to by their recipient
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Other kinds")]
    replies: f64,
    /// Of the callbacks, preceded by a body that is not about Viber messages
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Other kinds")]
    foreign: f64,
    /// Of the callbacks, POSTed twice at once
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    duplicates: f64,
    /// Of the callbacks, POSTed after the one that should come after it
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    reorder: f64,
    /// Of the callbacks, POSTed again as a retry although answered 200, as if the answer had got lost
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    late: f64,
    /// Of the callbacks, preceded by a copy that is not JSON
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    malformed: f64,
    /// Of the callbacks, preceded by a copy that ends too soon
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    truncated: f64,
}

fn share(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 1"),
    }
}

/// One callback to be POSTed.
#[derive(Debug, PartialEq)]
pub struct Post<'a> {
    /// What it is in the closing table.
    pub label: &'a str,
    /// The id of what it is about, or was before it was broken.
    pub id: String,
    /// None if it is broken or of another kind.
    pub idempotency_key: Option<String>,
    pub body: String,
    pub is_twice: bool,
    /// The retry at which it comes again although it was answered.
    pub late: Option<u8>,
    pub is_last: bool,
}

/// Of the same seed come the same ids, lives and faults; the dates are those of `now`. An empty `life` is drawn.
pub struct Plan {
    seed: u64,
    life: Vec<StatusName>,
    shares: Shares,
    now: DateTime<Utc>,
}

/// What a callback of a message is made from.
#[derive(Clone, Copy)]
enum Make {
    /// The callback of this place in its life.
    Callback(usize),
    Malformed(usize),
    /// Only this share of it.
    Truncated(usize, f64),
    /// With a number for its kind.
    Foreign(u32),
    Reply,
}

impl Plan {
    pub fn new(seed: u64, life: Vec<StatusName>, shares: Shares, now: DateTime<Utc>) -> Self {
        Self { seed, life, shares, now }
    }

    /// The callback of that number of the message of that number.
    pub fn post(&self, message: u32, number: u16) -> Option<Post<'_>> {
        let mut seed = [0; 32];
        seed[..8].copy_from_slice(&self.seed.to_le_bytes());
        seed[8..12].copy_from_slice(&message.to_le_bytes());
        let mut random = StdRng::from_seed(seed);

        let life = if self.life.is_empty() { *LIVES.choose(&mut random)? } else { &self.life };
        let message = Message {
            tracking_id: id(&mut random),
            flow_id: random.random_bool(self.shares.failover).then(|| id(&mut random)),
            recipient: format!("+3069{:08}", random.random_range(0..100_000_000)),
            life,
            created_at: self.now,
        };
        let makes = self.order(&mut random, message.changes());
        let &(make, is_twice, late) = makes.get(usize::from(number))?;
        let foreign_id = id(&mut random);

        let is_last = usize::from(number) + 1 == makes.len();
        let callback = |place| (message.label(place), message.body(place));
        let (label, body) = match make {
            Make::Callback(place) => callback(place),
            Make::Malformed(place) => ("(malformed)", callback(place).1.replace(':', "")),
            Make::Truncated(place, share) => ("(truncated)", cut(callback(place).1, share)),
            Make::Foreign(number) => ("(other kind)", bodies::foreign(number, &foreign_id)),
            Make::Reply => ("reply", message.reply()),
        };
        let id = match make {
            Make::Foreign(_) => foreign_id,
            _ => message.flow_id.unwrap_or(message.tracking_id),
        };
        let incoming = Incoming::from_slice(body.as_bytes());
        let idempotency_key = incoming.ok().and_then(|incoming| incoming.idempotency_key());
        Some(Post { label, id, idempotency_key, body, is_twice, late, is_last })
    }

    /// What is POSTed of a message with so many changes, in which order, whether twice at once, and at which retry
    /// again.
    fn order(&self, random: &mut StdRng, changes: usize) -> Vec<(Make, bool, Option<u8>)> {
        let Shares { replies, foreign, duplicates, reorder, late, malformed, truncated, .. } = self.shares;
        let mut groups = Vec::new();
        for place in 0..changes {
            let mut group = Vec::new();
            if random.random_bool(foreign) {
                group.push((Make::Foreign(random.next_u32()), false, None));
            }
            if random.random_bool(malformed) {
                group.push((Make::Malformed(place), false, None));
            }
            if random.random_bool(truncated) {
                group.push((Make::Truncated(place, random.random()), false, None));
            }
            let late = random.random_bool(late).then(|| random.random_range(LATE));
            group.push((Make::Callback(place), random.random_bool(duplicates), late));
            groups.push(group);
        }
        for index in 1..groups.len() {
            if random.random_bool(reorder) {
                groups.swap(index - 1, index);
            }
        }
        if random.random_bool(replies) {
            groups.push(vec![(Make::Reply, random.random_bool(duplicates), None)]);
        }
        groups.concat()
    }
}

fn id(random: &mut StdRng) -> String {
    uuid::Builder::from_random_bytes(random.random()).into_uuid().to_string()
}

/// At the boundary of a character, so that the record can have it as text.
fn cut(mut body: String, share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let end = (body.len() as f64 * share) as usize;
    body.truncate(body.floor_char_boundary(end));
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(seed: u64, share: f64) -> Plan {
        let shares = Shares {
            failover: share,
            replies: share,
            foreign: share,
            duplicates: share,
            reorder: share,
            late: share,
            malformed: share,
            truncated: share,
        };
        Plan::new(seed, Vec::new(), shares, DateTime::UNIX_EPOCH)
    }

    /// All that is POSTed of that message.
    fn posts(plan: &Plan, message: u32) -> Vec<Post<'_>> {
        (0..).map_while(|number| plan.post(message, number)).collect()
    }

    #[test]
    fn one_seed_makes_one_plan() {
        assert_eq!(posts(&plan(7, 0.5), 3), posts(&plan(7, 0.5), 3));
        assert_ne!(posts(&plan(7, 0.5), 3), posts(&plan(7, 0.5), 4));
        assert_ne!(posts(&plan(7, 0.5), 3), posts(&plan(8, 0.5), 3));
        assert_ne!(posts(&plan(7, 0.5), 3), posts(&plan(8, 0.5), 2));
    }

    #[test]
    fn the_last_of_a_message_is_marked() {
        for message in 0..100 {
            let plan = plan(1, 0.5);
            let posts = posts(&plan, message);
            let marks: Vec<_> = posts.iter().map(|post| post.is_last).collect();
            let mut expected = vec![false; posts.len()];
            expected[posts.len() - 1] = true;
            assert_eq!(marks, expected);
        }
    }

    #[test]
    fn every_body_is_of_the_kind_that_its_label_says() {
        let plans = [plan(1, 0.0), plan(1, 0.5), plan(1, 1.0)];
        let all = plans.iter().flat_map(|plan| (0..200).flat_map(|message| posts(plan, message)));
        for post in all {
            let incoming = Incoming::from_slice(post.body.as_bytes());
            let is_right = match post.label {
                "(malformed)" | "(truncated)" => incoming.is_err(),
                "(other kind)" => matches!(incoming, Ok(Incoming::Other(_))),
                "failover" => matches!(incoming, Ok(Incoming::Failover(_))),
                "reply" => matches!(incoming, Ok(Incoming::Inbound(_))),
                name => matches!(incoming, Ok(Incoming::Status(callback)) if callback.status.name == name),
            };
            assert!(is_right, "{post:?}");
        }
    }

    #[test]
    fn what_is_asked_for_is_well_formed() {
        let plan = plan(1, 1.0);
        for post in (0..200).flat_map(|message| posts(&plan, message)) {
            if let Ok(incoming) = Incoming::from_slice(post.body.as_bytes())
                && !matches!(incoming, Incoming::Other(_))
            {
                assert_eq!(incoming.anomalies(), [], "{}", post.body);
            }
        }
    }
}
