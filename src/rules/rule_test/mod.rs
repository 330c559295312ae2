//! Tests of rule files: what a source is given, and what the gate must say then.
//!
//! ```yaml
//! rules: ../http-service.yaml      # relative to this file
//! wave: w1                         # what stands beside `tests` holds for each of them
//! baseline: w0                     # that does not say otherwise
//! interval: 15s                    # of the scrapes
//! series:                          # a test's own stand in place of these where the names are equal
//!   - series: 'http_requests_total{wave_id="w0",code="200"}'
//!     values: '0+3000x240'
//! tests:
//!   - name: ten times the errors fail
//!     series:
//!       - series: ['http_requests_total{wave_id="w1",pod="a",code="500"}', '…']
//!         values: '0+15x240'
//!         noise: 30%
//!         seed: 7
//!       - histogram: 'http_request_duration_seconds{wave_id="w1",pod="a"}'
//!         rate: 50/s
//!         median: 80ms
//!         p99: 600ms
//!     attestations: [{ name: backup, at: 5m }]
//!     expect:
//!       - { at: 15m, verdict: fail, state: decided, checks: { errors: fail } }
//!   - name: the wave of March passes by these rules too
//!     recording: march.recording     # relative to this file; in place of all that makes a wave up
//!     expect:
//!       - { at: 30m, verdict: pass }
//! ```
//! Scrape k is at the start of the wave less `before`, plus k intervals, and so is
//! sample k of each series. A series has noise of its own, made of its seed and its
//! labels: no machine and no run has other noise.

mod made;
mod notation;
mod read;
mod shapes;

pub use made::Events;
pub use made::GivenSeries;
pub use made::Shape;
pub use notation::Point;
pub use notation::Values;
pub use read::parse;

use crate::rules::Diagnostic;
use crate::rules::Mode;
use crate::rules::RuleFile;
use crate::rules::diagnostic::Spot;
use crate::rules::reader::Reader;
use crate::rules::reader::listed;
use crate::rules::reader::quote;
use crate::rules::rule_test::made::Scrapes;
use crate::series::Timestamp;
use crate::series::expr::Stored;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What a verdict can be.
pub const VERDICTS: [&str; 3] = ["pass", "fail", "pause"];

/// What the outcome of a check can be.
pub const OUTCOMES: [&str; 3] = ["pass", "fail", "inconclusive"];

/// What the state of a gate that nobody touches can be.
pub const STATES: [&str; 4] = ["warming_up", "analyzing", "held", "decided"];

/// The tests of one rule file.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTests {
    /// The rule file, as it is written: relative to this one.
    pub rules: String,
    /// At least one, names unique, in the order of the file.
    pub tests: Vec<RuleTest>,
    rules_spot: Spot,
}

/// One wave, and what must be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleTest {
    /// What it claims.
    pub name: String,
    /// Where it stands, from 1.
    pub line: usize,
    /// The wave.
    pub given: Given,
    /// What is attested, and when, from the start of the wave; by time.
    pub attestations: Vec<(String, Duration)>,
    /// At least one, by time.
    pub expect: Vec<Expectation>,
    /// Of the params, of what is attested, and of the recording.
    spots: Spots,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Spots {
    params: Vec<(String, Spot)>,
    attestations: Vec<(String, Spot)>,
    recording: Option<Spot>,
}

/// Where the wave of a test comes from.
#[derive(Clone, Debug, PartialEq)]
pub enum Given {
    /// It is written in the test.
    Made(MadeWave),
    /// A file, as it is written: relative to that of the test.
    Recording(String),
}

/// A wave that is written in a test.
#[derive(Clone, Debug, PartialEq)]
pub struct MadeWave {
    /// What `$wave` stands for; 1 to 256 bytes without control characters.
    pub wave: String,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
    /// What the wave sets.
    pub params: BTreeMap<String, String>,
    /// The start of the wave.
    pub start: Timestamp,
    /// How long before it the series begin.
    pub before: Duration,
    /// The distance of two scrapes.
    pub interval: Duration,
    /// The last moment that something is said of.
    pub until: Timestamp,
    /// What the source has.
    pub series: Vec<Arc<GivenSeries>>,
}

/// What the gate must say at one time. What is not named may be anything.
#[derive(Clone, Debug, PartialEq)]
pub struct Expectation {
    /// Where it stands, from 1.
    pub line: usize,
    /// From the start of the wave.
    pub at: Duration,
    /// One of [`VERDICTS`].
    pub verdict: Option<&'static str>,
    /// One of [`VERDICTS`], that of rules which observe: what they would say.
    pub would: Option<&'static str>,
    /// One of [`STATES`].
    pub state: Option<&'static str>,
    /// Names of checks, each with one of [`OUTCOMES`].
    pub checks: Vec<(String, &'static str)>,
    /// Codes that must be among the reasons of the gate or of its checks.
    pub reasons: Vec<String>,
    check_spots: Vec<Spot>,
    would_spot: Option<Spot>,
}

impl MadeWave {
    /// The series that the source has, as they are stored there.
    pub fn stored(&self) -> Vec<Stored> {
        let scrapes = self.scrapes();
        self.series.iter().flat_map(|given| given.stored(self.start, &scrapes)).collect()
    }

    /// How many series and samples it has, before any of them is made.
    fn size(&self) -> (u64, u64) {
        let scrapes = self.scrapes();
        let sizes = self.series.iter().map(|given| given.size(&scrapes));
        sizes.fold((0, 0), |sum: (u64, u64), one| (sum.0.saturating_add(one.0), sum.1.saturating_add(one.1)))
    }

    fn scrapes(&self) -> Scrapes {
        Scrapes { begin: self.start - self.before, interval: self.interval, end: self.until }
    }
}

impl RuleTests {
    /// That the rule file cannot be read, with `message`, as a fault of the key that names it.
    pub fn unreadable(&self, file: &str, text: &str, message: String) -> Vec<Diagnostic> {
        let mut reader = Reader::new(file, text, None);
        let help = "`rules` is a path, relative to the folder of this file";
        reader.error(self.rules_spot, "unreadable_rules", message, help);
        reader.finish()
    }

    /// The recordings that cannot be read, as faults of the keys that name them. `read`
    /// says what is wrong with the recording of a name.
    pub fn unreadable_recordings(
        &self,
        file: &str,
        text: &str,
        read: impl Fn(&str) -> Result<(), String>,
    ) -> Vec<Diagnostic> {
        let mut reader = Reader::new(file, text, None);
        let mut known: BTreeMap<&str, Result<(), String>> = BTreeMap::new();
        for test in &self.tests {
            let (Given::Recording(name), Some(spot)) = (&test.given, test.spots.recording) else { continue };
            if let Err(message) = known.entry(name).or_insert_with(|| read(name)) {
                let help = "`recording` is a file that `wavegate record` made, relative to the folder of this file";
                reader.error(spot, "unreadable_recording", message.clone(), help);
            }
        }
        reader.finish()
    }

    /// What does not fit `rules`, the rule file that is tested: checks, params and
    /// attestations that it does not have, a word on what it would say where it says it,
    /// and checks that nothing can be given to. `file` and `text` are those that the
    /// tests were parsed from.
    pub fn faults_with(&self, rules: &RuleFile, file: &str, text: &str) -> Vec<Diagnostic> {
        let mut reader = Reader::new(file, text, None);
        for check in rules.checks.iter().filter(|check| check.probe.is_some()) {
            let message = format!("`{}` is a probe, which makes its own requests", check.name);
            let help = "a rule file with a probe has no rule tests: give the probe a file of its own";
            reader.error(self.rules_spot, "probe_in_tests", message, help);
        }
        let checks: Vec<&str> = rules.checks.iter().map(|check| check.name.as_str()).collect();
        let params: Vec<&str> = rules.params.iter().map(|param| param.name.as_str()).collect();
        let required: Vec<&str> = rules.requires.iter().map(String::as_str).collect();
        for test in &self.tests {
            for (name, spot) in &test.spots.params {
                unknown(&mut reader, *spot, name, "param", "unknown_param", &params);
            }
            for (name, spot) in &test.spots.attestations {
                unknown(&mut reader, *spot, name, "attestation", "unknown_attestation", &required);
            }
            for expectation in &test.expect {
                if let (Some(spot), Mode::Enforce) = (expectation.would_spot, rules.mode) {
                    let message = "`would` is what rules that observe would say, and these are obeyed".to_owned();
                    reader.error(spot, "not_observing", message, "expect a `verdict`");
                }
                for ((name, _), spot) in expectation.checks.iter().zip(&expectation.check_spots) {
                    unknown(&mut reader, *spot, name, "check", "unknown_check", &checks);
                }
            }
        }
        reader.finish()
    }
}

fn unknown(reader: &mut Reader<'_>, spot: Spot, name: &str, what: &str, code: &'static str, known: &[&str]) {
    if known.contains(&name) {
        return;
    }
    let help = match crate::rules::nearest::nearest(name, known) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("it has {}", listed(known)),
    };
    reader.error(spot, code, format!("the rule file has no {what} {}", quote(name)), help);
}
