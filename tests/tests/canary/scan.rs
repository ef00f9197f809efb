//! Looks for a key, and keeps what is logged.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use serde::Serialize;

/// Looks for a key and remembers where it was found.
pub(crate) struct Scan {
    key: &'static str,
    found: Vec<String>,
}

impl Scan {
    pub(crate) fn new(key: &'static str) -> Self {
        Self { key, found: Vec::new() }
    }

    pub(crate) fn text(&mut self, place: &str, text: &str) {
        self.bytes(place, text.as_bytes());
    }

    pub(crate) fn json(&mut self, place: &str, value: &impl Serialize) {
        self.text(place, &serde_json::to_string(value).unwrap());
    }

    /// Looks at every byte of every file, and at the names; returns the paths.
    pub(crate) fn folder(&mut self, folder: &Path) -> Vec<String> {
        let mut files = Vec::new();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                files.extend(self.folder(&path));
            } else {
                let name = path.to_string_lossy().into_owned();
                self.text("a file's name", &name);
                self.bytes(&name, &std::fs::read(&path).unwrap());
                files.push(name);
            }
        }
        files
    }

    pub(crate) fn found(&self) -> &[String] {
        &self.found
    }

    pub(crate) fn assert_clean(&self) {
        assert!(self.found.is_empty(), "the key is in {:?}", self.found);
    }

    fn bytes(&mut self, place: &str, bytes: &[u8]) {
        if bytes.windows(self.key.len()).any(|window| window == self.key.as_bytes()) {
            self.found.push(place.to_owned());
        }
    }
}

/// Everything that is logged in this process, at every level.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn capture() -> Self {
        let log = Self::default();
        let writer = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .init();
        log
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
