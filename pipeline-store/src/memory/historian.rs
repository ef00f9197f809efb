//! How jobs and items came to be what they are.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use pipeline_core::error::{Error, Result};
use pipeline_core::executor::{Decision, ItemEvent, Stop};
use pipeline_core::id::{ItemId, JobId, StageName};
use pipeline_core::model::{Failure, FailureCode};
use pipeline_core::storage::{
    EventBody, EventRecord, Historian, JobProfile, Retries, RetryQuery, RetryRecord, StageFailures, StageTimes,
    stage_word,
};

use super::state::{Job, State};
use super::store::MemoryStore;

#[async_trait]
impl Historian for MemoryStore {
    async fn profile(&self, job: JobId) -> Result<JobProfile> {
        self.with(|state| {
            let found = state.job(job)?;
            let reruns = state.jobs.values().filter(|other| other.new.parent == Some(job));
            Ok(JobProfile {
                states: states(state, found),
                times: times(state, found),
                failures: failures(found),
                reruns: reruns.map(|other| other.new.id).collect(),
            })
        })
    }

    async fn retries(&self, query: RetryQuery) -> Result<Retries> {
        let limit = if query.limit == 0 { 100 } else { query.limit };
        self.with(|state| {
            let mut found = Retries::default();
            for (place, review) in state.reviews.iter().enumerate().rev() {
                let number = place as u64 + 1;
                let Some(item) = state.items.get(&review.item).filter(|item| state.jobs.contains_key(&item.record.job))
                else {
                    continue;
                };
                let began = review.decision != Decision::Discard && review.round == item.record.machine.round;
                if !began || query.job.is_some_and(|job| review.job != job) {
                    continue;
                }
                let status = item.status();
                *found.counts.entry(status).or_default() += 1;
                let wanted = query.statuses.is_empty() || query.statuses.contains(&status);
                let before = query.before.is_none_or(|before| number < before);
                if wanted && before && found.records.len() < limit as usize {
                    let name = item.record.name.clone();
                    found.records.push(RetryRecord { number, review: review.clone(), name, status });
                }
            }
            Ok(found)
        })
    }

    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>> {
        self.with(|state| {
            let missing = || Error::not_found("there is no such item").with("item", item);
            let job = state.items.get(&item).and_then(|found| state.jobs.get(&found.record.job)).ok_or_else(missing)?;
            let of = |event: &&EventRecord| matches!(&event.body, EventBody::Item { item: of, .. } if *of == item);
            Ok(job.events.iter().filter(of).cloned().collect())
        })
    }
}

fn states(state: &State, job: &Job) -> BTreeMap<(usize, String), u64> {
    let mut states = BTreeMap::new();
    for item in state.items_of(job).filter(|item| !item.is_replaced()) {
        for (index, stage) in item.record.machine.stages.iter().enumerate() {
            let leaves = u64::from(item.record.machine.leaves);
            *states.entry((index, stage_word(stage).to_owned())).or_default() += leaves;
        }
    }
    states
}

fn times(state: &State, job: &Job) -> Vec<StageTimes> {
    let mut took: BTreeMap<&StageName, Vec<Duration>> = BTreeMap::new();
    for result in state.items_of(job).flat_map(|item| &item.history).filter_map(|id| state.results.get(id)) {
        took.entry(&result.stage).or_default().push(result.ended_at.since(result.started_at));
    }
    let times = took.into_iter().map(|(stage, mut took)| {
        took.sort_unstable();
        let rank = |percent: usize| {
            took.get((took.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
        };
        let (median, p95, longest) = (rank(50), rank(95), rank(100));
        StageTimes { stage: stage.clone(), count: took.len() as u64, median, p95, longest }
    });
    times.collect()
}

fn failures(job: &Job) -> Vec<StageFailures> {
    let mut found: BTreeMap<(StageName, FailureCode), StageFailures> = BTreeMap::new();
    for event in &job.events {
        let EventBody::Item { item, what } = &event.body else { continue };
        if let Some((stage, failure)) = failure(what) {
            let new = || StageFailures { stage: stage.clone(), code: failure.code, count: 0, example: *item };
            found.entry((stage.clone(), failure.code)).or_insert_with(new).count += 1;
        }
    }
    let mut failures: Vec<StageFailures> = found.into_values().collect();
    // Codes in the order of their text, as in databases.
    let code = |code: FailureCode| serde_json::to_string(&code).unwrap_or_default();
    failures.sort_by_cached_key(|one| (Reverse(one.count), one.stage.clone(), code(one.code)));
    failures
}

fn failure(what: &ItemEvent) -> Option<(&StageName, &Failure)> {
    match what {
        ItemEvent::StageRetrying { stage, failure, .. }
        | ItemEvent::StageSkipped { stage, failure: Some(failure), .. }
        | ItemEvent::StageStopped {
            stage,
            stop: Stop::Failed { failure } | Stop::Undecided { failure: Some(failure) },
        } => Some((stage, failure)),
        _ => None,
    }
}
