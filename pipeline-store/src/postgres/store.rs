//! The PostgreSQL store itself: its connections, and how work gets a transaction.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use pipeline_core::error::{Error, Result};
use pipeline_core::storage::{Store, StoreInfo};
use pipeline_core::time::{Clock, Timestamp};
use sqlx::postgres::PgConnectOptions;
use sqlx::{PgConnection, PgPool};

use super::bell::Bell;
use super::fault::{Fault, Work};
use super::heart::Heart;
use super::locks::unpaused;

/// How often a transaction is tried that loses against others.
const TRIES: u32 = 6;

/// Keeps records in a PostgreSQL database. Cheap to clone; clones share everything.
#[derive(Clone)]
pub struct PostgresStore {
    pub(super) inner: Arc<Inner>,
}

/// What the clones of a store share.
pub(super) struct Inner {
    pub(super) location: String,
    pub(super) connect: PgConnectOptions,
    pub(super) pool: PgPool,
    pub(super) connections: u32,
    pub(super) heart: Heart,
    pub(super) bell: Bell,
    pub(super) patience: Duration,
    pub(super) clock: Option<Arc<dyn Clock>>,
    pub(super) version: String,
}

/// Reads the clock inside a statement: the parameter, or the database's time where that is NULL.
macro_rules! clock {
    ($parameter:literal) => {
        concat!("coalesce(", $parameter, "::bigint, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint)")
    };
}
pub(super) use clock;

impl Inner {
    /// Returns what to bind for [`clock`].
    pub(super) fn told(&self) -> Option<i64> {
        self.clock.as_ref().map(|clock| clock.now().as_micros())
    }

    /// Asks for the time; once a transaction.
    pub(super) async fn now(&self, connection: &mut PgConnection) -> Work<Timestamp> {
        if let Some(clock) = &self.clock {
            return Ok(clock.now());
        }
        let now = sqlx::query_scalar(concat!("SELECT ", clock!("NULL"))).fetch_one(connection).await?;
        Ok(Timestamp::from_micros(now))
    }
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug)]
pub(super) enum Begin {
    /// Its commit waits for the disk.
    Durable,
    /// As `Durable`, and everything is not paused meanwhile: for intents of calls.
    Intent,
    /// Its commit does not: only for claims, which are nothing without the process that holds them. Should a crash of the
    /// server take one, a later claim cannot bear its token; see `claim::TAKE`.
    ///
    /// Sorting is off so that claims walk the index in claim order and stop at their limit, whatever the planner
    /// believes about the table: they lock what they walk over.
    Claim,
    /// It only reads, and sees the store as it is at one moment.
    View,
}

impl Begin {
    const fn statement(self) -> &'static str {
        match self {
            Self::Durable => "BEGIN",
            Self::Intent => concat!("BEGIN; ", unpaused!()),
            Self::Claim => {
                concat!("BEGIN; SET LOCAL synchronous_commit = off; SET LOCAL enable_sort = off; ", unpaused!())
            }
            Self::View => "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
        }
    }
}

impl PostgresStore {
    /// Waits for running transactions and closes every connection.
    pub async fn close(&self) {
        self.inner.heart.close().await;
        self.inner.bell.close();
        self.inner.pool.close().await;
    }

    /// Runs `work` in a transaction in a task of its own; an error rolls everything back. It runs again when it lost
    /// against another transaction.
    pub(super) async fn write<I, T, F>(&self, begin: Begin, input: I, work: F) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, &'c Inner, &'c I) -> BoxFuture<'c, Work<T>> + Send + Sync + 'static,
    {
        self.spawn(move |inner| async move {
            let mut lost = 0;
            loop {
                match transact(&inner, begin, &input, &work).await {
                    Err(fault) if fault.has_lost() && lost + 1 < TRIES => {
                        lost += 1;
                        tracing::debug!(?fault, lost, "a transaction lost against another, trying again");
                        tokio::time::sleep(Duration::from_millis(5) * lost).await;
                    }
                    done => return done,
                }
            }
        })
        .await
    }

    /// Runs `work`, one statement that only reads.
    pub(super) async fn read<I, T, F>(&self, input: I, work: F) -> Result<T>
    where
        I: Send + Sync + 'static,
        T: Send + 'static,
        F: for<'c> Fn(&'c mut PgConnection, &'c I) -> BoxFuture<'c, Work<T>> + Send + Sync + 'static,
    {
        self.spawn(move |inner| async move {
            // A server that was restarted has left a broken connection in each place of the pool.
            let mut broken = 0;
            loop {
                let mut connection = inner.pool.acquire().await?;
                match work(&mut connection, &input).await {
                    Err(fault) if fault.is_disconnection() && broken <= inner.connections => {
                        broken += 1;
                        connection.close().await.ok();
                    }
                    done => return done,
                }
            }
        })
        .await
    }

    async fn spawn<T, F, R>(&self, run: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(Arc<Inner>) -> R + Send + 'static,
        R: Future<Output = Work<T>> + Send + 'static,
    {
        let inner = Arc::clone(&self.inner);
        let task = tokio::spawn(async move {
            let done = run(Arc::clone(&inner)).await;
            done.map_err(|fault| fault.into_error(&inner.location))
        });
        task.await.unwrap_or_else(|error| Err(Error::unexpected("a store transaction ended early").because(error)))
    }
}

async fn transact<I, T, F>(inner: &Inner, begin: Begin, input: &I, work: &F) -> Work<T>
where
    F: for<'c> Fn(&'c mut PgConnection, &'c Inner, &'c I) -> BoxFuture<'c, Work<T>>,
{
    let mut broken = 0;
    let mut connection = loop {
        let mut connection = inner.pool.acquire().await?;
        // Nothing was sent yet, so a connection that the server has closed meanwhile is only replaced.
        match sqlx::raw_sql(begin.statement()).execute(&mut *connection).await.map_err(Fault::from) {
            Ok(_) => break connection,
            Err(fault) if fault.is_disconnection() && broken <= inner.connections => {
                broken += 1;
                connection.close().await.ok();
            }
            Err(fault) => return Err(fault),
        }
    };
    let done = match work(&mut connection, inner, input).await {
        Ok(value) => sqlx::raw_sql("COMMIT").execute(&mut *connection).await.map(|_| value).map_err(Fault::from),
        Err(fault) => Err(fault),
    };
    if done.is_err() {
        // The error tells more than a failed rollback, and a connection that is not clean does not go back to the pool.
        match sqlx::raw_sql("ROLLBACK").execute(&mut *connection).await {
            Ok(_) => {}
            Err(error) => {
                tracing::debug!(%error, "rollback failed");
                connection.close().await.ok();
            }
        }
    }
    done
}

impl fmt::Debug for PostgresStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresStore").field("location", &self.inner.location).finish_non_exhaustive()
    }
}

impl Store for PostgresStore {
    fn info(&self) -> StoreInfo {
        StoreInfo {
            backend: "postgres".to_owned(),
            location: self.inner.location.clone(),
            schema: super::migrate::newest(),
            engine: format!("PostgreSQL {}", self.inner.version),
            durable: true,
        }
    }
}
