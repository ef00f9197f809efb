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
use pipeline_core::model::{ItemStatus, LogLevel, Step};
use pipeline_core::storage::{CallQuery, Commit, CommitReply, NewLogEntry};
use pipeline_core::{Error, ErrorKind, Result, Retryability};

use super::shared::Shared;

/// At most this many commits ride together.
const MAX_BATCH: usize = 256;

/// So long commits wait for others of their ticket.
const TOGETHER: Duration = Duration::from_millis(100);

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
    /// Takes the next batch, without those that wait for others of their ticket.
    fn take(&mut self) -> Vec<Entry> {
        if self.waiting.iter().all(|entry| entry.tickets.is_empty()) {
            let count = self.waiting.len().min(MAX_BATCH);
            let batch: Vec<Entry> = self.waiting.drain(..count).collect();
            for (number, entry) in batch.iter().enumerate() {
                let number = self.taken.wrapping_add(number);
                if self.places.get(&entry.commit.item) == Some(&number) {
                    self.places.remove(&entry.commit.item);
                }
            }
            self.taken = self.taken.wrapping_add(count);
            return batch;
        }
        let mut here: HashMap<*const Instant, usize> = HashMap::new();
        for ticket in self.waiting.iter().flat_map(|entry| &entry.tickets) {
            *here.entry(ticket.mark()).or_default() += 1;
        }
        let ready = |ticket: &Ticket| ticket.is_over() || here.get(&ticket.mark()) == Some(&ticket.copies());
        let (mut batch, mut rest) = (Vec::new(), VecDeque::new());
        for entry in mem::take(&mut self.waiting) {
            // All of one ticket ride together, however many they are.
            let room = batch.len() < MAX_BATCH || !entry.tickets.is_empty();
            if room && entry.tickets.iter().all(ready) { batch.push(entry) } else { rest.push_back(entry) }
        }
        self.taken = 0;
        self.places = rest.iter().enumerate().map(|(place, entry)| (entry.commit.item, place)).collect();
        self.waiting = rest;
        batch
    }

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
                self.waiting.push_front(Entry { commit, answers: Vec::new(), tickets: Vec::new() });
            }
        }
    }
}

#[derive(Debug)]
struct Entry {
    commit: Commit,
    answers: Vec<oneshot::Sender<Result<CommitReply>>>,
    /// It is written together with those that hold the same.
    tickets: Vec<Ticket>,
}

/// Commits with copies of one ticket are written in one transaction: a crash leaves all the items of a shared call where
/// they were, or none, so that the same ones go on together. Only a copy that is neither used nor dropped for a while is
/// not waited for.
#[derive(Clone, Debug)]
pub(crate) struct Ticket {
    /// When it was made; empty only while it is dropped.
    mark: Option<Arc<Instant>>,
    queue: Arc<Queue>,
}

/// Makes tickets.
#[derive(Clone, Debug)]
pub(crate) struct Tickets(Arc<Queue>);

impl Tickets {
    pub(crate) fn make(&self) -> Ticket {
        Ticket { mark: Some(Arc::new(Instant::now())), queue: Arc::clone(&self.0) }
    }
}

impl Ticket {
    fn mark(&self) -> *const Instant {
        self.mark.as_ref().map_or(std::ptr::null(), Arc::as_ptr)
    }

    fn copies(&self) -> usize {
        self.mark.as_ref().map_or(0, Arc::strong_count)
    }

    fn is_over(&self) -> bool {
        self.mark.as_ref().is_none_or(|since| since.elapsed() >= TOGETHER)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // First it is one less, then the committer looks.
        self.mark = None;
        self.queue.filled.notify_one();
    }
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

    /// Returns what makes tickets; it does not keep the committer running.
    pub(crate) fn tickets(&self) -> Tickets {
        Tickets(Arc::clone(&self.handle.0))
    }

    /// Queues one transition. Transitions of one item are written in the order they were queued.
    ///
    /// The receipt brings the store's error when it keeps failing for longer than the worker's patience.
    pub(crate) fn put(&self, commit: Commit) -> Receipt {
        self.put_with(commit, None)
    }

    /// As `put`; with a ticket the commit is written together with those that have its copies.
    pub(crate) fn put_with(&self, commit: Commit, ticket: Option<Ticket>) -> Receipt {
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
                entry.tickets.extend(ticket);
            }
            _ => {
                let place = state.taken.wrapping_add(state.waiting.len());
                state.places.insert(commit.item, place);
                state.waiting.push_back(Entry { commit, answers: vec![answer], tickets: ticket.into_iter().collect() });
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
    let lists = (earlier.results, earlier.calls, earlier.used, earlier.children, earlier.events);
    prepend(&mut first.results, lists.0);
    prepend(&mut first.calls, lists.1);
    prepend(&mut first.used, lists.2);
    prepend(&mut first.children, lists.3);
    prepend(&mut first.events, lists.4);
}

fn prepend<T>(list: &mut Vec<T>, mut earlier: Vec<T>) {
    if !earlier.is_empty() {
        earlier.append(list);
        *list = earlier;
    }
}

async fn work(shared: Arc<Shared>, session: SessionId, queue: Arc<Queue>) {
    loop {
        let (batch, more) = {
            let mut state = queue.state();
            let batch = state.take();
            if batch.is_empty() && state.waiting.is_empty() && state.closed {
                return;
            }
            (batch, !state.waiting.is_empty())
        };
        if batch.is_empty() {
            let filled = queue.filled.notified();
            if more {
                tokio::time::timeout(TOGETHER, filled).await.ok();
            } else {
                filled.await;
            }
            continue;
        }
        let (mut commits, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|Entry { commit, answers, .. }| (commit, answers)).unzip();
        let began = Instant::now();
        match write(&shared, session, &commits).await {
            Ok(replies) => {
                told(&shared, &commits, &replies, began.elapsed());
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

/// Tells the log what became durable.
fn told(shared: &Shared, commits: &[Commit], replies: &[CommitReply], took: Duration) {
    if !shared.scribe.wants(LogLevel::Info) {
        return;
    }
    let at = shared.now();
    let debug = shared.scribe.wants(LogLevel::Debug);
    let entry = |commit: &Commit, level, step, duration, message| NewLogEntry {
        at,
        level,
        job: commit.job,
        item: Some(commit.item),
        stage: None,
        step,
        attempt: None,
        code: None,
        duration,
        message,
    };
    for (commit, _) in commits.iter().zip(replies).filter(|(_, reply)| **reply == CommitReply::Applied) {
        if debug {
            let said = format!(
                "{} results, {} calls, {} children, {} events",
                commit.results.len(),
                commit.calls.len(),
                commit.children.len(),
                commit.events.len()
            );
            shared.scribe.tell(entry(commit, LogLevel::Debug, Step::Commit, Some(took), said.into()));
        }
        if commit.status.is_terminal() && commit.machine.expanded.is_none() && commit.release {
            // What went well is in the last stage's entry; a line more for each item is felt in a large job.
            let level = if commit.status == ItemStatus::Succeeded { LogLevel::Debug } else { LogLevel::Info };
            let said = commit.status.as_str().into();
            shared.scribe.tell(entry(commit, level, Step::Ended, None, said));
        }
    }
}

/// Writes a batch. While the store's answers are unclear, what it has is read back, so that nothing is written twice.
async fn write(shared: &Shared, session: SessionId, commits: &[Commit]) -> Result<Vec<CommitReply>> {
    let mut replies: Vec<Option<CommitReply>> = vec![None; commits.len()];
    let mut pause = Duration::from_millis(100);
    let mut waited = Duration::ZERO;
    let mut unclear = None;
    loop {
        let open = |replies: &[Option<CommitReply>]| -> Vec<usize> {
            replies.iter().enumerate().filter(|(_, reply)| reply.is_none()).map(|(place, _)| place).collect()
        };
        let places = open(&replies);
        let batch = places.iter().filter_map(|place| commits.get(*place).cloned()).collect();
        let began = Instant::now();
        let answer = match unclear {
            None => shared.store.commit(session, batch).await,
            Some(error) => Err(error),
        };
        let error = match answer {
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
        unclear = None;
        for place in places {
            let Some((commit, reply)) = commits.get(place).zip(replies.get_mut(place)) else { continue };
            match is_written(shared, commit).await {
                Ok(true) => *reply = Some(CommitReply::Applied),
                Ok(false) => {}
                // Not written again before that is known: what it tells would be told twice.
                Err(error) => unclear = Some(error),
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
        return Ok(shared.store.calls(query).await?.iter().any(|known| known.sending == call.sending));
    }
    Ok(shared.store.item(commit.item).await?.machine == commit.machine)
}
