//! Broken jobs.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::{Digest, JobId};
use pipeline_core::model::{Control, Counts, JobStatus};
use pipeline_core::storage::{JobOrder, JobPlan, JobQuery, JobRecord, JobStore, NewItem, NewJob};
use serde_json::Value;

use super::store::{Breach, Broken};

#[async_trait]
impl JobStore for Broken {
    async fn submit(&self, mut job: NewJob, mut items: Vec<NewItem>) -> Result<JobRecord> {
        let (id, label) = (job.id, job.label.clone());
        {
            let mut notes = self.notes();
            notes.roots.insert(id, items.len() as u64);
            notes.units.extend(items.iter().filter_map(|item| Some((item.id, item.unit?))));
        }
        match self.breach {
            Some(Breach::PartOfASubmitKept) => {
                let (mut seen, all) = (BTreeSet::new(), items.len());
                items.retain(|item| seen.insert(item.id));
                let kept = items.len();
                let record = self.store.submit(job, items).await?;
                return if kept == all { Ok(record) } else { Err(Error::conflict("an item is there twice")) };
            }
            Some(Breach::KeyOfAllOwners) => "everyone".clone_into(&mut job.owner),
            Some(Breach::BodyNotCompared) => {
                job.idempotency.iter_mut().for_each(|wanted| wanted.body = Digest::of(b"any"));
            }
            Some(Breach::KeyLookedUpBefore) => return self.submit_after_a_look(job, items).await,
            Some(Breach::PriorityIgnored) => job.priority = 0,
            Some(Breach::StartIgnored) => job.start_at = None,
            Some(Breach::TurnsIgnored) => job.key = None,
            Some(Breach::OneTurnAKey) => job.key.iter_mut().for_each(|key| key.limit = 1),
            Some(Breach::JobConcurrencyIgnored) => job.plan.plan.concurrency = None,
            _ => {}
        }
        let answer = self.store.submit(job, items).await;
        match (self.breach, &answer, self.job(id).await) {
            (Some(Breach::SecondSubmitAccepted), Err(_), Ok(record)) => Ok(record),
            (Some(Breach::SecondSubmitRenames), Err(_), Ok(_)) => {
                self.notes().labels.insert(id, label);
                answer
            }
            _ => answer,
        }
    }

    async fn job(&self, id: JobId) -> Result<JobRecord> {
        if self.is_lost(Breach::SubmitLost) {
            return Err(Error::not_found("there is no such job"));
        }
        self.store.job(id).await.map(|record| self.shown(record))
    }

    async fn jobs(&self, mut query: JobQuery) -> Result<Vec<JobRecord>> {
        let prefix = query.id_prefix.clone().unwrap_or_default();
        let cursor = query.after.clone();
        match self.breach {
            Some(Breach::CursorIncluded) => query.after = None,
            Some(Breach::CursorOfAnyOrder) => query.order = cursor.as_ref().map_or(query.order, |after| after.order),
            Some(Breach::OrderIgnored) => query.order = JobOrder::default(),
            Some(Breach::TurnedRoundUnheard) => query.order.descending = true,
            Some(Breach::OwnersMixed) => query.owner = None,
            Some(Breach::LabelPrefixWithoutCase) => {
                if let Some(prefix) = query.label_prefix.take() {
                    let mut records = self.store.jobs(query).await?;
                    let begins = |label: &str| label.to_lowercase().starts_with(&prefix.to_lowercase());
                    records.retain(|record| begins(&record.label));
                    return Ok(records);
                }
            }
            Some(Breach::UntilIncluded) => {
                query.until = query.until.map(|until| until.after(std::time::Duration::from_micros(1)));
            }
            Some(Breach::ParentIgnored) => query.parent = None,
            Some(Breach::FirstJobStateOnly) => query.statuses.truncate(1),
            Some(Breach::RetriesOverlooked) => query.retried = query.retried.map(|_| false),
            Some(Breach::PrefixIsAPattern) if prefix.contains('%') => query.id_prefix = None,
            Some(Breach::PrefixWithCase) if prefix.contains(char::is_uppercase) => return Ok(Vec::new()),
            _ => {}
        }
        let mut records: Vec<JobRecord> =
            self.store.jobs(query).await?.into_iter().map(|record| self.shown(record)).collect();
        match self.breach {
            Some(Breach::JobsOldestFirst) => records.reverse(),
            Some(Breach::CursorIncluded) => {
                if let Some(cursor) = cursor {
                    let begin = records.iter().position(|record| record.id == cursor.id).unwrap_or(0);
                    records.drain(..begin);
                }
            }
            Some(Breach::ListedCountsLate) => {
                for record in &mut records {
                    let planned = record.counts.planned;
                    record.counts = Counts { planned, pending: planned, ..Counts::default() };
                }
            }
            _ => {}
        }
        Ok(records)
    }

    async fn plan(&self, id: JobId) -> Result<JobPlan> {
        let mut plan = match self.store.plan(id).await {
            Err(_) if self.is(Breach::MissingPlanCorrupt) => return Err(Error::corrupt("the plan cannot be read")),
            answer => answer?,
        };
        match self.breach {
            Some(Breach::SettingsSorted) => {
                if let Value::Object(settings) = plan.settings {
                    plan.settings = settings.into_iter().collect::<BTreeMap<_, _>>().into_iter().collect();
                }
            }
            Some(Breach::SeedRounded) => plan.plan.seed = plan.plan.seed as f64 as u64,
            _ => {}
        }
        Ok(plan)
    }

    async fn revise(&self, id: JobId, mut plan: JobPlan) -> Result<u32> {
        if self.is(Breach::SameRevisedAgain) {
            let next = self.notes().revised.get(&id).map_or(1, |number| number + 1);
            plan.plan.hash = Digest::of(&next.to_be_bytes());
        }
        let number = self.store.revise(id, plan).await?;
        self.notes().revised.insert(id, number);
        Ok(number)
    }

    async fn revision(&self, id: JobId, number: u32) -> Result<JobPlan> {
        let last = self.notes().revised.get(&id).copied().unwrap_or(0);
        match self.store.revision(id, number).await {
            Ok(_) if self.is(Breach::RevisionReplacesPlan) && number == 0 => self.store.revision(id, last).await,
            Err(_) if self.is(Breach::UnknownRevisionIsThePlan) => self.plan(id).await,
            answer => answer,
        }
    }

    async fn control(&self, id: JobId, control: Control) -> Result<JobRecord> {
        let before = self.store.job(id).await.ok();
        match (self.breach, before) {
            (Some(Breach::MissingJobConflicts), None) => return Err(Error::conflict("the job cannot be controlled")),
            (Some(Breach::CancelTakenBack), Some(job)) if job.status == JobStatus::Cancelling => {
                return Ok(JobRecord { control, ..job });
            }
            (Some(Breach::EndedJobControlled), Some(job)) if job.ended_at.is_some() => return Ok(job),
            (Some(Breach::SameControlTold), Some(job)) if job.control == control && control != Control::Cancel => {
                let other = if control == Control::Run { Control::Pause } else { Control::Run };
                self.store.control(id, other).await?;
            }
            _ => {}
        }
        self.store.control(id, control).await.map(|record| self.shown(record))
    }

    async fn abandon(&self, id: JobId) -> Result<JobRecord> {
        let record = if self.is(Breach::AbandonWaits) {
            self.store.control(id, Control::Cancel).await?
        } else {
            self.store.abandon(id).await?
        };
        self.notes().abandoned.insert(id);
        Ok(self.shown(record))
    }
}

impl Broken {
    fn shown(&self, mut record: JobRecord) -> JobRecord {
        match self.breach {
            Some(Breach::EmptyJobLeftOpen) if record.status == JobStatus::Empty => {
                (record.status, record.ended_at) = (JobStatus::Queued, None);
            }
            Some(Breach::SecondSubmitRenames) => {
                record.label = self.notes().labels.get(&record.id).cloned().unwrap_or(record.label);
            }
            Some(Breach::HeldCountedTwice) => record.counts.pending += record.counts.running,
            Some(Breach::StartedAtEachClaim) => {
                record.started_at = self.notes().served.get(&record.id).map(|(at, _)| *at);
            }
            Some(Breach::ClaimTold) if record.started_at.is_some() => record.last_event.0 += 1,
            Some(Breach::EndedWhenSubmitted) => record.ended_at = record.ended_at.map(|_| record.created_at),
            Some(Breach::EndedStaysEnded) => {
                record.ended_at = self.notes().ends.get(&record.id).copied().unwrap_or(record.ended_at);
            }
            Some(Breach::MarkOpens) if self.notes().ends.contains_key(&record.id) => record.ended_at = None,
            Some(Breach::FailuresOverlooked) if record.status == JobStatus::CompletedWithFailures => {
                record.status = JobStatus::Completed;
            }
            _ => {}
        }
        record
    }

    /// Looks for the key in one transaction, and stores the job in another.
    async fn submit_after_a_look(&self, mut job: NewJob, items: Vec<NewItem>) -> Result<JobRecord> {
        let Some(wanted) = job.idempotency.take() else { return self.store.submit(job, items).await };
        let key = (job.owner.clone(), wanted.key);
        let known = self.notes().keys.get(&key).copied();
        tokio::task::yield_now().await;
        match known {
            Some((first, body)) if body == wanted.body => self.store.job(first).await,
            Some(_) => Err(Error::conflict("this idempotency key was used for another request")),
            None => {
                self.notes().keys.insert(key, (job.id, wanted.body));
                self.store.submit(job, items).await
            }
        }
    }
}
