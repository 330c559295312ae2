//! A file that extends another, and defaults of checks.

use wavegate::engine;
use wavegate::engine::BookEntry;
use wavegate::engine::BookError;
use wavegate::engine::RuleBook;
use wavegate::engine::SloBook;
use wavegate::rules;
use wavegate::rules::CheckKind;
use wavegate::rules::Digest;
use wavegate::rules::OnFail;
use wavegate::rules::Parsed;
use wavegate::rules::Worse;

const BASE: &str = "
schedule: { interval: 30s, deadline: 90m }
params: { region: eu-1 }
defaults: { on_fail: pause, weight: 3, ratio: { tolerance: 1.5x }, threshold: { breach: 2 of 4 } }
x-anchor: &name memory
checks:
  - { name: errors, ratio: { bad: 'e{region=\"$region\"}', total: r } }
  - { name: *name, gauge: m }
";

const OWN: &str = "version: 1
name: shop
extends: _base.yaml
schedule: { deadline: 60m, warmup: 3m }
defaults: { ratio: { pass_within: 4x } }
checks:
  - { name: up, threshold: up, min: 1 }
  - { name: errors, weight: 2, floor: 1% }
";

fn parsed(text: &str) -> Parsed {
    rules::parse("gates/shop.yaml", text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, text)))
}

#[test]
fn a_file_stands_over_its_base_key_by_key() {
    let text = rules::bundle(OWN, "_base.yaml", BASE);
    let rules = parsed(&text).rules;
    let schedule = rules.schedule;
    assert_eq!(schedule.interval.as_secs(), 30);
    assert_eq!((schedule.deadline.as_secs(), schedule.warmup.as_secs()), (3600, 180));
    let names: Vec<&str> = rules.checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(names, ["errors", "memory", "up"]);
    let CheckKind::Ratio { floor, policy, .. } = &rules.checks[0].kind else { panic!("a ratio") };
    assert_eq!((*floor, policy.tolerance, policy.pass_within, policy.weight), (0.01, 1.5, 4.0, 2.0));
    assert_eq!(rules.checks[1].kind.policy().map(|policy| policy.weight), Some(3.0));
    let CheckKind::Threshold { breach, .. } = &rules.checks[2].kind else { panic!("a threshold") };
    assert_eq!((breach.count, breach.samples), (2, 4));
    assert!(rules.checks.iter().all(|check| check.on_fail == OnFail::Pause));
    assert_eq!(rules.digest, Digest::of(text.as_bytes()));
}

#[test]
fn a_base_is_looked_for_only_where_one_is_named() {
    assert_eq!(rules::base_of(OWN), Some("_base.yaml".to_owned()));
    assert_eq!(rules::base_of("version: 1\n# extends: _base.yaml\n"), None);
    for name in ["../a.yaml", "/etc/passwd", "a/b.yaml", "..", ".a.yaml", "a.txt", "a\\b.yaml", "''", "[a.yaml]", "7"] {
        assert_eq!(rules::base_of(&format!("extends: {name}\n")), None, "{name}");
    }
    let bundle = rules::bundle(OWN, "_base.yaml", BASE);
    assert_eq!(rules::base_of(&bundle), None, "it is there already");
}

#[test]
fn a_second_document_is_read_only_as_what_is_extended() {
    let codes = |text: &str| rules::parse("a.yaml", text).unwrap_err().iter().map(|d| d.code).collect::<Vec<_>>();
    let plain = "version: 1\nname: a\nchecks: [{ name: up, threshold: up, min: 1 }]\n";
    assert_eq!(codes(&format!("{plain}---\nname: b\n")), ["second_document"]);
    assert_eq!(codes(&rules::bundle(plain, "_base.yaml", "mode: observe\n")), ["second_document"]);
    let extends = format!("extends: _base.yaml\n{plain}");
    assert_eq!(codes(&rules::bundle(&extends, "_other.yaml", "mode: observe\n")), ["no_base"]);
    assert_eq!(
        codes(&rules::bundle(&extends, "_base.yaml", "mode: observe\n---\nmode: observe\n")),
        ["bad_base", "second_document"]
    );
    assert_eq!(codes(&rules::bundle(&extends, "_base.yaml", "")), ["wrong_type"]);
    assert_eq!(codes(&rules::bundle(&extends, "_base.yaml", "mode: observe\nmode: observe\n")), ["duplicate_key"]);
}

#[test]
fn a_fault_of_the_base_is_shown_where_the_base_has_it() {
    let text = rules::bundle(OWN, "_base.yaml", "# first\nrisk: { false_fail: 5 }\n");
    let faults = rules::parse("gates/shop.yaml", &text).unwrap_err();
    let shown = rules::render(&faults, &text);
    let expect = "gates/_base.yaml:2:21\n  |\n2 | risk: { false_fail: 5 }\n";
    assert!(shown.contains(expect), "{shown}");
}

#[test]
fn a_check_of_another_kind_takes_the_place_of_the_bases() {
    let base = "checks: [{ name: a, threshold: up, max: 3, on_fail: report }, { name: b, gauge: m }]\n";
    let own = "version: 1\nname: n\nextends: b.yaml\nchecks: [{ name: a, min: 1 }, { name: b, histogram: h }]\n";
    let rules = parsed(&rules::bundle(own, "b.yaml", base)).rules;
    let CheckKind::Threshold { bound, .. } = rules.checks[0].kind else { panic!("a threshold") };
    assert_eq!((bound, rules.checks[0].on_fail), (rules::Bound::Min(1.0), OnFail::Report));
    assert_eq!(rules.checks[1].kind.word(), "histogram");
}

#[test]
fn a_default_goes_to_checks_that_can_have_it() {
    let text = "version: 1
name: a
defaults: { worse: either, min_points: 9, gauge: { test: mann_whitney }, quantile: { tolerance: 20% }, probe: {} }
checks:
  - { name: g, gauge: m }
  - { name: i, gauge: m, by: instance }
  - { name: q, histogram: h, quantile: p99 }
  - { name: t, threshold: up, min: 1 }
  - { name: r, ratio: { bad: e, total: r }, worse: decrease }
";
    let parsed = parsed(text);
    let worse: Vec<_> = parsed.rules.checks.iter().filter_map(|check| check.kind.policy()).map(|p| p.worse).collect();
    assert_eq!(worse, [Worse::Either, Worse::Either, Worse::Increase, Worse::Decrease]);
    assert!(parsed.rules.checks.iter().filter_map(|check| check.kind.policy()).all(|policy| policy.min_points == 9));
    let CheckKind::Gauge { test, .. } = parsed.rules.checks[1].kind else { panic!("a gauge") };
    assert_eq!(test, rules::GaugeTest::ByInstance);
    let warnings: Vec<_> = parsed.warnings.iter().map(|warning| warning.code).collect();
    assert_eq!(warnings, ["unused_defaults"]);
}

#[test]
fn a_folder_is_read_with_its_bases_and_a_stored_text_is_read_alone() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("shop.yaml", OWN);
    write("_base.yaml", BASE);
    assert_eq!(engine::rule_paths(folder.path()).unwrap(), [folder.path().join("shop.yaml")]);
    let (book, warnings) = RuleBook::read(folder.path(), &SloBook::default()).unwrap();
    assert_eq!((book.names(), warnings), ("shop".to_owned(), Vec::new()));
    let entry = book.iter().next().unwrap();
    let text = engine::read_text(&folder.path().join("shop.yaml")).unwrap();
    assert_eq!(entry.text, text);
    // A restart has the text and not the folder.
    std::fs::remove_file(folder.path().join("_base.yaml")).unwrap();
    let again = BookEntry::parse(&entry.rules.name, entry.text.clone()).unwrap();
    assert_eq!(again, *entry);
    let BookError::Refused { files } = RuleBook::read(folder.path(), &SloBook::default()).unwrap_err() else {
        panic!("refused")
    };
    assert_eq!((files[0].2[0].code, files[0].2[0].line), ("no_base", 3));
}
