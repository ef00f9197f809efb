//! The journal of a running stage: it and its providers tell there what they do, step by step.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Result, Retryability, chain};
use crate::model::{LogLevel, Step};
use crate::time::Timestamp;

/// A step that was done, or failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// How much it matters.
    pub level: LogLevel,
    /// The step.
    pub step: Step,
    /// The code of what went wrong.
    pub code: Option<Cow<'static, str>>,
    /// How long it took.
    pub duration: Option<Duration>,
    /// One line for people, without secrets.
    pub message: Cow<'static, str>,
}

/// Keeps notes. Never waits.
pub trait NoteKeeper: fmt::Debug + Send + Sync {
    /// Tells whether notes of a level are kept at all.
    fn wants(&self, level: LogLevel) -> bool;

    /// Returns the time, for durations.
    fn now(&self) -> Timestamp;

    /// Keeps a note.
    fn keep(&self, note: Note);
}

/// Where a stage and its providers tell what they do. Cheap to clone; the default keeps nothing.
///
/// All journals are equal: who reads is no part of what is asked for.
#[derive(Clone, Default)]
pub struct Journal(Option<Arc<dyn NoteKeeper>>);

impl Journal {
    /// Makes a journal that `keeper` keeps.
    pub fn new(keeper: Arc<dyn NoteKeeper>) -> Self {
        Self(Some(keeper))
    }

    /// Tells whether notes of a level are kept: what is costly to say need not be said otherwise.
    pub fn wants(&self, level: LogLevel) -> bool {
        self.0.as_ref().is_some_and(|keeper| keeper.wants(level))
    }

    /// Tells something in one line. It must hold no secret, and nothing that only the caller may see.
    pub fn note(&self, level: LogLevel, step: Step, message: impl Into<Cow<'static, str>>) {
        if let Some(keeper) = self.0.as_ref().filter(|keeper| keeper.wants(level)) {
            keeper.keep(Note { level, step, code: None, duration: None, message: message.into() });
        }
    }

    /// Does a step and tells how long it took: what was done at level debug, what failed at level warn with the code of
    /// the error, and what is only to wait at level info. `message` says what was done.
    ///
    /// # Errors
    /// The step's.
    pub async fn step<T>(
        &self,
        step: Step,
        message: impl Into<Cow<'static, str>>,
        work: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let Some(keeper) = self.0.as_ref().filter(|keeper| keeper.wants(LogLevel::Error)) else { return work.await };
        let began = keeper.now();
        let outcome = work.await;
        let took = || Some(keeper.now().since(began));
        match &outcome {
            Ok(_) if keeper.wants(LogLevel::Debug) => {
                let (duration, message) = (took(), message.into());
                keeper.keep(Note { level: LogLevel::Debug, step, code: None, duration, message });
            }
            Ok(_) => {}
            Err(error) => {
                let note = failed(step, error, took());
                if keeper.wants(note.level) {
                    keeper.keep(note);
                }
            }
        }
        outcome
    }
}

fn failed(step: Step, error: &Error, duration: Option<Duration>) -> Note {
    let code = Some(Cow::Borrowed(error.kind().code()));
    let level =
        if matches!(error.retryability(), Retryability::Throttled { .. }) { LogLevel::Info } else { LogLevel::Warn };
    Note { level, step, code, duration, message: chain(error).into() }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

impl PartialEq for Journal {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Journal {}
