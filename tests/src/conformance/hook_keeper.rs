//! The clauses of `HookKeeper`: who is told of what, and how far each has heard.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::id::{EventSeq, HookId, JobId, MessageId};
use pipeline_core::model::{Control, ItemStatus};
use pipeline_core::provider::HookTarget;
use pipeline_core::storage::{
    DeliveryOutcome, DeliveryQuery, DeliveryRecord, DeliveryState, EventFilter, HookJobs, HookPolicy, HookSpec,
    LANE_GRACE, Lane, LaneReport, LaneStep, NewHook, NewJob, RulingReply,
};
use pipeline_core::time::Clock as _;

use super::fixture::{Bench, new_item, new_job, uuid};
use super::review_desk::{discard, rule};

/// How long a try may take in these suites.
const TIMEOUT: Duration = Duration::from_secs(10);

fn new_hook(owner: &str, name: &str, jobs: HookJobs) -> NewHook {
    let target = HookTarget::Command { program: "tell".to_owned(), args: vec!["ü \"1\"".to_owned()] };
    let policy = HookPolicy { timeout: TIMEOUT, ..HookPolicy::default() };
    let events = EventFilter::new(vec!["*".to_owned()]).unwrap();
    let spec = HookSpec { target, events, jobs, policy };
    NewHook { id: HookId::from_uuid(uuid()), owner: owner.to_owned(), name: name.to_owned(), spec }
}

/// Adds a hook of the owner of these suites' jobs.
async fn added(bench: &Bench, name: &str) -> HookId {
    bench.store.add_hook(new_hook("me", name, HookJobs::default())).await.unwrap().id
}

async fn lanes(bench: &Bench) -> Vec<Lane> {
    bench.store.take_lanes(None, 100).await.unwrap().lanes
}

/// Hands out the only lane there is to hand out.
async fn lane(bench: &Bench) -> Lane {
    let lanes = lanes(bench).await;
    assert_eq!(lanes.len(), 1, "{lanes:?}");
    lanes.into_iter().next().unwrap()
}

fn passed(lane: &Lane, to: i64) -> LaneReport {
    let step = LaneStep::Passed(EventSeq(to));
    LaneReport { hook: lane.hook, job: lane.job, token: lane.token, step, hold: false }
}

fn tried(lane: &Lane, seq: i64, outcome: DeliveryOutcome) -> LaneReport {
    let step = LaneStep::Tried { seq: EventSeq(seq), kind: "job.submitted".to_owned(), outcome };
    LaneReport { step, ..passed(lane, 0) }
}

fn waiting(seconds: u64) -> DeliveryOutcome {
    let error = "the receiver \"slept\"".to_owned();
    DeliveryOutcome::Waiting { wait: Duration::from_secs(seconds), status: Some(503), error }
}

fn failed() -> DeliveryOutcome {
    DeliveryOutcome::Failed { status: None, error: "not reached".to_owned() }
}

const DELIVERED: DeliveryOutcome = DeliveryOutcome::Delivered { status: 204 };

async fn deliveries(bench: &Bench) -> Vec<DeliveryRecord> {
    bench.store.deliveries(DeliveryQuery::default()).await.unwrap()
}

/// A hook is kept under its name, and its owner cannot use the name again.
pub async fn hook_1_named_once(bench: &Bench) {
    let jobs = HookJobs { pipeline: Some("bench".to_owned()), label: Some("\u{1f431} '1'".to_owned()) };
    let new = new_hook("me", "b", jobs);
    let hook = bench.store.add_hook(new.clone()).await.unwrap();
    assert_eq!((&hook.owner, &hook.name, &hook.spec), (&new.owner, &new.name, &new.spec));
    assert_eq!((hook.created_at, &hook.paused), (bench.store.now().await.unwrap(), &None));
    let error = bench.store.add_hook(new_hook("me", "b", HookJobs::default())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
    bench.store.add_hook(new_hook("me", "a", HookJobs::default())).await.unwrap();
    bench.store.add_hook(new_hook("ann", "b", HookJobs::default())).await.unwrap();
    let kept = bench.reopen().await.hooks().await.unwrap();
    let names: Vec<(&str, &str)> = kept.iter().map(|hook| (hook.owner.as_str(), hook.name.as_str())).collect();
    assert_eq!(names, [("ann", "b"), ("me", "a"), ("me", "b")]);
    assert_eq!(kept.last(), Some(&hook));
}

/// A hook hears of what comes after it, of the jobs that match.
pub async fn hook_2_from_now_on(bench: &Bench) {
    let (old, _) = bench.submit(1).await;
    let (over, _) = bench.submit(0).await;
    let hook = added(bench, "all").await;
    assert!(lanes(bench).await.is_empty(), "not of what was told before");
    bench.store.control(old, Control::Pause).await.unwrap();
    let heard = lane(bench).await;
    assert_eq!((heard.hook, heard.job, heard.after, heard.attempts), (hook, old, EventSeq(1), 0));
    assert_eq!((heard.label.as_str(), heard.pipeline.as_str(), heard.owner.as_str()), ("bench", "bench", "me"));
    bench.store.report_lane(passed(&heard, 2)).await.unwrap();
    let (new, _) = bench.submit(1).await;
    bench.submit_with(NewJob { owner: "ann".to_owned(), ..new_job() }, vec![new_item(0)]).await;
    let heard = lane(bench).await;
    assert_eq!((heard.job, heard.after), (new, EventSeq::START), "from the first event of a later job on");
    bench.store.report_lane(passed(&heard, 1)).await.unwrap();

    let label = HookJobs { label: Some("mine".to_owned()), ..HookJobs::default() };
    let pipeline = HookJobs { pipeline: Some("other".to_owned()), ..HookJobs::default() };
    let labelled = bench.store.add_hook(new_hook("me", "label", label)).await.unwrap().id;
    bench.store.add_hook(new_hook("me", "pipeline", pipeline)).await.unwrap();
    let (mine, _) = bench.submit_with(NewJob { label: "mine".to_owned(), ..new_job() }, vec![new_item(0)]).await;
    let (other, _) = bench.submit(1).await;
    let mut heard: Vec<(HookId, JobId)> = lanes(bench).await.iter().map(|lane| (lane.hook, lane.job)).collect();
    heard.sort_unstable();
    let mut expected = [(hook, mine), (hook, other), (labelled, mine)];
    expected.sort_unstable();
    assert_eq!(heard, expected);
    assert!(!heard.iter().any(|(_, job)| *job == over));
}

/// A lane is handed out to one, until it is given back or the time is over; then from where it was, under a greater token.
pub async fn hook_3_one_at_a_time(bench: &Bench) {
    let hook = added(bench, "a").await;
    let other = added(bench, "b").await;
    bench.submit(1).await;
    let one = bench.store.take_lanes(None, 1).await.unwrap();
    assert_eq!((one.lanes.len(), one.hooks), (1, true));
    assert!(one.next_at.is_some_and(|at| at <= bench.clock.now()), "there is another: {:?}", one.next_at);
    let elsewhere = bench.reopen().await;
    let rest = elsewhere.take_lanes(None, 100).await.unwrap().lanes;
    assert_eq!(rest.len(), 1, "one lane is left: {rest:?}");
    let mut both = [one.lanes[0].hook, rest[0].hook];
    both.sort_unstable();
    assert_eq!(both, {
        let mut all = [hook, other];
        all.sort_unstable();
        all
    });
    let none = elsewhere.take_lanes(None, 100).await.unwrap();
    assert!(none.lanes.is_empty());
    assert_eq!(none.next_at, Some(bench.clock.now().after(TIMEOUT + LANE_GRACE)));

    // Held on, it is held for as long again.
    let first = one.lanes[0].clone();
    bench.clock.advance(TIMEOUT);
    let step = LaneStep::Passed(EventSeq::START);
    assert!(bench.store.report_lane(LaneReport { hold: true, step, ..passed(&first, 0) }).await.unwrap());
    bench.clock.advance(LANE_GRACE);
    let lapsed = elsewhere.take_lanes(None, 100).await.unwrap().lanes;
    assert_eq!(
        lapsed.iter().map(|lane| lane.hook).collect::<Vec<_>>(),
        [rest[0].hook],
        "only the other one has lapsed"
    );
    bench.clock.advance(TIMEOUT);
    let again = elsewhere.take_lanes(Some(first.hook), 100).await.unwrap().lanes;
    assert_eq!((again.len(), again[0].after), (1, first.after));
    assert!(again[0].token > first.token, "{again:?}");
    assert!(elsewhere.report_lane(passed(&again[0], 0)).await.unwrap());
    assert_eq!(bench.store.take_lanes(Some(first.hook), 100).await.unwrap().lanes.len(), 1, "given back");
}

/// Who has lost a lane cannot move it, nor can anybody that of a hook or job that is gone.
pub async fn hook_4_only_who_holds_it(bench: &Bench) {
    let hook = added(bench, "a").await;
    let (job, _) = bench.submit(0).await;
    let lost = lane(bench).await;
    bench.clock.advance(TIMEOUT + LANE_GRACE);
    let held = lane(bench).await;
    for report in [passed(&lost, 2), tried(&lost, 1, DELIVERED), tried(&lost, 1, waiting(60))] {
        assert!(!bench.store.report_lane(report).await.unwrap());
    }
    assert!(deliveries(bench).await.is_empty());
    assert!(bench.store.report_lane(passed(&held, 0)).await.unwrap());
    let held = lane(bench).await;
    assert_eq!((held.after, held.attempts), (EventSeq::START, 0), "it has not moved");
    bench.store.delete(job).await.unwrap();
    assert!(!bench.store.report_lane(tried(&held, 1, DELIVERED)).await.unwrap(), "the job is gone");
    bench.submit(1).await;
    let held = lane(bench).await;
    bench.store.remove_hook(hook).await.unwrap();
    assert!(!bench.store.report_lane(tried(&held, 1, DELIVERED)).await.unwrap(), "the hook is gone");
}

/// A lane goes on behind what is done, and waits with what waits; one that has heard all goes on when there is more.
pub async fn hook_5_in_order(bench: &Bench) {
    added(bench, "a").await;
    let (job, items) = bench.submit(1).await;
    let first = lane(bench).await;
    assert!(bench.store.report_lane(tried(&first, 1, waiting(60))).await.unwrap());
    let none = bench.store.take_lanes(None, 100).await.unwrap();
    assert_eq!((none.lanes.len(), none.next_at), (0, Some(bench.clock.now().after(Duration::from_secs(60)))));
    bench.store.control(job, Control::Pause).await.unwrap();
    bench.clock.advance(Duration::from_secs(59));
    assert!(lanes(bench).await.is_empty(), "what comes later does not pass what waits");
    bench.clock.advance(Duration::from_secs(1));
    let second = lane(bench).await;
    assert_eq!((second.after, second.attempts), (EventSeq::START, 1));
    assert!(bench.store.report_lane(tried(&second, 1, DELIVERED)).await.unwrap());
    let third = lane(bench).await;
    assert_eq!((third.after, third.attempts), (EventSeq(1), 0));
    assert!(bench.store.report_lane(tried(&third, 2, failed())).await.unwrap(), "given up, it is gone behind");
    let none = bench.store.take_lanes(None, 100).await.unwrap();
    assert_eq!((none.lanes.len(), none.next_at), (0, None), "all is heard");
    bench.store.control(job, Control::Run).await.unwrap();
    let session = bench.session().await;
    assert_eq!(bench.drain(session, ItemStatus::Rejected).await, 1);
    let fourth = lane(bench).await;
    assert_eq!(fourth.after, EventSeq(2));
    let last = bench.store.job(job).await.unwrap().last_event;
    assert!(bench.store.report_lane(passed(&fourth, last.0)).await.unwrap());
    assert!(lanes(bench).await.is_empty() && lanes(bench).await.is_empty(), "the job has ended, and all is heard");

    // A review tells of a job that has ended.
    assert_eq!(rule(bench, discard(bench, items[0]).await).await, RulingReply::Applied);
    let fifth = lane(bench).await;
    assert_eq!(fifth.after, last);
}

/// Nothing of a paused hook is handed out, and it goes on where it was.
pub async fn hook_6_paused(bench: &Bench) {
    let hook = added(bench, "a").await;
    let other = added(bench, "b").await;
    bench.submit(1).await;
    let paused = bench.store.pause_hook(hook, Some("gone \"for\" now")).await.unwrap();
    assert_eq!(paused.paused.as_deref(), Some("gone \"for\" now"));
    assert_eq!(bench.reopen().await.hooks().await.unwrap()[0], paused);
    let heard = lane(bench).await;
    assert_eq!(heard.hook, other);
    bench.store.report_lane(passed(&heard, 1)).await.unwrap();
    let none = bench.store.take_lanes(None, 100).await.unwrap();
    assert_eq!((none.lanes.len(), none.next_at, none.hooks), (0, None, true));
    bench.store.pause_hook(other, Some("so")).await.unwrap();
    assert!(!bench.store.take_lanes(None, 100).await.unwrap().hooks, "none is on");
    assert_eq!(bench.store.pause_hook(hook, None).await.unwrap().paused, None);
    let heard = lane(bench).await;
    assert_eq!((heard.hook, heard.after), (hook, EventSeq::START));
    bench.store.report_lane(tried(&heard, 1, waiting(600))).await.unwrap();
    bench.store.pause_hook(hook, None).await.unwrap();
    let heard = lane(bench).await;
    assert_eq!(heard.attempts, 1, "what waited is due when it goes on");
    bench.store.report_lane(tried(&heard, 1, waiting(600))).await.unwrap();
    bench.store.pause_hook(hook, Some("again")).await.unwrap();
    bench.store.wake_hook(hook).await.unwrap();
    assert!(lanes(bench).await.is_empty(), "it is still paused");
    assert_eq!(bench.store.hooks().await.unwrap()[0].paused.as_deref(), Some("again"));
    bench.store.pause_hook(hook, None).await.unwrap();
    bench.store.report_lane(tried(&lane(bench).await, 1, waiting(600))).await.unwrap();
    assert!(lanes(bench).await.is_empty(), "it waits");
    bench.store.wake_hook(hook).await.unwrap();
    assert_eq!(lane(bench).await.attempts, 3);
    let nobody = HookId::from_uuid(uuid());
    for error in [
        bench.store.pause_hook(nobody, None).await.map(drop).unwrap_err(),
        bench.store.wake_hook(nobody).await.unwrap_err(),
        bench.store.remove_hook(nobody).await.unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    }
}

/// What was tried is kept, with what became of it.
pub async fn hook_7_kept(bench: &Bench) {
    let hook = added(bench, "a").await;
    let (job, _) = bench.submit(0).await;
    let first = lane(bench).await;
    let began = bench.clock.now();
    bench.store.report_lane(tried(&first, 1, waiting(60))).await.unwrap();
    let mut record = DeliveryRecord::new(hook, job, EventSeq(1), "job.submitted", began);
    record.tried(&waiting(60), began);
    assert_eq!(deliveries(bench).await, [record.clone()]);
    assert_eq!((record.state, record.attempts, record.status), (DeliveryState::Waiting, 1, Some(503)));
    bench.clock.advance(Duration::from_secs(60));
    let second = lane(bench).await;
    bench.store.report_lane(tried(&second, 1, failed())).await.unwrap();
    record.tried(&failed(), bench.clock.now());
    let third = lane(bench).await;
    bench.store.report_lane(tried(&third, 2, DELIVERED)).await.unwrap();
    let kept = bench.reopen().await.deliveries(DeliveryQuery::default()).await.unwrap();
    assert_eq!(kept.iter().map(|known| known.seq.0).collect::<Vec<_>>(), [2, 1], "the last one first");
    assert_eq!(kept[1], record);
    let list = |query: DeliveryQuery| async move {
        let found = bench.store.deliveries(query).await.unwrap();
        found.iter().map(|known| known.seq.0).collect::<Vec<_>>()
    };
    let all = DeliveryQuery::default();
    assert_eq!(list(DeliveryQuery { state: Some(DeliveryState::Failed), ..all.clone() }).await, [1]);
    assert_eq!(list(DeliveryQuery { id: Some(hook.message(job, EventSeq(2))), ..all.clone() }).await, [2]);
    assert_eq!(list(DeliveryQuery { before: Some(kept[0].id), ..all.clone() }).await, [1]);
    assert_eq!(list(DeliveryQuery { hook: Some(hook), job: Some(job), limit: 1, ..all.clone() }).await, [2]);
    assert!(list(DeliveryQuery { hook: Some(HookId::from_uuid(uuid())), ..all }).await.is_empty());

    let again = bench.store.redelivered(record.id, DELIVERED).await.unwrap();
    record.tried(&DELIVERED, bench.clock.now());
    assert_eq!((&again, again.attempts, again.state), (&record, 3, DeliveryState::Delivered));
    assert_eq!(deliveries(bench).await[1], record);
    let error = bench.store.redelivered(MessageId::from_uuid(uuid()), DELIVERED).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
    assert!(lanes(bench).await.is_empty(), "no lane is moved");
}

/// A hook goes with all that is kept of it, and so does a job.
pub async fn hook_8_removed(bench: &Bench) {
    let hook = added(bench, "a").await;
    let other = added(bench, "b").await;
    let (gone, _) = bench.submit(0).await;
    let (job, _) = bench.submit(0).await;
    for lane in lanes(bench).await {
        bench.store.report_lane(tried(&lane, 1, DELIVERED)).await.unwrap();
    }
    assert_eq!(deliveries(bench).await.len(), 4);
    bench.store.delete(gone).await.unwrap();
    let left: Vec<(HookId, JobId)> = lanes(bench).await.iter().map(|lane| (lane.hook, lane.job)).collect();
    assert!(left.len() == 2 && left.iter().all(|(_, told)| *told == job), "{left:?}");
    assert_eq!(deliveries(bench).await.len(), 2);
    while bench.store.sweep(1).await.unwrap() > 0 {}
    assert!(bench.store.strays().await.unwrap().is_empty());
    assert!(bench.store.audit(job).await.unwrap().breaches.is_empty());
    bench.store.remove_hook(hook).await.unwrap();
    let kept = deliveries(bench).await;
    assert_eq!(kept.iter().map(|known| (known.hook, known.job)).collect::<Vec<_>>(), [(other, job)]);
    assert_eq!(bench.store.hooks().await.unwrap().iter().map(|hook| hook.id).collect::<Vec<_>>(), [other]);
    bench.clock.advance(TIMEOUT + LANE_GRACE);
    assert_eq!(lane(bench).await.hook, other);
    added(bench, "a").await;
    assert!(bench.store.strays().await.unwrap().is_empty());
}
