//! The rounds of an item: who began each, with which settings, and which files came of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use pipeline_core::executor::Decision;
use pipeline_core::id::{Digest, ItemId};
use pipeline_core::model::Artifact;
use pipeline_core::storage::{ItemRecord, ResultRecord, ReviewQuery, ReviewRecord};
use pipeline_engine::Engine;

use crate::output::{Failure, Output, Table, bytes, timestamp};

/// How many reviews are asked for at once.
const PAGE: u32 = 200;

/// The rounds of an item and of the one it came out of.
pub(super) struct Rounds {
    /// What was decided about the item, oldest first.
    pub(super) reviews: Vec<ReviewRecord>,
    /// The revision of the settings of each round that a retry began.
    revisions: BTreeMap<(ItemId, u32), u32>,
    /// The hashes of the settings, by revision.
    settings: BTreeMap<u32, Digest>,
}

/// A file that a stage made.
pub(super) struct Made<'a> {
    result: &'a ResultRecord,
    name: &'a str,
    file: &'a Artifact,
    revision: u32,
    settings: Option<Digest>,
}

impl Rounds {
    pub(super) async fn load(engine: &Engine, item: &ItemRecord) -> Result<Self, Failure> {
        let reviews = reviews(engine, item.id).await?;
        let mut all = reviews.clone();
        if let Some(parent) = item.parent {
            all.extend(self::reviews(engine, parent).await?);
        }
        let mut revisions = BTreeMap::new();
        for review in &all {
            if let Decision::Retry(retry) = &review.decision {
                revisions.insert((review.item, review.round), retry.revision);
            }
        }
        let mut settings = BTreeMap::new();
        for number in revisions.values().copied().chain([0]) {
            if let std::collections::btree_map::Entry::Vacant(place) = settings.entry(number) {
                place.insert(engine.store().revision(item.job, number).await?.plan.hash);
            }
        }
        Ok(Self { reviews, revisions, settings })
    }

    /// Returns the revision of a round: an approval goes on with the settings of the round before.
    fn revision(&self, item: ItemId, round: u32) -> u32 {
        let before = self.revisions.range((item, 0)..=(item, round));
        before.last().map_or(0, |(_, revision)| *revision)
    }

    /// Returns every file that stages made of the item, oldest first.
    pub(super) fn files<'a>(&'a self, history: &'a [ResultRecord]) -> impl Iterator<Item = Made<'a>> {
        history.iter().flat_map(move |result| {
            let revision = self.revision(result.item, result.round);
            let settings = self.settings.get(&revision).copied();
            result.files.iter().map(move |(name, file)| Made { result, name, file, revision, settings })
        })
    }

    /// Prints what there is to say when the item has had more than its first round.
    pub(super) fn print(&self, history: &[ResultRecord], output: &mut Output<'_>) -> Result<(), Failure> {
        if self.reviews.is_empty() {
            return Ok(());
        }
        let mut table = Table::new(&["decided", "round", "what", "by", "reason"]);
        for review in &self.reviews {
            table.cells([
                timestamp(review.at),
                review.round.to_string(),
                what(&review.decision),
                review.by.actor.clone(),
                review.by.reason.clone().unwrap_or_else(|| "-".to_owned()),
            ]);
        }
        output.text("\n")?;
        output.table(&table)?;
        let mut table = Table::new(&["round", "stage", "file", "settings"]);
        for made in self.files(history) {
            let settings: String = made.settings.map(Digest::to_hex).unwrap_or_default().chars().take(12).collect();
            table.cells([
                made.result.round.to_string(),
                made.result.stage.to_string(),
                format!("{}: {}, {}, {}", made.name, made.file.media_type, bytes(made.file.size), made.file.digest),
                if made.revision == 0 {
                    format!("{settings}…, of the submit")
                } else {
                    format!("{settings}…, revision {}", made.revision)
                },
            ]);
        }
        output.text("\n")?;
        output.table(&table)
    }
}

impl Made<'_> {
    /// Returns what machines get of it.
    pub(super) fn value(&self) -> Value {
        json!({
            "round": self.result.round,
            "stage": self.result.stage,
            "name": self.name,
            "file": self.file,
            "revision": self.revision,
            "settings_hash": self.settings,
        })
    }
}

async fn reviews(engine: &Engine, item: ItemId) -> Result<Vec<ReviewRecord>, Failure> {
    let mut found: Vec<ReviewRecord> = Vec::new();
    loop {
        let skip = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let query = ReviewQuery { item: Some(item), skip, limit: PAGE, ..ReviewQuery::default() };
        let page = engine.store().reviews(query).await?;
        if page.is_empty() {
            return Ok(found);
        }
        found.extend(page);
    }
}

fn what(decision: &Decision) -> String {
    match decision {
        Decision::Retry(_) => "retry",
        Decision::Approve => "approve",
        Decision::Discard => "discard",
    }
    .to_owned()
}
