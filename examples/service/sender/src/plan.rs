//! What is POSTed: messages, their lives and what goes wrong, all from a seed.
//!
//! A message is made again from the seed and its number whenever one of its callbacks is POSTed, so none is held.

use chrono::{DateTime, TimeDelta, Utc};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use routee_viber::{Incoming, StatusName};
use serde_json::Value;
use uuid::{Builder, Uuid};

use crate::bodies::{self, Flow, Message};

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
    /// Share of the messages that are sent as the first step of a failover flow
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Other kinds")]
    failover: f64,
    /// Share of the messages that the recipient replies to
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Other kinds")]
    replies: f64,
    /// Share of the callbacks that are preceded by a body that is not about Viber messages
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Other kinds")]
    foreign: f64,
    /// Share of the callbacks that are POSTed twice at once
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    duplicates: f64,
    /// Share of the callbacks that are POSTed after the one that should follow them
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    reorder: f64,
    /// Share of the callbacks and replies that are never POSTed, not even as a retry
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    lost: f64,
    /// Share of the failover flows none of whose callbacks is ever POSTed
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    lost_flows: f64,
    /// Share of the callbacks that are POSTed again as a retry although answered 200, as if the answer had been lost
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    late: f64,
    /// Share of the callbacks that are preceded by a copy that is not JSON
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    malformed: f64,
    /// Share of the callbacks that are preceded by a copy that ends too soon
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share, help_heading = "Faults")]
    truncated: f64,
}

pub fn share(text: &str) -> Result<f64, &'static str> {
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
    pub make: Make,
    pub fate: Fate,
    pub is_last: bool,
}

/// What becomes of a callback on its way.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Fate {
    pub is_lost: bool,
    pub is_twice: bool,
    /// The retry at which it comes again although it was answered.
    pub late: Option<u8>,
}

/// The same seed gives the same ids, lives and faults; the dates count from `start`, where each message is `apart` seconds
/// after the one before. An empty `life` is drawn.
pub struct Plan {
    seed: u64,
    life: Vec<StatusName>,
    shares: Shares,
    start: DateTime<Utc>,
    apart: u32,
    /// The campaign that all messages belong to.
    pub campaign_id: String,
}

/// What a callback of a message is made from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Make {
    /// The callback of this place in its life.
    Callback(usize),
    Malformed(usize),
    /// Only this share of it.
    Truncated(usize, f64),
    /// With a number for its kind.
    Foreign(u32),
    Reply,
}

/// What is drawn from a seed: each has random numbers of its own.
#[derive(Clone, Copy)]
pub enum Draw {
    Message(u32),
    Campaign,
    /// What goes wrong with that call of the API.
    Call(u64),
}

pub fn random(seed: u64, draw: Draw) -> StdRng {
    let (kind, number) = match draw {
        Draw::Message(number) => (0, number.into()),
        Draw::Campaign => (1, 0),
        Draw::Call(number) => (2, number),
    };
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    bytes[8..16].copy_from_slice(&number.to_le_bytes());
    bytes[16] = kind;
    StdRng::from_seed(bytes)
}

impl Plan {
    pub fn new(seed: u64, life: Vec<StatusName>, shares: Shares, start: DateTime<Utc>, apart: u32) -> Self {
        Self { seed, life, shares, start, apart, campaign_id: id(&mut random(seed, Draw::Campaign)) }
    }

    /// When that message was sent.
    pub fn created_at(&self, message: u32) -> DateTime<Utc> {
        self.start + TimeDelta::seconds(i64::from(self.apart) * i64::from(message))
    }

    fn message(&self, number: u32) -> (Message<'_>, StdRng) {
        let mut random = random(self.seed, Draw::Message(number));
        let drawn = LIVES.choose(&mut random).expect("there are lives");
        let message = Message {
            tracking_id: tracking_id(number, &mut random),
            campaign_id: &self.campaign_id,
            flow: random.random_bool(self.shares.failover).then(|| Flow {
                id: tracking_id(number, &mut random),
                has_call: random.random(),
                is_lost: random.random_bool(self.shares.lost_flows),
            }),
            recipient: format!("+3069{:08}", random.random_range(0..100_000_000)),
            life: if self.life.is_empty() { drawn } else { &self.life },
            created_at: self.created_at(number),
        };
        (message, random)
    }

    /// The callback of that number of the message of that number.
    pub fn post(&self, message: u32, number: u16) -> Option<Post<'_>> {
        let (message, mut random) = self.message(message);
        let posts = self.order(&mut random, &message);
        let &(make, fate) = posts.get(usize::from(number))?;
        let foreign_id = id(&mut random);

        let is_last = usize::from(number) + 1 == posts.len();
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
            _ => message.flow.map_or(message.tracking_id, |flow| flow.id),
        };
        let incoming = Incoming::from_slice(body.as_bytes());
        let idempotency_key = incoming.ok().and_then(|incoming| incoming.idempotency_key());
        Some(Post { label, id, idempotency_key, body, make, fate, is_last })
    }

    /// What is POSTed of a message, in which order, and how.
    fn order(&self, random: &mut StdRng, message: &Message<'_>) -> Vec<(Make, Fate)> {
        let Shares { replies, foreign, duplicates, reorder, lost, late, malformed, truncated, .. } = self.shares;
        let is_flow_lost = message.flow.as_ref().is_some_and(|flow| flow.is_lost);
        let mut groups = Vec::new();
        for place in 0..message.changes() {
            let mut group = Vec::new();
            if random.random_bool(foreign) {
                group.push((Make::Foreign(random.next_u32()), Fate::default()));
            }
            if random.random_bool(malformed) {
                group.push((Make::Malformed(place), Fate::default()));
            }
            if random.random_bool(truncated) {
                group.push((Make::Truncated(place, random.random()), Fate::default()));
            }
            let fate = Fate {
                is_lost: random.random_bool(lost) || is_flow_lost,
                late: random.random_bool(late).then(|| random.random_range(LATE)),
                is_twice: random.random_bool(duplicates),
            };
            group.push((Make::Callback(place), fate));
            groups.push(group);
        }
        for index in 1..groups.len() {
            if random.random_bool(reorder) {
                groups.swap(index - 1, index);
            }
        }
        if random.random_bool(replies) {
            let fate = Fate { is_lost: random.random_bool(lost), is_twice: random.random_bool(duplicates), late: None };
            groups.push(vec![(Make::Reply, fate)]);
        }
        groups.concat()
    }

    /// Which message has that tracking id, if any.
    pub fn find(&self, tracking_id: &str) -> Option<u32> {
        let number = number(Uuid::parse_str(tracking_id).ok()?);
        (self.message(number).0.tracking_id == tracking_id).then_some(number)
    }

    /// Of which message that is the flow, if of any.
    pub fn find_flow(&self, flow_id: &str) -> Option<u32> {
        let number = number(Uuid::parse_str(flow_id).ok()?);
        self.message(number).0.flow.is_some_and(|flow| flow.id == flow_id).then_some(number)
    }

    /// Whether that message is the first step of a flow.
    pub fn is_of_flow(&self, message: u32) -> bool {
        self.message(message).0.flow.is_some()
    }

    /// What the failover tracking API answers about the flow of that message after the change of that place.
    pub fn tracked_flow(&self, message: u32, place: usize) -> Option<Value> {
        self.message(message).0.tracked_flow(place)
    }

    /// What the tracking API answers about that message after the change of that place.
    pub fn tracked(&self, message: u32, place: usize) -> Value {
        self.message(message).0.tracked(place)
    }

    /// The reply to that message as it stands in a page of the tracking API, with an id of its own.
    pub fn tracked_reply(&self, message: u32) -> Value {
        let (message, mut random) = self.message(message);
        message.tracked_reply(&id(&mut random))
    }
}

fn id(random: &mut StdRng) -> String {
    Builder::from_random_bytes(random.random()).into_uuid().to_string()
}

/// An id from which `number` reads the number of the message. Its bits are reversed, so that the ids of messages
/// that follow each other lie far apart, as random ones do.
fn tracking_id(number: u32, random: &mut StdRng) -> String {
    let mut bytes: [u8; 16] = random.random();
    bytes[..4].copy_from_slice(&number.reverse_bits().to_be_bytes());
    Builder::from_random_bytes(bytes).into_uuid().to_string()
}

fn number(tracking_id: Uuid) -> u32 {
    tracking_id.as_fields().0.reverse_bits()
}

/// At the boundary of a character, so that the record can have it as text.
fn cut(mut body: String, share: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_precision_loss, clippy::cast_sign_loss)]
    let end = (body.len() as f64 * share) as usize;
    body.truncate(body.floor_char_boundary(end));
    body
}

#[cfg(test)]
pub mod tests {
    use routee_viber::{FailoverCallback, TrackedMessage, ViberCallback};
    use serde_json::json;

    use super::*;

    /// Everything that is a share has this one.
    pub fn plan(seed: u64, share: f64) -> Plan {
        let shares = Shares {
            failover: share,
            replies: share,
            foreign: share,
            duplicates: share,
            reorder: share,
            lost: share,
            lost_flows: share,
            late: share,
            malformed: share,
            truncated: share,
        };
        Plan::new(seed, Vec::new(), shares, DateTime::UNIX_EPOCH, 0)
    }

    /// Every message is the first step of a flow, a minute after the one before.
    pub fn plan_of_flows() -> Plan {
        let shares = Shares { failover: 1.0, ..plan(1, 0.0).shares };
        Plan::new(1, Vec::new(), shares, DateTime::UNIX_EPOCH, 60)
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

    #[test]
    fn a_message_is_found_by_its_tracking_id() {
        let (plan, other) = (plan(7, 0.0), plan(8, 0.0));
        for number in [0, 1, 2, 999_999, u32::MAX] {
            let tracking_id = plan.message(number).0.tracking_id;
            assert_eq!(plan.find(&tracking_id), Some(number), "{tracking_id}");
            assert_eq!(plan.find(&tracking_id.to_uppercase()), None);
        }
        for unknown in ["", "nobody", "00000000-0000-4000-8000-000000000000", &plan.campaign_id] {
            assert_eq!(plan.find(unknown), None, "{unknown}");
        }
        assert_eq!(plan.find(&other.message(3).0.tracking_id), None);
    }

    #[test]
    fn the_tracking_api_says_what_the_callbacks_say() {
        for plan in [plan(1, 0.0), plan(1, 1.0)] {
            for number in 0..200 {
                let (message, _) = plan.message(number);
                for place in 0..message.life.len() {
                    let tracked: TrackedMessage = serde_json::from_value(plan.tracked(number, place)).unwrap();
                    assert_eq!(tracked.anomalies(), []);
                    assert_eq!(tracked.campaign_tracking_id.as_ref(), Some(&plan.campaign_id));
                    let tracked = ViberCallback::from(tracked);
                    assert_eq!(tracked.status.name, message.life[place]);
                    let Ok(Incoming::Status(callback)) = Incoming::from_slice(message.body(place).as_bytes()) else {
                        continue;
                    };
                    assert_eq!(tracked.idempotency_key(), callback.idempotency_key());
                    assert_eq!(tracked.status, callback.status);
                    assert_eq!(tracked.body, callback.body);
                    assert_eq!((tracked.ttl, tracked.price), (callback.ttl, callback.price));
                    assert_eq!((tracked.to, tracked.from), (callback.to, callback.from));
                }
            }
        }
    }

    #[test]
    fn the_failover_tracking_api_says_what_the_callbacks_say() {
        let plan = plan_of_flows();
        let mut steps = [0; 4];
        for number in 0..200 {
            let (message, _) = plan.message(number);
            assert_eq!(plan.find_flow(&message.flow.as_ref().unwrap().id), Some(number));
            assert_eq!(plan.find_flow(&message.tracking_id), None);
            for place in 0..message.changes() {
                let tracked = plan.tracked_flow(number, place).unwrap();
                assert_eq!(tracked["originatingService"], "failover");
                let tracked: FailoverCallback = serde_json::from_value(tracked).unwrap();
                let callback: FailoverCallback = message.body(place).parse().unwrap();
                assert_eq!((tracked.idempotency_key(), tracked.rank()), (callback.idempotency_key(), callback.rank()));
                assert_eq!(tracked, callback);
                assert_eq!(tracked.created_at, Some(DateTime::UNIX_EPOCH + TimeDelta::minutes(number.into())));
                if place + 1 == message.changes() {
                    steps[tracked.messages.len()] += 1;
                }
            }
        }
        assert!(steps[0] == 0 && steps[1..].iter().all(|count| *count > 20), "{steps:?}");
    }

    #[test]
    fn a_flow_that_follows_a_failure_has_steps_with_lives_of_their_own() {
        let shares = Shares { failover: 1.0, ..plan(1, 0.0).shares };
        let plan = Plan::new(1, vec![StatusName::Failed], shares, DateTime::UNIX_EPOCH, 0);
        let number = (0..100).find(|number| plan.message(*number).0.flow.unwrap().has_call).unwrap();
        let steps = |place| {
            let flow = plan.tracked_flow(number, place)?;
            let steps = flow["messages"].as_array().unwrap().iter();
            let steps: Vec<_> = steps
                .map(|step| format!("{} {}", step["type"].as_str().unwrap(), step["status"]["name"].as_str().unwrap()))
                .collect();
            Some(format!("{}: {}", flow["status"].as_str().unwrap(), steps.join(", ")))
        };
        assert_eq!(
            (0..5).map_while(steps).collect::<Vec<_>>(),
            [
                "InProgress: Viber FAILED",
                "InProgress: Viber FAILED, Sms QUEUED",
                "InProgress: Viber FAILED, Sms UNDELIVERED",
                "InProgress: Viber FAILED, Sms UNDELIVERED, Voice QUEUED",
                "Succeeded: Viber FAILED, Sms UNDELIVERED, Voice DELIVERED",
            ]
        );
    }

    #[test]
    fn a_share_of_the_flows_is_lost_altogether() {
        let shares = Shares { failover: 0.5, lost_flows: 0.1, ..plan(1, 0.0).shares };
        let plan = Plan::new(1, Vec::new(), shares, DateTime::UNIX_EPOCH, 0);
        let lost = |message| posts(&plan, message).iter().map(|post| post.fate.is_lost).collect::<Vec<_>>();
        let all: Vec<_> = (0..2000).map(lost).collect();
        assert!(all.iter().all(|lost| lost.iter().all(|is_lost| *is_lost == lost[0])));
        let count = all.iter().filter(|lost| lost[0]).count();
        assert!((70..130).contains(&count), "{count}");
    }

    #[test]
    fn the_sms_of_a_flow_changes_nothing_of_its_message() {
        let shares = Shares { failover: 1.0, ..plan(1, 0.0).shares };
        let plan = Plan::new(1, vec![StatusName::Expired], shares, DateTime::UNIX_EPOCH, 0);
        assert!(plan.message(0).0.changes() >= 3);
        assert_eq!(plan.tracked(0, 2), plan.tracked(0, 0));
    }

    #[test]
    fn what_is_lost_is_a_share_of_the_callbacks_and_replies() {
        let shares = Shares { lost: 0.1, ..plan(1, 0.0).shares };
        let plan = Plan::new(1, Vec::new(), shares, DateTime::UNIX_EPOCH, 0);
        let posts: Vec<_> = (0..2000).flat_map(|message| posts(&plan, message)).collect();
        let lost = posts.iter().filter(|post| post.fate.is_lost).count();
        assert!((posts.len() / 12..posts.len() / 8).contains(&lost), "{lost} of {}", posts.len());
    }

    #[test]
    fn a_tracked_message_has_the_shape_of_the_tracking_pages() {
        let plan = Plan::new(1, vec![StatusName::Undelivered], plan(1, 0.0).shares, DateTime::UNIX_EPOCH, 0);
        let (message, _) = plan.message(0);
        let expected = json!({
            "trackingId": message.tracking_id,
            "campaignTrackingId": plan.campaign_id,
            "campaign": "spring",
            "groups": [],
            "to": message.recipient,
            "from": "Routeetest",
            "country": "GR",
            "status": {
                "status": "UNDELIVERED",
                "date": "1970-01-01T00:00:01Z",
                "reason": { "detailedStatus": "Not Viber User" },
            },
            "applicationName": "shop",
            "originatingService": "Viber",
            "direction": "Outbound",
            "ttl": "3600",
            "message": "Άνοιξη! 20% off until Sunday 🌷",
            "price": 0.035,
            "sessionMessage": false,
            "expireOnDelivery": false,
        });
        assert_eq!(plan.tracked(0, 0), expected);
        let reply = plan.tracked_reply(0);
        let expected = json!({
            "trackingId": reply["trackingId"],
            "campaignTrackingId": plan.campaign_id,
            "campaign": "spring",
            "groups": [],
            "to": "Routeetest",
            "from": message.recipient,
            "status": { "status": "DELIVERED", "date": "1970-01-01T00:00:02Z" },
            "originatingService": "Viber",
            "direction": "Inbound",
            "message": "Ευχαριστώ! 🌷",
        });
        assert_eq!(reply, expected);
        assert_ne!(reply["trackingId"], message.tracking_id);
    }
}
