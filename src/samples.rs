//! Bodies for the tests of your own code: one of each kind, complete and plausible.
//!
//! Values are made up, URLs and numbers included; the shapes are those of Routee's pages. Each reads without
//! [anomalies](crate::ViberCallback::anomalies) by its own type. [`TRACKED`], [`TRACKING_PAGE`], [`TRACKED_FLOW`]
//! and [`FLOW_TRACKING_PAGE`] are answers of the tracking APIs and not callbacks, so leave them out when you test a
//! receiver.
//!
//! ```
//! use routee_viber::{Incoming, samples};
//!
//! let status: Incoming = samples::STATUS.parse()?;
//! assert!(matches!(status, Incoming::Status(_)));
//! # Ok::<(), routee_viber::CallbackError>(())
//! ```

/// A status callback: [`ViberCallback`](crate::ViberCallback).
///
#[doc = concat!("```json\n", include_str!("samples/status.json"), "```")]
pub const STATUS: &str = include_str!("samples/status.json");

/// A reply from the recipient: [`InboundMessage`](crate::InboundMessage).
///
#[doc = concat!("```json\n", include_str!("samples/inbound.json"), "```")]
pub const INBOUND: &str = include_str!("samples/inbound.json");

/// A failover callback: [`FailoverCallback`](crate::FailoverCallback).
///
#[doc = concat!("```json\n", include_str!("samples/failover.json"), "```")]
pub const FAILOVER: &str = include_str!("samples/failover.json");

/// What the tracking API answers for one message: [`TrackedMessage`](crate::TrackedMessage).
///
#[doc = concat!("```json\n", include_str!("samples/tracked.json"), "```")]
pub const TRACKED: &str = include_str!("samples/tracked.json");

/// What the tracking API answers for a campaign: [`TrackingPage`](crate::TrackingPage).
///
#[doc = concat!("```json\n", include_str!("samples/tracking-page.json"), "```")]
pub const TRACKING_PAGE: &str = include_str!("samples/tracking-page.json");

/// What the failover tracking API answers for one flow: [`FailoverCallback`](crate::FailoverCallback), here in the state
/// of [`FAILOVER`].
///
#[doc = concat!("```json\n", include_str!("samples/tracked-flow.json"), "```")]
pub const TRACKED_FLOW: &str = include_str!("samples/tracked-flow.json");

/// What the failover tracking API answers for a range of time: [`TrackingPage`](crate::TrackingPage).
///
#[doc = concat!("```json\n", include_str!("samples/flow-tracking-page.json"), "```")]
pub const FLOW_TRACKING_PAGE: &str = include_str!("samples/flow-tracking-page.json");

/// All of them, each with a name.
pub const ALL: &[(&str, &str)] = &[
    ("status", STATUS),
    ("inbound", INBOUND),
    ("failover", FAILOVER),
    ("tracked", TRACKED),
    ("tracking-page", TRACKING_PAGE),
    ("tracked-flow", TRACKED_FLOW),
    ("flow-tracking-page", FLOW_TRACKING_PAGE),
];
