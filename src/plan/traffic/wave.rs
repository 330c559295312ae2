//! Whole waves of made-up evidence through the judge, as a daemon would run them: the grid
//! is planned, and each interval judged on its own.
//!
//! The seed of a wave is its number and the name of what is simulated, so that the outcome
//! does not depend on who makes it, or after which other.

use crate::judge::Cause;
use crate::judge::Judgement;
use crate::judge::Outcome;
use crate::judge::Ruling;
use crate::judge::State;
use crate::judge::Timing;
use crate::judge::judge;
use crate::plan::traffic::Random;
use crate::plan::traffic::noise::Noise;
use crate::plan::traffic::noise::Place;
use crate::plan::traffic::noise::Walk;
use crate::plan::traffic::signal::Running;
use crate::plan::traffic::signal::Shared;
use crate::plan::traffic::signal::Signal;
use crate::rules::OnFail;
use crate::rules::RuleFile;
use crate::series::CheckEvidence;
use crate::series::IntervalEvidence;
use crate::series::Timestamp;
use std::f64::consts::TAU;

/// When every made-up wave starts: no verdict depends on it.
const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
/// Seconds of a day, over which traffic swings.
const DAY: f64 = 86_400.0;

/// A rule file with all that is planned before a wave: made once, used by every wave.
#[derive(Clone, Debug)]
pub struct Gate {
    rules: RuleFile,
    timing: Timing,
    fresh: State,
}

impl Gate {
    /// The gate of `rules`. It takes milliseconds, for the tables of its looks.
    ///
    /// Nobody's error budget is in made-up traffic: a file that minds one is judged without.
    pub fn new(rules: RuleFile) -> Self {
        let rules = RuleFile { budget: None, ..rules };
        let timing = Timing::of(&rules, START, None, None);
        let fresh = State::new(&rules, timing);
        Self { rules, timing, fresh }
    }

    /// What is judged.
    pub fn rules(&self) -> &RuleFile {
        &self.rules
    }

    /// When.
    pub fn timing(&self) -> &Timing {
        &self.timing
    }
}

/// What the checks of a gate see, and what moves all of them together.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What there is to see.
    pub signals: Vec<Signal>,
    /// Which of them each check sees: two may judge the same histogram.
    pub views: Vec<usize>,
    /// What moves both cohorts in every signal that is exposed to it.
    pub shared: Vec<Noise>,
}

impl Scene {
    /// Each check sees its own, in the order of the rule file.
    pub fn new(signals: Vec<Signal>) -> Self {
        Self { views: (0..signals.len()).collect(), signals, shared: Vec::new() }
    }
}

impl From<Signal> for Scene {
    fn from(signal: Signal) -> Self {
        Self::new(vec![signal])
    }
}

/// How long a wave is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// To the deadline, whatever is found.
    Deadline,
    /// To the first FAIL of any check. A PASS does not end it, so that a FAIL at any look is seen.
    AnyFail,
    /// To the FAIL of this check, or a PASS of the gate, after which nobody looks.
    FailOf(usize),
}

/// What became of one wave; times in minutes from its start.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// When each check failed, in the order of the rule file.
    pub fails: Vec<Option<f64>>,
    /// When each check first passed.
    pub passes: Vec<Option<f64>>,
    /// How the gate was settled and when: its first PASS, FAIL or hold, or the FAIL that
    /// came after a hold. `None` where the wave was not followed so long.
    pub settled: Option<(Ruling, f64)>,
}

impl Run {
    /// When the first check failed.
    pub fn fail(&self) -> Option<f64> {
        self.fails.iter().flatten().copied().min_by(f64::total_cmp)
    }

    /// When the gate passed, if that is how it was settled.
    pub fn pass(&self) -> Option<f64> {
        self.settled.filter(|(ruling, _)| *ruling == Ruling::Pass).map(|(_, minutes)| minutes)
    }

    /// Takes what a planned look says, and what was found between it and the one before.
    fn note(&mut self, judgement: &Judgement, timing: &Timing) {
        let minutes = |at: Timestamp| at.since(timing.start).as_secs_f64() / 60.0;
        for (fail, check) in self.fails.iter_mut().zip(&judgement.checks) {
            if check.outcome == Outcome::Fail && fail.is_none() {
                let at = check.reasons.iter().find_map(found_at).unwrap_or(judgement.at);
                *fail = Some(minutes(at));
            }
        }
        for (pass, check) in self.passes.iter_mut().zip(&judgement.checks) {
            if check.outcome == Outcome::Pass && pass.is_none() {
                *pass = Some(minutes(judgement.at));
            }
        }
        let first = |on_fail: OnFail| {
            let own = self.fails.iter().zip(&judgement.checks).filter(|(_, check)| check.on_fail == on_fail);
            own.filter_map(|(fail, _)| *fail).min_by(f64::total_cmp).unwrap_or_else(|| minutes(judgement.at))
        };
        let settled = match (self.settled, judgement.ruling) {
            (None | Some((Ruling::Hold, _)), Ruling::Fail) => Some(first(OnFail::Fail)),
            (None, Ruling::Hold) => Some(first(OnFail::Pause)),
            (None, Ruling::Pass) => Some(minutes(judgement.at)),
            (_, Ruling::GoOn) | (Some(_), _) => None,
        };
        if let Some(minutes) = settled {
            self.settled = Some((judgement.ruling, minutes));
        }
    }

    fn is_over(&self, until: Until) -> bool {
        match until {
            Until::Deadline => false,
            Until::AnyFail => self.fails.iter().any(Option::is_some),
            Until::FailOf(check) => self.pass().is_some() || self.fails.get(check).is_some_and(Option::is_some),
        }
    }
}

/// The wave of this number of what is called `name`.
pub fn wave(gate: &Gate, scene: &Scene, name: &str, number: u32, until: Until) -> Run {
    let Gate { rules, timing, fresh: state } = gate;
    let mut random = Random::named(u64::from(number), name);
    let mut drawn = Drawn::new(scene, timing, &mut random);
    let mut state = state.clone();
    let nothing = vec![None; rules.checks.len()];
    let mut run = Run { fails: nothing.clone(), passes: nothing, settled: None };
    // Between planned looks nothing passes, and what fails says when: asking at those alone gives
    // the same, without a judgement and a copy of the state for each interval.
    let mut fresh = Vec::new();
    for index in 1..=timing.last() {
        let window = timing.window(index);
        let checks = drawn.step(&mut random, Place { index, last: timing.last() });
        fresh.push(IntervalEvidence { window, checks, budget: None });
        if !timing.is_planned(index) && index < timing.last() {
            continue;
        }
        let (next, judgement) = judge(rules, &state, &fresh, window.to);
        fresh.clear();
        state = next;
        run.note(&judgement, timing);
        if run.is_over(until) {
            break;
        }
    }
    run
}

/// When a check was found to have failed.
fn found_at(cause: &Cause) -> Option<Timestamp> {
    if let Cause::ShiftAboveTolerance { at, .. }
    | Cause::TailAboveTolerance { at, .. }
    | Cause::InstanceAboveTolerance { at, .. }
    | Cause::ThresholdBreached { at, .. } = cause
    {
        Some(*at)
    } else {
        None
    }
}

/// A scene in one wave.
struct Drawn<'s> {
    scene: &'s Scene,
    shared: Vec<Walk>,
    signals: Vec<Running<'s>>,
    /// Where in the day it starts, in turns of the clock, and what an interval is of a day.
    day: [f64; 2],
}

impl<'s> Drawn<'s> {
    fn new(scene: &'s Scene, timing: &Timing, random: &mut Random) -> Self {
        let seconds = timing.interval.as_secs_f64();
        let shared = scene.shared.iter().map(|noise| Walk::new(*noise, random)).collect();
        let signals = scene.signals.iter().map(|signal| Running::new(signal, seconds, random)).collect();
        // Chance that nobody needs is not drawn, so that it moves nothing else.
        let begins = if scene.signals.iter().any(Signal::swings) { random.unit() } else { 0.0 };
        Self { scene, shared, signals, day: [begins, seconds / DAY] }
    }

    /// What each check sees of the next interval.
    fn step(&mut self, random: &mut Random, place: Place) -> Vec<CheckEvidence> {
        let moved: f64 = self.shared.iter_mut().map(|walk| walk.step(random, place)).sum();
        let [begins, step] = self.day;
        let swing = (TAU * (begins + step * f64::from(place.index))).sin();
        let shared = Shared { moved, swing };
        let seen: Vec<CheckEvidence> =
            self.signals.iter_mut().map(|signal| signal.step(random, place, shared)).collect();
        let view = |signal: &usize| seen.get(*signal).cloned().unwrap_or_else(CheckEvidence::missing);
        self.scene.views.iter().map(view).collect()
    }
}
