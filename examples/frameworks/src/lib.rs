//! One page per framework: how to receive Routee's Viber callbacks with it.
//!
//! Each page does the same, the way users of that framework write it: it takes the bytes of a POST to
//! `/viber`, reads a [`ViberCallback`] from them, hands it to the [`Inbox`] and answers 200.
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
//! Copy the page of yours, and put what you do with a callback where it calls the inbox. Five things are
//! worth keeping:
//!
//! - The body is taken as bytes, not through the framework's JSON extractor: most of those refuse a body
//!   whose `Content-Type` is missing or odd, and all of them lose a body that they cannot read.
//! - The answer is 200 and nothing else: Routee's pages name no other code, and Routee sends again what was
//!   answered otherwise, or later than [`RESPONSE_DEADLINE`](routee_viber::RESPONSE_DEADLINE). So store the
//!   callback, answer, and work on it afterwards.
//! - A body that cannot be read is stored too, with the reason, and answered 200: a retry brings the same
//!   bytes again. Where your own store fails, answer 500: then a retry is what you want.
//! - The peer's address is that of the connection. Behind a proxy it is the proxy's; see
//!   [`SenderAllowlist`] on what to do there.
//! - There is a limit to the size, [`BODY_LIMIT`], whether or not the request has a `Content-Length`.
//!
//! All but [`rocket`] and [`lambda_http`] have the same `serve`, so that this runs them:
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

use routee_viber::{CallbackError, SenderAllowlist, ViberCallback};

/// The largest body that is read, in bytes. Routee documents no limit; a callback is far smaller.
pub const BODY_LIMIT: usize = 64 * 1024;

/// Stands for what you do with a callback: a table, a queue.
#[derive(Debug)]
pub struct Inbox {
    /// Who may put something in.
    pub senders: SenderAllowlist,
    contents: Mutex<Contents>,
}

/// What came in, in the order in which it came.
#[derive(Debug, Default, PartialEq)]
pub struct Contents {
    /// What could be read.
    pub handled: Vec<ViberCallback>,
    /// What could not be read: the bytes as they came, and why not.
    pub kept: Vec<(Vec<u8>, String)>,
}

impl Inbox {
    /// An empty inbox for callbacks of those senders.
    #[must_use]
    pub fn new(senders: SenderAllowlist) -> Self {
        Self { senders, contents: Mutex::default() }
    }

    /// Takes a callback in.
    pub fn handle(&self, callback: ViberCallback) {
        self.with_contents(|contents| contents.handled.push(callback));
    }

    /// Takes a body in that is no callback.
    pub fn keep(&self, body: &[u8], reason: &CallbackError) {
        let kept = (body.to_vec(), reason.to_string());
        self.with_contents(|contents| contents.kept.push(kept));
    }

    /// Empties the inbox.
    pub fn take(&self) -> Contents {
        self.with_contents(std::mem::take)
    }

    fn with_contents<T>(&self, work: impl FnOnce(&mut Contents) -> T) -> T {
        work(&mut self.contents.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
