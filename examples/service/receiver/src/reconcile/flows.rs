//! The flows of a range of time, known or not: the one search by time that Routee has.
//!
//! The range is read window by window, from the past to now, so that a flow that changes meanwhile moves to a window that
//! is still to come. A window is read again until a reading finds nothing new, unless one page has all of it. One that does
//! not come to rest is halved.

use anyhow::Result;
use chrono::{DateTime, Utc};
use tracing::warn;

use crate::reconcile::pages::MOST_READINGS;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::run::Run;
use crate::reconcile::subject::Listing;
use crate::reconcile::window::Window;

/// How often a window is read before it is halved. It is our own choice.
const READINGS: u32 = 3;

impl Reconciler {
    /// Reads everything between the two dates; without the second one, up to when the run began.
    pub(super) async fn flows(&mut self, since: DateTime<Utc>, until: Option<DateTime<Utc>>) -> Result<()> {
        let end = until.map_or_else(|| "now".to_owned(), |until| format!("{until:?}"));
        let mut run = self.begin(&format!("flows since {since:?} until {end}")).await?;
        let began_at = DateTime::from_timestamp_millis(run.started_at).unwrap_or_default();
        let range = Window::around(since, until.unwrap_or(began_at));
        loop {
            let window = run.window.unwrap_or(range);
            let learned = self.reading(&Listing::Flows(window), &mut run).await?;
            if self.stop.is_cancelled() {
                return Ok(());
            }
            // A page that cannot be read is none the better for a shorter window.
            let half = window.first_half().filter(|_| !learned.is_broken);
            let most = if half.is_some() { READINGS } else { MOST_READINGS };
            let (next, reading) = if learned.is_at_rest() {
                (window.next_in(range), 0)
            } else if run.reading + 1 < most {
                (Some(window), run.reading + 1)
            } else if half.is_some() {
                (half, 0)
            } else {
                let [start, end] = window.dates();
                warn!("after {most} readings, flows from {start} to {end} may be missing");
                self.tally.failed += 1;
                (window.next_in(range), 0)
            };
            if next.is_none() {
                break;
            }
            run = Run { page: 0, reading, unreadable: 0, window: next, ..run };
            self.store.execute(vec![run.saved()]).await?;
        }
        run.end(&*self.store).await?;
        Ok(())
    }
}
