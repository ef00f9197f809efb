//! Retry, approve, discard and rerun.

use serde_json::Value;

use crate::bench::{Bench, count, stderr, stdout};

/// Runs three pictures of which the check rejects some or all, and returns the job.
fn rejected(bench: &Bench) -> String {
    let words = bench.write("words.txt", "red fox\nblue whale\ngreen frog\n");
    let out = bench.path("out");
    let run = ["run", "factory", "-i", &words, "--count", "3", "--out", &out.to_string_lossy()];
    let settings = ["--set", "generate.sizes=256x256", "--set", "qc.min_contrast=127", "--set", "qc.min_side=16"];
    let summary = bench.answer(3, &[&run[..], &settings, &["-o", "json"]].concat());
    assert_eq!(count(&summary, "rejected"), 3, "{summary}");
    summary["job"].as_str().unwrap().to_owned()
}

fn ids(bench: &Bench, job: &str) -> Vec<String> {
    let items = bench.answer(0, &["items", "list", job, "-o", "json"]);
    items.as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
}

/// Whether each published file has metadata in it.
fn described(bench: &Bench) -> Vec<bool> {
    let has = |path: std::path::PathBuf| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(10).any(|window| window == b"<x:xmpmeta")
    };
    std::fs::read_dir(bench.path("out")).unwrap().map(|entry| has(entry.unwrap().path())).collect()
}

fn files(bench: &Bench) -> usize {
    std::fs::read_dir(bench.path("out")).map_or(0, Iterator::count)
}

#[test]
fn rejected_items_begin_a_round_with_other_settings_and_the_check_is_not_repeated() {
    let bench = Bench::new();
    let job = rejected(&bench);
    assert_eq!(files(&bench), 0);
    let asked = ["jobs", "retry", &job, "--from", "process", "--set", "process.sharpen=8"];
    // Nobody can be asked here, and a dry run changes nothing.
    assert_eq!(bench.run(&asked).status.code(), Some(2));
    let would = bench.answer(0, &[&asked[..], &["--dry-run", "-o", "json"]].concat());
    assert!(would.as_array().unwrap().iter().all(|item| item["round"] == 2 && item["applied"] == false), "{would}");
    assert_eq!(bench.job(&job)["status"], "failed");
    let done = bench.answer(0, &[&asked[..], &["--yes", "--by", "anna", "--reason", "soft", "-o", "json"]].concat());
    assert!(done.as_array().unwrap().iter().all(|item| item["applied"] == true), "{done}");
    assert_eq!((count(&bench.job(&job), "pending"), bench.job(&job)["ended_at"].clone()), (3, Value::Null));
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    let after = bench.job(&job);
    assert_eq!((after["status"].as_str(), count(&after, "succeeded"), files(&bench)), (Some("completed"), 3, 3));
    // Which settings made which file, and the first one is there.
    let item = bench.answer(0, &["items", "show", &ids(&bench, &job)[0], "-o", "json"]);
    let state = |name: &str| {
        let stages = item["stages"].as_array().unwrap();
        stages.iter().find(|stage| stage["stage"] == name).unwrap()["state"].clone()
    };
    assert_eq!((state("qc")["is"].as_str(), state("qc")["why"].as_str()), (Some("skipped"), Some("not_repeated")));
    let made = item["files"].as_array().unwrap();
    let of = |stage: &str| made.iter().find(|file| file["stage"] == stage).unwrap();
    assert_eq!((&of("generate")["round"], &of("generate")["revision"]), (&Value::from(1), &Value::from(0)));
    assert_eq!((&of("process")["round"], &of("process")["revision"]), (&Value::from(2), &Value::from(1)));
    assert_ne!(of("generate")["settings_hash"], of("process")["settings_hash"]);
    assert_eq!((&item["reviews"][0]["actor"], &item["reviews"][0]["reason"]), (&"anna".into(), &"soft".into()));
    let shown = stdout(&bench.run(&["items", "show", &ids(&bench, &job)[0]]));
    assert!(shown.contains("revision 1") && shown.contains("of the submit"), "{shown}");
    assert_eq!(described(&bench), [true; 3]);
    // Another round keeps what it is told to leave out, and publishes the picture that is new, not the old one with a title in it.
    bench
        .answer(0, &["items", "retry", &ids(&bench, &job)[0], "--from", "process", "--skip", "metadata", "-o", "json"]);
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    let again = bench.answer(0, &["items", "show", &ids(&bench, &job)[0], "-o", "json"]);
    let rounds = |stage: &str| -> Vec<u64> {
        let results = again["results"].as_array().unwrap().iter().filter(|result| result["stage"] == stage);
        results.map(|result| result["round"].as_u64().unwrap()).collect()
    };
    assert_eq!((rounds("process"), rounds("metadata"), rounds("publish")), (vec![2, 3], vec![2], vec![2, 3]));
    assert_eq!(files(&bench), 3, "the same item writes the same file");
    assert_eq!(described(&bench).into_iter().filter(|described| !described).count(), 1);
}

#[test]
fn an_approval_publishes_and_a_discard_only_marks() {
    let bench = Bench::new();
    let job = rejected(&bench);
    let items = ids(&bench, &job);
    bench.answer(0, &["items", "approve", &items[0], "--by", "bob", "--reason", "fine", "-o", "json"]);
    bench.answer(0, &["items", "discard", &items[1], "-o", "json"]);
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    let after = bench.job(&job);
    assert_eq!((count(&after, "succeeded"), count(&after, "rejected"), files(&bench)), (1, 2, 1));
    assert_eq!((after["status"].as_str(), count(&after, "planned")), (Some("completed_with_failures"), 3));
    let marked = bench.answer(0, &["items", "show", &items[1], "-o", "json"]);
    assert_eq!((&marked["status"], &marked["reviews"][0]["decision"]), (&"rejected".into(), &"discard".into()));
    let approved = bench.answer(0, &["items", "show", &items[0], "-o", "json"]);
    assert_eq!((&approved["round"], &approved["reviews"][0]["actor"]), (&Value::from(2), &"bob".into()));
}

#[test]
fn what_cannot_be_decided_is_refused_in_one_line_and_changes_nothing() {
    let bench = Bench::new();
    let job = rejected(&bench);
    let item = ids(&bench, &job)[0].clone();
    let before = bench.job(&job);
    let refusals: [(&[&str], &str); 7] = [
        (&["items", "retry", &item, "--from", "nowhere"], "no stage `nowhere`"),
        (&["items", "retry", &item, "--from", "metadata", "--set", "process.sharpn=1"], "did you mean `sharpen`"),
        (&["items", "retry", &item, "--set", "generate.variations=4"], "cannot change how many items"),
        (&["items", "retry", &item, "--from", "publish"], "needs `process`"),
        (&["items", "retry", &item, "--from", "qc", "--only", "qc"], "cannot be used with"),
        (&["items", "approve", "ffffffff"], "no item `ffffffff`"),
        (&["items", "discard", &item, "--by", " "], "--by is empty"),
    ];
    for (arguments, words) in refusals {
        let output = bench.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
    assert_eq!(bench.job(&job), before);
    bench.answer(0, &["items", "retry", &item, "-o", "json"]);
    let twice = bench.run(&["items", "retry", &item]);
    assert!(stderr(&twice).contains("has not ended"), "{}", stderr(&twice));
}

#[test]
fn a_rerun_is_linked_says_what_changed_and_makes_other_pictures() {
    let bench = Bench::new();
    let job = rejected(&bench);
    let made = bench.answer(0, &["jobs", "rerun", &job, "--set", "qc.min_contrast=1", "-o", "json"]);
    let new = made[0]["id"].as_str().unwrap().to_owned();
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    let record = bench.job(&new);
    assert_eq!((record["parent"].as_str(), record["status"].as_str()), (Some(job.as_str()), Some("completed")));
    let changed = record["changed"].as_array().unwrap();
    assert_eq!((changed.len(), &changed[0]["setting"]), (1, &"qc.min_contrast".into()), "{changed:?}");
    let digest = |job: &str| {
        let item = bench.answer(0, &["items", "show", &ids(&bench, job)[0], "-o", "json"]);
        item["files"].as_array().unwrap().iter().find(|file| file["stage"] == "generate").unwrap()["file"].clone()
    };
    assert_ne!(digest(&job)["digest"], digest(&new)["digest"]);
    // Several take turns, by a key that is stored with them.
    let several = bench.answer(0, &["jobs", "rerun", &job, &new, "-o", "json"]);
    let keys: Vec<&Value> = several.as_array().unwrap().iter().map(|job| &job["key"]).collect();
    assert!(keys[0].is_string() && keys[0] == keys[1], "{keys:?}");
    assert_eq!(several[0]["key_limit"], 1);
}

#[test]
fn a_query_or_ids_choose_what_is_listed_and_what_is_retried() {
    let bench = Bench::new();
    let job = rejected(&bench);
    let names = |query: &str| -> Vec<String> {
        let items = bench.answer(0, &["items", "list", &job, "--where", query, "-o", "json"]);
        items.as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    };
    let all = names("");
    assert_eq!(all.len(), 3);
    for (query, many) in [
        ("state:rejected stage:qc", 3),
        ("-stage:qc", 0),
        ("state:succeeded state:rejected", 0),
        ("code:low_contrast", 3),
        ("contrast<127 qc.contrast>=0", 3),
        ("qc.contrast>127", 0),
        ("\"red FOX\"", 1),
        ("keyword:*whale", 1),
        ("round>1", 0),
        ("cost=0 -keyword:\"green frog\"", 2),
    ] {
        assert_eq!(names(query).len(), many, "{query}");
    }
    for (query, word) in
        [("stage:qx", "did you mean `qc`"), ("state:done", "succeeded"), ("contrast<high", "column 10")]
    {
        for asked in [["items", "list", &job, "--where", query], ["jobs", "retry", &job, "--where", query]] {
            let output = bench.run(&asked);
            assert_eq!(output.status.code(), Some(2), "{query}");
            assert!(stderr(&output).contains(word), "{query}: {}", stderr(&output));
        }
    }
    let whale = ["jobs", "retry", &job, "--from", "process", "--where", "keyword:*whale", "--yes", "-o", "json"];
    let done = bench.answer(0, &whale);
    assert_eq!((done.as_array().unwrap().len(), &done[0]["applied"]), (1, &true.into()));
    let all = ids(&bench, &job);
    let two = format!("{},{}", all[0], all[2]);
    let done = bench.answer(0, &["jobs", "retry", &job, "--from", "process", "--ids", &two, "--yes", "-o", "json"]);
    assert_eq!(done.as_array().unwrap().len(), 2);
    assert_eq!(count(&bench.job(&job), "pending"), 3);
    let other = rejected(&bench);
    let output = bench.run(&["jobs", "retry", &other, "--ids", &all[0], "--yes"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("another job"), "{}", stderr(&output));
}

#[test]
fn a_rerun_that_reuses_says_before_what_it_would_do() {
    let bench = Bench::new();
    let job = rejected(&bench);
    let would = bench.answer(0, &["jobs", "rerun", &job, "--reuse", "--dry-run", "-o", "json"]);
    assert_eq!((&would[0]["parent"], &would[0]["planned"]), (&job.as_str().into(), &3.into()));
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]).as_array().unwrap().len(), 1);
    let new = bench.answer(0, &["jobs", "rerun", &job, "--reuse", "-o", "json"]);
    let shown = bench.job(new[0]["id"].as_str().unwrap());
    assert_eq!(shown["seed"], bench.job(&job)["seed"], "without it no request is the same");
    assert_eq!(shown["changed"], serde_json::json!([{"setting": "job.cache", "was": "off", "is": "exact"}]));
}

#[test]
fn a_bulk_rerun_goes_one_at_a_time_and_survives_a_kill() {
    let bench = Bench::new();
    let old: Vec<String> = (0..5).map(|number| bench.submit(2, &["--label", &format!("old {number}")])).collect();
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    let mut asked = vec!["jobs", "rerun"];
    asked.extend(old.iter().map(String::as_str));
    asked.extend(["--idempotency-key", "monday", "-o", "json"]);
    let new = bench.answer(0, &asked);
    let id = |job: &Value| job["id"].as_str().unwrap().to_owned();
    let new: Vec<String> = new.as_array().unwrap().iter().map(id).collect();
    // Whoever was cut off asks again, and nothing is made twice.
    let again = bench.answer(0, &asked);
    assert_eq!(again.as_array().unwrap().iter().map(id).collect::<Vec<_>>(), new);
    let mut worker = bench.worker(&[]);
    bench.wait(&new[1], |job| !job["started_at"].is_null());
    worker.child.kill().unwrap();
    worker.child.wait().unwrap();
    bench.answer(0, &["worker", "--drain", "-o", "json"]);
    let mut times = Vec::new();
    for (new, old) in new.iter().zip(&old) {
        let job = bench.job(new);
        assert_eq!(
            (&job["status"], &job["parent"], count(&job, "succeeded")),
            (&"completed".into(), &old.as_str().into(), 2)
        );
        times.push((job["started_at"].as_str().unwrap().to_owned(), job["ended_at"].as_str().unwrap().to_owned()));
    }
    times.sort();
    assert!(times.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one at a time: {times:?}");
}
