//! What a gate remembers between looks, as plain values.

use crate::judge::Timing;
use crate::judge::budget::BudgetState;
use crate::judge::check::CheckState;
use crate::judge::looks::Looks;
use crate::rules::Class;
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
    /// `None` where the rules mind no error budget.
    pub(crate) budget: Option<BudgetState>,
}

impl State {
    /// A gate that has seen nothing.
    pub fn new(rules: &RuleFile, timing: Timing) -> Self {
        let checks: Vec<CheckState> = rules.checks.iter().map(|check| CheckState::new(rules, check, &timing)).collect();
        let mut looks = Looks::new(&timing, rules.risk.spending);
        for check in &checks {
            check.prepare(&mut looks);
        }
        let budget = rules.budget.as_ref().map(|_| BudgetState::new(rules, &timing));
        Self { timing, judged: 0, looked: 0, looks, checks, budget }
    }

    /// The same of a wave of `class`.
    #[must_use]
    pub fn of_class(mut self, class: Class) -> Self {
        if let Some(budget) = &mut self.budget {
            budget.class = class;
        }
        self
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
