//! One line about a gate or a wave, for a list, a log and a chat message.

use crate::judge::BudgetOutcome;
use crate::judge::Cause;
use crate::judge::CheckOutcome;
use crate::judge::Expected;
use crate::judge::Judgement;
use crate::judge::Outcome;
use crate::judge::Stand;
use crate::rules::OnFail;
use crate::wave::Decision;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Verdict;
use crate::wave::Wave;
use crate::wire::budget;
use crate::wire::document;
use crate::wire::prose;
use crate::wire::standing::Standing;
use std::fmt::Write as _;
use std::time::Duration;

/// A summary is one line of a terminal or a message.
const MAX_SUMMARY: usize = 256;

/// One line about `gate`.
pub(crate) fn of_gate(gate: &Gate) -> String {
    if gate.would.is_some() {
        let would = gate.as_enforced();
        let verdict = document::verdict(would.verdict).to_uppercase();
        return prose::clip(&format!("observing, would say {verdict}: {}", of_gate(&would)), MAX_SUMMARY);
    }
    let text = match gate.state {
        GateState::Scheduled => format!("starts at {}", gate.start),
        GateState::Cancelled => by_a_person("cancelled", gate),
        GateState::Decided if gate.decision.is_some() => by_a_person(past(gate.verdict), gate),
        GateState::Decided => decided(gate),
        GateState::Held => held(gate),
        GateState::WarmingUp | GateState::Analyzing => match &gate.outage {
            Some(outage) => {
                format!("the source has not answered since {}: {}", outage.since, prose::quote(&outage.message))
            }
            None => running(gate),
        },
    };
    prose::clip(&text, MAX_SUMMARY)
}

/// One line about `wave`, of which `gravest` is the gravest gate with its own line.
pub(crate) fn of_wave(wave: &Wave, gravest: Option<(&Gate, &str)>) -> String {
    let Some((gate, line)) = gravest else {
        return String::from("no gates");
    };
    if wave.gates.len() == 1 {
        return line.to_owned();
    }
    let passed = wave.gates.iter().filter(|gate| Standing::of_gate(gate).verdict == Verdict::Pass).count();
    let mut text = format!("{passed} of {} gates passed", wave.gates.len());
    if passed < wave.gates.len() {
        let _ = write!(text, "; {}: {line}", gate.rules);
    }
    prose::clip(&text, MAX_SUMMARY)
}

fn past(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "passed",
        Verdict::Fail => "failed",
        Verdict::Pause => "paused",
    }
}

fn by_a_person(what: &str, gate: &Gate) -> String {
    match &gate.decision {
        Some(Decision { by, why, .. }) => format!("{what} by {}: {}", prose::clip(by, 64), prose::quote(why)),
        None => what.to_owned(),
    }
}

fn decided(gate: &Gate) -> String {
    let Some(judgement) = &gate.judgement else {
        return past(gate.verdict).to_owned();
    };
    match gate.verdict {
        Verdict::Pass => {
            let budget = if judgement.budget.is_some() { " and its error budget" } else { "" };
            match counted(judgement).count() {
                1 => format!("passed: its one check{budget}"),
                checks => format!("passed: all {checks} checks{budget}"),
            }
        }
        Verdict::Fail if at_deadline(judgement) => format!("failed at the deadline: {}", undecided(judgement)),
        Verdict::Fail => format!("failed: {}", failing(judgement, OnFail::Fail)),
        Verdict::Pause => String::from("paused"),
    }
}

fn held(gate: &Gate) -> String {
    let Some(judgement) = &gate.judgement else {
        return String::from("held: a person is asked");
    };
    if at_deadline(judgement) {
        let why = waiting(gate, judgement).unwrap_or_else(|| undecided(judgement));
        return format!("held at the deadline: {why}");
    }
    if let Some(cause) = spent(judgement) {
        return format!("held: {}", budget::cause(cause, judgement.budget.as_ref()));
    }
    let names = failing(judgement, OnFail::Pause);
    if names.is_empty() {
        return String::from("held: a person is asked");
    }
    format!("held: {names} failed and a person is asked")
}

fn running(gate: &Gate) -> String {
    let Some(judgement) = &gate.judgement else {
        return match &gate.timing {
            Some(timing) => format!("no look yet; warming up until {}", timing.warm),
            None => String::from("no look yet; waiting for the source"),
        };
    };
    if gate.state == GateState::WarmingUp {
        if let Some(Cause::PlannedDowntime { until }) = judgement.reasons.first().map(|reason| &reason.cause) {
            return format!("planned downtime until {until}");
        }
        return match &gate.timing {
            Some(timing) => format!("warming up until {}", timing.warm),
            None => String::from("warming up"),
        };
    }
    let mut text = waiting(gate, judgement).unwrap_or_else(|| undecided(judgement));
    if let Some(timing) = &gate.timing {
        let _ = match expected(gate, judgement) {
            Some(expected) if expected.outcome == Outcome::Fail => {
                write!(text, "; heading for a fail in about {}", span(expected.at.since(judgement.at)))
            }
            Some(expected) => write!(text, "; about {} to go", span(expected.at.since(judgement.at))),
            None => write!(text, "; at most {} to go", span(timing.deadline.since(judgement.at))),
        };
    }
    // What makes it unhealthy is graver than how long it takes, so it is said first.
    match judgement.reasons.first() {
        Some(reason) if !judgement.healthy => {
            let check = reason.check.as_deref().map_or(String::new(), |check| format!("{check}: "));
            format!("{check}{}; {text}", prose::cause(&reason.cause))
        }
        Some(_) | None => text,
    }
}

/// What is to come if everything stays as it is: no PASS while something is not attested.
pub(crate) fn expected(gate: &Gate, judgement: &Judgement) -> Option<Expected> {
    let comes = |coming: &Expected| coming.outcome == Outcome::Fail || gate.missing().next().is_none();
    judgement.expected.filter(comes)
}

/// What is waited for where no check is undecided.
fn waiting(gate: &Gate, judgement: &Judgement) -> Option<String> {
    if counted(judgement).any(|check| check.outcome != Outcome::Pass) {
        return None;
    }
    let names = gate.missing().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        return Some(format!("every check passes, and {names} is not attested"));
    }
    if let Some(waiting) = judgement.budget.as_ref().and_then(for_budget) {
        return Some(format!("every check passes, and {waiting}"));
    }
    judgement.reasons.iter().find_map(|reason| {
        let Cause::WindowClosed { by, until } = &reason.cause else { return None };
        let until = until.map_or(String::new(), |until| format!(" until {until}"));
        Some(format!("every check passes, and the window is closed{until} ({})", prose::clip(by, 64)))
    })
}

/// The reason of the error budget for which a person is asked.
fn spent(judgement: &Judgement) -> Option<&Cause> {
    judgement.budget.as_ref().filter(|budget| budget.stand == Stand::Hold)?.reasons.first()
}

/// What a budget that does not let the wave pass is waited for.
fn for_budget(budget: &BudgetOutcome) -> Option<&'static str> {
    match budget.stand {
        Stand::Pass => None,
        Stand::Inconclusive => Some("it is not sure what the wave burns of the error budget"),
        Stand::Pause => Some("the wave waits for the error budget"),
        Stand::Hold => Some("the error budget asks for a person"),
    }
}

/// Checks that count, which those with `on_fail: report` do not.
fn counted(judgement: &Judgement) -> impl Iterator<Item = &CheckOutcome> {
    judgement.checks.iter().filter(|check| check.on_fail != OnFail::Report)
}

fn undecided(judgement: &Judgement) -> String {
    let all = counted(judgement).count();
    match counted(judgement).filter(|check| check.outcome == Outcome::Inconclusive).count() {
        0 => format!("no check of {all} undecided"),
        open => format!("{open} of {all} checks undecided"),
    }
}

fn failing(judgement: &Judgement, on_fail: OnFail) -> String {
    let names = judgement.checks.iter().filter(|check| check.outcome == Outcome::Fail && check.on_fail == on_fail);
    names.map(|check| check.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn at_deadline(judgement: &Judgement) -> bool {
    judgement.reasons.iter().any(|reason| matches!(reason.cause, Cause::DeadlineReached { .. }))
}

/// A span as people say it: the largest unit that leaves at least two of it.
fn span(length: Duration) -> String {
    match length.as_secs() {
        seconds @ 0..120 => format!("{seconds} s"),
        seconds @ 120..7200 => format!("{} min", seconds.div_ceil(60)),
        seconds @ 7200..172_800 => format!("{} h", seconds.div_ceil(3600)),
        seconds => format!("{} days", seconds.div_ceil(86_400)),
    }
}
