//! `jobs bundle`: an archive of a job for a bug report.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use serde_json::json;

use pipeline_engine::{BundleRequest, Engine};

use crate::args::BundleArgs;
use crate::home::Home;
use crate::lookup::{self, short_id};
use crate::output::{Exit, Failure, Output, bytes, notice};

use super::doctor;

/// Writes the archive.
pub(crate) async fn bundle(
    engine: &Engine,
    home: &Home,
    args: &BundleArgs,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let job = lookup::job(engine, &args.job.job).await?;
    let usual = || PathBuf::from(format!("pipeline-bundle-{}.tar.gz", short_id(job.id)));
    let path = args.file.clone().unwrap_or_else(usual);
    let system = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "arch": std::env::consts::ARCH,
        "os": std::env::consts::OS,
        "cores": std::thread::available_parallelism().map_or(1, usize::from),
    });
    let extra = vec![("doctor".to_owned(), doctor::report(home).await), ("system".to_owned(), system)];
    let request = BundleRequest { with_content: args.with_content, extra, ..BundleRequest::default() };
    let bundle = engine.bundle(job.id, &request).await?;
    let packed = bundle.packed()?;
    write(&path, &packed)?;
    let documents: Vec<&str> = bundle.documents.iter().map(|(name, _)| name.as_str()).collect();
    if output.is_table() {
        output.line(&format!("{} holds {}: {}", path.display(), bytes(packed.len() as u64), documents.join(", ")))?;
    } else {
        let file = path.display().to_string();
        output.value(
            &json!({"file": file, "bytes": packed.len(), "documents": documents, "content": args.with_content}),
        )?;
    }
    if args.with_content {
        notice("texts of people are in it: look through it before you pass it on");
    } else {
        notice("texts are replaced by hashes; `manifest.json` in it says what is there and what was left out");
    }
    Ok(Exit::Good)
}

/// Writes a file that is not there yet, and that nobody else may read.
fn write(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Failure::wrong(format!("{} is there already", path.display()))
            .hint("name another file with --file, or remove that one"),
        _ => Failure::file("cannot write the archive", path, &error),
    })?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    written.map_err(|error| {
        // Half an archive helps nobody.
        let _ = std::fs::remove_file(path);
        Failure::file("cannot write the archive", path, &error)
    })
}
