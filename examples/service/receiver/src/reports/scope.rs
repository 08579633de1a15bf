//! Whose messages a report is about.

use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::Value;

#[derive(Debug, Clone, Copy)]
pub enum Scope<'a> {
    All,
    /// Those of one campaign; '' stands for the messages without one.
    Campaign(&'a str),
}

impl Scope<'_> {
    /// SQL that reads its counters: what to select, what must be so, and what comes after that. Its own parameter comes
    /// after those of the condition.
    pub fn sql(self, columns: &str, mut parameters: Vec<Value>, condition: &str, end: &str) -> (String, Vec<Value>) {
        match self {
            Self::All => (format!("SELECT {columns} FROM tally WHERE {condition} {end}"), parameters),
            Self::Campaign(id) => {
                parameters.push(id.into());
                let place = parameters.len();
                let sql =
                    format!("SELECT {columns} FROM campaign_tally WHERE {condition} AND campaign = ${place} {end}");
                (sql, parameters)
            }
        }
    }

    /// The most frequent values of something of all times, and how often each was counted.
    pub async fn most_frequent(
        self,
        store: &dyn Store,
        what: &str,
        most: u32,
    ) -> Result<Vec<(String, i64)>, StoreError> {
        let end = format!("ORDER BY count DESC, value LIMIT {most}");
        let (sql, parameters) =
            self.sql("value, count", vec![what.into()], "unit = 'ever' AND what = $1 AND count > 0", &end);
        let rows = store.query(&sql, parameters).await?;
        rows.iter().map(|row| Ok((row.get::<&str>(0)?.to_owned(), row.get(1)?))).collect()
    }
}
