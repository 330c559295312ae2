//! When what happened to a gate: what a backtest counts.

use crate::judge::CheckOutcome;
use crate::judge::Outcome;
use crate::rules::OnFail;
use crate::rules::RuleFile;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Timestamp;
use crate::store::Change;
use crate::wave::GateState;
use crate::wave::Verdict;
use std::time::Duration;

/// A gate in hindsight.
#[derive(Clone, Debug, PartialEq)]
pub struct Story {
    /// How it ended.
    pub end: End,
    /// From the start until it passed.
    pub passed_after: Option<Duration>,
    /// From the start until a check first failed it, or asked a person.
    pub stopped_after: Option<Duration>,
    /// The counted checks that were the first to fail, at one look.
    pub stopped_by: Vec<String>,
    /// It passed, and these counted checks never had evidence of every cohort.
    pub blind: Vec<String>,
    /// Each check, in the order of the file.
    pub checks: Vec<CheckStory>,
}

/// How a gate ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// It passed.
    Passed,
    /// A check failed it, or the deadline did where the rules say so.
    Failed,
    /// A check failed and a person is asked.
    HeldByCheck,
    /// The deadline came, and a person is asked.
    HeldAtDeadline,
    /// The recording ends before anything was decided.
    Undecided,
}

/// One check of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckStory {
    /// Its name.
    pub name: String,
    /// Whether the verdict depends on it.
    pub counts: bool,
    /// From the start until it failed, where it did.
    pub failed_after: Option<Duration>,
    /// What it said at last.
    pub outcome: Outcome,
}

impl Story {
    /// The story of a gate by `rules` that began at `start` and had `changes`.
    pub(super) fn of(rules: &RuleFile, start: Timestamp, changes: &[Change]) -> Self {
        let mut checks: Vec<CheckStory> = Vec::new();
        for check in &rules.checks {
            let (name, counts) = (check.name.clone(), check.counts());
            checks.push(CheckStory { name, counts, failed_after: None, outcome: Outcome::Inconclusive });
        }
        let mut seen = vec![false; checks.len()];
        for change in changes {
            let Some(judgement) = &change.gate.judgement else { continue };
            for (check, outcome) in checks.iter_mut().zip(&judgement.checks) {
                check.outcome = outcome.outcome;
                if outcome.outcome == Outcome::Fail && check.failed_after.is_none() {
                    check.failed_after = Some(judgement.at.since(start));
                }
            }
            for (_, interval) in &change.evidence {
                for (seen, check) in seen.iter_mut().zip(&interval.checks) {
                    *seen |= is_evidence(check);
                }
            }
        }
        let last = changes.last();
        let end = last.map_or(End::Undecided, end);
        let passed = changes.iter().find(|change| change.gate.as_enforced().verdict == Verdict::Pass);
        let at = |change: &Change| change.gate.judgement.as_ref().map(|judgement| judgement.at.since(start));
        let counted = || checks.iter().filter(|check| check.counts);
        let stopped_after = counted().filter_map(|check| check.failed_after).min();
        let first = counted().filter(|check| check.failed_after == stopped_after && stopped_after.is_some());
        let unseen = checks.iter().zip(&seen).filter(|(check, seen)| check.counts && !**seen);
        Self {
            end,
            passed_after: passed.and_then(at),
            stopped_after,
            stopped_by: first.map(|check| check.name.clone()).collect(),
            blind: unseen.filter(|_| end == End::Passed).map(|(check, _)| check.name.clone()).collect(),
            checks,
        }
    }
}

/// What became of the gate; of one that observes, what would have.
fn end(change: &Change) -> End {
    let gate = change.gate.as_enforced();
    let failed = |check: &CheckOutcome| check.outcome == Outcome::Fail && check.on_fail != OnFail::Report;
    let by_check = gate.judgement.as_ref().is_some_and(|judgement| judgement.checks.iter().any(failed));
    match (gate.state, gate.verdict) {
        (GateState::Decided, Verdict::Pass) => End::Passed,
        (GateState::Decided, _) => End::Failed,
        (GateState::Held, _) if by_check => End::HeldByCheck,
        (GateState::Held, _) => End::HeldAtDeadline,
        (GateState::Scheduled | GateState::WarmingUp | GateState::Analyzing | GateState::Cancelled, _) => {
            End::Undecided
        }
    }
}

/// Whether something was seen of every cohort, and nothing forbids to use it.
fn is_evidence(check: &CheckEvidence) -> bool {
    let known = |measure: &Measure| !matches!(measure, Measure::Nothing);
    check.faults.is_empty()
        && known(&check.canary.measure)
        && check.baseline.as_ref().is_none_or(|baseline| known(&baseline.measure))
}
