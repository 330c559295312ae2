//! When the budget burns so fast that somebody is told: tiers, written or usual.

use crate::rules::keys::slo::ABSOLUTE;
use crate::rules::keys::slo::BURN;
use crate::rules::keys::slo::TIER;
use crate::rules::parse::required;
use crate::rules::parse::word_name;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::reader::listed;
use crate::rules::slo::Absolute;
use crate::rules::slo::Period;
use crate::rules::slo::Tier;
use crate::rules::slo::TierSeverity;
use crate::rules::slo::period::multiple;
use crate::rules::units::Unit;
use crate::rules::units::duration_text;
use crate::rules::yaml::RawNode;
use crate::rules::yaml::RawValue;
use crate::series::Fraction;
use std::time::Duration;

/// Most tiers: the workbook has four, and each is looked at with every slice.
const MAX_TIERS: usize = 16;

/// Shares of the error budget, per mille, of the usual tiers: of the workbook for a month
/// (slo.md §1.1), and sloth's for a week, whose factors would else be below what lasts.
const OF_A_MONTH: [u128; 4] = [20, 50, 100, 100];
const OF_A_WEEK: [u128; 4] = [80, 125, 200, 420];

/// What a period of at least this has the shares of a month for.
const MONTH: Duration = Duration::from_hours(28 * 24);

/// The usual tiers: name, severity, long and short window in minutes.
const USUAL: [(&str, TierSeverity, u64, u64); 4] = [
    ("page_fast", TierSeverity::Page, 60, 5),
    ("page_slow", TierSeverity::Page, 6 * 60, 30),
    ("ticket_fast", TierSeverity::Ticket, 24 * 60, 2 * 60),
    ("ticket_slow", TierSeverity::Ticket, 3 * 24 * 60, 6 * 60),
];

const SEVERITIES: [(&str, TierSeverity); 2] = [("page", TierSeverity::Page), ("ticket", TierSeverity::Ticket)];

/// What `burn` says.
pub(super) struct Burn {
    pub(super) tiers: Vec<Tier>,
    pub(super) min_bad: u32,
    pub(super) absolute: Option<Absolute>,
}

/// The tiers of an SLO of `period` that says nothing of them. One whose window is longer
/// than the period is left out, and one that would tell of a burn below nine tenths of
/// what the budget lasts for.
pub fn usual_tiers(period: Duration) -> Vec<Tier> {
    let shares = if period < MONTH { OF_A_WEEK } else { OF_A_MONTH };
    let least = Fraction::new(9, 10);
    let tier = |((name, severity, long, short), share): (&(&str, TierSeverity, u64, u64), u128)| {
        let (long, short) = (Duration::from_mins(*long), Duration::from_mins(*short));
        let factor = burn_factor(Fraction::new(share, 1000)?, period, long)?;
        let kept = long <= period && least.is_none_or(|least| least <= factor);
        kept.then(|| Tier { name: (*name).to_owned(), severity: *severity, long, short, factor })
    };
    USUAL.iter().zip(shares).filter_map(tier).collect()
}

/// The burn rate at which `share` of the budget of `period` is gone in `long` (slo.md §1).
pub fn burn_factor(share: Fraction, period: Duration, long: Duration) -> Option<Fraction> {
    share.times(Fraction::new(period.as_millis(), long.as_millis())?)
}

/// What the file says of burning, with what is usual where it is silent. `time` is the
/// period, and the length of what is counted: a window that held only part of one would
/// count nothing, and its tier never fire.
pub(super) fn burn(
    reader: &mut Reader<'_>,
    file: &Table<'_>,
    time: (&Period, Duration),
    objective: Option<Fraction>,
) -> Burn {
    let table = file.get("burn").and_then(|entry| reader.table(entry.node, "`burn`", BURN));
    let get = |key: &str| table.as_ref().and_then(|table| table.get(key));
    let min_bad = get("min_bad").and_then(|entry| reader.whole(entry, 1..=1_000_000, "5 is usual"));
    let absolute = get("absolute").and_then(|entry| absolute(reader, entry, time));
    let tiers = match get("tiers") {
        Some(entry) => {
            let written = tiers(reader, entry, time);
            for (tier, node) in &written {
                let Some(objective) = objective else { break };
                likely(reader, tier, node, objective);
            }
            written.into_iter().map(|(tier, _)| tier).collect()
        }
        None => usual(reader, file, time, objective),
    };
    if let (Some(objective), Some(entry)) = (objective, file.get("objective")) {
        no_page(reader, entry, &tiers, objective);
    }
    Burn { tiers, min_bad: min_bad.unwrap_or(5), absolute }
}

/// The usual tiers, where their windows are multiples of what is counted.
fn usual(
    reader: &mut Reader<'_>,
    file: &Table<'_>,
    (period, slice): (&Period, Duration),
    objective: Option<Fraction>,
) -> Vec<Tier> {
    let tiers = usual_tiers(period.nominal());
    let odd = tiers.iter().find(|tier| !tier.short.as_millis().is_multiple_of(slice.as_millis().max(1)));
    // Where slices of time are counted, it is their length.
    let by_slices =
        file.get("budgeting").filter(|entry| matches!(&entry.node.value, RawValue::Table(keys) if !keys.is_empty()));
    if let (Some(tier), Some(entry)) = (odd, by_slices.or_else(|| file.get("slice"))) {
        let (slice, short) = (duration_text(slice), duration_text(tier.short));
        let message = format!("the window of {short} of the usual tier `{}` is no multiple of {slice}", tier.name);
        reader.error(
            entry.node.spot,
            "not_a_multiple",
            message,
            "write a slice that divides `5m`, or tiers of your own",
        );
    }
    if let Some(entry) = file.get("period").filter(|_| tiers.iter().all(|tier| tier.severity != TierSeverity::Page)) {
        let message = format!("of a period of {} nobody is ever paged", duration_text(period.nominal()));
        let help = "the usual tiers are made for days: write some in `burn`, or `burn: { tiers: [] }` if that is meant";
        reader.warning(entry.node.spot, "no_page", message, help);
    }
    if let (Some(objective), Some(entry)) = (objective, file.get("objective")) {
        let dead: Vec<&str> =
            tiers.iter().filter(|tier| !can_fire(tier, objective)).map(|tier| tier.name.as_str()).collect();
        if !dead.is_empty() {
            let message = format!("by this objective {} of the usual tiers can never fire", listed(&dead));
            let help =
                "if every event is bad the budget burns slower than their factors: write tiers with smaller ones";
            reader.warning(entry.node.spot, "tier_cannot_fire", message, help);
        }
    }
    tiers
}

/// Whether anything burns as fast as `tier` asks: a budget burns fastest where all is bad.
fn can_fire(tier: &Tier, objective: Fraction) -> bool {
    let threshold = objective.complement().and_then(|budget| tier.factor.times(budget));
    threshold.is_some_and(|threshold| threshold < Fraction::ONE)
}

/// Warns of a tier that never fires, or that fires on what the budget lasts for.
fn likely(reader: &mut Reader<'_>, tier: &Tier, node: &RawNode, objective: Fraction) {
    if !can_fire(tier, objective) {
        let message = format!("`{}` can never fire: if every event is bad the budget burns slower", tier.name);
        reader.warning(node.spot, "tier_cannot_fire", message, "write a smaller factor, or promise more");
    }
    if tier.factor < Fraction::ONE {
        let message = format!("`{}` fires while the budget burns slower than it lasts for", tier.name);
        reader.warning(
            node.spot,
            "tier_below_budget",
            message,
            "write a factor of at least `1x`, or a larger `budget`",
        );
    }
}

fn no_page(reader: &mut Reader<'_>, entry: Entry<'_>, tiers: &[Tier], objective: Fraction) {
    let mut pages = tiers.iter().filter(|tier| tier.severity == TierSeverity::Page).peekable();
    if pages.peek().is_some() && pages.all(|tier| !can_fire(tier, objective)) {
        let message = "by this objective nobody is ever paged: no tier of that severity can fire".to_owned();
        let help = "write a tier of severity `page` with a smaller factor, or promise more";
        reader.warning(entry.node.spot, "no_page", message, help);
    }
}

/// The tiers that are right, with their nodes.
fn tiers<'n>(reader: &mut Reader<'_>, entry: Entry<'n>, time: (&Period, Duration)) -> Vec<(Tier, &'n RawNode)> {
    let RawValue::List(nodes) = &entry.node.value else {
        let message = "`tiers` is a list".to_owned();
        let help = "write `- { name: page_fast, severity: page, long: 1h, short: 5m, budget: 2% }`";
        reader.error(entry.node.spot, "wrong_type", message, help);
        return Vec::new();
    };
    if nodes.len() > MAX_TIERS {
        let message = format!("there are {} tiers, the limit is {MAX_TIERS}", nodes.len());
        reader.error(entry.key_spot, "too_many", message, "four are usual");
        return Vec::new();
    }
    let (mut tiers, mut taken): (Vec<(Tier, &RawNode)>, Vec<String>) = (Vec::new(), Vec::new());
    for node in nodes {
        let Some(table) = reader.table(node, "a tier", TIER) else { continue };
        let at = required(reader, &table, "name", "name it: `name: page_fast`");
        let name = at.and_then(|entry| word_name(reader, entry));
        if let (Some(entry), Some(name)) = (at, &name) {
            if taken.contains(name) {
                reader.error(entry.node.spot, "duplicate_name", format!("two tiers are named `{name}`"), "rename one");
            }
            taken.push(name.clone());
        }
        let severity = required(reader, &table, "severity", "write `page` or `ticket`");
        let severity = severity.and_then(|entry| reader.word(entry, &SEVERITIES));
        let windows = windows(reader, &table, time);
        let factor = factor(reader, &table, time.0, windows);
        if let (Some(name), Some(severity), Some((long, short)), Some(factor)) = (name, severity, windows, factor) {
            tiers.push((Tier { name, severity, long, short, factor }, node));
        }
    }
    tiers
}

/// The long and the short window of a tier.
fn windows(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    (period, slice): (&Period, Duration),
) -> Option<(Duration, Duration)> {
    let mut window = |key: &str, help: &str| {
        let entry = required(reader, table, key, help)?;
        let span = reader.duration(entry)?;
        multiple(reader, entry, span, slice).then_some((entry, span))
    };
    let (long, short) =
        (window("long", "write the long window: `long: 1h`"), window("short", "and the short one: `5m`"));
    if let Some((entry, long)) = long {
        within_period(reader, entry, long, period);
    }
    let ((_, long), (entry, short)) = (long?, short?);
    if short >= long {
        let message = format!("the short window of {} is no shorter than the long one", duration_text(short));
        reader.error(entry.node.spot, "impossible_window", message, "a twelfth of the long one is usual: `5m` of `1h`");
    }
    Some((long, short))
}

fn within_period(reader: &mut Reader<'_>, entry: Entry<'_>, span: Duration, period: &Period) {
    let most = period.nominal();
    if span > most {
        let (span, most) = (duration_text(span), duration_text(most));
        let message = format!("`{}: {span}` is longer than the period of {most}", entry.key);
        reader.error(entry.node.spot, "impossible_window", message, "no more than a period is kept: make it shorter");
    }
}

/// The factor of a tier, written or made from its share of the budget.
fn factor(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    period: &Period,
    windows: Option<(Duration, Duration)>,
) -> Option<Fraction> {
    match (table.get("budget"), table.get("factor")) {
        (Some(entry), None) => {
            let share = reader.exact(entry, Unit::Percent, "write a share of the error budget: `2%`")?;
            if share == Fraction::ZERO || share > Fraction::ONE {
                let message = "a share of the budget is above 0%, and at most 100%".to_owned();
                reader.error(entry.node.spot, "out_of_range", message, "2% of a month in an hour is usual");
                return None;
            }
            burn_factor(share, period.nominal(), windows?.0)
        }
        (None, Some(entry)) => {
            let factor = reader.exact(entry, Unit::Factor, "write a burn rate: `14.4x`")?;
            if factor == Fraction::ZERO {
                let message = "a factor is above 0x".to_owned();
                reader.error(entry.node.spot, "out_of_range", message, "at 1x the budget lasts for the period");
                return None;
            }
            Some(factor)
        }
        (Some(_), Some(entry)) => {
            let message = "a tier has a share of the `budget` or a `factor`".to_owned();
            reader.error(entry.key_spot, "budget_or_factor", message, "take one out: the other follows");
            None
        }
        (None, None) => {
            let message = "the tier says neither `budget` nor `factor`".to_owned();
            reader.error(table.spot, "budget_or_factor", message, "write what may burn in `long`: `budget: 2%`");
            None
        }
    }
}

fn absolute(reader: &mut Reader<'_>, entry: Entry<'_>, (period, slice): (&Period, Duration)) -> Option<Absolute> {
    let table = reader.table(entry.node, "`absolute`", ABSOLUTE)?;
    let bad = required(reader, &table, "bad", "say how many bad events: `bad: 50`");
    let bad = bad.and_then(|entry| reader.whole(entry, 1..=1_000_000_000, "a number of bad events"));
    let severity = table.get("severity").map_or(Some(TierSeverity::Ticket), |entry| reader.word(entry, &SEVERITIES));
    let entry = required(reader, &table, "within", "say within what time: `within: 6h`")?;
    let within = reader.duration(entry)?;
    if multiple(reader, entry, within, slice) {
        within_period(reader, entry, within, period);
    }
    Some(Absolute { bad: bad?, within, severity: severity? })
}
