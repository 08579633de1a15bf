//! The one macro behind the open string enums.

use std::fmt;
use std::marker::PhantomData;

/// The text of a name that an open enum does not recognize, as it was sent.
///
/// Only the enum `E` makes it, from a text that is none of its names in any spelling. So `Other` never holds a name
/// that is recognized, and a comparison with a variant is always right.
///
/// ```
/// use routee_viber::StatusName;
///
/// let name = StatusName::from("seen");
/// assert_eq!(name, StatusName::Seen);
/// match StatusName::from("Sent") {
///     StatusName::Other(text) => {
///         assert_eq!(text.as_str(), "Sent");
///     }
///     known => panic!("{known} is recognized"),
/// }
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Unrecognized<E> {
    text: Box<str>,
    of: PhantomData<E>,
}

impl<E> Unrecognized<E> {
    pub(crate) fn new(text: impl Into<Box<str>>) -> Self {
        Self { text: text.into(), of: PhantomData }
    }

    /// The text as it was sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

/// The text alone, so that a name prints as `Other("Sent")`.
impl<E> fmt::Debug for Unrecognized<E> {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        self.text.fmt(f)
    }
}

/// Whether two spellings are one name: case, spaces, `_` and `-` make no difference.
pub(crate) fn is_same_name(one: &str, other: &str) -> bool {
    letters(one).eq(letters(other))
}

fn letters(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().filter(|byte| !b" _-".contains(byte)).map(|byte| byte.to_ascii_lowercase())
}

/// Makes an enum of the documented names and of every other text.
macro_rules! open_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $($(#[$variant_attribute:meta])* $variant:ident = $text:literal,)*
        }
    ) => {
        $(#[$attribute])*
        ///
        /// # Unrecognized names
        ///
        /// A name is recognized whatever its case, spaces, `_` and `-`, and is written in the documented spelling. Any
        /// other text is `Other` and is written as it was sent, so a name that Routee adds tomorrow neither fails the
        /// body nor gets lost. Match with a wildcard arm.
        ///
        /// # serde
        ///
        /// Serialized as a string. Deserialized alone, it takes a string; as a part of a body also a whole number or a
        /// boolean, which becomes its text.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde_with::DeserializeFromStr)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$variant_attribute])* $variant,)*
            /// Any other text, as it was sent.
            Other($crate::Unrecognized<Self>),
        }

        impl $name {
            /// All names that are recognized, in the order of the variants.
            pub const KNOWN: &'static [Self] = &[$(Self::$variant),*];

            /// The documented spelling, or the text as it was sent.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text.as_str(),
                }
            }

            fn known(text: &str) -> Option<Self> {
                match text {
                    "" => None,
                    $($text => Some(Self::$variant),)*
                    $(_ if $crate::lenient::open_enum::is_same_name(text, $text) => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self::known(text).unwrap_or_else(|| Self::Other($crate::Unrecognized::new(text)))
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                Self::known(&text).unwrap_or_else(|| Self::Other($crate::Unrecognized::new(text)))
            }
        }

        impl std::str::FromStr for $name {
            type Err = std::convert::Infallible;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Ok(Self::from(text))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        /// Compares [`as_str`](Self::as_str), in that case alone.
        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                self.as_str() == other
            }
        }

        /// Compares [`as_str`](Self::as_str), in that case alone.
        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                self.as_str() == *other
            }
        }

        /// Compares [`as_str`](Self::as_str), in that case alone.
        impl PartialEq<String> for $name {
            fn eq(&self, other: &String) -> bool {
                self.as_str() == other
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl $crate::lenient::scalar::Scalar for $name {
            #[inline(always)]
            fn from_leaf(leaf: $crate::lenient::scalar::Leaf) -> Option<Self> {
                match leaf {
                    $crate::lenient::scalar::Leaf::Text(text) => Some(Self::from(text)),
                    other => String::from_leaf(other).map(Self::from),
                }
            }

            fn is_unrecognized(&self) -> bool {
                matches!(self, Self::Other(_))
            }

            fn text(&self) -> Option<&str> {
                Some(self.as_str())
            }
        }
    };
}
pub(crate) use open_enum;
