//! The one writer of an engine's logs: entries queue up, and nothing ever waits for them.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;

use pipeline_core::error::chain;
use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::{LogLevel, Step};
use pipeline_core::provider::{Note, NoteKeeper};
use pipeline_core::storage::{LogKeeper, NewLogEntry};
use pipeline_core::time::{Clock, Timestamp};

/// At most so many entries wait to be written; what comes then is dropped, and counted.
const ROOM: usize = 16_384;

/// So many entries are written at once.
const BATCH: usize = 1_024;

use crate::owned::{Owned, OwnedLogs};

/// So long an entry waits for others to ride with.
const TOGETHER: Duration = Duration::from_millis(200);

/// So long the end of a run waits until its last entries are written.
const PATIENCE: Duration = Duration::from_secs(5);

/// A message is cut after so many bytes.
const LONGEST: usize = 2_000;

/// Takes entries from everywhere in an engine, and hands them to the keeper in batches.
#[derive(Debug)]
pub(crate) struct Scribe {
    keeper: Option<Arc<dyn LogKeeper>>,
    /// What matters less is not kept; `None` keeps nothing.
    least: Option<LogLevel>,
    clock: Arc<dyn Clock>,
    waiting: Mutex<Waiting>,
    /// Rung when the first entry comes in.
    begun: Notify,
    /// Rung when there is a batch.
    full: Notify,
    /// Held by whoever writes, so that entries stay in order.
    pen: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Waiting {
    entries: VecDeque<NewLogEntry>,
    /// How many entries of each job were dropped since that was told.
    dropped: BTreeMap<JobId, u64>,
}

/// A writer at work.
#[derive(Debug)]
pub(crate) struct Writing(Option<(oneshot::Sender<()>, JoinHandle<()>)>);

impl Writing {
    /// Waits until what was told is written, but never for long.
    pub(crate) async fn end(self) {
        let Some((end, writer)) = self.0 else { return };
        drop(end);
        if tokio::time::timeout(PATIENCE, writer).await.is_err() {
            tracing::warn!("the last entries of the log are not written yet; some may be missing");
        }
    }
}

impl Scribe {
    pub(crate) fn new(keeper: Option<Arc<dyn LogKeeper>>, least: Option<LogLevel>, clock: Arc<dyn Clock>) -> Self {
        Self {
            keeper,
            least,
            clock,
            waiting: Mutex::default(),
            begun: Notify::new(),
            full: Notify::new(),
            pen: tokio::sync::Mutex::default(),
        }
    }

    /// The same for an engine that acts for one owner.
    pub(crate) fn for_owner(&self, owned: &Owned) -> Self {
        let logs = |keeper| -> Arc<dyn LogKeeper> { Arc::new(OwnedLogs::new(keeper, owned.clone())) };
        Self::new(self.keeper.clone().map(logs), self.least, Arc::clone(&self.clock))
    }

    /// Returns what keeps the entries.
    pub(crate) fn keeper(&self) -> Option<&Arc<dyn LogKeeper>> {
        self.keeper.as_ref()
    }

    /// Tells whether entries of a level are kept.
    pub(crate) fn wants(&self, level: LogLevel) -> bool {
        self.keeper.is_some() && self.least.is_some_and(|least| level >= least)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Takes an entry, or drops it when too many wait.
    pub(crate) fn tell(&self, mut entry: NewLogEntry) {
        if !self.wants(entry.level) {
            return;
        }
        cut(&mut entry.message);
        let mut waiting = self.waiting();
        if waiting.entries.len() >= ROOM {
            *waiting.dropped.entry(entry.job).or_default() += 1;
            return;
        }
        waiting.entries.push_back(entry);
        let count = waiting.entries.len();
        drop(waiting);
        if count == 1 {
            self.begun.notify_one();
        } else if count == BATCH {
            self.full.notify_one();
        }
    }

    /// Starts writing what is told, until [`Writing::end`].
    pub(crate) fn write(self: &Arc<Self>) -> Writing {
        if self.keeper.is_none() || self.least.is_none() {
            return Writing(None);
        }
        let (end, mut ended) = oneshot::channel();
        let scribe = Arc::clone(self);
        let writer = tokio::spawn(async move {
            loop {
                tokio::select! {
                    biased;
                    _ = &mut ended => break,
                    () = scribe.begun.notified() => {}
                }
                tokio::select! {
                    biased;
                    _ = &mut ended => break,
                    () = scribe.full.notified() => {}
                    () = tokio::time::sleep(TOGETHER) => {}
                }
                scribe.drain().await;
            }
            scribe.drain().await;
        });
        Writing(Some((end, writer)))
    }

    /// Writes all that waits.
    async fn drain(&self) {
        let Some(keeper) = &self.keeper else { return };
        let _pen = self.pen.lock().await;
        loop {
            let (mut batch, mut lost) = self.take();
            let gaps: Vec<NewLogEntry> = lost.iter().map(|(job, count)| self.gap(*job, *count)).collect();
            for entry in &batch {
                *lost.entry(entry.job).or_default() += 1;
            }
            batch.extend(gaps);
            if batch.is_empty() {
                return;
            }
            if let Err(error) = keeper.append(batch).await {
                tracing::warn!(error = %chain(&error), "entries of the log cannot be kept");
                let mut waiting = self.waiting();
                for (job, count) in lost {
                    *waiting.dropped.entry(job).or_default() += count;
                }
                // What still waits is tried with what comes next, or after a while.
                if !waiting.entries.is_empty() {
                    self.begun.notify_one();
                }
                return;
            }
        }
    }

    /// Takes the next batch, and how many entries of each job were dropped: that is said where they are missing, after those
    /// that had room.
    fn take(&self) -> (Vec<NewLogEntry>, BTreeMap<JobId, u64>) {
        let mut waiting = self.waiting();
        let count = waiting.entries.len().min(BATCH);
        let batch: Vec<NewLogEntry> = waiting.entries.drain(..count).collect();
        let dropped = if waiting.entries.is_empty() { mem::take(&mut waiting.dropped) } else { BTreeMap::new() };
        (batch, dropped)
    }

    fn gap(&self, job: JobId, count: u64) -> NewLogEntry {
        NewLogEntry {
            at: self.now(),
            level: LogLevel::Warn,
            job,
            item: None,
            stage: None,
            step: Step::Dropped,
            attempt: None,
            code: None,
            duration: None,
            message: format!("{count} entries could not be kept, and are missing before this one").into(),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn cut(message: &mut Cow<'static, str>) {
    if message.len() > LONGEST {
        let mut end = LONGEST;
        while !message.is_char_boundary(end) {
            end -= 1;
        }
        let text = message.to_mut();
        text.truncate(end);
        text.push('…');
    }
}

/// Keeps the notes of one try of a stage.
#[derive(Debug)]
pub(crate) struct Trying {
    pub(crate) scribe: Arc<Scribe>,
    pub(crate) job: JobId,
    /// The item; for what several siblings share, their parent.
    pub(crate) item: Option<ItemId>,
    pub(crate) stage: StageName,
    pub(crate) attempt: u32,
}

impl NoteKeeper for Trying {
    fn wants(&self, level: LogLevel) -> bool {
        self.scribe.wants(level)
    }

    fn now(&self) -> Timestamp {
        self.scribe.now()
    }

    fn keep(&self, note: Note) {
        let Note { level, step, code, duration, message } = note;
        self.scribe.tell(NewLogEntry {
            at: self.scribe.now(),
            level,
            job: self.job,
            item: self.item,
            stage: Some(self.stage.clone()),
            step,
            attempt: Some(self.attempt),
            code,
            duration,
            message,
        });
    }
}
