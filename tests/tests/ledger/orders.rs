//! What the answers of a vendor without tasks mean for the item, the ledger and the bill.

use pipeline::core::model::ItemStatus;
use pipeline::core::provider::Repeat;
use pipeline::core::storage::CallState;
use pipeline::prelude::*;
use pipeline::providers::http::{HttpConfig, HttpProvider, Mode};
use pipeline_testkit::vendor::{Drip, Reply, VendorScript};
use serde_json::json;

use crate::shop::{Kind, Shop, failure, is_held, pictures, run};

on_both_stores!(
    an_answer_decides_what_becomes_of_the_item_and_nothing_is_bought_twice,
    pictures_behind_links_and_in_small_pieces_arrive,
    a_vendor_that_is_not_there_was_certainly_not_asked,
);

fn studio(url: String, idempotent: bool) -> HttpProvider {
    let base = HttpConfig { max_per_call: 8, price: Some(0.04), ..HttpConfig::new(url) };
    HttpProvider::from_config("studio", HttpConfig { mode: Mode::Direct, idempotent, max_answer_mb: 1, ..base })
        .unwrap()
}

fn engine(shop: &Shop, idempotent: bool) -> Engine {
    let provider = studio(shop.vendor.url(), idempotent);
    shop.builder(Repeat::Unsafe).provider("vendor", provider).build().unwrap()
}

/// What becomes of an item whose first answer goes wrong, with two tries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Succeeds,
    Fails(&'static str),
    IsHeld,
}

async fn an_answer_decides_what_becomes_of_the_item_and_nothing_is_bought_twice(kind: Kind) {
    use Fate::{Fails, IsHeld, Succeeds};
    let (cut, lost) = (Reply::Reset { charged: false }, Reply::Reset { charged: true });
    let table = [
        // The first answer; what becomes of it when a repeated key is free, and when it may be charged.
        (Reply::Status(500), Succeeds, Succeeds),
        (Reply::Status(503), Succeeds, Succeeds),
        (Reply::Status(502), Succeeds, IsHeld),
        (Reply::Status(504), Succeeds, IsHeld),
        (Reply::Throttled { after: 0 }, Succeeds, Succeeds),
        (cut, Succeeds, IsHeld),
        (lost, Succeeds, IsHeld),
        (Reply::Garbage, Succeeds, IsHeld),
        (Reply::WrongShape, Succeeds, IsHeld),
        (Reply::Flood, Succeeds, IsHeld),
        (Reply::Unauthorized, Fails("unauthorized"), Fails("unauthorized")),
        (Reply::Refused, Fails("refused"), Fails("refused")),
        (Reply::Status(301), Fails("unexpected"), Fails("unexpected")),
        (Reply::Status(402), Fails("exhausted"), Fails("exhausted")),
        (Reply::Status(404), Fails("not_found"), Fails("not_found")),
        (Reply::Status(422), Fails("invalid"), Fails("invalid")),
    ];
    for idempotent in [true, false] {
        for (reply, when_idempotent, when_not) in table {
            let script = VendorScript::new().replies([reply]);
            let script = if idempotent { script.idempotent() } else { script };
            let shop = Shop::open(kind, script).await;
            let engine = engine(&shop, idempotent);
            let job = engine.submit(pictures(&[("generate.max_attempts", json!(2))])).await.unwrap();
            assert_eq!(run(&engine).await, RunSummary::Idle);
            let item = shop.items(job.id).await.remove(0);
            let case = format!("{reply:?} idempotent {idempotent}: {item:?}");
            match if idempotent { when_idempotent } else { when_not } {
                Succeeds => {
                    assert_eq!(item.status, ItemStatus::Succeeded, "{case}");
                    assert_eq!(shop.vendor.statement().repeated, 0, "{case}");
                    shop.assert_books_agree(job.id).await;
                }
                Fails(code) => {
                    assert_eq!(item.status, ItemStatus::Failed, "{case}");
                    assert_eq!(failure(&item).map(|failure| failure.code.as_str()), Some(code), "{case}");
                    assert_eq!((shop.vendor.requests().len(), shop.vendor.charges().calls), (1, 0), "{case}");
                }
                IsHeld => {
                    assert!(is_held(&item), "{case}");
                    assert_eq!(shop.vendor.requests().len(), 1, "{case}");
                    assert_eq!(shop.calls(job.id).await[0].state, CallState::Unknown, "{case}");
                }
            }
        }
    }
}

async fn pictures_behind_links_and_in_small_pieces_arrive(kind: Kind) {
    let drip = Drip { bytes: 64, pause: std::time::Duration::from_millis(1) };
    let shop = Shop::open(kind, VendorScript::new().links().drip(drip)).await;
    let engine = engine(&shop, false);
    let job = engine.submit(pictures(&[("generate.variations", json!(3))])).await.unwrap();
    run(&engine).await;
    assert_eq!(engine.job(job.id).await.unwrap().counts.succeeded, 3);
    let calls = shop.calls(job.id).await;
    assert_eq!((calls.len(), calls[0].external_id.as_deref()), (1, Some("order-1")));
    shop.assert_books_agree(job.id).await;
}

async fn a_vendor_that_is_not_there_was_certainly_not_asked(kind: Kind) {
    let shop = Shop::open(kind, VendorScript::new()).await;
    let nowhere = studio("http://127.0.0.1:1".to_owned(), false);
    let engine = shop.builder(Repeat::Unsafe).provider("vendor", nowhere).build().unwrap();
    let job = engine.submit(pictures(&[("generate.max_attempts", json!(2))])).await.unwrap();
    run(&engine).await;
    assert_eq!(failure(&shop.items(job.id).await[0]).unwrap().code.as_str(), "unavailable");
    assert!(shop.calls(job.id).await.iter().all(|call| call.state == CallState::Failed));
}
