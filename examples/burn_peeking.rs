//! How often a gate that is looked at every minute for an hour pauses waves for burning faster
//! than their baseline (slo.md §3.2): `cargo run --release --example burn_peeking [waves]`.
//!
//! Each row is one kind of wave; each cell the share that was paused at any look, and the minute
//! of the first pause of half of those. `apart`: bursts of the cohorts are independent.
//!
//! The second table shows what the bounds come to by other corrections for bursts: the gate's is
//! the last, and its column is the first of the table above.

use std::io::Write as _;
use std::sync::Arc;
use support::bursts::BASELINE;
use support::bursts::Bursts;
use support::bursts::CANARY;
use support::bursts::Paused;
use support::bursts::minutes;
use support::bursts::paused;
use wavegate::stats;
use wavegate::stats::Arm;
use wavegate::stats::Comparison;
use wavegate::stats::Dispersion;
use wavegate::stats::Stratum;

#[path = "../tests/it/support"]
mod support {
    pub(crate) mod budgets;
    pub(crate) mod bursts;
}

/// As the design has it.
const WAVES: u32 = 2000;

/// The gate's rule: so many times the burn, at this level, of an error budget of so much.
const LIMIT: f64 = 2.0;
const LEVEL: f64 = 0.05;
const BUDGET: f64 = 1e-3;
/// Minutes before a wave is paused.
const SLICES: u32 = 5;

/// Variances and the ratios that are asked of each.
const ROWS: [(f64, &[f64]); 3] =
    [(0.0, &[1.0, 1.5, 2.0, 3.0, 4.0, 6.0]), (1.0, &[1.0, 2.0, 4.0, 6.0]), (5.0, &[1.0, 4.0, 6.0])];

fn main() -> std::io::Result<()> {
    let waves = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(WAVES);
    let gates = [", projected: off", ", projected: off, wave_burn: { strict: true }"];
    let gates = gates.map(|budget| Arc::new(support::budgets::rules(budget)));
    let mut out = std::io::stdout();
    writeln!(out, "{waves} waves a cell: share paused (median minute)\n")?;
    writeln!(out, "| bursts | ratio | level 0.05 | strict |\n|---|---|---|---|")?;
    for (variance, ratios) in ROWS {
        for shared in [false, true].into_iter().filter(|shared| variance > 0.0 || !shared) {
            for ratio in ratios {
                let bursts = Bursts { ratio: *ratio, variance, shared };
                let [usual, strict] = gates.each_ref().map(|rules| cell(paused(rules, bursts, waves)));
                let kind = if shared { "shared" } else { "apart" };
                writeln!(out, "| g={variance} {kind} | {ratio} | {usual} | {strict} |")?;
            }
        }
    }
    writeln!(out, "\n| bursts | ratio | none | worst of both | each its own | worst, guarded | each, guarded |")?;
    writeln!(out, "|---|---|---|---|---|---|---|")?;
    for (variance, ratio) in [(1.0, 1.0), (1.0, 4.0), (5.0, 1.0), (5.0, 4.0)] {
        let bursts = Bursts { ratio, variance, shared: false };
        let cells = CORRECTIONS.map(|correction| cell(corrected(correction, bursts, waves)));
        writeln!(out, "| g={variance} apart | {ratio} | {} |", cells.join(" | "))?;
    }
    Ok(())
}

/// What the events of the canary and of its baseline are divided by.
type Correction = fn([Dispersion; 2]) -> [f64; 2];

const CORRECTIONS: [Correction; 5] = [
    |_| [1.0; 2],
    |cohorts| [cohorts.map(|one| one.factor()).into_iter().fold(1.0, f64::max); 2],
    |cohorts| cohorts.map(|one| one.factor()),
    |cohorts| [cohorts.map(|one| one.guarded_factor()).into_iter().fold(1.0, f64::max); 2],
    |cohorts| cohorts.map(|one| one.guarded_factor()),
];

/// The gate's own rule for the burn of a wave, with another correction.
fn corrected(correction: Correction, bursts: Bursts, waves: u32) -> Paused {
    Paused::of((0..waves).filter_map(|number| first_pause(correction, minutes(bursts, number))).collect(), waves)
}

fn first_pause(correction: Correction, minutes: impl Iterator<Item = [f64; 2]>) -> Option<u32> {
    let mut cohorts = [Dispersion::default(); 2];
    let mut sums = Stratum::default();
    let is_paused = |[canary, baseline]: [f64; 2]| {
        let sides = [(&mut sums.canary, canary, CANARY), (&mut sums.baseline, baseline, BASELINE)];
        for (dispersion, (sum, bad, total)) in cohorts.iter_mut().zip(sides) {
            dispersion.add(bad, total);
            *sum = Arm { bad: sum.bad + bad, total: sum.total + total };
        }
        let above = Comparison::of(&[sums]).is_some_and(|found| found.above > LIMIT * found.below);
        let burns = BUDGET * sums.canary.total <= sums.canary.bad;
        let low = stats::ratio_bounds(&[sums], correction(cohorts), LEVEL).map_or(0.0, |(low, _)| low);
        above && burns && LIMIT < low && SLICES <= cohorts[0].slices()
    };
    minutes.map(is_paused).zip(1..).find_map(|(is_paused, minute)| is_paused.then_some(minute))
}

fn cell(paused: Paused) -> String {
    let share = 100.0 * paused.share;
    paused.median.map_or(format!("{share:.2} %"), |median| format!("{share:.2} % ({median})"))
}
