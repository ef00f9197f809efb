//! The clauses of `Registry`.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "test code: a failed step is a failed test")]

use pipeline_core::id::{ItemId, JobId};
use pipeline_core::model::ItemStatus;
use pipeline_core::storage::{FingerprintMark, NameRequest, TakeOver};

use super::fixture::{Bench, ending, uuid};

fn wish(name: &str) -> NameRequest {
    NameRequest {
        scope: "/out".to_owned(),
        name: name.to_owned(),
        job: JobId::from_uuid(uuid()),
        item: ItemId::from_uuid(uuid()),
        take_over: TakeOver::Nobody,
        only_if_mine: false,
    }
}

/// A name in a scope has one owner, without regard to case.
pub async fn registry_1_one_owner_a_name(bench: &Bench) {
    let first = wish("Cat-É.png");
    let only = NameRequest { only_if_mine: true, ..first.clone() };
    assert!(!bench.store.reserve_name(only.clone()).await.unwrap());
    assert!(!bench.store.reserve_name(only.clone()).await.unwrap(), "asking reserved it");
    assert!(bench.store.reserve_name(first.clone()).await.unwrap());
    assert!(bench.store.reserve_name(only).await.unwrap());
    assert!(!bench.store.reserve_name(wish("cat-é.PNG")).await.unwrap());
    assert!(!bench.store.reserve_name(NameRequest { only_if_mine: true, ..wish("cat-é.png") }).await.unwrap());
    assert!(bench.store.reserve_name(wish("cat-é-2.png")).await.unwrap());
    assert!(bench.store.reserve_name(NameRequest { scope: "/else".to_owned(), ..wish("cat-é.png") }).await.unwrap());
    let race: Vec<NameRequest> = (0..4).map(|_| wish("race")).collect();
    let (a, b, c, d) = tokio::join!(
        bench.store.reserve_name(race[0].clone()),
        bench.store.reserve_name(race[1].clone()),
        bench.store.reserve_name(race[2].clone()),
        bench.store.reserve_name(race[3].clone()),
    );
    assert_eq!([a, b, c, d].into_iter().filter(|won| *won.as_ref().unwrap()).count(), 1);
}

/// Asking again for the same item gives the same answer.
pub async fn registry_2_repeatable(bench: &Bench) {
    let (mine, other) = (wish("a.png"), wish("a.png"));
    for _ in 0..2 {
        assert!(bench.store.reserve_name(mine.clone()).await.unwrap());
        assert!(!bench.store.reserve_name(other.clone()).await.unwrap());
    }
    let again = bench.reopen().await;
    assert!(!again.reserve_name(other).await.unwrap(), "the name is forgotten");
    assert!(again.reserve_name(mine).await.unwrap());
}

/// A take-over replaces only whom it names: an owner of another job, or one that has ended or is gone.
pub async fn registry_3_take_over(bench: &Bench) {
    let first = wish("a.png");
    assert!(bench.store.reserve_name(first.clone()).await.unwrap());
    let sibling = NameRequest { job: first.job, take_over: TakeOver::OtherJobs, ..wish("a.png") };
    assert!(!bench.store.reserve_name(sibling).await.unwrap());
    let heir = NameRequest { take_over: TakeOver::OtherJobs, ..wish("a.png") };
    let peek = NameRequest { only_if_mine: true, ..heir.clone() };
    assert!(!bench.store.reserve_name(peek).await.unwrap());
    assert!(bench.store.reserve_name(first.clone()).await.unwrap(), "a peek took it over");
    assert!(bench.store.reserve_name(heir).await.unwrap());
    assert!(!bench.store.reserve_name(first).await.unwrap());
    // Of an item that runs nothing is taken, of one that has ended or was never there it is.
    let (job, items) = bench.submit(2).await;
    let of = |item: ItemId, name: &str| NameRequest { job, item, ..wish(name) };
    let later = |name: &str| NameRequest { take_over: TakeOver::Ended, ..of(items[1], name) };
    for (item, name) in [(items[0], "b.png"), (ItemId::from_uuid(uuid()), "c.png")] {
        assert!(bench.store.reserve_name(of(item, name)).await.unwrap());
    }
    assert!(!bench.store.reserve_name(later("b.png")).await.unwrap(), "taken from an item that runs");
    assert!(bench.store.reserve_name(later("c.png")).await.unwrap());
    let session = bench.session().await;
    let claimed = bench.claim(session, 1).await;
    assert_eq!(claimed[0].item.id, items[0]);
    bench.commit(session, ending(&claimed[0], ItemStatus::Rejected)).await;
    assert!(!bench.store.reserve_name(of(items[1], "b.png")).await.unwrap());
    assert!(bench.store.reserve_name(later("b.png")).await.unwrap());
    assert!(!bench.store.reserve_name(of(items[0], "b.png")).await.unwrap());
}

/// The first item of a picture keeps it; deciding and storing are one step.
pub async fn registry_4_first_come(bench: &Bench) {
    let job = JobId::from_uuid(uuid());
    let mark = |fingerprint, max_distance| FingerprintMark {
        job,
        scope: "generate".to_owned(),
        item: ItemId::from_uuid(uuid()),
        fingerprint,
        max_distance,
    };
    let store = &bench.store;
    let first = mark(0xffff_0000_ffff_0000, 4);
    assert_eq!(store.mark_fingerprint(first.clone()).await.unwrap(), None);
    assert_eq!(store.mark_fingerprint(first.clone()).await.unwrap(), None, "its own mark counts");
    let near = mark(0xffff_0000_ffff_000f, 4);
    assert_eq!(store.mark_fingerprint(near.clone()).await.unwrap(), Some(first.item));
    let beside_near = mark(0xffff_0000_ffff_00ff, 4);
    assert_eq!(store.mark_fingerprint(beside_near.clone()).await.unwrap(), None, "a refused mark was stored");
    assert_eq!(store.mark_fingerprint(FingerprintMark { max_distance: 3, ..near.clone() }).await.unwrap(), None);
    let elsewhere = FingerprintMark { job: JobId::from_uuid(uuid()), ..mark(first.fingerprint, 4) };
    assert_eq!(store.mark_fingerprint(elsewhere).await.unwrap(), None);
    let scope = "vision".to_owned();
    assert_eq!(store.mark_fingerprint(FingerprintMark { scope, ..mark(first.fingerprint, 4) }).await.unwrap(), None);
    // A new mark replaces the item's own; another store on the same data sees it.
    assert_eq!(store.mark_fingerprint(FingerprintMark { fingerprint: 1, ..first.clone() }).await.unwrap(), None);
    let again = bench.reopen().await;
    assert_eq!(again.mark_fingerprint(mark(1, 0)).await.unwrap(), Some(first.item));
    let place = mark(0xffff_0000_ffff_0000, 0);
    assert_eq!(again.mark_fingerprint(place.clone()).await.unwrap(), None);
    assert_eq!(store.mark_fingerprint(mark(place.fingerprint, 0)).await.unwrap(), Some(place.item));
    let race: Vec<FingerprintMark> = (0..3).map(|bit| mark(0xabcd_ef01_2345_6788 | bit, 4)).collect();
    let (a, b, c) = tokio::join!(
        store.mark_fingerprint(race[0].clone()),
        again.mark_fingerprint(race[1].clone()),
        store.mark_fingerprint(race[2].clone()),
    );
    assert_eq!([a, b, c].into_iter().filter(|found| found.as_ref().unwrap().is_none()).count(), 1);
}
