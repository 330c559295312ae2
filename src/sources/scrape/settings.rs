//! How targets are scraped, and what they may cost.

use crate::series::Labels;
use crate::sources::prometheus::Endpoint;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::time::Duration;

/// Below a tenth of a second the scraping is the load; above two minutes one lost
/// scrape is a gap, since increments are believed over five.
const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_mins(2);
/// Whether a counter is new is told by the hour before, so with less a counter that
/// appears once the daemon has run for longer leaves its look undecided; a day of
/// memory is what Prometheus is for.
const RETENTIONS: std::ops::RangeInclusive<Duration> = Duration::from_mins(10)..=Duration::from_hours(24);
/// Each is a task, a connection and its samples: beyond, use Prometheus.
const MAX_TARGETS: usize = 500;
/// Bodies are held in memory, one a target.
const MAX_BYTES: usize = 256 << 20;
/// Each series is a map of labels, about 1 kB.
const MAX_SERIES: usize = 1_000_000;
/// At 16 bytes a sample 1.6 GB; beyond lies a mistake.
const MAX_SAMPLES: usize = 100_000_000;
/// Labels of one target, beside which its series have their own.
const MAX_LABELS: usize = 32;
/// Bytes of the name or value of one of them.
const MAX_LABEL_BYTES: usize = 1024;
/// Where a target exposes unless its URL says otherwise.
const DEFAULT_PATH: &str = "metrics";

/// Targets and how they are scraped.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// What is scraped.
    pub targets: Vec<TargetSettings>,
    /// How often, as `15s`.
    #[serde(default = "defaults::interval", with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required")]
    pub interval: Duration,
    /// For one scrape, from the first byte sent to the last received; at most `interval`.
    /// Without it 10 s, or `interval` where that is shorter.
    #[serde(default, with = "jiff::fmt::serde::unsigned_duration::friendly::compact::optional")]
    pub timeout: Option<Duration>,
    /// How long samples are kept; a query that reaches further back lacks data.
    #[serde(
        default = "defaults::retention",
        with = "jiff::fmt::serde::unsigned_duration::friendly::compact::required"
    )]
    pub retention: Duration,
    /// Bytes of one scrape, after decompression; a larger one is none.
    #[serde(default = "defaults::max_bytes")]
    pub max_bytes: usize,
    /// Samples of one scrape; a larger one is none.
    #[serde(default = "defaults::max_series")]
    pub max_series: usize,
    /// Samples kept of one target; beyond, the oldest go before `retention` is over.
    #[serde(default = "defaults::max_samples")]
    pub max_samples: usize,
}

/// One target.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub struct TargetSettings {
    /// Where it exposes; without a path, at `/metrics`.
    pub url: Endpoint,
    /// Labels of all its series, beside `job` (the source's name) and `instance`
    /// (host and port), which may be set here too.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

mod defaults {
    use std::time::Duration;

    /// The default interval of a rule file.
    pub(super) fn interval() -> Duration {
        Duration::from_secs(15)
    }
    /// The hour before a wave and an hour of it.
    pub(super) fn retention() -> Duration {
        Duration::from_hours(2)
    }
    /// 100 000 series of 160 bytes.
    pub(super) fn max_bytes() -> usize {
        16 << 20
    }
    /// Ten times a large service's.
    pub(super) fn max_series() -> usize {
        20_000
    }
    /// 4 000 series for two hours at 15 s; 32 MB.
    pub(super) fn max_samples() -> usize {
        2_000_000
    }
}

/// One scrape waits so long where nothing else is said: a third of a usual `settle`.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Settings {
    /// The defaults, for `targets`.
    pub fn new(targets: Vec<TargetSettings>) -> Self {
        Self {
            targets,
            interval: defaults::interval(),
            timeout: None,
            retention: defaults::retention(),
            max_bytes: defaults::max_bytes(),
            max_series: defaults::max_series(),
            max_samples: defaults::max_samples(),
        }
    }

    /// How long one scrape may take.
    pub fn timeout(&self) -> Duration {
        self.timeout.unwrap_or(TIMEOUT).min(self.interval)
    }

    /// Everything that is wrong with these settings in themselves.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (name, value, range) in [("interval", self.interval, INTERVALS), ("retention", self.retention, RETENTIONS)]
        {
            if !range.contains(&value) {
                faults.push(format!("`{name}` must be from {:?} to {:?}", range.start(), range.end()));
            }
        }
        if self.timeout.is_some_and(|timeout| timeout.is_zero() || timeout > self.interval) {
            faults.push("`timeout` must be more than nothing and at most `interval`".to_owned());
        }
        for (name, value, most) in [
            ("targets", self.targets.len(), MAX_TARGETS),
            ("max_bytes", self.max_bytes, MAX_BYTES),
            ("max_series", self.max_series, MAX_SERIES),
            ("max_samples", self.max_samples, MAX_SAMPLES),
        ] {
            if value == 0 || value > most {
                let what = if name == "targets" { "the number of `targets`" } else { name };
                faults.push(format!("{what} must be from 1 to {most}"));
            }
        }
        let mut seen = BTreeSet::new();
        for target in &self.targets {
            faults.extend(target.faults());
            if !seen.insert(target.labelled("")) {
                faults.push(format!("two targets have the labels of {}: give one of them another", target.url));
            }
        }
        faults
    }
}

impl TargetSettings {
    /// The labels of all its series, in the source `job`.
    pub(super) fn labelled(&self, job: &str) -> Labels {
        let own = [("job".to_owned(), job.to_owned()), ("instance".to_owned(), self.url.authority())];
        own.into_iter().chain(self.labels.clone()).collect()
    }

    /// Where it is asked.
    pub(super) fn address(&self) -> reqwest::Url {
        if self.url.has_path() { self.url.url().clone() } else { self.url.below(DEFAULT_PATH) }
    }

    fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        if self.labels.len() > MAX_LABELS {
            faults.push(format!("target {}: more than {MAX_LABELS} labels", self.url));
        }
        for (name, value) in &self.labels {
            if name.is_empty() || name.starts_with("__") || name.len().max(value.len()) > MAX_LABEL_BYTES {
                let shown = name.chars().take(64).collect::<String>().escape_default().to_string();
                let mend = "a name is not empty and does not begin with `__`, neither is longer than";
                faults.push(format!("target {}: label `{shown}`: {mend} {MAX_LABEL_BYTES} bytes", self.url));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(json: &str) -> Settings {
        serde_json::from_str(json).unwrap()
    }

    #[track_caller]
    fn check_faults(json: &str, expect: &[&str]) {
        let faults = settings(json).faults();
        assert_eq!(faults.len(), expect.len(), "{faults:?}");
        for (fault, expect) in faults.iter().zip(expect) {
            assert!(fault.contains(expect), "{fault:?} does not say {expect:?}");
        }
    }

    #[test]
    fn a_url_is_enough() {
        let read = settings(r#"{"targets": [{"url": "http://app:8080"}]}"#);
        let target = TargetSettings { url: Endpoint::parse("http://app:8080").unwrap(), labels: BTreeMap::new() };
        assert_eq!(read, Settings::new(vec![target]));
        assert_eq!(read.faults(), Vec::<String>::new());
        assert_eq!(read.timeout(), Duration::from_secs(10));
        assert_eq!(read.targets[0].address().as_str(), "http://app:8080/metrics");
        assert_eq!(read.targets[0].labelled("j").to_string(), r#"{instance="app:8080",job="j"}"#);
    }

    #[test]
    fn a_path_and_a_query_are_kept_and_labels_may_be_set() {
        let read = settings(
            r#"{"targets": [{"url": "https://app/x?y=z", "labels": {"wave_id": "w", "instance": "a"}}], "interval": "1s"}"#,
        );
        assert_eq!(read.targets[0].address().as_str(), "https://app/x?y=z");
        assert_eq!(read.targets[0].labelled("j").to_string(), r#"{instance="a",job="j",wave_id="w"}"#);
        assert_eq!(read.timeout(), Duration::from_secs(1));
        let plain = settings(r#"{"targets": [{"url": "https://app"}]}"#);
        assert_eq!(plain.targets[0].labelled("j").get("instance"), Some("app:443"));
    }

    #[test]
    fn all_faults_are_told_at_once() {
        check_faults(
            r#"{"targets": [], "interval": "1ms", "timeout": "1s", "retention": "1m", "max_bytes": 0, "max_series": 0,
                "max_samples": 0}"#,
            &["`interval`", "`retention`", "`timeout`", "`targets`", "max_bytes", "max_series", "max_samples"],
        );
        check_faults(
            r#"{"targets": [{"url": "http://a"}, {"url": "http://a/x"}, {"url": "http://b", "labels": {"__x": "y"}}]}"#,
            &["two targets have the labels of http://a/x", "label `__x`"],
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        let read: Result<Settings, _> = serde_json::from_str(r#"{"targets": [{"url": "http://a", "honor": 1}]}"#);
        assert!(read.unwrap_err().to_string().contains("honor"));
    }
}
