//! From an estimate with its error to a finding: the two margins.
//!
//! FAIL asks whether the change is surely above `tolerance`, PASS whether it is surely below
//! `pass_within`. Each asks a boundary of its own, because the two risks are different
//! promises; the interval that is shown has on each side the bound that decides there.

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Unit;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::check::Sight;
use crate::judge::levels::Levels;
use crate::judge::outlook::Outlook;
use crate::rules::Worse;
use crate::stats::Interval;

/// One estimate with bounds at the level of FAIL and at that of PASS.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Repeated {
    levels: Levels,
    at_alpha: Interval,
    at_beta: Interval,
}

/// How a change is told.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scaled {
    /// The value of no change, from which the margins count.
    pub(crate) neutral: f64,
    pub(crate) unit: Unit,
    pub(crate) worse: Worse,
    pub(crate) tolerance: f64,
    pub(crate) pass_within: f64,
}

/// One-sided tests that share the FAIL risk.
pub(crate) fn sides(worse: Worse) -> f64 {
    if worse == Worse::Either { 2.0 } else { 1.0 }
}

/// The directions that are worse.
pub(crate) fn watched(worse: Worse) -> &'static [f64] {
    match worse {
        Worse::Increase => &[1.0],
        Worse::Decrease => &[-1.0],
        Worse::Either => &[1.0, -1.0],
    }
}

impl Repeated {
    /// The bounds of an estimate whose interval is `interval` of the logarithm of a tail, at
    /// the `levels` of one side.
    pub(crate) fn new(levels: Levels, sight: &mut Sight<'_>, interval: impl Fn(f64) -> Interval) -> Self {
        let (alpha, beta) = sight.tails(levels);
        Self { levels, at_alpha: interval(alpha), at_beta: interval(beta) }
    }

    /// The effect to show.
    pub(crate) fn effect(&self, scale: &Scaled) -> Effect {
        let Self { at_alpha, at_beta, .. } = *self;
        let (low, high) = match scale.worse {
            Worse::Increase => (at_alpha.low, at_beta.high),
            Worse::Decrease => (at_beta.low, at_alpha.high),
            Worse::Either => (at_alpha.low, at_alpha.high),
        };
        Effect { estimate: at_alpha.estimate, low, high, unit: scale.unit }
    }

    /// What follows, where `fail` and `pass` are the deviates on their way to a boundary in
    /// one direction, 1 or −1.
    pub(crate) fn conclude(
        &self,
        scale: &Scaled,
        sight: &mut Sight<'_>,
        fail: impl Fn(f64) -> f64,
        pass: impl Fn(f64) -> f64,
    ) -> Finding {
        let effect = self.effect(scale);
        let fail_bounds = sight.looks.fail_bounds(self.levels.alpha);
        let pass_bounds = sight.looks.pass_bounds(self.levels.beta);
        let (fail_bound, pass_bound) = (sight.fail_bound(&fail_bounds), sight.pass_bound(&pass_bounds));
        let mut outlooks = Vec::with_capacity(2);
        let (mut failed, mut open) = (None, None);
        for sign in watched(scale.worse) {
            let (worse, within) = (fail(*sign), pass(*sign));
            let mut outlook = Outlook::default();
            outlook.fail(worse, &fail_bounds);
            outlook.pass(within, &pass_bounds);
            outlooks.push(outlook);
            if worse > fail_bound {
                failed.get_or_insert(scale.neutral + sign * scale.tolerance);
            }
            // What is not a number is within nothing.
            let clear = within > pass_bound;
            if !clear {
                open.get_or_insert(scale.neutral + sign * scale.pass_within);
            }
        }
        let first = watched(scale.worse).first().copied().unwrap_or(1.0);
        let pass_within = open.unwrap_or(scale.neutral + first * scale.pass_within);
        let still = Cause::NeedsMoreEvidence { effect: Some(effect), pass_within };
        let reading = Reading { effect: Some(effect), ..Reading::default() };
        Finding {
            worse: failed.map(|tolerance| Cause::ShiftAboveTolerance { effect, tolerance, at: sight.at }),
            within: open.is_none(),
            outlook: Outlook::of_all(&outlooks),
            ..Finding::open(reading, still)
        }
    }
}
