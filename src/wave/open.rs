//! Opening gates: which attempt a request means.
//!
//! Orchestrators repeat themselves, and wave ids come back: the same request
//! again must change nothing while its gate is open and for a while after, and
//! must begin a new attempt when it means a new run.

use crate::rules::Class;
use crate::rules::Digest;
use crate::rules::Mode;
use crate::rules::RulesName;
use crate::series::Timestamp;
use crate::wave::Decision;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Requirement;
use crate::wave::Verdict;
use crate::wave::Would;
use std::collections::BTreeMap;

/// What a request says of one gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Which rule file.
    pub rules: RulesName,
    /// The digest it has now.
    pub digest: Digest,
    /// Whether the gate is obeyed.
    pub mode: Mode,
    /// What must be attested before it may pass.
    pub requires: Vec<String>,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
    /// The params of this gate that the request gives.
    pub given: BTreeMap<String, String>,
    /// Those and the defaults of the others: what a new attempt has.
    pub params: BTreeMap<String, String>,
    /// What kind of change the wave brings, where the request says so.
    pub class: Option<Class>,
    /// The caller's name for the attempt.
    pub run: Option<String>,
    /// The start of the wave, if not now.
    pub start: Option<Timestamp>,
    /// A deadline other than the rule file's.
    pub deadline: Option<Timestamp>,
}

/// What a request means for a gate.
#[derive(Clone, Debug, PartialEq)]
pub enum Opening {
    /// The gate that is there.
    Same,
    /// A new attempt, and the open one it calls off.
    New {
        /// The new attempt.
        gate: Box<Gate>,
        /// The former attempt, called off, where it was open.
        cancelled: Option<Box<Gate>>,
    },
    /// It contradicts the open gate.
    Contradiction {
        /// The field: `baseline`, `class`, `start`, `deadline`, or `params/` and a name.
        field: String,
        /// What the gate has.
        open: String,
        /// What was asked.
        asked: String,
    },
}

/// What `asked` means where the latest attempt is `current`. `reopens` says whether a
/// final gate has been left alone for long enough to begin anew without a `run`.
pub fn open(current: Option<&Gate>, asked: &Asked, reopens: bool, now: Timestamp) -> Opening {
    let Some(gate) = current else {
        return Opening::New { gate: Box::new(attempt(asked, 1, now)), cancelled: None };
    };
    let another_run = asked.run.is_some() && asked.run != gate.run;
    let same_run = asked.run.is_some() && asked.run == gate.run;
    let next = || Box::new(attempt(asked, gate.attempt + 1, now));
    if another_run {
        let cancelled = (!gate.state.is_final()).then(|| Box::new(superseded(gate, asked, now)));
        return Opening::New { gate: next(), cancelled };
    }
    if gate.state.is_final() {
        let differs = contradiction(gate, asked).is_some();
        let begins = !same_run && (reopens || differs);
        return if begins { Opening::New { gate: next(), cancelled: None } } else { Opening::Same };
    }
    contradiction(gate, asked).unwrap_or(Opening::Same)
}

/// The first field in which `asked` says something else than the gate has. What the
/// request leaves out contradicts nothing.
fn contradiction(gate: &Gate, asked: &Asked) -> Option<Opening> {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let time = |value: Option<Timestamp>| value.map_or_else(|| "none".to_owned(), |at| at.to_string());
    let differs = |field: &str, open: String, asked: String| {
        Some(Opening::Contradiction { field: field.to_owned(), open, asked })
    };
    if asked.baseline.is_some() && asked.baseline != gate.baseline {
        return differs("baseline", text(&gate.baseline), text(&asked.baseline));
    }
    let other = |(name, value): &(&String, &String)| gate.params.get(*name) != Some(*value);
    if let Some((name, value)) = asked.given.iter().find(other) {
        return differs(&format!("params/{name}"), text(&gate.params.get(name).cloned()), value.clone());
    }
    if asked.class.is_some_and(|class| class != gate.class) {
        return differs("class", gate.class.word().to_owned(), asked.class.unwrap_or_default().word().to_owned());
    }
    if asked.start.is_some_and(|start| start != gate.start) {
        return differs("start", gate.start.to_string(), time(asked.start));
    }
    if asked.deadline.is_some() && asked.deadline != gate.deadline {
        return differs("deadline", time(gate.deadline), time(asked.deadline));
    }
    None
}

/// The `attempt`-th attempt, as it begins.
pub fn attempt(asked: &Asked, attempt: u32, now: Timestamp) -> Gate {
    let start = asked.start.unwrap_or(now);
    let state = if now < start { GateState::Scheduled } else { GateState::WarmingUp };
    Gate {
        rules: asked.rules.clone(),
        digest: asked.digest.clone(),
        attempt,
        run: asked.run.clone(),
        baseline: asked.baseline.clone(),
        params: asked.params.clone(),
        class: asked.class.unwrap_or_default(),
        opened_at: now,
        start,
        deadline: asked.deadline,
        timing: None,
        judged: 0,
        state,
        verdict: Verdict::Pause,
        revision: 1,
        judgement: None,
        outage: None,
        decision: None,
        requires: asked.requires.iter().map(|name| Requirement { name: name.clone(), attested: None }).collect(),
        would: (asked.mode == Mode::Observe).then_some(Would { verdict: Verdict::Pause, state }),
        revised_at: now,
    }
}

fn superseded(gate: &Gate, asked: &Asked, now: Timestamp) -> Gate {
    let run = asked.run.as_deref().unwrap_or("");
    let decision =
        Decision { verdict: None, by: "wavegate".to_owned(), why: format!("run `{run}` began a new attempt"), at: now };
    Gate {
        state: GateState::Cancelled,
        verdict: Verdict::Pause,
        decision: Some(decision),
        would: gate.would.map(|_| Would { verdict: Verdict::Pause, state: GateState::Cancelled }),
        revision: gate.revision + 1,
        revised_at: now,
        ..gate.clone()
    }
}
