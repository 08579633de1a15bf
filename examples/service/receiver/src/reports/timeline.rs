//! What became of messages, by the time when they were created.

use chrono::{DateTime, Datelike as _, Days, Months, TimeDelta, TimeZone as _, Timelike as _, Utc};

use crate::reports::outcomes::{Outcomes, SUMS};
use crate::reports::scope::Scope;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Value;

/// The most points that a picture has, unless they are years.
const MOST_POINTS: usize = 60;

/// How long the time is that a point stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Hour,
    Day,
    Week,
    Month,
    Year,
}

#[derive(Debug, PartialEq, Eq)]
pub struct Timeline {
    pub unit: Unit,
    /// Without gaps, the first one first; none if there are no messages.
    pub points: Vec<Point>,
}

/// The messages that were created within one unit of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Point {
    /// When that time begins.
    pub from: DateTime<Utc>,
    pub outcomes: Outcomes,
}

impl Unit {
    const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// The shortest unit of which at most 60 cover the time between two hours; otherwise the year.
    fn covering(first: DateTime<Utc>, last: DateTime<Utc>) -> Self {
        let fits = |unit: &Self| unit.starts(first, last).take(MOST_POINTS + 1).count() <= MOST_POINTS;
        Self::ALL.into_iter().find(fits).unwrap_or(Self::Year)
    }

    /// When the unit began that a time is in. Weeks begin on Monday.
    pub fn start(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let date = at.date_naive();
        let date = match self {
            Self::Hour | Self::Day => Some(date),
            Self::Week => date.checked_sub_days(Days::new(date.weekday().num_days_from_monday().into())),
            Self::Month => date.with_day(1),
            Self::Year => date.with_ordinal(1),
        };
        let hour = if self == Self::Hour { at.hour() } else { 0 };
        date.and_then(|date| date.and_hms_opt(hour, 0, 0)).map_or(at, |start| start.and_utc())
    }

    fn next(self, start: DateTime<Utc>) -> Option<DateTime<Utc>> {
        match self {
            Self::Hour => start.checked_add_signed(TimeDelta::hours(1)),
            Self::Day => start.checked_add_days(Days::new(1)),
            Self::Week => start.checked_add_days(Days::new(7)),
            Self::Month => start.checked_add_months(Months::new(1)),
            Self::Year => start.checked_add_months(Months::new(12)),
        }
    }

    /// The beginnings of all units from the one that `first` is in to the one that `last` is in.
    fn starts(self, first: DateTime<Utc>, last: DateTime<Utc>) -> impl Iterator<Item = DateTime<Utc>> {
        let starts = std::iter::successors(Some(self.start(first)), move |start| self.next(*start));
        starts.take_while(move |start| *start <= last)
    }
}

impl Timeline {
    pub fn has_messages(&self) -> bool {
        self.points.iter().any(|point| point.outcomes.messages > 0)
    }

    /// The messages of all times, in the unit that fits.
    pub async fn of_all_times(store: &dyn Store, scope: Scope<'_>) -> Result<Self, StoreError> {
        match ends(store, scope, 0).await? {
            Some((first, last)) => Self::between(store, scope, Unit::covering(first, last), first, last).await,
            None => Ok(Self { unit: Unit::Hour, points: Vec::new() }),
        }
    }

    /// The messages from the unit that `first` is in to the one that `last` is in.
    pub async fn between(
        store: &dyn Store,
        scope: Scope<'_>,
        unit: Unit,
        first: DateTime<Utc>,
        last: DateTime<Utc>,
    ) -> Result<Self, StoreError> {
        let mut points: Vec<_> =
            unit.starts(first, last).map(|from| Point { from, outcomes: Outcomes::default() }).collect();
        let end = points.last().and_then(|point| unit.next(point.from));
        let (Some(begin), Some(end)) = (points.first().map(|point| point.from), end) else {
            return Ok(Self { unit, points });
        };
        // Years are put together here.
        let counted = if unit == Unit::Year { Unit::Month } else { unit };
        let columns = format!("hour, {SUMS}");
        let condition = "unit = $1 AND hour >= $2 AND hour < $3 AND what = 'status'";
        let parameters = vec![Value::from(counted.as_str()), hour_of(begin).into(), hour_of(end).into()];
        let (sql, parameters) = scope.sql(&columns, parameters, condition, "GROUP BY hour");
        for row in store.query(&sql, parameters).await? {
            let from = unit.start(time_of(row.get(0)?));
            if let Ok(place) = points.binary_search_by_key(&from, |point| point.from) {
                points[place].outcomes += Outcomes::read(&row, 1)?;
            }
        }
        Ok(Self { unit, points })
    }
}

/// The first and the last hour since that one in which messages were created.
pub async fn ends(
    store: &dyn Store,
    scope: Scope<'_>,
    since: i64,
) -> Result<Option<(DateTime<Utc>, DateTime<Utc>)>, StoreError> {
    let end = async |order| {
        let condition = "unit = 'hour' AND hour >= $1 AND what = 'status' AND count > 0";
        let end = format!("ORDER BY hour {order} LIMIT 1");
        let (sql, parameters) = scope.sql("hour", vec![since.into()], condition, &end);
        let rows = store.query(&sql, parameters).await?;
        rows.first().map(|row| Ok::<_, StoreError>(time_of(row.get(0)?))).transpose()
    };
    Ok(end("ASC").await?.zip(end("DESC").await?))
}

/// The beginning of an hour of the epoch.
pub fn time_of(hour: i64) -> DateTime<Utc> {
    hour.checked_mul(3600).and_then(|seconds| Utc.timestamp_opt(seconds, 0).single()).unwrap_or_default()
}

/// The hour of the epoch that a time is in.
pub fn hour_of(at: DateTime<Utc>) -> i64 {
    at.timestamp().div_euclid(3600)
}
