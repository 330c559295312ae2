//! How the promised risks are shared out.
//!
//! `false_fail` belongs to the whole gate: it is split over the statistical checks that
//! count by their weight (Bonferroni; statistics.md §6), and what a check gets is spent over
//! its looks by [`crate::judge::looks`]. `false_pass` belongs to each check, because all of
//! them must pass.

use crate::rules::Check;
use crate::rules::RuleFile;

/// The risks of one statistical check, over the whole wave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Levels {
    /// Of a false FAIL.
    pub(crate) alpha: f64,
    /// Of a false PASS.
    pub(crate) beta: f64,
}

impl Levels {
    /// The risks of `check`, or `None` for a check that takes none.
    pub(crate) fn of(rules: &RuleFile, check: &Check) -> Option<Self> {
        let policy = check.kind.policy()?;
        let statistical = rules.checks.iter().filter_map(|check| Some((check.counts(), check.kind.policy()?.weight)));
        let share = if check.counts() {
            let all: f64 = statistical.filter(|(counts, _)| *counts).map(|(_, weight)| weight).sum();
            policy.weight / all
        } else {
            // Shown and never counted, so it takes nothing from the others.
            1.0 / statistical.fold(0.0, |count, _| count + 1.0)
        };
        Some(Self { alpha: rules.risk.false_fail * share, beta: rules.risk.false_pass })
    }

    /// The same where the FAIL risk is shared by `parts` tests, any of which may fail.
    pub(crate) fn over(self, parts: f64) -> Self {
        Self { alpha: self.alpha / parts, ..self }
    }

    /// `share` of the FAIL risk.
    pub(crate) fn fail_share(self, share: f64) -> Self {
        Self { alpha: self.alpha * share, ..self }
    }
}
