//! Commands that only look.

use crate::bench::{Bench, stderr, stdout};

#[test]
fn help_and_version_are_there_for_every_command() {
    let bench = Bench::new();
    let commands = "run submit worker pipelines jobs queue workers gates items logs errors config providers store doctor completions";
    for command in commands.split(' ').chain([""]) {
        let arguments: Vec<&str> = [command, "--help"].into_iter().filter(|word| !word.is_empty()).collect();
        let output = bench.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(stdout(&output).contains("Usage: pipeline"), "{command}");
    }
    assert!(stdout(&bench.run(&["--version"])).starts_with("pipeline "));
    assert!(!bench.home().exists());
}

#[test]
fn events_are_replayed_from_any_place() {
    let bench = Bench::new();
    let summary = bench.factory();
    let id = summary["job"].as_str().unwrap();
    let all = bench.answer(0, &["jobs", "watch", id, "-o", "json"]);
    let all = all.as_array().unwrap();
    assert_eq!((&all[0]["seq"], &all[0]["event"]), (&1.into(), &"submitted".into()));
    assert_eq!(all.last().unwrap()["event"], "finished");
    let seqs: Vec<i64> = all.iter().map(|event| event["seq"].as_i64().unwrap()).collect();
    assert_eq!(seqs, (1..=all.len() as i64).collect::<Vec<_>>(), "no gaps");
    let tail = bench.answer(0, &["jobs", "watch", id, "--from", "5", "-o", "json"]);
    assert_eq!(tail.as_array().unwrap(), &all[4..]);
    assert_eq!(bench.answer(0, &["jobs", "watch", id, "--from", "9999", "-o", "json"]), serde_json::json!([]));
    let lines = stdout(&bench.run(&["jobs", "watch", id, "--from", "2", "-o", "ndjson"]));
    let lines: Vec<serde_json::Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines, &all[1..], "one event a line");
    let lines = stdout(&bench.run(&["jobs", "watch", id]));
    assert!(lines.contains("red sunset: generate done"), "{lines}");
    let csv = stdout(&bench.run(&["jobs", "watch", id, "-o", "csv"]));
    assert!(csv.starts_with("seq,at,event,item,name,kind,stage,text\n"), "{csv}");
    assert_eq!(csv.lines().count(), all.len() + 1);
}

#[test]
fn config_says_where_every_value_comes_from() {
    let bench = Bench::new();
    let file = bench.write("house.toml", "[process]\nsharpen = 4.0\nsaturation = 1.5\n");
    let mut command = bench.command(&["config", "show", "factory", "--origin", "--settings", &file, "-o", "json"]);
    command.args(["--set", "generate.variations=3", "--set", "process.format=png", "--set", "process.quality=50"]);
    let output = command.env("PIPELINE_SET__PROCESS__SATURATION", "2").output().unwrap();
    let rows: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    let row = |name: &str| rows.iter().find(|row| row["setting"] == name).unwrap();
    assert_eq!(row("qc.min_side")["origin"], "built in");
    assert_eq!(row("publish.name")["origin"], "pipeline");
    assert_eq!(row("process.sharpen")["origin"], format!("file {file}"));
    assert_eq!(row("process.saturation")["value"], 2.0);
    assert_eq!(row("process.saturation")["origin"], "environment PIPELINE_SET__PROCESS__SATURATION");
    assert_eq!(
        (&row("generate.variations")["value"], &row("generate.variations")["origin"]),
        (&3.into(), &"argument --set".into())
    );
    assert!(row("process.quality")["not_applied"].is_string(), "{}", row("process.quality"));
    let table = stdout(&bench.run(&["config", "show", "factory", "--set", "process.quality=50"]));
    assert!(table.contains("not applied ("), "{table}");
}

#[test]
fn presets_are_described_drawn_and_valid() {
    let bench = Bench::new();
    let list = bench.answer(0, &["pipelines", "list", "-o", "json"]);
    for preset in list.as_array().unwrap() {
        let name = preset["name"].as_str().unwrap();
        let shown = bench.answer(0, &["pipelines", "show", name, "-o", "json"]);
        assert!(shown["stages"].as_array().unwrap().iter().all(|stage| stage["settings"].is_array()));
        assert!(stdout(&bench.run(&["pipelines", "graph", name])).contains("publish"));
        assert!(stdout(&bench.run(&["pipelines", "graph", name, "--dot"])).starts_with("digraph"));
        assert_eq!(bench.answer(0, &["pipelines", "validate", name, "-o", "json"])["valid"], true);
    }
    let table = stdout(&bench.run(&["pipelines", "show", "factory"]));
    assert!(table.contains("an integer from 1 to 20"), "{table}");
}

#[test]
fn doctor_finds_a_good_home_good_and_a_bad_one_bad() {
    let bench = Bench::new();
    let checks = bench.answer(0, &["doctor", "-o", "json"]);
    assert!(checks.as_array().unwrap().iter().all(|check| check["state"] != "wrong"), "{checks}");
    let file = bench.write("file", "x");
    let output = bench.run(&["--home", &file, "doctor", "-o", "json"]);
    assert_eq!(output.status.code(), Some(1), "{}", stderr(&output));
}

#[test]
fn providers_and_completions_are_printed() {
    let bench = Bench::new();
    let providers = bench.answer(0, &["providers", "list", "-o", "json"]);
    assert!(providers.as_array().unwrap().iter().any(|provider| provider["name"] == "procedural"));
    assert!(stdout(&bench.run(&["completions", "bash"])).contains("_pipeline"));
}

#[test]
fn whoever_acts_for_an_owner_sees_only_what_is_theirs() {
    let bench = Bench::new();
    let job = bench.submit(1, &["--as", "ann"]);
    assert_eq!(bench.job(&job)["owner"], "ann");
    let list = |owner: &str| bench.answer(0, &["jobs", "list", "--as", owner, "-o", "json"]);
    assert_eq!((list("ann").as_array().unwrap().len(), list("bob")), (1, serde_json::json!([])));
    for asked in [&["jobs", "show", &job][..], &["jobs", "cancel", &job], &["items", "list", &job], &["logs", &job]] {
        let output = bench.run(&[asked, &["--as", "bob"]].concat());
        assert_eq!(output.status.code(), Some(2), "{asked:?}: {}", stderr(&output));
        assert!(stderr(&output).contains("there is no job"), "{}", stderr(&output));
    }
    let output = bench.run(&["worker", "--as", "ann"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("every owner"), "{}", stderr(&output));
    assert_eq!(bench.run(&["jobs", "list", "--as", " "]).status.code(), Some(2));
    bench.answer(0, &["jobs", "resume", &job, "--as", "ann", "-o", "json"]);
    assert_eq!(bench.job(&job)["status"], "completed");
}
