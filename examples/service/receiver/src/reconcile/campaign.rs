//! The messages of a campaign: its pages are read again until as many were found as it has, or until a reading finds
//! nothing new if it does not say how many.

use anyhow::{Result, bail};
use tracing::warn;

use crate::reconcile::pages::MOST_READINGS;
use crate::reconcile::reconciler::Reconciler;
use crate::reconcile::run::Run;
use crate::reconcile::subject::Listing;

impl Reconciler {
    /// Reads the pages until everything was found.
    pub(super) async fn campaign(&mut self, id: &str) -> Result<()> {
        let mut run = self.begin(&format!("campaign {id}")).await?;
        let listing = Listing::Campaign(id.to_owned());
        let mut found_before = None;
        loop {
            let learned = self.reading(&listing, &mut run).await?;
            if learned.is_unknown {
                run.end(&*self.store).await?;
                bail!("Routee does not know this campaign");
            }
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
}
