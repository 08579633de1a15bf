//! Why a body is no callback.

/// Why a body could not be read as a [`ViberCallback`](crate::ViberCallback).
///
/// It names the path of the field that is missing or given twice, or the line and column where the JSON
/// breaks. It never repeats a value of the body, so it can be logged.
///
/// Four things fail, and nothing else does: bytes that are not one JSON object, no readable `trackingId`,
/// no readable `status.name`, and the very same key twice in one object.
///
/// ```
/// use routee_viber::ViberCallback;
///
/// let error = ViberCallback::from_slice(br#"{"trackingId": "0a047b46", "status": {}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "no readable `status.name`");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct CallbackError(pub(crate) serde_json::Error);
