//! Error budgets in documents: what a verdict says of one, and the documents of SLOs.
//!
//! In reading order: the object in a verdict (here), how a service burns ([`mod@burn`]), the
//! documents of SLOs ([`mod@slo`]) with their past ([`mod@history`]), and what is said of all
//! of it to people ([`mod@says`]).

mod burn;
mod history;
mod says;
mod slo;

pub use history::History;
pub use slo::Loading;
pub use slo::SloView;
pub use slo::Trouble;
pub use slo::slo_document;
pub use slo::slos_document;

pub(super) use says::cause;
pub(super) use says::exhausted;
pub(super) use says::projected;
pub(super) use says::reserve;
pub(super) use says::slo_page;
pub(super) use says::spent_by_waves;
pub(super) use says::too_few_events;
pub(super) use says::unknown;
pub(super) use says::wave_burn;
pub(super) use says::wave_burn_unconfirmed;

use crate::judge::Attribution;
use crate::judge::BaselineKind;
use crate::judge::BudgetOutcome;
use crate::judge::Burn;
use crate::judge::Policy;
use crate::judge::PolicyReading;
use crate::judge::Stand;
use crate::series::Counts;
use crate::wire::budget::burn::TierShape;
use crate::wire::budget::burn::WindowShape;
use crate::wire::budget::burn::burn_now;
use crate::wire::budget::burn::seconds;
use crate::wire::json::Instant;
use crate::wire::json::Number;
use crate::wire::reason;
use serde::Serialize;

/// The numbers that a caller acts on, in a verdict and in an event.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Head<'a> {
    /// The service's burn rate now, which `exhausted_in_seconds` goes by.
    burn: Option<Number>,
    /// The canary's burn rate over its baseline's.
    burn_ratio: Option<Number>,
    remaining: Option<Number>,
    spent_by_waves: Option<Number>,
    slo: &'a str,
    service: &'a str,
    class: &'static str,
    state: &'static str,
    outcome: &'static str,
    exhausted_in_seconds: Option<Number>,
}

impl<'a> Head<'a> {
    pub(super) fn of(budget: &'a BudgetOutcome) -> Self {
        let service = budget.burn.as_ref();
        Self {
            burn: service.and_then(burn_now).map(Number),
            burn_ratio: budget.wave.ratio.map(Number),
            remaining: service.and_then(|burn| burn.period.remaining).map(Number),
            spent_by_waves: budget.spent_by_waves.map(Number),
            slo: budget.slo.as_str(),
            service: &budget.service,
            class: budget.class.word(),
            state: state(service),
            outcome: stand(budget.stand),
            exhausted_in_seconds: service.and_then(|burn| burn.period.exhausted_in(burn_now(burn))).map(seconds),
        }
    }
}

/// What the error budget says, in the document of a gate.
#[derive(Serialize)]
pub(super) struct Shape<'a> {
    #[serde(flatten)]
    head: Head<'a>,
    healthy: bool,
    /// `null` where nothing of the period was seen.
    through: Option<Instant>,
    partial: bool,
    windows: Vec<WindowShape>,
    /// Those that fire, or would but for too few bad events.
    tiers: Vec<TierShape<'a>>,
    wave: WaveShape,
    policies: Vec<PolicyShape>,
    reasons: Vec<reason::CheckReason>,
}

impl<'a> Shape<'a> {
    pub(super) fn of(budget: &'a BudgetOutcome) -> Self {
        let service = budget.burn.as_ref();
        let tiers = service.map_or(&[][..], |burn| &burn.tiers);
        Self {
            head: Head::of(budget),
            healthy: budget.healthy,
            through: service.filter(|burn| burn.period.span.seen > 0).map(|burn| Instant(burn.through)),
            partial: service.is_some_and(|burn| burn.partial),
            windows: service.map_or(Vec::new(), WindowShape::all),
            tiers: tiers.iter().filter(|tier| tier.firing || tier.suppressed).map(TierShape::of).collect(),
            wave: WaveShape::of(&budget.wave),
            policies: budget.policies.iter().map(PolicyShape::of).collect(),
            reasons: budget.reasons.iter().map(|cause| reason::of_budget(cause, budget)).collect(),
        }
    }
}

/// What the wave adds to the errors of its service.
#[derive(Serialize)]
struct WaveShape {
    canary: CohortShape,
    baseline: CohortShape,
    baseline_kind: Option<&'static str>,
    planned: CountsShape,
    ratio: Range,
    overdispersion: Number,
    slices: u32,
    excess: Range,
    dropped_strata: u32,
    share: Option<Number>,
    projected: Bound,
}

impl WaveShape {
    fn of(wave: &Attribution) -> Self {
        let projected = wave.projected;
        Self {
            canary: CohortShape::of(wave.canary, wave.canary_burn),
            baseline: CohortShape::of(wave.baseline, wave.baseline_burn),
            baseline_kind: match wave.baseline_kind {
                BaselineKind::Concurrent => Some("concurrent"),
                BaselineKind::Historical => Some("historical"),
                BaselineKind::None => None,
            },
            planned: CountsShape::of(wave.planned),
            ratio: Range::of(wave.ratio, wave.ratio_low, wave.ratio_high),
            overdispersion: Number(wave.overdispersion),
            slices: wave.slices,
            excess: Range::of(wave.excess, wave.excess_low, wave.excess_high),
            dropped_strata: wave.dropped_strata,
            share: wave.share.map(Number),
            projected: Bound {
                estimate: projected.map(|(estimate, _)| Number(estimate)),
                low: projected.map(|(_, low)| Number(low)),
            },
        }
    }
}

/// Events, and how fast they burn.
#[derive(Serialize)]
struct CohortShape {
    bad: Number,
    total: Number,
    burn: Option<Number>,
}

impl CohortShape {
    fn of(counts: Counts, burn: Option<f64>) -> Self {
        Self { bad: Number(counts.bad), total: Number(counts.total), burn: burn.map(Number) }
    }
}

/// Events.
#[derive(Serialize)]
struct CountsShape {
    bad: Number,
    total: Number,
}

impl CountsShape {
    fn of(counts: Counts) -> Self {
        Self { bad: Number(counts.bad), total: Number(counts.total) }
    }
}

/// An estimate with its interval. What is without bound is `null`, as everywhere: an
/// estimate of `null` with a lower bound is one.
#[derive(Serialize)]
struct Range {
    estimate: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
}

impl Range {
    fn of(estimate: Option<f64>, low: Option<f64>, high: Option<f64>) -> Self {
        Self { estimate: estimate.map(Number), low: low.map(Number), high: high.map(Number) }
    }
}

#[derive(Serialize)]
struct Bound {
    estimate: Option<Number>,
    low: Option<Number>,
}

/// One policy: what it compared with what, and what it says.
#[derive(Serialize)]
struct PolicyShape {
    policy: &'static str,
    reading: &'static str,
    limit: Option<Number>,
    value: Option<Number>,
    low: Option<Number>,
    /// `off` of one that is switched off.
    says: &'static str,
}

impl PolicyShape {
    fn of(read: &PolicyReading) -> Self {
        Self {
            policy: policy(read.policy),
            reading: read.reading,
            limit: read.limit.map(Number),
            value: read.value.map(Number),
            low: read.low.map(Number),
            says: read.stand.map_or("off", stand),
        }
    }
}

/// The word of a service's state; of one that nobody knows it is `no_data`.
fn state(burn: Option<&Burn>) -> &'static str {
    burn.map_or(crate::judge::BurnState::NoData, |burn| burn.state).word()
}

/// The word of what a policy says.
fn stand(stand: Stand) -> &'static str {
    match stand {
        Stand::Pass => "pass",
        Stand::Inconclusive => "inconclusive",
        Stand::Pause => "pause",
        Stand::Hold => "hold",
    }
}

/// The key of a policy, as SLO files have it.
fn policy(policy: Policy) -> &'static str {
    match policy {
        Policy::WaveBurn => "wave_burn",
        Policy::Reserve => "reserve",
        Policy::WavesSpend => "waves_spend",
        Policy::Page => "page",
        Policy::Projected => "projected",
    }
}
