//! What real fleets do to a single check, and checks with a key of their own.

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
    Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 60m", risk: "false_fail: 1%" };
const LEVEL: f64 = 0.01;
const BETA: f64 = 0.05;
const HISTOGRAM: &str = "histogram: latency_seconds";
const GAUGE: &str = "gauge: usage";

/// The only PASS is at the deadline, so that what the last points do is what counts.
const AT_THE_END: Plan = Plan { schedule: "interval: 15s, warmup: 0s, min_duration: 60m, deadline: 60m", ..PLAN };
const AT_THE_END_BY_MINUTES: Plan =
    Plan { schedule: "interval: 1m, warmup: 0s, min_duration: 60m, deadline: 60m", ..PLAN };

/// The tables of counts, histograms and gauges, good ones first.
pub(crate) fn stress() -> Vec<Cell> {
    [weather(), thin_canary(), one_of_twenty(), recent()].into_iter().flatten().collect()
}

/// Good canaries in what each cohort does by itself.
fn weather() -> Vec<Cell> {
    let own = [
        ("calm", None, 0.0),
        ("offset 2%", Some(Noise::Offset(0.02)), 0.0),
        ("offset 10%", Some(Noise::Offset(0.1)), 0.0),
        ("bursts of 15 s", Some(Noise::Bursts(1)), 0.0),
        ("bursts of 60 s", Some(Noise::Bursts(4)), 0.0),
        ("AR(.8) 0.7", Some(Noise::Autoregressive(0.8, 0.7)), 0.0),
        ("20% missing", None, 0.2),
    ];
    // Latencies and gauges do not burst by an order of magnitude.
    let milder = [
        ("calm", None, 0.0),
        ("offset 2%", Some(Noise::Offset(0.02)), 0.0),
        ("AR(.5) 10%", Some(Noise::Autoregressive(0.5, 0.1)), 0.0),
        ("AR(.8) 10%", Some(Noise::Autoregressive(0.8, 0.1)), 0.0),
        ("AR(.9) 10%", Some(Noise::Autoregressive(0.9, 0.1)), 0.0),
        ("20% missing", None, 0.2),
    ];
    let mut cells = Vec::new();
    for rate in [20.0, 100.0, 1000.0] {
        for (name, noise, missing) in own {
            let noise: Vec<Noise> = noise.into_iter().collect();
            let signal = Signal::ratio(rate, [0.002; 2]).own(&noise).missing(missing);
            cells.push(good(&format!("ratio A/A, {rate:.0} rps, {name}"), RATIO, signal));
        }
    }
    for rate in [20.0, 100.0] {
        for (name, noise, missing) in milder {
            let noise: Vec<Noise> = noise.into_iter().collect();
            let signal = Signal::histogram(rate).own(&noise).missing(missing);
            cells.push(good(&format!("histogram A/A, {rate:.0} rps, {name}"), HISTOGRAM, signal));
        }
    }
    for (name, noise, missing) in milder {
        let noise: Vec<Noise> = [Noise::Normal(0.05)].into_iter().chain(noise).collect();
        cells.push(good(&format!("gauge A/A, 5% and {name}"), GAUGE, Signal::gauge(&noise).missing(missing)));
    }
    cells
}

/// A canary with 1 % of the traffic.
fn thin_canary() -> Vec<Cell> {
    let ratio = |errors| Signal::ratio(10.0, errors).baseline_traffic(99.0);
    let histogram = Signal::histogram(10.0).baseline_traffic(99.0);
    let bursts = ratio([0.002; 2]).own(&[Noise::Bursts(1)]);
    vec![
        good("ratio A/A, canary 1% of the traffic", RATIO, ratio([0.002; 2])),
        good("ratio A/A, canary 1%, bursts of 15 s", RATIO, bursts),
        bad("ratio 0.2 -> 1%, canary 1% of the traffic", RATIO, ratio([0.01, 0.002])),
        good("histogram A/A, canary 1% of the traffic", HISTOGRAM, histogram.clone()),
        bad("histogram +25%, canary 1% of the traffic", HISTOGRAM, histogram.change(Change::Step(1.25))),
    ]
}

/// Twenty instances a cohort, of which one of the canary's has ten times the errors.
fn one_of_twenty() -> Vec<Cell> {
    let own = [
        ("calm", Vec::new()),
        ("bursts of 60 s", vec![Noise::Bursts(4)]),
        ("AR(.8) 0.7", vec![Noise::Autoregressive(0.8, 0.7)]),
        ("offset 25%", vec![Noise::Offset(0.25)]),
    ];
    let mut cells = Vec::new();
    for (name, noise) in own {
        let ratio = Signal::ratio(400.0, [0.002; 2]).own(&noise).instances([20; 2]);
        cells.push(good(&format!("ratio A/A, 20 instances, {name}"), RATIO, ratio));
    }
    for rate in [100.0, 400.0, 1000.0] {
        let ratio = Signal::ratio(rate, [0.002; 2]).instances([20; 2]).change(Change::OneInstance(10.0));
        cells.push(bad(&format!("ratio, {rate:.0} rps, 1 of 20 instances x10"), RATIO, ratio));
    }
    cells
}

/// Canaries that go bad in the last three intervals, which must not pass for the rest.
fn recent() -> Vec<Cell> {
    let gauge = |factor| scenario("iid normal").change(Change::Last(3, factor));
    let gauges = [(AT_THE_END_BY_MINUTES, 60), (AT_THE_END, 240)].into_iter().flat_map(|(plan, points)| {
        [2.0, 10.0].map(|factor| {
            let row = format!("gauge, x{factor:.0} in the last 3 of {points}");
            plan.cell(row, "PASS within 20%", GAUGE, gauge(factor)).claim(Verdict::Pass, Demand::AtMost(0.0), None)
        })
    });
    let ratio = Signal::ratio(100.0, [0.002; 2]).change(Change::Last(3, 10.0));
    let latency = Signal::histogram(100.0).change(Change::Last(3, 10.0));
    let counts = [
        AT_THE_END.cell("ratio, x10 in the last 3 of 240", "PASS within 2x", RATIO, ratio),
        AT_THE_END.cell("histogram, x10 in the last 3 of 240", "PASS within 6pp", HISTOGRAM, latency),
    ];
    let counts = counts.map(|cell| cell.claim(Verdict::Pass, Demand::AtMost(BETA), None));
    gauges.chain(counts).collect()
}

/// Row, check and what it sees; FAIL as in the design where that has a figure. A key that
/// the engine does not know is said to be unknown.
pub(crate) fn keys() -> Vec<Cell> {
    // Needs `strict` of a gauge.
    let strict = ["AR(.5)", "AR(.8)", "AR(.9)"].map(|name| {
        let row = format!("gauge A/A, {name}");
        (row, "gauge: usage, strict: true", scenario(name), Demand::AtMost(LEVEL), None)
    });
    // Needs `drift` of a gauge.
    let drifting = [("A/A", 1.0), ("ramp to +50%", 1.5)].map(|(name, factor)| {
        let demand = if factor > 1.0 { Demand::AsGood(1.0) } else { Demand::AtMost(LEVEL) };
        let signal = scenario("AR(.5)").change(Change::Ramp(factor));
        (format!("gauge, AR(.5), {name}"), "gauge: usage, drift: true", signal, demand, None)
    });
    // Needs `quantile` of a histogram. The design's median is the middle of its range.
    let tails = [
        ("A/A", Change::Step(1.0), None),
        ("+10%", Change::Step(1.1), None),
        ("+25%", Change::Step(1.25), Some("1/337")),
        ("+50%", Change::Step(1.5), Some("1/202")),
        ("2% of requests x10", Change::Tail(0.02, 10.0), Some("1/217")),
    ];
    let tails = tails.map(|(name, change, figure)| {
        let demand = if figure.is_some() { Demand::AsGood(1.5) } else { Demand::AtMost(LEVEL) };
        let signal = Signal::histogram(100.0).change(change);
        (format!("p99, 100 rps, {name}"), "histogram: latency_seconds, quantile: p99", signal, demand, figure)
    });
    let all = strict.into_iter().chain(drifting).chain(tails);
    let cell = |(row, check, signal, demand, figure): (String, &str, Signal, Demand, Option<&str>)| {
        let column = check.rsplit(", ").next().unwrap_or(check);
        PLAN.cell(row, column, check, signal).claim(Verdict::Fail, demand, figure.map(Figure::in_seconds))
    };
    all.map(cell).collect()
}

fn good(row: &str, check: &str, signal: Signal) -> Cell {
    PLAN.cell(row, "default margins", check, signal).claim(Verdict::Fail, Demand::AtMost(LEVEL), None)
}

fn bad(row: &str, check: &str, signal: Signal) -> Cell {
    PLAN.cell(row, "default margins", check, signal).claim(Verdict::Fail, Demand::AsGood(1.0), None)
}
