//! What a recording costs: read, and judged again. A backtest does so with each of its
//! recordings. The wave is one of the generator's.

#[path = "../examples/recordings/fleet.rs"]
mod fleet;
#[path = "../examples/recordings/source.rs"]
mod source;

use criterion::Criterion;
use std::hint::black_box;
use std::path::Path;
use wavegate::engine;
use wavegate::sources::recording;
use wavegate::sources::recording::Answers;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut criterion = Criterion::default().configure_from_args();
    let wave = fleet::waves().into_iter().next().ok_or("a wave")?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join(wave.file());
    source::record(&wave, &path)?;
    let bytes = std::fs::read(&path)?;
    let whole = recording::unpack(&path, &bytes, Answers::Wanted)?;
    let rules = source::rules()?;
    let parsed = wavegate::rules::parse("otherwise.yaml", &source::RULES.replacen("interval: 15s", "interval: 30s", 1));
    let otherwise = parsed.map_err(|_| "rules that ask otherwise")?.rules;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    for (name, answers) in [("its evidence", Answers::Skipped), ("its answers too", Answers::Wanted)] {
        criterion.bench_function(&format!("replay/read an hour, {name}"), |bench| {
            bench.iter(|| recording::unpack(Path::new("bench"), black_box(&bytes), answers).is_ok());
        });
    }
    for (name, rules) in [("on its evidence", &rules), ("on its answers", &otherwise)] {
        criterion.bench_function(&format!("replay/judge an hour {name}"), |bench| {
            bench.iter(|| runtime.block_on(engine::replay_by(rules, black_box(&whole))).is_ok());
        });
    }
    criterion.final_summary();
    Ok(())
}
