//! Recurring jobs: each occasion has one job, whatever ends or races meanwhile.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use pipeline::engine::{Engine, JobRequest, Recurrence, SubmitError};
use pipeline_core::id::ScheduleId;
use pipeline_core::model::Control;
use pipeline_core::settings::Origin;
use pipeline_core::storage::{JobQuery, JobRecord, NewSchedule, Outcome, SavedLayer, ScheduleRecord, Store};
use pipeline_core::{Error, ErrorKind};
use pipeline_store::{Artifacts, MemoryStore, SqliteOptions, SqliteStore};
use pipeline_testkit::conformance::fixture::{SteppedClock, uuid};
use pipeline_testkit::tap::{Tap, Tapped};

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A store on a stepped clock, and engines on it.
struct Place {
    store: Arc<dyn Store>,
    clock: Arc<SteppedClock>,
    folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let clock = SteppedClock::new();
        Self { store: Arc::new(MemoryStore::with_clock(clock.clone())), clock, folder: tempfile::tempdir().unwrap() }
    }

    fn engine(&self) -> Engine {
        self.engine_on(Arc::clone(&self.store))
    }

    fn engine_on(&self, store: Arc<dyn Store>) -> Engine {
        let artifacts = Artifacts::directory(self.folder.path().join("artifacts")).unwrap();
        pipeline::local_engine().shared_store(store).artifacts(artifacts).clock(self.clock.clone()).build().unwrap()
    }

    async fn daily(&self, overlap: bool) -> ScheduleRecord {
        self.engine().schedule(&request(), daily("nightly", overlap)).await.unwrap()
    }

    async fn jobs(&self) -> Vec<JobRecord> {
        self.store.jobs(JobQuery::default()).await.unwrap()
    }

    async fn stands(&self) -> ScheduleRecord {
        self.store.schedules(None).await.unwrap().pop().unwrap()
    }
}

fn request() -> JobRequest {
    JobRequest::preset("factory").keywords(["cat", "dog"]).set("generate.variations", 2).unwrap().priority(3)
}

fn daily(name: &str, overlap: bool) -> Recurrence {
    Recurrence { name: name.to_owned(), every: "0 6 * * *".to_owned(), timezone: "UTC".to_owned(), overlap }
}

#[tokio::test]
async fn an_occasion_makes_the_job_that_was_asked_for_and_the_next_waits_for_its_time() {
    let place = Place::new();
    let record = place.daily(false).await;
    assert!(place.jobs().await.is_empty(), "nothing is due yet");
    assert_eq!(place.engine().fire_due().await.unwrap(), Some(record.next_at));
    place.clock.advance(DAY);
    let next = place.engine().fire_due().await.unwrap().unwrap();
    assert_eq!(next, record.next_at.after(DAY));
    let jobs = place.jobs().await;
    assert_eq!((jobs.len(), jobs[0].label.as_str(), jobs[0].priority), (1, "nightly", 3));
    assert_eq!(jobs[0].counts.planned, 4);
    let stands = place.stands().await;
    assert_eq!(stands.last_job, Some(jobs[0].id));
    assert_eq!(
        stands.last.map(|last| (last.at, last.outcome)),
        Some((record.next_at, Outcome::Submitted { job: jobs[0].id }))
    );
    assert_eq!(place.engine().fire_due().await.unwrap(), Some(next));
    assert_eq!(place.jobs().await.len(), 1);
}

#[tokio::test]
async fn what_nobody_looked_for_counts_as_one() {
    let place = Place::new();
    let record = place.daily(true).await;
    place.clock.advance(DAY * 5);
    let next = place.engine().fire_due().await.unwrap().unwrap();
    assert_eq!(next, record.next_at.after(DAY * 5));
    assert_eq!(place.jobs().await.len(), 1);
}

#[tokio::test]
async fn an_occasion_is_left_out_while_the_last_job_is_open_unless_asked_for() {
    let place = Place::new();
    place.daily(false).await;
    place.clock.advance(DAY);
    place.engine().fire_due().await.unwrap();
    let first = place.jobs().await[0].id;
    place.clock.advance(DAY);
    place.engine().fire_due().await.unwrap();
    let stands = place.stands().await;
    assert_eq!(stands.last.map(|last| last.outcome), Some(Outcome::Skipped { open: first }));
    assert_eq!((place.jobs().await.len(), stands.last_job), (1, Some(first)));
    place.store.control(first, Control::Cancel).await.unwrap();
    place.clock.advance(DAY);
    place.engine().fire_due().await.unwrap();
    assert_eq!(place.jobs().await.len(), 2);

    let place = Place::new();
    place.daily(true).await;
    for _ in 0..2 {
        place.clock.advance(DAY);
        place.engine().fire_due().await.unwrap();
    }
    assert_eq!(place.jobs().await.len(), 2);
}

/// Ends the process, so to speak, when an operation is about to begin or has just succeeded.
#[derive(Debug)]
struct Killed {
    at: &'static str,
    done: bool,
    kind: ErrorKind,
    armed: AtomicBool,
}

impl Killed {
    fn new(at: &'static str, done: bool, kind: ErrorKind) -> Arc<Self> {
        Arc::new(Self { at, done, kind, armed: AtomicBool::new(true) })
    }

    fn strike(&self, operation: &str, done: bool) -> pipeline_core::Result<()> {
        if operation == self.at && done == self.done && self.armed.swap(false, Ordering::SeqCst) {
            return Err(Error::new(self.kind, "the process ends here"));
        }
        Ok(())
    }
}

#[async_trait]
impl Tap for Killed {
    async fn before(&self, operation: &'static str) -> pipeline_core::Result<()> {
        self.strike(operation, false)
    }

    async fn after(&self, operation: &'static str) -> pipeline_core::Result<()> {
        self.strike(operation, true)
    }
}

#[tokio::test]
async fn a_process_that_ends_at_any_step_loses_no_occasion_and_doubles_none() {
    for (at, done) in [
        ("take", false),
        ("take", true),
        ("submit", false),
        ("submit", true),
        ("settle_occasion", false),
        ("settle_occasion", true),
    ] {
        let place = Place::new();
        place.daily(false).await;
        place.clock.advance(DAY);
        let killed = Killed::new(at, done, ErrorKind::Unavailable);
        let tapped = Tapped::new(Arc::clone(&place.store), killed);
        place.engine_on(Arc::new(tapped)).fire_due().await.unwrap_err();
        place.engine().fire_due().await.unwrap();
        place.engine().fire_due().await.unwrap();
        let jobs = place.jobs().await;
        assert_eq!(jobs.len(), 1, "{at} {done}");
        assert_eq!(place.stands().await.last.map(|last| last.outcome), Some(Outcome::Submitted { job: jobs[0].id }));
    }
}

#[tokio::test]
async fn a_process_without_the_providers_leaves_an_occasion_to_another_one() {
    let place = Place::new();
    let record = place.daily(true).await;
    let artifacts = Artifacts::directory(place.folder.path().join("artifacts")).unwrap();
    let bare = Engine::builder().shared_store(Arc::clone(&place.store)).artifacts(artifacts).clock(place.clock.clone());
    let bare = bare.build().unwrap();
    place.clock.advance(DAY);
    bare.fire_due().await.unwrap();
    assert_eq!(place.stands().await, record, "it is as it was");
    // Also one that somebody has begun.
    let killed = Killed::new("take", true, ErrorKind::Unavailable);
    let tapped = Tapped::new(Arc::clone(&place.store), killed);
    place.engine_on(Arc::new(tapped)).fire_due().await.unwrap_err();
    bare.fire_due().await.unwrap();
    assert_eq!(place.stands().await.last.map(|last| last.outcome), Some(Outcome::Begun));
    place.engine().fire_due().await.unwrap();
    assert_eq!(place.jobs().await.len(), 1);
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_here_is_left_alone_and_keeps_no_other_waiting() {
    let place = Place::new();
    let record = place.daily(false).await;
    let odd = NewSchedule {
        id: ScheduleId::from_uuid(uuid()),
        owner: record.owner.clone(),
        name: "martian".to_owned(),
        every: record.every.clone(),
        timezone: "Mars/Olympus".to_owned(),
        overlap: false,
        request: record.request.clone(),
        next_at: record.next_at,
    };
    let odd = place.store.schedule(odd).await.unwrap();
    place.clock.advance(DAY);
    place.engine().fire_due().await.unwrap();
    assert_eq!(place.store.schedules(None).await.unwrap()[0], odd, "it is as it was");
    assert_eq!(place.jobs().await.len(), 1);
}

#[tokio::test]
async fn what_the_store_refuses_of_one_schedule_keeps_no_other_waiting() {
    let place = Place::new();
    for name in ["first", "second"] {
        place.engine().schedule(&request(), daily(name, true)).await.unwrap();
    }
    place.clock.advance(DAY);
    let killed = Killed::new("submit", false, ErrorKind::Corrupt);
    let tapped = Tapped::new(Arc::clone(&place.store), killed);
    place.engine_on(Arc::new(tapped)).fire_due().await.unwrap();
    let jobs = place.jobs().await;
    assert_eq!(jobs.iter().map(|job| job.label.as_str()).collect::<Vec<_>>(), ["second"]);
    place.engine().fire_due().await.unwrap();
    assert_eq!(place.jobs().await.len(), 2, "what was begun is gone on with");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_processes_that_look_at_once_make_one_job() {
    let (clock, folder) = (SteppedClock::new(), tempfile::tempdir().unwrap());
    let path = folder.path().join("jobs.db");
    let mut engines = Vec::new();
    for _ in 0..4 {
        let options = SqliteOptions { clock: clock.clone(), ..SqliteOptions::default() };
        let store = Arc::new(SqliteStore::open_with(&path, options).await.unwrap());
        let artifacts = Artifacts::directory(folder.path().join("artifacts")).unwrap();
        engines.push(pipeline::local_engine().shared_store(store).artifacts(artifacts).build().unwrap());
    }
    engines[0].schedule(&request(), daily("nightly", true)).await.unwrap();
    for days in 1..=3 {
        clock.advance(DAY);
        let looking: Vec<_> = engines
            .iter()
            .map(|engine| {
                let engine = engine.clone();
                tokio::spawn(async move { engine.fire_due().await.unwrap() })
            })
            .collect();
        for looked in looking {
            looked.await.unwrap();
        }
        // What another one has begun may be settled after it was seen.
        engines[0].fire_due().await.unwrap();
        assert_eq!(engines[0].jobs(JobQuery::default()).await.unwrap().len(), days);
    }
}

#[tokio::test]
async fn a_running_engine_looks_by_itself_and_one_that_shall_not_does_not() {
    let place = Place::new();
    place.daily(false).await;
    place.clock.advance(DAY);
    let artifacts = Artifacts::directory(place.folder.path().join("artifacts")).unwrap();
    let idle = pipeline::local_engine().shared_store(Arc::clone(&place.store)).artifacts(artifacts).keeps_time(false);
    idle.build().unwrap().run_until_idle().await.unwrap();
    assert!(place.jobs().await.is_empty());
    place.engine().run_until_idle().await.unwrap();
    let jobs = place.jobs().await;
    assert!(jobs.len() == 1 && jobs[0].status.is_terminal(), "{jobs:?}");
}

#[tokio::test]
async fn what_cannot_be_submitted_says_why_and_is_tried_at_the_next_occasion() {
    let place = Place::new();
    let list = place.folder.path().join("keywords.txt");
    std::fs::write(&list, "cat\n").unwrap();
    let request = JobRequest::preset("factory").input(list.to_string_lossy());
    place.engine().schedule(&request, daily("nightly", true)).await.unwrap();
    std::fs::rename(&list, place.folder.path().join("away")).unwrap();
    place.clock.advance(DAY);
    place.engine().fire_due().await.unwrap();
    let Some(Outcome::Failed { reason }) = place.stands().await.last.map(|last| last.outcome) else {
        unreachable!("it was submitted")
    };
    assert!(reason.contains("keywords.txt"), "{reason}");
    std::fs::rename(place.folder.path().join("away"), &list).unwrap();
    place.clock.advance(DAY);
    place.engine().fire_due().await.unwrap();
    assert_eq!(place.jobs().await.len(), 1);
}

#[tokio::test]
async fn a_wrong_pattern_zone_name_or_request_stores_nothing() {
    let place = Place::new();
    let engine = place.engine();
    let refused = async |request: JobRequest, when: Recurrence| {
        let error = engine.schedule(&request, when).await.unwrap_err();
        assert!(matches!(error, SubmitError::Input(_) | SubmitError::Definition(_)), "{error:?}");
        assert!(place.store.schedules(None).await.unwrap().is_empty());
        error.to_string()
    };
    let every = Recurrence { every: "61 * * * *".to_owned(), ..daily("a", false) };
    let said = refused(request(), every).await;
    assert!(["every", "61 * * * *", "five fields"].iter().all(|word| said.contains(word)), "{said}");
    let said = refused(request(), Recurrence { timezone: "Mars".to_owned(), ..daily("a", false) }).await;
    assert!(said.contains("timezone") && said.contains("Mars"), "{said}");
    let said = refused(request(), daily("a/b", false)).await;
    assert!(said.contains("a/b") && said.contains("accepted"), "{said}");
    refused(request().set("generate.nothing", 1).unwrap(), daily("a", false)).await;
    place.daily(false).await;
    let twice = engine.schedule(&request(), daily("nightly", false)).await.unwrap_err();
    assert!(matches!(&twice, SubmitError::Input(error) if error.kind() == ErrorKind::Conflict), "{twice:?}");
}

#[tokio::test]
async fn a_resumed_schedule_goes_on_with_the_first_occasion_from_now_on() {
    let place = Place::new();
    let record = place.daily(false).await;
    place.store.pause_schedule("system", "nightly").await.unwrap();
    place.clock.advance(DAY * 2);
    assert_eq!(place.engine().fire_due().await.unwrap(), None);
    let resumed = place.engine().resume_schedule("system", "nightly").await.unwrap();
    assert_eq!(resumed.next_at, record.next_at.after(DAY * 2));
    place.engine().fire_due().await.unwrap();
    assert!(place.jobs().await.is_empty());
    let error = place.engine().resume_schedule("system", "weekly").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn a_template_keeps_what_was_asked_for_and_not_what_came_of_it() {
    let place = Place::new();
    let engine = place.engine();
    let job = engine.submit(request().label("spring")).await.unwrap();
    let saved = engine.request_of_job(job.id).await.unwrap();
    let origins: Vec<&Origin> = saved.layers.iter().map(|layer| &layer.origin).collect();
    assert!(!origins.is_empty() && origins.iter().all(|origin| **origin == Origin::Program), "{origins:?}");
    engine.save_template("system", "cats", saved, false).await.unwrap();
    let again = engine.template("system", "cats").await.unwrap();
    let made = engine.submit(again.set("generate.variations", 3).unwrap()).await.unwrap();
    assert_eq!((made.counts.planned, made.priority, made.parent), (6, 3, None));
    assert_ne!(made.label, "spring");
    let settings = engine.store().plan(made.id).await.unwrap().settings.to_string();
    assert!(settings.contains("cats"), "the origin of what the template says is told: {settings}");
    for (name, kind) in [("factory", ErrorKind::Invalid), ("a b", ErrorKind::Invalid), ("cats", ErrorKind::Conflict)] {
        let saved = engine.request_of_job(job.id).await.unwrap();
        assert_eq!(engine.save_template("system", name, saved, false).await.unwrap_err().kind(), kind, "{name}");
    }
    assert_eq!(engine.template("system", "dogs").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(engine.template("ann", "cats").await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn saved_settings_are_a_layer_with_their_own_origin() {
    let place = Place::new();
    let engine = place.engine();
    let layers = vec![SavedLayer {
        origin: Origin::Argument,
        values: serde_json::json!({"generate": {"variations": "3"}}),
        text: true,
    }];
    engine.save_settings("system", "many", layers, false).await.unwrap();
    let mut request = JobRequest::preset("factory").keywords(["cat"]);
    for layer in engine.saved_settings("system", "many").await.unwrap() {
        request = request.layer(layer);
    }
    let compiled = engine.compile(&request).unwrap();
    let setting = compiled.resolved.get("generate", "variations").unwrap();
    assert_eq!((setting.value.as_u64(), &setting.origin), (Some(3), &Origin::Saved("many".to_owned())));
    assert_eq!(setting.origin.to_string(), "settings many");
    assert_eq!(engine.save_settings("system", "none", Vec::new(), false).await.unwrap_err().kind(), ErrorKind::Invalid);
}
