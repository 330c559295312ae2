//! Gauges, on each of their scales and with each of their options.

use crate::judge::GAUGE;
use crate::judge::HOUR;
use crate::judge::check;
use crate::judge::codes;
use crate::judge::looks;
use crate::judge::pair;
use crate::judge::rules_of;
use crate::judge::run;
use crate::judge::says;
use crate::judge::timing;
use crate::judge::watch;
use wavegate::judge::Judgement;
use wavegate::judge::Ruling;
use wavegate::judge::Unit;
use wavegate::judge::Warning;
use wavegate::plan::traffic::Random;
use wavegate::series::Measure;

#[test]
fn more_cpu_fails_and_as_much_passes() {
    for test in ["", "    test: mann_whitney\n"] {
        let rules = format!("{GAUGE}{test}");
        let mut noise = Random::named(3, "noise");
        let mut cpu = |level: f64| Measure::Value(level * (0.05 * noise.normal()).exp());
        let failed = check(&rules, Ruling::Fail, |_| pair(cpu(1.4), cpu(1.0)));
        let effect = failed.checks[0].effect.unwrap();
        assert!(0.3 < effect.estimate && effect.estimate < 0.5, "{effect:?}");
        check(&rules, Ruling::Pass, |_| pair(cpu(1.0), cpu(1.0)));
    }
}

#[test]
fn a_gauge_at_zero_everywhere_passes() {
    check(GAUGE, Ruling::Pass, |_| pair(Measure::Value(0.0), Measure::Value(0.0)));
}

#[test]
fn a_gauge_that_leaves_a_baseline_of_zero_has_no_scale_and_is_held() {
    let judgement = check(GAUGE, Ruling::Hold, |k| pair(Measure::Value(f64::from(k % 2)), Measure::Value(0.0)));
    assert!(codes(&judgement).contains(&"no_scale"));
}

#[test]
fn negative_values_are_compared_by_differences() {
    let mut noise = Random::named(4, "noise");
    let mut value = |level: f64| Measure::Value(level + noise.normal());
    check(GAUGE, Ruling::Fail, |_| pair(value(-5.0), value(-20.0)));
    check(GAUGE, Ruling::Pass, |_| pair(value(-20.0), value(-20.0)));
}

/// A level with 5 % of noise about it.
fn noisy(noise: &mut Random, level: f64) -> Measure {
    Measure::Value(level * (0.05 * noise.normal()).exp())
}

#[test]
fn a_slow_ramp_fails_and_with_drift_no_later() {
    // A quarter more by the end of the hour.
    let ramp = |noise: &mut Random, k: u32| pair(noisy(noise, 1.0 + 0.4 * f64::from(k) / 240.0), noisy(noise, 1.0));
    let late = "schedule: { min_duration: 60m }\n";
    for seed in 0..4 {
        let found = |drift: &str| {
            let mut noise = Random::named(seed, "ramp");
            run(&rules_of(&format!("{GAUGE}{drift}{late}")), HOUR, |k| ramp(&mut noise, k))
        };
        let (with, without) = (found("    drift: true\n"), found(""));
        assert_eq!(with.1.ruling, Ruling::Fail, "{:#?}", with.1);
        assert!(with.0 <= without.0, "with drift at {}, without at {}", with.0, without.0);
    }
}

#[test]
fn a_change_is_found_by_the_strict_test_too_and_not_sooner() {
    for seed in 0..4 {
        let found = |strict: &str| {
            let mut noise = Random::named(seed, "strict");
            run(&rules_of(&format!("{GAUGE}{strict}")), HOUR, |_| pair(noisy(&mut noise, 1.2), noisy(&mut noise, 1.0)))
        };
        let (with, without) = (found("    strict: true\n"), found(""));
        assert_eq!((with.1.ruling, without.1.ruling), (Ruling::Fail, Ruling::Fail));
        assert!(without.0 <= with.0, "strict at {}, without at {}", with.0, without.0);
    }
}

/// What an instance uses for `traffic` requests: a fixed cost, and one of each request.
fn usage(noise: &mut Random, traffic: f64, of_each: f64) -> Measure {
    let value = (1.0 + of_each * traffic) * (0.03 * noise.normal()).exp();
    Measure::Rated { value, per: traffic * (0.03 * noise.normal()).exp() }
}

#[test]
fn a_fixed_cost_over_less_traffic_is_no_regression() {
    let rules = format!("{GAUGE}    per: requests\n");
    let mut noise = Random::named(1, "per");
    let (_, judgement) =
        run(&rules_of(&rules), HOUR, |_| pair(usage(&mut noise, 20.0, 0.01), usage(&mut noise, 100.0, 0.01)));
    assert_ne!(judgement.ruling, Ruling::Fail, "{judgement:#?}");
    let differs =
        |warning: &Warning| matches!(warning, Warning::TrafficDiffers { ratio } if (0.19..0.21).contains(ratio));
    assert!(judgement.checks[0].warnings.iter().any(differs), "{judgement:#?}");
    // Each request alone looks three times as dear.
    let of_one = |measure: Measure| match measure {
        Measure::Rated { value, per } => Measure::Value(value / per),
        other @ (Measure::Nothing
        | Measure::Counts { .. }
        | Measure::Buckets(_)
        | Measure::Value(_)
        | Measure::Worst { .. }) => other,
    };
    check(GAUGE, Ruling::Fail, |_| pair(of_one(usage(&mut noise, 20.0, 0.01)), of_one(usage(&mut noise, 100.0, 0.01))));
}

#[test]
fn dearer_requests_of_the_same_traffic_fail() {
    let rules = format!("{GAUGE}    per: requests\n");
    let mut noise = Random::named(2, "per");
    let failed = check(&rules, Ruling::Fail, |_| pair(usage(&mut noise, 100.0, 0.02), usage(&mut noise, 100.0, 0.01)));
    assert_eq!(failed.checks[0].warnings, []);
    check(&rules, Ruling::Pass, |_| pair(usage(&mut noise, 100.0, 0.01), usage(&mut noise, 100.0, 0.01)));
}

#[test]
fn an_absolute_margin_needs_no_baseline_above_zero() {
    let rules = format!("{GAUGE}    tolerance: 1\n    pass_within: 3\n");
    let mut noise = Random::named(1, "absolute");
    for level in [-40.0, 0.0, 40.0] {
        let mut value = |by: f64| Measure::Value(level + by + 0.2 * noise.normal());
        let failed = check(&rules, Ruling::Fail, |_| pair(value(2.0), value(0.0)));
        let effect = failed.checks[0].effect.unwrap();
        assert_eq!(effect.unit, Unit::AbsoluteChange);
        assert!((1.8..2.2).contains(&effect.estimate), "{effect:?}");
        check(&rules, Ruling::Pass, |_| pair(value(0.0), value(0.0)));
    }
    check(&rules, Ruling::Pass, |_| pair(Measure::Value(0.0), Measure::Value(0.0)));
}

#[test]
fn with_two_margins_both_must_be_exceeded_to_fail_and_one_is_enough_to_pass() {
    let rules = format!(
        "{GAUGE}    tolerance: {{ relative: 5%, absolute: 0.2 }}\n    pass_within: {{ relative: 20%, absolute: 1 }}\n"
    );
    let mut noise = Random::named(1, "both");
    for (baseline, factor, expect) in [
        // Half as much again of nearly nothing.
        (0.1, 1.5, Ruling::Pass),
        // Much in its unit, and one per cent.
        (200.0, 1.01, Ruling::Pass),
        (10.0, 1.3, Ruling::Fail),
        (10.0, 1.0, Ruling::Pass),
    ] {
        let mut value = |level: f64| Measure::Value(level * (0.01 * noise.normal()).exp());
        check(&rules, expect, |_| pair(value(baseline * factor), value(baseline)));
    }
}

#[test]
fn on_the_scale_of_the_median_zeros_and_negatives_are_values_as_others() {
    let rules = format!("{GAUGE}    scale: absolute\n    tolerance: 5%\n    pass_within: 20%\n");
    let mut noise = Random::named(1, "median");
    // A third of all values is 0.
    let mut idle = |k: u32, level: f64| {
        Measure::Value(if k.is_multiple_of(3) { 0.0 } else { level * (1.0 + 0.02 * noise.normal()) })
    };
    let failed = check(&rules, Ruling::Fail, |k| pair(idle(k, 15.0), idle(k, 10.0)));
    let effect = failed.checks[0].effect.unwrap();
    assert_eq!(effect.unit, Unit::RelativeChange);
    assert!((0.25..0.4).contains(&effect.estimate), "half as much again in two of three: {effect:?}");
    check(&rules, Ruling::Pass, |k| pair(idle(k, 10.0), idle(k, 10.0)));
    // Less negative is more.
    check(&rules, Ruling::Fail, |k| pair(idle(k, -5.0), idle(k, -10.0)));
    check(&rules, Ruling::Pass, |k| pair(idle(k, -10.0), idle(k, -10.0)));
    let none = check(&rules, Ruling::Hold, |k| pair(idle(k, 1.0), Measure::Value(0.0)));
    assert!(codes(&none).contains(&"no_scale"));
}

#[test]
fn nothing_is_said_before_min_points() {
    let rules = rules_of(&format!("{GAUGE}    min_points: 30\n"));
    let mut noise = Random::named(1, "points");
    let all = looks(&rules, HOUR, |_| pair(noisy(&mut noise, 3.0), noisy(&mut noise, 1.0)));
    let warm = timing(&rules).first_warm() as usize;
    for judgement in &all[..warm + 28] {
        assert_eq!((judgement.ruling, judgement.checks[0].effect), (Ruling::GoOn, None));
    }
    assert!(says(&all[warm + 27], "too_few_samples"));
    assert_eq!(all.last().unwrap().ruling, Ruling::Fail);
}

#[test]
fn twice_as_much_in_the_last_three_points_forbids_a_pass() {
    for test in ["", "    drift: true\n", "    test: mann_whitney\n"] {
        let rules = rules_of(&format!("{GAUGE}{test}"));
        let mut noise = Random::named(1, "shift");
        let mut value = |level: f64| Measure::Value(level * (0.02 * noise.normal()).exp());
        let all: Vec<Judgement> =
            watch(&rules, 60, |k| pair(value(if k > 57 { 2.0 } else { 1.0 }), value(1.0))).collect();
        assert_eq!(all[39].ruling, Ruling::Pass, "{test}: {:#?}", all[39]);
        assert_eq!(all[59].ruling, Ruling::GoOn, "{test}: {:#?}", all[59]);
        assert!(says(&all[59], "recent_shift"), "{test}: {:#?}", all[59]);
    }
}

#[test]
fn a_canary_that_scatters_more_widely_does_not_pass_by_its_mean() {
    let mut noise = Random::named(1, "scatter");
    let judgement = check(GAUGE, Ruling::Hold, |k| {
        pair(Measure::Value(if k % 2 == 0 { 1.6 } else { 0.625 }), noisy(&mut noise, 1.0))
    });
    assert!(says(&judgement, "wider_scatter"), "{judgement:#?}");
}
