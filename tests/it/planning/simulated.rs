//! Planned power and times beside those of a few hundred simulated waves, through the real judge.

use crate::support::simulation::gate;
use crate::support::simulation::run;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use wavegate::plan::power::Assumptions;
use wavegate::plan::power::plan;
use wavegate::plan::traffic::Latency;
use wavegate::plan::traffic::Run;
use wavegate::plan::traffic::Scene;
use wavegate::plan::traffic::Tally;
use wavegate::plan::traffic::noise::Noise;
use wavegate::plan::traffic::signal::Change;
use wavegate::plan::traffic::signal::Signal;
use wavegate::rules;
use wavegate::rules::CheckTraffic;
use wavegate::rules::Traffic;

/// Waves of a cell: a share is known to three hundredths.
const WAVES: u32 = 300;
/// What a planned share may miss the simulated one by.
const SHARE: f64 = 0.12;
/// What a planned time may miss the simulated one by, of it.
const TIME: f64 = 0.35;
/// A look is no finer than this, in minutes: a time is not either.
const LOOK: f64 = 0.5;

const RISK: &str = "false_fail: 1%, false_pass: 5%";
const HOUR: &str = "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 60m";
const HALF: &str = "interval: 15s, warmup: 0s, min_duration: 10m, deadline: 30m";
/// Every minute a point.
const MINUTES: &str = "interval: 1m, warmup: 0s, min_duration: 10m, deadline: 60m";
const RATIO: &str = "ratio: { bad: errors_total, total: requests_total }";
const HISTOGRAM: &str = "histogram: latency_seconds";
const QUANTILE: &str = "histogram: latency_seconds, quantile: p99";
const GAUGE: &str = "gauge: cpu_usage";

/// The 99th percentile of the simulated latencies: 80 ms and a deviation of 0.8.
const P99: f64 = 0.514_444;

struct Cell {
    name: &'static str,
    schedule: &'static str,
    check: &'static str,
    traffic: CheckTraffic,
    /// In the check's unit.
    change: f64,
    signal: Signal,
}

fn usual() -> CheckTraffic {
    CheckTraffic { instances: [1, 1], latency: [0.08, P99], ..CheckTraffic::default() }
}

fn errors(name: &'static str, schedule: &'static str, rates: [f64; 2], bad: f64, change: f64) -> Cell {
    let signal = Signal::ratio(rates[0], [bad * change, bad]).baseline_traffic(rates[1] / rates[0]);
    Cell { name, schedule, check: RATIO, traffic: CheckTraffic { rates, bad, ..usual() }, change, signal }
}

fn usage(name: &'static str, schedule: &'static str, noise: f64, memory: f64, change: f64) -> Cell {
    // Each cohort has its own, and their difference the root of two of it.
    let own = noise / 2.0_f64.sqrt();
    let own = if memory > 0.0 { Noise::Autoregressive(memory, own) } else { Noise::Lognormal(own) };
    let traffic = CheckTraffic { noise, autocorrelation: memory, ..usual() };
    let signal = Signal::gauge(&[own]).change(Change::Step(1.0 + change));
    Cell { name, schedule, check: GAUGE, traffic, change, signal }
}

fn latencies(name: &'static str, schedule: &'static str, rates: [f64; 2], change: f64) -> Cell {
    let signal = Signal::histogram(rates[0])
        .baseline_traffic(rates[1] / rates[0])
        .change(Change::Step(Latency::default().factor_of(change)));
    Cell { name, schedule, check: HISTOGRAM, traffic: CheckTraffic { rates, ..usual() }, change, signal }
}

fn tails(name: &'static str, schedule: &'static str, rates: [f64; 2], change: f64) -> Cell {
    let signal = Signal::histogram(rates[0]).baseline_traffic(rates[1] / rates[0]).change(Change::Step(1.0 + change));
    Cell { name, schedule, check: QUANTILE, traffic: CheckTraffic { rates, ..usual() }, change, signal }
}

#[test]
fn planned_power_and_times_are_those_of_simulated_waves() {
    let cells = [
        errors("errors 1.8x", HOUR, [10.0, 40.0], 0.002, 1.8),
        errors("errors 3x, sparse", HOUR, [1.0, 4.0], 0.002, 3.0),
        errors("errors 1.6x, many", HALF, [60.0, 240.0], 0.002, 1.6),
        errors("errors 10x", HALF, [20.0, 20.0], 0.002, 10.0),
        usage("gauge iid +10%", MINUTES, 0.1, 0.0, 0.1),
        usage("gauge iid +9%", HOUR, 0.14, 0.0, 0.09),
        usage("gauge AR.5 +15%", MINUTES, 0.1, 0.5, 0.15),
        usage("gauge AR.5 +10%", HOUR, 0.16, 0.5, 0.1),
        latencies("latency 3pp", HOUR, [5.0, 20.0], 0.03),
        latencies("latency 6pp, sparse", HOUR, [0.3, 1.2], 0.06),
        tails("p99 +20%", HALF, [10.0, 40.0], 0.2),
        tails("p99 +50%, sparse", HOUR, [0.5, 2.0], 0.5),
    ];
    let mut table = String::from(
        "cell                  power: plan  sim   FAIL at: plan   sim   PASS: plan  sim   at: plan  sim\n",
    );
    let mut faults = Vec::new();
    for cell in cells {
        compare(&cell, &mut table, &mut faults);
    }
    println!("{table}");
    assert!(faults.is_empty(), "{table}\n{}", faults.join("\n"));
}

fn compare(cell: &Cell, table: &mut String, faults: &mut Vec<String>) {
    let text = format!(
        "version: 1\nname: gate\nschedule: {{ {} }}\nrisk: {{ {RISK} }}\nchecks:\n  - {{ name: check, {} }}\n",
        cell.schedule, cell.check
    );
    let rules = rules::parse("gate.yaml", &text).expect("a rule file").rules;
    let assumed = Assumptions {
        traffic: Traffic { whole: cell.traffic, ..Traffic::default() },
        changes: BTreeMap::from([("check".to_owned(), vec![cell.change])]),
        ..Assumptions::default()
    };
    let plan = plan(&rules, &assumed);
    let check = &plan.checks[0];
    let fails = check.fails.last().expect("the one asked about");
    let minutes = |span: Option<std::time::Duration>| span.map(|span| span.as_secs_f64() / 60.0);
    let gate = gate(cell.schedule, RISK, &[cell.check]).expect("a gate");
    let changed = Tally::of(&run(&gate, &Scene::from(cell.signal.clone()), cell.name, WAVES), Run::fail);
    let quiet = cell.signal.clone().change(Change::Step(1.0));
    let quiet = match cell.check {
        RATIO => errors(cell.name, cell.schedule, cell.traffic.rates, cell.traffic.bad, 1.0).signal,
        _ => quiet,
    };
    let quiet = Tally::of(&run(&gate, &Scene::from(quiet), cell.name, WAVES), Run::pass);
    let planned =
        [(fails.by_quarter[3], minutes(fails.median)), (check.passes.by_quarter[3], minutes(check.passes.median))];
    let _ = write!(table, "{:20}", cell.name);
    for ((share, median), found) in planned.into_iter().zip([&changed, &quiet]) {
        let shown = |time: Option<f64>| time.map_or("-".to_owned(), |time| format!("{time:.1}"));
        let _ =
            write!(table, "   {share:.2}  {:.2}   {:>5} {:>5}", found.share(), shown(median), shown(found.median()));
        if (share - found.share()).abs() > SHARE {
            faults.push(format!("{}: planned {share:.2}, simulated {:.2}", cell.name, found.share()));
        }
        // A median beside the end of the wave may or may not be there.
        let near = |share: f64| (share - 0.5).abs() <= SHARE;
        match (median, found.median()) {
            (Some(planned), Some(simulated)) if (planned - simulated).abs() > (TIME * simulated).max(LOOK) => {
                faults.push(format!("{}: planned {planned:.1} min, simulated {simulated:.1}", cell.name));
            }
            (Some(_), None) | (None, Some(_)) if !near(share) && !near(found.share()) => {
                faults.push(format!("{}: one has a median and one has none", cell.name));
            }
            _ => {}
        }
    }
    table.push('\n');
}
