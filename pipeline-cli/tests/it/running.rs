//! Jobs from the first command to the finished files.

use std::path::Path;

use crate::bench::{Bench, count, stderr, stdout};

#[test]
fn a_factory_run_makes_files_and_says_so_in_json() {
    let bench = Bench::new();
    let summary = bench.factory();
    let fields: Vec<&str> = summary.as_object().unwrap().keys().map(String::as_str).collect();
    let words =
        "job label status counts cost_micros estimated_cost_micros calls reused estimated_calls duration_ms out files";
    assert_eq!(fields.join(" "), words);
    let counts: Vec<&str> = summary["counts"].as_object().unwrap().keys().map(String::as_str).collect();
    let words = "planned pending running waiting succeeded filtered rejected undecided failed cancelled";
    assert_eq!(counts.join(" "), words);
    assert_eq!(summary["status"], "completed");
    assert_eq!(count(&summary, "succeeded"), 2);
    let files = summary["files"].as_array().unwrap();
    assert_eq!(files.len(), 2);
    for file in files {
        let path = Path::new(file.as_str().unwrap());
        assert!(path.is_absolute() && path.starts_with(bench.path("out")), "{}", path.display());
        assert!(std::fs::metadata(path).unwrap().len() > 500);
    }
    assert_eq!(std::fs::read_dir(bench.path("out")).unwrap().count(), 2, "no stray files");
}

#[test]
fn a_dry_run_says_what_it_would_do_and_stores_nothing() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a\nb\n");
    let preview = bench
        .answer(0, &["run", "factory", "-i", &keywords, "--set", "generate.variations=3", "--dry-run", "-o", "json"]);
    assert_eq!((&preview["items"], &preview["planned"]), (&2.into(), &6.into()));
    assert_eq!(preview["cost"], 0);
    assert!(preview["stages"].as_array().unwrap().iter().any(|stage| stage["kind"] == "image.generate"));
    assert!(!bench.home().exists(), "looking makes nothing");
    let text = bench.run(&["run", "factory", "-i", &keywords, "--dry-run"]);
    assert!(stderr(&text).contains("nothing was spent"), "{}", stderr(&text));
    assert!(stdout(&text).contains("image.generate"));
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]), serde_json::json!([]));
}

#[test]
fn jobs_are_listed_newest_first_and_found_by_beginning_and_label() {
    let bench = Bench::new();
    let first = bench.factory();
    let keywords = bench.write("one.txt", "blue");
    let run = ["run", "factory", "-i", &keywords, "--set", "generate.sizes=256x256", "--label", "second one", "-q"];
    let output = bench.run(&run);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains("1 succeeded"), "{}", stdout(&output));
    let list = bench.answer(0, &["jobs", "list", "-o", "json"]);
    let jobs = list.as_array().unwrap();
    assert_eq!(jobs.len(), 2);
    assert_eq!((&jobs[0]["label"], &jobs[1]["id"]), (&"second one".into(), &first["job"]));
    for job in jobs {
        assert_eq!(job["status"], "completed");
        count(job, "succeeded");
    }
    let id = first["job"].as_str().unwrap();
    assert_eq!(bench.answer(0, &["jobs", "show", &id[..18], "-o", "json"])["id"], id);
    assert_eq!(bench.answer(0, &["jobs", "show", "second one", "-o", "json"])["id"], jobs[0]["id"]);
    let ambiguous = bench.run(&["jobs", "show", &id[..4]]);
    assert_eq!(ambiguous.status.code(), Some(2));
    assert!(stderr(&ambiguous).contains("more than one") && stderr(&ambiguous).contains(id), "{}", stderr(&ambiguous));
}

#[test]
fn an_ended_job_is_not_resumed() {
    let bench = Bench::new();
    let summary = bench.factory();
    let output = bench.run(&["jobs", "resume", summary["job"].as_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("has ended: it is completed"), "{}", stderr(&output));
    let output = bench.run(&["jobs", "cancel", summary["job"].as_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn an_interrupted_job_ends_in_order_and_is_resumed_to_its_end() {
    use std::io::{BufRead, BufReader};
    use std::process::{Command, Stdio};

    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", numbered(40));
    let out = bench.path("out");
    let mut child = Command::new(assert_cmd::cargo::cargo_bin("pipeline"))
        .args(["run", "factory", "-i", &keywords, "--set", "generate.sizes=512x512", "--set", "job.concurrency=1"])
        .args(["-o", "json", "--out", &out.to_string_lossy()])
        .env("PIPELINE_HOME", bench.home())
        .stderr(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let first = lines.next().unwrap().unwrap();
    assert!(first.starts_with("job "), "{first}");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let id = first.split(' ').nth(1).unwrap();
    let refused = bench.run(&["jobs", "resume", id]);
    assert_eq!(refused.status.code(), Some(1), "{}", stderr(&refused));
    assert!(stderr(&refused).contains(&format!("pid = {}", child.id())), "{}", stderr(&refused));
    let sent = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let id = summary["job"].as_str().unwrap().to_owned();
    assert_eq!(output.status.code(), Some(130), "{rest:?}");
    assert!(rest.iter().any(|line| line.contains("pipeline jobs resume")), "{rest:?}");
    assert!(count(&summary, "succeeded") < 40);
    let resumed = bench.command(&["jobs", "resume", &id, "-o", "json"]).output().unwrap();
    let summary: serde_json::Value = serde_json::from_slice(&resumed.stdout).unwrap();
    assert_eq!(count(&summary, "planned"), 40, "{}", stderr(&resumed));
    assert_eq!(summary["counts"]["pending"], 0);
    let files = std::fs::read_dir(&out).unwrap().count() as u64;
    assert_eq!(files, count(&summary, "succeeded"));
}

#[cfg(unix)]
fn numbered(count: u32) -> String {
    (0..count).map(|number| format!("stone {number}")).collect::<Vec<_>>().join("\n")
}
