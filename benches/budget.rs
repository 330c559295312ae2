//! What an error budget costs at each look: the reading of a period of minutes and what it
//! says of the SLO, for every way of counting; and one more slice in memory.

use criterion::BenchmarkId;
use criterion::Criterion;
use std::hint::black_box;
use std::time::Duration;
use wavegate::judge::account;
use wavegate::judge::burn;
use wavegate::rules::Budgeting;
use wavegate::rules::EmptySlice;
use wavegate::rules::Period;
use wavegate::rules::Slo;
use wavegate::rules::parse_slo;
use wavegate::series::Counts;
use wavegate::series::Fraction;
use wavegate::series::Slices;
use wavegate::series::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);

/// Minutes of 30 days, and of a leap year.
const PERIODS: [(&str, u32); 2] = [("30d", 43_200), ("366d", 527_040)];

const TEXT: &str = "version: 1\nname: checkout\nobjective: 99.9%\nindicator: { ratio: { bad: errors_total, total: requests_total } }\n";

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    looks(&mut criterion);
    one_more(&mut criterion);
    criterion.final_summary();
}

fn looks(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("account_and_burn");
    let Ok(parsed) = parse_slo("slo.yaml", TEXT) else { return };
    for (name, minutes) in PERIODS {
        let slices = service(minutes);
        for (method, budgeting) in methods() {
            let slo = Slo { budgeting, period: Period::Rolling(MINUTE * minutes), ..parsed.slo.clone() };
            let at = slices.through() + slo.settle;
            group.bench_function(BenchmarkId::new(method, name), |bench| {
                bench.iter(|| burn(black_box(&slo), &account(&slo, black_box(&slices), at)));
            });
        }
    }
    group.finish();
}

fn one_more(criterion: &mut Criterion) {
    let slices = service(43_200);
    let more = [Some(Counts { bad: 1.0, total: 1000.0 })];
    criterion.bench_function("put_one_slice/30d", |bench| {
        let mut slices = slices.clone();
        let mut at = slices.through();
        bench.iter(|| {
            slices.put(at, black_box(&more));
            at = at + MINUTE;
            slices.forget_before(at - MINUTE * 43_200);
        });
    });
}

fn methods() -> [(&'static str, Budgeting); 4] {
    let target = Fraction::percent("99.5").unwrap_or(Fraction::ONE);
    let empty = EmptySlice::Ignore;
    [
        ("occurrences", Budgeting::Occurrences),
        ("timeslices_5m", Budgeting::Timeslices { target, slice: MINUTE * 5, empty }),
        ("timeslices_1m", Budgeting::Timeslices { target, slice: MINUTE, empty }),
        ("ratio_timeslices_1m", Budgeting::RatioTimeslices { slice: MINUTE, empty }),
    ]
}

/// A service in which most minutes have some bad events: the dear case for slices.
fn service(minutes: u32) -> Slices {
    let slot = |k: u32| Some(Counts { bad: f64::from(k * 7 % 11), total: f64::from(1000 + k * 13 % 97) });
    let slots: Vec<_> = (0..minutes).map(slot).collect();
    let mut slices = Slices::new(MINUTE, Timestamp::from_millis(0));
    slices.put(Timestamp::from_millis(0), &slots);
    slices
}
