//! The check at the end: ledger, vendor, items and files agree.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pipeline::core::id::JobId;
use pipeline::core::model::ItemStatus;
use pipeline::core::storage::{CallQuery, CallState, ItemQuery, JobQuery};

use super::bench::Bench;

/// Compares what the store, the vendor and the folders say.
pub(crate) async fn check(bench: &Bench, acknowledged: &[JobId], crashes: u32) -> Vec<String> {
    let store = bench.watcher.as_ref();
    let mut problems = Vec::new();
    let jobs = store.jobs(JobQuery { limit: 10_000, ..JobQuery::default() }).await.unwrap();
    let known: BTreeSet<JobId> = jobs.iter().map(|job| job.id).collect();
    problems.extend(acknowledged.iter().filter(|id| !known.contains(id)).map(|id| format!("job {id} is lost")));
    let (mut succeeded, mut held, mut failed, mut published) = (0, 0, 0, BTreeSet::new());
    for job in &jobs {
        let waits = job.counts.waiting;
        held += waits;
        succeeded += job.counts.succeeded;
        failed += job.counts.failed;
        if !job.status.is_terminal() && waits == 0 {
            problems.push(format!("job {} has not ended: {:?}", job.id, job.counts));
        }
        if waits > 0 && !may_hold(bench, job.id).await {
            problems.push(format!("job {} holds items although its calls can be gone on with", job.id));
        }
        if !job.counts.reconciles() {
            problems.push(format!("job {}: the counts do not add up: {:?}", job.id, job.counts));
        }
        let mut after = None;
        loop {
            let query = ItemQuery { statuses: vec![ItemStatus::Succeeded], after, limit: 500, ..ItemQuery::of(job.id) };
            let items = store.items(query).await.unwrap();
            let Some(last) = items.last() else { break };
            after = Some((last.ordinal, last.slot));
            for item in &items {
                for result in store.history(item.id).await.unwrap() {
                    published.extend(result.fields.get("path").and_then(|path| path.as_str()).map(PathBuf::from));
                }
            }
        }
    }
    let calls = store.calls(CallQuery { limit: 1_000_000, ..CallQuery::default() }).await.unwrap();
    let count = |state| calls.iter().filter(|call| call.state == state).count() as u64;
    let (answered, unknown, open) = (count(CallState::Succeeded), count(CallState::Unknown), count(CallState::Open));
    let statement = bench.vendor.statement().await.unwrap();
    println!(
        "jobs {} (acknowledged {}), items succeeded {succeeded} failed {failed} held {held}; calls answered {answered} \
         unknown {unknown} open {open} failed {}; vendor charged {} for {} requests, the same twice {}",
        jobs.len(),
        acknowledged.len(),
        count(CallState::Failed),
        statement.charges,
        statement.requests,
        statement.repeated,
    );
    if statement.repeated > 0 {
        problems.push(format!("{} charges were for what had been charged before", statement.repeated));
    }
    if open > 0 {
        problems.push(format!("{open} calls are open although everybody has ended"));
    }
    if unknown > u64::from(crashes) {
        problems.push(format!("{unknown} calls are unknown after {crashes} crashes"));
    }
    if bench.vendor_kind == "idempotent" && unknown > 0 && failed == 0 {
        problems.push(format!("{unknown} calls are unknown although none of their items has ended badly"));
    }
    // An unknown call was perhaps charged: it was in flight at the kill that ended its items as a crash loop.
    if statement.charges < answered || statement.charges > answered + unknown {
        problems.push(format!(
            "the vendor charged {}, the ledger has {answered} to {}",
            statement.charges,
            answered + unknown
        ));
    }
    let found = files(&bench.out);
    problems.extend(found.difference(&published).map(|path| format!("a stray file: {}", path.display())));
    problems.extend(published.difference(&found).map(|path| format!("a file is missing: {}", path.display())));
    let parts = files(&bench.home.join("artifacts"));
    let left = parts.iter().filter(|path| path.extension().is_some());
    println!("files {} published {}, artifacts {}", found.len(), published.len(), parts.len());
    problems.extend(left.map(|path| format!("a half-written artifact: {}", path.display())));
    if !problems.is_empty() {
        println!("the workers have said:\n{}", bench.said());
    }
    problems
}

/// Tells whether a job has a call that nobody can go on with: sent by a process that was killed before it heard of a task.
async fn may_hold(bench: &Bench, job: JobId) -> bool {
    let query = CallQuery { job: Some(job), states: vec![CallState::Unknown], limit: 10_000, ..CallQuery::default() };
    let unknown = bench.watcher.calls(query).await.unwrap();
    match bench.vendor_kind.as_str() {
        "plain" => !unknown.is_empty(),
        "resumable" => unknown.iter().any(|call| call.external_id.is_none()),
        _ => false,
    }
}

/// Says of which jobs not every item has succeeded.
pub(crate) async fn all_succeeded(bench: &Bench, jobs: &[JobId]) -> Vec<String> {
    let mut problems = Vec::new();
    for job in jobs {
        let counts = bench.watcher.job(*job).await.unwrap().counts;
        if counts.succeeded != counts.planned {
            problems.push(format!("job {job}: {counts:?}"));
        }
    }
    problems
}

/// Counts the tries a job has needed beyond the first of each stage, and the crashes its items have counted.
pub(crate) async fn extra_tries(bench: &Bench, job: JobId) -> (u32, u32) {
    let (mut tries, mut crashes, mut after) = (0, 0, None);
    loop {
        let items = bench.watcher.items(ItemQuery { after, limit: 500, ..ItemQuery::of(job) }).await.unwrap();
        let Some(last) = items.last() else { return (tries, crashes) };
        after = Some((last.ordinal, last.slot));
        for item in &items {
            crashes += item.machine.crashes;
            let results = bench.watcher.history(item.id).await.unwrap();
            tries += results.iter().map(|result| result.attempt - 1).sum::<u32>();
        }
    }
}

/// Returns every file in a folder.
pub(crate) fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    let Ok(entries) = std::fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.extend([path]) }
    }
    found
}
