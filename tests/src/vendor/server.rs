//! The vendor's HTTP side: takes orders and tasks, keeps the books, plays the script.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{self, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use super::body;
use super::books::{self, Books, Charges, Order, Statement};
use super::script::{Reply, Seen, VendorScript};

/// A vendor that listens on this machine until it is dropped.
#[derive(Debug)]
pub struct FakeVendor {
    counter: Arc<Counter>,
    server: JoinHandle<io::Result<()>>,
}

impl FakeVendor {
    /// Listens on a free port.
    ///
    /// # Errors
    /// The system's, when there is no port.
    pub async fn start(script: VendorScript) -> io::Result<Self> {
        Self::start_at(0, script, None).await
    }

    /// Listens on a port. What it sells is appended to the log file and synced before it answers; what a log file
    /// holds already was sold before.
    ///
    /// # Errors
    /// The system's, when the port is taken or the log file cannot be read.
    pub async fn start_at(port: u16, script: VendorScript, log: Option<&Path>) -> io::Result<Self> {
        let books = Mutex::new(Books::open(script, log)?);
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let counter = Arc::new(Counter { address: listener.local_addr()?, books });
        let router = Router::new()
            .route("/v1/images", post(images))
            .route("/v1/tasks", post(submit))
            .route("/v1/tasks/{id}", get(poll))
            .route("/v1/keys/{key}", get(lookup))
            .route("/v1/files/{id}", get(file))
            .route("/charges", get(charges))
            .with_state(Arc::clone(&counter));
        let server = tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { counter, server })
    }

    /// Returns where it listens, for example `http://127.0.0.1:40001`.
    pub fn url(&self) -> String {
        format!("http://{}", self.counter.address)
    }

    /// Returns what it has charged so far.
    pub fn charges(&self) -> Charges {
        self.counter.books().charges()
    }

    /// Returns what it has seen and charged so far, in detail.
    pub fn statement(&self) -> Statement {
        self.counter.books().statement()
    }

    /// Returns the orders and tasks it has been asked for, oldest first; polls and downloads are not counted.
    pub fn requests(&self) -> Vec<Seen> {
        self.counter.books().requests.clone()
    }

    /// Replaces what it does from now on; the books stay.
    pub fn play(&self, script: VendorScript) {
        self.counter.books().script = script;
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
struct Counter {
    address: SocketAddr,
    books: Mutex<Books>,
}

impl Counter {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn files(&self) -> Option<String> {
        self.books().script.links.then(|| format!("http://{}/v1/files", self.address))
    }

    /// Charges, and says what is delivered, or which task was begun.
    fn sell(&self, order: Order, count: u32, key: Option<&str>, task: bool) -> Result<(StatusCode, Value), StatusCode> {
        let files = self.files();
        let mut books = self.books();
        let quotes = books.script.quotes;
        let sale = books.sell(order, count, key, task).map_err(|_| StatusCode::INSUFFICIENT_STORAGE)?;
        drop(books);
        if task {
            return Ok((StatusCode::ACCEPTED, json!({ "id": sale.id, "status": "running" })));
        }
        let delivery = sale.delivery(quotes, files.as_deref()).map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
        Ok((StatusCode::OK, delivery))
    }
}

async fn charges(State(counter): State<Arc<Counter>>) -> Json<Statement> {
    Json(counter.books().statement())
}

async fn file(State(counter): State<Arc<Counter>>, extract::Path(name): extract::Path<String>) -> Response {
    let found = name.rsplit_once('-').and_then(|(id, index)| {
        let (books, index) = (counter.books(), index.parse().ok()?);
        let sale = books.sale(id).filter(|sale| index < sale.pictures)?;
        sale.file(index).ok()
    });
    match found {
        Some(file) => ([(header::CONTENT_TYPE, "image/png")], file).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn images(State(counter): State<Arc<Counter>>, headers: HeaderMap, Json(order): Json<Order>) -> Response {
    ask(counter, headers, order, false).await
}

async fn submit(State(counter): State<Arc<Counter>>, headers: HeaderMap, Json(order): Json<Order>) -> Response {
    ask(counter, headers, order, true).await
}

/// Hears a request out, whoever has hung up meanwhile: a customer's end is no reason not to charge.
async fn ask(counter: Arc<Counter>, headers: HeaderMap, order: Order, task: bool) -> Response {
    let heard = tokio::spawn(async move {
        let (given, key) = (bearer(&headers), text(&headers, "idempotency-key").map(str::to_owned));
        let seen = Seen { idempotency_key: key.clone(), pictures: order.n };
        let (reply, latency, hook) = {
            let mut books = counter.books();
            books.requests.push(seen.clone());
            let reply = books.turn(false).unwrap_or(books.script.otherwise);
            let script = &books.script;
            let latency = if task { script.submit_latency } else { script.latency };
            let known = script.key.is_none() || script.key == given;
            (if known { reply } else { Reply::Unauthorized }, latency, script.hook.clone())
        };
        if let Some(hook) = hook {
            (hook.0)(seen).await;
        }
        tokio::time::sleep(latency).await;
        let count = if let Reply::DeliverOnly(most) = reply { most.min(order.n) } else { order.n };
        let prompt = order.prompt.clone();
        let sell = || counter.sell(order, count, key.as_deref(), task);
        let drip = counter.books().script.drip;
        answer(reply, &given.unwrap_or_default(), &prompt, sell).map(|response| body::dripped(response, drip))
    });
    finish(heard.await.ok().flatten()).await
}

/// Tells how a task stands.
async fn poll(
    State(counter): State<Arc<Counter>>,
    extract::Path(id): extract::Path<String>,
    headers: HeaderMap,
) -> Response {
    let files = counter.files();
    let response = {
        let mut books = counter.books();
        books.polls += 1;
        let given = bearer(&headers);
        let reply = books.turn(true).unwrap_or(Reply::Deliver);
        let known = books.script.key.is_none() || books.script.key == given;
        let reply = if known { reply } else { Reply::Unauthorized };
        let state = || {
            let sale = books.sale(&id).ok_or(StatusCode::NOT_FOUND)?;
            if books::now() < sale.ready_at {
                return Ok((StatusCode::OK, json!({ "id": id, "status": "running" })));
            }
            if sale.fails {
                let error = json!({ "code": "scripted", "message": "as the script says" });
                return Ok((StatusCode::OK, json!({ "id": id, "status": "failed", "error": error })));
            }
            let delivery = sale.delivery(books.script.quotes, files.as_deref());
            let mut delivery = delivery.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
            delivery["status"] = json!("succeeded");
            Ok((StatusCode::OK, delivery))
        };
        let drip = books.script.drip;
        answer(reply, &given.unwrap_or_default(), "", state).map(|response| body::dripped(response, drip))
    };
    finish(response).await
}

/// Finds a task by its idempotency key, when the script allows it.
async fn lookup(State(counter): State<Arc<Counter>>, extract::Path(key): extract::Path<String>) -> Response {
    let books = counter.books();
    match books.sale_of_key(&key).filter(|_| books.script.lookup) {
        Some(sale) => Json(json!({ "id": sale.id })).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// Says what a reply looks like; `None` is silence. `usual` is what is done and answered when nothing is wrong.
fn answer(
    reply: Reply,
    known: &str,
    prompt: &str,
    usual: impl FnOnce() -> Result<(StatusCode, Value), StatusCode>,
) -> Option<Response> {
    let problem = |code: &str, message: String| Json(json!({ "error": { "code": code, "message": message } }));
    Some(match reply {
        Reply::Deliver | Reply::DeliverOnly(_) => match usual() {
            Ok((status, value)) => (status, Json(value)).into_response(),
            Err(status) => status.into_response(),
        },
        Reply::Unauthorized => {
            let message = format!("the key {known} is not accepted");
            (StatusCode::UNAUTHORIZED, problem("bad_key", message)).into_response()
        }
        Reply::Throttled { after } => {
            (StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, after.to_string())], "slow down").into_response()
        }
        Reply::Status(code) => {
            let status = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            (status, problem("scripted", "as the script says".to_owned())).into_response()
        }
        Reply::Refused => {
            (StatusCode::BAD_REQUEST, problem("moderation", format!("refused: {prompt}"))).into_response()
        }
        Reply::Garbage => {
            usual().ok();
            "{\"images\": [".into_response()
        }
        Reply::WrongShape => {
            usual().ok();
            Json(json!({ "id": 1, "images": format!("for {known}") })).into_response()
        }
        Reply::Flood => {
            usual().ok();
            body::endless()
        }
        Reply::Reset { charged } => {
            if charged {
                usual().ok();
            }
            body::cut()
        }
        Reply::Hang { charged } => {
            if charged {
                usual().ok();
            }
            return None;
        }
    })
}

/// Answers, or stays silent for ever.
async fn finish(response: Option<Response>) -> Response {
    match response {
        Some(response) => response,
        None => std::future::pending().await,
    }
}

fn bearer(headers: &HeaderMap) -> Option<String> {
    text(headers, "authorization").and_then(|value| value.strip_prefix("Bearer ").map(str::to_owned))
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}
