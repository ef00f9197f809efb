//! Lists with filters and cursors, templates, saved settings and recurring jobs.

use serde_json::Value;

use crate::bench::{Bench, stderr, stdout};

fn labels(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|job| job["label"].as_str().unwrap()).collect()
}

/// The last line says how to go on; returns the cursor in it.
fn cursor(said: &str) -> String {
    said.rsplit_once("--cursor ").unwrap_or_else(|| panic!("no cursor in {said}")).1.trim().to_owned()
}

#[test]
fn jobs_are_filtered_sorted_and_paged() {
    let bench = Bench::new();
    for (label, priority) in [("cat b", "1"), ("cat a", "2"), ("dog", "0")] {
        bench.submit(1, &["--label", label, "--priority", priority]);
    }
    bench.run(&["jobs", "pause", "dog"]);
    let list = |more: &[&str]| bench.answer(0, &[&["jobs", "list", "-o", "json"], more].concat());
    assert_eq!(labels(&list(&[])), ["dog", "cat a", "cat b"]);
    assert_eq!(labels(&list(&["--sort", "label"])), ["cat a", "cat b", "dog"]);
    assert_eq!(labels(&list(&["--sort", "-priority", "--label", "cat*"])), ["cat a", "cat b"]);
    assert_eq!(labels(&list(&["--status", "paused,failed"])), ["dog"]);
    assert_eq!(labels(&list(&["--pipeline", "factory", "--owner", "system", "--since", "2020-01-01"])).len(), 3);
    for none in [["--pipeline", "screen"], ["--owner", "ann"], ["--until", "2020-01-01"], ["--label", "cat"]] {
        assert_eq!(list(&none), serde_json::json!([]), "{none:?}");
    }
    assert_eq!(list(&["--has-retries"]), serde_json::json!([]));
    assert!(stdout(&bench.run(&["jobs", "list", "--label", "x"])).contains("no such jobs"));

    let first = bench.run(&["jobs", "list", "--sort", "label", "--limit", "2"]);
    let next = cursor(&stderr(&first));
    assert_eq!(labels(&list(&["--cursor", &next])), ["dog"], "a cursor brings its order along");
    let rows = list(&["--sort", "label"]);
    assert_eq!(rows[1]["cursor"], next.as_str());
    let last = bench.run(&["jobs", "list", "--cursor", &next]);
    assert!(!stderr(&last).contains("--cursor"), "the last page is the last");

    let parent = list(&["--label", "cat a"])[0]["id"].as_str().unwrap().to_owned();
    bench.run(&["jobs", "rerun", &parent, "--label", "again"]);
    assert_eq!(labels(&list(&["--parent", "cat a"])), ["again"]);
}

#[test]
fn a_wrong_filter_order_or_cursor_is_refused_with_what_is_accepted() {
    let bench = Bench::new();
    let id = bench.submit(1, &[]);
    let next = bench.answer(0, &["jobs", "list", "-o", "json"])[0]["cursor"].as_str().unwrap().to_owned();
    for (arguments, words) in [
        (vec!["jobs", "list", "--status", "done"], "completed_with_failures"),
        (vec!["jobs", "list", "--sort", "size"], "created, ended, priority, label, cost"),
        (vec!["jobs", "list", "--cursor", "abc"], "earlier page"),
        (vec!["jobs", "list", "--cursor", &next, "--sort", "label"], "another order"),
        (vec!["jobs", "list", "--since", "soon"], "2026-11-23"),
        (vec!["items", "list", &id, "--stage", "paint"], "generate"),
        (vec!["items", "list", &id, "--code", "bad"], "crash_loop"),
        (vec!["items", "list", &id, "--cursor", "x"], "earlier page"),
    ] {
        let output = bench.run(&arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(stderr(&output).contains(words), "{arguments:?}: {}", stderr(&output));
    }
}

#[test]
fn items_are_filtered_by_what_ended_them_and_paged() {
    let bench = Bench::new();
    let id = bench.submit(3, &["--set", "qc.min_contrast=127"]);
    bench.run(&["worker", "--drain"]);
    let list = |more: &[&str]| bench.answer(0, &[&["items", "list", &id, "-o", "json"], more].concat());
    let all = list(&[]).as_array().unwrap().len();
    assert_eq!(all, 3);
    let rejected = list(&["--stage", "qc"]).as_array().unwrap().len();
    assert_eq!(rejected, list(&["--status", "rejected"]).as_array().unwrap().len());
    assert!(rejected > 0, "nothing was rejected");
    assert_eq!(list(&["--code", "timeout"]), serde_json::json!([]));
    assert_eq!(list(&["--round", "1"]).as_array().unwrap().len(), 3);
    let first = bench.run(&["items", "list", &id, "--limit", "2"]);
    let next = cursor(&stderr(&first));
    assert_eq!(list(&["--cursor", &next]).as_array().unwrap().len(), 1);
    assert_eq!(list(&["--limit", "2"])[1]["cursor"], next.as_str());
}

#[test]
fn a_job_becomes_a_template_that_runs_again_with_other_settings() {
    let bench = Bench::new();
    let id = bench.submit(2, &["--set", "generate.variations=2", "--priority", "4"]);
    let saved = bench.run(&["jobs", "save-as", &id, "cats"]);
    assert!(stdout(&saved).contains("pipeline run cats"), "{}", stdout(&saved));
    let run = bench.answer(0, &["submit", "cats", "-o", "json"]);
    assert_eq!((&run["counts"]["planned"], &run["priority"]), (&4.into(), &4.into()));
    let run = bench.answer(0, &["submit", "cats", "--set", "generate.variations=3", "--priority", "1", "-o", "json"]);
    assert_eq!((&run["counts"]["planned"], &run["priority"]), (&6.into(), &1.into()));
    let other = bench.write("other.txt", "one");
    let run = bench.answer(0, &["submit", "cats", "-i", &other, "-o", "json"]);
    assert_eq!(run["counts"]["planned"], 2, "other inputs take the place of its own");
    let shown = stdout(&bench.run(&["templates", "show", "cats"]));
    assert!(shown.contains("generate.variations") && shown.contains("factory"), "{shown}");
    assert_eq!(bench.answer(0, &["templates", "list", "-o", "json"])[0]["name"], "cats");
    for (arguments, words) in [
        (["jobs", "save-as", &id, "cats"], "--replace"),
        (["jobs", "save-as", &id, "factory"], "preset"),
        (["jobs", "save-as", &id, "a/b"], "accepted"),
    ] {
        let output = bench.run(&arguments);
        assert_eq!((output.status.code(), stderr(&output).contains(words)), (Some(2), true), "{}", stderr(&output));
    }
    assert_eq!(bench.run(&["jobs", "save-as", &id, "cats", "--replace"]).status.code(), Some(0));
    assert_eq!(bench.run(&["templates", "rm", "cats"]).status.code(), Some(0));
    let gone = bench.run(&["submit", "cats"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(stderr(&gone).contains("template"), "{}", stderr(&gone));
    assert_eq!(bench.run(&["templates", "show", "cats"]).status.code(), Some(2));
}

#[test]
fn saved_settings_stand_between_files_and_the_command_line() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a");
    let file = bench.write("house.toml", "[generate]\nvariations = 4\n");
    bench.run(&["settings", "save", "two", "--set", "generate.variations=2"]);
    let planned = |more: &[&str]| {
        bench.answer(0, &[&["submit", "factory", "-i", &keywords, "-o", "json"], more].concat())["counts"]["planned"]
            .clone()
    };
    assert_eq!(planned(&["--with", "two"]), 2);
    assert_eq!(planned(&["--settings", &file, "--with", "two"]), 2);
    assert_eq!(planned(&["--with", "two", "--set", "generate.variations=3"]), 3);
    let id = bench.submit(1, &["--set", "generate.variations=5", "--out", &bench.path("out").to_string_lossy()]);
    bench.run(&["settings", "save", "five", "--from", &id]);
    assert_eq!(planned(&["--with", "two", "--with", "five"]), 5);
    let shown = stdout(&bench.run(&["settings", "show", "five"]));
    assert!(shown.contains("generate.variations") && !shown.contains("folder"), "{shown}");
    bench.run(&["settings", "save", "wrong", "--set", "generate.nothing=1"]);
    for (arguments, words) in [
        (vec!["submit", "factory", "-i", &keywords, "--with", "three"], "there are five, two, wrong"),
        (vec!["submit", "factory", "-i", &keywords, "--with", "wrong"], "settings wrong"),
        (vec!["settings", "save", "two", "--set", "generate.variations=9"], "--replace"),
        (vec!["settings", "rm", "none"], "there are five"),
    ] {
        let output = bench.run(&arguments);
        assert_eq!((output.status.code(), stderr(&output).contains(words)), (Some(2), true), "{}", stderr(&output));
    }
}

#[test]
fn a_request_that_names_nothing_makes_no_home() {
    let bench = Bench::new();
    for arguments in [&["run", "cats"][..], &["submit", "factory", "--with", "none"], &["schedules", "rm", "none"]] {
        assert_eq!(bench.run(arguments).status.code(), Some(2), "{arguments:?}");
        assert!(!bench.home().join("pipeline.db").exists());
    }
}

#[test]
fn a_recurring_job_is_stored_checked_paused_and_removed() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a\nb");
    let every = ["run", "factory", "-i", &keywords, "--timezone", "UTC", "--every"];
    for (more, words) in [
        (&["61 * * * *"][..], "five fields"),
        (&["daily"], "daily"),
        (&["0 6 * * *", "--label", "a b"], "accepted"),
        (&["0 6 * * *", "--set", "generate.nothing=1"], "generate.nothing"),
        (&["0 6 * * *", "--at", "22:00"], "--at"),
    ] {
        let output = bench.run(&[&every[..], more].concat());
        assert_eq!((output.status.code(), stderr(&output).contains(words)), (Some(2), true), "{}", stderr(&output));
        assert_eq!(bench.answer(0, &["schedules", "list", "-o", "json"]), serde_json::json!([]));
    }
    let stored = bench.answer(0, &[&every[..], &["0 6 * * *", "-o", "json"]].concat());
    assert_eq!(
        (&stored["name"], &stored["timezone"], &stored["paused"]),
        (&"factory".into(), &"UTC".into(), &false.into())
    );
    assert!(stored["next_at"].as_str().unwrap().ends_with("T06:00:00Z"), "{stored}");
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]), serde_json::json!([]), "nothing runs now");
    let second = bench.answer(0, &[&every[..], &["@weekly", "-o", "json"]].concat());
    assert_eq!(second["name"], "factory-2");
    assert_eq!(bench.answer(0, &["schedules", "pause", "factory", "-o", "json"])["paused"], true);
    assert!(stdout(&bench.run(&["schedules", "list"])).contains("paused"));
    assert_eq!(bench.answer(0, &["schedules", "resume", "factory", "-o", "json"])["next_at"], stored["next_at"]);
    assert!(stdout(&bench.run(&["schedules", "show", "factory"])).contains("0 6 * * * (UTC)"));
    assert_eq!(bench.run(&["schedules", "rm", "factory"]).status.code(), Some(0));
    let gone = bench.run(&["schedules", "rm", "factory"]);
    assert_eq!(gone.status.code(), Some(2));
    assert!(stderr(&gone).contains("there are factory-2"), "{}", stderr(&gone));
}
