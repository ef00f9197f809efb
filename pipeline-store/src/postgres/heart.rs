//! The connection of heartbeats: apart from the pool, so that no heartbeat waits behind work.

use std::time::Duration;

use pipeline_core::error::{Error, ErrorKind};
use pipeline_core::id::SessionId;
use pipeline_core::storage::Heartbeat;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use tokio::runtime::{Handle, Id};
use tokio::sync::Mutex;

use super::fault::{Fault, Work};
use super::sessions;
use super::store::Inner;

/// Holds the connection. It is opened by, and belongs to, the runtime that asks for the first beat: a heart that beats on
/// a thread of its own depends on nobody else's.
#[derive(Debug, Default)]
pub(super) struct Heart(Mutex<Option<(Id, PgConnection)>>);

impl Heart {
    /// Extends a session's lease, or frees what it holds when that has run out.
    pub(super) async fn beat(&self, inner: &Inner, session: SessionId, lease: Duration) -> Work<Heartbeat> {
        let beat = tokio::time::timeout(inner.patience, self.attempt(inner, session, lease)).await;
        beat.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "the store did not answer a heartbeat in time").into())
        })
    }

    async fn attempt(&self, inner: &Inner, session: SessionId, lease: Duration) -> Work<Heartbeat> {
        let here = Handle::current().id();
        let mut held = self.0.lock().await;
        // While it is in use it is not in its place: a beat that is given up closes it, and leaves nothing half done.
        if let Some((_, mut connection)) = held.take().filter(|(home, _)| *home == here) {
            match pulse(&mut connection, inner, session, lease).await {
                Err(fault) if fault.is_disconnection() => {}
                done => {
                    *held = done.is_ok().then_some((here, connection));
                    return done;
                }
            }
        }
        let mut connection = inner.connect.clone().options([("synchronous_commit", "off")]).connect().await?;
        let done = pulse(&mut connection, inner, session, lease).await;
        *held = done.is_ok().then_some((here, connection));
        done
    }

    /// Closes the connection.
    pub(super) async fn close(&self) {
        if let Some((_, connection)) = self.0.lock().await.take() {
            connection.close().await.ok();
        }
    }
}

async fn pulse(connection: &mut PgConnection, inner: &Inner, session: SessionId, lease: Duration) -> Work<Heartbeat> {
    if let Some(beat) = sessions::beat(connection, inner, session, lease).await? {
        return Ok(beat);
    }
    // Freeing its items may end a job, and what was told of an end must not be lost.
    let begin = "BEGIN; SET LOCAL synchronous_commit = on";
    let mut transaction = connection.begin_with(begin).await.map_err(Fault::from)?;
    sessions::release(&mut transaction, inner, session).await?;
    transaction.commit().await?;
    Ok(Heartbeat { alive: false, controls: Vec::new() })
}
