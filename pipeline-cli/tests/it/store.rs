//! Looking after the store: backup and restore, proof, and what is removed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::bench::{Bench, count, stderr};

/// The files of artifacts below a folder.
fn files(folder: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.insert(path);
        }
    }
    found
}

fn age(path: &Path) {
    let file = std::fs::File::options().append(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_hours(48)).unwrap();
}

/// Lays a file among the artifacts that no record names.
fn plant(bench: &Bench, name: &str) -> PathBuf {
    let digest = pipeline_core::id::Digest::of(name.as_bytes()).to_hex();
    let folder = bench.home().join("artifacts").join(&digest[..2]).join(&digest[2..4]);
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(&digest), name).unwrap();
    folder.join(digest)
}

#[test]
fn a_backup_taken_while_a_job_runs_is_restored_elsewhere_and_the_job_goes_on_there() {
    let (bench, other) = (Bench::new(), Bench::new());
    let id = bench.submit(30, &[]);
    let worker = bench.worker(&["--concurrency", "2"]);
    bench.wait(&id, |job| count(job, "succeeded") >= 3);
    let folder = bench.path("backups").to_string_lossy().into_owned();
    let report = bench.answer(0, &["store", "backup", &folder, "-o", "json"]);
    assert_eq!(report["missing"], 0, "{report}");
    assert!(report["artifacts"].as_u64().unwrap() >= 3, "{report}");
    let before = bench.job(&id);
    assert!(count(&before, "succeeded") < 30, "the job ended before the backup was taken: {before}");
    worker.signal("-TERM");
    worker.end();
    let restored = other.answer(0, &["store", "restore", &folder, "-o", "json"]);
    assert_eq!(restored["artifacts"], report["artifacts"]);
    let verified = other.answer(0, &["store", "verify", "-o", "json"]);
    assert_eq!((&verified["clean"], &verified["jobs"]), (&true.into(), &1.into()), "{verified}");
    let there = other.job(&id);
    assert!(count(&there, "succeeded") >= 3 && count(&there, "succeeded") < 30, "{there}");
    other.answer(0, &["worker", "--drain", "-o", "json"]);
    let ended = other.job(&id);
    assert_eq!((&ended["status"], count(&ended, "succeeded")), (&"completed".into(), 30), "{ended}");
    assert_eq!(other.answer(0, &["store", "verify", "-o", "json"])["clean"], true);
    // Nothing was taken from the first store.
    assert_eq!(bench.answer(0, &["store", "verify", "-o", "json"])["clean"], true);
}

#[test]
fn a_backup_is_restored_neither_over_a_store_nor_when_it_is_damaged() {
    let (bench, other) = (Bench::new(), Bench::new());
    bench.factory();
    let folder = bench.path("backups").to_string_lossy().into_owned();
    let path = bench.answer(0, &["store", "backup", &folder, "-o", "json"])["path"].as_str().unwrap().to_owned();
    let refused = bench.run(&["store", "restore", &folder]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("a store is there already"), "{}", stderr(&refused));
    let absent = other.run(&["store", "restore", &other.path("nothing").to_string_lossy()]);
    assert_eq!(absent.status.code(), Some(2), "{}", stderr(&absent));
    let artifact = files(&Path::new(&path).join("artifacts")).into_iter().next().unwrap();
    let content = std::fs::read(&artifact).unwrap();
    // The file in the backup may be a link to the one in use.
    std::fs::remove_file(&artifact).unwrap();
    std::fs::write(&artifact, &content[1..]).unwrap();
    let damaged = other.run(&["store", "restore", &folder]);
    assert_eq!(damaged.status.code(), Some(1), "{}", stderr(&damaged));
    assert!(stderr(&damaged).contains("damaged"), "{}", stderr(&damaged));
    assert!(!other.home().join("pipeline.db").exists(), "half a store was made");
    std::fs::write(&artifact, content).unwrap();
    other.answer(0, &["store", "restore", &path, "-o", "json"]);
    assert_eq!(other.answer(0, &["store", "verify", "-o", "json"])["clean"], true);
}

#[test]
fn old_backups_go_once_a_new_one_is_whole() {
    let bench = Bench::new();
    let folder = bench.path("backups").to_string_lossy().into_owned();
    let early = bench.run(&["store", "backup", &folder]);
    assert_eq!(early.status.code(), Some(2), "there is no store yet: {}", stderr(&early));
    bench.factory();
    let mut taken = Vec::new();
    for _ in 0..3 {
        let report = bench.answer(0, &["store", "backup", &folder, "--keep", "2", "-o", "json"]);
        taken.push(report["path"].as_str().unwrap().to_owned());
    }
    let there: Vec<bool> = taken.iter().map(|path| Path::new(path).exists()).collect();
    assert_eq!(there, [false, true, true]);
    let wrong = bench.run(&["store", "backup", &folder, "--keep", "0"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    let postgres = bench.run(&["store", "backup", &folder, "--store", "postgres://me:secret@127.0.0.1:1/none"]);
    assert!(!stderr(&postgres).contains("secret"), "{}", stderr(&postgres));
}

#[test]
fn gc_removes_exactly_the_orphans_that_were_planted() {
    let bench = Bench::new();
    bench.factory();
    let artifacts = bench.home().join("artifacts");
    let named = files(&artifacts);
    for path in &named {
        age(path);
    }
    let old = BTreeSet::from([plant(&bench, "one"), plant(&bench, "two")]);
    for path in &old {
        age(path);
    }
    let young = plant(&bench, "young");
    let dry = bench.answer(0, &["store", "gc", "--dry-run", "-o", "json"]);
    assert_eq!(files(&artifacts).len(), named.len() + 3);
    let done = bench.answer(0, &["store", "gc", "-o", "json"]);
    assert_eq!(done, dry);
    let told: BTreeSet<String> =
        done.as_array().unwrap().iter().map(|file| file["digest"].as_str().unwrap().to_owned()).collect();
    let planted = old.iter().map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(told, planted);
    let mut left = named;
    left.insert(young);
    assert_eq!(files(&artifacts), left);
    assert_eq!(bench.answer(0, &["store", "verify", "-o", "json"])["clean"], true);
    let wrong = bench.run(&["store", "gc", "--grace", "soon"]);
    assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
}

#[test]
fn what_is_wrong_is_told_with_its_place_and_exit_code_1() {
    let bench = Bench::new();
    bench.factory();
    let stats = bench.answer(0, &["store", "stats", "-o", "json"]);
    let there = files(&bench.home().join("artifacts"));
    assert_eq!(stats["artifacts"]["count"], there.len(), "{stats}");
    assert_eq!((&stats["records"]["jobs"], &stats["records"]["items"]), (&1.into(), &2.into()), "{stats}");
    let lost = there.iter().next_back().unwrap();
    std::fs::remove_file(lost).unwrap();
    let report = bench.answer(1, &["store", "verify", "-o", "json"]);
    let breaches: Vec<&Value> = report["breaches"].as_array().unwrap().iter().collect();
    assert_eq!((report["clean"].as_bool(), breaches.len()), (Some(false), 1), "{report}");
    let digest = lost.file_name().unwrap().to_string_lossy();
    assert!(breaches[0]["message"].as_str().unwrap().contains(&*digest), "{report}");
    assert!(breaches[0]["place"].as_str().unwrap().contains(' '), "{report}");
}

#[test]
fn a_migration_is_told_before_and_after_it_is_applied() {
    let bench = Bench::new();
    let check = bench.answer(0, &["store", "migrate", "--check", "-o", "json"]);
    assert_eq!((&check["schema"], &check["applied"]), (&0.into(), &serde_json::json!([])), "{check}");
    assert!(!bench.home().exists(), "a look made something");
    let done = bench.answer(0, &["store", "migrate", "-o", "json"]);
    assert_eq!((&done["applied"], &done["schema"]), (&check["pending"], &check["newest"]), "{done}");
    let again = bench.answer(0, &["store", "migrate", "-o", "json"]);
    assert_eq!((&again["applied"], &again["pending"]), (&serde_json::json!([]), &serde_json::json!([])), "{again}");
    let memory = bench.run(&["store", "migrate", "--store", "memory:"]);
    assert_eq!(memory.status.code(), Some(2), "{}", stderr(&memory));
}

#[test]
fn a_dry_run_names_exactly_the_jobs_that_prune_removes() {
    let bench = Bench::new();
    bench.factory();
    bench.factory();
    let later = bench.submit(1, &["--at", "+1h"]);
    let jobs = |bench: &Bench| {
        let list = bench.answer(0, &["jobs", "list", "-o", "json"]);
        list.as_array().unwrap().iter().map(|job| job["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let all = jobs(&bench);
    assert_eq!(all.len(), 3);
    let nothing = bench.answer(0, &["store", "prune", "--older-than", "1d", "--yes", "-o", "json"]);
    assert_eq!(nothing, serde_json::json!([]));
    let failed = ["store", "prune", "--older-than", "1s", "--state", "failed,cancelled", "--yes", "-o", "json"];
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(bench.answer(0, &failed), serde_json::json!([]));
    let dry = bench.answer(0, &["store", "prune", "--older-than", "1s", "--dry-run", "-o", "json"]);
    assert_eq!(jobs(&bench), all, "a dry run removes nothing");
    let asked = bench.run(&["store", "prune", "--older-than", "1s"]);
    assert_eq!(asked.status.code(), Some(2), "nobody can be asked: {}", stderr(&asked));
    let done = bench.answer(0, &["store", "prune", "--older-than", "1s", "--yes", "-o", "json"]);
    assert_eq!(done, dry);
    assert_eq!(done.as_array().unwrap().len(), 2);
    assert_eq!(jobs(&bench), [later]);
    assert_eq!(bench.answer(0, &["store", "verify", "-o", "json"])["clean"], true);
    assert_eq!(bench.answer(0, &["store", "stats", "-o", "json"])["records"]["results"], 0);
    for wrong in [&["store", "prune", "--older-than", "1d", "--state", "running", "--yes"][..], &["store", "prune"]] {
        let wrong = bench.run(wrong);
        assert_eq!(wrong.status.code(), Some(2), "{}", stderr(&wrong));
    }
}

#[test]
fn a_job_is_renamed_and_deleted_only_once_it_has_ended() {
    let bench = Bench::new();
    let id = bench.submit(1, &["--at", "+1h"]);
    let renamed = bench.answer(0, &["jobs", "rename", &id, "winter tales", "-o", "json"]);
    assert_eq!(renamed["label"], "winter tales");
    let refused = bench.run(&["jobs", "delete", "winter tales"]);
    assert_eq!(refused.status.code(), Some(2), "{}", stderr(&refused));
    assert!(stderr(&refused).contains("has not ended"), "{}", stderr(&refused));
    let empty = bench.run(&["jobs", "rename", &id, " "]);
    assert_eq!(empty.status.code(), Some(2), "{}", stderr(&empty));
    assert_eq!(bench.job("winter tales")["status"], "queued");
    bench.answer(0, &["jobs", "cancel", &id, "-o", "json"]);
    bench.answer(0, &["jobs", "delete", "winter tales", "-o", "json"]);
    let gone = bench.run(&["jobs", "show", &id]);
    assert_eq!(gone.status.code(), Some(2), "{}", stderr(&gone));
    assert_eq!(bench.answer(0, &["store", "verify", "-o", "json"])["clean"], true);
}
