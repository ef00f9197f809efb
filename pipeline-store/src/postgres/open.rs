//! Opening a PostgreSQL store: address, version check, migrations, connections.

use std::sync::Arc;
use std::time::Duration;

use pipeline_core::error::{Error, ErrorKind, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{ConnectOptions as _, Connection as _};

use super::bell::Bell;
use super::fault::{Fault, Work};
use super::heart::Heart;
use super::options::PostgresOptions;
use super::store::{Inner, PostgresStore};
use super::{location, migrate};
use crate::migration::SchemaState;

/// `bit_count` came with version 14.
const OLDEST: i32 = 140_000;

/// How every connection is set. A queue is never as the planner remembers it from the last ANALYZE, so plans are made
/// once and go by the indexes made for them; and no connection waits, or keeps others waiting, without end.
const SETTINGS: [(&str, &str); 11] = [
    ("client_min_messages", "error"),
    ("enable_bitmapscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_seqscan", "off"),
    ("idle_in_transaction_session_timeout", "60s"),
    ("jit", "off"),
    ("lock_timeout", "30s"),
    ("max_parallel_workers_per_gather", "0"),
    ("plan_cache_mode", "force_generic_plan"),
    ("statement_timeout", "60s"),
];

impl PostgresStore {
    /// Opens the store in a database, and makes its tables when they are missing. `url` is
    /// `postgres://USER:PASSWORD@HOST:PORT/DATABASE`, with `?sslmode=verify-full` and the like.
    ///
    /// # Errors
    /// `Invalid` for an address that is none, `Unauthorized` when the user or password is not accepted, `NotFound` when
    /// there is no such database, `Unavailable` when the server cannot be reached, `Unsupported` when it is older than
    /// version 14, `Conflict` when the store was written by a newer version.
    pub async fn connect(url: &str) -> Result<Self> {
        Self::connect_with(url, PostgresOptions::default()).await
    }

    /// Opens the store as [`PostgresStore::connect`] does, with options.
    ///
    /// # Errors
    /// As [`PostgresStore::connect`], and `Invalid` for options that cannot be.
    pub async fn connect_with(url: &str, options: PostgresOptions) -> Result<Self> {
        let connect = connection(url, &options)?;
        let location = location::of(&connect);
        let opened = tokio::time::timeout(options.acquire_timeout, prepare(&connect, &options.schema)).await;
        let version = opened.unwrap_or_else(|_| Err(silent())).map_err(|fault| unopened(fault, &location))?;
        let connections = options.connections.max(1);
        let pool = PgPoolOptions::new()
            .max_connections(connections)
            .acquire_timeout(options.acquire_timeout)
            .idle_timeout(Duration::from_secs(300))
            .max_lifetime(Duration::from_secs(900))
            .test_before_acquire(false)
            .after_release(|connection, _| {
                // Whatever was left open ends here (sqlx forgets a transaction whose begin was given up). `BEGIN` first,
                // because `ROLLBACK` without a transaction puts a warning into the server's log.
                Box::pin(async move {
                    sqlx::raw_sql("BEGIN; ROLLBACK").execute(connection).await?;
                    Ok(true)
                })
            })
            .connect_lazy_with(connect.clone());
        Ok(Self {
            inner: Arc::new(Inner {
                location,
                connect,
                pool,
                connections,
                heart: Heart::default(),
                bell: Bell::new(options.schema),
                patience: options.acquire_timeout,
                clock: options.clock,
                version,
            }),
        })
    }
}

impl PostgresStore {
    /// Says where the schema of the store in a database stands. Changes nothing.
    ///
    /// # Errors
    /// As [`PostgresStore::connect_with`].
    pub async fn schema_of(url: &str, options: &PostgresOptions) -> Result<SchemaState> {
        let connect = connection(url, options)?;
        let look = async {
            let mut connection = connect.connect().await?;
            let state = migrate::state(&mut connection, &options.schema).await?;
            connection.close().await?;
            Ok(state)
        };
        let looked = tokio::time::timeout(options.acquire_timeout, look).await;
        looked.unwrap_or_else(|_| Err(silent())).map_err(|fault| unopened(fault, &location::of(&connect)))
    }
}

fn connection(url: &str, options: &PostgresOptions) -> Result<PgConnectOptions> {
    check(&options.schema)?;
    Ok(location::parse(url)?
        .application_name("pipeline")
        .options(SETTINGS)
        .options([("search_path", options.schema.as_str())])
        .disable_statement_logging())
}

fn silent() -> Fault {
    Error::new(ErrorKind::Unavailable, "the store did not answer").into()
}

/// The error of a store that could not be opened; it names the store in any case.
fn unopened(fault: Fault, location: &str) -> Error {
    match fault {
        Fault::Port(error) => error.with("store", location),
        Fault::Database(_) => fault.into_error(location),
    }
}

fn check(schema: &str) -> Result<()> {
    let head = schema.starts_with(|c: char| c.is_ascii_lowercase());
    let fits = schema.len() <= 63 && !schema.starts_with("pg_");
    if head && fits && schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Ok(());
    }
    Err(Error::invalid("the schema's name is wrong")
        .with("schema", schema)
        .with("accepted", "a lower-case letter, then letters, digits or `_`, at most 63, not `pg_`"))
}

async fn prepare(connect: &PgConnectOptions, schema: &str) -> Work<String> {
    let mut connection = connect.connect().await?;
    let (number, version): (i32, String) =
        sqlx::query_as("SELECT current_setting('server_version_num')::integer, current_setting('server_version')")
            .fetch_one(&mut connection)
            .await?;
    if number < OLDEST {
        let error = Error::new(ErrorKind::Unsupported, "this PostgreSQL is too old; 14 or newer is needed");
        return Err(Fault::Port(error.with("version", version)));
    }
    migrate::migrate(&mut connection, schema).await?;
    connection.close().await?;
    // Debian adds its own number: `15.18 (Debian 15.18-0+deb12u1)`.
    Ok(version.split(' ').next().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_is_a_plain_name() {
        for name in ["pipeline", "a", "jobs_2"] {
            assert!(check(name).is_ok(), "{name}");
        }
        for name in ["", "2", "Pipeline", "a b", "a;b", "pg_x", "\"a\"", &"a".repeat(64)] {
            assert_eq!(check(name).unwrap_err().kind(), ErrorKind::Invalid, "{name}");
        }
    }
}
