//! Reading rule files.

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::Bound;
use wavegate::rules::Breach;
use wavegate::rules::CheckKind;
use wavegate::rules::Digest;
use wavegate::rules::GaugeScale;
use wavegate::rules::GaugeTest;
use wavegate::rules::OnDeadline;
use wavegate::rules::OnFail;
use wavegate::rules::Policy;
use wavegate::rules::Risk;
use wavegate::rules::RuleFile;
use wavegate::rules::Schedule;
use wavegate::rules::Severity;
use wavegate::rules::Spending;
use wavegate::rules::Telemetry;
use wavegate::rules::Worse;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::GaugeQuery;
use wavegate::rules::query::Matchers;

fn shipped() -> Vec<(String, String)> {
    texts("rules")
}

fn texts(folder: &str) -> Vec<(String, String)> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut files: Vec<_> = std::fs::read_dir(root.join(folder)).unwrap().map(|entry| entry.unwrap().path()).collect();
    // Tests of rule files have a folder of their own.
    files.retain(|path| path.is_file());
    files.sort();
    let named = |path: PathBuf| {
        let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
        let text = wavegate::engine::read_text(&path).unwrap();
        (name, wavegate::engine::with_slo(&text, &[], &[root.join("fixtures/slos")]).unwrap())
    };
    // Others extend what begins so.
    files.into_iter().map(named).filter(|(name, _)| !name.contains("/_")).collect()
}

#[test]
fn shipped_files_load_without_a_warning() {
    let files = shipped();
    assert_eq!(files.len(), 5);
    for (name, text) in files {
        match rules::parse(&name, &text) {
            Ok(parsed) => assert_eq!(parsed.warnings, [], "{}", rules::render(&parsed.warnings, &text)),
            Err(faults) => panic!("\n{}", rules::render(&faults, &text)),
        }
    }
}

/// Every broken file and what is said of it, to be read as a user reads it.
#[test]
fn every_fault_is_told_with_its_place_and_its_mend() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, text) in texts("fixtures/broken") {
        let faults = rules::parse(&name, &text).expect_err(&name);
        let stem = name.trim_start_matches("fixtures/broken/").trim_end_matches(".yaml");
        settings.bind(|| insta::assert_snapshot!(format!("broken_{stem}"), rules::render(&faults, &text)));
    }
}

const MINIMAL: &str = "version: 1\nname: a\nchecks:\n  - { name: b, gauge: 'rate(c_total[$interval])' }\n";

fn repeated(times: usize, line: impl Fn(usize) -> String) -> String {
    (0..times).map(line).collect::<Vec<_>>().concat()
}

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

#[track_caller]
fn parsed(text: &str) -> rules::Parsed {
    rules::parse("a.yaml", text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, text)))
}

#[test]
fn a_name_and_one_check_are_enough() {
    let rules = parsed(MINIMAL).rules;
    assert_eq!(rules.name.as_str(), "a");
    assert_eq!((rules.description.as_ref(), rules.source.as_ref()), (None, None));
    assert_eq!(
        rules.schedule,
        Schedule {
            interval: seconds(15),
            warmup: seconds(120),
            min_duration: seconds(600),
            deadline: seconds(3600),
            on_deadline: OnDeadline::Pause,
            settle: seconds(30),
        }
    );
    assert_eq!(rules.risk, Risk { false_fail: 0.05, false_pass: 0.05, spending: Spending::Linear });
    assert_eq!(rules.telemetry, Telemetry { coverage: 0.9 });
    assert_eq!(rules.cohorts.canary, Matchers::parse("wave_id=\"$wave\"").unwrap());
    assert_eq!(rules.cohorts.baseline, Matchers::parse("wave_id=\"$baseline\"").ok());
    assert_eq!(rules.cohorts.instance, ["pod", "instance"]);
    assert_eq!(rules.digest, Digest::of(MINIMAL.as_bytes()));
    let [check] = rules.checks.as_slice() else { panic!("one check") };
    assert_eq!((check.name.as_str(), check.on_fail, &check.cohorts), ("b", OnFail::Fail, &None));
    assert_eq!(
        check.kind,
        CheckKind::Gauge {
            query: GaugeQuery::parse("rate(c_total[$interval])").unwrap(),
            per: None,
            test: GaugeTest::Paired { drift: false, strict: false },
            scale: GaugeScale::Relative,
            policy: Policy { worse: Worse::Increase, tolerance: 0.05, pass_within: 0.2, weight: 1.0, min_points: 8 },
        }
    );
}

const PROBED: &str = "version: 1\nname: a\nchecks:\n  - name: journey\n    \
    probe: { canary: 'https://Canary.shop', baseline: 'https://shop/?a=b c' }\n";

#[test]
fn a_probe_is_two_checks_that_share_its_weight() {
    let text = format!("{PROBED}    weight: 3\n    on_fail: pause\n");
    let rules = parsed(&text).rules;
    let [errors, latency] = rules.checks.as_slice() else { panic!("two checks") };
    assert_eq!((errors.name.as_str(), latency.name.as_str()), ("journey.errors", "journey.latency"));
    assert_eq!((errors.on_fail, latency.on_fail), (OnFail::Pause, OnFail::Pause));
    let probe = errors.probe.clone().unwrap();
    assert_eq!(latency.probe.as_ref(), Some(&probe));
    assert_eq!((probe.canary.as_str(), probe.baseline.as_str()), ("https://canary.shop/", "https://shop/?a=b%20c"));
    assert_eq!((probe.every, probe.timeout), (seconds(5), seconds(2)));

    let CheckKind::Ratio { bad, total, floor, policy } = &errors.kind else { panic!("a ratio") };
    let usual = Policy { worse: Worse::Increase, tolerance: 1.25, pass_within: 2.0, weight: 1.5, min_points: 4 };
    assert_eq!((*floor, *policy), (0.02, usual));
    let cohorts = errors.cohorts.as_ref().unwrap();
    let nobody = Bindings { wave: "w", baseline: None, params: &BTreeMap::new() };
    let bound = cohorts.canary.bind(&nobody).unwrap();
    let own = format!("probe=\"{}\",url=\"https://canary.shop/\"", probe.key());
    assert_eq!(total.bind(&bound), format!("probe_requests_total{{{own}}}"));
    assert_eq!(bad.bind(&bound), format!("probe_requests_total{{result=\"failure\",{own}}}"));

    let CheckKind::Histogram { metric, policy } = &latency.kind else { panic!("a histogram") };
    assert_eq!(
        *policy,
        Policy { worse: Worse::Increase, tolerance: 0.05, pass_within: 0.15, weight: 1.5, min_points: 4 }
    );
    let bound = latency.cohorts.as_ref().unwrap().baseline.as_ref().unwrap().bind(&nobody).unwrap();
    let own = format!("probe=\"{}\",url=\"https://shop/?a=b%20c\"", probe.key());
    assert_eq!(metric.bind_suffixed("_bucket", &bound), format!("probe_duration_seconds_bucket{{{own}}}"));
}

#[test]
fn both_halves_of_a_probe_have_margins_of_their_own() {
    let text = format!(
        "{PROBED}    errors: {{ tolerance: 2x, pass_within: 4x, floor: 5% }}\n    latency: {{ pass_within: 9pp }}\n"
    );
    let rules = parsed(&text).rules;
    let CheckKind::Ratio { floor, policy, .. } = &rules.checks[0].kind else { panic!("a ratio") };
    assert_eq!(
        (*floor, *policy),
        (0.05, Policy { worse: Worse::Increase, tolerance: 2.0, pass_within: 4.0, weight: 0.5, min_points: 4 })
    );
    let expect = Policy { worse: Worse::Increase, tolerance: 0.05, pass_within: 0.09, weight: 0.5, min_points: 4 };
    assert_eq!(rules.checks[1].kind.policy(), Some(&expect));
}

#[test]
fn a_probe_that_asks_each_second_waits_no_longer_than_that() {
    let text = PROBED.replace(" }\n", ", every: 1s }\n");
    let probe = parsed(&text).rules.checks[0].probe.clone().unwrap();
    assert_eq!((probe.every, probe.timeout), (seconds(1), seconds(1)));
    let other = parsed(PROBED).rules.checks[0].probe.clone().unwrap();
    assert_ne!(probe.key(), other.key(), "what is asked otherwise is another probe");
}

#[test]
fn everything_that_can_be_said_is_read() {
    let text = r#"
version: 1
name: full.1
description: All of it.
source: prometheus
x-margins: &margins 1.1%
cohorts: { canary: 'a="$wave"', baseline: 'a!="$wave"', instance: [pod, node] }
schedule: { interval: 30s, warmup: 0s, min_duration: 1h30m, deadline: 2h, on_deadline: fail, settle: 0s }
risk: { false_fail: 1%, false_pass: 10%, spending: obf }
telemetry: { coverage: 100% }
checks:
  - name: ratio
    ratio: { bad: 'e_total{code=~"5.."}', total: e_total }
    worse: either
    tolerance: 1x
    pass_within: 1.5x
    floor: 0%
    weight: 0.5
    on_fail: pause
  - name: drop
    ratio: { bad: f_total, total: e_total }
    worse: decrease
  - name: histogram
    histogram: d_seconds{a="b"}
    tolerance: 0.5pp
    pass_within: 7pp
    min_points: 30
    on_fail: report
  - name: gauge
    gauge: m
    worse: decrease
    tolerance: *margins
    test: mann_whitney
    match: { canary: 'pod=~"x-$wave"', baseline: 'pod!~"x-$wave"' }
  - name: threshold
    threshold: m > 0
    min: -1.5
    breach: 1 of 60
    match: { canary: 'pod=~"x-$wave"' }
"#;
    let parsed = parsed(text);
    let warnings: Vec<_> = parsed.warnings.iter().map(|warning| (warning.code, warning.line)).collect();
    assert_eq!(warnings, [("zero_tolerance", 15)]);
    let rules = parsed.rules;
    assert_eq!(rules.schedule.on_deadline, OnDeadline::Fail);
    assert_eq!((rules.schedule.min_duration, rules.schedule.settle), (seconds(5400), seconds(0)));
    assert_eq!(rules.risk, Risk { false_fail: 0.01, false_pass: 0.1, spending: Spending::Obf });
    let policies: Vec<_> = rules
        .checks
        .iter()
        .filter_map(|check| match &check.kind {
            CheckKind::Ratio { policy, floor, .. } => Some((*policy, *floor)),
            CheckKind::Histogram { policy, .. }
            | CheckKind::Quantile { policy, .. }
            | CheckKind::Gauge { policy, .. } => Some((*policy, -1.0)),
            CheckKind::Threshold { .. } => None,
        })
        .collect();
    let policy = |worse, tolerance, pass_within, weight, min_points| Policy {
        worse,
        tolerance,
        pass_within,
        weight,
        min_points,
    };
    assert_eq!(
        policies,
        [
            (policy(Worse::Either, 1.0, 1.5, 0.5, 4), 0.0),
            (policy(Worse::Decrease, 1.25, 2.0, 1.0, 4), 0.0),
            (policy(Worse::Increase, 0.005, 0.07, 1.0, 30), -1.0),
            (policy(Worse::Decrease, 0.011, 0.2, 1.0, 8), -1.0),
        ]
    );
    let on_fail: Vec<_> = rules.checks.iter().map(|check| check.on_fail).collect();
    assert_eq!(on_fail, [OnFail::Pause, OnFail::Fail, OnFail::Report, OnFail::Fail, OnFail::Fail]);
    let alone = rules.checks[4].cohorts.as_ref().unwrap();
    assert_eq!((&alone.baseline, alone.instance.len()), (&None, 2));
    assert!(rules.checks[3].cohorts.as_ref().unwrap().baseline.is_some());
    let CheckKind::Threshold { bound, breach, .. } = &rules.checks[4].kind else { panic!("a threshold") };
    assert_eq!((*bound, *breach), (Bound::Min(-1.5), Breach { count: 1, samples: 60 }));
}

#[test]
fn what_loads_and_deserves_a_look_is_a_warning() {
    let text = "version: 1
name: warned
checks:
  - { name: a, gauge: 'rate(x[5m])' }
  - { name: b, gauge: 'sum(rate(x[$interval]))', tolerance: 0% }
  - { name: c, histogram: h, tolerance: 0pp }
  - { name: d, ratio: { bad: e, total: f }, tolerance: 1x }
  - { name: e, threshold: 'increase(x[$interval])', max: 0 }
  - { name: f, threshold: 'increase(x[1h])', max: 0 }
";
    let warnings = parsed(text).warnings;
    assert!(warnings.iter().all(|warning| warning.severity == Severity::Warning));
    let places: Vec<_> = warnings.iter().map(|warning| (warning.code, warning.line, warning.column)).collect();
    assert_eq!(
        places,
        [
            ("overlapping_windows", 4, 23),
            ("interval_widened", 5, 23),
            ("zero_tolerance", 5, 61),
            ("zero_tolerance", 6, 41),
            ("interval_widened", 8, 27),
        ]
    );
}

#[test]
fn line_ends_and_a_byte_order_mark_change_nothing_but_the_digest() {
    let plain = parsed(MINIMAL).rules;
    for text in [MINIMAL.replace('\n', "\r\n"), format!("\u{feff}{MINIMAL}")] {
        let rules = parsed(&text).rules;
        assert_ne!(rules.digest, plain.digest);
        assert_eq!(RuleFile { digest: plain.digest.clone(), ..rules }, plain);
    }
}

#[test]
fn what_is_too_much_is_refused_and_says_so() {
    #[track_caller]
    fn check(text: &str, code: &str) {
        let faults = rules::parse("a.yaml", text).unwrap_err();
        assert_eq!((faults.len(), faults[0].code), (1, code), "{}", rules::render(&faults, ""));
    }
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for i in 1..10 {
        let previous = format!("*a{}, ", i - 1).repeat(9);
        let _ = writeln!(laughs, "a{i}: &a{i} [{previous}]");
    }
    check(&laughs, "file_too_complex");
    check(&"[".repeat(200_000), "not_yaml");
    check(&"- ".repeat(200_000), "file_too_complex");
    check(&repeated(1000, |i| format!("{}a:\n", " ".repeat(i))), "file_too_complex");
    check(&format!("a: {}", "b".repeat(2 * 1024 * 1024)), "file_too_large");
    check(&format!("a: [{}]", "1, ".repeat(25_000)), "file_too_complex");
    check(&format!("a: &a b\nc: [{}]", "*a, ".repeat(101)), "file_too_complex");
    let utf16: Vec<u8> = MINIMAL.encode_utf16().flat_map(u16::to_le_bytes).collect();
    check(&String::from_utf8_lossy(&utf16), "not_utf8");
    check("a: &a [*a]\n", "not_yaml");
    check("version: 1\n---\nversion: 1\n", "second_document");
    check("- a\n- b\n", "wrong_type");
    let many = repeated(201, |i| format!("  - {{ name: c{i}, gauge: m }}\n"));
    check(&format!("version: 1\nname: a\nchecks:\n{many}"), "bad_length");
    check("version: 1\nname: a\nchecks: []\n", "bad_length");
}

#[test]
fn a_fault_in_an_anchor_is_told_once_where_it_stands() {
    let text = "version: 1
name: a
x-wide: &wide 5pp
checks:
  - { name: a, gauge: m, tolerance: *wide }
  - { name: b, gauge: m, tolerance: *wide }
";
    let faults = rules::parse("a.yaml", text).unwrap_err();
    assert_eq!(faults.len(), 1);
    assert_eq!((faults[0].code, faults[0].line, faults[0].column), ("wrong_unit", 3, 15));
}

#[test]
fn a_thousand_faults_are_not_a_thousand_lines() {
    let checks = repeated(150, |i| format!("  - {{ name: c{i}, gauge: m, tolerance: 1, weight: x }}\n"));
    let faults = rules::parse("a.yaml", &format!("version: 1\nname: a\nchecks:\n{checks}")).unwrap_err();
    assert_eq!(faults.len(), 100);
}

/// One change of a file.
#[derive(Clone, Debug)]
enum Edit {
    Remove(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let word = prop::sample::select(vec![
        ":",
        "- ",
        "\n",
        "\n  ",
        "\t",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        "&a ",
        "*a",
        "<<: ",
        "%",
        "x",
        "pp",
        "-",
        "0",
        "1e999",
        ".nan",
        "$",
        "$interval",
        "$wave",
        "#",
        "|",
        ">",
        "!!str ",
        "? ",
        "---\n",
        "\0",
        "\u{85}",
        "é",
        "offset",
        "@",
        "9999999999",
        "null",
        "~",
        "rate(",
        ")",
        "[1e30]",
        "=~",
        "tolerance",
        "0.2",
        "{ relative: 5%, absolute: 0.2 }",
        "\n    per: m",
        "\n    quantile: p99",
        "\n    scale: absolute",
        "\n    min_points: 9",
        "match",
        "baseline",
    ]);
    let edit = prop_oneof![
        (any::<usize>(), 1..12_usize).prop_map(|(at, many)| Edit::Remove(at, many)),
        (any::<usize>(), word).prop_map(|(at, word)| Edit::Insert(at, word.to_owned())),
        (any::<usize>(), any::<usize>()).prop_map(|(a, b)| Edit::Swap(a, b)),
    ];
    prop::collection::vec(edit, 1..12)
}

fn edited(text: &str, edits: &[Edit]) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for edit in edits {
        let len = chars.len().max(1);
        match edit {
            Edit::Remove(at, many) => drop(chars.drain(at % len..(at % len + many).min(len).min(chars.len()))),
            Edit::Insert(at, word) => drop(chars.splice(at % len..at % len, word.chars()).count()),
            Edit::Swap(a, b) => chars.swap(a % len, b % len),
        }
    }
    chars.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]
    #[test]
    fn no_edit_of_a_shipped_file_makes_the_reader_panic(file in 0..3_usize, edits in edits()) {
        let (name, text) = shipped().swap_remove(file);
        let text = edited(&text, &edits);
        match rules::parse(&name, &text) {
            Ok(parsed) => {
                let wave = Bindings { wave: "w", baseline: Some("b"), params: &BTreeMap::new() };
                prop_assert!(parsed.rules.cohorts.canary.bind(&wave).is_some());
            }
            Err(faults) => {
                prop_assert!(!faults.is_empty());
                let lines = text.lines().count().max(1) + 1;
                prop_assert!(faults.iter().all(|fault| (1..=lines).contains(&fault.line) && fault.column >= 1));
                let shown = rules::render(&faults, &text);
                prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown}");
            }
        }
    }
}
