//! SLOs of other tools become SLO files that load, and what is lost is named.

use crate::support::daemon::wavegate;
use serde_json::Value;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::rules::TierSeverity;
use wavegate::rules::import::ImportedSlos;
use wavegate::rules::import::SloTool;
use wavegate::rules::import::import_slos;
use wavegate::rules::import::pyrra_windows;

const FILES: &[(SloTool, &str)] = &[
    (SloTool::Sloth, "sloth.yaml"),
    (SloTool::Sloth, "sloth-crd.yaml"),
    (SloTool::OpenSlo, "openslo.yaml"),
    (SloTool::Pyrra, "pyrra.yaml"),
];

/// What means something in one of the languages.
const SIGNS: &[u8] = b"{}[]\"'$%,:<>&|-\n 0a\\.=";

const MONTH: Duration = Duration::from_hours(30 * 24);

fn fixture(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import").join(name);
    fs::read_to_string(path).expect("readable")
}

fn imported(tool: SloTool, text: &str) -> ImportedSlos {
    import_slos(tool, "x.yaml", text, MONTH).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, text)))
}

/// The SLO files, then what is missing; or why there are none.
fn said(tool: SloTool, text: &str) -> String {
    match import_slos(tool, "x.yaml", text, MONTH) {
        Ok(imported) => {
            let mut shown = String::new();
            for slo in imported.slos {
                let _ = write!(shown, "--- {}.yaml\n{}", slo.name, slo.text);
            }
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
fn a_file_of_each_tool_becomes_slo_files_with_what_it_lost() {
    for (tool, name) in FILES {
        insta::assert_snapshot!(name.replace('.', "_"), said(*tool, &fixture(name)));
    }
}

#[test]
fn what_is_imported_can_be_loaded_and_the_same_file_becomes_the_same_bytes() {
    for (tool, name) in FILES {
        let text = fixture(name);
        let slos = imported(*tool, &text);
        assert_eq!(imported(*tool, &text), slos);
        for slo in slos.slos {
            let parsed = rules::parse_slo(&slo.name, &slo.text).unwrap_or_else(|faults| {
                panic!("{name}: {}", rules::render(&faults, &slo.text));
            });
            assert_eq!(parsed.slo.name.as_str(), slo.name);
        }
    }
}

#[test]
fn time_slices_of_any_length_have_windows_that_hold_them_whole() {
    for (slice, window, kept, short) in [
        ("10m", "28d", None, "10m"),
        ("1", "28d", None, "5m"),
        ("90s", "28d", Some("30s"), "6m"),
        ("30s", "7d", Some("30s"), "5m"),
    ] {
        let text = format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{ name: a }}\nspec:\n  service: a\n  budgetingMethod: Timeslices\n  \
             timeWindow: [{{ duration: {window}, isRolling: true }}]\n  indicator: {{ spec: {{ ratioMetric: {{ counter: true, \
             bad: {{ metricSource: {{ type: Prometheus, spec: {{ query: e }} }} }}, total: {{ metricSource: {{ type: \
             Prometheus, spec: {{ query: t }} }} }} }} }} }}\n  objectives: [{{ target: 0.99, timeSliceTarget: 0.95, \
             timeSliceWindow: {slice} }}]\n"
        );
        let imported = imported(SloTool::OpenSlo, &text);
        let slo = rules::parse_slo("a", &imported.slos[0].text).expect("an SLO").slo;
        assert_eq!(rules::duration_text(slo.slice), kept.unwrap_or("1m"), "{slice}");
        assert_eq!(
            (slo.tiers[0].name.as_str(), rules::duration_text(slo.tiers[0].short).as_str()),
            ("page_fast", short)
        );
        let told = imported.missing.iter().any(|missing| missing.what.contains("rounded up"));
        assert_eq!(told, short != "5m", "{slice}: {:?}", imported.missing);
    }
}

#[test]
fn what_will_be_regretted_of_an_import_is_told() {
    let sloth = "version: prometheus/v1\nservice: shop\nslos:\n  - name: same\n    objective: 99\n    sli: { events: { \
                 error_query: 'sum(rate(x[{{.window}}]))', total_query: 'sum(rate(x[{{.window}}]))' } }\n";
    let missing = imported(SloTool::Sloth, sloth).missing;
    assert!(missing.iter().any(|missing| missing.what.contains("`bad` and `total` are the same")), "{missing:?}");
}

#[test]
fn a_file_of_another_tool_is_refused_with_the_reason() {
    for (tool, name) in FILES {
        for other in [SloTool::Sloth, SloTool::OpenSlo, SloTool::Pyrra].into_iter().filter(|other| other != tool) {
            let faults = import_slos(other, name, &fixture(name), MONTH).expect_err("another tool's");
            assert_eq!(faults[0].code, "not_importable", "{name} as {other:?}");
        }
    }
    let alpha = "apiVersion: openslo/v1alpha\nkind: SLO\nmetadata: { name: x }\n";
    assert!(said(SloTool::OpenSlo, alpha).contains("convert it to v1"));
    assert!(said(SloTool::Sloth, alpha).contains("name it as `import openslo`"));
    for text in ["", "[", "version: prometheus/v1", "kind: ServiceLevelObjective"] {
        for tool in [SloTool::Sloth, SloTool::OpenSlo, SloTool::Pyrra] {
            assert!(import_slos(tool, "x", text, MONTH).is_err(), "{text}");
        }
    }
}

#[test]
fn no_mutation_of_a_file_makes_an_slo_file_that_cannot_be_loaded() {
    let mut random = Random::named(6, "slo imports");
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
            for slo in import_slos(*tool, name, &text, MONTH).map(|made| made.slos).unwrap_or_default() {
                if let Err(faults) = rules::parse_slo(name, &slo.text) {
                    panic!("{}\n{}", slo.text, rules::render(&faults, &slo.text));
                }
            }
        }
    }
}

#[test]
fn pyrras_windows_are_those_of_its_own_rules_for_every_period() {
    let vectors: Value = serde_json::from_str(include_str!("../../fixtures/reference/slo_pyrra.json")).expect("JSON");
    for vector in vectors.as_array().expect("a list") {
        let period = Duration::from_secs(vector["input"]["period_s"].as_u64().expect("seconds"));
        let made: Vec<Value> = pyrra_windows(period)
            .iter()
            .map(|window| {
                serde_json::json!({
                    "factor": window.factor,
                    "severity": if window.critical { "critical" } else { "warning" },
                    "short_s": window.short.as_secs(),
                    "long_s": window.long.as_secs(),
                    "for_s": window.lasting.as_secs(),
                })
            })
            .collect();
        assert_eq!(Value::Array(made), vector["expected"], "{}", vector["id"]);
    }
}

fn sloth(slo: &str) -> String {
    said(
        SloTool::Sloth,
        &format!("version: prometheus/v1\nservice: shop\nslos:\n  - name: ok\n    objective: 99.9\n{slo}"),
    )
}

fn sloth_events(bad: &str, total: &str) -> String {
    sloth(&format!("    sli: {{ events: {{ error_query: '{bad}', total_query: '{total}' }} }}\n"))
}

#[test]
fn an_objective_keeps_every_digit() {
    for (written, kept) in [("99.9", "99.9%"), ("99.95", "99.95%"), ("\"99.999\"", "99.999%"), ("90", "90%")] {
        let text = format!(
            "version: prometheus/v1\nservice: shop\nslos:\n  - name: ok\n    objective: {written}\n    \
             sli: {{ events: {{ error_query: 'a{{c=\"5\"}}[{{{{.window}}}}]', total_query: 'b' }} }}\n"
        )
        .replace("'a{c=\"5\"}[{{.window}}]'", "'increase(a[{{.window}}])'")
        .replace("total_query: 'b'", "total_query: 'increase(b[{{.window}}])'");
        assert!(
            said(SloTool::Sloth, &text).contains(&format!("objective: {kept}\n")),
            "{}",
            said(SloTool::Sloth, &text)
        );
    }
}

#[test]
fn what_sloth_computes_and_no_counter_says_is_refused_by_name() {
    let total = "sum(rate(a[{{.window}}]))";
    for (bad, why) in [
        ("sum(rate(e[5m]))", "has no `{{.window}}`"),
        ("sum(rate(e[{{.window}}])) + sum(rate(f[{{.window}}]))", "adds two counters"),
        ("sum(rate(e[{{.window}}])) * 2", "joins by `*`"),
        ("sum(irate(e[{{.window}}]))", "`irate`"),
        ("count(rate(e[{{.window}}]))", "`count`"),
        ("sum(rate({job=\"a\"}[{{.window}}]))", "does not name one metric"),
        ("sum(rate(e{a=\"{{ .labels.x }}\"}[{{.window}}]))", "template action"),
        ("sum(rate(e[{{.window}}])) - {{", "is not closed"),
        ("sum(rate(e[$interval]) + rate(e[{{.window}}]))", "`$interval` stands in its query"),
    ] {
        let said = sloth_events(bad, total);
        assert!(said.contains("'ok' is left out") && said.contains(why), "{bad}: {said}");
    }
    let both = "    sli: { events: { error_query: x, total_query: y }, raw: { error_ratio_query: z } }\n";
    assert!(sloth(both).contains("its `sli` is of 2 kinds"));
    let bad_name = "version: prometheus/v1\nservice: -shop\nslos: [{ name: ok }]\n";
    assert!(said(SloTool::Sloth, bad_name).contains("'-shop' is no name of Sloth's"));
}

#[test]
fn the_period_of_sloths_slos_is_what_the_import_is_told() {
    let text = fixture("sloth.yaml");
    let week = import_slos(SloTool::Sloth, "x", &text, Duration::from_hours(7 * 24)).expect("imported");
    assert!(week.slos[0].text.contains("period: 7d\n"));
    // Its own shares of a week, and not those of a month.
    assert!(week.slos[1].text.contains("ticket_fast, severity: ticket, long: 1d, short: 2h, budget: 20% }"));
}

fn openslo(method: &str, window: &str, indicator: &str, objective: &str) -> String {
    said(
        SloTool::OpenSlo,
        &format!(
            "apiVersion: openslo/v1\nkind: SLO\nmetadata: {{ name: x }}\nspec:\n  service: s\n  budgetingMethod: {method}\n  \
             timeWindow: [{window}]\n  indicator: {{ spec: {indicator} }}\n  objectives: [{objective}]\n"
        ),
    )
}

const ROLLING: &str = "{ duration: 30d, isRolling: true }";

fn ratio(some: &str, counter: bool) -> String {
    let source = |query: &str| format!("{{ metricSource: {{ type: Prometheus, spec: {{ query: '{query}' }} }} }}");
    format!("{{ ratioMetric: {{ counter: {counter}, {some}: {}, total: {} }} }}", source("e"), source("a"))
}

#[test]
fn a_period_of_openslo_is_rolling_or_turns_with_the_calendar() {
    let calendar = |duration: &str, start: &str| {
        format!(
            "{{ duration: {duration}, isRolling: false, calendar: {{ startTime: '{start}', timeZone: Europe/Oslo }} }}"
        )
    };
    for (window, expect) in [
        (calendar("1w", "2026-11-23 00:00:00"), "calendar: week, timezone: 'Europe/Oslo'"),
        (calendar("1M", "2026-11-01 00:00:00"), "calendar: month"),
        (calendar("1Q", "2026-10-01 00:00:00"), "calendar: quarter"),
        (calendar("1Y", "2026-01-01 00:00:00"), "calendar: year"),
        (calendar("1M", "2026-11-15 00:00:00"), "a month begins when the calendar's does"),
        (calendar("2w", "2026-11-23 00:00:00"), "its window is '2w'"),
        (calendar("1M", "soon"), "no date with a time"),
        ("{ duration: 1M, isRolling: true }".to_owned(), "has no fixed length"),
        ("{ duration: 4w, isRolling: true }".to_owned(), "period: 28d\n"),
        (format!("{ROLLING}, {ROLLING}"), "2 time windows"),
    ] {
        let said = openslo("Occurrences", &window, &ratio("bad", true), "{ target: 0.999 }");
        assert!(said.contains(expect), "{window}: {said}");
    }
}

#[test]
fn what_openslo_says_and_an_slo_file_cannot_is_refused_by_name() {
    let raw = "{ ratioMetric: { raw: { metricSource: { spec: { query: x } } }, rawType: success } }";
    let other = ratio("bad", true).replace("Prometheus", "Datadog");
    let template = ratio("bad", true).replace("'e'", "'sum(rate(e{x=\"{{ .y }}\"}[5m]))'");
    for (method, indicator, objective, expect) in [
        ("Occurrences", raw, "{ target: 0.9 }", "a ratio alone has no counts"),
        ("Occurrences", &other, "{ target: 0.9 }", "it asks 'Datadog'"),
        ("Occurrences", &ratio("bad", false), "{ target: 0.9 }", "without `counter: true`"),
        ("Occurrences", &template, "{ target: 0.9 }", "has the template"),
        ("Occurrences", &ratio("bad", true), "{ target: 1 }", "leaves no error budget"),
        ("Occurrences", &ratio("bad", true), "{ target: 0.9, targetPercent: 90 }", "both `target` and"),
        ("Occurrences", &ratio("bad", true), "{ target: 0.9, compositeWeight: 2 }", "composed of several"),
        ("Timeslices", &ratio("bad", true), "{ target: 0.9, timeSliceWindow: 5 }", "no `timeSliceTarget`"),
        ("Timeslices", &ratio("bad", true), "{ target: 0.9, timeSliceWindow: 1s, timeSliceTarget: 0.9 }", "refused"),
        ("Sometimes", &ratio("bad", true), "{ target: 0.9 }", "which OpenSLO does not have"),
        ("Occurrences", "{ other: {} }", "{ target: 0.9 }", "not one of `ratioMetric`"),
    ] {
        let said = openslo(method, ROLLING, indicator, objective);
        assert!(said.contains("no SLO comes of it") && said.contains(expect), "{expect}: {said}");
    }
}

#[test]
fn a_fixed_range_is_told_and_not_kept() {
    let fixed = ratio("bad", true).replace("'e'", "'sum(rate(e[5m]))'");
    let said = openslo("Occurrences", ROLLING, &fixed, "{ target: 0.9 }");
    assert!(said.contains("bad: 'e'\n") && said.contains("its range of 5m is not kept"), "{said}");
}

#[test]
fn what_pyrra_names_must_be_a_plain_selector() {
    let slo = |indicator: &str, target: &str, window: &str| {
        said(
            SloTool::Pyrra,
            &format!(
                "kind: ServiceLevelObjective\nmetadata: {{ name: x }}\nspec: {{ target: '{target}', window: {window}, indicator: {indicator} }}\n"
            ),
        )
    };
    let good = "{ ratio: { errors: { metric: e }, total: { metric: a } } }";
    assert!(slo(good, "99.9", "4w").contains("objective: 99.9%\nperiod: 28d\n"));
    for (indicator, target, window, expect) in [
        (good, "100", "4w", "leaves no error budget"),
        (good, "many", "4w", "is no decimal"),
        (good, "99", "4 weeks", "is no duration"),
        ("{ ratio: { errors: { metric: 'sum(e)' }, total: { metric: a } } }", "99", "4w", "not a plain selector"),
        ("{ ratio: { errors: { metric: e } } }", "99", "4w", "has no `total.metric`"),
        ("{ latencyNative: { total: { metric: h }, latency: fast } }", "99", "4w", "its latency 'fast'"),
        ("{ mystery: {} }", "99", "4w", "which is not known here"),
    ] {
        let said = slo(indicator, target, window);
        assert!(said.contains(expect), "{expect}: {said}");
    }
}

#[test]
fn a_tier_of_pyrras_wakes_as_its_severity_says() {
    let text = imported(SloTool::Pyrra, &fixture("pyrra.yaml")).slos.remove(1).text;
    let slo = rules::parse_slo("x", &text).expect("loads").slo;
    let severities: Vec<TierSeverity> = slo.tiers.iter().map(|tier| tier.severity).collect();
    assert_eq!(severities, [TierSeverity::Page, TierSeverity::Page, TierSeverity::Ticket, TierSeverity::Ticket]);
    let factors: Vec<f64> = slo.tiers.iter().map(|tier| tier.factor.as_f64()).collect();
    assert_eq!(factors, [14.0, 7.0, 2.0, 1.0]);
}

#[test]
fn an_import_writes_a_file_for_each_slo_and_over_none() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let out = folder.path().join("slos").display().to_string();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/import/pyrra.yaml").display().to_string();
    let run = |arguments: &[&str]| wavegate(arguments).output().expect("it runs");
    let first = run(&["import", "pyrra", &file, "--out", &out]);
    assert_eq!((first.status.code(), first.stdout.len()), (Some(3), 0), "{first:?}");
    let slos = imported(SloTool::Pyrra, &fixture("pyrra.yaml")).slos;
    for slo in &slos {
        let written = fs::read_to_string(Path::new(&out).join(format!("{}.yaml", slo.name))).expect("written");
        assert_eq!(written, slo.text);
    }
    let again = run(&["import", "pyrra", &file, "--out", &out]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    let shown = run(&["import", "pyrra", &file, "--format", "json"]);
    let shown: Value = serde_json::from_slice(&shown.stdout).expect("JSON");
    assert_eq!(shown["slos"][0]["name"], slos[0].name.as_str());
    assert!(shown["missing"].as_array().is_some_and(|missing| !missing.is_empty()));
    assert_eq!(run(&["import", "sloth", &file, "--period", "soon"]).status.code(), Some(2));
}
