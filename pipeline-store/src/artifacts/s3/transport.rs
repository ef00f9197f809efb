//! Carries the requests of the S3 client: rustls with ring, no redirects, no proxy, and a limit on every try.
//!
//! Answers that are errors become [`Failure`]s, of which nothing is kept but the status and the code: their text may
//! repeat keys and what was signed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
};
use reqwest::{Body, Client, Request, Response, StatusCode, Url};

/// What the service of instance metadata is given for an answer.
const METADATA_LIMIT: Duration = Duration::from_secs(2);

/// Makes clients.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connector {
    /// Whether the endpoint is one without encryption.
    pub(super) plain: bool,
    /// How long to wait for a connection.
    pub(super) connect: Duration,
    /// How long one try may take, and a second more for each MiB.
    pub(super) limit: Duration,
    /// Whether the client goes on without a session token where instance metadata forbids it.
    pub(super) older_metadata: bool,
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        let allow = options.get_config_value(&object_store::ClientConfigKey::AllowHttp);
        let client = client(self.plain, self.connect, allow.is_some_and(|value| value == "true"))
            .map_err(|source| object_store::Error::Generic { store: "S3", source })?;
        Ok(HttpClient::new(Carrier { client, limit: self.limit, older_metadata: self.older_metadata }))
    }
}

fn client(
    plain: bool,
    connect: Duration,
    allow_http: bool,
) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(Arc::clone(&ring)).with_safe_default_protocol_versions()?;
    let tls = if plain {
        tls.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth()
    } else {
        let verifier = rustls_platform_verifier::Verifier::new(ring)?;
        tls.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
    };
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .https_only(!allow_http)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(connect)
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")));
    Ok(client.build()?)
}

/// Why a request has no good answer.
#[derive(Debug)]
pub(super) struct Failure {
    /// Whether this was a question for credentials, not for the bucket.
    pub(super) credentials: bool,
    /// What happened.
    pub(super) cause: Cause,
}

/// What happened to a request.
#[derive(Debug)]
pub(super) enum Cause {
    /// The answer is an error.
    Answer {
        /// Its status.
        status: StatusCode,
        /// Its code, for example `NoSuchBucket`.
        code: Option<String>,
        /// The region the bucket is in, when that was not asked.
        region: Option<String>,
    },
    /// There was no answer in time.
    Late,
    /// The service cannot be reached.
    Unreachable(reqwest::Error),
    /// The connection broke.
    Broken(reqwest::Error),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.credentials {
            f.write_str("AWS_ACCESS_KEY_ID is not set, and asking the machine for credentials failed: ")?;
        }
        match &self.cause {
            Cause::Answer { status, code, region } => {
                write!(f, "the service answered {}", status.as_u16())?;
                if let Some(code) = code {
                    write!(f, " {code}")?;
                }
                if let Some(region) = region {
                    write!(f, "; the bucket is in region {region}, see AWS_REGION")?;
                }
                Ok(())
            }
            Cause::Late => f.write_str("no answer in time"),
            Cause::Unreachable(_) => f.write_str("the service cannot be reached"),
            Cause::Broken(_) => f.write_str("the connection broke"),
        }
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.cause {
            Cause::Answer { .. } | Cause::Late => None,
            Cause::Unreachable(error) | Cause::Broken(error) => Some(error),
        }
    }
}

impl Cause {
    fn of(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() {
            Self::Unreachable(error)
        } else if error.is_timeout() {
            Self::Late
        } else {
            Self::Broken(error)
        }
    }

    /// Says what the client does about it: `Request` and `Connect` are tried again, `Timeout` only when reading.
    fn kind(&self) -> HttpErrorKind {
        match self {
            Self::Answer { status, .. } if busy(*status) => HttpErrorKind::Request,
            Self::Answer { .. } => HttpErrorKind::Unknown,
            Self::Late => HttpErrorKind::Timeout,
            Self::Unreachable(_) => HttpErrorKind::Connect,
            // Keys are digests, so that a request that did arrive may be repeated.
            Self::Broken(_) => HttpErrorKind::Request,
        }
    }
}

/// Tells whether a status asks to try again.
pub(super) fn busy(status: StatusCode) -> bool {
    let again = [StatusCode::TOO_MANY_REQUESTS, StatusCode::REQUEST_TIMEOUT];
    status.is_server_error() || again.contains(&status)
}

/// Carries requests.
#[derive(Debug)]
struct Carrier {
    client: Client,
    limit: Duration,
    older_metadata: bool,
}

#[async_trait]
impl HttpService for Carrier {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let (parts, body) = request.into_parts();
        // Link-local addresses, and the session tokens of the first version of instance metadata.
        let credentials = parts.uri.host().is_some_and(|host| host.starts_with("169.254."))
            || parts.uri.path().starts_with("/latest/");
        let limit = if credentials { METADATA_LIMIT } else { self.limit };
        let failed = |cause: Cause| HttpError::new(cause.kind(), Failure { credentials, cause });
        let url: Url = parts
            .uri
            .to_string()
            .parse()
            .map_err(|_| HttpError::new_boxed(HttpErrorKind::Unknown, "the endpoint is no URL".into()))?;
        let mut request = Request::new(parts.method, url);
        *request.headers_mut() = parts.headers;
        let sending = limit + allowance(body.content_length() as u64);
        *request.body_mut() = Some(Body::wrap(body));
        let response = tokio::time::timeout(sending, self.client.execute(request)).await;
        let response = response.map_err(|_| failed(Cause::Late))?.map_err(|error| failed(Cause::of(error)))?;
        let status = response.status();
        let headers = response.headers().clone();
        let content = content(response, limit).await.map_err(failed)?;
        // The client makes sense of these itself: there already, not changed, and the older kind of metadata.
        let expected = [StatusCode::CONFLICT, StatusCode::PRECONDITION_FAILED, StatusCode::NOT_MODIFIED];
        let older = credentials && self.older_metadata && status == StatusCode::FORBIDDEN;
        if status.is_success() || expected.contains(&status) || older {
            let mut response =
                HttpResponse::new(if status.is_success() { content.into() } else { Bytes::new().into() });
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            return Ok(response);
        }
        let region = headers.get("x-amz-bucket-region").and_then(|region| region.to_str().ok());
        let region = region.filter(|_| status.is_redirection() || status == StatusCode::BAD_REQUEST).and_then(word);
        Err(failed(Cause::Answer { status, code: code(&content), region }))
    }
}

/// Reads the content of an answer.
async fn content(response: Response, limit: Duration) -> Result<Bytes, Cause> {
    let limit = limit + allowance(response.content_length().unwrap_or(0));
    tokio::time::timeout(limit, response.bytes()).await.map_err(|_| Cause::Late)?.map_err(Cause::of)
}

/// A second for each MiB.
fn allowance(bytes: u64) -> Duration {
    Duration::from_secs_f64(bytes as f64 / f64::from(1 << 20))
}

/// Returns the code of an error in XML.
fn code(content: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(content).ok()?;
    let (_, rest) = text.split_once("<Code>")?;
    word(rest.split_once("</Code>")?.0)
}

/// Returns a text if it is one short word.
fn word(text: &str) -> Option<String> {
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    (!text.is_empty() && text.len() <= 64 && text.chars().all(letter)).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_error_in_xml_only_the_code_is_kept() {
        let xml = "<?xml version=\"1.0\"?><Error><Code>SignatureDoesNotMatch</Code><StringToSign>hidden</StringToSign>";
        assert_eq!(code(xml.as_bytes()).unwrap(), "SignatureDoesNotMatch");
        for other in ["", "<html>busy</html>", "<Code></Code>", "<Code>two words</Code>", "<Code>never closed"] {
            assert_eq!(code(other.as_bytes()), None, "{other}");
        }
    }
}
