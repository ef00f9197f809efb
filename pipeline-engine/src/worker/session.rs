//! The session of a process start: registered, kept alive, closed.

use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use pipeline_core::Result;
use pipeline_core::id::{JobId, SessionId};
use pipeline_core::storage::NewSession;

use super::shared::Shared;

/// An open session with its heartbeat.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// True once the store has declared the session dead.
    pub(crate) lost: watch::Receiver<bool>,
    heart: JoinHandle<()>,
}

impl Session {
    pub(crate) async fn open(shared: &Arc<Shared>, focus: Option<JobId>) -> Result<Self> {
        let id = SessionId::from_uuid(uuid::Uuid::now_v7());
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let lease = shared.tuning.lease;
        shared.store.open_session(NewSession { id, host, pid: std::process::id(), lease, focus }).await?;
        let (tell, lost) = watch::channel(false);
        let heart = tokio::spawn(beat(Arc::clone(shared), id, tell));
        Ok(Self { id, lost, heart })
    }

    pub(crate) async fn close(self, shared: &Shared) -> Result<()> {
        self.heart.abort();
        shared.store.close_session(self.id).await
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // A run whose future was dropped holds nothing any more: its lease is to run out.
        self.heart.abort();
    }
}

async fn beat(shared: Arc<Shared>, id: SessionId, lost: watch::Sender<bool>) {
    let lease = shared.tuning.lease;
    let mut failing_since = None;
    loop {
        tokio::time::sleep(lease / 3).await;
        match shared.store.heartbeat(id, lease).await {
            Ok(beat) if beat.alive => {
                failing_since = None;
                for (job, control) in beat.controls {
                    if let Some(job) = shared.known(job) {
                        job.control.send_replace(control);
                    }
                }
            }
            Ok(_) => {
                tracing::error!(session = %id, "the store has declared this session dead; its work is given up");
                lost.send_replace(true);
                return;
            }
            Err(error) => {
                let since = failing_since.get_or_insert_with(|| shared.now());
                tracing::warn!(error = %pipeline_core::error::chain(&error), since = %since, "heartbeat failed");
            }
        }
    }
}
