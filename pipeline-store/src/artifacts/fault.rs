//! Which kind of error a caller sees when the file system fails.

use std::error::Error as StdError;
use std::io;

use pipeline_core::error::{Error, ErrorKind};

/// Classifies an error of the store at `location`.
pub(super) fn classify(error: object_store::Error, doing: &'static str, location: &str) -> Error {
    let kind = match (&error, io_kind(&error)) {
        (object_store::Error::NotFound { .. }, _) => ErrorKind::NotFound,
        (object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. }, _)
        | (_, Some(io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)) => ErrorKind::Unauthorized,
        (_, Some(io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::OutOfMemory)) => {
            ErrorKind::Exhausted
        }
        (_, Some(_)) => ErrorKind::Unavailable,
        (_, None) => ErrorKind::Unexpected,
    };
    Error::new(kind, doing).with("artifacts", location).because(error)
}

/// Classifies an error of making the folder.
pub(super) fn folder(error: io::Error, path: &std::path::Path) -> Error {
    let kind = match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => ErrorKind::Unauthorized,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::Exhausted,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, "cannot make the folder of the artifacts").with("path", path.display()).because(error)
}

/// Finds the operating system's error among the causes.
fn io_kind(error: &object_store::Error) -> Option<io::ErrorKind> {
    let mut next: Option<&(dyn StdError + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(io) = cause.downcast_ref::<io::Error>() {
            return Some(io.kind());
        }
        next = cause.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_exhausted_and_a_closed_door_unauthorized() {
        for (io, kind) in [
            (io::ErrorKind::StorageFull, ErrorKind::Exhausted),
            (io::ErrorKind::PermissionDenied, ErrorKind::Unauthorized),
            (io::ErrorKind::TimedOut, ErrorKind::Unavailable),
        ] {
            let source = Box::new(io::Error::from(io));
            let error = object_store::Error::Generic { store: "local", source };
            assert_eq!(classify(error, "cannot write", "/a").kind(), kind);
        }
    }
}
