//! Why a body is no callback.

/// Why a body could not be read as a [`ViberCallback`](crate::ViberCallback).
///
/// It names the path of the field that is missing or given twice, or the line and column where the JSON
/// breaks. It never repeats a value of the body, and escapes a key, so it can be logged.
///
/// Four things fail, and nothing else does: bytes that are not one JSON object (or one that `serde_json`
/// cannot hold), no readable `trackingId`, no readable `status.name`, and the very same key twice in an
/// object that has a model here.
///
/// ```
/// use routee_viber::ViberCallback;
///
/// let error = ViberCallback::from_slice(br#"{"trackingId": "0a047b46", "status": {}}"#).unwrap_err();
/// assert_eq!(error.to_string(), "no readable `status.name`");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct CallbackError(String);

impl CallbackError {
    /// Keeps what `serde_json` says: its own messages quote nothing, and the others are ours.
    #[allow(clippy::needless_pass_by_value, reason = "for `map_err`")]
    pub(crate) fn new(error: serde_json::Error) -> Self {
        Self(error.to_string())
    }
}
