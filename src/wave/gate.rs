//! One gate of a wave, as plain values.

use crate::judge::Judgement;
use crate::judge::Timing;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::series::Timestamp;

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
