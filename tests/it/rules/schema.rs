//! The JSON Schema of rule files: equal to what is committed, to what the reader
//! takes, and true of what ships.
//!
//! The validator knows the keywords that the schema uses, and refuses others, so that
//! none is passed over.

use crate::rules::slo;
use crate::rules::whole::EVERYTHING;
use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::path::PathBuf;
use wavegate::rules;
use wavegate::rules::Diagnostic;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_schema_that_is_committed_is_the_one_that_is_printed() {
    let committed = std::fs::read_to_string(root().join("schema/rules.schema.json")).unwrap();
    let made = serde_json::to_string_pretty(&rules::schema()).unwrap() + "\n";
    assert!(committed == made, "run `cargo run -- schema > schema/rules.schema.json`");
    let committed = std::fs::read_to_string(root().join("schema/slos.schema.json")).unwrap();
    let made = serde_json::to_string_pretty(&rules::slo_schema()).unwrap() + "\n";
    assert!(committed == made, "run `cargo run -- schema --slo > schema/slos.schema.json`");
}

/// Where each mapping of the schema is, with a file that has a key there that nobody knows.
const PLACES: &[(&str, &str)] = &[
    ("", "zzzzzz: 1"),
    ("/cohorts", "cohorts: { zzzzzz: 1 }"),
    ("/cohorts/baseline", "cohorts: { baseline: { zzzzzz: 1 } }"),
    ("/schedule", "schedule: { zzzzzz: 1 }"),
    ("/risk", "risk: { zzzzzz: 1 }"),
    ("/telemetry", "telemetry: { zzzzzz: 1 }"),
    ("/windows", "windows: { zzzzzz: 1 }"),
    ("/windows/allow/*", "windows: { allow: [{ zzzzzz: 1 }] }"),
    ("/windows/deny/*", "windows: { deny: [{ zzzzzz: 1 }] }"),
    ("/params/*", "params: { a: { zzzzzz: 1 } }"),
    ("/budget", "budget: { zzzzzz: 1 }"),
    ("/budget/wave_burn", "budget: { wave_burn: { zzzzzz: 1 } }"),
    ("/traffic", "traffic: { zzzzzz: 1 }"),
    ("/traffic/instances", "traffic: { instances: { zzzzzz: 1 } }"),
    ("/traffic/latency", "traffic: { latency: { zzzzzz: 1 } }"),
    ("/traffic/checks/*", "traffic: { checks: { a: { zzzzzz: 1 } } }"),
    ("/traffic/checks/*/instances", "traffic: { checks: { a: { instances: { zzzzzz: 1 } } } }"),
    ("/traffic/checks/*/latency", "traffic: { checks: { a: { latency: { zzzzzz: 1 } } } }"),
    ("/defaults", "defaults: { zzzzzz: 1 }"),
    ("/defaults/ratio", "defaults: { ratio: { zzzzzz: 1 } }"),
    ("/defaults/histogram", "defaults: { histogram: { zzzzzz: 1 } }"),
    ("/defaults/quantile", "defaults: { quantile: { zzzzzz: 1 } }"),
    ("/defaults/gauge", "defaults: { gauge: { zzzzzz: 1 } }"),
    ("/defaults/gauge/tolerance", "defaults: { gauge: { tolerance: { zzzzzz: 1 } } }\nchecks: [{ gauge: m }]"),
    ("/defaults/gauge/pass_within", "defaults: { gauge: { pass_within: { zzzzzz: 1 } } }\nchecks: [{ gauge: m }]"),
    ("/defaults/threshold", "defaults: { threshold: { zzzzzz: 1 } }"),
    ("/defaults/probe", "defaults: { probe: { zzzzzz: 1 } }"),
    ("/defaults/probe/errors", "defaults: { probe: { errors: { zzzzzz: 1 } } }\nchecks: [{ probe: {} }]"),
    ("/defaults/probe/latency", "defaults: { probe: { latency: { zzzzzz: 1 } } }\nchecks: [{ probe: {} }]"),
    ("/checks/*", "checks: [{ zzzzzz: 1 }]"),
    ("/checks/*/ratio", "checks: [{ ratio: { zzzzzz: 1 } }]"),
    ("/checks/*/probe", "checks: [{ probe: { zzzzzz: 1 } }]"),
    ("/checks/*/errors", "checks: [{ probe: {}, errors: { zzzzzz: 1 } }]"),
    ("/checks/*/latency", "checks: [{ probe: {}, latency: { zzzzzz: 1 } }]"),
    ("/checks/*/match", "checks: [{ gauge: m, match: { zzzzzz: 1 } }]"),
    ("/checks/*/tolerance", "checks: [{ gauge: m, tolerance: { zzzzzz: 1 } }]"),
    ("/checks/*/pass_within", "checks: [{ gauge: m, pass_within: { zzzzzz: 1 } }]"),
];

/// The same of an SLO file.
const SLO_PLACES: &[(&str, &str)] = &[
    ("", "zzzzzz: 1"),
    ("/period", "period: { zzzzzz: 1 }"),
    ("/indicator", "indicator: { zzzzzz: 1 }"),
    ("/indicator/ratio", "indicator: { ratio: { zzzzzz: 1 } }"),
    ("/indicator/latency", "indicator: { latency: { zzzzzz: 1 } }"),
    ("/budgeting", "budgeting: { zzzzzz: 1 }"),
    ("/budgeting/timeslices", "budgeting: { timeslices: { zzzzzz: 1 } }"),
    ("/budgeting/ratio_timeslices", "budgeting: { ratio_timeslices: { zzzzzz: 1 } }"),
    ("/burn", "burn: { zzzzzz: 1 }"),
    ("/burn/tiers/*", "burn: { tiers: [{ zzzzzz: 1 }] }"),
    ("/burn/absolute", "burn: { absolute: { zzzzzz: 1 } }"),
    ("/policies", "policies: { zzzzzz: 1 }"),
    ("/policies/wave_burn", "policies: { wave_burn: { zzzzzz: 1 } }"),
];

/// The names of the keys of each mapping of `schema`, by its place.
fn mappings(schema: &Value, place: &str, found: &mut BTreeMap<String, BTreeSet<String>>) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        found.entry(place.to_owned()).or_default().extend(properties.keys().cloned());
        for (key, of) in properties {
            mappings(of, &format!("{place}/{key}"), found);
        }
    }
    for of in schema.get("anyOf").and_then(Value::as_array).into_iter().flatten() {
        mappings(of, place, found);
    }
    for of in ["items", "additionalProperties"].iter().filter_map(|inner| schema.get(inner)) {
        mappings(of, &format!("{place}/*"), found);
    }
}

#[test]
fn the_schema_has_the_keys_that_the_reader_knows_and_no_others() {
    fn rule_faults(text: &str) -> Vec<Diagnostic> {
        rules::parse("a.yaml", text).unwrap_err()
    }
    fn slo_faults(text: &str) -> Vec<Diagnostic> {
        rules::parse_slo("a.yaml", text).unwrap_err()
    }
    keys_are_known(&rules::schema(), PLACES, rule_faults);
    keys_are_known(&rules::slo_schema(), SLO_PLACES, slo_faults);
}

#[track_caller]
fn keys_are_known(schema: &Value, places: &[(&str, &str)], faults_of: fn(&str) -> Vec<Diagnostic>) {
    let mut found = BTreeMap::new();
    mappings(schema, "", &mut found);
    let named = Regex::new("`([a-z0-9_]+)`").unwrap();
    let known = places.iter().map(|(place, text)| {
        let faults = faults_of(text);
        let fault = faults.iter().find(|fault| fault.code == "unknown_key" && fault.message.starts_with("`zzzzzz`"));
        let help = &fault.unwrap_or_else(|| panic!("{place}: {}", rules::render(&faults, text))).help;
        let (_, listed) = help.split_once(" are ").unwrap_or_else(|| help.split_once(" is ").expect("a list"));
        let keys: BTreeSet<String> = named.captures_iter(listed).map(|found| found[1].to_owned()).collect();
        ((*place).to_owned(), keys)
    });
    assert_eq!(found, known.collect());
}

/// What `value` has that `schema` does not let it have.
fn faults(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let Value::Object(keywords) = schema else {
        return if schema == &Value::Bool(false) { vec![format!("{place}: may not be")] } else { Vec::new() };
    };
    let mut found = Vec::new();
    for (keyword, said) in keywords {
        let holds = match keyword.as_str() {
            "$schema"
            | "title"
            | "description"
            | "default"
            | "examples"
            | "then"
            | "else"
            | "patternProperties"
            | "additionalProperties" => true,
            "properties" | "items" | "allOf" | "if" => {
                found.extend(nested(keyword, said, schema, value, place));
                true
            }
            "oneOf" => each(said).filter(|one| faults(one, value, place).is_empty()).count() == 1,
            "anyOf" => each(said).any(|one| faults(one, value, place).is_empty()),
            "const" => value.as_f64() == said.as_f64(),
            "enum" => each(said).any(|one| one == value),
            "type" => is_a(value, said.as_str().unwrap()),
            "pattern" => value.as_str().is_none_or(|text| Regex::new(said.as_str().unwrap()).unwrap().is_match(text)),
            "minLength" => value.as_str().is_none_or(|text| text.chars().count() >= size(said)),
            "maxLength" => value.as_str().is_none_or(|text| text.chars().count() <= size(said)),
            "minimum" => value.as_f64().is_none_or(|value| value >= number(said)),
            "maximum" => value.as_f64().is_none_or(|value| value <= number(said)),
            "minItems" => value.as_array().is_none_or(|list| list.len() >= size(said)),
            "maxItems" => value.as_array().is_none_or(|list| list.len() <= size(said)),
            "maxProperties" => value.as_object().is_none_or(|table| table.len() <= size(said)),
            "propertyNames" => value.as_object().is_none_or(|table| {
                table.keys().all(|key| faults(said, &Value::String(key.clone()), place).is_empty())
            }),
            "required" => {
                value.as_object().is_none_or(|table| each(said).all(|key| table.contains_key(key.as_str().unwrap())))
            }
            other => panic!("the validator does not know `{other}`"),
        };
        if !holds {
            found.push(format!("{place}: {keyword} {said}"));
        }
    }
    found.extend(additional(schema, value, place));
    found
}

fn nested(keyword: &str, said: &Value, schema: &Value, value: &Value, place: &str) -> Vec<String> {
    match (keyword, value) {
        ("properties", Value::Object(table)) => {
            let own = table.iter().filter_map(|(key, value)| Some((key, value, said.get(key)?)));
            own.flat_map(|(key, value, of)| faults(of, value, &format!("{place}/{key}"))).collect()
        }
        ("items", Value::Array(list)) => {
            let numbered = list.iter().enumerate();
            numbered.flat_map(|(i, value)| faults(said, value, &format!("{place}/{i}"))).collect()
        }
        ("allOf", _) => each(said).flat_map(|one| faults(one, value, place)).collect(),
        ("if", _) => {
            let branch = if faults(said, value, place).is_empty() { "then" } else { "else" };
            schema.get(branch).map(|branch| faults(branch, value, place)).unwrap_or_default()
        }
        _ => Vec::new(),
    }
}

fn additional(schema: &Value, value: &Value, place: &str) -> Vec<String> {
    let (Some(said), Value::Object(table)) = (schema.get("additionalProperties"), value) else { return Vec::new() };
    let patterns: Vec<Regex> = schema
        .get("patternProperties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .map(|(pattern, _)| Regex::new(pattern).unwrap())
        .collect();
    let named = |key: &str| schema.get("properties").is_some_and(|properties| properties.get(key).is_some());
    let others = table.iter().filter(|(key, _)| !named(key) && !patterns.iter().any(|pattern| pattern.is_match(key)));
    others.flat_map(|(key, value)| faults(said, value, &format!("{place}/{key}"))).collect()
}

fn each(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().expect("a list").iter()
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

fn size(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a whole number")).expect("a size")
}

fn is_a(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "number" => value.is_number(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        other => panic!("the validator does not know the type `{other}`"),
    }
}

fn faults_of(text: &str) -> Vec<String> {
    faults_by(&rules::schema(), text)
}

fn faults_by(schema: &Value, text: &str) -> Vec<String> {
    // `off` is a word, as the reader and YAML 1.2 have it.
    let options = serde_saphyr::options! { strict_booleans: true };
    let value: Value =
        serde_saphyr::from_str_with_options(text, options).unwrap_or_else(|error| panic!("{error}\n{text}"));
    faults(schema, &value, "")
}

#[test]
fn an_slo_file_that_ships_is_what_the_schema_says() {
    let folder = std::fs::read_dir(root().join("slos")).unwrap().map(|entry| entry.unwrap().path());
    let mut texts: Vec<String> = folder.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert_eq!(texts.len(), 2);
    texts.push(slo::EVERYTHING.to_owned());
    for text in texts {
        assert_eq!(faults_by(&rules::slo_schema(), &text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_editor_sees_what_the_reader_refuses_of_an_slo() {
    #[track_caller]
    fn check(said: &str, place: &str) {
        let text = format!("version: 1\nname: a\n{said}\n");
        assert!(rules::parse_slo("a.yaml", &text).is_err(), "{said}");
        let faults = faults_by(&rules::slo_schema(), &text);
        assert!(faults.iter().any(|fault| fault.starts_with(place)), "{said}: {faults:?}");
    }
    let least = "objective: 99%\nindicator: { up: up }";
    check("", ": required");
    check("objective: 99.9\nindicator: { up: up }", "/objective: type");
    check("objective: 99%\nindicator: {}", "/indicator: oneOf");
    check("objective: 99%\nindicator: { up: a, ratio: { bad: b, total: t } }", "/indicator: oneOf");
    check("objective: 99%\nindicator: { ratio: { bad: b, good: g, total: t } }", "/indicator/ratio: oneOf");
    check(&format!("{least}\nperiod: 30 days"), "/period: anyOf");
    check(&format!("{least}\nbudgeting: events"), "/budgeting: anyOf");
    let tier = "name: a, severity: page, long: 1h, short: 5m";
    check(&format!("{least}\nburn: {{ tiers: [{{ {tier} }}] }}"), "/burn/tiers/0: oneOf");
    check(&format!("{least}\npolicies: {{ reserve: 0.2 }}"), "/policies/reserve: anyOf");
    check(&format!("{least}\npolicies: {{ page: stop }}"), "/policies/page: enum");
}

#[test]
fn what_ships_and_what_is_shown_is_what_the_schema_says() {
    let folder = std::fs::read_dir(root().join("rules")).unwrap().map(|entry| entry.unwrap().path());
    let yaml = folder.filter(|path| path.extension().is_some_and(|end| end == "yaml"));
    let mut texts: Vec<String> = yaml.map(|path| std::fs::read_to_string(path).unwrap()).collect();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    let blocks = readme.split("```yaml\n").skip(1).filter_map(|rest| rest.split("```").next());
    let examples: Vec<String> = blocks.filter(|block| block.starts_with("version:")).map(str::to_owned).collect();
    assert!(texts.len() >= 3 && examples.len() >= 2, "{} files, {} examples", texts.len(), examples.len());
    texts.extend(examples);
    texts.push(EVERYTHING.to_owned());
    for text in texts {
        assert_eq!(faults_of(&text), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn an_editor_sees_what_the_reader_refuses() {
    #[track_caller]
    fn check(said: &str, place: &str) {
        let text = format!("version: 1\nname: a\n{said}\n");
        assert!(rules::parse("a.yaml", &text).is_err(), "{said}");
        assert!(faults_of(&text).iter().any(|fault| fault.starts_with(place)), "{said}: {:?}", faults_of(&text));
    }
    let checks = "checks: [{ name: up, threshold: up, min: 1 }]";
    check("", ": required");
    check(&format!("{checks}\nbugdet: 1"), "/bugdet: may not be");
    check(&format!("{checks}\nschedule: {{ interval: 15 }}"), "/schedule/interval: type");
    check(&format!("{checks}\nschedule: {{ interval: 15sec }}"), "/schedule/interval: pattern");
    check(&format!("{checks}\nmode: observed"), "/mode: enum");
    check(&format!("{checks}\nrisk: {{ false_fail: 0.05 }}"), "/risk/false_fail: type");
    check("checks: [{ name: a, gauge: m, tolerance: 2pp }]", "/checks/0/tolerance: anyOf");
    check("checks: [{ name: a, ratio: { bad: e, total: r }, tolerance: 5% }]", "/checks/0/tolerance: pattern");
    check("checks: [{ name: a, gauge: m, floor: 1% }]", "/checks/0/floor: may not be");
    check("checks: [{ name: a, gauge: m, histogram: h }]", "/checks/0/gauge: may not be");
    check("checks: [{ name: a }]", "/checks/0: anyOf");
    check("checks: []", "/checks: minItems");
    check(&format!("{checks}\nparams: {{ 1st: a }}"), "/params: propertyNames");
    check(&format!("{checks}\ntraffic: {{ canary: 50 }}"), "/traffic/canary: type");
}

#[test]
fn every_key_is_explained() {
    fn check(schema: &Value, place: &str) {
        let properties = schema.get("properties").and_then(Value::as_object);
        for (key, of) in properties.into_iter().flatten() {
            let place = format!("{place}/{key}");
            let about = of.get("description").and_then(Value::as_str).unwrap_or_default();
            assert!(about.len() > 10 && about.ends_with('.'), "{place}: {about:?}");
            let stated = of.get("default").into_iter().chain(of.get("examples").map(each).into_iter().flatten());
            for value in stated {
                assert_eq!(faults(of, value, &place), Vec::<String>::new(), "{place}: {value}");
            }
            check(of, &place);
        }
        for of in ["items", "additionalProperties"].iter().filter_map(|inner| schema.get(inner)) {
            check(of, &format!("{place}/*"));
        }
    }
    check(&rules::schema(), "");
    check(&rules::slo_schema(), "");
}
