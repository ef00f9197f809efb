//! The port of those who look after a store: counting, proving and reading what it keeps.

use async_trait::async_trait;
use serde::{Deserialize as _, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;
use crate::id::{Digest, JobId};
use crate::model::Artifact;

use super::audit::{Audit, Breach};
use super::job::JobRecord;

/// How much a store keeps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Census {
    /// Jobs.
    pub jobs: u64,
    /// Items, those replaced by children as well.
    pub items: u64,
    /// Results.
    pub results: u64,
    /// Calls in the ledger.
    pub calls: u64,
    /// Events.
    pub events: u64,
    /// Names of published files.
    pub names: u64,
    /// Fingerprints of pictures.
    pub fingerprints: u64,
    /// What all of it takes, in bytes, as far as the store can tell.
    pub bytes: Option<u64>,
}

/// The kinds of records that may name an artifact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Jobs: their plans and settings.
    Jobs,
    /// Items: what the source planned for them, and their states.
    Items,
    /// Results: their files, fields and verdicts.
    Results,
    /// Calls: their responses.
    Calls,
}

impl Holder {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Jobs, Self::Items, Self::Results, Self::Calls];
}

/// What a record says that may name artifacts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// The id of the record.
    pub id: Uuid,
    /// All of it as one JSON text.
    pub text: String,
}

/// The length of a digest as text.
const DIGITS: usize = 64;

impl Mention {
    /// Finds whatever may be a digest, in whichever form it stands there: nothing that the record names is overlooked.
    pub fn digests(&self) -> impl Iterator<Item = Digest> + '_ {
        let words = self.text.split(|c: char| !c.is_ascii_hexdigit());
        words.filter(|word| word.len() == DIGITS).filter_map(|word| word.parse().ok())
    }

    /// Finds the artifacts: objects with the fields of one, at any depth.
    pub fn artifacts(&self) -> Vec<Artifact> {
        let mut found = Vec::new();
        // Most records name none, and need not be read for that.
        if self.digests().next().is_some() {
            collect(&serde_json::from_str(&self.text).unwrap_or_default(), &mut found);
        }
        found
    }
}

fn collect(value: &Value, found: &mut Vec<Artifact>) {
    match value {
        Value::Object(fields) => {
            if fields.contains_key("digest")
                && let Ok(artifact) = Artifact::deserialize(value)
            {
                found.push(artifact);
            }
            fields.values().for_each(|value| collect(value, found));
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Looks after a store.
///
/// # Contract
/// 1. *Counted.* `census` counts every record once.
/// 2. *Mentioned.* `mentions` returns every record of a kind with an id greater than `after`, by id, at most `limit`;
///    each with everything it keeps that may name an artifact.
/// 3. *Sound.* `audit` and `strays` find nothing in what was only written through the ports, at any moment: each sees the
///    store as it is at one moment. `audit` of no job is `NotFound`.
/// 4. *Found.* `audit` finds a counter, a sum, a sequence or a reference of the job that the records contradict, and says
///    where; `strays` finds what belongs to nothing.
/// 5. *Renamed.* `rename` gives a job another label, durable when it returns; of no job it is `NotFound`.
/// 6. *Deleted.* Once `delete` returns, durable, no method finds or lists the job, and its idempotency key is free. Of a job
///    that has not ended it is a `Conflict`, of no job `NotFound`, and changes nothing.
/// 7. *Swept.* Each `sweep` removes at most `limit` items, events and calls of deleted jobs with what hangs on them, and
///    tells how many records it removed; once that is 0, nothing else of them is left. Other jobs are not touched.
/// 8. *Money stays.* `calls` lists every call of a deleted job that has cost something, or of which that is not known, with
///    all but its items, its prompt and its response.
#[async_trait]
pub trait Steward {
    /// Counts what is kept.
    async fn census(&self) -> Result<Census>;

    /// Returns what records say that may name artifacts.
    async fn mentions(&self, holder: Holder, after: Option<Uuid>, limit: u32) -> Result<Vec<Mention>>;

    /// Proves the records of a job; see [`super::JobAuditor`].
    async fn audit(&self, job: JobId) -> Result<Audit>;

    /// Looks for records that belong to nothing, and proves what the store proves of itself.
    async fn strays(&self) -> Result<Vec<Breach>>;

    /// Gives a job another label.
    async fn rename(&self, job: JobId, label: &str) -> Result<JobRecord>;

    /// Hides a job that has ended, for good; [`Steward::sweep`] removes what it leaves.
    async fn delete(&self, job: JobId) -> Result<()>;

    /// Removes some of what deleted jobs have left, and returns how many records.
    async fn sweep(&self, limit: u32) -> Result<u64>;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mention(text: impl Into<String>) -> Mention {
        Mention { id: Uuid::nil(), text: text.into() }
    }

    #[test]
    fn a_digest_is_found_wherever_it_stands() {
        let digest = Digest::of(b"a");
        for text in
            [format!("{{\"a\":\"{digest}\"}}"), format!("see artifact:{digest}."), digest.to_hex().to_uppercase()]
        {
            assert_eq!(mention(&text).digests().collect::<Vec<_>>(), [digest], "{text}");
        }
        for text in [format!("{digest}0"), digest.to_hex()[1..].to_owned(), "no digest".to_owned()] {
            assert_eq!(mention(&text).digests().count(), 0, "{text}");
        }
    }

    #[test]
    fn an_artifact_is_found_at_any_depth() {
        let digest = Digest::of(b"a");
        let artifact = format!("{{\"digest\":\"{digest}\",\"media_type\":\"image/png\",\"size\":7}}");
        let text = format!("[{{\"images\":[{artifact},null]}},\"{digest}\",{{\"digest\":\"{digest}\"}}]");
        let found = mention(text).artifacts();
        assert_eq!(found.iter().map(|artifact| (artifact.digest, artifact.size)).collect::<Vec<_>>(), [(digest, 7)]);
    }
}
