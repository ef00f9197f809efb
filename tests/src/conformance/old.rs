//! Items that ended before stores kept why beside the machine, for the tests of migrations.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use std::time::Duration;

use pipeline_core::ErrorKind;
use pipeline_core::executor::{StageState, Stop};
use pipeline_core::id::{ItemId, JobId, SessionId};
use pipeline_core::model::{Failure, FailureCode, ItemStatus};
use pipeline_core::storage::{ClaimRequest, ItemQuery, NewSession, Store};

use super::fixture::{ending, uuid};

/// Ends two of the three items of a job: one by a timeout of its second stage in its second round, one by a crash loop.
pub async fn stop(store: &impl Store, job: JobId) {
    let id = SessionId::from_uuid(uuid());
    let lease = Duration::from_secs(600);
    let session = NewSession { id, host: "old".to_owned(), pid: 1, lease, focus: Some(job) };
    store.open_session(session).await.unwrap();
    let claims = store.claim(ClaimRequest { session: id, limit: 2, job: Some(job) }).await.unwrap();
    let claimed: Vec<_> = claims.units.into_iter().flatten().collect();
    let timeout = FailureCode::Port(ErrorKind::Timeout);
    for (claimed, (at, code, round)) in claimed.iter().zip([(1, timeout, 2), (0, FailureCode::CrashLoop, 1)]) {
        let mut commit = ending(claimed, ItemStatus::Failed);
        // A text that JSON can hold and PostgreSQL as text cannot.
        let failure = Failure::permanent(code, "no answer\u{0}");
        if let Some(state) = commit.machine.stages.get_mut(at) {
            *state = StageState::Stopped { stop: Stop::Failed { failure }, result: None };
        }
        commit.machine.round = round;
        store.commit(id, vec![commit]).await.unwrap();
    }
    store.close_session(id).await.unwrap();
}

/// Sees that they are found by what ended them.
pub async fn stopped(store: &impl Store, job: JobId, items: &[ItemId]) {
    let all = ItemQuery::of(job);
    let timeout = Some(FailureCode::Port(ErrorKind::Timeout));
    for (query, expected) in [
        (ItemQuery { stage: Some(1), ..all.clone() }, &items[..1]),
        (ItemQuery { stage: Some(0), ..all.clone() }, &items[1..2]),
        (ItemQuery { code: timeout, ..all.clone() }, &items[..1]),
        (ItemQuery { code: Some(FailureCode::CrashLoop), ..all.clone() }, &items[1..2]),
        (ItemQuery { round: Some(2), ..all.clone() }, &items[..1]),
        (ItemQuery { round: Some(1), ..all }, &items[1..]),
    ] {
        let found: Vec<ItemId> = store.items(query.clone()).await.unwrap().iter().map(|item| item.id).collect();
        assert_eq!(found, expected, "{query:?}");
    }
}
