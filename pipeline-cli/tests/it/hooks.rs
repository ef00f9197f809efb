//! Hooks from the command line.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::{Bench, stderr, stdout};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Takes a message: its id and its body.
fn receive(listener: &TcpListener) -> (TcpStream, String, Value) {
    let (mut stream, _) = listener.accept().unwrap();
    let mut reader = BufReader::new(&mut stream);
    let (mut id, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim().split_once(": ") {
            Some(("webhook-id", value)) => value.clone_into(&mut id),
            Some(("content-length", value)) => length = value.parse().unwrap(),
            None if line.trim().is_empty() => break,
            Some(_) | None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (stream, id, serde_json::from_slice(&body).unwrap())
}

fn take(mut stream: TcpStream) {
    stream.write_all(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n").unwrap();
}

/// Adds a hook that leads to a listener of this test.
fn add(bench: &Bench, listener: &TcpListener, more: &[&str]) {
    let secret = format!("file:{}", bench.write("secret", SECRET));
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let mut arguments = vec!["hooks", "add", "shop", "--url", &url, "--secret", &secret, "--allow-private"];
    arguments.extend(more);
    let output = bench.run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
}

#[cfg(unix)]
#[test]
fn a_run_tells_a_program_of_the_job_from_its_submit_to_its_end() {
    let bench = Bench::new();
    let told = bench.path("told");
    let told = told.to_string_lossy();
    let script = "echo \"$PIPELINE_EVENT\" >> \"$1\"";
    let added = bench.answer(
        0,
        &["hooks", "add", "desk", "--events", "job.*,item.ended", "-o", "json", "--", "sh", "-c", script, "x", &told],
    );
    assert_eq!((added["kind"].as_str(), added["program"].as_str()), (Some("command"), Some("sh")));
    bench.factory();
    let text = std::fs::read_to_string(&*told).unwrap();
    let told: Vec<&str> = text.lines().collect();
    assert_eq!((told[0], *told.last().unwrap()), ("job.submitted", "job.finished"), "{text}");
    assert_eq!(told.iter().filter(|kind| **kind == "item.ended").count(), told.len() - 2, "{text}");
    let kept = bench.answer(0, &["hooks", "deliveries", "desk", "-o", "json"]);
    let kept = kept.as_array().unwrap();
    assert_eq!(kept.len(), told.len());
    assert!(kept.iter().all(|known| known["state"] == "delivered" && known["attempts"] == 1), "{kept:?}");
    let list = bench.answer(0, &["hooks", "list", "-o", "json"]);
    assert_eq!((list[0]["hook"].as_str(), &list[0]["paused"]), (Some("desk"), &Value::Null));
    assert_eq!(bench.answer(0, &["hooks", "pause", "desk", "-o", "json"])["paused"], "a person has paused it");
    assert_eq!(bench.answer(0, &["hooks", "resume", "desk", "-o", "json"])["paused"], Value::Null);
    assert_eq!(bench.answer(0, &["hooks", "test", "desk", "-o", "json"])["delivered"], true);
    assert!(bench.answer(0, &["hooks", "retry", "desk", "-o", "json"]).as_array().unwrap().is_empty());
    assert_eq!(stdout(&bench.run(&["hooks", "rm", "desk"])), "hook desk is removed\n");
    assert!(bench.answer(0, &["hooks", "deliveries", "-o", "json"]).as_array().unwrap().is_empty());
}

#[test]
fn what_was_on_its_way_when_the_process_was_killed_is_sent_again_and_nothing_is_lost() {
    let bench = Bench::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    add(&bench, &listener, &["--timeout", "1s", "--retry-after", "1s"]);
    let job = bench.submit(1, &[]);
    assert_eq!(bench.run(&["jobs", "cancel", &job]).status.code(), Some(0));
    let mut child = std::process::Command::new(assert_cmd::cargo::cargo_bin("pipeline"))
        .args(["hooks", "deliver"])
        .env("PIPELINE_HOME", bench.home())
        .spawn()
        .unwrap();
    let (stream, first, body) = receive(&listener);
    assert_eq!(body["type"], "job.submitted");
    take(stream);
    // The second one has arrived, and nobody is left to note that.
    let (stream, second, body) = receive(&listener);
    assert_eq!(body["type"], "job.controlled");
    child.kill().unwrap();
    child.wait().unwrap();
    drop(stream);
    let kept = bench.answer(0, &["hooks", "deliveries", "-o", "json"]);
    assert_eq!(kept.as_array().unwrap().len(), 1, "{kept}");
    let end = Instant::now() + Duration::from_secs(30);
    let deliverer = std::thread::spawn(move || {
        [(), ()].map(|()| {
            let (stream, id, body) = receive(&listener);
            take(stream);
            (id, body["type"].as_str().unwrap().to_owned())
        })
    });
    // Whoever was killed had it for as long as a try may take.
    while !deliverer.is_finished() {
        assert_eq!(bench.run(&["hooks", "deliver"]).status.code(), Some(0));
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(100));
    }
    let [again, last] = deliverer.join().unwrap();
    assert_eq!(again, (second, "job.controlled".to_owned()), "under the same id");
    assert_eq!(last.1, "job.finished");
    assert!(last.0 != first && last.0 != again.0);
}

#[test]
fn a_webhook_on_a_private_address_or_without_what_it_needs_is_refused_and_nothing_is_made() {
    let bench = Bench::new();
    for (arguments, word) in [
        (&["--url", "http://127.0.0.1:9/x", "--secret", "env:A"][..], "private network"),
        (&["--url", "http://localhost:9/x", "--secret", "env:A"], "--allow-private"),
        (&["--url", "http://[::ffff:10.0.0.1]/", "--secret", "env:A"], "private network"),
        (&["--url", "https://me:hunter2@93.184.216.34/", "--secret", "env:A"], "user or a password"),
        (&["--url", "ftp://93.184.216.34/", "--secret", "env:A"], "http or https"),
        (&["--url", "https://93.184.216.34/", "--secret", "whsec_hunter2"], "env:NAME"),
        (&["--url", "https://93.184.216.34/"], "--secret"),
        (&["--events", "job.done", "--", "true"], "job.finished"),
        (&["--timeout", "2m", "--", "true"], "60s"),
        (&["--attempts", "11", "--", "true"], "10"),
        (&[], "required"),
        (&["--url", "https://93.184.216.34/", "--secret", "env:A", "--", "true"], "cannot be used with"),
    ] {
        let output = bench.run(&[&["hooks", "add", "shop"], arguments].concat());
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
        assert!(said.contains(word) && !said.contains("hunter2"), "{arguments:?}: {said}");
        assert!(!bench.home().join("pipeline.db").exists(), "{arguments:?}");
    }
    let output = bench.run(&["hooks", "show", "shop"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("hooks list"), "{}", stderr(&output));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    add(&bench, &listener, &[]);
    let output = bench.run(&["hooks", "add", "shop", "--", "true"]);
    assert!(output.status.code() == Some(2) && stderr(&output).contains("already"), "{}", stderr(&output));
}
