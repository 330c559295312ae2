//! How fast a day of raw samples becomes the slices of a service: ten counters every 15 s,
//! two of them of bad events, from a source that has its answers ready.
//!
//! `cargo bench --bench slices`.

use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use futures_util::FutureExt as _;
use std::future::ready;
use std::time::Duration;
use wavegate::rules::Slo;
use wavegate::rules::parse_slo;
use wavegate::series::Labels;
use wavegate::series::Sample;
use wavegate::series::Series;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Answer;
use wavegate::sources::Error;
use wavegate::sources::Grid;
use wavegate::sources::Pending;
use wavegate::sources::Source;
use wavegate::sources::gather;

const SLO: &str = "version: 1\nname: shop\nobjective: 99.9%\n\
                   indicator: { ratio: { bad: 'requests_total{code=\"500\"}', total: requests_total } }\n";
const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const DAY: Duration = Duration::from_hours(24);
const SCRAPE: Duration = Duration::from_secs(15);
const SERIES: u32 = 10;

/// Series that are cut to what is asked.
struct Ready(Vec<Series>);

impl Ready {
    fn new() -> Self {
        let series = |pod: u32| {
            let code = if pod.is_multiple_of(5) { "500" } else { "200" };
            let pairs = [("__name__", "requests_total"), ("code", code), ("pod", &format!("web-{pod}"))];
            let labels: Labels = pairs.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            let scrapes = u32::try_from((DAY.as_secs() + 600) / SCRAPE.as_secs()).unwrap_or(0);
            let sample = |k: u32| Sample {
                at: BEGIN - Duration::from_mins(10) + SCRAPE * k + Duration::from_millis(u64::from(pod) * 1300),
                // Restarts now and then.
                value: f64::from(k % (1500 + pod * 7) * (pod + 1)),
            };
            Series::new(labels, (0..scrapes).map(sample).collect())
        };
        Self((0..SERIES).map(series).collect())
    }
}

impl Source for Ready {
    fn name(&self) -> &'static str {
        "ready"
    }

    fn raw<'a>(&'a self, selector: &'a str, window: Window) -> Pending<'a, Result<Answer, Error>> {
        let bad = selector.contains("500");
        let wanted = self.0.iter().filter(|one| !bad || one.labels().get("code") == Some("500"));
        let cut = |one: &Series| {
            let place = |at: Timestamp| one.samples().partition_point(|sample| sample.at <= at);
            let within = one.samples().get(place(window.from)..place(window.to)).unwrap_or_default();
            Series::new(one.labels().clone(), within.to_vec())
        };
        Box::pin(ready(Ok(Answer { series: wanted.map(cut).collect(), ..Answer::default() })))
    }

    fn grid<'a>(&'a self, _: &'a str, _: Grid) -> Pending<'a, Result<Answer, Error>> {
        Box::pin(ready(Ok(Answer::default())))
    }
}

fn slo() -> Slo {
    parse_slo("shop.yaml", SLO).unwrap_or_else(|faults| panic!("{faults:?}")).slo
}

fn read(c: &mut Criterion) {
    let (source, slo) = (Ready::new(), slo());
    let span = Window { from: BEGIN, to: BEGIN + DAY };
    let counted = || {
        let read = gather::service(&source, &slo, span, |_, _| ()).now_or_never();
        let Some(Ok(read)) = read else { panic!("a source that is ready answers at once") };
        assert_eq!(read.slices.iter().flatten().count(), 1440);
        read
    };
    let samples = counted().samples;
    let mut group = c.benchmark_group("slices");
    group.throughput(Throughput::Elements(samples)).sample_size(20);
    group.bench_function("day", |b| b.iter(counted));
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
