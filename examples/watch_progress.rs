//! Follows a job while it runs: every event once, in order, until the end.
//!
//! Run it with `cargo run -p pipeline-examples --example watch_progress`.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use std::time::Duration;

use pipeline::core::stats::progress;
use pipeline::core::storage::EventBody;
use pipeline::prelude::*;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let engine = pipeline::local_engine().store(MemoryStore::new()).artifacts(Artifacts::memory()).build()?;
    engine.start().await;

    let request = JobRequest::preset("factory")
        .keywords(["a forest in autumn", "city at night", "desert"])
        .set("generate.sizes", ["256x256"])?;
    let job = engine.submit(request).await?;

    let mut events = engine.watch(job.id, EventSeq::START);
    let mut last: f64 = 0.0;
    while let Some(event) = events.next().await? {
        let record = engine.job(job.id).await?;
        let now = progress(record.steps_done, record.steps_planned, &record.counts);
        anyhow::ensure!(now >= last, "progress went back");
        last = now;
        if let EventBody::Finished { status, .. } = event.body {
            println!("event {}: {status}", event.seq.0);
        } else if event.seq.0 % 5 == 0 {
            println!("event {}: {:.0} %", event.seq.0, now * 100.0);
        }
    }
    engine.shutdown(Duration::from_secs(5)).await?;
    anyhow::ensure!((last - 1.0).abs() < f64::EPSILON, "the job ended at {last}");
    Ok(())
}
