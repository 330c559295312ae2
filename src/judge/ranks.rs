//! `test: mann_whitney`: the ranks of both cohorts, which are not paired.
//!
//! FAIL is MW-5 against a baseline moved by the tolerance; PASS and what is shown are the
//! Hodges-Lehmann shift with its order-statistic interval (HL-2), widened by what the
//! autocorrelation costs. The plain p-value of "no change" is shown beside it.

use crate::judge::Cause;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::check::Sight;
use crate::judge::repeated::Repeated;
use crate::judge::repeated::Scaled;
use crate::judge::repeated::sides;
use crate::judge::repeated::watched;
use crate::judge::scale::Scale;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::stats;

/// Both cohorts' values, in the order of time.
pub(crate) struct Arms<'a> {
    pub(crate) canary: &'a [f64],
    pub(crate) baseline: &'a [f64],
    pub(crate) gaps: &'a [usize],
    pub(crate) scale: Scale,
    pub(crate) prior: stats::Prior,
}

/// Reads and concludes.
pub(crate) fn conclude(arms: &Arms<'_>, policy: &Policy, sight: &mut Sight<'_>) -> Finding {
    let few = Cause::TooFewSamples { have: 0.0, need: f64::from(policy.min_points) };
    let on_scale = |values: &[f64]| values.iter().map(|value| arms.scale.of(*value)).collect::<Vec<f64>>();
    let (canary, baseline) = (on_scale(arms.canary), on_scale(arms.baseline));
    let vif = stats::two_sample_inflation(arms.track(&canary), arms.track(&baseline), arms.prior);
    let Some(sorted) = stats::SortedCohorts::new(&canary, &baseline) else {
        return Finding { unsure: Some(few.clone()), ..Finding::open(Reading::default(), few) };
    };
    let everything = stats::Interval { estimate: f64::NAN, low: f64::NEG_INFINITY, high: f64::INFINITY };
    let shift = |ln_tail: f64| sorted.hodges_lehmann(ln_tail.exp(), vif).unwrap_or(everything);
    let levels = sight.levels.over(sides(policy.worse));
    let repeated = Repeated::new(levels, sight, |ln_tail| arms.scale.outer_all(shift(ln_tail)));
    let Policy { worse, tolerance, pass_within, .. } = *policy;
    let scale = Scaled { neutral: 0.0, unit: arms.scale.unit(), worse, tolerance, pass_within };
    let pass_bounds = sight.looks.pass_bounds(levels.beta);
    let bound = sight.pass_bound(&pass_bounds);
    let at_beta = shift(sight.tails(levels).1);
    let pass = |sign: f64| {
        let (far, margin) = if sign > 0.0 { (at_beta.high, pass_within) } else { (at_beta.low, -pass_within) };
        let reach = sign * (far - at_beta.estimate);
        let room = sign * (arms.scale.inner(margin) - at_beta.estimate);
        if reach > 0.0 { bound * room / reach } else { room * f64::INFINITY }
    };
    // Ranking both cohorts anew for each direction costs the most, so it is done once.
    let beyond: Vec<(f64, f64)> = watched(worse).iter().map(|sign| (*sign, arms.z_beyond(sign * tolerance))).collect();
    let fail = |sign: f64| {
        let own = beyond.iter().find(|(other, _)| other.is_sign_negative() == sign.is_sign_negative());
        own.map_or(f64::NEG_INFINITY, |(_, z)| *z)
    };
    let mut finding = repeated.conclude(&scale, sight, fail, pass);
    finding.unsure = arms.is_shifted(policy);
    if finding.within && sight.place.may_pass {
        finding.hold_back(arms.scale.scatters(arms.canary, arms.baseline, worse, pass_within));
    }
    let details = &mut finding.reading.details;
    details.push(("vif", vif));
    if let Some(plain) = sorted.mann_whitney(stats::Tail::TwoSided) {
        details.extend([("p_value", plain.p), ("auc", plain.auc)]);
    }
    let tail = sight.tails(levels).0.exp();
    if let Some(auc) = sorted.auc_interval(tail, vif) {
        details.extend([("auc_low", auc.low), ("auc_high", auc.high)]);
    }
    let z = beyond.iter().map(|(_, z)| *z).fold(f64::NEG_INFINITY, f64::max);
    details.extend([("z", z), ("z_needed", sight.needed(levels))]);
    finding.reading.effective_n = Some(stats::effective_size(canary.len(), vif));
    finding
}

impl Arms<'_> {
    fn track<'a>(&'a self, values: &'a [f64]) -> stats::Track<'a> {
        stats::Track { values, gaps: self.gaps }
    }

    /// How far the canary's ranks lie beyond a baseline moved `by`, in its direction; up at 0.
    fn z_beyond(&self, by: f64) -> f64 {
        let moved: Vec<f64> = self.baseline.iter().map(|value| self.scale.moved(*value, by)).collect();
        let (canary, baseline) = (self.track(self.canary), self.track(&moved));
        // The test is one-sided towards "larger": for a decrease the cohorts change places.
        let test = if by.is_sign_negative() {
            stats::mann_whitney_adjusted(baseline, canary, self.prior)
        } else {
            stats::mann_whitney_adjusted(canary, baseline, self.prior)
        };
        test.map_or(f64::NEG_INFINITY, |test| test.z_adj)
    }

    /// G-7 on the paired differences: a change of the last minutes is one in any test.
    fn is_shifted(&self, policy: &Policy) -> Option<Cause> {
        let differences = |sign: f64| -> Vec<f64> {
            let pairs = self.canary.iter().zip(self.baseline);
            pairs.map(|(canary, baseline)| sign * self.scale.difference(*canary, *baseline)).collect()
        };
        let shifted =
            |sign: f64| stats::recent_shift(&differences(sign), sign * self.scale.inner(sign * policy.pass_within), 0);
        let (up, down) = (policy.worse != Worse::Decrease, policy.worse != Worse::Increase);
        let points = u32::try_from(stats::recent_points(self.canary.len())).unwrap_or(u32::MAX);
        (up && shifted(1.0) || down && shifted(-1.0)).then_some(Cause::RecentShift { points })
    }
}
