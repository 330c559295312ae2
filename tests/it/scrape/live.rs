//! Targets that behave, go away and come back.

use super::ALWAYS;
use super::raw_until;
use super::scraped;
use super::serving;
use super::settings;
use super::start;
use super::target;
use super::text;
use super::values;
use crate::support::http::TestServer;
use crate::support::http::answer;
use crate::support::prometheus::PrometheusServer;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::series::Labels;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Error;
use wavegate::sources::Grid;
use wavegate::sources::Source;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings as PrometheusSettings;
use wavegate::sources::scrape::Scrape;

const BODY: &str = "# TYPE lamps gauge\nlamps 4\nlamps{pod=\"own\",instance=\"x\",exported_pod=\"y\"} 5\n\
    odd{a=\"b,c=d}e\",f=\"g\\\"h\\\\i\\nj\"} 1e3\nrule:lamps:sum 9\nempty{job=\"\",b=\"\"} 1\nstate NaN\nmost +Inf\n";

/// The last value of each series but those that a scrape makes itself.
fn exposed(series: &[wavegate::series::Series]) -> BTreeMap<String, Option<u64>> {
    let own = |labels: &Labels| labels.get("__name__").is_some_and(|name| name == "up" || name.starts_with("scrape_"));
    let last = |one: &wavegate::series::Series| one.samples().last().map(|sample| sample.value.to_bits());
    series.iter().filter(|one| !own(one.labels())).map(|one| (one.labels().to_string(), last(one))).collect()
}

#[tokio::test]
async fn what_is_kept_is_what_a_prometheus_keeps() {
    let served = serving(BODY).await;
    let labels = [("job", "targets"), ("pod", "a")];
    let ours = start(&settings(vec![target(&served.url(), &labels)]));
    let prometheus = PrometheusServer::scraping(&[(served.address(), &[("pod", "a")])], Duration::from_millis(200));
    let endpoint = Endpoint::parse(&prometheus.url()).unwrap();
    let theirs = Prometheus::new("prometheus", PrometheusSettings::new(endpoint)).unwrap();
    let everything = r#"{job="targets"}"#;
    let asking = async {
        loop {
            let answer = theirs.raw(everything, ALWAYS).await.unwrap();
            if !exposed(&answer.series).is_empty() {
                break answer;
            }
        }
    };
    let theirs = tokio::time::timeout(Duration::from_mins(1), asking).await.expect("a scrape within a minute");
    scraped(&ours, 1).await;
    let ours = ours.raw(everything, ALWAYS).await.unwrap();
    assert_eq!(exposed(&ours.series), exposed(&theirs.series));
    assert_eq!((ours.partial, ours.remarks), (None, vec![]));
    let asked = &served.requests()[0];
    assert!(asked.line.starts_with("GET /metrics"), "{asked:?}");
    assert!(asked.headers["accept"].starts_with("application/openmetrics-text"), "{asked:?}");
    assert!(asked.headers["accept-encoding"].contains("gzip"), "{asked:?}");
}

#[tokio::test]
async fn each_scrape_says_whether_it_went_well_and_how_long_it_took() {
    let served = serving("lamps 4\n").await;
    let source = start(&settings(vec![target(&served.url(), &[("pod", "a")])]));
    let up = scraped(&source, 3).await;
    assert_eq!(values(&up.series[0])[..3], [1.0; 3]);
    let labels = format!("up{{instance=\"{}\",job=\"local\",pod=\"a\"}}", served.address());
    assert_eq!(up.series[0].labels().to_string(), labels);
    let took = source.raw("scrape_duration_seconds", ALWAYS).await.unwrap();
    assert!(values(&took.series[0]).iter().all(|seconds| (0.0..60.0).contains(seconds)), "{took:?}");
}

#[tokio::test]
async fn a_target_that_is_down_leaves_a_gap_and_comes_back() {
    let (good, bad) = (text("lamps 4\n"), answer(&["503 Service Unavailable"], ""));
    let answers = [&good, &good, &good, &bad, &bad, &bad, &good].map(Clone::clone).to_vec();
    let served = TestServer::answering(answers).await;
    let source = start(&settings(vec![target(&served.url(), &[])]));
    let up = scraped(&source, 8).await.series.remove(0);
    assert_eq!(values(&up)[..8], [1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 1.0, 1.0]);
    let lamps = source.raw("lamps", ALWAYS).await.unwrap();
    let stamps: Vec<Timestamp> = lamps.series[0].samples().iter().map(|sample| sample.at).collect();
    let good: Vec<Timestamp> =
        up.samples().iter().filter(|sample| sample.value > 0.0).map(|sample| sample.at).collect();
    assert_eq!(stamps[..5], good[..5]);
    assert_eq!(lamps.partial, None);
    // The same words at every look: how often and when would make each a new remark.
    let said = format!("target {} was not scraped at times: answered with status 503, not 200", served.address());
    assert_eq!(lamps.remarks, [said]);

    // In the gap an instant selector sees nothing, a range what was before.
    let gap = up.samples()[4].at;
    let at_gap = Grid { from: gap, to: gap, step: Duration::from_secs(1) };
    assert_eq!(source.grid("lamps", at_gap).await.unwrap().series, []);
    let before = source.grid("count_over_time(lamps[1m])", at_gap).await.unwrap();
    assert_eq!(values(&before.series[0]), [3.0]);
    // A window without the gap knows nothing of it.
    let early = Window { from: Timestamp::from_millis(0), to: up.samples()[2].at };
    assert_eq!(source.raw("lamps", early).await.unwrap().remarks, Vec::<String>::new());
}

#[tokio::test]
async fn nobody_there_is_a_gap_too() {
    let served = serving("lamps 4\n").await;
    let url = served.url();
    served.close().await;
    let source = start(&settings(vec![target(&url, &[])]));
    let up = scraped(&source, 2).await;
    assert_eq!(values(&up.series[0])[..2], [0.0; 2]);
    assert!(up.partial.as_ref().unwrap().contains("no answer"), "{:?}", up.partial);
}

#[tokio::test]
async fn a_series_that_vanishes_ends_and_others_go_on() {
    let answers = vec![text("a 1\nb 1\n"), text("a 1\nb 1\n"), text("a 1\n")];
    let served = TestServer::answering(answers).await;
    let source = start(&settings(vec![target(&served.url(), &[])]));
    let up = scraped(&source, 3).await.series.remove(0);
    let third = up.samples()[2].at;
    let grid = Grid { from: up.samples()[1].at, to: up.samples()[1].at, step: Duration::from_secs(1) };
    assert_eq!(
        source.grid(r#"count({__name__=~"a|b"})"#, grid).await.unwrap().series[0].samples()[0].value.to_bits(),
        2.0_f64.to_bits()
    );
    let grid = Grid { from: third, to: third, step: Duration::from_secs(1) };
    assert_eq!(
        source.grid(r#"count({__name__=~"a|b"})"#, grid).await.unwrap().series[0].samples()[0].value.to_bits(),
        1.0_f64.to_bits()
    );
}

#[tokio::test]
async fn timestamps_of_the_target_are_kept_and_stale_ones_are_no_news() {
    let now = wavegate::engine::Clock::System.now();
    let stamp = now.as_millis() - 60_000;
    let served = serving(&format!("cached 7 {stamp}\nfuture 1 {}\n", stamp + 3_600_000)).await;
    let source = start(&settings(vec![target(&served.url(), &[])]));
    scraped(&source, 3).await;
    let cached = source.raw("cached", ALWAYS).await.unwrap();
    assert_eq!(cached.series[0].samples().len(), 1);
    assert_eq!(cached.series[0].samples()[0].at.as_millis(), stamp);
    assert!(cached.partial.unwrap().contains("line 2: its timestamp lies in the future"));
    assert_eq!(source.raw("future", ALWAYS).await.unwrap().series, []);
}

#[tokio::test]
async fn queries_beyond_the_subset_say_that_they_need_prometheus() {
    let served = serving("lamps 4\n").await;
    let source = start(&settings(vec![target(&served.url(), &[])]));
    let at = Timestamp::from_millis(0);
    let grid = Grid { from: at, to: at, step: Duration::from_secs(1) };
    let error = source.grid("topk(3, lamps)", grid).await.unwrap_err();
    assert!(matches!(error, Error::NeedsPrometheus { .. }) && !error.is_transient(), "{error:?}");
    assert_eq!(error.code(), "needs_prometheus");
    let said = error.to_string();
    assert!(said.contains("`topk`") && said.contains("source `local`") && said.contains("kind prometheus"), "{said}");
    let error = source.grid("sum(", grid).await.unwrap_err();
    assert!(matches!(error, Error::Refused { .. }), "{error:?}");
    let error = source.grid("lamps", Grid { step: Duration::ZERO, ..grid }).await.unwrap_err();
    assert!(matches!(error, Error::Grid { .. }), "{error:?}");
}

#[tokio::test]
async fn a_wave_id_is_a_value_whatever_it_holds() {
    let id = "w \"quoted\" \\ $interval } or {";
    let served = serving("lamps 4\n").await;
    let source = start(&settings(vec![target(&served.url(), &[("wave_id", id)])]));
    scraped(&source, 1).await;
    let text = "version: 1\nname: t\ncohorts: { canary: 'wave_id=\"$wave\"' }\nchecks:\n  \
        - name: lamps\n    threshold: lamps + 1\n    max: 10\n";
    let rules = wavegate::rules::parse("t.yaml", text).unwrap().rules;
    let bindings = wavegate::rules::query::Bindings { wave: id, baseline: None, params: &BTreeMap::new() };
    let cohort = rules.cohorts.canary.bind(&bindings).unwrap();
    let wavegate::rules::CheckKind::Threshold { query, .. } = &rules.checks[0].kind else { panic!("a threshold") };
    let query = query.bind(&cohort, Duration::from_secs(15), Duration::from_mins(5));
    let now = wavegate::engine::Clock::System.now();
    let answer = source.grid(&query, Grid { from: now, to: now, step: Duration::from_secs(1) }).await.unwrap();
    assert_eq!(values(&answer.series[0]), [5.0], "{query}");
}

#[tokio::test]
async fn settings_that_cannot_be_used_are_refused_before_anything_is_asked() {
    let same = vec![target("http://127.0.0.1:1", &[]), target("http://127.0.0.1:1/x", &[])];
    let error = Scrape::start("local", &settings(same), || Timestamp::from_millis(0)).unwrap_err();
    assert!(matches!(error, Error::Settings { .. }) && error.to_string().contains("two targets"), "{error}");
}

#[tokio::test]
async fn scraping_ends_with_the_source() {
    let served = serving("lamps 4\n").await;
    let source = start(&settings(vec![target(&served.url(), &[])]));
    raw_until(&source, "lamps", |answer| !answer.series.is_empty()).await;
    drop(source);
    // A request may be under way; after it there is none.
    let settled = async {
        loop {
            let before = served.requests().len();
            tokio::time::sleep(Duration::from_millis(2500)).await;
            if served.requests().len() == before {
                break;
            }
        }
    };
    tokio::time::timeout(Duration::from_mins(1), settled).await.expect("the last request");
}
