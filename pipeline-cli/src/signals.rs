//! Ctrl-C and, on Unix, SIGTERM.

use std::time::{Duration, Instant};

/// `timeout` and some shells send a signal to the process and to its group: what follows so soon is the same request.
const ECHO: Duration = Duration::from_millis(300);

/// Hears requests to end.
#[derive(Debug)]
pub(crate) struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    heard: Option<Instant>,
}

impl Signals {
    /// Starts to listen; from now on the process does not end by itself.
    pub(crate) fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
                heard: None,
            })
        }
        #[cfg(not(unix))]
        Ok(Self { heard: None })
    }

    /// Waits for the next request to end.
    pub(crate) async fn next(&mut self) {
        loop {
            self.receive().await;
            if self.heard.is_none_or(|heard| heard.elapsed() > ECHO) {
                self.heard = Some(Instant::now());
                return;
            }
        }
    }

    async fn receive(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(not(unix))]
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
