//! Gates of a few checks, and many made-up waves of them.

use std::iter;
use std::num::NonZero;
use std::thread;
use wavegate::plan;
use wavegate::plan::traffic::Gate;
use wavegate::plan::traffic::Run;
use wavegate::plan::traffic::Scene;
use wavegate::plan::traffic::Until;
use wavegate::plan::traffic::wave;
use wavegate::rules;

/// The gate of `schedule` and `risk` (the insides of their braces), and of checks
/// written likewise but for their names; what is wrong with it where it is refused.
pub(crate) fn gate(schedule: &str, risk: &str, checks: &[&str]) -> Result<Gate, String> {
    let named = checks.iter().enumerate().map(|(index, check)| format!("  - {{ name: check-{index}, {check} }}\n"));
    let head = format!("version: 1\nname: gate\nschedule: {{ {schedule} }}\nrisk: {{ {risk} }}\nchecks:\n");
    let text: String = iter::once(head).chain(named).collect();
    let parsed = rules::parse("gate.yaml", &text).map_err(|faults| rules::render(&faults, &text))?;
    Ok(Gate::new(parsed.rules))
}

/// The outcomes of `waves` waves of `scene`, in order, on every core.
pub(crate) fn run(gate: &Gate, scene: &Scene, name: &str, waves: u32) -> Vec<Run> {
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    plan::on_cores(threads, waves, |number| wave(gate, scene, name, number, Until::AnyFail), &mut |_| {})
}
