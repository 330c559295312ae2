//! Params: what a wave may set, in the values of labels alone.

use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::rules::CheckKind;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::GaugeQuery;
use wavegate::rules::query::PromQl;
use wavegate::rules::query::Selector;

const SECOND: Duration = Duration::from_secs(1);

const PARAMS: &str = "version: 1
name: a
params: { region: eu-1, cell: {}, zone: { default: 'a\"b', description: the zone } }
cohorts: { canary: 'wave_id=\"$wave\", region=~\"$region.*\"' }
checks:
  - { name: g, gauge: 'avg by (x) (m{cell=\"$cell\", zone!~\"$zone$\"})' }
  - { name: r, ratio: { bad: 'e{cell=\"$cell\"}', total: r } }
";

#[test]
fn a_param_stands_in_the_values_of_labels_and_is_escaped_like_a_wave_id() {
    let rules = wavegate::rules::parse("a.yaml", PARAMS).unwrap().rules;
    let given = BTreeMap::from([("cell".to_owned(), "c\"} or up{".to_owned())]);
    let params = rules.params_of(&given).unwrap();
    let bound = rules.cohorts.canary.bind(&Bindings { wave: "w", baseline: None, params: &params }).unwrap();
    assert_eq!(bound.to_string(), r#"region=~"eu\\-1.*",wave_id="w""#);
    let CheckKind::Gauge { query: GaugeQuery::Expr(query), .. } = &rules.checks[0].kind else { panic!("a gauge") };
    let text = query.bind(&bound, 30 * SECOND, 60 * SECOND);
    let cohort = bound.to_string();
    let own = r#"cell="c\"} or up{",zone!~"a\"b$""#;
    assert_eq!(text, format!("avg by (x) (last_over_time(m{{{own},{cohort}}}[1m]))"));
    let CheckKind::Ratio { bad, .. } = &rules.checks[1].kind else { panic!("a ratio") };
    assert_eq!(bad.bind(&bound), format!(r#"e{{cell="c\"}} or up{{",{cohort}}}"#));
}

#[test]
fn a_wave_gives_the_params_that_the_rules_declare_and_no_others() {
    let rules = wavegate::rules::parse("a.yaml", PARAMS).unwrap().rules;
    let told = |given: &[(&str, &str)]| {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        rules.params_of(&given).map_err(|fault| fault.to_string())
    };
    let all = told(&[("cell", "7"), ("region", "us")]).unwrap();
    assert_eq!(all.into_iter().collect::<Vec<_>>(), [("cell", "7"), ("region", "us"), ("zone", "a\"b")].map(owned));
    assert_eq!(told(&[]).unwrap_err(), "the rules have no default for cell: give a value");
    let unknown = "`regoin` is not a param of these rules; did you mean `region`?";
    assert_eq!(told(&[("cell", "7"), ("regoin", "us")]).unwrap_err(), unknown);
    for bad in ["", "a\nb", &"x".repeat(257)] {
        let expect = "the value of `cell` is not 1 to 256 bytes without control characters";
        assert_eq!(told(&[("cell", bad)]).unwrap_err(), expect);
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn a_variable_that_is_not_declared_or_not_a_value_is_refused() {
    #[track_caller]
    fn check(query: &str, help: &str) {
        let faults = PromQl::parse_with(query, &["region".to_owned()]).unwrap_err();
        assert_eq!(faults[0].code, "unknown_variable", "{query}");
        assert!(faults[0].help.contains(help), "{query}: {}", faults[0].help);
    }
    check("m{a=\"$regio\"}", "did you mean `$region`?");
    check("m{a=\"$x\"}", "add `x` there");
    check("m{a=\"${region}\"}", "write `$region`, without braces");
    check("m{\"$region\"=\"a\"}", "stands for the value of a label");
    check("{\"$region\"}", "stands for the value of a label");
    check("m * $region", "stands for the value of a label");
    let code = |query: &str| Selector::parse_with(query, &["region".to_owned()]).unwrap_err()[0].code;
    assert_eq!(code("{__name__=\"$region\"}"), "no_metric_name");
    assert_eq!(code("m{a=~\"(?P<$region>a)b[$region\"}"), "not_promql");
}
