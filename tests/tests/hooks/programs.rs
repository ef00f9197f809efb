//! Messages to programs.

use std::time::{Duration, Instant};

use pipeline::core::provider::HookTarget;
use pipeline::core::storage::DeliveryState;
use serde_json::Value;

use super::{TOLD, add, deliver_all, deliveries, engine, spec, three_events};

fn shell(script: &str, path: &std::path::Path) -> HookTarget {
    let args = ["-c", script, "hook", &path.to_string_lossy()].map(str::to_owned).to_vec();
    HookTarget::Command { program: "sh".to_owned(), args }
}

#[tokio::test]
async fn a_program_gets_the_message_as_its_input_and_what_it_is_about_in_its_environment() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, out) = (engine(folder.path()).await, folder.path().join("out"));
    let script = "{ cat; echo; echo \"$PIPELINE_EVENT $PIPELINE_JOB $PIPELINE_ATTEMPT $PIPELINE_HOOK\"; \
                  env | grep -c CARGO; } >> \"$1\"; true";
    add(&engine, shell(script, &out)).await;
    let job = three_events(&engine).await;
    deliver_all(&engine).await;
    let text = std::fs::read_to_string(&out).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 9, "{text}");
    for (told, kind) in lines.chunks(3).zip(TOLD) {
        let body: Value = serde_json::from_str(told[0]).unwrap();
        assert_eq!((body["type"].as_str(), told[1]), (Some(kind), format!("{kind} {job} 1 tell").as_str()));
        assert_eq!(told[2], "0", "nothing else of our environment");
    }
}

#[tokio::test]
async fn a_program_that_fails_is_started_again_and_then_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, out) = (engine(folder.path()).await, folder.path().join("out"));
    add(&engine, shell("echo . >> \"$1\"; exit 3", &out)).await;
    three_events(&engine).await;
    deliver_all(&engine).await;
    assert_eq!(std::fs::read_to_string(&out).unwrap().lines().count(), 6);
    for known in deliveries(&engine).await {
        assert_eq!((known.state, known.attempts, known.status), (DeliveryState::Failed, 2, Some(3)));
        assert_eq!(known.error.as_deref(), Some("the program ended with 3"));
    }
}

#[tokio::test]
async fn a_program_that_takes_too_long_ends_with_its_children() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, out) = (engine(folder.path()).await, folder.path().join("out"));
    let mut spec = spec(shell("sleep 600 & echo $! > \"$1\"; wait", &out));
    spec.policy.timeout = Duration::from_secs(3);
    let hook = engine.add_hook("system", "tell", spec).await.unwrap();
    let error = engine.test_hook(&hook).await.unwrap_err();
    assert!(error.to_string().contains("in time"), "{error}");
    let child = std::fs::read_to_string(&out).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    // It is asked for as `ps` does; a child that has ended and is not yet buried counts as gone.
    let runs = || {
        let asked = std::process::Command::new("ps").args(["-o", "stat=", "-p", child.trim()]).output().unwrap();
        let state = String::from_utf8_lossy(&asked.stdout).trim().to_owned();
        !state.is_empty() && !state.starts_with('Z')
    };
    while runs() {
        assert!(Instant::now() < end, "the child goes on");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_program_that_is_not_there_is_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let engine = engine(folder.path()).await;
    let target = HookTarget::Command { program: "/no/such/program".to_owned(), args: Vec::new() };
    add(&engine, target).await;
    three_events(&engine).await;
    deliver_all(&engine).await;
    let kept = deliveries(&engine).await;
    assert!(kept.iter().all(|known| known.error.as_ref().unwrap().contains("/no/such/program")), "{kept:?}");
}
