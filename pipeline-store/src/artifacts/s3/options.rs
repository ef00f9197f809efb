//! How a bucket is used.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

/// How a bucket is used. What is absent comes from the environment: `AWS_ENDPOINT_URL`, `AWS_REGION`,
/// `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` (without them the metadata of the instance or the container),
/// `AWS_ALLOW_HTTP`, `AWS_VIRTUAL_HOSTED_STYLE_REQUEST`.
#[derive(Clone, Debug)]
pub struct S3Options {
    /// Where the service is, for example `http://127.0.0.1:9000`.
    pub endpoint: Option<String>,
    /// The region of the bucket.
    pub region: Option<String>,
    /// A key of the embedding program.
    pub credentials: Option<S3Credentials>,
    /// Whether an endpoint on another machine may be used without encryption; one on this machine always may.
    pub allow_http: bool,
    /// How long to wait for a connection.
    pub connect_timeout: Duration,
    /// How long one try may take, and a second more for each MiB it carries. A try that breaks is repeated; no try begins
    /// when this much time is gone.
    pub timeout: Duration,
    /// How often a request is tried again when the service is down or the connection breaks. Every request is idempotent.
    pub retries: usize,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            endpoint: None,
            region: None,
            credentials: None,
            allow_http: false,
            connect_timeout: Duration::from_secs(5),
            timeout: Duration::from_secs(60),
            retries: 3,
        }
    }
}

/// A key of S3; its secret is never shown.
#[derive(Clone)]
pub struct S3Credentials {
    /// The id of the key.
    pub key_id: String,
    /// The secret of the key.
    pub secret: SecretString,
}

impl S3Credentials {
    /// Makes a key of its two parts.
    pub fn new(key_id: impl Into<String>, secret: impl Into<String>) -> Self {
        Self { key_id: key_id.into(), secret: SecretString::from(secret.into()) }
    }
}

impl fmt::Debug for S3Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Credentials").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_do_not_show_the_key() {
        let options = S3Options { credentials: Some(S3Credentials::new("hidden", "hidden")), ..S3Options::default() };
        assert!(!format!("{options:?}").contains("hidden"));
    }
}
