//! What became of all messages, day by day.

use chrono::{DateTime, Utc};

use crate::reports::outcomes::Outcomes;
use crate::reports::price::Price;
use crate::reports::scope::Scope;
use crate::reports::timeline::{Timeline, Unit, ends, hour_of, time_of};
use crate::store::Store;
use crate::store::error::StoreError;

/// The messages that were created on one day, in UTC.
#[derive(Debug, PartialEq, Eq)]
pub struct Day {
    pub from: DateTime<Utc>,
    pub outcomes: Outcomes,
    pub price: Price,
    /// Those that were sent on that day, whenever the messages were.
    pub replies: i64,
}

/// The days from the one that `since` is in, or from the first one after it that has messages, to the last that has any.
pub async fn since(store: &dyn Store, since: DateTime<Utc>) -> Result<Vec<Day>, StoreError> {
    let since = hour_of(Unit::Day.start(since));
    let Some((first, last)) = ends(store, Scope::All, since).await? else { return Ok(Vec::new()) };
    let timeline = Timeline::between(store, Scope::All, Unit::Day, first, last).await?;
    let day = |from, outcomes| Day { from, outcomes, price: Price::default(), replies: 0 };
    let mut days: Vec<_> = timeline.points.iter().map(|point| day(point.from, point.outcomes)).collect();
    let sql = "SELECT hour, what, value, count FROM tally
               WHERE unit = 'day' AND hour >= $1 AND what IN ('price', 'reply')";
    for row in store.query(sql, vec![since.into()]).await? {
        let from = time_of(row.get(0)?);
        let Ok(place) = days.binary_search_by_key(&from, |day| day.from) else { continue };
        match row.get(1)? {
            "price" => days[place].price.add(row.get(2)?, row.get(3)?),
            _ => days[place].replies += row.get::<i64>(3)?,
        }
    }
    Ok(days)
}
