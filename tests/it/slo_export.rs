//! SLO files as rules of Prometheus, loaded and run by `promtool`.

use crate::support::daemon::wavegate;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use wavegate::rules;
use wavegate::rules::Slo;
use wavegate::rules::export::prometheus;

fn slo(text: &str) -> Slo {
    rules::parse_slo("x.yaml", text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, text))).slo
}

fn exported(texts: &[&str]) -> String {
    let slos: Vec<Slo> = texts.iter().map(|text| slo(text)).collect();
    prometheus(&slos).expect("exported").text
}

/// What `promtool` says of files in a folder of their own.
#[track_caller]
fn promtool(arguments: &[&str], files: &[(&str, &str)]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, text) in files {
        fs::write(folder.path().join(name), text).expect("a file");
    }
    let done = Command::new("promtool").args(arguments).current_dir(folder.path()).output();
    let done = done.unwrap_or_else(|error| {
        panic!("cannot run `promtool`, which this test needs: {error}\ninstall it with `apt-get install prometheus`")
    });
    let said = [done.stdout, done.stderr].concat();
    assert!(done.status.success(), "{}\n{}", String::from_utf8_lossy(&said), files[0].1);
}

#[track_caller]
fn loads(rules: &str) {
    promtool(&["check", "rules", "--lint=all", "--lint-fatal", "rules.yml"], &[("rules.yml", rules)]);
}

const AVAILABILITY: &str = "\
version: 1
name: shop
service: checkout
description: Requests that are answered.
objective: 99.9%
indicator: { ratio: { bad: 'http_requests_total{code=~\"5..\"}', total: http_requests_total } }
burn: { absolute: { bad: 50000, within: 6h, severity: ticket } }
";

const UP: &str = "\
version: 1
name: up
objective: 99%
period: 2d
indicator: { up: 'probe_success{job=\"shop\"}' }
";

const LATENCY: &str = "\
version: 1
name: latency
objective: 99%
period: { calendar: month, timezone: UTC }
indicator: { latency: { histogram: latency_seconds, threshold: 1s } }
";

/// Runs the rules of `slo` on `series`, and asks for values at a time.
#[track_caller]
fn gives(text: &str, series: &[(&str, &str)], at: &str, asked: &[(&str, &[(&str, f64)])]) {
    let rules = exported(&[text]);
    let mut script =
        String::from("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n  - interval: 1m\n    input_series:\n");
    for (name, samples) in series {
        let _ = writeln!(script, "      - {{ series: '{name}', values: '{samples}' }}");
    }
    script.push_str("    promql_expr_test:\n");
    for (expr, samples) in asked {
        let _ = writeln!(script, "      - expr: '{expr}'\n        eval_time: {at}\n        exp_samples:");
        for (labels, value) in *samples {
            let _ = writeln!(script, "          - {{ labels: '{labels}', value: {value} }}");
        }
    }
    promtool(&["test", "rules", "script.yml"], &[("script.yml", &script), ("rules.yml", &rules)]);
}

/// The tiers that fire.
const FIRING: &str = "count by (tier) (ALERTS{alertname=\"SloErrorBudgetBurn\",alertstate=\"firing\"})";

/// That nothing is counted.
const NO_DATA: &str = "count(ALERTS{alertname=\"SloNoData\",alertstate=\"firing\"})";

const TOTAL: &str = "http_requests_total{code=\"200\"}";
const BAD: &str = "http_requests_total{code=\"500\"}";

#[test]
fn every_slo_that_ships_becomes_rules_that_load() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shipped = fs::read_dir(root.join("slos")).expect("readable").map(|entry| entry.expect("an entry").path());
    for path in shipped.chain([root.join("fixtures/slos/everything.yaml")]) {
        let text = fs::read_to_string(&path).expect("readable");
        match prometheus(&[slo(&text)]) {
            Ok(exported) => loads(&exported.text),
            Err(why) => assert!(why.contains("time slices"), "{}: {why}", path.display()),
        }
    }
}

#[test]
fn rules_have_one_shape() {
    let rules = exported(&[AVAILABILITY, UP, LATENCY]);
    loads(&rules);
    insta::assert_snapshot!(rules);
}

#[test]
fn two_slos_of_one_metric_are_told_apart_and_two_of_one_name_refused() {
    let other = AVAILABILITY.replace("name: shop", "name: shop-strict").replace("99.9%", "99.99%");
    loads(&exported(&[AVAILABILITY, &other]));
    let twice = prometheus(&[slo(AVAILABILITY), slo(AVAILABILITY)]);
    assert_eq!(twice.expect_err("refused"), "two SLOs are named `shop`: rename one");
}

#[test]
fn no_text_of_an_slo_leaves_its_place() {
    let text = r#"
version: 1
name: x
description: "it's \"{{ $labels.slo }}\": {{ fail\n- alert: y # \\ \u2028"
objective: 99.9%
indicator: { ratio: { bad: 'a{b="\"} 1 # ''\\n",c=~"x{{2}}|\\d"}', total: 'a{b=''"''}' } }
"#;
    loads(&exported(&[text]));
}

#[test]
fn what_rules_cannot_say_is_named() {
    let slices = UP.replace("indicator:", "budgeting: { timeslices: { target: 95%, slice: 5m } }\nindicator:");
    assert!(prometheus(&[slo(&slices)]).expect_err("refused").contains("counted in time slices"));
    let both = prometheus(&[slo(&slices.replace("name: up", "name: other")), slo(LATENCY)]).expect("one is left");
    let places: Vec<&str> = both.missing.iter().map(|missing| missing.place.as_str()).collect();
    assert_eq!(places, ["SLO other", "SLO latency"]);
    assert!(!both.text.contains("slo_error_budget_remaining") && both.text.contains("# SLO latency: "));
    loads(&both.text);
}

#[test]
fn a_burn_above_the_factor_pages() {
    let series = [(TOTAL, "0+9850x80"), (BAD, "0+150x80")];
    let all = ["page_fast", "page_slow", "ticket_fast", "ticket_slow"].map(|tier| format!("{{tier=\"{tier}\"}}"));
    let all: Vec<(&str, f64)> = all.iter().map(|labels| (labels.as_str(), 1.0)).collect();
    gives(AVAILABILITY, &series, "75m", &[(FIRING, &all)]);
}

#[test]
fn a_burn_of_exactly_the_factor_does_not() {
    let series = [(TOTAL, "0+9856x80"), (BAD, "0+144x80")];
    let rest = [("{tier=\"page_slow\"}", 1.0), ("{tier=\"ticket_fast\"}", 1.0), ("{tier=\"ticket_slow\"}", 1.0)];
    let ratio = "max(wavegate:slo_errors:ratio1h)";
    gives(AVAILABILITY, &series, "75m", &[(FIRING, &rest), (ratio, &[("{}", 0.0144)])]);
}

#[test]
fn a_threshold_without_an_end_is_exact_too() {
    // Of 28 days the slowest tier has 14/15: of one event in a thousand, 7 in 7500.
    let month = AVAILABILITY.replace("99.9%", "99.9%\nperiod: 28d");
    let series = [(TOTAL, "0+7493x80"), (BAD, "0+7x80")];
    gives(&month, &series, "75m", &[(FIRING, &[])]);
    let more = [(TOTAL, "0+7492x80"), (BAD, "0+8x80")];
    gives(&month, &more, "75m", &[(FIRING, &[("{tier=\"ticket_slow\"}", 1.0)])]);
}

/// Bad events where a vector says nothing of them: enough for every tier.
const MANY: u64 = 1_000_000;

#[test]
fn the_alerts_fire_as_every_vector_of_tiers_says() {
    let vectors: Value = serde_json::from_str(include_str!("../../fixtures/reference/slo_alerts.json")).expect("JSON");
    let vectors = vectors.as_array().expect("a list");
    let mut texts = Vec::new();
    let mut test = String::from("rule_files: [rules.yml]\nevaluation_interval: 1m\ntests:\n");
    for vector in vectors {
        let (id, input) = (vector["id"].as_str().expect("an id"), &vector["input"]);
        let (objective, period) = (input["objective"].as_str().expect("text"), &input["period_s"]);
        texts.push(format!(
            "version: 1\nname: {id}\nobjective: {objective}%\nperiod: {period}s\nindicator: {{ up: up }}\nburn: {{ min_bad: {} }}\n",
            input["min_bad"].as_u64().unwrap_or(1)
        ));
        test.push_str("  - interval: 1m\n    input_series:\n");
        let of = format!("{{slo=\"{id}\",service=\"{id}\"}}");
        for (window, ratio) in input["ratios"].as_object().expect("ratios") {
            let Some(ratio) = ratio.as_str() else { continue };
            let bad = input["bad"][window].as_u64().unwrap_or(MANY);
            for (name, value) in
                [(format!("errors:ratio{window}"), ratio), (format!("bad_events:increase{window}"), &bad.to_string())]
            {
                let _ = writeln!(test, "      - {{ series: 'wavegate:slo_{name}{of}', values: '{value}+0x5' }}");
            }
        }
        let firing = FIRING.replace("ALERTS{", &format!("ALERTS{{slo=\"{id}\","));
        let _ = writeln!(
            test,
            "    promql_expr_test:\n      - expr: '{firing}'\n        eval_time: 3m\n        exp_samples:"
        );
        for tier in vector["fired"].as_array().expect("tiers") {
            let _ = writeln!(test, "          - {{ labels: '{{tier={tier}}}', value: 1 }}");
        }
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let rules = alerts_of(&exported(&texts));
    promtool(&["test", "rules", "test.yml"], &[("test.yml", &test), ("rules.yml", &rules)]);
}

/// `rules` without what is recorded, so that a test gives it.
fn alerts_of(rules: &str) -> String {
    let mut kept = String::new();
    let mut recorded = false;
    for line in rules.lines() {
        // Each group has one list, which is empty without what it records.
        let begins = line.starts_with("      - ");
        recorded = (recorded && !line.starts_with("  - ") && !begins) || line.starts_with("      - record:");
        if !recorded {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    kept
}

#[test]
fn files_of_slos_become_one_file_of_rules_at_the_command_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    fs::write(path("shop.yaml"), AVAILABILITY).expect("a file");
    fs::write(path("up.yaml"), UP).expect("a file");
    let run = |arguments: &[&str]| wavegate(arguments).output().expect("it runs");
    let one = run(&["export", &path("shop.yaml"), &path("up.yaml")]);
    assert_eq!(one.status.code(), Some(0), "{one:?}");
    assert_eq!(String::from_utf8_lossy(&one.stdout), exported(&[AVAILABILITY, UP]));
    assert_eq!(run(&["export", &folder.path().display().to_string()]).stdout, one.stdout);
    let inline = "[slos.up]\nobjective = '99%'\nperiod = '2d'\nindicator = { up = 'probe_success{job=\"shop\"}' }\n";
    fs::write(path("wavegate.toml"), inline).expect("a file");
    assert_eq!(String::from_utf8_lossy(&run(&["export", &path("wavegate.toml")]).stdout), exported(&[UP]));
    fs::write(path("latency.yaml"), LATENCY).expect("a file");
    assert_eq!(run(&["export", &path("latency.yaml")]).status.code(), Some(3));
    fs::write(path("broken.yaml"), AVAILABILITY.replace("99.9%", "100%")).expect("a file");
    let refused = run(&["export", &path("broken.yaml")]);
    assert_eq!((refused.status.code(), refused.stdout.len()), (Some(2), 0));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leaves no error budget"), "{refused:?}");
    assert_eq!(run(&["export", &path("shop.yaml"), &path("shop.yaml")]).status.code(), Some(2));
}

#[test]
fn five_hot_minutes_alone_do_not_page() {
    let series = [(TOTAL, "0+9999x600 5999700+9700x5"), (BAD, "0+1x600 900+300x5")];
    let short = "round(max(wavegate:slo_errors:ratio5m) * 1000)";
    gives(AVAILABILITY, &series, "606m", &[(FIRING, &[]), (short, &[("{}", 30.0)])]);
}

#[test]
fn few_bad_events_do_not_page_whatever_their_share() {
    let series = [(TOTAL, "0x80"), (BAD, "0x70 1 2 3 3 3 3 3 3 3 3")];
    let short = "max(wavegate:slo_errors:ratio1h)";
    gives(AVAILABILITY, &series, "75m", &[(FIRING, &[]), (short, &[("{}", 1.0)])]);
}

#[test]
fn errors_that_have_no_series_are_none() {
    let values: &[(&str, &[(&str, f64)])] = &[
        ("max(wavegate:slo_bad_events:increase5m)", &[("{}", 0.0)]),
        ("max(wavegate:slo_errors:ratio30d)", &[("{}", 0.0)]),
        ("max(wavegate:slo_error_budget_remaining:ratio)", &[("{}", 1.0)]),
        (FIRING, &[]),
        (NO_DATA, &[]),
    ];
    gives(AVAILABILITY, &[(TOTAL, "0+100x80")], "75m", values);
}

#[test]
fn idle_hours_do_not_poison_what_is_left() {
    // Two hours of one bad event in 200, thirty idle ones, and one of no bad ones.
    let short = AVAILABILITY.replace("99.9%", "99%\nperiod: 2d");
    let series = [(TOTAL, "0+199x120 23880+0x1800 23880+200x60"), (BAD, "0+1x120 120+0x1860")];
    let values: &[(&str, &[(&str, f64)])] = &[
        ("count(wavegate:slo_errors:ratio5m)", &[]),
        ("max(wavegate:slo_events:increase5m)", &[("{}", 0.0)]),
        ("round(max(wavegate:slo_errors:ratio2d) * 1e6)", &[("{}", 5000.0)]),
        ("round(max(wavegate:slo_error_budget_remaining:ratio) * 1e3)", &[("{}", 500.0)]),
        (NO_DATA, &[]),
    ];
    gives(&short, &series, "30h", values);
    // Of all events and not the mean of two ratios: 120 of 35 600.
    let after: &[(&str, &[(&str, f64)])] = &[("round(max(wavegate:slo_errors:ratio2d) * 1e5)", &[("{}", 337.0)])];
    gives(&short, &series, "1980m", after);
}

#[test]
fn metrics_that_are_gone_are_told() {
    let gone: &[(&str, &[(&str, f64)])] = &[(NO_DATA, &[("{}", 1.0)]), (FIRING, &[])];
    gives(AVAILABILITY, &[("other", "1x80")], "60m", gone);
    // A classic histogram without the bucket of the threshold has no bad events and no good ones.
    let histogram = [("latency_seconds_count", "0+100x80"), ("latency_seconds_bucket{le=\"0.5\"}", "0+90x80")];
    gives(LATENCY, &histogram, "60m", gone);
}

#[test]
fn good_events_that_exist_nowhere_are_told_and_do_not_page() {
    let good = AVAILABILITY.replace("ratio: { bad:", "ratio: { good:").replace("5..", "2..");
    // The daemon says the same: nobody knows, where no counter has the labels of the good ones.
    let nowhere = good.replace("http_requests_total{code", "http_request_total{code");
    let values: &[(&str, &[(&str, f64)])] =
        &[(NO_DATA, &[("{}", 1.0)]), (FIRING, &[]), ("count(wavegate:slo_bad_events:increase5m)", &[])];
    gives(&nowhere, &[(BAD, "0+100x80")], "70m", values);
    // Where only bad ones come, all are bad.
    let values: &[(&str, &[(&str, f64)])] = &[(NO_DATA, &[]), ("max(wavegate:slo_errors:ratio5m)", &[("{}", 1.0)])];
    gives(&good, &[(BAD, "0+100x80")], "70m", values);
}

#[test]
fn a_gauge_and_a_histogram_are_counted_by_what_they_are() {
    let up: &[(&str, &[(&str, f64)])] = &[("round(max(wavegate:slo_errors:ratio1h), 0.01)", &[("{}", 0.25)])];
    gives(
        UP,
        &[("probe_success{job=\"shop\"}", "0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1 0 1 1 1")],
        "31m",
        up,
    );
    let histogram = [("latency_seconds_count", "0+100x80"), ("latency_seconds_bucket{le=\"1.0\"}", "0+90x80")];
    let slow: &[(&str, &[(&str, f64)])] = &[
        ("round(max(wavegate:slo_errors:ratio1h), 0.01)", &[("{}", 0.1)]),
        ("round(max(wavegate:slo_burn_rate:ratio1h))", &[("{}", 10.0)]),
    ];
    gives(LATENCY, &histogram, "70m", slow);
    let good = AVAILABILITY.replace("ratio: { bad:", "ratio: { good:").replace("5..", "2..");
    let some: &[(&str, &[(&str, f64)])] = &[("round(max(wavegate:slo_errors:ratio1h), 0.01)", &[("{}", 0.25)])];
    gives(&good, &[(TOTAL, "0+75x80"), (BAD, "0+25x80")], "70m", some);
}

#[test]
fn an_alert_says_how_long_the_budget_lasts() {
    let rules = exported(&[AVAILABILITY]);
    for text in
        ["At 14.4x the whole error budget of 30d lasts 50 h.", "At 3x the whole error budget of 30d lasts 10 d."]
    {
        assert!(rules.contains(text), "{text}");
    }
}
