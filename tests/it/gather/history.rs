//! History as the baseline: the same questions about another time, told as if it were now.

use super::BEGAN;
use super::block_on;
use super::counts;
use super::gather_from;
use super::gauge;
use super::latency;
use super::memory::Memory;
use super::memory::at;
use super::memory::scrapes;
use super::ratio;
use super::threshold;
use super::windows;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::Matchers;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::Fault;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Observed;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Source;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

/// How long ago the baseline was.
const AGO: Duration = Duration::from_mins(30);

/// `rules` with the whole of `matchers` as the canary, and what it was `ago` as the baseline.
fn history(mut rules: RuleFile, matchers: &str, ago: Duration) -> RuleFile {
    let all = Matchers::parse(matchers).unwrap();
    rules.cohorts.canary = all.clone();
    rules.cohorts.baseline = Some(all);
    rules.cohorts.offset = Some(ago);
    rules
}

/// The same rules, with that baseline at its own time.
fn then(mut rules: RuleFile) -> RuleFile {
    rules.cohorts.canary = Matchers::parse("pod=\"nobody\"").unwrap();
    rules.cohorts.offset = None;
    rules
}

/// A shop that fails more since the wave began; one pod was born in the half hour before.
fn shop() -> Memory {
    let mut source = Memory::default();
    let began = BEGAN;
    for (pod, first) in [("a", 3600), ("b", began - 1800 + 30)] {
        source.add(&format!("requests_total{{job=shop,pod={pod},code=200}}"), scrapes(first, began + 600, 98.0));
        let mut errors = scrapes(first, began, 1.0);
        let before = errors.last().map_or(0.0, |(_, value)| *value);
        errors
            .extend(scrapes(began + 15, began + 600, 4.0).into_iter().map(|(second, value)| (second, value + before)));
        source.add(&format!("requests_total{{job=shop,pod={pod},code=500}}"), errors);
        let depth = scrapes(first, began + 600, 0.5);
        source.add(&format!("depth{{job=shop,pod={pod}}}"), depth);
        for (le, by) in [("0.1", 50.0), ("1", 90.0), ("+Inf", 100.0)] {
            source
                .add(&format!("latency_seconds_bucket{{job=shop,pod={pod},le={le}}}"), scrapes(first, began + 600, by));
        }
    }
    source
}

fn request<'a>(rules: &'a RuleFile, began: Timestamp, windows: &'a [Window]) -> Request<'a> {
    let scrape = Duration::from_secs(15);
    Request { rules, wave: "w", baseline: None, params: &NO_PARAMS, began, interval: scrape, scrape, windows }
}

fn baselines(evidence: &[IntervalEvidence]) -> Vec<Vec<Observed>> {
    let of = |one: &IntervalEvidence| one.checks.iter().filter_map(|check| check.baseline.clone()).collect();
    evidence.iter().map(of).collect()
}

async fn gathered(
    source: &dyn Source,
    rules: &RuleFile,
    began: Timestamp,
    windows: &[Window],
) -> Vec<IntervalEvidence> {
    gather::evidence(gather::Sources::only(source), &request(rules, began, windows)).await.unwrap()
}

/// The baseline is what it was then, window by window, births and gaps and all.
async fn is_as_it_was(source: &dyn Source, rules: &RuleFile, ago: Duration, windows: &[Window]) {
    let began = windows[0].from;
    let now = gathered(source, rules, began, windows).await;
    let earlier: Vec<Window> =
        windows.iter().map(|window| Window { from: window.from - ago, to: window.to - ago }).collect();
    let was = gathered(source, &then(rules.clone()), began - ago, &earlier).await;
    assert_eq!(baselines(&now), baselines(&was));
    for one in &now {
        assert_eq!(one.checks.len(), rules.checks.len());
        for check in &one.checks {
            let ago_ms = u64::try_from(ago.as_millis()).unwrap();
            assert!(check.notices.contains(&Notice::BaselineIsHistory { ago_ms }), "{check:?}");
            assert!(!check.faults.iter().any(|fault| matches!(fault, Fault::CohortsOverlap { .. })), "{check:?}");
        }
    }
}

#[test]
fn every_kind_of_check_sees_what_was_as_if_it_were_now() {
    let source = shop();
    for rules in [ratio(), latency(), gauge("depth"), gauge("sum(rate(depth[1m]))"), threshold("depth", "max: 1000")] {
        block_on(is_as_it_was(&source, &history(rules, "job=\"shop\"", AGO), AGO, &windows(8, 15)));
    }
}

#[test]
fn evidence_pairs_by_interval_and_does_not_depend_on_the_run_of_windows() {
    let (source, rules) = (shop(), history(ratio(), "job=\"shop\"", AGO));
    let windows = windows(8, 15);
    let all = gather_from(&source, &rules, &windows);
    for (one, window) in all.iter().zip(&windows) {
        assert_eq!(one.window, *window);
        assert_eq!(one.checks[0].canary.measure, counts(8.0, 204.0));
    }
    assert_eq!(all[0].checks[0].baseline.as_ref().unwrap().measure, counts(1.0, 99.0));
    assert_eq!(all[7].checks[0].baseline.as_ref().unwrap().measure, counts(2.0, 198.0));
    let apart: Vec<_> =
        windows.iter().flat_map(|one| gather_from(&source, &rules, std::slice::from_ref(one))).collect();
    assert_eq!(all, apart);
}

#[test]
fn history_that_reaches_into_the_wave_is_no_baseline() {
    let rules = history(ratio(), "job=\"shop\"", Duration::from_mins(1));
    let evidence = gather_from(&shop(), &rules, &windows(8, 15));
    let overlaps =
        |one: &IntervalEvidence| one.checks[0].faults.iter().any(|fault| matches!(fault, Fault::CohortsOverlap { .. }));
    assert_eq!(evidence.iter().map(overlaps).collect::<Vec<_>>(), [false, false, false, false, true, true, true, true]);
}

#[test]
fn an_aggregate_of_history_that_may_hold_the_wave_itself_is_no_baseline() {
    let overlaps = |canary: &str, past: &str, query: &str| {
        let mut rules = history(gauge(query), past, Duration::from_mins(1));
        rules.cohorts.canary = Matchers::parse(canary).unwrap();
        let evidence = gather_from(&shop(), &rules, &windows(8, 15));
        let of = |one: &IntervalEvidence| {
            one.checks[0].faults.iter().any(|fault| matches!(fault, Fault::CohortsOverlap { .. }))
        };
        evidence.iter().map(of).collect::<Vec<_>>()
    };
    let late = [false, false, false, false, true, true, true, true];
    // The sum of the past has no labels that show whether the canary is in it.
    assert_eq!(overlaps("pod=\"a\"", "job=\"shop\"", "sum(depth)"), late);
    assert_eq!(overlaps("job=~\"sh.*\",pod=\"a\"", "job=\"shop\"", "sum(rate(depth[1m]))"), late);
    // Matchers that exclude each other show that it is not.
    for (canary, past) in
        [("pod=\"a\"", "pod=\"b\""), ("pod=\"a\",job=\"shop\"", "pod!=\"a\",job=\"shop\""), ("pod!=\"b\"", "pod=\"b\"")]
    {
        assert_eq!(overlaps(canary, past, "sum(depth)"), [false; 8], "{canary} and {past}");
    }
    // Series that have their labels show it themselves.
    assert_eq!(overlaps("pod=\"a\"", "job=\"shop\"", "depth"), late);
    assert_eq!(overlaps("pod=~\"a\"", "pod=~\"b\"", "depth"), [false; 8]);
}

#[test]
fn a_source_without_a_past_shows_nothing_rather_than_health() {
    let source = Memory { partial: Some("it keeps two hours".to_owned()), ..shop() };
    let check = &gather_from(&source, &history(ratio(), "job=\"shop\"", AGO), &windows(8, 15))[0].checks[0];
    assert!(check.faults.iter().any(|fault| matches!(fault, Fault::PartialAnswer { .. })), "{check:?}");
    let rules = history(ratio(), "job=\"shop\"", Duration::from_hours(24));
    let check = &gather_from(&shop(), &rules, &windows(8, 15))[0].checks[0];
    assert_eq!(check.baseline.as_ref().map(|one| (one.measure.clone(), one.seen)), Some((Measure::Nothing, 0)));
}

#[test]
fn the_survey_looks_at_the_time_of_the_baseline() {
    let source = shop();
    let rules = history(ratio(), "job=\"shop\"", AGO);
    let bindings = Bindings { wave: "w", baseline: None, params: &NO_PARAMS };
    let found = block_on(gather::survey(&source, &rules, &bindings, at(BEGAN))).unwrap();
    assert_eq!(found, Some(Duration::from_secs(15)));
    let window = Window { from: at(BEGAN) - AGO - Duration::from_mins(5), to: at(BEGAN) - AGO };
    assert!(source.asked()[0].ends_with(&format!("in {window:?}")), "{:?}", source.asked());
}

#[tokio::test]
async fn a_real_server_shows_the_same() {
    let start = Timestamp::parse("2026-01-05T10:00:00Z").unwrap();
    let wave = Wave { restarts_at_minutes: vec![3], minutes_after: 90, ..Wave::new("new", start) };
    let server = PrometheusServer::backfilled(&openmetrics(&[wave]));
    let source = Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap();
    let text = include_str!("../../../rules/http-service.yaml");
    let rules = rules::parse("http-service.yaml", text).unwrap().rules;
    let ago = Duration::from_hours(1);
    let rules = history(rules, "wave_id=\"new-base\"", ago);
    let began = start + ago;
    let window =
        |k: u32| Window { from: began + Duration::from_secs(15) * k, to: began + Duration::from_secs(15) * (k + 1) };
    let windows: Vec<Window> = (0..24).map(window).collect();
    is_as_it_was(&source, &rules, ago, &windows).await;
    let evidence = gathered(&source, &rules, began, &windows).await;
    let counted = |observed: &Observed| matches!(observed.measure, Measure::Counts { total, .. } if total > 0.0);
    for one in &evidence {
        let errors = &one.checks[0];
        assert!(counted(&errors.canary) && errors.baseline.as_ref().is_some_and(counted), "{errors:?}");
    }
}
