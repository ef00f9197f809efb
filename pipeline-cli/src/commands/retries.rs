//! `jobs retries`: the items that people sent into another round.

use serde_json::json;

use pipeline_core::executor::Decision;
use pipeline_core::model::ItemStatus;
use pipeline_core::pipeline::{Plan, StageIndex};
use pipeline_core::storage::{RetryQuery, RetryRecord};
use pipeline_engine::Engine;

use crate::args::{RetriesArgs, RetryWord};
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, Row, Table, ago, notice, short};

/// Lists them, the newest decision first.
pub(crate) async fn list(engine: &Engine, args: &RetriesArgs, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let job = match &args.job {
        Some(text) => Some(lookup::job(engine, text).await?.id),
        None => None,
    };
    let wanted = args.state.iter().flat_map(|word| statuses(*word)).copied().collect();
    let before = args.before.and_then(|before| u64::try_from(before).ok());
    let found = engine.store().retries(RetryQuery { job, statuses: wanted, before, limit: args.limit }).await?;
    let now = engine.store().now().await?;
    let header = ["number", "item", "name", "job", "round", "from", "state", "outcome", "by", "reason", "asked"];
    let mut table = Table::new(&header).empty("nobody has sent an item into another round");
    let mut plans: Vec<(pipeline_core::id::JobId, Plan)> = Vec::new();
    for record in &found.records {
        let job = record.review.job;
        if !plans.iter().any(|(known, _)| *known == job) {
            plans.push((job, engine.store().plan(job).await?.plan));
        }
        let plan = plans.iter().find(|(known, _)| *known == job).map(|(_, plan)| plan);
        let from = plan.map(|plan| from(plan, record)).unwrap_or_default();
        let (word, by) = (word(record.status), &record.review.by);
        let outcome = if record.status.is_terminal() { record.status.as_str() } else { "-" };
        let cells = [
            record.number.to_string(),
            record.review.item.to_string(),
            short(&record.name, 32),
            short_id(job),
            record.review.round.to_string(),
            from.clone(),
            word.to_owned(),
            outcome.to_owned(),
            by.actor.clone(),
            by.reason.as_deref().map_or_else(|| "-".to_owned(), |reason| short(reason, 40)),
            ago(record.review.at, now),
        ];
        let value = json!({
            "number": record.number, "item": record.review.item, "name": record.name, "job": job,
            "round": record.review.round, "decision": record.review.decision, "from": from, "state": word,
            "status": record.status, "by": by.actor, "reason": by.reason, "at": record.review.at.to_string(),
        });
        table.push(Row::new(cells, value));
    }
    output.rows(&table)?;
    let sums = WORDS.iter().filter_map(|one| {
        let of = |status: &ItemStatus| found.counts.get(status).copied().unwrap_or_default();
        let sum: u64 = statuses(*one).iter().map(of).sum();
        (sum > 0).then(|| format!("{sum} {}", name(*one)))
    });
    let sums: Vec<String> = sums.collect();
    if !sums.is_empty() {
        notice(&format!("in later rounds: {}", sums.join(", ")));
    }
    if let Some(last) = found.records.last().filter(|_| found.records.len() >= args.limit as usize) {
        notice(&format!("there may be more: --before {} shows them", last.number));
    }
    Ok(Exit::Good)
}

const WORDS: [RetryWord; 5] =
    [RetryWord::Pending, RetryWord::Running, RetryWord::Done, RetryWord::Failed, RetryWord::Cancelled];

/// Says where the round began.
fn from(plan: &Plan, record: &RetryRecord) -> String {
    let name = |index: &StageIndex| plan.stage(*index).map(|stage| stage.name.to_string());
    match &record.review.decision {
        Decision::Approve => "after the check".to_owned(),
        Decision::Discard => String::new(),
        Decision::Retry(retry) if !retry.only.is_empty() => {
            format!("only {}", retry.only.iter().filter_map(name).collect::<Vec<_>>().join(", "))
        }
        Decision::Retry(retry) => {
            let from = retry.from.or(plan.retry_from).as_ref().and_then(name);
            from.unwrap_or_else(|| "where it ended".to_owned())
        }
    }
}

const fn statuses(word: RetryWord) -> &'static [ItemStatus] {
    match word {
        RetryWord::Pending => &[ItemStatus::Pending, ItemStatus::Waiting],
        RetryWord::Running => &[ItemStatus::Running],
        RetryWord::Done => &[ItemStatus::Succeeded, ItemStatus::Filtered],
        RetryWord::Failed => &[ItemStatus::Rejected, ItemStatus::Undecided, ItemStatus::Failed],
        RetryWord::Cancelled => &[ItemStatus::Cancelled],
    }
}

const fn name(word: RetryWord) -> &'static str {
    match word {
        RetryWord::Pending => "pending",
        RetryWord::Running => "running",
        RetryWord::Done => "done",
        RetryWord::Failed => "failed",
        RetryWord::Cancelled => "cancelled",
    }
}

fn word(status: ItemStatus) -> &'static str {
    WORDS.iter().find(|word| statuses(**word).contains(&status)).map_or("pending", |word| name(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_of_an_item_has_one_word_in_the_queue_of_retries() {
        for status in ItemStatus::ALL {
            assert_eq!(WORDS.iter().filter(|word| statuses(**word).contains(status)).count(), 1, "{status}");
        }
    }
}
