//! Jobs that wait: submitted, paused, taking turns, planned for later, submitted twice, cancelled.

use serde_json::{Value, json};

use crate::bench::{Bench, count, stderr, stdout};

#[test]
fn a_submitted_job_waits_for_a_worker_that_drains_the_queue() {
    let bench = Bench::new();
    let id = bench.submit(2, &["--label", "later"]);
    assert_eq!(id.len(), 36, "{id}");
    assert_eq!(bench.job(&id)["status"], "queued");
    let status = bench.answer(0, &["queue", "status", "-o", "json"]);
    assert_eq!((&status["jobs"], &status["items"]["due"]), (&json!({"queued": 1}), &2.into()), "{status}");
    assert!(status["oldest_age_ms"].is_u64(), "{status}");
    let ended = bench.answer(0, &["worker", "--drain", "-o", "json"]);
    assert_eq!((&ended["ended"], &ended["items"]), (&"idle".into(), &2.into()), "{ended}");
    let job = bench.job(&id);
    assert_eq!((&job["status"], count(&job, "succeeded")), (&"completed".into(), 2));
    let status = bench.answer(0, &["queue", "status", "-o", "json"]);
    assert_eq!((&status["jobs"], &status["oldest_age_ms"]), (&json!({}), &Value::Null), "{status}");
    let rates = &status["rates"];
    assert_eq!((&rates["window_ms"], &rates["items"]), (&60_000.into(), &2.into()), "{status}");
    assert_eq!(rates["items_per_second"].as_f64(), Some(2.0 / 60.0), "{status}");
    assert!(rates["stages"].as_u64() > Some(2), "{status}");
    let text = stdout(&bench.run(&["queue", "status"]));
    assert!(text.contains("2 items ended") && text.contains("over the last minute"), "{text}");
    let text = stdout(&bench.run(&["worker", "--drain"]));
    assert!(text.contains("0 items done"), "{text}");
}

#[test]
fn submit_answers_like_a_row_of_the_list() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a");
    let submitted = bench.answer(0, &["submit", "factory", "-i", &keywords, "--key", "k", "-o", "json"]);
    assert_eq!((&submitted["key"], &submitted["key_limit"]), (&"k".into(), &1.into()));
    let mut listed = bench.answer(0, &["jobs", "list", "-o", "json"]);
    let cursor = listed[0].as_object_mut().unwrap().remove("cursor");
    assert!(cursor.is_some_and(|cursor| cursor.as_str().is_some_and(|cursor| cursor.starts_with("created.d."))));
    assert_eq!(listed, json!([submitted]));
    assert!(stdout(&bench.run(&["jobs", "list"])).contains("KEY"));
}

#[test]
fn a_paused_job_is_left_alone_until_it_is_unpaused() {
    let bench = Bench::new();
    let id = bench.submit(1, &[]);
    assert_eq!(bench.answer(0, &["jobs", "pause", &id, "-o", "json"])["status"], "paused");
    assert_eq!(bench.answer(0, &["worker", "--drain", "-o", "json"])["items"], 0);
    let said = stdout(&bench.run(&["jobs", "unpause", &id]));
    assert!(said.contains("is queued"), "{said}");
    assert_eq!(bench.answer(0, &["worker", "--drain", "-o", "json"])["items"], 1);
    for command in ["pause", "unpause"] {
        let output = bench.run(&["jobs", command, &id]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains("has ended: it is completed"), "{}", stderr(&output));
    }
}

#[test]
fn resume_lets_a_paused_job_go_on_here() {
    let bench = Bench::new();
    let id = bench.submit(1, &[]);
    bench.answer(0, &["jobs", "pause", &id, "-o", "json"]);
    assert_eq!(bench.answer(0, &["jobs", "resume", &id, "-o", "json"])["status"], "completed");
}

#[test]
fn while_all_work_is_paused_nothing_starts() {
    let bench = Bench::new();
    assert_eq!(bench.answer(0, &["queue", "pause", "-o", "json"]), json!({"paused": true}));
    let id = bench.submit(1, &[]);
    assert_eq!(bench.answer(0, &["worker", "--drain", "-o", "json"])["items"], 0);
    let output = bench.run(&["jobs", "resume", &id]);
    assert_eq!(output.status.code(), Some(130), "{}", stderr(&output));
    assert!(stderr(&output).contains("pipeline queue resume"), "{}", stderr(&output));
    assert_eq!(bench.answer(0, &["queue", "status", "-o", "json"])["paused"], true);
    bench.answer(0, &["queue", "resume", "-o", "json"]);
    assert_eq!(bench.answer(0, &["worker", "--drain", "-o", "json"])["items"], 1);
}

#[test]
fn jobs_of_one_key_run_one_after_another() {
    let bench = Bench::new();
    let ids: Vec<String> = (0..3).map(|_| bench.submit(4, &["--key", "press"])).collect();
    assert_eq!(bench.answer(0, &["worker", "--drain", "--concurrency", "4", "-o", "json"])["items"], 12);
    let mut times: Vec<(String, String)> = ids
        .iter()
        .map(|id| {
            let job = bench.job(id);
            assert_eq!(job["status"], "completed");
            let time = |name: &str| job[name].as_str().unwrap().to_owned();
            (time("started_at"), time("ended_at"))
        })
        .collect();
    times.sort();
    for pair in times.windows(2) {
        assert!(pair[0].1 <= pair[1].0, "{times:?}");
    }
}

#[test]
fn a_repeated_submit_finds_the_first_job_and_another_request_is_refused() {
    let bench = Bench::new();
    let first = bench.submit(2, &["--idempotency-key", "monday"]);
    assert_eq!(bench.submit(2, &["--idempotency-key", "monday"]), first);
    let keywords = bench.write("other.txt", "something else");
    let output = bench.run(&["submit", "factory", "-i", &keywords, "--idempotency-key", "monday"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    for word in ["idempotency key", "monday", &first, "hint: use another key"] {
        assert!(stderr(&output).contains(word), "no {word}: {}", stderr(&output));
    }
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_repeated_time_of_day_is_the_same_request_whatever_it_means_by_then() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a");
    // Where the clock shows another time, the next 22:00 is another one as well.
    let submit = |zone: &str, at: &str| {
        let arguments = ["submit", "factory", "-i", &keywords, "--idempotency-key", "night", "--at", at, "-o", "json"];
        bench.command(&arguments).env("TZ", zone).output().unwrap()
    };
    let job = |zone: &str, at: &str| -> Value {
        let output = submit(zone, at);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let first = job("UTC0", "22:00");
    assert_eq!(job("UTC0", "22:00"), first);
    assert_eq!(job("UTC-5", "22:00"), first, "the first one's time stays");
    for other in ["22:01", "+1h", "2026-11-23T22:00:00Z"] {
        let output = submit("UTC0", other);
        assert_eq!(output.status.code(), Some(2), "{other}");
        assert!(stderr(&output).contains("hint: use another key"), "{}", stderr(&output));
    }
}

#[test]
fn all_jobs_are_cancelled_with_one_result_each() {
    let bench = Bench::new();
    let (done, kept) = (bench.factory(), bench.submit(1, &[]));
    let paused = bench.submit(1, &[]);
    bench.answer(0, &["jobs", "pause", &paused, "-o", "json"]);
    let refused = bench.run(&["jobs", "cancel", "--all"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--yes"), "{}", stderr(&refused));
    let results = bench.answer(0, &["jobs", "cancel", "--all", "--yes", "-o", "json"]);
    let ids: Vec<&str> = results.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!(ids, [&paused, &kept], "newest first, without those that have ended");
    for id in [&kept, &paused] {
        assert_eq!(bench.job(id)["status"], "cancelled");
    }
    assert_eq!(bench.job(done["job"].as_str().unwrap())["status"], "completed");
    assert_eq!(bench.answer(0, &["jobs", "cancel", "--all", "-o", "json"]), json!([]));
}

#[test]
fn what_is_not_there_is_named() {
    let bench = Bench::new();
    bench.submit(1, &[]);
    for arguments in [
        &["jobs", "pause", "abcd"][..],
        &["jobs", "unpause", "abcd"],
        &["jobs", "cancel", "abcd", "--force"],
        &["jobs", "watch", "abcd"],
        &["gates", "open", "abcd"],
        &["gates", "close", "abcd", "--for", "5m"],
    ] {
        let output = bench.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("`abcd`"), "{}", stderr(&output));
    }
    for at in ["soon", "25:00", "+5"] {
        let output = bench.run(&["submit", "factory", "--at", at]);
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr(&output).contains(&format!("--at `{at}`")), "{}", stderr(&output));
    }
    let output = bench.run(&["--store", "memory:", "submit", "factory"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    let output = bench.run(&["worker", "--metrics", "nowhere"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert_eq!(bench.answer(0, &["workers", "list", "-o", "json"]), json!([]));
    assert_eq!(bench.answer(0, &["gates", "list", "-o", "json"]), json!([]));
}
