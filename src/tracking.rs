//! What the tracking API answers, for statuses whose callbacks were missed.

use std::mem;

use serde_json::Value;

use crate::body::{Body, ViberAction, ViberFile, ViberVideo};
use crate::callback::{Direction, OriginatingService, ViberCallback};
use crate::error::CallbackError;
use crate::failover::FailoverCallback;
use crate::kind::BodyKind;
use crate::lenient::field::Field as _;
use crate::lenient::model::{self, Model, model};
use crate::lenient::object;
use crate::lenient::payload::payload;
use crate::lenient::reading::{At, Reading};
use crate::lenient::value::Extra;
use crate::status::{Status, StatusName};
use crate::ttl::Ttl;

/// A message as the tracking API shows it.
///
/// Sources:
/// [reference/retrieve-single-viber-tracking](https://docs.routee.net/reference/retrieve-single-viber-tracking) and
/// [reference/retrieve-viber-tracking-by-campaign](https://docs.routee.net/reference/retrieve-viber-tracking-by-campaign).
/// It has most of a callback's fields, but the content is at the top level and not in a `body`. Only `trackingId` and
/// `status` are required here (inferred).
///
/// Turn it into a [`ViberCallback`] and process its status as that of one: it has the same idempotency key as the callback
/// of the same status change (that its `status.date` is the callback's `status.updatedDate` is inferred). What the API
/// leaves out is `None` then, such as `created_at`, so do not replace a callback by it. Ask for
/// [`anomalies`](Self::anomalies) before, since a callback has no field `tracked`.
///
/// ```
/// use routee_viber::{StatusName, TrackedMessage, ViberCallback, samples};
///
/// let body = samples::TRACKED;
/// let tracked: TrackedMessage = body.parse()?;
/// let callback = ViberCallback::from(tracked);
/// let name = callback.status.name;
/// assert_eq!(name, StatusName::Delivered);
/// let text = callback.body.unwrap().text.unwrap();
/// assert_eq!(text, "Spring offers are here");
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
///
/// # serde
///
/// As for [`ViberCallback`](crate::ViberCallback#serde). It fails only without a readable `trackingId` or
/// `status.name`.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct TrackedMessage {
    /// `trackingId`, the tracking id of the message. Never empty in a message that was read.
    pub tracking_id: String,
    /// `status`, what became of the message; the API writes `status` for `name` and `date` for `updatedDate`.
    pub status: Status,
    /// `to`, the recipient's number.
    pub to: Option<String>,
    /// `from`, the sender id.
    pub from: Option<String>,
    /// `country`, the recipient's (inferred).
    pub country: Option<String>,
    /// `groups`, all contact groups (tags) that the contact belongs to; empty if there are none.
    pub groups: Vec<String>,
    /// `campaign`, the name of the campaign; other pages write `campaignName`.
    pub campaign: Option<String>,
    /// `campaignTrackingId`, the tracking id of the campaign.
    pub campaign_tracking_id: Option<String>,
    /// `applicationName`, the name of the application.
    pub application_name: Option<String>,
    /// `originatingService`, the service that the message came from (inferred from the name).
    pub originating_service: Option<OriginatingService>,
    /// `direction`, the direction of the message.
    pub direction: Option<Direction>,
    /// `ttl`, the time to live of the message in seconds, which the API has as a string.
    pub ttl: Option<Ttl>,
    /// `price`, the cost of the message.
    pub price: Option<f64>,
    /// `message`, the text.
    pub message: Option<String>,
    /// `imageURL`, the address of the picture; by campaign the API writes `imageUrl`.
    pub image_url: Option<String>,
    /// `viberAction`, the button; also read from `action`.
    pub viber_action: Option<ViberAction>,
    /// `viberFile`, the file; also read from `file`.
    pub viber_file: Option<ViberFile>,
    /// `viberVideo`, the video.
    pub viber_video: Option<ViberVideo>,
    /// `sessionId`, the id of the session (inferred from the name).
    pub session_id: Option<String>,
    /// `sessionMessage`, whether it is a message of a session (inferred from the name); requests write
    /// `isSessionMessage`.
    pub session_message: Option<bool>,
    /// `expireOnDelivery`: if true, a delivered message becomes expired once its TTL passes without it being seen.
    pub expire_on_delivery: Option<bool>,
    /// The unknown fields of the message, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    TrackedMessage
    "trackingId" => tracking_id required,
    "status" => status required,
    "to" => to,
    "from" => from,
    "country" => country,
    "groups" => groups,
    "campaign" | "campaignName" => campaign,
    "campaignTrackingId" => campaign_tracking_id,
    "applicationName" => application_name,
    "originatingService" => originating_service,
    "direction" => direction,
    "ttl" => ttl,
    "price" => price,
    "message" => message,
    "imageURL" => image_url,
    "viberAction" | "action" => viber_action,
    "viberFile" | "file" => viber_file,
    "viberVideo" => viber_video,
    "sessionId" => session_id,
    "sessionMessage" | "isSessionMessage" => session_message,
    "expireOnDelivery" => expire_on_delivery,
}

payload! {
    TrackedMessage

    /// Reads the bytes of an answer, as [`ViberCallback::from_slice`] does.
    from_slice

    /// What was not understood in this message, as [`ViberCallback::anomalies`].
    anomalies

    /// Everything that is in an `extra`, at every level, with its path.
    extras
}

impl TrackedMessage {
    /// A message with that tracking id and status, and nothing else.
    #[must_use]
    pub fn new(tracking_id: impl Into<String>, status_name: StatusName) -> Self {
        Self { tracking_id: tracking_id.into(), status: Status::new(status_name), ..Self::blank() }
    }
}

/// Nothing is lost: the content moves into `body`, and an entry of `extra` that spells a field of a callback is read for
/// that field, or kept beside it. Whatever a callback has no field for is kept whole, under the one key `tracked` of its
/// `extra`. What is nested as deeply as serde_json reads is one level deeper there, and is not read back.
impl From<TrackedMessage> for ViberCallback {
    fn from(mut tracked: TrackedMessage) -> Self {
        let body = Body {
            text: tracked.message.take(),
            image_url: tracked.image_url.take(),
            viber_action: tracked.viber_action.take(),
            viber_file: tracked.viber_file.take(),
            viber_video: tracked.viber_video.take(),
            ..Body::default()
        };
        let mut callback = Self {
            tracking_id: mem::take(&mut tracked.tracking_id),
            status: mem::replace(&mut tracked.status, Status::blank()),
            to: tracked.to.take(),
            from: tracked.from.take(),
            country: tracked.country.take(),
            groups: mem::take(&mut tracked.groups),
            campaign_tracking_id: tracked.campaign_tracking_id.take(),
            application_name: tracked.application_name.take(),
            originating_service: tracked.originating_service.take(),
            direction: tracked.direction.take(),
            ttl: tracked.ttl.take(),
            price: tracked.price.take(),
            body: (body != Body::default()).then_some(body),
            ..Self::blank()
        };

        let mut entries: Vec<_> = mem::take(&mut tracked.extra).into_iter().collect();
        // The fields that are left. Every model can be written as a value.
        let mut rest = match serde_json::to_value(&tracked) {
            Ok(Value::Object(rest)) => rest,
            _ => Extra::new(),
        };
        // The documented spelling owns its field, wherever it stands.
        entries.sort_by_cached_key(|(key, _)| (Self::index(key).is_none(), key.clone()));
        for (key, value) in entries {
            let is_hidden = Self::index(&key).is_some_and(|index| model::has_value(&callback, index));
            match Self::spelled(&key).filter(|_| !is_hidden) {
                Some((index, _)) if is_read(&mut callback, index, &value) => {}
                Some(_) => drop(callback.extra.insert(key, value)),
                None => drop(rest.insert(key, value)),
            }
        }
        // A status with this is that of an e-mail.
        if callback.kind_by_extras(&Reading::default()) == Some(BodyKind::Email) {
            let is_mark = |key: &str| key.eq_ignore_ascii_case("dateTime");
            let inner = mem::take(&mut callback.status.extra);
            let (marks, others) = inner.into_iter().partition::<Extra, _>(|(key, _)| is_mark(key));
            callback.status.extra = others;
            rest.insert("status".to_owned(), marks.into());
        }
        if !rest.is_empty() {
            callback.extra.insert("tracked".to_owned(), rest.into());
        }
        callback
    }
}

/// Reads a value for a field of a callback, unless it has one or one that could not be read.
fn is_read(callback: &mut ViberCallback, index: usize, value: &Value) -> bool {
    let reading = Reading::default();
    !model::has_value(callback, index)
        && !callback.extra.contains_key(model::name::<ViberCallback>(index))
        && object::read_held_field(callback, index, value, &At::root(&reading)).is_ok_and(|is_read| is_read)
}

/// A page of the messages of a campaign, or of the failover flows of a range of time, as the tracking APIs return it.
///
/// Sources:
/// [reference/retrieve-viber-tracking-by-campaign](https://docs.routee.net/reference/retrieve-viber-tracking-by-campaign)
/// and
/// [reference/track-multiple-failovers](https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range).
///
/// ```
/// use routee_viber::{TrackingPage, samples};
///
/// let page: TrackingPage = samples::TRACKING_PAGE.parse()?;
/// for message in page.messages() {
///     assert_eq!(message?.anomalies(), []);
/// }
/// assert_eq!(page.next_page(), Some(1));
/// # Ok::<(), routee_viber::CallbackError>(())
/// ```
///
/// # serde
///
/// As for [`ViberCallback`](crate::ViberCallback#serde). Nothing is required, so that an object that is no page, such as an
/// error, is read as an empty one with [`anomalies`](Self::anomalies).
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct TrackingPage {
    /// `content`, the messages or flows as they came; of two equal keys in one of them, the last stays. Read them with
    /// [`messages`](Self::messages) or [`flows`](Self::flows), each on its own, as you have asked for the one or the other:
    /// a flow can be read as a message, too.
    pub content: Vec<Value>,
    /// `number`, which page this is, from 0.
    pub number: Option<u64>,
    /// `size`, how many entries a page has at the most (inferred from the name).
    pub size: Option<u64>,
    /// `numberOfElements`, how many entries this page has.
    pub number_of_elements: Option<u64>,
    /// `totalElements`, how many entries all pages have.
    pub total_elements: Option<u64>,
    /// `totalPages`, how many pages there are.
    pub total_pages: Option<u64>,
    /// `first`, whether this is the first page.
    pub first: Option<bool>,
    /// `last`, whether this is the last page.
    pub last: Option<bool>,
    /// The unknown fields of the page, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    TrackingPage
    "content" => content,
    "number" => number,
    "size" => size,
    "numberOfElements" => number_of_elements,
    "totalElements" => total_elements,
    "totalPages" => total_pages,
    "first" => first,
    "last" => last,
}

payload! {
    TrackingPage

    /// Reads the bytes of an answer, as [`ViberCallback::from_slice`] does.
    from_slice

    /// What was not understood in the page, as [`ViberCallback::anomalies`]; what was not in its messages or flows, they
    /// say themselves. A `content` that is not a list is one.
    anomalies

    /// Everything that is in the page's `extra`, with its path.
    extras
}

impl TrackingPage {
    /// The messages, each read on its own, so that one that cannot be read does not cost you the others.
    ///
    /// The path in an error starts with the place, as in `content[1].status.name`; an entry that is no object has none.
    pub fn messages(&self) -> impl Iterator<Item = Result<TrackedMessage, CallbackError>> {
        self.read_each()
    }

    /// The flows of a page of the failover search, each read on its own as by [`messages`](Self::messages).
    ///
    /// Source: [reference/track-multiple-failovers-with-filters-for-a-specific-time-range][page].
    ///
    /// [page]: https://docs.routee.net/reference/track-multiple-failovers-with-filters-for-a-specific-time-range
    pub fn flows(&self) -> impl Iterator<Item = Result<FailoverCallback, CallbackError>> {
        self.read_each()
    }

    fn read_each<T: Model>(&self) -> impl Iterator<Item = Result<T, CallbackError>> {
        self.content.iter().enumerate().map(|(place, value)| {
            let reading = Reading::default();
            let mut item = T::blank();
            match object::read(&mut item, value, &At::root(&reading).key("content").item(place)) {
                Ok(()) => Ok(item),
                Err(error) => Err(CallbackError::new(&error, reading.take_refusal())),
            }
        })
    }

    /// The number of the next page; `None` if this is the last one, or if the page does not say which it is.
    ///
    /// What tells whether there is one: `last`, or else `totalPages`, or else `totalElements` with `size`, or else whether
    /// this page is full (the last two inferred).
    #[must_use]
    pub fn next_page(&self) -> Option<u64> {
        let next = self.number?.checked_add(1)?;
        let size = self.size.filter(|size| *size > 0);
        let is_there = match (self.last, self.total_pages, self.total_elements) {
            (Some(is_last), ..) => !is_last,
            (None, Some(pages), _) => next < pages,
            (None, None, Some(elements)) => next.checked_mul(size?)? < elements,
            (None, None, None) => u64::try_from(self.content.len()).ok()? >= size?,
        };
        is_there.then_some(next)
    }
}
