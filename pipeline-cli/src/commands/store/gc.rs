//! `store gc`.

use std::time::Duration;

use serde_json::json;

use pipeline_core::ErrorKind;
use pipeline_core::storage::StoredArtifact;
use pipeline_engine::Engine;
use pipeline_engine::upkeep::GcOptions;

use crate::home::Home;
use crate::output::{Exit, Failure, Output, bytes, notice, timestamp};
use crate::when;

/// Removes files that no record names, and prints each; with them go the thumbnails of pictures that are gone.
pub(super) async fn gc(
    engine: &Engine,
    home: &Home,
    grace: &str,
    dry_run: bool,
    output: &mut Output<'_>,
) -> Result<Exit, Failure> {
    let grace = if grace == "0" || grace == "0s" { Duration::ZERO } else { when::span("--grace", grace)? };
    let mut stream = output.stream();
    let mut broken = None;
    let each = |removed: &StoredArtifact| {
        let line = format!("{}  {}  {}", removed.digest, bytes(removed.size), timestamp(removed.put_at));
        let value = json!({"digest": removed.digest, "size": removed.size, "put_at": removed.put_at.to_string()});
        if broken.is_none() {
            broken = stream.push(&line, &value, &["digest", "size", "put_at"]).err();
        }
    };
    let report = engine.upkeep().gc(GcOptions { grace, dry_run }, each).await;
    let report = report.map_err(|error| match error.kind() {
        ErrorKind::Conflict => Failure::blame_request(&error),
        _ => Failure::from(error),
    })?;
    if let Some(broken) = broken {
        return Err(broken);
    }
    stream.end()?;
    let (which, are) = if dry_run { ("would be removed", "would stay") } else { ("removed", "stay") };
    let kept = report.artifacts - report.removed;
    notice(&format!(
        "{} files, {}, {which}; {kept} {are}, {} of them within the grace",
        report.removed,
        bytes(report.bytes),
        report.young
    ));
    if !dry_run {
        let thumbnails = engine.thumbnails("image", home.thumbnails())?.sweep().await?;
        if thumbnails > 0 {
            notice(&format!("{thumbnails} thumbnails removed with them"));
        }
    }
    Ok(Exit::Good)
}
