//! What a backup consists of, with the digest of each part.

use std::fs::File;
use std::io::{BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

use pipeline_core::error::{Error, Result};
use pipeline_core::id::Digest;
use serde::{Deserialize, Serialize};

use super::folder::{self, fault};

/// The number of this form of a backup.
const FORMAT: u32 = 1;

/// The name of the manifest in a backup.
pub(super) const MANIFEST: &str = "manifest.json";

/// The name of the copy of the database.
pub(super) const DATABASE: &str = "pipeline.db";

/// The name of the list of artifacts: a line each, its digest and its size.
pub(super) const LIST: &str = "artifacts.txt";

/// What a backup consists of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    format: u32,
    /// When it was taken.
    pub(super) created_at: String,
    /// Which program took it.
    program: String,
    /// The copy of the database.
    pub(super) database: Part,
    /// The list of artifacts.
    pub(super) list: Part,
    /// How many artifacts the list has.
    pub(super) artifacts: u64,
    /// Σ size of them.
    pub(super) bytes: u64,
}

/// A file of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Part {
    file: String,
    /// Bytes.
    pub(super) size: u64,
    /// BLAKE3 of the content.
    digest: Digest,
}

impl Part {
    /// Reads a file of a backup.
    pub(super) fn of(folder: &Path, name: &str) -> Result<Self> {
        let path = folder.join(name);
        let (digest, size) = hash(&path)?;
        Ok(Self { file: name.to_owned(), size, digest })
    }
}

impl Manifest {
    /// Describes the files of a backup that are there.
    pub(super) fn describe(folder: &Path, created_at: String, artifacts: u64, bytes: u64) -> Result<Self> {
        Ok(Self {
            format: FORMAT,
            created_at,
            program: concat!("pipeline ", env!("CARGO_PKG_VERSION")).to_owned(),
            database: Part::of(folder, DATABASE)?,
            list: Part::of(folder, LIST)?,
            artifacts,
            bytes,
        })
    }

    /// Writes the manifest to its place.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let path = folder.join(MANIFEST);
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| Error::unexpected("cannot write the manifest as JSON").because(error))?;
        let written = File::create(&path).and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        });
        written.map_err(|error| fault("cannot write the manifest of the backup", &path, error))
    }

    /// Reads the manifest of a backup, and proves every file it names.
    pub(super) fn prove(folder: &Path) -> Result<Self> {
        let path = folder.join(MANIFEST);
        let text =
            std::fs::read(&path).map_err(|error| fault("cannot read the manifest of the backup", &path, error))?;
        let broken = || Error::corrupt("the manifest of the backup cannot be read").with("path", path.display());
        let format = serde_json::from_slice::<serde_json::Value>(&text).map_err(|error| broken().because(error))?;
        if format.get("format").and_then(serde_json::Value::as_u64).is_some_and(|format| format > u64::from(FORMAT)) {
            return Err(Error::conflict("the backup was taken by a newer version of this program; update the program")
                .with("path", path.display()));
        }
        let manifest: Self = serde_json::from_slice(&text).map_err(|error| broken().because(error))?;
        for (name, part) in [(DATABASE, &manifest.database), (LIST, &manifest.list)] {
            let found = Part::of(folder, name)?;
            if found != *part {
                return Err(Error::corrupt("a file of the backup is not what its manifest says")
                    .with("path", folder.join(name).display())
                    .with("size", found.size)
                    .with("expected_size", part.size));
            }
        }
        let (mut artifacts, mut bytes) = (0, 0);
        for line in listed(folder)? {
            let (digest, size) = line?;
            let path = folder::artifact(folder, digest);
            let (found, length) = hash(&path)?;
            if (found, length) != (digest, size) {
                return Err(Error::corrupt("an artifact of the backup is damaged")
                    .with("path", path.display())
                    .with("size", length)
                    .with("expected_size", size));
            }
            artifacts += 1;
            bytes += size;
        }
        if (artifacts, bytes) != (manifest.artifacts, manifest.bytes) {
            return Err(Error::corrupt("the backup lacks artifacts")
                .with("artifacts", artifacts)
                .with("expected", manifest.artifacts));
        }
        Ok(manifest)
    }
}

/// Reads the list of artifacts of a backup, line by line.
pub(super) fn listed(folder: &Path) -> Result<impl Iterator<Item = Result<(Digest, u64)>> + use<>> {
    let path: PathBuf = folder.join(LIST);
    let unread = |error, path: &Path| fault("cannot read the list of the backup", path, error);
    let file = File::open(&path).map_err(|error| unread(error, &path))?;
    Ok(BufReader::new(file).lines().map(move |line| {
        let line = line.map_err(|error| unread(error, &path))?;
        let parts = line.split_once(' ').and_then(|(digest, size)| Some((digest.parse().ok()?, size.parse().ok()?)));
        parts.ok_or_else(|| {
            Error::corrupt("a line of the list of the backup cannot be read").with("path", path.display())
        })
    }))
}

/// Returns digest and length of a file.
pub(super) fn hash(path: &Path) -> Result<(Digest, u64)> {
    let unread = |error| fault("cannot read a file of the backup", path, error);
    let mut file = File::open(path).map_err(unread)?;
    let mut hasher = blake3::Hasher::new();
    let mut part = vec![0; 1 << 20];
    let mut size = 0;
    loop {
        let read = file.read(&mut part).map_err(unread)?;
        let Some(content) = part.get(..read).filter(|content| !content.is_empty()) else { break };
        hasher.update(content);
        size += read as u64;
    }
    let digest = hasher.finalize().to_hex();
    let digest = digest.parse().map_err(|error| Error::unexpected("a digest is no digest").because(error))?;
    Ok((digest, size))
}
