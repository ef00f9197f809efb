//! Broken reviews.

use async_trait::async_trait;
use pipeline_core::ErrorKind;
use pipeline_core::error::Result;
use pipeline_core::storage::{
    ItemStore as _, JobStore as _, ReviewDesk, ReviewQuery, ReviewRecord, Reviewer, Ruling, RulingReply,
};

use super::store::{Breach, Broken};

#[async_trait]
impl ReviewDesk for Broken {
    async fn rule(&self, by: Reviewer, mut rulings: Vec<Ruling>) -> Result<Vec<RulingReply>> {
        for ruling in &mut rulings {
            let marks = ruling.machine == ruling.expected;
            match self.breach {
                Some(Breach::StaleRuled) if !marks => {
                    if let Ok(item) = self.store.item(ruling.item).await {
                        ruling.expected = item.machine;
                    }
                }
                Some(Breach::ReviewsUntold) => ruling.events.clear(),
                Some(Breach::EndedStaysEnded | Breach::MarkOpens) => {
                    let job = self.store.job(ruling.job).await?;
                    if job.ended_at.is_some() && marks == self.is(Breach::MarkOpens) {
                        self.notes().ends.insert(ruling.job, job.ended_at);
                    }
                }
                _ => {}
            }
        }
        let count = rulings.len();
        match self.store.rule(by, rulings).await {
            Err(error) if self.is(Breach::MissingRuled) && error.kind() == ErrorKind::NotFound => {
                Ok(vec![RulingReply::Changed; count])
            }
            answer => answer,
        }
    }

    async fn reviews(&self, mut query: ReviewQuery) -> Result<Vec<ReviewRecord>> {
        match self.breach {
            Some(Breach::ReviewsSkipNothing) => query.skip = 0,
            Some(Breach::ReviewsOfAllJobs) => query.job = None,
            _ => {}
        }
        let mut reviews = self.store.reviews(query).await?;
        match self.breach {
            Some(Breach::ReviewsBackwards) => reviews.reverse(),
            Some(Breach::ReasonsLost) => reviews.iter_mut().for_each(|review| review.by.reason = None),
            _ => {}
        }
        Ok(reviews)
    }
}
