//! What is known of one item, as far as it has room below a small picture.

use pipeline_core::id::Digest;
use pipeline_core::model::ItemStatus;
use pipeline_core::pipeline::Plan;
use pipeline_core::storage::{ItemRecord, ResultRecord};
use serde_json::Value;

use crate::output::{clean, short};

/// How many measures a card has room for.
const SCORES: usize = 6;

/// One item.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Card {
    /// Where it stands in the job.
    pub(crate) place: String,
    /// Its name.
    pub(crate) name: String,
    /// Its state.
    pub(crate) status: ItemStatus,
    /// Why it is not good, or what it waits for; may be empty.
    pub(crate) why: String,
    /// The title that was written for it.
    pub(crate) title: String,
    /// What its checks measured, by name.
    pub(crate) scores: Vec<(String, f64)>,
    /// Its newest picture.
    pub(crate) picture: Option<Digest>,
}

impl Card {
    /// Makes the card of an item from the results its state refers to.
    pub(crate) fn of(plan: &Plan, item: &ItemRecord, results: &[&ResultRecord], why: &str) -> Self {
        let place = if plan.leaves_per_item() > 1 {
            format!("{}.{}", item.ordinal + 1, item.slot + 1)
        } else {
            (item.ordinal + 1).to_string()
        };
        let stage = |result: &ResultRecord| plan.stages.iter().position(|stage| stage.name == result.stage);
        let newest = results
            .iter()
            .filter_map(|result| Some(((result.round, stage(result)), result.files.get("image")?)))
            .filter(|(_, file)| file.media_type.is_image())
            .max_by_key(|(age, _)| *age);
        let checks = results.iter().filter(|result| result.verdict.is_some());
        let measures = checks.flat_map(|result| &result.fields);
        let scores = measures.filter_map(|(name, value)| Some((name.clone(), value.as_f64()?))).take(SCORES).collect();
        let mut titles = results.iter().filter_map(|result| result.fields.get("title").and_then(Value::as_str));
        Self {
            place,
            name: short(&clean(&item.name), 80),
            status: item.status,
            why: short(&clean(why), 300),
            title: short(&clean(titles.next_back().unwrap_or_default()), 200),
            scores,
            picture: newest.map(|(_, file)| file.digest),
        }
    }

    /// The measures in words.
    pub(crate) fn scores(&self) -> String {
        let shown = |(name, value): &(String, f64)| {
            let digits = if value.abs() >= 10.0 { 0 } else { 2 };
            format!("{name} {value:.digits$}")
        };
        self.scores.iter().map(shown).collect::<Vec<_>>().join(" · ")
    }
}
