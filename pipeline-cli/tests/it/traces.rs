//! Traces are sent to the collector the environment names.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use crate::bench::{Bench, stderr};

#[test]
fn the_spans_of_a_run_reach_the_collector() {
    let bench = Bench::new();
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", collector.local_addr().unwrap());
    let heard = std::thread::spawn(move || {
        let mut all = Vec::new();
        let (mut stream, _) = collector.accept().unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
        let mut piece = [0; 16_384];
        while let Ok(read @ 1..) = stream.read(&mut piece) {
            all.extend_from_slice(&piece[..read]);
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").unwrap();
        String::from_utf8_lossy(&all).into_owned()
    });
    let keywords = bench.write("keywords.txt", "red sunset\n");
    let mut run = bench.command(&["run", "factory", "-i", &keywords, "--set", "generate.sizes=256x256"]);
    let output = run.env("OTEL_EXPORTER_OTLP_ENDPOINT", url).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let heard = heard.join().unwrap();
    for word in ["POST /v1/traces", "service.name", "job", "item", "stage", "call", "attempt"] {
        assert!(heard.contains(word), "no {word}: {heard}");
    }
}
