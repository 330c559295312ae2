//! Claims that hold for every evidence, tried on many, for each kind of check with each of
//! its options. Gates here are short, twelve minutes of 15 s, and opened once.

use crate::judge::buckets;
use crate::judge::counts;
use crate::judge::instances;
use crate::judge::pair;
use crate::judge::timing;
use crate::judge::worst;
use proptest::prelude::*;
use std::sync::LazyLock;
use wavegate::judge::CheckOutcome;
use wavegate::judge::Judgement;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::CheckEvidence;
use wavegate::series::Fault;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;

/// Intervals of a gate, the first four of which are its warm-up.
pub(super) const INTERVALS: u32 = 48;

/// What a check is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Counts,
    CountsOfInstances,
    Events,
    Value,
    Rated,
    ValuesOfInstances,
    Worst,
}

/// A gate that has just opened.
pub(super) struct Gate {
    pub(super) check: String,
    pub(super) shown: Shown,
    pub(super) rules: RuleFile,
    pub(super) timing: Timing,
    pub(super) start: State,
}

impl std::fmt::Debug for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.check)
    }
}

impl Gate {
    fn new(check: &str, shown: Shown) -> Self {
        Self::of(&[("it", check)], shown)
    }

    /// A gate of several checks, each after its name.
    pub(super) fn of(checks: &[(&str, &str)], shown: Shown) -> Self {
        let schedule = "{ warmup: 1m, min_duration: 4m, deadline: 12m }";
        let written =
            |(name, check): &(&str, &str)| format!("  - name: {name}\n    {}\n", check.replace("; ", "\n    "));
        let written: String = checks.iter().map(written).collect();
        let text = format!("version: 1\nname: gate\nschedule: {schedule}\nchecks:\n{written}");
        let parsed = rules::parse("gate.yaml", &text);
        let rules = parsed.unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text))).rules;
        let timing = timing(&rules);
        assert_eq!(timing.last(), INTERVALS);
        let start = State::new(&rules, timing);
        let check = checks.iter().map(|(_, check)| *check).collect::<Vec<&str>>().join(" | ");
        Self { check, shown, rules, timing, start }
    }

    pub(super) fn intervals(&self, mut evidence: impl FnMut(u32) -> Vec<CheckEvidence>) -> Vec<IntervalEvidence> {
        let interval = |k| IntervalEvidence { window: self.timing.window(k), checks: evidence(k), budget: None };
        (1..=INTERVALS).map(interval).collect()
    }

    /// What is said in the end.
    pub(super) fn end(&self, evidence: &[IntervalEvidence]) -> Judgement {
        judge(&self.rules, &self.start, evidence, self.timing.deadline).1
    }

    /// What is said at each interval.
    fn watch<'a>(&'a self, evidence: &'a [IntervalEvidence]) -> impl Iterator<Item = Judgement> + 'a {
        let mut state = self.start.clone();
        evidence.iter().map(move |interval| {
            let judged = judge(&self.rules, &state, std::slice::from_ref(interval), interval.window.to);
            state = judged.0;
            judged.1
        })
    }

    /// The first ruling that is not to go on, and at which interval.
    fn ruling(&self, evidence: &[IntervalEvidence]) -> (usize, Ruling) {
        let rulings = self.watch(evidence).map(|judgement| judgement.ruling);
        rulings.enumerate().find(|(_, ruling)| *ruling != Ruling::GoOn).unwrap()
    }
}

/// Each kind of check with each of its options.
pub(super) static GATES: LazyLock<Vec<Gate>> = LazyLock::new(|| {
    const ABSOLUTE: &str = "gauge: g; tolerance: 0.5; pass_within: 2";
    const RATIO: &str = "ratio: { bad: 'b', total: t }";
    let kinds = [
        (RATIO, Shown::Counts),
        ("ratio: { bad: 'b', total: t }; tolerance: 1.5x; pass_within: 3x", Shown::CountsOfInstances),
        ("histogram: h", Shown::Events),
        ("gauge: g", Shown::Value),
        (ABSOLUTE, Shown::Value),
        (
            "gauge: g; tolerance: { relative: 5%, absolute: 0.2 }; pass_within: { relative: 20%, absolute: 1 }",
            Shown::Value,
        ),
        ("gauge: g; scale: absolute; tolerance: 5%; pass_within: 20%", Shown::Value),
        ("gauge: g; drift: true", Shown::Value),
        ("gauge: g; strict: true", Shown::Value),
        ("gauge: g; test: mann_whitney", Shown::Value),
        ("gauge: g; by: instance", Shown::ValuesOfInstances),
        ("gauge: g; per: t", Shown::Rated),
    ];
    let ways = ["increase", "decrease", "either"];
    let worse = |(check, shown): &(&str, Shown)| ways.map(|way| Gate::new(&format!("{check}; worse: {way}"), *shown));
    let mut gates: Vec<Gate> = kinds.iter().flat_map(worse).collect();
    gates.push(Gate::new(&format!("{RATIO}; floor: 0%"), Shown::Counts));
    gates.push(Gate::new("histogram: h; quantile: p99", Shown::Events));
    gates.push(Gate::new("histogram: h; quantile: p50", Shown::Events));
    gates.push(Gate::new("threshold: x; max: 10", Shown::Worst));
    gates
});

fn gate() -> impl Strategy<Value = &'static Gate> {
    (0..GATES.len()).prop_map(|index| &GATES[index])
}

/// Levels of 48 intervals: steady, ramps, steps, spikes, and any numbers at all.
fn levels() -> impl Strategy<Value = Vec<f64>> {
    let steady = (0.1..100.0_f64, prop::collection::vec(0.7..1.4_f64, 48))
        .prop_map(|(level, noise)| noise.into_iter().map(|by| level * by).collect());
    let spiky = (1.0..50.0_f64, prop::collection::vec(prop_oneof![9 => Just(1.0), 1 => 0.0..1000.0_f64], 48))
        .prop_map(|(level, spikes)| spikes.into_iter().map(|by| level * by).collect());
    let ramp = (0.5..20.0_f64, -0.02..0.5_f64, any::<u64>()).prop_map(|(level, slope, seed)| {
        let mut noise = Random::named(seed, "ramp");
        (0..48).map(|k| level * (1.0 + slope * f64::from(k)) * (0.1 * noise.normal()).exp()).collect()
    });
    let any = prop_oneof![4 => 0.0..1e6_f64, 1 => Just(0.0), 1 => -100.0..100.0_f64];
    prop_oneof![3 => steady, 1 => spiky, 2 => ramp, 2 => prop::collection::vec(any, 48)]
}

/// One cohort at `level`, the same whenever it is asked.
pub(super) fn cohort(shown: Shown, level: f64) -> Observed {
    let events = level.abs().floor();
    let share = |k: u32| f64::from(k + 1) / 15.0;
    let of_instances = |total: Measure, each: &dyn Fn(u32) -> Measure| Observed {
        instances: instances((0..5).map(each)),
        ..super::seen(total)
    };
    match shown {
        Shown::Counts => super::seen(counts((events / 100.0).floor(), 10_000.0)),
        Shown::CountsOfInstances => {
            let bad = (events / 100.0).min(10_000.0).floor();
            of_instances(counts(5.0 * bad, 50_000.0), &|_| counts(bad, 10_000.0))
        }
        Shown::Events => super::seen(buckets(&[events, (events / 3.0).floor(), (events / 7.0).floor(), 7.0])),
        Shown::Value => super::seen(Measure::Value(level)),
        Shown::Rated => super::seen(Measure::Rated { value: level, per: 50.0 + level.abs().sqrt() }),
        Shown::ValuesOfInstances => {
            of_instances(Measure::Value(level), &|k| Measure::Value(level * (1.0 + 0.3 * share(k))))
        }
        Shown::Worst => super::seen(worst(level)),
    }
}

fn both(shown: Shown, canary: f64, baseline: f64) -> CheckEvidence {
    CheckEvidence {
        canary: cohort(shown, canary),
        baseline: Some(cohort(shown, baseline)),
        ..pair(Measure::Nothing, Measure::Nothing)
    }
}

/// A wave whose canary has `factor` of what the baseline has, both with noise of their own.
pub(super) fn wave(gate: &Gate, seed: u64, factor: f64, sigma: f64) -> Vec<IntervalEvidence> {
    let mut noise = Random::named(seed, "wave");
    gate.intervals(|_| {
        let mut level = |of: f64| 2000.0 * of * (sigma * noise.normal()).exp();
        vec![both(gate.shown, level(factor), level(1.0))]
    })
}

fn swapped(evidence: &[IntervalEvidence]) -> Vec<IntervalEvidence> {
    let turn = |check: &CheckEvidence| CheckEvidence {
        canary: check.baseline.clone().unwrap(),
        baseline: Some(check.canary.clone()),
        ..check.clone()
    };
    evidence
        .iter()
        .map(|interval| IntervalEvidence { checks: interval.checks.iter().map(turn).collect(), ..interval.clone() })
        .collect()
}

/// Gates that are each other's mirror image: more of the one is less of the other.
static MIRRORS: LazyLock<Vec<[Gate; 2]>> = LazyLock::new(|| {
    let absolute = "tolerance: 200; pass_within: 800";
    [
        (
            "ratio: { bad: 'b', total: t }; floor: 0%".to_owned(),
            "ratio: { bad: 'b', total: t }".to_owned(),
            Shown::Counts,
        ),
        ("histogram: h".to_owned(), "histogram: h".to_owned(), Shown::Events),
        (format!("gauge: g; {absolute}"), format!("gauge: g; {absolute}"), Shown::Value),
        (format!("gauge: g; drift: true; {absolute}"), format!("gauge: g; drift: true; {absolute}"), Shown::Value),
        (
            format!("gauge: g; test: mann_whitney; {absolute}"),
            format!("gauge: g; test: mann_whitney; {absolute}"),
            Shown::Value,
        ),
        (
            format!("gauge: g; by: instance; {absolute}"),
            format!("gauge: g; by: instance; {absolute}"),
            Shown::ValuesOfInstances,
        ),
    ]
    .map(|(up, down, shown)| {
        [Gate::new(&format!("{up}; worse: increase"), shown), Gate::new(&format!("{down}; worse: decrease"), shown)]
    })
    .into()
});

/// Gates whose verdicts do not depend on the unit of the query.
static UNITLESS: LazyLock<Vec<&'static Gate>> = LazyLock::new(|| {
    let plain = |gate: &&Gate| {
        gate.check.starts_with("gauge") && !gate.check.contains("0.5") && !gate.check.contains("relative:")
    };
    GATES.iter().filter(plain).collect()
});

/// The same checks in two orders, with weights of their own.
static ORDERS: LazyLock<[Gate; 2]> = LazyLock::new(|| {
    let checks = [
        ("a", "gauge: g; weight: 2"),
        ("b", "gauge: g; drift: true"),
        ("c", "gauge: g; test: mann_whitney; on_fail: pause"),
        ("d", "gauge: g; scale: absolute; tolerance: 5%; worse: either; weight: 3"),
        ("e", "gauge: g; on_fail: report"),
    ];
    let turned = [4, 2, 0, 3, 1].map(|place: usize| checks[place]);
    [Gate::of(&checks, Shown::Value), Gate::of(&turned, Shown::Value)]
});

fn by_name(judgement: &Judgement) -> Vec<CheckOutcome> {
    let mut checks = judgement.checks.clone();
    checks.sort_by(|a, b| a.name.cmp(&b.name));
    checks
}

fn many(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(many(1000))]

    #[test]
    fn identical_cohorts_never_fail(gate in gate(), levels in levels()) {
        let evidence = gate.intervals(|k| {
            let level = levels[(k - 1) as usize];
            vec![both(gate.shown, level, level)]
        });
        let judgement = gate.end(&evidence);
        prop_assert_ne!(judgement.ruling, Ruling::Fail, "{}: {:#?}", gate.check, judgement);
    }
}

proptest! {
    #![proptest_config(many(200))]

    #[test]
    fn two_runs_say_the_same(gate in gate(), seed in any::<u64>(), factor in 0.5..2.0_f64) {
        let evidence = wave(gate, seed, factor, 0.1);
        let judged = || judge(&gate.rules, &gate.start, &evidence, gate.timing.deadline);
        prop_assert_eq!(judged(), judged());
    }

    /// As long as neither scatters widely, which is asked of a canary alone.
    #[test]
    fn swapping_the_cohorts_mirrors_the_direction(
        index in 0..MIRRORS.len(), seed in any::<u64>(), factor in 0.4..2.5_f64, sigma in 0.01..0.12_f64,
    ) {
        let [up, down] = &MIRRORS[index];
        let evidence = wave(up, seed, factor, sigma);
        let turned = swapped(&evidence);
        prop_assert_eq!(up.ruling(&evidence), down.ruling(&turned), "{}", up.check);
        let (one, other) = (up.end(&evidence), down.end(&turned));
        if let (Some(one), Some(other)) = (one.checks[0].effect, other.checks[0].effect) {
            let mirrored = |value: f64| match up.shown {
                Shown::Counts => value.recip(),
                Shown::Events => 1.0 - value,
                Shown::Value
                | Shown::Rated
                | Shown::ValuesOfInstances
                | Shown::CountsOfInstances
                | Shown::Worst => -value,
            };
            let close = |a: f64, b: f64| a == b || (a - b).abs() <= 1e-6 * (1.0 + a.abs());
            for (value, of_other) in [(one.estimate, other.estimate), (one.low, other.high), (one.high, other.low)] {
                prop_assert!(close(value, mirrored(of_other)), "{}: {one:?} {other:?}", up.check);
            }
        }
    }

    #[test]
    fn the_unit_of_a_gauge_changes_no_verdict(
        index in 0..UNITLESS.len(), seed in any::<u64>(), scale in 1e-6..1e6_f64, factor in 0.6..1.6_f64, sigma in 0.01..0.3_f64,
    ) {
        let gate = UNITLESS[index];
        let evidence = wave(gate, seed, factor, sigma);
        let mut scaled = evidence.clone();
        let rescale = |measure: &mut Measure| {
            if let Measure::Value(value) | Measure::Rated { value, .. } = measure {
                *value *= scale;
            }
        };
        for check in scaled.iter_mut().flat_map(|interval| &mut interval.checks) {
            for cohort in [&mut check.canary].into_iter().chain(&mut check.baseline) {
                rescale(&mut cohort.measure);
                cohort.instances.iter_mut().for_each(|instance| rescale(&mut instance.measure));
            }
        }
        prop_assert_eq!(gate.ruling(&evidence), gate.ruling(&scaled), "{}", gate.check);
    }

    #[test]
    fn the_order_of_instances_changes_nothing(
        by_value in any::<bool>(), seed in any::<u64>(), factor in 0.6..3.0_f64, turn in 1..5_usize,
    ) {
        let shown = if by_value { Shown::ValuesOfInstances } else { Shown::CountsOfInstances };
        let gate = GATES.iter().find(|gate| gate.shown == shown).unwrap();
        let evidence = wave(gate, seed, factor, 0.1);
        let mut turned = evidence.clone();
        for check in turned.iter_mut().flat_map(|interval| &mut interval.checks) {
            check.canary.instances.rotate_left(turn);
            check.baseline.iter_mut().for_each(|cohort| cohort.instances.reverse());
        }
        let judged = |evidence: &[IntervalEvidence]| judge(&gate.rules, &gate.start, evidence, gate.timing.deadline);
        prop_assert_eq!(judged(&evidence), judged(&turned));
    }

    #[test]
    fn worse_samples_never_turn_a_fail_into_a_pass(
        gate in gate(), seed in any::<u64>(), factor in 1.1..4.0_f64, more in prop::collection::vec(0.0..3.0_f64, 48), all in any::<bool>(),
    ) {
        // The baseline of `worse: decrease` is what gets larger.
        let down = gate.check.contains("decrease");
        let turned = |evidence: Vec<IntervalEvidence>| if down { swapped(&evidence) } else { evidence };
        let evidence = turned(wave(gate, seed, factor, 0.1));
        prop_assume!(gate.ruling(&evidence).1 == Ruling::Fail);
        let mut noise = Random::named(seed, "wave");
        let worse = gate.intervals(|k| {
            let by = if all { 1.0 + more[0] } else { 1.0 + more[(k - 1) as usize] };
            let mut level = |of: f64| 2000.0 * of * (0.1 * noise.normal()).exp();
            let canary = by * level(factor);
            vec![both(gate.shown, canary, level(1.0))]
        });
        prop_assert_ne!(gate.ruling(&turned(worse)).1, Ruling::Pass, "{}", gate.check);
    }
}

proptest! {
    #![proptest_config(many(40))]

    #[test]
    fn the_order_of_checks_changes_nothing(seed in any::<u64>(), factor in 0.8..1.3_f64, sigma in 0.01..0.2_f64) {
        let [one, other] = &*ORDERS;
        let series = wave(one, seed, factor, sigma);
        let repeated = |gate: &Gate| gate.intervals(|k| vec![series[(k - 1) as usize].checks[0].clone(); 5]);
        for (a, b) in one.watch(&repeated(one)).zip(other.watch(&repeated(other))) {
            prop_assert_eq!(by_name(&a), by_name(&b));
            prop_assert_eq!((a.ruling, a.healthy, a.expected), (b.ruling, b.healthy, b.expected));
            prop_assert_eq!(a.reasons.len(), b.reasons.len());
            prop_assert!(a.reasons.iter().all(|reason| b.reasons.contains(reason)));
        }
    }
}

/// How an interval may be no good.
#[derive(Clone, Copy, Debug)]
enum Broken {
    NoCanary,
    NoBaseline,
    NoBaselineAtAll,
    Nan,
    Fault,
    NotAsked,
    OtherKind,
}

fn broken(how: Broken, whole: CheckEvidence) -> Vec<CheckEvidence> {
    let mut evidence = whole;
    match how {
        Broken::NoCanary => evidence.canary = Observed::nothing(1),
        Broken::NoBaseline => evidence.baseline = Some(Observed::nothing(1)),
        Broken::NoBaselineAtAll => evidence.baseline = None,
        Broken::Nan => evidence.canary.nan = 1,
        Broken::Fault => evidence.faults.push(Fault::PartialAnswer { message: "one store is down".to_owned() }),
        Broken::NotAsked => return Vec::new(),
        Broken::OtherKind => evidence.canary.measure = Measure::Nothing,
    }
    vec![evidence]
}

fn any_broken() -> impl Strategy<Value = Broken> {
    prop::sample::select(vec![
        Broken::NoCanary,
        Broken::NoBaseline,
        Broken::NoBaselineAtAll,
        Broken::Nan,
        Broken::Fault,
        Broken::NotAsked,
        Broken::OtherKind,
    ])
}

proptest! {
    #![proptest_config(many(300))]

    /// The one sentence that this test owns: not looking is never passing. At most half of each
    /// ten intervals is whole, of cohorts that are the same. Its one exception is not here, where
    /// nobody knows of it: what a rule file with `mode: observe` judges is judged the same, and its
    /// gate says `pass` all the same (`a_gate_that_observes_holds_up_nobody`).
    #[test]
    fn missing_or_short_evidence_never_passes(
        gate in gate(), how in any_broken(), seed in any::<u64>(), broken_at in 0..10_u32, keep in 0..=100_u32,
    ) {
        let mut noise = Random::named(seed, "gaps");
        let evidence = gate.intervals(|k| {
            let is_whole = (k + broken_at) % 10 >= 5 && noise.unit() * 100.0 < f64::from(keep);
            let level = if gate.shown == Shown::Worst { 1.0 } else { 2000.0 };
            let whole = both(gate.shown, level, level);
            if is_whole { vec![whole] } else { broken(how, whole) }
        });
        for judgement in gate.watch(&evidence) {
            prop_assert!(!matches!(judgement.ruling, Ruling::Pass | Ruling::Fail), "{}: {judgement:#?}", gate.check);
        }
    }

    /// The same of telemetry that ends, and of a wave that has hardly begun.
    #[test]
    fn what_stops_or_is_short_never_passes(gate in gate(), how in any_broken(), stop in 1..12_u32) {
        let evidence = gate.intervals(|k| {
            let level = if gate.shown == Shown::Worst { 1.0 } else { 2000.0 };
            let whole = both(gate.shown, level, level);
            if k < stop { vec![whole] } else { broken(how, whole) }
        });
        for (position, judgement) in gate.watch(&evidence).enumerate() {
            prop_assert_ne!(judgement.checks[0].outcome, Outcome::Pass, "{} at {}", gate.check, position + 1);
            prop_assert!(!matches!(judgement.ruling, Ruling::Pass | Ruling::Fail), "{}", gate.check);
        }
    }
}

/// What the evidence above is of: without a gap it passes.
#[test]
fn identical_cohorts_pass_where_nothing_is_missing() {
    for gate in GATES.iter() {
        let level = if gate.shown == Shown::Worst { 1.0 } else { 2000.0 };
        let evidence = gate.intervals(|_| vec![both(gate.shown, level, level)]);
        assert_eq!(gate.ruling(&evidence).1, Ruling::Pass, "{}: {:#?}", gate.check, gate.end(&evidence));
    }
}
