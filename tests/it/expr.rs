//! Our own evaluation of PromQL against a real Prometheus.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use crate::support::prometheus::PrometheusServer;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;
use wavegate::plan::traffic::Random;
use wavegate::rules::query::NEEDS_PROMETHEUS;
use wavegate::rules::query::lower;
use wavegate::rules::query::lower_selector;
use wavegate::series::Labels;
use wavegate::series::Matcher;
use wavegate::series::Sample;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::series::exposition;
use wavegate::series::exposition::Format;
use wavegate::series::exposition::Limits;
use wavegate::series::expr::Stored;
use wavegate::series::expr::Unevaluated;
use wavegate::sources::Grid;
use wavegate::sources::Source;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

/// 2026-01-05T10:00:00Z.
const BEGIN: i64 = 1_767_607_200_000;

const ANSWERED: &[&str] = &[
    "requests_total",
    r#"requests_total{code=~"5.."}"#,
    r#"requests_total{code!~"5..",pod!="a"}"#,
    r#"{__name__=~"fre.|size",pod="a"}"#,
    r#"depth{queue=~".+"}"#,
    r#"depth{queue=~".*",absent=""}"#,
    "rate(requests_total[1m])",
    "rate(requests_total[5m])",
    "rate(requests_total[10s])",
    "increase(requests_total[90s])",
    "rate(late_total[2m])",
    "rate(gapped_total[4m])",
    "gapped_total",
    "sum(rate(requests_total[1m]))",
    "sum by (pod) (rate(requests_total[1m]))",
    "sum by (pod, missing) (rate(requests_total[1m]))",
    "sum without (code) (rate(requests_total[1m]))",
    "avg by (code) (requests_total)",
    "min by (pod) (depth)",
    "max without (pod, queue) (depth)",
    "count by (queue) (depth)",
    "count(depth)",
    "sum by (__name__, pod) (size)",
    "avg_over_time(depth[2m])",
    "min_over_time(depth[2m])",
    "max_over_time(depth[2m])",
    "sum_over_time(depth[2m])",
    "count_over_time(depth[2m])",
    "last_over_time(depth[2m])",
    "present_over_time(depth[2m])",
    "stddev_over_time(depth[5m])",
    "stdvar_over_time(depth[5m])",
    "quantile_over_time(0.9, depth[5m])",
    "quantile_over_time(0, depth[5m])",
    "quantile_over_time(1.5, depth[5m])",
    "max_over_time(odd[5m])",
    "min_over_time(odd[5m])",
    "sum_over_time(odd[1m])",
    "avg_over_time(odd[1m])",
    "quantile_over_time(0.5, odd[5m])",
    "odd",
    "count(count_over_time({__name__=\"requests_total\"}[1h]))",
    "-depth",
    "- - depth",
    "depth + 1 - 2 * 3 / 4",
    "depth % 7",
    "-depth % 7",
    "depth ^ 2",
    "2 ^ 3 ^ 2 * depth",
    "depth / 0",
    "depth > 3",
    "depth > bool 3",
    "3 < depth",
    "depth == depth",
    "depth != bool 3",
    "depth >= 0 <= 10",
    "free / size",
    "1 - free / size",
    "(size - free) / size * 100",
    "free > size / 2",
    "free > bool size / 2",
    "sum(rate(requests_total{code=~\"5..\"}[2m])) / sum(rate(requests_total[2m]))",
    "sum by (pod) (rate(requests_total{code=~\"5..\"}[2m])) / sum by (pod) (rate(requests_total[2m]))",
    "max(sum by (pod) (depth)) - min(sum by (pod) (depth))",
    "odd > 1",
    "odd != odd",
    "odd == bool odd",
    "odd / 0",
    "0 / odd",
    "odd % 0",
    "odd ^ 0",
    "min(odd)",
    "max by (pod) (odd)",
    "avg(odd)",
    "sum(odd)",
    "count(odd)",
    "stddev_over_time(odd[1m])",
    "min_over_time(odd[16s])",
    "depth * NaN",
    "Inf - depth",
    "1e308 * size * 10",
    "-depth ^ 2",
    "-2 ^ 2 * depth",
    "(-3) ^ depth",
    "sum by () (depth)",
    "sum without () (depth)",
    r#"count without () ({__name__=~"free|size"})"#,
    r#"{__name__=~"free|size"} > 0"#,
    r#"sum by (__name__) ({__name__=~"free|size"})"#,
    "(depth > 3) + 1",
    "depth > 3 > 2",
    "free < size == free",
    "free <= size",
    "depth > free",
    "rate(odd[1m])",
    "increase(odd[1m])",
    "rate(depth[5m])",
    "increase(late_total[1h])",
    "sum(rate(gapped_total[10m])) by (nothing)",
    "count(rate(requests_total[5m]) > 1)",
    "avg without (pod) (rate(requests_total[3m]) > 0.1)",
    "nothing_at_all",
    "sum(nothing_at_all)",
    "free + nothing_at_all",
    "last_over_time(free{pod=\"a\"}[30s]) + last_over_time(size{pod=\"a\"}[30s])",
];

/// Counters with resets and gaps, gauges, and what is not a number, scraped every
/// 15 s with some jitter, never on a whole second: Prometheus 2 takes the left end
/// of a range in, 3 does not. Counters begin at 0: of one that begins higher the two
/// extrapolate a rate differently.
fn samples() -> String {
    let mut chance = Random::named(7, "expr");
    let mut text = String::new();
    let mut series = |name: &str, first: i64, last: i64, next: &mut dyn FnMut(i64, &mut Random) -> Option<String>| {
        let phase = i64::try_from(chance.bits() % 15_000).unwrap();
        for scrape in first..last {
            let millis = BEGIN + scrape * 15_000 + phase + i64::try_from(chance.bits() % 40).unwrap();
            let millis = if millis % 1000 == 0 { millis + 1 } else { millis };
            if let Some(value) = next(scrape, &mut chance) {
                writeln!(text, "{name} {value} {}.{:03}", millis / 1000, millis % 1000).unwrap();
            }
        }
    };
    for pod in ["a", "b", "c"] {
        for (code, mean) in [("200", 90.0), ("500", 2.0), ("503", 0.4)] {
            let mut value = 0_u32;
            let name = format!("requests_total{{code=\"{code}\",pod=\"{pod}\"}}");
            series(&name, 0, 120, &mut |scrape, chance| {
                let seen = if scrape == 50 && pod == "b" { 0 } else { value };
                value = seen + chance.poisson(mean);
                Some(seen.to_string())
            });
        }
        for queue in ["x", "y"] {
            let mut value = 5.0;
            series(&format!("depth{{pod=\"{pod}\",queue=\"{queue}\"}}"), 0, 120, &mut |_, chance| {
                value = value * 0.9 + chance.normal();
                Some(format!("{value}"))
            });
        }
        for (name, scale) in [("free", 1.0e9), ("size", 2.0e9)] {
            series(&format!("{name}{{pod=\"{pod}\"}}"), 0, 120, &mut |_, chance| {
                Some(format!("{}", chance.unit() * scale))
            });
        }
    }
    series("late_total{pod=\"a\"}", 60, 120, &mut |scrape, _| Some(((scrape - 60) * 3).to_string()));
    series("gapped_total{pod=\"a\"}", 0, 120, &mut |scrape, _| {
        (!(30..=70).contains(&scrape) && scrape % 9 != 0).then(|| (10_000 + scrape * 7).to_string())
    });
    series("odd{pod=\"a\"}", 0, 120, &mut |scrape, _| {
        Some(["NaN", "1.5", "+Inf", "2", "-Inf", "3", "0.5", "4"][usize::try_from(scrape % 8).unwrap()].to_owned())
    });
    text.push_str("# EOF\n");
    text
}

/// The series of an exposition with timestamps.
fn stored(text: &str) -> Vec<Stored> {
    let mut all: BTreeMap<Labels, Stored> = BTreeMap::new();
    exposition::read(text.as_bytes(), Format::OpenMetrics, &Limits::default(), |line| {
        let sample = line.unwrap();
        let labels = sample.labels.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let labels: Labels = labels.chain([("__name__".to_owned(), sample.name.to_string())]).collect();
        let stored = all.entry(labels.clone()).or_insert_with(|| Stored { labels, ..Stored::default() });
        stored.samples.push(Sample { at: sample.at.unwrap(), value: sample.value });
    });
    all.into_values().collect()
}

fn select(all: &[Stored], matchers: &[Matcher], window: Window) -> Vec<Stored> {
    let met = all.iter().filter(|stored| matchers.iter().all(|one| one.is_met(&stored.labels)));
    let within = |stored: &Stored| Stored {
        labels: stored.labels.clone(),
        samples: stored.samples.iter().copied().filter(|sample| window.contains(sample.at)).collect(),
        ends: stored.ends.clone(),
    };
    met.map(within).filter(|stored| !stored.samples.is_empty()).collect()
}

fn evaluate(all: &[Stored], query: &str, points: &[Timestamp]) -> Result<Vec<Series>, Unevaluated> {
    lower(query).unwrap().evaluate(points, 1_000_000, &mut |matchers, window| select(all, matchers, window))
}

#[track_caller]
fn assert_same(query: &str, ours: &[Series], theirs: &[Series]) {
    let labels = |all: &[Series]| all.iter().map(|one| one.labels().to_string()).collect::<Vec<_>>();
    assert_eq!(labels(ours), labels(theirs), "{query}");
    for (our, their) in ours.iter().zip(theirs) {
        assert_eq!((our.nan(), our.infinite()), (their.nan(), their.infinite()), "{query} {}", our.labels());
        let stamps = |one: &Series| one.samples().iter().map(|sample| sample.at).collect::<Vec<_>>();
        assert_eq!(stamps(our), stamps(their), "{query} {}", our.labels());
        for (a, b) in our.samples().iter().zip(their.samples()) {
            let scale = a.value.abs().max(b.value.abs()).max(1.0);
            assert!(
                (a.value - b.value).abs() <= 1e-9 * scale,
                "{query} {} at {}: {} {}",
                our.labels(),
                a.at,
                a.value,
                b.value
            );
        }
    }
}

#[tokio::test]
async fn values_are_those_of_a_real_prometheus() {
    let text = samples();
    let all = stored(&text);
    let server = PrometheusServer::backfilled(&text);
    let source = Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap();
    // Before the first sample, all of it, and past the end of the look-back.
    let (from, step) = (Timestamp::from_millis(BEGIN - 60_000), Duration::from_secs(20));
    let points: Vec<Timestamp> = (0..120).map(|k| from + step * k).collect();
    let grid = Grid { from, to: points[119], step };
    for query in ANSWERED {
        let theirs = source.grid(query, grid).await.unwrap().series;
        let ours = evaluate(&all, query, &points).unwrap();
        assert_same(query, &ours, &theirs);
    }
}

#[test]
fn what_is_beyond_the_subset_needs_prometheus_and_names_itself() {
    for (query, names) in [
        ("histogram_quantile(0.9, sum by (le) (rate(x_bucket[5m])))", "`histogram_quantile`"),
        ("topk(3, x)", "`topk`"),
        ("quantile(0.9, x)", "`quantile`"),
        ("abs(x)", "`abs`"),
        ("irate(x[5m])", "`irate`"),
        ("x offset 5m", "`offset`"),
        ("rate(x[5m] offset 5m)", "`offset`"),
        ("x @ 100", "`@`"),
        ("max_over_time(rate(x[1m])[5m:15s])", "subquery"),
        ("x and y", "`and`"),
        ("x or y", "`or`"),
        ("x atan2 y", "`atan2`"),
        ("x / on (pod) y", "`on`"),
        ("x / ignoring (pod) group_left y", "`group_left`"),
        ("quantile_over_time(scalar(x), y[5m])", "quantile"),
        ("sum(abs(x)) / 2", "`abs`"),
    ] {
        let fault = lower(query).unwrap_err();
        assert_eq!(fault.code, NEEDS_PROMETHEUS, "{query}: {fault:?}");
        assert!(fault.message.contains(names) && fault.message.contains("Prometheus"), "{query}: {}", fault.message);
    }
    assert_eq!(lower_selector("rate(x[5m])").unwrap_err().code, NEEDS_PROMETHEUS);
    assert_eq!(lower_selector("(x)").unwrap().len(), 1);
    for broken in ["x{", "sum(", "", "nosuch(x)", "rate(x[$interval])", "x[$wave]", &"(".repeat(1000)] {
        assert_ne!(lower(broken).unwrap_err().code, NEEDS_PROMETHEUS, "{broken}");
    }
}

fn one(labels: &[(&str, &str)], samples: &[(i64, f64)], ends: &[i64]) -> Stored {
    let at = |second: i64| Timestamp::from_millis(second * 1000);
    Stored {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        samples: samples.iter().map(|(second, value)| Sample { at: at(*second), value: *value }).collect(),
        ends: ends.iter().map(|second| at(*second)).collect(),
    }
}

fn seconds(range: std::ops::RangeInclusive<i64>) -> Vec<Timestamp> {
    range.map(|second| Timestamp::from_millis(second * 1000)).collect()
}

#[test]
fn a_series_that_ended_is_not_looked_back_to_and_its_samples_still_count() {
    let all = [one(&[("__name__", "x")], &[(10, 1.0), (20, 2.0), (50, 3.0)], &[30])];
    let stamps = |query: &str| {
        let series = evaluate(&all, query, &seconds(9..=51)).unwrap();
        series[0].samples().iter().map(|sample| sample.at.as_millis() / 1000).collect::<Vec<_>>()
    };
    let expect: Vec<i64> = (10..30).chain(50..=51).collect();
    assert_eq!(stamps("x"), expect);
    assert_eq!(stamps("last_over_time(x[5m])"), (10..=51).collect::<Vec<_>>());
    // The left end of a range is outside.
    assert_eq!(stamps("count_over_time(x[10s])"), (10..30).chain(50..=51).collect::<Vec<_>>());
}

#[test]
fn two_series_of_the_same_labels_have_no_value() {
    let all = [
        one(&[("__name__", "x"), ("a", "b")], &[(10, 1.0)], &[]),
        one(&[("__name__", "y"), ("a", "b")], &[(10, 1.0)], &[]),
    ];
    for query in [r#"count_over_time({a="b"}[1m])"#, r#"-{a="b"}"#, r#"x + {a="b"}"#] {
        let refused = evaluate(&all, query, &seconds(10..=10)).unwrap_err();
        assert_eq!(refused, Unevaluated::SameLabels { labels: r#"{a="b"}"#.to_owned() }, "{query}");
    }
    assert_eq!(evaluate(&all, r#"{a="b"}"#, &seconds(10..=10)).unwrap().len(), 2);
}

#[test]
fn no_query_takes_more_values_than_the_limit() {
    let all = [one(&[("__name__", "x")], &[(10, 1.0)], &[])];
    let points = seconds(1..=10);
    let evaluate = |limit| {
        let mut select = |matchers: &[Matcher], window| select(&all, matchers, window);
        lower("sum(x)").unwrap().evaluate(&points, limit, &mut select)
    };
    assert_eq!(evaluate(9), Err(Unevaluated::TooMany { limit: 9 }));
    assert_eq!(evaluate(10).unwrap().len(), 1);
}
