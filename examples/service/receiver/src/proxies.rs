//! The address of the client, if trusted proxies are in front.
//!
//! A proxy tells it at the begin of a connection with a PROXY header, or with each request in `X-Forwarded-For`. Anybody
//! can send both, so they count only from proxies that the command line names.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::http::HeaderMap;
use bytes::{Buf as _, BytesMut};
use ipnet::IpNet;
use ppp::{HeaderResult, PartialResult as _, v1, v2};
use tokio::io::{AsyncRead, AsyncReadExt as _};

const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// The longest PROXY header of version 1.
const LONGEST_V1: usize = 107;

#[derive(Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

#[derive(Debug, thiserror::Error)]
pub enum HeaderError {
    #[error("the PROXY header cannot be read")]
    Malformed,
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }

    /// Who sent a request that came from `peer`: the last hop that is not trusted. What is left of it in
    /// `X-Forwarded-For` may be forged. If a trusted proxy names something that is no address, the proxy itself counts.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let values = headers.get_all(X_FORWARDED_FOR).into_iter().rev();
        let mut hops = values.flat_map(|value| value.to_str().unwrap_or_default().rsplit(','));
        let mut client = peer;
        while self.contains(client)
            && let Some(hop) = hops.next().and_then(address)
        {
            client = hop;
        }
        client
    }
}

/// The address of a hop, which some proxies write with the port.
fn address(hop: &str) -> Option<IpAddr> {
    let hop = hop.trim();
    hop.parse().ok().or_else(|| Some(hop.parse::<SocketAddr>().ok()?.ip()))
}

/// Reads the PROXY header at the begin of a connection, and returns the source that it names. `None` if there is no
/// header, or if the proxy speaks for itself. What was read and does not belong to the header stays in `read`.
pub async fn read_header(
    stream: &mut (impl AsyncRead + Unpin),
    read: &mut BytesMut,
) -> Result<Option<SocketAddr>, HeaderError> {
    while stream.read_buf(read).await? > 0 && may_be_header(read) {
        if is_cut(read) {
            continue;
        }
        let (source, length) = match HeaderResult::parse(read) {
            HeaderResult::V1(Ok(header)) => (source_v1(&header.addresses), header.header.len()),
            HeaderResult::V2(Ok(header)) => (source_v2(&header), header.len()),
            header if header.is_incomplete() => continue,
            _ => return Err(HeaderError::Malformed),
        };
        read.advance(length);
        return Ok(source);
    }
    Ok(None)
}

/// Whether it begins like a header, or like the begin of one.
fn may_be_header(read: &[u8]) -> bool {
    let signatures = [v1::PROTOCOL_PREFIX.as_bytes(), v2::PROTOCOL_PREFIX];
    signatures.iter().any(|signature| read.starts_with(signature) || signature.starts_with(read))
}

/// Whether it is a part of a header of version 1. ppp takes one for malformed if it is cut before the last port.
fn is_cut(read: &[u8]) -> bool {
    !read.starts_with(v2::PROTOCOL_PREFIX) && read.len() < LONGEST_V1 && !read.contains(&b'\n')
}

fn source_v1(addresses: &v1::Addresses) -> Option<SocketAddr> {
    match addresses {
        v1::Addresses::Tcp4(pair) => Some((pair.source_address, pair.source_port).into()),
        v1::Addresses::Tcp6(pair) => Some((pair.source_address, pair.source_port).into()),
        v1::Addresses::Unknown => None,
    }
}

fn source_v2(header: &v2::Header<'_>) -> Option<SocketAddr> {
    match (header.command, &header.addresses) {
        (v2::Command::Proxy, v2::Addresses::IPv4(pair)) => Some((pair.source_address, pair.source_port).into()),
        (v2::Command::Proxy, v2::Addresses::IPv6(pair)) => Some((pair.source_address, pair.source_port).into()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};
    use tokio::io::{AsyncWriteExt as _, duplex};

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn trusted(networks: &[&str]) -> TrustedProxies {
        networks.iter().map(|network| network.parse::<IpNet>().unwrap()).collect()
    }

    #[test]
    fn the_client_is_the_last_hop_that_is_not_trusted() {
        let trusted = trusted(&["10.0.0.0/8", "2001:db8::/32"]);
        let client = |peer: &str, values: &[&'static str]| {
            let name = HeaderName::from_static(X_FORWARDED_FOR);
            let values = values.iter().map(|value| (name.clone(), HeaderValue::from_static(value)));
            trusted.client(ip(peer), &values.collect()).to_string()
        };
        assert_eq!(client("10.0.0.1", &["192.0.2.1"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9, 192.0.2.1, 10.2.3.4"]), "192.0.2.1");
        assert_eq!(client("10.0.0.1", &["198.51.100.9", "192.0.2.1,10.2.3.4"]), "192.0.2.1");
        assert_eq!(client("2001:db8::1", &["2001:db9::1"]), "2001:db9::1");
        assert_eq!(client("::ffff:10.0.0.1", &["[2001:db9::1]:443"]), "2001:db9::1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1:51234"]), "192.0.2.1");
        // Everybody on the way is trusted.
        assert_eq!(client("10.0.0.1", &["10.0.0.3, 10.0.0.2"]), "10.0.0.3");
        assert_eq!(client("10.0.0.1", &[]), "10.0.0.1");
        // What a trusted proxy should not send.
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown"]), "10.0.0.1");
        assert_eq!(client("10.0.0.1", &["192.0.2.1, unknown, 10.0.0.2"]), "10.0.0.2");
        // Forged.
        assert_eq!(client("11.0.0.0", &["192.0.2.1"]), "11.0.0.0");
        assert_eq!(client("9.255.255.255", &["192.0.2.1"]), "9.255.255.255");
    }

    /// What the header names, and what is left for HTTP, if it comes in two pieces.
    async fn header(first: &[u8], second: &[u8]) -> Result<(Option<String>, Vec<u8>), String> {
        let (mut client, mut server) = duplex(4096);
        client.write_all(first).await.unwrap();
        let mut read = BytesMut::new();
        let reading = async {
            let source = read_header(&mut server, &mut read).await.map_err(|error| error.to_string())?;
            Ok::<_, String>(source.map(|source| source.to_string()))
        };
        let writing = async {
            tokio::task::yield_now().await;
            client.write_all(second).await.unwrap();
            client.shutdown().await.unwrap();
        };
        let (source, ()) = tokio::join!(reading, writing);
        let source = source?;
        while server.read_buf(&mut read).await.unwrap() > 0 {}
        Ok((source, read.to_vec()))
    }

    #[tokio::test]
    async fn a_header_may_come_in_pieces() {
        let v2 = |command: u8, family: u8, addresses: &[u8]| {
            let length = u8::try_from(addresses.len()).unwrap();
            [v2::PROTOCOL_PREFIX, &[0x20 | command, family, 0, length], addresses].concat()
        };
        let ipv4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0, 80];
        let ipv6: Vec<u8> = [[0x20; 16], [0x10; 16]].concat().into_iter().chain([0x12, 0x34, 0, 80]).collect();
        let with_tlv = [&ipv4[..], &[4, 0, 1, 0]].concat();
        let cases = [
            (b"PROXY TCP4 192.0.2.1 10.0.0.1 4660 80\r\n".to_vec(), Some("192.0.2.1:4660")),
            (b"PROXY TCP6 2001:db8::1 2001:db8::2 4660 80\r\n".to_vec(), Some("[2001:db8::1]:4660")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (v2(1, 0x11, &ipv4), Some("192.0.2.1:4660")),
            (v2(1, 0x21, &ipv6), Some("[2020:2020:2020:2020:2020:2020:2020:2020]:4660")),
            (v2(1, 0x11, &with_tlv), Some("192.0.2.1:4660")),
            (v2(0, 0x11, &ipv4), None),
            (v2(0, 0, &[]), None),
            // No header.
            (Vec::new(), None),
        ];
        for (bytes, source) in cases {
            let request = b"POST / HTTP/1.1\r\n";
            let all = [&bytes[..], request].concat();
            for place in 1..all.len() {
                let (first, second) = all.split_at(place);
                let expected = Ok((source.map(ToOwned::to_owned), request.to_vec()));
                assert_eq!(header(first, second).await, expected, "{:?}", first.escape_ascii().to_string());
            }
        }
    }

    #[tokio::test]
    async fn a_malformed_header_is_an_error() {
        let long = format!("PROXY UNKNOWN {}", "a".repeat(LONGEST_V1));
        let version = [v2::PROTOCOL_PREFIX, &[0x31, 0x11, 0, 0]].concat();
        for bytes in [&b"PROXY TCP4 192.0.2.1 10.0.0.1 0 65536\r\n"[..], b"PROXY \n", long.as_bytes(), &version] {
            let error = Err("the PROXY header cannot be read".to_owned());
            assert_eq!(header(bytes, b"").await, error, "{:?}", bytes.escape_ascii().to_string());
        }
    }
}
