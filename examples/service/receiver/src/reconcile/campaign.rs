//! The pages of a campaign.
//!
//! Entries move from page to page while they are read, so that one may be missed. So the campaign is read again until
//! as many messages were found as it has, or until a reading finds nothing new if it does not say how many. What was
//! found, and which page comes next, is in the database.

use std::sync::Arc;

use anyhow::{Result, bail};
use axum::body::Bytes;
use chrono::Utc;
use routee_viber::TrackingPage;
use tracing::warn;

use crate::entry::{Entry, fault_of_id};
use crate::reconcile::due::{self, Due};
use crate::reconcile::reconciler::{Found, Reconciler};
use crate::reconcile::routee::Answer;
use crate::reconcile::run::Run;

/// How often a campaign is read at most. Like the next number, it is our own choice.
const MOST_READINGS: u32 = 10;

/// The most pages of one reading, whatever Routee says.
const MOST_PAGES: u32 = 100_000;

/// What a reading has learned.
#[derive(Default)]
struct Learned {
    /// How many messages the campaign has.
    total: Option<u64>,
    pages: Option<u64>,
    /// A page could not be asked for or read.
    is_broken: bool,
}

impl Reconciler {
    /// Reads the pages until everything was found.
    pub(super) async fn campaign(&mut self, id: &str) -> Result<()> {
        let mut run = self.begin(&format!("campaign {id}")).await?;
        let mut found_before = None;
        loop {
            let learned = self.reading(id, &mut run).await?;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            let found = run.found(&*self.store).await? + u64::from(run.unreadable);
            let missing = match learned.total {
                Some(total) => total.saturating_sub(found),
                // How many there are is unknown, but as long as a reading finds more, there may be others.
                None => u64::from(found_before != Some(found)),
            };
            let missing = missing.max(u64::from(learned.is_broken));
            if missing == 0 {
                break;
            }
            if run.reading + 1 >= MOST_READINGS {
                warn!("after {MOST_READINGS} readings, at least {missing} messages of the campaign were on no page");
                self.tally.failed = self.tally.failed.saturating_add(missing);
                break;
            }
            found_before = Some(found);
            run = Run { page: 0, reading: run.reading + 1, unreadable: 0, ..run };
            self.store.execute(vec![run.saved()]).await?;
        }
        run.end(&*self.store).await?;
        Ok(())
    }

    /// Reads from the page where the run is to the last one.
    async fn reading(&mut self, id: &str, run: &mut Run) -> Result<Learned> {
        let mut learned = Learned::default();
        let routee = self.routee.clone();
        while run.page < MOST_PAGES {
            let stop = self.stop.clone();
            let answer = tokio::select! {
                answer = routee.page(id, run.page.into()) => answer,
                () = stop.cancelled() => break,
            };
            let is_last = match answer {
                Ok(Answer::Found(body)) => {
                    self.busy_in_a_row = 0;
                    self.page(body, run, &mut learned).await?
                }
                Ok(Answer::Unknown) if run.page == 0 => {
                    run.end(&*self.store).await?;
                    bail!("Routee does not know this campaign");
                }
                // The campaign has fewer pages than it had.
                Ok(Answer::Unknown) => true,
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
    async fn page(&mut self, body: Bytes, run: &mut Run, learned: &mut Learned) -> Result<bool> {
        let page = match TrackingPage::from_slice(&body) {
            Ok(page) => page,
            Err(error) => {
                learned.is_broken = true;
                let entry = Arc::new(Entry::tracked(Err(error), body, Utc::now()));
                self.turn_page(run, vec![Found { entry, due: None }]).await?;
                return Ok(learned.is_through(run.page));
            }
        };
        learned.total = page.total_elements.or(learned.total);
        learned.pages = page.total_pages.or(learned.pages);
        self.bar.set_length(learned.total.unwrap_or_default());
        self.bar.inc(page.content.len() as u64);

        let messages: Vec<_> = page.messages().collect();
        let ids: Vec<_> = messages.iter().flatten().map(|message| message.tracking_id.clone()).collect();
        let times = due::times(&*self.store, &ids).await?;
        let found = messages.into_iter().zip(&page.content).map(|(message, content)| {
            let due = message.as_ref().ok().map(|message| Due {
                tracking_id: message.tracking_id.clone(),
                times: times.get(&message.tracking_id).copied().unwrap_or_default(),
            });
            let entry = Entry::tracked(message, content.to_string().into(), Utc::now());
            // An id that no database takes cannot be remembered.
            let due = due.filter(|due| fault_of_id(&due.tracking_id).is_none());
            Found { entry: Arc::new(entry), due }
        });
        let found: Vec<_> = found.collect();
        run.unreadable += found.iter().map(|found| u32::from(found.due.is_none())).sum::<u32>();
        self.turn_page(run, found).await?;
        Ok(page.content.is_empty() || learned.pages.map_or(page.last == Some(true), |_| learned.is_through(run.page)))
    }

    /// Commits what was on the page, and that the next page comes next.
    async fn turn_page(&mut self, run: &mut Run, found: Vec<Found>) -> Result<()> {
        run.page += 1;
        self.commit(found, Some(run), vec![run.saved()]).await
    }
}

impl Learned {
    /// Whether the page of that number would be behind the last one.
    fn is_through(&self, page: u32) -> bool {
        self.pages.is_none_or(|pages| u64::from(page) >= pages)
    }
}
