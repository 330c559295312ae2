//! What a look costs below the judge: Mann-Whitney's test together with the
//! Hodges-Lehmann interval (sorting, the rank statistic, the estimate, both bounds), and
//! the parts of sequential tests: boundary table, paired mean, count guard, the tail of a
//! histogram, and the bounds that are shown beside a verdict.

use criterion::BenchmarkId;
use criterion::Criterion;
use criterion::Throughput;
use std::hint::black_box;
use wavegate::stats::PairedOptions;
use wavegate::stats::Quotient;
use wavegate::stats::Score;
use wavegate::stats::SortedCohorts;
use wavegate::stats::Spending;
use wavegate::stats::Survival;
use wavegate::stats::Tail;
use wavegate::stats::Track;
use wavegate::stats::boundary;
use wavegate::stats::count_guard;
use wavegate::stats::hodges_lehmann;
use wavegate::stats::mann_whitney;
use wavegate::stats::paired_mean;
use wavegate::stats::ratio_confidence;
use wavegate::stats::ratio_of_sums;
use wavegate::stats::ratio_score;
use wavegate::stats::recent_shift;

/// Points a side: an hour by the minute and by 15 s, a day by the minute, and many.
const SIZES: [usize; 4] = [60, 240, 1440, 10_000];

/// The level of one bound at one of 60 looks.
const LEVEL: f64 = 0.05 / 60.0;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    rank_test_and_interval(&mut criterion);
    sequential(&mut criterion);
    paired(&mut criterion);
    shown(&mut criterion);
    criterion.final_summary();
}

fn rank_test_and_interval(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("mann_whitney_and_hodges_lehmann");
    group.throughput(Throughput::Elements(1));
    for size in SIZES {
        let (canary, baseline) = (series(size, 1, 105.0), series(size, 2, 100.0));
        let mut sorted = SortedCohorts::default();
        group.bench_with_input(BenchmarkId::new("sorted_once", size), &size, |bench, _| {
            bench.iter(|| {
                sorted.reload(black_box(&canary), black_box(&baseline));
                (sorted.mann_whitney(Tail::TwoSided), sorted.hodges_lehmann(LEVEL, 1.0))
            });
        });
        group.bench_with_input(BenchmarkId::new("apart", size), &size, |bench, _| {
            bench.iter(|| {
                let (canary, baseline) = (black_box(&canary), black_box(&baseline));
                (mann_whitney(canary, baseline, Tail::TwoSided), hodges_lehmann(canary, baseline, LEVEL, 1.0))
            });
        });
        let rounded = |values: &[f64]| values.iter().map(|value| value.round()).collect::<Vec<_>>();
        let (canary, baseline) = (rounded(&canary), rounded(&baseline));
        group.bench_with_input(BenchmarkId::new("sorted_once_many_ties", size), &size, |bench, _| {
            bench.iter(|| {
                sorted.reload(black_box(&canary), black_box(&baseline));
                (sorted.mann_whitney(Tail::TwoSided), sorted.hodges_lehmann(LEVEL, 1.0))
            });
        });
    }
    group.finish();
}

fn sequential(criterion: &mut Criterion) {
    let looks: Vec<f64> = (1..=60).map(|look| f64::from(look) / 60.0).collect();
    criterion.bench_function("boundary_of_60_looks", |bench| {
        bench.iter(|| boundary(&Spending::Linear.looks(black_box(0.005), &looks)));
    });
    let made = Spending::Linear.looks(0.005, &looks[..30]);
    criterion.bench_function("boundary_of_a_moved_deadline", |bench| {
        let rest: Vec<f64> = looks[30..].iter().map(|look| 2.0 * look - 0.5).collect();
        bench.iter(|| boundary(&Spending::Linear.moved(0.005, black_box(&made), &rest)));
    });
    let bad = series(240, 4, 20.0);
    let scores: Vec<Score> =
        bad.windows(2).map(|pair| ratio_score((pair[0], 1e4), (pair[1], 1e4), 1.25, 0.2)).collect();
    criterion.bench_function("count_guard_239", |bench| {
        bench.iter(|| count_guard(black_box(&scores), 15.0, 0.5).map(|guard| guard.z()));
    });
    criterion.bench_function("count_guard_239_three_margins_and_interval", |bench| {
        bench.iter(|| {
            let guard = count_guard(black_box(&scores), 15.0, 0.5)?;
            Some(([0.0, 0.02, 0.06].map(|by| guard.z_shifted(by)), guard.interval(LEVEL.ln())))
        });
    });
}

fn paired(criterion: &mut Criterion) {
    let differences: Vec<f64> = series(240, 3, 1.0).iter().map(|value| value.ln()).collect();
    for (name, strict) in [("paired_mean_240", false), ("paired_mean_240_strict", true)] {
        let options = PairedOptions { strict, ..PairedOptions::at(15.0) };
        criterion.bench_function(name, |bench| {
            bench.iter(|| paired_mean(Track::whole(black_box(&differences)), &options).map(|mean| mean.z_above(0.05)));
        });
    }
    criterion.bench_function("paired_mean_240_with_its_end", |bench| {
        bench.iter(|| {
            let mean = paired_mean(Track::whole(black_box(&differences)), &PairedOptions::at(15.0))?;
            Some((mean.z_above(0.05), mean.end().z_above(0.05)))
        });
    });
    criterion.bench_function("recent_shift_240", |bench| {
        bench.iter(|| recent_shift(black_box(&differences), 0.18, 0));
    });
    let [seconds, requests] = [series(240, 5, 30.0), series(240, 6, 1e3)];
    criterion.bench_function("ratio_of_sums_240", |bench| {
        let canary = Quotient { numerators: &seconds, denominators: &requests };
        let baseline = Quotient { numerators: &requests, denominators: &seconds };
        bench.iter(|| ratio_of_sums(black_box(canary), black_box(baseline)));
    });
}

fn shown(criterion: &mut Criterion) {
    for (bad_canary, bad_baseline) in [(9.0, 4.0), (3e3, 2e3)] {
        criterion.bench_with_input(
            BenchmarkId::new("ratio_confidence", bad_canary),
            &(bad_canary, bad_baseline),
            |bench, (canary, baseline)| {
                bench.iter(|| ratio_confidence(black_box(*canary), *baseline, 0.5, -LEVEL.ln()));
            },
        );
    }
    let sorted = SortedCohorts::new(&series(240, 7, 105.0), &series(240, 8, 100.0));
    criterion.bench_function("auc_interval_240", |bench| {
        bench.iter(|| black_box(&sorted).as_ref()?.auc_interval(LEVEL, 2.0));
    });
    let mut bounds: Vec<f64> = (0..15).map(|bucket| 0.005 * 1.8_f64.powi(bucket)).collect();
    bounds.push(f64::INFINITY);
    let counts = series(16, 9, 1e3);
    criterion.bench_function("tail_of_16_buckets", |bench| {
        bench.iter(|| {
            let tail = Survival::new(black_box(&bounds), &counts)?;
            let quantile = tail.quantile(0.99);
            let bound = tail.nearest_bound(quantile);
            Some((tail.tail_ratio(bound, 0.1), tail.tail_ratio(bound, 0.5), tail.bound_from(1.1 * quantile)))
        });
    });
}

/// `count` values about `level`, skewed as latencies are, from a fixed seed.
fn series(count: usize, seed: u64, level: f64) -> Vec<f64> {
    let mut state = seed;
    // SplitMix64; its upper 53 bits as a fraction.
    let mut uniform = || {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        #[expect(clippy::cast_precision_loss, reason = "53 bits")]
        let fraction = ((mixed ^ (mixed >> 31)) >> 11) as f64 / 9_007_199_254_740_992.0;
        fraction
    };
    (0..count)
        .map(|_| {
            let bell = (0..12).map(|_| uniform()).sum::<f64>() - 6.0;
            level * (0.2 * bell).exp()
        })
        .collect()
}
