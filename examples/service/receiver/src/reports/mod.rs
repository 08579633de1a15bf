//! What became of messages, by campaign and by time.
//!
//! Everything here is read from the counters (`tally`, `campaign_tally`, `campaign`), so that a report costs by the points
//! that it shows and not by the messages. The counters are a little behind: whoever makes a report calls
//! [`Store::settle`](crate::store::Store::settle) first.

pub mod campaign;
pub mod csv;
pub mod days;
pub mod durations;
pub mod outcomes;
pub mod price;
pub mod scope;
pub mod terminal;
#[cfg(test)]
mod tests;
pub mod timeline;
pub mod totals;

use anyhow::Context as _;

use crate::cli::Reported;
use crate::excerpt::short;
use crate::reports::campaign::Campaign;
use crate::store::Store;

/// What failures without a reason are listed as.
pub const NO_REASON: &str = "no reason given";

/// What `receiver report` prints.
pub async fn print(store: &dyn Store, reported: Reported, as_csv: bool) -> anyhow::Result<Vec<u8>> {
    store.settle().await?;
    if let Some(since) = reported.since {
        let days = days::since(store, since).await?;
        return Ok(if as_csv { csv::of_days(&days) } else { terminal::of_days(&days).into_bytes() });
    }
    let id = reported.campaign.unwrap_or_default();
    let campaign = Campaign::find(store, &id).await?;
    let campaign = campaign.with_context(|| match &*id {
        "" => "every message has a campaign".to_owned(),
        id => format!("nothing is known of the campaign {}", short(id)),
    })?;
    Ok(if as_csv { csv::of_campaign(&campaign) } else { terminal::of_campaign(&campaign).into_bytes() })
}
