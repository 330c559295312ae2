//! What was expected of a moment against the document that stood then.

use crate::report;
use crate::rules::rule_test::Expectation;
use serde::Deserialize;
use std::time::Duration;

/// A moment at which not everything is as expected.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Mismatch {
    /// From the start of the wave.
    pub(super) at: Duration,
    /// Where it stands in the file.
    pub(super) line: usize,
    /// At least one.
    pub(super) differences: Vec<Difference>,
    /// The reasons that the gate gave, each a line.
    pub(super) why: Vec<String>,
}

/// One thing that was expected and did not come.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Difference {
    /// `verdict`, `would`, `state`, `reason`, or `check` and its name.
    pub(super) what: String,
    pub(super) expected: String,
    pub(super) got: String,
    /// What the check read.
    pub(super) numbers: Option<String>,
}

#[derive(Deserialize)]
struct Document {
    verdict: String,
    state: String,
    reasons: Vec<Reason>,
    checks: Vec<Check>,
    would: Option<Would>,
}

#[derive(Deserialize)]
struct Would {
    verdict: String,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    outcome: String,
    reasons: Vec<Reason>,
    notices: Vec<Reason>,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    #[serde(default)]
    check: Option<String>,
    message: String,
}

/// What differs between `expected` and `document`; `None` where nothing does.
///
/// # Errors
/// The document is not one of ours.
pub(super) fn mismatch(expected: &Expectation, document: &str) -> Result<Option<Mismatch>, serde_json::Error> {
    let got: Document = serde_json::from_str(document)?;
    let mut differences = Vec::new();
    let mut differs = |what: String, expected: &str, got: &str, numbers: Option<String>| {
        if expected != got {
            differences.push(Difference { what, expected: expected.to_owned(), got: got.to_owned(), numbers });
        }
    };
    if let Some(verdict) = expected.verdict {
        differs("verdict".to_owned(), verdict, &got.verdict, None);
    }
    if let Some(would) = expected.would {
        let found = got.would.as_ref().map_or("obeyed", |would| &would.verdict);
        differs("would".to_owned(), would, found, None);
    }
    if let Some(state) = expected.state {
        differs("state".to_owned(), state, &got.state, None);
    }
    for (name, outcome) in &expected.checks {
        // Before the first look nothing is known of any check.
        let found = got.checks.iter().find(|check| check.name == *name).map_or("none yet", |check| &check.outcome);
        let numbers = report::numbers(document, name)?;
        differs(format!("check {name}"), outcome, found, numbers);
    }
    let of_checks = got.checks.iter().flat_map(|check| check.reasons.iter().chain(&check.notices));
    let codes: Vec<&str> = got.reasons.iter().chain(of_checks).map(|reason| reason.code.as_str()).collect();
    for code in expected.reasons.iter().filter(|code| !codes.contains(&code.as_str())) {
        let mut others = codes.clone();
        others.sort_unstable();
        others.dedup();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        differs("reason".to_owned(), code, &others, None);
    }
    if differences.is_empty() {
        return Ok(None);
    }
    let why = got.reasons.iter().map(|reason| {
        let check = reason.check.as_ref().map_or(String::new(), |check| format!("{check}: "));
        format!("{check}{}  [{}]", reason.message, reason.code)
    });
    Ok(Some(Mismatch { at: expected.at, line: expected.line, differences, why: why.collect() }))
}
