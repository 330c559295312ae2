//! Power curves as SVG: a panel a check, a line for each quarter of the time.
//!
//! Written by hand so that equal plans give equal bytes. No font is embedded: texts are few and
//! short, anchored where they stand, in whatever sans-serif there is. Colours are classes with
//! a second set for dark pages, so that one file serves both.

use crate::report::plan::Check;
use crate::report::plan::Document;
use crate::report::plan::span;
use crate::report::terminal::cell;
use crate::report::xml_text;
use std::fmt::Write as _;

/// Panels in a row.
const COLUMNS: usize = 2;
/// A panel with its margins, in pixels.
const WIDTH: f64 = 440.0;
const HEIGHT: f64 = 300.0;
/// The plot within it.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 58.0;
const BOTTOM: f64 = 48.0;
/// Above all panels: title and legend.
const HEAD: f64 = 72.0;
/// Ticks of an axis of changes, at most.
const TICKS: f64 = 6.0;
/// Checks with a panel: a file has at most some dozens, and a page no more.
const PANELS_MAX: usize = 64;

const STYLE: &str = "\
svg{background:#fff;font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
text{fill:#1f2733}.title{font-size:17px;font-weight:600}.name{font-size:14px;font-weight:600}\
.small{font-size:11px;fill:#5b6675}.tick{font-size:10.5px;fill:#5b6675}\
.grid{stroke:#e4e8ee;stroke-width:1}.axis{stroke:#8c96a5;stroke-width:1}\
.goal{stroke:#8c96a5;stroke-width:1;stroke-dasharray:3 3}\
.margin{stroke:#b7791f;stroke-width:1.2;stroke-dasharray:6 3}.marked{font-size:10.5px;fill:#975a16}\
.curve{fill:none;stroke-linejoin:round}.q0{stroke:#a9c8ee;stroke-width:1.6}.q1{stroke:#6ea3e0;stroke-width:1.8}\
.q2{stroke:#3b7cc9;stroke-width:2}.q3{stroke:#154c94;stroke-width:2.6}\
.dot{fill:#154c94;stroke:#fff;stroke-width:1.5}.warn{font-size:11px;fill:#b42318}\
@media(prefers-color-scheme:dark){svg{background:#14181f}text{fill:#e8ecf2}.small,.tick{fill:#a3adbb}\
.grid{stroke:#29303b}.axis,.goal{stroke:#6c7787}.margin{stroke:#d69e2e}.marked{fill:#ecc94b}\
.q0{stroke:#2b4a72}.q1{stroke:#3f71ad}.q2{stroke:#669fdf}.q3{stroke:#b5d6fb}.dot{fill:#b5d6fb;stroke:#14181f}\
.warn{fill:#fca5a5}}";

/// The power curves of a plan's document.
///
/// # Errors
/// The document is not one of ours.
pub fn svg(document: &str) -> Result<String, serde_json::Error> {
    let plan: Document = serde_json::from_str(document)?;
    let checks = &plan.checks[..plan.checks.len().min(PANELS_MAX)];
    let columns = COLUMNS.min(checks.len().max(1));
    let rows = checks.len().div_ceil(columns);
    let (wide, high) = (WIDTH * real(columns), HEAD + HEIGHT * real(rows));
    let mut page = String::new();
    let _ = writeln!(
        page,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{wide:.0}\" height=\"{high:.0}\" viewBox=\"0 0 {wide:.0} {high:.0}\" role=\"img\" aria-label=\"Power of the checks of {}\">",
        xml_text(&plan.rules)
    );
    let _ = writeln!(page, "<style>{STYLE}</style>");
    // A renderer that does not know `svg{{background}}` has a page all the same.
    let _ = writeln!(page, "<rect class=\"page\" width=\"100%\" height=\"100%\" fill=\"none\"/>");
    legend(&plan, &mut page);
    for (index, check) in checks.iter().enumerate() {
        let (x, y) = (WIDTH * real(index % columns), HEAD + HEIGHT * real(index / columns));
        let _ = writeln!(page, "<g transform=\"translate({x:.0} {y:.0})\">");
        panel(check, plan.deadline_seconds, &mut page);
        page.push_str("</g>\n");
    }
    page.push_str("</svg>\n");
    Ok(page)
}

/// The title, and which line is which.
fn legend(plan: &Document, page: &mut String) {
    let (rules, every) = (xml_text(&plan.rules), span(plan.interval_seconds));
    text(page, "title", (LEFT, 26.0), "start", &format!("{rules}: what a wave can detect"));
    let label = format!("chance of a FAIL, looking every {every}");
    text(page, "small", (LEFT, 46.0), "start", &label);
    for (quarter, seconds) in plan.quarters_seconds.iter().enumerate() {
        // Under each other's end: a label is at most as wide as a duration to the second.
        let x = LEFT + 98.0 * real(quarter);
        let _ = writeln!(
            page,
            "<line class=\"curve q{quarter}\" x1=\"{x:.1}\" y1=\"60\" x2=\"{:.1}\" y2=\"60\"/>",
            x + 20.0
        );
        text(page, "small", (x + 25.0, 64.0), "start", &format!("by {}", span(*seconds)));
    }
}

/// The scales of a panel.
struct Plot {
    /// The change at the right end.
    end: f64,
    /// No change, at the left end.
    none: f64,
}

impl Plot {
    fn x(&self, change: f64) -> f64 {
        let share = (change - self.none) / (self.end - self.none);
        LEFT + (WIDTH - LEFT - RIGHT) * share.clamp(0.0, 1.0)
    }

    fn y(chance: f64) -> f64 {
        TOP + (HEIGHT - TOP - BOTTOM) * (1.0 - chance.clamp(0.0, 1.0))
    }
}

fn panel(check: &Check, deadline: f64, page: &mut String) {
    let none = if matches!(check.unit.as_str(), "rate_ratio" | "times_floor") { 1.0 } else { 0.0 };
    let end = check.curve.last().map_or(none + 1.0, |point| point.change);
    let plot = Plot { none, end: if end > none { end } else { none + 1.0 } };
    text(page, "name", (LEFT, 20.0), "start", &xml_text(&cell(&check.name)));
    let by = span(deadline);
    match (&check.detects, &check.undecided) {
        (Some(detects), None) => {
            let label = format!("{}: detects {} with 90 % by {by}", xml_text(&check.kind), xml_text(&detects.text));
            text(page, "small", (LEFT, 36.0), "start", &label);
        }
        (detects, _) => {
            let least = detects.as_ref().map_or("nothing".to_owned(), |detects| xml_text(&detects.text));
            let label = format!("{}: cannot decide; detects {least} by {by}", xml_text(&check.kind));
            text(page, "warn", (LEFT, 36.0), "start", &label);
        }
    }
    axes(check, &plot, page);
    for quarter in 0..4 {
        let points: Vec<String> = check
            .curve
            .iter()
            .map(|point| format!("{:.1},{:.1}", plot.x(point.change), Plot::y(point.by_quarter[quarter])))
            .collect();
        let _ = writeln!(page, "<polyline class=\"curve q{quarter}\" points=\"{}\"/>", points.join(" "));
    }
    if let Some(detects) = check.detects.as_ref().filter(|detects| detects.value <= plot.end) {
        let (x, y) = (plot.x(detects.value), Plot::y(0.9));
        let _ = writeln!(page, "<circle class=\"dot\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\"/>");
    }
}

fn axes(check: &Check, plot: &Plot, page: &mut String) {
    let (left, right) = (LEFT, WIDTH - RIGHT);
    for chance in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let y = Plot::y(chance);
        line(page, "grid", (left, y), (right, y));
        text(page, "tick", (left - 7.0, y + 3.5), "end", &format!("{:.0} %", 100.0 * chance));
    }
    let goal = Plot::y(0.9);
    line(page, "goal", (left, goal), (right, goal));
    let (unit, times, fall) = shown_in(check);
    let base = Plot::y(0.0);
    for tick in ticks(plot.none, plot.end) {
        let x = plot.x(tick);
        line(page, "axis", (x, base), (x, base + 4.0));
        text(page, "tick", (x, base + 16.0), "middle", &format!("{fall}{}", number(tick * times)));
    }
    line(page, "axis", (left, base), (right, base));
    text(page, "small", (0.5 * (left + right), base + 34.0), "middle", unit);
    let marks = [(&check.tolerance, "tolerance"), (&check.pass_within, "pass_within")];
    // Without a baseline `pass_within` has no part.
    let marks = marks.into_iter().take(if check.floor.is_some() { 1 } else { 2 });
    for (margin, word) in marks {
        if margin.value <= plot.none || margin.value > plot.end {
            continue;
        }
        let x = plot.x(margin.value);
        line(page, "margin", (x, TOP), (x, base));
        // Above the plot, and where curves are over: so the two never meet, nor a curve.
        let (place, anchor) =
            if word == "tolerance" { ((x - 4.0, TOP - 4.0), "start") } else { ((x - 5.0, base - 8.0), "end") };
        text(page, "marked", place, anchor, &format!("{word} {}", xml_text(&margin.text)));
    }
}

/// What the axis of changes is called, what a change is multiplied with there, and what
/// stands before it.
fn shown_in(check: &Check) -> (&'static str, f64, &'static str) {
    let falls = check.tolerance.text.starts_with('-') || check.pass_within.text.starts_with('-');
    let sign = if falls { "−" } else { "" };
    match check.unit.as_str() {
        "times_floor" => ("how many times its floor (x)", 1.0, ""),
        "rate_ratio" => ("how many times the baseline's rate (x)", 1.0, ""),
        "probability_above_half" => ("points above an even chance to be slower (pp)", 100.0, sign),
        "relative_change" => ("change against the baseline (%)", 100.0, sign),
        _ => ("change in the unit of the query", 1.0, sign),
    }
}

/// Round numbers from `low` to `high`.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let rough = (high - low) / TICKS;
    let power = 10.0_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|step| step * power).find(|step| *step >= rough);
    let Some(step) = step.filter(|step| step.is_finite() && *step > 0.0) else { return Vec::new() };
    let first = (low / step - 1e-9).ceil();
    (0..=20_u32).map(|tick| (first + f64::from(tick)) * step).take_while(|tick| *tick <= high + 1e-9 * step).collect()
}

fn number(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

pub(super) fn line(page: &mut String, class: &str, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        page,
        "<line class=\"{class}\" x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\"/>",
        from.0, from.1, to.0, to.1
    );
}

/// `content` must be escaped.
pub(super) fn text(page: &mut String, class: &str, at: (f64, f64), anchor: &str, content: &str) {
    let _ = writeln!(
        page,
        "<text class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{anchor}\">{content}</text>",
        at.0, at.1
    );
}

fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_within() {
        for (low, high, expect) in [
            (0.0, 0.3, vec!["0", "0.05", "0.1", "0.15", "0.2", "0.25", "0.3"]),
            (1.0, 4.0, vec!["1", "1.5", "2", "2.5", "3", "3.5", "4"]),
            (0.0, 0.0, vec![]),
        ] {
            assert_eq!(ticks(low, high).into_iter().map(number).collect::<Vec<_>>(), expect);
        }
    }

    #[test]
    fn what_others_wrote_stays_text() {}
}
