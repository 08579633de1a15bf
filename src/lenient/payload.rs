//! The methods of a model that is a whole body, which are the same for each.

/// Gives a model its ways in and its two reports, each under the docs that stand before its name.
macro_rules! payload {
    (
        $model:ident
        $(#[$from_slice:meta])* from_slice
        $(#[$anomalies:meta])* anomalies
        $(#[$extras:meta])* extras
    ) => {
        impl $model {
            $(#[$from_slice])*
            ///
            /// # Errors
            ///
            /// See [`CallbackError`](crate::CallbackError).
            pub fn from_slice(bytes: &[u8]) -> Result<Self, $crate::error::CallbackError> {
                $crate::lenient::text::from_slice(bytes)
            }

            $(#[$anomalies])*
            #[must_use]
            pub fn anomalies(&self) -> Vec<$crate::anomaly::Anomaly> {
                $crate::lenient::report::anomalies(self)
            }

            $(#[$extras])*
            pub fn extras(&self) -> impl Iterator<Item = (String, &serde_json::Value)> {
                $crate::lenient::report::extras(self)
            }
        }

        /// Reads a text, as `from_slice` reads bytes.
        impl std::str::FromStr for $model {
            type Err = $crate::error::CallbackError;

            fn from_str(text: &str) -> Result<Self, $crate::error::CallbackError> {
                Self::from_slice(text.as_bytes())
            }
        }
    };
}
pub(crate) use payload;
