//! Where a database is, for people: an address without its secrets.

use std::str::FromStr as _;

use pipeline_core::error::{Error, Result};
use sqlx::postgres::PgConnectOptions;

/// What may stand behind the `?` of an address.
const PARAMETERS: &[&str] = &[
    "application_name",
    "dbname",
    "host",
    "hostaddr",
    "options",
    "password",
    "port",
    "ssl-ca",
    "ssl-cert",
    "ssl-key",
    "ssl-mode",
    "ssl-root-cert",
    "sslcert",
    "sslkey",
    "sslmode",
    "sslrootcert",
    "statement-cache-capacity",
    "user",
];

/// Reads an address such as `postgres://me@host/jobs`. No error shows any of it.
///
/// # Errors
/// `Invalid` when it is no address, or has a parameter that would be ignored.
pub(super) fn parse(url: &str) -> Result<PgConnectOptions> {
    let wrong = || {
        Error::invalid("the address of the store is wrong")
            .with("accepted", "postgres://USER:PASSWORD@HOST:PORT/DATABASE")
    };
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        return Err(wrong());
    }
    // The driver would log an unknown one with its value.
    let query = url.split_once('?').map_or("", |(_, query)| query.split('#').next().unwrap_or_default());
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let key = pair.split('=').next().unwrap_or_default();
        let known = PARAMETERS.contains(&key) || key.starts_with("options[") || key.starts_with("options%5B");
        if !known {
            // Not even its name is told: it may be the rest of a password with a `?` in it.
            return Err(wrong().with("parameters", PARAMETERS.join(", ")));
        }
    }
    // Its cause may quote what it could not read.
    PgConnectOptions::from_str(url).map_err(|_| wrong())
}

/// Returns the address without password and parameters.
pub(super) fn of(options: &PgConnectOptions) -> String {
    let user = options.get_username();
    let database = options.get_database().unwrap_or(user);
    let port = options.get_port();
    match options.get_socket() {
        Some(folder) => format!("postgres://{user}@localhost:{port}/{database}?host={}", folder.display()),
        None => format!("postgres://{user}@{}:{port}/{database}", options.get_host()),
    }
}

#[cfg(test)]
mod tests {
    use pipeline_core::ErrorKind;
    use pipeline_core::error::chain;

    use super::*;

    const SECRET: &str = "s3cr3t";

    #[test]
    fn an_address_is_told_without_its_secrets() {
        for (url, told) in [
            ("postgres://me:s3cr3t@db.example:5433/jobs?sslmode=require", "postgres://me@db.example:5433/jobs"),
            ("postgresql://me@db.example/jobs?password=s3cr3t", "postgres://me@db.example:5432/jobs"),
            ("postgres://me:s3cr3t@%2Frun%2Fpg/jobs", "postgres://me@localhost:5432/jobs?host=/run/pg"),
            (
                "postgres://me@localhost/jobs?host=/run/pg&options=-c%20a.b=s3cr3t",
                "postgres://me@localhost:5432/jobs?host=/run/pg",
            ),
        ] {
            assert_eq!(of(&parse(url).unwrap()), told, "{url}");
        }
    }

    #[test]
    fn a_wrong_address_is_refused_without_repeating_it() {
        for url in [
            "s3cr3t",
            "mysql://me:s3cr3t@host/jobs",
            "postgres://me:s3cr3t@host:99999999/jobs",
            "postgres://me:s3cr3t@host/jobs?sslmode=s3cr3t",
            "postgres://me:s3cr3t@host/jobs?passwort=s3cr3t",
            "postgres://me:what?s3cr3t@host/jobs",
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid, "{url}");
            assert!(!chain(&error).contains(SECRET) && !format!("{error:?}").contains(SECRET), "{error:?}");
        }
    }
}
