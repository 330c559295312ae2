//! Whole waves of made-up evidence through the judge, as a daemon would run them:
//! the rule file is parsed, the grid planned, and each interval judged on its own.
//!
//! The seed of a wave is its number and the name of what is simulated, so that
//! the outcome is the same on any number of threads.

mod chance;
pub(crate) mod latency;
pub(crate) mod noise;
pub(crate) mod signal;

use crate::support::random::Random;
use crate::support::simulation::noise::Noise;
use crate::support::simulation::noise::Place;
use crate::support::simulation::noise::Walk;
use crate::support::simulation::signal::Running;
use crate::support::simulation::signal::Signal;
use std::iter;
use std::num::NonZero;
use std::thread;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules;
use wavegate::rules::RuleFile;
use wavegate::series::IntervalEvidence;
use wavegate::series::Timestamp;

/// A rule file with all that is planned before a wave: made once, used by every wave.
#[derive(Clone, Debug)]
pub(crate) struct Gate {
    rules: RuleFile,
    timing: Timing,
    fresh: State,
}

impl Gate {
    /// The gate of `schedule` and `risk` (the insides of their braces), and of checks
    /// written likewise but for their names; what is wrong with it where it is refused.
    pub(crate) fn new(schedule: &str, risk: &str, checks: &[&str]) -> Result<Self, String> {
        let named = checks.iter().enumerate().map(|(index, check)| format!("  - {{ name: check-{index}, {check} }}\n"));
        let head = format!("version: 1\nname: gate\nschedule: {{ {schedule} }}\nrisk: {{ {risk} }}\nchecks:\n");
        let text: String = iter::once(head).chain(named).collect();
        let parsed = rules::parse("gate.yaml", &text).map_err(|faults| rules::render(&faults, &text))?;
        let timing = Timing::new(&parsed.rules.schedule, Timestamp::from_millis(1_790_000_000_000), None, None);
        let fresh = State::new(&parsed.rules, timing);
        Ok(Self { rules: parsed.rules, timing, fresh })
    }
}

/// What the checks of a gate see, and what moves all of them together.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    /// One for each check.
    pub(crate) signals: Vec<Signal>,
    /// What moves both cohorts in every signal that is exposed to it.
    pub(crate) shared: Vec<Noise>,
}

impl From<Signal> for Scene {
    fn from(signal: Signal) -> Self {
        Self { signals: vec![signal], shared: Vec::new() }
    }
}

/// What became of one wave, in minutes from its start. A PASS does not end it, so
/// that a FAIL at any look is seen; a FAIL does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Run {
    /// When the first check failed.
    pub(crate) fail: Option<f64>,
    /// When the gate first passed, unless a check had failed before.
    pub(crate) pass: Option<f64>,
}

/// The outcomes of `waves` waves of `scene`, in order, on every core.
pub(crate) fn run(gate: &Gate, scene: &Scene, name: &str, waves: u32) -> Vec<Run> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut runs = thread::scope(|scope| {
        let started: Vec<_> = (0..threads)
            .map(|thread| {
                let mine = move |wave: &u32| usize::try_from(*wave).is_ok_and(|wave| wave % threads == thread);
                let own = (0..waves).filter(mine);
                scope.spawn(move || own.map(|wave| (wave, one(gate, scene, name, wave))).collect::<Vec<_>>())
            })
            .collect();
        started.into_iter().flat_map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    runs.sort_by_key(|(wave, _)| *wave);
    runs.into_iter().map(|(_, run)| run).collect()
}

/// The wave of this number.
fn one(gate: &Gate, scene: &Scene, name: &str, wave: u32) -> Run {
    let Gate { rules, timing, fresh } = gate;
    let mut random = Random::named(u64::from(wave), name);
    let random = &mut random;
    let seconds = timing.interval.as_secs_f64();
    let mut shared: Vec<Walk> = scene.shared.iter().map(|noise| Walk::new(*noise, random)).collect();
    let mut signals: Vec<Running<'_>> =
        scene.signals.iter().map(|signal| Running::new(signal, seconds, random)).collect();
    let mut state = fresh.clone();
    let mut run = Run { fail: None, pass: None };
    for index in 1..=timing.last() {
        let place = Place { index, last: timing.last() };
        let moved: f64 = shared.iter_mut().map(|walk| walk.step(random, place)).sum();
        let checks = signals.iter_mut().map(|signal| signal.step(random, place, moved)).collect();
        let window = timing.window(index);
        let (next, judgement) = judge(rules, &state, &[IntervalEvidence { window, checks }], window.to);
        state = next;
        let minutes = window.to.since(timing.start).as_secs_f64() / 60.0;
        if judgement.ruling == Ruling::Pass {
            run.pass = run.pass.or(Some(minutes));
        }
        if judgement.checks.iter().any(|check| check.outcome == Outcome::Fail) {
            run.fail = Some(minutes);
            break;
        }
    }
    run
}

/// How often something happened, and when.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    waves: u32,
    /// In minutes, in order.
    times: Vec<f64>,
}

impl Tally {
    /// Of what `pick` finds in each wave.
    pub(crate) fn of(runs: &[Run], pick: impl Fn(&Run) -> Option<f64>) -> Self {
        let mut times: Vec<f64> = runs.iter().filter_map(pick).collect();
        times.sort_by(f64::total_cmp);
        Self { waves: u32::try_from(runs.len()).unwrap_or(u32::MAX), times }
    }

    /// The share of the waves.
    pub(crate) fn share(&self) -> f64 {
        f64::from(u32::try_from(self.times.len()).unwrap_or(u32::MAX)) / f64::from(self.waves)
    }

    /// The standard error of a share of `share` in so many waves.
    pub(crate) fn error_at(&self, share: f64) -> f64 {
        (share * (1.0 - share) / f64::from(self.waves)).sqrt()
    }

    /// By when it had happened in half of all waves, in minutes; `None` where it did not.
    pub(crate) fn median(&self) -> Option<f64> {
        let half = usize::try_from(self.waves.div_ceil(2)).ok()?;
        self.times.get(half.checked_sub(1)?).copied()
    }
}
