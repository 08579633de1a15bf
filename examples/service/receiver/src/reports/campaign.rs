//! The campaigns, page by page, and one of them in detail.

use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::reports::scope::Scope;
use crate::reports::timeline::{Timeline, time_of};
use crate::reports::totals::Totals;
use crate::store::Store;
use crate::store::error::StoreError;

/// How many reasons and unrecognized statuses are listed; a sender could invent any number.
const MOST: u32 = 100;

/// A campaign of the list.
#[derive(Debug, PartialEq, Eq)]
pub struct Listed {
    /// Empty for the messages without a campaign.
    pub id: String,
    /// The last hour in which a message of it was created, or a reply to it was sent.
    pub last_hour: DateTime<Utc>,
    pub totals: Totals,
}

/// Where a page of the list ends: the last hour of its last campaign, and the campaign's id. As a text, `HOUR.ID`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub hour: i64,
    pub id: String,
}

impl FromStr for Place {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let place =
            text.split_once('.').and_then(|(hour, id)| Some(Self { hour: hour.parse().ok()?, id: id.to_owned() }));
        // PostgreSQL refuses a NUL in a parameter.
        place.filter(|place| !place.id.contains('\0')).ok_or("no place in the list")
    }
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        write!(f, "{}.{}", self.hour, self.id)
    }
}

/// A page of the list: the campaigns after that place, the latest first, and where the page ends if there are more.
pub async fn list(
    store: &dyn Store,
    after: Option<Place>,
    limit: usize,
) -> Result<(Vec<Listed>, Option<Place>), StoreError> {
    let after = after.unwrap_or(Place { hour: i64::MAX, id: String::new() });
    let sql = format!(
        "SELECT id, last_hour FROM campaign WHERE last_hour > 0 AND last_hour <= $1 AND (last_hour < $1 OR id > $2)
         ORDER BY last_hour DESC, id LIMIT {}",
        limit + 1
    );
    let rows = store.query(&sql, vec![after.hour.into(), after.id.into()]).await?;
    let mut places = Vec::new();
    for row in &rows {
        places.push(Place { hour: row.get(1)?, id: row.get::<&str>(0)?.to_owned() });
    }
    let has_more = places.len() > limit;
    places.truncate(limit);
    let ids: Vec<_> = places.iter().map(|place| place.id.clone()).collect();
    let next = if has_more { places.last().cloned() } else { None };
    let totals = Totals::of(store, &ids).await?;
    let listed = places.into_iter().zip(totals).map(|(Place { hour, id }, totals)| Listed {
        id,
        last_hour: time_of(hour),
        totals,
    });
    Ok((listed.collect(), next))
}

/// Everything that is known of a campaign.
pub struct Campaign {
    /// Empty for the messages without a campaign.
    pub id: String,
    pub totals: Totals,
    /// Names of statuses and reasons of failure, with how many messages have each; the most frequent first.
    pub statuses: Vec<(String, i64)>,
    pub reasons: Vec<(String, i64)>,
    pub timeline: Timeline,
}

impl Campaign {
    pub async fn find(store: &dyn Store, id: &str) -> Result<Option<Self>, StoreError> {
        if !is_known(store, id).await? {
            return Ok(None);
        }
        let scope = Scope::Campaign(id);
        let totals = Totals::of(store, &[id.to_owned()]).await?.pop().unwrap_or_default();
        Ok(Some(Self {
            id: id.to_owned(),
            totals,
            statuses: scope.most_frequent(store, "status", MOST).await?,
            reasons: scope.most_frequent(store, "reason", MOST).await?,
            timeline: Timeline::of_all_times(store, scope).await?,
        }))
    }
}

/// Whether a message or reply of that campaign was ever counted.
pub async fn is_known(store: &dyn Store, id: &str) -> Result<bool, StoreError> {
    // No campaign has such an id, and PostgreSQL would refuse the query.
    if id.contains('\0') {
        return Ok(false);
    }
    Ok(!store.query("SELECT id FROM campaign WHERE id = $1 AND last_hour > 0", vec![id.into()]).await?.is_empty())
}
