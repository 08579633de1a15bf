//! How each format is written and read.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_pickle::{DeOptions, SerOptions};

use crate::reads_back_what_it_wrote;

/// A format of serde.
pub trait Format {
    const HAS_NULL: bool = true;
    /// Whether serde's unit is a null there, and not an empty list.
    const UNIT_IS_NULL: bool = true;
    /// Whether whole numbers past those of an `i64` can be written and read.
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
    Json json { write: serde_json::to_vec, read: serde_json::from_slice }
    SimdJson simd_json { write: simd_json::serde::to_vec, read: |json: &[u8]| simd_json::serde::from_slice(&mut json.to_vec()) }
    SonicRs sonic_rs { write: sonic_rs::to_vec, read: sonic_rs::from_slice }
    Json5 json5 { write: json5::to_string, read: |text| json5::from_str(as_text(text)) }
    Ron ron { write: ron::to_string, read: ron::de::from_bytes }
    Yaml yaml { write: serde_saphyr::to_string, read: serde_saphyr::from_slice }
    YamlNg yaml_ng { write: serde_yaml_ng::to_string, read: serde_yaml_ng::from_slice }
    Toml toml { write: toml::to_string, read: toml::from_slice, HAS_NULL: false }
    Plist plist { write: write_plist, read: plist::from_bytes, HAS_NULL: false }
    Bson bson { write: bson::serialize_to_vec, read: bson::deserialize_from_slice, HAS_U64: false }
    Cbor cbor { write: write_cbor, read: ciborium::from_reader }
    Cbor4ii cbor4ii {
        write: |value| cbor4ii::serde::to_vec(Vec::new(), value), read: cbor4ii::serde::from_slice, UNIT_IS_NULL: false
    }
    Minicbor minicbor { write: minicbor_serde::to_vec, read: minicbor_serde::from_slice, UNIT_IS_NULL: false }
    MessagePack message_pack { write: rmp_serde::to_vec_named, read: rmp_serde::from_slice }
    CompactMessagePack compact_message_pack { write: rmp_serde::to_vec, read: rmp_serde::from_slice }
    Smile smile { write: serde_smile::to_vec, read: serde_smile::from_slice }
    Amqp amqp { write: serde_amqp::to_vec, read: serde_amqp::from_slice }
    FlexBuffers flex_buffers { write: flexbuffers::to_vec, read: flexbuffers::from_slice }
    Pickle pickle {
        write: |value| serde_pickle::to_vec(value, SerOptions::new()),
        read: |pickle| serde_pickle::from_slice(pickle, DeOptions::new()), HAS_U64: false
    }
}

fn as_text(bytes: &[u8]) -> &str {
    str::from_utf8(bytes).expect("a format that is text")
}

fn write_cbor(value: &impl Serialize) -> Result<Vec<u8>, ciborium::ser::Error<std::io::Error>> {
    let mut written = Vec::new();
    ciborium::into_writer(value, &mut written)?;
    Ok(written)
}

fn write_plist(value: &impl Serialize) -> Result<Vec<u8>, plist::Error> {
    let mut written = Vec::new();
    plist::to_writer_xml(&mut written, value)?;
    Ok(written)
}
