//! Bad events out of all events, with nobody to compare them with (`baseline: none`).
//!
//! What is known is the rule's `floor`, the ratio that is good enough. FAIL says that the
//! canary's own ratio is above `tolerance` times the floor, PASS that it is below the floor:
//! between the two lies what the rule tolerates and does not ask for, and a canary there
//! stays undecided, as it should. `pass_within` is of a comparison and has no part in it.
//!
//! FAIL needs at a planned look the mixture over rates above the margin (the e-process of
//! EP-2: a mixture of likelihood ratios is a supermartingale wherever the ratio is at most
//! the margin, so by Ville's inequality it holds at all looks at once; Robbins 1970, Howard
//! and others 2021), not by one interval alone, and the count guard of the
//! canary's own intervals (C-1 … C-5), which knows that errors come in bursts; or the fast
//! way EP-4 at any interval, at several times the margin. PASS is EP-2b.
//! What other cohorts cancel out is not cancelled here: an incident of everybody's counts as
//! the canary's.

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Margins;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::Warning;
use crate::judge::arrivals::Traffic;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::check::Sight;
use crate::judge::counts::Accusation;
use crate::judge::counts::Favour;
use crate::judge::counts::Totals;
use crate::judge::counts::Track;
use crate::judge::counts::Watch;
use crate::judge::counts::deviate;
use crate::judge::counts::fast_ratio;
use crate::judge::counts::fast_share;
use crate::judge::levels::Levels;
use crate::judge::looks::Looks;
use crate::judge::ratio::recent;
use crate::judge::ratio::totals;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// The share of the PASS risk that is spent. Bursts lean to the side of few errors, and with
/// bursts of an interval a canary exactly on its floor passes 1.4 times as often as the
/// guard's level says (6.9 % of 1500 simulated waves at 5 %).
pub(crate) const PASS_SHARE: f64 = 0.6;
/// Halvings of a bracket: a bound to twelve digits.
const HALVINGS: u32 = 40;

/// What a ratio check without a baseline remembers: sums, and 16 bytes an interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct AloneState {
    policy: Policy,
    floor: f64,
    seconds: f64,
    own: Totals,
    /// The interval that says the most: one alone is a burst.
    loudest: Totals,
    favour: Favour,
    track: Track,
    traffic: Traffic,
}

#[cfg(test)]
crate::judge::footprint::fields!(AloneState: track);

impl AloneState {
    pub(crate) fn new(policy: Policy, floor: f64, interval: Duration) -> Self {
        Self {
            policy,
            // Where less is worse a floor has no meaning, and nothing is judged.
            floor: if policy.worse == Worse::Decrease { 0.0 } else { floor },
            seconds: interval.as_secs_f64(),
            own: Totals::default(),
            loudest: Totals::default(),
            favour: Favour::default(),
            track: Track::default(),
            traffic: Traffic::new(interval),
        }
    }

    pub(crate) fn prepare(levels: Levels, looks: &mut Looks) {
        looks.fail_bounds(Accusation::slow_share(levels.alpha));
        looks.pass_bounds(PASS_SHARE * levels.beta);
    }

    /// Takes one interval; false where the canary showed nothing.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence, at: Timestamp) -> bool {
        let Some(one) = totals(Some(&evidence.canary)) else { return false };
        self.own.add(one);
        if self.traffic.add(one.total, one.total) {
            self.track.push(one, Totals::default());
        }
        if log_e(one, self.margin()) > log_e(self.loudest, self.margin()) {
            self.loudest = one;
        }
        if one.total > 0.0 {
            self.favour.note(log_e(one, self.fast_margin()), log_e(self.own, self.fast_margin()), at);
        }
        true
    }

    /// EP-4, at any interval: the FAIL that needs no planned look.
    pub(crate) fn fast(&self, levels: Levels, at: Timestamp) -> Option<Cause> {
        let needed = -fast_share(levels.alpha).ln();
        let is_far = self.judges() && self.has_enough() && self.favour.lasts();
        (is_far && log_e(self.own, self.fast_margin()) >= needed).then(|| self.above(self.bounds(levels, None), at))
    }

    /// Reads and concludes.
    pub(crate) fn look(&self, sight: &mut Sight<'_>) -> Finding {
        let levels = sight.levels;
        let tails = sight.tails(Levels { alpha: Accusation::slow_share(levels.alpha), beta: PASS_SHARE * levels.beta });
        let effect = (self.own.total > 0.0).then(|| self.bounds(levels, Some(tails)));
        let mut finding = Finding::open(self.read(levels, effect), self.open(effect));
        if !self.has_enough() || !self.judges() {
            return finding;
        }
        let alpha = Accusation::slow_share(levels.alpha);
        let bounds = sight.looks.fail_bounds(alpha);
        let evidence = deviate(self.log_e(), alpha, &bounds);
        let guard = if evidence > 0.0 { self.guard_z(self.margin(), -1.0) } else { f64::NEG_INFINITY };
        finding.outlook.fail(evidence.min(guard), &bounds);
        let is_proven = self.log_e() >= -alpha.ln() && self.is_shared();
        let worse = is_proven && guard > sight.fail_bound(&bounds);

        let bounds = sight.looks.pass_bounds(PASS_SHARE * levels.beta);
        let tail = stats::normal_upper_inverse_ln(stats::under_floor_ln_p(self.own.bad, self.own.total, self.floor));
        let under = if tail > 0.0 { tail.min(self.guard_z(self.floor, 1.0)) } else { tail };
        finding.outlook.pass(under, &bounds);
        let risen = self.track.is_above_floor_lately(Watch::Canary, self.floor);
        finding.within = !risen && under > sight.pass_bound(&bounds);
        finding.unsure = self.traffic.fault();
        if risen {
            finding.unsure = Some(Cause::RecentShift { points: recent(&self.track) });
        }
        if let Some(effect) = effect.filter(|_| worse) {
            finding.worse = Some(self.above(effect, sight.at));
        }
        if let Some(effect) = finding.reading.effect.as_mut().filter(|_| finding.within) {
            // What was refused is a bound, and often the sharper one.
            effect.high = effect.high.min(self.floor.max(effect.estimate));
        }
        finding
    }

    fn above(&self, effect: Effect, at: Timestamp) -> Cause {
        let tolerance = self.margin();
        Cause::ShiftAboveTolerance { effect: Effect { low: effect.low.max(tolerance), ..effect }, tolerance, at }
    }

    fn judges(&self) -> bool {
        self.floor > 0.0
    }

    fn has_enough(&self) -> bool {
        self.track.len() >= self.policy.min_points as usize
    }

    /// What FAIL must exclude, as a share of all events.
    fn margin(&self) -> f64 {
        self.policy.tolerance * self.floor
    }

    fn fast_margin(&self) -> f64 {
        fast_ratio(self.policy.tolerance) * self.floor
    }

    fn log_e(&self) -> f64 {
        log_e(self.own, self.margin())
    }

    /// Whether the other intervals accuse without the loudest.
    fn is_shared(&self) -> bool {
        let Totals { bad, total } = self.loudest;
        log_e(Totals { bad: self.own.bad - bad, total: self.own.total - total }, self.margin()) > 0.0
    }

    /// How far the intervals, as they scatter, are below (`side` 1) or above (-1) a ratio of `share`.
    fn guard_z(&self, share: f64, side: f64) -> f64 {
        let guard = self.track.floor_guard(Watch::Canary, share, self.seconds);
        let guard = guard.map(|guard| if side < 0.0 { guard.mirrored() } else { guard });
        guard.map_or(f64::NEG_INFINITY, |guard| guard.z())
    }

    fn open(&self, effect: Option<Effect>) -> Cause {
        let have = f64::from(u32::try_from(self.track.len()).unwrap_or(u32::MAX));
        let need = f64::from(self.policy.min_points);
        if have < need {
            return Cause::TooFewSamples { have, need };
        }
        Cause::NeedsMoreEvidence { effect, pass_within: self.floor }
    }

    fn read(&self, levels: Levels, effect: Option<Effect>) -> Reading {
        let alpha = Accusation::slow_share(levels.alpha);
        let mut details = vec![
            ("bad_canary", self.own.bad),
            ("ratio_canary", self.own.ratio()),
            ("log_e", self.log_e()),
            ("log_e_needed", -alpha.ln()),
            ("floor", self.floor),
        ];
        let guard = self.spread();
        if let Some(guard) = &guard {
            details.extend([("disturbance", guard.disturbance.sqrt()), ("autocorrelation", guard.autocorrelation)]);
        }
        Reading {
            effect,
            n: Sizes { canary: self.own.total, baseline: 0.0 },
            effective_n: guard.map(|guard| guard.effective_n),
            margins: Some(Margins { tolerance: self.margin(), pass_within: self.floor }),
            details,
            warnings: vec![Warning::JudgedAlone { floor: self.floor }],
        }
    }

    /// The guard at the ratio that was found, where there is one.
    fn spread(&self) -> Option<stats::CountGuard> {
        let ratio = self.own.ratio();
        (0.0 < ratio && ratio < 1.0).then(|| self.track.floor_guard(Watch::Canary, ratio, self.seconds)).flatten()
    }

    /// The canary's ratio: from below by the ratios that the mixture excludes, from above by
    /// the exact binomial tail, both widened to what the guard believes: a verdict takes
    /// both. `tails` are the logarithms of the risks at this look; without them the lower
    /// bound is the mixture's alone.
    fn bounds(&self, levels: Levels, tails: Option<(f64, f64)>) -> Effect {
        let Totals { bad, total } = self.own;
        let estimate = self.own.ratio();
        let needed = -Accusation::slow_share(levels.alpha).ln();
        let excluded = |share: f64| log_e(self.own, share) >= needed;
        let mut low = if bad > 0.0 { bisect(0.0, estimate, excluded) } else { 0.0 };
        let mut high = 1.0;
        if let Some((below, above)) = tails {
            high = bisect(estimate, 1.0, |share| stats::under_floor_ln_p(bad, total, share) > above);
            if let Some(guard) = self.spread().filter(|guard| guard.leverage > 0.0) {
                let reach = |ln_tail| stats::student_upper_inverse_ln(ln_tail, guard.nu) * guard.error / guard.leverage;
                low = low.min(estimate * (-reach(below)).exp());
                high = high.max((estimate * reach(above).exp()).min(1.0));
            }
        }
        Effect { estimate, low, high, unit: Unit::Share }
    }
}

/// The logarithm of the evidence that the ratio of `counts` is above `share`.
fn log_e(counts: Totals, share: f64) -> f64 {
    if 0.0 < share && share < 1.0 { stats::floor_log_e(counts.bad, counts.total, share) } else { 0.0 }
}

/// Where `is_low`, which holds at `low` and not at `high`, ends to hold.
fn bisect(low: f64, high: f64, is_low: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low, high);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if is_low(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}
