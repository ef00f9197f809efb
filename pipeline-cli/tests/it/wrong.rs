//! Wrong requests: one clear error each, exit 2, nothing stored.

use crate::bench::{Bench, stderr, stdout};

/// Wants exit 2 and every one of these words on stderr.
fn refused(bench: &Bench, arguments: &[&str], words: &[&str]) {
    let output = bench.run(arguments);
    let text = stderr(&output);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {text}");
    assert_eq!(stdout(&output), "", "{arguments:?}");
    for word in words {
        assert!(text.contains(word), "{arguments:?} does not say {word}: {text}");
    }
}

#[test]
fn wrong_arguments_are_refused() {
    let bench = Bench::new();
    refused(&bench, &["frobnicate"], &["frobnicate"]);
    refused(&bench, &["run"], &["PRESET|FILE"]);
    refused(&bench, &["run", "factory", "--count", "0"], &["--count", "0"]);
    refused(&bench, &["run", "factry"], &["factry", "did you mean `factory`?"]);
    refused(&bench, &["run", "missing.toml"], &["missing.toml"]);
    refused(&bench, &["--store", "mysql://u:secret@h/d", "jobs", "list"], &["mysql", "sqlite:PATH"]);
    refused(&bench, &["--artifacts", "gs://u:secret@h", "jobs", "list"], &["gs", "s3://BUCKET/PREFIX"]);
    refused(&bench, &["--artifacts", "s3://u:secret@h/p", "jobs", "list"], &["--artifacts", "s3://BUCKET/PREFIX"]);
    refused(&bench, &["jobs", "show", "abc"], &["at least 4"]);
    refused(&bench, &["jobs", "show", "abcd"], &["no job `abcd`"]);
    refused(&bench, &["jobs", "show", "0198c1a2-7c3e-7000-8000-000000000000"], &["no job"]);
    refused(&bench, &["items", "show", "0198c1a2-7c3e-7000-8000-000000000000"], &["no item"]);
    assert!(!bench.home().exists(), "nothing was made");
}

#[test]
fn numbers_are_refused_with_what_is_accepted() {
    let bench = Bench::new();
    for (arguments, accepted) in [
        (&["worker", "--lease", "1"][..], "from 3 to 3600"),
        (&["worker", "--lease", "soon"], "from 3 to 3600"),
        (&["worker", "--concurrency", "0"], "from 1 to"),
        (&["worker", "--poll", "0"], "from 1 to 3600000"),
        (&["worker", "--drain-timeout", "x"], "from 0 to 86400"),
        (&["submit", "factory", "--count", "-3"], "from 1 to"),
        (&["submit", "factory", "--priority", "high"], "from -2147483648 to"),
        (&["submit", "factory", "--key", "a", "--key-limit", "0"], "from 1 to"),
        (&["jobs", "list", "--limit", "0"], "from 1 to"),
    ] {
        refused(&bench, arguments, &[accepted]);
    }
    assert!(!bench.home().exists(), "nothing was made");
}

#[test]
fn a_store_that_cannot_be_reached_is_named_without_its_password_and_nothing_is_made() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a");
    let url = "postgres://me:hunter2@127.0.0.1:1/jobs";
    for command in [
        &["jobs", "list"][..],
        &["queue", "status"],
        &["worker"],
        &["worker", "--drain"],
        &["submit", "factory", "-i", &keywords],
        &["run", "factory", "-i", &keywords],
    ] {
        let output = bench.run(&[&["--store", url], command].concat());
        let text = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{command:?}: {text}");
        for word in ["cannot reach the store", "postgres://me@127.0.0.1:1/jobs", "hint: ", "PIPELINE_STORE"] {
            assert!(text.contains(word), "{command:?} does not say {word}: {text}");
        }
        assert!(!text.contains("hunter2") && text.lines().count() == 3, "{text}");
    }
    assert!(!bench.home().exists(), "nothing was made");
}

#[test]
fn a_store_that_cannot_be_looked_at_is_not_taken_for_an_empty_one() {
    let bench = Bench::new();
    let file = bench.write("file", "no folder");
    let output = bench.run(&["--store", &format!("sqlite:{file}/jobs.db"), "jobs", "list"]);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{}", stderr(&output));
    assert!(stderr(&output).contains(&file), "{}", stderr(&output));
}

#[test]
fn wrong_settings_are_refused_all_at_once() {
    let bench = Bench::new();
    let keywords = bench.write("keywords.txt", "a");
    let base = ["run", "factory", "-i", &keywords];
    let with = |more: &[&'static str]| base.iter().copied().chain(more.iter().copied()).collect::<Vec<_>>();
    refused(&bench, &with(&["--set", "generate.variatons=4"]), &["variatons", "did you mean `variations`?"]);
    refused(&bench, &with(&["--set", "generate.variations=99"]), &["99", "1 to 20"]);
    refused(&bench, &with(&["--set", "generate"]), &["generate", "stage.key=value"]);
    // What two checks would refuse is told by the one that says more.
    let output = bench.run(&with(&["--set", "generate.variations=0"]));
    assert_eq!(stderr(&output).matches("error: ").count(), 1, "{}", stderr(&output));
    refused(
        &bench,
        &with(&["--set", "generate.variations=x", "--set", "process.sharpen=77"]),
        &["generate.variations", "process.sharpen"],
    );
    refused(
        &bench,
        &with(&["--set", "sizes", "--set", "qc.min_side=wide", "--settings", "nowhere.toml"]),
        &["nowhere.toml"],
    );
    refused(
        &bench,
        &with(&["--set", "sizes", "--set", "qc.min_side=wide"]),
        &["`sizes` is not an assignment", "qc.min_side"],
    );
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]), serde_json::json!([]));
}

#[test]
fn wrong_inputs_are_refused() {
    let bench = Bench::new();
    refused(&bench, &["run", "factory"], &["keywords"]);
    refused(&bench, &["run", "factory", "-i", "nowhere.txt"], &["nowhere.txt"]);
    let empty = bench.write("empty.txt", "\n\n");
    refused(&bench, &["run", "factory", "-i", &empty], &["empty.txt", "at least one"]);
    let table = bench.write("table.csv", "name,color\ncat,red\n");
    refused(&bench, &["run", "factory", "-i", &table, "--set", "keywords.column=animal"], &["animal", "name"]);
    refused(&bench, &["run", "enhance", "-i", "/nowhere/at/all"], &["/nowhere/at/all"]);
    let file = bench.write("file", "x");
    let keywords = bench.write("keywords.txt", "a");
    let below = format!("{file}/below");
    refused(&bench, &["run", "factory", "-i", &keywords, "--out", &below], &["out", "below", "accepted"]);
    assert_eq!(bench.answer(0, &["jobs", "list", "-o", "json"]), serde_json::json!([]));
}

#[test]
fn a_wrong_pipeline_file_is_reported_with_places() {
    let bench = Bench::new();
    let file = bench.write("bad.toml", "name = \"bad\"\n[stages.a]\nkind = \"source.keyword\"\nneed = []\n");
    refused(&bench, &["pipelines", "validate", &file], &["bad.toml:3", "bad.toml:4", "did you mean"]);
    let report = bench.answer(2, &["pipelines", "validate", &file, "-o", "json"]);
    assert_eq!(report["valid"], false);
    assert!(report["problems"].as_array().unwrap().len() >= 2);
}

#[test]
fn escapes_in_names_never_reach_the_terminal() {
    let bench = Bench::new();
    let output = bench.run(&["jobs", "show", "\u{1b}[31mred"]);
    assert!(!stderr(&output).contains('\u{1b}'), "{:?}", stderr(&output));
    let keywords = bench.write("keywords.txt", "a\u{1b}[2Jb\n");
    let run = ["run", "factory", "-i", &keywords, "--set", "generate.sizes=256x256", "--label", "x\u{1b}]0;y\u{7}"];
    let output = bench.run(&run);
    assert!(!stdout(&output).contains('\u{1b}') && !stderr(&output).contains('\u{1b}'), "{}", stdout(&output));
    for command in [["jobs", "list"], ["logs", "x\u{1b}]0;y\u{7}"], ["jobs", "show"]] {
        let output = bench.run(&command);
        assert!(!stdout(&output).contains('\u{1b}'), "{}", stdout(&output));
    }
}
