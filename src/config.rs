//! The configuration: defaults, then a file, then the environment, then flags.
//!
//! The defaults are the file `config.default.toml` itself, so what is documented
//! is what happens. This is the only reader of the environment; everybody else is
//! handed values. Layers are put together first and read as types once, so a
//! fault names its key whichever layer it came from.

use crate::delivery;
use crate::engine;
use crate::http;
use crate::sources::prometheus;
use crate::sources::recording;
use crate::sources::scrape;
use crate::store;
use crate::telemetry;
use config::Config as Layers;
use config::ConfigError;
use config::Environment;
use config::File;
use config::FileFormat;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

/// The defaults, commented: what `--config` may change.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// The largest configuration file: a larger one is some other file.
const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// The shortest time between two readings of all rule files.
const RULES_POLL_MIN: Duration = Duration::from_millis(100);

/// Endpoints: each has a task, a few connections and a label of metrics.
const MAX_ENDPOINTS: usize = 100;

/// Variables that begin with our prefix and are no keys: the file's own name, and
/// what the client commands read.
const NOT_KEYS: [&str; 3] = ["WAVEGATE_CONFIG", "WAVEGATE_SERVER", "WAVEGATE_TOKEN"];

/// Variables that Kubernetes puts into every pod beside a Service named `wavegate`.
const SERVICE_LINKS: [&str; 3] = ["WAVEGATE_PORT", "WAVEGATE_PORT_", "WAVEGATE_SERVICE_"];

/// Everything that can be set.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the API listens.
    pub listen: SocketAddr,
    /// The folder of rule files.
    pub rules_dir: PathBuf,
    /// The folder of SLO files, where one is named: that must be there.
    pub slos_dir: Option<PathBuf>,
    /// How often they are looked through for changes; zero for never.
    #[serde(with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub rules_poll: Duration,
    /// An OpenTelemetry collector.
    #[serde(default)]
    pub otlp_endpoint: Option<String>,
    /// Logs.
    pub log: telemetry::LogSettings,
    /// Looks and gates.
    pub engine: engine::Settings,
    /// What outlives the process.
    pub store: store::Settings,
    /// What the server allows.
    pub http: http::Settings,
    /// Where metrics come from, by name.
    #[serde(default)]
    pub sources: BTreeMap<String, SourceSettings>,
    /// SLOs that are no files: each by its name, with the keys of an SLO file.
    #[serde(default)]
    pub slos: BTreeMap<String, serde_json::Map<String, serde_json::Value>>,
    /// Who is told of events, by name.
    #[serde(default)]
    pub endpoints: BTreeMap<String, delivery::EndpointSettings>,
    /// Who may call.
    #[serde(default)]
    pub tokens: Vec<http::TokenSettings>,
}

/// One source, by its kind.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceSettings {
    /// A Prometheus, or what speaks its API.
    Prometheus(prometheus::Settings),
    /// Targets that wavegate scrapes itself.
    Scrape(scrape::Settings),
    /// What another source answered once, from a file.
    Recording(recording::Settings),
}

/// What the layers are made of.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// The file of `--config`; else that of `WAVEGATE_CONFIG`, else none.
    pub file: Option<PathBuf>,
    /// Names and values of the environment.
    pub environment: Vec<(String, String)>,
    /// Keys and values that flags name, such as `("listen", "[::1]:9466")`.
    pub flags: Vec<(&'static str, String)>,
}

/// What the commands that ask a daemon read of the environment. It has a secret in
/// it, so it cannot be printed.
#[derive(Clone, Default)]
pub struct Caller {
    /// `WAVEGATE_SERVER`: where the daemon listens.
    pub server: Option<String>,
    /// `WAVEGATE_TOKEN`: a bearer token.
    pub token: Option<String>,
    /// `LOGNAME` or `USER`: who is logged in.
    pub login: Option<String>,
}

impl Caller {
    /// What `inputs` say.
    pub fn new(inputs: &Inputs) -> Self {
        let variable = |name: &str| inputs.variable(name).map(str::to_owned);
        Self {
            server: variable("WAVEGATE_SERVER"),
            token: variable("WAVEGATE_TOKEN"),
            login: variable("LOGNAME").or_else(|| variable("USER")),
        }
    }
}

/// A configuration that is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file is not there, or not readable.
    #[error("cannot read the configuration file {}", path.display())]
    Read {
        /// As given.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The file is larger than a configuration is.
    #[error("the configuration file {} is larger than {MAX_FILE_BYTES} bytes", path.display())]
    TooLarge {
        /// As given.
        path: PathBuf,
    },
    /// The file is not TOML, or a key is not a key.
    #[error("cannot put the configuration together")]
    Layers(#[source] ConfigError),
    /// A key has a value that it cannot have, or is none of ours.
    #[error("{key}: {message}")]
    Key {
        /// Its path, such as `http.max_waiters`.
        key: String,
        /// What is wrong.
        message: String,
    },
    /// Values that do not go together.
    #[error("{}", listed(.0))]
    Values(Vec<(String, String)>),
}

impl Inputs {
    /// The process's own environment. Variables that are not UTF-8 are none of ours.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(&'static str, String)>) -> Self {
        let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self { file, environment: std::env::vars_os().filter_map(text).collect(), flags }
    }

    fn variable(&self, name: &str) -> Option<&str> {
        let found = self.environment.iter().find(|(found, _)| found == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    fn file(&self) -> Option<PathBuf> {
        self.file.clone().or_else(|| self.variable("WAVEGATE_CONFIG").map(PathBuf::from))
    }

    /// Our variables, and the one that every OpenTelemetry program reads.
    fn keys(&self) -> Vec<(String, String)> {
        let ours = |name: &str| {
            let link =
                SERVICE_LINKS.iter().any(|link| name == *link || (link.ends_with('_') && name.starts_with(link)));
            name.starts_with("WAVEGATE_") && !NOT_KEYS.contains(&name) && !link
        };
        let mut keys: Vec<_> = self.environment.iter().filter(|(name, _)| ours(name)).cloned().collect();
        let own = keys.iter().any(|(name, _)| name == "WAVEGATE_OTLP_ENDPOINT");
        if let Some(endpoint) = self.variable("OTEL_EXPORTER_OTLP_ENDPOINT").filter(|_| !own) {
            keys.push(("WAVEGATE_OTLP_ENDPOINT".to_owned(), endpoint.to_owned()));
        }
        keys
    }
}

impl Config {
    /// The folder of SLO files: that which is named, else `slos`.
    pub fn slos_folder(&self) -> &Path {
        self.slos_dir.as_deref().unwrap_or(Path::new("slos"))
    }

    /// Puts the layers together and reads them.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a key that is none, a value that cannot be: each
    /// with the key's path.
    pub fn load(inputs: &Inputs) -> Result<Self, Error> {
        let mut layers = Layers::builder().add_source(File::from_str(DEFAULTS, FileFormat::Toml));
        if let Some(path) = inputs.file() {
            layers = layers.add_source(File::from_str(&read(&path)?, FileFormat::Toml));
        }
        let environment = Environment::with_prefix("WAVEGATE").prefix_separator("_").separator("__").ignore_empty(true);
        layers = layers.add_source(environment.source(Some(inputs.keys().into_iter().collect())));
        for (key, value) in &inputs.flags {
            layers = layers.set_override(*key, value.as_str()).map_err(Error::Layers)?;
        }
        let layers = layers.build().map_err(Error::Layers)?;
        let config: Self = serde_path_to_error::deserialize(layers)
            .map_err(|error| Error::Key { key: error.path().to_string(), message: error.inner().to_string() })?;
        config.validated()
    }

    /// Each SLO of the configuration with its key, as the text of an SLO file: it is read as
    /// those are, and its faults are told alike. Its name is the key, its version ours, where
    /// it does not say so itself.
    pub fn slo_texts(&self) -> Vec<(String, String)> {
        let text = |(name, table): (&String, &serde_json::Map<String, serde_json::Value>)| {
            let mut table = table.clone();
            table.entry("version").or_insert_with(|| 1.into());
            table.entry("name").or_insert_with(|| name.as_str().into());
            // JSON is YAML too.
            (format!("slos.{name}"), format!("{:#}\n", serde_json::Value::Object(table)))
        };
        self.slos.iter().map(text).collect()
    }

    fn validated(self) -> Result<Self, Error> {
        let mut faults: Vec<(String, String)> = Vec::new();
        if !self.rules_poll.is_zero() && self.rules_poll < RULES_POLL_MIN {
            let mend = "must be 0s, which turns watching off, or at least 100ms: all rule files are read each time";
            faults.push((String::from("rules_poll"), String::from(mend)));
        }
        faults.extend(self.http.faults().into_iter().map(|(key, message)| (format!("http.{key}"), message)));
        for name in self.sources.keys() {
            if !is_plain(name) {
                let mend = "a source's name is 1 to 64 of a-z 0-9 _ -: it is a label of metrics and part of a variable";
                faults.push((format!("sources.{name}"), String::from(mend)));
            }
        }
        faults.extend(self.endpoint_faults());
        for (index, token) in self.tokens.iter().enumerate() {
            let twice = self.tokens.iter().take(index).any(|earlier| earlier.name == token.name);
            if token.name.is_empty() || twice {
                faults.push((format!("tokens[{index}].name"), String::from("must be there, and once only")));
            }
            if token.sha256.is_some() == token.token_file.is_some() {
                faults.push((format!("tokens[{index}]"), String::from("needs either sha256 or token_file")));
            }
        }
        if faults.is_empty() { Ok(self) } else { Err(Error::Values(faults)) }
    }

    fn endpoint_faults(&self) -> Vec<(String, String)> {
        let mut faults = Vec::new();
        if self.endpoints.len() > MAX_ENDPOINTS {
            faults.push((String::from("endpoints"), format!("must be at most {MAX_ENDPOINTS}")));
        }
        for (name, endpoint) in &self.endpoints {
            if !is_plain(name) {
                let mend = "an endpoint's name is 1 to 64 of a-z 0-9 _ -: it is a label of metrics and part of a path";
                faults.push((format!("endpoints.{name}"), String::from(mend)));
            }
            let own = endpoint.faults().into_iter();
            faults.extend(own.map(|(key, message)| (format!("endpoints.{name}.{key}"), message)));
        }
        faults
    }
}

/// Whether a name can be a metric's label, a part of a variable and of a path.
fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-');
    !name.is_empty() && name.len() <= 64 && name.chars().all(plain)
}

fn read(path: &Path) -> Result<String, Error> {
    let failed = |source| Error::Read { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut text = String::new();
    file.take(MAX_FILE_BYTES + 1).read_to_string(&mut text).map_err(failed)?;
    if text.len() as u64 > MAX_FILE_BYTES {
        return Err(Error::TooLarge { path: path.to_owned() });
    }
    Ok(text)
}

fn listed(faults: &[(String, String)]) -> String {
    faults.iter().map(|(key, message)| format!("{key}: {message}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &[(&str, &str)]) -> Inputs {
        let environment = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Inputs { environment, ..Inputs::default() }
    }

    fn file(text: &str) -> (tempfile::TempDir, Inputs) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("wavegate.toml");
        std::fs::write(&path, text).unwrap();
        (folder, Inputs { file: Some(path), ..Inputs::default() })
    }

    #[track_caller]
    fn refused(inputs: &Inputs, expect: &str) {
        use std::error::Error as _;
        let error = Config::load(inputs).unwrap_err();
        let cause = error.source().map_or(String::new(), |cause| format!(": {cause}"));
        let said = format!("{error}{cause}");
        assert!(said.contains(expect), "`{expect}` is not in `{said}`");
    }

    #[test]
    fn documented_defaults_are_the_defaults() {
        let config = Config::load(&Inputs::default()).unwrap();
        assert_eq!(config.listen, "127.0.0.1:9466".parse().unwrap());
        assert_eq!((config.rules_dir.as_path(), config.rules_poll), (Path::new("rules"), Duration::from_secs(5)));
        assert_eq!((config.slos_dir.as_deref(), config.slo_texts().len()), (None, 0));
        assert_eq!(config.engine.reopen_after, Duration::from_hours(1));
        assert_eq!(config.http.header_timeout, Duration::from_secs(5));
        assert_eq!((config.otlp_endpoint, config.sources.len(), config.tokens.len()), (None, 0, 0));
    }

    #[test]
    fn documented_options_are_options() {
        // What is commented out and looks like a key is one.
        let option = |line: &str| line.starts_with('[') || line.split(' ').nth(1) == Some("=");
        let uncommented: Vec<&str> =
            DEFAULTS.lines().map(|line| line.strip_prefix("# ").filter(|rest| option(rest)).unwrap_or(line)).collect();
        let (_folder, inputs) = file(&uncommented.join("\n"));
        let config = Config::load(&inputs).unwrap();
        assert_eq!(config.otlp_endpoint.as_deref(), Some("http://localhost:4318"));
        assert_eq!(config.tokens.len(), 2);
        let endpoint = &config.endpoints["ci"];
        assert_eq!((endpoint.faults(), endpoint.events.len(), endpoint.allow_private), (Vec::new(), 3, false));
        let SourceSettings::Prometheus(prometheus) = &config.sources["main"] else { panic!("another kind") };
        assert_eq!(prometheus.url.to_string(), "http://localhost:9090");
        let SourceSettings::Scrape(scrape) = &config.sources["local"] else { panic!("another kind") };
        assert_eq!(scrape.targets.len(), 2);
        assert_eq!(scrape.faults(), Vec::<String>::new());
        let plain = scrape::Settings::new(scrape.targets.clone());
        let SourceSettings::Recording(recording) = &config.sources["past"] else { panic!("another kind") };
        assert_eq!(recording.path, Path::new("eu-1.recording"));
        assert_eq!(*scrape, scrape::Settings { timeout: scrape.timeout, ..plain });
    }

    #[test]
    fn labels_of_targets_keep_their_case() {
        let (_folder, inputs) = file(
            "[[sources.local.scrape.targets]]\nurl = 'http://a'\nlabels = { waveId = 'W1', \"app.kubernetes.io/name\" = 'x' }\n",
        );
        let config = Config::load(&inputs).unwrap();
        let SourceSettings::Scrape(scrape) = &config.sources["local"] else { panic!("another kind") };
        let labels: Vec<_> = scrape.targets[0].labels.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(labels, [("app.kubernetes.io/name", "x"), ("waveId", "W1")]);
    }

    #[test]
    fn flags_beat_the_environment_and_it_beats_the_file() {
        let (_folder, mut inputs) = file("listen = '127.0.0.1:1'\nrules_dir = 'file'\n[http]\nmax_waiters = 7\n");
        inputs.environment = environment(&[
            ("WAVEGATE_LISTEN", "127.0.0.1:2"),
            ("WAVEGATE_RULES_DIR", "environment"),
            ("WAVEGATE_SOURCES__MAIN__PROMETHEUS__URL", "http://p:9090"),
        ])
        .environment;
        inputs.flags = vec![("listen", "127.0.0.1:3".to_owned())];
        let config = Config::load(&inputs).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(config.rules_dir, Path::new("environment"));
        assert_eq!(config.http.max_waiters, 7);
        let SourceSettings::Prometheus(prometheus) = &config.sources["main"] else { panic!("another kind") };
        assert_eq!(prometheus.url.to_string(), "http://p:9090");
    }

    #[test]
    fn every_fault_names_its_key() {
        let says = |text: &str, expect: &str| {
            let (_folder, inputs) = file(text);
            refused(&inputs, expect);
        };
        says("lisen = '127.0.0.1:1'", "lisen: unknown field `lisen`");
        says("[http]\nmax_waiter = 1", "http.max_waiter: unknown field");
        says("[http]\nheader_timeout = 5", "http.header_timeout: ");
        says("[http]\nheader_timeout = '5 parsecs'", "http.header_timeout: ");
        says("[http]\nmax_connections = 0", "http.max_connections: ");
        says("[log]\nformat = 'xml'", "log.format: ");
        says("listen = 'localhost'", "listen: ");
        says("[http]\nmax_waiters = 5000\nwrite_timeout = '0s'", "http.max_waiters: must be less");
        says("[http]\nmax_waiters = 5000\nwrite_timeout = '0s'", "http.write_timeout: must be at least");
        says("[sources.main.graphite]\nurl = ''", "sources.main");
        says("[sources.'a b'.prometheus]\nurl = 'http://p'", "sources.a b: ");
        let endpoint = "[endpoints.ci]\nsecret_file = '/run/s'\n";
        says(&format!("{endpoint}url = 'http://10.0.0.1/x'"), "endpoints.ci.url: `10.0.0.1` is not to be connected");
        says(&format!("{endpoint}url = 'http://a.example'"), "endpoints.ci.url: must begin with https://");
        says(&format!("{endpoint}url = 'https://u:p@a.example'"), "endpoints.ci.url: a user or a password");
        says(
            &format!("{endpoint}url = 'https://a.example'\nevents = ['x']"),
            "endpoints.ci.events: there is no event `x`",
        );
        says(&format!("{endpoint}url = 'https://a.example'\ntimeout = '2m'"), "endpoints.ci.timeout: must be from");
        says(&format!("{endpoint}url = 'https://a.example'\nretries = 2"), "endpoints.ci.retries: unknown field");
        says("[endpoints.ci]\nurl = 'https://a.example'", "endpoints.ci: missing configuration field");
        says("[endpoints.'a b']\nsecret_file = 's'\nurl = 'https://a.example'", "endpoints.a b: an endpoint's name");
        says("[[tokens]]\nname = 'a'", "tokens[0]: needs either");
        says("[[tokens]]\nname = 'a'\nsecret = 'x'", "tokens[0].secret: unknown field");
        says("[http]\nmax_streams = 3500", "http.max_streams: must with max_waiters");
        says("listen = ", "line 1");
    }

    #[test]
    fn variables_are_keys_or_refused_but_for_service_links() {
        refused(&environment(&[("WAVEGATE_LISTE", "x")]), "liste: unknown field");
        refused(&environment(&[("WAVEGATE_HTTP__MAX_WAITERS", "many")]), "http.max_waiters: ");
        let links = environment(&[
            ("WAVEGATE_PORT", "tcp://10.0.0.1:9466"),
            ("WAVEGATE_PORT_9466_TCP_ADDR", "10.0.0.1"),
            ("WAVEGATE_SERVICE_HOST", "10.0.0.1"),
            ("WAVEGATE_TOKEN", "secret"),
        ]);
        assert_eq!(Config::load(&links).unwrap(), Config::load(&Inputs::default()).unwrap());
    }

    #[test]
    fn callers_read_their_own_variables() {
        let read = |pairs| Caller::new(&environment(pairs));
        let all = read(&[
            ("WAVEGATE_SERVER", "http://w:9466"),
            ("WAVEGATE_TOKEN", "secret"),
            ("USER", "root"),
            ("LOGNAME", "kim"),
        ]);
        assert_eq!(all.server.as_deref(), Some("http://w:9466"));
        assert_eq!((all.token.as_deref(), all.login.as_deref()), (Some("secret"), Some("kim")));
        let none = read(&[("WAVEGATE_SERVER", ""), ("USER", "")]);
        assert_eq!((none.server, none.token, none.login), (None, None, None));
    }

    #[test]
    fn our_own_variable_beats_opentelemetrys() {
        let both = [("OTEL_EXPORTER_OTLP_ENDPOINT", "http://a"), ("WAVEGATE_OTLP_ENDPOINT", "http://b")];
        let endpoint = |pairs| Config::load(&environment(pairs)).unwrap().otlp_endpoint;
        assert_eq!(endpoint(&both).as_deref(), Some("http://b"));
        assert_eq!(endpoint(&both[..1]).as_deref(), Some("http://a"));
        assert_eq!(endpoint(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
    }

    #[test]
    fn a_missing_file_is_named() {
        let inputs = Inputs { file: Some(PathBuf::from("/nowhere/wavegate.toml")), ..Inputs::default() };
        refused(&inputs, "cannot read the configuration file /nowhere/wavegate.toml");
        refused(&environment(&[("WAVEGATE_CONFIG", "/nowhere/x.toml")]), "/nowhere/x.toml");
    }
}
