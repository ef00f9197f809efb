//! Removes artifacts that no record names.

use std::collections::HashMap;
use std::time::Duration;

use serde::Serialize;

use pipeline_core::id::Digest;
use pipeline_core::storage::{Holder, Mention, RENEWED_AFTER, StoredArtifact};
use pipeline_core::time::Timestamp;
use pipeline_core::{Error, Result};

use super::{PAGE, Upkeep};

/// The shortest grace while sessions are open: what is put again may count as [`RENEWED_AFTER`] older than it is, and a
/// stage takes its time to record what it has put.
pub const LEAST_GRACE: Duration = RENEWED_AFTER.saturating_mul(2);

/// So many candidates are remembered before the records are asked for them.
const BATCH: usize = 200_000;

/// What to remove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GcOptions {
    /// What was put within this time stays: its record may be on its way.
    pub grace: Duration,
    /// Only says what would be removed.
    pub dry_run: bool,
}

impl Default for GcOptions {
    fn default() -> Self {
        Self { grace: Duration::from_hours(24), dry_run: false }
    }
}

/// What was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct GcReport {
    /// Artifacts that were there.
    pub artifacts: u64,
    /// Those within the grace, which nobody was asked about.
    pub young: u64,
    /// Those removed; in a dry run, those that would be.
    pub removed: u64,
    /// Σ size of them.
    pub bytes: u64,
}

impl Upkeep {
    /// Removes every artifact that was put before the grace and that no job, item, result or call names. `each` hears of
    /// those removed, in a dry run of those that would be. Workers may be at work.
    ///
    /// # Errors
    /// `Conflict` when the grace is shorter than [`LEAST_GRACE`] and sessions are open; the stores'.
    pub async fn gc(&self, options: GcOptions, mut each: impl FnMut(&StoredArtifact)) -> Result<GcReport> {
        let now = self.clock.now();
        let age = i64::try_from(options.grace.as_micros()).unwrap_or(i64::MAX);
        let before = Timestamp::from_micros(now.as_micros().saturating_sub(age));
        self.check_grace(options.grace).await?;
        let mut report = GcReport::default();
        let mut candidates: HashMap<Digest, StoredArtifact> = HashMap::new();
        for first in 0..=u8::MAX {
            for listed in self.artifacts.list(first).await? {
                report.artifacts += 1;
                if listed.put_at < before {
                    candidates.insert(listed.digest, listed);
                } else {
                    report.young += 1;
                }
            }
            if candidates.len() >= BATCH || first == u8::MAX {
                self.spare_named(&mut candidates).await?;
                self.check_grace(options.grace).await?;
                let mut orphans: Vec<StoredArtifact> = candidates.drain().map(|(_, orphan)| orphan).collect();
                orphans.sort_unstable_by_key(|orphan| orphan.digest);
                for orphan in orphans {
                    // Whoever has put it again since it was listed is about to name it.
                    if options.dry_run || self.artifacts.remove(orphan.digest, before).await? {
                        report.removed += 1;
                        report.bytes += orphan.size;
                        each(&orphan);
                    }
                }
            }
        }
        Ok(report)
    }

    /// Takes out of the candidates what a record names.
    async fn spare_named(&self, candidates: &mut HashMap<Digest, StoredArtifact>) -> Result<()> {
        if candidates.is_empty() {
            return Ok(());
        }
        for holder in Holder::ALL {
            let mut after = None;
            loop {
                let page = self.store.mentions(holder, after, PAGE).await?;
                let Some(last) = page.last() else { break };
                after = Some(last.id);
                for digest in page.iter().flat_map(Mention::digests) {
                    candidates.remove(&digest);
                }
            }
        }
        Ok(())
    }

    async fn check_grace(&self, grace: Duration) -> Result<()> {
        if grace >= LEAST_GRACE {
            return Ok(());
        }
        let Some(session) = self.store.sessions(None).await?.into_iter().next() else { return Ok(()) };
        Err(Error::conflict("a grace this short could take files from a worker that is about to record them")
            .with("grace", format!("{} s", grace.as_secs()))
            .with("pid", session.pid)
            .with("host", session.host)
            .with("accepted", format!("{} s or more, or any once every worker has stopped", LEAST_GRACE.as_secs())))
    }
}
