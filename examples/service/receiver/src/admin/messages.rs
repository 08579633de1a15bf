//! One message and its history: as it is read, and as `GET /messages/{trackingId}` answers it.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use routee_viber::Incoming;
use serde_json::{Value, json};

use crate::admin::dates::rfc3339;
use crate::admin::state::Admin;
use crate::entry::keys_of;
use crate::store::Store;
use crate::store::error::StoreError;
use crate::store::value::{Row, WrongType};

/// The most rows of history that are shown. Routee sends a handful; somebody else could send any number.
const MOST: i64 = 200;

pub struct MessageDetails {
    /// As the library writes it.
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
        let current = "SELECT status, changed_at, overdue_at FROM message WHERE tracking_id = $1";
        let current = store.query(current, vec![tracking_id.into()]).await?;
        let Some(current) = current.first() else { return Ok(None) };
        let (from, to) = keys_of(tracking_id);
        let history = "SELECT received_at, kind, anomalies, body, digest FROM history
                       WHERE idempotency_key >= $1 AND idempotency_key < $2 AND kind IN ('status', 'step', 'tracked')
                       ORDER BY received_at, idempotency_key, digest LIMIT $3";
        let history = store.query(history, vec![from.into(), to.into(), MOST.into()]).await?;
        Ok(Some(Self {
            status: serde_json::from_str(current.get(0)?).unwrap_or_default(),
            changed_at: current.get(1)?,
            overdue_at: current.get(2)?,
            history: history.iter().map(HistoryRow::of).collect::<Result<_, _>>()?,
        }))
    }
}

impl HistoryRow {
    fn of(row: &Row) -> Result<Self, WrongType> {
        Ok(Self {
            received_at: row.get(0)?,
            kind: row.get::<&str>(1)?.to_owned(),
            status: status(row.get(3)?),
            anomalies: row.get::<&str>(2)?.lines().map(ToOwned::to_owned).collect(),
            is_variant: !row.get::<&str>(4)?.is_empty(),
        })
    }
}

fn status(body: &[u8]) -> Value {
    match Incoming::from_slice(body) {
        Ok(Incoming::Status(callback)) => serde_json::to_value(&callback.status).unwrap_or_default(),
        _ => Value::Null,
    }
}
