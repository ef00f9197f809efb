//! A home of its own for each test, and the program to run in it.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Output, Stdio};
use std::time::{Duration, Instant};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

/// A home of its own.
pub(crate) struct Bench {
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self { folder: TempDir::new().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn home(&self) -> PathBuf {
        self.path("home")
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path.to_string_lossy().into_owned()
    }

    /// Runs the program in this home, whatever the surroundings say.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("pipeline").unwrap();
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PIPELINE_")) {
            command.env_remove(name);
        }
        command.env("PIPELINE_HOME", self.home()).args(arguments);
        command
    }

    /// Runs the program, wants this exit code, and returns its answer.
    pub(crate) fn answer(&self, code: i32, arguments: &[&str]) -> Value {
        let output = self.run(arguments);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {}", stderr(&output));
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", stdout(&output)))
    }

    /// Submits small pictures of so many keywords, and returns the job's id.
    pub(crate) fn submit(&self, items: u32, more: &[&str]) -> String {
        let keywords = (0..items).map(|number| format!("stone {number}")).collect::<Vec<_>>().join("\n");
        let keywords = self.write(&format!("keywords-{items}.txt"), keywords);
        let mut arguments = vec!["submit", "factory", "-i", &keywords];
        arguments.extend(["--set", "generate.sizes=256x256", "--set", "qc.reject_duplicates=false"]);
        arguments.extend(["--set", "qc.min_sharpness=0"]);
        arguments.extend(more);
        let output = self.run(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output).trim().to_owned()
    }

    /// Starts a worker, and waits until it has told its session.
    pub(crate) fn worker(&self, more: &[&str]) -> Worker {
        let mut command = std::process::Command::new(assert_cmd::cargo::cargo_bin("pipeline"));
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("PIPELINE_")) {
            command.env_remove(name);
        }
        command.args(["worker", "-o", "json", "--poll", "50"]).args(more).env("PIPELINE_HOME", self.home());
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap());
        let mut worker = Worker { child, lines };
        let first = worker.line();
        assert!(first.starts_with("worker ") && first.contains("works on"), "{first}");
        worker
    }

    /// Shows a job.
    pub(crate) fn job(&self, id: &str) -> Value {
        self.answer(0, &["jobs", "show", id, "-o", "json"])
    }

    /// Waits until a job is as wanted.
    pub(crate) fn wait(&self, id: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let end = Instant::now() + Duration::from_secs(120);
        loop {
            let job = self.job(id);
            if wanted(&job) {
                return job;
            }
            assert!(Instant::now() < end, "{job}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Makes two small pictures; returns the summary.
    pub(crate) fn factory(&self) -> Value {
        let keywords = self.write("keywords.txt", "red sunset\nquiet forest\n");
        let out = self.path("out");
        let out = out.to_string_lossy();
        let run = ["run", "factory", "-i", &keywords, "--set", "generate.sizes=256x256", "--out", &out, "-o", "json"];
        self.answer(0, &run)
    }
}

/// A worker that runs.
pub(crate) struct Worker {
    pub(crate) child: Child,
    lines: BufReader<ChildStderr>,
}

impl Worker {
    /// Returns the next line it says.
    pub(crate) fn line(&mut self) -> String {
        let mut line = String::new();
        self.lines.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    /// Sends it a signal.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let kill = std::process::Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end; returns exit code, answer and what it said.
    pub(crate) fn end(mut self) -> (Option<i32>, Value, String) {
        let mut said = String::new();
        self.lines.read_to_string(&mut said).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap_or_default(), said)
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Checks that the parts add up, and returns one of them.
pub(crate) fn count(summary: &Value, name: &str) -> u64 {
    let counts = summary["counts"].as_object().unwrap();
    let sum: u64 = counts.iter().filter(|(key, _)| *key != "planned").map(|(_, value)| value.as_u64().unwrap()).sum();
    assert_eq!(counts["planned"], sum, "{counts:?}");
    counts[name].as_u64().unwrap()
}

/// Draws a sharp, bright picture and encodes it as PNG.
pub(crate) fn picture(path: &Path, seed: u32) {
    let (width, height) = (300_u32, 300_u32);
    let mut pixels = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let wave = |scale: u32, shift: u32| (((x * scale + y * 3 + shift * seed) / 7 % 11) * 18 + 30) as u8;
            pixels.extend([wave(2, 31), wave(5, 17), wave(3, 7)]);
        }
    }
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), width, height);
    encoder.set_color(png::ColorType::Rgb);
    encoder.write_header().unwrap().write_image_data(&pixels).unwrap();
}
