//! The note of a vendor's task: the provider gives its id as soon as it has it, the caller makes it durable.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

/// Remembers which task of the vendor a call has begun.
#[async_trait]
pub trait TaskKeeper: fmt::Debug + Send + Sync {
    /// Remembers the vendor's id of the task. It is durable when this returns, or the keeper has given up.
    async fn keep(&self, external_id: &str);
}

/// Where a provider notes the vendor's id of the task an open call has begun.
///
/// All notes are equal: who listens is no part of what is asked for.
#[derive(Clone, Default)]
pub struct TaskNote(Option<Arc<dyn TaskKeeper>>);

impl TaskNote {
    /// Makes a note that `keeper` remembers; the default is remembered by nobody.
    pub fn new(keeper: Arc<dyn TaskKeeper>) -> Self {
        Self(Some(keeper))
    }

    /// Notes the vendor's id of the task; after a crash that task is asked for and not bought again.
    ///
    /// Awaited between the vendor's answer and the first look at the task. That it cannot be remembered is no reason to
    /// give the task up, so this has no error.
    pub async fn task(&self, external_id: &str) {
        if let Some(keeper) = &self.0 {
            keeper.keep(external_id).await;
        }
    }
}

impl fmt::Debug for TaskNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TaskNote")
    }
}

impl PartialEq for TaskNote {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for TaskNote {}
