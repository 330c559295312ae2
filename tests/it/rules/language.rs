//! What a check can say of its test, its scale and its evidence, and what is made of it.

use wavegate::rules;
use wavegate::rules::CheckKind;
use wavegate::rules::GaugeScale;
use wavegate::rules::GaugeTest;
use wavegate::rules::Policy;
use wavegate::rules::Spending;
use wavegate::rules::Worse;
use wavegate::rules::query::GaugeQuery;

const USUAL: GaugeTest = GaugeTest::Paired { drift: false, strict: false };

const GAUGE: Policy = Policy { worse: Worse::Increase, tolerance: 0.05, pass_within: 0.2, weight: 1.0, min_points: 8 };

#[track_caller]
fn parsed(text: &str) -> rules::Parsed {
    rules::parse("a.yaml", text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, text)))
}

/// The kind of the one check that says `said`, which deserves no warning.
#[track_caller]
fn kind(said: &str) -> CheckKind {
    let parsed = parsed(&format!("version: 1\nname: a\nchecks:\n  - {{ name: b, {said} }}\n"));
    assert_eq!(parsed.warnings, []);
    parsed.rules.checks[0].kind.clone()
}

/// `gauge: m` with more said.
#[track_caller]
fn gauge(said: &str) -> (GaugeTest, GaugeScale, Policy) {
    let CheckKind::Gauge { query, per, test, scale, policy } = kind(&format!("gauge: m, {said}")) else {
        panic!("a gauge")
    };
    assert_eq!((Ok(query), per), (GaugeQuery::parse("m"), None));
    (test, scale, policy)
}

/// The codes that refuse the one check that says `said`.
fn refused(said: &str) -> Vec<&'static str> {
    let text = format!("version: 1\nname: a\nchecks:\n  - {{ name: b, {said} }}\n");
    rules::parse("a.yaml", &text).expect_err(said).iter().map(|fault| fault.code).collect()
}

#[test]
fn the_risk_is_spent_by_the_time_or_late() {
    let spending = |said: &str| parsed(&format!("version: 1\nname: a\n{said}checks: [{{ name: b, gauge: m }}]\n"));
    let spending = |said: &str| spending(said).rules.risk.spending;
    assert_eq!(spending(""), Spending::Linear);
    assert_eq!(spending("risk: { spending: linear }\n"), Spending::Linear);
    assert_eq!(spending("risk: { spending: obf }\n"), Spending::Obf);
}

#[test]
fn a_histogram_with_a_quantile_is_judged_by_its_tail() {
    #[track_caller]
    fn check(said: &str, quantile: f64, tolerance: f64, pass_within: f64) {
        let CheckKind::Quantile { metric, quantile: read, policy } = kind(&format!("histogram: h, {said}")) else {
            panic!("a quantile")
        };
        assert_eq!(metric.metric(), "h");
        // To the last bit: the number that a person would write in code.
        assert_eq!(read.to_bits(), quantile.to_bits(), "{read}");
        let expect = Policy { worse: Worse::Increase, tolerance, pass_within, weight: 1.0, min_points: 4 };
        assert_eq!(policy, expect);
    }
    check("quantile: p50", 0.5, 0.1, 0.5);
    check("quantile: p99", 0.99, 0.1, 0.5);
    check("quantile: p99.9, worse: increase", 0.999, 0.1, 0.5);
    check("quantile: 'p99.95', tolerance: 25%, pass_within: 200%", 0.9995, 0.25, 2.0);
    check("quantile: p99.999, tolerance: 1.1%", 0.99999, 0.011, 0.5);
    for text in ["p49.99", "p100", "p99.99999999999999999", "p", "p.", "p9.9.9", "p-99", "p 99", "p1e1", "q99"] {
        assert_eq!(refused(&format!("histogram: h, quantile: {text}")), ["bad_quantile"], "{text}");
    }
}

#[test]
fn a_gauge_says_how_it_is_tested() {
    assert_eq!(gauge("weight: 1"), (USUAL, GaugeScale::Relative, GAUGE));
    let test = |said: &str| gauge(said).0;
    assert_eq!(test("drift: true"), GaugeTest::Paired { drift: true, strict: false });
    assert_eq!(test("strict: true"), GaugeTest::Paired { drift: false, strict: true });
    assert_eq!(test("drift: true, strict: true"), GaugeTest::Paired { drift: true, strict: true });
    assert_eq!(test("drift: false, strict: false"), USUAL);
    assert_eq!(test("test: mann_whitney"), GaugeTest::MannWhitney);
    assert_eq!(test("by: instance"), GaugeTest::ByInstance);
}

#[test]
fn a_flag_that_is_off_goes_with_every_test() {
    assert_eq!(gauge("test: mann_whitney, drift: false, strict: false").0, GaugeTest::MannWhitney);
    assert_eq!(gauge("by: instance, drift: false, strict: false").0, GaugeTest::ByInstance);
    let CheckKind::Gauge { per, test, .. } = kind("gauge: m, per: n, drift: false") else { panic!("a gauge") };
    assert_eq!((per, test), (GaugeQuery::parse("n").ok(), USUAL));
}

#[test]
fn a_value_is_judged_for_each_of_what_it_is_divided_by() {
    let said = "gauge: 'rate(c_total[$interval])', per: 'rate(r_total[$interval])', strict: true";
    let CheckKind::Gauge { query, per, test, scale, policy } = kind(said) else { panic!("a gauge") };
    assert_eq!(Ok(query), GaugeQuery::parse("rate(c_total[$interval])"));
    assert_eq!(per, GaugeQuery::parse("rate(r_total[$interval])").ok());
    assert_eq!((test, scale, policy), (GaugeTest::Paired { drift: false, strict: true }, GaugeScale::Relative, GAUGE));
}

#[test]
fn margins_say_what_they_are_measured_in_by_how_they_are_written() {
    #[track_caller]
    fn check(said: &str, scale: GaugeScale, tolerance: f64, pass_within: f64) {
        let (_, read, policy) = gauge(said);
        assert_eq!((read, policy.tolerance, policy.pass_within), (scale, tolerance, pass_within), "{said}");
    }
    check("tolerance: 10%", GaugeScale::Relative, 0.1, 0.2);
    check("scale: absolute", GaugeScale::Median, 0.05, 0.2);
    check("scale: absolute, pass_within: 30%", GaugeScale::Median, 0.05, 0.3);
    check("tolerance: 0.2, pass_within: 3", GaugeScale::Absolute, 0.2, 3.0);
    check("tolerance: 1e9, pass_within: 1e300", GaugeScale::Absolute, 1e9, 1e300);
    check("scale: absolute, tolerance: 0.2, pass_within: 3", GaugeScale::Absolute, 0.2, 3.0);
    check("worse: decrease, tolerance: 2, pass_within: 300", GaugeScale::Absolute, 2.0, 300.0);
    let both = "tolerance: { relative: 5%, absolute: 2 }, pass_within: { absolute: 300, relative: 25% }";
    let scale = GaugeScale::Both { tolerance: 2.0, pass_within: 300.0 };
    check(both, scale, 0.05, 0.25);
    check(&format!("{both}, worse: either"), scale, 0.05, 0.25);
    check(&format!("{both}, test: mann_whitney"), scale, 0.05, 0.25);
}

#[test]
fn a_fault_of_a_margin_is_told_once() {
    #[track_caller]
    fn check(said: &str, code: &str) {
        assert_eq!(refused(&format!("gauge: m, {said}")), [code], "{said}");
    }
    check("tolerance: 0.2", "no_default");
    check("pass_within: 0.2", "no_default");
    check("tolerance: 0.2, pass_within: 20%", "mixed_margins");
    check("tolerance: 1.05x, pass_within: 0.2", "wrong_type");
    check("tolerance: -1, pass_within: 0.2", "out_of_range");
    check("tolerance: 0.2, pass_within: -1", "out_of_range");
    check("tolerance: 0.2, pass_within: 0.2", "impossible_margins");
    check("worse: decrease, tolerance: 150%, pass_within: 20%", "out_of_range");
    check("tolerance: null", "wrong_unit");
}

#[test]
fn every_statistical_check_waits_for_as_many_intervals_as_it_says() {
    for (said, usual) in [
        ("ratio: { bad: e, total: r }", 4),
        ("histogram: h", 4),
        ("histogram: h, quantile: p95", 4),
        ("gauge: m", 8),
        ("gauge: m, by: instance", 8),
        ("probe: { canary: 'https://a', baseline: 'https://b' }", 4),
    ] {
        let points = |said: &str| kind(said).policy().map(|policy| policy.min_points);
        assert_eq!(points(said), Some(usual), "{said}");
        assert_eq!(points(&format!("{said}, min_points: 2")), Some(2), "{said}");
        assert_eq!(points(&format!("{said}, min_points: 90")), Some(90), "{said}");
        for few in ["1", "0", "-4", "1001", "8.5", "1e300"] {
            assert_eq!(refused(&format!("{said}, min_points: {few}")), ["out_of_range"], "{said}: {few}");
        }
    }
}

#[test]
fn both_checks_of_a_probe_wait() {
    let text = "version: 1\nname: a\nchecks:\n  - name: b\n    min_points: 9\n    \
        probe: { canary: 'https://a', baseline: 'https://b' }\n";
    let points: Vec<_> =
        parsed(text).rules.checks.iter().map(|check| check.kind.policy().unwrap().min_points).collect();
    assert_eq!(points, [9, 9]);
}

#[test]
fn nothing_that_is_no_change_at_all_goes_without_a_warning() {
    #[track_caller]
    fn check(said: &str, codes: &[&str]) {
        let text = format!("version: 1\nname: a\nchecks:\n  - {{ name: b, {said} }}\n");
        let found: Vec<_> = parsed(&text).warnings.iter().map(|warning| warning.code).collect();
        assert_eq!(found, codes, "{said}");
    }
    let zero = &["zero_tolerance"];
    check("gauge: m, tolerance: 0%", zero);
    check("gauge: m, scale: absolute, tolerance: 0%", zero);
    check("gauge: m, tolerance: 0, pass_within: 0.2", zero);
    check("histogram: h, tolerance: 0pp", zero);
    check("histogram: h, quantile: p99, tolerance: 0%", zero);
    // FAIL needs both parts exceeded: one of them is enough to let something be.
    let parts = |relative: &str, absolute: &str| {
        let tolerance = format!("{{ relative: {relative}, absolute: {absolute} }}");
        format!("gauge: m, tolerance: {tolerance}, pass_within: {{ relative: 20%, absolute: 6 }}")
    };
    check(&parts("0%", "0"), zero);
    check(&parts("0%", "2"), &[]);
    check(&parts("5%", "0"), &[]);
}

#[test]
fn a_check_that_can_never_pass_is_told_when_it_is_loaded() {
    let text = "version: 1
name: short
schedule: { interval: 1m, warmup: 2m, min_duration: 4m, deadline: 7m30s }
checks:
  - { name: a, ratio: { bad: e, total: r } }
  - { name: b, gauge: m }
  - { name: c, gauge: n, min_points: 5 }
  - { name: d, histogram: h, min_points: 6 }
  - { name: e, threshold: m, max: 0 }
  - { name: f, threshold: m, max: 0, breach: 3 of 6 }
  - { name: g, min_points: 6, probe: { canary: 'https://a', baseline: 'https://b' } }
";
    let warnings = parsed(text).warnings;
    let places: Vec<_> = warnings.iter().map(|warning| (warning.code, warning.line, warning.column)).collect();
    let few = "too_few_looks";
    assert_eq!(places, [(few, 6, 16), (few, 8, 42), (few, 10, 46), (few, 11, 28)]);
    assert_eq!(
        rules::render(&warnings[..1], text),
        "warning[too_few_looks]: from 2m to 7m30s there are 5 intervals of 1m, and this check needs 8
 --> a.yaml:6:16
  |
6 |   - { name: b, gauge: m }
  |                ^^^^^
  = help: make `interval` shorter or `deadline` later, or write a smaller `min_points`: it can never pass
"
    );
}

#[test]
fn a_schedule_that_cannot_be_kept_is_one_fault_and_not_one_a_check() {
    for schedule in ["{ interval: 20m }", "{ warmup: 2h }"] {
        let text = format!("version: 1\nname: a\nschedule: {schedule}\nchecks: [{{ name: b, gauge: m }}]\n");
        let faults = rules::parse("a.yaml", &text).unwrap_err();
        assert!(faults.iter().all(|fault| fault.code == "impossible_schedule"), "{}", rules::render(&faults, &text));
    }
}
