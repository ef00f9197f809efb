//! An image generator that buys from the fake vendor over HTTP.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use pipeline_core::model::{Capability, Limits, MediaType, Money};
use pipeline_core::provider::{
    GenerateRequest, GenerateResponse, GeneratedImage, ImageCapabilities, ImageContent, ImageFile, ImageGenerator,
    Price, ProviderInfo, Repeat, Usage,
};
use pipeline_core::settings::SecretRef;
use pipeline_core::{Error, ErrorKind, Result, Retryability};
use reqwest::header::{AUTHORIZATION, HeaderValue, RETRY_AFTER};
use reqwest::{Response, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;

/// Buys pictures from a vendor.
#[derive(Clone)]
pub struct VendorClient {
    url: String,
    key: SecretString,
    http: reqwest::Client,
    info: ProviderInfo,
    able: ImageCapabilities,
}

impl fmt::Debug for VendorClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VendorClient").field("url", &self.url).field("info", &self.info).finish_non_exhaustive()
    }
}

impl VendorClient {
    /// Makes a client of the vendor at `url`; `repeat` is what the vendor promises about repeated keys.
    ///
    /// # Errors
    /// `Unexpected` when the HTTP client cannot be made.
    pub fn new(url: &str, key: SecretString, repeat: Repeat) -> Result<Self> {
        let broken = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::unexpected("cannot make the HTTP client").because(error)
        };
        let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| broken(error.into()))?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| broken(error.into()))?;
        let info = ProviderInfo {
            name: "vendor".to_owned(),
            model: Some("studio-1".to_owned()),
            capability: Capability::GenerateImage,
            summary: "Sells pictures over HTTP.".to_owned(),
            local: false,
            repeat,
            price: Some(Price { per_call: Money::ZERO, per_unit: Money::from_micros(40_000) }),
            max_cost: None,
            limits: Limits::default(),
        };
        let able = ImageCapabilities {
            min_side: 16,
            max_side: 2048,
            step: 1,
            max_per_call: 8,
            seeded: true,
            negative_prompt: false,
            styles: Vec::new(),
        };
        Ok(Self { url: url.trim_end_matches('/').to_owned(), key, http, info, able })
    }

    /// Makes a client whose key is kept where `key` says.
    ///
    /// # Errors
    /// `Unauthorized` when there is no key, `Unexpected` when the HTTP client cannot be made.
    pub fn from_reference(url: &str, key: &SecretRef, repeat: Repeat) -> Result<Self> {
        let found = match key {
            SecretRef::Environment(name) => std::env::var(name).ok(),
            SecretRef::File(path) => std::fs::read_to_string(path).ok().map(|text| text.trim().to_owned()),
        };
        let found =
            found.ok_or_else(|| Error::new(ErrorKind::Unauthorized, "the key is not there").with("key", key))?;
        Self::new(url, found.into(), repeat)
    }

    /// Buys at most this many pictures with one request; 8 unless said otherwise.
    pub fn max_per_call(mut self, pictures: u32) -> Self {
        self.able.max_per_call = pictures;
        self
    }

    /// Expects this price a picture when the vendor does not say.
    pub fn price_micros(mut self, micros: i64) -> Self {
        self.info.price = Some(Price { per_call: Money::ZERO, per_unit: Money::from_micros(micros) });
        self
    }

    async fn send(&self, request: &GenerateRequest) -> Result<Response> {
        let mut key = HeaderValue::from_str(&format!("Bearer {}", self.key.expose_secret()))
            .map_err(|_| Error::new(ErrorKind::Unauthorized, "the key cannot be sent in a header"))?;
        key.set_sensitive(true);
        let order = json!({
            "prompt": request.prompt,
            "width": request.size.width,
            "height": request.size.height,
            "n": request.seeds.len(),
            "seed": request.seeds.first(),
        });
        let mut call = self.http.post(format!("{}/v1/images", self.url)).header(AUTHORIZATION, key).json(&order);
        if self.info.repeat.is_idempotent() {
            call = call.header("idempotency-key", request.context.idempotency_key.to_string());
        }
        if let Some(limit) = request.context.timeout {
            call = call.timeout(limit);
        }
        call.send().await.map_err(broken)
    }
}

#[derive(Deserialize)]
struct Delivered {
    id: String,
    images: Vec<Picture>,
    cost_micros: Option<i64>,
}

#[derive(Deserialize)]
struct Picture {
    index: usize,
    seed: Option<u64>,
    b64: Option<String>,
    url: Option<String>,
}

#[async_trait]
impl ImageGenerator for VendorClient {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capabilities(&self) -> &ImageCapabilities {
        &self.able
    }

    async fn generate(&self, request: GenerateRequest) -> Result<GenerateResponse> {
        if request.negative_prompt.is_some() || request.style.is_some() {
            return Err(Error::new(ErrorKind::Unsupported, "the vendor has neither styles nor negative prompts"));
        }
        let response = accepted(self.send(&request).await?).await?;
        let body = response.bytes().await.map_err(broken)?;
        // The cause is left out: it may repeat what stands in the body.
        let wrong = || Error::corrupt("the vendor's answer has the wrong shape").with("bytes", body.len());
        let delivered: Delivered = serde_json::from_slice(&body).map_err(|_| wrong())?;
        let images = delivered.images.into_iter().map(|picture| {
            let Picture { index, seed, b64, url } = picture;
            let content = match (b64, url) {
                (Some(text), None) => ImageContent::Inline(png(STANDARD.decode(text).map_err(|_| wrong())?.into())?),
                (None, Some(link)) => ImageContent::Remote(link),
                (None, None) | (Some(_), Some(_)) => return Err(wrong()),
            };
            if index >= request.seeds.len() {
                return Err(wrong());
            }
            Ok(GeneratedImage { index, content, seed })
        });
        let usage = Usage {
            cost: delivered.cost_micros.map(Money::from_micros),
            external_id: Some(delivered.id),
            ..Usage::default()
        };
        Ok(GenerateResponse { images: images.collect::<Result<_>>()?, usage })
    }

    async fn download(&self, reference: &str) -> Result<ImageFile> {
        if !reference.starts_with(&format!("{}/", self.url)) {
            return Err(Error::corrupt("the picture's link leads elsewhere"));
        }
        // A download is free: whatever goes wrong, it may simply be repeated.
        let again = |error: reqwest::Error| broken(error).retry(Retryability::Transient);
        let response = accepted(self.http.get(reference).send().await.map_err(again)?).await?;
        png(response.bytes().await.map_err(again)?)
    }
}

/// Classifies a request that got no whole answer.
fn broken(error: reqwest::Error) -> Error {
    let error = error.without_url();
    if error.is_builder() {
        Error::invalid("the request cannot be made").because(error)
    } else if error.is_connect() {
        Error::new(ErrorKind::Unavailable, "the vendor cannot be reached").because(error)
    } else if error.is_timeout() {
        let late = Error::new(ErrorKind::Timeout, "the vendor did not answer in time");
        late.retry(Retryability::Indeterminate).because(error)
    } else {
        let cut = Error::new(ErrorKind::Unavailable, "the connection to the vendor broke");
        cut.retry(Retryability::Indeterminate).because(error)
    }
}

/// Classifies an answer by its status. The body is never repeated: it may hold the key or the prompt.
async fn accepted(response: Response) -> Result<Response> {
    let status = response.status();
    let error = |kind, message: &str| Error::new(kind, message).with("status", status.as_u16());
    if status.is_success() {
        return Ok(response);
    }
    Err(match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => error(ErrorKind::Unauthorized, "the key is not accepted"),
        StatusCode::NOT_FOUND => error(ErrorKind::NotFound, "the vendor does not know it"),
        StatusCode::TOO_MANY_REQUESTS => {
            let after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
            let after = after.map(Duration::from_secs);
            error(ErrorKind::RateLimited, "too many requests").retry(Retryability::Throttled { after })
        }
        StatusCode::BAD_REQUEST => {
            #[derive(Deserialize)]
            struct Problem {
                error: Code,
            }
            #[derive(Deserialize)]
            struct Code {
                code: String,
            }
            let body = response.bytes().await.map_err(broken)?;
            match serde_json::from_slice::<Problem>(&body) {
                Ok(problem) if problem.error.code == "moderation" => {
                    error(ErrorKind::Refused, "the vendor's safety system said no")
                }
                _ => error(ErrorKind::Invalid, "the vendor does not accept the request"),
            }
        }
        _ if status.is_server_error() => error(ErrorKind::Unavailable, "the vendor has trouble"),
        _ => error(ErrorKind::Unexpected, "the vendor answered with an unknown status"),
    })
}

fn png(bytes: Bytes) -> Result<ImageFile> {
    if bytes.starts_with(b"\x89PNG\r\n\x1a\n") {
        Ok(ImageFile { bytes, media_type: MediaType::Png })
    } else {
        Err(Error::corrupt("the vendor delivered something that is no PNG").with("bytes", bytes.len()))
    }
}
