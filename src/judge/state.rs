//! What a gate remembers between looks, as plain values.

use crate::judge::Timing;
use crate::judge::check::CheckState;
use crate::judge::looks::Looks;
use crate::rules::RuleFile;

/// Everything that earlier intervals left behind. Folding the same intervals
/// from [`State::new`] gives the same state, so only the intervals are stored.
#[derive(Clone, Debug, PartialEq)]
pub struct State {
    pub(crate) timing: Timing,
    /// Intervals taken so far.
    pub(crate) judged: u32,
    /// Planned looks so far.
    pub(crate) looked: u32,
    /// The planned looks, with their boundaries.
    pub(crate) looks: Looks,
    pub(crate) checks: Vec<CheckState>,
}

impl State {
    /// A gate that has seen nothing.
    pub fn new(rules: &RuleFile, timing: Timing) -> Self {
        let checks: Vec<CheckState> = rules.checks.iter().map(|check| CheckState::new(rules, check, &timing)).collect();
        let mut looks = Looks::new(&timing, rules.risk.spending);
        for check in &checks {
            check.prepare(&mut looks);
        }
        Self { timing, judged: 0, looked: 0, looks, checks }
    }

    /// The grid.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }

    /// Intervals taken so far.
    pub fn judged(&self) -> u32 {
        self.judged
    }
}
