//! Table 5: how often a canary exactly on the PASS margin passes, and one that did not
//! change. The tolerance is just within the margin, so that no FAIL hides a PASS.

use crate::cell::Cell;
use crate::cell::Demand;
use crate::cell::Figure;
use crate::cell::Plan;
use crate::cell::Verdict;
use crate::counts::RATIO;
use crate::gauges::scenario;
use wavegate::plan::traffic::Latency;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;

const MINUTES: Plan =
    Plan { schedule: "interval: 1m, warmup: 0s, min_duration: 10m, deadline: 60m", risk: "false_pass: 5%" };
/// The design's ratios could pass from the first minutes on.
const QUARTERS: Plan =
    Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 5m, deadline: 60m", risk: "false_pass: 5%" };
const BETA: f64 = 0.05;
/// PASS is asked for at tenths of the time from 5 to 60 minutes.
const LOOK: f64 = 5.5;

/// Gauges at +20 %.
const GAUGES: &[(&str, &str)] = &[
    ("iid normal", ".023"),
    ("AR(.5)", ".051"),
    ("AR(.8)", ".124"),
    ("rate[5m] @1m (MA5)", ".046"),
    ("common shock+trend", ".022"),
    ("heavy tails (t2.5)", ".023"),
    ("spikes 5% x3", ".026"),
];

/// What each cohort does by itself; on the margin of 2x at 10, 100 and 1000 requests a
/// second; and unchanged.
type Row = (&'static str, Option<Noise>, [&'static str; 3], [&'static str; 3]);
const RATIOS: &[Row] = &[
    ("iid", None, [".009", ".004", ".001"], [".54/57", "1/11", "1/4"]),
    ("bursts", Some(Noise::Bursts(1)), [".011", ".027", ".028"], [".61/52", "1/19", "1/15"]),
    ("AR(.8) 0.7", Some(Noise::Autoregressive(0.8, 0.7)), [".041", ".148", ".126"], ["", "", ""]),
];

/// On the margin of 6pp, 100 requests a second: not in the design's table.
const HISTOGRAMS: &[(&str, Option<Noise>)] = &[
    ("iid", None),
    ("AR(.5) 10%", Some(Noise::Autoregressive(0.5, 0.1))),
    ("AR(.8) 10%", Some(Noise::Autoregressive(0.8, 0.1))),
];

/// Table 5.
pub(crate) fn margins() -> Vec<Cell> {
    let gauges = GAUGES.iter().map(|(name, figure)| {
        let signal = scenario(name).change(Change::Step(1.2));
        let check = "gauge: usage, tolerance: 19.9%, pass_within: 20%";
        on_margin(MINUTES.cell(format!("gauge, {name} +20%"), "PASS within 20%", check, signal), Some(figure))
    });
    let histograms = HISTOGRAMS.iter().map(|(name, own)| {
        let own: Vec<Noise> = own.iter().copied().collect();
        let signal = Signal::histogram(100.0).own(&own).change(Change::Step(Latency::default().factor_of(0.06)));
        let check = "histogram: latency_seconds, tolerance: 5.9pp, pass_within: 6pp";
        on_margin(QUARTERS.cell(format!("histogram, 100 rps, {name} +6pp"), "PASS within 6pp", check, signal), None)
    });
    gauges.chain(RATIOS.iter().flat_map(ratio)).chain(histograms).collect()
}

fn ratio((name, own, false_pass, true_pass): &Row) -> Vec<Cell> {
    let own: Vec<Noise> = own.iter().copied().collect();
    let cells = |((rate, on_the_margin), unchanged): ((f64, &&str), &&str)| {
        let signal = |errors| Signal::ratio(rate, errors).own(&own);
        let row = |what: &str| format!("ratio, {rate:.0} rps, {name}, {what}");
        let close = format!("{RATIO}, tolerance: 1.99x, pass_within: 2x, floor: 0%");
        let usual = format!("{RATIO}, floor: 0%");
        let design = (!unchanged.is_empty()).then(|| Figure::of(unchanged));
        [
            on_margin(QUARTERS.cell(row("x2"), "PASS within 2x", close, signal([0.002, 0.001])), Some(on_the_margin)),
            QUARTERS.cell(row("A/A"), "PASS within 2x", usual, signal([0.001; 2])).claim(
                Verdict::Pass,
                Demand::AsGood(LOOK),
                design,
            ),
        ]
    };
    [10.0, 100.0, 1000.0].into_iter().zip(false_pass).zip(true_pass).flat_map(cells).collect()
}

fn on_margin(cell: Cell, figure: Option<&str>) -> Cell {
    cell.claim(Verdict::Pass, Demand::AtMost(BETA), figure.map(Figure::of))
}
