//! Why a look says what it says: typed causes, each with its numbers.

use crate::judge::Cohort;
use crate::judge::Effect;
use crate::judge::Unit;
use crate::rules::Scope;
use crate::series::Labels;
use crate::series::Timestamp;

/// A typed cause with its numbers; [`Cause::code`] is stable.
#[derive(Clone, Debug, PartialEq)]
pub enum Cause {
    /// The lower bound is above the tolerance, on the worse side.
    ShiftAboveTolerance {
        /// The effect when it was found.
        effect: Effect,
        /// The margin.
        tolerance: f64,
        /// When it was found.
        at: Timestamp,
    },
    /// Too many of the canary's events lie above a bound of the histogram.
    TailAboveTolerance {
        /// The share of events above it, over the baseline's, when it was found.
        effect: Effect,
        /// The bound, in the unit of the histogram.
        above: f64,
        /// The margin, as the effect has it.
        tolerance: f64,
        /// When it was found.
        at: Timestamp,
    },
    /// One canary instance has more bad events than the whole baseline by far.
    InstanceAboveTolerance {
        /// Its label's value.
        instance: String,
        /// Its bad events.
        bad: f64,
        /// Its events.
        total: f64,
        /// Bad events of its events.
        ratio: f64,
        /// The rate ratio that is tolerated of an instance.
        tolerance: f64,
        /// When it was found.
        at: Timestamp,
    },
    /// The canary is beyond the bound and the baseline is not.
    ThresholdBreached {
        /// The worst value.
        value: f64,
        /// The bound.
        bound: f64,
        /// The series it came from.
        series: Labels,
        /// When it was found.
        at: Timestamp,
    },
    /// Both cohorts are beyond the bound: not the canary's doing.
    Environment {
        /// The canary's value.
        canary: f64,
        /// The baseline's value.
        baseline: f64,
        /// The bound.
        bound: f64,
    },
    /// The canary is beyond the bound; one more interval confirms it.
    BreachToConfirm {
        /// The worst value.
        value: f64,
        /// The bound.
        bound: f64,
    },
    /// Too few in breach to fail, and not all inside, which a PASS needs.
    SamplesBeyondBound {
        /// How many are beyond.
        beyond: u32,
        /// Of so many.
        samples: u32,
        /// The bound.
        bound: f64,
    },
    /// The baseline's median is 0, so a relative margin has no size.
    NoScale {
        /// The canary's median.
        canary: f64,
    },
    /// All in all the canary is within, and its last intervals alone are not.
    RecentShift {
        /// How many intervals.
        points: u32,
    },
    /// The canary's mean is within, and a tenth of its values is far beyond the baseline's.
    WiderScatter {
        /// The distance of the canary's outer deciles.
        canary: f64,
        /// The baseline's.
        baseline: f64,
        /// What they are measured in.
        unit: Unit,
    },
    /// The interval still reaches past a margin.
    NeedsMoreEvidence {
        /// The effect now; `None` while no event was bad.
        effect: Option<Effect>,
        /// PASS needs the upper bound below.
        pass_within: f64,
    },
    /// What matters lies beyond the largest finite bound of the histogram, where twice as slow
    /// is as slow.
    BeyondBuckets {
        /// The share of events there.
        share: f64,
    },
    /// Too little to say anything.
    TooFewSamples {
        /// How many there are.
        have: f64,
        /// How many it takes.
        need: f64,
    },
    /// The interval looks good; PASS waits for the minimum duration.
    MinDuration {
        /// Until when.
        until: Timestamp,
    },
    /// Nothing counts yet.
    WarmingUp {
        /// Until when.
        until: Timestamp,
    },
    /// Nothing counts yet: the wave has planned to be down.
    PlannedDowntime {
        /// Until when.
        until: Timestamp,
    },
    /// The rules allow no pass at this time.
    WindowClosed {
        /// The entry of the rule file, as it was written.
        by: String,
        /// When it opens; `None` where it does not within a year.
        until: Option<Timestamp>,
    },
    /// Not a single sample of this cohort.
    NoTelemetry {
        /// Whose.
        cohort: Cohort,
    },
    /// Samples arrive and count no event: for five minutes there was nothing to judge.
    NoTraffic {
        /// Whose.
        cohort: Cohort,
    },
    /// Samples are missing.
    LowCoverage {
        /// Whose.
        cohort: Cohort,
        /// The share that arrived.
        coverage: f64,
        /// The share that must.
        need: f64,
        /// True when it is about the last five minutes.
        recent: bool,
        /// Samples since the warm-up that were not a number, which count as missing.
        nan: u32,
    },
    /// Infinite samples are in the window.
    NonFinite {
        /// Whose.
        cohort: Cohort,
        /// How many.
        count: u32,
    },
    /// One series answered for both cohorts.
    CohortsOverlap {
        /// Which.
        series: String,
    },
    /// The source said that its answer lacks data.
    PartialAnswer {
        /// In its own words.
        message: String,
    },
    /// The bad metric exists nowhere.
    BadNeverSeen {
        /// What was asked.
        selector: String,
    },
    /// The threshold of an SLO is not a bucket of its histogram.
    ThresholdNotABucket {
        /// The histogram and the threshold.
        threshold: String,
        /// The bounds that it has.
        bounds: String,
    },
    /// The wave burns the error budget faster than its baseline does.
    WaveBurn {
        /// The SLO.
        slo: String,
        /// Whose burn is compared.
        scope: Scope,
        /// The ratio of burn rates; `None` where the baseline has no bad event.
        ratio: Option<f64>,
        /// Its lower bound.
        low: f64,
        /// What it may be.
        limit: f64,
        /// The canary's own burn rate.
        burn: f64,
    },
    /// It may burn faster, and that is not sure.
    WaveBurnUnconfirmed {
        /// The SLO.
        slo: String,
        /// Whose burn is compared.
        scope: Scope,
        /// The ratio of burn rates; `None` where the baseline has no bad event.
        ratio: Option<f64>,
        /// Its lower bound.
        low: f64,
        /// What it may be.
        limit: f64,
    },
    /// Too few events of a cohort to say what it burns.
    BudgetTooFewEvents {
        /// The SLO.
        slo: String,
        /// Whose.
        cohort: Cohort,
        /// How many there are.
        have: f64,
        /// How many it takes.
        need: f64,
    },
    /// An SLO of the service burns so fast that somebody is paged.
    SloPage {
        /// The SLO.
        slo: String,
        /// The tiers that fire; empty of another SLO of the service.
        tiers: Vec<String>,
    },
    /// Less of the error budget remains than is kept in reserve.
    BudgetReserve {
        /// The SLO.
        slo: String,
        /// The share that remains.
        remaining: f64,
        /// The share that must.
        reserve: f64,
    },
    /// Nothing of the error budget remains.
    BudgetExhausted {
        /// The SLO.
        slo: String,
        /// The share that remains, at most 0.
        remaining: f64,
    },
    /// Waves spent as much of the error budget as they may.
    BudgetSpentByWaves {
        /// The SLO.
        slo: String,
        /// The share that all waves of the period spent.
        spent: f64,
        /// The share of this one.
        own: f64,
        /// The share that they must stay below.
        limit: f64,
    },
    /// With all of the traffic the canary would burn too fast.
    ProjectedBurn {
        /// The SLO.
        slo: String,
        /// The burn rate of the canary.
        burn: f64,
        /// Its lower bound.
        low: f64,
        /// What it may be.
        limit: f64,
    },
    /// It may burn too fast with all of the traffic, and that is not sure.
    ProjectedBurnUnconfirmed {
        /// The SLO.
        slo: String,
        /// The burn rate of the canary.
        burn: f64,
        /// Its lower bound.
        low: f64,
        /// What it may be.
        limit: f64,
    },
    /// Nobody knows how the error budget stands.
    BudgetUnknown {
        /// The SLO.
        slo: String,
    },
    /// Every counted check passed.
    AllChecksPassed {
        /// How many.
        checks: u32,
    },
    /// The deadline came and nothing was decided.
    DeadlineReached {
        /// When.
        deadline: Timestamp,
    },
}

impl Cause {
    /// The stable code that goes over the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Self::ShiftAboveTolerance { .. } => "shift_above_tolerance",
            Self::TailAboveTolerance { .. } => "tail_above_tolerance",
            Self::InstanceAboveTolerance { .. } => "instance_above_tolerance",
            Self::RecentShift { .. } => "recent_shift",
            Self::WiderScatter { .. } => "wider_scatter",
            Self::ThresholdBreached { .. } => "threshold_breached",
            Self::Environment { .. } => "environment",
            Self::BreachToConfirm { .. } => "breach_to_confirm",
            Self::SamplesBeyondBound { .. } => "samples_beyond_bound",
            Self::NoScale { .. } => "no_scale",
            Self::NeedsMoreEvidence { .. } => "needs_more_evidence",
            Self::BeyondBuckets { .. } => "beyond_buckets",
            Self::TooFewSamples { .. } => "too_few_samples",
            Self::MinDuration { .. } => "min_duration",
            Self::WarmingUp { .. } => "warming_up",
            Self::PlannedDowntime { .. } => "planned_downtime",
            Self::WindowClosed { .. } => "window_closed",
            Self::NoTelemetry { .. } => "no_telemetry",
            Self::NoTraffic { .. } => "no_traffic",
            Self::LowCoverage { .. } => "low_coverage",
            Self::NonFinite { .. } => "non_finite",
            Self::CohortsOverlap { .. } => "cohorts_overlap",
            Self::BadNeverSeen { .. } => "bad_never_seen",
            Self::ThresholdNotABucket { .. } => "threshold_not_a_bucket",
            Self::PartialAnswer { .. } => "partial_answer",
            Self::WaveBurn { .. } => "wave_burn",
            Self::WaveBurnUnconfirmed { .. } => "wave_burn_unconfirmed",
            Self::BudgetTooFewEvents { .. } => "budget_too_few_events",
            Self::SloPage { .. } => "slo_page",
            Self::BudgetReserve { .. } => "budget_reserve",
            Self::BudgetExhausted { .. } => "budget_exhausted",
            Self::BudgetSpentByWaves { .. } => "budget_spent_by_waves",
            Self::ProjectedBurn { .. } => "projected_burn",
            Self::ProjectedBurnUnconfirmed { .. } => "projected_burn_unconfirmed",
            Self::BudgetUnknown { .. } => "budget_unknown",
            Self::AllChecksPassed { .. } => "all_checks_passed",
            Self::DeadlineReached { .. } => "deadline_reached",
        }
    }

    /// Whether it means that the gate could not look.
    pub fn is_blind(&self) -> bool {
        matches!(
            self,
            Self::NoTelemetry { .. }
                | Self::LowCoverage { .. }
                | Self::NonFinite { .. }
                | Self::CohortsOverlap { .. }
                | Self::BadNeverSeen { .. }
                | Self::ThresholdNotABucket { .. }
                | Self::PartialAnswer { .. }
                | Self::BudgetUnknown { .. }
        )
    }

    /// The order in which reasons are told: the gravest first.
    pub(crate) fn gravity(&self) -> u8 {
        match self {
            Self::ShiftAboveTolerance { .. }
            | Self::TailAboveTolerance { .. }
            | Self::InstanceAboveTolerance { .. }
            | Self::ThresholdBreached { .. } => 0,
            Self::BudgetReserve { .. }
            | Self::BudgetExhausted { .. }
            | Self::BudgetSpentByWaves { .. }
            | Self::DeadlineReached { .. } => 1,
            Self::Environment { .. }
            | Self::BreachToConfirm { .. }
            | Self::WaveBurn { .. }
            | Self::SloPage { .. }
            | Self::ProjectedBurn { .. } => 2,
            Self::NoTelemetry { .. }
            | Self::LowCoverage { .. }
            | Self::NonFinite { .. }
            | Self::CohortsOverlap { .. }
            | Self::BadNeverSeen { .. }
            | Self::ThresholdNotABucket { .. }
            | Self::PartialAnswer { .. }
            | Self::BudgetUnknown { .. } => 3,
            Self::WarmingUp { .. } | Self::PlannedDowntime { .. } => 4,
            Self::TooFewSamples { .. }
            | Self::BudgetTooFewEvents { .. }
            | Self::BeyondBuckets { .. }
            | Self::NoTraffic { .. }
            | Self::NoScale { .. }
            | Self::SamplesBeyondBound { .. } => 5,
            Self::RecentShift { .. }
            | Self::WiderScatter { .. }
            | Self::NeedsMoreEvidence { .. }
            | Self::WaveBurnUnconfirmed { .. }
            | Self::ProjectedBurnUnconfirmed { .. } => 6,
            Self::MinDuration { .. } => 7,
            Self::WindowClosed { .. } => 8,
            Self::AllChecksPassed { .. } => 9,
        }
    }
}
