//! What was sent: text, picture, button, file, video.

use crate::lenient::model::model;
use crate::lenient::value::Extra;

/// The content of the message.
///
/// On the wire it is the object `body` of [docs/viber-callback](https://docs.routee.net/docs/viber-callback). Each part
/// that the message did not have is absent.
///
/// # serde
///
/// Deserialized leniently, see [the crate docs](crate#what-is-lenient). Serialized with the documented
/// keys, absent fields left out and `extra` written back.
///
/// ```
/// use routee_viber::Body;
///
/// let json = r#"{"imageUrl": "https://a.test/i.png"}"#;
/// let body: Body = serde_json::from_str(json)?;
/// assert_eq!(body.image_url.as_deref(), Some("https://a.test/i.png"));
/// assert_eq!(
///     serde_json::to_string(&body)?,
///     r#"{"imageURL":"https://a.test/i.png"}"#,
/// );
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Body {
    /// `text`, the text of the message.
    pub text: Option<String>,
    /// `iosFallbackText`, the alternative message that is sent after the TTL has run out.
    pub ios_fallback_text: Option<String>,
    /// `imageURL`, the address of the picture; other pages write `imageUrl`.
    pub image_url: Option<String>,
    /// `viberAction`, the button; also read from `action`.
    pub viber_action: Option<ViberAction>,
    /// `viberFile`, the file.
    pub viber_file: Option<ViberFile>,
    /// `viberVideo`, the video. The callback page does not have it, but the pages for sending and tracking do; see
    /// [`ViberVideo`].
    pub viber_video: Option<ViberVideo>,
    /// The unknown fields of `body`, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    Body
    "text" => text,
    "iosFallbackText" => ios_fallback_text,
    "imageURL" => image_url,
    "viberAction" | "action" => viber_action,
    "viberFile" => viber_file,
    "viberVideo" => viber_video,
}

impl Body {
    /// A bare string in the place of a body is its text.
    pub(crate) fn from_text(text: &str) -> Self {
        Self { text: Some(text.to_owned()), ..Self::default() }
    }
}

/// The button of a message.
///
/// On the wire it is the object `body.viberAction` of
/// [docs/viber-callback](https://docs.routee.net/docs/viber-callback).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViberAction {
    /// `caption`, the words on the button.
    pub caption: Option<String>,
    /// `targetUrl`, the address that the button opens.
    pub target_url: Option<String>,
    /// The unknown fields of `viberAction`, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    ViberAction
    "caption" => caption,
    "targetUrl" => target_url,
}

/// The file of a message.
///
/// On the wire it is the object `body.viberFile` of [docs/viber-callback](https://docs.routee.net/docs/viber-callback).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct ViberFile {
    /// `fileName`, the name of the file.
    pub file_name: Option<String>,
    /// `fileType`, the type of the file.
    pub file_type: Option<String>,
    /// `fileUrl`, the address of the file; 600 KB or less recommended. Another page writes `fileURL`.
    pub file_url: Option<String>,
    /// The unknown fields of `viberFile`, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    ViberFile
    "fileName" => file_name,
    "fileType" => file_type,
    "fileUrl" => file_url,
}

/// The video of a message.
///
/// On the wire it is the object `body.viberVideo`, which
/// [reference/send-a-viber-single-message](https://docs.routee.net/reference/send-a-viber-single-message),
/// [reference/send-a-viber-campaign](https://docs.routee.net/reference/send-a-viber-campaign) and the tracking pages
/// have; that a callback has it too is inferred. Routee's limits on size and length are for sending; any finite number
/// is read.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ViberVideo {
    /// `videoURL`, the address of the video; another page writes `videoUrl`.
    pub video_url: Option<String>,
    /// `videoThumbnail`, the picture that stands for the video.
    pub video_thumbnail: Option<String>,
    /// `fileSize`, the size in megabytes; at most 200 when sent.
    pub file_size: Option<f64>,
    /// `duration`, the length in seconds; at most 600 when sent.
    pub duration: Option<f64>,
    /// The unknown fields of `viberVideo`, and values that their field cannot take.
    pub extra: Extra,
}

model! {
    ViberVideo
    "videoURL" => video_url,
    "videoThumbnail" => video_thumbnail,
    "fileSize" => file_size,
    "duration" => duration,
}
