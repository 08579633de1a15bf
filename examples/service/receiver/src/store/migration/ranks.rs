//! The ranks of states whose bodies are purged, made anew of what their rows say.

use routee_viber::{FailoverCallback, FailoverStatus, Status, StatusName};
use serde_json::{Value as Json, json};

use crate::store::migration::{Place, Transaction, chunk_of, places};
use crate::store::value::Value;

/// Adds those of the next messages whose delivery is purged. The others come again with their deliveries. A flow before its
/// first step was taken for a message: its status was no more than a name, and what came later has made it a flow.
pub async fn messages<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let purged = "SELECT tracking_id, status_name, status FROM old_message
                  WHERE tracking_id {after} $1 AND tracking_id <= $2
                    AND NOT EXISTS (
                        SELECT 1 FROM old_history
                        WHERE old_history.tracking_id = old_message.tracking_id
                          AND old_history.received_at = old_message.changed_at
                          AND old_history.kind IN ('status', 'step', 'tracked'))
                    AND NOT (
                        status = '{\"name\":\"' || status_name || '\"}'
                        AND EXISTS (SELECT 1 FROM old_flow WHERE old_flow.tracking_id = old_message.tracking_id))";
    add(on, "old_message", purged, T::ADD_MESSAGES, rank_of_message, place, chunk).await
}

/// The same of flows.
pub async fn flows<T: Transaction>(on: &T, place: &Place, chunk: i64) -> Result<Option<Place>, T::Error> {
    let purged = "SELECT tracking_id, status_name, rank FROM old_flow
                  WHERE tracking_id {after} $1 AND tracking_id <= $2
                    AND NOT EXISTS (
                        SELECT 1 FROM old_history
                        WHERE old_history.tracking_id = old_flow.tracking_id
                          AND old_history.received_at = old_flow.changed_at AND old_history.kind = 'flow')";
    add(on, "old_flow", purged, T::ADD_FLOWS, rank_of_flow, place, chunk).await
}

/// Adds what `purged` finds in the next chunk of a table, with a rank of its id and the other two columns.
async fn add<T: Transaction>(
    on: &T,
    table: &str,
    purged: &str,
    add: &str,
    rank: fn(&str, &str, &str) -> String,
    place: &Place,
    chunk: i64,
) -> Result<Option<Place>, T::Error> {
    let Some(end) = chunk_of(on, (table, "tracking_id"), place, chunk).await? else { return Ok(None) };
    let purged = format!("{} ORDER BY tracking_id", purged.replace("{after}", place.after()));
    let rows = on.query(&purged, vec![place.key.as_str().into(), end.key.as_str().into()]).await?;
    if !rows.is_empty() {
        let mut ranks = Vec::new();
        for row in &rows {
            let id = row.get(0)?;
            ranks.extend([Value::from(id), Value::Text(rank(id, row.get(1)?, row.get(2)?))]);
        }
        on.execute(&add.replace("{ranked}", &format!("VALUES {}", places(rows.len(), 2))), ranks).await?;
    }
    Ok(Some(end))
}

/// The rank of the status as 0.2 read it. A date that 0.2 misread stays misread, since the body may be gone.
pub fn rank_of_message(_: &str, name: &str, status: &str) -> String {
    serde_json::from_str(status).unwrap_or_else(|_| Status::new(StatusName::from(name))).rank()
}

/// The row itself has no date and no steps, but 0.2's rank ends in the flow's key, which has all that a rank is made
/// of. This assumes that the key says what was sent: a date that 0.2 misread stays misread, as in a message. Of a rank
/// that has another form, only the status counts.
pub fn rank_of_flow(tracking_id: &str, status: &str, rank: &str) -> String {
    let again = key_in(rank).and_then(|key| FailoverCallback::from_slice(flow_of(&key)?.to_string().as_bytes()).ok());
    again.unwrap_or_else(|| FailoverCallback::new(tracking_id, FailoverStatus::from(status))).rank()
}

/// The key that a flow's rank of 0.2 ends in, behind a level, 24 digits of a date and a tie: the bytes of its text in
/// hexadecimal, then 00 for its end and that of an empty text.
fn key_in(rank: &str) -> Option<Vec<Json>> {
    let digits = rank.get(26..)?.strip_suffix("0000")?;
    let byte = |at| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
    let text: Vec<_> = (0..digits.len()).step_by(2).map(byte).collect::<Option<_>>()?;
    serde_json::from_slice(&text).ok()
}

/// A flow with that key. In it are the id, the status, the date, and of each step its three ids, the name of its status
/// and the date of that; a list of one is `messages` that could not be read. What could not be read is there as it was
/// sent.
fn flow_of(key: &[Json]) -> Option<Json> {
    let [tracking_id, status, updated_at, steps @ ..] = key else { return None };
    let messages = match steps {
        [Json::Array(unread)] if unread.len() == 1 => unread.first()?.clone(),
        _ => steps.iter().map(step_of).collect::<Option<_>>()?,
    };
    Some(json!({ "trackingId": tracking_id, "status": status, "updatedAt": updated_at, "messages": messages }))
}

fn step_of(step: &Json) -> Option<Json> {
    let [tracking_id, message_id, sms_id, name, date] = step.as_array()?.as_slice() else { return None };
    let status = if name.is_string() { json!({ "name": name, "updatedDate": date }) } else { name.clone() };
    Some(json!({ "trackingId": tracking_id, "messageId": message_id, "smsId": sms_id, "status": status }))
}
