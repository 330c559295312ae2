//! A plan as a table for a terminal.

use crate::report::terminal::plain;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use std::fmt::Write as _;

/// What a page needs of a plan's document.
#[derive(Deserialize)]
pub(crate) struct Document {
    pub(crate) rules: String,
    pub(crate) interval_seconds: f64,
    pub(crate) deadline_seconds: f64,
    pub(crate) quarters_seconds: [f64; 4],
    pub(crate) traffic: String,
    pub(crate) traffic_block: Option<String>,
    pub(crate) checks: Vec<Check>,
    pub(crate) unplanned: Vec<Unplanned>,
    pub(crate) notes: Vec<Note>,
}

#[derive(Deserialize)]
pub(crate) struct Unplanned {
    pub(crate) name: String,
    pub(crate) message: String,
}

#[derive(Deserialize)]
pub(crate) struct Check {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) unit: String,
    pub(crate) on_fail: String,
    pub(crate) tolerance: Sized,
    pub(crate) pass_within: Sized,
    pub(crate) floor: Option<f64>,
    pub(crate) traffic: Traffic,
    pub(crate) measured: Option<Seen>,
    pub(crate) detects: Option<Sized>,
    pub(crate) slower: Option<f64>,
    pub(crate) fails: Vec<Fails>,
    pub(crate) passes: Chances,
    pub(crate) curve: Vec<Point>,
    pub(crate) undecided: Option<Undecided>,
    pub(crate) notes: Vec<Note>,
}

#[derive(Deserialize)]
pub(crate) struct Sized {
    pub(crate) value: f64,
    pub(crate) text: String,
}

#[derive(Deserialize)]
pub(crate) struct Traffic {
    pub(crate) text: String,
}

#[derive(Deserialize)]
pub(crate) struct Seen {
    pub(crate) message: String,
}

#[derive(Deserialize)]
pub(crate) struct Fails {
    pub(crate) change: Sized,
    pub(crate) which: String,
    #[serde(flatten)]
    pub(crate) chances: Chances,
}

#[derive(Deserialize)]
pub(crate) struct Chances {
    pub(crate) by_quarter: [f64; 4],
    pub(crate) median_seconds: Option<f64>,
}

#[derive(Deserialize)]
pub(crate) struct Point {
    pub(crate) change: f64,
    pub(crate) by_quarter: [f64; 4],
}

#[derive(Deserialize)]
pub(crate) struct Undecided {
    pub(crate) message: String,
    pub(crate) help: String,
}

#[derive(Deserialize)]
pub(crate) struct Note {
    pub(crate) message: String,
}

/// Columns of a terminal that sentences are folded for.
const WIDE: usize = 116;
/// What is said of traffic that nobody stated.
pub(crate) const ASSUMED: &str = "assumed traffic; state yours under `traffic:`, or measure it with --source";

/// How the document of a plan reads on a terminal.
///
/// # Errors
/// The document is not one of ours.
pub fn plan(document: &str) -> Result<String, serde_json::Error> {
    let plan: Document = serde_json::from_str(document)?;
    let (every, until) = (span(plan.interval_seconds), span(plan.deadline_seconds));
    let mut page = format!(
        "{}: a look every {every} until {until}\n{}\nChances of a verdict by each quarter of the time to judge; a change counts from none, tolerance included.\n\n",
        plain(&plan.rules),
        match plan.traffic.as_str() {
            "assumed" => ASSUMED.to_owned(),
            other => format!("{} traffic", plain(other)),
        }
    );
    let _ = writeln!(page, "{}", table(&plan));
    for check in &plan.checks {
        remarks(check, &mut page);
    }
    for check in &plan.unplanned {
        let _ = writeln!(page, "{}: not planned: {}", plain(&check.name), plain(&check.message));
    }
    for note in &plan.notes {
        let _ = writeln!(page, "note: {}", plain(&note.message));
    }
    if let Some(block) = &plan.traffic_block {
        page.push_str("\nAs a block of the rule file:\n\n");
        block.lines().for_each(|line| {
            let _ = writeln!(page, "{}", plain(line));
        });
    }
    Ok(page)
}

fn table(plan: &Document) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let quarters = plan.quarters_seconds.map(|quarter| format!("by {}", span(quarter)));
    let head = ["check", "change", "", "verdict"].map(str::to_owned);
    table.set_header(head.into_iter().chain(quarters).chain(["half by".to_owned()]));
    for check in &plan.checks {
        let mut name = plain(&check.name);
        if check.detects.is_none() {
            let row = ["> any", "detected", "FAIL", "-", "-", "-", "-", "-"].map(str::to_owned);
            table.add_row(std::iter::once(std::mem::take(&mut name)).chain(row));
        }
        for fails in &check.fails {
            let which = match fails.which.as_str() {
                "detected" => "detected",
                "pass_within" => "pass_within",
                "twice_tolerance" => "2x tolerance",
                "twice_pass_within" => "twice as far",
                _ => "asked",
            };
            let verdict = if check.on_fail == "fail" { "FAIL" } else { "FAIL*" };
            let row = [plain(&fails.change.text), which.to_owned(), verdict.to_owned()];
            table.add_row(std::iter::once(std::mem::take(&mut name)).chain(row).chain(cells(&fails.chances)));
        }
        let row = ["none", "", "PASS"].map(str::to_owned);
        table.add_row(std::iter::once(name).chain(row).chain(cells(&check.passes)));
    }
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn cells(chances: &Chances) -> impl Iterator<Item = String> {
    let shares = chances.by_quarter.map(share);
    let median = chances.median_seconds.map_or("-".to_owned(), span);
    shares.into_iter().chain(std::iter::once(median))
}

fn remarks(check: &Check, page: &mut String) {
    let (tolerance, within) = (plain(&check.tolerance.text), plain(&check.pass_within.text));
    let (name, kind, traffic) = (plain(&check.name), plain(&check.kind), plain(&check.traffic.text));
    if let Some(floor) = check.floor {
        let floor = format!("{:.4}", 100.0 * floor).trim_end_matches('0').trim_end_matches('.').to_owned();
        let _ = writeln!(page, "{name}: {kind} without a baseline, changes are times its floor of {floor}%; {traffic}");
        let _ = writeln!(page, "  FAIL needs certainly more than {tolerance} its floor, PASS certainly less than 1x");
    } else {
        let _ = writeln!(page, "{name}: {kind}, tolerance {tolerance}, pass_within {within}; {traffic}");
    }
    if let Some(measured) = &check.measured {
        let _ = writeln!(page, "  measured: {}", plain(&measured.message));
    }
    if let (Some(detects), Some(slower)) = (&check.detects, check.slower) {
        let _ = writeln!(page, "  {} is everything {} slower", plain(&detects.text), share(slower));
    }
    if check.on_fail != "fail" {
        let does = if check.on_fail == "pause" { "asks a person" } else { "is only reported" };
        let _ = writeln!(page, "  * its FAIL {does} (on_fail: {})", plain(&check.on_fail));
    }
    for note in &check.notes {
        let _ = writeln!(page, "  note: {}", plain(&note.message));
    }
    if let Some(undecided) = &check.undecided {
        folded(page, "  warning: ", &plain(&undecided.message));
        folded(page, "  help: ", &plain(&undecided.help));
    }
}

/// `text` behind `head`, in lines that fit, the later ones as far in as the first.
fn folded(page: &mut String, head: &str, text: &str) {
    page.push_str(head);
    let start = head.chars().count();
    let mut column = start;
    for word in text.split(' ') {
        let wide = word.chars().count();
        if column > start && column + 1 + wide > WIDE {
            let _ = write!(page, "\n{}", " ".repeat(start));
            column = start;
        } else if column > start {
            page.push(' ');
            column += 1;
        }
        page.push_str(word);
        column += wide;
    }
    page.push('\n');
}

fn share(share: f64) -> String {
    format!("{:.0} %", 100.0 * share)
}

/// Seconds as `48m30s`.
pub(crate) fn span(seconds: f64) -> String {
    let millis = (1000.0 * seconds.clamp(0.0, 1e12)).round();
    let mut rest = millis;
    let mut text = String::new();
    for (unit, size) in [("d", 86_400_000.0), ("h", 3_600_000.0), ("m", 60_000.0), ("s", 1000.0), ("ms", 1.0)] {
        let count = (rest / size).floor();
        if count >= 1.0 {
            let _ = write!(text, "{count}{unit}");
            rest -= count * size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
