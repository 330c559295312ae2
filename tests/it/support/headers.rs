//! What stands at the head of a shipped rule file: its plan and its simulation, in lines that
//! `cargo run --release --example headers` writes and a test compares.

use std::fmt::Write as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::thread;
use std::time::Duration;
use wavegate::plan::Case;
use wavegate::plan::Report;
use wavegate::plan::Row;
use wavegate::plan::Simulation;
use wavegate::plan::power;
use wavegate::plan::power::Assumptions;
use wavegate::plan::power::CheckPlan;
use wavegate::plan::power::Which;
use wavegate::plan::simulate;
use wavegate::plan::trials;
use wavegate::rules;
use wavegate::rules::RuleFile;

/// The lines stand between these two.
const BEGIN: &str = "# --- What it can do on the day that `traffic` states.\n";
const END: &str = "# ---\n";

/// Waves of each row: of 200 good ones without a false FAIL, 1.8 % might be.
const WAVES: u32 = 200;
const SEED: u64 = 1;

const COLUMNS: [&str; 5] = ["check", "finds", "pass_within", "found by", "simulated"];

/// The shipped rule files.
pub(crate) fn shipped() -> Vec<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("rules");
    let mut files: Vec<_> =
        std::fs::read_dir(folder).expect("the folder").map(|entry| entry.expect("a file").path()).collect();
    files.retain(|path| path.is_file());
    files.sort();
    files
}

/// `text` of a rule file with the lines between the markers as they are true now.
pub(crate) fn written(text: &str) -> String {
    let (head, rest) = text.split_once(BEGIN).expect("a line that begins what it can do");
    // With nothing between them the second follows at once.
    let (_, tail) = format!("\n{rest}").split_once(&format!("\n{END}")).map(owned).expect("a line `# ---` after it");
    let rules = rules::parse("shipped.yaml", text).expect("a rule file").rules;
    format!("{head}{BEGIN}{}{END}{tail}", lines(&rules))
}

fn owned((before, after): (&str, &str)) -> (String, String) {
    (before.to_owned(), after.to_owned())
}

fn lines(rules: &RuleFile) -> String {
    let assumed = Assumptions { traffic: rules.traffic.clone(), ..Assumptions::default() };
    let plan = power::plan(rules, &assumed);
    let report = simulated(rules);
    let mut table = vec![COLUMNS.map(str::to_owned)];
    table.extend(plan.checks.iter().map(|check| cells(rules, check, &report)));
    let mut text = String::new();
    for row in &table {
        let mut line = "#".to_owned();
        for (column, cell) in row.iter().enumerate() {
            let width = table.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
            write!(line, "   {cell:width$}").expect("text takes all");
        }
        writeln!(text, "{}", line.trim_end()).expect("text takes all");
    }
    let deadline = minutes(plan.deadline);
    writeln!(text, "# Plan: `finds` is the least change that fails 9 times of 10 by {deadline}; with a change of")
        .expect("text takes all");
    writeln!(text, "# `pass_within` half of all waves have failed by `found by`. An unchanged canary passes:")
        .expect("text takes all");
    text.push_str(&passes(&plan.checks));
    text.push_str(&good_waves(&report));
    text
}

/// By when each check passes an unchanged canary, the checks of one time together.
fn passes(checks: &[CheckPlan]) -> String {
    let mut times: Vec<(Option<Duration>, Vec<&str>)> = Vec::new();
    for check in checks {
        match times.iter_mut().find(|(time, _)| *time == check.passes.median) {
            Some((_, names)) => names.push(&check.name),
            None => times.push((check.passes.median, vec![&check.name])),
        }
    }
    times.sort_by_key(|(time, _)| time.unwrap_or(Duration::MAX));
    times.into_iter().fold(String::new(), |mut text, (time, names)| {
        let by =
            time.map_or_else(|| "in less than half of the waves".to_owned(), |time| format!("by {}", minutes(time)));
        writeln!(text, "#   half of the time {by}: {}", names.join(", ")).expect("text takes all");
        text
    })
}

fn simulated(rules: &RuleFile) -> Report {
    let each = rules.checks.iter().enumerate();
    let within = |(place, check)| Some((place, *trials(rules, check).first()?));
    let changes = each.filter_map(within).collect();
    let simulation = Simulation { waves: WAVES, seed: SEED, apart: false, stress: false, changes };
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    simulate(rules, &simulation, threads, &mut |_| {})
}

/// The cells of a check's line.
fn cells(rules: &RuleFile, check: &CheckPlan, report: &Report) -> [String; COLUMNS.len()] {
    let at_margin = check.fails.iter().find(|fails| fails.which == Which::PassWithin).expect("the margin of PASS");
    let changed =
        |row: &&Row| matches!(row.case, Case::Changed { check: place, .. } if rules.checks[place].name == check.name);
    let row = report.rows.iter().find(changed).expect("a row of each check");
    let half = row.to_fail.median.map_or_else(|| "-".to_owned(), |time| format!(", half by {}", short(time)));
    [
        check.name.clone(),
        check.detects.map_or_else(|| "nothing".to_owned(), |size| check.text(size)),
        check.text(check.pass_within),
        at_margin.median.map_or_else(|| "-".to_owned(), minutes),
        format!("{} % found{half}", percent(row.fails.share)),
    ]
}

/// What became of the waves in which nothing was changed.
fn good_waves(report: &Report) -> String {
    let good = report.rows.iter().find(|row| matches!(row.case, Case::Unchanged(_))).expect("a row of good waves");
    let half = good
        .to_pass
        .median
        .map_or_else(|| "not half of them".to_owned(), |time| format!("half of them by {}", short(time)));
    let [share, low, high] = [good.fails.share, good.fails.low, good.fails.high].map(percent);
    format!(
        "# Simulated, {} waves a row, seed {}: of good waves {share} % fail (95 % interval {low} to {high}),\n\
         # {} % pass, {half}.\n",
        report.waves,
        report.seed,
        percent(good.passed.share),
    )
}

fn minutes(span: Duration) -> String {
    short(span.as_secs_f64() / 60.0)
}

fn short(minutes: f64) -> String {
    format!("{} min", tenths(minutes))
}

fn percent(share: f64) -> String {
    tenths(100.0 * share)
}

/// To a tenth, without a zero that says nothing.
fn tenths(value: f64) -> String {
    let text = format!("{value:.1}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
