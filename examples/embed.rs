//! Embeds the pipeline: makes two pictures into `finished/`, with all state in a folder of its own.
//!
//! Run it with `cargo run -p pipeline-examples --example embed`.
#![expect(clippy::print_stdout, reason = "an example talks to a person")]

use pipeline::prelude::*;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let home = tempfile::tempdir()?;
    let engine = pipeline::local_engine()
        .store(SqliteStore::open(home.path().join("jobs.db")).await?)
        .artifacts(Artifacts::directory(home.path().join("artifacts"))?)
        .build()?;

    let request = JobRequest::preset("factory")
        .keywords(["misty mountains at dawn", "a teal ocean in the wind"])
        .set("generate.sizes", ["512x512"])?
        .out(home.path().join("finished"));
    let job = engine.submit(request).await?; // durable when it returns

    engine.run_until_idle().await?;

    let job = engine.job(job.id).await?;
    println!("{}: {} of {} succeeded", job.status, job.counts.succeeded, job.counts.planned);
    for file in engine.published(job.id).await? {
        println!("{}", file.file_name().unwrap_or_default().to_string_lossy());
    }
    anyhow::ensure!(job.status == JobStatus::Completed, "the job ended as {}", job.status);
    Ok(())
}
