//! How long the one writing connection waits for the disk right now.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};

use super::options::Synchronous;

/// Whether the writing connection may skip the wait. Read and changed only by whoever has the connection.
///
/// A connection that replaces a broken one waits, so a wrong memory can only say that it does not: then the next
/// durable transaction turns the wait on again, which is harmless.
#[derive(Debug, Default)]
pub(super) struct Pace {
    light: AtomicBool,
    /// A planted bug: transactions that take the lock only when they first write.
    #[cfg(test)]
    pub(super) deferred: AtomicBool,
}

impl Pace {
    /// Begins a transaction that waits for the disk, or not.
    pub(super) async fn begin<'c>(
        &self,
        connection: &'c mut SqliteConnection,
        synchronous: Synchronous,
    ) -> Result<Transaction<'c, Sqlite>, sqlx::Error> {
        let light = synchronous == Synchronous::Normal;
        let begin = match (self.light.load(Ordering::SeqCst) == light, light) {
            (true, _) => "BEGIN IMMEDIATE",
            (false, true) => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            (false, false) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        };
        #[cfg(test)]
        let begin = if self.deferred.load(Ordering::SeqCst) { "BEGIN DEFERRED" } else { begin };
        // Marked before the change, so that a failure between the two cannot leave it light and unmarked.
        self.light.fetch_or(light, Ordering::SeqCst);
        let transaction = connection.begin_with(begin).await?;
        self.light.store(light, Ordering::SeqCst);
        Ok(transaction)
    }
}
