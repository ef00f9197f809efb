//! Broken sessions.

use std::time::Duration;

use pipeline_core::error::Result;
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::storage::{Commit, Heartbeat, JobStore as _, NewSession, SessionRecord, WorkQueue as _};

use super::store::{Breach, Broken};

/// Longer than any test.
const ENDLESS: Duration = Duration::from_hours(1_000);

impl Broken {
    /// Returns how long the memory store takes a session for alive.
    fn lease(&self, lease: Duration) -> Duration {
        match self.breach {
            Some(Breach::LeaseEndless | Breach::DeadBeforeControl) => ENDLESS,
            Some(Breach::LeaseInclusive) => lease + Duration::from_micros(1),
            _ => lease,
        }
    }

    /// Ends what has lived too long, where the memory store does not.
    pub(super) async fn bury(&self) -> Result<()> {
        if self.is(Breach::DeadBeforeControl) {
            let now = self.time();
            let dead: Vec<SessionId> =
                self.notes().leases.iter().filter(|(_, until)| **until <= now).map(|(id, _)| *id).collect();
            for session in dead {
                self.store.close_session(session).await?;
            }
        }
        Ok(())
    }

    pub(super) async fn open(&self, mut session: NewSession) -> Result<()> {
        self.notes().leases.insert(session.id, self.time().after(session.lease));
        session.lease = self.lease(session.lease);
        if self.is(Breach::FocusForgotten) {
            session.focus = None;
        }
        let answer = self.store.open_session(session).await;
        if self.is(Breach::OpenedTwice) { Ok(()) } else { answer }
    }

    pub(super) async fn beat(&self, session: SessionId, lease: Duration) -> Result<Heartbeat> {
        self.bury().await?;
        let mut beat = self.store.heartbeat(session, self.lease(lease)).await?;
        if beat.alive {
            self.notes().leases.insert(session, self.time().after(lease));
        }
        match self.breach {
            Some(Breach::DeadRevived) => beat.alive = true,
            Some(Breach::PauseUntold) => {
                let mut told = Vec::new();
                for (job, control) in beat.controls {
                    if self.store.job(job).await?.control != Control::Run {
                        told.push((job, control));
                    }
                }
                beat.controls = told;
            }
            _ => {}
        }
        Ok(beat)
    }

    pub(super) async fn close(&self, session: SessionId) -> Result<()> {
        match self.breach {
            Some(Breach::CloseForgotten) => return Ok(()),
            Some(Breach::ParkedStaysParked) => {
                let parked = std::mem::take(&mut self.notes().parked);
                let back = |commit| Commit { status: ItemStatus::Pending, release: true, ..commit };
                self.store.commit(session, parked.into_values().map(back).collect()).await?;
            }
            _ => {}
        }
        self.store.close_session(session).await
    }

    pub(super) async fn keep(&self, session: SessionId, items: Vec<ItemId>) -> Result<()> {
        match self.breach {
            Some(Breach::EverythingKept) => return Ok(()),
            Some(Breach::NothingKept) => return self.store.keep_only(session, Vec::new()).await,
            Some(Breach::OthersGiveBack) => {
                for other in self.store.sessions(None).await? {
                    self.store.keep_only(other.id, items.clone()).await?;
                }
            }
            _ => {}
        }
        self.store.keep_only(session, items).await
    }

    pub(super) async fn alive(&self, job: Option<JobId>) -> Result<Vec<SessionRecord>> {
        self.bury().await?;
        let mut records = self.store.sessions(job).await?;
        if self.is(Breach::DeadBeforeControl) {
            let notes = self.notes();
            for record in &mut records {
                record.lease_until = notes.leases.get(&record.id).copied().unwrap_or(record.lease_until);
            }
        }
        Ok(records)
    }
}
