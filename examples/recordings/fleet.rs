//! Made-up waves of an HTTP service: what they are called, and what they export.
//!
//! Each instance is scraped every 15 s on its own phase. Requests are Poisson around a
//! load that both cohorts share, errors binomial, latencies lognormal, CPU and memory
//! autocorrelated. From the start on the canary is what its kind of wave makes it.

use std::collections::BTreeMap;
use std::f64::consts::SQRT_2;
use std::f64::consts::TAU;
use wavegate::plan::traffic::Random;
use wavegate::series::Labels;
use wavegate::series::Sample;
use wavegate::series::Timestamp;
use wavegate::series::expr::Stored;
use wavegate::wire::Label;

/// 2026-11-22T12:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_795_348_800_000);
const SCRAPE_MILLIS: i64 = 15_000;
const SCRAPE_SECONDS: f64 = 15.0;
/// Telemetry goes from so many minutes before the start to so many after it.
const MINUTES: (i64, i64) = (-70, 62);
/// Client libraries' default buckets, in seconds, without `+Inf`.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Half of all requests take less, in seconds; and the deviation of the logarithm.
const LATENCY: (f64, f64) = (0.08, 0.8);
const CPU_CORES: f64 = 0.3;
const MEMORY_BYTES: f64 = 4.0e8;

/// One wave: what it is, and everything that differs from the plainest good one.
#[derive(Clone, Debug)]
pub(crate) struct Wave {
    /// What goes on in it.
    pub(crate) kind: &'static str,
    /// Whether it should pass.
    pub(crate) label: Label,
    /// When the upgrade began.
    pub(crate) start: Timestamp,
    number: u64,
    /// Requests of one instance in a second.
    load: f64,
    /// The load swings by this share around its mean, once in so many minutes.
    swing: (f64, f64),
    canaries: usize,
    baselines: usize,
    /// Share of errors of the baseline.
    errors: f64,
    /// The canary has so many times the errors, from this minute on.
    more_errors: (f64, f64),
    /// Only the first of its instances has them.
    one_instance: bool,
    /// The canary takes so much longer.
    latency: f64,
    /// This share of its requests takes four times as long.
    slow_share: f64,
    cpu: f64,
    /// Share of memory that it gains in an hour.
    leak: f64,
    /// Both cohorts have twentyfold errors and double latency for five minutes from here.
    incident: Option<f64>,
    /// Of CPU and memory from scrape to scrape, and the deviation of their logarithms.
    noise: (f64, f64),
    /// Instances differ for good: the deviation of the logarithms of their CPU and latency.
    offsets: f64,
    /// The canary's instances begin at the start.
    is_new: bool,
    /// Every instance restarts in each of these minutes.
    restarts: &'static [i64],
}

/// 24 good waves and 20 bad ones.
pub(crate) fn waves() -> Vec<Wave> {
    let plain = Wave {
        kind: "plain",
        label: Label::Good,
        start: START,
        number: 0,
        load: 17.0,
        swing: (0.2, 30.0),
        canaries: 3,
        baselines: 6,
        errors: 0.002,
        more_errors: (1.0, 0.0),
        one_instance: false,
        latency: 1.0,
        slow_share: 0.0,
        cpu: 1.0,
        leak: 0.0,
        incident: None,
        noise: (0.5, 0.1),
        offsets: 0.0,
        is_new: false,
        restarts: &[],
    };
    let good = |kind| Wave { kind, ..plain.clone() };
    let bad = |kind| Wave { kind, label: Label::Bad, ..plain.clone() };
    let kinds = [
        (4, good("plain")),
        (3, Wave { swing: (0.7, 240.0), ..good("diurnal") }),
        (3, Wave { incident: Some(14.0), ..good("shared-incident") }),
        (3, Wave { noise: (0.9, 0.06), ..good("autocorrelated") }),
        (2, Wave { load: 1.0, ..good("low-traffic") }),
        (3, Wave { offsets: 0.03, ..good("instance-offsets") }),
        (2, Wave { is_new: true, ..good("new-instances") }),
        (2, Wave { restarts: &[4, 9, 31], ..good("restarts") }),
        (1, Wave { errors: 0.0, ..good("no-errors") }),
        (1, Wave { load: 40.0, ..good("busy") }),
        (2, Wave { more_errors: (2.0, 0.0), ..bad("errors-2x") }),
        (2, Wave { more_errors: (3.0, 0.0), ..bad("errors-3x") }),
        (2, Wave { more_errors: (10.0, 0.0), ..bad("errors-10x") }),
        (2, Wave { more_errors: (5.0, 8.0), ..bad("errors-late") }),
        (2, Wave { more_errors: (20.0, 0.0), one_instance: true, ..bad("one-bad-instance") }),
        (2, Wave { latency: 1.1, ..bad("latency-10-percent") }),
        (2, Wave { latency: 1.3, ..bad("latency-30-percent") }),
        (2, Wave { slow_share: 0.02, ..bad("slow-tail") }),
        (2, Wave { cpu: 1.3, ..bad("cpu-30-percent") }),
        (2, Wave { leak: 0.6, ..bad("memory-leak") }),
    ];
    let numbered = |(count, wave): (u64, Wave)| (1..=count).map(move |number| Wave { number, ..wave.clone() });
    kinds.into_iter().flat_map(numbered).collect()
}

impl Wave {
    /// The `wave_id` of the canary.
    pub(crate) fn id(&self) -> String {
        format!("{}-{}", self.kind, self.number)
    }

    /// The `wave_id` of the baseline.
    pub(crate) fn baseline(&self) -> String {
        format!("{}-base", self.id())
    }

    /// The name of its recording.
    pub(crate) fn file(&self) -> String {
        format!("{}-{}.recording", self.label.word(), self.id())
    }

    /// Everything that its instances export.
    pub(crate) fn series(&self) -> Vec<Stored> {
        let mut all = BTreeMap::new();
        for (is_canary, count) in [(true, self.canaries), (false, self.baselines)] {
            for index in 0..count {
                Instance::new(self, is_canary, index).run(&mut all);
            }
        }
        all.into_iter().map(|(labels, samples)| Stored { labels, samples, ends: Vec::new() }).collect()
    }

    fn minute(&self, at: i64) -> f64 {
        millis(at - self.start.as_millis()) / 60_000.0
    }
}

/// One instance as it goes through the wave, scrape by scrape.
struct Instance<'w> {
    wave: &'w Wave,
    is_canary: bool,
    is_first: bool,
    labels: [(&'static str, String); 3],
    requests: Random,
    usage: Random,
    phase: i64,
    /// Its own share of CPU and of latency.
    offset: [f64; 2],
    noise: [f64; 2],
    counted: Counted,
}

/// What it counts since it began.
#[derive(Default)]
struct Counted {
    ok: u32,
    errors: u32,
    /// Not cumulative; the last is `+Inf`.
    buckets: [u32; BOUNDS.len() + 1],
    cpu: f64,
}

impl<'w> Instance<'w> {
    fn new(wave: &'w Wave, is_canary: bool, index: usize) -> Self {
        let (wave_id, cohort) = if is_canary { (wave.id(), "canary") } else { (wave.baseline(), "baseline") };
        let pod = format!("{}-{cohort}-{index}", wave.id());
        let stream = |of: &str| Random::named(wave.number, &format!("{pod}/{of}"));
        let mut own = stream("own");
        #[expect(clippy::cast_possible_truncation, reason = "below 15 000")]
        let phase = (own.unit() * SCRAPE_SECONDS * 1000.0) as i64;
        let offset = [(); 2].map(|()| (wave.offsets * own.normal()).exp());
        let labels = [("wave_id", wave_id), ("instance", format!("{pod}:8080")), ("pod", pod.clone())];
        let (requests, usage, is_first) = (stream("requests"), stream("usage"), index == 0);
        let (noise, counted) = ([0.0; 2], Counted::default());
        Self { wave, is_canary, is_first, labels, requests, usage, phase, offset, noise, counted }
    }

    fn run(mut self, all: &mut BTreeMap<Labels, Vec<Sample>>) {
        let start = self.wave.start.as_millis();
        let begin = if self.is_canary && self.wave.is_new { 0 } else { MINUTES.0 };
        let mut at = start + begin * 60_000 + self.phase;
        if begin < 0 {
            // It has run for a while already, so its counters are well above zero.
            for _ in 0..40 {
                self.live(at);
            }
        }
        while at < start + MINUTES.1 * 60_000 {
            let restarted = |minute: &i64| (at - SCRAPE_MILLIS..at).contains(&(start + minute * 60_000));
            if self.wave.restarts.iter().any(restarted) {
                self.counted = Counted::default();
            }
            self.live(at);
            self.scrape(at, all);
            at += SCRAPE_MILLIS;
        }
    }

    /// The 15 s up to `at`.
    fn live(&mut self, at: i64) {
        let (wave, minute) = (self.wave, self.wave.minute(at));
        let upgraded = self.is_canary && minute > 0.0;
        let factor = |factor: f64| if upgraded { factor } else { 1.0 };
        let incident = wave.incident.is_some_and(|from| (from..from + 5.0).contains(&minute));
        let swing = 1.0 + wave.swing.0 * (TAU * (minute / wave.swing.1 + 0.1)).sin();

        let requests = self.requests.poisson(wave.load * SCRAPE_SECONDS * swing);
        let is_worse = upgraded && wave.more_errors.1 <= minute && (self.is_first || !wave.one_instance);
        let errors = wave.errors * if is_worse { wave.more_errors.0 } else { 1.0 } * if incident { 20.0 } else { 1.0 };
        let failed = self.requests.binomial(requests, errors.min(0.9));
        self.counted.errors += failed;
        self.counted.ok += requests - failed;

        let median = LATENCY.0 * factor(wave.latency) * self.offset[1] * if incident { 2.0 } else { 1.0 };
        let slow = if upgraded { wave.slow_share } else { 0.0 };
        let within = |bound: f64| (1.0 - slow) * below(bound, median) + slow * below(bound, 4.0 * median);
        let shares = BOUNDS.map(within);
        for _ in 0..requests {
            let one = self.requests.unit();
            self.counted.buckets[shares.partition_point(|share| *share < one)] += 1;
        }

        let (kept, deviation) = wave.noise;
        self.noise[0] = kept * self.noise[0] + deviation * self.usage.normal();
        self.noise[1] = 0.9 * self.noise[1] + 0.05 * deviation * self.usage.normal();
        let cores = CPU_CORES * swing * factor(wave.cpu) * self.offset[0] * self.noise[0].exp();
        self.counted.cpu += cores * SCRAPE_SECONDS;
    }

    fn scrape(&self, at: i64, all: &mut BTreeMap<Labels, Vec<Sample>>) {
        let mut put = |name: &str, more: Option<(&str, String)>, value: f64| {
            let own = self.labels.iter().map(|(name, value)| (*name, value.clone()));
            let all_labels = own.chain(more).chain([("__name__", name.to_owned())]);
            let labels: Labels = all_labels.map(|(name, value)| (name.to_owned(), value)).collect();
            all.entry(labels).or_default().push(Sample { at: Timestamp::from_millis(at), value });
        };
        let Counted { ok, errors, buckets, cpu } = &self.counted;
        put("http_requests_total", Some(("code", "200".to_owned())), f64::from(*ok));
        put("http_requests_total", Some(("code", "500".to_owned())), f64::from(*errors));
        let mut below = 0;
        let bounds = BOUNDS.iter().map(f64::to_string).chain(["+Inf".to_owned()]);
        for (bound, count) in bounds.zip(buckets) {
            below += count;
            put("http_request_duration_seconds_bucket", Some(("le", bound)), f64::from(below));
        }
        put("process_cpu_seconds_total", None, *cpu);
        let hours = (self.wave.minute(at) / 60.0).max(0.0);
        let leaked = if self.is_canary { 1.0 + self.wave.leak * hours } else { 1.0 };
        put("process_resident_memory_bytes", None, (MEMORY_BYTES * leaked * self.noise[1].exp()).round());
    }
}

/// The share of latencies around `median` that are at most `bound`.
fn below(bound: f64, median: f64) -> f64 {
    let z = (bound / median).ln() / LATENCY.1;
    0.5 * (1.0 + erf(z / SQRT_2))
}

/// The error function to 1.5e-7 (Abramowitz, Stegun 7.1.26).
fn erf(x: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let tail =
        t * (0.254_829_592 + t * (-0.284_496_736 + t * (1.421_413_741 + t * (-1.453_152_027 + t * 1.061_405_429))));
    (1.0 - tail * (-x * x).exp()).copysign(x)
}

#[expect(clippy::cast_precision_loss, reason = "some hours")]
fn millis(of: i64) -> f64 {
    of as f64
}
