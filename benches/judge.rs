//! What a look costs, from one check to the whole way from new evidence to what
//! must be committed. All evidence is made up from a fixed seed.

mod made_up;

use criterion::BatchSize;
use criterion::Criterion;
use criterion::Throughput;
use std::hint::black_box;
use std::time::Duration;
use wavegate::engine;
use wavegate::judge::Judgement;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::plan::power::Assumptions;
use wavegate::plan::power::plan;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::ServiceReading;
use wavegate::series::SpanReading;
use wavegate::series::Timestamp;
use wavegate::wave;
use wavegate::wave::Event;
use wavegate::wave::Wave;
use wavegate::wire;

/// Four checks: a ratio, a histogram and two gauges.
const FOUR: &str = include_str!("../rules/http-service.yaml");

/// Intervals of 15 s in an hour; every fourth ends in a planned look, the last one too.
const HOUR: u32 = 240;

const START: Timestamp = Timestamp::from_millis(1_795_348_800_000);

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    one_interval(&mut criterion);
    one_check(&mut criterion);
    ten_checks(&mut criterion);
    one_gate(&mut criterion);
    one_budget(&mut criterion);
    one_plan(&mut criterion);
    criterion.final_summary();
}

/// Every kind of check.
const KINDS: [(&str, &str); 7] = [
    ("ratio", "ratio: { bad: errors_total, total: requests_total }"),
    ("histogram_20", "histogram: latency_seconds"),
    ("quantile_20", "histogram: latency_seconds\n    quantile: p99"),
    ("gauge", "gauge: cpu_usage"),
    ("gauge_drift", "gauge: cpu_usage\n    drift: true"),
    ("gauge_mann_whitney", "gauge: cpu_usage\n    test: mann_whitney"),
    ("threshold", "threshold: restarts\n    max: 0"),
];

/// Intervals between two planned looks of a gate of fifteen hours, after an hour of it:
/// each is taken into the state, and none is a look.
fn one_interval(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("interval");
    for (kind, check) in KINDS {
        let schedule = "schedule: { interval: 15s, warmup: 2m, min_duration: 10m, deadline: 15h }";
        let rules =
            made_up::rules_of(&format!("version: 1\nname: one\n{schedule}\nchecks:\n  - name: it\n    {check}\n"));
        let timing = Timing::new(&rules.schedule, START, None, None);
        let evidence = made_up::evidence(&rules, &timing, 2 * HOUR);
        let looks: Vec<u32> = (HOUR..2 * HOUR).filter(|index| timing.is_planned(*index)).collect();
        let between = slot(looks[0])..slot(looks[1]) - 1;
        let now = timing.window(2 * HOUR).to;
        let (state, _) = judge(&rules, &State::new(&rules, timing), &evidence[..between.start], now);
        group.throughput(Throughput::Elements(u64::try_from(between.len()).expect("some")));
        group.bench_function(kind, |bench| {
            bench.iter(|| judge(&rules, black_box(&state), &evidence[between.clone()], now));
        });
    }
    group.finish();
}

/// One check at the end of an hour: with nothing new, after an interval that is only
/// taken in, and after one that ends in a planned look.
fn one_check(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("judge");
    for (kind, check) in KINDS {
        let rules = made_up::rules_of(&format!("version: 1\nname: one\nchecks:\n  - name: it\n    {check}\n"));
        let hour = Hour::new(rules);
        let state = hour.state_after(HOUR - 1);
        group.bench_function(format!("{kind}/nothing_new"), |bench| {
            bench.iter(|| hour.judge(black_box(&state), HOUR - 1..HOUR - 1));
        });
        for (name, index) in [("interval", HOUR - 1), ("planned_look", HOUR)] {
            let state = hour.state_after(index - 1);
            group.bench_function(format!("{kind}/{name}"), |bench| {
                bench.iter(|| hour.judge(black_box(&state), index - 1..index));
            });
        }
    }
    group.finish();
}

/// Ten checks after an hour: the last look, and the whole hour at once, as after a restart.
fn ten_checks(criterion: &mut Criterion) {
    let mut text = String::from("version: 1\nname: ten\nchecks:\n");
    for k in 1..=3 {
        for (name, kind) in [
            ("errors", "ratio: { bad: errors_total, total: requests_total }"),
            ("latency", "histogram: latency_seconds"),
            ("cpu", "gauge: cpu_usage"),
        ] {
            text.extend(["  - name: ", name, &k.to_string(), "\n    ", kind, "\n"]);
        }
    }
    text += "  - name: restarts\n    threshold: restarts\n    max: 0\n";
    let hour = Hour::new(made_up::rules_of(&text));
    let mut group = criterion.benchmark_group("ten_checks");
    let state = hour.state_after(HOUR - 1);
    group.bench_function("planned_look", |bench| bench.iter(|| hour.judge(black_box(&state), HOUR - 1..HOUR)));
    group.bench_function("opened", |bench| bench.iter(|| State::new(black_box(&hour.rules), hour.timing)));
    let new = hour.state_after(0);
    group.sample_size(20);
    group.bench_function("whole_hour", |bench| bench.iter(|| hour.judge(black_box(&new), 0..HOUR)));
    group.finish();
}

/// The rest of the way of a gate of four checks, and all of it.
fn one_gate(criterion: &mut Criterion) {
    // No PASS before the hour is over, so that every look before it goes on.
    let hour = Hour::new(made_up::rules_of(&FOUR.replace("min_duration: 10m", "min_duration: 60m")));
    // The last planned look but one, and the interval before it.
    let (planned, unplanned) = (HOUR - 4, HOUR - 5);
    let mut group = criterion.benchmark_group("four_checks");

    let (wave, state) = hour.wave_after(planned - 1);
    let (_, judgement) = hour.judge(&state, planned - 1..planned);
    let at = hour.timing.window(planned).to;
    assert_eq!(judgement.ruling, Ruling::GoOn, "the gate goes on");
    group.bench_function("step", |bench| {
        let event = || Event::Judged(Box::new(judgement.clone()));
        bench.iter_batched(event, |event| wave::step(&wave, &hour.rules.name, event, at), BatchSize::SmallInput);
    });
    group.bench_function("gate_document", |bench| bench.iter(|| wire::gate_document(&wave, black_box(&wave.gates[0]))));
    let document = wire::gate_document(&wave, &wave.gates[0]);
    group.bench_function("wave_document", |bench| bench.iter(|| wire::wave_document(&wave, &[black_box(&document)])));
    for (name, index) in [("advance_interval", unplanned), ("advance_planned_look", planned)] {
        let (wave, state) = hour.wave_after(index - 1);
        let evidence = || hour.evidence[slot(index - 1)..slot(index)].to_vec();
        group.bench_function(name, |bench| {
            let advance = |evidence| engine::advance(black_box(&wave), &hour.rules, &state, evidence);
            bench.iter_batched(evidence, advance, BatchSize::SmallInput);
        });
    }
    group.finish();
}

/// What an error budget adds to a look: a gate of one threshold, with and without one.
fn one_budget(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("error_budget");
    let own = "version: 1\nname: one\nschedule: { min_duration: 60m }\n\
               checks:\n  - name: it\n    threshold: restarts\n    max: 0\n";
    let slo = "version: 1\nname: shop\nobjective: 99.9%\nindicator:\n  \
               ratio: { bad: errors_total, total: requests_total }\n";
    let minding = rules::bundle_slo(&format!("{own}budget: {{ slo: shop }}\n"), "shop", slo);
    for (name, text) in [("without", own), ("with", &minding)] {
        let mut hour = Hour::new(made_up::rules_of(text));
        let is_minded = hour.rules.budget.is_some();
        for interval in hour.evidence.iter_mut().filter(|_| is_minded) {
            interval.budget = Some(budget_evidence(interval.window.to));
        }
        let state = hour.state_after(HOUR - 1);
        group.bench_function(name, |bench| bench.iter(|| hour.judge(black_box(&state), HOUR - 1..HOUR)));
        let new = hour.state_after(0);
        // Folds all, and looks at the end: what an interval costs is a part of this.
        group.bench_function(format!("{name}_whole_hour"), |bench| {
            bench.iter(|| hour.judge(black_box(&new), 0..HOUR));
        });
    }
    group.finish();
}

/// A wave whose canary burns a little faster than its baseline, and its service, of which a
/// month is known.
fn budget_evidence(at: Timestamp) -> BudgetEvidence {
    let span = |minutes: u32| {
        let total = 6000.0 * f64::from(minutes);
        let counts = Counts { bad: 1e-4 * total, total };
        let length = Duration::from_mins(u64::from(minutes));
        SpanReading { length, counts: Some(counts), seen: minutes, slices: minutes, bad_events: counts.bad }
    };
    let month = span(30 * 24 * 60);
    let counts = |bad: f64, total: f64| Measure::Counts { bad, total };
    // Another number each time, so that they are not all alike.
    let more = f64::from(u32::try_from(at.as_millis() / 15_000 % 7).unwrap_or(0));
    let seen = |measure| Observed { measure, seen: 1, ..Observed::nothing(1) };
    let wave = CheckEvidence {
        canary: seen(counts(1.0 + more, 750.0)),
        baseline: Some(seen(counts(1.0 + more, 1500.0))),
        ..CheckEvidence::missing()
    };
    let service = ServiceReading {
        through: at,
        windows: [5, 30, 60, 120, 360, 1440, 4320].map(span).to_vec(),
        period: month,
        events: month,
        period_from: at - month.length,
        period_to: at,
        seen_from: Some(at - month.length),
        spent_by_others: 100.0,
        paging: Vec::new(),
        before: None,
    };
    BudgetEvidence { wave, service: Some(service) }
}

/// A rule file and an hour of evidence for it.
struct Hour {
    rules: RuleFile,
    timing: Timing,
    evidence: Vec<IntervalEvidence>,
}

impl Hour {
    fn new(rules: RuleFile) -> Self {
        let timing = Timing::new(&rules.schedule, START, None, None);
        assert_eq!(timing.last(), HOUR);
        let evidence = made_up::evidence(&rules, &timing, HOUR);
        Self { rules, timing, evidence }
    }

    fn state_after(&self, intervals: u32) -> State {
        self.judge(&State::new(&self.rules, self.timing), 0..intervals).0
    }

    fn judge(&self, state: &State, intervals: std::ops::Range<u32>) -> (State, Judgement) {
        let now = self.timing.window(intervals.end.max(1)).to;
        judge(&self.rules, state, &self.evidence[slot(intervals.start)..slot(intervals.end)], now)
    }

    fn wave_after(&self, intervals: u32) -> (Wave, State) {
        let opened = made_up::opened(&self.rules, START);
        let (timed, _) = engine::apply(&opened, &self.rules.name, Event::Timed(self.timing), START);
        let evidence = self.evidence[..slot(intervals)].to_vec();
        let advanced = engine::advance(&timed, &self.rules, &State::new(&self.rules, self.timing), evidence);
        assert_eq!(advanced.state.judged(), intervals, "nothing is decided before");
        (advanced.wave, advanced.state)
    }
}

fn slot(intervals: u32) -> usize {
    usize::try_from(intervals).expect("a few hundred")
}

/// What a rule file can detect, on the default ordinary day.
fn one_plan(criterion: &mut Criterion) {
    let rules = made_up::rules_of(FOUR);
    let assumed = Assumptions::default();
    let mut group = criterion.benchmark_group("plan");
    group.sample_size(20);
    group.bench_function("http_service", |bench| bench.iter(|| plan(black_box(&rules), &assumed)));
    group.finish();
}
