//! Bad events out of all events.
//!
//! FAIL needs three things at a planned look: the e-process EP-1, exact for independent
//! events, the count guard, which knows that a cohort has disturbances of its own, and the
//! canary's own ratio above the floor (EP-2); or the fast way EP-4 at any interval, or one
//! bad instance (EP-6, [`crate::judge::outlier`]). PASS is an exact binomial tail and the
//! guard at `pass_within`, at 80 % of the risk, or the canary's own ratio under the floor
//! with its own guard (EP-2b), at 20 %: without the second way a service without errors
//! could never pass.

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Sizes;
use crate::judge::Unit;
use crate::judge::arrivals::Traffic;
use crate::judge::check::Finding;
use crate::judge::check::Reading;
use crate::judge::check::Sight;
use crate::judge::counts::Accusation;
use crate::judge::counts::Totals;
use crate::judge::counts::Track;
use crate::judge::counts::Watch;
use crate::judge::counts::is_surprising;
use crate::judge::levels::Levels;
use crate::judge::looks::Looks;
use crate::judge::outlier::Outliers;
use crate::judge::outlook::Outlook;
use crate::rules::Policy;
use crate::rules::Worse;
use crate::series::CheckEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// The share of the FAIL risk for one bad instance, where there are instances.
pub(crate) const INSTANCE_SHARE: f64 = 0.2;
/// The share of the PASS risk for a canary under the floor, where there is one.
pub(crate) const FLOOR_SHARE: f64 = 0.2;

/// What a ratio check remembers: sums, and 16 bytes an interval.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RatioState {
    policy: Policy,
    floor: f64,
    seconds: f64,
    canary: Totals,
    baseline: Totals,
    track: Track,
    /// The canary's since there was something to compare it with.
    alone: Totals,
    traffic: Traffic,
    sides: Vec<Side>,
    outliers: Outliers,
    /// Whether one bad instance is looked for; settled at the first look that has points enough.
    by_instance: Option<bool>,
}

#[cfg(test)]
crate::judge::footprint::fields!(RatioState: track, sides, outliers);

/// One direction.
#[derive(Clone, Debug, PartialEq)]
struct Side {
    watch: Watch,
    accusation: Accusation,
    within: stats::RatioTail,
}

#[cfg(test)]
crate::judge::footprint::flat!(Side);

/// What one direction says at a look.
struct Standing {
    /// FAIL.
    worse: bool,
    within: bool,
    /// The last intervals alone are worse than a PASS allows.
    shifted: bool,
    outlook: Outlook,
}

impl RatioState {
    pub(crate) fn new(policy: Policy, floor: f64, interval: Duration) -> Self {
        let watched = match policy.worse {
            Worse::Increase => vec![Watch::Canary],
            Worse::Decrease => vec![Watch::Baseline],
            Worse::Either => vec![Watch::Canary, Watch::Baseline],
        };
        let side = |watch| Side {
            watch,
            accusation: Accusation::new(policy.tolerance),
            within: stats::RatioTail::new(policy.pass_within),
        };
        Self {
            floor,
            seconds: interval.as_secs_f64(),
            canary: Totals::default(),
            baseline: Totals::default(),
            track: Track::default(),
            alone: Totals::default(),
            traffic: Traffic::new(interval),
            sides: watched.into_iter().map(side).collect(),
            outliers: Outliers::new(policy.tolerance),
            by_instance: None,
            policy,
        }
    }

    /// With instances and without: which it is shows at the first look.
    pub(crate) fn prepare(&self, levels: Levels, looks: &mut Looks) {
        let whole = levels.over(self.split());
        for levels in [whole, self.cohort_levels(levels)] {
            looks.fail_bounds(Accusation::slow_share(levels.alpha));
        }
        let ways: &[f64] = if self.floor > 0.0 { &[1.0 - FLOOR_SHARE, FLOOR_SHARE] } else { &[1.0] };
        for share in ways {
            looks.pass_bounds(share * levels.beta);
        }
    }

    /// Takes one interval; false where a cohort showed nothing.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence, at: Timestamp) -> bool {
        let canary = totals(Some(&evidence.canary));
        let baseline = totals(evidence.baseline.as_ref());
        let (Some(canary), Some(baseline)) = (canary, baseline) else {
            return false;
        };
        self.canary.add(canary);
        self.baseline.add(baseline);
        if self.traffic.add(canary.total, baseline.total) {
            self.track.push(canary, baseline);
            self.alone = Totals::default();
        } else {
            self.alone.add(canary);
        }
        for Side { watch, accusation, within } in &mut self.sides {
            let (own, other) = match watch {
                Watch::Canary => (canary, baseline),
                Watch::Baseline => (baseline, canary),
            };
            accusation.take(own, other, at);
            within.update(own.bad, other.bad, own.total, other.total);
        }
        if self.policy.worse != Worse::Decrease && self.by_instance != Some(false) {
            let others = evidence.baseline.as_ref().map_or(&[][..], |observed| &observed.instances);
            self.outliers.take(&evidence.canary.instances, others, baseline);
        }
        true
    }

    /// EP-4, at any interval: the FAIL that needs no planned look.
    pub(crate) fn fast(&self, levels: Levels, at: Timestamp) -> Option<Cause> {
        let alpha = self.cohort_levels(levels).alpha;
        let side = self.sides.iter().find(|side| {
            let own = self.own(side.watch);
            self.has_enough() && side.accusation.is_fast(own, self.floor, alpha)
        })?;
        let effect = self.worse_effect(side.watch, self.confidence(alpha)?);
        Some(Cause::ShiftAboveTolerance { effect, tolerance: side.watch.as_seen(self.policy.tolerance), at })
    }

    /// Reads and concludes.
    pub(crate) fn look(&mut self, sight: &mut Sight<'_>) -> Finding {
        if self.has_enough() {
            self.by_instance.get_or_insert(self.outliers.is_worth_it());
        }
        let levels = self.cohort_levels(sight.levels);
        let standings: Vec<Standing> = self.sides.iter().map(|side| self.stand(side, levels, sight)).collect();
        let reading = self.read(levels, sight);
        let open = self.open(reading.effect);
        let mut finding = Finding::open(reading, open);
        if !self.has_enough() {
            return finding;
        }
        let outlooks: Vec<Outlook> = standings.iter().map(|standing| standing.outlook.clone()).collect();
        finding.outlook = Outlook::of_all(&outlooks);
        finding.within = standings.iter().all(|standing| standing.within);
        finding.unsure = self.traffic.fault();
        if standings.iter().any(|standing| standing.shifted) || self.is_worse_alone() {
            finding.unsure = Some(Cause::RecentShift { points: recent(&self.track) });
        }
        if let Some((side, _)) = self.sides.iter().zip(&standings).find(|(_, standing)| standing.worse) {
            let effect = finding.reading.effect.unwrap_or_else(|| self.plain_effect());
            let effect = self.worse_effect(side.watch, effect);
            let tolerance = side.watch.as_seen(self.policy.tolerance);
            finding.reading.effect = Some(effect);
            finding.worse = Some(Cause::ShiftAboveTolerance { effect, tolerance, at: sight.at });
        } else if self.by_instance == Some(true) {
            let alpha = INSTANCE_SHARE * sight.levels.alpha / self.split();
            finding.worse = self.outliers.worst(self.floor, self.seconds, alpha, sight);
        }
        if finding.within
            && let Some(effect) = &mut finding.reading.effect
        {
            self.narrow(effect);
        }
        finding
    }

    /// Whether a canary that has nobody beside it for a while is surely worse than all of the
    /// baseline was: no interval of that is in the track.
    fn is_worse_alone(&self) -> bool {
        let allowed = self.floor.max(self.policy.pass_within * self.baseline.ratio());
        self.policy.worse != Worse::Decrease && is_surprising(self.alone.bad, self.alone.total, allowed)
    }

    fn has_enough(&self) -> bool {
        self.track.len() >= self.policy.min_points as usize
    }

    /// Directions that share the FAIL risk.
    fn split(&self) -> f64 {
        if self.sides.len() > 1 { 2.0 } else { 1.0 }
    }

    /// The risk of one direction of the cohorts, as long as instances may have their share.
    fn cohort_levels(&self, levels: Levels) -> Levels {
        let shared = self.policy.worse != Worse::Decrease && self.by_instance != Some(false);
        let levels = levels.over(self.split());
        if shared { levels.fail_share(1.0 - INSTANCE_SHARE) } else { levels }
    }

    fn own(&self, watch: Watch) -> Totals {
        match watch {
            Watch::Canary => self.canary,
            Watch::Baseline => self.baseline,
        }
    }

    fn stand(&self, side: &Side, levels: Levels, sight: &mut Sight<'_>) -> Standing {
        let alpha = Accusation::slow_share(levels.alpha);
        let bounds = sight.looks.fail_bounds(alpha);
        let needed = sight.fail_bound(&bounds);
        let exact = side.accusation.deviate(alpha, &bounds);
        let own = self.own(side.watch);
        let floor = if self.floor > 0.0 {
            stats::normal_upper_inverse_ln(stats::over_floor_ln_p(own.bad, own.total, self.floor))
        } else {
            f64::INFINITY
        };
        let guard = if exact > 0.0 && floor > 0.0 {
            self.track
                .guard(side.watch, self.policy.tolerance, self.seconds)
                .map_or(f64::NEG_INFINITY, |guard| guard.z())
        } else {
            f64::NEG_INFINITY
        };
        let mut outlook = Outlook::default();
        outlook.fail(exact.min(floor).min(guard), &bounds);
        let worse = side.accusation.is_proven(alpha) && floor > needed && guard > needed;
        let (within, shifted) = self.stand_within(side, levels.beta, sight, &mut outlook);
        Standing { worse, within, shifted, outlook }
    }

    /// Whether a direction is within by either way, and whether lately it is within by neither.
    fn stand_within(&self, side: &Side, beta: f64, sight: &mut Sight<'_>, outlook: &mut Outlook) -> (bool, bool) {
        let Sight { place, looks, .. } = sight;
        let (margin, watch) = (self.policy.pass_within, side.watch);
        let has_floor = self.floor > 0.0;
        let shifted = self.track.is_above_lately(watch, margin);
        let bounds = looks.pass_bounds(if has_floor { (1.0 - FLOOR_SHARE) * beta } else { beta });
        let tail = stats::normal_upper_inverse_ln(side.within.ln_p());
        // The guard costs the most, so it is asked last.
        let guarded = |tail: f64, guard: &dyn Fn() -> Option<stats::CountGuard>| {
            if tail > 0.0 { guard().map_or(f64::NEG_INFINITY, |guard| tail.min(guard.z())) } else { tail }
        };
        let below = guarded(tail, &|| Some(self.track.guard(watch, margin, self.seconds)?.mirrored()));
        outlook.pass(below, &bounds);
        let crosses = |z: f64, bounds: &[f64]| bounds.get(place.pass).is_some_and(|bound| z > *bound);
        let within = crosses(below, &bounds) && !shifted;
        if !has_floor {
            return (within, shifted);
        }
        let own = self.own(watch);
        let bounds = looks.pass_bounds(FLOOR_SHARE * beta);
        let tail = stats::normal_upper_inverse_ln(stats::under_floor_ln_p(own.bad, own.total, self.floor));
        let under = guarded(tail, &|| self.track.floor_guard(watch, self.floor, self.seconds));
        outlook.pass(under, &bounds);
        let risen = self.track.is_above_floor_lately(watch, self.floor);
        (within || crosses(under, &bounds) && !risen, shifted && risen)
    }

    fn open(&self, effect: Option<Effect>) -> Cause {
        let have = f64::from(u32::try_from(self.track.len()).unwrap_or(u32::MAX));
        let need = f64::from(self.policy.min_points);
        if have < need {
            return Cause::TooFewSamples { have, need };
        }
        let watch = self.sides.first().map_or(Watch::Canary, |side| side.watch);
        Cause::NeedsMoreEvidence { effect, pass_within: watch.as_seen(self.policy.pass_within) }
    }

    fn read(&self, levels: Levels, sight: &mut Sight<'_>) -> Reading {
        let log_e = self.sides.iter().map(|side| side.accusation.log_e()).fold(f64::NEG_INFINITY, f64::max);
        let alpha = Accusation::slow_share(levels.alpha);
        let mut details = vec![
            ("bad_canary", self.canary.bad),
            ("bad_baseline", self.baseline.bad),
            ("ratio_canary", self.canary.ratio()),
            ("ratio_baseline", self.baseline.ratio()),
            ("log_e", log_e),
            ("log_e_needed", -alpha.ln()),
        ];
        if self.floor > 0.0 {
            details.push(("floor", self.floor));
        }
        let guard = self.spread();
        if let Some(guard) = &guard {
            details.extend([("disturbance", guard.disturbance.sqrt()), ("autocorrelation", guard.autocorrelation)]);
        }
        Reading {
            effect: self.effect(alpha, guard.as_ref(), sight),
            n: Sizes { canary: self.canary.total, baseline: self.baseline.total },
            effective_n: guard.map(|guard| guard.effective_n),
            details,
            ..Reading::default()
        }
    }

    /// The guard at the ratio that was found, where there is one.
    fn spread(&self) -> Option<stats::CountGuard> {
        let estimate = self.estimate();
        (estimate > 0.0 && estimate.is_finite())
            .then(|| self.track.guard(Watch::Canary, estimate, self.seconds))
            .flatten()
    }

    fn estimate(&self) -> f64 {
        self.canary.ratio() / self.baseline.ratio()
    }

    /// The rate ratio with its confidence sequence (EP-1), widened to what the guard believes:
    /// the two must both exclude a margin. `None` without bad events.
    fn effect(&self, alpha: f64, guard: Option<&stats::CountGuard>, sight: &mut Sight<'_>) -> Option<Effect> {
        let mut effect = self.confidence(alpha)?;
        if let Some(guard) = guard.filter(|guard| guard.leverage > 0.0) {
            let (below, above) = sight.tails(Levels { alpha, beta: sight.levels.beta });
            let reach = |ln_tail| stats::student_upper_inverse_ln(ln_tail, guard.nu) * guard.error / guard.leverage;
            let (own, other) = match self.policy.worse {
                Worse::Increase => (below, above),
                Worse::Decrease => (above, below),
                Worse::Either => (below, below),
            };
            effect.low = effect.low.min(effect.estimate * (-reach(own)).exp());
            effect.high = effect.high.max(effect.estimate * reach(other).exp());
        }
        Some(effect)
    }

    fn confidence(&self, alpha: f64) -> Option<Effect> {
        let odds = self.canary.total / self.baseline.total;
        let found = stats::ratio_confidence(self.canary.bad, self.baseline.bad, odds, -alpha.ln())?;
        Some(Effect { estimate: found.estimate, low: found.low, high: found.high, unit: Unit::RateRatio })
    }

    fn plain_effect(&self) -> Effect {
        Effect { estimate: self.estimate(), low: 0.0, high: f64::INFINITY, unit: Unit::RateRatio }
    }

    /// What was refused is a bound, and often the sharper one.
    fn worse_effect(&self, watch: Watch, effect: Effect) -> Effect {
        let tolerance = watch.as_seen(self.policy.tolerance);
        match watch {
            Watch::Canary => Effect { low: effect.low.max(tolerance), ..effect },
            Watch::Baseline => Effect { high: effect.high.min(tolerance), ..effect },
        }
    }

    fn narrow(&self, effect: &mut Effect) {
        // A canary under its floor may have any ratio to the baseline.
        let margin = self.policy.pass_within;
        if self.policy.worse != Worse::Decrease && effect.estimate < margin {
            effect.high = effect.high.min(margin);
        }
        if self.policy.worse != Worse::Increase && effect.estimate > margin.recip() {
            effect.low = effect.low.max(margin.recip());
        }
    }
}

pub(crate) fn recent(track: &Track) -> u32 {
    u32::try_from(stats::recent_points(track.len())).unwrap_or(u32::MAX)
}

pub(crate) fn totals(observed: Option<&Observed>) -> Option<Totals> {
    match &observed?.measure {
        Measure::Counts { bad, total } => Some(Totals { bad: *bad, total: *total }),
        Measure::Nothing | Measure::Buckets(_) | Measure::Value(_) | Measure::Rated { .. } | Measure::Worst { .. } => {
            None
        }
    }
}
