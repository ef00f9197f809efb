//! Recurring jobs: storing them, and submitting what is due.
//!
//! Every run of every process looks. An occasion is taken by compare-and-set, and its job is submitted under a key made of
//! schedule and occasion: whoever finds an occasion that was begun submits again, and finds the job when it is there.

use std::time::Duration;

use pipeline_core::error::{Error, ErrorKind, chain};
use pipeline_core::id::{JobId, ScheduleId};
use pipeline_core::storage::{NewSchedule, Occasion, Outcome, ScheduleRecord, check_name};
use pipeline_core::time::Timestamp;

use crate::cron::Cron;
use crate::engine::Engine;
use crate::request::JobRequest;
use crate::submit::SubmitError;

/// How often a run looks for schedules that somebody else has made or let go on.
const LOOK: Duration = Duration::from_secs(5);

/// What a schedule that nobody here can read waits before it is tried again.
const UNREADABLE: Duration = Duration::from_secs(3_600);

/// When a job recurs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recurrence {
    /// Unique for the owner; names the jobs whose request says no label.
    pub name: String,
    /// Five fields of cron.
    pub every: String,
    /// The name of a time zone of the IANA database.
    pub timezone: String,
    /// Whether a job is submitted although the last one has not ended; otherwise that occasion is left out.
    pub overlap: bool,
}

impl Engine {
    /// Stores a recurring job: the request is submitted at each occasion, by whichever process runs then. It is checked and its
    /// items are planned now, so that what is wrong is told now.
    ///
    /// # Errors
    /// [`SubmitError`]; `Invalid` for a pattern, zone or name that is none; `Conflict` when the owner has a schedule of the name.
    pub async fn schedule(&self, request: &JobRequest, when: Recurrence) -> Result<ScheduleRecord, SubmitError> {
        check_name("schedule", &when.name).map_err(SubmitError::Input)?;
        let now = self.shared.store.now().await.map_err(SubmitError::Store)?;
        let cron = Cron::parse(&when.every, &when.timezone, now).map_err(SubmitError::Input)?;
        self.prepare(request).await?;
        let next_at = cron.after(now).unwrap_or(now);
        let new = NewSchedule {
            id: ScheduleId::from_uuid(self.shared.uuid()),
            owner: self.owner_of(request).to_owned(),
            name: when.name,
            every: when.every,
            timezone: when.timezone,
            overlap: when.overlap,
            request: request.saved(),
            next_at,
        };
        let conflict = |error: Error| match error.kind() {
            ErrorKind::Conflict => SubmitError::Input(error),
            _ => SubmitError::Store(error),
        };
        self.shared.store.schedule(new).await.map_err(conflict)
    }

    /// Lets a paused schedule go on with the first occasion from now on.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` when its pattern or zone cannot be read here; the store's.
    pub async fn resume_schedule(&self, owner: &str, name: &str) -> Result<ScheduleRecord, Error> {
        let all = self.shared.store.schedules(Some(owner)).await?;
        let record = all.into_iter().find(|record| record.name == name);
        let record = record.ok_or_else(|| Error::not_found("there is no such schedule").with("name", name))?;
        let now = self.shared.store.now().await?;
        let next_at = Cron::parse(&record.every, &record.timezone, now)?.after(now).unwrap_or(now);
        self.shared.store.resume_schedule(owner, name, next_at).await
    }

    /// Submits the jobs of all schedules that are due, and returns when the next one will be. Several processes may do so at
    /// once: each occasion has one job. Occasions that passed while nobody looked count as one.
    ///
    /// # Errors
    /// The store's; what was begun is gone on with by the next one to look. What is wrong with a schedule is noted in it.
    pub async fn fire_due(&self) -> Result<Option<Timestamp>, Error> {
        let due = self.shared.store.due().await?;
        for record in &due.schedules {
            match &record.last {
                Some(Occasion { at, outcome: Outcome::Begun }) => self.fire(record, *at).await?,
                _ => self.take(record).await?,
            }
        }
        if due.schedules.is_empty() {
            return Ok(due.next_at);
        }
        Ok(self.shared.store.due().await?.next_at)
    }

    /// Takes the occasion a schedule is at, unless somebody else does, and submits its job.
    async fn take(&self, record: &ScheduleRecord) -> Result<(), Error> {
        let (store, at) = (&self.shared.store, record.next_at);
        let now = store.now().await?;
        let next = Cron::parse(&record.every, &record.timezone, now)
            .and_then(|cron| cron.after(now.max(at)).ok_or_else(|| Error::invalid("the pattern never fits again")));
        let next = match next {
            Ok(next) => next,
            Err(error) => {
                let failed = Outcome::Failed { reason: chain(&error) };
                store.take(record.id, at, now.after(UNREADABLE), failed).await?;
                return Ok(());
            }
        };
        if let (false, Some(open)) = (record.overlap, self.open_job(record.last_job).await?) {
            store.take(record.id, at, next, Outcome::Skipped { open }).await?;
        } else if store.take(record.id, at, next, Outcome::Begun).await? {
            self.fire(record, at).await?;
        }
        Ok(())
    }

    async fn open_job(&self, job: Option<JobId>) -> Result<Option<JobId>, Error> {
        let Some(job) = job else { return Ok(None) };
        match self.shared.store.job(job).await {
            Ok(record) => Ok(Some(job).filter(|_| !record.status.is_terminal())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Submits the job of an occasion that is begun, and records what became of it.
    async fn fire(&self, record: &ScheduleRecord, at: Timestamp) -> Result<(), Error> {
        let mut request = JobRequest::of_saved(&record.request, None).owner(&record.owner).idempotency_key(format!(
            "schedule {} {}",
            record.id,
            at.as_micros()
        ));
        request.label.get_or_insert_with(|| record.name.clone());
        let outcome = match self.submit(request).await {
            Ok(job) => Outcome::Submitted { job: job.id },
            // Another version of the program has submitted it, and resolved it otherwise.
            Err(SubmitError::Store(error)) if error.kind() == ErrorKind::Conflict => {
                Outcome::Failed { reason: chain(&error) }
            }
            Err(SubmitError::Store(error)) => return Err(error),
            Err(error) => Outcome::Failed { reason: chain(&error) },
        };
        if let Outcome::Failed { reason } = &outcome {
            tracing::warn!(schedule = %record.name, occasion = %at, reason, "a recurring job could not be submitted");
        }
        self.shared.store.settle_occasion(record.id, at, outcome).await.map(drop)
    }

    /// Looks for what is due until it is dropped.
    pub(crate) async fn keep_time(self) {
        loop {
            let pause = match self.fire_due().await {
                Ok(next) => self.until(next).await,
                Err(error) => {
                    tracing::warn!(error = %chain(&error), "cannot look for recurring jobs; trying again");
                    LOOK
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn until(&self, next: Option<Timestamp>) -> Duration {
        let (Some(next), Ok(now)) = (next, self.shared.store.now().await) else { return LOOK };
        next.since(now).clamp(Duration::from_millis(10), LOOK)
    }
}
