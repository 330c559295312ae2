//! How often the rules of a file are wrong, and how soon they are right, counted over many
//! made-up waves.
//!
//! First with nothing changed: any FAIL is a false one, at any look to the deadline, even after
//! a PASS that would have ended the wave, since that is what is promised. Then with one thing
//! changed at a time, by as much as a check's `pass_within` and by more.

use crate::judge::Ruling;
use crate::plan::change::Change;
use crate::plan::cores::on_cores;
use crate::plan::scene::Day;
use crate::plan::scene::stated;
use crate::plan::scene::trials;
use crate::plan::traffic::Gate;
use crate::plan::traffic::Run;
use crate::plan::traffic::Scene;
use crate::plan::traffic::Tally;
use crate::plan::traffic::Until;
use crate::plan::traffic::wave;
use crate::plan::weather::Weather;
use crate::rules::CheckTraffic;
use crate::rules::OnFail;
use crate::rules::RuleFile;
use crate::stats;
use std::num::NonZero;

/// Most waves of a row: with so many, 0.01 % more than a risk of 5 % is seen, after hours.
pub const MAX_WAVES: u32 = 100_000;

/// Each bound of an interval is missed with this chance: 95 % between the two.
const TAIL: f64 = 0.025;

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Simulation {
    /// Waves of each row, at least 1 and at most [`MAX_WAVES`].
    pub waves: u32,
    /// Another seed is other waves.
    pub seed: u64,
    /// Days that have one trouble of the stated one each, too, where it has several.
    pub apart: bool,
    /// Days that are harder than the stated one, too.
    pub stress: bool,
    /// Which check's view is changed and by what, in place of the changes that are tried of
    /// every check; empty for those. A check is named by its place.
    pub changes: Vec<(usize, Change)>,
}

/// How far a simulation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Waves that are judged.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// What came of a simulation.
#[derive(Clone, Debug)]
pub struct Report {
    /// Waves of each row.
    pub waves: u32,
    /// As it was asked for.
    pub seed: u64,
    /// The days without a change first.
    pub rows: Vec<Row>,
}

impl Report {
    /// Whether no promise was seen to be broken.
    pub fn is_kept(&self) -> bool {
        self.rows.iter().all(|row| row.kept != Some(false))
    }
}

/// Many waves of one kind.
#[derive(Clone, Debug)]
pub struct Row {
    /// Of which kind.
    pub case: Case,
    /// Waves that passed.
    pub passed: Rate,
    /// Waves that failed.
    pub failed: Rate,
    /// Waves in which a person was asked.
    pub held: Rate,
    /// From the start to the PASS.
    pub to_pass: Minutes,
    /// False FAILs where nothing was changed; else FAILs of the check whose view was, before
    /// the gate passed.
    pub fails: Rate,
    /// From the start to those FAILs.
    pub to_fail: Minutes,
    /// Each check where nothing was changed, in the order of the rule file.
    pub checks: Vec<Alone>,
    /// Whether the promise about this kind of wave is kept: false only where the whole interval
    /// lies above the risk. `None` where nothing is promised.
    pub kept: Option<bool>,
}

/// What one check said of waves in which nothing was changed.
#[derive(Clone, Copy, Debug)]
pub struct Alone {
    /// False FAILs.
    pub fails: Rate,
    /// Waves in which it passed at some look: one that seldom does holds up the gate.
    pub passes: Rate,
    /// From the start to that.
    pub to_pass: Minutes,
}

/// A kind of wave.
#[derive(Clone, Copy, Debug)]
pub enum Case {
    /// Nothing is changed.
    Unchanged(Weather),
    /// What one check sees is changed.
    Changed {
        /// Its place in the rule file.
        check: usize,
        /// By how much.
        change: Change,
        /// A PASS is right in spite of it.
        good_enough: bool,
    },
}

/// A share of waves with its 95 % interval (Clopper, Pearson 1934).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rate {
    /// In so many waves.
    pub count: u32,
    /// The share.
    pub share: f64,
    /// Lower bound.
    pub low: f64,
    /// Upper bound.
    pub high: f64,
}

impl Rate {
    fn of(count: u32, waves: u32) -> Self {
        let interval = stats::proportion(f64::from(count), f64::from(waves), TAIL);
        let (share, low, high) = interval.map_or((0.0, 0.0, 1.0), |found| (found.estimate, found.low, found.high));
        Self { count, share, low, high }
    }
}

/// By when something had happened, in minutes, of all waves of a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Minutes {
    /// In half of them; `None` where it did not.
    pub median: Option<f64>,
    /// In nine of ten.
    pub ninth_decile: Option<f64>,
}

/// One row to be made.
struct Trial {
    case: Case,
    /// Rows of one name have the same chance, so that they differ by what is asked alone.
    name: String,
    scene: Scene,
    until: Until,
}

/// Makes and judges the waves of `simulation` by `rules`, on so many `threads`. The report
/// depends on neither their number nor their speed.
pub fn simulate(
    rules: &RuleFile,
    simulation: &Simulation,
    threads: NonZero<usize>,
    progress: &mut dyn FnMut(Progress),
) -> Report {
    let waves = simulation.waves.clamp(1, MAX_WAVES);
    let gate = Gate::new(rules.clone());
    let trials = trials_of(rules, simulation);
    let rows_all = u64::try_from(trials.len()).unwrap_or(u64::MAX);
    let of = rows_all.saturating_mul(u64::from(waves));
    let mut before = 0;
    let mut rows = Vec::with_capacity(trials.len());
    for trial in &trials {
        let make = |number| wave(&gate, &trial.scene, &trial.name, number, trial.until);
        let mut count = |count| progress(Progress { done: before + u64::from(count), of });
        let runs = on_cores(threads, waves, make, &mut count);
        rows.push(row(rules, trial.case, &runs));
        before += u64::from(waves);
    }
    Report { waves, seed: simulation.seed, rows }
}

fn trials_of(rules: &RuleFile, simulation: &Simulation) -> Vec<Trial> {
    let seed = simulation.seed;
    let days: Vec<CheckTraffic> = rules.checks.iter().map(|check| stated(rules, check)).collect();
    let mut weathers = vec![Weather::STATED];
    if simulation.apart {
        weathers.extend(Weather::alone(&days));
    }
    if simulation.stress {
        weathers.extend(Weather::STRESS);
    }
    let unchanged = weathers.into_iter().map(|weather| Trial {
        case: Case::Unchanged(weather),
        name: format!("{seed}/unchanged"),
        scene: Day::new(rules, weather).scene(),
        until: Until::Deadline,
    });
    let day = Day::new(rules, Weather::STATED);
    let changed = changes_of(rules, simulation).into_iter().map(|(check, change)| {
        let good_enough = day.is_good_enough(check, change);
        let name = rules.checks.get(check).map_or("", |check| check.name.as_str());
        Trial {
            case: Case::Changed { check, change, good_enough },
            name: format!("{seed}/{name}"),
            scene: day.changed(check, change),
            until: Until::FailOf(check),
        }
    });
    unchanged.chain(changed).collect()
}

fn changes_of(rules: &RuleFile, simulation: &Simulation) -> Vec<(usize, Change)> {
    if !simulation.changes.is_empty() {
        return simulation.changes.clone();
    }
    let each = |(place, check)| trials(rules, check).into_iter().map(move |change| (place, change));
    rules.checks.iter().enumerate().flat_map(each).collect()
}

fn row(rules: &RuleFile, case: Case, runs: &[Run]) -> Row {
    let waves = u32::try_from(runs.len()).unwrap_or(u32::MAX);
    let rate = |tally: &Tally| Rate::of(tally.count(), waves);
    let minutes = |tally: &Tally| Minutes { median: tally.median(), ninth_decile: tally.ninth_decile() };
    let settled = |wanted: Ruling| {
        Tally::of(runs, |run| run.settled.filter(|(ruling, _)| *ruling == wanted).map(|(_, minutes)| minutes))
    };
    let through = settled(Ruling::Pass);
    let counts: Vec<bool> = rules.checks.iter().map(|check| check.on_fail != OnFail::Report).collect();
    let (fails, checks) = match case {
        Case::Unchanged(_) => {
            let alone = |check: usize| {
                let passes = Tally::of(runs, |run| run.passes.get(check).copied().flatten());
                let fails = Tally::of(runs, |run| run.fails.get(check).copied().flatten());
                Alone { fails: rate(&fails), passes: rate(&passes), to_pass: minutes(&passes) }
            };
            (Tally::of(runs, |run| first_counted(run, &counts)), (0..counts.len()).map(alone).collect())
        }
        Case::Changed { check, .. } => (Tally::of(runs, |run| found(run, check)), Vec::new()),
    };
    let (pass, fail) = (rate(&through), rate(&fails));
    let kept = match case {
        Case::Unchanged(_) => Some(fail.low <= rules.risk.false_fail),
        Case::Changed { check, change, good_enough } => {
            let is_wrong = !good_enough && counts.get(check) == Some(&true) && is_beyond(rules, check, change);
            is_wrong.then_some(pass.low <= rules.risk.false_pass)
        }
    };
    Row {
        case,
        passed: pass,
        failed: rate(&settled(Ruling::Fail)),
        held: rate(&settled(Ruling::Hold)),
        to_pass: minutes(&through),
        fails: fail,
        to_fail: minutes(&fails),
        checks,
        kept,
    }
}

/// When the first of the checks that count failed.
fn first_counted(run: &Run, counts: &[bool]) -> Option<f64> {
    let counted = run.fails.iter().zip(counts).filter(|(_, counts)| **counts);
    counted.filter_map(|(fail, _)| *fail).min_by(f64::total_cmp)
}

/// When the check failed, unless the gate had passed before.
fn found(run: &Run, check: usize) -> Option<f64> {
    let fail = run.fails.get(check).copied().flatten()?;
    run.pass().is_none_or(|pass| fail <= pass).then_some(fail)
}

/// Whether the change is at least as large as the check's margin of PASS, on its worse side: a
/// PASS of less is no broken promise.
fn is_beyond(rules: &RuleFile, check: usize, change: Change) -> bool {
    let margin = |check| trials(rules, check).first().copied();
    let least = rules.checks.get(check).and_then(margin);
    match (least, change) {
        (Some(Change::Factor(least)), Change::Factor(factor)) => reaches(factor.ln(), least.ln()),
        (Some(Change::Excess(least)), Change::Excess(excess)) => reaches(excess, least),
        _ => false,
    }
}

/// Whether `change` is on the side of `least` and as far from nothing; both are 0 where nothing is changed.
fn reaches(change: f64, least: f64) -> bool {
    change * least.signum() >= least.abs()
}
