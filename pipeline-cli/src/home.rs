//! Where records and files are kept: the home folder, and the store a URL names.

use std::fmt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;
use pipeline_core::model::LogLevel;
use pipeline_store::Artifacts;

use crate::args::Global;
use crate::output::Failure;

/// Which record store.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum StoreChoice {
    /// One SQLite file.
    Sqlite(PathBuf),
    /// A PostgreSQL database; the URL may hold a password and is never shown.
    Postgres(String),
    /// Nothing is kept.
    Memory,
}

impl fmt::Debug for StoreChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => f.debug_tuple("Sqlite").field(path).finish(),
            Self::Postgres(_) => f.write_str("Postgres"),
            Self::Memory => f.write_str("Memory"),
        }
    }
}

/// Where files are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ArtifactsChoice {
    /// A folder.
    Folder(PathBuf),
    /// A bucket of S3; the URL holds no secret.
    S3(String),
    /// Nothing is kept.
    Memory,
}

/// The places this process uses; nothing is made by finding them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Which record store.
    pub(crate) store: StoreChoice,
    /// Where files are kept.
    pub(crate) artifacts: ArtifactsChoice,
    /// The file that describes further providers.
    pub(crate) providers: Option<PathBuf>,
    /// For whom the program acts; `None` looks after everything.
    pub(crate) owner: Option<String>,
    /// From which level on logs are kept; `None` keeps none.
    pub(crate) log_level: Option<LogLevel>,
}

impl Home {
    /// Finds the places out from the arguments.
    pub(crate) fn find(global: &Global) -> Result<Self, Failure> {
        let folder = match &global.home {
            Some(folder) => std::path::absolute(folder)
                .map_err(|error| Failure::wrong(format!("cannot use the home folder {}: {error}", folder.display())))?,
            None => platform_folder()?,
        };
        let store = match &global.store {
            Some(url) => store_choice(url)?,
            None => StoreChoice::Sqlite(folder.join("pipeline.db")),
        };
        let artifacts = match (&global.artifacts, &store) {
            (Some(place), _) => artifacts_choice(place)?,
            (None, StoreChoice::Memory) => ArtifactsChoice::Memory,
            (None, _) => ArtifactsChoice::Folder(folder.join("artifacts")),
        };
        let usual = || Some(folder.join("providers.toml")).filter(|file| file.exists());
        let providers = global.providers.clone().or_else(usual);
        let log_level = match global.keep_logs.as_deref() {
            None => Some(LogLevel::Info),
            // Only a level or `off` comes here.
            Some(word) => word.parse().ok(),
        };
        let owner = global.acting_for.clone();
        if owner.as_ref().is_some_and(|owner| owner.trim().is_empty()) {
            return Err(Failure::wrong("--as is empty").hint("accepted: the name of an owner, for example system"));
        }
        Ok(Self { folder, store, artifacts, providers, owner, log_level })
    }

    /// Returns the folder of small copies of pictures; it may be removed at any time.
    pub(crate) fn thumbnails(&self) -> PathBuf {
        self.folder.join("thumbnails")
    }

    /// Tells whether there are records already.
    pub(crate) fn has_records(&self) -> bool {
        match &self.store {
            // What cannot be looked at is not absent: opening it says why.
            StoreChoice::Sqlite(path) => path.try_exists().unwrap_or(true),
            StoreChoice::Postgres(_) => true,
            StoreChoice::Memory => false,
        }
    }
}

fn platform_folder() -> Result<PathBuf, Failure> {
    ProjectDirs::from("", "", "pipeline").map(|dirs| dirs.data_dir().to_path_buf()).ok_or_else(|| {
        Failure::wrong("this system has no folder for a program's data")
            .hint("say where to keep records and files with --home DIR or PIPELINE_HOME")
    })
}

/// Reads `--store`.
fn store_choice(url: &str) -> Result<StoreChoice, Failure> {
    let wrong = |message: String| {
        Failure::wrong(message)
            .hint("expected `sqlite:PATH`, for example sqlite:/var/lib/jobs.db, `postgres://…`, or `memory:`")
    };
    let Some((scheme, rest)) = url.split_once(':') else {
        return Err(wrong("--store is not a URL".to_owned()));
    };
    match scheme {
        "sqlite" => {
            let path = rest.strip_prefix("//").unwrap_or(rest);
            if path.is_empty() || path == ":memory:" {
                return Err(wrong("--store names no file".to_owned()));
            }
            let path = std::path::absolute(Path::new(path))
                .map_err(|error| Failure::wrong(format!("cannot use the store {path}: {error}")))?;
            Ok(StoreChoice::Sqlite(path))
        }
        "postgres" | "postgresql" => Ok(StoreChoice::Postgres(url.to_owned())),
        "memory" => Ok(StoreChoice::Memory),
        // What follows the scheme may hold a password: only the scheme is repeated.
        other => Err(wrong(format!("--store: there is no store of kind `{other}`"))),
    }
}

/// Reads `--artifacts`.
fn artifacts_choice(place: &str) -> Result<ArtifactsChoice, Failure> {
    let wrong = |message: String| {
        Failure::wrong(message).hint("expected a folder, or `s3://BUCKET/PREFIX` with the keys in the environment")
    };
    match place.split_once("://") {
        Some(("s3", _)) => match Artifacts::check_s3(place) {
            Ok(()) => Ok(ArtifactsChoice::S3(place.to_owned())),
            Err(error) => Err(wrong(format!("--artifacts: {}", error.message()))),
        },
        // What follows the scheme may hold a password: only the scheme is repeated.
        Some((other, _)) => Err(wrong(format!("--artifacts: there are no artifacts of kind `{other}`"))),
        None if place.is_empty() || place.starts_with("s3:") => Err(wrong("--artifacts names no place".to_owned())),
        None => std::path::absolute(Path::new(place))
            .map(ArtifactsChoice::Folder)
            .map_err(|error| wrong(format!("cannot use the folder {place}: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(home: Option<&str>, store: Option<&str>) -> Result<Home, Failure> {
        Home::find(&Global { home: home.map(PathBuf::from), store: store.map(str::to_owned), ..Global::default() })
    }

    #[test]
    fn the_database_lies_in_the_home_unless_a_url_says_otherwise() {
        let home = find(Some("/a"), None).unwrap();
        assert_eq!(home.store, StoreChoice::Sqlite(std::path::absolute("/a/pipeline.db").unwrap()));
        let home = find(Some("/a"), Some("sqlite:///b/jobs.db")).unwrap();
        assert_eq!(home.store, StoreChoice::Sqlite(std::path::absolute("/b/jobs.db").unwrap()));
        assert_eq!(home.artifacts, ArtifactsChoice::Folder(std::path::absolute("/a/artifacts").unwrap()));
        assert_eq!(find(Some("/a"), Some("memory:")).unwrap().store, StoreChoice::Memory);
    }

    #[test]
    fn an_unknown_store_is_named_without_its_password() {
        let text = find(Some("/a"), Some("mysql://me:secret@host/db")).unwrap_err().lines().join("\n");
        assert!(text.contains("mysql") && text.contains("sqlite:PATH"), "{text}");
        assert!(!text.contains("secret"), "{text}");
        let choice = find(Some("/a"), Some("postgres://me:secret@host/db")).unwrap();
        assert!(!format!("{choice:?}").contains("secret"));
    }

    #[test]
    fn files_lie_in_the_home_unless_said_otherwise() {
        let find = |store: Option<&str>, place: &str| {
            let artifacts = Some(place.to_owned());
            let global =
                Global { home: Some("/a".into()), store: store.map(str::to_owned), artifacts, ..Global::default() };
            Home::find(&global).map(|home| home.artifacts)
        };
        let folder = |path: &str| ArtifactsChoice::Folder(std::path::absolute(path).unwrap());
        assert_eq!(find(None, "/b/files").unwrap(), folder("/b/files"));
        assert_eq!(find(Some("memory:"), "/b/files").unwrap(), folder("/b/files"));
        assert_eq!(find(None, "s3://photos/team").unwrap(), ArtifactsChoice::S3("s3://photos/team".to_owned()));
        for wrong in
            ["", "s3:photos", "s3://", "gs://me:secret@photos", "s3://me:secret@photos", "s3://photos?a=secret"]
        {
            let text = find(None, wrong).unwrap_err().lines().join("\n");
            assert!(text.contains("--artifacts") && text.contains("s3://BUCKET"), "{text}");
            assert!(!text.contains("secret"), "{text}");
        }
    }
}
