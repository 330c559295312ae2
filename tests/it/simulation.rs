//! `plan::simulate` and `wavegate simulate`: the promises of a rule file, counted on seeded
//! traffic.

use crate::support::daemon::Home;
use crate::support::daemon::wavegate;
use serde_json::Value;
use std::num::NonZero;
use std::thread;
use wavegate::plan;
use wavegate::plan::Case;
use wavegate::plan::Change;
use wavegate::plan::Report;
use wavegate::plan::Simulation;
use wavegate::report;
use wavegate::rules;
use wavegate::rules::CheckTraffic;
use wavegate::rules::RuleFile;
use wavegate::wire;

const HTTP: &str = include_str!("../../rules/http-service.yaml");

/// Every kind of check with every option that changes what it sees.
const EVERY_KIND: &str = "
version: 1
name: kinds
schedule: { deadline: 60m }
checks:
  - { name: errors, ratio: { bad: 'r_total{code=\"500\"}', total: r_total }, worse: either }
  - { name: successes, ratio: { bad: 'r_total{code=\"200\"}', total: r_total }, worse: decrease }
  - { name: latency, histogram: h_seconds }
  - { name: tail, histogram: h_seconds, quantile: p95 }
  - { name: cpu, gauge: a, drift: true, tolerance: 10%, pass_within: 40% }
  - { name: careful, gauge: b, strict: true }
  - { name: cost, gauge: c, per: d }
  - { name: each, gauge: e, by: instance }
  - { name: ranks, gauge: f, test: mann_whitney, tolerance: 10%, pass_within: 30% }
  - { name: depth, gauge: g, scale: absolute, tolerance: 5, pass_within: 20 }
  - { name: both, gauge: i, tolerance: { relative: 5%, absolute: 5 }, pass_within: { relative: 30%, absolute: 60 } }
  - { name: free, gauge: j, worse: decrease, on_fail: report }
  - { name: restarts, threshold: k, max: 0 }
  - { name: space, threshold: l, min: 0.1, breach: 2 of 3 }
  - { name: jobs, threshold: m, max: -1, match: { canary: 'job=\"x\"' } }
  - { name: journey, probe: { canary: 'https://a/', baseline: 'https://b/' } }
";

fn file(text: &str) -> RuleFile {
    rules::parse("rules.yaml", text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, text))).rules
}

/// Waves of each row; their risk is divided over all checks of a file, so that few of them fail.
fn of(waves: u32, changes: &[(usize, Change)]) -> Simulation {
    Simulation { waves, seed: 1, apart: false, stress: false, changes: changes.to_vec() }
}

fn simulated(rules: &RuleFile, simulation: &Simulation) -> Report {
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    plan::simulate(rules, simulation, threads, &mut |_| {})
}

#[test]
fn a_file_that_ships_keeps_its_promise_on_hard_days_and_finds_ten_times_the_errors() {
    let rules = file(HTTP);
    let simulation = Simulation { stress: true, ..of(30, &[(0, Change::Factor(10.0)), (0, Change::Factor(2.0))]) };
    let report = simulated(&rules, &simulation);
    assert!(report.is_kept());
    let (unchanged, changed) = report.rows.split_at(6);
    for row in unchanged {
        assert!(row.fails.share <= rules.risk.false_fail, "{row:?}");
        assert!(row.passed.share > 0.9, "{row:?}");
    }
    let [ten, two] = changed else { panic!("{changed:?}") };
    assert!(ten.fails.share > 0.99 && ten.to_fail.median.is_some_and(|minutes| minutes < 10.0), "{ten:?}");
    assert!(two.passed.share <= rules.risk.false_pass && two.kept == Some(true), "{two:?}");
}

#[test]
fn what_hits_both_cohorts_of_every_check_fails_no_wave() {
    let mut rules = file(EVERY_KIND);
    rules.traffic.whole = CheckTraffic { incidents: 4.0, diurnal: 0.5, ..CheckTraffic::default() };
    // An unchanged view: only the days without a change are of interest.
    let report = simulated(&rules, &Simulation { apart: true, ..of(20, &[(0, Change::Factor(1.0))]) });
    let words: Vec<&str> = report
        .rows
        .iter()
        .filter_map(|row| if let Case::Unchanged(weather) = row.case { Some(weather.word()) } else { None })
        .collect();
    assert_eq!(words, ["as_stated", "incidents_alone", "diurnal_alone"]);
    for row in &report.rows[..3] {
        assert!(row.fails.count <= 1, "{row:?}");
    }
}

/// Every kind sees evidence by which it can pass, and sees a change for the worse.
#[test]
fn every_kind_of_check_passes_unchanged_and_finds_its_change() {
    let rules = file(EVERY_KIND);
    let report = simulated(&rules, &of(6, &[]));
    for (check, alone) in rules.checks.iter().zip(&report.rows[0].checks) {
        assert!(alone.passes.count >= 5, "{}: {alone:?}", check.name);
    }
    assert!(report.rows[0].passed.count >= 5 && report.rows[0].fails.count <= 1, "{:?}", report.rows[0]);
    let mut last = std::collections::BTreeMap::new();
    for row in &report.rows {
        if let Case::Changed { check, good_enough: false, .. } = row.case {
            last.insert(check, row);
        }
    }
    assert_eq!(last.len(), 14, "two for the probe, none for bounds");
    for (check, row) in last {
        let name = &rules.checks[check].name;
        assert!(row.fails.count >= 5, "{name}: {row:?}");
    }
    let breach = simulated(&rules, &of(5, &[(12, Change::Factor(2.0))]));
    assert_eq!(breach.rows[1].fails.count, 5, "a bound that is broken is found");
}

#[test]
fn a_service_without_errors_has_some_where_they_are_what_is_changed() {
    let mut rules = file(HTTP);
    rules.traffic.whole.bad = 0.0;
    let report = simulated(&rules, &of(8, &[(0, Change::Factor(10.0)), (0, Change::Factor(1.0))]));
    let [unchanged, ten, floor] = &report.rows[..] else { panic!("{report:?}") };
    assert_eq!((unchanged.fails.count, ten.fails.count), (0, 8), "{ten:?}");
    assert!(matches!(floor.case, Case::Changed { good_enough: true, .. }), "{floor:?}");
    assert_eq!(floor.kept, None);
}

#[test]
fn the_same_seed_gives_the_same_bytes_on_any_number_of_cores() {
    let rules = file(HTTP);
    let document = |seed, threads| {
        let simulation = Simulation { seed, ..of(7, &[(1, Change::Excess(0.03)), (0, Change::Factor(1.5))]) };
        let mut heard = 0;
        let threads = NonZero::new(threads).unwrap();
        let report = plan::simulate(&rules, &simulation, threads, &mut |progress| heard = progress.done);
        assert_eq!(heard, 21);
        wire::simulation_document(&rules, &report)
    };
    let one = document(1, 1);
    assert_eq!(one, document(1, 2));
    assert_eq!(one, document(1, 5));
    assert_ne!(one, document(2, 2));
}

#[test]
fn a_simulation_has_one_shape() {
    let rules = file(HTTP);
    let report = simulated(&rules, &of(4, &[(0, Change::Factor(3.0)), (1, Change::Excess(0.12))]));
    let document = wire::simulation_document(&rules, &report);
    let shape: Value = serde_json::from_str(&document).unwrap();
    insta::assert_snapshot!(serde_json::to_string_pretty(&shape).unwrap());
    insta::assert_snapshot!(report::simulation(&document, false).unwrap());
}

#[test]
fn the_command_says_what_is_not_kept() {
    let home = Home::new(
        &[(
            "eager.yaml",
            "version: 1\nname: eager\nschedule: { min_duration: 10m, deadline: 20m }\nchecks:\n  \
             - { name: cpu, gauge: cpu, tolerance: 0%, pass_within: 20% }\n",
        )],
        None,
        "",
    );
    let path = home.path("rules").join("eager.yaml").display().to_string();
    let run = |arguments: &[&str]| {
        let output = wavegate([&["simulate", &path], arguments].concat()).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let (code, out, err) = run(&["--waves", "40", "--traffic", "offsets=30%"]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(out.contains("NOT KEPT") && out.contains("of good waves fail, 5.0 % are promised"), "{out}");
    let (code, out, _) = run(&["--waves", "10", "--change", "cpu=+50%", "--format", "json"]);
    assert_eq!(code, Some(0), "{out}");
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(found["changed"][0]["change"], "+50%");
    assert_eq!(found["changed"][0]["detected"]["waves"], 10);
    for (arguments, says) in [
        (["--change", "cpu"], "is not CHECK=CHANGE"),
        (["--change", "gpu=3x"], "no check is called `gpu`; there are cpu"),
        (["--change", "cpu=much"], "`much` is not a change"),
        (["--change", "cpu=6pp"], "is not a change of `cpu`, a gauge"),
        (["--traffic", "speed=1"], "`speed`"),
        (["--traffic", "canary=0/s"], "above 0/s"),
        (["--traffic", "bad=nan"], "is not a percentage"),
        (["--waves", "0"], "0 is not in 1..=100000"),
        (["--waves", "100001"], "100001 is not in 1..=100000"),
    ] {
        let (code, _, err) = run(&arguments);
        assert_eq!(code, Some(2), "{arguments:?}: {err}");
        assert!(err.contains(says), "{arguments:?}: {err}");
    }
}
