//! "More cells": waves of 12 minutes, which are what people run, at 1 %.

use crate::cell::Cell;
use crate::cell::Demand;
use crate::cell::Figure;
use crate::cell::Plan;
use crate::cell::Verdict;
use crate::counts::RATIO;
use crate::gauges::scenario;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;

const PLAN: Plan =
    Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 12m", risk: "false_fail: 1%" };
const HOUR: Plan =
    Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 60m", risk: "false_fail: 1%" };
const LEVEL: f64 = 0.01;
/// A look every 15 s.
const LOOK: f64 = 0.25;

const HISTOGRAM: &str = "histogram: latency_seconds";
const GAUGE: &str = "gauge: usage";

/// Requests a second, both error ratios, FAIL / median seconds.
const RATIOS: &[(f64, [f64; 2], &str)] =
    &[(20.0, [0.006, 0.002], ".74/585"), (20.0, [0.004, 0.0], "1/285"), (20.0, [0.02, 0.002], "1/225")];

/// Requests a second; FAIL / median seconds of a ramp to +50 % and of +10 %; false FAIL
/// with AR(.8) noise of 10 % in each cohort.
const HISTOGRAMS: &[(f64, [&str; 3])] =
    &[(15.0, ["1/450", ".22", ".026"]), (100.0, ["1/375", ".99/480", ".011"]), (1000.0, ["1/345", "1/390", ".014"])];

/// False FAIL of a gauge.
const GAUGES: &[(&str, &str)] = &[("iid normal", "0"), ("AR(.5)", ".001"), ("AR(.8)", ".026"), ("AR(.9)", ".078")];

/// FAIL / median seconds of a ramp to +100 %.
const RAMPS: &[(&str, &str)] = &[("iid normal", "1/375"), ("AR(.5)", "1/435")];

/// The paragraph.
pub(crate) fn short() -> Vec<Cell> {
    let good = |cell: Cell, figure: &str| cell.claim(Verdict::Fail, Demand::AtMost(LEVEL), Figure::of(figure));
    let bad = |cell: Cell, figure: &str| cell.claim(Verdict::Fail, Demand::AsGood(LOOK), Figure::in_seconds(figure));
    let mut cells = Vec::new();
    for (rate, figure) in [(100.0, "0"), (1000.0, ".002")] {
        let signal = Signal::ratio(rate, [0.002; 2]).own(&[Noise::Offset(0.1)]);
        cells.push(good(PLAN.cell(format!("ratio A/A, {rate:.0} rps, offset 10%"), "1.25x", RATIO, signal), figure));
    }
    for (rate, errors, figure) in RATIOS {
        let row = format!("ratio, {rate:.0} rps, {:.1} -> {:.1}%", 100.0 * errors[1], 100.0 * errors[0]);
        cells.push(bad(PLAN.cell(row, "1.25x", RATIO, Signal::ratio(*rate, *errors)), figure));
    }
    for (rate, [ramp, step, unchanged]) in HISTOGRAMS {
        let signal = Signal::histogram(*rate);
        let cell =
            |what: &str, signal| PLAN.cell(format!("histogram, {rate:.0} rps, {what}"), "2pp", HISTOGRAM, signal);
        cells.push(bad(cell("ramp to +50%", signal.clone().change(Change::Ramp(1.5))), ramp));
        cells.push(bad(cell("+10%", signal.clone().change(Change::Step(1.1))), step));
        cells.push(good(cell("A/A, AR(.8) 10%", signal.own(&[Noise::Autoregressive(0.8, 0.1)])), unchanged));
    }
    for (name, figure) in GAUGES {
        cells.push(good(PLAN.cell(format!("gauge A/A, {name}"), "5%", GAUGE, scenario(name)), figure));
    }
    for (name, figure) in RAMPS {
        let signal = scenario(name).change(Change::Ramp(2.0));
        cells.push(bad(PLAN.cell(format!("gauge, {name}, ramp to +100%"), "5%", GAUGE, signal), figure));
    }
    let unchanged = HOUR.cell("ratio A/A, 10 rps, an hour", "1.25x", RATIO, Signal::ratio(10.0, [0.002; 2]));
    cells.push(unchanged.claim(Verdict::Pass, Demand::AsGood(LOOK), Figure::of(".88")));
    cells
}
