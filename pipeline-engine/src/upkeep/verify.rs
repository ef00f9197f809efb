//! Proves that a store keeps what its records say.

use std::collections::HashMap;

use futures::StreamExt as _;
use serde::Serialize;

use pipeline_core::id::Digest;
use pipeline_core::storage::{Audit, Breach, Holder, JobCursor, JobOrder, JobQuery};
use pipeline_core::{ErrorKind, Result};

use super::{PAGE, Upkeep};

/// So many artifacts are remembered before they are looked at.
const BATCH: usize = 20_000;

/// So many artifacts are looked at at once.
const AT_ONCE: usize = 8;

/// What to prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VerifyOptions {
    /// Whether the content of artifacts is read and hashed; otherwise only whether they are there.
    pub content: bool,
}

impl Default for VerifyOptions {
    fn default() -> Self {
        Self { content: true }
    }
}

/// What was read, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct VerifyReport {
    /// Jobs read.
    pub jobs: u64,
    /// Artifacts looked at. One that is named far apart is looked at again.
    pub artifacts: u64,
    /// Σ size of them.
    pub bytes: u64,
    /// What was read of the records, and every breach.
    #[serde(flatten)]
    pub audit: Audit,
}

impl VerifyReport {
    /// Tells whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.audit.is_clean()
    }
}

/// An artifact that was named, and where.
#[derive(Clone, Debug)]
struct Named {
    size: u64,
    place: String,
}

impl Upkeep {
    /// Proves that counters and sums are those of the records, that events have no gaps, that what records refer to is
    /// there, and that every artifact named by a result or a response is there and has its digest. Workers may be at work.
    ///
    /// # Errors
    /// The stores', where something could not be read at all. What is wrong is in the report.
    pub async fn verify(&self, options: VerifyOptions) -> Result<VerifyReport> {
        let mut report = VerifyReport::default();
        let mut after = None;
        loop {
            let jobs = self.store.jobs(JobQuery { after, limit: PAGE, ..JobQuery::default() }).await?;
            let Some(last) = jobs.last() else { break };
            after = Some(JobCursor::of(last, JobOrder::default()));
            for job in &jobs {
                match self.store.audit(job.id).await {
                    Ok(audit) => report.audit.add(audit),
                    // Deleted meanwhile.
                    Err(error) if error.kind() == ErrorKind::NotFound => continue,
                    Err(error) if error.kind() == ErrorKind::Corrupt => {
                        report.audit.note(Breach::new(format!("job {}", job.id), pipeline_core::error::chain(&error)));
                    }
                    Err(error) => return Err(error),
                }
                report.jobs += 1;
            }
        }
        self.store.strays().await?.into_iter().for_each(|stray| report.audit.note(stray));
        for holder in [Holder::Results, Holder::Calls] {
            self.verify_artifacts(holder, options, &mut report).await?;
        }
        Ok(report)
    }

    async fn verify_artifacts(&self, holder: Holder, options: VerifyOptions, report: &mut VerifyReport) -> Result<()> {
        let kind = if holder == Holder::Calls { "call" } else { "result" };
        let mut named: HashMap<Digest, Named> = HashMap::new();
        let mut after = None;
        loop {
            let page = self.store.mentions(holder, after, PAGE).await?;
            after = page.last().map(|last| last.id);
            for mention in &page {
                for artifact in mention.artifacts() {
                    let place = || format!("{kind} {}", mention.id);
                    let known =
                        named.entry(artifact.digest).or_insert_with(|| Named { size: artifact.size, place: place() });
                    if known.size != artifact.size {
                        let (size, digest) = (artifact.size, artifact.digest);
                        let message = format!("its artifact {digest} is of {size} bytes, elsewhere of {}", known.size);
                        report.audit.note(Breach::new(place(), message));
                    }
                }
            }
            if named.len() >= BATCH || page.is_empty() {
                self.look_at(std::mem::take(&mut named), options, report).await?;
            }
            if page.is_empty() {
                return Ok(());
            }
        }
    }

    async fn look_at(
        &self,
        named: HashMap<Digest, Named>,
        options: VerifyOptions,
        report: &mut VerifyReport,
    ) -> Result<()> {
        let looks = named.into_iter().map(|(digest, named)| async move {
            let wrong = self.look(digest, &named, options).await?;
            Ok::<_, pipeline_core::Error>((named, wrong.map(|wrong| format!("its artifact {digest} {wrong}"))))
        });
        let mut looks = futures::stream::iter(looks).buffer_unordered(AT_ONCE);
        while let Some(looked) = looks.next().await {
            let (named, wrong) = looked?;
            report.artifacts += 1;
            report.bytes += named.size;
            if let Some(wrong) = wrong {
                report.audit.note(Breach::new(named.place, wrong));
            }
        }
        Ok(())
    }

    /// Says what is wrong with an artifact.
    async fn look(&self, digest: Digest, named: &Named, options: VerifyOptions) -> Result<Option<String>> {
        if !options.content {
            let there = self.artifacts.contains(digest).await?;
            return Ok((!there).then(|| "is missing".to_owned()));
        }
        match self.artifacts.get(digest).await {
            Ok(content) if content.len() as u64 == named.size => Ok(None),
            Ok(content) => Ok(Some(format!("has {} bytes, and should have {}", content.len(), named.size))),
            Err(error) => match error.kind() {
                ErrorKind::NotFound => Ok(Some("is missing".to_owned())),
                ErrorKind::Corrupt => Ok(Some("is damaged: its content does not have its digest".to_owned())),
                _ => Err(error),
            },
        }
    }
}
