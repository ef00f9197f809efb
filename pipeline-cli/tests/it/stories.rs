//! Looking closer: what a code means, the stages of a job, the story of an item, retries, and the archive of a job.

use serde_json::Value;

use crate::bench::{Bench, stderr, stdout};

#[test]
fn a_code_is_looked_up_by_its_name_its_id_or_what_it_was_called() {
    let bench = Bench::new();
    let all = bench.answer(0, &["errors", "-o", "json"]);
    assert!(all.as_array().unwrap().len() >= 18, "{all}");
    for name in ["timeout", "P106", "NETWORK_TIMEOUT"] {
        let one = bench.answer(0, &["errors", name, "-o", "json"]);
        assert_eq!((&one["code"], &one["support_id"]), (&"timeout".into(), &"P106".into()), "{name}");
    }
    assert!(stdout(&bench.run(&["errors", "p106"])).contains("what to do next"));
    let wrong = bench.run(&["errors", "nonsense"]);
    assert_eq!(wrong.status.code(), Some(2));
    assert!(stderr(&wrong).contains("no code `nonsense`") && stderr(&wrong).contains("code: P301 request"));
}

/// Three pictures that the check rejects, one of them in a second round; returns the job and that item.
fn retried(bench: &Bench) -> (String, String) {
    let job = bench.submit(3, &["--set", "qc.min_contrast=127", "--set", "qc.min_side=16", "--label", "quagga label"]);
    bench.run(&["worker", "--drain"]);
    let items = bench.answer(0, &["items", "list", &job, "-o", "json"]);
    let item = items[1]["id"].as_str().unwrap().to_owned();
    let asked = ["items", "retry", &item, "--from", "qc", "--set", "qc.min_contrast=100"];
    bench.answer(0, &[&asked[..], &["--by", "anna", "--reason", "too strict", "-o", "json"]].concat());
    (job, item)
}

#[test]
fn a_retry_is_told_in_the_queue_in_the_story_and_in_the_table_of_the_stages() {
    let bench = Bench::new();
    let (job, item) = retried(&bench);
    let retries = |more: &[&str]| bench.answer(0, &[&["jobs", "retries", "-o", "json"], more].concat());
    let pending = retries(&[]);
    assert_eq!((pending.as_array().unwrap().len(), &pending[0]["state"]), (1, &"pending".into()), "{pending}");
    assert_eq!(
        (&pending[0]["by"], &pending[0]["from"], &pending[0]["round"]),
        (&"anna".into(), &"qc".into(), &2.into())
    );
    bench.run(&["worker", "--drain"]);
    assert_eq!(retries(&[&job, "--state", "failed"])[0]["status"], "rejected");
    assert_eq!(retries(&["--state", "pending,running,done"]), Value::Array(Vec::new()));
    let number = pending[0]["number"].to_string();
    assert_eq!(retries(&["--before", &number]), Value::Array(Vec::new()));
    let told = bench.answer(0, &["items", "explain", &item, "-o", "json"]);
    let rounds = told["rounds"].as_array().unwrap();
    assert_eq!((rounds.len(), &rounds[0]["began"], &rounds[1]["began"]), (2, &"submit".into(), &"retry".into()));
    assert_eq!((&rounds[1]["by"]["actor"], &rounds[1]["revision"]), (&"anna".into(), &1.into()));
    assert_eq!(rounds[1]["changed"][0]["setting"], "qc.min_contrast");
    assert_ne!(rounds[0]["settings_hash"], rounds[1]["settings_hash"]);
    let stop = rounds[1]["steps"].as_array().unwrap().iter().find(|step| step["stage"] == "qc").unwrap();
    assert_eq!((&stop["step"], &stop["stop"]["stop"]), (&"result".into(), &"rejected".into()), "{stop}");
    assert_eq!(told["ending"]["reasons"][0]["code"], "low_contrast", "{}", told["ending"]);
    let next = told["next"].as_array().unwrap();
    assert!(next.iter().any(|next| next["action"] == "approve" && next["can"] == true), "{next:?}");
    let text = stdout(&bench.run(&["items", "explain", &item]));
    for word in
        ["round 1", "round 2", "wanted again from qc on by anna: too strict", "pipeline items approve", "rejected"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
    let shown = bench.answer(0, &["jobs", "show", &job, "-o", "json"]);
    let stages = shown["stages"].as_array().unwrap();
    let qc = stages.iter().find(|stage| stage["name"] == "qc").unwrap();
    assert_eq!((&qc["states"]["rejected"], &qc["attempts"], &qc["results"]), (&3.into(), &4.into(), &4.into()), "{qc}");
    assert!(qc["p95_ms"].as_f64().unwrap() >= qc["median_ms"].as_f64().unwrap());
    assert!(stdout(&bench.run(&["jobs", "show", &job])).contains("3 rejected"));
    let made = bench.answer(0, &["jobs", "rerun", &job, "-o", "json"]);
    assert_eq!(bench.job(&job)["reruns"], Value::Array(vec![made[0]["id"].clone()]));
    let wrong = bench.run(&["items", "explain", "ffffffff"]);
    assert_eq!(wrong.status.code(), Some(2));
}

#[test]
fn an_archive_holds_no_text_and_is_never_written_over_a_file() {
    let bench = Bench::new();
    let (job, _) = retried(&bench);
    let path = bench.path("a.tar.gz");
    let file = path.to_string_lossy().into_owned();
    let made = bench.answer(0, &["jobs", "bundle", &job, "-f", &file, "-o", "json"]);
    let documents: Vec<&str> = made["documents"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(documents.contains(&"manifest.json") && documents.contains(&"doctor.json"), "{documents:?}");
    let packed = std::fs::read(&path).unwrap();
    assert_eq!((&packed[..2], packed.len() as u64), (&[0x1f, 0x8b][..], made["bytes"].as_u64().unwrap()));
    let again = bench.run(&["jobs", "bundle", &job, "-f", &file]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("is there already"), "{}", stderr(&again));
    assert_eq!(std::fs::read(&path).unwrap(), packed);
    let nowhere = bench.path("none/a.tar.gz");
    assert_eq!(bench.run(&["jobs", "bundle", &job, "-f", &nowhere.to_string_lossy()]).status.code(), Some(2));
}
