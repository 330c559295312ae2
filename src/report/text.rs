//! A verdict as text for a terminal or a log.

use crate::report::budget::Budget;
use crate::report::terminal::painted;
use crate::report::terminal::plain;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt::Write as _;

/// How the document of a gate, or of a wave with its gates, reads on a terminal;
/// `colour` paints the verdict.
///
/// # Errors
/// The document is not one of ours.
pub fn text(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let wave: Head<'_> = serde_json::from_str(document)?;
    match wave.gates.as_deref() {
        None => gate_text(document, colour),
        Some([only]) => gate_text(only.get(), colour),
        Some(gates) => {
            let (verdict, id) = (painted(&wave.verdict, colour), plain(&wave.wave_id));
            let mut page = format!("{verdict}  wave {id}, {} gates\n      {}\n", gates.len(), plain(&wave.summary));
            for gate in gates {
                let _ = write!(page, "\n{}", gate_text(gate.get(), colour)?);
            }
            Ok(page)
        }
    }
}

/// Where the gates of a wave's document stand now, with their numbers and without the
/// why: what is drawn again and again while they are followed.
///
/// # Errors
/// The document is not one of ours.
pub fn progress(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let wave: Head<'_> = serde_json::from_str(document)?;
    let mut page = String::new();
    for gate in wave.gates.unwrap_or_default() {
        page.push_str(&standing(&serde_json::from_str(gate.get())?, colour));
    }
    Ok(page)
}

/// What the check `name` read, in one line; `None` where a gate's document does not have it.
///
/// # Errors
/// The document is not one of ours.
pub fn numbers(document: &str, name: &str) -> Result<Option<String>, serde_json::Error> {
    let gate: Gate = serde_json::from_str(document)?;
    let Some(check) = gate.checks.iter().find(|check| check.name == name) else { return Ok(None) };
    let cells = row(check);
    let [_, _, _, estimate, low, high, tolerance, pass_within, canary, baseline, _] = cells.as_slice() else {
        return Ok(None);
    };
    Ok(Some(if check.threshold.is_some() {
        format!("canary {estimate}, {low}, bound {tolerance}")
    } else {
        let margins = format!("tolerated {tolerance}, passes within {pass_within}");
        format!("estimate {estimate}, {low} to {high}; {margins}; canary {canary}, baseline {baseline}")
    }))
}

/// The verdict, where the gate is in its life, and its checks.
fn standing(gate: &Gate, colour: bool) -> String {
    let mut page = String::new();
    let of =
        |label: &str, at: &Option<String>| at.as_ref().map_or(String::new(), |at| format!("   {label} {}", plain(at)));
    let _ = writeln!(
        page,
        "{}  wave {}, gate {}, attempt {}",
        painted(&gate.verdict, colour),
        plain(&gate.wave_id),
        plain(&gate.rules),
        gate.attempt
    );
    let _ = writeln!(page, "      {}", plain(&gate.summary));
    page.push_str(&observing(gate.would.as_ref()));
    let looks = gate.planned_looks.map_or(String::new(), |planned| format!("   looks {} of {planned}", gate.looks));
    let last = of("last look", &gate.evaluated_at);
    let (state, start, deadline) = (plain(&gate.state), plain(&gate.start), of("deadline", &gate.deadline));
    // Two lines, since one would not fit a terminal of 80 columns.
    let _ = writeln!(page, "      {state}{looks}{last}\n      start {start}{deadline}");
    if !gate.checks.is_empty() {
        // Without the blanks that fill the last column.
        let table = table(&gate.checks).to_string();
        let _ = writeln!(page, "\n{}", table.lines().map(str::trim_end).collect::<Vec<_>>().join("\n"));
    }
    page
}

fn gate_text(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let gate: Gate = serde_json::from_str(document)?;
    let mut page = standing(&gate, colour);
    let _ = writeln!(page, "\nwhy");
    for reason in &gate.reasons {
        let check = reason.check.as_ref().map_or(String::new(), |check| format!("{}: ", plain(check)));
        let _ = writeln!(page, "  {check}{}  [{}]", plain(&reason.message), plain(&reason.code));
    }
    if let Some(budget) = &gate.budget {
        page.push_str(&budget.section());
    }
    if !gate.requires.is_empty() {
        let _ = writeln!(page, "\nrequires");
    }
    for one in &gate.requires {
        let said = one.attested.as_ref().map_or_else(
            || "not attested".to_owned(),
            |said| {
                let more = [&said.note, &said.url].into_iter().flatten();
                more.fold(format!("attested by {} at {}", plain(&said.by), plain(&said.at)), |text, part| {
                    format!("{text}  {}", plain(part))
                })
            },
        );
        let _ = writeln!(page, "  {}: {said}", plain(&one.name));
    }
    let notices: Vec<(&str, &Reason)> =
        gate.checks.iter().flat_map(|check| check.notices.iter().map(|notice| (check.name.as_str(), notice))).collect();
    if !notices.is_empty() {
        let _ = writeln!(page, "\nabout the evidence");
    }
    for (check, notice) in notices {
        let _ = writeln!(page, "  {}: {}", plain(check), plain(&notice.message));
    }
    let _ = writeln!(page, "\n  {}\n  rules {}", plain(&gate.caveat), plain(&gate.rules_digest));
    Ok(page)
}

/// The line that nobody overlooks: the verdict above it is not what the checks say.
pub(super) fn observing(would: Option<&Would>) -> String {
    let line = |would: &Would| format!("      OBSERVING  would say {}\n", plain(&would.verdict).to_uppercase());
    would.map_or(String::new(), line)
}

/// What a gate that only observes would say.
#[derive(Deserialize)]
pub(super) struct Would {
    verdict: String,
}

/// What stands above the gates; a gate's document has the same but for them.
#[derive(Deserialize)]
struct Head<'a> {
    wave_id: String,
    verdict: String,
    summary: String,
    #[serde(borrow, default)]
    gates: Option<Vec<&'a RawValue>>,
}

#[derive(Deserialize)]
struct Gate {
    wave_id: String,
    rules: String,
    attempt: u32,
    verdict: String,
    state: String,
    summary: String,
    reasons: Vec<Reason>,
    checks: Vec<Check>,
    looks: u32,
    planned_looks: Option<u32>,
    caveat: String,
    rules_digest: String,
    /// Absent in the document of an older daemon.
    #[serde(default)]
    budget: Option<Budget>,
    /// As well.
    #[serde(default)]
    requires: Vec<Requirement>,
    would: Option<Would>,
    evaluated_at: Option<String>,
    start: String,
    deadline: Option<String>,
}

#[derive(Deserialize)]
struct Requirement {
    name: String,
    attested: Option<Attestation>,
}

#[derive(Deserialize)]
struct Attestation {
    by: String,
    note: Option<String>,
    url: Option<String>,
    at: String,
}

#[derive(Deserialize)]
struct Reason {
    code: String,
    #[serde(default)]
    check: Option<String>,
    message: String,
}

#[derive(Deserialize)]
struct Check {
    name: String,
    kind: String,
    outcome: String,
    on_fail: String,
    estimate: Value,
    low: Value,
    high: Value,
    unit: Option<String>,
    tolerance: Value,
    pass_within: Value,
    threshold: Option<Threshold>,
    n: Pair,
    effective_n: Value,
    notices: Vec<Reason>,
}

#[derive(Deserialize)]
struct Threshold {
    bound: f64,
    side: String,
    canary: Option<Reading>,
    beyond: u32,
    samples: u32,
}

#[derive(Deserialize)]
struct Reading {
    value: f64,
}

#[derive(Deserialize)]
struct Pair {
    canary: f64,
    baseline: f64,
}

fn table(checks: &[Check]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header([
        "check",
        "kind",
        "outcome",
        "estimate",
        "low",
        "high",
        "tolerated",
        "passes within",
        "canary",
        "baseline",
        "worth",
    ]);
    for check in checks {
        table.add_row(row(check));
    }
    for index in 3..11 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn row(check: &Check) -> Vec<String> {
    let outcome =
        if check.on_fail == "fail" { check.outcome.clone() } else { format!("{} ({})", check.outcome, check.on_fail) };
    let mut row = vec![plain(&check.name), plain(&check.kind), plain(&outcome)];
    if let Some(threshold) = &check.threshold {
        let last = threshold.canary.as_ref().map_or_else(|| "–".to_owned(), |reading| digits(reading.value));
        let beyond = format!("{} of {} beyond", threshold.beyond, threshold.samples);
        let bound = format!("{} {}", plain(&threshold.side), digits(threshold.bound));
        row.extend([last, beyond, "–".to_owned(), bound, "–".to_owned()]);
    } else {
        let unit = check.unit.as_deref().unwrap_or(match check.kind.as_str() {
            "ratio" => "rate_ratio",
            "quantile" => "tail_ratio",
            "histogram" => "probability",
            _ => "relative_change",
        });
        let seen = check.unit.is_some();
        let shown = |value: &Value, open: &str| {
            value
                .as_f64()
                .map_or_else(|| if seen { open.to_owned() } else { "–".to_owned() }, |value| measured(value, unit))
        };
        row.extend([shown(&check.estimate, "∞"), shown(&check.low, "-∞"), shown(&check.high, "∞")]);
        // A gauge's margins may be of either unit, and before a look nothing tells which.
        let margin = |value: &Value| if seen || check.kind != "gauge" { shown(value, "–") } else { "–".to_owned() };
        row.extend([margin(&check.tolerance), margin(&check.pass_within)]);
    }
    let worth = check.effective_n.as_f64().map_or_else(|| "–".to_owned(), |worth| format!("{worth:.1}"));
    row.extend([digits(check.n.canary), digits(check.n.baseline), worth]);
    row
}

fn measured(value: f64, unit: &str) -> String {
    match unit {
        "rate_ratio" | "tail_ratio" => format!("{}x", digits(value)),
        "absolute_change" if value > 0.0 => format!("+{}", digits(value)),
        "absolute_change" => digits(value),
        "probability" => format!("{value:.3}"),
        "share" => format!("{} %", digits(value * 100.0)),
        // An early bound may be as far out as it likes, but not as wide.
        _ if value.abs() >= 1000.0 => format!("{:+.1e} %", value * 100.0),
        _ => format!("{:+.1} %", value * 100.0),
    }
}

/// Four digits, and no fraction for what is counted.
fn digits(value: f64) -> String {
    if value.fract() == 0.0 || 1000.0 <= value.abs() { format!("{value:.0}") } else { format!("{value:.3}") }
}
