//! Table 3: error ratios, 15 s for an hour, without a floor.

use crate::cell::Cell;
use crate::cell::Demand;
use crate::cell::Figure;
use crate::cell::Plan;
use crate::cell::Verdict;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Signal;

const PLAN: Plan =
    Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 5m, deadline: 60m", risk: "false_fail: 0.5%" };
/// A ratio check with the default margins.
pub(crate) const RATIO: &str = "ratio: { bad: errors_total, total: requests_total }";
const LEVEL: f64 = 0.005;
/// Looks are a minute apart.
const LOOK: f64 = 1.0;
/// Share of the baseline's requests that fail.
const BASE: f64 = 0.001;

const FROM_ONE: (&str, &str) = ("1x, PASS within 1.5x", "tolerance: 1x, pass_within: 1.5x, floor: 0%");
const FROM_HALF_MORE: (&str, &str) = ("1.5x", "tolerance: 1.5x, floor: 0%");

/// Requests a second, the canary's error ratio; FAIL at 1x and at 1.5x, PASS within 1.5x.
const PLAIN: &[(f64, f64, [&str; 3])] = &[
    (10.0, 0.001, [".002", ".000", ".17"]),
    (10.0, 0.002, [".48/-", ".02", ".00"]),
    (10.0, 0.005, ["1/13", "1/18", "0"]),
    (10.0, 0.01, ["1/8", "1/8", "0"]),
    (100.0, 0.001, [".001", ".000", ".99/20"]),
    (100.0, 0.002, ["1/12", ".78/42", ".00"]),
    (100.0, 0.005, ["1/5", "1/5", "0"]),
    (100.0, 0.01, ["1/4", "1/4", "0"]),
    (1000.0, 0.001, [".000", ".000", "1/6"]),
    (1000.0, 0.002, ["1/5", "1/8", "0"]),
    (1000.0, 0.005, ["1/3", "1/3", "0"]),
    (1000.0, 0.01, ["1/3", "1/3", "0"]),
];

/// The baseline has nine times the traffic: FAIL at 1x.
const UNEVEN: &[(f64, f64, &str)] = &[
    (10.0, 0.001, ".001"),
    (10.0, 0.002, ".84/42"),
    (10.0, 0.005, "1/12"),
    (100.0, 0.001, ".001"),
    (100.0, 0.002, "1/10"),
];

/// Both cohorts have 20 times the errors for five minutes: FAIL at 1x.
const INCIDENT: &[(f64, f64, &str)] = &[
    (10.0, 0.001, "0"),
    (100.0, 0.001, "0"),
    (1000.0, 0.001, "0"),
    (10.0, 0.002, ".81"),
    (10.0, 0.005, ".96"),
    (10.0, 0.01, ".94"),
    (100.0, 0.002, ".97"),
    (100.0, 0.005, ".97"),
    (100.0, 0.01, ".98"),
];

/// Requests a second, then FAIL of an unchanged canary at 1x: with gamma(1) bursts, the
/// same with nine times the baseline traffic, with AR(.8) noise; and that at 1.5x.
const RESTLESS: &[(f64, [&str; 4])] = &[
    (10.0, [".000", ".000", ".004", ".000"]),
    (100.0, [".001", ".001", ".038", ".001"]),
    (1000.0, [".001", ".001", ".033", ".003"]),
];

/// Table 3.
pub(crate) fn ratios() -> Vec<Cell> {
    let mut cells: Vec<Cell> =
        PLAIN.iter().flat_map(|(rate, canary, figures)| plain(*rate, *canary, figures)).collect();
    cells.extend(UNEVEN.iter().map(|(rate, canary, figure)| {
        let signal = Signal::ratio(*rate, [*canary, BASE]).baseline_traffic(9.0);
        one(&format!("{rate:.0} rps {}, baseline 9x", percent(*canary)), FROM_ONE, signal, *canary, figure)
    }));
    cells.extend(INCIDENT.iter().map(|(rate, canary, figure)| {
        let signal = Signal::ratio(*rate, [*canary, BASE]).common(&[Noise::Incident(20.0, 1.0 / 12.0)]);
        one(&format!("{rate:.0} rps {}, incident x20", percent(*canary)), FROM_ONE, signal, *canary, figure)
    }));
    cells.extend(RESTLESS.iter().flat_map(|(rate, [even, uneven, sluggish, sluggish_half])| {
        let signal = |noise| Signal::ratio(*rate, [BASE; 2]).own(&[noise]);
        let (bursts, walk) = (signal(Noise::Bursts(1)), signal(Noise::Autoregressive(0.8, 0.7)));
        let row = |what: &str| format!("{rate:.0} rps 0.1%, {what}");
        [
            one(&row("bursts"), FROM_ONE, bursts.clone(), BASE, even),
            one(&row("bursts, baseline 9x"), FROM_ONE, bursts.baseline_traffic(9.0), BASE, uneven),
            one(&row("AR(.8) 0.7"), FROM_ONE, walk.clone(), BASE, sluggish),
            one(&row("AR(.8) 0.7"), FROM_HALF_MORE, walk, BASE, sluggish_half),
        ]
    }));
    cells
}

fn plain(rate: f64, canary: f64, [from_one, from_half_more, pass]: &[&str; 3]) -> [Cell; 2] {
    let row = format!("{rate:.0} rps {}", percent(canary));
    let signal = Signal::ratio(rate, [canary, BASE]);
    // Twice the errors are more than 1.5x, so that a PASS within that is a false one.
    let demand = if canary > 1.5 * BASE { Demand::AtMost(0.05) } else { Demand::AsGood(LOOK) };
    [
        one(&row, FROM_ONE, signal.clone(), canary, from_one).claim(Verdict::Pass, demand, Figure::of(pass)),
        one(&row, FROM_HALF_MORE, signal, canary, from_half_more),
    ]
}

fn one(row: &str, (column, margins): (&str, &str), signal: Signal, canary: f64, figure: &str) -> Cell {
    let demand = if canary > BASE { Demand::AsGood(LOOK) } else { Demand::AtMost(LEVEL) };
    PLAN.cell(row, column, format!("{RATIO}, {margins}"), signal).claim(Verdict::Fail, demand, Figure::of(figure))
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 1e5).round() / 1e3)
}
