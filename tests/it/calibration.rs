//! The promised risks, on seeded waves.
//!
//! The hardest wave that must not fail is one exactly on `tolerance`, and the
//! hardest that must not pass one exactly on `pass_within`: everything else is
//! further from the wrong verdict. Looks are at every interval of an hour, and a
//! verdict at any of them counts. `examples/calibration` does the same with more
//! waves of more kinds, and says where a promise is not kept.

use crate::support::simulation::gate;
use crate::support::simulation::run;
use wavegate::plan::traffic::Gate;
use wavegate::plan::traffic::Latency;
use wavegate::plan::traffic::Run;
use wavegate::plan::traffic::Scene;
use wavegate::plan::traffic::Tally;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;
use wavegate::rules;

/// Waves of each kind: with so many, a risk of 9 % is not taken for the promised one, and
/// they take seconds.
const WAVES: u32 = 400;
/// Where a risk is close to the promised one by design.
const MORE_WAVES: u32 = 600;

/// Both risks, as rule files have them by default.
const PROMISED: f64 = 0.05;

const RATIO: &str = "ratio: { bad: errors_total, total: requests_total }";
const HISTOGRAM: &str = "histogram: latency_seconds";
/// Every minute a point: as many looks as at 15 s, in a quarter of the time.
const GAUGE: &str = "gauge: cpu_usage";

/// A tenth of noise in each cohort, each interval by itself.
const NOISE: Noise = Noise::Normal(0.1);
/// As much, of which half is still there an interval later.
const SLUGGISH: Noise = Noise::Autoregressive(0.5, 0.115);

type Pick = fn(&Run) -> Option<f64>;

const FAIL: Pick = Run::fail;
/// What passes first has passed, whatever a later look would have said.
const PASS: Pick = Run::pass;

#[test]
fn on_the_tolerance_at_most_the_promised_share_fails() {
    check(RATIO, FAIL, &errors(1.25));
    check(HISTOGRAM, FAIL, &latencies(0.02));
    check(GAUGE, FAIL, &usage(NOISE, 0.05));
    check(GAUGE, FAIL, &usage(SLUGGISH, 0.05));
}

#[test]
fn on_the_pass_margin_at_most_the_promised_share_passes() {
    check(RATIO, PASS, &errors(2.0));
    check(HISTOGRAM, PASS, &latencies(0.06));
    check(GAUGE, PASS, &usage(NOISE, 0.2));
    check(GAUGE, PASS, &usage(SLUGGISH, 0.2));
}

/// With a tolerance that lets everything through that PASS does not, no FAIL comes
/// before a false PASS and hides it. The risk may then be all that was promised, so
/// two standard errors are allowed.
#[test]
fn what_cannot_fail_on_the_pass_margin_seldom_passes() {
    let close = [
        (format!("{RATIO}, tolerance: 1.9x"), errors(2.0)),
        (format!("{HISTOGRAM}, tolerance: 5.8pp"), latencies(0.06)),
        (format!("{GAUGE}, tolerance: 19%"), usage(NOISE, 0.2)),
    ];
    for (rule, signal) in close {
        let tally = tally(&[&rule], PASS, &Scene::from(signal), MORE_WAVES);
        let (share, most) = (tally.share(), PROMISED + 2.0 * tally.error_at(PROMISED));
        assert!(share <= most, "{share} of the waves of `{rule}` pass");
    }
}

#[test]
fn checks_of_either_side_keep_the_promise() {
    let either = |kind: &str| format!("{kind}, worse: either");
    check(&either(RATIO), FAIL, &errors(0.8));
    for shift in [0.02, -0.02] {
        check(&either(HISTOGRAM), FAIL, &latencies(shift));
    }
    for change in [0.2, -0.2] {
        check(&either(GAUGE), PASS, &usage(NOISE, change));
    }
}

/// Three ratios, three histograms and four gauges with the defaults of a rule file,
/// on a good canary: some are noisy, some sluggish, some shaken with the baseline.
#[test]
fn at_most_the_promised_share_of_good_waves_of_ten_checks_fails() {
    let shock = [Noise::Autoregressive(0.95, 0.15)];
    let gauge = |noise: Noise| Signal::gauge(&[noise]);
    let mixed = [
        (RATIO, Signal::ratio(10.0, [0.002; 2])),
        (RATIO, Signal::ratio(100.0, [0.002; 2]).baseline_traffic(9.0)),
        (RATIO, Signal::ratio(30.0, [0.01; 2]).common(&[Noise::Incident(20.0, 1.0 / 12.0)])),
        (HISTOGRAM, Signal::histogram(10.0)),
        (HISTOGRAM, Signal::histogram(100.0).common(&shock)),
        (HISTOGRAM, Signal::histogram(30.0).baseline_traffic(9.0)),
        (GAUGE, gauge(NOISE)),
        (GAUGE, gauge(Noise::Autoregressive(0.5, 0.1))),
        (GAUGE, gauge(Noise::Autoregressive(0.8, 0.1))),
        (GAUGE, gauge(Noise::Normal(0.05)).common(&[Noise::Autoregressive(0.95, 0.3), Noise::Trend(2.0)])),
    ];
    let (checks, signals): (Vec<&str>, Vec<Signal>) = mixed.into_iter().unzip();
    let scene = Scene::new(signals);
    let share = tally(&checks, FAIL, &scene, WAVES).share();
    assert!(share <= PROMISED, "{share} of the good waves fail");
}

/// The hardest canaries of a ratio without a baseline: one that fails as often as `tolerance`
/// lets it must not fail, and one exactly on its floor must not pass, whether errors come one
/// by one, in bursts, or by a level that wanders.
#[test]
fn a_ratio_judged_alone_keeps_both_promises() {
    let gate = alone();
    for (name, own) in [
        ("one by one", vec![]),
        ("bursts", vec![Noise::Bursts(1)]),
        ("a wandering level", vec![Noise::Autoregressive(0.6, 0.4)]),
    ] {
        // The mean of a level that is lognormal lies above its middle.
        let mean = if name == "a wandering level" { (0.4_f64.powi(2) / 2.0).exp() } else { 1.0 };
        for (ratio, wrong) in [(0.0125, FAIL), (0.01, PASS)] {
            let signal = Signal::ratio(40.0, [ratio / mean, ratio]).own(&own);
            let tally = Tally::of(&run(&gate, &Scene::from(signal), name, WAVES), wrong);
            // The whole risk may be spent, so two standard errors are allowed.
            let (share, most) = (tally.share(), PROMISED + 2.0 * tally.error_at(PROMISED));
            assert!(share <= most, "{share} go wrong at {ratio}, {name}");
        }
    }
}

/// And decides: well under the floor it passes, and at three times it fails.
#[test]
fn a_ratio_judged_alone_finds_what_is_far_from_its_floor() {
    let gate = alone();
    for (ratio, right, most) in [(0.0, PASS, 10.1), (0.003, PASS, 12.0), (0.03, FAIL, 15.0), (0.2, FAIL, 5.0)] {
        let signal = Signal::ratio(40.0, [ratio, ratio]);
        let tally = Tally::of(&run(&gate, &Scene::from(signal), "far", WAVES / 4), right);
        assert!(tally.share() >= 0.95 && tally.median() <= Some(most), "{ratio}: {tally:?}");
    }
}

/// A ratio of which 1 % is good enough, with the risks of [`PROMISED`] and without a baseline.
fn alone() -> Gate {
    let head = "version: 1\nname: gate\ncohorts: { baseline: none }\nchecks:\n";
    let text = format!("{head}  - {{ name: errors, {RATIO}, floor: 1% }}\n");
    Gate::new(rules::parse("gate.yaml", &text).expect("a rule file").rules)
}

/// Requests at 133 a second, of which the baseline's fail at 0.4 %.
fn errors(factor: f64) -> Signal {
    Signal::ratio(133.3, [0.004 * factor, 0.004])
}

/// Latencies of 10 requests a second; one of the canary's is slower than one of the
/// baseline's with a chance of 1/2 + `excess`.
fn latencies(excess: f64) -> Signal {
    Signal::histogram(10.0).change(Change::Step(Latency::default().factor_of(excess)))
}

/// Noise in each cohort, under a load that swings for both.
fn usage(own: Noise, change: f64) -> Signal {
    Signal::gauge(&[own]).common(&[Noise::Lognormal(0.3)]).change(Change::Step(1.0 + change))
}

/// How many of [`WAVES`] go wrong, where at most the promised share may.
#[track_caller]
fn check(rule: &str, wrong: Pick, signal: &Signal) {
    let share = tally(&[rule], wrong, &Scene::from(signal.clone()), WAVES).share();
    assert!(share <= PROMISED, "{share} of the waves of `{rule}` go wrong: {signal:?}");
}

fn tally(checks: &[&str], wrong: Pick, scene: &Scene, waves: u32) -> Tally {
    let schedule = if checks.iter().all(|rule| rule.starts_with("gauge")) { "interval: 1m" } else { "interval: 15s" };
    let gate = gate(schedule, "false_fail: 5%, false_pass: 5%", checks).expect("a rule file");
    Tally::of(&run(&gate, scene, &checks.concat(), waves), wrong)
}
