//! What is POSTed: messages, their lives and the faults asked for, all from a seed.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Args;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use routee_viber::{
    Body, DetailedStatus, Direction, OriginatingService, Reason, Status, StatusName, Ttl, ViberCallback,
};

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

/// How much goes wrong. Each is a share of the callbacks, 0 to 1.
#[derive(Args)]
pub struct Faults {
    /// POSTed twice at once
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    duplicates: f64,
    /// POSTed after the callback that should come after it
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    reorder: f64,
    /// POSTed again as a retry although answered 200, as if the answer had got lost
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    late: f64,
    /// Preceded by a copy that is not JSON
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    malformed: f64,
    /// Preceded by a copy that ends too soon
    #[arg(long, value_name = "SHARE", default_value_t = 0.0, value_parser = share)]
    truncated: f64,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if (0.0..=1.0).contains(&share) => Ok(share),
        _ => Err("not a number from 0 to 1".to_owned()),
    }
}

/// One callback to be POSTed.
pub struct Post {
    /// What it is in the closing table.
    pub label: String,
    /// None where the body is broken.
    pub idempotency_key: Option<String>,
    pub body: Vec<u8>,
    pub is_twice: bool,
    /// The retry at which it comes again although it was answered.
    pub late: Option<u8>,
}

/// Makes the callbacks of each message, in the order in which they are POSTed. An empty `life` is
/// drawn. Of one seed come the same ids, lives and faults; the dates are those of `now`.
pub fn plan(seed: u64, messages: usize, life: &[StatusName], faults: &Faults, now: DateTime<Utc>) -> Vec<Vec<Post>> {
    let mut random = StdRng::seed_from_u64(seed);
    (0..messages).map(|_| message(&mut random, life, faults, now)).collect()
}

fn message(random: &mut StdRng, life: &[StatusName], faults: &Faults, now: DateTime<Utc>) -> Vec<Post> {
    let life = if life.is_empty() { *LIVES.choose(random).expect("it has lives") } else { life };
    let tracking_id = uuid::Builder::from_random_bytes(random.random()).into_uuid().to_string();
    let mut callback = ViberCallback::new(tracking_id, StatusName::Queued);
    callback.to = Some(format!("+3069{:08}", random.random_range(0..100_000_000)));
    callback.from = Some("Routeetest".to_owned());
    callback.country = Some("GR".to_owned());
    let mut body = Body::default();
    body.text = Some("Άνοιξη! 20% off until Sunday 🌷".to_owned());
    callback.body = Some(body);
    callback.ttl = Some(Ttl::from_secs(3600).expect("an hour is in the range"));
    callback.label = Some("spring".to_owned());
    callback.application_name = Some("shop".to_owned());
    callback.price = Some(0.035);
    callback.direction = Some(Direction::Outbound);
    callback.originating_service = Some(OriginatingService::Viber);
    callback.created_at = Some(now);

    let mut groups = Vec::new();
    for (seconds, name) in (1..).zip(life) {
        callback.status = status(name, now + Duration::from_secs(seconds));
        let whole = serde_json::to_vec(&callback).expect("a callback is JSON");
        let mut posts = Vec::new();
        if random.random_bool(faults.malformed) {
            posts.push(Post::broken("(malformed)", whole.iter().filter(|byte| **byte != b':').copied().collect()));
        }
        if random.random_bool(faults.truncated) {
            let end = random.random_range(0..whole.len());
            posts.push(Post::broken("(truncated)", whole[..end].to_vec()));
        }
        posts.push(Post {
            label: name.to_string(),
            idempotency_key: Some(callback.idempotency_key()),
            body: whole,
            is_twice: random.random_bool(faults.duplicates),
            late: random.random_bool(faults.late).then(|| random.random_range(LATE)),
        });
        groups.push(posts);
    }
    for index in 1..groups.len() {
        if random.random_bool(faults.reorder) {
            groups.swap(index - 1, index);
        }
    }
    groups.into_iter().flatten().collect()
}

/// A status with a reason. Which reason comes with which status is inferred from the words.
fn status(name: &StatusName, updated_date: DateTime<Utc>) -> Status {
    let mut status = Status::new(name.clone());
    status.updated_date = Some(updated_date);
    let detailed_status = match name {
        StatusName::Undelivered => Some(DetailedStatus::NotViberUser),
        StatusName::Expired => Some(DetailedStatus::TtlExpired),
        _ => None,
    };
    status.reason = detailed_status.map(|detailed_status| {
        let mut reason = Reason::default();
        reason.detailed_status = Some(detailed_status);
        reason
    });
    status
}

impl Post {
    fn broken(label: &str, body: Vec<u8>) -> Self {
        Self { label: label.to_owned(), idempotency_key: None, body, is_twice: false, late: None }
    }
}
