//! Artifacts in a bucket of S3.

use std::process::Output;

use pipeline_testkit::moto::MotoServer;

use crate::bench::{Bench, stderr, stdout};

/// Runs the program with keys in its environment, and the endpoint there.
fn run(bench: &Bench, endpoint: &str, arguments: &[&str]) -> Output {
    let mut command = bench.command(arguments);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ENDPOINT_URL", endpoint).env("AWS_ACCESS_KEY_ID", "AKIAHIDDEN");
    command.env("AWS_SECRET_ACCESS_KEY", "hidden-secret").output().unwrap()
}

#[test]
fn a_missing_key_is_told_when_the_machine_has_none_either() {
    let bench = Bench::new();
    let mut command = bench.command(&["--artifacts", "s3://photos", "doctor"]);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1").env("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stdout(&output).contains("AWS_ACCESS_KEY_ID is not set"), "{}", stdout(&output));
}

#[test]
fn a_job_keeps_its_files_in_the_bucket_and_none_in_the_home() {
    let Some(server) = MotoServer::shared() else { return };
    let (bench, bucket) = (Bench::new(), server.create_bucket());
    let (endpoint, place) = (format!("http://{}", server.address()), format!("s3://{bucket}/team"));
    let doctor = run(&bench, &endpoint, &["--artifacts", &place, "doctor"]);
    assert_eq!(doctor.status.code(), Some(0), "{}", stdout(&doctor));
    assert!(stdout(&doctor).contains(&place), "{}", stdout(&doctor));
    let (keywords, out) = (bench.write("keywords.txt", "red sunset\n"), bench.path("out"));
    let out = out.to_string_lossy();
    let words = ["--artifacts", &place, "run", "factory", "-i", &keywords, "--set", "generate.sizes=256x256"];
    let made = run(&bench, &endpoint, &[&words[..], &["--out", &out]].concat());
    assert_eq!(made.status.code(), Some(0), "{}", stderr(&made));
    assert!(!bench.home().join("artifacts").exists());
}

#[test]
fn doctor_says_what_is_wrong_with_the_bucket_and_no_key() {
    let bench = Bench::new();
    let doctor = |endpoint: &str, place: &str| {
        let output = run(&bench, endpoint, &["--artifacts", place, "doctor"]);
        let text = stdout(&output) + &stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(!text.to_lowercase().contains("hidden"), "{text}");
        text
    };
    assert!(doctor("http://127.0.0.1:1", "s3://photos").contains("cannot be reached"));
    assert!(doctor("http://s3.example.com", "s3://photos").contains("AWS_ALLOW_HTTP"));
    if let Some(server) = MotoServer::shared() {
        let text = doctor(&format!("http://{}", server.address()), "s3://nobody-made-this");
        assert!(text.contains("nobody-made-this"), "{text}");
    }
}
