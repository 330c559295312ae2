//! A simulation as text for a terminal or a log.

use crate::report::terminal::plain;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use std::fmt::Write as _;

/// How the document of a simulation reads on a terminal; `colour` paints what is not kept.
///
/// # Errors
/// The document is not one of ours.
pub fn simulation(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let found: Document = serde_json::from_str(document)?;
    let mut page = String::new();
    let _ = writeln!(
        page,
        "{}: {} made-up waves a row, a look every {} s for {} min, seed {}; shares with 95 % intervals",
        plain(&found.rules),
        found.waves,
        found.interval_seconds,
        found.deadline_seconds / 60.0,
        found.seed
    );
    if !found.traffic_stated {
        let _ = writeln!(
            page,
            "assumed traffic; state yours under `traffic:`, or measure it with `wavegate plan --source`"
        );
    }
    page.push_str(&days(&found.traffic));
    for note in &found.notes {
        let _ = writeln!(page, "note: {}", plain(&note.message));
    }
    let _ = writeln!(page, "\nnothing changed\n\n{}", written(&unchanged(&found)));
    if let Some(first) = found.unchanged.first() {
        let _ =
            writeln!(page, "\neach check, nothing changed, {}\n\n{}", plain(&traffic(first)), written(&checks(first)));
    }
    if !found.changed.is_empty() {
        let _ = writeln!(page, "\none thing changed\n\n{}", written(&changed(&found.changed)));
    }
    page.push('\n');
    conclude(&mut page, &found, colour);
    Ok(page)
}

#[derive(Deserialize)]
struct Document {
    rules: String,
    waves: u32,
    seed: u64,
    interval_seconds: f64,
    deadline_seconds: f64,
    false_fail: f64,
    false_pass: f64,
    kept: bool,
    traffic_stated: bool,
    notes: Vec<Note>,
    traffic: Vec<Day>,
    unchanged: Vec<Unchanged>,
    changed: Vec<Changed>,
}

#[derive(Deserialize)]
struct Note {
    message: String,
}

#[derive(Deserialize)]
struct Day {
    check: String,
    canary_per_second: f64,
    baseline_per_second: f64,
    canary_instances: u32,
    baseline_instances: u32,
    bad: f64,
    latency_median_seconds: f64,
    latency_p99_seconds: f64,
    noise: f64,
    autocorrelation: f64,
    offsets: f64,
    diurnal: f64,
    incidents_per_hour: f64,
    bursts_per_hour: f64,
}

/// Each different day once, with the checks that see it.
fn days(traffic: &[Day]) -> String {
    let mut days: Vec<(String, Vec<String>)> = Vec::new();
    for one in traffic {
        let (text, name) = (day(one), plain(&one.check));
        match days.iter_mut().find(|(known, _)| *known == text) {
            Some((_, names)) => names.push(name),
            None => days.push((text, vec![name])),
        }
    }
    // Most checks see the same; the others are named.
    days.sort_by_key(|(_, names)| std::cmp::Reverse(names.len()));
    let line = |(place, (text, names)): (usize, (String, Vec<String>))| {
        if place == 0 { format!("traffic: {text}\n") } else { format!("traffic of {}: {text}\n", names.join(", ")) }
    };
    days.into_iter().enumerate().map(line).collect()
}

fn day(day: &Day) -> String {
    let share = |share: f64| format!("{:.4}", 100.0 * share).trim_end_matches('0').trim_end_matches('.').to_owned();
    let mut text = format!(
        "canary {} a second on {}, baseline {} on {}; {} % bad; latency {} s, p99 {} s; noise {} %, autocorrelation {}",
        day.canary_per_second,
        day.canary_instances,
        day.baseline_per_second,
        day.baseline_instances,
        share(day.bad),
        day.latency_median_seconds,
        day.latency_p99_seconds,
        share(day.noise),
        day.autocorrelation
    );
    let troubles = [
        ("offsets", day.offsets, format!("{} %", share(day.offsets))),
        ("swing over a day", day.diurnal, format!("{} %", share(day.diurnal))),
        ("incidents an hour", day.incidents_per_hour, day.incidents_per_hour.to_string()),
        ("bursts an hour", day.bursts_per_hour, day.bursts_per_hour.to_string()),
    ];
    for (name, size, written) in troubles {
        if size > 0.0 {
            let _ = write!(text, ", {name} {written}");
        }
    }
    text
}

#[derive(Deserialize)]
struct Unchanged {
    traffic: String,
    false_fail: Proportion,
    kept: Option<bool>,
    passed: Proportion,
    held: Proportion,
    minutes_to_pass: Times,
    checks: Vec<CheckShare>,
}

#[derive(Deserialize)]
struct CheckShare {
    name: String,
    on_fail: String,
    false_fail: Proportion,
    passed: Proportion,
    minutes_to_pass: Times,
}

#[derive(Deserialize)]
struct Changed {
    check: String,
    change: String,
    detected: Proportion,
    minutes_to_fail: Times,
    passed: Proportion,
    held: Proportion,
    good_enough: bool,
    kept: Option<bool>,
}

#[derive(Deserialize)]
struct Proportion {
    share: f64,
    low: f64,
    high: f64,
}

#[derive(Deserialize)]
struct Times {
    median: Option<f64>,
    p90: Option<f64>,
}

fn unchanged(found: &Document) -> Table {
    let mut table = headed(&["traffic", "false FAIL", "passed", "held", "min to PASS", "90 % by", ""]);
    for row in &found.unchanged {
        let Times { median, p90 } = row.minutes_to_pass;
        table.add_row([
            traffic(row),
            interval(&row.false_fail),
            percent(row.passed.share),
            percent(row.held.share),
            minutes(median),
            minutes(p90),
            mark(row.kept).to_owned(),
        ]);
    }
    table
}

fn checks(row: &Unchanged) -> Table {
    let mut table = headed(&["check", "on fail", "false FAIL", "passed", "min to PASS", "90 % by"]);
    for check in &row.checks {
        let Times { median, p90 } = check.minutes_to_pass;
        let (name, on_fail) = (plain(&check.name), plain(&check.on_fail));
        let (fails, passed) = (interval(&check.false_fail), percent(check.passed.share));
        table.add_row([name, on_fail, fails, passed, minutes(median), minutes(p90)]);
    }
    table
}

fn changed(rows: &[Changed]) -> Table {
    let mut table = headed(&["check", "change", "found", "min to FAIL", "90 % by", "passed", "held", ""]);
    for row in rows {
        let Times { median, p90 } = row.minutes_to_fail;
        let remark = if row.good_enough { "within its floor: may pass" } else { mark(row.kept) };
        table.add_row([
            plain(&row.check),
            plain(&row.change),
            interval(&row.detected),
            minutes(median),
            minutes(p90),
            interval(&row.passed),
            percent(row.held.share),
            remark.to_owned(),
        ]);
    }
    table
}

fn conclude(page: &mut String, found: &Document, colour: bool) {
    let (fail, pass) = (percent(found.false_fail), percent(found.false_pass));
    let paint = |code: u8, word: &str| {
        if colour { format!("\u{1b}[1;{code}m{word}\u{1b}[0m") } else { word.to_owned() }
    };
    if found.kept {
        let _ = writeln!(
            page,
            "{}: no row shows more than the promised {fail} of false FAILs and {pass} of false PASSes.",
            paint(32, "kept")
        );
        return;
    }
    let _ = writeln!(page, "{}", paint(31, "not kept"));
    for row in found.unchanged.iter().filter(|row| row.kept == Some(false)) {
        let share = interval(&row.false_fail);
        let _ = writeln!(page, "  {}: {share} of good waves fail, {fail} are promised", traffic(row));
    }
    for row in found.changed.iter().filter(|row| row.kept == Some(false)) {
        let (check, change, share) = (plain(&row.check), plain(&row.change), interval(&row.passed));
        let _ = writeln!(page, "  {check} {change}: {share} of bad waves pass, {pass} are promised");
    }
    let _ = writeln!(page, "  Widen `tolerance`, ask for `by: instance` or `strict`, or judge for longer.");
}

fn mark(kept: Option<bool>) -> &'static str {
    if kept == Some(false) { "NOT KEPT" } else { "" }
}

/// The day in words.
fn traffic(row: &Unchanged) -> String {
    plain(&row.traffic.replace('_', " "))
}

fn interval(share: &Proportion) -> String {
    let number = |share: f64| format!("{:.1}", 100.0 * share);
    format!("{} ({} to {})", percent(share.share), number(share.low), number(share.high))
}

fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

fn minutes(minutes: Option<f64>) -> String {
    minutes.map_or_else(|| "–".to_owned(), |minutes| format!("{minutes:.1}"))
}

fn headed(columns: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(columns.iter().copied());
    // Names on the left, numbers on the right.
    for (place, name) in columns.iter().enumerate() {
        let is_name = matches!(*name, "traffic" | "check" | "on fail" | "change" | "");
        if let Some(column) = table.column_mut(place)
            && !is_name
        {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

/// Without the blanks that fill the last column.
fn written(table: &Table) -> String {
    table.to_string().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}
