//! How the promised risks are shared out.
//!
//! `false_fail` belongs to the whole gate: it is split over the statistical
//! checks that count by their weight, and what a check gets is split over its
//! planned looks (Bonferroni; statistics.md §6). `false_pass` belongs to each
//! check, because all of them must pass, and is split over the looks alone.

use crate::judge::Timing;
use crate::rules::Check;
use crate::rules::RuleFile;

/// The risks of one statistical check.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    /// Of a false FAIL over the whole wave.
    pub(crate) alpha: f64,
    /// Of a false FAIL at one planned look.
    pub(crate) alpha_look: f64,
    /// Of a false PASS at one planned look.
    pub(crate) beta_look: f64,
}

impl Levels {
    /// The risks of `check`, or `None` for a check that takes none.
    pub(crate) fn of(rules: &RuleFile, check: &Check, timing: &Timing) -> Option<Self> {
        let policy = check.kind.policy()?;
        let statistical = rules.checks.iter().filter_map(|check| Some((check.counts(), check.kind.policy()?.weight)));
        let share = if check.counts() {
            let all: f64 = statistical.filter(|(counts, _)| *counts).map(|(_, weight)| weight).sum();
            policy.weight / all
        } else {
            // Shown and never counted, so it takes nothing from the others.
            1.0 / statistical.fold(0.0, |count, _| count + 1.0)
        };
        let looks = f64::from(timing.planned());
        let alpha = rules.risk.false_fail * share;
        Some(Self { alpha, alpha_look: alpha / looks, beta_look: rules.risk.false_pass / looks })
    }

    /// The same where the FAIL risk is shared by `sides` one-sided tests.
    pub(crate) fn over(self, sides: f64) -> Self {
        Self { alpha: self.alpha / sides, alpha_look: self.alpha_look / sides, ..self }
    }
}
