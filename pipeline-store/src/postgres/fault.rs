//! What can go wrong inside the PostgreSQL store, and which kind of error a caller sees.

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
    /// Classifies the error for the store at `location`, which holds no password.
    pub(super) fn into_error(self, location: &str) -> Error {
        match self {
            Self::Port(error) => error,
            Self::Database(error) => classify(error, location),
        }
    }

    /// Tells whether the transaction lost against another one and did nothing: a second try can succeed.
    pub(super) fn has_lost(&self) -> bool {
        self.code().is_some_and(|code| code == "40001" || code == "40P01")
    }

    /// Tells whether the connection is gone, for example because the server was restarted.
    pub(super) fn is_disconnection(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::Protocol(_)) => true,
            _ => self.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code == "25P03"),
        }
    }

    fn code(&self) -> Option<String> {
        match self {
            Self::Database(sqlx::Error::Database(database)) => database.code().map(std::borrow::Cow::into_owned),
            _ => None,
        }
    }
}

fn classify(error: sqlx::Error, location: &str) -> Error {
    let (kind, message) = match &error {
        sqlx::Error::Database(database) => by_code(&database.code().unwrap_or_default()),
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) | sqlx::Error::Tls(_) => {
            (ErrorKind::Unavailable, "cannot reach the store")
        }
        sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed | sqlx::Error::WorkerCrashed => {
            (ErrorKind::Unavailable, "the store is busy, closed or not reachable")
        }
        sqlx::Error::Configuration(_) => (ErrorKind::Invalid, "the address of the store is wrong"),
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) | sqlx::Error::ColumnIndexOutOfBounds { .. } => {
            (ErrorKind::Corrupt, "a stored record cannot be read")
        }
        _ => (ErrorKind::Unexpected, "the store failed"),
    };
    let error = match error {
        // Without the line of the server's own source.
        sqlx::Error::Database(told) => {
            told.code().map_or_else(|| told.message().into(), |code| format!("{} ({code})", told.message()).into())
        }
        other => Box::<dyn std::error::Error + Send + Sync>::from(other),
    };
    Error::new(kind, message).with("store", location).because(error)
}

/// Follows <https://www.postgresql.org/docs/current/errcodes-appendix.html>; the first two characters are the class.
fn by_code(code: &str) -> (ErrorKind, &'static str) {
    match code {
        "57014" => (ErrorKind::Timeout, "the store did not answer in time"),
        "55P03" | "40001" | "40P01" => (ErrorKind::Unavailable, "the store is busy with other transactions"),
        "25P03" | "57P05" => (ErrorKind::Unavailable, "the store closed an idle connection"),
        "25006" => (ErrorKind::Unavailable, "the store is read-only"),
        "53300" => (ErrorKind::Unavailable, "the store has no connection left"),
        "42501" => (ErrorKind::Unauthorized, "no permission in the store"),
        "3D000" => (ErrorKind::NotFound, "there is no such database"),
        "22021" | "22P05" => (ErrorKind::Invalid, "a text holds a character that the store cannot keep"),
        "54000" | "22003" => (ErrorKind::Invalid, "a record is too large for the store"),
        _ => match code.get(..2).unwrap_or_default() {
            "08" | "57" => (ErrorKind::Unavailable, "the store is down, starting or shutting down"),
            "28" => (ErrorKind::Unauthorized, "the store does not accept the user or password"),
            "53" => (ErrorKind::Exhausted, "the store has no space, memory or connections left"),
            "58" => (ErrorKind::Unavailable, "the disk of the store failed"),
            "23" => (ErrorKind::Conflict, "a record with this id is already there, or breaks a rule of the store"),
            "XX" => match code {
                "XX001" | "XX002" => (ErrorKind::Corrupt, "the store is damaged"),
                _ => (ErrorKind::Unexpected, "the store failed"),
            },
            _ => (ErrorKind::Unexpected, "the store failed"),
        },
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::error::Retryability;

    use super::*;

    #[test]
    fn codes_map_to_kinds_by_class_and_exception() {
        for (code, kind) in [
            ("57P01", ErrorKind::Unavailable),
            ("57P03", ErrorKind::Unavailable),
            ("08006", ErrorKind::Unavailable),
            ("40P01", ErrorKind::Unavailable),
            ("53300", ErrorKind::Unavailable),
            ("28P01", ErrorKind::Unauthorized),
            ("42501", ErrorKind::Unauthorized),
            ("53100", ErrorKind::Exhausted),
            ("53200", ErrorKind::Exhausted),
            ("57014", ErrorKind::Timeout),
            ("23505", ErrorKind::Conflict),
            ("XX001", ErrorKind::Corrupt),
            ("XX000", ErrorKind::Unexpected),
            ("22021", ErrorKind::Invalid),
            ("42P01", ErrorKind::Unexpected),
            ("", ErrorKind::Unexpected),
        ] {
            assert_eq!(by_code(code).0, kind, "{code}");
        }
        assert_eq!(Error::new(by_code("57P01").0, "down").retryability(), Retryability::Transient);
    }

    #[test]
    fn a_connection_that_was_closed_is_told_from_a_statement_that_failed() {
        let refused = Fault::Database(sqlx::Error::Io(std::io::ErrorKind::ConnectionReset.into()));
        assert!(refused.is_disconnection() && !refused.has_lost());
        assert!(!Fault::Database(sqlx::Error::RowNotFound).is_disconnection());
        let error = refused.into_error("postgres://me@host/jobs");
        assert_eq!((error.kind(), error.retryability()), (ErrorKind::Unavailable, Retryability::Transient));
    }
}
