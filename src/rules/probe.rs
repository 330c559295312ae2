//! Probes: requests that the daemon makes itself.
//!
//! A probe is judged as two checks, since a request has two things that can be
//! worse: `NAME.errors`, a ratio, and `NAME.latency`, a histogram. Their queries
//! and cohorts are made here and nowhere read from text, so that everything right
//! of here sees two checks like any other.

use crate::rules::CheckKind;
use crate::rules::Policy;
use crate::rules::Schedule;
use crate::rules::Worse;
use crate::rules::file::Digest;
use crate::rules::keys::Key;
use crate::rules::keys::check::PROBE;
use crate::rules::keys::check::PROBE_ERRORS;
use crate::rules::keys::check::PROBE_LATENCY;
use crate::rules::margin;
use crate::rules::margin::Scale;
use crate::rules::parse::required;
use crate::rules::query::Cohorts;
use crate::rules::query::Matchers;
use crate::rules::query::Selector;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::units::duration_text;
use std::ops::RangeInclusive;
use std::time::Duration;
use url::Url;

/// How often a probe may ask. Oftener than each second it is load; above two minutes
/// one lost request is a gap, since increments are believed over five.
const EVERY: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_mins(2);

/// Shortest timeout: under it the network alone decides.
const MIN_TIMEOUT: Duration = Duration::from_millis(10);

/// The oldest request that a look may need: at one a second they are kept for a little more
/// than an hour.
const MAX_AGE: Duration = Duration::from_hours(1);

/// Longest URL, in bytes: longer ones are cut or refused on the way.
const MAX_URL: usize = 2048;

/// A share of failures below this is good enough. A probe makes some hundred requests
/// a wave, and the 0.1 % of other ratios takes 8000 to be sure of.
const FLOOR: f64 = 0.02;

/// Margins of the latency: some hundred requests tell no smaller shift, and two hosts
/// have routes of different length.
const LATENCY: margin::Margins = margin::Margins { tolerance: 0.05, pass_within: 0.15 };

/// What both checks end in.
pub(super) const SUFFIXES: [&str; 2] = [".errors", ".latency"];

/// Two URLs that are requested side by side, one for each cohort.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Probe {
    /// What is requested of the canary: http or https, without credentials.
    pub canary: String,
    /// What is requested of the baseline; another one.
    pub baseline: String,
    /// The distance of two requests, 1 s to 2 min, at most the interval.
    pub every: Duration,
    /// For one request, from its beginning to the end of what is read; at most `every`.
    pub timeout: Duration,
}

impl Probe {
    /// Counter of requests, by `probe`, `url` and `result` (`success` or `failure`).
    pub const REQUESTS: &'static str = "probe_requests_total";

    /// Histogram of how long they took, in seconds, by `probe` and `url`.
    pub const DURATION: &'static str = "probe_duration_seconds";

    /// The value of the label `probe`: the same for equal probes of different gates,
    /// which are one, and for no others.
    pub fn key(&self) -> String {
        let Self { canary, baseline, every, timeout } = self;
        // No URL has a line break in it.
        let text = format!("{canary}\n{baseline}\n{}\n{}", every.as_millis(), timeout.as_millis());
        Digest::of(text.as_bytes()).as_str().trim_start_matches("sha256:").chars().take(16).collect()
    }

    /// Who is judged against whom.
    pub(super) fn cohorts(&self) -> Cohorts {
        let key = self.key();
        let of = |url: &str| Matchers::equal(&[("probe", &key), ("url", url)]);
        Cohorts {
            canary: of(&self.canary),
            baseline: Some(of(&self.baseline)),
            instance: vec!["url".to_owned()],
            offset: None,
        }
    }
}

/// A probe with the kinds of its checks, in the order of [`SUFFIXES`].
pub(super) fn probe(
    reader: &mut Reader<'_>,
    check: &Table<'_>,
    entry: Entry<'_>,
    schedule: &Schedule,
) -> Option<(Probe, [CheckKind; 2])> {
    let kinds = kinds(reader, check);
    let table = reader.table(entry.node, "`probe`", PROBE)?;
    let canary = required(reader, &table, "canary", "say what is requested: `canary: 'https://canary.shop/health'`");
    let canary = canary.and_then(|entry| address(reader, entry));
    let baseline =
        required(reader, &table, "baseline", "say with what it is compared: `baseline: 'https://shop/health'`");
    let baseline = baseline.and_then(|entry| Some((entry, address(reader, entry)?)));
    if let (Some(canary), Some((entry, baseline))) = (&canary, &baseline)
        && canary == baseline
    {
        let help = "the baseline is who was not upgraded: give its own address";
        reader.error(entry.node.spot, "equal_cohorts", "canary and baseline are the same".to_owned(), help);
    }
    let (every, timeout) = times(reader, &table, entry, schedule);
    let probe = Probe { canary: canary?, baseline: baseline?.1, every, timeout };
    Some((probe, kinds?))
}

/// An address that was written out: the daemon requests it, whoever opens a wave.
fn address(reader: &mut Reader<'_>, entry: Entry<'_>) -> Option<String> {
    let text = reader.text(entry, MAX_URL)?;
    let spot = entry.node.spot;
    if text.contains('$') {
        let message = format!("`{}` has a `$` in it, and nothing is put into addresses", entry.key);
        let help = "a wave id must not choose whom the daemon calls: write the address out, with `%24` for a `$`";
        reader.error(spot, "placeholder", message, help);
        return None;
    }
    let problem = match Url::parse(text) {
        Err(problem) => format!("is not an address: {problem}"),
        // Reading an address makes a plain `$` of a full-width one.
        Ok(url) if url.as_str().contains('$') => "has a character in its host that is read as a `$`".to_owned(),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => "is neither http nor https".to_owned(),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => "has credentials in it".to_owned(),
        Ok(url) if url.fragment().is_some() => "has a fragment, which is never sent".to_owned(),
        // Written out, every character may take three.
        Ok(url) if url.as_str().len() > MAX_URL => format!("has over {MAX_URL} bytes when escaped"),
        Ok(url) => return Some(url.into()),
    };
    let help = "write what a browser would ask for: `https://canary.shop/health`";
    reader.error(spot, "bad_url", format!("`{}` {problem}", entry.key), help);
    None
}

fn times(reader: &mut Reader<'_>, table: &Table<'_>, probe: Entry<'_>, schedule: &Schedule) -> (Duration, Duration) {
    let get = |key: &str| table.get(key);
    let every = get("every").and_then(|entry| reader.duration(entry)).unwrap_or(Duration::from_secs(5));
    let timeout = get("timeout").and_then(|entry| reader.duration(entry)).unwrap_or(Duration::from_secs(2).min(every));
    let at = |key: &str| get(key).unwrap_or(probe).node.spot;
    let text = duration_text;
    let mut fault = |key: &str, message: String, help: &str| {
        reader.error(at(key), "impossible_probe", message, help);
    };
    if EVERY.contains(&every) {
        if schedule.interval < every {
            let message =
                format!("an interval of {} has no request every {} in it", text(schedule.interval), text(every));
            fault("every", message, "ask more often, or make `interval` of `schedule` longer");
        }
    } else {
        let message =
            format!("a request every {} is not {} to {}", text(every), text(*EVERY.start()), text(*EVERY.end()));
        fault("every", message, "5s is the default");
    }
    let age = schedule.interval.saturating_add(schedule.settle);
    if age > MAX_AGE {
        let message =
            format!("a look would judge requests of up to {} before, which are kept for {}", text(age), text(MAX_AGE));
        fault("every", message, "make `interval` or `settle` of `schedule` shorter");
    }
    if timeout < MIN_TIMEOUT || every < timeout {
        let message = format!("a timeout of {} is not {} to {}", text(timeout), text(MIN_TIMEOUT), text(every));
        fault("timeout", message, "one request ends before the next begins: at most `every`");
    } else if schedule.settle < timeout {
        let message =
            format!("a look {} later does not know how a request of {} ended", text(schedule.settle), text(timeout));
        fault("timeout", message, "make `timeout` shorter, or `settle` of `schedule` longer");
    }
    (every, timeout)
}

/// Both checks, each with half of the weight and all of the points.
fn kinds(reader: &mut Reader<'_>, check: &Table<'_>) -> Option<[CheckKind; 2]> {
    let weight = margin::weight(reader, check) / 2.0;
    let min_points = margin::min_points(reader, check, Scale::Ratio);
    let mut part = |key: &str, known: &[Key]| {
        let table = check.get(key).and_then(|entry| reader.table(entry.node, &format!("`{key}`"), known));
        table.unwrap_or_else(|| Table::empty(check.spot))
    };
    let errors = part("errors", PROBE_ERRORS);
    let latency = part("latency", PROBE_LATENCY);
    let policy = Policy { weight, min_points, ..margin::policy(reader, &errors, Scale::Ratio, None) };
    let floor = margin::floor(reader, &errors, Worse::Increase, FLOOR);
    let total = Selector::parse(Probe::REQUESTS).ok()?;
    let bad = Selector::parse(&format!("{}{{result=\"failure\"}}", Probe::REQUESTS)).ok()?;
    let errors = CheckKind::Ratio { bad, total, floor, policy };
    let policy = Policy { weight, min_points, ..margin::policy(reader, &latency, Scale::Histogram, Some(LATENCY)) };
    Some([errors, CheckKind::Histogram { metric: Selector::parse(Probe::DURATION).ok()?, policy }])
}
