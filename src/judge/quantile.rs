//! The tail of a histogram (T-1): how many events lie beyond a bound.
//!
//! Ranks are nearly blind to a slow two per cent. So the events above one bound are counted
//! in both cohorts, as a ratio's bad ones are, and the margin is put into the rate: the
//! baseline's own past says how many more would lie above that bound if everything were as
//! much slower as is tolerated. Bound and rate are fixed before the interval they judge, so
//! the e-process stays exact. Two bounds are watched for FAIL at half of the risk each: the
//! one nearest to the quantile, and the first beyond the quantile with the tolerance on it.

use crate::judge::Cause;
use crate::judge::Effect;
use crate::judge::Margins;
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
use crate::judge::histogram::comparable;
use crate::judge::levels::Levels;
use crate::judge::looks::Looks;
use crate::judge::outlook::Outlook;
use crate::judge::spectrum::Spectrum;
use crate::rules::Policy;
use crate::series::Buckets;
use crate::series::CheckEvidence;
use crate::series::Timestamp;
use crate::stats;
use std::time::Duration;

/// Bounds that share the FAIL risk.
pub(crate) const TAILS: f64 = 2.0;
/// The rate ratio of a PASS is at least and at most this, whatever the buckets say.
pub(crate) const PASS_RATIO: (f64, f64) = (1.2, 2.0);

/// What a quantile check remembers: the sum of all buckets, and 16 bytes an interval for
/// each bound and for the PASS.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct QuantileState {
    policy: Policy,
    quantile: f64,
    seconds: f64,
    spectrum: Spectrum,
    events: Sizes,
    traffic: Traffic,
    near: Tail,
    far: Tail,
    within: stats::RatioTail,
    /// As the near tail's, with the margin of PASS in the canary's totals.
    within_track: Track,
    /// The last rate ratio that a PASS had to be below.
    pass_ratio: f64,
    /// The share of the baseline's events beyond the largest bound, if its quantile is there.
    beyond: Option<f64>,
}

#[cfg(test)]
crate::judge::footprint::fields!(QuantileState: spectrum, near, far, within_track);

/// Events above a bound; the margin is in the totals, so that a ratio of 1 is just tolerated.
#[derive(Clone, Debug, PartialEq)]
struct Tail {
    accusation: Accusation,
    track: Track,
    /// The canary's, with its totals as they were.
    canary: Totals,
    baseline: Totals,
    /// The last bound and the rate ratio that was tolerated there.
    last: Option<(f64, stats::TailRatio)>,
}

#[cfg(test)]
crate::judge::footprint::fields!(Tail: track);

impl QuantileState {
    pub(crate) fn new(policy: Policy, quantile: f64, interval: Duration) -> Self {
        Self {
            policy,
            quantile,
            seconds: interval.as_secs_f64(),
            spectrum: Spectrum::default(),
            events: Sizes::default(),
            traffic: Traffic::new(interval),
            near: Tail::new(),
            far: Tail::new(),
            within: stats::RatioTail::new(1.0),
            within_track: Track::default(),
            pass_ratio: PASS_RATIO.1,
            beyond: None,
        }
    }

    pub(crate) fn prepare(levels: Levels, looks: &mut Looks) {
        looks.fail_bounds(Accusation::slow_share(levels.over(TAILS).alpha));
        looks.pass_bounds(levels.beta);
    }

    /// Takes one interval; false where a cohort showed nothing.
    pub(crate) fn fold(&mut self, evidence: &CheckEvidence, at: Timestamp) -> bool {
        let Some((canary, baseline)) = comparable(evidence) else { return false };
        self.events.canary += canary.total();
        self.events.baseline += baseline.total();
        let both = self.traffic.add(canary.total(), baseline.total());
        let shown = !both || self.compare(canary, baseline, at);
        self.spectrum.add(canary, baseline);
        shown
    }

    /// Compares an interval by what was known before it; false where its buckets do not tell
    /// what lies above the bound that matters.
    fn compare(&mut self, canary: &Buckets, baseline: &Buckets, at: Timestamp) -> bool {
        let (bounds, counts) = self.spectrum.baseline();
        let Some(survival) = stats::Survival::new(bounds, counts) else { return true };
        self.beyond = Some(survival.share_above(f64::MAX)).filter(|share| *share > 1.0 - self.quantile);
        let (quantile, margin) = (survival.quantile(self.quantile), self.policy.tolerance);
        let both = |bound| Some((above(canary, bound)?, above(baseline, bound)?));
        let near = survival.nearest_bound(quantile);
        let compared = both(near);
        if let Some((own, other)) = compared {
            self.near.take(own, other, near, survival.tail_ratio(near, margin), at);
            let pass = survival.tail_ratio(near, self.policy.pass_within).ratio;
            let scaled = own.scaled(pass.clamp(PASS_RATIO.0, PASS_RATIO.1));
            self.within.update(scaled.bad, other.bad, scaled.total, other.total);
            self.within_track.push(scaled, other);
            self.pass_ratio = pass.clamp(PASS_RATIO.0, PASS_RATIO.1);
        }
        let far = survival.bound_from(quantile * (1.0 + margin));
        if let Some((far, (own, other))) = far.and_then(|far| Some((far, both(far)?))) {
            self.far.take(own, other, far, survival.tail_ratio(far, margin), at);
        }
        compared.is_some()
    }

    /// EP-4 on either tail, at any interval.
    pub(crate) fn fast(&self, levels: Levels, at: Timestamp) -> Option<Cause> {
        let alpha = levels.over(TAILS).alpha;
        let tail = [&self.near, &self.far]
            .into_iter()
            .find(|tail| self.has_enough(tail) && tail.accusation.is_fast(Totals::default(), 0.0, alpha))?;
        tail.worse(alpha, at)
    }

    /// Reads and concludes.
    pub(crate) fn look(&self, sight: &mut Sight<'_>) -> Finding {
        let levels = sight.levels.over(TAILS);
        let alpha = Accusation::slow_share(levels.alpha);
        let reading = self.read(alpha);
        let (have, need) = (self.near.track.len(), self.policy.min_points as usize);
        if have < need {
            let have = f64::from(u32::try_from(have).unwrap_or(u32::MAX));
            return Finding::open(reading, Cause::TooFewSamples { have, need: f64::from(self.policy.min_points) });
        }
        let open = Cause::NeedsMoreEvidence { effect: reading.effect, pass_within: self.pass_ratio };
        let mut finding = Finding::open(reading, open);
        for tail in [&self.near, &self.far] {
            if self.has_enough(tail) && tail.stand(alpha, self.seconds, sight, &mut finding.outlook) {
                finding.worse = finding.worse.or_else(|| tail.worse(levels.alpha, sight.at));
            }
        }
        let bounds = sight.looks.pass_bounds(levels.beta);
        let exact = stats::normal_upper_inverse_ln(self.within.ln_p());
        let guard = || self.within_track.guard(Watch::Canary, 1.0, self.seconds);
        let below = if exact > 0.0 { guard().map_or(f64::NEG_INFINITY, |guard| exact.min(-guard.z())) } else { exact };
        finding.outlook.pass(below, &bounds);
        finding.within = below > sight.pass_bound(&bounds);
        // Beyond the largest bound twice as slow is as slow.
        let beyond = self.beyond.map(|share| Cause::BeyondBuckets { share });
        finding.unsure = beyond.or_else(|| self.traffic.fault());
        if self.within_track.is_above_lately(Watch::Canary, 1.0) {
            let points = u32::try_from(stats::recent_points(self.within_track.len())).unwrap_or(u32::MAX);
            finding.unsure = Some(Cause::RecentShift { points });
        }
        finding
    }

    fn has_enough(&self, tail: &Tail) -> bool {
        tail.track.len() >= self.policy.min_points as usize
    }

    fn read(&self, alpha: f64) -> Reading {
        let near = &self.near;
        let mut details = self.spectrum.details();
        details.extend([
            ("above_canary", near.canary.bad),
            ("above_baseline", near.baseline.bad),
            ("log_e", near.accusation.log_e()),
            ("log_e_needed", -alpha.ln()),
        ]);
        for (tail, names) in [
            (near, ["bound", "rate_ratio_tolerated", "effective_tolerance"]),
            (&self.far, ["far_bound", "far_rate_ratio_tolerated", "far_effective_tolerance"]),
        ] {
            if let Some((bound, ratio)) = tail.last {
                details.extend(names.into_iter().zip([bound, ratio.ratio, ratio.tolerance]));
            }
        }
        let margins =
            near.last.map(|(_, tolerated)| Margins { tolerance: tolerated.ratio, pass_within: self.pass_ratio });
        let effective_n = near.track.guard(Watch::Canary, 1.0, self.seconds).map(|guard| guard.effective_n);
        Reading { effect: near.effect(alpha), n: self.events, effective_n, margins, details, ..Reading::default() }
    }
}

impl Tail {
    fn new() -> Self {
        Self {
            accusation: Accusation::new(1.0),
            track: Track::default(),
            canary: Totals::default(),
            baseline: Totals::default(),
            last: None,
        }
    }

    fn take(&mut self, own: Totals, other: Totals, bound: f64, ratio: stats::TailRatio, at: Timestamp) {
        let scaled = own.scaled(ratio.ratio);
        self.accusation.take(scaled, other, at);
        self.track.push(scaled, other);
        self.canary.add(own);
        self.baseline.add(other);
        self.last = Some((bound, ratio));
    }

    /// Whether this tail fails the check at a planned look.
    fn stand(&self, alpha: f64, seconds: f64, sight: &mut Sight<'_>, outlook: &mut Outlook) -> bool {
        let bounds = sight.looks.fail_bounds(alpha);
        let exact = self.accusation.deviate(alpha, &bounds);
        let guard = if exact > 0.0 { self.track.guard(Watch::Canary, 1.0, seconds) } else { None };
        let guard = guard.map_or(f64::NEG_INFINITY, |guard| guard.z());
        outlook.fail(exact.min(guard), &bounds);
        self.accusation.is_proven(alpha) && guard > sight.fail_bound(&bounds)
    }

    fn worse(&self, alpha: f64, at: Timestamp) -> Option<Cause> {
        let (above, ratio) = self.last?;
        let effect = self.effect(alpha)?;
        let effect = Effect { low: effect.low.max(ratio.ratio), ..effect };
        Some(Cause::TailAboveTolerance { effect, above, tolerance: ratio.ratio, at })
    }

    fn effect(&self, alpha: f64) -> Option<Effect> {
        let odds = self.canary.total / self.baseline.total;
        let found = stats::ratio_confidence(self.canary.bad, self.baseline.bad, odds, -alpha.ln())?;
        Some(Effect { estimate: found.estimate, low: found.low, high: found.high, unit: Unit::TailRatio })
    }
}

/// Events above `bound` of all; `None` where a bucket with events lies across it.
fn above(buckets: &Buckets, bound: f64) -> Option<Totals> {
    let place = buckets.bounds().partition_point(|own| *own < bound);
    let (upper, across) = (buckets.bounds().get(place)?, buckets.counts().get(place)?);
    let cuts = *upper > bound && *across > 0.0;
    let bad = buckets.counts()[place + 1..].iter().sum();
    (!cuts).then(|| Totals { bad, total: buckets.total() })
}
