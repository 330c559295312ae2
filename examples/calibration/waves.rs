//! Whole waves of ten checks of every kind: good ones, good ones in bad weather, and
//! ones with a single bad check. The design has no figures for them.

use crate::cell::Cell;
use crate::cell::Demand;
use crate::cell::Plan;
use crate::cell::Verdict;
use crate::gauges::scenario;
use wavegate::plan::traffic::Latency;
use wavegate::plan::traffic::Scene;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;

const PLAN: Plan = Plan {
    schedule: "interval: 15s, warmup: 2m, min_duration: 10m, deadline: 60m",
    risk: "false_fail: 5%, false_pass: 5%",
};
const LEVEL: f64 = 0.05;
const COLUMN: &str = "3 + 3 + 4 checks";

/// Where the first of each kind stands among the checks.
const FIRST_RATIO: usize = 0;
const FIRST_HISTOGRAM: usize = 3;
const FIRST_GAUGE: usize = 6;

/// Twenty times the errors for five minutes, thrice the latency, half as much CPU again.
const INCIDENT: Noise = Noise::Incident(20.0, 1.0 / 12.0);
const LATENCY_EXPOSURE: f64 = 0.367;
const GAUGE_EXPOSURE: f64 = 0.135;

/// The table.
pub(crate) fn mixed() -> Vec<Cell> {
    let restless = |signal: Signal| signal.own(&[Noise::Autoregressive(0.5, 0.05)]);
    let good = [
        ("good", scene(|signal| signal)),
        ("good, shared incident", stormy(scene(|signal| signal))),
        ("good, 20% of the intervals missing", scene(|signal| signal.missing(0.2))),
        ("good, AR(.5) 5% in each cohort everywhere", scene(restless)),
        ("good, offsets of 2% everywhere", scene(|signal| signal.own(&[Noise::Normal(0.05), Noise::Offset(0.02)]))),
    ];
    let good = good.into_iter().map(|(row, scene)| {
        let pass = Demand::AsGood(5.0);
        cell(row, scene, None).claim(Verdict::Fail, Demand::AtMost(LEVEL), None).claim(Verdict::Pass, pass, None)
    });
    let bad = [
        ("errors 0.2 -> 1%", FIRST_RATIO, Signal::ratio(10.0, [0.01, 0.002])),
        ("errors 0.2 -> 0.6%", FIRST_RATIO, Signal::ratio(10.0, [0.006, 0.002])),
        ("latency +25%", FIRST_HISTOGRAM, Signal::histogram(10.0).change(Change::Step(1.25))),
        ("latency +50%", FIRST_HISTOGRAM, Signal::histogram(10.0).change(Change::Step(1.5))),
        ("usage +25%", FIRST_GAUGE, scenario("iid normal").change(Change::Step(1.25))),
        ("usage +50%", FIRST_GAUGE, scenario("iid normal").change(Change::Step(1.5))),
    ];
    let bad = bad.into_iter().flat_map(|(row, place, signal)| {
        let calm = with(scene(|signal| signal), place, signal);
        let cell = |row: String, scene| {
            let cell = cell(&row, scene, None);
            let fail = cell.claim(Verdict::Fail, Demand::AsGood(5.0), None);
            fail.claim(Verdict::Pass, Demand::AtMost(LEVEL), None)
        };
        [cell(row.to_owned(), calm.clone()), cell(format!("{row}, shared incident"), stormy(calm))]
    });
    let margin = [
        ("errors x2, all else good", FIRST_RATIO, Signal::ratio(10.0, [0.004, 0.002])),
        (
            "latency +6pp, all else good",
            FIRST_HISTOGRAM,
            Signal::histogram(10.0).change(Change::Step(Latency::default().factor_of(0.06))),
        ),
        ("usage +20%, all else good", FIRST_GAUGE, scenario("iid normal").change(Change::Step(1.2))),
    ];
    let margin = margin.into_iter().enumerate().map(|(kind, (row, place, signal))| {
        let scene = with(scene(|signal| signal), place, signal);
        cell(row, scene, Some(kind)).claim(Verdict::Pass, Demand::AtMost(LEVEL), None)
    });
    good.chain(bad).chain(margin).collect()
}

/// Ten checks with the default margins; those of the `close` kind have a tolerance just
/// within the PASS margin, so that no FAIL hides a PASS.
fn cell(row: &str, scene: Scene, close: Option<usize>) -> Cell {
    let kinds = [
        ("ratio: { bad: errors_total, total: requests_total }", ", tolerance: 1.99x", 3),
        ("histogram: latency_seconds", ", tolerance: 5.9pp", 3),
        ("gauge: usage", ", tolerance: 19.9%", 4),
    ];
    let checks = kinds.into_iter().enumerate().flat_map(|(kind, (check, tolerance, count))| {
        let stated = if close == Some(kind) { tolerance } else { "" };
        vec![format!("{check}{stated}"); count]
    });
    PLAN.cell_of(row, COLUMN, checks.collect(), scene)
}

/// Ten good checks, each made of what `weather` makes of it.
fn scene(weather: impl Fn(Signal) -> Signal) -> Scene {
    let shock = [Noise::Autoregressive(0.95, 0.15)];
    let ratios = [Signal::ratio(10.0, [0.002; 2]), Signal::ratio(100.0, [0.002; 2]), Signal::ratio(30.0, [0.01; 2])];
    let histograms = [
        Signal::histogram(10.0),
        Signal::histogram(100.0).common(&shock),
        Signal::histogram(30.0).baseline_traffic(9.0),
    ];
    let gauges = ["iid normal", "AR(.5)", "AR(.8)", "common shock+trend"].map(scenario);
    let signals = ratios
        .into_iter()
        .map(|signal| signal.exposure(1.0))
        .chain(histograms.into_iter().map(|signal| signal.exposure(LATENCY_EXPOSURE)))
        .chain(gauges.into_iter().map(|signal| signal.exposure(GAUGE_EXPOSURE)));
    Scene::new(signals.map(weather).collect())
}

/// The same while an incident hits every check of both cohorts.
fn stormy(scene: Scene) -> Scene {
    Scene { shared: vec![INCIDENT], ..scene }
}

/// The same with another signal at this place, exposed as the one it replaces.
fn with(mut scene: Scene, place: usize, signal: Signal) -> Scene {
    let exposure = match place {
        FIRST_RATIO => 1.0,
        FIRST_HISTOGRAM => LATENCY_EXPOSURE,
        _ => GAUGE_EXPOSURE,
    };
    scene.signals[place] = signal.exposure(exposure);
    scene
}
