//! Where in S3: a bucket, and a prefix of every key.

use std::fmt;

use object_store::path::Path;
use pipeline_core::error::{Error, Result};

/// A place in S3; prints as its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::artifacts) struct Address {
    /// The bucket.
    pub(in crate::artifacts) bucket: String,
    /// What every key begins with; may be empty.
    pub(in crate::artifacts) prefix: Path,
}

impl Address {
    /// Reads `s3://BUCKET` or `s3://BUCKET/PREFIX`.
    ///
    /// # Errors
    /// `Invalid`, which repeats nothing that may be a secret.
    pub(in crate::artifacts) fn parse(url: &str) -> Result<Self> {
        let wrong = |message: &str| Error::invalid(message).with("accepted", "s3://BUCKET/PREFIX");
        let rest = url.strip_prefix("s3://").ok_or_else(|| wrong("the address of the artifacts is not one of S3"))?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.contains(['@', ':']) {
            return Err(wrong("the address of the artifacts holds more than a bucket; keys come from the environment"));
        }
        if rest.contains(['?', '#']) {
            return Err(wrong("the address of the artifacts takes no parameters"));
        }
        let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
        if !(3..=63).contains(&bucket.len()) || !bucket.chars().all(letter) {
            return Err(wrong("this is no name of a bucket").with("bucket", bucket));
        }
        let prefix = prefix.strip_suffix('/').unwrap_or(prefix);
        let parsed = Path::parse(prefix).ok().filter(|path| path.as_ref() == prefix);
        let prefix = parsed.ok_or_else(|| wrong("this is no prefix of keys").with("prefix", prefix))?;
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bucket, prefix } = self;
        if prefix.as_ref().is_empty() { write!(f, "s3://{bucket}") } else { write!(f, "s3://{bucket}/{prefix}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_bucket_and_perhaps_a_prefix() {
        for (url, bucket, prefix, shown) in [
            ("s3://photos", "photos", "", "s3://photos"),
            ("s3://photos/", "photos", "", "s3://photos"),
            ("s3://my.photos-2/team/a/", "my.photos-2", "team/a", "s3://my.photos-2/team/a"),
        ] {
            let address = Address::parse(url).unwrap();
            assert_eq!((address.bucket.as_str(), address.prefix.as_ref()), (bucket, prefix));
            assert_eq!(address.to_string(), shown);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_what_may_be_a_secret() {
        for url in [
            "https://photos.s3.amazonaws.com",
            "s3:photos",
            "s3://",
            "s3://ab",
            "s3://my photos",
            "s3://photos//a",
            "s3://photos/../a",
            "s3://KEY:hidden@photos/a",
            "s3://photos/a?X-Amz-Signature=hidden",
        ] {
            let error = Address::parse(url).unwrap_err().to_string();
            assert!(error.contains("s3://BUCKET/PREFIX") && !error.contains("hidden"), "{url}: {error}");
        }
    }
}
