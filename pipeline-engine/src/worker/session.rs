//! The session of a process start: registered, kept alive, closed.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinHandle;

use pipeline_core::id::{JobId, SessionId};
use pipeline_core::model::Control;
use pipeline_core::storage::{Heartbeat, NewSession};
use pipeline_core::{Error, Result};

use super::shared::Shared;
use super::signal::{Listener, Signal};

/// An open session with its heartbeat.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) id: SessionId,
    /// True once the store has declared the session dead.
    pub(crate) lost: Listener<bool>,
    /// Ends the heartbeat when it is dropped: a run whose future was dropped holds nothing any more, and its lease is to
    /// run out.
    _heart: Heart,
}

impl Session {
    pub(crate) async fn open(shared: &Arc<Shared>, focus: Option<JobId>) -> Result<Self> {
        let id = SessionId::from_uuid(shared.uuid());
        let host = gethostname::gethostname().to_string_lossy().into_owned();
        let lease = shared.tuning.lease;
        let session = NewSession { id, host, pid: std::process::id(), lease, focus };
        shared.store.open_session(session.clone()).await?;
        shared.session.send_replace(Some(session));
        let tell = Signal::new(false);
        let lost = tell.listen();
        let heart = Heart::start(Arc::clone(shared), id, tell)?;
        Ok(Self { id, lost, _heart: heart })
    }

    pub(crate) async fn close(self, shared: &Shared) -> Result<()> {
        shared.store.close_session(self.id).await
    }
}

/// What beats: a thread with a runtime of its own, so that neither work that keeps every thread of the program's runtime
/// busy nor a queue in front of it lets the lease run out; or a task, where the program says so.
#[derive(Debug)]
enum Heart {
    Thread(#[expect(dead_code, reason = "dropping it ends the thread")] watch::Sender<()>),
    Task(JoinHandle<()>),
}

impl Heart {
    fn start(shared: Arc<Shared>, id: SessionId, lost: Signal<bool>) -> Result<Self> {
        if !shared.tuning.own_heart {
            return Ok(Self::Task(tokio::spawn(async move { beat(&shared, id, &lost).await })));
        }
        let broken = |error: std::io::Error| Error::unexpected("cannot start the heartbeat").because(error);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(broken)?;
        let (keep, mut gone) = watch::channel(());
        let work = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = beat(&shared, id, &lost) => {}
                    // Only ever an error: the other end was dropped.
                    _ = gone.changed() => {}
                }
            });
        };
        std::thread::Builder::new().name("pipeline-heart".to_owned()).spawn(work).map_err(broken)?;
        Ok(Self::Thread(keep))
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        if let Self::Task(task) = self {
            task.abort();
        }
    }
}

async fn beat(shared: &Shared, id: SessionId, lost: &Signal<bool>) {
    let lease = shared.tuning.lease;
    let mut failing_since = None;
    loop {
        tokio::time::sleep(if failing_since.is_some() { lease / 10 } else { lease / 3 }).await;
        match limited(shared.store.heartbeat(id, lease), lease).await {
            Ok(beat) if beat.alive => {
                failing_since = None;
                steer(shared, &beat);
            }
            Ok(_) => {
                tracing::error!(session = %id, "the store has declared this session dead; its work is given up");
                shared.metrics.lease_lost();
                lost.set(true);
                return;
            }
            Err(error) => {
                let since = failing_since.get_or_insert_with(|| shared.now());
                tracing::warn!(error = %pipeline_core::error::chain(&error), since = %since, "heartbeat failed");
            }
        }
    }
}

/// A heartbeat that hangs is tried again while the lease may still hold.
async fn limited(beat: impl Future<Output = Result<Heartbeat>>, lease: Duration) -> Result<Heartbeat> {
    let late = |_| Error::new(pipeline_core::ErrorKind::Timeout, "the store did not answer the heartbeat in time");
    tokio::time::timeout(lease / 3, beat).await.map_err(late)?
}

/// Passes on what people asked of the jobs this session works on; those not named are to run.
fn steer(shared: &Shared, beat: &Heartbeat) {
    for job in shared.jobs() {
        let asked = beat.controls.iter().find(|(id, _)| *id == job.id).map_or(Control::Run, |(_, control)| *control);
        job.control.change(|control| {
            // A cancellation is never taken back.
            let changed = *control != asked && *control != Control::Cancel;
            if changed {
                *control = asked;
            }
            changed
        });
    }
}
