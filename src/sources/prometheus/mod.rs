//! Evidence from a Prometheus server, or from what speaks its HTTP API: Thanos,
//! Mimir, VictoriaMetrics.
//!
//! Raw samples come from an instant query of a range selector, which gives each
//! sample as it was scraped: counters and histograms are computed by us, so that
//! two engines with different ideas of `rate` cannot give two verdicts. Anything
//! else is asked as a range query and taken by its timestamps, never by position.
//!
//! Servers differ, and each difference below was seen on a real one:
//! a range selector of Prometheus 2 includes its left end and that of 3 does not,
//! so samples are cut to the window here; VictoriaMetrics moves the grid unless
//! told `nocache=1`; Thanos leaves out stores that are away unless told
//! `partial_response=false`, as VictoriaMetrics does without `deny_partial_response=1`,
//! and answers from downsampled blocks unless told `max_source_resolution=0s`.
//! Each ignores the parameters of the others.
//!
//! The limits of one question: `timeout` for each try; `timeout × (retries + 1)`
//! for all tries with the waits between them; `max_concurrent` questions at a
//! time, where one that waits for its next try counts, so that a source in need
//! is asked less. Memory of one answer is at most `max_response_bytes`, 32 bytes
//! for each of `max_samples` twice over while a list grows, and the labels. Each
//! bucket of a native histogram is a sample to that limit.

mod ask;
mod decode;
mod grid;
mod matrix;
mod native;
mod retry;
mod settings;

pub use settings::BasicAuth;
pub use settings::Endpoint;
pub use settings::EndpointError;
pub use settings::Headers;
pub use settings::Secret;
pub use settings::Settings;

pub(super) use ask::Bounded;
pub(super) use ask::off_the_reactor;
pub(super) use grid::points;

use crate::series::Series;
use crate::series::Window;
use crate::series::native::Histograms;
use crate::sources::Answer;
use crate::sources::Error;
use crate::sources::Excess;
use crate::sources::Grid;
use crate::sources::Pending;
use crate::sources::Source;
use crate::sources::prometheus::ask::Asking;
use crate::sources::prometheus::decode::Decoded;
use crate::sources::prometheus::grid::parts;
use crate::sources::prometheus::grid::seconds;
use crate::sources::prometheus::matrix::Limits;
use reqwest::RequestBuilder;
use std::fmt;
use std::io;
use std::io::Read;
use std::path::Path;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// A credential is a line; a certificate bundle of all the world's authorities 250 kB.
const MAX_FILE_BYTES: u64 = 1 << 20;
/// The server is told to give up a tenth earlier than we do, so that it says so
/// itself and does not go on computing for nobody.
const SERVER_SHARE: f64 = 0.9;

/// A Prometheus server as a [`Source`].
pub struct Prometheus {
    name: String,
    /// Scheme, host and path, as messages show it.
    host: String,
    settings: Settings,
    client: reqwest::Client,
    permits: Semaphore,
}

impl Prometheus {
    /// The source `name` with `settings`. Reads `ca_file`, and asks nothing yet.
    ///
    /// This is the one place of the module that chooses the cryptography of TLS:
    /// ring, installed for the whole process unless another was installed before,
    /// because the HTTP client cannot be built without one.
    ///
    /// # Errors
    /// [`Error::Settings`] with every fault of the settings, or where `ca_file`
    /// or the system's certificates cannot be used.
    pub fn new(name: impl Into<String>, settings: Settings) -> Result<Self, Error> {
        let name = name.into();
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(Error::Settings { name, problem: faults.join("; "), cause: None });
        }
        // An error here means that a provider is installed already, which is as good.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = client(&name, &settings)?;
        let (host, permits) = (settings.url.to_string(), Semaphore::new(settings.max_concurrent));
        Ok(Self { name, host, settings, client, permits })
    }

    async fn ask_raw(&self, selector: &str, window: Window) -> Result<Answer, Error> {
        let range = window.length().as_millis();
        if range == 0 {
            return Ok(Answer::default());
        }
        let query = format!("{selector}[{range}ms]");
        let form = [("time", seconds(window.to.as_millis()))];
        let mut decoded = self.question("api/v1/query", &query, &form, self.settings.max_samples).await?;
        for samples in decoded.series.values_mut() {
            samples.retain(|sample| window.contains(sample.at));
        }
        for samples in decoded.native.values_mut() {
            samples.retain(|sample| window.contains(sample.at));
        }
        Ok(answer(decoded))
    }

    async fn ask_grid(&self, expr: &str, grid: Grid) -> Result<Answer, Error> {
        let bad_grid = |problem| Error::Grid { asked: self.asking(expr).asked(), problem };
        let mut whole = Decoded::default();
        let mut taken = 0;
        for part in parts(grid).map_err(bad_grid)? {
            let form = [
                ("start", seconds(part.from.as_millis())),
                ("end", seconds(part.to.as_millis())),
                ("step", seconds(part.step)),
                ("nocache", "1".to_owned()),
            ];
            let left = self.settings.max_samples - taken;
            let mut decoded = self.question("api/v1/query_range", expr, &form, left).await?;
            decoded.leave_native_out();
            for samples in decoded.series.values() {
                taken += samples.len();
                if let Some(stray) = samples.iter().find(|sample| !part.has(sample.at)) {
                    let problem = format!("a value at {}, which is not on the grid that was asked for", stray.at);
                    return Err(Error::Inconsistent { asked: self.asking(expr).asked(), problem });
                }
            }
            whole.append(decoded);
            if whole.series.len() > self.settings.max_series {
                let excess = Excess::Series(self.settings.max_series);
                return Err(Error::TooLarge { asked: self.asking(expr).asked(), excess });
            }
        }
        Ok(answer(whole))
    }

    /// Asks until there is an answer, a lasting error, or no time left.
    async fn question(
        &self,
        endpoint: &'static str,
        query: &str,
        form: &[(&'static str, String)],
        max_samples: usize,
    ) -> Result<Decoded, Error> {
        // Only a closed semaphore gives no permit, and nobody closes this one.
        let _permit = self.permits.acquire().await.ok();
        let begun = Instant::now();
        let total = self.settings.timeout.saturating_mul(self.settings.retries.saturating_add(1));
        let mut tries = 0;
        loop {
            let left = if tries == 0 { total } else { total.saturating_sub(begun.elapsed()) };
            let allowed = Duration::from_millis(u64::try_from(left.as_millis()).unwrap_or(u64::MAX));
            let allowed = allowed.min(self.settings.timeout);
            tries += 1;
            let error = match self.one_try(endpoint, query, form, allowed, max_samples).await {
                Ok(decoded) => {
                    let series = decoded.series.len();
                    tracing::debug!(source = %self.name, endpoint, tries, series, "the source answered");
                    return Ok(decoded);
                }
                Err(error) => error,
            };
            let left = total.saturating_sub(begun.elapsed());
            let Some(wait) = retry::wait(&error, tries, self.settings.retries, left, retry::chance()) else {
                tracing::warn!(source = %self.name, endpoint, tries, error = error.code(), "the source did not answer");
                return Err(error);
            };
            tracing::debug!(source = %self.name, endpoint, tries, error = error.code(), ?wait, "asking the source again");
            tokio::time::sleep(wait).await;
        }
    }

    async fn one_try(
        &self,
        endpoint: &'static str,
        query: &str,
        form: &[(&'static str, String)],
        allowed: Duration,
        max_samples: usize,
    ) -> Result<Decoded, Error> {
        let asking = self.asking(query);
        let patience = allowed.mul_f64(SERVER_SHARE).as_millis().max(1);
        let fixed = [
            ("query", query.to_owned()),
            ("timeout", format!("{patience}ms")),
            ("dedup", "true".to_owned()),
            ("partial_response", "false".to_owned()),
            ("max_source_resolution", "0s".to_owned()),
            ("deny_partial_response", "1".to_owned()),
        ];
        let form: Vec<_> = fixed.iter().chain(form).collect();
        let limits = Limits { series: self.settings.max_series, samples: max_samples };
        let work = async {
            let request = self.client.post(self.settings.url.below(endpoint)).headers(self.settings.headers.to_map());
            let request = self.authorize(request).await?.form(&form);
            ask::ask(asking, request, self.settings.max_response_bytes, limits).await
        };
        match tokio::time::timeout(allowed, work).await {
            Ok(outcome) => outcome.map_err(|error| self.in_whole(error)),
            Err(_) => Err(Error::TimedOut { asked: asking.asked(), after: allowed }),
        }
    }

    /// Puts the credentials in, read anew where they are in a file: Kubernetes
    /// changes the files of a running process.
    async fn authorize(&self, request: RequestBuilder) -> Result<RequestBuilder, Error> {
        if let Some(basic) = &self.settings.basic_auth {
            let password = match (&basic.password, &basic.password_file) {
                (_, Some(file)) => self.credential(file).await?,
                (Some(password), None) => password.reveal().to_owned(),
                (None, None) => String::new(),
            };
            return Ok(request.basic_auth(&basic.username, Some(password)));
        }
        match &self.settings.bearer_token_file {
            Some(file) => Ok(request.bearer_auth(self.credential(file).await?)),
            None => Ok(request),
        }
    }

    async fn credential(&self, file: &Path) -> Result<String, Error> {
        let path = file.to_owned();
        let read = off_the_reactor(move || read_credential(&path)).await;
        read.map_err(|cause| Error::Credential { name: self.name.clone(), path: file.to_owned(), cause })
    }

    fn asking<'a>(&'a self, query: &'a str) -> Asking<'a> {
        Asking { source: &self.name, host: &self.host, query }
    }

    /// A later part of a split grid is read with what the earlier ones left over;
    /// a message names the limit of the settings.
    fn in_whole(&self, error: Error) -> Error {
        if let Error::TooLarge { asked, excess: Excess::Samples(_) } = error {
            return Error::TooLarge { asked, excess: Excess::Samples(self.settings.max_samples) };
        }
        error
    }
}

impl Source for Prometheus {
    fn name(&self) -> &str {
        &self.name
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.ask_raw(selector, window))
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(self.ask_grid(expr, grid))
    }
}

impl fmt::Debug for Prometheus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prometheus").field("name", &self.name).field("settings", &self.settings).finish_non_exhaustive()
    }
}

fn client(name: &str, settings: &Settings) -> Result<reqwest::Client, Error> {
    let refused = |problem: String, cause: Box<dyn std::error::Error + Send + Sync>| Error::Settings {
        name: name.to_owned(),
        problem,
        cause: Some(cause),
    };
    let builder = reqwest::Client::builder()
        .user_agent(concat!("wavegate/", env!("CARGO_PKG_VERSION")))
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .pool_max_idle_per_host(settings.max_concurrent);
    let builder = match &settings.ca_file {
        Some(path) => {
            let unusable = |cause| refused(format!("`ca_file` {} cannot be used", path.display()), cause);
            let pem = read_file(path).map_err(|cause| unusable(cause.into()))?;
            let authorities = reqwest::Certificate::from_pem_bundle(&pem).map_err(|cause| unusable(cause.into()))?;
            if authorities.is_empty() {
                return Err(unusable("no certificate in it".into()));
            }
            builder.tls_certs_only(authorities)
        }
        None if settings.url.is_https() => builder,
        // Without TLS nobody is to be trusted, and a container may have no certificates at all.
        None => builder.tls_certs_only([]),
    };
    builder.build().map_err(|cause| refused("the HTTP client cannot be built".to_owned(), cause.into()))
}

/// One line of text that can stand in a header.
fn read_credential(path: &Path) -> io::Result<String> {
    let invalid = |problem| io::Error::new(io::ErrorKind::InvalidData, problem);
    let text = String::from_utf8(read_file(path)?).map_err(|_| invalid("the file is not text"))?;
    let credential = text.trim();
    if credential.is_empty() {
        return Err(invalid("the file is empty"));
    }
    if credential.chars().any(char::is_control) {
        return Err(invalid("the file has more than one line, or control characters"));
    }
    Ok(credential.to_owned())
}

fn read_file(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    std::fs::File::open(path)?.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is larger than 1 MiB"));
    }
    Ok(bytes)
}

/// The series that have anything in them, by labels.
fn answer(decoded: Decoded) -> Answer {
    let present = decoded.series.into_iter().filter(|(_, samples)| !samples.is_empty());
    let native = decoded.native.into_iter().filter(|(_, samples)| !samples.is_empty());
    Answer {
        series: present.map(|(labels, samples)| Series::new(labels, samples)).collect(),
        native: native.map(|(labels, samples)| Histograms::new(labels, samples)).collect(),
        partial: decoded.partial,
        remarks: decoded.remarks,
    }
}
