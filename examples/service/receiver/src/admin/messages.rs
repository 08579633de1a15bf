//! One message and its history: as it is read, and as `GET /messages/{trackingId}` answers it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use routee_viber::{Incoming, ViberCallback};
use serde_json::{Value, json};

use crate::admin::dates::rfc3339;
use crate::admin::state::Admin;
use crate::store::Store;
use crate::store::error::StoreError;

/// The most rows of history that are shown. Routee sends a handful; somebody else could send any number.
const MOST: i64 = 200;

pub struct MessageDetails {
    /// As the library writes it; no more than its name and reason once a purge has removed the rest.
    pub status: Value,
    pub changed_at: i64,
    pub overdue_at: Option<i64>,
    /// The oldest first.
    pub history: Vec<HistoryRow>,
}

pub struct HistoryRow {
    pub received_at: i64,
    pub kind: String,
    pub status: Value,
    pub anomalies: Vec<String>,
    /// It has the key of another one, and other bytes.
    pub is_variant: bool,
}

pub async fn message(State(admin): State<Admin>, Path(tracking_id): Path<String>) -> Result<Response, StoreError> {
    let Some(message) = MessageDetails::find(&*admin.store, &tracking_id).await? else {
        return Ok((StatusCode::NOT_FOUND, "no such message").into_response());
    };
    let history: Vec<_> = message
        .history
        .iter()
        .map(|row| {
            json!({
                "receivedAt": rfc3339(row.received_at),
                "kind": row.kind,
                "status": row.status,
                "anomalies": row.anomalies,
                "isVariant": row.is_variant,
            })
        })
        .collect();
    let details = json!({
        "trackingId": tracking_id,
        "status": message.status,
        "changedAt": rfc3339(message.changed_at),
        "overdueAt": message.overdue_at.map(rfc3339),
        "history": history,
    });
    Ok(Json(details).into_response())
}

impl MessageDetails {
    pub async fn find(store: &dyn Store, tracking_id: &str) -> Result<Option<Self>, StoreError> {
        // No message has such an id, and PostgreSQL would refuse the query.
        if tracking_id.contains('\0') {
            return Ok(None);
        }
        let current = "SELECT rank, status_name, reason, changed_at, overdue_at FROM message WHERE tracking_id = $1";
        let current = store.query(current, vec![tracking_id.into()]).await?;
        let Some(current) = current.first() else { return Ok(None) };
        let (history, parameters) = (store.queries().history)(tracking_id, MOST);
        let rows = store.query(history, parameters).await?;
        let (rank, name, reason): (&str, &str, Option<&str>) = (current.get(0)?, current.get(1)?, current.get(2)?);
        let mut moved = None;
        let mut history = Vec::new();
        for row in &rows {
            let callback = callback(row.get(3)?);
            let is_variant = row.get::<i64>(4)? != 0;
            let is_state = |callback: &&ViberCallback| {
                let found = callback.status.detailed_status();
                !is_variant && callback.status.rank() == rank && found.as_ref().map(|found| found.as_str()) == reason
            };
            let status = callback.as_ref().map(written).unwrap_or_default();
            moved = moved.or_else(|| callback.as_ref().filter(is_state).map(|_| status.clone()));
            history.push(HistoryRow {
                received_at: row.get(0)?,
                kind: row.get::<&str>(1)?.to_owned(),
                status,
                anomalies: row.get::<Option<&str>>(2)?.unwrap_or_default().lines().map(ToOwned::to_owned).collect(),
                is_variant,
            });
        }
        let purged = || match reason {
            Some(reason) => json!({ "name": name, "reason": { "detailedStatus": reason } }),
            None => json!({ "name": name }),
        };
        let status = moved.unwrap_or_else(purged);
        Ok(Some(Self { status, changed_at: current.get(3)?, overdue_at: current.get(4)?, history }))
    }
}

fn callback(body: &[u8]) -> Option<ViberCallback> {
    match Incoming::from_slice(body) {
        Ok(Incoming::Status(callback)) => Some(callback),
        _ => None,
    }
}

fn written(callback: &ViberCallback) -> Value {
    serde_json::to_value(&callback.status).unwrap_or_default()
}
