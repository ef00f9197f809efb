//! Hints between processes that there may be work: `NOTIFY` after the commit that made it.
//!
//! Never within a transaction: there it would have the commits of the whole database wait for each other. A hint may be
//! lost, with its connection or at a pooler that does not carry it; whoever waits for one looks from time to time as well.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::store::Inner;

/// The channel; the payload is the schema.
const CHANNEL: &str = "pipeline";

/// Hints that come faster than this are one.
const TOGETHER: Duration = Duration::from_millis(5);

/// How long the listener waits before it connects again.
const AGAIN: Duration = Duration::from_secs(1);

/// Rings for other processes, and hears them ring.
#[derive(Debug)]
pub(super) struct Bell {
    schema: String,
    /// Counts what was heard.
    heard: Arc<watch::Sender<u64>>,
    listener: Mutex<Option<JoinHandle<()>>>,
    wanted: AtomicBool,
    ringing: AtomicBool,
}

impl Bell {
    pub(super) fn new(schema: String) -> Self {
        let heard = Arc::new(watch::Sender::new(0));
        let (wanted, ringing) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { schema, heard, listener: Mutex::default(), wanted, ringing }
    }

    /// Has all processes told that there may be work, soon.
    pub(super) fn ring(inner: &Arc<Inner>) {
        inner.bell.wanted.store(true, Ordering::SeqCst);
        if !inner.bell.ringing.swap(true, Ordering::SeqCst) {
            tokio::spawn(notify(Arc::downgrade(inner)));
        }
    }

    /// Waits until the count of what was heard is another than `seen`, and returns it.
    pub(super) async fn heard(&self, connect: &PgConnectOptions, seen: u64) -> u64 {
        self.listen(connect);
        let mut heard = self.heard.subscribe();
        // The sender is here, so there is no error to tell.
        heard.wait_for(|count| *count != seen).await.map_or(seen, |count| *count)
    }

    /// Ends the listener.
    pub(super) fn close(&self) {
        if let Some(listener) = self.listener.lock().unwrap_or_else(PoisonError::into_inner).take() {
            listener.abort();
        }
    }

    /// Starts the listener, where it does not run.
    fn listen(&self, connect: &PgConnectOptions) {
        let mut listener = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        if listener.as_ref().is_none_or(JoinHandle::is_finished) {
            // A connection of its own: those of the pool are for work.
            let pool = PgPoolOptions::new().max_connections(1).connect_lazy_with(connect.clone());
            *listener = Some(tokio::spawn(listen(pool, self.schema.clone(), Arc::clone(&self.heard))));
        }
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.close();
    }
}

/// Tells the other processes, until there is nothing more to tell.
async fn notify(inner: Weak<Inner>) {
    while let Some(inner) = inner.upgrade() {
        inner.bell.wanted.store(false, Ordering::SeqCst);
        let told =
            sqlx::query("SELECT pg_notify($1, $2)").bind(CHANNEL).bind(&inner.bell.schema).execute(&inner.pool).await;
        if let Err(error) = told {
            tracing::debug!(%error, "a hint was lost");
        }
        tokio::time::sleep(TOGETHER).await;
        if !inner.bell.wanted.load(Ordering::SeqCst) {
            inner.bell.ringing.store(false, Ordering::SeqCst);
            // One that was wanted in between starts another, or goes on here.
            if !inner.bell.wanted.load(Ordering::SeqCst) || inner.bell.ringing.swap(true, Ordering::SeqCst) {
                return;
            }
        }
    }
}

async fn listen(pool: PgPool, schema: String, heard: Arc<watch::Sender<u64>>) {
    let hear = || heard.send_modify(|count| *count = count.wrapping_add(1));
    loop {
        let lost = async {
            let mut listener = PgListener::connect_with(&pool).await?;
            listener.listen(CHANNEL).await?;
            // What was told while nobody listened was missed.
            hear();
            loop {
                match listener.try_recv().await? {
                    Some(hint) if hint.payload() == schema => hear(),
                    Some(_) => {}
                    None => hear(),
                }
            }
        };
        let Err::<std::convert::Infallible, sqlx::Error>(error) = lost.await;
        tracing::debug!(%error, "not listening for hints, trying again");
        tokio::time::sleep(AGAIN).await;
    }
}
