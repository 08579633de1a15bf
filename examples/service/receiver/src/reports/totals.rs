//! What became of the messages of a campaign, of all times.

use std::collections::HashMap;

use crate::reports::durations::Durations;
use crate::reports::outcomes::{Outcomes, SUMS};
use crate::reports::price::Price;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Value;

/// How many prices are read at once: a sender could give every message another one.
const CHUNK: usize = 10_000;

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    pub outcomes: Outcomes,
    /// From `createdAt` to the date of DELIVERED.
    pub to_delivery: Durations,
    /// From `createdAt` to the date of SEEN.
    pub to_first_look: Durations,
    pub price: Price,
    pub replies: i64,
}

impl Totals {
    /// Those of each of these campaigns; the empty ones of those that are not known.
    pub async fn of(store: &dyn Store, campaigns: &[String]) -> Result<Vec<Self>, StoreError> {
        if campaigns.is_empty() {
            return Ok(Vec::new());
        }
        let mut totals: HashMap<&str, Self> =
            campaigns.iter().map(|campaign| (campaign.as_str(), Self::default())).collect();
        let ids = || campaigns.iter().map(|campaign| Value::from(campaign.as_str()));
        let of_these =
            format!("FROM campaign_tally WHERE campaign IN ({}) AND unit = 'ever'", places(1, campaigns.len()));
        let sql = format!("SELECT campaign, {SUMS} {of_these} AND what = 'status' GROUP BY campaign");
        for row in store.query(&sql, ids().collect()).await? {
            if let Some(total) = totals.get_mut(row.get::<&str>(0)?) {
                total.outcomes = Outcomes::read(&row, 1)?;
            }
        }
        let sql = format!("SELECT campaign, what, value, count {of_these} AND what IN ('reply', 'delivered', 'seen')");
        for row in store.query(&sql, ids().collect()).await? {
            let Some(total) = totals.get_mut(row.get::<&str>(0)?) else { continue };
            let (value, count) = (row.get(2)?, row.get(3)?);
            match row.get(1)? {
                "delivered" => total.to_delivery.add(value, count),
                "seen" => total.to_first_look.add(value, count),
                _ => total.replies += count,
            }
        }
        let sql = format!(
            "SELECT campaign, value, count FROM campaign_tally
             WHERE unit = 'ever' AND what = 'price' AND (campaign, value) > ($1, $2) AND campaign IN ({})
             ORDER BY campaign, value LIMIT {CHUNK}",
            places(3, campaigns.len())
        );
        let (mut campaign, mut price) = (String::new(), String::new());
        loop {
            let after = [Value::from(campaign.as_str()), price.as_str().into()].into_iter();
            let rows = store.query(&sql, after.chain(ids()).collect()).await?;
            for row in &rows {
                (campaign, price) = (row.get::<&str>(0)?.to_owned(), row.get::<&str>(1)?.to_owned());
                if let Some(total) = totals.get_mut(campaign.as_str()) {
                    total.price.add(&price, row.get(2)?);
                }
            }
            if rows.len() < CHUNK {
                break;
            }
        }
        Ok(campaigns.iter().map(|campaign| totals.remove(campaign.as_str()).unwrap_or_default()).collect())
    }
}

/// `$3, $4, …`: places for so many parameters.
fn places(first: usize, count: usize) -> String {
    let places: Vec<_> = (first..first + count).map(|place| format!("${place}")).collect();
    places.join(", ")
}
