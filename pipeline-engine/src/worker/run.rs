//! The loop that claims work while there is room, and knows when there is nothing left.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::Instant;

use pipeline_core::error::chain;
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::{ClaimRequest, Claims};
use pipeline_core::{Error, Result};

use crate::delivery::Courier;

use super::committer::Committer;
use super::group::walk_unit;
use super::session::Session;
use super::shared::Shared;
use super::signal::Listener;

/// How long walks have to give their items back when the worker is stopped at once.
const GIVE_BACK: Duration = Duration::from_secs(2);

/// Claims are at least so far apart while something runs: items that end together are followed together. The second is
/// for a claim of little, when most places are taken.
const CLAIM_EVERY: [Duration; 2] = [Duration::from_millis(2), Duration::from_millis(10)];

/// What every walk listens to.
#[derive(Clone, Debug)]
pub(crate) struct Signals {
    /// True once the store has declared the session dead.
    pub(crate) lost: Listener<bool>,
    /// How the worker is asked to end.
    pub(crate) stop: Listener<Stop>,
}

/// How a worker is asked to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stop {
    /// Not at all.
    Run,
    /// Claim nothing more; what runs ends in its own time.
    Drain,
    /// At once.
    Now,
}

/// What a worker is to do.
#[derive(Debug)]
pub(crate) struct RunOptions {
    /// Only this job.
    pub(crate) focus: Option<JobId>,
    /// End when nothing is left that could go on by itself.
    pub(crate) until_idle: bool,
    /// How it is asked to end.
    pub(crate) stop: Listener<Stop>,
}

/// Why a worker ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunEnd {
    /// Nothing is left that could go on by itself.
    Idle,
    /// It was asked to.
    Stopped,
}

/// Runs a worker with a session of its own.
pub(crate) async fn run(shared: Arc<Shared>, options: RunOptions) -> Result<RunEnd> {
    let session = Session::open(&shared, options.focus).await?;
    let writing = shared.scribe.write();
    let committer = Committer::start(Arc::clone(&shared), session.id);
    let courier = Courier::start(&shared);
    let stop = options.stop.clone();
    let outcome = work(&shared, &committer, &session, options).await;
    land(&shared, &committer, stop.clone()).await;
    let closed = session.close(&shared).await;
    if let Some(courier) = courier {
        courier.end(stop).await;
    }
    writing.end().await;
    let end = outcome?;
    closed?;
    Ok(end)
}

/// Waits for the answers of paid calls whose items were cancelled meanwhile, unless asked to end at once.
async fn land(shared: &Shared, committer: &Committer, mut stop: Listener<Stop>) {
    committer.flights.close();
    let at_once = async {
        while stop.get() != Stop::Now {
            stop.changed().await;
        }
    };
    tokio::select! {
        biased;
        () = committer.flights.wait() => {}
        () = at_once => {}
        () = tokio::time::sleep(shared.tuning.patience) => {
            tracing::warn!(calls = committer.flights.len(), "calls are still open; their answers will be missed");
        }
    }
}

async fn work(shared: &Arc<Shared>, committer: &Committer, session: &Session, options: RunOptions) -> Result<RunEnd> {
    let RunOptions { focus, until_idle, mut stop } = options;
    let room = shared.tuning.concurrency.max(1);
    let places = Arc::new(Semaphore::new(room as usize));
    let mut walks: JoinSet<Result<()>> = JoinSet::new();
    let mut lost = session.lost.clone();
    let mut claimed_at: Option<Instant> = None;
    // What each walk holds, and until when the session may hold more, because the answer to a claim was lost.
    let mut held: HashMap<Id, Vec<ItemId>> = HashMap::new();
    let mut doubt: Option<Instant> = None;
    let mut failing = Failing::default();
    // How many hints of other processes were heard.
    let mut stirred = 0;
    let mut ended_walks = Vec::new();
    loop {
        // All that have ended, so that what they leave does not pile up while claims are quicker than this loop.
        ended_walks.extend(std::iter::from_fn(|| walks.try_join_next_with_id()));
        for ended in ended_walks.drain(..) {
            held.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id));
            let early = |error| Err(Error::unexpected("a walk ended early").because(error));
            if let Err(error) = ended.map_or_else(early, |(_, outcome)| outcome) {
                // A walk ends early only when the store keeps failing; nothing is lost, the items are resumable.
                walks.shutdown().await;
                return Err(error);
            }
        }
        let asked = stop.get();
        if lost.get() {
            walks.shutdown().await;
            return Err(Error::conflict("the store has declared this session dead; its work goes on elsewhere"));
        }
        if asked == Stop::Now {
            // Each walk gives its item back, so that the next worker does not take it for a crash.
            let ended = async { while walks.join_next().await.is_some() {} };
            if tokio::time::timeout(GIVE_BACK, ended).await.is_err() {
                walks.shutdown().await;
            }
            return Ok(RunEnd::Stopped);
        }
        if asked == Stop::Drain && walks.is_empty() {
            return Ok(RunEnd::Stopped);
        }
        // Registered before the claim, so that nothing that becomes claimable after it is missed.
        let bell = shared.bell.notified();
        let busy = !walks.is_empty();
        let free = u32::try_from(places.available_permits()).unwrap_or(0);
        let mut pause = shared.tuning.poll;
        let [often, seldom] = CLAIM_EVERY;
        let apart = if u64::from(free) * 4 < u64::from(room) { seldom } else { often };
        let early = claimed_at.filter(|_| busy).map_or(Duration::ZERO, |at| apart.saturating_sub(at.elapsed()));
        if asked == Stop::Run && free > 0 && !early.is_zero() {
            pause = early;
        } else if asked == Stop::Run && free > 0 {
            claimed_at = Some(Instant::now());
            let request = ClaimRequest { session: session.id, limit: free, job: focus };
            if doubt.is_some_and(|until| until > Instant::now()) {
                let items: Vec<ItemId> = held.values().flatten().copied().collect();
                patiently(shared, || shared.store.keep_only(session.id, items.clone())).await?;
            } else {
                doubt = None;
            }
            let claims = match shared.store.claim(request.clone()).await {
                Ok(claims) => claims,
                Err(error) => {
                    // Perhaps it was done: then the session holds what nobody here knows of.
                    doubt = Some(Instant::now() + shared.tuning.lease);
                    failing.wait(shared, error).await?;
                    continue;
                }
            };
            failing = Failing::default();
            shared.metrics.claimed(&claims, claimed_at, shared.now());
            let Claims { units, next_at } = claims;
            if units.is_empty() {
                if !busy && until_idle && next_at.is_none() && !others_work(shared, session, focus).await? {
                    return Ok(RunEnd::Idle);
                }
                if let Some(at) = next_at {
                    pause = pause.min(at.since(shared.store.now().await?)).max(Duration::from_millis(1));
                }
                shared.forget_idle_jobs();
            } else {
                for unit in units {
                    // An item that was running when a process ended before runs alone: it may be what ended it.
                    let suspect = unit.iter().any(|claimed| claimed.item.machine.is_suspect());
                    let (places, shared, committer) = (Arc::clone(&places), Arc::clone(shared), committer.clone());
                    let signals = Signals { lost: session.lost.clone(), stop: stop.clone() };
                    let place = if suspect { None } else { places.clone().try_acquire_owned().ok() };
                    let items = unit.iter().map(|claimed| claimed.item.id).collect();
                    let walk = walks.spawn(async move {
                        let _place = match place {
                            Some(place) => place,
                            None => wait_for(places, if suspect { room } else { 1 }).await?,
                        };
                        walk_unit(shared, committer, unit, signals).await
                    });
                    held.insert(walk.id(), items);
                }
                continue;
            }
        }
        tokio::select! {
            biased;
            Some(ended) = walks.join_next_with_id(), if busy => ended_walks.push(ended),
            () = bell => {}
            hints = shared.store.stirred(stirred) => stirred = hints,
            () = stop.changed() => {}
            () = lost.changed() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Tells whether another session holds something that may become work for this one.
async fn others_work(shared: &Shared, session: &Session, focus: Option<JobId>) -> Result<bool> {
    let sessions = patiently(shared, || shared.store.sessions(focus)).await?;
    Ok(sessions.iter().any(|other| other.id != session.id && other.claims > 0))
}

async fn wait_for(places: Arc<Semaphore>, count: u32) -> Result<OwnedSemaphorePermit> {
    places.acquire_many_owned(count).await.map_err(|error| Error::unexpected("the worker has ended").because(error))
}

/// Tries a store operation again while the worker has patience.
async fn patiently<T, F: Future<Output = Result<T>>>(shared: &Shared, operation: impl Fn() -> F) -> Result<T> {
    let mut failing = Failing::default();
    loop {
        match operation().await {
            Ok(value) => return Ok(value),
            Err(error) => failing.wait(shared, error).await?,
        }
    }
}

/// How long the store has been failing.
#[derive(Default)]
struct Failing {
    tries: u32,
    waited: Duration,
}

impl Failing {
    /// Waits before another try, longer each time; gives the error back when the worker's patience has come to its end.
    async fn wait(&mut self, shared: &Shared, error: Error) -> Result<()> {
        if self.waited >= shared.tuning.patience {
            return Err(error);
        }
        tracing::warn!(error = %chain(&error), "claiming failed, trying again");
        let pause = Duration::from_millis(100 << self.tries.min(5)).min(Duration::from_secs(2));
        tokio::time::sleep(pause).await;
        self.tries += 1;
        self.waited += pause;
        Ok(())
    }
}
