//! `doctor`: is everything this program needs in order?

use std::path::{Path, PathBuf};
use std::time::Duration;

use ::bytes::Bytes;
use serde_json::{Value, json};
use sysinfo::Disks;

use pipeline_core::model::Capability;
use pipeline_core::storage::{ArtifactStore as _, LogVolume};
use pipeline_core::time::{Clock as _, Timestamp};
use pipeline_engine::{Engine, SystemClock};

use crate::home::{ArtifactsChoice, Home, StoreChoice};
use crate::output::{Exit, Failure, Output, Row, Table, bytes, duration};
use crate::wiring::{self, Wired};

/// Less free space than this is worth a warning.
const LITTLE_SPACE: u64 = 1_000_000_000;
/// With less than this nothing can be finished.
const NO_SPACE: u64 = 50_000_000;
/// Clocks further apart than this are worth a warning: times of one are compared with those of the other.
const APART: Duration = Duration::from_secs(5);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Warning,
    Wrong,
}

impl State {
    const fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Wrong => "wrong",
        }
    }
}

#[derive(Debug)]
struct Check {
    name: &'static str,
    state: State,
    detail: String,
}

impl Check {
    fn value(&self) -> Value {
        json!({"check": self.name, "state": self.state.word(), "detail": self.detail})
    }
}

/// Checks everything, and prints one line each.
pub(crate) async fn run(home: &Home, output: &mut Output<'_>) -> Result<Exit, Failure> {
    let checks = checks(home).await;
    let mut table = Table::new(&["check", "state", "detail"]);
    for check in &checks {
        table.push(Row::new(
            [check.name.to_owned(), check.state.word().to_owned(), check.detail.clone()],
            check.value(),
        ));
    }
    output.rows(&table)?;
    Ok(if checks.iter().any(|check| check.state == State::Wrong) { Exit::Broken } else { Exit::Good })
}

/// Checks everything, and returns what machines get of it.
pub(super) async fn report(home: &Home) -> Value {
    checks(home).await.iter().map(Check::value).collect()
}

async fn checks(home: &Home) -> Vec<Check> {
    let mut checks = vec![check("program", State::Ok, version())];
    checks.push(writable("home", &home.folder));
    checks.push(private(home));
    match Wired::open(home).await {
        Ok(wired) => {
            let info = wired.engine.store().info();
            let durable = if info.durable { "durable" } else { "not durable" };
            checks.push(check(
                "store",
                State::Ok,
                format!("{} at {}, schema {}, {}, {durable}", info.backend, info.location, info.schema, info.engine),
            ));
            if let Some(caution) = wired.caution() {
                checks.push(check("place", State::Warning, caution));
            }
            let asked = SystemClock.now();
            checks.push(match wired.engine.store().now().await {
                Ok(now) => clock(now, asked, SystemClock.now()),
                Err(error) => check("clock", State::Wrong, pipeline_core::error::chain(&error)),
            });
            checks.extend(logs(&wired.engine).await);
            let jobs = wired.engine.jobs(pipeline_core::storage::JobQuery { limit: 1, ..Default::default() }).await;
            if let Err(error) = jobs {
                checks.push(check("records", State::Wrong, pipeline_core::error::chain(&error)));
            }
            wired.close().await;
        }
        Err(failure) => checks.push(check("store", State::Wrong, failure.lines().join("; "))),
    }
    checks.push(artifacts(home).await);
    checks.extend(spaces(home));
    checks.push(match Wired::memory(home.providers.as_deref()) {
        Ok(wired) => providers(&wired.engine),
        Err(failure) => check("providers", State::Wrong, failure.lines().join("; ")),
    });
    if let Some(file) = &home.providers {
        checks.push(match wiring::keys(file) {
            Ok(names) if names.is_empty() => check("keys", State::Ok, format!("{} names no provider", file.display())),
            Ok(names) => check("keys", State::Ok, format!("what {} need is there", names.join(", "))),
            Err(failure) => check("keys", State::Wrong, failure.lines().join("; ")),
        });
    }
    checks
}

fn check(name: &'static str, state: State, detail: String) -> Check {
    Check { name, state, detail }
}

fn version() -> String {
    format!(
        "pipeline {} for {}-{}, {} cores",
        env!("CARGO_PKG_VERSION"),
        std::env::consts::ARCH,
        std::env::consts::OS,
        std::thread::available_parallelism().map_or(1, usize::from)
    )
}

/// Counts the logs; without them everything else works.
async fn logs(engine: &Engine) -> Option<Check> {
    Some(match engine.logs()?.volume(None).await {
        Ok(logs) => check("logs", State::Ok, volume(&logs)),
        Err(error) => check("logs", State::Warning, pipeline_core::error::chain(&error)),
    })
}

/// Says how much the logs are.
pub(super) fn volume(logs: &LogVolume) -> String {
    let size = logs.bytes.map_or_else(String::new, |size| format!(", {}", bytes(size)));
    format!("{} lines{size} at {}", logs.entries, logs.location)
}

/// Writes a file and takes it away again.
fn writable(name: &'static str, folder: &Path) -> Check {
    let probe = folder.join(format!(".doctor-{}.part", std::process::id()));
    let written = std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&probe, b"probe"))
        .and_then(|()| std::fs::remove_file(&probe));
    match written {
        Ok(()) => check(name, State::Ok, format!("{} can be written", folder.display())),
        Err(error) => check(name, State::Wrong, format!("{} cannot be written: {error}", folder.display())),
    }
}

/// Prompts and pictures are nobody else's business.
#[cfg(unix)]
fn private(home: &Home) -> Check {
    use std::os::unix::fs::PermissionsExt as _;

    use pipeline_store::SqliteLogs;

    let mut open = Vec::new();
    let mut places = vec![home.folder.clone()];
    if let StoreChoice::Sqlite(path) = &home.store {
        places.push(path.clone());
        places.push(SqliteLogs::beside(path).path().to_path_buf());
    }
    places.extend(home.providers.clone());
    for place in &places {
        let Ok(metadata) = std::fs::metadata(place) else { continue };
        let mode = metadata.permissions().mode() & 0o777;
        let others = mode & 0o077;
        // Within a folder that is closed, nothing is open.
        if metadata.is_dir() && others == 0 && places.iter().all(|other| other.starts_with(place)) {
            return check("access", State::Ok, format!("only its owner may enter {}", place.display()));
        }
        if others != 0 {
            open.push(format!("{} has {mode:o}", place.display()));
        }
    }
    if open.is_empty() {
        return check("access", State::Ok, "only the owner may read".to_owned());
    }
    check("access", State::Warning, format!("others may read or enter: {}; `chmod go=` closes it", open.join(", ")))
}

#[cfg(not(unix))]
fn private(_: &Home) -> Check {
    check("access", State::Ok, "not looked at on this system".to_owned())
}

/// Compares the store's clock with this machine's, between two looks at the latter.
fn clock(store: Timestamp, before: Timestamp, after: Timestamp) -> Check {
    let apart = before.since(store).max(store.since(after));
    let (state, said) = if apart > APART {
        let which = if store < before { "behind" } else { "ahead of" };
        (State::Warning, format!("the store's is {} {which} this machine's; set one of them right", duration(apart)))
    } else {
        (State::Ok, "the store's and this machine's agree".to_owned())
    };
    check("clock", state, said)
}

/// Looks at the disks of the home, the database and the artifacts, each once.
fn spaces(home: &Home) -> Vec<Check> {
    let mut folders = vec![home.folder.clone()];
    if let StoreChoice::Sqlite(path) = &home.store {
        folders.extend(path.parent().map(Path::to_path_buf));
    }
    if let ArtifactsChoice::Folder(path) = &home.artifacts {
        folders.push(path.clone());
    }
    let mut checks: Vec<Check> = Vec::new();
    for folder in folders {
        let space = space(&folder);
        if !checks.iter().any(|known| known.detail == space.detail) {
            checks.push(space);
        }
    }
    checks
}

/// Keeps a small file and reads it again; it stays, as it is the same each time.
async fn artifacts(home: &Home) -> Check {
    let store = match wiring::artifacts(home) {
        Ok(store) => store,
        Err(failure) => return check("artifacts", State::Wrong, failure.lines().join("; ")),
    };
    let probe = async { store.get(store.put(Bytes::from_static(b"pipeline doctor\n")).await?.digest).await };
    match probe.await {
        Ok(_) => check("artifacts", State::Ok, format!("{} can be written and read", store.location())),
        Err(error) => check("artifacts", State::Wrong, pipeline_core::error::chain(&error)),
    }
}

fn space(folder: &Path) -> Check {
    // The folder may be a link to another disk.
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| PathBuf::from(folder));
    let disks = Disks::new_with_refreshed_list();
    let disk = disks
        .iter()
        .filter(|disk| folder.starts_with(disk.mount_point()))
        .max_by_key(|disk| disk.mount_point().components().count());
    match disk {
        None => check("space", State::Warning, "cannot tell how much is free".to_owned()),
        Some(disk) => {
            let free = disk.available_space();
            let state = match free {
                0..NO_SPACE => State::Wrong,
                NO_SPACE..LITTLE_SPACE => State::Warning,
                _ => State::Ok,
            };
            check("space", state, format!("{} free at {}", bytes(free), disk.mount_point().display()))
        }
    }
}

/// The presets need these.
fn providers(engine: &Engine) -> Check {
    let there = engine.providers();
    let needed = [Capability::GenerateImage, Capability::Vision, Capability::Text, Capability::ProcessImage];
    let missing: Vec<&str> = needed
        .iter()
        .filter(|capability| !there.iter().any(|provider| provider.info.capability == **capability))
        .map(|capability| capability.as_str())
        .collect();
    let names: Vec<String> =
        there.iter().map(|provider| format!("{} ({})", provider.name, provider.info.capability)).collect();
    if missing.is_empty() {
        check("providers", State::Ok, names.join(", "))
    } else {
        check("providers", State::Wrong, format!("none for {}", missing.join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_agree_unless_the_store_is_seconds_before_or_after_this_machine() {
        let at = |seconds: i64| Timestamp::from_micros(seconds * 1_000_000);
        assert_eq!(clock(at(100), at(99), at(101)).state, State::Ok);
        assert_eq!(clock(at(100), at(104), at(105)).state, State::Ok);
        let behind = clock(at(100), at(160), at(161));
        assert_eq!(behind.state, State::Warning);
        assert!(behind.detail.contains("behind") && behind.detail.contains("1 min"), "{}", behind.detail);
        let ahead = clock(at(100), at(10), at(11));
        assert!(ahead.state == State::Warning && ahead.detail.contains("ahead"), "{}", ahead.detail);
    }
}
