//! Gauge checks: what is asked, how it is tested, and what its margins are measured in.
//!
//! A gauge is the one kind with a choice of tests and of scales (statistics.md §2),
//! and not every choice goes with every other. What does not is refused here, so
//! that a test never has to guess which of two keys was meant.

use crate::rules::CheckKind;
use crate::rules::GaugeScale;
use crate::rules::GaugeTest;
use crate::rules::Schedule;
use crate::rules::Worse;
use crate::rules::check::queried;
use crate::rules::keys::check::PARTS;
use crate::rules::margin;
use crate::rules::margin::Margins;
use crate::rules::margin::Scale;
use crate::rules::parse::required;
use crate::rules::query::GaugeQuery;
use crate::rules::query::PromQl;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::units::duration_text;
use crate::rules::yaml::RawValue;
use std::time::Duration;

/// Keys that do not go together, with the mend. The first is where the fault is shown.
const PAIRS: &[(&str, &str, &str)] = &[
    ("drift", "test", "ranks do not show where a value is heading: take `test` out, or `drift`"),
    ("strict", "test", "the rank test has a correction of its own: take `strict` out, or `test`"),
    ("per", "test", "ranks are judged once: write `gauge: a / b` in place of `per`, or take `test` out"),
    ("drift", "by", "the mean of an instance does not show where it is heading: take `by` out, or `drift`"),
    ("strict", "by", "instances need no correction for disturbances that last: take `strict` out"),
    ("per", "by", "means of instances are judged once: write `gauge: a / b` in place of `per`, or take `by` out"),
    ("test", "by", "means of instances have a test of their own: take `test` out, or `by`"),
    ("drift", "per", "what is divided has no drift of its own: write `gauge: a / b` in place of `per`, or two checks"),
];

/// A gauge check.
pub(super) fn gauge(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    entry: Entry<'_>,
    schedule: &Schedule,
) -> Option<CheckKind> {
    let worse = margin::worse(reader, table);
    let (scale, margins) = scaled(reader, table, worse);
    let policy = margin::policy_of(reader, table, Scale::Gauge, worse, margins);
    let test = test(reader, table);
    let mut asked = |entry| {
        let query = queried(reader, entry, GaugeQuery::parse_with)?;
        if let GaugeQuery::Expr(expr) = &query {
            widened(reader, entry, expr);
            overlapping(reader, entry, expr, schedule.interval);
        }
        Some(query)
    };
    let query = asked(entry);
    let per = table.get("per").map(|entry| (entry, asked(entry)));
    if let Some((entry, divisor)) = &per {
        divided(reader, *entry, scale, query.as_ref(), divisor.as_ref());
    }
    let per = match per {
        Some((_, divisor)) => Some(divisor?),
        None => None,
    };
    Some(CheckKind::Gauge { query: query?, per, test, scale, policy })
}

/// How it is tested: the mean of the differences, unless the file says otherwise.
fn test(reader: &mut Reader<'_>, table: &Table<'_>) -> GaugeTest {
    let mut flag = |key: &str| table.get(key).and_then(|entry| reader.flag(entry)).unwrap_or(false);
    let (drift, strict) = (flag("drift"), flag("strict"));
    let mut word = |key: &str, word: (&str, GaugeTest)| table.get(key).and_then(|entry| reader.word(entry, &[word]));
    let ranks = word("test", ("mann_whitney", GaugeTest::MannWhitney));
    let instances = word("by", ("instance", GaugeTest::ByInstance));
    // A flag that is off is as good as not written.
    let is_on = |key: &str| match key {
        "drift" => drift,
        "strict" => strict,
        "test" => ranks.is_some(),
        "by" => instances.is_some(),
        _ => table.get(key).is_some(),
    };
    for (key, other, mend) in PAIRS {
        if let Some(entry) = table.get(key).filter(|_| is_on(key) && is_on(other)) {
            let message = format!("`{key}` and `{other}` do not go together");
            reader.error(entry.key_spot, "impossible_pair", message, *mend);
        }
    }
    instances.or(ranks).unwrap_or(GaugeTest::Paired { drift, strict })
}

/// Whether something is divided that can be: G-9 works on logarithms of sums.
fn divided(
    reader: &mut Reader<'_>,
    per: Entry<'_>,
    scale: GaugeScale,
    query: Option<&GaugeQuery>,
    divisor: Option<&GaugeQuery>,
) {
    if scale != GaugeScale::Relative {
        let message = "with `per` two values of different units are judged, and the margins have one unit".to_owned();
        let help = "write both margins as percentages, without `scale`: `tolerance: 5%`";
        reader.error(per.key_spot, "impossible_pair", message, help);
    }
    if divisor.is_some() && query == divisor {
        let message = "divided by itself the value is always 1".to_owned();
        reader.error(
            per.node.spot,
            "impossible_pair",
            message,
            "name the traffic: `per: rate(requests_total[$interval])`",
        );
    }
}

/// How a margin is written, which says what it is measured in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `5%`
    Percent,
    /// `0.2`
    Plain,
    /// `{ relative: 5%, absolute: 0.2 }`
    Parts,
}

impl Form {
    /// `None` where it is no margin at all.
    fn of(entry: Entry<'_>) -> Option<Self> {
        match &entry.node.value {
            RawValue::Text(text) => text.ends_with('%').then_some(Self::Percent),
            RawValue::Number(_) => Some(Self::Plain),
            RawValue::Table(_) => Some(Self::Parts),
            RawValue::Null | RawValue::Bool(_) | RawValue::List(_) => None,
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Self::Percent => "a percentage",
            Self::Plain => "a plain number",
            Self::Parts => "a mapping of two parts",
        }
    }
}

/// The scale with the margins on it; of two parts the relative ones.
fn scaled(reader: &mut Reader<'_>, table: &Table<'_>, worse: Worse) -> (GaugeScale, Margins) {
    let stated = [table.get("tolerance"), table.get("pass_within")];
    let scale = table.get("scale").filter(|entry| reader.word(*entry, &[("absolute", ())]).is_some());
    let Some(form) = form(reader, stated) else {
        return (GaugeScale::Relative, margin::margins(reader, Scale::Gauge, worse, [None, None], None));
    };
    match form {
        Form::Percent => {
            let margins = margin::margins(reader, Scale::Gauge, worse, stated, None);
            margin::zero_tolerance(reader, Scale::Gauge, margins.tolerance, stated[0]);
            (if scale.is_some() { GaugeScale::Median } else { GaugeScale::Relative }, margins)
        }
        Form::Plain => {
            let margins = margin::margins(reader, Scale::Absolute, worse, stated, None);
            margin::zero_tolerance(reader, Scale::Absolute, margins.tolerance, stated[0]);
            (GaugeScale::Absolute, margins)
        }
        Form::Parts => {
            if let Some(entry) = scale {
                let message = "`scale` and margins of two parts do not go together".to_owned();
                let help = "take `scale` out: the part `absolute` is in the unit of the query already";
                reader.error(entry.key_spot, "impossible_pair", message, help);
            }
            let [relative, absolute] = parts(reader, stated, worse);
            // FAIL needs both parts exceeded, so one of them may be nothing.
            let most = relative.tolerance.max(absolute.tolerance);
            margin::zero_tolerance(reader, Scale::Absolute, most, stated[0]);
            let Margins { tolerance, pass_within } = absolute;
            (GaugeScale::Both { tolerance, pass_within }, relative)
        }
    }
}

/// The form of both margins; `None` where each has its own, so that neither can be read.
fn form(reader: &mut Reader<'_>, stated: [Option<Entry<'_>>; 2]) -> Option<Form> {
    let forms = stated.map(|entry| entry.and_then(Form::of));
    let (written, silent) = match (stated, forms) {
        ([_, Some(entry)], [Some(tolerance), Some(pass_within)]) if tolerance != pass_within => {
            let message = format!("`tolerance` is {} and `pass_within` {}", tolerance.noun(), pass_within.noun());
            let help =
                "write both alike: `5%`, or `0.2` in the unit of the query, or `{ relative: 5%, absolute: 0.2 }`";
            reader.error(entry.node.spot, "mixed_margins", message, help);
            return None;
        }
        ([Some(entry), None], [Some(form), _]) => ((entry, form), "pass_within"),
        ([None, Some(entry)], [_, Some(form)]) => ((entry, form), "tolerance"),
        // What is no margin at all is read as the other is written.
        (_, [tolerance, pass_within]) => return tolerance.or(pass_within).or(Some(Form::Percent)),
    };
    let (entry, form) = written;
    if form != Form::Percent {
        let message = format!("`{}` is in the unit of the query, where `{silent}` has no default", entry.key);
        let help = format!("write `{silent}` as {} too, or `{}` as a percentage: `5%`", form.noun(), entry.key);
        reader.error(entry.node.spot, "no_default", message, help);
    }
    Some(form)
}

/// The relative margins and those in the unit of the query.
fn parts(reader: &mut Reader<'_>, stated: [Option<Entry<'_>>; 2], worse: Worse) -> [Margins; 2] {
    let tables = stated.map(|entry| {
        let entry = entry?;
        reader.table(entry.node, &format!("`{}`", entry.key), PARTS)
    });
    let mut part = |key: &str, scale: Scale| {
        let help = "write both parts, `{ relative: 5%, absolute: 0.2 }`, or one of them alone: `5%` or `0.2`";
        let entries = tables.each_ref().map(|table| required(reader, table.as_ref()?, key, help));
        margin::margins(reader, scale, worse, entries, None)
    };
    [part("relative", Scale::Gauge), part("absolute", Scale::Absolute)]
}

/// Warns where `$interval` is not what it seems.
pub(super) fn widened(reader: &mut Reader<'_>, entry: Entry<'_>, expr: &PromQl) {
    if expr.uses_interval() {
        let message = "`$interval` is at least four scrapes here, so windows may overlap".to_owned();
        let help = "only `rate` or `increase` of one selector over `[$interval]` is counted from raw samples";
        reader.warning(entry.node.spot, "interval_widened", message, help);
    }
}

fn overlapping(reader: &mut Reader<'_>, entry: Entry<'_>, expr: &PromQl, interval: Duration) {
    let longest = expr.longest_range();
    if longest > interval {
        let (longest, interval) = (duration_text(longest), duration_text(interval));
        let message = format!("windows of {longest} every {interval} overlap: one event is seen many times");
        let help = "write `[$interval]`, or know that the check needs longer to decide";
        reader.warning(entry.node.spot, "overlapping_windows", message, help);
    }
}
