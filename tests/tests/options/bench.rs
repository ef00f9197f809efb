//! Runs jobs of small pipelines in memory and shows what they made.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex};

use pipeline::engine::{Engine, EngineBuilder, JobRequest, SubmitError};
use pipeline::providers::local::image::Picture;
use pipeline::store::{Artifacts, MemoryStore};
use pipeline_core::model::{Artifact, ItemStatus, Verdict};
use pipeline_core::pipeline::{Plan, PlanWarning};
use pipeline_core::settings::{Layer, Origin};
use pipeline_core::storage::{ItemQuery, ItemRecord, JobRecord, ResultRecord};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{fakes, pictures};

/// What the fake providers have seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// How many calls run now, and how many ran at most at the same time.
    pub(crate) running: Arc<AtomicUsize>,
    pub(crate) most: Arc<AtomicUsize>,
    /// Keywords in the order their calls were made.
    pub(crate) calls: Arc<Mutex<Vec<String>>>,
}

/// The local providers under their names, and the fake ones as `fake` and `broken`.
pub(crate) fn builder(seen: &Seen) -> EngineBuilder {
    let builder = pipeline::local_engine().store(MemoryStore::new()).artifacts(Artifacts::memory()).concurrency(8);
    fakes::bind(builder, seen)
}

/// An engine for looking at.
pub(crate) fn engine() -> Engine {
    builder(&Seen::default()).build().unwrap()
}

/// An engine with a folder of its own.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) engine: Engine,
    pub(crate) seen: Seen,
    home: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let seen = Seen::default();
        Self { engine: builder(&seen).build().unwrap(), seen, home: tempfile::tempdir().unwrap() }
    }

    /// A path in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Writes a picture into its folder.
    pub(crate) fn picture(&self, name: &str, picture: &Picture) -> PathBuf {
        pictures::save(self.home.path(), name, picture)
    }

    /// Writes a text into its folder.
    pub(crate) fn text(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// Runs a pipeline of these kinds, one after the other, over files; settings are by the last word of the kind.
    pub(crate) fn over<'a>(
        &'a self,
        kinds: &[&str],
        inputs: &[&Path],
        settings: Value,
    ) -> impl Future<Output = Run<'a>> + use<'a> {
        let request = request(kinds, inputs, settings);
        async move { self.submit(request).await.unwrap() }
    }

    /// Runs a pipeline of these kinds, one after the other, over keywords.
    pub(crate) fn words<'a>(
        &'a self,
        kinds: &[&str],
        keywords: &[&str],
        settings: Value,
    ) -> impl Future<Output = Run<'a>> + use<'a> {
        let kinds: Vec<&str> = ["source.keywords"].iter().chain(kinds).copied().collect();
        let request = request(&kinds, &[], settings).keywords(keywords.iter().copied());
        async move { self.submit(request).await.unwrap() }
    }

    /// Wants a request over keywords refused at submit, and returns why.
    pub(crate) async fn refused(&self, kinds: &[&str], keywords: &[&str], settings: Value) -> String {
        let kinds: Vec<&str> = ["source.keywords"].iter().chain(kinds).copied().collect();
        let request = request(&kinds, &[], settings).keywords(keywords.iter().copied());
        self.submit(request).await.unwrap_err().to_string()
    }

    /// Runs any request.
    pub(crate) async fn submit(&self, request: JobRequest) -> Result<Run<'_>, SubmitError> {
        let id = self.engine.submit(request).await?.id;
        self.engine.run_until_idle().await.unwrap();
        let job = self.engine.job(id).await.unwrap();
        let items = self.engine.items(ItemQuery::of(id)).await.unwrap();
        let mut histories = Vec::new();
        for item in &items {
            histories.push(self.engine.item(item.id).await.unwrap().1);
        }
        let stored = self.engine.store().plan(id).await.unwrap();
        Ok(Run { bench: self, job, plan: stored.plan, settings: stored.settings, items, histories })
    }
}

/// A request for a pipeline of these kinds, one after the other; a stage's name is the last word of its kind.
pub(crate) fn request(kinds: &[&str], inputs: &[&Path], settings: Value) -> JobRequest {
    let name = |kind: &str| kind.rsplit('.').next().unwrap().to_owned();
    let stage = |(index, kind): (usize, &&str)| {
        let needs = index.checked_sub(1).map(|before| name(kinds[before]));
        format!("[stages.{}]\nkind = \"{kind}\"\nneeds = {:?}\n", name(kind), Vec::from_iter(needs))
    };
    let stages: Vec<String> = kinds.iter().enumerate().map(stage).collect();
    let text = format!("name = \"test\"\n{}", stages.concat());
    // Chance is the same in every job unless a test is about chance.
    let same = Layer::new(Origin::Pipeline, json!({"job": {"seed": 7}}));
    let request = JobRequest::toml("test.toml", &text).layer(same).layer(Layer::new(Origin::Program, settings));
    inputs.iter().fold(request, |request, path| request.input(path.to_string_lossy()))
}

/// A job that has ended.
#[derive(Debug)]
pub(crate) struct Run<'a> {
    bench: &'a Bench,
    pub(crate) job: JobRecord,
    pub(crate) plan: Plan,
    pub(crate) settings: Value,
    pub(crate) items: Vec<ItemRecord>,
    pub(crate) histories: Vec<Vec<ResultRecord>>,
}

impl Run<'_> {
    /// The last result a stage recorded for an item.
    pub(crate) fn result(&self, item: usize, stage: &str) -> &ResultRecord {
        let found = self.histories[item].iter().rev().find(|result| result.stage.as_str() == stage);
        found.unwrap_or_else(|| panic!("item {item} has no result of `{stage}`: {:?}", self.items[item].machine.stages))
    }

    /// Whether a stage recorded anything for an item.
    pub(crate) fn has(&self, item: usize, stage: &str) -> bool {
        self.histories[item].iter().any(|result| result.stage.as_str() == stage)
    }

    /// One output field.
    pub(crate) fn field(&self, item: usize, stage: &str, key: &str) -> Value {
        self.result(item, stage).fields.get(key).cloned().unwrap_or_default()
    }

    /// One output field of every item.
    pub(crate) fn fields(&self, stage: &str, key: &str) -> Vec<String> {
        let texts = (0..self.items.len()).map(|item| self.field(item, stage, key));
        texts.map(|value| value.as_str().unwrap_or_default().to_owned()).collect()
    }

    /// The output picture's file.
    pub(crate) fn file(&self, item: usize, stage: &str) -> Artifact {
        self.result(item, stage).files["image"].clone()
    }

    /// The bytes of the output picture.
    pub(crate) async fn bytes(&self, item: usize, stage: &str) -> Vec<u8> {
        let digest = self.file(item, stage).digest;
        self.bench.engine.artifacts().get(digest).await.unwrap().to_vec()
    }

    /// The output picture.
    pub(crate) async fn picture(&self, item: usize, stage: &str) -> Picture {
        pictures::open(&self.bytes(item, stage).await)
    }

    /// What every item came to.
    pub(crate) fn statuses(&self) -> Vec<ItemStatus> {
        self.items.iter().map(|item| item.status).collect()
    }

    /// Why an item was refused, by code; nothing when it was not.
    pub(crate) fn reasons(&self, item: usize, stage: &str) -> Vec<String> {
        match &self.result(item, stage).verdict {
            Some(Verdict::Fail { reasons }) => reasons.iter().map(|reason| reason.code.clone()).collect(),
            _ => Vec::new(),
        }
    }

    /// The settings the plan says are not applied.
    pub(crate) fn warnings(&self) -> &[PlanWarning] {
        &self.plan.warnings
    }
}
