//! Following a job's events as they are committed.

use std::collections::VecDeque;
use std::sync::Arc;

use futures::stream::{self, Stream};

use pipeline_core::Result;
use pipeline_core::id::{EventSeq, JobId};
use pipeline_core::storage::{EventBody, EventRecord};

use crate::worker::Shared;

/// A job's events from a point on, until the job ends.
#[derive(Debug)]
pub struct Watch {
    shared: Arc<Shared>,
    job: JobId,
    after: EventSeq,
    buffer: VecDeque<EventRecord>,
    over: bool,
}

impl Watch {
    pub(crate) fn new(shared: Arc<Shared>, job: JobId, after: EventSeq) -> Self {
        Self { shared, job, after, buffer: VecDeque::new(), over: false }
    }

    /// Returns the next event; `None` after the job's end, and when there is nothing after the point to begin at and the
    /// job has ended.
    ///
    /// The store is asked again whenever this process has committed something, and every half second for what other
    /// processes commit.
    ///
    /// # Errors
    /// The store's.
    pub async fn next(&mut self) -> Result<Option<EventRecord>> {
        loop {
            if let Some(event) = self.buffer.pop_front() {
                self.after = event.seq;
                // A person may begin a new round after the end; the stream goes on only to what is there already.
                self.over = matches!(event.body, EventBody::Finished { .. });
                return Ok(Some(event));
            }
            let shared = Arc::clone(&self.shared);
            let bell = shared.bell.notified();
            self.buffer.extend(self.shared.store.events(self.job, self.after, 500).await?);
            if !self.buffer.is_empty() {
                continue;
            }
            if self.over {
                return Ok(None);
            }
            tokio::select! {
                biased;
                () = bell => {}
                () = tokio::time::sleep(self.shared.tuning.poll) => {
                    // The end may lie before the point that was asked for.
                    let job = self.shared.store.job(self.job).await?;
                    self.over = job.status.is_terminal() && job.last_event <= self.after;
                }
            }
        }
    }

    /// Turns it into a stream that ends after the job's end or the first error.
    pub fn into_stream(self) -> impl Stream<Item = Result<EventRecord>> + Send {
        stream::unfold(Some(self), |state| async move {
            let mut watch = state?;
            match watch.next().await {
                Ok(Some(event)) => Some((Ok(event), Some(watch))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}
