//! How long the one writing connection waits for the disk right now.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::{Connection as _, Sqlite, SqliteConnection, Transaction};

use super::options::Synchronous;

/// Whether the writing connection may skip the wait. Read and changed only by whoever has the connection.
///
/// A connection that replaces a broken one waits, so a wrong memory can only say that it does not: then the next
/// durable transaction turns the wait on again, which is harmless.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicBool);

impl Pace {
    /// Begins a transaction that waits for the disk, or not.
    pub(super) async fn begin<'c>(
        &self,
        connection: &'c mut SqliteConnection,
        synchronous: Synchronous,
    ) -> Result<Transaction<'c, Sqlite>, sqlx::Error> {
        let light = synchronous == Synchronous::Normal;
        let begin = match (self.0.load(Ordering::SeqCst) == light, light) {
            (true, _) => "BEGIN IMMEDIATE",
            (false, true) => "PRAGMA synchronous = NORMAL; BEGIN IMMEDIATE",
            (false, false) => "PRAGMA synchronous = FULL; BEGIN IMMEDIATE",
        };
        // Marked before the change, so that a failure between the two cannot leave it light and unmarked.
        self.0.fetch_or(light, Ordering::SeqCst);
        let transaction = connection.begin_with(begin).await?;
        self.0.store(light, Ordering::SeqCst);
        Ok(transaction)
    }
}
