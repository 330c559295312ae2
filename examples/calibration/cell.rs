//! One cell of a table: what is simulated, what the design says of it, and what a
//! measured figure has to be.

use crate::support::simulation::gate;
use crate::support::simulation::run;
use wavegate::plan::traffic::Run;
use wavegate::plan::traffic::Scene;
use wavegate::plan::traffic::Tally;

/// What is counted of a wave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// A FAIL at any look.
    Fail,
    /// A PASS at any look, with no FAIL before.
    Pass,
}

/// What a figure has to be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Demand {
    /// A wrong verdict, at most so often.
    AtMost(f64),
    /// A right verdict: as often as in the design but for 10 points, and at most so
    /// many minutes later.
    AsGood(f64),
}

/// A figure of the design, as its tables have it: `.93/40` for 93 % of the waves and
/// a median of 40 minutes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    share: f64,
    median: Option<f64>,
}

impl Figure {
    /// Reads `.93/40`, `.23/-` or `.11`.
    pub(crate) fn of(text: &str) -> Self {
        let (share, median) = text.split_once('/').unwrap_or((text, "-"));
        Self { share: share.parse().expect("a share"), median: median.parse().ok() }
    }

    /// The same with a median in seconds.
    pub(crate) fn in_seconds(text: &str) -> Self {
        let Self { share, median } = Self::of(text);
        Self { share, median: median.map(|seconds| seconds / 60.0) }
    }
}

/// One demand on a cell.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Claim {
    verdict: Verdict,
    demand: Demand,
    design: Option<Figure>,
}

/// What is simulated, and what is asked of it.
#[derive(Debug)]
pub(crate) struct Cell {
    row: String,
    column: String,
    schedule: &'static str,
    risk: &'static str,
    checks: Vec<String>,
    scene: Scene,
    claims: Vec<Claim>,
}

/// A gate of one cell, before it has checks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Plan {
    /// The insides of `schedule`.
    pub(crate) schedule: &'static str,
    /// The insides of `risk`.
    pub(crate) risk: &'static str,
}

impl Plan {
    /// A cell with one check.
    pub(crate) fn cell(
        self,
        row: impl Into<String>,
        column: impl Into<String>,
        check: impl Into<String>,
        scene: impl Into<Scene>,
    ) -> Cell {
        self.cell_of(row, column, vec![check.into()], scene)
    }

    /// A cell with several.
    pub(crate) fn cell_of(
        self,
        row: impl Into<String>,
        column: impl Into<String>,
        checks: Vec<String>,
        scene: impl Into<Scene>,
    ) -> Cell {
        let Self { schedule, risk } = self;
        let (row, column, scene) = (row.into(), column.into(), scene.into());
        Cell { row, column, schedule, risk, checks, scene, claims: Vec::new() }
    }
}

impl Cell {
    /// Asks one more thing.
    pub(crate) fn claim(mut self, verdict: Verdict, demand: Demand, design: impl Into<Option<Figure>>) -> Self {
        self.claims.push(Claim { verdict, demand, design: design.into() });
        self
    }

    /// What it is called.
    pub(crate) fn name(&self) -> String {
        format!("{}, {}", self.row, self.column)
    }

    /// The lines of its claims, and how many of them do not hold; one line that says
    /// so where the engine does not know a word of its rules.
    pub(crate) fn lines(&self, seed: u64, waves: u32) -> (Vec<String>, usize) {
        let checks: Vec<&str> = self.checks.iter().map(String::as_str).collect();
        let gate = match gate(self.schedule, self.risk, &checks) {
            Ok(gate) => gate,
            Err(faults) => {
                let first = faults.lines().next().unwrap_or_default();
                return (vec![self.line("", "", "", &format!("not in this engine: {first}"))], 0);
            }
        };
        // Columns of a row share their traffic, so that they differ by their rules alone.
        let runs = run(&gate, &self.scene, &format!("{seed}/{}", self.row), waves);
        let judged: Vec<(String, bool)> = self.claims.iter().map(|claim| self.judged(claim, &runs)).collect();
        let broken = judged.iter().filter(|(_, broken)| *broken).count();
        (judged.into_iter().map(|(line, _)| line).collect(), broken)
    }

    fn judged(&self, claim: &Claim, runs: &[Run]) -> (String, bool) {
        let (word, tally) = match claim.verdict {
            Verdict::Fail => ("FAIL", Tally::of(runs, Run::fail)),
            Verdict::Pass => ("PASS", Tally::of(runs, Run::pass)),
        };
        let share = tally.share();
        let median = tally.median();
        let minutes = median.map_or(String::new(), |median| format!(" / {median:.1}"));
        let measured = format!("{share:.3} ± {:.3}{minutes}", tally.error_at(share));
        let design = claim.design.map_or(String::new(), |figure| {
            let minutes = figure.median.map_or(String::new(), |median| format!(" / {median:.1}"));
            format!("{:.3}{minutes}", figure.share)
        });
        let marks = marks(claim, &tally);
        (self.line(word, &measured, &design, &marks), !marks.is_empty())
    }

    fn line(&self, verdict: &str, measured: &str, design: &str, marks: &str) -> String {
        let Self { row, column, .. } = self;
        format!("| {row:<44} | {column:<20} | {verdict:<4} | {measured:<20} | {design:<12} | {marks} |")
    }
}

/// What a measured figure breaks, in words.
fn marks(claim: &Claim, tally: &Tally) -> String {
    let share = tally.share();
    match (claim.demand, claim.design) {
        (Demand::AtMost(level), _) if share > level + 2.0 * tally.error_at(level) => format!("ABOVE {level}"),
        (Demand::AsGood(look), Some(design)) => {
            let weak = share < design.share - 0.1;
            let late = design.median.is_some_and(|most| tally.median().is_none_or(|median| median > most + look));
            match (weak, late) {
                (true, _) => "WEAK".to_owned(),
                (false, true) => "LATE".to_owned(),
                (false, false) => String::new(),
            }
        }
        _ => String::new(),
    }
}
