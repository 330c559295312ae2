//! What is said of a rule file: every code, as a user reads it.

use crate::rules::hostile;
use crate::support::daemon::run;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::Path;
use std::path::PathBuf;
use wavegate::engine;
use wavegate::rules;
use wavegate::rules::CODES;
use wavegate::rules::Diagnostic;
use wavegate::rules::Severity;
use wavegate::rules::import::Tool;
use wavegate::rules::import::import;
use wavegate::rules::rule_test;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Name and text of every file of a folder of fixtures, with what it extends; no base by itself.
pub(crate) fn fixtures(folder: &str) -> Vec<(String, String)> {
    let mut files: Vec<_> = std::fs::read_dir(root().join(folder)).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    let named = |path: PathBuf| {
        let name = format!("{folder}/{}", path.file_name().unwrap().to_str().unwrap());
        let text = engine::read_text(&path).unwrap();
        (name, engine::with_slo(&text, &[], &[root().join("fixtures/slos")]).unwrap())
    };
    files.into_iter().map(named).filter(|(name, _)| !name.contains("/_")).collect()
}

fn told(name: &str, text: &str) -> Vec<Diagnostic> {
    rules::parse(name, text).map_or_else(|faults| faults, |parsed| parsed.warnings)
}

/// What is told of files of other kinds: of rule tests and of what is imported.
fn told_elsewhere() -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for (name, text) in fixtures("fixtures/rule_tests/broken") {
        let faults = match rule_test::parse(&name, &text) {
            Err(faults) => faults,
            Ok(tests) => match engine::read_text(&root().join("fixtures/rule_tests/broken").join(&tests.rules)) {
                Ok(tested) => rules::parse("rules.yaml", &tested).map_or_else(
                    |_| tests.unreadable(&name, &text, "refused".to_owned()),
                    |parsed| {
                        let gone = tests.unreadable_recordings(&name, &text, |_| Err("it is not there".to_owned()));
                        [tests.faults_with(&parsed.rules, &name, &text), gone].concat()
                    },
                ),
                Err(error) => tests.unreadable(&name, &text, error.to_string()),
            },
        };
        all.extend(faults);
    }
    all.extend(import(Tool::Argo, "rollout.yaml", "kind: Rollout\n").unwrap_err());
    all
}

/// Code and severity of all that `wavegate check` tells of the fixtures, of their bases and of SLOs.
fn checked() -> Vec<(String, String)> {
    let bases = ["fixtures/broken/_base.yaml", "fixtures/warned/_base.yaml"];
    let slos = ["fixtures/slos/broken", "fixtures/slos/warned"];
    let files =
        ["check", "--format", "json", "fixtures/broken", "fixtures/warned"].into_iter().chain(bases).chain(slos);
    let listed: Value = serde_json::from_str(&run(files).out).unwrap();
    let faults = listed.as_array().unwrap().iter().flat_map(|file| file["diagnostics"].as_array().unwrap());
    faults.map(|fault| (text(&fault["code"]), text(&fault["severity"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// Every file that loads and deserves a look, and what is said of it.
#[test]
fn every_smell_is_told_with_its_place_and_its_mend() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (name, _) in fixtures("fixtures/warned") {
        let ended = run(["check", &name]);
        assert_eq!(ended.code, Some(0), "{}", ended.out);
        let stem = name.trim_start_matches("fixtures/warned/").trim_end_matches(".yaml");
        settings.bind(|| insta::assert_snapshot!(format!("warned_{stem}"), ended.out));
    }
}

/// Told by sources and by queries that are bound, not by a file that is read.
const ELSEWHERE: &[&str] = &[rules::query::NEEDS_PROMETHEUS];

#[test]
fn every_code_is_in_the_table_and_every_entry_has_a_fixture() {
    let known: BTreeMap<_, _> = CODES.iter().map(|code| (code.name, code.severity.as_str())).collect();
    let mut seen: BTreeSet<String> = ELSEWHERE.iter().copied().map(str::to_owned).collect();
    let hostile = hostile::texts().into_iter().flat_map(|(name, text)| told(&name, &text));
    let library = told_elsewhere().into_iter().chain(hostile);
    let library = library.map(|fault| (fault.code.to_owned(), fault.severity.as_str().to_owned()));
    for (code, severity) in checked().into_iter().chain(library) {
        assert_eq!(
            known.get(code.as_str()),
            Some(&severity.as_str()),
            "`{code}` is not so in the table: put it into `CODES` of src/rules/codes.rs, in its place by name"
        );
        seen.insert(code);
    }
    let without: Vec<_> = known.keys().filter(|code| !seen.contains(**code)).collect();
    assert!(
        without.is_empty(),
        "no fixture shows {without:?}: write a file that does into fixtures/broken (refused) or fixtures/warned (loads), or \
         of SLOs into the same under fixtures/slos, \
         accept its snapshot by `INSTA_UPDATE=always cargo test --test it -- rules::`, and read it"
    );
}

#[test]
fn the_table_of_codes_is_in_order_and_says_what_each_means() {
    assert!(CODES.is_sorted_by(|a, b| a.name < b.name), "sort `CODES` of src/rules/codes.rs by name");
    for code in CODES {
        assert!(code.name.chars().all(|c| c.is_ascii_lowercase() || c == '_' || c.is_ascii_digit()), "{code:?}");
        assert!(code.meaning.ends_with('.') && code.meaning.len() > 20, "{code:?}");
    }
}

/// A fixture may show a code and another place emit one that no fixture reaches.
#[test]
fn every_code_that_the_source_names_is_in_the_table() {
    let known: BTreeSet<_> = CODES.iter().map(|code| code.name).collect();
    // The first text among the arguments of what notes a fault, but for keys of files.
    let call = r#"(?s)\b(?:\w*error|warning|note|new|whole|refused|fault)\(\s*(?:[\w.&]+(?:\([^()]*\))?,\s*)?"([a-z]+(?:_[a-z0-9]+)+)","#;
    let call = Regex::new(call).unwrap();
    let of_rules = ["false_fail", "false_pass", "min_duration", "min_points", "on_deadline", "on_fail", "pass_within"];
    let of_slos = ["min_bad", "min_events", "ratio_timeslices", "wave_burn", "waves_spend"];
    let keys = [&of_rules[..], &of_slos].concat();
    let mut named = 0;
    for file in sources(&root().join("src/rules")) {
        let text = std::fs::read_to_string(&file).unwrap();
        let code = text.split("#[cfg(test)]").next().unwrap();
        for found in call.captures_iter(code).map(|captures| captures[1].to_owned()) {
            if keys.contains(&found.as_str()) {
                continue;
            }
            named += 1;
            let file = file.display();
            assert!(known.contains(found.as_str()), "{file}: put `{found}` into `CODES` of src/rules/codes.rs");
        }
    }
    assert!(named >= CODES.len(), "only {named} codes were found: the pattern has aged");
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

#[test]
fn no_file_that_ships_deserves_a_warning() {
    for (name, text) in fixtures("rules").into_iter().chain(readme()) {
        let faults = told(&name, &text);
        assert_eq!(faults, [], "\n{}", rules::render(&faults, &text));
    }
    let slos = fixtures("slos");
    assert_eq!(slos.len(), 2);
    for (name, text) in slos {
        let faults = rules::parse_slo(&name, &text).map_or_else(|faults| faults, |parsed| parsed.warnings);
        assert_eq!(faults, [], "\n{}", rules::render(&faults, &text));
    }
}

/// Whole rule files of the README.
fn readme() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = text.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let whole = blocks.filter(|block| block.contains("version: 1") && block.contains("checks:"));
    whole.map(|block| ("README.md".to_owned(), block.to_owned())).collect()
}

/// The smells of the one check that says `said`.
#[track_caller]
fn smells(said: &str) -> Vec<&'static str> {
    let text = format!("version: 1\nname: a\nchecks:\n  - {{ name: b, {said} }}\n");
    let parsed = rules::parse("a.yaml", &text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, &text)));
    assert!(parsed.warnings.iter().all(|warning| warning.severity == Severity::Warning));
    parsed.warnings.iter().map(|warning| warning.code).collect()
}

#[test]
fn a_query_that_is_what_it_seems_is_left_alone() {
    for gauge in [
        "rate(http_requests_total[$interval])",
        "queue_count",
        "max by (pod) (queue_depth)",
        "sum without (pod) (queue_depth)",
        "count(http_requests_total)",
        "queue_depth and on (pod) http_requests_total",
        "pool_used / pool_size",
        "avg(pool_used) / 2",
        "sum(rate(cpu_seconds_total[15s])) / sum(rate(requests_total[15s]))",
        "max_over_time(queue_depth[15s])",
        "last_over_time(queue_depth[5s])",
        "time() - process_start_time_seconds",
        "max(latency_seconds{quantile=\"0.99\"})",
    ] {
        assert_eq!(smells(&format!("gauge: '{gauge}'")), [] as [&str; 0], "{gauge}");
    }
    for threshold in [
        "increase(kube_pod_container_status_restarts_total[5m])",
        "sum(rate(errors_total[5m])) / sum(rate(requests_total[5m]))",
        "histogram_quantile(0.99, sum by (le) (rate(x_bucket[5m])))",
        "topk(3, queue_depth)",
    ] {
        assert_eq!(smells(&format!("threshold: '{threshold}', max: 1")), [] as [&str; 0], "{threshold}");
    }
}

#[test]
fn two_bounds_of_one_query_and_two_quantiles_of_one_histogram_are_no_repetition() {
    let text = "version: 1\nname: a\nchecks:\n  - { name: b, threshold: m, max: 2 }\n  - { name: c, threshold: m, min: 1 }\n  \
                - { name: d, histogram: h }\n  - { name: e, histogram: h, quantile: p99 }\n  \
                - { name: f, histogram: h, quantile: p95 }\n";
    assert_eq!(told("a.yaml", text), []);
}

#[test]
fn a_share_of_the_risk_is_reckoned_over_the_checks_that_count() {
    let codes = |weight: &str, more: &str| {
        let text = format!(
            "version: 1\nname: a\nchecks:\n  - {{ name: b, gauge: m }}\n  - {{ name: c, gauge: n, weight: {weight}{more} }}\n"
        );
        told("a.yaml", &text).iter().map(|fault| fault.code).collect::<Vec<_>>()
    };
    assert_eq!(codes("0.01", ""), [] as [&str; 0]);
    assert_eq!(codes("0.001", ""), ["weightless"]);
    assert_eq!(codes("0.001", ", on_fail: report"), [] as [&str; 0]);
}
