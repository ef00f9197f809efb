//! A broken steward.

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::id::JobId;
use pipeline_core::storage::{
    Audit, Breach as Found, CallLedger as _, CallQuery, Census, Holder, JobQuery, JobRecord, JobStore as _, Mention,
    Steward, WorkQueue as _,
};
use serde_json::Value;
use uuid::Uuid;

use super::store::{Breach, Broken};

#[async_trait]
impl Steward for Broken {
    async fn census(&self) -> Result<Census> {
        let mut census = self.store.census().await?;
        match self.breach {
            Some(Breach::ReplacedNotCounted) => census.items -= self.notes().replaced.len() as u64,
            Some(Breach::NamesNotCounted) => census.names = 0,
            _ => {}
        }
        Ok(census)
    }

    async fn mentions(&self, holder: Holder, after: Option<Uuid>, limit: u32) -> Result<Vec<Mention>> {
        let limit = if self.is(Breach::MentionLimitIgnored) { u32::MAX } else { limit };
        let mut found = self.store.mentions(holder, after, limit).await?;
        match self.breach {
            Some(Breach::FieldsNotMentioned) if holder == Holder::Results => {
                for mention in &mut found {
                    let all: Vec<Value> = serde_json::from_str(&mention.text).unwrap_or_default();
                    mention.text = all.first().map(Value::to_string).unwrap_or_default();
                }
            }
            Some(Breach::InputsNotMentioned) if holder == Holder::Items => {
                for mention in &mut found {
                    "null".clone_into(&mut mention.text);
                }
            }
            Some(Breach::LastMentionLost) => found.truncate(found.len().max(2) - 1),
            _ => {}
        }
        Ok(found)
    }

    async fn audit(&self, job: JobId) -> Result<Audit> {
        let mut audit = match self.store.audit(job).await {
            Err(_) if self.is(Breach::MissingJobSound) => return Ok(Audit::default()),
            audit => audit?,
        };
        let held = self.store.sessions(Some(job)).await?.iter().any(|session| session.claims > 0);
        if self.is(Breach::HeldIsWrong) && held {
            audit.note(Found::new(format!("job {job}"), "what is held is not pending"));
        }
        if !self.is(Breach::DamageNotFound) {
            self.notes().spoiled.iter().for_each(|place| audit.note(Found::new(place.clone(), "spoiled")));
        }
        Ok(audit)
    }

    async fn strays(&self) -> Result<Vec<Found>> {
        let mut strays = self.store.strays().await?;
        let notes = self.notes();
        let lost = notes.spoiled.iter().filter(|place| place.starts_with("DELETE FROM items"));
        if !self.is(Breach::StraysNotFound) {
            strays.extend(lost.map(|place| Found::new(place.clone(), "its job is gone")));
        }
        Ok(strays)
    }

    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord> {
        match self.breach {
            Some(Breach::RenameLost) => Ok(JobRecord { label: label.to_owned(), ..self.store.job(job).await? }),
            Some(Breach::RenameOfAll) => {
                for other in self.store.jobs(JobQuery::default()).await? {
                    self.store.rename(other.id, label).await?;
                }
                self.store.rename(job, label).await
            }
            _ => self.store.rename(job, label).await,
        }
    }

    async fn delete(&self, job: JobId) -> Result<()> {
        match self.breach {
            Some(Breach::RunningDeleted) if self.store.job(job).await?.ended_at.is_none() => {
                self.store.abandon(job).await?;
            }
            Some(Breach::DeletedIsThere) => {
                let record = self.store.job(job).await?;
                return if record.ended_at.is_some() { Ok(()) } else { Err(Error::conflict("it has not ended")) };
            }
            _ => {}
        }
        let calls = self.store.calls(CallQuery { job: Some(job), ..CallQuery::default() }).await?;
        self.store.delete(job).await?;
        self.notes().deleted.extend(calls.into_iter().map(|call| call.id));
        Ok(())
    }

    async fn sweep(&self, limit: u32) -> Result<u64> {
        match self.breach {
            Some(Breach::NothingSwept) => Ok(0),
            Some(Breach::SweptAtOnce) => self.store.sweep(u32::MAX).await,
            _ => self.store.sweep(limit).await,
        }
    }
}
