//! From a repeated interval to a finding: the two margins.
//!
//! FAIL asks whether the change is surely above `tolerance`, PASS whether it is
//! surely below `pass_within`. The two bounds stand at different levels, because
//! the two risks are different promises.

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Unit;
use crate::judge::check::Finding;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::series::Timestamp;
use crate::stats::Interval;

/// One estimate with bounds at the level of FAIL and at that of PASS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repeated {
    pub(crate) at_alpha: Interval,
    pub(crate) at_beta: Interval,
}

/// One-sided tests that share the FAIL risk.
pub(crate) fn sides(worse: Worse) -> f64 {
    if worse == Worse::Either { 2.0 } else { 1.0 }
}

impl Repeated {
    /// The effect to show: on each side the bound that decides there.
    pub(crate) fn effect(&self, worse: Worse, unit: Unit) -> Effect {
        let Self { at_alpha, at_beta } = *self;
        let (low, high) = match worse {
            Worse::Increase => (at_alpha.low, at_beta.high),
            Worse::Decrease => (at_beta.low, at_alpha.high),
            Worse::Either => (at_alpha.low, at_alpha.high),
        };
        Effect { estimate: at_alpha.estimate, low, high, unit }
    }

    /// What follows, where the margins count from `neutral`, the value of no change.
    pub(crate) fn conclude(&self, policy: &Policy, neutral: f64, unit: Unit, at: Timestamp) -> Finding {
        let Policy { worse, tolerance, pass_within, .. } = *policy;
        let effect = self.effect(worse, unit);
        let (up, down) = (worse != Worse::Decrease, worse != Worse::Increase);
        let failed = |tolerance| Finding::Worse(Cause::ShiftAboveTolerance { effect, tolerance, at });
        let open = |pass_within| Finding::Open(Cause::NeedsMoreEvidence { effect: Some(effect), pass_within });
        if up && self.at_alpha.low > neutral + tolerance {
            failed(neutral + tolerance)
        } else if down && self.at_alpha.high < neutral - tolerance {
            failed(neutral - tolerance)
        } else if up && self.at_beta.high >= neutral + pass_within {
            open(neutral + pass_within)
        } else if down && self.at_beta.low <= neutral - pass_within {
            open(neutral - pass_within)
        } else {
            Finding::Within
        }
    }
}
