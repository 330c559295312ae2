//! How fast an exposition of 200 000 lines is read, beside prometheus-parse.

use criterion::BatchSize;
use criterion::Criterion;
use criterion::Throughput;
use criterion::criterion_group;
use criterion::criterion_main;
use std::fmt::Write as _;
use std::hint::black_box;
use wavegate::series::exposition;
use wavegate::series::exposition::Format;
use wavegate::series::exposition::Limits;

const LINES: usize = 200_000;

/// What services expose: a few labels, small numbers, buckets, no escapes.
fn body() -> String {
    let mut text = String::new();
    for line in 0..LINES {
        let (pod, code, value) = (line % 97, 200 + line % 5 * 75, line * 37 % 100_003);
        let _ = match line % 4 {
            0 => writeln!(text, "http_requests_total{{code=\"{code}\",method=\"get\",pod=\"web-{pod}\"}} {value}"),
            1 => writeln!(text, "http_request_duration_seconds_bucket{{le=\"0.{pod}\",pod=\"web-{pod}\"}} {value}"),
            2 => writeln!(text, "process_resident_memory_bytes{{pod=\"web-{pod}\"}} 1.{value}e+08"),
            _ => writeln!(text, "queue_depth_{pod} {}", f64::from(u32::try_from(value).unwrap_or(0)) / 7.0),
        };
    }
    text
}

fn read(c: &mut Criterion) {
    let body = body();
    let mut group = c.benchmark_group("exposition");
    group.throughput(Throughput::Bytes(body.len() as u64)).sample_size(20);
    group.bench_function("ours", |b| {
        b.iter(|| {
            let (mut samples, mut sum) = (0_usize, 0.0);
            exposition::read(body.as_bytes(), Format::Text, &Limits::default(), |line| {
                if let Ok(sample) = line {
                    samples += 1;
                    sum += black_box(sample).value;
                }
            });
            assert_eq!(samples, LINES);
            sum
        });
    });
    group.sample_size(10).bench_function("prometheus-parse", |b| {
        let lines = || body.lines().map(|line| Ok(line.to_owned())).collect::<Vec<_>>();
        b.iter_batched(
            lines,
            |lines| prometheus_parse::Scrape::parse(lines.into_iter()).map(|scrape| scrape.samples.len()),
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, read);
criterion_main!(benches);
