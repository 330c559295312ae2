//! The scene of a rule file: what its checks see on a day of its traffic.
//!
//! Checks that judge the same series see the same evidence, as they would in life: a risk
//! that two checks run together is run once. What moves a level moves errors most, latencies
//! less and gauges least.

use crate::plan::change::Change;
use crate::plan::change::EXCESS_MAX;
use crate::plan::ordinary::is_alone;
use crate::plan::ordinary::lone_floor;
use crate::plan::ordinary::ordinary;
use crate::plan::traffic::Latency;
use crate::plan::traffic::Scene;
use crate::plan::traffic::noise::Noise;
use crate::plan::traffic::signal::Change as Effect;
use crate::plan::traffic::signal::Signal;
use crate::plan::traffic::signal::What;
use crate::plan::weather::Weather;
use crate::rules::Bound;
use crate::rules::Check;
use crate::rules::CheckKind;
use crate::rules::CheckTraffic;
use crate::rules::GaugeScale;
use crate::rules::GaugeTest;
use crate::rules::RuleFile;
use crate::rules::Worse;

/// An incident has so many times the errors, for so many seconds: an outage of what both
/// cohorts depend on.
const INCIDENT: (f64, f64) = (20.0, 300.0);
/// A burst of one cohort: a noisy neighbour, a compaction.
const BURST: (f64, f64) = (5.0, 60.0);
/// Of the factor of errors, the power that latencies grow by: thrice where errors grow by 20.
const LATENCY_EXPOSURE: f64 = 0.367;
/// The same of gauges: half as much again.
const GAUGE_EXPOSURE: f64 = 0.135;

/// Instances of a ratio that are told apart, as by the sources.
const COUNTED_MAX: u32 = 64;
/// Instances of a gauge that are told apart, as by the sources.
const VALUED_MAX: u32 = 1000;

/// A margin of PASS in the unit of a query is taken for this change of the value, since a rule
/// file does not say how large the value is: the relative margin that gauges have by default.
const MARGIN_OF_VALUE: f64 = 0.2;
/// A check without a baseline is tried at so many times what it tolerates.
pub(crate) const LONE_TIMES: f64 = 2.0;
/// Errors of a service without any, where a change of them is simulated and no floor is stated.
const FEW_ERRORS: f64 = 0.001;
/// What is left of a level by the largest decrease.
const LEAST_LEFT: f64 = 0.05;
/// How often errors are simulated besides the margin, in times of what they were.
const ERRORS: [f64; 2] = [3.0, 10.0];

/// A rule file's day: which check sees what.
#[derive(Clone, Debug)]
pub struct Day<'r> {
    rules: &'r RuleFile,
    seen: Vec<CheckTraffic>,
    scene: Scene,
}

impl<'r> Day<'r> {
    /// That of `rules` in `weather`.
    pub fn new(rules: &'r RuleFile, weather: Weather) -> Self {
        let seen: Vec<CheckTraffic> = rules.checks.iter().map(|check| weather.of(&stated(rules, check))).collect();
        let hour = rules.schedule.interval.as_secs_f64() / 3600.0;
        // One incident hits all checks, so that there is one rate: the highest that is stated.
        let incidents = seen.iter().map(|traffic| traffic.incidents).fold(0.0, f64::max);
        let (factor, seconds) = INCIDENT;
        let shared = Noise::Incidents(incidents * hour, intervals(rules, seconds), factor);
        let mut scene = Scene::new(Vec::new());
        scene.shared.extend((incidents > 0.0).then_some(shared));
        let mut first: Vec<usize> = Vec::new();
        for (check, traffic) in rules.checks.iter().zip(&seen) {
            let same = |earlier: &&usize| shows_the_same(rules, **earlier, check) && seen[**earlier] == *traffic;
            let known = first.iter().position(|earlier| same(&earlier));
            if known.is_none() {
                first.push(scene.views.len());
                scene.signals.push(signal(rules, check, traffic));
            }
            scene.views.push(known.unwrap_or(scene.signals.len() - 1));
        }
        Self { rules, seen, scene }
    }

    /// With nothing changed.
    pub fn scene(&self) -> Scene {
        self.scene.clone()
    }

    /// With what the check at this place sees changed; other checks that judge the same series
    /// see it too.
    pub fn changed(&self, check: usize, change: Change) -> Scene {
        let mut scene = self.scene.clone();
        let seen = scene.views.get(check).and_then(|view| scene.signals.get_mut(*view));
        if let (Some(signal), Some(traffic)) = (seen, self.seen.get(check)) {
            let factor = match change {
                Change::Factor(factor) => factor,
                Change::Excess(excess) => Latency::of(traffic.latency).factor_of(excess),
            };
            let errors = self.errors(check, factor);
            let lone = self.rules.checks.get(check).and_then(|check| lone_floor(self.rules, check));
            *signal = signal.clone().change(Effect::Step(factor));
            // Nothing times any factor is nothing: what had no errors gets some. Alone it is so many
            // times the floor.
            if let Some(canary) = errors.filter(|_| traffic.bad <= 0.0 || lone.is_some()) {
                *signal = signal.clone().canary_errors(canary / factor);
            }
        }
        scene
    }

    /// The canary's share of bad events, where that is what the check sees, with so many times the errors.
    fn errors(&self, check: usize, factor: f64) -> Option<f64> {
        let rule = self.rules.checks.get(check)?;
        let CheckKind::Ratio { floor, .. } = &rule.kind else { return None };
        let stated = self.seen.get(check)?.bad;
        let usual = if stated > 0.0 { stated } else { floor.max(FEW_ERRORS) };
        let usual = lone_floor(self.rules, rule).unwrap_or(usual);
        Some((usual * factor).min(1.0))
    }

    /// Whether a PASS is right in spite of the change: errors below the floor are good enough.
    pub fn is_good_enough(&self, check: usize, change: Change) -> bool {
        let (Some(Check { kind: CheckKind::Ratio { floor, .. }, .. }), Change::Factor(factor)) =
            (self.rules.checks.get(check), change)
        else {
            return false;
        };
        let rule = self.rules.checks.get(check);
        // Alone the floor itself is what may not pass.
        let is_lone = rule.is_some_and(|rule| lone_floor(self.rules, rule).is_some());
        self.errors(check, factor).is_some_and(|errors| if is_lone { errors < *floor } else { errors <= *floor })
    }
}

/// The changes at which a check that sees `traffic` is tried: its margin of PASS first, then
/// larger ones. None of a threshold, which has no margin.
pub fn trials(rules: &RuleFile, check: &Check) -> Vec<Change> {
    let Some(policy) = check.kind.policy() else { return Vec::new() };
    if let Some(floor) = lone_floor(rules, check) {
        // The floor itself, which may not pass, and what fails.
        let times = [1.0, LONE_TIMES * policy.tolerance, LONE_TIMES * LONE_TIMES * policy.tolerance];
        return times.into_iter().filter(|times| times * floor < 1.0).map(Change::Factor).collect();
    }
    let traffic = &stated(rules, check);
    let within = policy.pass_within;
    let down = policy.worse == Worse::Decrease;
    let by = |change: f64| Change::Factor(if down { (1.0 - change).max(LEAST_LEFT) } else { 1.0 + change });
    match &check.kind {
        CheckKind::Ratio { floor, .. } => {
            let larger = ERRORS.into_iter().filter(|factor| *factor > within);
            // Where ten times the errors are still good enough, something that is not.
            let most = ERRORS.into_iter().fold(within, f64::max);
            let beyond = (0.0 < traffic.bad && most * traffic.bad <= *floor).then(|| {
                let errors = (ERRORS[1] * floor).min(0.5 * (1.0 + floor));
                (errors / traffic.bad).round()
            });
            let turned = |factor: f64| Change::Factor(if down { factor.recip() } else { factor });
            std::iter::once(within).chain(larger).chain(beyond).map(turned).collect()
        }
        CheckKind::Histogram { .. } => {
            let sign = if down { -1.0 } else { 1.0 };
            [within, 2.0 * within].map(|excess| Change::Excess(sign * excess.min(EXCESS_MAX))).to_vec()
        }
        CheckKind::Quantile { .. } => [within, 2.0 * within].map(|more| Change::Factor(1.0 + more)).to_vec(),
        CheckKind::Gauge { scale: GaugeScale::Absolute, .. } => {
            [1.0, 2.0].map(|times| by(times * MARGIN_OF_VALUE)).to_vec()
        }
        CheckKind::Gauge { .. } => [1.0, 2.0].map(|times| by(times * within)).to_vec(),
        CheckKind::Threshold { .. } => Vec::new(),
    }
}

/// What a check sees by the file.
pub fn stated(rules: &RuleFile, check: &Check) -> CheckTraffic {
    ordinary(&rules.traffic, check)
}

/// Whether a source would show `check` what it shows the check at place `earlier`.
fn shows_the_same(rules: &RuleFile, earlier: usize, check: &Check) -> bool {
    let Some(earlier) = rules.checks.get(earlier) else { return false };
    let same = match (&earlier.kind, &check.kind) {
        (CheckKind::Ratio { bad, total, .. }, CheckKind::Ratio { bad: other, total: all, .. }) => {
            bad == other && total == all
        }
        (
            CheckKind::Histogram { metric, .. } | CheckKind::Quantile { metric, .. },
            CheckKind::Histogram { metric: other, .. } | CheckKind::Quantile { metric: other, .. },
        ) => metric == other,
        (
            CheckKind::Gauge { query, per, test, scale, .. },
            CheckKind::Gauge { query: other, per: others, test: judged, scale: measured, .. },
        ) => query == other && per == others && is_apart(*test) == is_apart(*judged) && scale == measured,
        _ => false,
    };
    same && earlier.cohorts == check.cohorts && earlier.probe == check.probe
}

fn is_apart(test: GaugeTest) -> bool {
    test == GaugeTest::ByInstance
}

/// What `check` sees.
fn signal(rules: &RuleFile, check: &Check, traffic: &CheckTraffic) -> Signal {
    let is_alone = is_alone(rules, check);
    let rates = traffic.rates;
    let (what, exposure, apart) = match &check.kind {
        CheckKind::Ratio { .. } => (What::Ratio { rates, errors: [traffic.bad; 2] }, 1.0, COUNTED_MAX),
        CheckKind::Histogram { .. } | CheckKind::Quantile { .. } => {
            (What::Histogram { rates, latency: Latency::of(traffic.latency) }, LATENCY_EXPOSURE, 1)
        }
        CheckKind::Gauge { per: Some(_), .. } => {
            let among = traffic.instances.map(|count| count.max(1));
            (What::Rated { rates, among }, GAUGE_EXPOSURE, 1)
        }
        CheckKind::Gauge { test, .. } => {
            (What::Gauge(0.0), GAUGE_EXPOSURE, if is_apart(*test) { VALUED_MAX } else { 1 })
        }
        // A bound on the canary alone cannot tell an incident from a fault, whatever is simulated.
        CheckKind::Threshold { bound, .. } => (worst(*bound), if is_alone { 0.0 } else { 1.0 }, 1),
    };
    let is_bound = matches!(check.kind, CheckKind::Threshold { .. });
    let mut signal = Signal::new(what).value(value(&check.kind)).diurnal(traffic.diurnal);
    signal = signal.exposure(if traffic.incidents > 0.0 { exposure } else { 0.0 });
    if let Some(probe) = &check.probe {
        let samples = rules.schedule.interval.as_secs_f64() / probe.every.as_secs_f64();
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most an hour of seconds")]
        let samples = samples.max(1.0) as u32;
        signal = signal.samples(samples);
    }
    if is_alone {
        signal = signal.alone();
    }
    // A bound has no noise: what crosses it by chance every day is a wrong bound.
    if is_bound { signal } else { noisy(rules, signal, traffic, exposure, apart) }
}

/// With the noise of its instances and the bursts of its cohorts.
fn noisy(rules: &RuleFile, signal: Signal, traffic: &CheckTraffic, exposure: f64, apart: u32) -> Signal {
    let counts = traffic.instances.map(|count| f64::from(count.max(1)));
    // The cohorts' means differ by what is stated, whatever the cohorts' sizes.
    let one = traffic.noise / counts.map(f64::recip).iter().sum::<f64>().sqrt();
    let are_apart = traffic.instances.iter().all(|count| (1..=apart).contains(count));
    let own = counts.map(|count| {
        // Where nobody asks for instances a cohort moves as the mean of so many does.
        let share = if are_apart { 1.0 } else { count.sqrt().recip() };
        let mut own = vec![Noise::Autoregressive(traffic.autocorrelation, one * share)];
        own.extend((traffic.offsets > 0.0).then_some(Noise::Offset(traffic.offsets * share)));
        own
    });
    let [canary, baseline] = &own;
    let mut signal = signal.own_of([canary, baseline]).instances(if are_apart { traffic.instances } else { [1; 2] });
    if traffic.bursts > 0.0 {
        let (factor, seconds) = BURST;
        // So many hit either cohort.
        let chance = 0.5 * traffic.bursts * rules.schedule.interval.as_secs_f64() / 3600.0;
        signal = signal.whole(&[Noise::Incidents(chance, intervals(rules, seconds), factor.powf(exposure))]);
    }
    signal
}

/// What the values of a gauge are around: margins in the unit of its query say how large it is.
pub(crate) fn value(kind: &CheckKind) -> f64 {
    match kind {
        CheckKind::Gauge { scale: GaugeScale::Absolute, policy, .. } => policy.pass_within / MARGIN_OF_VALUE,
        CheckKind::Gauge { scale: GaugeScale::Both { pass_within, .. }, policy, .. } => {
            pass_within / policy.pass_within
        }
        CheckKind::Gauge { .. }
        | CheckKind::Ratio { .. }
        | CheckKind::Histogram { .. }
        | CheckKind::Quantile { .. }
        | CheckKind::Threshold { .. } => 1.0,
    }
}

/// Half of the bound's size inside on an ordinary day, and as far outside on a bad one.
fn worst(bound: Bound) -> What {
    let (limit, sign) = match bound {
        Bound::Max(limit) => (limit, 1.0),
        Bound::Min(limit) => (limit, -1.0),
    };
    // A bound of 0 is reached by 0 itself, as by a count of restarts.
    let far = 0.5 * limit.abs();
    let beyond = if limit == 0.0 { 1.0 } else { far };
    What::Worst { inside: limit - sign * far, outside: limit + sign * beyond }
}

fn intervals(rules: &RuleFile, seconds: f64) -> u32 {
    let count = (seconds / rules.schedule.interval.as_secs_f64()).round().max(1.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "at most some hundred, at least one")]
    let count = count as u32;
    count
}
