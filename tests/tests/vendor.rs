//! The charging vendor as a program: what it charges, forgets, refuses, and what it knows after it was killed.
#![expect(clippy::unwrap_used, reason = "a failed step is a failed test")]

use std::time::Duration;

use pipeline_testkit::vendor::{Statement, VendorProgram};
use serde_json::Value;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::process::Command;

const PROGRAM: &str = env!("CARGO_BIN_EXE_fake-vendor");

struct Vendor(VendorProgram);

impl Vendor {
    async fn start(arguments: &str) -> Self {
        Self(VendorProgram::start(PROGRAM, arguments).await.unwrap())
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        let (status, body) = self.0.send("GET", path, "", "").await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    async fn order(&self, path: &str, key: &str) -> (u16, Value) {
        let order = r#"{"prompt":"a heron","width":8,"height":8,"n":2,"seeds":[4,9]}"#;
        let (status, body) = self.0.send("POST", path, &format!("idempotency-key: {key}\r\n"), order).await.unwrap();
        (status, serde_json::from_str(&body).unwrap_or_default())
    }

    async fn statement(&self) -> Statement {
        self.0.statement().await.unwrap()
    }
}

#[tokio::test]
async fn a_task_is_charged_at_once_runs_and_delivers() {
    let vendor = Vendor::start("--latency-ms 300 --lookup --price-micros 1000").await;
    let (status, task) = vendor.order("/v1/tasks", "k1").await;
    assert_eq!((status, task["id"].as_str()), (202, Some("task-1")));
    assert_eq!(vendor.statement().await.charges, 1);
    assert_eq!(vendor.get("/v1/tasks/task-1").await.1["status"], "running");
    assert_eq!(vendor.get("/v1/keys/k1").await.1["id"], "task-1");
    assert_eq!((vendor.get("/v1/tasks/task-2").await.0, vendor.get("/v1/keys/k2").await.0), (404, 404));
    let done = loop {
        let (status, task) = vendor.get("/v1/tasks/task-1").await;
        assert_eq!(status, 200);
        if task["status"] != "running" {
            break task;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((done["status"].as_str(), done["cost_micros"].as_i64()), (Some("succeeded"), Some(2000)));
    let seeds: Vec<_> = done["images"].as_array().unwrap().iter().map(|image| image["seed"].as_u64()).collect();
    assert_eq!(seeds, [Some(4), Some(9)]);
}

#[tokio::test]
async fn the_count_survives_a_kill_and_a_repeated_key_is_not_charged_again() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("sales");
    let arguments = format!("--idempotent --log {}", log.display());
    let vendor = Vendor::start(&arguments).await;
    vendor.order("/v1/tasks", "k1").await;
    vendor.order("/v1/tasks", "k1").await;
    vendor.order("/v1/images", "k2").await;
    let before = vendor.statement().await;
    assert_eq!((before.charges, before.micros, before.repeated, before.requests), (2, 160_000, 1, 3));
    vendor.0.kill().await.unwrap();
    let vendor = Vendor::start(&arguments).await;
    assert_eq!(vendor.order("/v1/tasks", "k1").await.1["id"], "task-1");
    assert_eq!(vendor.get("/v1/tasks/task-1").await.1["status"], "succeeded");
    let after = vendor.statement().await;
    assert_eq!((&after.by_key, &after.by_task, after.micros), (&before.by_key, &before.by_task, before.micros));
}

#[tokio::test]
async fn a_customer_who_hangs_up_is_charged_all_the_same() {
    let vendor = Vendor::start("--latency-ms 200").await;
    let order = r#"{"prompt":"a heron","width":8,"height":8,"n":1}"#;
    let mut stream = TcpStream::connect(("127.0.0.1", vendor.0.port())).await.unwrap();
    let head = "POST /v1/images HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n";
    let text = format!("{head}content-length: {}\r\n\r\n{order}", order.len());
    stream.write_all(text.as_bytes()).await.unwrap();
    let story = async {
        while vendor.statement().await.requests == 0 {}
        drop(stream);
        while vendor.statement().await.charges == 0 {}
    };
    tokio::time::timeout(Duration::from_secs(30), story).await.unwrap();
}

#[tokio::test]
async fn trouble_comes_as_ordered_and_is_not_charged_unless_it_says_so() {
    let vendor = Vendor::start("--fail-every 3 --fail-status 502 --throttle-every 2 --polls-too").await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(vendor.order("/v1/images", "k").await.0);
    }
    assert_eq!(statuses, [200, 429, 502]);
    assert_eq!((vendor.get("/v1/tasks/order-1").await.0, vendor.statement().await.charges), (429, 1));
    for (option, charges) in [("--reset-every 1", 0), ("--reset-charged-every 1", 1)] {
        let vendor = Vendor::start(option).await;
        assert_eq!(vendor.order("/v1/images", "k").await.1, Value::Null);
        assert_eq!(vendor.statement().await.charges, charges, "{option}");
    }
    let vendor = Vendor::start("--outage-after 1 --outage-requests 2 --drip-bytes 100 --drip-ms 1").await;
    let mut answers = Vec::new();
    for _ in 0..4 {
        answers.push(vendor.order("/v1/images", "k").await);
    }
    assert_eq!(answers.iter().map(|(status, _)| *status).collect::<Vec<_>>(), [200, 503, 503, 200]);
    let vendor = Vendor::start("--forget-ms 0 --fail-tasks-every 2").await;
    vendor.order("/v1/tasks", "k").await;
    assert_eq!((vendor.get("/v1/tasks/task-1").await.0, vendor.statement().await.charges), (404, 1));
    let wrong = Command::new(PROGRAM).arg("--help-me").output().await.unwrap();
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("unknown option --help-me"));
}
