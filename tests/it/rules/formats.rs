//! What `wavegate check` prints for machines.

use crate::rules::diagnostics::fixtures;
use crate::support::daemon::run;
use serde_json::Value;
use std::collections::BTreeSet;
use wavegate::rules::CODES;

#[track_caller]
fn checked(format: &str, files: &[&str], code: i32) -> String {
    let ended = run([&["check", "--format", format], files].concat());
    assert_eq!(ended.code, Some(code), "{}{}", ended.out, ended.err);
    ended.out
}

fn sarif(files: &[&str], code: i32) -> Value {
    serde_json::from_str(&checked("sarif", files, code)).unwrap()
}

#[test]
fn a_log_of_sarif_is_what_the_standard_asks_for() {
    let files: Vec<String> =
        ["fixtures/broken", "fixtures/warned", "rules"].into_iter().flat_map(fixtures).map(|(name, _)| name).collect();
    let names: Vec<&str> = files.iter().map(String::as_str).collect();
    let log = sarif(&names, 2);
    assert_eq!(log["version"], "2.1.0");
    assert_eq!(log["$schema"], "https://json.schemastore.org/sarif-2.1.0.json");
    let [run] = log["runs"].as_array().unwrap().as_slice() else { panic!("one run") };
    let driver = &run["tool"]["driver"];
    assert_eq!((&driver["name"], &driver["semanticVersion"]), (&"wavegate".into(), &env!("CARGO_PKG_VERSION").into()));
    let rules = driver["rules"].as_array().unwrap();
    assert_eq!(rules.len(), CODES.len() + 1, "every code, and that of configurations");
    let ids: BTreeSet<_> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rules.len(), "each once");
    for rule in rules {
        assert!(["error", "warning"].contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()), "{rule}");
        for text in ["shortDescription", "fullDescription", "help"] {
            assert!(rule[text]["text"].as_str().is_some_and(|text| !text.is_empty()), "{rule}");
        }
    }
    let results = run["results"].as_array().unwrap();
    assert!(results.len() > 100, "{}", results.len());
    for result in results {
        let rule = &rules[usize::try_from(result["ruleIndex"].as_u64().unwrap()).unwrap()];
        assert_eq!(rule["id"], result["ruleId"]);
        assert_eq!(rule["defaultConfiguration"]["level"], result["level"]);
        assert!(result["message"]["text"].as_str().unwrap().contains("\nhelp: "), "{result}");
        let [location] = result["locations"].as_array().unwrap().as_slice() else { panic!("one location") };
        let place = &location["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap();
        let is_behind = uri.ends_with("/_base.yaml") || uri == "fixtures/slos/unreadable.yaml";
        assert!(names.contains(&uri) || is_behind, "{result}");
        let at = |key: &str| place["region"][key].as_u64().unwrap();
        assert!(at("startLine") >= 1 && at("startColumn") >= 1, "{result}");
        assert!(at("endLine") == at("startLine") && at("endColumn") > at("startColumn"), "{result}");
    }
}

#[test]
fn a_fault_in_sarif_says_where_and_how_to_mend_it() {
    let log = sarif(&["fixtures/broken/bounds.yaml", "fixtures/warned/policies.yaml"], 2);
    let results = serde_json::to_string_pretty(&log["runs"][0]["results"]).unwrap();
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("sarif_results", results));
}

#[test]
fn a_fault_of_a_base_is_at_the_base_and_told_once() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let base = std::fs::read_to_string("fixtures/warned/_base.yaml").unwrap();
    write("_base.yaml", &base);
    for name in ["one", "two"] {
        write(&format!("{name}.yaml"), &format!("version: 1\nname: {name}\nextends: _base.yaml\n"));
    }
    let log = sarif(&[folder.path().to_str().unwrap()], 0);
    let results = log["runs"][0]["results"].as_array().unwrap();
    let lines: Vec<&str> = base.lines().collect();
    let mut told = Vec::new();
    for result in results {
        let place = &result["locations"][0]["physicalLocation"];
        assert!(place["artifactLocation"]["uri"].as_str().unwrap().ends_with("/_base.yaml"), "{result}");
        let line = lines[usize::try_from(place["region"]["startLine"].as_u64().unwrap()).unwrap() - 1];
        told.push((result["ruleId"].as_str().unwrap(), line.trim()));
    }
    for expect in [
        ("interval_widened", "gauge: sum(rate(process_cpu_seconds_total[$interval]))"),
        ("irate_drops_samples", "gauge: irate(process_cpu_seconds_total[30s])"),
        ("cannot_decide", "- name: rare"),
    ] {
        assert_eq!(told.iter().filter(|one| **one == expect).count(), 1, "{expect:?} of {told:?}");
    }
}

#[test]
fn a_path_in_sarif_is_escaped_and_no_url_of_another_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a b:#?%é.yaml");
    std::fs::write(&path, "checks: 7\n").unwrap();
    let log = sarif(&[path.to_str().unwrap()], 2);
    let uri = log["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].clone();
    let uri = uri.as_str().unwrap();
    assert!(uri.starts_with("file:///") && uri.ends_with("/a%20b%3A%23%3F%25%C3%A9.yaml"), "{uri}");
}

#[test]
fn what_is_fine_has_no_results_and_the_old_word_for_people_still_works() {
    let fine = "rules/http-service.yaml";
    assert_eq!(sarif(&[fine], 0)["runs"][0]["results"], serde_json::json!([]));
    let human = checked("human", &["fixtures/warned/policies.yaml", fine], 0);
    assert!(human.contains("warning[weightless]") && human.ends_with("rules/http-service.yaml: ok\n"), "{human}");
    assert_eq!(checked("text", &["fixtures/warned/policies.yaml", fine], 0), human);
    assert_eq!(run(["check", "fixtures/warned/policies.yaml", fine]).out, human);
}

#[test]
fn a_file_that_cannot_be_read_hides_no_fault_of_another() {
    let files = ["nowhere.yaml", "fixtures/broken/bounds.yaml", "nothing.yaml"];
    let ended = run([&["check"], &files[..]].concat());
    assert_eq!(ended.code, Some(2));
    assert!(ended.out.contains("fixtures/broken/bounds.yaml: refused"), "{}", ended.out);
    assert!(ended.err.contains("nowhere.yaml") && ended.err.contains("nothing.yaml"), "{}", ended.err);
}
