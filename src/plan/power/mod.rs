//! What the checks of a rule file can detect, and by when (statistics.md §7).
//!
//! Pure and without chance: the looks, bounds and risks are the engine's own, what a test
//! reads at a look is its mean with the noise of an ordinary day, and the chance to have
//! crossed by each look is the recursion of the boundary. A size of a change is how much worse
//! than no change, tolerance included.

mod advice;
mod alone;
mod chances;
mod change;
mod counts;
mod gauge;
mod grid;
mod histogram;
mod lint;
mod measured;
mod quantile;
mod ratio;
mod scale;
mod setup;
mod shape;
mod typical;

pub use advice::Remedy;
pub use change::size_of;
pub use lint::CannotDecide;
pub use lint::lint;
pub use measured::How;
pub use measured::Measured;
pub use measured::measure;
pub use scale::Scale;
pub use shape::Shape;

use crate::judge::Timing;
use crate::plan::ordinary::Ignored;
use crate::plan::ordinary::ignored;
use crate::plan::power::grid::Grid;
use crate::plan::power::setup::Bench;
use crate::plan::power::setup::Setup;
use crate::rules::CheckKind;
use crate::rules::CheckTraffic;
use crate::rules::GaugeScale;
use crate::rules::GaugeTest;
use crate::rules::OnFail;
use crate::rules::RuleFile;
use crate::rules::Traffic;
use crate::rules::Worse;
use crate::series::Timestamp;
use std::collections::BTreeMap;
use std::time::Duration;

/// The power that a detected change is found with.
pub const POWER: f64 = 0.9;
/// A check that passes an unchanged canary less often than this does not decide.
pub const PASSES: f64 = 0.5;
/// Points of a power curve, and how many of them stand evenly.
const CURVE: usize = 22;
const EVENLY: u32 = 9;
/// A curve goes so many times as far as the farthest change that is told.
const CURVE_REACH: f64 = 1.2;

/// What is planned with.
#[derive(Clone, Debug, Default)]
pub struct Assumptions {
    /// What each check sees on an ordinary day.
    pub traffic: Traffic,
    /// Histograms of checks, where they are known.
    pub shapes: BTreeMap<String, Shape>,
    /// Changes that were asked about, by the name of a check.
    pub changes: BTreeMap<String, Vec<f64>>,
    /// How often the source scrapes; `None` for as often as the gate looks.
    pub scrape: Option<Duration>,
}

/// What a rule file can do.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The name of the file.
    pub rules: String,
    /// The grid of looks.
    pub interval: Duration,
    /// From the start of the wave, as all times of a plan.
    pub deadline: Duration,
    /// The quarters of the time to judge, of which chances are told.
    pub quarters: [Duration; 4],
    /// Statistical checks, in the order of the file.
    pub checks: Vec<CheckPlan>,
    /// The others, with the reason.
    pub unplanned: Vec<(String, OnFail, Unplanned)>,
    /// Whether somebody stated the traffic that was planned with.
    pub stated: bool,
    /// What the file says that a plan has no place for.
    pub ignored: Vec<Ignored>,
}

/// Why a check has no plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unplanned {
    /// A bound, which is no statistical test.
    Threshold,
    /// It has neither a baseline nor a floor to be judged by.
    NoBaseline,
}

impl Unplanned {
    /// In words.
    pub fn text(self) -> &'static str {
        match self {
            Self::Threshold => "a threshold is no statistical test: it fails as soon as its bound is broken",
            Self::NoBaseline => "it has no baseline, and only a ratio with a `floor` is judged without one",
        }
    }
}

/// What one check can do.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckPlan {
    /// The check.
    pub name: String,
    /// What documents call its kind.
    pub kind: &'static str,
    /// What a FAIL does.
    pub on_fail: OnFail,
    /// Which way is worse.
    pub worse: Worse,
    /// The unit of its changes.
    pub scale: Scale,
    /// The margin of FAIL.
    pub tolerance: f64,
    /// The margin of PASS.
    pub pass_within: f64,
    /// The risk of a false FAIL that is its own.
    pub alpha: f64,
    /// The risk of a false PASS.
    pub beta: f64,
    /// What was planned with.
    pub traffic: CheckTraffic,
    /// The floor that it is judged by where it has no baseline; changes are then times this.
    pub floor: Option<f64>,
    /// The smallest change that fails with a chance of [`POWER`] by the deadline, tolerance
    /// included; `None` where none does.
    pub detects: Option<f64>,
    /// Of a histogram: how many times as long everything takes where that is so.
    pub slower: Option<f64>,
    /// How it fails: the change that it detects, those asked about, or else its margins.
    pub fails: Vec<Fails>,
    /// How it passes where nothing changed.
    pub passes: Passes,
    /// The power of changes from none upwards.
    pub curve: Vec<Power>,
    /// Where it does not decide, and what would help.
    pub undecided: Option<Undecided>,
    /// What the plan does not say.
    pub notes: Vec<Note>,
}

/// What becomes of a change.
#[derive(Clone, Debug, PartialEq)]
pub struct Fails {
    /// How much worse than no change.
    pub change: f64,
    /// Why it is told.
    pub which: Which,
    /// The chance of a FAIL by each quarter of the time.
    pub by_quarter: [f64; 4],
    /// By when half of all such waves have failed; `None` where fewer do.
    pub median: Option<Duration>,
}

/// Why a change is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// The smallest that is detected.
    Detected,
    /// The margin of PASS.
    PassWithin,
    /// Twice as far as that.
    TwicePassWithin,
    /// It was asked about.
    Asked,
}

/// What becomes of a canary that did not change.
#[derive(Clone, Debug, PartialEq)]
pub struct Passes {
    /// The chance of a PASS by each quarter of the time.
    pub by_quarter: [f64; 4],
    /// By when half of all such waves have passed; `None` where fewer do.
    pub median: Option<Duration>,
}

/// A point of a power curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Power {
    /// How much worse than no change.
    pub change: f64,
    /// The chance of a FAIL by each quarter of the time.
    pub by_quarter: [f64; 4],
}

/// A check that leaves a wave undecided.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Undecided {
    /// The chance that a change of `pass_within` fails by the deadline.
    pub power: f64,
    /// The chance that an unchanged canary passes by then.
    pub passes: f64,
    /// Intervals with evidence by the deadline, where the check asks for more.
    pub too_few: Option<u32>,
    /// What would help.
    pub remedy: Remedy,
}

/// What a plan does not say of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// With margins of two kinds only the relative ones are planned.
    RelativeMarginsOnly,
    /// The noise was read in the unit of the query.
    NoiseInUnits,
    /// A rank test is planned as the mean of differences, which finds nearly the same.
    RanksAsMeans,
    /// Fewer instances than judging them takes: planned as cohorts.
    JudgedAsCohorts,
    /// The rate for each of what it is divided by is not planned.
    WithoutPer,
    /// What only a simulation shows: offsets, swings, incidents, bursts.
    OnlySimulated,
    /// The margins are closer to each other than any change that the buckets show.
    NothingDetected,
}

/// The plan of `rules` under `assumed`. Checks that are not statistical have none.
///
/// Time: about 60 recursions of a boundary a check, of up to 60 looks each.
pub fn plan(rules: &RuleFile, assumed: &Assumptions) -> Plan {
    let timing = Timing::of(rules, Timestamp::from_millis(0), assumed.scrape, None);
    let (grid, _) = Grid::new(timing, rules.risk.spending);
    let (mut checks, mut unplanned) = (Vec::new(), Vec::new());
    for check in &rules.checks {
        match Setup::of(rules, check, assumed) {
            Ok(setup) => checks.push(setup.plan(assumed.changes.get(&check.name))),
            Err(why) => unplanned.push((check.name.clone(), check.on_fail, why)),
        }
    }
    Plan {
        rules: rules.name.to_string(),
        interval: timing.interval,
        deadline: timing.deadline.since(timing.start),
        quarters: grid.quarters(),
        checks,
        unplanned,
        stated: assumed.traffic.stated,
        ignored: ignored(rules),
    }
}

impl Plan {
    /// Whether every check that counts decides. One that nobody can judge does not.
    pub fn decides(&self) -> bool {
        let blind = |(_, on_fail, why): &(String, OnFail, Unplanned)| {
            *why == Unplanned::NoBaseline && *on_fail != OnFail::Report
        };
        self.undecided().next().is_none() && !self.unplanned.iter().any(blind)
    }

    /// Checks that count and leave the wave undecided.
    pub fn undecided(&self) -> impl Iterator<Item = &CheckPlan> {
        self.checks.iter().filter(|check| check.undecided.is_some() && check.on_fail != OnFail::Report)
    }
}

impl CheckPlan {
    /// A size of a change as people write it in a rule file.
    pub fn text(&self, size: f64) -> String {
        self.scale.text_of(size, self.worse)
    }
}

impl Setup<'_> {
    fn plan(&self, asked: Option<&Vec<f64>>) -> CheckPlan {
        let mut bench = self.bench();
        let detects = bench.detects();
        let policy = self.policy;
        let passes = bench.pass_chances(self.unchanged);
        let passes = Passes {
            by_quarter: bench.grid.by_quarter(&bench.grid.pass_ends, &passes),
            median: bench.grid.median(&bench.grid.pass_ends, &passes),
        };
        let twice = self.scale.times(policy.pass_within, 2.0);
        let mut told: Vec<(f64, Which)> = detects.map(|change| (change, Which::Detected)).into_iter().collect();
        match asked {
            Some(asked) => told.extend(asked.iter().map(|change| (*change, Which::Asked))),
            None => told.extend([(policy.pass_within, Which::PassWithin), (twice, Which::TwicePassWithin)]),
        }
        let fails = told.iter().map(|(change, which)| bench.fails(*change, *which)).collect();
        let shown = told.iter().filter(|(_, which)| *which != Which::TwicePassWithin);
        let curve = bench.curve(shown.map(|(change, _)| *change));
        CheckPlan {
            name: self.check.name.clone(),
            kind: self.check.kind.word(),
            on_fail: self.check.on_fail,
            worse: policy.worse,
            scale: self.scale,
            tolerance: policy.tolerance,
            pass_within: policy.pass_within,
            alpha: self.levels.alpha,
            beta: self.levels.beta,
            traffic: self.traffic,
            floor: self.lone,
            detects,
            slower: detects.filter(|_| self.scale == Scale::Points).and_then(|points| self.shape.times(points)),
            fails,
            passes,
            curve,
            undecided: self.undecided(&mut bench),
            notes: self.notes(detects),
        }
    }

    fn notes(&self, detects: Option<f64>) -> Vec<Note> {
        let traffic = &self.traffic;
        let mut notes = Vec::new();
        if let CheckKind::Gauge { test, scale, per, .. } = &self.check.kind {
            let few = traffic.instances[0] < 3 || traffic.instances[1] < 5;
            notes.extend(matches!(scale, GaugeScale::Both { .. }).then_some(Note::RelativeMarginsOnly));
            notes.extend((*scale == GaugeScale::Absolute).then_some(Note::NoiseInUnits));
            notes.extend((*test == GaugeTest::MannWhitney).then_some(Note::RanksAsMeans));
            notes.extend((*test == GaugeTest::ByInstance && few).then_some(Note::JudgedAsCohorts));
            notes.extend(per.is_some().then_some(Note::WithoutPer));
        }
        let by_instance = matches!(self.check.kind, CheckKind::Gauge { test: GaugeTest::ByInstance, .. });
        let offsets = traffic.offsets > 0.0 && !by_instance;
        let moves = traffic.diurnal > 0.0 || traffic.incidents > 0.0 || traffic.bursts > 0.0;
        notes.extend((offsets || moves).then_some(Note::OnlySimulated));
        notes.extend(detects.is_none().then_some(Note::NothingDetected));
        notes
    }
}

impl Bench<'_> {
    fn fails(&mut self, change: f64, which: Which) -> Fails {
        let chances = self.fail_chances(change);
        Fails {
            change,
            which,
            by_quarter: self.grid.by_quarter(&self.grid.fail_ends, &chances),
            median: self.grid.median(&self.grid.fail_ends, &chances),
        }
    }

    /// The power of changes up to a little beyond the farthest margin or change asked about,
    /// with more of them where it rises.
    fn curve(&mut self, told: impl Iterator<Item = f64>) -> Vec<Power> {
        let scale = self.setup.scale;
        let farthest = told.fold(self.setup.policy.pass_within, f64::max);
        let end = scale.inner(scale.times(farthest, CURVE_REACH)).min(scale.inner(self.most()));
        let mut point = |inner: f64| {
            let chances = self.fail_chances(scale.outer(inner));
            (inner, self.grid.by_quarter(&self.grid.fail_ends, &chances))
        };
        let evenly = (0..EVENLY).map(|step| end * f64::from(step) / f64::from(EVENLY - 1));
        let mut curve: Vec<(f64, [f64; 4])> = evenly.map(&mut point).collect();
        while curve.len() < CURVE {
            let rise = |pair: &[(f64, [f64; 4])]| {
                let rises = pair[0].1.iter().zip(pair[1].1).map(|(low, high)| (high - low).abs());
                rises.fold(0.0, f64::max) * (pair[1].0 - pair[0].0).sqrt()
            };
            let steepest = curve.windows(2).enumerate().max_by(|a, b| rise(a.1).total_cmp(&rise(b.1)));
            let Some((before, pair)) = steepest else { break };
            let middle = point(0.5 * (pair[0].0 + pair[1].0));
            curve.insert(before + 1, middle);
        }
        curve.into_iter().map(|(inner, by_quarter)| Power { change: scale.outer(inner), by_quarter }).collect()
    }
}
