//! The policy of a statistical check: margins, each in the unit of its kind.

use crate::rules::Policy;
use crate::rules::Worse;
use crate::rules::diagnostic::Spot;
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
    /// Relative change.
    Gauge,
}

/// Heaviest and lightest weight: further apart, the light one has no risk left to spend.
const WEIGHTS: (f64, f64) = (0.001, 1000.0);

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
            Self::Gauge => Words {
                unit: Unit::Percent,
                zero: 0.0,
                margins: Margins { tolerance: 0.05, pass_within: 0.2 },
                most: 100.0,
                help: "the margins of a gauge are a relative change: `5%`",
            },
        }
    }
}

/// Margins that stand where a file states none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Margins {
    pub(super) tolerance: f64,
    pub(super) pass_within: f64,
}

/// The policy that `table` states; where it is silent `defaults`, or else those of `scale`.
pub(super) fn policy(reader: &mut Reader<'_>, table: &Table<'_>, scale: Scale, defaults: Option<Margins>) -> Policy {
    let words = scale.words();
    let Margins { tolerance: usual, pass_within: usually_within } = defaults.unwrap_or(words.margins);
    let ways = [("increase", Worse::Increase), ("decrease", Worse::Decrease), ("either", Worse::Either)];
    let worse = table.get("worse").and_then(|entry| reader.word(entry, &ways)).unwrap_or(Worse::Increase);
    let tolerance = margin(reader, table, "tolerance", scale, worse);
    let pass_within = margin(reader, table, "pass_within", scale, worse);
    let policy = Policy {
        worse,
        tolerance: tolerance.map_or(usual, |(value, _)| value),
        pass_within: pass_within.map_or(usually_within, |(value, _)| value),
        weight: weight(reader, table),
    };
    let spot = pass_within.or(tolerance).map(|(_, spot)| spot);
    if let Some(spot) = spot.filter(|_| policy.pass_within <= policy.tolerance) {
        let text = |value| words.unit.text(value);
        let by_default = |stated: bool| if stated { "" } else { " (the default)" };
        let message = format!(
            "PASS within {}{} is not above the tolerance of {}{}",
            text(policy.pass_within),
            by_default(pass_within.is_some()),
            text(policy.tolerance),
            by_default(tolerance.is_some()),
        );
        let help = "between the two a wave goes on: `pass_within` is two to four times as far as `tolerance`";
        reader.error(spot, "impossible_margins", message, help);
    }
    if let Some((value, spot)) = tolerance
        && value <= 0.0
        && scale != Scale::Ratio
    {
        let message = "with a tolerance of nothing, the differences that any two instances have fail waves".to_owned();
        let help = format!("{} is the default", words.unit.text(usual));
        reader.warning(spot, "zero_tolerance", message, help);
    }
    policy
}

/// A margin in its unit and range, and where it stands.
fn margin(reader: &mut Reader<'_>, table: &Table<'_>, key: &str, scale: Scale, worse: Worse) -> Option<(f64, Spot)> {
    let words = scale.words();
    let entry = table.get(key)?;
    let value = reader.quantity(entry, words.unit, words.help)?;
    // Nothing falls by all of itself and goes on.
    let falls = scale == Scale::Gauge && worse != Worse::Increase;
    let most = if falls { 0.999 } else { words.most };
    if value < words.zero || value > most {
        let text = |value| words.unit.text(value);
        let message = format!("`{key}: {}` is not {} to {}", text(value), text(words.zero), text(most));
        let help = if falls && value > most {
            "a gauge cannot fall by 100% and still be there: use a `threshold` with `min`"
        } else {
            words.help
        };
        reader.error(entry.node.spot, "out_of_range", message, help);
        return None;
    }
    Some((value, entry.node.spot))
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
