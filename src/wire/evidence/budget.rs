//! What an interval showed of an error budget.
//!
//! Keys are short and spans are lists, because every interval of a gate that minds a
//! budget has them: `[length_ms, slices, seen, bad, total]`, without the counts where nothing
//! was seen, and with the bad events behind where what is counted are no events.

use crate::rules::SloName;
use crate::series::BudgetEvidence;
use crate::series::CheckEvidence;
use crate::series::Counts;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::ServiceReading;
use crate::series::SpanReading;
use crate::series::Timestamp;
use crate::wire::evidence::CheckRow;
use crate::wire::evidence::Fault;
use serde::Deserialize;
use serde::Serialize;
use std::time::Duration;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct BudgetRow {
    wave: CheckRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    service: Option<ServiceRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceRow {
    through: i64,
    windows: Vec<SpanRow>,
    period: SpanRow,
    /// Absent where it is `period`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    events: Option<SpanRow>,
    from: i64,
    /// Absent where it is `through`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    seen_from: Option<i64>,
    /// Absent where it is 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    others: Option<f64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    paging: Vec<String>,
    /// Bad and all events.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    before: Option<(f64, f64)>,
}

/// Length in milliseconds, slices, those that were seen, what was counted as bad and in all,
/// and the bad events.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum SpanRow {
    Counted(u64, u32, u32, f64, f64),
    CountedBeside(u64, u32, u32, f64, f64, f64),
    Unknown(u64, u32, u32),
    UnknownBeside(u64, u32, u32, f64),
}

impl TryFrom<&BudgetEvidence> for BudgetRow {
    type Error = Fault;

    fn try_from(budget: &BudgetEvidence) -> Result<Self, Fault> {
        checked_wave(&budget.wave)?;
        let wave = CheckRow::try_from(&budget.wave)?;
        Ok(Self { wave, service: budget.service.as_ref().map(ServiceRow::try_from).transpose()? })
    }
}

impl TryFrom<BudgetRow> for BudgetEvidence {
    type Error = Fault;

    fn try_from(row: BudgetRow) -> Result<Self, Fault> {
        let wave = CheckEvidence::try_from(row.wave)?;
        checked_wave(&wave)?;
        Ok(Self { wave, service: row.service.map(ServiceReading::try_from).transpose()? })
    }
}

/// A wave is compared by counts alone, as a whole and by stratum.
fn checked_wave(wave: &CheckEvidence) -> Result<(), Fault> {
    let counted = |measure: &Measure| matches!(measure, Measure::Counts { .. } | Measure::Nothing);
    let sound = |observed: &Observed| {
        counted(&observed.measure) && observed.instances.iter().all(|instance| counted(&instance.measure))
    };
    let all = [Some(&wave.canary), wave.baseline.as_ref()].into_iter().flatten().all(sound);
    if all { Ok(()) } else { Err("the budget of a wave is not judged by counts".to_owned()) }
}

impl TryFrom<&ServiceReading> for ServiceRow {
    type Error = Fault;

    fn try_from(reading: &ServiceReading) -> Result<Self, Fault> {
        checked(reading)?;
        let through = reading.through.as_millis();
        let events = SpanRow::try_from(&reading.events)?;
        // `-0.0` is not 0 here: what is read must be what was written.
        let none_spent = reading.spent_by_others.to_bits() == 0.0_f64.to_bits();
        Ok(Self {
            through,
            windows: reading.windows.iter().map(SpanRow::try_from).collect::<Result<_, _>>()?,
            period: SpanRow::try_from(&reading.period)?,
            events: (bits(&reading.period) != bits(&reading.events)).then_some(events),
            from: reading.period_from.as_millis(),
            to: Some(reading.period_to.as_millis()).filter(|to| *to != through),
            seen_from: reading.seen_from.map(Timestamp::as_millis),
            others: (!none_spent).then_some(reading.spent_by_others),
            paging: reading.paging.clone(),
            before: reading.before.map(|counts| (counts.bad, counts.total)),
        })
    }
}

impl TryFrom<ServiceRow> for ServiceReading {
    type Error = Fault;

    fn try_from(row: ServiceRow) -> Result<Self, Fault> {
        let period = SpanReading::from(row.period);
        let reading = Self {
            through: Timestamp::from_millis(row.through),
            windows: row.windows.into_iter().map(SpanReading::from).collect(),
            period,
            events: row.events.map_or(period, SpanReading::from),
            period_from: Timestamp::from_millis(row.from),
            period_to: Timestamp::from_millis(row.to.unwrap_or(row.through)),
            seen_from: row.seen_from.map(Timestamp::from_millis),
            spent_by_others: row.others.unwrap_or(0.0),
            paging: row.paging,
            before: row.before.map(|(bad, total)| Counts { bad, total }),
        };
        checked(&reading).map(|()| reading)
    }
}

/// A span to the last bit of its numbers, so that what is left out is read as it was.
fn bits(span: &SpanReading) -> (Duration, u32, u32, Option<(u64, u64)>, u64) {
    let counts = span.counts.map(|counts| (counts.bad.to_bits(), counts.total.to_bits()));
    (span.length, span.slices, span.seen, counts, span.bad_events.to_bits())
}

impl TryFrom<&SpanReading> for SpanRow {
    type Error = Fault;

    fn try_from(span: &SpanReading) -> Result<Self, Fault> {
        let SpanReading { length, counts, seen, slices, bad_events: beside } = *span;
        let whole = u64::try_from(length.as_millis()).ok().filter(|ms| Duration::from_millis(*ms) == length);
        let ms = whole.ok_or_else(|| format!("a span of {length:?} is not whole milliseconds"))?;
        let is_counted = beside.to_bits() == counts.map_or(0.0, |counts| counts.bad).to_bits();
        Ok(match counts {
            Some(Counts { bad, total }) if is_counted => Self::Counted(ms, slices, seen, bad, total),
            Some(Counts { bad, total }) => Self::CountedBeside(ms, slices, seen, bad, total, beside),
            None if is_counted => Self::Unknown(ms, slices, seen),
            None => Self::UnknownBeside(ms, slices, seen, beside),
        })
    }
}

impl From<SpanRow> for SpanReading {
    fn from(row: SpanRow) -> Self {
        let counted = |bad, total| Some(Counts { bad, total });
        let (ms, slices, seen, counts, bad_events) = match row {
            SpanRow::Counted(ms, slices, seen, bad, total) => (ms, slices, seen, counted(bad, total), bad),
            SpanRow::CountedBeside(ms, slices, seen, bad, total, beside) => {
                (ms, slices, seen, counted(bad, total), beside)
            }
            SpanRow::Unknown(ms, slices, seen) => (ms, slices, seen, None, 0.0),
            SpanRow::UnknownBeside(ms, slices, seen, beside) => (ms, slices, seen, None, beside),
        };
        Self { length: Duration::from_millis(ms), counts, seen, slices, bad_events }
    }
}

/// What [`ServiceReading`], [`SpanReading`] and [`Counts`] say of themselves in words.
fn checked(reading: &ServiceReading) -> Result<(), Fault> {
    let ServiceReading { through, period_from, period_to, seen_from, spent_by_others: others, .. } = reading;
    let seen = seen_from.is_none_or(|seen| *period_from <= seen && seen <= *through);
    if !(seen && period_from <= through && through <= period_to) {
        return Err("the times of a service's reading are in disorder".to_owned());
    }
    if !reading.windows.is_sorted_by(|one, next| one.length < next.length) {
        return Err("the windows of a service's reading are not the shortest first".to_owned());
    }
    if !(others.is_finite() && 0.0 <= *others) {
        return Err(format!("other waves cannot have spent {others} errors"));
    }
    if let Some(name) = reading.paging.iter().find(|name| SloName::new(name).is_none()) {
        return Err(format!("{name:?} pages, which is no SLO's name"));
    }
    let spans = reading.windows.iter().chain([&reading.period, &reading.events]);
    if let Some(span) = spans.clone().find(|span| span.slices < span.seen) {
        return Err(format!("{} slices were seen of {}", span.seen, span.slices));
    }
    let beside = spans.clone().map(|span| span.bad_events).find(|bad| !(bad.is_finite() && 0.0 <= *bad));
    if let Some(bad) = beside {
        return Err(format!("{bad} is no count of bad events"));
    }
    let sound = |Counts { bad, total }: &Counts| total.is_finite() && 0.0 <= *bad && bad <= total;
    match spans.filter_map(|span| span.counts).chain(reading.before).find(|counts| !sound(counts)) {
        Some(Counts { bad, total }) => Err(format!("{bad} bad of {total} events is no count")),
        None => Ok(()),
    }
}
