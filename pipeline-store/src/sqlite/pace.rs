//! How long the one writing connection waits for the disk right now.

use std::sync::atomic::{AtomicBool, Ordering};

use sqlx::SqliteConnection;

use super::fault::Work;
use super::options::Synchronous;

/// Whether the writing connection may skip the wait. Read and changed only by whoever has the connection.
///
/// A connection that replaces a broken one waits, so a wrong memory can only say that it does not: then the next
/// durable transaction turns the wait on again, which is harmless.
#[derive(Debug, Default)]
pub(super) struct Pace(AtomicBool);

impl Pace {
    /// Makes the connection wait, or not, from the next transaction on.
    pub(super) async fn set(&self, connection: &mut SqliteConnection, synchronous: Synchronous) -> Work<()> {
        let light = synchronous == Synchronous::Normal;
        if self.0.load(Ordering::SeqCst) == light {
            return Ok(());
        }
        // Marked before the change, so that a failure between the two cannot leave it light and unmarked.
        self.0.store(true, Ordering::SeqCst);
        let pragma = if light { "PRAGMA synchronous = NORMAL" } else { "PRAGMA synchronous = FULL" };
        sqlx::query(pragma).execute(connection).await?;
        self.0.store(light, Ordering::SeqCst);
        Ok(())
    }
}
