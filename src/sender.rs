//! Who may send callbacks.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};

/// The host whose addresses Routee's callbacks come from.
///
/// Source: Routee's page `docs/callback-url-webhook`.
pub const CALLBACK_HOST: &str = "callbacksallow.routee.net";

/// The addresses that callbacks may come from.
///
/// It is the one documented way to know the sender: Routee signs nothing. An empty list contains nobody.
///
/// - [Resolving](SenderAllowlist::resolve) blocks. Do it at the start and then now and again, away from
///   the threads that answer requests: addresses change.
/// - When a refresh fails, keep the old list.
/// - Mind the proxy in front of you. The peer address is then the proxy's, and a forwarded header is only
///   as good as the proxy that set it: take the entry that your own proxy added, never one that a client
///   could have sent.
///
/// ```
/// use std::net::IpAddr;
/// use routee_viber::SenderAllowlist;
///
/// let peer: IpAddr = "::ffff:192.0.2.7".parse()?;
/// let allowlist: SenderAllowlist = ["192.0.2.7".parse()?].into_iter().collect();
/// assert!(allowlist.contains(peer));
/// assert!(!SenderAllowlist::default().contains(peer));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderAllowlist(BTreeSet<IpAddr>);

impl SenderAllowlist {
    /// The addresses that [`CALLBACK_HOST`] resolves to now. Blocks while the system resolves.
    ///
    /// # Errors
    ///
    /// The system's, where the name does not resolve.
    pub fn resolve() -> io::Result<Self> {
        Self::resolve_host(CALLBACK_HOST)
    }

    /// The addresses that `host` resolves to now. Blocks while the system resolves.
    ///
    /// # Errors
    ///
    /// The system's, where the name does not resolve.
    pub fn resolve_host(host: &str) -> io::Result<Self> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }

    /// Whether callbacks may come from that address. An IPv4 address mapped into IPv6 is that address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromIterator<IpAddr> for SenderAllowlist {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        Self(addresses.into_iter().map(|address| address.to_canonical()).collect())
    }
}
