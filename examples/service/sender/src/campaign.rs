//! What Routee knows of the messages and flows of a run: how far each has come, whether its callbacks arrived or not.
//!
//! A million messages take four megabytes.

use std::ops::RangeInclusive;
use std::sync::Mutex;

use chrono::{DateTime, TimeDelta, Utc};
use clap::ValueEnum;
use serde_json::{Value, json};

use crate::plan::{Make, Plan};

/// The most that a page has (inferred: Routee documents no limit).
const LARGEST_PAGE: usize = 1000;

pub struct Campaign {
    pub plan: Plan,
    /// How many of the newest messages come into the pages only while these are read.
    newcomers: u32,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// By the number of the message.
    messages: Vec<Progress>,
    pages_read: u32,
}

#[derive(Clone, Copy, Default)]
struct Progress {
    /// How many of its changes have happened.
    changes: u16,
    is_replied_to: bool,
    /// Whether it is the first step of a flow.
    is_of_flow: bool,
}

/// On which of its dates a search finds a flow. Routee's pages do not say.
#[derive(Clone, Copy, ValueEnum)]
pub enum FlowDate {
    CreatedAt,
    UpdatedAt,
}

/// What a page consists of.
enum Entry {
    Message(u32, Progress),
    Reply(u32),
    Flow(u32, Progress),
}

impl Campaign {
    pub fn new(plan: Plan, newcomers: u32) -> Self {
        Self { plan, newcomers, known: Mutex::default() }
    }

    /// That message comes as far as the callback tells that is made now.
    pub fn goes_on(&self, message: u32, make: Make) {
        let mut known = self.known.lock().unwrap();
        let place = message as usize;
        if known.messages.len() <= place {
            known.messages.resize(place + 1, Progress::default());
        }
        let progress = &mut known.messages[place];
        match make {
            Make::Callback(place) => {
                progress.is_of_flow = progress.is_of_flow || self.plan.is_of_flow(message);
                let changes = u16::try_from(place + 1).unwrap_or(u16::MAX);
                progress.changes = progress.changes.max(changes);
            }
            Make::Reply => progress.is_replied_to = true,
            Make::Malformed(_) | Make::Truncated(..) | Make::Foreign(_) => {}
        }
    }

    /// The message with that tracking id, as the tracking API answers it.
    pub fn message(&self, tracking_id: &str) -> Option<Value> {
        let message = self.plan.find(tracking_id)?;
        let progress = *self.known.lock().unwrap().messages.get(message as usize)?;
        self.tracked(message, progress)
    }

    /// The flow with that tracking id, as the failover tracking API answers it.
    pub fn flow(&self, tracking_id: &str) -> Option<Value> {
        let message = self.plan.find_flow(tracking_id)?;
        let progress = *self.known.lock().unwrap().messages.get(message as usize)?;
        self.tracked_flow(message, progress)
    }

    /// None if nothing has become of it yet.
    fn tracked_flow(&self, message: u32, progress: Progress) -> Option<Value> {
        let place = progress.changes.checked_sub(1)?;
        self.plan.tracked_flow(message, place.into())
    }

    /// None if nothing has become of it yet.
    fn tracked(&self, message: u32, progress: Progress) -> Option<Value> {
        let place = progress.changes.checked_sub(1)?;
        Some(self.plan.tracked(message, place.into()))
    }

    /// A page of the campaign, the newest first, as the tracking API answers it.
    pub fn page(&self, number: usize, size: usize) -> Value {
        let entries = self.visible().into_iter().flat_map(|(message, progress)| {
            let reply = progress.is_replied_to.then_some(Entry::Reply(message));
            let itself = (progress.changes > 0).then_some(Entry::Message(message, progress));
            [reply, itself].into_iter().flatten()
        });
        self.page_of(entries, number, size)
    }

    /// A page of the flows that have that date within the range, the newest first, as the failover tracking API answers
    /// it.
    pub fn flows(&self, date: FlowDate, range: &RangeInclusive<DateTime<Utc>>, number: usize, size: usize) -> Value {
        let entries = self.visible().into_iter().filter(|(_, progress)| progress.changes > 0 && progress.is_of_flow);
        let entries = entries.filter(|(message, progress)| {
            let created_at = self.plan.created_at(*message);
            range.contains(&match date {
                FlowDate::CreatedAt => created_at,
                // A change takes a second.
                FlowDate::UpdatedAt => created_at + TimeDelta::seconds(progress.changes.into()),
            })
        });
        self.page_of(entries.map(|(message, progress)| Entry::Flow(message, progress)), number, size)
    }

    fn page_of(&self, entries: impl Iterator<Item = Entry>, number: usize, size: usize) -> Value {
        let size = size.clamp(1, LARGEST_PAGE);
        let entries: Vec<_> = entries.collect();
        let total = entries.len();
        let content: Vec<_> = entries
            .into_iter()
            .skip(number.saturating_mul(size))
            .take(size)
            .filter_map(|entry| match entry {
                Entry::Message(message, progress) => self.tracked(message, progress),
                Entry::Reply(message) => Some(self.plan.tracked_reply(message)),
                Entry::Flow(message, progress) => self.tracked_flow(message, progress),
            })
            .collect();
        let pages = total.div_ceil(size);
        json!({
            "first": number == 0,
            "last": number.saturating_add(1) >= pages,
            "number": number,
            "numberOfElements": content.len(),
            "size": size,
            "totalElements": total,
            "totalPages": pages,
            "content": content,
        })
    }

    /// The messages that come into the next page, the newest first.
    fn visible(&self) -> Vec<(u32, Progress)> {
        let mut known = self.known.lock().unwrap();
        let hidden = self.newcomers.saturating_sub(known.pages_read);
        known.pages_read = known.pages_read.saturating_add(1);
        let visible = known.messages.len().saturating_sub(hidden as usize);
        (0..).zip(known.messages[..visible].iter().copied()).collect::<Vec<_>>().into_iter().rev().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{plan, plan_of_flows};

    /// A campaign whose messages have all come to their ends.
    fn campaign(messages: u32, share: f64, newcomers: u32) -> Campaign {
        let campaign = Campaign::new(plan(1, share), newcomers);
        for message in 0..messages {
            for post in (0..).map_while(|number| campaign.plan.post(message, number)) {
                campaign.goes_on(message, post.make);
            }
        }
        campaign
    }

    fn ids(page: &Value) -> Vec<String> {
        let content = page["content"].as_array().unwrap();
        content.iter().map(|entry| entry["trackingId"].as_str().unwrap().to_owned()).collect()
    }

    fn figures(page: &Value) -> Vec<u64> {
        ["number", "size", "numberOfElements", "totalElements", "totalPages"]
            .map(|key| page[key].as_u64().unwrap())
            .to_vec()
    }

    #[test]
    fn a_message_is_as_far_as_its_callbacks_have_told() {
        let campaign = Campaign::new(plan(1, 0.0), 0);
        let life: Vec<_> = (0..).map_while(|number| campaign.plan.post(0, number)).collect();
        assert!(life.len() > 1, "the first life is too short");
        let (id, last) = (&life[0].id, life.len() - 1);
        assert_eq!(campaign.message(id), None);
        campaign.goes_on(0, Make::Malformed(last));
        assert_eq!(campaign.message(id), None);
        assert_eq!(figures(&campaign.page(0, 10)), [0, 10, 0, 0, 0]);
        campaign.goes_on(0, Make::Callback(0));
        assert_eq!(campaign.message(id).unwrap()["status"]["status"], life[0].label);
        campaign.goes_on(0, Make::Callback(last));
        campaign.goes_on(0, Make::Callback(0));
        assert_eq!(campaign.message(id).unwrap()["status"]["status"], life[last].label);
        assert_eq!(campaign.page(0, 10)["content"][0], campaign.message(id).unwrap());
    }

    #[test]
    fn pages_have_all_messages_the_newest_first() {
        let campaign = campaign(5, 0.0, 0);
        let pages = [0, 1, 2, 3].map(|number| campaign.page(number, 2));
        assert_eq!(figures(&pages[0]), [0, 2, 2, 5, 3]);
        assert_eq!(figures(&pages[2]), [2, 2, 1, 5, 3]);
        assert_eq!(figures(&pages[3]), [3, 2, 0, 5, 3]);
        assert_eq!(pages.each_ref().map(|page| page["first"] == true), [true, false, false, false]);
        assert_eq!(pages.each_ref().map(|page| page["last"] == true), [false, false, true, true]);
        let expected: Vec<_> = (0..5).rev().map(|message| campaign.plan.post(message, 0).unwrap().id).collect();
        assert_eq!(pages.iter().flat_map(ids).collect::<Vec<_>>(), expected);
        assert_eq!(figures(&campaign.page(usize::MAX, 0)), [u64::MAX, 1, 0, 5, 5]);
        assert_eq!(figures(&campaign.page(0, usize::MAX)), [0, 1000, 5, 5, 1]);
    }

    #[test]
    fn a_reply_stands_before_its_message() {
        let campaign = campaign(2, 1.0, 0);
        let page = campaign.page(0, 10);
        let directions: Vec<_> = page["content"].as_array().unwrap().iter().map(|entry| &entry["direction"]).collect();
        assert_eq!(directions, ["Inbound", "Outbound", "Inbound", "Outbound"]);
    }

    #[test]
    fn a_search_finds_the_flows_of_a_time() {
        let campaign = Campaign::new(plan_of_flows(), 0);
        let mut expected = Vec::new();
        for message in 0..5 {
            let posts: Vec<_> = (0..).map_while(|number| campaign.plan.post(message, number)).collect();
            campaign.goes_on(message, posts[0].make);
            expected.insert(0, posts[0].id.clone());
        }
        let minute = |minute| DateTime::UNIX_EPOCH + TimeDelta::minutes(minute);
        let found = |date, from, to| ids(&campaign.flows(date, &(minute(from)..=minute(to)), 0, 10));
        assert_eq!(found(FlowDate::CreatedAt, 0, 4), expected);
        assert_eq!(found(FlowDate::CreatedAt, 1, 3), expected[1..4]);
        // The first change came a second later.
        assert_eq!(found(FlowDate::UpdatedAt, 1, 3), expected[2..4]);
        let page = campaign.flows(FlowDate::CreatedAt, &(minute(0)..=minute(4)), 1, 3);
        assert_eq!((figures(&page), ids(&page)), (vec![1, 3, 2, 5, 2], expected[3..].to_vec()));
        assert_eq!(
            campaign.flow(&expected[0]).as_ref(),
            Some(&campaign.flows(FlowDate::CreatedAt, &(minute(4)..=minute(4)), 0, 1)["content"][0])
        );
        assert_eq!((campaign.flow("nobody"), campaign.page(0, 10)["totalElements"].as_u64()), (None, Some(5)));
        // Messages that are no steps are no flows.
        let all = minute(-1)..=minute(1);
        assert_eq!(figures(&self::campaign(5, 0.0, 0).flows(FlowDate::CreatedAt, &all, 0, 10)), [0, 10, 0, 0, 0]);
    }

    #[test]
    fn newcomers_move_the_others() {
        let campaign = campaign(5, 0.0, 2);
        let all = ids(&self::campaign(5, 0.0, 0).page(0, 5));
        assert_eq!(ids(&campaign.page(0, 2)), all[2..4]);
        assert_eq!(ids(&campaign.page(1, 2)), all[3..5]);
        assert_eq!(ids(&campaign.page(2, 2)), all[4..5]);
        assert_eq!(ids(&campaign.page(0, 2)), all[0..2]);
    }
}
