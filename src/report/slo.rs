//! SLOs for people: a list of all, and one with everything.
//!
//! Lines fit a terminal of 80 columns where names do: the burn rates of an SLO have a
//! line of their own under it.

use crate::report::budget::UNKNOWN;
use crate::report::budget::Window;
use crate::report::budget::burns;
use crate::report::budget::gone;
use crate::report::budget::indented;
use crate::report::budget::narrow;
use crate::report::budget::within;
use crate::report::terminal::plain;
use crate::wire::number;
use crate::wire::percent;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use std::fmt::Write as _;

/// A line of history fits under a heading within 80 columns.
const BLOCKS: usize = 60;

/// The state of which there is nothing to tell but why.
const NO_DATA: &str = "no_data";

/// The list of SLOs; `colour` paints their states.
///
/// # Errors
/// The document is not one of ours.
pub fn slos(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let list: List = serde_json::from_str(document)?;
    if list.slos.is_empty() {
        return Ok("no SLOs\n".to_owned());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["state", "slo", "service", "objective", "left", "waves", "gone in"]);
    for slo in &list.slos {
        let gone = slo.exhausted_in_seconds.map_or(UNKNOWN.to_owned(), within);
        let share = |share: Option<f64>| share.map_or(UNKNOWN.to_owned(), percent);
        table.add_row([
            plain(&slo.state),
            plain(&slo.slo),
            plain(&slo.service),
            slo.promise(),
            share(slo.remaining),
            share(slo.spent_by_waves),
            gone,
        ]);
    }
    for index in 4..7 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let lines = narrow(table).trim_fmt();
    let mut lines = lines.lines();
    let mut page = String::new();
    let _ = writeln!(page, "{}", lines.next().unwrap_or_default().trim_end());
    for (line, slo) in lines.zip(&list.slos) {
        let state = plain(&slo.state);
        let rest = line.strip_prefix(state.as_str()).unwrap_or(line);
        let _ = writeln!(page, "{}{}", painted(&state, colour), rest.trim_end());
        if slo.state == NO_DATA {
            let _ = writeln!(page, "    {}", plain(&slo.summary));
            continue;
        }
        let _ = writeln!(page, "    burn {}", burns(&slo.windows));
        for said in slo.troubles() {
            let _ = writeln!(page, "    {said}");
        }
    }
    Ok(page)
}

/// One SLO; `colour` paints its state.
///
/// # Errors
/// The document is not one of ours.
pub fn slo(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let found: Whole = serde_json::from_str(document)?;
    let listed = &found.listed;
    let mut page = String::new();
    let (state, name, service) = (painted(&plain(&listed.state), colour), plain(&listed.slo), plain(&listed.service));
    let _ = writeln!(page, "{state}  slo {name} of {service}: {}", listed.promise());
    let _ = writeln!(page, "      {}", plain(&listed.summary));
    if let Some(description) = &listed.description {
        let _ = writeln!(page, "      {}", plain(description));
    }
    let (from, to) = (plain(&listed.period.from), plain(&listed.period.to));
    let through = listed.through.as_ref().map_or(UNKNOWN.to_owned(), |at| plain(at));
    let _ = writeln!(page, "      period {from} to {to}\n      data through {through}");
    let _ = writeln!(page, "\nerror budget");
    found.budget.write(listed.exhausted_in_seconds, &mut page);
    let _ = writeln!(page, "\nburn  {}", burns(&listed.windows));
    page.push_str(&found.history.drawn(found.by_events()));
    if !found.tiers.is_empty() {
        let _ = writeln!(page, "\n{}", indented(tiers(&found.tiers)));
    }
    let _ = writeln!(page, "\n{}", found.waves.told());
    if !found.waves.charged.is_empty() {
        let _ = writeln!(page, "\n{}", indented(waves(&found.waves.charged)));
        if found.waves.charged.iter().any(|wave| wave.edited_since) {
            let _ = writeln!(page, "  * charged by a text of the SLO that has been edited since");
        }
    }
    let _ = writeln!(page, "\npolicies\n{}", found.policies.told());
    found.upkeep.write(&mut page);
    Ok(page)
}

#[derive(Deserialize)]
struct List {
    slos: Vec<Listed>,
}

#[derive(Deserialize)]
pub(super) struct Listed {
    pub(super) slo: String,
    pub(super) service: String,
    description: Option<String>,
    objective: String,
    period: Period,
    pub(super) state: String,
    pub(super) summary: String,
    pub(super) remaining: Option<f64>,
    pub(super) spent_by_waves: Option<f64>,
    exhausted_in_seconds: Option<f64>,
    windows: Vec<Window>,
    through: Option<String>,
    loading: Option<f64>,
    trouble: Option<String>,
}

#[derive(Deserialize)]
struct Period {
    rolling: Option<String>,
    calendar: Option<String>,
    from: String,
    to: String,
}

impl Listed {
    /// `99.9% of 30d`.
    pub(super) fn promise(&self) -> String {
        let period = self.period.rolling.as_ref().map(|length| plain(length));
        let period = period.or_else(|| self.period.calendar.as_ref().map(|unit| format!("a {}", plain(unit))));
        format!("{} of {}", plain(&self.objective), period.unwrap_or_default())
    }

    fn troubles(&self) -> impl Iterator<Item = String> {
        let silent = self.trouble.as_ref().map(|said| plain(said));
        let loading = self.loading.map(|share| format!("{} of its past is read", percent(share)));
        silent.into_iter().chain(loading)
    }
}

#[derive(Deserialize)]
pub(super) struct Whole {
    #[serde(flatten)]
    pub(super) listed: Listed,
    budgeting: Budgeting,
    budget: Budget,
    tiers: Vec<Tier>,
    pub(super) waves: Waves,
    policies: Policies,
    upkeep: Upkeep,
    pub(super) history: History,
}

impl Whole {
    /// What is said beside a history, which is one of events, where the SLO counts slices.
    pub(super) fn by_events(&self) -> &'static str {
        if self.budgeting.method == "occurrences" { "" } else { " by events, where the SLO counts slices" }
    }
}

#[derive(Deserialize)]
struct Budgeting {
    method: String,
}

#[derive(Deserialize)]
struct Budget {
    bad: Option<f64>,
    seen: Option<f64>,
    total: Option<f64>,
    forecast: bool,
    covered: f64,
    allowed: Option<f64>,
    consumed: Option<f64>,
    remaining: Option<f64>,
}

impl Budget {
    fn write(&self, exhausted_in: Option<f64>, page: &mut String) {
        let known = |value: Option<f64>| value.map_or(UNKNOWN.to_owned(), number);
        let (Some(total), Some(allowed)) = (self.total, self.allowed) else {
            let why = if self.seen.is_none() { "nothing was seen of it" } else { "not all of its past is read" };
            let _ = writeln!(page, "  left      nobody knows what is left of the period: {why}");
            return;
        };
        let share = |value: Option<f64>| value.map_or(UNKNOWN.to_owned(), percent);
        let (bad, seen) = (known(self.bad), known(self.seen));
        let _ = writeln!(page, "  counted   {bad} bad of {seen}, over {} of the period", percent(self.covered));
        let how = if self.forecast { "if it goes on so" } else { "in all" };
        let _ = writeln!(page, "  allowed   {} bad of {} {how}", number(allowed), number(total));
        let (spent, left) = (share(self.consumed), share(self.remaining));
        let out = exhausted_in.map_or(String::new(), |left| format!("; {}", gone(left)));
        let _ = writeln!(page, "  gone      {spent}, {left} left{out}");
    }
}

#[derive(Deserialize)]
struct Tier {
    name: String,
    severity: String,
    long: String,
    short: String,
    factor: f64,
    long_burn: Option<f64>,
    short_burn: Option<f64>,
    firing: bool,
    suppressed: Option<String>,
    reachable: bool,
}

fn tiers(tiers: &[Tier]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["tier", "tells", "windows", "above", "long", "short", "says"]);
    for tier in tiers {
        let burn = |burn: Option<f64>| burn.map_or(UNKNOWN.to_owned(), |burn| format!("{}x", number(burn)));
        let says = match (tier.firing, &tier.suppressed, tier.reachable) {
            (true, _, _) => "FIRES".to_owned(),
            (false, Some(why), _) => plain(why),
            (false, None, false) => "can never fire".to_owned(),
            (false, None, true) if tier.long_burn.is_none() || tier.short_burn.is_none() => "no data".to_owned(),
            (false, None, true) => "quiet".to_owned(),
        };
        table.add_row([
            plain(&tier.name),
            plain(&tier.severity),
            format!("{}, {}", plain(&tier.long), plain(&tier.short)),
            format!("{}x", number(tier.factor)),
            burn(tier.long_burn),
            burn(tier.short_burn),
            says,
        ]);
    }
    for index in 3..6 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[derive(Deserialize)]
pub(super) struct Waves {
    excess: Option<f64>,
    share: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    pub(super) charged: Vec<Charged>,
}

#[derive(Deserialize)]
pub(super) struct Charged {
    pub(super) wave_id: String,
    rules: String,
    attempt: u32,
    pub(super) from: String,
    canary: Events,
    excess: f64,
    pub(super) share: Option<f64>,
    edited_since: bool,
}

#[derive(Deserialize)]
struct Events {
    bad: f64,
    total: f64,
}

impl Waves {
    fn told(&self) -> String {
        let Some(excess) = self.excess else {
            return "waves  what they spent is known to the daemon alone".to_owned();
        };
        let count = self.charged.len();
        if count == 0 {
            return "waves  none in this period".to_owned();
        }
        let share = self.share.map_or(UNKNOWN.to_owned(), percent);
        let range = match (self.low, self.high) {
            (Some(low), Some(high)) => format!(" ({} to {})", percent(low), percent(high)),
            _ => String::new(),
        };
        let plural = if count == 1 { "wave" } else { "waves" };
        format!("waves  {count} {plural} spent {share}{range} of the budget: {} errors", number(excess))
    }
}

fn waves(charged: &[Charged]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["wave", "gate", "from", "canary", "excess", "share"]);
    for wave in charged {
        let gate =
            if wave.attempt == 1 { plain(&wave.rules) } else { format!("{}#{}", plain(&wave.rules), wave.attempt) };
        let share = wave.share.map_or(UNKNOWN.to_owned(), percent);
        table.add_row([
            plain(&wave.wave_id),
            gate,
            plain(&wave.from),
            format!("{} of {}", number(wave.canary.bad), number(wave.canary.total)),
            number(wave.excess),
            if wave.edited_since { format!("{share} *") } else { share },
        ]);
    }
    for index in 3..5 {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

#[derive(Deserialize)]
struct Policies {
    wave_burn: Option<WaveBurn>,
    reserve: Option<f64>,
    waves_spend: Option<f64>,
    page: bool,
    projected: Option<f64>,
}

#[derive(Deserialize)]
struct WaveBurn {
    ratio: f64,
    floor: f64,
    scope: String,
    min_events: u32,
}

impl Policies {
    fn told(&self) -> String {
        let off = || "off".to_owned();
        let burn = self.wave_burn.as_ref().map_or_else(off, |rule| {
            let (ratio, floor) = (number(rule.ratio), number(rule.floor));
            format!(
                "pause above {ratio}x of the baseline ({}), from {floor}x and {} events",
                plain(&rule.scope),
                rule.min_events
            )
        });
        let reserve = self.reserve.map_or_else(off, |share| format!("hold below {} left", percent(share)));
        let spend = self.waves_spend.map_or_else(off, |share| format!("hold from {} spent by waves", percent(share)));
        let page = if self.page { "pause while somebody is paged".to_owned() } else { off() };
        let projected =
            self.projected.map_or_else(off, |burn| format!("pause above {}x with all of the traffic", number(burn)));
        format!(
            "  wave_burn    {burn}\n  reserve      {reserve}\n  waves_spend  {spend}\n  page         {page}\n  projected    \
             {projected}"
        )
    }
}

#[derive(Deserialize)]
struct Upkeep {
    samples_fetched: u64,
    samples_last: u64,
    estimated: bool,
    remarks: Vec<String>,
}

impl Upkeep {
    fn write(&self, page: &mut String) {
        let (all, last) = (self.samples_fetched, self.samples_last);
        let _ = writeln!(page, "\n  {all} samples fetched, {last} by the last question");
        if self.estimated {
            let _ = writeln!(page, "  counted by the server (increase): raw samples are too many");
        }
        for remark in &self.remarks {
            let _ = writeln!(page, "  the source remarks: {}", plain(remark));
        }
    }
}

#[derive(Deserialize)]
pub(super) struct History {
    pub(super) from: Option<String>,
    pub(super) to: Option<String>,
    step_seconds: Option<f64>,
    pub(super) points: Vec<Point>,
}

#[derive(Deserialize)]
pub(super) struct Point {
    pub(super) burn: Option<f64>,
}

impl History {
    /// A line of blocks, as high as the fastest burn of the period or the burn that lasts for
    /// just the period, whichever is more; a dot where nothing was seen.
    fn drawn(&self, by: &str) -> String {
        const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let together = self.points.len().div_ceil(BLOCKS).max(1);
        let group = |points: &[Point]| points.iter().filter_map(|point| point.burn).reduce(f64::max);
        let burns: Vec<Option<f64>> = self.points.chunks(together).map(group).collect();
        let Some(fastest) = burns.iter().copied().flatten().reduce(f64::max) else { return String::new() };
        let top = fastest.max(1.0);
        let block = |burn: &Option<f64>| {
            burn.map_or('·', |burn| {
                let level = LEVELS.iter().zip(1_u8..).find(|(_, level)| burn <= top * f64::from(*level) / 8.0);
                level.map_or('█', |(block, _)| *block)
            })
        };
        let line: String = burns.iter().map(block).collect();
        let each = self.step_seconds.map_or(String::new(), |step| {
            let hours = step * f64::from(u32::try_from(together).unwrap_or(u32::MAX)) / 3600.0;
            format!("each {} h, ", number(hours))
        });
        format!("      {line}\n      {each}fastest {}x{by}, █ is {}x\n", number(fastest), number(top))
    }
}

/// A state in capitals, in its colour where colours are wanted.
fn painted(state: &str, colour: bool) -> String {
    let code = match state {
        "ok" => 32,
        "page" => 31,
        _ => 33,
    };
    if colour { format!("\u{1b}[1;{code}m{state}\u{1b}[0m") } else { state.to_owned() }
}
