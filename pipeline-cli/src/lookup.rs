//! What a person types to name a job or an item: an id, the beginning of one, or a label.

use uuid::Uuid;

use pipeline_core::ErrorKind;
use pipeline_core::id::{ItemId, JobId};
use pipeline_core::storage::{ItemQuery, JobCursor, JobOrder, JobQuery, JobRecord};
use pipeline_engine::Engine;

use crate::output::{Failure, clean};

/// A shorter beginning names too much.
const SHORTEST: usize = 4;
/// How many candidates an error lists.
const LISTED: u32 = 6;

/// Finds the job `text` names.
pub(crate) async fn job(engine: &Engine, text: &str) -> Result<JobRecord, Failure> {
    if let Ok(id) = Uuid::try_parse(text) {
        return match engine.job(JobId::from_uuid(id)).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(no_job(text)),
            found => Ok(found?),
        };
    }
    let labelled = JobQuery { label: Some(text.to_owned()), limit: LISTED, ..JobQuery::default() };
    let mut found = engine.jobs(labelled).await?;
    if found.is_empty() && could_begin_an_id(text) {
        long_enough(text)?;
        let begun = JobQuery { id_prefix: Some(text.to_lowercase()), limit: LISTED, ..JobQuery::default() };
        found = engine.jobs(begun).await?;
    }
    let names =
        found.iter().map(|job| format!("{} ({}, {})", job.id, clean(&job.label), job.status)).collect::<Vec<_>>();
    one(found, &names, "job", text)?.ok_or_else(|| no_job(text))
}

/// Finds the item `text` names, in whichever job it is.
pub(crate) async fn item(engine: &Engine, text: &str) -> Result<ItemId, Failure> {
    if let Ok(id) = Uuid::try_parse(text) {
        return Ok(ItemId::from_uuid(id));
    }
    if !could_begin_an_id(text) {
        return Err(no_item(text));
    }
    long_enough(text)?;
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let jobs = engine.jobs(JobQuery { after, limit: 100, ..JobQuery::default() }).await?;
        let Some(last) = jobs.last() else { break };
        after = Some(JobCursor::of(last, JobOrder::default()));
        for job in &jobs {
            let query = ItemQuery { id_prefix: Some(text.to_lowercase()), limit: LISTED, ..ItemQuery::of(job.id) };
            found.extend(engine.items(query).await?);
            if found.len() >= LISTED as usize {
                break;
            }
        }
    }
    let names =
        found.iter().map(|item| format!("{} ({}, {})", item.id, clean(&item.name), item.status)).collect::<Vec<_>>();
    one(found, &names, "item", text)?.map(|item| item.id).ok_or_else(|| no_item(text))
}

fn could_begin_an_id(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|character| character.is_ascii_hexdigit() || character == '-')
}

fn long_enough(text: &str) -> Result<(), Failure> {
    if text.len() >= SHORTEST {
        return Ok(());
    }
    Err(Failure::wrong(format!("`{text}` is too short to name one"))
        .hint(format!("give at least {SHORTEST} characters")))
}

fn one<T>(mut found: Vec<T>, names: &[String], what: &str, text: &str) -> Result<Option<T>, Failure> {
    if found.len() > 1 {
        let more = if found.len() >= LISTED as usize { " and maybe more" } else { "" };
        return Err(Failure::wrong(format!("`{text}` names more than one {what}"))
            .hint(format!("there is {}{more}", names.join(", "))));
    }
    Ok(found.pop())
}

fn no_job(text: &str) -> Failure {
    Failure::wrong(format!("there is no job `{text}`")).hint("`pipeline jobs list` shows every job")
}

/// The error for an item that is not there.
pub(crate) fn no_item(text: &str) -> Failure {
    Failure::wrong(format!("there is no item `{text}`")).hint("`pipeline items list JOB` shows the items of a job")
}

/// Shortens a job's id for people: its time, which tells jobs apart.
pub(crate) fn short_id(id: JobId) -> String {
    id.to_string().chars().take(13).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_candidates_are_listed() {
        let names = ["a1 (x)".to_owned(), "a2 (y)".to_owned()];
        let text = one(vec![1, 2], &names, "job", "a").unwrap_err().lines().join("\n");
        assert!(text.contains("more than one job") && text.contains("a1 (x), a2 (y)"), "{text}");
        assert_eq!(one(vec![7], &["a".to_owned()], "job", "a"), Ok(Some(7)));
        assert_eq!(one(Vec::<u8>::new(), &[], "job", "a"), Ok(None));
    }

    #[test]
    fn a_short_beginning_is_refused() {
        assert!(long_enough("0198").is_ok());
        assert!(long_enough("019").is_err());
        assert!(could_begin_an_id("0198-ab") && !could_begin_an_id("sunset"));
    }
}
