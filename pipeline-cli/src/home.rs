//! Where records and files are kept: the home folder, and the store a URL names.

use std::fmt;
use std::path::{Path, PathBuf};

use directories::ProjectDirs;

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

/// The places this process uses; nothing is made by finding them out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Home {
    /// The folder.
    pub(crate) folder: PathBuf,
    /// Which record store.
    pub(crate) store: StoreChoice,
    /// The file that describes further providers.
    pub(crate) providers: Option<PathBuf>,
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
        let usual = || Some(folder.join("providers.toml")).filter(|file| file.exists());
        let providers = global.providers.clone().or_else(usual);
        Ok(Self { folder, store, providers })
    }

    /// Returns the folder of the artifacts.
    pub(crate) fn artifacts(&self) -> PathBuf {
        self.folder.join("artifacts")
    }

    /// Tells whether there are records already.
    pub(crate) fn has_records(&self) -> bool {
        match &self.store {
            StoreChoice::Sqlite(path) => path.exists(),
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
        assert!(home.artifacts().ends_with("a/artifacts"));
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
}
