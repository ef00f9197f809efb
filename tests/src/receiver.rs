//! A receiver of webhooks that verifies every signature by the words of the standard, and answers as it is told.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::Value;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

/// What came in.
#[derive(Clone, Debug)]
pub struct Received {
    /// The header `webhook-id`.
    pub id: String,
    /// The header `webhook-signature`.
    pub signature: String,
    /// The message.
    pub body: Value,
    /// Whether a signature is one of the secret's, and the time is now.
    pub genuine: bool,
}

/// How to answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// With this status; a redirect leads to `/elsewhere`.
    Status(u16),
    /// Not at all.
    Never,
}

#[derive(Debug, Default)]
struct Desk {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
    secret: String,
}

#[derive(Clone, Debug, Default)]
struct Shared {
    desk: Arc<Mutex<Desk>>,
    bell: Arc<Notify>,
}

impl Shared {
    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A receiver that listens on this machine.
#[derive(Debug)]
pub struct Receiver {
    shared: Shared,
    port: u16,
    task: JoinHandle<()>,
}

impl Receiver {
    /// Starts one that knows a secret, `whsec_…`.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(secret: &str) -> std::io::Result<Self> {
        let shared = Shared::default();
        secret.clone_into(&mut shared.desk().secret);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let router = Router::new().fallback(take).with_state(shared.clone());
        let task = tokio::spawn(async move {
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { shared, port, task })
    }

    /// Returns its address, by a name.
    pub fn url(&self) -> String {
        format!("http://localhost:{}/hook", self.port)
    }

    /// Says how the next messages are answered; all others with 204.
    pub fn answer(&self, answers: impl IntoIterator<Item = Answer>) {
        self.shared.desk().answers.extend(answers);
    }

    /// Changes the secret it knows.
    pub fn know(&self, secret: &str) {
        secret.clone_into(&mut self.shared.desk().secret);
    }

    /// Returns what came in so far.
    pub fn received(&self) -> Vec<Received> {
        self.shared.desk().received.clone()
    }

    /// Waits until so many messages came in.
    pub async fn wait(&self, count: usize) -> Vec<Received> {
        loop {
            let bell = self.shared.bell.notified();
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            bell.await;
        }
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn take(State(shared): State<Shared>, headers: HeaderMap, body: Bytes) -> Response {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let (id, signature) = (header("webhook-id"), header("webhook-signature"));
    let answer = {
        let mut desk = shared.desk();
        let genuine = verify(&desk.secret, &id, &header("webhook-timestamp"), &signature, &body).is_some();
        let body = serde_json::from_slice(&body).unwrap_or_default();
        desk.received.push(Received { id, signature, body, genuine });
        desk.answers.pop_front()
    };
    shared.bell.notify_waiters();
    match answer {
        None => StatusCode::NO_CONTENT.into_response(),
        Some(Answer::Never) => std::future::pending().await,
        Some(Answer::Status(status)) => {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, [("location", "/elsewhere")]).into_response()
        }
    }
}

/// Verifies a message by the words of the standard.
fn verify(secret: &str, id: &str, timestamp: &str, signature: &str, body: &[u8]) -> Option<()> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, &STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?);
    let sent: u64 = timestamp.parse().ok()?;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).ok()?.as_secs();
    let content = [format!("{id}.{timestamp}.").as_bytes(), body].concat();
    let good = signature
        .split(' ')
        .filter_map(|one| one.strip_prefix("v1,"))
        .any(|one| STANDARD.decode(one).is_ok_and(|one| hmac::verify(&key, &content, &one).is_ok()));
    (good && now.abs_diff(sent) <= 300).then_some(())
}
