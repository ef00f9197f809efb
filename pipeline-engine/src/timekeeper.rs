//! Recurring jobs: storing them, and submitting what is due.
//!
//! Every run of every process looks. An occasion is taken by compare-and-set, and its job is submitted under a key made of
//! schedule and occasion: whoever finds an occasion that was begun submits again, and finds the job when it is there.

use std::collections::BTreeSet;
use std::time::Duration;

use pipeline_core::error::{Error, ErrorKind, Retryability, chain};
use pipeline_core::id::{JobId, ScheduleId};
use pipeline_core::settings::Problem;
use pipeline_core::storage::{NewSchedule, Occasion, Outcome, ScheduleRecord, check_name};
use pipeline_core::time::Timestamp;

use crate::cron::Cron;
use crate::engine::Engine;
use crate::request::JobRequest;
use crate::submit::SubmitError;

/// How often a run looks for schedules that somebody else has made or let go on.
const LOOK: Duration = Duration::from_secs(5);

/// What a schedule whose pattern never fits again waits before it is looked at again.
const NEVER: Duration = Duration::from_secs(3_600);

/// How the problem of a definition begins that names a provider nobody has bound in this process.
const UNBOUND: &str = "no provider `";

/// The occasions this process leaves to others, and has said so.
type Left = BTreeSet<(ScheduleId, Timestamp)>;

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
    /// once: each occasion has one job. Occasions that passed while nobody looked count as one. A schedule whose time zone is
    /// not known here, or one of whose providers is not bound, is left to other processes, with a warning.
    ///
    /// # Errors
    /// Those of the store that may pass; what was begun is gone on with by the next one to look. What is wrong with a
    /// schedule is noted in it, and keeps none of the others waiting.
    pub async fn fire_due(&self) -> Result<Option<Timestamp>, Error> {
        self.look(&mut Left::new()).await
    }

    async fn look(&self, left: &mut Left) -> Result<Option<Timestamp>, Error> {
        let due = self.shared.store.due().await?;
        for record in &due.schedules {
            let done = match (self.unbound(record), &record.last) {
                (Some(why), _) => Ok(Some(why)),
                (None, Some(Occasion { at, outcome: Outcome::Begun })) => self.fire(record, *at).await.map(|()| None),
                (None, _) => self.take(record).await,
            };
            match done {
                Ok(None) => {}
                Ok(Some(why)) => {
                    // Said once an occasion, however often it is looked at.
                    if left.insert((record.id, record.next_at)) {
                        tracing::warn!(schedule = %record.name, %why, "a recurring job is left to other processes");
                    }
                }
                Err(error) if error.retryability() == Retryability::Transient => return Err(error),
                Err(error) => {
                    tracing::warn!(schedule = %record.name, error = %chain(&error), "a recurring job cannot be looked at");
                }
            }
        }
        if due.schedules.is_empty() {
            return Ok(due.next_at);
        }
        Ok(self.shared.store.due().await?.next_at)
    }

    /// Says which provider of the schedule's pipeline is bound elsewhere at best.
    fn unbound(&self, record: &ScheduleRecord) -> Option<String> {
        let problems = self.compile(&JobRequest::of_saved(&record.request, None)).err()?;
        let unbound = |problem: &&Problem| problem.message.starts_with(UNBOUND);
        problems.0.iter().find(unbound).map(ToString::to_string)
    }

    /// Takes the occasion a schedule is at, unless somebody else does, and submits its job; or says why it is left to others.
    async fn take(&self, record: &ScheduleRecord) -> Result<Option<String>, Error> {
        let (store, at) = (&self.shared.store, record.next_at);
        let now = store.now().await?;
        // It could be read where it was stored: here the time zones may be missing, or others.
        let cron = match Cron::parse(&record.every, &record.timezone, now) {
            Ok(cron) => cron,
            Err(error) => return Ok(Some(chain(&error))),
        };
        let Some(next) = cron.after(now.max(at)) else {
            let failed = Outcome::Failed { reason: "the pattern never fits again".to_owned() };
            store.take(record.id, at, now.after(NEVER), failed).await?;
            return Ok(None);
        };
        if let (false, Some(open)) = (record.overlap, self.open_job(record.last_job).await?) {
            store.take(record.id, at, next, Outcome::Skipped { open }).await?;
        } else if store.take(record.id, at, next, Outcome::Begun).await? {
            self.fire(record, at).await?;
        }
        Ok(None)
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
        let mut left = Left::new();
        loop {
            let pause = match self.look(&mut left).await {
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
