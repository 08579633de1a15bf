//! How each format is written and read.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::reads_back_what_it_wrote;

/// A format of serde.
pub trait Format {
    const HAS_NULL: bool = true;
    /// Whether it has whole numbers past those of an `i64`.
    const HAS_U64: bool = true;

    fn write(value: &impl Serialize) -> Result<Vec<u8>, String>;
    fn read<T: DeserializeOwned>(written: &[u8]) -> Result<T, String>;
}

/// A unit struct with that name for each format, and a test of it.
macro_rules! formats {
    ($($name:ident $test:ident { write: $write:expr, read: $read:expr $(, $has:ident: $is:literal)* })*) => {$(
        pub struct $name;

        impl Format for $name {
            $(const $has: bool = $is;)*

            fn write(value: &impl Serialize) -> Result<Vec<u8>, String> {
                ($write)(value).map(Vec::from).map_err(|error| error.to_string())
            }

            fn read<T: DeserializeOwned>(written: &[u8]) -> Result<T, String> {
                ($read)(written).map_err(|error| error.to_string())
            }
        }

        #[test]
        fn $test() {
            reads_back_what_it_wrote::<$name>();
        }
    )*};
}

formats! {
    SimdJson simd_json { write: simd_json::serde::to_vec, read: |json: &[u8]| simd_json::serde::from_slice(&mut json.to_vec()) }
    SonicRs sonic_rs { write: sonic_rs::to_vec, read: sonic_rs::from_slice }
    Json5 json5 { write: json5::to_string, read: |text| json5::from_str(as_text(text)) }
    Ron ron { write: ron::to_string, read: ron::de::from_bytes }
    Yaml yaml { write: serde_saphyr::to_string, read: serde_saphyr::from_slice }
    Toml toml { write: toml::to_string, read: toml::from_slice, HAS_NULL: false }
    Bson bson { write: bson::serialize_to_vec, read: bson::deserialize_from_slice, HAS_U64: false }
    Cbor cbor { write: write_cbor, read: ciborium::from_reader }
    MessagePack message_pack { write: rmp_serde::to_vec_named, read: rmp_serde::from_slice }
}

fn as_text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("a format that is text")
}

fn write_cbor(value: &impl Serialize) -> Result<Vec<u8>, ciborium::ser::Error<std::io::Error>> {
    let mut written = Vec::new();
    ciborium::into_writer(value, &mut written)?;
    Ok(written)
}
