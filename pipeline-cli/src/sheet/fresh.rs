//! A file that appears whole or not at all, and not over one that is there unless that is wanted.

use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::output::Failure;

/// A file that is being written beside its place.
#[derive(Debug)]
pub(crate) struct FreshFile {
    option: &'static str,
    path: PathBuf,
    part: PathBuf,
    file: BufWriter<File>,
    force: bool,
}

impl FreshFile {
    /// Begins a file that an option names; `force` lets it replace one that is there.
    pub(crate) fn create(option: &'static str, path: &Path, force: bool) -> Result<Self, Failure> {
        if path.metadata().is_ok_and(|about| !about.is_file()) {
            return Err(Failure::wrong(format!("{option}: {} is a folder or a device", path.display()))
                .hint("name a file that is not there yet, or with --force one that may be replaced"));
        }
        if !force && path.symlink_metadata().is_ok() {
            return Err(there(option, path));
        }
        let mut part = path.as_os_str().to_owned();
        part.push(format!(".{}.part", std::process::id()));
        let part = PathBuf::from(part);
        let file = File::create(&part).map_err(|error| unwritten(option, path, &error))?;
        Ok(Self { option, path: path.to_owned(), part, file: BufWriter::new(file), force })
    }

    /// Another handle on the same file, for a writer that keeps what it is given. Only one of the two may be written to.
    pub(crate) fn handle(&self) -> Result<File, Failure> {
        self.file.get_ref().try_clone().map_err(|error| unwritten(self.option, &self.path, &error))
    }

    /// Puts the file in its place and returns how many bytes it has.
    pub(crate) fn place(mut self) -> Result<u64, Failure> {
        let failed = |error: &io::Error| unwritten(self.option, &self.path, error);
        self.file.flush().map_err(|error| failed(&error))?;
        let bytes = self.file.get_ref().metadata().map_err(|error| failed(&error))?.len();
        // Unlike a rename, a link never replaces what has appeared meanwhile.
        let placed = if self.force {
            std::fs::rename(&self.part, &self.path)
        } else {
            std::fs::hard_link(&self.part, &self.path)
        };
        placed.map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => there(self.option, &self.path),
            _ => failed(&error),
        })?;
        Ok(bytes)
    }
}

impl Write for FreshFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for FreshFile {
    fn drop(&mut self) {
        // After a rename it is gone already.
        std::fs::remove_file(&self.part).ok();
    }
}

fn there(option: &str, path: &Path) -> Failure {
    Failure::wrong(format!("{option}: {} is there already", path.display())).hint("--force replaces the file")
}

fn unwritten(option: &str, path: &Path, error: &io::Error) -> Failure {
    Failure::file(&format!("{option}: cannot write"), path, error)
}
