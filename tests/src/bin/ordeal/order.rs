//! The order in which files and records reach the disk, read from a trace of the real program.

use std::collections::HashMap;
use std::path::Path;

use tokio::process::Command;

use super::bench::{Bench, Wanted};
use super::{Options, books};

const CALLS: &str = "trace=openat,write,writev,pwrite64,fsync,fdatasync,link,linkat,rename,renameat,renameat2";

/// One call of the system. It began and ended at these lines of the trace.
struct Call {
    began: usize,
    ended: usize,
    name: String,
    text: String,
}

pub(crate) async fn run(options: &Options) -> Vec<String> {
    if Command::new("strace").arg("-V").output().await.is_err() {
        println!("skipped: strace is not installed");
        return Vec::new();
    }
    let bench = Bench::start(Wanted { store: "sqlite".to_owned(), ..Wanted::of(options) }).await;
    let trace = bench.folder.path().join("trace");
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-s", "70000", "-e", CALLS, "-o"]).arg(&trace);
    let traced = bench.command(&["run", "factory", "--count", "1", "--set", "qc.enabled=false", "-o", "json"]);
    let traced = traced.as_std();
    command.arg(traced.get_program()).args(traced.get_args());
    command.args(["--set", "generate.sizes=128x128", "-i"]).arg(&bench.keywords).arg("--out").arg(&bench.out);
    let output = command.output().await.unwrap();
    if !output.status.success() {
        return vec![format!("the run failed: {}", String::from_utf8_lossy(&output.stderr).trim())];
    }
    let text = String::from_utf8_lossy(&std::fs::read(&trace).unwrap()).into_owned();
    let calls = read(&text);
    let mut problems = Vec::new();
    let artifacts = books::files(&bench.home.join("artifacts"));
    println!("{} calls traced, {} artifacts", calls.len(), artifacts.len());
    if artifacts.is_empty() {
        problems.push("the run has made no artifact".to_owned());
    }
    for path in artifacts {
        let digest = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (steps, missing) = follow(&calls, &path, Some(&digest));
        tell(&digest.chars().take(12).collect::<String>(), &steps);
        problems.extend(missing.map(|step| format!("{digest}: {step}")));
    }
    for path in books::files(&bench.out) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let (steps, missing) = follow(&calls, &path, None);
        tell(&name, &steps);
        problems.extend(missing.map(|step| format!("{name}: {step}")));
    }
    problems
}

fn tell(what: &str, steps: &[(String, usize)]) {
    let steps: Vec<String> = steps.iter().map(|(step, line)| format!("{step} ({line})")).collect();
    println!("{what}: {}", steps.join(" → "));
}

/// Follows a file to the disk, and what refers to it; returns the steps with their lines, and the first one that is not
/// there in its place.
fn follow(calls: &[Call], path: &Path, digest: Option<&str>) -> (Vec<(String, usize)>, Option<String>) {
    let mut steps = Vec::new();
    let place = path.to_string_lossy().into_owned();
    let placed = calls.iter().find(|call| {
        ["link", "rename"].iter().any(|name| call.name.starts_with(name)) && quoted(&call.text).get(1) == Some(&place)
    });
    let Some(placed) = placed else { return (steps, Some("it was not put in place by a link or a rename".to_owned())) };
    let source = quoted(&placed.text).first().cloned().unwrap_or_default();
    let of = |call: &Call, file: &str| call.text.contains(&format!("<{file}>"));
    let written = calls.iter().rfind(|call| call.name.contains("write") && of(call, &source));
    let Some(written) = written else { return (steps, Some("nobody wrote it".to_owned())) };
    steps.push(("write".to_owned(), written.ended));
    let mut at = written;
    let mut next = |what: &str, wanted: &dyn Fn(&Call) -> bool| {
        let found = calls.iter().find(|call| call.began > at.ended && wanted(call));
        match found {
            Some(call) => {
                at = call;
                steps.push((what.to_owned(), call.ended));
                None
            }
            None => Some(format!("no {what} after that")),
        }
    };
    let synced = |call: &Call, file: &str| call.name.contains("sync") && of(call, file);
    let folder = path.parent().unwrap_or(Path::new("/")).to_string_lossy().into_owned();
    let missing = next("sync of the file", &|call| synced(call, &source))
        .or_else(|| next(&placed.name, &|call| call.began == placed.began))
        .or_else(|| next("sync of its folder", &|call| synced(call, &folder)));
    let Some(digest) = digest.filter(|_| missing.is_none()) else { return (steps, missing) };
    let is_log = |call: &Call| call.text.contains("pipeline.db-wal>");
    let refers = |call: &Call| call.name.contains("write") && is_log(call) && call.text.contains(digest);
    let durable = at.ended;
    if calls.iter().any(|call| call.began <= durable && refers(call)) {
        return (steps, Some("a record named it before it was on the disk".to_owned()));
    }
    let mut next = |what: &str, wanted: &dyn Fn(&Call) -> bool| {
        let found = calls.iter().find(|call| call.began > at.ended && wanted(call));
        found.map(|call| {
            at = call;
            steps.push((what.to_owned(), call.ended));
        })
    };
    let committed =
        next("record", &refers).and_then(|()| next("sync of the record", &|c| c.name.contains("sync") && is_log(c)));
    let missing = committed.is_none().then(|| "no durable record names it".to_owned());
    (steps, missing)
}

/// Returns the quoted words of a call.
fn quoted(text: &str) -> Vec<String> {
    text.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Reads the trace; a call that another thread interrupted is put together again.
fn read(text: &str) -> Vec<Call> {
    let mut open: HashMap<&str, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (line, (thread, rest)) in text.lines().filter_map(|line| line.split_once(' ')).enumerate() {
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            open.insert(thread, (line, begun.to_owned()));
            continue;
        }
        let (began, text) = match rest.strip_prefix("<... ").and_then(|rest| rest.split_once("resumed>")) {
            Some((_, end)) => match open.remove(thread) {
                Some((began, begun)) => (began, begun + end),
                None => continue,
            },
            None => (line, rest.to_owned()),
        };
        let Some((name, _)) = text.split_once('(') else { continue };
        // What failed has done nothing.
        if !text.contains(" = -1 ") {
            calls.push(Call { began, ended: line, name: name.to_owned(), text });
        }
    }
    calls
}
