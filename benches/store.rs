//! What the memory of an error budget costs: 30 days of minutes kept and read, and the one
//! slice that a minute adds.

use criterion::BatchSize;
use criterion::Criterion;
use std::time::Duration;
use tokio::runtime::Builder;
use wavegate::rules::Digest;
use wavegate::series::Counts;
use wavegate::series::Timestamp;
use wavegate::store::Settings;
use wavegate::store::SqliteStore;
use wavegate::store::Store;

const MONTH: u32 = 43_200;

type Slice = (Timestamp, Option<Counts>);

/// A service of 200 requests a second; one slice of a hundred was not seen.
fn slice(minute: u32) -> Slice {
    let counts = Counts { bad: f64::from(minute % 70), total: f64::from(minute % 1000) + 11_500.0 };
    let at = Timestamp::from_millis(1_790_000_040_000) + Duration::from_mins(1) * minute;
    (at, (!minute.is_multiple_of(100)).then_some(counts))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let folder = tempfile::tempdir()?;
    let settings = Settings { path: folder.path().join("bench.db"), ..Settings::default() };
    let store = runtime.block_on(SqliteStore::open(&settings))?;
    let month: Vec<Slice> = (0..MONTH).map(slice).collect();

    let mut services = 0_u32;
    let mut another = || {
        services += 1;
        Digest::of(&services.to_be_bytes())
    };
    criterion.bench_function("store/keep a month of slices", |bench| {
        let keep = |by: Digest| runtime.block_on(store.keep_slices(&by, &month)).is_ok();
        bench.iter_batched(&mut another, keep, BatchSize::PerIteration);
    });
    let by = another();
    runtime.block_on(store.keep_slices(&by, &month))?;
    criterion.bench_function("store/read a month of slices", |bench| {
        let since = Timestamp::from_millis(i64::MIN);
        bench.iter(|| runtime.block_on(store.slices(&by, since)).map(|slices| slices.len()).ok());
    });
    let mut minute = MONTH;
    criterion.bench_function("store/keep the slice of a minute", |bench| {
        bench.iter(|| {
            minute += 1;
            runtime.block_on(store.keep_slices(&by, &[slice(minute)])).is_ok()
        });
    });
    criterion.final_summary();
    Ok(())
}
