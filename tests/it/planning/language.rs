//! A plan and a simulation of what the rule language can say beside checks.

use crate::planning::gate;
use crate::planning::planned;
use serde_json::Value;
use std::num::NonZero;
use std::time::Duration;
use wavegate::plan;
use wavegate::plan::Change;
use wavegate::plan::Simulation;
use wavegate::plan::power::Assumptions;
use wavegate::plan::power::How;
use wavegate::plan::power::Measured;
use wavegate::plan::power::Plan;
use wavegate::report;
use wavegate::rules;
use wavegate::rules::CheckTraffic;
use wavegate::rules::RuleFile;
use wavegate::wire;

/// A ratio that is judged against its floor alone.
const ALONE: &str = "
version: 1
name: alone
cohorts: { canary: 'job=\"x\"', baseline: none }
schedule: { interval: 15s, warmup: 0s, min_duration: 10m, deadline: 30m }
traffic: { canary: 20/s, bad: 0.2%, noise: 0.01%, autocorrelation: 0 }
checks:
  - { name: errors, ratio: { bad: 'r_total{code=\"500\"}', total: r_total }, floor: 1%, tolerance: 1.25x }
";

fn file(text: &str) -> RuleFile {
    rules::parse("rules.yaml", text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, text))).rules
}

fn plan_of(rules: &RuleFile) -> Plan {
    let assumed = Assumptions { traffic: rules.traffic.clone(), ..Assumptions::default() };
    plan::power::plan(rules, &assumed)
}

#[test]
fn the_traffic_block_of_a_measured_plan_is_read_back_as_what_was_measured() {
    let checks = [
        ("errors", "ratio", "ratio: { bad: b_total, total: a_total }"),
        ("latency", "histogram", "histogram: h_seconds"),
        ("tail", "quantile", "histogram: h_seconds, quantile: p99"),
        ("cpu", "gauge", "gauge: c"),
    ];
    let seen = CheckTraffic {
        rates: [0.123_456, 98_765.4],
        instances: [4, 9],
        bad: 0.001_234_5,
        latency: [0.012_34, 3.456_7],
        noise: 0.034_56,
        autocorrelation: 0.412_3,
        ..CheckTraffic::default()
    };
    let extreme = CheckTraffic {
        rates: [1e-9, 1e12],
        bad: 0.999_99,
        latency: [1e-6, 1e-6],
        noise: 1e9,
        autocorrelation: 0.999,
        instances: [0, 2_000_000],
        ..seen
    };
    let lines: Vec<String> = checks.iter().map(|(name, _, kind)| format!("  - {{ name: {name}, {kind} }}\n")).collect();
    let text = format!("version: 1\nname: gate\nchecks:\n{}", lines.concat());
    let plan = plan_of(&file(&text));
    for traffic in [seen, extreme] {
        let measured: Vec<Measured> = checks
            .iter()
            .map(|(name, kind, _)| Measured {
                check: (*name).to_owned(),
                kind,
                traffic,
                shape: None,
                how: How::Halves,
                intervals: 100,
            })
            .collect();
        let document: Value = serde_json::from_str(&wire::plan_document(&plan, &measured)).unwrap();
        assert_eq!(document["traffic"], "measured");
        let read = file(&format!("{text}{}", document["traffic_block"].as_str().unwrap())).traffic;
        assert!(read.stated);
        if traffic == extreme {
            continue;
        }
        let near = |found: f64, expect: f64| assert!((found / expect - 1.0).abs() < 0.005, "{found} for {expect}");
        for (name, kind, _) in checks {
            let found = read.of(name);
            assert_eq!(found.instances, seen.instances);
            if kind == "gauge" {
                near(found.noise, seen.noise);
                near(found.autocorrelation, seen.autocorrelation);
                continue;
            }
            near(found.rates[0], seen.rates[0]);
            near(found.rates[1], seen.rates[1]);
            if kind == "ratio" {
                near(found.bad, seen.bad);
            } else {
                // A duration is in whole milliseconds.
                assert_eq!(found.latency.map(f64::to_bits), [0.012_f64, 3.457].map(f64::to_bits));
            }
        }
    }
}

#[test]
fn a_ratio_without_a_baseline_fails_and_passes_as_often_as_planned() {
    let rules = file(ALONE);
    let threads = NonZero::new(2).unwrap();
    for (text, change) in [("errors=1.6x", 1.6), ("errors=2x", 2.0)] {
        let (place, read) = Change::read(&rules, text).unwrap();
        assert_eq!(read, Change::Factor(change));
        let mut assumed = Assumptions { traffic: rules.traffic.clone(), ..Assumptions::default() };
        assumed.changes.insert("errors".to_owned(), vec![change]);
        let planned = plan::power::plan(&rules, &assumed);
        let check = &planned.checks[0];
        assert_eq!(check.floor, Some(0.01));
        let simulation = Simulation { waves: 120, seed: 3, stress: false, apart: true, changes: vec![(place, read)] };
        let report = plan::simulate(&rules, &simulation, threads, &mut |_| {});
        let [unchanged, changed] = &report.rows[..] else { panic!("{report:?}") };
        let power = check.fails.last().unwrap().by_quarter[3];
        let near = |planned: f64, found: f64| assert!((planned - found).abs() < 0.15, "{text}: {planned} {found}");
        println!("{text}: {power} {} {} {}", changed.fails.share, check.passes.by_quarter[3], unchanged.passed.share);
        near(power, changed.fails.share);
        near(check.passes.by_quarter[3], unchanged.passed.share);
    }
}

#[test]
fn an_ordinary_day_above_the_floor_is_told_to_raise_it() {
    let rules = file(&ALONE.replace("bad: 0.2%", "bad: 2%"));
    let plan = plan_of(&rules);
    assert!(!plan.decides());
    let page = report::plan(&wire::plan_document(&plan, &[])).unwrap();
    assert!(page.contains("stated traffic") && page.contains("raise `floor`"), "{page}");
}

#[test]
fn what_has_no_meaning_in_a_plan_is_said_and_traffic_that_nobody_stated_is_called_assumed() {
    let text = "version: 1\nname: gate\nmode: observe\nrequires: [approved]\nwindows: { deny: ['2026-12-24/2026-12-26'] }\n\
                checks:\n  - { name: cpu, gauge: c }\n  - { name: up, threshold: t, max: 0 }\n";
    let rules = file(text);
    let page = report::plan(&wire::plan_document(&plan_of(&rules), &[])).unwrap();
    let simulation = Simulation { waves: 1, seed: 1, stress: false, apart: true, changes: Vec::new() };
    let simulated = plan::simulate(&rules, &simulation, NonZero::<usize>::MIN, &mut |_| {});
    let simulated = report::simulation(&wire::simulation_document(&rules, &simulated), false).unwrap();
    for page in [&page, &simulated] {
        for says in ["`mode: observe` is ignored", "`requires` is ignored", "`windows` is ignored", "assumed traffic"] {
            assert!(page.contains(says), "{says}: {page}");
        }
    }
    assert!(page.contains("up: not planned: a threshold"), "{page}");
}

#[test]
fn downtime_is_left_out_of_plans_and_simulations() {
    let text = ALONE.replace("schedule:", "downtime: 12m\nschedule:").replace("min_duration: 10m", "min_duration: 15m");
    let (with, without) = (plan_of(&file(&text)), plan_of(&file(ALONE)));
    assert_eq!(with.quarters[0], Duration::from_secs(16 * 60 + 30));
    assert!(with.checks[0].detects > without.checks[0].detects);
}

#[test]
fn hostile_days_are_planned_and_simulated_without_a_panic() {
    const SHORT: &str = "interval: 30s, warmup: 0s, min_duration: 5m, deadline: 10m";
    let usual = CheckTraffic::default();
    let days = [
        CheckTraffic { rates: [1e308, 1e308], ..usual },
        CheckTraffic { rates: [0.0, 0.0], bad: 0.0, ..usual },
        CheckTraffic { rates: [1e-6, 1e9], bad: 0.999_999, latency: [1e-9, 1e9], ..usual },
        CheckTraffic { noise: 1e-300, autocorrelation: 0.99, instances: [1_000_000, 1_000_000], ..usual },
        CheckTraffic { noise: 1e300, offsets: 1e300, ..usual },
    ];
    for check in
        ["ratio: { bad: b_total, total: a_total }", "histogram: h_seconds", "gauge: c", "gauge: c, by: instance"]
    {
        for day in days {
            let mut rules = gate(SHORT, check);
            let plan = planned(&rules, day);
            report::svg(&wire::plan_document(&plan, &[])).unwrap();
            report::plan(&wire::plan_document(&plan, &[])).unwrap();
            rules.traffic.whole = day;
            let simulation = Simulation { waves: 0, seed: 1, stress: false, apart: true, changes: Vec::new() };
            if day.rates[0] < 1e300 {
                plan::simulate(&rules, &simulation, NonZero::<usize>::MIN, &mut |_| {});
            }
        }
    }
}
