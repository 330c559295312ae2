//! The evidence of one interval as compact JSON: in the store, and in a recording.
//!
//! One form for both, so that what a daemon judged by and what a file holds of it are
//! the same bytes. The types here are private mirrors of the core's, which carry no
//! serde: a change of the code cannot silently change what lies on disk. Every rule
//! that a type states in words is checked on both ways.
//!
//! Numbers survive to the last bit: they are written with the fewest digits that
//! read back as the same number, and read with `serde_json`'s `float_roundtrip`.
//! JSON has no infinities; the only ones in evidence are bucket bounds, which are
//! written as `"+Inf"` and `"-Inf"`.

mod budget;
#[cfg(test)]
mod tests;

use crate::series::Buckets;
use crate::series::BudgetEvidence;
use crate::series::CheckEvidence;
use crate::series::Fault as EvidenceFault;
use crate::series::InstanceEvidence;
use crate::series::IntervalEvidence;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::Observed;
use crate::series::Timestamp;
use crate::series::Window;
use budget::BudgetRow;
use serde::Deserialize;
use serde::Serialize;
use std::collections::BTreeMap;

/// What is wrong with a value, as a phrase.
type Fault = String;

/// `evidence` as JSON.
///
/// # Errors
/// It holds a number that its type rules out.
pub fn write_evidence(evidence: &IntervalEvidence) -> Result<String, Fault> {
    serde_json::to_string(&IntervalRow::try_from(evidence)?).map_err(|error| error.to_string())
}

/// The evidence that [`write_evidence`] wrote.
///
/// # Errors
/// Anything else: no unknown keys, nothing missing.
pub fn read_evidence(text: &str) -> Result<IntervalEvidence, Fault> {
    serde_json::from_str::<IntervalRow>(text).map_err(|error| error.to_string())?.try_into()
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct IntervalRow {
    from: i64,
    to: i64,
    checks: Vec<CheckRow>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    budget: Option<BudgetRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CheckRow {
    canary: ObservedRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    baseline: Option<ObservedRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    faults: Vec<FaultRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    notices: Vec<NoticeRow>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ObservedRow {
    measure: MeasureRow,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    instances: Vec<InstanceRow>,
    seen: u32,
    expected: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    nan: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    infinite: u32,
}

/// Short, because there may be many: `["a",2,100]`, `["a",0.3]`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum InstanceRow {
    Counts(String, f64, f64),
    Value(String, f64),
    Other(String, MeasureRow),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum MeasureRow {
    Nothing,
    Counts { bad: f64, total: f64 },
    Buckets { bounds: Vec<BoundRow>, counts: Vec<f64> },
    Value(f64),
    Rated { value: f64, per: f64 },
    Worst { value: f64, series: BTreeMap<String, String> },
}

/// A bound of a bucket.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(untagged)]
pub(in crate::wire) enum BoundRow {
    Finite(f64),
    Infinite(InfinityRow),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub(in crate::wire) enum InfinityRow {
    #[serde(rename = "+Inf")]
    Above,
    #[serde(rename = "-Inf")]
    Below,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum FaultRow {
    CohortsOverlap { series: String },
    BadNeverSeen { selector: String },
    ThresholdNotABucket { threshold: String, bounds: String },
    PartialAnswer { message: String },
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
enum NoticeRow {
    StartsAtFirstSample { series: u32 },
    GapNotBridged { series: u32 },
    BoundsDiffer,
    NativeAndClassic,
    BadAboveTotal,
    NoInstanceLabel,
    TooManyInstances { instances: u32 },
    InstanceNameTooLong { bytes: u32 },
    BaselineIsHistory { ago_ms: u64 },
    Remark { message: String },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl TryFrom<&IntervalEvidence> for IntervalRow {
    type Error = Fault;

    fn try_from(evidence: &IntervalEvidence) -> Result<Self, Fault> {
        let checks = evidence.checks.iter().map(CheckRow::try_from).collect::<Result<_, _>>()?;
        let window = ordered(evidence.window)?;
        let budget = evidence.budget.as_ref().map(BudgetRow::try_from).transpose()?;
        Ok(Self { from: window.from.as_millis(), to: window.to.as_millis(), checks, budget })
    }
}

impl TryFrom<IntervalRow> for IntervalEvidence {
    type Error = Fault;

    fn try_from(row: IntervalRow) -> Result<Self, Fault> {
        let window = Window { from: Timestamp::from_millis(row.from), to: Timestamp::from_millis(row.to) };
        let checks = row.checks.into_iter().map(CheckEvidence::try_from).collect::<Result<_, _>>()?;
        let budget = row.budget.map(BudgetEvidence::try_from).transpose()?;
        Ok(Self { window: ordered(window)?, checks, budget })
    }
}

fn ordered(window: Window) -> Result<Window, Fault> {
    if window.from < window.to { Ok(window) } else { Err("the window ends before it begins".to_owned()) }
}

impl TryFrom<&CheckEvidence> for CheckRow {
    type Error = Fault;

    fn try_from(check: &CheckEvidence) -> Result<Self, Fault> {
        Ok(Self {
            canary: (&check.canary).try_into()?,
            baseline: check.baseline.as_ref().map(ObservedRow::try_from).transpose()?,
            faults: check.faults.iter().cloned().map(FaultRow::from).collect(),
            notices: check.notices.iter().cloned().map(NoticeRow::from).collect(),
        })
    }
}

impl TryFrom<CheckRow> for CheckEvidence {
    type Error = Fault;

    fn try_from(row: CheckRow) -> Result<Self, Fault> {
        Ok(Self {
            canary: row.canary.try_into()?,
            baseline: row.baseline.map(Observed::try_from).transpose()?,
            faults: row.faults.into_iter().map(EvidenceFault::from).collect(),
            notices: row.notices.into_iter().map(Notice::from).collect(),
        })
    }
}

impl TryFrom<&Observed> for ObservedRow {
    type Error = Fault;

    fn try_from(observed: &Observed) -> Result<Self, Fault> {
        checked(observed)?;
        let measure = MeasureRow::from(&observed.measure);
        let row = |InstanceEvidence { name, measure }: &InstanceEvidence| match measure {
            Measure::Counts { bad, total } => InstanceRow::Counts(name.clone(), *bad, *total),
            Measure::Value(value) => InstanceRow::Value(name.clone(), *value),
            Measure::Nothing | Measure::Buckets(_) | Measure::Rated { .. } | Measure::Worst { .. } => {
                InstanceRow::Other(name.clone(), MeasureRow::from(measure))
            }
        };
        let instances = observed.instances.iter().map(row).collect();
        let Observed { seen, expected, nan, infinite, .. } = *observed;
        Ok(Self { measure, instances, seen, expected, nan, infinite })
    }
}

impl From<&Measure> for MeasureRow {
    fn from(measure: &Measure) -> Self {
        match measure {
            Measure::Nothing => Self::Nothing,
            Measure::Counts { bad, total } => Self::Counts { bad: *bad, total: *total },
            Measure::Buckets(buckets) => Self::Buckets {
                bounds: buckets.bounds().iter().copied().map(BoundRow::from).collect(),
                counts: buckets.counts().to_vec(),
            },
            Measure::Value(value) => Self::Value(*value),
            Measure::Rated { value, per } => Self::Rated { value: *value, per: *per },
            Measure::Worst { value, series } => Self::Worst {
                value: *value,
                series: series.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
            },
        }
    }
}

impl TryFrom<MeasureRow> for Measure {
    type Error = Fault;

    fn try_from(row: MeasureRow) -> Result<Self, Fault> {
        Ok(match row {
            MeasureRow::Nothing => Self::Nothing,
            MeasureRow::Counts { bad, total } => Self::Counts { bad, total },
            MeasureRow::Buckets { bounds, counts } => {
                let bounds = bounds.into_iter().map(f64::from).collect();
                Self::Buckets(Buckets::new(bounds, counts).ok_or("the buckets are no histogram")?)
            }
            MeasureRow::Value(value) => Self::Value(value),
            MeasureRow::Rated { value, per } => Self::Rated { value, per },
            MeasureRow::Worst { value, series } => Self::Worst { value, series: Labels::from_iter(series) },
        })
    }
}

impl TryFrom<ObservedRow> for Observed {
    type Error = Fault;

    fn try_from(row: ObservedRow) -> Result<Self, Fault> {
        let instance = |row: InstanceRow| {
            let (name, measure) = match row {
                InstanceRow::Counts(name, bad, total) => (name, Measure::Counts { bad, total }),
                InstanceRow::Value(name, value) => (name, Measure::Value(value)),
                InstanceRow::Other(name, measure) => (name, measure.try_into()?),
            };
            Ok(InstanceEvidence { name, measure })
        };
        let observed = Self {
            measure: row.measure.try_into()?,
            instances: row.instances.into_iter().map(instance).collect::<Result<_, Fault>>()?,
            seen: row.seen,
            expected: row.expected,
            nan: row.nan,
            infinite: row.infinite,
        };
        checked(&observed).map(|()| observed)
    }
}

/// What [`Observed`] and [`Measure`] say of themselves in words; [`Buckets`] holds
/// by construction.
fn checked(observed: &Observed) -> Result<(), Fault> {
    if observed.expected == 0 {
        return Err("no sample is expected".to_owned());
    }
    let instances = observed.instances.iter().map(|instance| &instance.measure);
    match std::iter::once(&observed.measure).chain(instances).find(|measure| !is_sound(measure)) {
        None => Ok(()),
        Some(measure) => Err(format!("{measure:?} is not a measure")),
    }
}

fn is_sound(measure: &Measure) -> bool {
    match measure {
        Measure::Nothing | Measure::Buckets(_) => true,
        Measure::Counts { bad, total } => total.is_finite() && 0.0 <= *bad && bad <= total,
        Measure::Rated { value, per } => value.is_finite() && per.is_finite() && 0.0 <= *per,
        Measure::Value(value) | Measure::Worst { value, .. } => value.is_finite(),
    }
}

impl From<f64> for BoundRow {
    fn from(bound: f64) -> Self {
        if bound == f64::INFINITY {
            Self::Infinite(InfinityRow::Above)
        } else if bound == f64::NEG_INFINITY {
            Self::Infinite(InfinityRow::Below)
        } else {
            Self::Finite(bound)
        }
    }
}

impl From<BoundRow> for f64 {
    fn from(row: BoundRow) -> Self {
        match row {
            BoundRow::Finite(bound) => bound,
            BoundRow::Infinite(InfinityRow::Above) => Self::INFINITY,
            BoundRow::Infinite(InfinityRow::Below) => Self::NEG_INFINITY,
        }
    }
}

impl From<EvidenceFault> for FaultRow {
    fn from(fault: EvidenceFault) -> Self {
        match fault {
            EvidenceFault::CohortsOverlap { series } => Self::CohortsOverlap { series },
            EvidenceFault::BadNeverSeen { selector } => Self::BadNeverSeen { selector },
            EvidenceFault::ThresholdNotABucket { threshold, bounds } => Self::ThresholdNotABucket { threshold, bounds },
            EvidenceFault::PartialAnswer { message } => Self::PartialAnswer { message },
        }
    }
}

impl From<FaultRow> for EvidenceFault {
    fn from(row: FaultRow) -> Self {
        match row {
            FaultRow::CohortsOverlap { series } => Self::CohortsOverlap { series },
            FaultRow::BadNeverSeen { selector } => Self::BadNeverSeen { selector },
            FaultRow::ThresholdNotABucket { threshold, bounds } => Self::ThresholdNotABucket { threshold, bounds },
            FaultRow::PartialAnswer { message } => Self::PartialAnswer { message },
        }
    }
}

impl From<Notice> for NoticeRow {
    fn from(notice: Notice) -> Self {
        match notice {
            Notice::StartsAtFirstSample { series } => Self::StartsAtFirstSample { series },
            Notice::GapNotBridged { series } => Self::GapNotBridged { series },
            Notice::BoundsDiffer => Self::BoundsDiffer,
            Notice::NativeAndClassic => Self::NativeAndClassic,
            Notice::BadAboveTotal => Self::BadAboveTotal,
            Notice::NoInstanceLabel => Self::NoInstanceLabel,
            Notice::TooManyInstances { instances } => Self::TooManyInstances { instances },
            Notice::InstanceNameTooLong { bytes } => Self::InstanceNameTooLong { bytes },
            Notice::BaselineIsHistory { ago_ms } => Self::BaselineIsHistory { ago_ms },
            Notice::Remark { message } => Self::Remark { message },
        }
    }
}

impl From<NoticeRow> for Notice {
    fn from(row: NoticeRow) -> Self {
        match row {
            NoticeRow::StartsAtFirstSample { series } => Self::StartsAtFirstSample { series },
            NoticeRow::GapNotBridged { series } => Self::GapNotBridged { series },
            NoticeRow::BoundsDiffer => Self::BoundsDiffer,
            NoticeRow::NativeAndClassic => Self::NativeAndClassic,
            NoticeRow::BadAboveTotal => Self::BadAboveTotal,
            NoticeRow::NoInstanceLabel => Self::NoInstanceLabel,
            NoticeRow::TooManyInstances { instances } => Self::TooManyInstances { instances },
            NoticeRow::InstanceNameTooLong { bytes } => Self::InstanceNameTooLong { bytes },
            NoticeRow::BaselineIsHistory { ago_ms } => Self::BaselineIsHistory { ago_ms },
            NoticeRow::Remark { message } => Self::Remark { message },
        }
    }
}
