//! Table 4: latency histograms, 15 s for an hour, under a shock that both cohorts share.

use crate::cell::Cell;
use crate::cell::Demand;
use crate::cell::Figure;
use crate::cell::Plan;
use crate::cell::Verdict;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;

const PLAN: Plan =
    Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 5m, deadline: 60m", risk: "false_fail: 0.5%" };
const LEVEL: f64 = 0.005;
const LOOK: f64 = 1.0;

const COLUMNS: [(&str, &str); 2] = [
    ("tolerance 0pp", "histogram: latency_seconds, tolerance: 0pp"),
    ("tolerance 2pp", "histogram: latency_seconds, tolerance: 2pp"),
];

/// Requests a second, what the upgrade does; FAIL at 0pp, at 2pp, and whether it is
/// more than 2pp at all.
const CHANGED: &[(f64, &str, Change, [&str; 2], bool)] = &[
    (10.0, "+5%", Change::Step(1.05), ["1/17", ".00"], false),
    (10.0, "+10%", Change::Step(1.1), ["1/8", "1/26"], true),
    (10.0, "+25%", Change::Step(1.25), ["1/4", "1/5"], true),
    (10.0, "+50%", Change::Step(1.5), ["1/3", "1/4"], true),
    (10.0, "2% of requests x3", Change::Tail(0.02, 3.0), [".50", ".00"], false),
    (10.0, "5% of requests x3", Change::Tail(0.05, 3.0), ["1/18", ".00"], false),
    (100.0, "+5%", Change::Step(1.05), ["1/5", ".00"], false),
    (100.0, "+10%", Change::Step(1.1), ["1/4", "1/7"], true),
    (100.0, "2% of requests x3", Change::Tail(0.02, 3.0), ["1/13", ".00"], false),
];

/// Requests a second, what each cohort does by itself, FAIL at 0pp and at 2pp.
const UNCHANGED: &[(f64, &str, Option<Noise>, [&str; 2])] = &[
    (10.0, "A/A", None, [".003", ".000"]),
    (100.0, "A/A", None, [".002", ".000"]),
    (10.0, "A/A, AR(.8) 5%", Some(Noise::Autoregressive(0.8, 0.05)), [".055", ".000"]),
    (100.0, "A/A, AR(.8) 5%", Some(Noise::Autoregressive(0.8, 0.05)), [".060", ".000"]),
    (10.0, "A/A, offset 2%", Some(Noise::Offset(0.02)), [".24", ".002"]),
    (100.0, "A/A, offset 2%", Some(Noise::Offset(0.02)), [".44", ".007"]),
];

/// Latencies under the shock.
fn shaken(rate: f64) -> Signal {
    Signal::histogram(rate).common(&[Noise::Autoregressive(0.95, 0.15)])
}

/// Table 4.
pub(crate) fn histograms() -> Vec<Cell> {
    let level = Demand::AtMost(LEVEL);
    let unchanged = UNCHANGED.iter().flat_map(|(rate, name, own, figures)| {
        let own: Vec<Noise> = own.iter().copied().collect();
        row(&format!("{rate:.0} rps {name}"), &shaken(*rate).own(&own), figures, [level, level])
    });
    let changed = CHANGED.iter().flat_map(|(rate, name, change, figures, beyond)| {
        let looser = if *beyond { Demand::AsGood(LOOK) } else { level };
        row(&format!("{rate:.0} rps {name}"), &shaken(*rate).change(*change), figures, [Demand::AsGood(LOOK), looser])
    });
    unchanged.chain(changed).collect()
}

fn row(name: &str, signal: &Signal, figures: &[&str; 2], demands: [Demand; 2]) -> Vec<Cell> {
    let columns = COLUMNS.into_iter().zip(figures).zip(demands);
    let cell = |(((column, check), figure), demand): (((&str, &str), &&str), Demand)| {
        PLAN.cell(name, column, check, signal.clone()).claim(Verdict::Fail, demand, Figure::of(figure))
    };
    columns.map(cell).collect()
}
