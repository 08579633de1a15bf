//! Compressed bodies.

use std::io::{self, Read};

use axum::body::Bytes;
use axum::http::{HeaderMap, header};
use brotli_decompressor::Decompressor;
use flate2::read::{MultiGzDecoder, ZlibDecoder};

/// How a body is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    Identity,
    Gzip,
    Deflate,
    Brotli,
}

/// Why a body is not decoded.
#[derive(Debug, PartialEq, Eq)]
pub enum DecodeError {
    TooLarge,
    Broken,
}

impl Encoding {
    /// What `Content-Encoding` says. `None` if it is not known, or if the body is compressed more than once.
    pub fn of(headers: &HeaderMap) -> Option<Self> {
        let mut values = headers.get_all(header::CONTENT_ENCODING).into_iter();
        let Some(value) = values.next() else { return Some(Self::Identity) };
        if values.next().is_some() {
            return None;
        }
        match value.to_str().ok()?.to_ascii_lowercase().as_str() {
            "" | "identity" => Some(Self::Identity),
            "gzip" | "x-gzip" => Some(Self::Gzip),
            "deflate" => Some(Self::Deflate),
            "br" => Some(Self::Brotli),
            _ => None,
        }
    }

    /// The body as it was before it was compressed. A few bytes can become gigabytes, so it is decoded only up to
    /// `longest`.
    pub fn decode(self, body: Bytes, longest: usize) -> Result<Bytes, DecodeError> {
        let decoded = match self {
            Self::Identity => return Ok(body),
            Self::Gzip => read(MultiGzDecoder::new(&*body), longest),
            Self::Deflate => read(ZlibDecoder::new(&*body), longest),
            Self::Brotli => read(Decompressor::new(&*body, 4096), longest),
        };
        let decoded = decoded.map_err(|_| DecodeError::Broken)?;
        if decoded.len() > longest { Err(DecodeError::TooLarge) } else { Ok(decoded.into()) }
    }
}

/// Reads one byte more than may be there, if it is.
fn read(body: impl Read, longest: usize) -> io::Result<Vec<u8>> {
    let mut decoded = Vec::new();
    body.take(longest as u64 + 1).read_to_end(&mut decoded)?;
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::HeaderValue;
    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;

    const LONGEST: usize = 64 << 10;

    /// `{"a":1}`, as Node.js compresses it.
    const BROTLI: &[u8] = b"\x0b\x03\x80{\"a\":1}\x03";

    fn gzip(body: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap().into()
    }

    fn deflate(body: &[u8]) -> Bytes {
        let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(body).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn an_encoding_has_its_name_in_the_header() {
        let of = |values: &[&'static str]| {
            let values = values.iter().map(|value| (header::CONTENT_ENCODING, HeaderValue::from_static(value)));
            Encoding::of(&values.collect())
        };
        assert_eq!(of(&[]), Some(Encoding::Identity));
        assert_eq!(of(&["identity"]), Some(Encoding::Identity));
        assert_eq!(of(&["GZip"]), Some(Encoding::Gzip));
        assert_eq!(of(&["x-gzip"]), Some(Encoding::Gzip));
        assert_eq!(of(&["deflate"]), Some(Encoding::Deflate));
        assert_eq!(of(&["br"]), Some(Encoding::Brotli));
        for unknown in [&["zstd"][..], &["gzip, gzip"], &["gzip", "br"]] {
            assert_eq!(of(unknown), None, "{unknown:?}");
        }
    }

    #[test]
    fn a_body_is_decoded_up_to_its_limit() {
        for length in [0, 1, LONGEST] {
            let body = vec![b' '; length];
            assert_eq!(Encoding::Gzip.decode(gzip(&body), LONGEST).unwrap(), body);
            assert_eq!(Encoding::Deflate.decode(deflate(&body), LONGEST).unwrap(), body);
        }
        let body = vec![b' '; LONGEST + 1];
        assert_eq!(Encoding::Gzip.decode(gzip(&body), LONGEST), Err(DecodeError::TooLarge));
        assert_eq!(Encoding::Deflate.decode(deflate(&body), LONGEST), Err(DecodeError::TooLarge));

        assert_eq!(Encoding::Brotli.decode(Bytes::from_static(BROTLI), 7).unwrap(), r#"{"a":1}"#);
        assert_eq!(Encoding::Brotli.decode(Bytes::from_static(BROTLI), 6), Err(DecodeError::TooLarge));
    }

    #[test]
    fn a_body_of_several_gzip_members_is_whole() {
        let body = [gzip(b"{\"a\""), gzip(b":1}")].concat();
        assert_eq!(Encoding::Gzip.decode(body.into(), LONGEST).unwrap(), r#"{"a":1}"#);
    }

    #[test]
    fn a_body_that_is_cut_or_not_compressed_is_broken() {
        let (gzip, deflate) = (gzip(b"{}"), deflate(b"{}"));
        for (encoding, body) in [(Encoding::Gzip, &*gzip), (Encoding::Deflate, &*deflate), (Encoding::Brotli, BROTLI)] {
            for length in 0..body.len() {
                let cut = Bytes::copy_from_slice(&body[..length]);
                assert_eq!(encoding.decode(cut, LONGEST), Err(DecodeError::Broken), "{encoding:?}, {length} bytes");
            }
            assert_eq!(encoding.decode("{\"a\":1}".into(), LONGEST), Err(DecodeError::Broken), "{encoding:?}");
        }
    }
}
