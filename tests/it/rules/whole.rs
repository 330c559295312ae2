//! A file that says everything that can be said.

use crate::rules::slo;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::CheckTraffic;
use wavegate::rules::Mode;
use wavegate::rules::RuleFile;
use wavegate::rules::Traffic;
use wavegate::rules::query::Matchers;

pub(super) const EVERYTHING: &str = include_str!("../../../fixtures/rules/everything.yaml");

/// With the SLO that it minds behind it.
pub(super) fn everything() -> String {
    rules::bundle_slo(EVERYTHING, "checkout-availability", slo::EVERYTHING)
}

fn parsed(text: &str) -> RuleFile {
    rules::parse("a.yaml", text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, text))).rules
}

#[test]
fn a_file_with_every_block_is_read() {
    let text = everything();
    let parsed = rules::parse("everything.yaml", &text);
    let parsed = parsed.unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, &text)));
    assert_eq!(parsed.warnings, []);
    let rules = parsed.rules;
    assert_eq!(rules.checks.len(), 9);
    assert_eq!(rules.mode, Mode::Observe);
    assert_eq!(rules.downtime, Duration::from_mins(5));
    assert_eq!(rules.requires, ["disk-snapshot", "helm-values-backup"]);
    assert_eq!(rules.budget.map(|budget| budget.slo.name.to_string()).as_deref(), Some("checkout-availability"));
    assert!(rules.windows.is_some() && !rules.discover);
    let names: Vec<&str> = rules.params.iter().map(|param| param.name.as_str()).collect();
    assert_eq!(names, ["region", "cell", "zone"]);
}

#[test]
fn a_file_that_says_nothing_of_it_has_what_is_neutral() {
    let rules = parsed("version: 1\nname: a\nchecks: [{ name: up, threshold: up, min: 1 }]\n");
    assert_eq!((rules.mode, rules.downtime, rules.discover), (Mode::Enforce, Duration::ZERO, false));
    assert_eq!((rules.windows, rules.budget, rules.cohorts.offset), (None, None, None));
    assert_eq!((rules.requires, rules.params, rules.traffic), (Vec::new(), Vec::new(), Traffic::default()));
    assert!(!Traffic::default().stated);
}

#[test]
fn traffic_is_stated_for_all_and_for_one() {
    let rules = parsed(&everything());
    let whole = CheckTraffic {
        rates: [100.0, 0.5],
        instances: [2, 40],
        bad: 0.01,
        latency: [0.02, 0.4],
        noise: 0.07,
        autocorrelation: 0.5,
        offsets: 0.03,
        diurnal: 0.4,
        incidents: 0.25,
        bursts: 60.0,
    };
    assert!(rules.traffic.stated);
    assert_eq!(*rules.traffic.of("errors"), whole);
    assert_eq!(*rules.traffic.of("cpu"), CheckTraffic { noise: 0.08, ..whole });
    let journey = CheckTraffic { latency: [0.02, 2.0], ..whole };
    assert_eq!((*rules.traffic.of("journey.errors"), *rules.traffic.of("journey.latency")), (journey, journey));
}

#[test]
fn the_past_is_a_baseline() {
    let history =
        |said: &str| parsed(&format!("version: 1\nname: a\ncohorts: {said}\nchecks: [{{ name: b, gauge: m }}]\n"));
    let rules = history("{ canary: 'job=\"a\"', baseline: { offset: 1w } }");
    assert_eq!(rules.cohorts.offset, Some(Duration::from_hours(7 * 24)));
    assert_eq!(rules.cohorts.baseline.as_ref(), Some(&rules.cohorts.canary));
    let rules = history("{ baseline: { offset: 1d, match: 'job=\"a\"' } }");
    assert_eq!(rules.cohorts.offset, Some(Duration::from_hours(24)));
    assert_eq!(rules.cohorts.baseline, Matchers::parse("job=\"a\"").ok());
}

#[test]
fn without_a_baseline_a_check_has_a_bound_of_its_own() {
    let rules = parsed(
        "version: 1
name: a
cohorts: { baseline: none }
checks:
  - { name: up, threshold: up, min: 1 }
  - { name: errors, ratio: { bad: e, total: r }, floor: 0.1% }
  - { name: cpu, gauge: m, match: { canary: 'a=\"$wave\"', baseline: 'a!=\"$wave\"' } }
  - { name: journey, probe: { canary: 'https://a', baseline: 'https://b' } }
",
    );
    assert_eq!((rules.cohorts.baseline, rules.checks.len()), (None, 5));
}

#[test]
fn a_wave_is_discovered_by_a_label_that_is_its_id() {
    let text = |cohorts: &str, rest: &str| {
        format!("version: 1\nname: a\ndiscover: true\ncohorts: {cohorts}\n{rest}checks: [{{ name: b, gauge: m }}]\n")
    };
    let rules = parsed(&text("{ canary: 'x=\"1\", id=\"$wave\"', baseline: 'id!=\"$wave\"' }", ""));
    assert!(rules.discover);
    assert_eq!(rules.cohorts.canary.wave_label(), Some("id"));
    for (cohorts, rest) in [
        ("{}", ""),
        ("{ canary: 'id=~\"$wave\"', baseline: 'id!=\"$wave\"' }", ""),
        ("{ canary: 'id=\"a-$wave\"', baseline: 'id!=\"$wave\"' }", ""),
        ("{ baseline: 'wave_id!=\"$wave\"' }", "params: { region: {} }\n"),
    ] {
        let faults = rules::parse("a.yaml", &text(cohorts, rest)).unwrap_err();
        let codes: Vec<_> = faults.iter().map(|fault| fault.code).collect();
        assert_eq!(codes, ["cannot_discover"], "{cohorts} {rest}");
    }
    let off = "version: 1\nname: a\ndiscover: false\nchecks: [{ name: b, gauge: m }]\n";
    assert!(!parsed(off).discover);
}

#[test]
fn every_param_has_its_value() {
    let rules = parsed(&everything());
    let given = BTreeMap::from([("cell".to_owned(), "7".to_owned())]);
    let values: Vec<String> = rules.params_of(&given).unwrap().into_values().collect();
    assert_eq!(values, ["7", "eu-1", "a"]);
}
