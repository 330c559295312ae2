//! The error budget in the report of a verdict: the service, the wave, and every policy.

use crate::report::terminal::plain;
use crate::wire::number;
use crate::wire::percent;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use std::fmt::Write as _;

/// What stands where a number is not known.
pub(super) const UNKNOWN: &str = "–";

/// `budget` of a gate's document.
#[derive(Deserialize)]
pub(super) struct Budget {
    slo: String,
    service: String,
    class: String,
    state: String,
    remaining: Option<f64>,
    spent_by_waves: Option<f64>,
    exhausted_in_seconds: Option<f64>,
    through: Option<String>,
    windows: Vec<Window>,
    tiers: Vec<Tier>,
    wave: Wave,
    policies: Vec<Policy>,
}

/// One window of a service.
#[derive(Deserialize)]
pub(super) struct Window {
    #[serde(rename = "window")]
    length: String,
    pub(super) burn: Option<f64>,
    pub(super) coverage: f64,
}

#[derive(Deserialize)]
struct Tier {
    name: String,
    factor: f64,
    firing: bool,
}

#[derive(Deserialize)]
struct Wave {
    canary: Cohort,
    baseline: Cohort,
    baseline_kind: Option<String>,
    planned: Planned,
    ratio: Range,
    overdispersion: f64,
    excess: Range,
    dropped_strata: u32,
    share: Option<f64>,
    projected: Bound,
}

#[derive(Deserialize)]
struct Cohort {
    bad: f64,
    total: f64,
    burn: Option<f64>,
}

#[derive(Deserialize)]
struct Planned {
    bad: f64,
    total: f64,
}

#[derive(Deserialize)]
struct Range {
    estimate: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
}

#[derive(Deserialize)]
struct Bound {
    estimate: Option<f64>,
    low: Option<f64>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(rename = "policy")]
    name: String,
    reading: String,
    limit: Option<f64>,
    value: Option<f64>,
    low: Option<f64>,
    says: String,
}

impl Budget {
    /// The section of the report, with an empty line before it.
    pub(super) fn section(&self) -> String {
        let mut page = String::new();
        let (slo, service, class) = (plain(&self.slo), plain(&self.service), plain(&self.class));
        let through = self.through.as_ref().map_or(String::new(), |at| format!(", data through {}", plain(at)));
        let _ = writeln!(page, "\nerror budget  {slo} of {service}, {class} wave");
        let _ = writeln!(page, "  service   {}{through}", plain(&self.state));
        let _ = writeln!(page, "            {}", self.left());
        if !self.windows.is_empty() {
            let _ = writeln!(page, "  burn      {}", burns(&self.windows));
        }
        for tier in &self.tiers {
            let says = if tier.firing { "fires" } else { "is held back: too few bad events" };
            let _ = writeln!(page, "            {} {says}: more than {}x", plain(&tier.name), number(tier.factor));
        }
        self.wave.write(&mut page);
        if !self.policies.is_empty() {
            let _ = writeln!(page, "\n{}", indented(policies(&self.policies)));
        }
        page
    }

    fn left(&self) -> String {
        let mut parts =
            vec![self.remaining.map_or("what is left is not known".to_owned(), |left| {
                format!("{} of the budget left", percent(left))
            })];
        parts.extend(self.spent_by_waves.map(|spent| format!("waves spent {}", percent(spent))));
        parts.extend(self.exhausted_in_seconds.map(gone));
        parts.join("; ")
    }
}

impl Wave {
    fn write(&self, page: &mut String) {
        let ratio = match (self.ratio.estimate, self.ratio.low, self.ratio.high) {
            (None, None, _) => "cannot be compared yet".to_owned(),
            (estimate, low, high) => {
                let low = low.map_or(UNKNOWN.to_owned(), |low| format!("{}x", number(low)));
                let [estimate, high] = [estimate, high].map(unbounded);
                format!("{estimate} as fast as its baseline, {low} to {high}")
            }
        };
        let _ = writeln!(page, "  wave      {ratio}");
        let baseline = match self.baseline_kind.as_deref() {
            Some("historical") => "baseline of an earlier day",
            Some(_) => "baseline",
            None => "no baseline",
        };
        let _ = writeln!(page, "            canary {}, {baseline} {}", self.canary.told(), self.baseline.told());
        if let (Some(excess), share) = (self.excess.estimate, self.share) {
            let [low, high] = [self.excess.low, self.excess.high].map(|end| end.map_or(UNKNOWN.to_owned(), number));
            let share = share.map_or(String::new(), |share| format!(": {} of the budget", percent(share)));
            let _ = writeln!(page, "            excess {} errors, {low} to {high}{share}", number(excess));
        }
        if let (Some(estimate), Some(low)) = (self.projected.estimate, self.projected.low) {
            let (estimate, low) = (number(estimate), number(low));
            let _ = writeln!(page, "            with all of the traffic {estimate}x, at least {low}x");
        }
        if self.overdispersion > 1.0 {
            let times = number(self.overdispersion);
            let _ = writeln!(page, "            minutes vary {times} times as much as by chance: allowed for");
        }
        if self.planned.total > 0.0 {
            let (bad, total) = (number(self.planned.bad), number(self.planned.total));
            let _ = writeln!(page, "            {bad} bad of {total} in planned downtime are left out");
        }
        if self.dropped_strata > 0 {
            let strata = self.dropped_strata;
            let _ = writeln!(page, "            {strata} strata have no events of one cohort and are left out");
        }
    }
}

impl Cohort {
    fn told(&self) -> String {
        let burn = self.burn.map_or(String::new(), |burn| format!(" ({}x)", number(burn)));
        format!("{} bad of {}{burn}", number(self.bad), number(self.total))
    }
}

/// What has a lower bound and no number has no upper one.
fn unbounded(end: Option<f64>) -> String {
    end.map_or_else(|| "∞".to_owned(), |end| format!("{}x", number(end)))
}

/// The burn rate of each window, with how much of it was seen where that is not all.
pub(super) fn burns(windows: &[Window]) -> String {
    let one = |window: &Window| {
        // Two digits: seven windows fit on a line, and no more is read from them at a glance.
        let burn = window.burn.map_or(UNKNOWN.to_owned(), |burn| match burn {
            burn if burn < 1.0 => format!("{burn:.2}x"),
            burn if burn < 10.0 => format!("{burn:.1}x"),
            burn => format!("{burn:.0}x"),
        });
        let seen = if window.coverage < 0.995 && window.burn.is_some() {
            format!(" ({} seen)", percent(window.coverage))
        } else {
            String::new()
        };
        format!("{} {burn}{seen}", plain(&window.length))
    };
    windows.iter().map(one).collect::<Vec<_>>().join("  ")
}

/// When nothing is left of an error budget.
pub(super) fn gone(seconds: f64) -> String {
    if seconds <= 0.0 { "all gone".to_owned() } else { format!("all gone in {}", within(seconds)) }
}

/// A time to come, to two digits: 50 h, not 3 days.
pub(super) fn within(seconds: f64) -> String {
    match seconds {
        seconds if seconds <= 0.0 => "now".to_owned(),
        seconds if seconds < 7200.0 => format!("{:.0} min", (seconds / 60.0).max(1.0)),
        seconds if seconds < 360_000.0 => format!("{:.0} h", seconds / 3600.0),
        seconds => format!("{:.0} days", seconds / 86_400.0),
    }
}

/// A table with two blanks between its columns, as narrow as can be read.
pub(super) fn narrow(mut table: Table) -> Table {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table
}

/// `table` without the blanks that fill its last column, moved in.
pub(super) fn indented(table: Table) -> String {
    narrow(table).trim_fmt().lines().map(|line| format!("  {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

fn policies(policies: &[Policy]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["policy", "reads", "value", "low", "limit", "says"]);
    for read in policies {
        let shown = |value: Option<f64>| {
            let value = value.map(|value| match read.name.as_str() {
                "reserve" | "waves_spend" => percent(value),
                _ => format!("{}x", number(value)),
            });
            value.unwrap_or_else(|| UNKNOWN.to_owned())
        };
        let [value, low, limit] = [read.value, read.low, read.limit].map(shown);
        table.add_row([plain(&read.name), plain(&read.reading), value, low, limit, plain(&read.says)]);
    }
    for index in 2..5 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}
