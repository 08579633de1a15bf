//! Who may send callbacks.

use std::collections::BTreeSet;
use std::io;
use std::iter::FusedIterator;
use std::net::{IpAddr, ToSocketAddrs};

/// The host name whose addresses Routee's callbacks come from.
///
/// Source: [docs/callback-url-webhook](https://docs.routee.net/docs/callback-url-webhook).
pub const CALLBACK_HOST: &str = "callbacksallow.routee.net";

/// The addresses that callbacks may come from.
///
/// Routee does not sign callbacks, so this is the only check available; trust it only as far as you trust your
/// network and proxy. An empty list allows no one.
///
/// - [Resolving](SenderAllowlist::resolve) blocks. Do it at the start and again from time to time, because addresses
///   change, and do it off the threads that answer requests.
/// - If a refresh fails, keep the old list. If your list is stale, genuine callbacks are turned away too.
/// - Behind a proxy, the peer address is the proxy's, and a forwarded header is only as trustworthy as the proxy that
///   set it: take the entry that your own proxy added, never one that a client could have sent.
///
/// ```
/// use std::net::IpAddr;
/// use routee_viber::SenderAllowlist;
///
/// let known: IpAddr = "192.0.2.7".parse()?;
/// let allowlist = SenderAllowlist::from_iter([known]);
/// let peer: IpAddr = "::ffff:192.0.2.7".parse()?;
/// assert!(allowlist.contains(peer));
/// let empty = SenderAllowlist::default();
/// assert!(!empty.contains(peer));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// # Refreshing
///
/// A name may resolve to different addresses at different times. Merge each new list into the old one instead of
/// replacing it:
///
/// ```
/// use routee_viber::SenderAllowlist;
///
/// let old = "192.0.2.7".parse()?;
/// let mut allowlist = SenderAllowlist::from_iter([old]);
/// let new = "192.0.2.8".parse()?;
/// let refreshed = SenderAllowlist::from_iter([new]);
/// allowlist.extend(refreshed.iter());
/// assert_eq!(allowlist.len(), 2);
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
///
/// # Across a restart
///
/// Save the list as text. If the name does not resolve when your server starts, load what you saved:
///
/// ```
/// use std::net::{AddrParseError, IpAddr};
/// use routee_viber::SenderAllowlist;
///
/// fn save(allowlist: &SenderAllowlist) -> String {
///     let lines = allowlist.iter();
///     lines.map(|address| format!("{address}\n")).collect()
/// }
///
/// fn load(saved: &str) -> Result<SenderAllowlist, AddrParseError> {
///     saved.lines().map(str::parse::<IpAddr>).collect()
/// }
///
/// let saved = "192.0.2.7\n2001:db8::7\n";
/// let allowlist = load(saved)?;
/// assert_eq!(allowlist.len(), 2);
/// assert_eq!(save(&allowlist), saved);
/// # Ok::<(), AddrParseError>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SenderAllowlist(BTreeSet<IpAddr>);

impl SenderAllowlist {
    /// The addresses that [`CALLBACK_HOST`] resolves to now. Blocks while the system resolves it.
    ///
    /// # Errors
    ///
    /// The system's error, if the name does not resolve.
    pub fn resolve() -> io::Result<Self> {
        Self::resolve_host(CALLBACK_HOST)
    }

    /// The addresses that `host` resolves to now. Blocks while the system resolves it.
    ///
    /// # Errors
    ///
    /// The system's error, if the name does not resolve.
    pub fn resolve_host(host: &str) -> io::Result<Self> {
        Ok((host, 0).to_socket_addrs()?.map(|address| address.ip()).collect())
    }

    /// Whether callbacks may come from that address. An IPv4 address mapped into IPv6 counts as the IPv4 address.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }

    /// The addresses in ascending order, IPv4 before IPv6.
    #[must_use]
    pub fn iter(&self) -> impl ExactSizeIterator<Item = IpAddr> + Clone + DoubleEndedIterator + FusedIterator {
        self.0.iter().copied()
    }

    /// The number of addresses.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no address, so that callbacks may come from no one.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<IpAddr> for SenderAllowlist {
    fn from_iter<I: IntoIterator<Item = IpAddr>>(addresses: I) -> Self {
        let mut allowlist = Self::default();
        allowlist.extend(addresses);
        allowlist
    }
}

impl Extend<IpAddr> for SenderAllowlist {
    fn extend<I: IntoIterator<Item = IpAddr>>(&mut self, addresses: I) {
        self.0.extend(addresses.into_iter().map(|address| address.to_canonical()));
    }
}
