//! The bodies: of a message or its flow after each change, of a reply, and of other kinds.

use std::time::Duration;

use chrono::{DateTime, Utc};
use routee_viber::{
    Body, Channel, DetailedStatus, Direction, FailoverCallback, FailoverStatus, FailoverStep, InboundMessage,
    OriginatingService, Reason, Status, StatusName, Ttl, ViberCallback,
};
use serde::Serialize;
use serde_json::{Value, json};

const TEXT: &str = "Άνοιξη! 20% off until Sunday 🌷";

const CAMPAIGN: &str = "spring";

pub struct Message<'a> {
    pub tracking_id: String,
    pub campaign_id: &'a str,
    /// The failover flow whose first step it is.
    pub flow: Option<Flow>,
    pub recipient: String,
    pub life: &'a [StatusName],
    pub created_at: DateTime<Utc>,
}

pub struct Flow {
    pub id: String,
    /// Whether an SMS is not delivered either, so that a call follows.
    pub has_call: bool,
    /// Whether none of its callbacks is POSTed.
    pub is_lost: bool,
}

impl<'a> Message<'a> {
    /// How many callbacks tell of it.
    pub fn changes(&self) -> usize {
        self.steps().iter().map(|(_, life)| life.len()).sum()
    }

    /// The message itself and what follows in its flow if it was not delivered, each with its life.
    fn steps(&self) -> Vec<(Channel, &'a [StatusName])> {
        const DELIVERED: &[StatusName] = &[StatusName::Queued, StatusName::Delivered];
        const UNDELIVERED: &[StatusName] = &[StatusName::Queued, StatusName::Undelivered];
        let mut steps = vec![(Channel::Viber, self.life)];
        if let (Some(flow), Some(last)) = (&self.flow, self.life.last())
            && last.is_failure()
        {
            steps.push((Channel::Sms, if flow.has_call { UNDELIVERED } else { DELIVERED }));
            steps.extend(flow.has_call.then_some((Channel::Voice, DELIVERED)));
        }
        steps
    }

    pub fn label(&self, change: usize) -> &'a str {
        match &self.flow {
            Some(_) => "failover",
            None => self.life[change].as_str(),
        }
    }

    /// What is POSTed after that change.
    pub fn body(&self, change: usize) -> String {
        match &self.flow {
            Some(flow) => json(&self.flow(flow, change)),
            None => json(&self.callback(change)),
        }
    }

    /// What the failover tracking API answers after that change, if it is of a flow.
    pub fn tracked_flow(&self, change: usize) -> Option<Value> {
        let mut flow = json!(self.flow(self.flow.as_ref()?, change));
        flow["originatingService"] = "failover".into();
        Some(flow)
    }

    fn changed_at(&self, change: usize) -> DateTime<Utc> {
        (0..=change).fold(self.created_at, |at, _| at + Duration::from_secs(1))
    }

    fn callback(&self, change: usize) -> ViberCallback {
        let mut callback = ViberCallback::new(self.tracking_id.as_str(), StatusName::Queued);
        callback.campaign_tracking_id = Some(self.campaign_id.to_owned());
        callback.to = Some(self.recipient.clone());
        callback.from = Some("Routeetest".to_owned());
        callback.country = Some("GR".to_owned());
        callback.status = status(&self.life[change], self.changed_at(change));
        callback.body = Some(text());
        callback.ttl = Some(Ttl::from_secs(3600).expect("an hour is in the range"));
        callback.label = Some(CAMPAIGN.to_owned());
        callback.application_name = Some("shop".to_owned());
        callback.price = Some(0.035);
        callback.direction = Some(Direction::Outbound);
        callback.originating_service = Some(OriginatingService::Viber);
        callback.created_at = Some(self.created_at);
        callback
    }

    fn flow(&self, Flow { id, .. }: &Flow, change: usize) -> FailoverCallback {
        let is_last = change + 1 == self.changes();
        let status = if is_last { FailoverStatus::Succeeded } else { FailoverStatus::InProgress };
        let mut flow = FailoverCallback::new(id, status);
        flow.originating_service = Some(OriginatingService::Failover);
        flow.created_at = Some(self.created_at);
        flow.updated_at = Some(self.changed_at(change));

        let (mut before, mut begun_at) = (0, self.created_at);
        for ((channel, life), order) in self.steps().into_iter().zip(1..) {
            if change < before {
                break;
            }
            let place = (change - before).min(life.len() - 1);
            let at = self.changed_at(before + place);
            let mut step = self.step(channel.clone(), order, &life[place], begun_at, at);
            match channel {
                Channel::Viber => {
                    step.tracking_id = Some(self.tracking_id.clone());
                    step.failover_on_statuses = vec![StatusName::Expired, StatusName::Undelivered, StatusName::Failed];
                }
                channel => step.message_id = Some(format!("{}-{}", channel.as_str().to_lowercase(), self.tracking_id)),
            }
            flow.messages.push(step);
            (before, begun_at) = (before + life.len(), at);
        }
        if is_last {
            flow.termination_channel = flow.messages.last().and_then(|step| step.channel.clone());
        }
        flow
    }

    fn step(
        &self,
        channel: Channel,
        order: u32,
        name: &StatusName,
        created_at: DateTime<Utc>,
        at: DateTime<Utc>,
    ) -> FailoverStep {
        let mut step = FailoverStep::default();
        step.channel = Some(channel);
        step.order = Some(order);
        step.to = Some(self.recipient.clone());
        step.from = Some("Routeetest".to_owned());
        step.country = Some("GR".to_owned());
        step.ttl_minutes = Some(10.0);
        step.status = Some(status(name, at));
        step.created_at = Some(created_at);
        step.body = Some(text());
        step
    }

    /// What the recipient writes back.
    pub fn reply(&self) -> String {
        json(&self.inbound())
    }

    fn inbound(&self) -> InboundMessage {
        let mut reply = InboundMessage::new(self.recipient.as_str());
        reply.to = Some("Routeetest".to_owned());
        reply.message = Some("Ευχαριστώ! 🌷".to_owned());
        reply.sent_date = Some(self.changed_at(self.changes()));
        reply.campaign_name = Some(CAMPAIGN.to_owned());
        reply.campaign_tracking_id = Some(self.campaign_id.to_owned());
        reply.reference_tracking_id = Some(self.tracking_id.clone());
        reply.direction = Some(Direction::Inbound);
        reply
    }

    /// What the tracking API answers after that change: of a flow, what became of its Viber step.
    pub fn tracked(&self, change: usize) -> Value {
        let callback = json!(self.callback(change.min(self.life.len() - 1)));
        let mut status = json!({ "status": callback["status"]["name"], "date": callback["status"]["updatedDate"] });
        if let Some(reason) = callback["status"].get("reason") {
            status["reason"] = reason.clone();
        }
        json!({
            "trackingId": callback["trackingId"],
            "campaignTrackingId": callback["campaignTrackingId"],
            "campaign": CAMPAIGN,
            "groups": [],
            "to": callback["to"],
            "from": callback["from"],
            "country": callback["country"],
            "status": status,
            "applicationName": callback["applicationName"],
            "originatingService": callback["originatingService"],
            "direction": callback["direction"],
            "ttl": callback["ttl"].to_string(),
            "message": callback["body"]["text"],
            "price": callback["price"],
            "sessionMessage": false,
            "expireOnDelivery": self.life.ends_with(&[StatusName::Delivered, StatusName::Expired]),
        })
    }

    /// The reply in a page of the tracking API. That replies are there, and with which status, is inferred from their
    /// `direction`.
    pub fn tracked_reply(&self, tracking_id: &str) -> Value {
        let reply = json!(self.inbound());
        json!({
            "trackingId": tracking_id,
            "campaignTrackingId": reply["campaignTrackingId"],
            "campaign": CAMPAIGN,
            "groups": [],
            "to": reply["to"],
            "from": reply["from"],
            "status": { "status": "DELIVERED", "date": reply["sentDate"] },
            "originatingService": "Viber",
            "direction": reply["direction"],
            "message": reply["message"],
        })
    }
}

fn text() -> Body {
    let mut body = Body::default();
    body.text = Some(TEXT.to_owned());
    body
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

/// A body that is not about Viber messages, of one of the kinds that may arrive at the same URL.
pub fn foreign(number: u32, id: &str) -> String {
    let date = "2019-07-05T10:28:49Z";
    let body = match number % 5 {
        0 => json!({ "messageId": id, "status": { "name": "Delivered", "updatedDate": date }, "parts": 1 }),
        1 => json!({ "trackingId": id, "campaignStatus": "Finished", "messageStatuses": { "Delivered": 2 } }),
        2 => json!({ "trackingId": id, "status": { "name": "delivered", "dateTime": 1_562_322_529, "final": true } }),
        3 => json!({ "flowId": id, "status": "Succeeded", "steps": [{ "channel": "viber", "status": "EXPIRED" }] }),
        _ => json!({ "applicationId": id, "trackingId": id, "recipient": "+306912345678", "status": "Verified" }),
    };
    body.to_string()
}

fn json(body: &impl Serialize) -> String {
    serde_json::to_string(body).expect("a body is JSON")
}
