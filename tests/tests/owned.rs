//! One owner's data never appears in what is read or done for another, whatever is asked for.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::sync::Arc;
use std::time::Duration;

use pipeline::core::ErrorKind;
use pipeline::core::id::{CallId, Digest, EventSeq, HookId, ItemId, SessionId};
use pipeline::core::model::{Control, LogLevel, Money};
use pipeline::core::provider::HookTarget;
use pipeline::core::query::Query;
use pipeline::core::storage::{
    BudgetKey, CallQuery, ClaimRequest, Commit, DeliveryQuery, EventFilter, GateKey, Holder, HookJobs, HookPolicy,
    HookSpec, ItemQuery, JobQuery, LogQuery, NewCall, NewHook, NewSession, RetryQuery, ReviewQuery, Reviewer,
    SavedKind, SpendBy, SpendQuery, Store,
};
use pipeline::engine::{RetryRequest, SubmitError, Wish};
use pipeline::prelude::*;
use pipeline::store::MemoryLogs;
use pipeline_testkit::conformance::fixture::{new_call, releasing, stage, uuid};

/// An engine, and what one owner has in its store: a job with an item, a result, a call, a review, a hook and more.
struct Shop {
    engine: Engine,
    job: JobId,
    item: ItemId,
    call: CallId,
    request: Digest,
    hook: HookId,
    _folder: tempfile::TempDir,
}

async fn shop() -> Shop {
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(folder.path().join("jobs.db")).await.unwrap());
    let engine = pipeline::local_engine()
        .shared_store(Arc::clone(&store))
        .logs(MemoryLogs::new())
        .log_level(Some(LogLevel::Debug))
        .artifacts(Artifacts::memory())
        .build()
        .unwrap();
    let ann = engine.for_owner("ann");
    let request = || JobRequest::preset("factory").keywords(["heron"]).set("generate.sizes", ["128x128"]).unwrap();
    let job = ann.submit(request().budget(Money::from_micros(5_000_000))).await.unwrap();
    assert_eq!(job.owner, "ann");
    let session = SessionId::from_uuid(uuid());
    let lease = Duration::from_secs(60);
    let new = NewSession { id: session, host: "h".to_owned(), pid: 1, lease, focus: Some(job.id) };
    store.open_session(new).await.unwrap();
    let claims = store.claim(ClaimRequest { session, limit: 1, job: Some(job.id) }).await.unwrap();
    let claimed = &claims.units[0][0];
    // Of no stage of the pipeline: nobody waits for its answer.
    let call = NewCall { stage: stage("elsewhere"), ..new_call(job.id, &[claimed.item.id]) };
    let now = store.now().await.unwrap();
    let commit = Commit { calls: vec![call.clone()], ..releasing(claimed, Some(now)) };
    store.commit(session, vec![commit]).await.unwrap();
    store.close_session(session).await.unwrap();
    ann.run_job(job.id).await.unwrap();
    let items = ann.items(ItemQuery::of(job.id)).await.unwrap();
    let by = Reviewer { actor: "ann".to_owned(), reason: None };
    let wish = Wish::Retry(RetryRequest { from: Some("process".to_owned()), ..RetryRequest::default() });
    let reviewed = ann.review(job.id, &items, &wish, &by, false).await.unwrap();
    assert!(reviewed.iter().all(|one| one.outcome.is_ok()), "{reviewed:?}");
    ann.save_template("ann", "mine", request().saved(), false).await.unwrap();
    let hook =
        NewHook { id: HookId::from_uuid(uuid()), owner: "ann".to_owned(), name: "tell".to_owned(), spec: hook_spec() };
    let hook = ann.store().add_hook(hook).await.unwrap().id;
    store.set_budget(BudgetKey::Owner("ann".to_owned()), Some(Money::from_micros(9_000_000))).await.unwrap();
    Shop { engine, job: job.id, item: items[0].id, call: call.id, request: call.request, hook, _folder: folder }
}

fn hook_spec() -> HookSpec {
    HookSpec {
        target: HookTarget::Command { program: "true".to_owned(), args: Vec::new() },
        events: EventFilter::default(),
        jobs: HookJobs::default(),
        policy: HookPolicy::default(),
    }
}

#[tokio::test]
async fn what_is_read_for_one_owner_has_nothing_of_another() {
    let shop = shop().await;
    let Shop { engine, job, item, call, request, hook, .. } = &shop;
    // Whether each of these finds something.
    let found = async |store: &Arc<dyn Store>| -> Vec<(&'static str, bool)> {
        let (job, item, call, request) = (*job, *item, *call, *request);
        let results: Vec<_> = engine.store().history(item).await.unwrap().into_iter().map(|result| result.id).collect();
        assert!(!results.is_empty());
        vec![
            ("job", store.job(job).await.is_ok()),
            ("jobs", !store.jobs(JobQuery::default()).await.unwrap().is_empty()),
            (
                "jobs of ann",
                !store
                    .jobs(JobQuery { owner: Some("ann".to_owned()), ..JobQuery::default() })
                    .await
                    .unwrap()
                    .is_empty(),
            ),
            ("plan", store.plan(job).await.is_ok()),
            ("revision", store.revision(job, 0).await.is_ok()),
            ("events", !store.events(job, EventSeq::START, 10).await.unwrap().is_empty()),
            ("item", store.item(item).await.is_ok()),
            ("items", !store.items(ItemQuery::of(job)).await.unwrap().is_empty()),
            ("results", !store.results(results).await.unwrap().is_empty()),
            ("history", !store.history(item).await.unwrap().is_empty()),
            ("tallies", !store.tallies(job).await.unwrap().is_empty()),
            ("events of an item", store.events_of(item).await.is_ok()),
            ("profile", store.profile(job).await.is_ok()),
            ("retries", !store.retries(RetryQuery::default()).await.unwrap().records.is_empty()),
            ("counts of retries", !store.retries(RetryQuery::default()).await.unwrap().counts.is_empty()),
            (
                "retries of the job",
                !store
                    .retries(RetryQuery { job: Some(job), ..RetryQuery::default() })
                    .await
                    .unwrap()
                    .records
                    .is_empty(),
            ),
            ("reviews", !store.reviews(ReviewQuery::default()).await.unwrap().is_empty()),
            (
                "reviews of the job",
                !store.reviews(ReviewQuery { job: Some(job), ..ReviewQuery::default() }).await.unwrap().is_empty(),
            ),
            (
                "reviews of the item",
                !store.reviews(ReviewQuery { item: Some(item), ..ReviewQuery::default() }).await.unwrap().is_empty(),
            ),
            ("call", store.call(call).await.is_ok()),
            ("calls", !store.calls(CallQuery::default()).await.unwrap().is_empty()),
            (
                "calls of the job",
                !store.calls(CallQuery { job: Some(job), ..CallQuery::default() }).await.unwrap().is_empty(),
            ),
            (
                "calls of the item",
                !store.calls(CallQuery { item: Some(item), ..CallQuery::default() }).await.unwrap().is_empty(),
            ),
            ("spend", !store.spend(SpendQuery::by(SpendBy::Owner)).await.unwrap().is_empty()),
            (
                "spend of ann",
                !store
                    .spend(SpendQuery { owner: Some("ann".to_owned()), ..SpendQuery::by(SpendBy::Job) })
                    .await
                    .unwrap()
                    .is_empty(),
            ),
            ("budgets", !store.budgets().await.unwrap().is_empty()),
            ("hooks", !store.hooks().await.unwrap().is_empty()),
            ("templates", !store.list_saved(None, SavedKind::Template).await.unwrap().is_empty()),
            ("a template", store.saved("ann", SavedKind::Template, "mine").await.is_ok()),
            ("audit", store.audit(job).await.is_ok()),
            ("answers", store.answered(job, request).await.unwrap().is_some()),
            (
                "deliveries",
                !store
                    .deliveries(DeliveryQuery { hook: Some(*hook), ..DeliveryQuery::default() })
                    .await
                    .unwrap()
                    .is_empty(),
            ),
        ]
    };
    let to_bob = found(engine.for_owner("bob").store()).await;
    assert!(to_bob.iter().all(|(_, found)| !found), "{to_bob:?}");
    let to_ann = found(engine.for_owner("ann").store()).await;
    let nothing: Vec<_> = to_ann.iter().filter(|(_, found)| !found).map(|(what, _)| *what).collect();
    // The call has no answer yet, and nothing was delivered.
    assert_eq!(nothing, ["answers", "deliveries"]);
    assert_eq!(found(engine.store()).await, to_ann, "who looks after everything sees what she sees");
    // Logs, too.
    let lines = async |engine: &Engine| engine.logs().unwrap().entries(LogQuery::default()).await.unwrap().len();
    assert!(lines(&engine.for_owner("ann")).await > 10);
    assert_eq!(lines(&engine.for_owner("bob")).await, 0);
}

#[tokio::test]
async fn what_is_done_for_one_owner_touches_nothing_of_another() {
    let Shop { engine, job, item, hook, .. } = &shop().await;
    let (bob, before) = (engine.for_owner("bob"), engine.job(*job).await.unwrap());
    let kind = |error: Error| error.kind();
    let missing = ErrorKind::NotFound;
    assert_eq!(bob.cancel(*job).await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.pause(*job).await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.rename(*job, "mine").await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.store().control(*job, Control::Cancel).await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.set_budget(BudgetKey::Job(*job), None).await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.run_job(*job).await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.upkeep().delete(*job).await.map_err(kind).unwrap_err(), missing);
    assert_eq!(bob.store().remove_hook(*hook).await.map_err(kind).unwrap_err(), missing);
    let refused = ErrorKind::Unauthorized;
    assert_eq!(bob.store().pause_all(true).await.map_err(kind).unwrap_err(), refused);
    assert_eq!(bob.store().open_gate(GateKey::new("provider:x")).await.map_err(kind).unwrap_err(), refused);
    assert_eq!(bob.store().mentions(Holder::Calls, None, 10).await.map_err(kind).unwrap_err(), refused);
    assert_eq!(bob.store().queue_status().await.map_err(kind).unwrap_err(), refused);
    assert_eq!(bob.store().forget("ann", SavedKind::Template, "mine").await.map_err(kind).unwrap_err(), refused);
    let own = BudgetKey::Owner("bob".to_owned());
    assert_eq!(bob.set_budget(own, Some(Money::from_micros(1))).await.map_err(kind).unwrap_err(), refused);
    // In the name of another, or out of a job of another.
    let request = JobRequest::preset("factory").keywords(["heron"]);
    assert!(
        matches!(bob.submit(request.owner("ann")).await, Err(SubmitError::Store(error)) if error.kind() == refused)
    );
    assert!(
        matches!(bob.rerun(*job, &pipeline::engine::RerunRequest::default()).await, Err(SubmitError::Store(error)) if error.kind() == missing)
    );
    let items = engine.items(ItemQuery::of(*job)).await.unwrap();
    let by = Reviewer { actor: "bob".to_owned(), reason: None };
    assert!(bob.review(*job, &items, &Wish::Discard, &by, false).await.is_err());
    assert!(bob.select(&Query::default(), ItemQuery::of(*job)).await.is_err());
    assert_eq!(engine.job(*job).await.unwrap(), before);
    assert_eq!(engine.item(*item).await.unwrap().0, items[0]);
}
