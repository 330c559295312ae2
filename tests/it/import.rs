//! Other tools' files become rule files that load, and what is lost is named.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::rules::import::Tool;
use wavegate::rules::import::import;

const FILES: &[(Tool, &str)] = &[
    (Tool::Kayenta, "kayenta.json"),
    (Tool::Argo, "argo.yaml"),
    (Tool::Flagger, "flagger.yaml"),
    (Tool::Flagger, "metric-template.yaml"),
];

/// What means something in one of the languages.
const SIGNS: &[u8] = b"{}[]\"'$%,:<>&|-\n 0a\\";

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import").join(name);
    fs::read_to_string(path).expect("readable")
}

/// The rule file, then what is missing.
fn imported(tool: Tool, name: &str, text: &str) -> String {
    match import(tool, name, text) {
        Ok(imported) => {
            let mut shown = imported.text;
            shown.push_str("--- missing\n");
            for missing in imported.missing {
                let _ = writeln!(shown, "{}: {}", missing.place, missing.what);
            }
            shown
        }
        Err(faults) => rules::render(&faults, text),
    }
}

#[test]
fn a_file_of_each_tool_becomes_a_rule_file_with_what_it_lost() {
    for (tool, name) in FILES {
        insta::assert_snapshot!(name.replace('.', "_"), imported(*tool, name, &fixture(name)));
    }
}

#[test]
fn what_is_imported_can_be_loaded() {
    for (tool, name) in FILES {
        let text = import(*tool, name, &fixture(name)).expect("imported").text;
        if let Err(faults) = rules::parse(name, &text) {
            panic!("{name}: {}", rules::render(&faults, &text));
        }
    }
}

#[test]
fn the_same_file_becomes_the_same_bytes() {
    for (tool, name) in FILES {
        let text = fixture(name);
        assert_eq!(import(*tool, name, &text), import(*tool, name, &text));
    }
}

#[test]
fn a_file_of_another_tool_is_refused_with_the_reason() {
    for (tool, name) in FILES {
        for other in [Tool::Kayenta, Tool::Argo, Tool::Flagger].into_iter().filter(|other| other != tool) {
            let faults = import(other, name, &fixture(name)).expect_err("another tool's");
            assert_eq!(faults[0].code, "not_importable", "{name} as {other:?}");
        }
    }
    for (text, code) in [("", "not_importable"), ("[", "not_yaml"), ("metrics: []", "not_importable")] {
        assert_eq!(import(Tool::Kayenta, "x", text).expect_err("no config")[0].code, code, "{text}");
    }
}

#[test]
fn no_mutation_of_a_file_makes_a_rule_file_that_cannot_be_loaded() {
    let mut random = Random::named(5, "imports");
    for (tool, name) in FILES {
        let whole = fixture(name).into_bytes();
        for _ in 0..150 {
            let mut bytes = whole.clone();
            for _ in 0..=(random.bits() % 3) {
                let mut below = |count: usize| usize::try_from(random.bits()).expect("64 bits") % count;
                let at = below(bytes.len());
                match below(8) {
                    0 => bytes.truncate(at.max(1)),
                    1..4 => drop(bytes.remove(at)),
                    _ => bytes[at] = SIGNS[below(SIGNS.len())],
                }
            }
            let text = String::from_utf8_lossy(&bytes).into_owned();
            if let Ok(imported) = import(*tool, name, &text)
                && let Err(faults) = rules::parse(name, &imported.text)
            {
                panic!("{}\n{}", imported.text, rules::render(&faults, &imported.text));
            }
        }
    }
}

/// What `text` became, or why it did not.
fn said(tool: Tool, text: &str) -> String {
    imported(tool, "x.yaml", text)
}

fn argo(metric: &str) -> String {
    let query = r#"sum(rate(a{hash="{{args.canary-hash}}"}[1m]))"#;
    said(
        Tool::Argo,
        &format!(
            "kind: ClusterAnalysisTemplate\nmetadata: {{ name: t }}\nspec:\n  metrics:\n    - name: m\n      \
             provider: {{ prometheus: {{ query: '{query}' }} }}\n      successCondition: result[0] < 1\n      {metric}\n"
        ),
    )
}

#[test]
fn failed_measurements_need_not_follow_each_other() {
    assert!(argo("failureLimit: 3").contains("breach: 4 of 10\n"));
    assert!(argo("failureLimit: 3\n      count: 20").contains("breach: 4 of 20\n"));
    assert!(argo("interval: 1m").contains("breach: 1 of 1\n"));
    let late = argo("failureLimit: 30\n      interval: 1m");
    assert!(late.contains("breach: 31 of 31\n") && late.contains("min_duration: 31m,"), "{late}");
}

#[test]
fn a_metric_without_a_limit_is_only_reported() {
    let made = argo(
        "failureLimit: -1\n    - { name: n, successCondition: 'result < 1', provider: { prometheus: { query: 'b{hash=\"{{args.canary-hash}}\"}' } } }",
    );
    assert_eq!(made.matches("on_fail: report").count(), 1, "{made}");
}

#[test]
fn a_number_that_an_argument_stands_for_is_missed() {
    for key in ["failureLimit", "count", "interval", "initialDelay"] {
        let made = argo(&format!("{key}: '{{{{args.x}}}}'"));
        assert!(made.contains(&format!("spec.metrics[0].{key}: its value is not known here")), "{made}");
    }
    assert!(argo("failureLimit: 100").contains("spec.metrics[0].failureLimit: a breach is of at most"));
}

fn kayenta(analysis: &str, weights: &str) -> String {
    let query = r#""query": { "type": "prometheus", "customInlineTemplate": "PromQL:avg(m{pod=\"${scope}\"})" }"#;
    said(
        Tool::Kayenta,
        &format!(
            r#"{{ "name": "k", "classifier": {{ "groupWeights": {{ {weights} }} }}, "metrics": [
                {{ "name": "a", {query}, "groups": ["g"], "analysisConfigurations": {{ "canary": {{ {analysis} }} }} }},
                {{ "name": "b", {query}, "groups": ["h"], "analysisConfigurations": {{ "canary": {{ "critical": true }} }} }} ] }}"#
        ),
    )
}

#[test]
fn an_effect_size_that_is_no_margin_is_missed() {
    for size in ["1.0", "-3", "\"NaN\"", "0.2"] {
        let made = kayenta(&format!(r#""direction": "increase", "effectSize": {{ "allowedIncrease": {size} }}"#), "");
        assert!(made.contains("canary.effectSize: it allows no change") && !made.contains("tolerance"), "{made}");
    }
}

#[test]
fn groups_share_a_hundred_and_one_without_weight_is_only_reported() {
    let made = kayenta("", r#""g": 70"#);
    assert!(made.contains("weight: 70\n") && made.contains("weight: 30\n"), "{made}");
    let made = kayenta("", r#""g": 0, "h": 100"#);
    assert!(
        made.contains("on_fail: report\n") && made.contains("weight: 100\n") && !made.contains("weight: 0"),
        "{made}"
    );
}

fn flagger(analysis: &str, more: &str) -> String {
    let canary = "kind: Canary\nmetadata: { name: x, namespace: n }\nspec:\n  targetRef: { name: x }";
    said(Tool::Flagger, &format!("{canary}\n  analysis: {{ interval: 10s, metrics: {analysis} }}\n{more}"))
}

#[test]
fn a_canary_without_metrics_says_so() {
    assert!(flagger("[]", "").contains("it has no metrics"));
}

#[test]
fn a_template_is_found_in_its_namespace_and_looks_back_a_minute() {
    let template = |space: &str, metric: &str| {
        format!(
            "---\nkind: MetricTemplate\nmetadata: {{ name: t, namespace: {space} }}\nspec:\n  provider: {{ type: prometheus }}\n  \
             query: 'sum(rate({metric}{{a=\"{{{{ target }}}}\"}}[{{{{ interval }}}}]))'\n"
        )
    };
    let both = template("other", "wrong") + &template("n", "right");
    let metric = "[{ name: m, templateRef: { name: t }, thresholdRange: { max: 1 } }]";
    assert!(flagger(metric, &both).contains("'sum(rate(right[1m]))'"));
    assert!(flagger(metric, &template("other", "wrong")).contains("its template 't' is not in the file"));
}

#[test]
fn what_is_too_much_for_one_rule_file_is_refused_and_not_written() {
    let metric = |index: usize, params: usize| {
        let query = format!(r#"avg(m{{pod=\"${{scope}}\", x=\"${{p{}}}\"}})"#, index % params);
        format!(
            r#"{{ "name": "m{index}", "query": {{ "type": "prometheus", "customInlineTemplate": "PromQL:{query}" }} }}"#
        )
    };
    let config = |count: usize, params: usize, description: &str| {
        let metrics: Vec<String> = (0..count).map(|index| metric(index, params)).collect();
        format!(r#"{{ "name": "k", "description": "{description}", "metrics": [{}] }}"#, metrics.join(", "))
    };
    let refused = said(Tool::Kayenta, &config(201, 1, "d"));
    assert!(refused.contains("there are 201 checks, not 1 to 200; split it"), "{refused}");
    assert!(said(Tool::Kayenta, &config(40, 40, "d")).contains("there are 40 params, the limit is 32; split it"));
    let long = said(Tool::Kayenta, &config(1, 1, &"d".repeat(5000)));
    assert!(long.contains("--- missing\ndescription: it is longer") && !long.contains("ddddd"), "{long}");
}
