//! The thin side that talks: orders, polls, fetches, and hands what comes back to the codec.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use pipeline_core::error::{Error, ErrorKind, Result, Retryability};
use pipeline_core::model::Step;
use pipeline_core::provider::{
    CallContext, GenerateRequest, GenerateResponse, ImageCapabilities, ImageFile, ImageGenerator, Journal, ProviderInfo,
};
use pipeline_core::settings::SecretRef;
use pipeline_core::time::Timestamp;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::{Client, RequestBuilder, Response, Url};
use tokio::time::Instant;

use crate::tls;

use super::codec::{self, Asked, Standing};
use super::config::{HttpConfig, Mode};

/// As much of an answer that is no success is looked at.
const LARGEST_REFUSAL: usize = 64 * 1024;

/// Buys pictures from a vendor over HTTP.
#[derive(Clone)]
pub struct HttpProvider {
    config: HttpConfig,
    base: Url,
    key: Option<HeaderValue>,
    /// Made without its key: it can only be asked what it is and can.
    described: bool,
    /// Places orders.
    orders: Client,
    /// Asks for tasks and files.
    questions: Client,
    info: ProviderInfo,
    able: ImageCapabilities,
}

impl fmt::Debug for HttpProvider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpProvider")
            .field("name", &self.info.name)
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl HttpProvider {
    /// Makes the provider a configuration describes; `name` is what the ledger calls it. Reads the key.
    ///
    /// # Errors
    /// `Invalid` for a wrong value, `Unauthorized` when there is no key where the reference points, `Unexpected` when
    /// TLS cannot be set up.
    pub fn from_config(name: &str, config: HttpConfig) -> Result<Self> {
        let described = Self::describe(name, config)?;
        let key = described.config.key.as_ref().map(bearer).transpose()?;
        Ok(Self { key, described: false, ..described })
    }

    /// Makes the same provider without reading its key, for programs that submit jobs and leave the work to others. It
    /// says what it is and can, and refuses every call.
    ///
    /// # Errors
    /// `Invalid` for a wrong value, `Unexpected` when TLS cannot be set up.
    pub fn describe(name: &str, config: HttpConfig) -> Result<Self> {
        config.check()?;
        let base = Url::parse(&config.url).map_err(|_| Error::invalid("the vendor's address is none"))?;
        let secure = base.scheme() == "https";
        // On a connection used before, an order could be lost without anyone knowing whether it had arrived.
        let idle = if config.idempotent { usize::MAX } else { 0 };
        Ok(Self {
            base,
            key: None,
            described: true,
            orders: client(&config, secure, idle)?,
            questions: client(&config, secure, usize::MAX)?,
            info: config.info(name),
            able: config.capabilities(),
            config,
        })
    }

    /// Returns what it was made of.
    pub fn config(&self) -> &HttpConfig {
        &self.config
    }

    /// Places an order and returns the body of the answer.
    async fn order(&self, path: &str, order: &[u8], context: &CallContext) -> Result<Bytes> {
        let asked = Asked::Order { idempotent: self.config.idempotent };
        let mut request = self.orders.post(self.address(&["v1", path])?);
        request = request.header(CONTENT_TYPE, "application/json").body(order.to_vec());
        if self.config.idempotent {
            request = request.header("idempotency-key", context.idempotency_key.to_string());
        }
        self.fetch(self.signed(request), asked, context.timeout).await
    }

    /// Has a task begun, and noted.
    async fn submit(&self, order: &[u8], context: &CallContext) -> Result<String> {
        let id = codec::submitted(&self.order("tasks", order, context).await?)?;
        context.note.task(&id).await;
        Ok(id)
    }

    /// Asks for a task until it ends or patience does.
    async fn follow(&self, id: &str, wanted: usize, until: Instant, journal: &Journal) -> Result<GenerateResponse> {
        loop {
            let request = self.signed(self.questions.get(self.address(&["v1", "tasks", id])?));
            let left = until.saturating_duration_since(Instant::now());
            let answer = self.fetch(request, Asked::Task, Some(left.max(Duration::from_secs(1))));
            let body = journal.step(Step::Poll, "asked for the task", answer).await?;
            match codec::standing(&body, id, wanted)? {
                Standing::Done(response) => return Ok(response),
                Standing::Running if Instant::now() + self.config.poll() < until => {
                    tokio::time::sleep(self.config.poll()).await;
                }
                Standing::Running => {
                    return Err(Error::new(ErrorKind::Timeout, "the vendor is still at the task")
                        .retry(Retryability::Indeterminate));
                }
            }
        }
    }

    /// Sends one request and returns the body of a successful answer.
    async fn fetch(&self, request: RequestBuilder, asked: Asked, limit: Option<Duration>) -> Result<Bytes> {
        if self.described {
            return Err(Error::new(
                ErrorKind::Unauthorized,
                "the provider was made without its key; it makes no calls",
            ));
        }
        let limit = limit.unwrap_or(Duration::MAX).min(self.config.answer());
        let response = request.timeout(limit).send().await.map_err(|error| broken(error, asked))?;
        let status = response.status();
        if status.is_success() {
            let most = self.config.max_answer();
            return read(response, most).await.map_err(|error| broken(error, asked))?.ok_or_else(|| {
                let large = Error::corrupt("the vendor's answer is too large");
                large.with("most_bytes", most).retry(asked.unsure())
            });
        }
        let header = response.headers().get(RETRY_AFTER);
        let retry_after = header.and_then(|value| value.to_str().ok()).map(str::to_owned);
        // Without the body there is still the status.
        let body = read(response, LARGEST_REFUSAL).await.ok().flatten().unwrap_or_default();
        Err(codec::refusal(asked, status.as_u16(), retry_after.as_deref(), now(), &body))
    }

    fn address(&self, path: &[&str]) -> Result<Url> {
        let mut url = self.base.clone();
        match url.path_segments_mut() {
            Ok(mut segments) => segments.pop_if_empty().extend(path),
            Err(()) => return Err(Error::invalid("the vendor's address has no path")),
        };
        Ok(url)
    }

    fn signed(&self, request: RequestBuilder) -> RequestBuilder {
        let request = request.header(ACCEPT, "application/json");
        match &self.key {
            Some(key) => request.header(AUTHORIZATION, key.clone()),
            None => request,
        }
    }
}

#[async_trait]
impl ImageGenerator for HttpProvider {
    fn info(&self) -> &ProviderInfo {
        &self.info
    }

    fn capabilities(&self) -> &ImageCapabilities {
        &self.able
    }

    async fn generate(&self, request: GenerateRequest) -> Result<GenerateResponse> {
        let began = Instant::now();
        let order = codec::order(&request, self.config.model.as_deref(), &self.able)?;
        let (context, wanted) = (&request.context, request.seeds.len());
        if self.config.mode == Mode::Direct {
            if context.resume.is_some() {
                return Err(Error::new(ErrorKind::Unsupported, "the vendor has no tasks").with("mode", "direct"));
            }
            return codec::delivered(&self.order("images", &order, context).await?, wanted);
        }
        let patience = context.timeout.unwrap_or(Duration::MAX).min(self.config.patience());
        let until = began + patience;
        if let Some(id) = &context.resume {
            match self.follow(id, wanted, until, &context.journal).await {
                // The same order under the same key buys nothing new; it is how the port wants a lost task found again.
                Err(gone) if gone.kind() == ErrorKind::NotFound && self.config.idempotent => {}
                outcome => return outcome,
            }
        }
        let id = self.submit(&order, context).await?;
        tokio::time::sleep(self.config.poll().min(patience)).await;
        self.follow(&id, wanted, until, &context.journal).await
    }

    async fn download(&self, reference: &str) -> Result<ImageFile> {
        let elsewhere = || Error::corrupt("the picture's link does not lead to the vendor");
        let url = Url::parse(reference).map_err(|_| elsewhere())?;
        if url.origin() != self.base.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(elsewhere());
        }
        let file = codec::picture(self.fetch(self.questions.get(url), Asked::File, None).await?);
        // It is paid for and recorded: only what is behind the link is wrong.
        file.map_err(|error| error.retry(Retryability::Permanent))
    }
}

/// Classifies a request that got no whole answer.
fn broken(error: reqwest::Error, asked: Asked) -> Error {
    let error = error.without_url();
    if error.is_builder() {
        return Error::invalid("the request cannot be made").because(error);
    }
    if error.is_connect() {
        let away = Error::new(ErrorKind::Unavailable, "the vendor cannot be reached");
        // An order was certainly not sent; a task that cannot be asked for goes on all the same.
        let retry = if asked == Asked::Task { Retryability::Indeterminate } else { Retryability::Transient };
        return away.retry(retry).because(error);
    }
    let lost = if error.is_timeout() {
        Error::new(ErrorKind::Timeout, "the vendor did not answer in time")
    } else {
        Error::new(ErrorKind::Unavailable, "the connection to the vendor broke")
    };
    lost.retry(asked.unsure()).because(error)
}

/// Reads a body, or nothing when it is larger than `most` bytes.
async fn read(mut response: Response, most: usize) -> Result<Option<Bytes>, reqwest::Error> {
    if response.content_length().is_some_and(|length| length > most as u64) {
        return Ok(None);
    }
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await? {
        if body.len() + piece.len() > most {
            return Ok(None);
        }
        body.extend_from_slice(&piece);
    }
    Ok(Some(body.freeze()))
}

fn client(config: &HttpConfig, secure: bool, idle: usize) -> Result<Client> {
    Client::builder()
        .tls_backend_preconfigured(tls::config(secure)?)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .connect_timeout(config.connect())
        .pool_max_idle_per_host(idle)
        .user_agent(concat!("pipeline/", env!("CARGO_PKG_VERSION")))
        .build()
        .map_err(|error| tls::unmade(error.into()))
}

/// Reads a key and makes a header of it that is not printed.
fn bearer(reference: &SecretRef) -> Result<HeaderValue> {
    let missing = |message: &str| Error::new(ErrorKind::Unauthorized, message).with("key", reference);
    let found = match reference {
        SecretRef::Environment(name) => std::env::var(name).ok(),
        SecretRef::File(path) => std::fs::read_to_string(path).ok(),
    };
    let found = found.ok_or_else(|| missing("the key is not there"))?;
    let mut header = HeaderValue::from_str(&format!("Bearer {}", found.trim()))
        .map_err(|_| missing("the key cannot be sent in a header"))?;
    header.set_sensitive(true);
    Ok(header)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
