//! What Routee can be asked about.

use crate::reconcile::window::Window;

/// What a tracking id belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    Message,
    Flow,
}

impl Subject {
    /// The table that has it, which is also its name.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Message => "message",
            Self::Flow => "flow",
        }
    }

    /// Where the API tells about it, below its URL.
    pub const fn path(self) -> &'static str {
        match self {
            Self::Message => "viber/tracking",
            Self::Flow => "failover/tracking",
        }
    }
}

/// What Routee lists page by page.
pub enum Listing {
    /// The messages of the campaign with that id.
    Campaign(String),
    /// The flows of that time.
    Flows(Window),
}

impl Listing {
    pub const fn subject(&self) -> Subject {
        match self {
            Self::Campaign(_) => Subject::Message,
            Self::Flows(_) => Subject::Flow,
        }
    }
}
