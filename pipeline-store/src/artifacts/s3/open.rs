//! Makes the client of a bucket; talks to nobody.

use std::net::IpAddr;

use object_store::aws::{AmazonS3, AmazonS3Builder, AmazonS3ConfigKey as Key, S3ConditionalPut};
use object_store::{BackoffConfig, ClientConfigKey, RetryConfig};
use pipeline_core::error::{Error, Result};
use reqwest::Url;
use secrecy::ExposeSecret as _;

use super::transport::Connector;
use super::{Address, S3Options, classify};

/// The variables that settle the endpoint, the first one first.
const ENDPOINT: &str = "AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL";

/// Makes the client of a bucket.
pub(in crate::artifacts) fn open(address: &Address, options: &S3Options) -> Result<AmazonS3> {
    let mut builder = AmazonS3Builder::from_env().with_bucket_name(&address.bucket);
    if let Some(region) = &options.region {
        builder = builder.with_region(region);
    }
    if let Some(key) = &options.credentials {
        builder = builder.with_access_key_id(&key.key_id).with_secret_access_key(key.secret.expose_secret());
    }
    if let Some(endpoint) = &options.endpoint {
        builder = builder.with_config(Key::S3Endpoint, endpoint);
    }
    let asked = builder.get_config_value(&Key::Client(ClientConfigKey::AllowHttp));
    let allowed = options.allow_http || asked.is_some_and(|value| value == "true");
    let endpoint = builder.get_config_value(&Key::S3Endpoint).or_else(|| builder.get_config_value(&Key::Endpoint));
    let plain = match &endpoint {
        Some(endpoint) => plain(endpoint, allowed)?,
        None => false,
    };
    let retry = RetryConfig {
        backoff: BackoffConfig { max_backoff: std::time::Duration::from_secs(2), ..BackoffConfig::default() },
        max_retries: options.retries,
        retry_timeout: options.timeout,
    };
    let older_metadata = builder.get_config_value(&Key::ImdsV1Fallback).is_some_and(|value| value == "true");
    let connector = Connector { plain, connect: options.connect_timeout, limit: options.timeout, older_metadata };
    builder
        .with_allow_http(plain)
        .with_conditional_put(S3ConditionalPut::ETagMatch)
        .with_retry(retry)
        .with_http_connector(connector)
        .build()
        .map_err(|error| match super::fault::root(&error) {
            // Nothing was asked yet: the variables are wrong.
            Some(root) => Error::invalid("the settings of S3 are wrong").because(root),
            None => classify(&error, "cannot open the artifacts", &address.to_string()),
        })
}

/// Tells whether an endpoint is one without encryption.
fn plain(endpoint: &str, allowed: bool) -> Result<bool> {
    let wrong = |message: &str| Error::invalid(message).with("field", ENDPOINT);
    let url = Url::parse(endpoint).map_err(|_| wrong("the endpoint of S3 is no URL"))?;
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() {
        return Err(wrong("the endpoint of S3 holds more than a place; keys have variables of their own"));
    }
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    let here = host == "localhost" || address.is_ok_and(|address| address.is_loopback());
    match url.scheme() {
        "https" => Ok(false),
        "http" if here || allowed => Ok(true),
        "http" => Err(wrong("the endpoint of S3 is not encrypted; AWS_ALLOW_HTTP=true allows it").with("host", host)),
        _ => Err(wrong("the endpoint of S3 is neither https:// nor http://")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_be_asked_without_encryption_unless_told() {
        for here in ["http://localhost:9000", "http://127.0.0.1:9000/", "http://[::1]:9000"] {
            assert!(plain(here, false).unwrap());
        }
        assert!(!plain("https://s3.example.com", false).unwrap());
        assert!(plain("http://s3.example.com", true).unwrap());
        for wrong in ["http://s3.example.com", "http://localhost.example.com", "ftp://localhost", "localhost:9000", ""]
        {
            plain(wrong, false).unwrap_err();
        }
        let error = plain("https://KEY:hidden@localhost", true).unwrap_err().to_string();
        assert!(!error.contains("hidden"), "{error}");
    }
}
