//! Waves that a source has only lately.

use super::memory::Memory;
use super::memory::at;
use super::memory::scrapes;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::Timestamp;
use wavegate::sources::Source;
use wavegate::sources::gather::Found;
use wavegate::sources::gather::Search;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

/// Some time; searches are made then.
const NOW: i64 = 100_000;

fn rules(cohorts: &str) -> RuleFile {
    let text = format!(
        "version: 1\nname: t\ncohorts: {{ {cohorts} }}\nchecks:\n  - name: c\n    \
         ratio: {{ bad: bad_total, total: r_total }}\n"
    );
    rules::parse("t.yaml", &text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text))).rules
}

fn fleet() -> RuleFile {
    rules("canary: 'wave_id=\"$wave\",job=\"shop\"', baseline: 'wave_id!=\"$wave\"'")
}

/// New values with their first samples.
async fn found(source: &dyn Source, rules: &RuleFile, now: Timestamp) -> Result<Vec<(String, Timestamp)>, String> {
    let search = Search::of(rules).unwrap();
    match search.newcomers(source, now).await.unwrap() {
        Found::Unknown(message) => Err(message),
        Found::Values(all) => {
            let mut found = Vec::new();
            for one in all {
                found.push((one.value.clone(), search.since(source, &one).await.unwrap()));
            }
            Ok(found)
        }
    }
}

/// What is new of series that count from one second to another.
async fn check(series: &[(&str, i64, i64)], expect: &[(&str, i64)]) {
    let mut source = Memory::default();
    for (labels, first, last) in series {
        source.add(&format!("r_total{{{labels}}}"), scrapes(NOW + first, NOW + last, 1.0));
    }
    let expect = expect.iter().map(|(value, since)| ((*value).to_owned(), at(NOW + since)));
    assert_eq!(found(&source, &fleet(), at(NOW)).await, Ok(expect.collect()), "{series:?}");
}

#[tokio::test]
async fn a_value_is_new_that_began_lately_beside_others_that_did_not() {
    let old = ("wave_id=old,job=shop,pod=a", -7000, 0);
    check(&[old], &[]).await;
    check(&[old, ("wave_id=new,job=shop,pod=b", -300, 0)], &[("new", -300)]).await;
    check(&[old, ("wave_id=new,job=shop,pod=b", -599, 0)], &[("new", -599)]).await;
    check(&[old, ("wave_id=new,job=shop,pod=b", -600, 0)], &[]).await;
    // Its first instance counts, and the oldest wave comes first.
    let second = ("wave_id=b,job=shop,pod=c", -200, 0);
    check(
        &[old, ("wave_id=b,job=shop,pod=b", -100, 0), second, ("wave_id=a,job=shop,pod=d", -50, 0)],
        &[("b", -200), ("a", -50)],
    )
    .await;
    // One that went and came back within the hour is not new; nor is one of another job, or without an id.
    check(&[old, ("wave_id=w,job=shop,pod=b", -3000, -2500), ("wave_id=w,job=shop,pod=c", -60, 0)], &[]).await;
    check(&[old, ("wave_id=new,job=other,pod=b", -300, 0), ("wave_id=,job=shop,pod=c", -300, 0)], &[]).await;
}

#[tokio::test]
async fn a_source_that_saw_nothing_before_does_not_know_what_is_new() {
    check(&[("wave_id=a,job=shop,pod=a", -500, 0), ("wave_id=b,job=shop,pod=b", -100, 0)], &[]).await;
    check(&[], &[]).await;
    let mut source = Memory { partial: Some("a target is down".to_owned()), ..Memory::default() };
    source.add("r_total{wave_id=old,job=shop}", scrapes(NOW - 7000, NOW, 1.0));
    source.add("r_total{wave_id=new,job=shop}", scrapes(NOW - 60, NOW, 1.0));
    assert_eq!(found(&source, &fleet(), at(NOW)).await, Err("a target is down".to_owned()));
    assert_eq!(source.asked().len(), 2, "the hour, and less: {:?}", source.asked());
}

#[tokio::test]
async fn a_wave_that_was_seen_a_scrape_after_the_first_is_not_new_ten_minutes_later() {
    // The source began to see them all: scrapes of different targets are some seconds apart.
    for began in [-620, -610, -605, -601, -600, -590, -545] {
        for apart in [1, 14, 59, 240] {
            let first = ("wave_id=a,job=shop,pod=a", began, 0);
            check(&[first, ("wave_id=b,job=shop,pod=b", began + apart, 0)], &[]).await;
        }
    }
}

#[tokio::test]
async fn a_hostile_value_is_asked_for_as_a_value() {
    let mut source = Memory::default();
    source.add("r_total{wave_id=old,job=shop}", scrapes(NOW - 7000, NOW, 1.0));
    let hostile = "x\"} or {job=~\".*";
    source.series.push((
        [("__name__", "r_total"), ("job", "shop"), ("wave_id", hostile)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into_iter()
            .collect(),
        vec![wavegate::series::Sample { at: at(NOW - 100), value: 1.0 }],
    ));
    assert_eq!(found(&source, &fleet(), at(NOW)).await, Ok(vec![(hostile.to_owned(), at(NOW - 100))]));
}

#[test]
fn rules_by_which_nothing_can_be_found_say_why() {
    for (cohorts, part) in [
        ("canary: 'wave_id=\"$wave\"', baseline: 'wave_id=\"$baseline\"'", "$baseline"),
        ("canary: 'wave_id=~\"$wave\"', baseline: 'wave_id!=\"$wave\"'", "no matcher"),
        ("canary: 'wave_id=\"$wave\",pod=~\"$wave-.*\"', baseline: 'wave_id!=\"$wave\"'", "more than one"),
    ] {
        let fault = Search::of(&rules(cohorts)).unwrap_err();
        assert!(fault.contains(part), "{cohorts}: {fault}");
    }
}

#[tokio::test]
async fn a_real_server_knows_the_new_wave_and_when_it_began() {
    let start = Timestamp::parse("2026-01-05T10:00:00Z").unwrap();
    let old = Wave { minutes_after: 12, ..Wave::new("old", start - Duration::from_hours(1)) };
    let new = Wave { canary_from_minute: 0, minutes_after: 12, ..Wave::new("new", start) };
    let server = PrometheusServer::backfilled(&openmetrics(&[old, new]));
    let source = Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap();
    let text = include_str!("../../../rules/http-service.yaml");
    let text = format!("{text}\ncohorts: {{ canary: 'wave_id=\"$wave\"', baseline: 'wave_id!=\"$wave\"' }}\n");
    let rules = rules::parse("http-service.yaml", &text).unwrap().rules;
    for (minutes, expect) in [(5, true), (11, false)] {
        let now = start + Duration::from_mins(minutes);
        let all = found(&source, &rules, now).await.unwrap();
        let news: Vec<&str> = all.iter().map(|(value, _)| value.as_str()).collect();
        assert_eq!(news, if expect { vec!["new"] } else { vec![] }, "after {minutes} min");
        for (value, since) in all {
            assert!((start..start + Duration::from_secs(16)).contains(&since), "{value} {since}");
        }
    }
}
