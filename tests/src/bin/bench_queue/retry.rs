//! How long it takes to queue ended items again, chosen by a query.

use std::time::{Duration, Instant};

use pipeline::core::query::Query;
use pipeline::core::storage::{ItemQuery, Reviewer};
use pipeline::engine::{RetryRequest, Wish};
use pipeline::prelude::*;

use super::backend::{Backend, open};
use super::noop::{NoOp, PIPELINE};

/// Retries all of `count` items of one job, as `jobs retry` does it, by states alone and by what was recorded.
pub(crate) async fn print(kind: &str, count: u32) {
    let Some(backend) = Backend::start(kind) else { return };
    let engine = pipeline::local_engine()
        .source(NoOp::default())
        .shared_store(open(&backend.fresh().await).await)
        .artifacts(Artifacts::memory())
        .build()
        .unwrap();
    println!("{kind}: retry of {count} items of one job");
    for query in ["state:succeeded", "-missing<1 -\"no such text\""] {
        let request = JobRequest::toml("noop", PIPELINE).count(count).set("job.max_items", count).unwrap();
        let job = engine.submit(request).await.unwrap().id;
        engine.run_until_idle().await.unwrap();
        let asked: Query = query.parse().unwrap();
        let wish = Wish::Retry(RetryRequest { from: Some("s".to_owned()), ..RetryRequest::default() });
        let by = Reviewer { actor: "bench".to_owned(), reason: None };
        let began = Instant::now();
        let (mut done, mut after, mut selecting) = (0, None, Duration::ZERO);
        loop {
            let looked = Instant::now();
            let page = engine.select(&asked, ItemQuery { after, limit: 500, ..ItemQuery::of(job) }).await.unwrap();
            selecting += looked.elapsed();
            if !page.items.is_empty() {
                let reviewed = engine.review(job, &page.items, &wish, &by, false).await.unwrap();
                done += reviewed.iter().filter(|one| one.outcome.is_ok()).count();
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        let took = began.elapsed();
        assert_eq!(done, count as usize, "all are queued again");
        println!(
            "  {:<32} {:>7.0} ms, {:.0} ms of them to choose",
            query,
            took.as_secs_f64() * 1e3,
            selecting.as_secs_f64() * 1e3
        );
        engine.abandon(job).await.unwrap();
    }
}
