//! Kills the running program without warning, again and again, and goes on with the job each time.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::bench::{Bench, count};

/// Finished files by name: when they were written, and their length.
fn finished(out: &Path) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let Ok(entries) = std::fs::read_dir(out) else { return BTreeMap::new() };
    let files = entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e == "png"));
    files
        .map(|path| {
            let metadata = std::fs::metadata(&path).unwrap();
            (path, (metadata.modified().unwrap(), metadata.len()))
        })
        .collect()
}

fn start(bench: &Bench, arguments: &[&str]) -> Child {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin("pipeline"));
    command.args(arguments).env("PIPELINE_HOME", bench.home()).stderr(Stdio::piped()).stdout(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until at least `more` files are there than `before`, or the program has ended.
fn wait_for(out: &Path, before: usize, more: usize, child: &mut Child) {
    let end = Instant::now() + Duration::from_secs(120);
    while Instant::now() < end && finished(out).len() < before + more && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// How many images; `PIPELINE_KILL_IMAGES=200` makes the long run.
fn images() -> u64 {
    std::env::var("PIPELINE_KILL_IMAGES").ok().and_then(|text| text.parse().ok()).unwrap_or(40)
}

#[test]
fn a_killed_job_goes_on_without_making_a_finished_image_again() {
    let bench = Bench::new();
    let images = images();
    let keywords: String = (0..images).map(|number| format!("glass garden {number}")).collect::<Vec<_>>().join("\n");
    let keywords = bench.write("keywords.txt", keywords);
    let out = bench.path("out");
    let folder = out.to_string_lossy().into_owned();
    let small =
        ["--set", "generate.sizes=256x256", "--set", "qc.reject_duplicates=false", "--set", "qc.min_sharpness=0"];
    let run = [&["run", "factory", "-i", &keywords, "--out", &folder, "-o", "json"][..], &small].concat();
    let mut child = start(&bench, &run);
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let job = lines.next().unwrap().unwrap().split(' ').nth(1).unwrap().to_owned();
    let mut kept: BTreeMap<PathBuf, (SystemTime, u64)> = BTreeMap::new();
    for kill in 0..4 {
        wait_for(&out, kept.len(), 1 + kill * 3, &mut child);
        child.kill().unwrap();
        child.wait().unwrap();
        let now = finished(&out);
        for (path, written) in &kept {
            assert_eq!(now.get(path), Some(written), "{} was made again", path.display());
        }
        // A file that is there although its commit is not is written once more with the same content; only what is
        // recorded as succeeded must not be touched.
        let items =
            bench.answer(0, &["items", "list", &job, "--status", "succeeded", "--limit", "10000", "-o", "json"]);
        let done = items.as_array().unwrap().len();
        assert!(done <= now.len(), "{done} succeeded, but only {} files are there", now.len());
        kept = recorded(&bench, &items, &now);
        assert_eq!(kept.len(), done, "every succeeded item has its file");
        child = start(&bench, &["jobs", "resume", &job, "-o", "json"]);
    }
    child.wait().unwrap();
    let summary = bench.answer(0, &["jobs", "show", &job, "-o", "json"]);
    assert_eq!(summary["status"], "completed");
    assert_eq!(count(&summary, "succeeded"), images);
    let now = finished(&out);
    for (path, written) in &kept {
        assert_eq!(now.get(path), Some(written), "{} was made again", path.display());
    }
    let all: Vec<_> = std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(all.len() as u64, images, "stray files: {all:?}");
}

/// Picks the files that succeeded items say they published.
fn recorded(
    bench: &Bench,
    items: &Value,
    files: &BTreeMap<PathBuf, (SystemTime, u64)>,
) -> BTreeMap<PathBuf, (SystemTime, u64)> {
    let mut kept = BTreeMap::new();
    for item in items.as_array().unwrap() {
        let shown = bench.answer(0, &["items", "show", item["id"].as_str().unwrap(), "-o", "json"]);
        let text = shown.to_string();
        let file = files.iter().find(|(path, _)| text.contains(&*path.to_string_lossy()));
        if let Some((path, written)) = file {
            kept.insert(path.clone(), *written);
        }
    }
    kept
}
