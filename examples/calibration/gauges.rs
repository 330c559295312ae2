//! Tables 1, 1b and 2: gauges, a point a minute for an hour.

use crate::cell::Cell;
use crate::cell::Demand;
use crate::cell::Figure;
use crate::cell::Plan;
use crate::cell::Verdict;
use wavegate::plan::traffic::Scene;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;

const HOUR: &str = "interval: 1m, warmup: 0s, min_duration: 5m, deadline: 60m";
const ALONE: Plan = Plan { schedule: HOUR, risk: "false_fail: 0.5%" };
const LEVEL: f64 = 0.005;
/// The design looked every five minutes.
const LOOK: f64 = 5.0;

/// Table 1: tolerance 0, 5 % and MW-5; an empty figure is one the design has not.
const UNCHANGED: &[(&str, [&str; 3])] = &[
    ("iid normal", [".001", ".000", ".001"]),
    ("lognormal 0.3", [".002", ".000", ".002"]),
    ("AR(.5)", [".011", ".000", ".004"]),
    ("AR(.8)", [".035", ".009", ".015"]),
    ("rate[5m] @1m (MA5)", [".008", ".001", ".002"]),
    ("common shock+trend", [".001", ".000", ".000"]),
    ("heavy tails (t2.5)", [".003", ".000", ".001"]),
    ("ties (rounded)", [".008", ".003", ".000"]),
    ("spikes 5% x3", [".003", ".000", ".001"]),
    ("20% missing", [".002", ".000", ".000"]),
    ("pod offsets 5%, 3v3, aggregated", [".10", "", ""]),
];

/// Table 2: shift, then tolerance 0, 5 %, 10 % and MW-5.
const SHIFTED: &[(&str, f64, [&str; 4])] = &[
    ("iid normal", 0.05, [".23/-", ".00", ".00", ".19"]),
    ("iid normal", 0.10, [".93/40", ".21", ".00", ".93/40"]),
    ("iid normal", 0.25, ["1/20", "1/25", "1/30", "1/20"]),
    ("iid normal", 0.50, ["1/15", "1/15", "1/15", "1/15"]),
    ("AR(.5)", 0.05, [".09", ".00", ".00", ".07"]),
    ("AR(.5)", 0.10, [".45/-", ".11", ".01", ".48"]),
    ("AR(.5)", 0.25, [".99/30", ".93/35", ".71/50", "1/30"]),
    ("AR(.5)", 0.50, ["1/20", "1/20", "1/20", "1/25"]),
    ("AR(.8)", 0.10, [".27", ".11", ".04", ".22"]),
    ("AR(.8)", 0.25, [".74/40", ".55/55", ".37", ".80/45"]),
    ("AR(.8)", 0.50, [".96/25", ".94/25", ".90/30", ".99/35"]),
    ("common shock+trend", 0.05, [".93/40", ".00", ".00", ".00"]),
    ("common shock+trend", 0.10, ["1/20", ".91/40", ".01", ".00"]),
    ("common shock+trend", 0.25, ["1/15", "1/15", "1/20", ".11"]),
    ("heavy tails (t2.5)", 0.10, [".53/60", ".06", ".00", ".65/55"]),
    ("heavy tails (t2.5)", 0.25, ["1/25", ".99/35", ".81/45", "1/25"]),
    ("spikes 5% x3", 0.10, [".67/50", ".12", ".00", ".81/45"]),
];

/// Canary and baseline instances, each with its own AR(.5) noise and a permanent offset of
/// 5 %, judged by instance: false FAIL at tolerance 0, FAIL of +25 % and of +10 %.
const BY_INSTANCE: &[([u32; 2], [&str; 3])] = &[
    ([3, 10], [".002", ".97/10", ".24"]),
    ([3, 20], [".004", ".996/5", ".37"]),
    ([5, 5], [".003", ".95/10", ".23"]),
    ([10, 20], [".005", "1/5", ".90/15"]),
];

/// Column, its check and its tolerance.
const COLUMNS: [(&str, &str, f64); 4] = [
    ("tolerance 0%", "gauge: usage, tolerance: 0%", 0.0),
    ("tolerance 5%", "gauge: usage, tolerance: 5%", 0.05),
    ("tolerance 10%", "gauge: usage, tolerance: 10%", 0.10),
    ("0%, mann_whitney", "gauge: usage, tolerance: 0%, test: mann_whitney", 0.0),
];

/// A gauge of the design's scenarios: a tenth of noise in each cohort, where the name
/// does not say otherwise.
pub(crate) fn scenario(name: &str) -> Signal {
    match name {
        "iid normal" => Signal::gauge(&[Noise::Normal(0.1)]),
        "lognormal 0.3" => Signal::gauge(&[Noise::Lognormal(0.3)]),
        "AR(.5)" => Signal::gauge(&[Noise::Autoregressive(0.5, 0.1)]),
        "AR(.8)" => Signal::gauge(&[Noise::Autoregressive(0.8, 0.1)]),
        "AR(.9)" => Signal::gauge(&[Noise::Autoregressive(0.9, 0.1)]),
        "rate[5m] @1m (MA5)" => Signal::gauge(&[Noise::MovingAverage(5, 0.1)]),
        "common shock+trend" => {
            Signal::gauge(&[Noise::Normal(0.05)]).common(&[Noise::Autoregressive(0.9, 0.3), Noise::Trend(1.5)])
        }
        "heavy tails (t2.5)" => Signal::gauge(&[Noise::Student(2.5, 0.1)]),
        "ties (rounded)" => Signal::gauge(&[Noise::Normal(0.1)]).rounded(0.1),
        "spikes 5% x3" => Signal::gauge(&[Noise::Normal(0.1), Noise::Spikes(0.05, 3.0)]),
        "20% missing" => Signal::gauge(&[Noise::Normal(0.1)]).missing(0.2),
        "pod offsets 5%, 3v3, aggregated" => {
            Signal::gauge(&[Noise::Autoregressive(0.5, 0.1), Noise::Offset(0.05)]).instances([3; 2])
        }
        other => unreachable!("no gauge is called {other}"),
    }
}

/// Table 1.
pub(crate) fn unchanged() -> Vec<Cell> {
    let columns = [COLUMNS[0], COLUMNS[1], COLUMNS[3]];
    let row = |(name, figures): &(&str, [&str; 3])| {
        let cell = |((column, check, _), figure): ((&str, &str, f64), &&str)| {
            let design = (!figure.is_empty()).then(|| Figure::of(figure));
            ALONE.cell(*name, column, check, scenario(name)).claim(Verdict::Fail, Demand::AtMost(LEVEL), design)
        };
        columns.into_iter().zip(figures).map(cell).collect::<Vec<_>>()
    };
    UNCHANGED.iter().flat_map(row).collect()
}

/// Table 1b: a wave of ten metrics of mixed kinds.
pub(crate) fn ten() -> Vec<Cell> {
    let kinds = [
        ("iid normal", 1),
        ("lognormal 0.3", 1),
        ("AR(.5)", 3),
        ("AR(.8)", 2),
        ("common shock+trend", 2),
        ("heavy tails (t2.5)", 1),
    ];
    let signals: Vec<Signal> = kinds.iter().flat_map(|(name, count)| vec![scenario(name); *count]).collect();
    let plan = Plan { schedule: HOUR, risk: "false_fail: 5%" };
    let cell = |((column, check, _), figure): ((&str, &str, f64), &str)| {
        let scene = Scene::new(signals.clone());
        let checks = vec![check.to_owned(); signals.len()];
        plan.cell_of("ten mixed gauges", column, checks, scene).claim(
            Verdict::Fail,
            Demand::AtMost(0.05),
            Figure::of(figure),
        )
    };
    COLUMNS.into_iter().zip([".080", ".008", ".001"]).map(cell).collect()
}

/// Table 2.
pub(crate) fn shifted() -> Vec<Cell> {
    let row = |(name, shift, figures): &(&str, f64, [&str; 4])| {
        let cell = |((column, check, tolerance), figure): ((&str, &str, f64), &&str)| {
            // A shift within the tolerance is no regression: a FAIL of it is a false one.
            let demand = if *shift <= tolerance { Demand::AtMost(LEVEL) } else { Demand::AsGood(LOOK) };
            let signal = scenario(name).change(Change::Step(1.0 + shift));
            ALONE.cell(format!("{name} +{:.0}%", 100.0 * shift), column, check, signal).claim(
                Verdict::Fail,
                demand,
                Figure::of(figure),
            )
        };
        COLUMNS.into_iter().zip(figures).map(cell).collect::<Vec<_>>()
    };
    let finer = Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 5m, deadline: 60m", ..ALONE };
    let (column, check, _) = COLUMNS[0];
    let finer = finer.cell("AR(.5) at 15 s +10%", column, check, scenario("AR(.5)").change(Change::Step(1.1))).claim(
        Verdict::Fail,
        Demand::AsGood(LOOK),
        Figure::of("1/22"),
    );
    SHIFTED.iter().flat_map(row).chain([finer]).collect()
}

/// Gauges by instance, beside the mean over the same instances.
pub(crate) fn by_instance() -> Vec<Cell> {
    let row = |(instances, [unchanged, quarter, tenth]): &([u32; 2], [&str; 3])| {
        let own = [Noise::Autoregressive(0.5, 0.1), Noise::Offset(0.05)];
        let cell = |shift: f64, check, figure: Option<&str>| {
            let demand = if shift > 0.0 { Demand::AsGood(LOOK) } else { Demand::AtMost(LEVEL) };
            let signal = Signal::gauge(&own).instances(*instances).change(Change::Step(1.0 + shift));
            let [canary, baseline] = instances;
            let row = format!("{canary} instances against {baseline}, +{:.0}%", 100.0 * shift);
            let column = if figure.is_some() { "0%, by: instance" } else { "tolerance 0%" };
            ALONE.cell(row, column, check, signal).claim(Verdict::Fail, demand, figure.map(Figure::of))
        };
        let by = "gauge: usage, tolerance: 0%, by: instance";
        [
            cell(0.0, by, Some(unchanged)),
            cell(0.0, COLUMNS[0].1, None),
            cell(0.25, by, Some(quarter)),
            cell(0.1, by, Some(tenth)),
        ]
    };
    BY_INSTANCE.iter().flat_map(row).collect()
}
