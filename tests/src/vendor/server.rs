//! The vendor's HTTP side: takes requests, keeps the books, plays the script.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::picture;
use super::script::{Reply, Seen, VendorScript};

/// What the vendor has charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Charges {
    /// How many requests were charged.
    pub calls: u64,
    /// How many pictures.
    pub pictures: u64,
    /// How much, in millionths of a dollar.
    pub micros: i64,
}

/// A vendor that listens on this machine until it is dropped.
#[derive(Debug)]
pub struct FakeVendor {
    address: SocketAddr,
    books: Arc<Books>,
    server: JoinHandle<io::Result<()>>,
}

impl FakeVendor {
    /// Listens on a free port.
    ///
    /// # Errors
    /// The system's, when there is no port.
    pub async fn start(script: VendorScript) -> io::Result<Self> {
        Self::start_at(0, script).await
    }

    /// Listens on a port.
    ///
    /// # Errors
    /// The system's, when the port is taken.
    pub async fn start_at(port: u16, script: VendorScript) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let address = listener.local_addr()?;
        let books = Arc::new(Books { address, open: Mutex::new(Open { script, ..Open::default() }) });
        let router = Router::new()
            .route("/v1/images", post(images))
            .route("/v1/files/{id}", get(file))
            .route("/v1/charges", get(charges))
            .with_state(Arc::clone(&books));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address, books, server })
    }

    /// Returns where it listens, for example `http://127.0.0.1:40001`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Returns what it has charged so far.
    pub fn charges(&self) -> Charges {
        self.books.open().charges
    }

    /// Returns the requests it has seen, oldest first; downloads are not counted.
    pub fn requests(&self) -> Vec<Seen> {
        self.books.open().requests.clone()
    }

    /// Replaces what it does from now on; the books stay.
    pub fn play(&self, script: VendorScript) {
        self.books.open().script = script;
    }

    /// Waits for the end of the server, which comes only with an error.
    ///
    /// # Errors
    /// The system's.
    pub async fn serve(mut self) -> io::Result<()> {
        (&mut self.server).await.map_err(io::Error::other)?
    }
}

impl Drop for FakeVendor {
    fn drop(&mut self) {
        self.server.abort();
    }
}

#[derive(Debug)]
struct Books {
    address: SocketAddr,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    script: VendorScript,
    requests: Vec<Seen>,
    charges: Charges,
    /// The answers by idempotency key.
    answered: HashMap<String, Value>,
    files: HashMap<String, Vec<u8>>,
}

impl Books {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Clone, Debug, Deserialize)]
struct Order {
    prompt: String,
    width: u32,
    height: u32,
    n: u32,
    seed: u64,
}

async fn charges(State(books): State<Arc<Books>>) -> Json<Value> {
    let open = books.open();
    Json(json!({ "requests": open.requests.len(), "charges": open.charges }))
}

async fn file(State(books): State<Arc<Books>>, Path(id): Path<String>) -> Response {
    match books.open().files.get(&id) {
        Some(file) => ([(header::CONTENT_TYPE, "image/png")], file.clone()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn images(State(books): State<Arc<Books>>, headers: HeaderMap, Json(order): Json<Order>) -> Response {
    let given = text(&headers, "authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned));
    let idempotency_key = text(&headers, "idempotency-key").map(str::to_owned);
    let seen = Seen { idempotency_key: idempotency_key.clone(), pictures: order.n };
    let (reply, latency, hook, known) = {
        let mut open = books.open();
        open.requests.push(seen.clone());
        let count = open.requests.len() as u64;
        let failing = open.script.fail_every.is_some_and(|n| count.is_multiple_of(n));
        let known = open.script.key.is_none() || open.script.key == given;
        let reply = match open.script.replies.pop_front() {
            _ if !known => Reply::Unauthorized,
            _ if failing => Reply::Status(500),
            Some(reply) => reply,
            None => open.script.otherwise,
        };
        (reply, open.script.latency, open.script.hook.clone(), given.unwrap_or_default())
    };
    if let Some(hook) = hook {
        (hook.0)(seen).await;
    }
    tokio::time::sleep(latency).await;
    let key = idempotency_key.as_deref();
    match reply {
        Reply::Deliver => sold(&books, &order, order.n, key),
        Reply::DeliverOnly(most) => sold(&books, &order, most.min(order.n), key),
        Reply::Unauthorized => {
            let message = format!("the key {known} is not accepted");
            (StatusCode::UNAUTHORIZED, Json(json!({ "error": { "code": "bad_key", "message": message } })))
                .into_response()
        }
        Reply::Throttled { after } => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after.to_string())], "slow down").into_response()
        }
        Reply::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, Json(json!({ "error": { "code": "scripted", "message": "as the script says" } }))).into_response()
        }
        Reply::Refused => {
            let error = json!({ "error": { "code": "moderation", "message": format!("refused: {}", order.prompt) } });
            (StatusCode::BAD_REQUEST, Json(error)).into_response()
        }
        Reply::Garbage => {
            sold(&books, &order, order.n, key);
            "{\"images\": [".into_response()
        }
        Reply::WrongShape => {
            sold(&books, &order, order.n, key);
            Json(json!({ "id": 1, "images": format!("for {known}") })).into_response()
        }
        Reply::Reset { charged } => {
            if charged {
                sold(&books, &order, order.n, key);
            }
            let broken: Result<&'static str, io::Error> = Err(io::ErrorKind::ConnectionReset.into());
            Body::from_stream(futures::stream::iter([broken])).into_response()
        }
        Reply::Hang { charged } => {
            if charged {
                sold(&books, &order, order.n, key);
            }
            std::future::pending().await
        }
    }
}

/// Charges for `count` pictures and answers with them; a known idempotency key is answered as the first time.
fn sold(books: &Books, order: &Order, count: u32, key: Option<&str>) -> Response {
    let mut open = books.open();
    if let Some(answer) = key.filter(|_| open.script.idempotent).and_then(|key| open.answered.get(key)) {
        return Json(answer.clone()).into_response();
    }
    let id = format!("order-{}", open.charges.calls + 1);
    let cost = open.script.price_micros * i64::from(count);
    let mut pictures = Vec::new();
    for index in 0..count {
        let seed = order.seed.wrapping_add(u64::from(index));
        let Ok(file) = picture::draw(order.width, order.height, seed) else {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        };
        let mut picture = json!({ "index": index, "seed": seed });
        if open.script.links {
            let name = format!("{id}-{index}");
            picture["url"] = json!(format!("http://{}/v1/files/{name}", books.address));
            open.files.insert(name, file);
        } else {
            picture["b64"] = json!(STANDARD.encode(file));
        }
        pictures.push(picture);
    }
    let mut answer = json!({ "id": id, "images": pictures });
    if open.script.quotes {
        answer["cost_micros"] = json!(cost);
    }
    open.charges.calls += 1;
    open.charges.pictures += u64::from(count);
    open.charges.micros += cost;
    if let Some(key) = key {
        open.answered.insert(key.to_owned(), answer.clone());
    }
    Json(answer).into_response()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
