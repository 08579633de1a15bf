//! Typed models of the status callbacks that Routee POSTs for Viber messages.
#![forbid(unsafe_code)]
#![deny(missing_docs)]
#![cfg_attr(
    not(test),
    warn(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing
    )
)]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod anomaly;
mod body;
mod callback;
mod date;
mod error;
mod lenient;
mod open_enum;
mod progress;
mod retry;
mod sender;
mod status;
mod ttl;

pub use anomaly::{Anomaly, AnomalyKind};
pub use body::{Body, ViberAction, ViberFile, ViberVideo};
pub use callback::{Direction, OriginatingService, ViberCallback};
pub use error::CallbackError;
pub use open_enum::Unrecognized;
pub use progress::{Progress, Stage};
pub use retry::{Counting, LONGEST_RETRY_SPAN, RESPONSE_DEADLINE, Retry, RetryPlan, RetrySchedule};
pub use sender::{CALLBACK_HOST, SenderAllowlist};
pub use status::{DetailedStatus, Reason, Status, StatusName};
pub use ttl::{Client, Ttl, TtlError};

/// What came in an object of a body and has no field, or a value that its field cannot take, under the
/// key that it came with.
pub type Extra = serde_json::Map<String, serde_json::Value>;
