//! A month of a service on a real Prometheus: its slices and its burn rates equal what
//! plain loops over the samples that were written come to.

use crate::gather::service::slo;
use crate::support::prometheus::PrometheusServer;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering;
use tokio::time::Instant;
use wavegate::judge::account;
use wavegate::judge::burn;
use wavegate::rules::Slo;
use wavegate::series::Counts;
use wavegate::series::Slices;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Answer;
use wavegate::sources::Error;
use wavegate::sources::Grid;
use wavegate::sources::Pending;
use wavegate::sources::Source;
use wavegate::sources::gather;
use wavegate::sources::gather::ServiceSlices;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

/// 2026-01-01T00:00:00Z.
const BEGIN: i64 = 1_767_225_600_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60;
const DAY: i64 = 24 * HOUR;
const MINUTES: i64 = 30 * DAY;

/// One counter: when it was scraped, in milliseconds, and what it showed.
struct Written {
    labels: &'static str,
    is_bad: bool,
    samples: Vec<(i64, f64)>,
}

/// Events of one minute: busier by day, nothing from 2 to 3, a bad hour on three days.
fn events(minute: i64, seed: i64, is_bad: bool) -> f64 {
    let (day, of_day) = (minute / DAY, minute % DAY);
    if (2 * HOUR..3 * HOUR).contains(&of_day) {
        return 0.0;
    }
    let noise = (minute * 7919 + seed * 104_729).rem_euclid(997);
    let is_hot = [6, 13, 29].contains(&day) && (20 * HOUR..21 * HOUR).contains(&of_day);
    let bad = i64::from(noise % 23 == 0) + if is_hot { 1 + noise % 5 } else { 0 };
    let all = 40 + noise % 30 + (of_day - 12 * HOUR).abs() / 60;
    f64::from(i32::try_from(if is_bad { bad } else { all }).unwrap())
}

/// Whether nothing at all was scraped: two hours and a half, ten minutes, four minutes.
fn is_out(minute: i64) -> bool {
    let from = |day: i64, hour: i64| day * DAY + hour * HOUR;
    [(from(17, 6), 150), (from(20, 15), 10), (from(22, 9), 4)]
        .iter()
        .any(|(from, length)| (*from..from + length).contains(&minute))
}

struct Kind {
    labels: &'static str,
    is_bad: bool,
    /// Milliseconds of a minute at which it is scraped; at 0 on the edge of two slices.
    phase: i64,
    /// What it shows at its first sample and after each restart.
    first: f64,
    /// Minutes without it.
    absent: &'static [(i64, i64)],
    restarts: &'static [i64],
}

const RESTARTS: &[i64] = &[3 * DAY + 77, 11 * DAY + 5, 20 * DAY + 600, 20 * DAY + 601];

/// Six counters of three pods. One pod is new on day 12, when it has counted already; one
/// is away for three hours and begins anew; errors of one pod are not exported before the first.
const KINDS: [Kind; 6] = [
    Kind { labels: r#"pod="a",code="200""#, is_bad: false, phase: 7_000, first: 5e6, absent: &[], restarts: RESTARTS },
    Kind { labels: r#"pod="a",code="500""#, is_bad: true, phase: 7_000, first: 4e3, absent: &[], restarts: RESTARTS },
    Kind {
        labels: r#"pod="b",code="200""#,
        is_bad: false,
        phase: 0,
        first: 40.0,
        absent: &[(8 * DAY + 300, 8 * DAY + 480)],
        restarts: &[25 * DAY],
    },
    Kind {
        labels: r#"pod="b",code="500""#,
        is_bad: true,
        phase: 0,
        first: 3.0,
        absent: &[(0, 5 * DAY + 90), (8 * DAY + 300, 8 * DAY + 480)],
        restarts: &[25 * DAY],
    },
    Kind {
        labels: r#"pod="c",code="200""#,
        is_bad: false,
        phase: 31_250,
        first: 900.0,
        absent: &[(0, 12 * DAY)],
        restarts: &[],
    },
    Kind {
        labels: r#"pod="c",code="500""#,
        is_bad: true,
        phase: 31_250,
        first: 2.0,
        absent: &[(0, 12 * DAY)],
        restarts: &[],
    },
];

fn written() -> Vec<Written> {
    let one = |(seed, kind): (i64, &Kind)| {
        let (mut value, mut was_there) = (kind.first, true);
        let mut samples = Vec::new();
        for minute in 0..MINUTES {
            let is_absent = kind.absent.iter().any(|(from, to)| (*from..*to).contains(&minute));
            let begins = kind.restarts.contains(&minute) || (!was_there && !is_absent);
            value = if begins { kind.first.min(50.0) } else { value + events(minute, seed, kind.is_bad) };
            was_there = !is_absent;
            if !is_absent && !is_out(minute) {
                samples.push((BEGIN + minute * MINUTE + kind.phase, value));
            }
        }
        Written { labels: kind.labels, is_bad: kind.is_bad, samples }
    };
    (0..).zip(&KINDS).map(one).collect()
}

fn openmetrics(written: &[Written]) -> String {
    let mut text = String::from("# TYPE shop_requests counter\n");
    for Written { labels, samples, .. } in written {
        for (at, value) in samples {
            writeln!(text, "shop_requests_total{{{labels}}} {value} {}.{:03}", at / 1000, at % 1000).unwrap();
        }
    }
    // Three hours of a histogram and of a gauge, once a minute.
    text += "# TYPE shop_seconds histogram\n";
    for (le, by) in [("0.30", 8), ("1.0", 9), ("+Inf", 10)] {
        for minute in 0..=3 * HOUR {
            writeln!(text, "shop_seconds_bucket{{le=\"{le}\"}} {} {}", by * minute, BEGIN / 1000 + minute * 60)
                .unwrap();
        }
    }
    text += "# TYPE shop_up gauge\n";
    for minute in 0..=3 * HOUR {
        writeln!(text, "shop_up {} {}", i64::from(minute % 10 != 0), BEGIN / 1000 + minute * 60).unwrap();
    }
    text + "# EOF\n"
}

/// What each minute came to, by the rules of slo.md §1.4 in plain words: what a counter grew
/// since its sample before, or all of it where it fell; nothing over more than five
/// minutes; all of it where it was away for an hour in which others were there, and not
/// just in its last five minutes, when everything comes back after an outage.
fn plainly(written: &[Written]) -> BTreeMap<i64, (f64, f64)> {
    let minute_of = |at: i64| (at - BEGIN - 1).div_euclid(MINUTE);
    let anybody =
        |from: i64, to: i64| written.iter().any(|one| one.samples.iter().any(|(at, _)| from < *at && *at <= to));
    let mut minutes: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for one in written {
        let mut before: Option<(i64, f64)> = None;
        for &(at, value) in &one.samples {
            let minute = minute_of(at);
            // A sample at the very beginning is before the first slice.
            let slice = BEGIN + minute * MINUTE;
            let grown = match before {
                Some((earlier, last)) if at - earlier <= 5 * MINUTE => {
                    if value < last {
                        value
                    } else {
                        value - last
                    }
                }
                Some((earlier, _)) if earlier > slice - HOUR * MINUTE => 0.0,
                Some(_) | None if anybody(slice - HOUR * MINUTE, slice - 5 * MINUTE) => value,
                Some(_) | None => 0.0,
            };
            before = Some((at, value));
            if 0 <= minute {
                let sums = minutes.entry(minute).or_default();
                sums.0 += if one.is_bad { grown } else { 0.0 };
                sums.1 += grown;
            }
        }
    }
    minutes
}

fn at(minute: i64) -> Timestamp {
    Timestamp::from_millis(BEGIN + minute * MINUTE)
}

async fn read(source: &dyn Source, slo: &Slo, from: i64, to: i64) -> ServiceSlices {
    gather::service(source, slo, Window { from: at(from), to: at(to) }, |_, _| ()).await.unwrap()
}

/// Burn rates of every window at some moments, by plain sums over minutes.
fn check_burn(slo: &Slo, slices: &Slices, minutes: &BTreeMap<i64, (f64, f64)>) -> usize {
    let (mut compared, mut fired) = (0, 0);
    for end in (1..=MINUTES).filter(|minute| minute % 157 == 0 || *minute == MINUTES || minute % (6 * DAY) == 0) {
        let found = burn(slo, &account(slo, slices, at(end) + slo.settle));
        assert_eq!(found.through, at(end));
        let sums = |from: i64| {
            let within = minutes.range(from.max(0)..end).map(|(_, sums)| *sums);
            within.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
        };
        let close = |found: Option<f64>, (bad, total): (f64, f64), what: &str| {
            let expect = (total > 0.0).then(|| bad / total / 0.001);
            let is_close = match (found, expect) {
                (Some(found), Some(expect)) => (found - expect).abs() <= 1e-9 * expect.abs().max(1.0),
                (found, expect) => found.is_none() && expect.is_none(),
            };
            assert!(is_close, "{what} up to minute {end}: {found:?}, not {expect:?}");
        };
        for window in &found.windows {
            let length = i64::try_from(window.span.length.as_secs() / 60).unwrap();
            close(window.burn, sums(end - length), &format!("{length} minutes"));
            compared += 1;
        }
        close(found.period.burn, sums(0), "the period");
        fired += usize::from(found.tiers.iter().any(|tier| tier.firing));
    }
    assert!(fired > 0, "bad hours are found");
    compared
}

#[tokio::test]
async fn a_month_is_read_once_and_each_minute_after_it_costs_its_own_samples() {
    let (written, begun) = (written(), Instant::now());
    let server = PrometheusServer::backfilled_for_weeks(&openmetrics(&written));
    let source = Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap();
    let slo = slo("{ ratio: { bad: 'shop_requests_total{code=~\"5..\"}', total: shop_requests_total } }");
    println!("backfilled in {:?}", begun.elapsed());
    let minutes = plainly(&written);

    // The first start, an hour before the end.
    let (known, begun) = (MINUTES - HOUR, Instant::now());
    let first = read(&source, &slo, 0, known).await;
    let took = begun.elapsed();
    // Every sample of a total, and of a bad part once more.
    let once = |one: &&Written| one.samples.iter().filter(|(at, _)| *at <= BEGIN + known * MINUTE).count();
    let sizes: usize = written.iter().map(|one| once(&one) * if one.is_bad { 2 } else { 1 }).sum();
    let sizes = u64::try_from(sizes).unwrap();
    println!("the first read: {} samples of {sizes} in {took:?}", first.samples);
    assert!(first.remarks.is_empty() && !first.estimated, "{:?}", first.remarks);
    assert!(sizes - 10 <= first.samples && first.samples <= sizes + sizes / 50, "{}", first.samples);

    let mut slices = Slices::new(slo.slice, at(0));
    slices.put(at(0), &first.slices);
    // Six counters, three of them in both selectors, of which each minute has one sample.
    let each = 9 * 6;
    let mut most = 0;
    for minute in known..MINUTES {
        let more = read(&source, &slo, minute, minute + 1).await;
        most = most.max(more.samples);
        slices.put(at(minute), &more.slices);
    }
    println!("each minute after it: at most {most} samples");
    assert!(most <= each, "{most} samples for one minute");

    for (minute, slice) in (0..).zip(slices.iter(Window { from: at(0), to: at(MINUTES) }).map(|(_, slice)| slice)) {
        let expect = minutes.get(&minute).map(|&(bad, total)| Counts { bad, total });
        assert_eq!(slice, expect, "minute {minute}");
    }
    println!("{} burn rates compared", check_burn(&slo, &slices, &minutes));
    println!("{}", estimated(&source, &slo, &minutes).await);
    others(&source).await;
}

/// The other indicators, of the first three hours.
async fn others(source: &Prometheus) {
    let crowded = Crowded(source, AtomicU64::new(0));
    let fast = slo("{ latency: { histogram: shop_seconds, threshold: 300ms } }");
    for (slo, bad, total) in [(&fast, 2.0 * 180.0, 10.0 * 180.0), (&slo("{ up: shop_up }"), 18.0, 180.0)] {
        let raw = read(source, slo, 0, 13 * HOUR).await;
        let by_server = read(&crowded, slo, 0, 13 * HOUR).await;
        assert_eq!((&raw.remarks[..], by_server.estimated), (&[][..], true));
        let sum = |of: &ServiceSlices, part: fn(&Counts) -> f64| of.slices.iter().flatten().map(part).sum::<f64>();
        assert_eq!((sum(&raw, |one| one.bad), sum(&raw, |one| one.total)), (bad, total));
        assert_eq!(raw.slices.iter().flatten().count(), 180);
        let close = |found: f64, expect: f64| (found / expect - 1.0).abs() < 0.03;
        let found = (sum(&by_server, |one| one.bad), sum(&by_server, |one| one.total));
        assert!(close(found.0, bad) && close(found.1, total), "{found:?} of {:?}", (bad, total));
    }
    let odd = slo("{ latency: { histogram: shop_seconds, threshold: 700ms } }");
    for source in [source as &dyn Source, &crowded] {
        let found = read(source, &odd, 0, 13 * HOUR).await;
        assert!(found.slices.iter().all(Option::is_none));
        let told =
            found.remarks.iter().find(|remark| remark.starts_with("threshold_not_a_bucket: 0.7 of shop_seconds"));
        assert!(told.is_some_and(|remark| remark.ends_with("0.30, 1.0, +Inf")), "{:?}", found.remarks);
    }
    let nowhere = slo("{ ratio: { good: shop_fine_total, total: shop_requests_total } }");
    for source in [source as &dyn Source, &crowded] {
        let found = read(source, &nowhere, 0, 13 * HOUR).await;
        assert!(found.slices.iter().all(Option::is_none) && found.remarks.len() <= 2, "{:?}", found.remarks);
        assert!(found.remarks.iter().any(|remark| remark.starts_with("bad_never_seen: ")), "{:?}", found.remarks);
    }
}

/// A source that says that it has a million times the samples.
struct Crowded<'a>(&'a Prometheus, AtomicU64);

impl Source for Crowded<'_> {
    fn name(&self) -> &'static str {
        "crowded"
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.raw(selector, window)
    }

    fn grid<'a>(&'a self, expr: &'a str, grid: Grid) -> Pending<'a, Result<Answer, Error>> {
        if expr.starts_with("sum(count_over_time(") && expr.ends_with("[1h]))") {
            let crowded = format!("1000000 * {expr}");
            return Box::pin(async move { self.0.grid(&crowded, grid).await });
        }
        self.0.grid(expr, grid)
    }
}

async fn estimated(source: &Prometheus, slo: &Slo, minutes: &BTreeMap<i64, (f64, f64)>) -> String {
    let crowded = Crowded(source, AtomicU64::new(0));
    let (from, to) = (13 * DAY, 17 * DAY);
    let found = read(&crowded, slo, from, to).await;
    assert!(found.estimated && crowded.1.load(Ordering::Relaxed) == 0);
    assert!(matches!(&found.remarks[..], [one] if one.starts_with("estimated: ")), "{:?}", found.remarks);
    let sum =
        |all: &mut dyn Iterator<Item = (f64, f64)>| all.fold((0.0, 0.0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
    let counted = sum(&mut found.slices.iter().flatten().map(|slice| (slice.bad, slice.total)));
    let expect = sum(&mut minutes.range(from..to).map(|(_, sums)| *sums));
    for (counted, expect) in [(counted.0, expect.0), (counted.1, expect.1)] {
        assert!((counted / expect - 1.0_f64).abs() < 0.01, "{counted} of {expect}");
    }
    // A value a slice of each of two sums, and what measured them.
    let slices = u64::try_from(to - from).unwrap();
    assert!(found.samples <= 2 * slices + 200, "{}", found.samples);
    assert_eq!(found.slices.len(), usize::try_from(slices).unwrap());
    format!("estimated {counted:?} of {expect:?} from {} samples", found.samples)
}
