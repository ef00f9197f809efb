//! The vendor of a history: counts what it charges, and is as unreliable as the history wants it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::id::{CallId, ItemId};
use pipeline_core::model::{Capability, Limits, Money};
use pipeline_core::provider::{CallContext, Price, ProviderInfo, Repeat, TextModel, TextRequest, TextResponse, Usage};
use pipeline_core::{Error, ErrorKind, Result, Retryability};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use super::auditor::Auditor;
use super::planted::Planted;
use super::process::Process;
use super::world::World;

/// The name the vendor is bound under.
pub(super) const TILL: &str = "till";

/// What an order costs for each item.
pub(super) const PRICE: Money = Money::from_micros(40_000);

/// How often the vendor misbehaves, in a thousand orders.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manners {
    /// Is out of order for the moment.
    pub(super) busy: u64,
    /// Wants to be left alone for a while.
    pub(super) throttled: u64,
    /// Says that the order cannot be done.
    pub(super) refused: u64,
    /// Delivers some of what was asked for.
    pub(super) partial: u64,
    /// Charges, and its answer never comes.
    pub(super) lost: u64,
    /// Cuts the connection, charged or not.
    pub(super) reset: u64,
    /// Begins to be out of order for a minute or so.
    pub(super) outage: u64,
    /// The longest an answer takes, in milliseconds.
    pub(super) slow: u64,
}

/// The vendor.
#[derive(Debug)]
pub(super) struct Till {
    world: Arc<World>,
    auditor: Arc<Auditor>,
    info: ProviderInfo,
    manners: Manners,
    planted: Option<Planted>,
    books: Mutex<Books>,
}

#[derive(Debug, Default)]
struct Books {
    orders: Vec<Order>,
    by_key: BTreeMap<String, usize>,
    sent: u64,
    closed_until: Option<Instant>,
}

#[derive(Clone, Debug)]
struct Order {
    call: CallId,
    delivered: Vec<ItemId>,
    ready_at: Instant,
}

/// What the vendor does with an order it has heard of.
enum Fate {
    /// Answers when it is ready.
    Answer(usize),
    /// Never answers.
    Silence,
    /// Answers with an error, after a while.
    Error(Error, Duration),
}

impl Till {
    /// Opens the vendor.
    pub(super) fn new(
        world: &Arc<World>,
        auditor: &Arc<Auditor>,
        (repeat, limits): (Repeat, Limits),
        manners: Manners,
        planted: Option<Planted>,
    ) -> Self {
        let info = ProviderInfo {
            name: TILL.to_owned(),
            model: None,
            capability: Capability::Text,
            summary: "Counts what it charges".to_owned(),
            local: false,
            repeat,
            price: Some(Price { per_call: Money::ZERO, per_unit: PRICE }),
            max_cost: None,
            limits,
        };
        Self { world: Arc::clone(world), auditor: Arc::clone(auditor), info, manners, planted, books: Mutex::default() }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an order in. From here on the vendor goes on with it, whatever becomes of whoever sent it.
    fn take(&self, key: String, call: CallId, items: &[ItemId], stage: &str) -> Fate {
        let dice = &self.world.dice;
        let calm = self.world.faults.have_ended();
        let rude = |rate: u64| !calm && dice.permille(rate);
        let mut books = self.books();
        books.sent += 1;
        let now = Instant::now();
        if books.closed_until.is_some_and(|until| until > now) && !calm {
            return Fate::Error(down(), Duration::from_millis(5));
        }
        if rude(self.manners.outage) {
            books.closed_until = Some(now + dice.millis(2_000, 40_000));
            return Fate::Error(down(), Duration::from_millis(5));
        }
        if rude(self.manners.busy) {
            return Fate::Error(down(), dice.millis(1, 500));
        }
        if rude(self.manners.throttled) {
            let after = Some(dice.millis(500, 20_000));
            let error = Error::new(ErrorKind::RateLimited, "slow down").retry(Retryability::Throttled { after });
            return Fate::Error(error, Duration::from_millis(3));
        }
        let known = books.by_key.get(&key).copied();
        if known.is_none() && rude(self.manners.refused) {
            self.auditor.refused(call);
            let retry = if self.planted == Some(Planted::PermanentRetried) {
                Retryability::Transient
            } else {
                Retryability::Permanent
            };
            return Fate::Error(Error::invalid("this cannot be made").retry(retry), dice.millis(1, 300));
        }
        let reset = rude(self.manners.reset);
        if known.is_none() && reset && dice.permille(500) {
            return Fate::Error(cut(), dice.millis(1, 300));
        }
        let place = match known.filter(|_| self.info.repeat.is_idempotent()) {
            Some(place) => {
                self.world.reached("order repeated under its key");
                place
            }
            None => {
                let mut delivered = items.to_vec();
                if items.len() > 1 && rude(self.manners.partial) {
                    self.world.reached("delivered fewer than asked");
                    delivered.truncate(dice.from(1, items.len() as u64 - 1) as usize);
                }
                let amount = cost(delivered.len());
                self.auditor.charged(call, &delivered, stage, amount);
                let slow = if calm { self.manners.slow.min(300) } else { self.manners.slow };
                let ready_at = now + dice.millis(1, slow.max(1));
                books.orders.push(Order { call, delivered, ready_at });
                let place = books.orders.len() - 1;
                books.by_key.insert(key, place);
                place
            }
        };
        if rude(self.manners.lost) {
            self.world.reached("vendor lost the answer of a charged order");
            return Fate::Silence;
        }
        if reset {
            return Fate::Error(cut(), dice.millis(1, 300));
        }
        Fate::Answer(place)
    }

    fn order(&self, place: usize) -> Option<Order> {
        self.books().orders.get(place).cloned()
    }
}

/// The vendor as one process reaches it.
#[derive(Clone, Debug)]
pub(super) struct Line {
    till: Arc<Till>,
    process: Arc<Process>,
}

impl Line {
    /// Gives a process a line to the vendor.
    pub(super) fn new(till: &Arc<Till>, process: &Arc<Process>) -> Self {
        Self { till: Arc::clone(till), process: Arc::clone(process) }
    }

    async fn order(&self, context: &CallContext, items: &[ItemId], stage: &str) -> Result<Order> {
        let call = context.idempotency_key;
        let resumable = self.till.info.repeat.is_resumable();
        let known = context.resume.as_ref().filter(|_| resumable).and_then(|task| task.parse::<usize>().ok());
        if self.process.step("send").await.is_err() {
            // What becomes of a task is not known before the vendor has said it.
            return Err(if known.is_some() { cut() } else { down() });
        }
        self.till.auditor.sent(call, items, stage, context.resume.is_some());
        let place = if let Some(place) = known {
            self.till.world.reached("task resumed");
            place
        } else {
            let key = if self.till.planted == Some(Planted::KeyOfEachTry) {
                format!("{call}/{}", self.till.books().sent)
            } else {
                call.to_string()
            };
            let fate = self.till.take(key, call, items, stage);
            let place = match fate {
                Fate::Silence => return std::future::pending().await,
                Fate::Error(error, after) => {
                    sleep(after).await;
                    self.arrive().await?;
                    return Err(error);
                }
                Fate::Answer(place) => place,
            };
            if resumable {
                sleep(Duration::from_millis(2)).await;
                self.arrive().await?;
                context.note.task(&place.to_string()).await;
            }
            place
        };
        let order = self.till.order(place).ok_or_else(lost)?;
        sleep_until(order.ready_at).await;
        self.arrive().await?;
        Ok(order)
    }

    /// Something the vendor said arrives, or the connection is cut on the way.
    async fn arrive(&self) -> Result<()> {
        self.process.step("answer").await.map_err(|_| cut())
    }
}

#[async_trait]
impl TextModel for Line {
    fn info(&self) -> &ProviderInfo {
        &self.till.info
    }

    async fn write(&self, request: TextRequest) -> Result<TextResponse> {
        let items: Vec<ItemId> = request
            .input
            .get("items")
            .and_then(Value::as_array)
            .map_or_else(Vec::new, |items| items.iter().filter_map(|item| item.as_str()?.parse().ok()).collect());
        let stage = request.input.get("stage").and_then(Value::as_str).unwrap_or_default();
        let call = request.context.idempotency_key;
        let waiting = Waiting::begin(self, call);
        let order = self.order(&request.context, &items, stage).await?;
        drop(waiting);
        self.till.auditor.answered(call, &self.process);
        let usage = Usage { cost: Some(cost(order.delivered.len())), ..Usage::default() };
        Ok(TextResponse { answer: json!({ "call": order.call, "delivered": order.delivered }), usage })
    }
}

/// A process waits for the vendor as long as this lives.
struct Waiting<'a> {
    line: &'a Line,
    call: CallId,
}

impl<'a> Waiting<'a> {
    fn begin(line: &'a Line, call: CallId) -> Self {
        *line.process.in_flight.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        Self { line, call }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        *self.line.process.in_flight.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.line.till.auditor.left(self.call);
    }
}

fn cost(items: usize) -> Money {
    Money::from_micros(PRICE.as_micros() * items as i64)
}

fn down() -> Error {
    Error::new(ErrorKind::Unavailable, "the vendor is out of order")
}

fn cut() -> Error {
    Error::new(ErrorKind::Unavailable, "the connection was cut").retry(Retryability::Indeterminate)
}

fn lost() -> Error {
    Error::not_found("the vendor does not know the task").retry(Retryability::Indeterminate)
}
