//! What can go wrong inside the SQLite store, and which kind of error a caller sees.

use std::path::Path;

use pipeline_core::error::{Error, ErrorKind};

/// An error on its way out: the port's own, or the database's.
#[derive(Debug)]
pub(super) enum Fault {
    /// Already classified.
    Port(Error),
    /// Not yet.
    Database(sqlx::Error),
}

pub(super) type Work<T> = Result<T, Fault>;

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self::Port(error)
    }
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<serde_json::Error> for Fault {
    fn from(error: serde_json::Error) -> Self {
        Self::Port(Error::unexpected("cannot write a record as JSON").because(error))
    }
}

impl Fault {
    /// Classifies the error for the store at `path`.
    pub(super) fn into_error(self, path: &Path) -> Error {
        match self {
            Self::Port(error) => error,
            Self::Database(error) => classify(error, path),
        }
    }
}

fn classify(error: sqlx::Error, path: &Path) -> Error {
    let (kind, message) = match &error {
        sqlx::Error::Database(database) => {
            let code = database.code().and_then(|code| code.parse::<i32>().ok()).unwrap_or(0);
            by_code(code)
        }
        sqlx::Error::Io(io) => match io.kind() {
            std::io::ErrorKind::PermissionDenied => (ErrorKind::Unauthorized, "no permission for the store"),
            std::io::ErrorKind::StorageFull => (ErrorKind::Exhausted, "no space is left for the store"),
            _ => (ErrorKind::Unavailable, "cannot read or write the store"),
        },
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            (ErrorKind::Unavailable, "the store is busy or closed")
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            (ErrorKind::Corrupt, "a stored record cannot be read")
        }
        _ => (ErrorKind::Unexpected, "the store failed"),
    };
    Error::new(kind, message).with("store", path.display()).because(error)
}

/// Follows <https://www.sqlite.org/rescode.html>; the low byte is the primary code.
const fn by_code(code: i32) -> (ErrorKind, &'static str) {
    match code & 0xff {
        5 | 6 => (ErrorKind::Unavailable, "the store is locked by another process"),
        7 => (ErrorKind::Exhausted, "no memory is left for the store"),
        3 | 8 | 23 => (ErrorKind::Unauthorized, "no permission to write the store"),
        10 => (ErrorKind::Unavailable, "the disk of the store failed"),
        11 => (ErrorKind::Corrupt, "the store is damaged"),
        13 => (ErrorKind::Exhausted, "no space is left for the store"),
        14 => (ErrorKind::Unavailable, "cannot open the store"),
        19 => (ErrorKind::Conflict, "a record with this id is already there, or one it refers to is not"),
        26 => (ErrorKind::Corrupt, "the file is not a SQLite database"),
        _ => (ErrorKind::Unexpected, "the store failed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_map_to_kinds_whatever_their_extension() {
        for (code, kind) in [
            (5, ErrorKind::Unavailable),
            (517, ErrorKind::Unavailable),
            (13, ErrorKind::Exhausted),
            (11, ErrorKind::Corrupt),
            (26, ErrorKind::Corrupt),
            (1555, ErrorKind::Conflict),
            (2067, ErrorKind::Conflict),
            (1, ErrorKind::Unexpected),
        ] {
            assert_eq!(by_code(code).0, kind, "{code}");
        }
    }
}
