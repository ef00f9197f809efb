//! Traces for an OpenTelemetry collector: the spans job, item, stage and call.

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::registry::LookupSpan;

use crate::output::notice;

/// Either of them says where a collector is; the exporter reads them itself, with the other variables of its standard.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/// What sends traces.
#[derive(Debug)]
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts to send, when the environment says where to. Not from inside a runtime: the exporter has a thread of its own.
    pub(crate) fn start() -> Option<Self> {
        let wanted = |name: &&str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        ENDPOINTS.iter().find(|name| wanted(name))?;
        // The HTTP client brings no cryptography along. When the program has chosen one before, that is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let exporter = match SpanExporter::builder().with_http().build() {
            Ok(exporter) => exporter,
            Err(error) => {
                notice(&format!("no traces are sent: {error}"));
                return None;
            }
        };
        let mut resource = Resource::builder();
        if std::env::var_os("OTEL_SERVICE_NAME").is_none() {
            resource = resource.with_service_name("pipeline");
        }
        Some(Self(SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(resource.build()).build()))
    }

    /// Returns what hears the spans.
    pub(crate) fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let filter = Targets::new().with_target("pipeline_engine", Level::DEBUG);
        tracing_opentelemetry::layer().with_tracer(self.0.tracer("pipeline")).with_filter(filter)
    }

    /// Sends what has not been sent yet.
    pub(crate) fn end(self) {
        if let Err(error) = self.0.shutdown() {
            notice(&format!("some traces were not sent: {error}"));
        }
    }
}
