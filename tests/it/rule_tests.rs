//! `wavegate test`: the shipped rules keep what their tests say, and a test that fails,
//! or cannot be read, says why.

use crate::support::daemon::Ended;
use crate::support::daemon::run;
use serde_json::Value;
use std::fs;
use std::path::Path;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::Course;
use wavegate::engine::Past;
use wavegate::rules;
use wavegate::rules::Severity;
use wavegate::rules::rule_test;
use wavegate::rules::rule_test::Given;
use wavegate::rules::rule_test::MadeWave;
use wavegate::rules::rule_test::RuleTest;
use wavegate::sources::GivenSource;
use wavegate::wave::GateState;
use wavegate::wave::Verdict;
use wavegate::wave::WaveId;
use wavegate::wire;

/// The command as a user of the repository runs it: Cargo runs tests in its root.
fn test(arguments: &[&str]) -> Ended {
    run([&["test"], arguments].concat())
}

/// `page` without what a clock says.
fn timeless(page: &str) -> String {
    let line = |line: &str| match line.trim_end().strip_suffix(" s").and_then(|rest| rest.rsplit_once("  ")) {
        Some((rest, time)) if time.parse::<f64>().is_ok() => format!("{rest}  T s\n"),
        _ => format!("{line}\n"),
    };
    page.lines().map(line).collect()
}

/// XML without what a clock says.
fn untimed(xml: &str) -> String {
    let mut parts = xml.split("time=\"");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        out.push_str("time=\"T\"");
        out.push_str(part.split_once('"').map_or("", |(_, rest)| rest));
    }
    out
}

#[test]
fn the_shipped_rules_keep_what_their_tests_say() {
    let ended = test(&["rules/tests"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    let mut files: Vec<_> = fs::read_dir("rules").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| path.is_file());
    for file in files {
        let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
        assert!(ended.out.contains(&format!("rules/tests/{stem}_test.yaml\n")), "{stem} has no tests");
    }
}

#[test]
fn tests_that_pass_are_a_line_each() {
    for file in ["burning", "closed", "watched"] {
        let ended = test(&[&format!("fixtures/rule_tests/{file}_test.yaml")]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""), "{}", ended.out);
    }
    let ended = test(&["fixtures/rule_tests/passes_test.yaml"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    insta::assert_snapshot!("rule_tests_pass", timeless(&ended.out));
}

#[test]
fn a_test_that_fails_shows_what_differs_with_the_numbers_and_the_reasons() {
    let ended = test(&["fixtures/rule_tests/differs_test.yaml"]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(3), ""));
    insta::assert_snapshot!("rule_tests_differ", timeless(&ended.out));
}

#[test]
fn a_query_beyond_what_is_evaluated_fails_its_test_and_names_the_check() {
    let ended = test(&["fixtures/rule_tests/beyond_test.yaml"]);
    assert_eq!(ended.code, Some(3));
    assert!(ended.out.contains("not judged: check `far`: "), "{}", ended.out);
    assert!(ended.out.contains("[needs_prometheus]") && !ended.out.contains("check `near`"), "{}", ended.out);
}

#[test]
fn machines_get_the_same_as_people() {
    let ended = test(&[
        "--format",
        "json",
        "fixtures/rule_tests/differs_test.yaml",
        "fixtures/rule_tests/broken/unknown_test.yaml",
    ]);
    assert_eq!((ended.code, ended.err.as_str()), (Some(2), ""));
    let found: Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!((&found["passed"], &found["failed"], &found["refused"]), (&1.into(), &2.into(), &1.into()));
    let test = &found["files"][0]["tests"][0];
    assert_eq!((&test["outcome"], &test["line"]), (&"failed".into(), &5.into()));
    let difference = &test["moments"][1]["differences"][0];
    assert_eq!(
        (&difference["what"], &difference["expected"], &difference["got"]),
        (&"verdict".into(), &"fail".into(), &"pause".into())
    );
    let fault = &found["files"][1]["diagnostics"][0];
    assert_eq!((&fault["code"], &fault["line"], &fault["column"]), (&"unknown_param".into(), &2.into(), &11.into()));
}

#[test]
fn junit_xml_has_every_test_and_nothing_that_xml_cannot_hold() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("junit.xml");
    let files = ["passes_test.yaml", "differs_test.yaml", "beyond_test.yaml", "broken/missing_test.yaml"];
    let files = files.map(|file| format!("fixtures/rule_tests/{file}"));
    let mut arguments = vec!["--junit", path.to_str().unwrap()];
    arguments.extend(files.iter().map(String::as_str));
    assert_eq!(test(&arguments).code, Some(2));
    let xml = fs::read_to_string(&path).unwrap();
    assert!(!xml.contains(|c: char| c.is_control() && c != '\n'), "{xml}");
    insta::assert_snapshot!("rule_tests_junit", untimed(&xml));
}

#[test]
fn what_cannot_be_written_or_found_is_said() {
    let ended = test(&["--junit", "fixtures/nowhere/junit.xml", "fixtures/rule_tests/passes_test.yaml"]);
    assert_eq!(ended.code, Some(2));
    assert!(ended.err.starts_with("error: cannot write `fixtures/nowhere/junit.xml`"), "{}", ended.err);
    let ended = test(&["fixtures/broken"]);
    assert_eq!(ended.code, Some(2));
    assert_eq!(ended.err, "error: `fixtures/broken` holds no file that is named `*_test.yaml`\n");
    assert_eq!(test(&["fixtures/rule_tests/nothing_test.yaml"]).code, Some(2));
}

#[test]
fn every_fault_of_a_broken_file_is_told_with_its_place() {
    let mut files: Vec<_> = fs::read_dir("fixtures/rule_tests/broken").unwrap().map(|e| e.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 8);
    for path in files {
        let ended = test(&[path.to_str().unwrap()]);
        assert_eq!((ended.code, ended.err.as_str()), (Some(2), ""), "{}", path.display());
        let stem = path.file_stem().unwrap().to_str().unwrap().trim_end_matches("_test");
        insta::assert_snapshot!(format!("rule_tests_broken_{stem}"), ended.out);
    }
}

#[test]
fn the_words_of_a_test_are_those_of_a_document() {
    let verdicts = [Verdict::Pass, Verdict::Fail, Verdict::Pause].map(wire::verdict);
    assert_eq!(verdicts, rule_test::VERDICTS);
    let untouched =
        wire::STATES.iter().filter(|(state, _)| !matches!(state, GateState::Scheduled | GateState::Cancelled));
    assert_eq!(untouched.map(|(_, word)| *word).collect::<Vec<_>>(), rule_test::STATES);
}

#[test]
fn a_hostile_file_of_tests_is_refused_before_it_costs_anything() {
    #[track_caller]
    fn check(text: &str, code: &str) {
        let faults = rule_test::parse("a_test.yaml", text).unwrap_err();
        assert!(faults.iter().any(|fault| fault.code == code), "{}", rules::render(&faults, ""));
        assert!(faults.iter().all(|fault| fault.severity == Severity::Error));
    }
    let with = |series: &str| {
        format!(
            "rules: r.yaml\ntests:\n  - name: a\n    series:\n{series}\n    expect: [{{ at: 30d, verdict: pass }}]\n"
        )
    };
    check(&with("      - { series: a, values: '0x18446744073709551615 0x18446744073709551615' }"), "too_many_samples");
    check(&with("      - { histogram: a, rate: 1e9/s, median: 1, p99: 2 }"), "wrong_unit");
    let often = "interval: 1s\n";
    let lasting = with("      - { histogram: a, rate: 1000000000/s, median: 1, p99: 2 }");
    check(&(often.to_owned() + &lasting), "too_many_samples");
    let nodes = "      - { series: a, values: '1' }\n".repeat(501);
    check(&with(&nodes), "bad_length");
    let tests = "  - { name: a, expect: [{ at: 1m, verdict: pass }] }\n".repeat(201);
    check(&format!("rules: r.yaml\ntests:\n{tests}"), "bad_length");
    check(&with(&format!("      - {{ series: a, values: '{}' }}", "1 ".repeat(9000))), "bad_length");
    check(&format!("rules: r.yaml\ntests: {}", "[".repeat(100_000)), "not_yaml");
    check(&with("      - { series: \"a\\n# b 1\", values: '1' }"), "not_a_series");
}

#[test]
fn what_is_said_beside_the_tests_holds_for_each_that_says_nothing_else() {
    let text = fs::read_to_string(Path::new("fixtures/rule_tests/passes_test.yaml")).unwrap();
    let tests = rule_test::parse("passes_test.yaml", &text).unwrap().tests;
    let [first, second] = tests.as_slice() else { panic!("two tests") };
    let (first, second) = (made(first), made(second));
    assert_eq!((first.wave.as_str(), second.wave.as_str()), ("w1", "w2"));
    assert_eq!((first.baseline.as_deref(), second.baseline.as_deref()), (Some("w0"), Some("w0")));
    assert_eq!(first.start.to_string(), "2026-01-05T12:00:00Z");
    assert_eq!(second.start.to_string(), "2025-12-24T18:00:00Z");
    assert_eq!((first.stored().len(), second.stored().len()), (8, 10));
}

fn made(test: &RuleTest) -> &MadeWave {
    let Given::Made(made) = &test.given else { panic!("{} is of a recording", test.name) };
    made
}

#[tokio::test]
async fn what_stood_at_a_moment_is_what_a_judgement_up_to_it_says() {
    let rules = fs::read_to_string("fixtures/rule_tests/rules.yaml").unwrap();
    let rules = rules::parse("rules.yaml", &rules).unwrap().rules;
    let text = fs::read_to_string("fixtures/rule_tests/passes_test.yaml").unwrap();
    for test in rule_test::parse("passes_test.yaml", &text).unwrap().tests {
        let made = made(&test);
        let source = GivenSource::new("test", made.stored());
        let past = |until| Past {
            params: made.params.clone(),
            wave: WaveId::new(&made.wave).unwrap(),
            baseline: made.baseline.clone(),
            class: None,
            start: made.start,
            until,
        };
        // On the grid, between two looks, at the start and after the end.
        let moments: Vec<_> = [0, 14, 15, 300, 301, 359, 360, 1199, 1200, 9000]
            .map(|seconds| made.start + Duration::from_secs(seconds))
            .to_vec();
        let last = past(*moments.last().unwrap());
        let course = Course { moments: &moments, ..Course::default() };
        let judged = engine::judge_moments(&source, &rules, last, made.interval, course).await.unwrap();
        assert!(judged.outage.is_none());
        assert_eq!(judged.documents.len(), moments.len());
        for (moment, document) in moments.iter().zip(&judged.documents) {
            let alone = engine::judge_past(&source, &rules, past(*moment), |_, _| ()).await.unwrap();
            assert_eq!(alone.document, *document, "{} at {moment}", test.name);
        }
    }
}
