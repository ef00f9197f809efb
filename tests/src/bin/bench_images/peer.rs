//! The side of sharp.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use super::Used;
use super::job::{Job, Row};

/// sharp, installed.
pub(crate) struct Sharp {
    folder: PathBuf,
}

/// Installs what the lock file says; `None` without npm.
pub(crate) fn install() -> Option<Sharp> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/images");
    if !folder.join("node_modules/sharp").is_dir() {
        let npm = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output().ok()?;
        if !npm.status.success() {
            eprintln!("npm ci: {}", String::from_utf8_lossy(&npm.stderr).trim());
            return None;
        }
    }
    Some(Sharp { folder })
}

impl Sharp {
    pub(crate) fn version(&self) -> String {
        let text = "const s = (await import('sharp')).default; console.log(s.versions.sharp, s.versions.vips)";
        let output = Command::new("node").args(["--input-type=module", "-e", text]).current_dir(&self.folder).output();
        let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
        format!("sharp and libvips: {text}")
    }

    fn command(&self, job: Job, repeats: u32, workers: usize, threads: usize, out: &Path, files: &[&Path]) -> Command {
        let mut command = Command::new("node");
        command.arg(self.folder.join("peer.mjs")).arg(job.name());
        command.args([repeats.to_string(), workers.to_string(), threads.to_string()]).arg(out).args(files);
        command
    }

    /// Runs a row in a process of its own.
    pub(crate) fn measure(&self, row: &Row, repeats: u32, out: &Path, files: &[&Path]) -> Used {
        let output = self.command(row.job, repeats, row.workers, row.threads, out, files).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Milliseconds from starting a process to its end, for one picture: the best of three.
    pub(crate) fn cold(&self, out: &Path, file: &Path) -> f64 {
        let once = || {
            let start = Instant::now();
            assert!(self.command(Job::ResizeHalf, 1, 1, 0, out, &[file]).output().unwrap().status.success());
            start.elapsed().as_secs_f64() * 1000.0
        };
        (0..3).map(|_| once()).fold(f64::INFINITY, f64::min)
    }
}
