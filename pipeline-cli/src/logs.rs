//! Logs on stderr, and traces where the program was built to send them.

use std::io::{self, IsTerminal};

use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer as _};

use crate::args::Global;
use crate::output::{LogLevel, colors_allowed, notice};

/// What was started and is to be ended.
#[derive(Debug)]
pub(crate) struct Logs {
    #[cfg(feature = "otel")]
    traces: Option<crate::traces::Traces>,
}

impl Logs {
    /// Logs go to stderr, coloured only on a terminal; without being asked for, only errors.
    pub(crate) fn start(global: &Global) -> Self {
        let shown = tracing_subscriber::fmt::layer()
            .with_writer(io::stderr)
            .with_ansi(io::stderr().is_terminal() && colors_allowed())
            .with_filter(EnvFilter::new(filter(global)));
        let registry = tracing_subscriber::registry().with(shown);
        #[cfg(feature = "otel")]
        let traces = crate::traces::Traces::start();
        #[cfg(feature = "otel")]
        let registry = registry.with(traces.as_ref().map(crate::traces::Traces::layer));
        if let Err(error) = registry.try_init() {
            notice(&format!("logging is off: {error}"));
        }
        Self {
            #[cfg(feature = "otel")]
            traces,
        }
    }

    /// Sends what has not been sent yet.
    #[cfg_attr(not(feature = "otel"), expect(clippy::unused_self, reason = "nothing is held without the feature"))]
    pub(crate) fn end(self) {
        #[cfg(feature = "otel")]
        if let Some(traces) = self.traces {
            traces.end();
        }
    }
}

fn filter(global: &Global) -> String {
    let level = match (global.log, global.verbose) {
        (Some(level), _) => level,
        (None, 0) => LogLevel::Error,
        (None, 1) => LogLevel::Info,
        (None, 2) => LogLevel::Debug,
        (None, _) => LogLevel::Trace,
    };
    let own = level.as_str();
    // What others log of their insides drowns out what is asked for.
    let others = if level == LogLevel::Trace {
        "debug"
    } else if level == LogLevel::Debug {
        "info"
    } else {
        own
    };
    format!(
        "{others},pipeline={own},pipeline_core={own},pipeline_engine={own},pipeline_store={own},pipeline_providers={own}"
    )
}
