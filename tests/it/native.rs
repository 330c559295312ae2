//! Native histograms of a real Prometheus: read as they were written, counted as
//! the server counts them itself, and judged.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use crate::support::daemon::run;
use crate::support::prometheus::PrometheusServer;
use crate::support::remote_write::Native;
use crate::support::remote_write::Pushed;
use crate::support::remote_write::push;
use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;
use wavegate::engine;
use wavegate::engine::Past;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Observed;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::series::counter::Past as CounterPast;
use wavegate::sources::Grid;
use wavegate::sources::Source;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;
use wavegate::wave::Verdict;
use wavegate::wave::WaveId;

/// 2025-01-04T14:13:20Z: long ago by the clock of any machine that runs this.
const START: Timestamp = Timestamp::from_millis(1_736_000_000_000);
const SCRAPE: Duration = Duration::from_secs(15);
/// What is pushed at once may span less than an hour.
const MINUTES: i64 = 50;
const RULES: &str = "version: 1\nname: native\n\
    schedule: { interval: 15s, warmup: 1m, min_duration: 5m, deadline: 40m }\n\
    cohorts: { canary: 'wave_id=\"$wave\"', baseline: 'wave_id=\"$baseline\"', instance: pod }\n\
    checks:\n  - name: latency\n    histogram: latency_seconds\n";

fn source(server: &PrometheusServer) -> Prometheus {
    Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap()
}

fn read_rules() -> RuleFile {
    rules::parse("native.yaml", RULES).unwrap().rules
}

fn labels(name: &str, wave: &str, pod: &str) -> BTreeMap<String, String> {
    let pairs = [("__name__", name), ("wave_id", wave), ("pod", pod)];
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

/// The scrapes of one pod, five minutes before the start and on: 60 events each,
/// lognormal around `median` seconds. It restarts in minute 22.
fn scrapes(wave: &str, pod: &str, median: f64) -> Vec<(i64, Native)> {
    let mut random = Random::named(7, &format!("{wave}/{pod}"));
    let mut all = Native { schema: 3, zero_threshold: 1e-9, ..Native::default() };
    let phase = i64::from(random.poisson(7_000.0)).min(14_999);
    // From 2^-25 to 2^25 seconds.
    let bounds: Vec<f64> = (-200..=200).map(|index| (f64::from(index) / 8.0).exp2()).collect();
    let scrape = |k: i64| {
        if k == 22 * 4 {
            (all.zero, all.positive) = (0, BTreeMap::new());
        }
        for _ in 0..random.poisson(60.0) {
            let seconds = median * (0.8 * random.normal()).exp();
            let index = i32::try_from(bounds.partition_point(|bound| *bound < seconds)).unwrap() - 200;
            *all.positive.entry(index).or_default() += 1;
        }
        // One event of no time at all.
        all.zero += 1;
        (START.as_millis() + k * 15_000 + phase, all.clone())
    };
    (-20..(MINUTES - 5) * 4).map(scrape).collect()
}

/// Both cohorts of `wave`: two pods and four.
fn wave(wave: &str, factor: f64) -> Vec<Pushed> {
    let baseline = format!("{wave}-baseline");
    let pods = [(wave, 2, 0.08 * factor), (baseline.as_str(), 4, 0.08)];
    let pod = |(wave, k, median): (&str, i32, f64)| {
        let pod = format!("{wave}-{k}");
        let histograms = scrapes(wave, &pod, median);
        Pushed { labels: labels("latency_seconds", wave, &pod), histograms, ..Pushed::default() }
    };
    pods.into_iter().flat_map(|(wave, count, median)| (0..count).map(move |k| (wave, k, median))).map(pod).collect()
}

/// A native histogram as classic buckets.
fn classic(native: &Pushed) -> Vec<Pushed> {
    let counter = |(le, index): (&str, i32)| {
        let mut labels = native.labels.clone();
        labels.insert("__name__".to_owned(), "latency_seconds_bucket".to_owned());
        labels.insert("le".to_owned(), le.to_owned());
        let below = |one: &Native| one.zero + one.positive.range(..=index).map(|(_, events)| events).sum::<u64>();
        let values =
            native.histograms.iter().map(|(at, one)| (*at, f64::from(u32::try_from(below(one)).unwrap()))).collect();
        Pushed { labels, values, ..Pushed::default() }
    };
    [("0.0625", -32), ("0.125", -24), ("+Inf", i32::MAX)].map(counter).to_vec()
}

#[tokio::test(flavor = "multi_thread")]
async fn histograms_are_read_as_they_were_written() {
    let server = PrometheusServer::receiving();
    let first = Native {
        schema: 1,
        zero_threshold: 0.25,
        zero: 3,
        negative: [(1, 2)].into(),
        positive: [(2, 5), (3, 1), (9, 7)].into(),
    };
    let mut second = first.clone();
    *second.positive.get_mut(&9).unwrap() += 4;
    second.zero += 1;
    let millis = START.as_millis();
    let histograms = vec![(millis, first), (millis + 15_000, second.clone()), (millis + 30_000, second.halved())];
    push(&server, &[Pushed { labels: labels("h", "w", "p"), histograms, ..Pushed::default() }]);

    let all = Window { from: START - SCRAPE, to: START + SCRAPE * 2 };
    let answer = source(&server).raw("h{wave_id=\"w\"}", all).await.unwrap();
    let [one] = &answer.native[..] else { panic!("{answer:?}") };
    assert_eq!((answer.series.len(), answer.remarks, answer.partial), (0, vec![], None));
    assert_eq!(one.counts().labels().to_string(), "h{pod=\"p\",wave_id=\"w\"}");
    let counts: Vec<_> = one.counts().samples().iter().map(|sample| (sample.at, sample.value)).collect();
    assert_eq!(counts, [(START, 18.0), (START + SCRAPE, 23.0), (START + SCRAPE * 2, 23.0)]);

    let grown = |window: Window, past| {
        let (_, spread) = one.tally(window, START - SCRAPE, past);
        spread.unwrap().spans().iter().map(|span| (span.left, span.right, span.events)).collect::<Vec<_>>()
    };
    let root = std::f64::consts::SQRT_2;
    let born = grown(Window { from: START - SCRAPE, to: START }, CounterPast::Absent);
    let rough: Vec<_> =
        born.iter().map(|(left, right, events)| ((left * 1e9).round(), (right * 1e9).round(), *events)).collect();
    let at = |value: f64| (value * 1e9).round();
    let zero = (at(-0.25), at(0.25), 3.0);
    let expect = [(at(-root), at(-1.0), 2.0), zero, (at(root), at(2.0), 5.0), (at(2.0), at(2.0 * root), 1.0)];
    assert_eq!(rough[..4], expect);
    assert_eq!(rough[4], (at(16.0), at(16.0 * root), 7.0));
    let more = grown(Window { from: START, to: START + SCRAPE }, CounterPast::Present);
    assert_eq!(more.iter().map(|span| span.2).collect::<Vec<_>>(), [1.0, 4.0]);
    // The server's bounds of two resolutions nest to the last bit, so nothing began anew.
    assert_eq!(grown(Window { from: START + SCRAPE, to: START + SCRAPE * 2 }, CounterPast::Present), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_those_that_the_server_counts_itself_through_restarts_and_lost_resolution() {
    let server = PrometheusServer::receiving();
    let mut pushed = wave("good", 1.0);
    // Less resolution for good, of one pod of each cohort.
    for pod in [&mut 0, &mut 3] {
        for (at, histogram) in &mut pushed[*pod].histograms {
            if *at > (START + Duration::from_mins(25)).as_millis() {
                *histogram = histogram.halved();
            }
        }
    }
    push(&server, &pushed);
    let source = source(&server);
    let rules = read_rules();
    let bindings = Bindings { wave: "good", baseline: Some("good-baseline"), params: &BTreeMap::new() };
    assert_eq!(gather::survey(&source, &rules, &bindings, START).await.unwrap(), Some(SCRAPE));
    let window = |k: u32| Window { from: START + SCRAPE * k, to: START + SCRAPE * (k + 1) };
    // From minute 20 to 30.
    let windows: Vec<Window> = (80..120).map(window).collect();
    let request = |windows| Request {
        rules: &rules,
        wave: "good",
        baseline: Some("good-baseline"),
        params: &NO_PARAMS,
        began: START,
        interval: SCRAPE,
        scrape: SCRAPE,
        windows,
    };
    let evidence = gather::evidence(gather::Sources::only(&source), &request(&windows)).await.unwrap();
    let mut in_parts = gather::evidence(gather::Sources::only(&source), &request(&windows[..13])).await.unwrap();
    in_parts.extend(gather::evidence(gather::Sources::only(&source), &request(&windows[13..])).await.unwrap());
    assert_eq!(evidence, in_parts);

    let at = windows.last().unwrap().to;
    let total = |observed: &Observed| {
        let Measure::Buckets(buckets) = &observed.measure else { panic!("{observed:?}") };
        assert_eq!(observed.seen, 1);
        buckets.total()
    };
    for (cohort, of) in [("good", 0), ("good-baseline", 1)] {
        let expr = format!("sum(histogram_count(increase(latency_seconds{{wave_id=\"{cohort}\"}}[10m])))");
        let answer = source.grid(&expr, Grid { from: at, to: at, step: SCRAPE }).await.unwrap();
        let servers = answer.series[0].samples()[0].value;
        let checks = evidence.iter().map(|one| &one.checks[0]);
        let ours: f64 = checks.map(|one| total([Some(&one.canary), one.baseline.as_ref()][of].unwrap())).sum();
        // It extrapolates from its first and last sample to the ends of the ten minutes.
        assert!((ours / servers - 1.0).abs() < 0.01, "{ours} of {servers} of {cohort}");
    }
    for one in &evidence {
        let has_lost = one.window.to > START + Duration::from_mins(26);
        let said: &[Notice] = if has_lost { &[Notice::BoundsDiffer] } else { &[] };
        if has_lost || one.window.to < START + Duration::from_mins(25) {
            assert_eq!(one.checks[0].notices, said, "{:?}", one.window);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pod_that_is_born_in_the_wave_counts_from_zero_and_one_that_was_silent_does_not() {
    let server = PrometheusServer::receiving();
    let mut pushed = wave("young", 1.0);
    // Both of the canary's pods show nothing until minute 10; one was there in the minutes before the wave.
    let end = (START + Duration::from_mins(10)).as_millis();
    pushed[0].histograms.retain(|(at, _)| *at < START.as_millis() - 240_000 || *at >= end);
    pushed[1].histograms.retain(|(at, _)| *at >= end);
    let first = pushed[1].histograms[0].clone();
    push(&server, &pushed);
    let rules = read_rules();
    let window = |k: u32| Window { from: START + SCRAPE * k, to: START + SCRAPE * (k + 1) };
    let windows: Vec<Window> = (36..44).map(window).filter(|window| window.to.as_millis() >= first.0).collect();
    let request = Request {
        rules: &rules,
        wave: "young",
        baseline: Some("young-baseline"),
        params: &NO_PARAMS,
        began: START,
        interval: SCRAPE,
        scrape: SCRAPE,
        windows: &windows[..1],
    };
    let evidence = gather::evidence(gather::Sources::only(&source(&server)), &request).await.unwrap();
    let check = &evidence[0].checks[0];
    let Measure::Buckets(buckets) = &check.canary.measure else { panic!("{check:?}") };
    assert!((buckets.total() - f64::from(u32::try_from(first.1.count()).unwrap())).abs() < 0.5, "{check:?}");
    assert_eq!((&check.notices[..], &check.faults[..]), (&[Notice::GapNotBridged { series: 1 }][..], &[][..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_native_histogram_gets_its_verdict_and_one_beside_classic_buckets_none() {
    let server = PrometheusServer::receiving();
    let mut pushed = [wave("good", 1.0), wave("slow", 1.3)].concat();
    let (canary, baseline): (Vec<_>, Vec<_>) =
        wave("mixed", 1.0).into_iter().partition(|pod| pod.labels["wave_id"] == "mixed");
    pushed.extend(canary);
    pushed.extend(baseline.iter().flat_map(classic));
    push(&server, &pushed);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("native.yaml");
    fs::write(&file, RULES).unwrap();
    for (wave, verdict, code, said) in [
        ("good", Verdict::Pass, 0, "all_checks_passed"),
        ("slow", Verdict::Fail, 10, "shift_above_tolerance"),
        ("mixed", Verdict::Pause, 11, "native_and_classic"),
    ] {
        let past = Past {
            wave: WaveId::new(wave).unwrap(),
            baseline: Some(format!("{wave}-baseline")),
            params: BTreeMap::new(),
            class: None,
            start: START,
            until: START + Duration::from_mins(44),
        };
        let judged = engine::judge_past(&source(&server), &read_rules(), past, |_, _| ()).await.unwrap();
        assert_eq!((judged.verdict, judged.outage), (verdict, None), "{}", judged.document);
        assert!(judged.document.contains(said), "{}", judged.document);
        let (baseline, start) = (format!("{wave}-baseline"), START.to_string());
        let ended = run([
            "judge",
            file.to_str().unwrap(),
            "--wave",
            wave,
            "--baseline",
            &baseline,
            "--start",
            &start,
            "--source",
            &server.url(),
        ]);
        assert_eq!(ended.code, Some(code), "{ended:?}");
    }
}
