//! The policy of a statistical check: margins, each in the unit of its kind.

use crate::rules::Policy;
use crate::rules::Worse;
use crate::rules::reader::Entry;
use crate::rules::reader::Reader;
use crate::rules::reader::Table;
use crate::rules::units::Unit;

/// What a kind of check measures its margins on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Canary rate over baseline rate.
    Ratio,
    /// Probability above one half.
    Histogram,
    /// Relative change of a quantile.
    Quantile,
    /// Relative change.
    Gauge,
    /// The unit of a gauge's query.
    Absolute,
}

/// Heaviest and lightest weight: further apart, the light one has no risk left to spend.
const WEIGHTS: (f64, f64) = (0.001, 1000.0);

/// Fewest and most intervals before anything is said: one shows no noise, and a
/// thousand are four hours of the usual interval.
const POINTS: (u32, u32) = (2, 1000);

/// A ratio below this is good enough, whatever the baseline's.
pub(super) const FLOOR: f64 = 0.001;

/// The file's words for a margin.
struct Words {
    unit: Unit,
    /// No change.
    zero: f64,
    margins: Margins,
    /// The largest margin that means something.
    most: f64,
    help: &'static str,
}

impl Scale {
    /// Intervals before anything is said (statistics.md §0): under four there is no telling one
    /// burst of events from a change.
    fn min_points(self) -> u32 {
        match self {
            Self::Ratio | Self::Histogram | Self::Quantile => 4,
            Self::Gauge | Self::Absolute => 8,
        }
    }

    fn words(self) -> Words {
        match self {
            Self::Ratio => Words {
                unit: Unit::Factor,
                zero: 1.0,
                margins: Margins { tolerance: 1.25, pass_within: 2.0 },
                most: 1000.0,
                help: "the margins of a ratio are factors of the rate: `1.25x`",
            },
            Self::Histogram => Words {
                unit: Unit::Points,
                zero: 0.0,
                margins: Margins { tolerance: 0.02, pass_within: 0.06 },
                // At 50 pp every canary request would have to be slower.
                most: 0.499,
                help: "the margins of a histogram are percentage points of probability over one half: `2pp`",
            },
            Self::Quantile => Words {
                unit: Unit::Percent,
                zero: 0.0,
                margins: Margins { tolerance: 0.1, pass_within: 0.5 },
                most: 100.0,
                help: "the margins of a histogram with `quantile` are a relative change of that quantile: `10%`",
            },
            Self::Gauge => Words {
                unit: Unit::Percent,
                zero: 0.0,
                margins: Margins { tolerance: 0.05, pass_within: 0.2 },
                most: 100.0,
                help: "the margins of a gauge are a relative change, `5%`, or plain numbers in the unit of the query, \
                       `0.2`",
            },
            Self::Absolute => Words {
                unit: Unit::Plain,
                zero: 0.0,
                // No default is right in a unit that we do not know, so a file that is silent is
                // refused. Nothing compares with NaN: no second fault is found in what is not there.
                margins: Margins { tolerance: f64::NAN, pass_within: f64::NAN },
                most: f64::INFINITY,
                help: "write a plain number in the unit of the query: `0.2`",
            },
        }
    }
}

/// Two margins: those that stand where a file states none, or those that it states.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margins {
    pub(super) tolerance: f64,
    pub(super) pass_within: f64,
}

/// The policy that `table` states; where it is silent `defaults`, or else those of `scale`.
pub(super) fn policy(reader: &mut Reader<'_>, table: &Table<'_>, scale: Scale, defaults: Option<Margins>) -> Policy {
    let worse = worse(reader, table);
    let stated = [table.get("tolerance"), table.get("pass_within")];
    let margins = margins(reader, scale, worse, stated, defaults);
    zero_tolerance(reader, scale, margins.tolerance, stated[0]);
    policy_of(reader, table, scale, worse, margins)
}

/// The policy of margins that have been read.
pub(super) fn policy_of(
    reader: &mut Reader<'_>,
    table: &Table<'_>,
    scale: Scale,
    worse: Worse,
    margins: Margins,
) -> Policy {
    let Margins { tolerance, pass_within } = margins;
    let min_points = min_points(reader, table, scale);
    Policy { worse, tolerance, pass_within, weight: weight(reader, table), min_points }
}

/// Which way is worse; more, where the file does not say.
pub(super) fn worse(reader: &mut Reader<'_>, table: &Table<'_>) -> Worse {
    let ways = [("increase", Worse::Increase), ("decrease", Worse::Decrease), ("either", Worse::Either)];
    table.get("worse").and_then(|entry| reader.word(entry, &ways)).unwrap_or(Worse::Increase)
}

/// The margins of two entries, `tolerance` first; where one is not written, that of
/// `defaults`, or else of `scale`.
pub(super) fn margins(
    reader: &mut Reader<'_>,
    scale: Scale,
    worse: Worse,
    stated: [Option<Entry<'_>>; 2],
    defaults: Option<Margins>,
) -> Margins {
    let words = scale.words();
    let usual = defaults.unwrap_or(words.margins);
    let [tolerance, pass_within] = stated.map(|entry| entry.map(|entry| margin(reader, entry, scale, worse)));
    let margins = Margins {
        tolerance: tolerance.flatten().unwrap_or(usual.tolerance),
        pass_within: pass_within.flatten().unwrap_or(usual.pass_within),
    };
    // Where one could not be read, nobody knows whether it is above the other.
    let read = tolerance != Some(None) && pass_within != Some(None);
    let last = stated[1].or(stated[0]);
    if let Some(entry) = last.filter(|_| read && margins.pass_within <= margins.tolerance) {
        let text = |value| words.unit.text(value);
        let by_default = |stated: bool| if stated { "" } else { " (the default)" };
        let message = format!(
            "PASS within {}{} is not above the tolerance of {}{}",
            text(margins.pass_within),
            by_default(pass_within.is_some()),
            text(margins.tolerance),
            by_default(tolerance.is_some()),
        );
        let help = "between the two a wave goes on: `pass_within` is two to four times as far as `tolerance`";
        reader.error(entry.node.spot, "impossible_margins", message, help);
    }
    margins
}

/// Warns of a `tolerance` that lets no difference be. A ratio's has a floor, and counts that vary.
pub(super) fn zero_tolerance(reader: &mut Reader<'_>, scale: Scale, tolerance: f64, entry: Option<Entry<'_>>) {
    let Some(entry) = entry.filter(|_| tolerance <= 0.0) else { return };
    let message = "with a tolerance of nothing, the differences that any two instances have fail waves".to_owned();
    let words = scale.words();
    let help = if scale == Scale::Absolute {
        "write a change that nobody would mind, in the unit of the query".to_owned()
    } else {
        format!("{} is the default", words.unit.text(words.margins.tolerance))
    };
    reader.warning(entry.node.spot, "zero_tolerance", message, help);
}

/// A margin in its unit and range.
fn margin(reader: &mut Reader<'_>, entry: Entry<'_>, scale: Scale, worse: Worse) -> Option<f64> {
    let words = scale.words();
    let value = if scale == Scale::Absolute {
        reader.number(entry, words.help)?
    } else {
        reader.quantity(entry, words.unit, words.help)?
    };
    // Nothing falls by all of itself and goes on.
    let falls = scale == Scale::Gauge && worse != Worse::Increase;
    let most = if falls { 0.999 } else { words.most };
    if value >= words.zero && value <= most {
        return Some(value);
    }
    let text = |value| words.unit.text(value);
    let range = if most.is_finite() {
        format!("is not {} to {}", text(words.zero), text(most))
    } else {
        format!("is below {}", text(words.zero))
    };
    let help = if falls && value > most {
        "a gauge cannot fall by 100% and still be there: use a `threshold` with `min`"
    } else {
        words.help
    };
    reader.error(entry.node.spot, "out_of_range", format!("`{}: {}` {range}", entry.key, text(value)), help);
    None
}

/// How many intervals with evidence there must be before anything is said; `scale` knows the default.
pub(super) fn min_points(reader: &mut Reader<'_>, table: &Table<'_>, scale: Scale) -> u32 {
    let usual = scale.min_points();
    let read = table.get("min_points").and_then(|entry| {
        let help = format!("a whole number of intervals; {usual} is the default");
        let number = reader.number(entry, &help)?;
        // A whole number is written without a point.
        let points = number.to_string().parse().ok().filter(|points| (POINTS.0..=POINTS.1).contains(points));
        if points.is_none() {
            let message = format!("`min_points: {number}` is not a whole number from {} to {}", POINTS.0, POINTS.1);
            reader.error(entry.node.spot, "out_of_range", message, help);
        }
        points
    });
    read.unwrap_or(usual)
}

/// The share of the risk, 1 where the file does not say.
pub(super) fn weight(reader: &mut Reader<'_>, table: &Table<'_>) -> f64 {
    let read = table.get("weight").and_then(|entry| {
        let help = "a weight is a plain number; 1 is the default, 2 takes twice the share of the risk";
        let weight = reader.number(entry, help)?;
        if weight >= WEIGHTS.0 && weight <= WEIGHTS.1 {
            return Some(weight);
        }
        let message = format!("a weight of {weight} is not {} to {}", WEIGHTS.0, WEIGHTS.1);
        reader.error(entry.node.spot, "out_of_range", message, help);
        None
    });
    read.unwrap_or(1.0)
}

/// The floor of a ratio check, `usual` where the file does not say. Where less is worse
/// there is nothing for it to mean.
pub(super) fn floor(reader: &mut Reader<'_>, table: &Table<'_>, worse: Worse, usual: f64) -> f64 {
    let default = if worse == Worse::Decrease { 0.0 } else { usual };
    let Some(entry) = table.get("floor") else { return default };
    if worse == Worse::Decrease {
        let message = "`floor` has no meaning where a decrease is worse".to_owned();
        reader.error(entry.key_spot, "misplaced_key", message, "take it out, or count the bad events instead");
        return default;
    }
    let Some(floor) = reader.quantity(entry, Unit::Percent, "a floor is a share of all events: `0.1%`") else {
        return default;
    };
    if floor >= 1.0 {
        let message = format!("a floor of {} lets everything through", Unit::Percent.text(floor));
        reader.error(entry.node.spot, "out_of_range", message, "a floor is a share of all events: `0.1%`");
        return default;
    }
    floor
}
