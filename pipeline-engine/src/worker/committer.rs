//! The one committer of a process: a batch is whatever queued while the last commit ran.
//!
//! An item has at most one commit in the queue: a later transition joins the one that still waits there. So a walk need
//! not wait for each of its commits, and a quick walk is written in few of them.

use std::collections::{HashMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use pipeline_core::error::chain;
use pipeline_core::id::{ItemId, SessionId};
use pipeline_core::storage::{CallQuery, Commit, CommitReply};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::shared::Shared;

/// At most this many commits ride together.
const MAX_BATCH: usize = 256;

/// Tells what became of a commit, once it is durable or refused.
pub(crate) type Receipt = oneshot::Receiver<Result<CommitReply>>;

/// Takes commits and answers when they are durable. Ends when every handle is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Committer {
    handle: Arc<Handle>,
    /// The run's paid calls in flight: they outlive the walks that made them.
    pub(crate) flights: TaskTracker,
}

#[derive(Debug)]
struct Handle(Arc<Queue>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.state().closed = true;
        self.0.filled.notify_one();
    }
}

#[derive(Debug, Default)]
struct Queue {
    state: Mutex<State>,
    filled: Notify,
}

impl Queue {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Entry>,
    /// The number of each waiting item's entry; the first entry has the number `taken`.
    places: HashMap<ItemId, usize>,
    taken: usize,
    closed: bool,
    /// Why nothing is taken any more.
    broken: Option<Cause>,
}

impl State {
    /// Queues a commit before everything else; a later one of the same item joins it.
    fn put_back(&mut self, commit: Commit) {
        let place = self.places.get(&commit.item).map(|place| place.wrapping_sub(self.taken));
        match place.and_then(|place| self.waiting.get_mut(place)) {
            Some(entry) if entry.commit.token == commit.token => {
                let later = mem::replace(&mut entry.commit, commit);
                join(&mut entry.commit, later);
            }
            _ => {
                self.taken = self.taken.wrapping_sub(1);
                self.places.insert(commit.item, self.taken);
                self.waiting.push_front(Entry { commit, answers: Vec::new() });
            }
        }
    }
}

#[derive(Debug)]
struct Entry {
    commit: Commit,
    answers: Vec<oneshot::Sender<Result<CommitReply>>>,
}

/// What is left of a store's error to tell several walks.
#[derive(Clone, Debug)]
struct Cause {
    kind: ErrorKind,
    retry: Retryability,
    text: String,
}

impl Cause {
    fn of(error: &Error) -> Self {
        Self { kind: error.kind(), retry: error.retryability(), text: chain(error) }
    }

    fn error(&self) -> Error {
        Error::new(self.kind, self.text.clone()).retry(self.retry)
    }
}

impl Committer {
    /// Starts the committer.
    pub(crate) fn start(shared: Arc<Shared>, session: SessionId) -> Self {
        let queue = Arc::new(Queue::default());
        tokio::spawn(work(shared, session, Arc::clone(&queue)));
        Self { handle: Arc::new(Handle(queue)), flights: TaskTracker::new() }
    }

    /// Queues one transition. Transitions of one item are written in the order they were queued.
    ///
    /// The receipt brings the store's error when it keeps failing for longer than the worker's patience.
    pub(crate) fn put(&self, commit: Commit) -> Receipt {
        let (answer, receipt) = oneshot::channel();
        let queue = &self.handle.0;
        let mut state = queue.state();
        if let Some(cause) = &state.broken {
            answer.send(Err(cause.error())).ok();
            return receipt;
        }
        let place = state.places.get(&commit.item).map(|place| place.wrapping_sub(state.taken));
        match place.and_then(|place| state.waiting.get_mut(place)) {
            // Another token is another holder of the item, in this process too.
            Some(entry) if entry.commit.token == commit.token => {
                join(&mut entry.commit, commit);
                entry.answers.push(answer);
            }
            _ => {
                let place = state.taken.wrapping_add(state.waiting.len());
                state.places.insert(commit.item, place);
                state.waiting.push_back(Entry { commit, answers: vec![answer] });
            }
        }
        drop(state);
        queue.filled.notify_one();
        receipt
    }
}

/// Lets a commit take in the next one of the same item.
fn join(first: &mut Commit, next: Commit) {
    let earlier = mem::replace(first, next);
    let lists = (earlier.results, earlier.calls, earlier.children, earlier.events);
    prepend(&mut first.results, lists.0);
    prepend(&mut first.calls, lists.1);
    prepend(&mut first.children, lists.2);
    prepend(&mut first.events, lists.3);
}

fn prepend<T>(list: &mut Vec<T>, mut earlier: Vec<T>) {
    if !earlier.is_empty() {
        earlier.append(list);
        *list = earlier;
    }
}

async fn work(shared: Arc<Shared>, session: SessionId, queue: Arc<Queue>) {
    loop {
        let batch: Vec<Entry> = {
            let mut state = queue.state();
            let count = state.waiting.len().min(MAX_BATCH);
            let batch: Vec<Entry> = state.waiting.drain(..count).collect();
            for (number, entry) in batch.iter().enumerate() {
                let number = state.taken.wrapping_add(number);
                if state.places.get(&entry.commit.item) == Some(&number) {
                    state.places.remove(&entry.commit.item);
                }
            }
            state.taken = state.taken.wrapping_add(count);
            if batch.is_empty() && state.closed {
                return;
            }
            batch
        };
        if batch.is_empty() {
            queue.filled.notified().await;
            continue;
        }
        let (mut commits, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|entry| (entry.commit, entry.answers)).unzip();
        match write(&shared, session, &commits).await {
            Ok(replies) => {
                for ((commit, answers), reply) in commits.drain(..).zip(answers).zip(replies) {
                    if matches!(reply, CommitReply::Refused(_)) {
                        // Only the call may not be made; what else had joined it is still to be written.
                        queue.state().put_back(Commit { calls: Vec::new(), ..commit });
                    }
                    for answer in answers {
                        answer.send(Ok(reply)).ok();
                    }
                }
            }
            Err(error) => {
                // What came after a lost commit must not be written without it.
                let cause = Cause::of(&error);
                let mut state = queue.state();
                let rest = state.waiting.drain(..).map(|entry| entry.answers).collect::<Vec<_>>();
                state.places.clear();
                state.broken = Some(cause.clone());
                drop(state);
                for answer in answers.into_iter().chain(rest).flatten() {
                    answer.send(Err(cause.error())).ok();
                }
            }
        }
        shared.bell.notify_waiters();
    }
}

/// Writes a batch. While the store's answers are unclear, what it has is read back, so that nothing is written twice.
async fn write(shared: &Shared, session: SessionId, commits: &[Commit]) -> Result<Vec<CommitReply>> {
    let mut replies: Vec<Option<CommitReply>> = vec![None; commits.len()];
    let mut pause = Duration::from_millis(100);
    let mut waited = Duration::ZERO;
    loop {
        let open = |replies: &[Option<CommitReply>]| -> Vec<usize> {
            replies.iter().enumerate().filter(|(_, reply)| reply.is_none()).map(|(place, _)| place).collect()
        };
        let places = open(&replies);
        let batch = places.iter().filter_map(|place| commits.get(*place).cloned()).collect();
        let began = Instant::now();
        let error = match shared.store.commit(session, batch).await {
            Ok(answered) => {
                let written = places.iter().filter_map(|place| commits.get(*place));
                shared.metrics.committed(written.zip(&answered), began.elapsed());
                for (place, reply) in places.into_iter().zip(answered) {
                    if let Some(slot) = replies.get_mut(place) {
                        *slot = Some(reply);
                    }
                }
                return Ok(replies.into_iter().map(|reply| reply.unwrap_or(CommitReply::Superseded)).collect());
            }
            Err(error) => error,
        };
        if waited >= shared.tuning.patience {
            return Err(error);
        }
        if waited.is_zero() {
            tracing::warn!(error = %chain(&error), commits = places.len(), "commit failed, trying again");
        }
        tokio::time::sleep(pause).await;
        waited += pause;
        pause = (pause * 2).min(Duration::from_secs(2));
        for place in places {
            let Some((commit, reply)) = commits.get(place).zip(replies.get_mut(place)) else { continue };
            if is_written(shared, commit).await.unwrap_or(false) {
                *reply = Some(CommitReply::Applied);
            }
        }
    }
}

/// Tells whether a commit whose answer was lost is in the store: by what it appends, or by the state it leaves.
async fn is_written(shared: &Shared, commit: &Commit) -> Result<bool> {
    if let Some(result) = commit.results.first() {
        return Ok(!shared.store.results(vec![result.id]).await?.is_empty());
    }
    if let Some(child) = commit.children.first() {
        return match shared.store.item(child.id).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        };
    }
    if let Some(call) = commit.calls.first() {
        let query = CallQuery { item: Some(commit.item), limit: 1_000, ..CallQuery::default() };
        return Ok(shared.store.calls(query).await?.iter().any(|known| known.id == call.id));
    }
    Ok(shared.store.item(commit.item).await?.machine == commit.machine)
}
