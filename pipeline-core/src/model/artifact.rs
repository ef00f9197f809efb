//! Files: immutable, write-once, addressed by digest; the media type is sniffed and the extension follows from it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::Digest;

macro_rules! media_types {
    ($($(#[$doc:meta])* $variant:ident => $mime:literal, $extension:literal;)+) => {
        /// What a file is, found by looking at its bytes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum MediaType { $($(#[$doc])* $variant),+ }

        impl MediaType {
            /// Every known type.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// Returns the media type, for example `image/png`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $mime),+ }
            }

            /// Returns the extension that goes with it, without a dot.
            pub const fn extension(self) -> &'static str {
                match self { $(Self::$variant => $extension),+ }
            }
        }
    };
}

media_types! {
    /// PNG.
    Png => "image/png", "png";
    /// JPEG.
    Jpeg => "image/jpeg", "jpg";
    /// WebP.
    WebP => "image/webp", "webp";
    /// GIF.
    Gif => "image/gif", "gif";
    /// TIFF.
    Tiff => "image/tiff", "tiff";
    /// BMP.
    Bmp => "image/bmp", "bmp";
    /// AVIF.
    Avif => "image/avif", "avif";
    /// HEIC.
    Heic => "image/heic", "heic";
    /// SVG.
    Svg => "image/svg+xml", "svg";
    /// JSON.
    Json => "application/json", "json";
    /// Plain text in UTF-8.
    Text => "text/plain", "txt";
    /// Comma-separated values.
    Csv => "text/csv", "csv";
    /// HTML.
    Html => "text/html", "html";
    /// Anything else.
    Binary => "application/octet-stream", "bin";
}

impl MediaType {
    /// Tells whether it is a picture.
    pub fn is_image(self) -> bool {
        self.as_str().starts_with("image/")
    }
}

impl fmt::Display for MediaType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for MediaType {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| crate::error::Error::invalid("unknown media type").with("value", text))
    }
}

impl Serialize for MediaType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for MediaType {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A file in the artifact store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Artifact {
    /// BLAKE3 of the content; also its address.
    pub digest: Digest,
    /// What it is.
    pub media_type: MediaType,
    /// Bytes.
    pub size: u64,
}
