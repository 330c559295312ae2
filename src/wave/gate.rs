//! One gate of a wave, as plain values.

use crate::judge::Judgement;
use crate::judge::Timing;
use crate::rules::Class;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::series::Timestamp;
use std::collections::BTreeMap;

/// A wave's name: 1 to 256 bytes of UTF-8 without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WaveId(String);

impl WaveId {
    /// Longest wave id: it is a label value, a URL segment and a database key.
    pub const MAX_BYTES: usize = 256;

    /// `None` where `text` is not such a name.
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.len() <= Self::MAX_BYTES;
        (fits && !text.chars().any(char::is_control)).then(|| Self(text.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for WaveId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// One stage of a rollout: its gates, each at its latest attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// Its name.
    pub id: WaveId,
    /// The rollout it belongs to.
    pub rollout: Option<String>,
    /// Ordered by the rule file's name, one of each.
    pub gates: Vec<Gate>,
}

/// What a verdict says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Pass,
    /// Stop and roll back.
    Fail,
    /// Do not go on.
    Pause,
}

/// Where a gate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GateState {
    /// It starts later.
    Scheduled,
    /// Its evidence does not count yet.
    WarmingUp,
    /// Evidence is coming.
    Analyzing,
    /// A person is asked.
    Held,
    /// It passed or failed.
    Decided,
    /// It was called off.
    Cancelled,
}

impl GateState {
    /// Held, decided or cancelled.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Held | Self::Decided | Self::Cancelled)
    }

    /// Decided or cancelled.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Decided | Self::Cancelled)
    }
}

/// One rule file applied to one wave, one attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Gate {
    /// Which rule file.
    pub rules: RulesName,
    /// The digest it began with.
    pub digest: Digest,
    /// From 1.
    pub attempt: u32,
    /// The caller's name for this attempt.
    pub run: Option<String>,
    /// What `$baseline` stands for.
    pub baseline: Option<String>,
    /// What every other variable stands for, defaults included.
    pub params: BTreeMap<String, String>,
    /// What kind of change the wave brings.
    pub class: Class,
    /// When the gate was opened.
    pub opened_at: Timestamp,
    /// The start of the wave.
    pub start: Timestamp,
    /// A deadline other than the rule file's.
    pub deadline: Option<Timestamp>,
    /// The grid; `None` until the source's scrape interval is known.
    pub timing: Option<Timing>,
    /// Intervals judged so far.
    pub judged: u32,
    /// Where it stands.
    pub state: GateState,
    /// Pass or fail once decided, else pause.
    pub verdict: Verdict,
    /// Counts every published change, from 1.
    pub revision: u32,
    /// The last published look.
    pub judgement: Option<Judgement>,
    /// Set while the source does not answer.
    pub outage: Option<Outage>,
    /// A person's word, where there was one.
    pub decision: Option<Decision>,
    /// What must be attested before it may pass, in the order of the rule file.
    pub requires: Vec<Requirement>,
    /// What it would say were it obeyed; `None` of a gate that is. One that observes runs to
    /// its end by `state`, says `pass` to whoever asks, and is stopped by nothing.
    pub would: Option<Would>,
    /// When the last revision was made: a look, or the time of a person's word.
    pub revised_at: Timestamp,
}

impl Gate {
    /// False when blind, on a shared incident, held, failed or cancelled.
    pub fn is_healthy(&self) -> bool {
        let sees = self.judgement.as_ref().is_none_or(|judgement| judgement.healthy);
        let failed = self.state == GateState::Decided && self.verdict == Verdict::Fail;
        sees && self.outage.is_none() && !failed && !matches!(self.state, GateState::Held | GateState::Cancelled)
    }

    /// Held, or not final and not healthy: what `wave.paused` tells.
    pub(crate) fn is_stopped(&self) -> bool {
        !self.state.is_final() && !self.is_healthy()
    }

    /// The gate as it would be were it obeyed: itself, unless it observes.
    #[must_use]
    pub fn as_enforced(&self) -> Self {
        let mut gate = self.clone();
        if let Some(Would { verdict, state }) = gate.would.take() {
            (gate.verdict, gate.state) = (verdict, state);
        }
        gate
    }

    /// What is required and was not attested by `at`. A look counts what was attested by
    /// its own moment, so that a verdict does not depend on when the look was made.
    pub fn unattested(&self, at: Timestamp) -> impl Iterator<Item = &str> {
        let by_then = move |one: &&Requirement| one.attested.as_ref().is_none_or(|attested| at < attested.at);
        self.requires.iter().filter(by_then).map(|one| one.name.as_str())
    }

    /// What is required and nobody has attested yet.
    pub fn missing(&self) -> impl Iterator<Item = &str> {
        self.requires.iter().filter(|one| one.attested.is_none()).map(|one| one.name.as_str())
    }
}

/// What must be attested before a gate may pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// As the rule file has it.
    pub name: String,
    /// Who said so; `None` while nobody has.
    pub attested: Option<Attestation>,
}

/// Somebody's word that what a gate requires is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// Who.
    pub by: String,
    /// For people.
    pub note: Option<String>,
    /// Where it can be seen.
    pub url: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// What a gate that observes would say were it obeyed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Would {
    /// Pass or fail once decided, else pause.
    pub verdict: Verdict,
    /// Where it would stand.
    pub state: GateState,
}

/// A source that does not answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outage {
    /// Since when.
    pub since: Timestamp,
    /// What the last attempt said.
    pub message: String,
}

/// A person's word on a gate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// Pass or fail; `None` for a cancellation.
    pub verdict: Option<Verdict>,
    /// Who.
    pub by: String,
    /// Why.
    pub why: String,
    /// When.
    pub at: Timestamp,
}
