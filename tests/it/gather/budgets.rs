//! A wave's own counts for its error budget.

use super::BEGAN;
use super::block_on;
use super::counts;
use super::memory::Memory;
use super::memory::at;
use super::memory::scrapes;
use super::ratio;
use super::service::slo;
use super::windows;
use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;
use wavegate::rules::Budget;
use wavegate::rules::RuleFile;
use wavegate::rules::Slo;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::Matchers;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::Fault;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::ServiceReading;
use wavegate::series::Slices;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::AccountAsked;
use wavegate::sources::Accounts;
use wavegate::sources::Error;
use wavegate::sources::Pending;
use wavegate::sources::Source;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;
use wavegate::sources::gather::Sources;
use wavegate::sources::recording::Recorded;
use wavegate::sources::recording::Recorder;

const BAD: &str = "{ ratio: { bad: 'requests_total{code=~\"5..\"}', total: requests_total } }";

fn minding(mut rules: RuleFile, slo: Slo) -> RuleFile {
    let policies = slo.policies;
    rules.budget = Some(Budget { slo: Arc::new(slo), policies });
    rules
}

fn request<'a>(rules: &'a RuleFile, windows: &'a [Window]) -> Request<'a> {
    let (interval, scrape) = (Duration::from_secs(15), Duration::from_secs(15));
    let (wave, baseline, params) = ("new", Some("old"), &NO_PARAMS);
    Request { rules, wave, baseline, params, began: at(BEGAN), interval, scrape, windows }
}

fn evidence(sources: Sources<'_>, rules: &RuleFile) -> Vec<IntervalEvidence> {
    block_on(gather::evidence(sources, &request(rules, &windows(8, 15)))).unwrap()
}

fn budget(source: &dyn Source, rules: &RuleFile, index: usize) -> BudgetEvidence {
    evidence(Sources::only(source), rules)[index].budget.clone().unwrap()
}

fn wave(source: &dyn Source, indicator: &str) -> CheckEvidence {
    budget(source, &minding(ratio(), slo(indicator)), 3).wave
}

#[test]
fn the_survey_looks_at_what_a_budget_counts() {
    let mut source = Memory::default();
    source.add("slow_total{wave_id=new,pod=n}", (0..20).map(|k| (BEGAN - 60 * k, 1.0)).collect());
    let rules = minding(ratio(), slo("{ ratio: { bad: 'slow_total{code=~\"5..\"}', total: slow_total } }"));
    let bindings = Bindings { wave: "new", baseline: Some("old"), params: &NO_PARAMS };
    let surveyed = block_on(gather::survey(&source, &rules, &bindings, at(BEGAN))).unwrap();
    assert_eq!(surveyed, Some(Duration::from_mins(1)), "of a gate whose only series are the budget's");
}

/// The canary in one region, the baseline in two.
fn regions() -> Memory {
    let mut source = Memory::default();
    for (wave, pod, region, all, bad) in
        [("new", "n", "eu", 90.0, 10.0), ("old", "o", "eu", 95.0, 5.0), ("old", "p", "us", 199.0, 1.0)]
    {
        let series = |code: &str| format!("requests_total{{wave_id={wave},pod={pod},region={region},code={code}}}");
        source.add(&series("200"), scrapes(3600, 7800, all));
        source.add(&series("500"), scrapes(3600, 7800, bad));
    }
    source
}

#[test]
fn both_cohorts_are_counted_by_the_indicator_with_the_matchers_of_the_gate() {
    let found = budget(&regions(), &minding(ratio(), slo(BAD)), 3);
    assert_eq!(found.wave.canary.measure, counts(10.0, 100.0));
    assert_eq!(found.wave.baseline.as_ref().unwrap().measure, counts(6.0, 300.0));
    assert_eq!((found.wave.canary.seen, found.wave.canary.expected), (1, 1));
    assert!(found.wave.canary.instances.is_empty() && found.wave.faults.is_empty());
    assert_eq!(found.service, None, "nobody keeps accounts here");
    // A gate without an SLO has none.
    assert_eq!(evidence(Sources::only(&regions()), &ratio())[3].budget, None);
}

#[test]
fn what_a_check_asks_is_not_asked_again() {
    let (with, without) = (regions(), regions());
    let found = evidence(Sources::only(&with), &minding(ratio(), slo(BAD)));
    let alone = evidence(Sources::only(&without), &ratio());
    assert_eq!(with.asked(), without.asked());
    for (found, alone) in found.iter().zip(alone) {
        assert_eq!((found.window, &found.checks), (alone.window, &alone.checks));
    }
}

#[test]
fn strata_are_kept_apart_also_where_a_label_is_missing_or_there_are_several() {
    let mut source = regions();
    source.add("requests_total{wave_id=old,pod=q,code=200}", scrapes(3600, 7800, 7.0));
    let mut slo = slo(BAD);
    slo.strata = vec!["region".to_owned()];
    let found = budget(&source, &minding(ratio(), slo.clone()), 3).wave;
    let named = |check: &CheckEvidence| {
        let all = check.baseline.as_ref().unwrap().instances.iter();
        all.map(|one| (one.name.clone(), one.measure.clone())).collect::<Vec<_>>()
    };
    let expect = [("", counts(0.0, 7.0)), ("eu", counts(5.0, 100.0)), ("us", counts(1.0, 200.0))];
    assert_eq!(named(&found), expect.map(|(name, measure)| (name.to_owned(), measure)));
    assert_eq!(found.canary.instances.len(), 1);
    slo.strata.push("pod".to_owned());
    let found = budget(&source, &minding(ratio(), slo), 3).wave;
    let pairs: Vec<String> = named(&found).into_iter().map(|(name, _)| name).collect();
    assert_eq!(pairs, [r#"region="",pod="q""#, r#"region="eu",pod="o""#, r#"region="us",pod="p""#]);
}

#[test]
fn too_many_strata_are_not_kept_and_it_is_said() {
    let mut source = regions();
    for region in 0..70 {
        source.add(&format!("requests_total{{wave_id=old,region=r{region},code=200}}"), scrapes(3600, 7800, 1.0));
    }
    let mut slo = slo(BAD);
    slo.strata = vec!["region".to_owned()];
    let found = budget(&source, &minding(ratio(), slo), 3).wave;
    assert!(found.baseline.as_ref().unwrap().instances.is_empty());
    assert_eq!(found.notices, [Notice::TooManyInstances { instances: 72 }]);
}

#[test]
fn without_a_baseline_there_is_none_and_history_is_asked_for_as_for_checks() {
    let mut rules = minding(ratio(), slo(BAD));
    rules.cohorts.baseline = None;
    assert_eq!(budget(&regions(), &rules, 3).wave.baseline, None);
    let all = Matchers::parse("wave_id=\"new\"").unwrap();
    rules.cohorts.baseline = Some(all);
    rules.cohorts.offset = Some(Duration::from_mins(10));
    let found = budget(&regions(), &rules, 3).wave;
    assert_eq!(found.baseline.unwrap().measure, counts(10.0, 100.0));
    assert_eq!(found.notices, [Notice::BaselineIsHistory { ago_ms: 600_000 }]);
}

#[test]
fn good_events_slow_events_and_samples_of_a_gauge_are_counted_of_waves_too() {
    let mut source = regions();
    for (wave, slow) in [("new", 4.0), ("old", 1.0)] {
        for (le, by) in [("0.3", 10.0 - slow), ("1.0", 10.0), ("+Inf", 10.0)] {
            let series = format!("latency_seconds_bucket{{wave_id={wave},pod={wave},le={le}}}");
            source.add(&series, scrapes(3600, 7800, by));
        }
        let up = scrapes(3600, 7800, 1.0).into_iter();
        let up = up.map(|(second, _)| (second, f64::from(u8::from(wave == "old" || second % 30 == 0))));
        source.add(&format!("up{{wave_id={wave},pod={wave}}}"), up.collect());
    }
    for (indicator, canary, baseline) in [
        ("{ ratio: { good: 'requests_total{code=\"200\"}', total: requests_total } }", (10.0, 100.0), (6.0, 300.0)),
        ("{ latency: { histogram: latency_seconds, threshold: 300ms } }", (4.0, 10.0), (1.0, 10.0)),
        ("{ up: up }", (0.0, 1.0), (0.0, 1.0)),
    ] {
        let found = wave(&source, indicator);
        assert_eq!(found.canary.measure, counts(canary.0, canary.1), "{indicator}");
        assert_eq!(found.baseline.unwrap().measure, counts(baseline.0, baseline.1), "{indicator}");
        assert_eq!((&found.faults[..], found.canary.seen), (&[][..], 1), "{indicator}");
    }
    let down = budget(&source, &minding(ratio(), slo("{ up: up }")), 2).wave;
    assert_eq!(down.canary.measure, counts(1.0, 1.0));
}

#[test]
fn faults_of_the_indicator_are_told() {
    let unseen = wave(&regions(), "{ ratio: { bad: errors_total, total: requests_total } }");
    assert!(matches!(&unseen.faults[..], [Fault::BadNeverSeen { selector }] if selector == "errors_total"));
    let unseen = wave(&regions(), "{ ratio: { good: fine_total, total: requests_total } }");
    assert!(matches!(&unseen.faults[..], [Fault::BadNeverSeen { selector }] if selector == "fine_total"));

    let partial = Memory { partial: Some("a store is away".to_owned()), ..regions() };
    let found = wave(&partial, BAD);
    assert_eq!((found.canary.seen, found.faults.len()), (0, 1));

    let mut source = regions();
    for (wave, le) in [("new", "0.5"), ("new", "+Inf"), ("old", "0.3"), ("old", "+Inf")] {
        let series = format!("latency_seconds_bucket{{wave_id={wave},pod={wave},le={le}}}");
        source.add(&series, scrapes(3600, 7800, 10.0));
    }
    let found = wave(&source, "{ latency: { histogram: latency_seconds, threshold: 300ms } }");
    let [Fault::ThresholdNotABucket { threshold, bounds }] = &found.faults[..] else { panic!("{found:?}") };
    assert!(threshold.starts_with("0.3 of latency_seconds"), "{threshold}");
    assert_eq!((&bounds[..], &found.canary.measure), ("0.5, +Inf", &Measure::Nothing));

    let mut rules = minding(ratio(), slo(BAD));
    rules.cohorts.baseline = Some(rules.cohorts.canary.clone());
    let found = budget(&regions(), &rules, 3).wave;
    assert!(matches!(&found.faults[..], [Fault::CohortsOverlap { .. }]), "{:?}", found.faults);
}

/// Accounts that say when they were asked.
#[derive(Default)]
struct Asked(Mutex<Vec<(String, Timestamp, Window)>>);

impl Accounts for Asked {
    fn stand<'a>(&'a self, asked: AccountAsked<'a>) -> Pending<'a, Result<ServiceReading, Error>> {
        self.0.lock().unwrap().push((asked.wave.to_owned(), asked.began, asked.window));
        Box::pin(std::future::ready(Ok(reading(asked.slo, asked.window.to))))
    }
}

fn reading(slo: &Slo, then: Timestamp) -> ServiceReading {
    let mut slices = Slices::new(slo.slice, at(BEGAN - 600));
    slices.put(at(BEGAN - 600), &[Some(Counts { bad: 1.0, total: 100.0 }); 20]);
    wavegate::judge::account(slo, &slices, then)
}

#[test]
fn the_service_is_read_at_the_end_of_each_window() {
    let (accounts, source) = (Asked::default(), regions());
    let rules = minding(ratio(), slo(BAD));
    let sources = Sources { accounts: Some(&accounts), ..Sources::only(&source) };
    let found = evidence(sources, &rules);
    let slo = &rules.budget.as_ref().unwrap().slo;
    for one in &found {
        assert_eq!(one.budget.as_ref().unwrap().service, Some(reading(slo, one.window.to)));
    }
    let asked: Vec<_> = windows(8, 15).into_iter().map(|window| ("new".to_owned(), at(BEGAN), window)).collect();
    assert_eq!(*accounts.0.lock().unwrap(), asked);
}

#[test]
fn a_recording_has_what_an_error_budget_asks() {
    let source = regions();
    let fast = "{ latency: { histogram: latency_seconds, threshold: 300ms } }";
    for indicator in [BAD, fast, "{ up: 'up{job=\"a\"}' }", "{ ratio: { bad: errors_total, total: requests_total } }"] {
        let rules = minding(ratio(), slo(indicator));
        let recorder = Recorder::new(&source);
        let live = evidence(Sources::only(&recorder), &rules);
        let (none, until) = ([], at(BEGAN + 120));
        let refused = block_on(gather::widen(&recorder, &request(&rules, &none), until));
        assert!(refused.is_empty(), "{refused:?}");
        let replay = Recorded::new("recorded".to_owned(), recorder.answers());
        assert_eq!(evidence(Sources::only(&replay), &rules), live);
        // Another threshold can be asked of what was recorded of all buckets.
        let other = minding(ratio(), slo(&fast.replace("300ms", "1s")));
        let found = budget(&replay, &other, 3).wave;
        assert_eq!(found.faults.is_empty(), indicator == fast, "{found:?}");
    }
}
