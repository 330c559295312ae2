//! Spans to an OpenTelemetry collector, as OTLP over HTTP.
//!
//! The SDK's batch processor has a thread of its own and no reactor on it, while
//! reqwest needs one: the client therefore runs each request on our runtime and
//! the processor's thread waits for the answer.

use opentelemetry_http::Bytes;
use opentelemetry_http::HttpClient;
use opentelemetry_http::HttpError;
use opentelemetry_http::Request;
use opentelemetry_http::Response;
use opentelemetry_otlp::ExporterBuildError;
use opentelemetry_otlp::Protocol;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_otlp::WithExportConfig as _;
use opentelemetry_otlp::WithHttpConfig as _;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::BatchConfigBuilder;
use opentelemetry_sdk::trace::BatchSpanProcessor;
use opentelemetry_sdk::trace::SdkTracerProvider;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;
use tokio::runtime::Handle;

/// Spans that wait for export; further ones are dropped, for memory is for verdicts.
const MAX_QUEUE: usize = 2048;

/// One request to the collector.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// Makes providers whose requests run on the runtime it was made in.
#[derive(Clone, Debug)]
pub(crate) struct Exporter {
    client: reqwest::Client,
    runtime: Handle,
}

impl Exporter {
    /// Must be called within a runtime.
    pub(crate) fn new() -> Result<Self, reqwest::Error> {
        // Whoever needs TLS first installs the provider; a second try changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder().timeout(EXPORT_TIMEOUT).redirect(reqwest::redirect::Policy::none());
        Ok(Self { client: client.build()?, runtime: Handle::current() })
    }

    pub(crate) fn provider(self, endpoint: &str) -> Result<SdkTracerProvider, ExporterBuildError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(self)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .with_timeout(EXPORT_TIMEOUT)
            .build()?;
        let batch = BatchConfigBuilder::default().with_max_queue_size(MAX_QUEUE).build();
        let version = opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name("wavegate").with_attribute(version).build();
        Ok(SdkTracerProvider::builder()
            .with_span_processor(BatchSpanProcessor::builder(exporter).with_batch_config(batch).build())
            .with_resource(resource)
            .build())
    }
}

impl HttpClient for Exporter {
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        let client = self.client.clone();
        let sent = self.runtime.spawn(async move { client.send_bytes(request).await });
        Box::pin(async move { sent.await? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentelemetry::trace::Tracer as _;
    use opentelemetry::trace::TracerProvider as _;
    use tokio::io::AsyncReadExt as _;
    use tokio::io::AsyncWriteExt as _;

    #[tokio::test(flavor = "multi_thread")]
    async fn spans_reach_a_collector_over_http() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}/", listener.local_addr().unwrap());
        let provider = Exporter::new().unwrap().provider(&endpoint).unwrap();
        let collector = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut head = [0; 512];
            let read = stream.read(&mut head).await.unwrap();
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
            String::from_utf8_lossy(&head[..read]).into_owned()
        });

        provider.tracer("wavegate").in_span("evaluate", |_| {});
        let flushed = tokio::task::spawn_blocking(move || provider.shutdown()).await.unwrap();

        assert!(flushed.is_ok(), "{flushed:?}");
        let head = collector.await.unwrap();
        assert!(head.starts_with("POST /v1/traces HTTP/1.1\r\n"), "{head}");
        assert!(head.contains("application/x-protobuf"), "{head}");
    }
}
