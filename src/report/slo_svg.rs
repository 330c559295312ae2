//! An SLO as SVG: what is left of its error budget, how it burnt, and when waves were charged.
//!
//! Written by hand so that equal documents give equal bytes, with colours as classes for
//! light and dark pages, as power curves are.

use crate::report::slo::Charged;
use crate::report::slo::Whole;
use crate::report::svg::line;
use crate::report::svg::text;
use crate::report::terminal::cell;
use crate::report::xml_text;
use crate::wire::number;
use crate::wire::percent;
use std::fmt::Write as _;

/// The page, in pixels.
const WIDTH: f64 = 880.0;
const HEIGHT: f64 = 360.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 24.0;
/// The bar of what is left.
const BAR: (f64, f64) = (86.0, 16.0);
/// The history, from its top to its zero.
const PLOT: (f64, f64) = (150.0, 300.0);
/// Waves with a mark: more cannot be told apart at this width.
const WAVES_MAX: usize = 200;

const STYLE: &str = "\
svg{background:#fff;font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif}\
text{fill:#1f2733}.title{font-size:17px;font-weight:600}.small{font-size:11.5px;fill:#5b6675}\
.tick{font-size:10.5px;fill:#5b6675}.grid{stroke:#e4e8ee;stroke-width:1}.axis{stroke:#8c96a5;stroke-width:1}\
.goal{stroke:#b7791f;stroke-width:1.2;stroke-dasharray:6 3}\
.burn{fill:#6ea3e0}.hot{fill:#c4382b}.gone{fill:#9aa5b4}.waves{fill:#c4382b}.left{fill:#3b9a6b}.wave{fill:#154c94}\
@media(prefers-color-scheme:dark){svg{background:#14181f}text{fill:#e8ecf2}.small,.tick{fill:#a3adbb}\
.grid{stroke:#29303b}.axis{stroke:#6c7787}.goal{stroke:#d69e2e}.burn{fill:#3f71ad}\
.hot,.waves{fill:#f0776b}.gone{fill:#5d6878}.left{fill:#4cb583}.wave{fill:#b5d6fb}}";

/// The picture of an SLO's document.
///
/// # Errors
/// The document is not one of ours.
pub fn slo_svg(document: &str) -> Result<String, serde_json::Error> {
    let slo: Whole = serde_json::from_str(document)?;
    let name = xml_text(&cell(&slo.listed.slo));
    let mut page = String::new();
    let _ = writeln!(
        page,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH:.0}\" height=\"{HEIGHT:.0}\" viewBox=\"0 0 {WIDTH:.0} \
         {HEIGHT:.0}\" role=\"img\" aria-label=\"Error budget of {name}\">"
    );
    let _ = writeln!(page, "<style>{STYLE}</style>");
    let promise = xml_text(&slo.listed.promise());
    let (service, state) = (xml_text(&cell(&slo.listed.service)), xml_text(&slo.listed.state));
    text(&mut page, "title", (LEFT, 28.0), "start", &format!("{name}: {promise}"));
    text(
        &mut page,
        "small",
        (LEFT, 48.0),
        "start",
        &format!("{service}, {state}: {}", xml_text(&cell(&slo.listed.summary))),
    );
    left(&slo, &mut page);
    history(&slo, &mut page);
    page.push_str("</svg>\n");
    Ok(page)
}

/// The budget as one bar: what waves took, what else is gone, what is left.
fn left(slo: &Whole, page: &mut String) {
    let Some(remaining) = slo.listed.remaining else {
        text(page, "small", (LEFT, BAR.0), "start", "what is left of the budget is not known");
        return;
    };
    let whole = WIDTH - LEFT - RIGHT;
    let gone = (1.0 - remaining).clamp(0.0, 1.0);
    let waves = slo.listed.spent_by_waves.unwrap_or(0.0).clamp(0.0, gone);
    let (y, high) = BAR;
    let mut x = LEFT;
    for (class, share) in [("waves", waves), ("gone", gone - waves), ("left", 1.0 - gone)] {
        rect(page, class, (x, y), (whole * share, high));
        x += whole * share;
    }
    let spent = slo.listed.spent_by_waves.map_or(String::new(), |share| format!("waves {}, ", percent(share)));
    let label = format!("error budget: {spent}{} gone, {} left", percent(1.0 - remaining), percent(remaining));
    text(page, "small", (LEFT, y - 6.0), "start", &xml_text(&label));
}

fn history(slo: &Whole, page: &mut String) {
    let points = &slo.history.points;
    let fastest = points.iter().filter_map(|point| point.burn).fold(1.0, f64::max);
    let top = 1.1 * fastest;
    let (upper, zero) = PLOT;
    let y = |burn: f64| zero - (zero - upper) * (burn / top).clamp(0.0, 1.0);
    let right = WIDTH - RIGHT;
    let by = slo.by_events();
    let says = format!("burn rate over the period{by}; dashed is 1x, at which the budget lasts for just the period");
    text(page, "small", (LEFT, upper - 10.0), "start", &says);
    for burn in [0.0, 0.5 * fastest, fastest] {
        line(page, "grid", (LEFT, y(burn)), (right, y(burn)));
        text(page, "tick", (LEFT - 7.0, y(burn) + 3.5), "end", &format!("{}x", number(burn)));
    }
    let wide = (right - LEFT) / f64::from(u32::try_from(points.len().max(1)).unwrap_or(u32::MAX));
    for (point, place) in points.iter().zip(0_u32..) {
        let Some(burn) = point.burn else { continue };
        let class = if burn > 1.0 { "hot" } else { "burn" };
        let x = LEFT + wide * f64::from(place);
        rect(page, class, (x, y(burn)), ((wide - 1.0).max(0.5), (zero - y(burn)).max(0.5)));
    }
    line(page, "goal", (LEFT, y(1.0)), (right, y(1.0)));
    line(page, "axis", (LEFT, zero), (right, zero));
    let ends = slo.history.from.as_deref().zip(slo.history.to.as_deref());
    let Some((from, to)) = ends.and_then(|(from, to)| Some((seconds(from)?, seconds(to)?))) else { return };
    for (x, anchor, at) in [(LEFT, "start", &slo.history.from), (right, "end", &slo.history.to)] {
        text(page, "tick", (x, zero + 34.0), anchor, &xml_text(at.as_deref().unwrap_or_default()));
    }
    let marked = |wave: &Charged| Some((seconds(&wave.from)?, wave.share));
    for (at, share) in slo.waves.charged.iter().take(WAVES_MAX).filter_map(marked) {
        let x = LEFT + (right - LEFT) * ((at - from) / (to - from).max(1.0)).clamp(0.0, 1.0);
        let class = if share.is_some_and(|share| share > 0.0) { "waves" } else { "wave" };
        let _ = writeln!(page, "<path class=\"{class}\" d=\"M{x:.1} {:.1}l-4 8h8z\"/>", zero + 4.0);
    }
    if !slo.waves.charged.is_empty() {
        let label = "triangles: waves, red where one spent some of the budget";
        text(page, "tick", (0.5 * (LEFT + right), zero + 34.0), "middle", label);
    }
}

fn seconds(at: &str) -> Option<f64> {
    at.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_duration).map(|since| since.as_secs_f64())
}

fn rect(page: &mut String, class: &str, at: (f64, f64), size: (f64, f64)) {
    let _ = writeln!(
        page,
        "<rect class=\"{class}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
        at.0, at.1, size.0, size.1
    );
}
