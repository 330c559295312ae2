//! SLO files: what is read of them, and what is usual where they are silent.

use crate::rules::diagnostics::fixtures;
use crate::rules::hostile;
use serde_json::Value;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::Budgeting;
use wavegate::rules::CalendarUnit;
use wavegate::rules::EmptySlice;
use wavegate::rules::Indicator;
use wavegate::rules::Period;
use wavegate::rules::Policies;
use wavegate::rules::Scope;
use wavegate::rules::Slo;
use wavegate::rules::TierSeverity;
use wavegate::rules::WaveBurn;
use wavegate::rules::query::Selector;
use wavegate::series::Fraction;

pub(super) const EVERYTHING: &str = include_str!("../../../fixtures/slos/everything.yaml");

/// The least that an SLO says, with `more`.
fn least(more: &str) -> String {
    format!("version: 1\nname: a\nobjective: 99.9%\nindicator: {{ up: up }}\n{more}\n")
}

#[track_caller]
fn parsed(text: &str) -> Slo {
    rules::parse_slo("a.yaml", text).unwrap_or_else(|faults| panic!("\n{}", rules::render(&faults, text))).slo
}

/// The codes of what is told of the least SLO with `more`, errors and warnings.
#[track_caller]
fn codes(more: &str) -> Vec<&'static str> {
    let found = rules::parse_slo("a.yaml", &least(more)).map_or_else(|faults| faults, |parsed| parsed.warnings);
    found.iter().map(|found| found.code).collect()
}

fn fraction(numerator: u128, denominator: u128) -> Fraction {
    Fraction::new(numerator, denominator).unwrap()
}

#[test]
fn a_file_that_says_everything_is_read() {
    let slo = parsed(EVERYTHING);
    assert_eq!((slo.name.as_str(), slo.service.as_str()), ("checkout-availability", "checkout"));
    assert_eq!(slo.description.as_deref(), Some("Checkout answers."));
    assert_eq!(slo.source.as_deref(), Some("prometheus"));
    assert_eq!((slo.objective, slo.budget()), (fraction(1999, 2000), fraction(1, 2000)));
    let Period::Calendar { unit: CalendarUnit::Month, zone } = &slo.period else { panic!("{:?}", slo.period) };
    assert_eq!(zone.iana_name(), Some("Europe/Copenhagen"));
    let selector = |text: &str| Selector::parse(text).unwrap();
    let good = selector("http_requests_total{code!~\"5..\"}");
    assert_eq!(slo.indicator, Indicator::Good { good, total: selector("http_requests_total") });
    let minutes = Duration::from_mins;
    let target = fraction(19, 20);
    assert_eq!(slo.budgeting, Budgeting::Timeslices { target, slice: minutes(5), empty: EmptySlice::Good });
    assert_eq!((slo.slice, slo.settle), (Duration::from_secs(30), minutes(2)));
    let tiers: Vec<_> = slo.tiers.iter().map(|t| (t.name.as_str(), t.severity, t.long, t.short, t.factor)).collect();
    assert_eq!(
        tiers,
        [
            ("page_fast", TierSeverity::Page, minutes(60), minutes(5), fraction(72, 5)),
            ("page_slow", TierSeverity::Page, minutes(360), minutes(30), fraction(6, 1)),
            ("ticket", TierSeverity::Ticket, minutes(1440), minutes(120), fraction(5, 2)),
        ]
    );
    assert_eq!(slo.min_bad, 10);
    let absolute = slo.absolute.unwrap();
    assert_eq!((absolute.bad, absolute.within, absolute.severity), (50, minutes(360), TierSeverity::Page));
    assert_eq!(slo.strata, ["region", "tenant"]);
    let burn =
        WaveBurn { ratio: fraction(5, 2), floor: fraction(1, 2), scope: Scope::Service, level: 0.005, min_events: 250 };
    let policies = Policies {
        wave_burn: Some(burn),
        reserve: Some(fraction(1, 4)),
        waves_spend: None,
        page: false,
        projected: Some(fraction(8, 1)),
    };
    assert_eq!(slo.policies, policies);
}

#[test]
fn a_file_that_says_the_least_has_what_is_usual() {
    let slo = parsed(&least(""));
    assert_eq!((slo.service.as_str(), &slo.source, &slo.absolute), ("a", &None, &None));
    assert_eq!(slo.period, Period::Rolling(Duration::from_hours(30 * 24)));
    assert_eq!((slo.budgeting, slo.min_bad), (Budgeting::Occurrences, 5));
    assert_eq!((slo.slice, slo.settle), (Duration::from_mins(1), Duration::from_mins(1)));
    assert_eq!(slo.tiers, rules::usual_tiers(Duration::from_hours(30 * 24)));
    let burn =
        WaveBurn { ratio: fraction(2, 1), floor: Fraction::ONE, scope: Scope::Canary, level: 0.05, min_events: 100 };
    let fifth = Some(fraction(1, 5));
    // Six times: what the slower of the two pages asks for.
    let policies = Policies {
        wave_burn: Some(burn),
        reserve: fifth,
        waves_spend: fifth,
        page: true,
        projected: Some(fraction(6, 1)),
    };
    assert_eq!(slo.policies, policies);
    assert_eq!(parsed(&least("burn: { tiers: [] }")).policies.projected, None);
}

#[test]
fn the_usual_tiers_are_those_of_the_reference() {
    let reference: Value = serde_json::from_str(include_str!("../../../fixtures/reference/slo_tiers.json")).unwrap();
    for vector in reference["vectors"].as_array().unwrap() {
        let period = Duration::from_secs(vector["input"]["period_s"].as_u64().unwrap());
        let expected = vector["expected"].as_array().unwrap();
        // By the shares of the vector each factor is as there.
        for tier in expected {
            let share = Fraction::percent(&tier["budget_pct"].to_string()).unwrap();
            let long = Duration::from_secs(tier["long_s"].as_u64().unwrap());
            let factor = rules::burn_factor(share, period, long).unwrap().as_f64();
            let wanted = tier["factor"].as_f64().unwrap();
            assert!((factor - wanted).abs() <= 1e-12 * wanted, "{}: {factor}", vector["id"]);
        }
        // The workbook's shares of a week tell of burns that last: others stand there.
        if vector["input"]["policy"] == "workbook" && period < Duration::from_hours(28 * 24) {
            continue;
        }
        let seconds = |span: Duration| span.as_secs();
        let made = rules::usual_tiers(period);
        let made: Vec<_> =
            made.iter().map(|t| (t.name.clone(), seconds(t.long), seconds(t.short), t.factor.as_f64())).collect();
        let wanted: Vec<_> = expected
            .iter()
            .map(|tier| {
                let seconds = |key: &str| tier[key].as_u64().unwrap();
                let name = tier["tier"].as_str().unwrap().to_owned();
                (name, seconds("long_s"), seconds("short_s"), tier["factor"].as_f64().unwrap())
            })
            .collect();
        assert_eq!(made, wanted, "{}", vector["id"]);
    }
}

#[test]
fn a_usual_tier_is_left_out_where_it_means_nothing() {
    for (hours, names) in [
        (90 * 24, &["page_fast", "page_slow", "ticket_fast", "ticket_slow"][..]),
        (7 * 24, &["page_fast", "page_slow", "ticket_fast", "ticket_slow"]),
        (6 * 24, &["page_fast", "page_slow", "ticket_fast"]),
        (24, &["page_fast"]),
        (12, &["page_fast"]),
        (1, &[]),
    ] {
        let tiers = rules::usual_tiers(Duration::from_hours(hours));
        assert_eq!(tiers.iter().map(|tier| tier.name.as_str()).collect::<Vec<_>>(), names, "{hours}h");
    }
}

/// Every broken file and what is said of it, to be read as a user reads it.
#[test]
fn every_fault_of_an_slo_is_told_with_its_place_and_its_mend() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    for (folder, loads) in [("broken", false), ("warned", true)] {
        for (name, text) in fixtures(&format!("fixtures/slos/{folder}")) {
            let parsed = rules::parse_slo(&name, &text);
            assert_eq!(parsed.is_ok(), loads, "{name}");
            let told = parsed.map_or_else(|faults| faults, |parsed| parsed.warnings);
            let stem = name.rsplit('/').next().unwrap().trim_end_matches(".yaml");
            settings.bind(|| insta::assert_snapshot!(format!("slo_{folder}_{stem}"), rules::render(&told, &text)));
        }
    }
}

#[test]
fn an_objective_is_kept_as_it_is_written() {
    let budget = |objective: &str| {
        let text = least("").replace("99.9%", objective);
        rules::parse_slo("a.yaml", &text).map(|parsed| parsed.slo.budget()).map_err(|faults| faults[0].code)
    };
    assert_eq!(budget("99.9%"), Ok(fraction(1, 1000)));
    assert_eq!(budget("99.900%"), Ok(fraction(1, 1000)));
    assert_eq!(budget("'99.9999999999999%'"), Ok(fraction(1, 1_000_000_000_000_000)));
    assert_eq!(budget("0.0000000000001%"), Ok(fraction(999_999_999_999_999, 1_000_000_000_000_000)));
    for (objective, code) in [
        ("0%", "impossible_objective"),
        ("0.000%", "impossible_objective"),
        ("100%", "impossible_objective"),
        ("100.1%", "impossible_objective"),
        ("99.99999999999999%", "too_many_digits"),
        ("9999999999999999%", "too_many_digits"),
        ("99.9", "wrong_unit"),
        ("0.999", "wrong_unit"),
        (".inf", "wrong_unit"),
        (".nan", "wrong_unit"),
        ("NaN%", "wrong_unit"),
        ("-99%", "wrong_unit"),
        ("+99%", "wrong_unit"),
        ("1e2%", "wrong_unit"),
        ("99,9%", "wrong_unit"),
        ("99.9 %", "wrong_unit"),
        (".5%", "wrong_unit"),
        ("5.%", "wrong_unit"),
        ("1.2.3%", "wrong_unit"),
        ("'%'", "wrong_unit"),
        ("٩٩%", "wrong_unit"),
        ("[99%]", "wrong_unit"),
    ] {
        assert_eq!(budget(objective), Err(code), "{objective}");
    }
}

#[test]
fn a_threshold_is_the_float_of_its_digits() {
    let threshold = |text: &str| {
        let text = format!(
            "version: 1\nname: a\nobjective: 99%\nindicator: {{ latency: {{ histogram: h, threshold: {text} }} }}\n"
        );
        let indicator = parsed(&text).indicator;
        let Indicator::Latency { threshold, .. } = indicator else { panic!("{indicator:?}") };
        threshold
    };
    for (written, seconds) in [("300ms", 0.3), ("0.3", 0.3), ("2s300ms", 2.3), ("1m", 60.0), ("262144", 262_144.0)] {
        assert!(threshold(written).total_cmp(&seconds).is_eq(), "{written}: {}", threshold(written));
    }
}

#[test]
fn windows_fit_the_slice_and_the_period() {
    for (said, expected) in [
        ("period: 1h\nburn: { tiers: [] }", &[][..]),
        ("period: 59m", &["impossible_period"]),
        ("period: 366d", &[]),
        ("period: 367d", &["impossible_period"]),
        ("period: 69d\nslice: 10s", &[]),
        ("period: 70d\nslice: 10s", &["impossible_slice"]),
        ("period: 30d30s", &["not_a_multiple"]),
        ("slice: 5m", &[]),
        ("slice: 9s", &["impossible_slice"]),
        ("slice: 61m", &["impossible_slice"]),
        ("slice: 10m", &["not_a_multiple"]),
        ("slice: 10m\nburn: { tiers: [{ name: a, severity: page, long: 1h, short: 10m, factor: 2x }] }", &[]),
        ("budgeting: { ratio_timeslices: {} }", &[]),
        ("slice: 2m\nburn: { tiers: [] }\nbudgeting: { ratio_timeslices: {} }", &["not_a_multiple"]),
        ("period: { calendar: quarter }", &[]),
        ("period: { timezone: UTC }", &["missing_key"]),
        ("policies: { reserve: 99.9%, waves_spend: 100%, projected: 0.1x }", &[]),
        ("policies: { wave_burn: off, reserve: off, waves_spend: off, page: off, projected: off }", &[]),
        ("strata: []", &[]),
        ("strata: [a, b, c, d, e, f, g, h]", &[]),
    ] {
        assert_eq!(codes(said), expected, "{said}");
    }
}

#[test]
fn a_tier_that_nothing_reaches_is_told() {
    let told = |objective: &str| {
        let text = least("").replace("99.9%", objective);
        let parsed = rules::parse_slo("a.yaml", &text).unwrap();
        parsed.warnings.into_iter().map(|warning| (warning.code, warning.message)).collect::<Vec<_>>()
    };
    // C13 and C14 of the reference; 14.4 times 1/14.4 is just out of reach.
    let [(code, message)] = &told("90%")[..] else { panic!("{:?}", told("90%")) };
    assert!(*code == "tier_cannot_fire" && message.contains("`page_fast` of"), "{message}");
    let codes: Vec<_> = told("80%").into_iter().map(|(code, _)| code).collect();
    assert_eq!(codes, ["no_page", "tier_cannot_fire"]);
    assert_eq!(told("93.06%"), []);
    assert_eq!(told("93.05%").len(), 1);
}

#[test]
fn slices_are_kept_by_what_they_count() {
    let by = |source: &str, indicator: &str, more: &str| {
        let text = format!("version: 1\nname: a\n{source}objective: 99%\nindicator: {{ {indicator} }}\n{more}");
        parsed(&text).counted_by
    };
    let first = by("", "up: 'm{a=\"1\",b=\"2\"}'", "");
    for same in [
        by("", "up: 'm{b=\"2\", a=\"1\"}'", ""),
        by("", "up: '{__name__=\"m\",b=\"2\",a=\"1\",a=\"1\"}'", "period: 7d\nsettle: 2m\nstrata: [a]\n"),
    ] {
        assert_eq!(first, same);
    }
    for other in [
        by("source: x\n", "up: 'm{a=\"1\",b=\"2\"}'", ""),
        by("", "up: 'm{a=\"1\"}'", ""),
        by("", "up: 'm{a=\"1\",b=\"2\"}'", "slice: 30s\n"),
        by("", "ratio: { bad: 'm{a=\"1\",b=\"2\"}', total: t }", ""),
        by("", "ratio: { good: 'm{a=\"1\",b=\"2\"}', total: t }", ""),
        by("", "latency: { histogram: 'm{a=\"1\",b=\"2\"}', threshold: 1 }", ""),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn what_no_rule_file_may_be_no_slo_file_may_be() {
    let text_itself = ["file_too_complex", "file_too_large", "not_utf8", "not_yaml", "empty_file", "second_document"];
    let mut same = 0;
    for hostile in hostile::inputs() {
        let text = String::from_utf8_lossy(&hostile.bytes);
        let faults = rules::parse_slo("a.yaml", &text).expect_err(hostile.name);
        assert!(!faults.is_empty() && faults.len() <= 100, "{}", hostile.name);
        if text_itself.contains(&hostile.code) {
            assert_eq!(faults[0].code, hostile.code, "{}", hostile.name);
            same += 1;
        }
        // Behind a rule file it is refused as well.
        let gate = "version: 1\nname: a\nbudget: { slo: s }\nchecks: [{ name: up, threshold: up, min: 1 }]\n";
        assert!(rules::parse("a.yaml", &rules::bundle_slo(gate, "s", &text)).is_err(), "{}", hostile.name);
    }
    assert!(same > 25, "{same}");
}

#[test]
fn a_file_that_is_cut_or_changed_anywhere_is_answered_with_places_that_are_there() {
    let answered = |text: &str| {
        let told = rules::parse_slo("a.yaml", text).map_or_else(|faults| faults, |parsed| parsed.warnings);
        let lines: Vec<&str> = text.split('\n').collect();
        for fault in told {
            let line = lines.get(fault.line - 1).unwrap_or_else(|| panic!("{fault}\n{text}"));
            assert!(fault.column <= line.chars().count() + 1 && fault.width > 0, "{fault}\n{text}");
        }
        rules::is_slo(text);
        rules::slo_name(text);
    };
    for (at, _) in EVERYTHING.char_indices().step_by(7) {
        answered(&EVERYTHING[..at]);
        for put in ["{", "0", "é"] {
            answered(&format!("{}{put}{}", &EVERYTHING[..at], EVERYTHING.get(at + 1..).unwrap_or_default()));
        }
    }
}

#[test]
fn no_window_is_shorter_than_what_is_counted_in_it() {
    // Half of a slice counts nothing, so such a tier never fires and never pauses a wave.
    let tier = |long: &str, short: &str| {
        format!("burn: {{ tiers: [{{ name: t, severity: page, long: {long}, short: {short}, factor: 2x }}] }}")
    };
    for kind in ["timeslices: { target: 95%, slice: 10m }", "ratio_timeslices: { slice: 10m }"] {
        let with = |more: &str| codes(&format!("budgeting: {{ {kind} }}\n{more}"));
        assert_eq!(with(""), ["not_a_multiple"], "the usual tiers have a window of 5m");
        assert_eq!(with(&tier("1h", "5m")), ["not_a_multiple"]);
        assert_eq!(with(&tier("65m", "10m")), ["not_a_multiple"]);
        assert_eq!(with(&tier("1h", "10m")), [""; 0]);
        assert_eq!(with(&format!("period: 905m\n{}", tier("1h", "10m"))), ["not_a_multiple"]);
    }
    assert_eq!(codes("budgeting: { timeslices: { target: 95%, slice: 5m } }"), [""; 0]);
}

#[test]
fn a_period_without_usual_tiers_is_warned_of() {
    assert_eq!(codes("period: 6h"), ["no_page"]);
    assert_eq!(codes("period: 6h\nburn: { tiers: [] }"), [""; 0]);
    assert_eq!(codes("period: 12h"), [""; 0]);
}

#[test]
fn a_threshold_is_never_another_than_what_is_written() {
    let with = |threshold: &str| {
        let text = least("").replace("up: up", &format!("latency: {{ histogram: h, threshold: {threshold} }}"));
        rules::parse_slo("a.yaml", &text).map(|parsed| parsed.slo.indicator).map_err(|faults| faults[0].code)
    };
    let read = |threshold| Indicator::Latency { histogram: Selector::parse("h").unwrap(), threshold };
    assert_eq!(with("2d"), Ok(read(172_800.0)));
    assert_eq!(with("60d"), Err("out_of_range"));
}
