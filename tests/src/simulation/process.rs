//! A process of a history: what happens to it happens where it touches the world.
//!
//! All that a process does is seen by the store and the vendor alone. So its end is that neither ever hears of it again:
//! every operation it has begun stays without an answer, every later one never happens, whatever of it still runs. That is
//! the same as a `kill -9` between two of its steps, and it needs no runtime of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::{Error, ErrorKind, Result};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, sleep_until};

use crate::tap::Tap;

use super::faults::Fault;
use super::world::World;

/// A process of a history; a restart is another one.
#[derive(Debug)]
pub(super) struct Process {
    /// Its name in the log.
    pub(super) name: String,
    /// Told when it ends.
    pub(super) killed: Notify,
    /// Whether its store was out of order so long that it may have given up.
    pub(super) troubled: AtomicBool,
    /// Paid calls it waits for.
    pub(super) in_flight: Mutex<u32>,
    world: Arc<World>,
    dead: AtomicBool,
    asleep: Mutex<Option<Instant>>,
    cut_off: Mutex<Option<Instant>>,
    patience: Duration,
    immortal: bool,
}

impl Process {
    /// Starts a process whose worker has such patience.
    pub(super) fn start(world: &Arc<World>, name: String, patience: Duration) -> Arc<Self> {
        Arc::new(Self::of(world, name, patience, false))
    }

    /// Lets a person act, who neither ends nor stands still.
    pub(super) fn person(world: &Arc<World>) -> Arc<Self> {
        Arc::new(Self::of(world, "the person".to_owned(), Duration::MAX, true))
    }

    fn of(world: &Arc<World>, name: String, patience: Duration, immortal: bool) -> Self {
        Self {
            name,
            killed: Notify::new(),
            troubled: AtomicBool::new(false),
            in_flight: Mutex::new(0),
            world: Arc::clone(world),
            dead: AtomicBool::new(false),
            asleep: Mutex::new(None),
            cut_off: Mutex::new(None),
            patience,
            immortal,
        }
    }

    /// Ends it.
    pub(super) fn kill(&self) {
        if !self.dead.swap(true, Ordering::SeqCst) {
            self.world.tell(format_args!("{} is killed", self.name));
            self.world.reached("crash");
            if *self.in_flight.lock().unwrap_or_else(PoisonError::into_inner) > 0 {
                self.world.reached("crash inside a paid call");
            }
        }
        self.killed.notify_one();
    }

    /// Tells whether it has ended.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::SeqCst)
    }

    /// Waits while it stands still; for ever once it has ended.
    pub(super) async fn stand(&self) {
        loop {
            if self.is_dead() {
                std::future::pending::<()>().await;
            }
            let until = *self.asleep.lock().unwrap_or_else(PoisonError::into_inner);
            match until.filter(|until| *until > Instant::now()) {
                Some(until) => sleep_until(until).await,
                None => return,
            }
        }
    }

    /// Takes one step of it: what is to go wrong there goes wrong.
    pub(super) async fn step(&self, what: &str) -> Result<()> {
        self.stand().await;
        match self.world.faults.strike(&self.world.dice) {
            None => {}
            Some(Fault::Crash | Fault::Sleep(_)) if self.immortal => {}
            Some(Fault::Error) => {
                self.world.reached("error of the store");
                return Err(self.failed(what));
            }
            Some(Fault::Crash) => {
                self.world.tell(format_args!("{} crashes at {what}", self.name));
                self.kill();
                self.stand().await;
            }
            Some(Fault::Sleep(time)) => {
                self.world.tell(format_args!("{} stands still at {what} for {time:?}", self.name));
                *self.asleep.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
                self.stand().await;
            }
            Some(Fault::Delay(time)) => {
                sleep(time).await;
                self.stand().await;
            }
            Some(Fault::Outage(time)) => {
                self.world.tell(format_args!("{} is cut off for {time:?}", self.name));
                if time.saturating_mul(2) >= self.patience {
                    self.troubled.store(true, Ordering::SeqCst);
                }
                *self.cut_off.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
            }
        }
        let cut_off = *self.cut_off.lock().unwrap_or_else(PoisonError::into_inner);
        if cut_off.is_some_and(|until| until > Instant::now()) {
            return Err(self.failed(what));
        }
        Ok(())
    }

    fn failed(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unavailable, format!("{what} of {} failed on purpose", self.name))
    }
}

#[async_trait]
impl Tap for Process {
    async fn before(&self, operation: &'static str) -> Result<()> {
        self.step(operation).await
    }

    async fn after(&self, operation: &'static str) -> Result<()> {
        let answered = self.step(operation).await;
        if answered.is_err() {
            match operation {
                "submit" => self.world.reached("lost answer of submit"),
                "commit" => self.world.reached("lost answer of commit"),
                "settle" => self.world.reached("lost answer of settle"),
                "attach" => self.world.reached("lost answer of attach"),
                "claim" => self.world.reached("lost answer of claim"),
                _ => {}
            }
        }
        answered
    }
}
