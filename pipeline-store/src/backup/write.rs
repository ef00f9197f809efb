//! Writes a backup.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

use pipeline_core::error::{Error, ErrorKind, Result};
use pipeline_core::id::Digest;
use pipeline_core::storage::{ArtifactStore as _, Holder};
use pipeline_core::time::Clock as _;
use serde::Serialize;

use crate::sqlite::Snapshot;
use crate::{Artifacts, SqliteStore, SystemClock};

use super::folder::{self, blocking, fault};
use super::manifest::{DATABASE, LIST, Manifest};

/// So many records are read at once.
const PAGE: u32 = 1_000;

/// How to write a backup.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackupOptions {
    /// So many backups stay in the folder, from 1; older ones are removed once the new one is whole. `None` keeps all.
    pub keep: Option<usize>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BackupReport {
    /// The folder of the backup.
    pub path: PathBuf,
    /// The size of the copy of the database.
    pub database_bytes: u64,
    /// Artifacts in the backup.
    pub artifacts: u64,
    /// Σ size of them.
    pub bytes: u64,
    /// Those of them that are links to the same file, and take no place.
    pub linked: u64,
    /// Artifacts that records name and that are not there. `verify` says which.
    pub missing: u64,
    /// Older backups that were removed.
    pub removed: Vec<PathBuf>,
}

/// Writes a backup of a store and its artifacts into a new folder below `folder`. Workers may be at work: the records are
/// as they were at one moment, and every artifact they name was there by then.
///
/// # Errors
/// `Conflict` while another backup is written into the folder; `Invalid` for `keep` 0; otherwise those of the file system
/// and the stores. A backup that fails leaves nothing under its name.
pub async fn backup(
    store: &SqliteStore,
    artifacts: &Artifacts,
    folder: &Path,
    options: BackupOptions,
) -> Result<BackupReport> {
    if options.keep == Some(0) {
        return Err(Error::invalid("no backup would be kept").with("keep", 0).with("accepted", "1 or more"));
    }
    std::fs::create_dir_all(folder).map_err(|error| fault("cannot make the folder of the backups", folder, error))?;
    let _lock = folder::lock(folder)?;
    folder::sweep(folder)?;
    let now = SystemClock.now();
    let name = folder::name(now);
    let part = folder::part(folder, &name);
    std::fs::create_dir_all(&part).map_err(|error| fault("cannot make the folder of the backup", &part, error))?;
    let written = write(store, artifacts, &part, now.to_string()).await;
    let mut report = match written {
        Ok(report) => report,
        Err(error) => {
            std::fs::remove_dir_all(&part).ok();
            return Err(error);
        }
    };
    let path = folder.join(&name);
    std::fs::rename(&part, &path).map_err(|error| fault("cannot give the backup its name", &path, error))?;
    folder::sync(folder);
    report.path = path;
    let backups = folder::backups(folder)?;
    let beyond = backups.len().saturating_sub(options.keep.unwrap_or(usize::MAX));
    for old in backups.into_iter().take(beyond) {
        std::fs::remove_dir_all(&old).map_err(|error| fault("cannot remove an old backup", &old, error))?;
        report.removed.push(old);
    }
    Ok(report)
}

async fn write(store: &SqliteStore, artifacts: &Artifacts, part: &Path, at: String) -> Result<BackupReport> {
    let mut snapshot = Snapshot::take(store, &part.join(DATABASE)).await?;
    let mut copy = Copy::begin(artifacts, part)?;
    for holder in Holder::ALL {
        let mut after = None;
        loop {
            let page = snapshot.mentions(holder, after, PAGE).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            // Each digest may be one of an artifact; those of results and responses are.
            let mut named: BTreeMap<Digest, bool> = BTreeMap::new();
            for mention in &page {
                for digest in mention.digests() {
                    named.entry(digest).or_default();
                }
                if matches!(holder, Holder::Results | Holder::Calls) {
                    named.extend(mention.artifacts().iter().map(|artifact| (artifact.digest, true)));
                }
            }
            for (digest, certain) in named {
                copy.artifact(digest, certain).await?;
            }
        }
    }
    snapshot.close().await?;
    let report = copy.end()?;
    let (part, artifacts, bytes) = (part.to_path_buf(), report.artifacts, report.bytes);
    let manifest = blocking(move || {
        let manifest = Manifest::describe(&part, at, artifacts, bytes)?;
        manifest.write(&part)?;
        folder::sync(&part);
        Ok(manifest)
    });
    let manifest = manifest.await?;
    Ok(BackupReport { database_bytes: manifest.database.size, ..report })
}

/// Copies artifacts into a backup, each once.
struct Copy<'a> {
    artifacts: &'a Artifacts,
    part: &'a Path,
    list: BufWriter<File>,
    path: PathBuf,
    report: BackupReport,
}

impl<'a> Copy<'a> {
    fn begin(artifacts: &'a Artifacts, part: &'a Path) -> Result<Self> {
        let path = part.join(LIST);
        for first in 0..=u8::MAX {
            let folder = part.join("artifacts").join(format!("{first:02x}"));
            std::fs::create_dir_all(&folder)
                .map_err(|error| fault("cannot make a folder of the backup", &folder, error))?;
        }
        let list = File::create(&path).map_err(|error| fault("cannot write the list of the backup", &path, error))?;
        let report = BackupReport {
            path: part.to_path_buf(),
            database_bytes: 0,
            artifacts: 0,
            bytes: 0,
            linked: 0,
            missing: 0,
            removed: Vec::new(),
        };
        Ok(Self { artifacts, part, list: BufWriter::new(list), path, report })
    }

    /// Takes an artifact into the backup; one that is not `certain` need not be one.
    async fn artifact(&mut self, digest: Digest, certain: bool) -> Result<()> {
        let target = folder::artifact(self.part, digest);
        if target.exists() {
            return Ok(());
        }
        let linked = self.artifacts.path_of(digest).filter(|source| std::fs::hard_link(source, &target).is_ok());
        let size = if linked.is_some() {
            self.report.linked += 1;
            let metadata = std::fs::metadata(&target);
            metadata.map_err(|error| fault("cannot read an artifact of the backup", &target, error))?.len()
        } else {
            let content = match self.artifacts.get(digest).await {
                Ok(content) => content,
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.report.missing += u64::from(certain);
                    return Ok(());
                }
                Err(error) => return Err(error),
            };
            let written = File::create_new(&target).and_then(|mut file| {
                file.write_all(&content)?;
                file.sync_all()
            });
            written.map_err(|error| fault("cannot write an artifact of the backup", &target, error))?;
            content.len() as u64
        };
        self.report.artifacts += 1;
        self.report.bytes += size;
        let listed = writeln!(self.list, "{digest} {size}");
        listed.map_err(|error| fault("cannot write the list of the backup", &self.path, error))
    }

    /// Makes everything durable.
    fn end(mut self) -> Result<BackupReport> {
        let unwritten = |error| fault("cannot write the list of the backup", &self.path, error);
        self.list.flush().map_err(unwritten)?;
        self.list.get_ref().sync_all().map_err(unwritten)?;
        for first in 0..=u8::MAX {
            folder::sync(&self.part.join("artifacts").join(format!("{first:02x}")));
        }
        folder::sync(&self.part.join("artifacts"));
        Ok(self.report)
    }
}
