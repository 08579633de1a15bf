//! What Routee lists page by page: the messages of a campaign, and the flows that a search finds.
//!
//! Entries move from page to page while they are read, so that one may be missed. So pages are read again until nothing
//! is missing; `campaign` and `flows` say when that is. What was found, and which page comes next, is in the database.

use std::sync::Arc;

use anyhow::Result;
use axum::body::Bytes;
use chrono::Utc;
use routee_viber::TrackingPage;

use crate::entry::{Entry, fault_of_id};
use crate::reconcile::due::{self, Due};
use crate::reconcile::reconciler::{Found, Reconciler};
use crate::reconcile::routee::Answer;
use crate::reconcile::run::Run;
use crate::reconcile::subject::{Listing, Subject};

/// How often the same pages are read at most. Like the next number, it is our own choice.
pub const MOST_READINGS: u32 = 10;

/// The most pages of one reading, whatever Routee says.
const MOST_PAGES: u32 = 100_000;

/// Why a page goes to `unreadable` although it can be read.
const NO_PAGE: &str = "the tracking API answered with what is not a page";

/// What a reading has learned.
#[derive(Default)]
pub struct Learned {
    /// Routee does not know what was asked for.
    pub is_unknown: bool,
    /// How many entries there are.
    pub total: Option<u64>,
    pages: Option<u64>,
    /// A page could not be asked for or read.
    pub is_broken: bool,
    /// It began with a later page, after what another process has read.
    is_rest: bool,
    pages_read: u32,
    /// How many entries no page before had. Flows that were created since the run began do not count: they come one after
    /// the other for ever.
    new: u64,
}

/// An entry of a page.
struct Listed {
    /// If it could be read.
    id: Option<String>,
    is_created_since: bool,
    entry: Entry,
}

impl Reconciler {
    /// Reads from the page where the run is to the last one.
    pub(super) async fn reading(&mut self, listing: &Listing, run: &mut Run) -> Result<Learned> {
        let mut learned = Learned { is_rest: run.page > 0, ..Learned::default() };
        let routee = self.routee.clone();
        while run.page < MOST_PAGES {
            let stop = self.stop.clone();
            let answer = tokio::select! {
                answer = routee.page(listing, run.page) => answer,
                () = stop.cancelled() => break,
            };
            learned.pages_read += 1;
            let is_last = match answer {
                Ok(Answer::Found(body)) => {
                    self.busy_in_a_row = 0;
                    self.page(body, listing, run, &mut learned).await?
                }
                // From the second page on: there are fewer pages than there were.
                Ok(Answer::Unknown) => {
                    learned.is_unknown = run.page == 0;
                    true
                }
                Err(error) => {
                    self.go_on_after(error, &format!("page {}", run.page))?;
                    learned.is_broken = true;
                    self.turn_page(run, Vec::new()).await?;
                    learned.is_through(run.page)
                }
            };
            if is_last {
                break;
            }
        }
        Ok(learned)
    }

    /// Commits a page; returns whether it is the last one.
    async fn page(&mut self, body: Bytes, listing: &Listing, run: &mut Run, learned: &mut Learned) -> Result<bool> {
        let page = match TrackingPage::from_slice(&body).map_err(|error| error.to_string()) {
            Ok(page) if is_page(&page) => page,
            other => {
                learned.is_broken = true;
                let entry = Entry::unreadable(body, Utc::now(), &other.err().unwrap_or_else(|| NO_PAGE.to_owned()));
                self.turn_page(run, vec![Found { entry: Arc::new(entry), due: None, is_first: true }]).await?;
                return Ok(learned.is_through(run.page));
            }
        };
        learned.total = page.total_elements.or(learned.total);
        learned.pages = page.total_pages.or(learned.pages);
        self.bar.set_length(learned.total.unwrap_or_default());
        self.bar.inc(page.content.len() as u64);

        let listed = listed(&page, listing.subject(), run);
        let ids: Vec<_> = listed.iter().filter_map(|listed| listed.id.clone()).collect();
        let mut asked = due::asked_before(&*self.store, &ids, listing.subject(), run).await?;
        let mut found = Vec::new();
        for Listed { id, is_created_since, entry } in listed {
            // An id that no database takes cannot be remembered.
            let Some(tracking_id) = id.filter(|id| fault_of_id(id).is_none()) else {
                run.unreadable += 1;
                found.push(Found { entry: Arc::new(entry), due: None, is_first: run.reading == 0 });
                continue;
            };
            let due = || Due { tracking_id: tracking_id.clone(), times: 0, subject: Some(listing.subject()) };
            let (due, was_found) = asked.get(&tracking_id).cloned().unwrap_or_else(|| (due(), false));
            // It may stand on the page twice.
            asked.insert(tracking_id, (due.clone(), true));
            learned.new += u64::from(!was_found && !is_created_since);
            found.push(Found { entry: Arc::new(entry), due: Some(due), is_first: !was_found });
        }
        self.turn_page(run, found).await?;
        Ok(page.content.is_empty() || learned.pages.map_or(page.last == Some(true), |_| learned.is_through(run.page)))
    }

    /// Commits what was on the page, and that the next page comes next.
    async fn turn_page(&mut self, run: &mut Run, found: Vec<Found>) -> Result<()> {
        run.page += 1;
        self.commit(found, Some(run), vec![run.saved()]).await
    }
}

/// An object of another kind, such as an error, is read as an empty page.
fn is_page(page: &TrackingPage) -> bool {
    let figures = [page.number, page.size, page.number_of_elements, page.total_elements, page.total_pages];
    !page.content.is_empty() || page.extra.is_empty() || figures.iter().any(Option::is_some) || page.last.is_some()
}

fn listed(page: &TrackingPage, subject: Subject, run: &Run) -> Vec<Listed> {
    let bodies = page.content.iter().map(|content| Bytes::from(content.to_string()));
    match subject {
        Subject::Message => page
            .messages()
            .zip(bodies)
            .map(|(message, body)| {
                let id = message.as_ref().ok().map(|message| message.tracking_id.clone());
                Listed { id, is_created_since: false, entry: Entry::tracked(message, body, Utc::now()) }
            })
            .collect(),
        Subject::Flow => page
            .flows()
            .zip(bodies)
            .map(|(flow, body)| {
                let created_at = flow.as_ref().ok().and_then(|flow| flow.created_at);
                let is_created_since = created_at.is_some_and(|at| at.timestamp_millis() >= run.started_at);
                Listed {
                    id: flow.ok().map(|flow| flow.tracking_id),
                    is_created_since,
                    entry: Entry::tracked_flow(body, Utc::now()),
                }
            })
            .collect(),
    }
}

impl Learned {
    /// Whether the page of that number would be behind the last one.
    fn is_through(&self, page: u32) -> bool {
        self.pages.is_none_or(|pages| u64::from(page) >= pages)
    }

    /// Whether nothing can have been missed because entries moved: all of them stood on one page, or there was none that
    /// no page before had.
    pub const fn is_at_rest(&self) -> bool {
        !self.is_broken && !self.is_rest && (self.pages_read == 1 || self.new == 0)
    }
}
