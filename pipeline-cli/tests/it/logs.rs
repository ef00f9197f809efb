//! The logs of jobs.

use serde_json::Value;

use crate::bench::{Bench, stderr, stdout};

/// The steps of the lines, each once.
fn steps(lines: &Value) -> Vec<&str> {
    let mut steps: Vec<&str> = lines.as_array().unwrap().iter().map(|line| line["step"].as_str().unwrap()).collect();
    steps.sort_unstable();
    steps.dedup();
    steps
}

#[test]
fn the_standard_view_tells_what_became_of_stages_and_the_debug_view_every_step() {
    let bench = Bench::new();
    let job = bench.submit(2, &["--out", &bench.path("out").to_string_lossy()]);
    let run = bench.run(&["jobs", "resume", &job, "--keep-logs", "debug", "-q"]);
    assert_eq!(run.status.code(), Some(0), "{}", stderr(&run));
    let standard = bench.answer(0, &["logs", &job, "-o", "json"]);
    assert_eq!(steps(&standard), ["done", "published", "verdict"]);
    let text = stdout(&bench.run(&["logs", &job]));
    assert!(text.contains("info   #1 stone 0") && text.contains("generate    done"), "{text}");
    let debug = bench.answer(0, &["logs", &job, "--debug", "-o", "json"]);
    assert!(["claim", "commit", "encode", "prompt-send", "put"].iter().all(|step| steps(&debug).contains(step)));
    let encoded = bench.answer(0, &["logs", &job, "--step", "encode", "--stage", "process", "-o", "json"]);
    let encoded = encoded.as_array().unwrap();
    assert!(encoded.len() == 2 && encoded.iter().all(|line| line["seconds"].as_f64().unwrap() > 0.0), "{encoded:?}");
    let item = encoded[0]["item"].as_str().unwrap();
    let own = bench.answer(0, &["logs", "--item", item, "--since", "1h", "-o", "json"]);
    assert!(own.as_array().unwrap().iter().all(|line| line["item"] == item), "{own}");
    assert_eq!(bench.answer(0, &["logs", &job, "--errors", "-o", "json"]), serde_json::json!([]));
    let followed = bench.answer(0, &["logs", &job, "--follow", "-o", "json"]);
    assert_eq!(followed, standard, "a job that has ended is followed to its end");
    let stats = bench.answer(0, &["store", "stats", "-o", "json"]);
    assert_eq!(stats["logs"]["entries"], debug.as_array().unwrap().len());
    let deleted = bench.run(&["jobs", "delete", &job]);
    assert_eq!(deleted.status.code(), Some(0), "{}", stderr(&deleted));
    assert_eq!(bench.answer(0, &["logs", "--debug", "-o", "json"]), serde_json::json!([]));
}

#[test]
fn an_export_is_a_new_file_of_a_known_kind() {
    let bench = Bench::new();
    let summary = bench.factory();
    let job = summary["job"].as_str().unwrap();
    let (csv, lines) = (bench.path("logs.csv"), bench.path("logs.ndjson"));
    let export = |file: &std::path::Path, more: &[&str]| {
        let file = file.to_string_lossy().into_owned();
        bench.run(&[&["logs", job, "--export", &file], more].concat())
    };
    assert_eq!(export(&csv, &[]).status.code(), Some(0));
    assert_eq!(export(&lines, &[]).status.code(), Some(0));
    let shown = bench.answer(0, &["logs", job, "-o", "json"]);
    let written = std::fs::read_to_string(&lines).unwrap();
    let written: Vec<Value> = written.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(&written, shown.as_array().unwrap());
    let text = std::fs::read_to_string(&csv).unwrap();
    assert!(text.starts_with("seq,at,level,job,item,name,stage,step,attempt,code,seconds,message\n"), "{text}");
    assert_eq!(text.lines().count(), written.len() + 1);
    std::fs::write(&csv, "mine").unwrap();
    let refused = export(&csv, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("--force"), "{}", stderr(&refused));
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), "mine");
    assert_eq!(export(&csv, &["--force"]).status.code(), Some(0));
    assert_eq!(std::fs::read_to_string(&csv).unwrap(), text);
    let wrong = export(&bench.path("logs.xlsx"), &[]);
    assert!(wrong.status.code() == Some(2) && stderr(&wrong).contains(".ndjson or .csv"), "{}", stderr(&wrong));
    let left = std::fs::read_dir(bench.path(""))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().contains(".part"));
    assert_eq!(left.count(), 0, "nothing half-written is left");
}

#[test]
fn what_is_not_known_is_refused_with_what_is() {
    let bench = Bench::new();
    let summary = bench.factory();
    let job = summary["job"].as_str().unwrap();
    for (arguments, expected) in [
        (["--level", "loud"], "warn"),
        (["--step", "sned"], "prompt-send"),
        (["--stage", "nowhere"], "keywords, prompt, generate"),
        (["--since", "soon"], "10m"),
        (["--item", "ffffffff"], "no item"),
        (["--keep-logs", "some"], "debug"),
    ] {
        let output = bench.run(&[&["logs", job], &arguments[..]].concat());
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(expected), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn lines_of_long_ago_are_removed_and_the_jobs_stay() {
    let bench = Bench::new();
    let summary = bench.factory();
    let count = bench.answer(0, &["logs", "-o", "json"]).as_array().unwrap().len();
    assert!(count > 0, "{summary}");
    let prune = |more: &[&str]| bench.answer(0, &[&["store", "prune", "--logs-only", "-o", "json"], more].concat());
    assert_eq!(prune(&["--older-than", "1d", "--yes"])["entries"], 0);
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    assert_eq!(prune(&["--older-than", "1s", "--dry-run"])["entries"], count);
    assert_eq!(prune(&["--older-than", "1s", "--yes"])["entries"], count);
    assert_eq!(bench.answer(0, &["logs", "-o", "json"]), serde_json::json!([]));
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]).as_array().unwrap().len(), 1);
}
