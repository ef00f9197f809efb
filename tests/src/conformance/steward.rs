//! The clauses of `Steward`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::collections::BTreeMap;
use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::StageState;
use pipeline_core::id::{CallId, Digest, ItemId, JobId, ResultId};
use pipeline_core::model::{Artifact, Control, ItemStatus, MediaType, Money};
use pipeline_core::storage::{
    Audit, CallQuery, CallState, Census, Commit, FingerprintMark, Holder, Idempotency, JobQuery, Mention, NameRequest,
    NewCall, NewJob, Settlement, TakeOver,
};
use serde_json::json;
use uuid::Uuid;

use super::fixture::{Bench, child, ending, expanding, holding, machine, new_call, new_item, new_job, result, uuid};

/// What `busy` has made.
struct Busy {
    job: JobId,
    items: Vec<ItemId>,
    results: Vec<ResultId>,
    call: CallId,
}

fn digest(name: &str) -> Digest {
    Digest::of(name.as_bytes())
}

fn settled(call: &NewCall, state: CallState, name: &str) -> Settlement {
    Settlement {
        call: call.id,
        state,
        sending: None,
        cost: Money::from_micros(39_000),
        response: (state == CallState::Succeeded).then(|| json!({ "image": digest(name) })),
        failure: None,
        external_id: None,
        outage: false,
    }
}

/// Makes a job of three items: one that was replaced by two children, of which one has ended, one that was handed out and
/// one that waits; with a call that was answered and one that is open.
async fn busy(bench: &Bench, sound: bool) -> Busy {
    let mut new = new_job();
    new.plan.settings = json!({ "reference": digest("setting") });
    let mut items: Vec<_> = (0..3).map(new_item).collect();
    items[0].input.insert("picture".to_owned(), json!(digest("input")));
    items[0].machine.leaves = 2;
    let (job, items) = bench.submit_with(new, items).await;
    let check = async || {
        if sound {
            assert_sound(bench).await;
        }
    };
    check().await;
    let session = bench.session_for(Some(job)).await;
    let claimed = bench.claim(session, 2).await;
    check().await;
    let call = new_call(job, &[claimed[0].item.id, claimed[1].item.id]);
    let open = new_call(job, &[claimed[1].item.id]);
    bench.commit(session, Commit { calls: vec![call.clone(), open], ..holding(&claimed[0]) }).await;
    check().await;
    bench.store.settle(settled(&call, CallState::Succeeded, "response")).await.unwrap();
    let mut first = result(claimed[0].item.id, "generate", Duration::from_millis(250), 7_000);
    let picture = Artifact { digest: digest("file"), media_type: MediaType::Png, size: 9 };
    first.files = [("image".to_owned(), picture)].into_iter().collect::<BTreeMap<_, _>>();
    first.fields.insert("mask".to_owned(), json!(digest("field")));
    let mut commit = expanding(&claimed[0], 2);
    let done = StageState::Done { result: first.id };
    commit.machine.stages[0] = done.clone();
    commit.children = (0..2).map(|slot| child(&claimed[0], slot)).collect();
    for child in &mut commit.children {
        child.machine = machine(child.id, 1, &[done.clone(), StageState::Ready { attempt: 1 }]);
    }
    let mut results = vec![first.id];
    commit.results = vec![first];
    commit.used = vec![call.id];
    bench.commit(session, commit).await;
    check().await;
    let children = bench.claim(session, 1).await;
    let ends = ending(&children[0], ItemStatus::Succeeded);
    results.extend(ends.results.iter().map(|result| result.id));
    bench.commit(session, ends).await;
    check().await;
    Busy { job, items, results, call: call.id }
}

async fn assert_sound(bench: &Bench) -> Audit {
    let mut sum = Audit::default();
    for job in bench.store.jobs(JobQuery::default()).await.unwrap() {
        sum.add(bench.store.audit(job.id).await.unwrap());
    }
    assert!(sum.is_clean(), "{:#?}", sum.breaches);
    assert_eq!(bench.store.strays().await.unwrap(), []);
    sum
}

/// `census` counts every record once.
pub async fn steward_1_counted(bench: &Bench) {
    let empty = bench.store.census().await.unwrap();
    assert_eq!(Census { bytes: None, ..empty }, Census::default());
    let made = busy(bench, false).await;
    bench.submit(2).await;
    let item = made.items[1];
    for (number, name) in ["a.png", "b.png"].into_iter().enumerate() {
        let name = NameRequest {
            scope: "/out".to_owned(),
            name: name.to_owned(),
            job: made.job,
            item: made.items[number],
            take_over: TakeOver::Nobody,
            only_if_mine: false,
        };
        assert!(bench.store.reserve_name(name).await.unwrap());
    }
    let mark = FingerprintMark { job: made.job, scope: "qc".to_owned(), item, fingerprint: 5, max_distance: 0 };
    bench.store.mark_fingerprint(mark).await.unwrap();
    let census = bench.reopen().await.census().await.unwrap();
    let mut events = 0;
    for job in bench.store.jobs(JobQuery::default()).await.unwrap() {
        events += u64::try_from(job.last_event.0).unwrap();
    }
    let expected =
        Census { jobs: 2, items: 7, results: 2, calls: 2, events, names: 2, fingerprints: 1, bytes: census.bytes };
    assert_eq!(census, expected);
    assert!(census.bytes.is_none_or(|bytes| bytes > 0));
}

/// `mentions` returns every record of a kind once, by id, with all that may name an artifact.
pub async fn steward_2_mentioned(bench: &Bench) {
    let made = busy(bench, false).await;
    let (job, _) = bench.submit(5).await;
    let expected = [
        (Holder::Jobs, vec![made.job.as_uuid(), job.as_uuid()], vec!["setting"]),
        (Holder::Items, made.items.iter().map(ItemId::as_uuid).collect(), vec!["input"]),
        (Holder::Results, made.results.iter().map(ResultId::as_uuid).collect(), vec!["file", "field"]),
        (Holder::Calls, vec![made.call.as_uuid()], vec!["response"]),
    ];
    for (holder, ids, names) in expected {
        let all = bench.store.mentions(holder, None, 1_000).await.unwrap();
        assert!(all.is_sorted_by_key(|mention| mention.id), "{all:?}");
        assert!(ids.iter().all(|id| all.iter().any(|mention| mention.id == *id)), "{holder:?}: {all:?}");
        for name in names {
            let naming = all.iter().filter(|mention| mention.text.contains(&digest(name).to_hex())).count();
            assert_eq!(naming, 1, "{holder:?} {name}");
        }
        for mention in &all {
            serde_json::from_str::<serde_json::Value>(&mention.text).unwrap();
        }
        let mut paged: Vec<Mention> = Vec::new();
        loop {
            let after: Option<Uuid> = paged.last().map(|mention| mention.id);
            let page = bench.store.mentions(holder, after, 2).await.unwrap();
            assert!(page.len() <= 2);
            if page.is_empty() {
                break;
            }
            paged.extend(page);
            assert!(paged.len() <= all.len(), "{holder:?} does not end");
        }
        assert_eq!(paged, all, "{holder:?}");
    }
    let items = bench.store.mentions(Holder::Items, None, 1_000).await.unwrap();
    assert_eq!(items.len(), 3 + 2 + 5, "those replaced by children as well");
}

/// Nothing is wrong with what was only written through the ports, at any moment.
pub async fn steward_3_sound(bench: &Bench) {
    let missing = bench.store.audit(JobId::from_uuid(uuid())).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let made = busy(bench, true).await;
    let audit = bench.store.audit(made.job).await.unwrap();
    assert_eq!((audit.items, audit.results, audit.calls), (5, 2, 2));
    assert_eq!(i64::try_from(audit.events).unwrap(), bench.store.job(made.job).await.unwrap().last_event.0);
    let (other, _) = bench.submit(4).await;
    let session = bench.session_for(Some(other)).await;
    bench.claim(session, 2).await;
    bench.store.control(other, Control::Cancel).await.unwrap();
    assert_sound(bench).await;
    bench.store.close_session(session).await.unwrap();
    assert_sound(bench).await;
    // Whoever held the first job is dead.
    bench.clock.advance(Duration::from_hours(1));
    bench.store.sessions(None).await.unwrap();
    assert_sound(bench).await;
    bench.store.abandon(made.job).await.unwrap();
    assert_sound(bench).await;
}

/// Says how to damage what was made, and where that should be found.
type Damage = fn(&Busy) -> (String, String);

/// What the records contradict is found, and where.
pub async fn steward_4_found(bench: &Bench) {
    let damages: [Damage; 9] = [
        |made| {
            let item = made.items[2];
            (format!("UPDATE items SET leaves = 3 WHERE id = '{item}'"), item.to_string())
        },
        |made| {
            let item = made.items[2];
            (format!("UPDATE items SET steps = 1 WHERE id = '{item}'"), item.to_string())
        },
        |made| {
            let item = made.items[0];
            (format!("UPDATE items SET cost = cost + 1 WHERE id = '{item}'"), item.to_string())
        },
        |made| (format!("UPDATE jobs SET cost = cost + 1 WHERE id = '{}'", made.job), made.job.to_string()),
        |made| (format!("UPDATE tallies SET micros = micros + 1 WHERE job = '{}'", made.job), made.job.to_string()),
        |made| (format!("DELETE FROM events WHERE job = '{}' AND seq = 1", made.job), made.job.to_string()),
        |made| {
            let result = made.results[0];
            (format!("DELETE FROM results WHERE id = '{result}'"), result.to_string())
        },
        |made| (format!("DELETE FROM call_items WHERE call = '{}'", made.call), made.call.to_string()),
        |made| (format!("UPDATE calls SET settled_at = NULL WHERE id = '{}'", made.call), made.call.to_string()),
    ];
    for damage in damages {
        let made = busy(bench, false).await;
        let (statement, place) = damage(&made);
        if !bench.spoil(&statement).await {
            return;
        }
        let audit = bench.store.audit(made.job).await.unwrap();
        assert!(audit.breaches.iter().any(|breach| breach.place.contains(&place)), "{statement}: {audit:#?}");
    }
    let made = busy(bench, false).await;
    assert!(bench.store.strays().await.unwrap().is_empty());
    bench.spoil(&format!("DELETE FROM items WHERE id = '{}'", made.items[0])).await;
    assert!(!bench.store.strays().await.unwrap().is_empty());
}

/// `rename` gives a job another label.
pub async fn steward_5_renamed(bench: &Bench) {
    let missing = bench.store.rename(JobId::from_uuid(uuid()), "x").await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let (job, _) = bench.submit(1).await;
    let (other, _) = bench.submit(1).await;
    let before = bench.store.job(job).await.unwrap();
    let label = "another \u{1f431} 'label'";
    let renamed = bench.store.rename(job, label).await.unwrap();
    assert_eq!(renamed.label, label);
    let again = bench.reopen().await;
    let after = again.job(job).await.unwrap();
    assert_eq!((after.label.as_str(), after.counts, after.last_event), (label, before.counts, before.last_event));
    let found = again.jobs(JobQuery { label: Some(label.to_owned()), ..JobQuery::default() }).await.unwrap();
    assert_eq!(found.iter().map(|job| job.id).collect::<Vec<_>>(), [job]);
    assert_eq!(again.job(other).await.unwrap().label, "bench");
}

/// Removes what deleted jobs have left, a step at a time.
async fn sweep(bench: &Bench, limit: u32) -> u64 {
    let mut removed = 0;
    loop {
        let some = bench.store.sweep(limit).await.unwrap();
        if some == 0 {
            return removed;
        }
        removed += some;
    }
}

/// A job that has ended is deleted for good, one that has not is not.
pub async fn steward_6_deleted(bench: &Bench) {
    let missing = bench.store.delete(JobId::from_uuid(uuid())).await.unwrap_err();
    assert_eq!(missing.kind(), ErrorKind::NotFound);
    let wanted = Idempotency { key: "once".to_owned(), body: digest("body") };
    let new = NewJob { idempotency: Some(wanted.clone()), ..new_job() };
    let (job, items) = bench.submit_with(new, vec![new_item(0), new_item(1)]).await;
    let (other, _) = bench.submit(1).await;
    let session = bench.session_for(Some(job)).await;
    for _ in 0..2 {
        assert_eq!(bench.store.delete(job).await.unwrap_err().kind(), ErrorKind::Conflict);
        bench.claim(session, 1).await;
    }
    assert_eq!(bench.store.job(job).await.unwrap().counts.planned, 2, "a refused removal changes nothing");
    bench.store.abandon(job).await.unwrap();
    bench.store.delete(job).await.unwrap();
    for store in [bench.reopen().await, bench.store.clone()] {
        for error in [
            store.job(job).await.unwrap_err(),
            store.plan(job).await.unwrap_err(),
            store.control(job, Control::Run).await.unwrap_err(),
            store.rename(job, "x").await.unwrap_err(),
            store.audit(job).await.unwrap_err(),
            store.delete(job).await.unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        }
        let listed = store.jobs(JobQuery::default()).await.unwrap();
        assert_eq!(listed.iter().map(|job| job.id).collect::<Vec<_>>(), [other]);
        assert_eq!(store.census().await.unwrap().jobs, 1);
    }
    let again = NewJob { idempotency: Some(wanted), ..new_job() };
    let id = again.id;
    assert_eq!(bench.store.submit(again, vec![new_item(0)]).await.unwrap().id, id, "the key is free");
    sweep(bench, 100).await;
    assert_eq!(bench.store.item(items[0]).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// What a deleted job leaves goes in steps, and nothing else.
pub async fn steward_7_swept(bench: &Bench) {
    let kept = busy(bench, false).await;
    bench.store.abandon(kept.job).await.unwrap();
    let before = bench.store.census().await.unwrap();
    let history = bench.store.history(kept.items[0]).await.unwrap();
    let gone = busy(bench, false).await;
    let item = gone.items[1];
    let name = NameRequest {
        scope: "/out".to_owned(),
        name: "a.png".to_owned(),
        job: gone.job,
        item,
        take_over: TakeOver::Nobody,
        only_if_mine: false,
    };
    assert!(bench.store.reserve_name(name).await.unwrap());
    let mark = FingerprintMark { job: gone.job, scope: "qc".to_owned(), item, fingerprint: 5, max_distance: 0 };
    bench.store.mark_fingerprint(mark).await.unwrap();
    assert_eq!(bench.store.sweep(10).await.unwrap(), 0, "nothing was deleted");
    bench.store.abandon(gone.job).await.unwrap();
    bench.store.delete(gone.job).await.unwrap();
    let items = bench.store.census().await.unwrap().items;
    assert!((1..=2).contains(&bench.store.sweep(2).await.unwrap()));
    assert!(bench.store.census().await.unwrap().items >= items - 2, "more went than asked for");
    sweep(bench, 2).await;
    let after = bench.reopen().await.census().await.unwrap();
    // Two calls of it are kept, for what they cost.
    assert_eq!(
        Census { calls: before.calls + 2, bytes: before.bytes, ..before },
        Census { bytes: before.bytes, ..after }
    );
    assert_eq!(bench.store.history(kept.items[0]).await.unwrap(), history);
    assert_eq!(bench.store.history(gone.items[0]).await.unwrap(), []);
    assert_eq!(bench.store.events(gone.job, pipeline_core::id::EventSeq::START, 10).await.unwrap(), []);
    assert!(bench.store.audit(kept.job).await.unwrap().is_clean());
    assert_eq!(bench.store.strays().await.unwrap(), []);
    for holder in Holder::ALL {
        for mention in bench.store.mentions(holder, None, 1_000).await.unwrap() {
            let ids = gone.items.iter().map(ItemId::as_uuid).chain(gone.results.iter().map(ResultId::as_uuid));
            assert!(!ids.chain([gone.job.as_uuid()]).any(|id| id == mention.id), "{holder:?} {}", mention.id);
        }
    }
}

/// What a deleted job has cost is still told, call by call.
pub async fn steward_8_money_stays(bench: &Bench) {
    let made = busy(bench, false).await;
    let session = bench.session_for(Some(made.job)).await;
    let claimed = bench.claim(session, 1).await;
    let free = new_call(made.job, &[claimed[0].item.id]);
    bench.commit(session, Commit { calls: vec![free.clone()], ..holding(&claimed[0]) }).await;
    let nothing = Settlement { cost: Money::ZERO, ..settled(&free, CallState::Failed, "free") };
    bench.store.settle(nothing).await.unwrap();
    let of_job = CallQuery { job: Some(made.job), ..CallQuery::default() };
    let before = bench.store.calls(of_job.clone()).await.unwrap();
    bench.store.abandon(made.job).await.unwrap();
    bench.store.delete(made.job).await.unwrap();
    sweep(bench, 1).await;
    let after = bench.reopen().await.calls(of_job.clone()).await.unwrap();
    let expected: Vec<_> = before
        .into_iter()
        .filter(|call| call.id != free.id)
        .map(|call| pipeline_core::storage::CallRecord {
            items: vec![],
            used_by: vec![],
            response: None,
            prompt: None,
            ..call
        })
        .collect();
    assert_eq!(expected.len(), 2);
    assert_eq!(after, expected);
    // What is still under way can be settled.
    let open = after.iter().find(|call| call.state == CallState::Open).unwrap();
    let late = Settlement {
        call: open.id,
        state: CallState::Succeeded,
        sending: None,
        cost: Money::from_micros(500),
        response: None,
        failure: None,
        external_id: None,
        outage: false,
    };
    bench.store.settle(late).await.unwrap();
    let costs = bench.store.calls(of_job).await.unwrap().iter().filter_map(|call| call.cost).collect::<Vec<_>>();
    assert_eq!(costs, [Money::from_micros(39_000), Money::from_micros(500)]);
}
