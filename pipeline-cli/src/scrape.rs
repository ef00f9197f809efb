//! What `worker --metrics` serves: `/metrics` for Prometheus and `/healthz`.

use std::net::SocketAddr;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use pipeline_engine::{Engine, MetricsSnapshot};

use crate::output::{Failure, clean};

/// A listener that answers until it is dropped.
#[derive(Debug)]
pub(crate) struct Scrape {
    address: SocketAddr,
    serving: JoinHandle<()>,
}

impl Scrape {
    /// Starts to listen at `HOST:PORT`, or at `PORT` of this machine only.
    pub(crate) async fn start(engine: &Engine, address: &str) -> Result<Self, Failure> {
        let wanted = if address.bytes().all(|byte| byte.is_ascii_digit()) && !address.is_empty() {
            format!("127.0.0.1:{address}")
        } else {
            address.to_owned()
        };
        let failed = |error: std::io::Error| {
            Failure::wrong(format!("--metrics: cannot listen at {}: {error}", clean(address)))
                .hint("expected HOST:PORT, for example 127.0.0.1:9464, or a PORT that is free")
        };
        let listener = TcpListener::bind(&wanted).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let engine = engine.clone();
        let router = Router::new()
            .route("/metrics", get(move || page(engine.clone())))
            .route("/healthz", get(|| async { "ok\n" }));
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!(%error, "metrics are not served any more");
            }
        });
        Ok(Self { address, serving })
    }

    /// Returns where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Scrape {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn page(engine: Engine) -> impl IntoResponse {
    ([(CONTENT_TYPE, MetricsSnapshot::CONTENT_TYPE)], engine.metrics().await.to_string())
}
