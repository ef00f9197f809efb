//! How connections are secured: by rustls, with the certificates that the platform trusts.

use std::sync::Arc;

use pipeline_core::{Error, Result};

/// Returns how a client secures its connections; where none is to be secure, no certificates of the platform are needed.
pub(crate) fn config(secure: bool) -> Result<rustls::ClientConfig> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&ring))
        .with_safe_default_protocol_versions()
        .map_err(|error| unmade(error.into()))?;
    Ok(if secure {
        let verifier = rustls_platform_verifier::Verifier::new(ring).map_err(|error| unmade(error.into()))?;
        tls.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    } else {
        tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    })
}

/// The error for a client that cannot be made.
pub(crate) fn unmade(error: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::unexpected("cannot make the HTTP client").because(error)
}
