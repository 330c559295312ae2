//! What a made-up wave costs: drawing an hour of evidence and judging it.

use criterion::Criterion;
use std::hint::black_box;
use wavegate::plan::Day;
use wavegate::plan::Weather;
use wavegate::plan::traffic::Gate;
use wavegate::plan::traffic::Until;
use wavegate::plan::traffic::wave;
use wavegate::rules;

/// Five checks, looked at 240 times.
const HTTP: &str = include_str!("../rules/http-service.yaml");

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let rules = rules::parse("http-service.yaml", HTTP).expect("it ships").rules;
    let scene = Day::new(&rules, Weather::STATED).scene();
    let gate = Gate::new(rules);
    let mut number = 0;
    let mut group = criterion.benchmark_group("plan");
    group.bench_function("simulated_wave", |bench| {
        bench.iter(|| {
            number += 1;
            wave(black_box(&gate), &scene, "bench", number, Until::Deadline)
        });
    });
    group.finish();
    criterion.final_summary();
}
