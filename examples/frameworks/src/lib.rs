//! One page per framework: how to receive what Routee POSTs about Viber messages with it.
//!
//! Each page does the same, the way users of that framework write it: it takes the bytes of a POST to
//! `/viber`, reads an [`Incoming`] from them, hands it to the [`Inbox`] and answers 200. One URL may receive several
//! kinds of body, so a page tells statuses from the rest.
//!
//! | framework | page |
//! |---|---|
//! | actix-web | [`actix_web`] |
//! | axum | [`axum`] |
//! | hyper, without a framework | [`hyper`] |
//! | AWS Lambda (`lambda_http`) | [`lambda_http`] |
//! | poem | [`poem`] |
//! | rocket | [`rocket`] |
//! | salvo | [`salvo`] |
//! | warp | [`warp`] |
//!
//! Copy the page of your framework, and the `[dependencies]` that it opens with. All it takes from here is the
//! [`Inbox`]: put your own type in its place, with a [`SenderAllowlist`] in its field `senders`, and your own code into
//! the three lines that hand it a status, another kind, or a body that cannot be read. Five things are worth keeping:
//!
//! - The body is taken as bytes, not through the framework's JSON extractor: most of those refuse a body if its
//!   `Content-Type` is missing or odd, and all of them lose a body that they cannot read.
//! - The answer is 200 and nothing else. Routee's pages name no other code, and Routee sends a callback again if the
//!   answer is another one, or later than [`RESPONSE_DEADLINE`](routee_viber::RESPONSE_DEADLINE). So store the callback,
//!   answer, and work on it afterwards.
//! - A body that cannot be read is stored too, with the reason, and answered 200: a retry brings the same bytes again.
//!   If your own store fails, answer 500: then a retry is what you want.
//! - The peer's address is that of the connection. Behind a proxy it is the proxy's; see [`SenderAllowlist`] on what to
//!   do there.
//! - There is a limit to the size, whether or not the request has a `Content-Length`.
//!
//! All but [`rocket`] and [`lambda_http`], which have a `main` of their own, have the same `serve`, so this runs them:
//!
//! ```no_run
//! use routee_viber::SenderAllowlist;
//! use routee_viber_frameworks::{Inbox, axum};
//! use tokio::net::TcpListener;
//!
//! #[tokio::main]
//! async fn main() -> std::io::Result<()> {
//!     let inbox = Inbox::new(SenderAllowlist::resolve()?);
//!     axum::serve(TcpListener::bind("0.0.0.0:8080").await?, inbox.into()).await
//! }
//! ```

pub mod actix_web;
pub mod axum;
pub mod hyper;
pub mod lambda_http;
pub mod poem;
pub mod rocket;
pub mod salvo;
pub mod warp;

use std::sync::{Mutex, PoisonError};

use routee_viber::{CallbackError, Incoming, SenderAllowlist, ViberCallback};

/// Stands for what you do with what arrives: a table, a queue.
#[derive(Debug)]
pub struct Inbox {
    /// Who may put something in.
    pub senders: SenderAllowlist,
    contents: Mutex<Contents>,
}

/// What came in, in the order in which it came.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// The Viber statuses.
    pub statuses: Vec<ViberCallback>,
    /// The other kinds of body: replies, failover callbacks, and what is not about Viber messages.
    pub others: Vec<Incoming>,
    /// What could not be read: the bytes as they came, and why not.
    pub unreadable: Vec<(Vec<u8>, String)>,
}

impl Inbox {
    /// An empty inbox for bodies of those senders.
    #[must_use]
    pub fn new(senders: SenderAllowlist) -> Self {
        Self { senders, contents: Mutex::default() }
    }

    /// Takes a Viber status in.
    pub fn status(&self, callback: ViberCallback) {
        self.with_contents(|contents| contents.statuses.push(callback));
    }

    /// Takes a body of another kind in.
    pub fn other(&self, body: Incoming) {
        self.with_contents(|contents| contents.others.push(body));
    }

    /// Takes a body in that cannot be read.
    pub fn unreadable(&self, body: &[u8], error: &CallbackError) {
        let unreadable = (body.to_vec(), error.to_string());
        self.with_contents(|contents| contents.unreadable.push(unreadable));
    }

    /// Empties the inbox.
    pub fn take(&self) -> Contents {
        self.with_contents(std::mem::take)
    }

    fn with_contents<T>(&self, work: impl FnOnce(&mut Contents) -> T) -> T {
        work(&mut self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
