//! Several workers on one store: they share jobs, drain when told to, and are told from those that hang.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use serde_json::Value;

use crate::bench::{Bench, count, stderr};

#[test]
fn two_workers_share_a_job_and_nothing_is_done_twice() {
    let bench = Bench::new();
    let id = bench.submit(24, &[]);
    let (one, two) = (bench.worker(&["--concurrency", "1"]), bench.worker(&["--concurrency", "1"]));
    let sessions = bench.answer(0, &["workers", "list", "-o", "json"]);
    let pids: Vec<u64> = sessions.as_array().unwrap().iter().map(|one| one["pid"].as_u64().unwrap()).collect();
    assert!(pids.contains(&one.child.id().into()) && pids.contains(&two.child.id().into()), "{sessions}");
    let watched = bench.run(&["jobs", "watch", &id, "-o", "ndjson"]);
    let events = String::from_utf8(watched.stdout).unwrap();
    let events: Vec<Value> = events.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    one.signal("-TERM");
    two.signal("-INT");
    let items: Vec<u64> = [one, two]
        .into_iter()
        .map(|worker| {
            let (code, ended, said) = worker.end();
            assert_eq!((code, &ended["ended"]), (Some(0), &"drained".into()), "{said}");
            ended["items"].as_u64().unwrap()
        })
        .collect();
    assert!(items.iter().all(|items| *items > 0) && items.iter().sum::<u64>() == 24, "{items:?}");
    let mut done: BTreeMap<(String, String), u32> = BTreeMap::new();
    for event in events.iter().filter(|event| event["kind"] == "stage_done" || event["kind"] == "ended") {
        let part = event["stage"].as_str().unwrap_or("end").to_owned();
        *done.entry((event["item"].to_string(), part)).or_default() += 1;
    }
    assert!(done.len() >= 24 * 2 && done.values().all(|times| *times == 1), "{done:?}");
    let job = bench.job(&id);
    assert_eq!(count(&job, "succeeded"), 24);
    for stage in job["stages"].as_array().unwrap().iter().filter(|stage| stage["enabled"] == true) {
        assert_eq!(stage["results"], 24, "{stage}");
    }
    assert_eq!(bench.answer(0, &["workers", "list", "-o", "json"]), serde_json::json!([]));
}

#[test]
fn a_run_works_beside_a_worker() {
    let bench = Bench::new();
    let id = bench.submit(1, &[]);
    let worker = bench.worker(&["--concurrency", "1"]);
    bench.wait(&id, |job| job["status"] == "completed");
    let summary = bench.factory();
    assert_eq!(count(&summary, "succeeded"), 2);
    worker.signal("-TERM");
    worker.end();
}

#[test]
fn a_terminated_worker_brings_what_runs_to_its_end_and_the_rest_is_gone_on_with() {
    let bench = Bench::new();
    let id = bench.submit(40, &[]);
    let worker = bench.worker(&["--concurrency", "2"]);
    bench.wait(&id, |job| count(job, "succeeded") >= 1);
    worker.signal("-TERM");
    // As `timeout` does, to the process and to its group.
    worker.signal("-TERM");
    let (code, ended, said) = worker.end();
    assert_eq!((code, &ended["ended"]), (Some(0), &"drained".into()), "{said}");
    let job = bench.job(&id);
    assert_eq!((count(&job, "running"), count(&job, "succeeded")), (0, ended["items"].as_u64().unwrap()));
    assert!(count(&job, "pending") > 0, "{job}");
    let rest = bench.answer(0, &["worker", "--drain", "-o", "json"]);
    assert_eq!(rest["items"].as_u64().unwrap() + ended["items"].as_u64().unwrap(), 40);
}

#[test]
fn a_job_planned_for_later_waits_and_one_whose_time_has_passed_does_not() {
    let bench = Bench::new();
    let later = bench.submit(1, &["--at", "+1h"]);
    let now = bench.submit(1, &["--at", "2020-01-01T00:00:00Z"]);
    let worker = bench.worker(&[]);
    bench.wait(&now, |job| job["status"] == "completed");
    worker.signal("-TERM");
    worker.end();
    let job = bench.job(&later);
    assert_eq!((&job["status"], &job["started_at"]), (&"queued".into(), &Value::Null));
    assert!(job["start_at"].is_string());
    let list = bench.run(&["jobs", "list"]);
    assert!(String::from_utf8_lossy(&list.stdout).contains("queued, starts "), "{list:?}");
}

#[test]
fn a_worker_that_hangs_does_not_keep_a_job_from_being_cancelled_by_force() {
    let bench = Bench::new();
    // Takes connections and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    std::fs::create_dir_all(bench.home()).unwrap();
    let section = format!("[providers.studio]\nkind = \"http\"\nurl = \"{url}\"\nprice = 0.01\n");
    std::fs::write(bench.home().join("providers.toml"), section).unwrap();
    let id = bench.submit(1, &["--set", "generate.provider=studio"]);
    let worker = bench.worker(&["--drain-timeout", "1"]);
    bench.wait(&id, |job| count(job, "running") == 1);
    let wait = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while bench.answer(0, &["gates", "list", "-o", "json"])[0]["open_calls"] != 1 {
        assert!(std::time::Instant::now() < wait, "no call was made");
    }
    let shown = bench.answer(0, &["queue", "status", "-o", "json"]);
    assert_eq!((&shown["items"]["held"], &shown["workers"]), (&1.into(), &1.into()), "{shown}");
    assert_eq!(bench.answer(0, &["jobs", "cancel", &id, "-o", "json"])["status"], "cancelling");
    assert_eq!(bench.answer(0, &["jobs", "cancel", &id, "--force", "-o", "json"])["status"], "cancelled");
    let closed = bench.answer(0, &["gates", "close", "studio", "--for", "5m", "--reason", "lunch", "-o", "json"]);
    assert_eq!((&closed["closed"], &closed["reason"]), (&true.into(), &"lunch".into()), "{closed}");
    assert_eq!(bench.answer(0, &["gates", "open", "provider:studio", "-o", "json"])["closed"], false);
    worker.signal("-TERM");
    let (code, _, said) = worker.end();
    assert!(code == Some(130) || code == Some(0), "{code:?} {said}");
    assert_eq!(bench.job(&id)["status"], "cancelled");
}

#[test]
fn the_page_of_metrics_is_well_formed_and_counts_what_was_done() {
    let bench = Bench::new();
    let id = bench.submit(3, &[]);
    let mut worker = bench.worker(&["--metrics", "127.0.0.1:0"]);
    let line = worker.line();
    let address = line.split("http://").nth(1).unwrap().split('/').next().unwrap().to_owned();
    bench.wait(&id, |job| job["status"] == "completed");
    let (head, page) = get(&address, "/metrics");
    assert!(head.starts_with("HTTP/1.1 200") && head.contains("version=0.0.4"), "{head}");
    let samples = parse(&page);
    let value = |name: &str| samples.get(name).copied().unwrap_or_else(|| panic!("no {name} in\n{page}"));
    assert_eq!(value("pipeline_items_ended_total{status=\"succeeded\"}"), 3.0);
    assert_eq!(value("pipeline_attempts_total{kind=\"image.qc\",outcome=\"passed\"}"), 3.0);
    assert_eq!(value("pipeline_stage_seconds_count{kind=\"image.generate\"}"), 3.0);
    assert_eq!(value("pipeline_first_claim_seconds_count"), 1.0);
    assert_eq!(value("pipeline_queue_items{state=\"due\"}"), 0.0);
    assert_eq!((value("pipeline_store_up"), value("pipeline_lease_losses_total")), (1.0, 0.0));
    assert!(value("pipeline_commits_total") >= value("pipeline_commit_batch_count"), "{page}");
    assert!(get(&address, "/healthz").1.contains("ok"));
    worker.signal("-TERM");
    worker.end();
}

#[test]
fn a_signal_stops_a_worker_that_has_nothing_to_do() {
    let bench = Bench::new();
    let worker = bench.worker(&[]);
    worker.signal("-INT");
    let (code, ended, said) = worker.end();
    assert_eq!((code, &ended["items"]), (Some(0), &0.into()), "{said}");
    let output = bench.run(&["worker", "--concurrency", "0"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

fn get(address: &str, path: &str) -> (String, String) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// Reads the text format: each sample belongs to a family that was described before.
fn parse(page: &str) -> BTreeMap<String, f64> {
    let (mut helped, mut typed) = (Vec::new(), Vec::new());
    let mut samples = BTreeMap::new();
    for line in page.lines().filter(|line| !line.is_empty()) {
        let words: Vec<&str> = line.splitn(4, ' ').collect();
        match words.as_slice() {
            ["#", "HELP", name, text] if !text.is_empty() => helped.push((*name).to_owned()),
            ["#", "TYPE", name, kind] => {
                assert!(["counter", "gauge", "histogram"].contains(kind), "{line}");
                assert!(helped.contains(&(*name).to_owned()) && !typed.contains(&(*name).to_owned()), "{line}");
                typed.push((*name).to_owned());
            }
            _ => {
                let (series, value) = line.rsplit_once(' ').unwrap();
                let name = series.split('{').next().unwrap();
                let base = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
                let known = |name: &str| typed.iter().any(|typed| typed == name);
                assert!(known(name) || base.is_some_and(known), "{line} has no TYPE");
                assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none(), "{line} twice");
            }
        }
    }
    samples
}
