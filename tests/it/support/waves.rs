//! Seeded waves as OpenMetrics text: what two cohorts of one service would have
//! exported while one of them was upgraded.
//!
//! Each instance is scraped every 15 s on its own phase. Requests are Poisson
//! around a load that both cohorts share, errors binomial, latencies lognormal,
//! CPU and memory autocorrelated. Before the start the canary behaves as the
//! baseline does; from then on it is what the knobs make it.

use std::f64::consts::TAU;
use std::fmt::Write;
use wavegate::plan::traffic::Random;
use wavegate::series::Timestamp;

/// Between two scrapes of one instance.
const SCRAPE_MILLIS: i64 = 15_000;
/// The same in seconds.
const SCRAPE_SECONDS: f64 = 15.0;
/// Requests of one instance in a second: 51 for a canary of 3, 102 for a baseline of 6.
const REQUESTS_PER_SECOND: f64 = 17.0;
/// Client libraries' default buckets, in seconds, without `+Inf`.
const BUCKETS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
/// Half of all requests take less, in seconds.
const MEDIAN_LATENCY: f64 = 0.08;
/// Deviation of the logarithm of the latency.
const LATENCY_SIGMA: f64 = 0.8;
/// CPU seconds a second.
const CPU_CORES: f64 = 0.3;
/// Bytes.
const MEMORY: f64 = 4.0e8;
/// An error ratio stays a ratio in the worst outage.
const WORST_ERROR_RATIO: f64 = 0.9;

/// One wave. Minutes count from its start.
#[derive(Clone, Debug)]
pub(crate) struct Wave {
    /// The `wave_id` of the canary; that of the baseline is [`Wave::baseline`].
    pub(crate) id: String,
    /// When the upgrade began.
    pub(crate) start: Timestamp,
    /// Another seed is another wave of the same kind.
    pub(crate) seed: u64,
    /// Telemetry begins so long before the start.
    pub(crate) minutes_before: i64,
    /// And ends so long after it.
    pub(crate) minutes_after: i64,
    /// When the canary's telemetry begins: before the start for instances upgraded
    /// in place, whose counters go on; from 0 for new ones, whose counters begin at 0.
    pub(crate) canary_from_minute: i64,
    /// Instances of the canary.
    pub(crate) canaries: usize,
    /// Instances of the baseline.
    pub(crate) baselines: usize,
    /// Share of requests that the baseline answers with 500.
    pub(crate) baseline_errors: f64,
    /// The same of the canary, from the start on.
    pub(crate) canary_errors: f64,
    /// Whether the 5xx series exists before the first error, at 0.
    pub(crate) errors_exported_at_zero: bool,
    /// The canary's latencies are so much longer.
    pub(crate) latency_factor: f64,
    /// The canary takes so much more CPU.
    pub(crate) cpu_factor: f64,
    /// The canary takes so much more memory.
    pub(crate) memory_factor: f64,
    /// From here on the canary exports nothing.
    pub(crate) canary_silent_from_minute: Option<i64>,
    /// Every instance of both cohorts restarts in each of these minutes.
    pub(crate) restarts_at_minutes: Vec<i64>,
    /// Both cohorts' error ratios are twentyfold for five minutes from here.
    pub(crate) outage_at_minute: Option<i64>,
}

impl Wave {
    /// A wave whose canary is as good as its baseline: errors 0.2 %.
    pub(crate) fn new(id: &str, start: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            start,
            seed: 1,
            minutes_before: 70,
            minutes_after: 70,
            canary_from_minute: -70,
            canaries: 3,
            baselines: 6,
            baseline_errors: 0.002,
            canary_errors: 0.002,
            errors_exported_at_zero: true,
            latency_factor: 1.0,
            cpu_factor: 1.0,
            memory_factor: 1.0,
            canary_silent_from_minute: None,
            restarts_at_minutes: Vec::new(),
            outage_at_minute: None,
        }
    }

    /// The `wave_id` of the baseline.
    pub(crate) fn baseline(&self) -> String {
        format!("{}-base", self.id)
    }

    fn at_minute(&self, minute: i64) -> i64 {
        self.start.as_millis() + minute * 60_000
    }

    fn write(&self, text: &mut String) {
        for (cohort, count) in [(Cohort::Canary, self.canaries), (Cohort::Baseline, self.baselines)] {
            for index in 0..count {
                Instance::new(self, cohort, index).write(text);
            }
        }
    }
}

/// The two waves that README shows: `good`, and `bad` with ten times the errors.
pub(crate) fn shown() -> [Wave; 2] {
    let start = Timestamp::from_millis(1_795_348_800_000); // 2026-11-22T12:00:00Z
    [Wave::new("good", start), Wave { canary_errors: 0.02, seed: 2, ..Wave::new("bad", start) }]
}

/// All of `waves` as one text for one server. Their ids differ.
pub(crate) fn openmetrics(waves: &[Wave]) -> String {
    let mut text = String::from(
        "# TYPE http_requests counter\n# TYPE http_request_duration_seconds histogram\n\
         # TYPE process_cpu_seconds counter\n# TYPE process_resident_memory_bytes gauge\n",
    );
    for wave in waves {
        wave.write(&mut text);
    }
    text.push_str("# EOF\n");
    text
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cohort {
    Canary,
    Baseline,
}

/// One instance as it goes through the wave, scrape by scrape.
struct Instance<'w> {
    wave: &'w Wave,
    cohort: Cohort,
    labels: String,
    requests: Random,
    latencies: Random,
    usage: Random,
    /// Where in the 15 s it is scraped.
    phase_millis: i64,
    exported: Exported,
    /// The logarithms of CPU and memory around their means.
    cpu_noise: f64,
    memory_noise: f64,
}

/// What the instance counts since it started.
#[derive(Clone, Debug, Default)]
struct Exported {
    ok: u64,
    errors: u64,
    /// Not cumulative; the last is `+Inf`.
    buckets: [u64; BUCKETS.len() + 1],
    seconds: f64,
    cpu: f64,
}

impl<'w> Instance<'w> {
    fn new(wave: &'w Wave, cohort: Cohort, index: usize) -> Self {
        let (wave_id, kind) = match cohort {
            Cohort::Canary => (wave.id.clone(), "canary"),
            Cohort::Baseline => (wave.baseline(), "baseline"),
        };
        let pod = format!("{}-{kind}-{index}", wave.id);
        let stream = |of: &str| Random::named(wave.seed, &format!("{pod}/{of}"));
        #[expect(clippy::cast_possible_truncation, reason = "below 15 000")]
        let phase_millis = (stream("phase").unit() * SCRAPE_SECONDS * 1000.0) as i64;
        Self {
            wave,
            cohort,
            labels: format!(r#"wave_id="{wave_id}",pod="{pod}",instance="{pod}:8080""#),
            requests: stream("requests"),
            latencies: stream("latencies"),
            usage: stream("usage"),
            phase_millis,
            exported: Exported::default(),
            cpu_noise: 0.0,
            memory_noise: 0.0,
        }
    }

    fn write(mut self, text: &mut String) {
        let wave = self.wave;
        let is_canary = self.cohort == Cohort::Canary;
        let begin = if is_canary { wave.canary_from_minute.max(-wave.minutes_before) } else { -wave.minutes_before };
        let silent = wave.canary_silent_from_minute.filter(|_| is_canary);
        let end = wave.at_minute(silent.unwrap_or(wave.minutes_after).min(wave.minutes_after));
        if begin < 0 {
            // It has run for some hours already, so its counters are well above zero.
            for _ in 0..40 {
                self.live(wave.at_minute(-wave.minutes_before));
            }
        }
        let mut at = wave.at_minute(begin) + self.phase_millis;
        while at < end {
            let restarts = |minute: &i64| (at - SCRAPE_MILLIS..at).contains(&wave.at_minute(*minute));
            if wave.restarts_at_minutes.iter().any(restarts) {
                self.exported = Exported::default();
            }
            self.live(at);
            self.scrape(at, text);
            at += SCRAPE_MILLIS;
        }
    }

    /// The 15 s up to `at`.
    fn live(&mut self, at: i64) {
        let upgraded = self.cohort == Cohort::Canary && at > self.wave.start.as_millis();
        let factor = |factor: f64| if upgraded { factor } else { 1.0 };
        // The load swings by a fifth within half an hour, for everybody at once.
        #[expect(clippy::cast_precision_loss, reason = "below 1 800 000")]
        let swing = 1.0 + 0.2 * (TAU * at.rem_euclid(1_800_000) as f64 / 1_800_000.0).sin();

        let requests = self.requests.poisson(REQUESTS_PER_SECOND * SCRAPE_SECONDS * swing);
        let errors = self.requests.binomial(requests, self.error_ratio(at, upgraded));
        self.exported.errors += u64::from(errors);
        self.exported.ok += u64::from(requests - errors);

        for _ in 0..requests {
            let latency =
                MEDIAN_LATENCY * factor(self.wave.latency_factor) * (LATENCY_SIGMA * self.latencies.normal()).exp();
            self.exported.buckets[BUCKETS.partition_point(|bound| *bound < latency)] += 1;
            self.exported.seconds += latency;
        }

        self.cpu_noise = 0.5 * self.cpu_noise + 0.1 * self.usage.normal();
        self.memory_noise = 0.9 * self.memory_noise + 0.005 * self.usage.normal();
        self.exported.cpu += CPU_CORES * SCRAPE_SECONDS * swing * factor(self.wave.cpu_factor) * self.cpu_noise.exp();
    }

    fn error_ratio(&self, at: i64, upgraded: bool) -> f64 {
        let wave = self.wave;
        let usual = if upgraded { wave.canary_errors } else { wave.baseline_errors };
        let outage = wave.outage_at_minute.map(|minute| wave.at_minute(minute)..wave.at_minute(minute + 5));
        let factor = if outage.is_some_and(|span| span.contains(&at)) { 20.0 } else { 1.0 };
        (usual * factor).min(WORST_ERROR_RATIO)
    }

    fn scrape(&self, at: i64, text: &mut String) {
        // Half a millisecond more, because promtool cuts the fraction of a
        // millisecond off after a multiplication that may have lost some of it.
        let stamp = format!("{}.{:03}5", at.div_euclid(1000), at.rem_euclid(1000));
        let upgraded = self.cohort == Cohort::Canary && at > self.wave.start.as_millis();
        let memory = MEMORY * if upgraded { self.wave.memory_factor } else { 1.0 } * self.memory_noise.exp();
        let Exported { ok, errors, buckets, seconds, cpu } = &self.exported;
        let labels = &self.labels;
        let mut line = |name: &str, more: &str, value: &dyn std::fmt::Display| {
            writeln!(text, "{name}{{{labels}{more}}} {value} {stamp}").expect("strings take all");
        };
        line("http_requests_total", r#",code="200""#, ok);
        if *errors > 0 || self.wave.errors_exported_at_zero {
            line("http_requests_total", r#",code="500""#, errors);
        }
        let mut below = 0;
        for (bound, count) in BUCKETS.iter().zip(buckets) {
            below += count;
            line("http_request_duration_seconds_bucket", &format!(r#",le="{bound}""#), &below);
        }
        line("http_request_duration_seconds_bucket", r#",le="+Inf""#, &(ok + errors));
        line("http_request_duration_seconds_count", "", &(ok + errors));
        line("http_request_duration_seconds_sum", "", seconds);
        line("process_cpu_seconds_total", "", cpu);
        line("process_resident_memory_bytes", "", &memory.round());
    }
}
