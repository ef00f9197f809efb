//! Following events: from any point, and to an end in every case.

use std::time::Duration;

use pipeline::core::id::EventSeq;
use pipeline::prelude::*;

const PROMPTS: &str = "name = \"prompts\"\n[stages.keywords]\nkind = \"source.keywords\"\n\
    [stages.prompt]\nkind = \"text.prompt\"\nneeds = [\"keywords\"]\n";

#[tokio::test]
async fn a_watch_that_begins_after_the_end_of_its_job_ends() {
    let engine = pipeline::local_engine()
        .store(MemoryStore::new())
        .artifacts(Artifacts::memory())
        .poll(Duration::from_millis(5))
        .build()
        .unwrap();
    let job = engine.submit(JobRequest::toml("prompts.toml", PROMPTS).keywords(["teal"])).await.unwrap();
    engine.run_until_idle().await.unwrap();
    let last = engine.job(job.id).await.unwrap().last_event;
    for (from, left) in [(EventSeq::START, last.0), (EventSeq(last.0 - 1), 1), (last, 0), (EventSeq(999), 0)] {
        let mut watch = engine.watch(job.id, from);
        let mut seen = 0;
        while tokio::time::timeout(Duration::from_secs(60), watch.next()).await.unwrap().unwrap().is_some() {
            seen += 1;
        }
        assert_eq!(seen, left, "from {from:?}");
    }
    let metrics = engine.metrics().await;
    assert_eq!(metrics.items_ended, 1);
    assert!(metrics.to_string().contains("pipeline_items_ended_total{status=\"succeeded\"} 1"), "{metrics}");
}
