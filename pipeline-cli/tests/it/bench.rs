//! A home of its own for each test, and the program to run in it.

use std::path::{Path, PathBuf};
use std::process::Output;

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

    /// Makes two small pictures; returns the summary.
    pub(crate) fn factory(&self) -> Value {
        let keywords = self.write("keywords.txt", "red sunset\nquiet forest\n");
        let out = self.path("out");
        let out = out.to_string_lossy();
        let run = ["run", "factory", "-i", &keywords, "--set", "generate.sizes=256x256", "--out", &out, "-o", "json"];
        self.answer(0, &run)
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
