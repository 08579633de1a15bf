//! The kinds of bodies that may arrive at one URL.

use std::fmt;

/// Which kind of body it is, judged by the marks that Routee's pages document; see [the crate docs](crate#which-kind).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum BodyKind {
    /// A status callback: [`ViberCallback`](crate::ViberCallback).
    Status,
    /// A reply: [`InboundMessage`](crate::InboundMessage).
    Inbound,
    /// A failover callback: [`FailoverCallback`](crate::FailoverCallback).
    Failover,
    /// What [docs/webhooks](https://docs.routee.net/docs/webhooks) describes: a failover flow of one-time passwords.
    FailoverOtp,
    /// What [docs/callback-url-webhook](https://docs.routee.net/docs/callback-url-webhook) describes.
    TwoStepVerification,
    /// The status of an SMS campaign.
    SmsCampaign,
    /// The status of an e-mail.
    Email,
    /// Any other, such as the status of an SMS or of a WhatsApp message.
    Other,
}

impl BodyKind {
    /// The kind in `snake_case`, for a metric's label or a column.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Inbound => "inbound",
            Self::Failover => "failover",
            Self::FailoverOtp => "failover_otp",
            Self::TwoStepVerification => "two_step_verification",
            Self::SmsCampaign => "sms_campaign",
            Self::Email => "email",
            Self::Other => "other",
        }
    }
}

/// The kind in words, as errors name it.
impl fmt::Display for BodyKind {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.pad(match self {
            Self::Status => "a Viber status",
            Self::Inbound => "a reply",
            Self::Failover => "a failover callback",
            Self::FailoverOtp => "a failover OTP callback",
            Self::TwoStepVerification => "a two-step verification",
            Self::SmsCampaign => "an SMS campaign callback",
            Self::Email => "an e-mail status",
            Self::Other => "another kind of body",
        })
    }
}
