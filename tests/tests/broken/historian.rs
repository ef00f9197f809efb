//! Broken histories.

use std::collections::BTreeMap;

use async_trait::async_trait;
use pipeline_core::error::Result;
use pipeline_core::executor::{Decision, ItemEvent, StageState};
use pipeline_core::id::{EventSeq, ItemId, JobId};
use pipeline_core::model::ItemStatus;
use pipeline_core::storage::{
    EventBody, EventLog as _, EventRecord, Historian, ItemQuery, ItemStore as _, JobProfile, Retries, RetryQuery,
    RetryRecord, ReviewDesk as _, ReviewQuery, stage_word,
};

use super::store::{Breach, Broken};

#[async_trait]
impl Historian for Broken {
    async fn profile(&self, job: JobId) -> Result<JobProfile> {
        let mut profile = match self.store.profile(job).await {
            Err(_) if self.is(Breach::MissingProfiled) => return Ok(JobProfile::default()),
            answer => answer?,
        };
        let items = self.store.items(ItemQuery { limit: 1000, ..ItemQuery::of(job) }).await?;
        match self.breach {
            Some(Breach::LeavesCountedAsItems) => {
                let mut states: BTreeMap<(usize, String), u64> = BTreeMap::new();
                for (index, state) in items.iter().flat_map(|item| item.machine.stages.iter().enumerate()) {
                    *states.entry((index, stage_word(state).to_owned())).or_default() += 1;
                }
                profile.states = states;
            }
            Some(Breach::ReplacedStagesCount) => {
                let replaced = self.notes().replaced.clone();
                for id in replaced {
                    let ready = stage_word(&StageState::Ready { attempt: 1 }).to_owned();
                    if self.store.item(id).await?.job == job {
                        *profile.states.entry((0, ready)).or_default() += 1;
                    }
                }
            }
            Some(Breach::MedianIsTheMean) => {
                for times in &mut profile.times {
                    let all = self.store.tallies(job).await?;
                    let tally = all.iter().find(|tally| tally.stage == times.stage);
                    times.median = tally.map_or(times.median, |tally| tally.total / tally.count as u32);
                }
            }
            Some(Breach::TimesOfFirstRound) => {
                for times in &mut profile.times {
                    let mut count = 0;
                    for item in &items {
                        let history = self.store.history(item.id).await?;
                        count += history.iter().filter(|one| one.stage == times.stage && one.round == 1).count();
                    }
                    times.count = count as u64;
                }
            }
            Some(Breach::RetriedNotCounted) => {
                let events = self.store.events(job, EventSeq::START, 1000).await?;
                for event in &events {
                    if let EventBody::Item { what: ItemEvent::StageRetrying { stage, failure, .. }, .. } = &event.body {
                        let mut counted = profile.failures.iter_mut();
                        if let Some(one) = counted.find(|one| one.stage == *stage && one.code == failure.code) {
                            one.count -= 1;
                        }
                    }
                }
            }
            Some(Breach::LastExample) => {
                if let (Some(first), Some(last)) = (profile.failures.first_mut(), items.last()) {
                    first.example = last.id;
                }
            }
            Some(Breach::DeletedDescends) => {
                profile.reruns.extend(self.notes().roots.keys().filter(|other| **other > job));
                profile.reruns.sort_unstable();
                profile.reruns.dedup();
            }
            _ => {}
        }
        Ok(profile)
    }

    async fn retries(&self, mut query: RetryQuery) -> Result<Retries> {
        if self.is(Breach::RetryCursorIgnored) {
            query.before = None;
        }
        let job = query.job;
        let mut found = self.store.retries(query).await?;
        if matches!(self.breach, Some(Breach::MarksListed | Breach::EarlierRoundsListed)) {
            let reviews = self.store.reviews(ReviewQuery { job, ..ReviewQuery::default() }).await?;
            for (place, review) in reviews.into_iter().enumerate() {
                let number = place as u64 + 1;
                let mark = review.decision == Decision::Discard;
                let listed = found.records.iter().any(|record| record.number == number);
                if listed || mark != self.is(Breach::MarksListed) {
                    continue;
                }
                found.records.push(RetryRecord { number, review, name: String::new(), status: ItemStatus::Pending });
            }
        }
        Ok(found)
    }

    async fn events_of(&self, item: ItemId) -> Result<Vec<EventRecord>> {
        let found = match self.store.events_of(item).await {
            Err(_) if self.is(Breach::MissingItemUntold) => return Ok(Vec::new()),
            answer => answer?,
        };
        if self.is(Breach::EventsOfAllItems) {
            return self.store.events(self.store.item(item).await?.job, EventSeq::START, 1000).await;
        }
        Ok(found)
    }
}
