//! Which policies stop a wave, each with its number (slo.md §3.1).
//!
//! They are evaluated one by one and all are told; the gravest wins. Limits are compared as
//! the fractions they were written as: exactly twice the burn passes, exactly the reserve is
//! enough, and exactly the share that waves may spend is too much.

use crate::judge::Cause;
use crate::judge::Cohort;
use crate::judge::budget::Attribution;
use crate::judge::budget::BaselineKind;
use crate::judge::budget::Burn;
use crate::judge::budget::BurnState;
use crate::judge::budget::Spent;
use crate::judge::budget::attribution::share;
use crate::rules::Budget;
use crate::rules::Class;
use crate::rules::Scope;
use crate::rules::SloName;
use crate::rules::TierSeverity;
use crate::rules::WaveBurn;
use crate::series::Counts;
use crate::series::Fraction;
use crate::series::ServiceReading;
use crate::stats::Comparison;
use std::cmp::Ordering;

/// Slices of a minute before a wave is paused: of fewer nobody can tell a burst from a change.
const SLICES_LEAST: u32 = 5;

/// Events of the canary before its burn is projected, where no policy says how many it takes.
const EVENTS_LEAST: u32 = 100;

/// What the error budget says at one look.
#[derive(Clone, Debug, PartialEq)]
pub struct BudgetOutcome {
    /// The SLO.
    pub slo: SloName,
    /// Whose promise it is.
    pub service: String,
    /// What kind of change the wave brings.
    pub class: Class,
    /// The gravest that a policy says.
    pub stand: Stand,
    /// False while a policy pauses, or nobody knows how the service stands.
    pub healthy: bool,
    /// The service; `None` where nobody knows.
    pub burn: Option<Burn>,
    /// The wave.
    pub wave: Attribution,
    /// What the wave is charged with.
    pub spent: Spent,
    /// The share of the error budget that all waves of the period spent, this one with them.
    pub spent_by_waves: Option<f64>,
    /// Every policy, also one that is switched off.
    pub policies: Vec<PolicyReading>,
    /// Why it does not pass, the gravest first.
    pub reasons: Vec<Cause>,
}

/// What a policy says of a wave; the gravest last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stand {
    /// Go on.
    Pass,
    /// Nobody can say yet.
    Inconclusive,
    /// Do not go on, until it is over.
    Pause,
    /// Ask a person.
    Hold,
}

/// A policy, as it is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// `wave_burn`
    WaveBurn,
    /// `reserve`
    Reserve,
    /// `waves_spend`
    WavesSpend,
    /// `page`
    Page,
    /// `projected`
    Projected,
}

/// One policy at one look.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PolicyReading {
    /// Which.
    pub policy: Policy,
    /// What is compared: `canary_burn_over_baseline`, `service_burn_over_baseline`,
    /// `budget_remaining`, `budget_spent_by_waves`, `service_burn_state`, `burn_at_full_traffic`.
    pub reading: &'static str,
    /// What it is compared with; `None` of one that is off or compares with no number.
    pub limit: Option<f64>,
    /// What was read.
    pub value: Option<f64>,
    /// The lower bound of it, where the policy asks for that.
    pub low: Option<f64>,
    /// What it says; `None` of one that is switched off.
    pub stand: Option<Stand>,
}

/// What the policies are asked of.
pub(super) struct Facts<'a> {
    pub(super) budget: &'a Budget,
    pub(super) class: Class,
    /// `None` where nobody knows.
    pub(super) service: Option<&'a ServiceReading>,
    /// Of `service`.
    pub(super) burn: Option<&'a Burn>,
    /// All events of the period.
    pub(super) events: Option<f64>,
    /// Of the wave; `None` where it has no baseline.
    pub(super) excess: Option<f64>,
    /// Its events.
    pub(super) canary: Counts,
    /// Why what was compared is not of now: a cohort has had no event of late.
    pub(super) idle: Option<Cause>,
}

impl Facts<'_> {
    fn slo(&self) -> String {
        self.budget.slo.name.to_string()
    }

    fn unknown(&self) -> Cause {
        Cause::BudgetUnknown { slo: self.slo() }
    }
}

/// What one policy says.
pub(super) struct Word {
    pub(super) reading: PolicyReading,
    pub(super) reasons: Vec<Cause>,
}

impl Word {
    /// A policy that has read nothing, and is off.
    fn off(policy: Policy, reading: &'static str) -> Self {
        let reading = PolicyReading { policy, reading, limit: None, value: None, low: None, stand: None };
        Self { reading, reasons: Vec::new() }
    }

    fn says(self, stand: Stand, reasons: impl IntoIterator<Item = Cause>) -> Self {
        let reading = PolicyReading { stand: Some(stand), ..self.reading };
        Self { reading, reasons: reasons.into_iter().collect() }
    }

    /// What it read, before it may say anything of it.
    pub(super) fn unsaid(self) -> Self {
        let stand = self.reading.stand.map(|_| Stand::Inconclusive);
        Self { reading: PolicyReading { stand, ..self.reading }, reasons: Vec::new() }
    }

    pub(super) fn is(&self, stand: Stand) -> bool {
        self.reading.stand == Some(stand)
    }
}

/// Does the wave burn faster than its baseline? `beside` is what the baseline serves now: with
/// the canary it is the service.
///
/// What is compared are sums since the wave began, which forget nothing: after five minutes at
/// ten times the burn it takes 40 more like the baseline's until the ratio is back at 2.
pub(super) fn wave_burn(facts: &Facts<'_>, wave: &Attribution, compared: Option<&Comparison>, beside: Counts) -> Word {
    let own = facts.budget.policies.wave_burn;
    let scope = own.map_or(Scope::Canary, |own| own.scope);
    let mut word = Word::off(Policy::WaveBurn, reading_of(scope));
    let parts = compared.and_then(|compared| Parts::of(compared, wave, scope, beside));
    word.reading.value = parts.as_ref().and_then(Parts::ratio);
    word.reading.low = parts.as_ref().map(|parts| parts.low);
    let Some(own) = own else { return word };
    word.reading.limit = Some(own.ratio.as_f64());
    let (Some(compared), Some(parts)) = (compared, parts) else {
        // A baseline in other strata than the canary's is none.
        let baseline = if wave.canary.total > 0.0 { 0.0 } else { wave.baseline.total };
        let few = too_few(facts, own, wave.canary.total, baseline);
        return word.says(Stand::Inconclusive, few);
    };
    let few = too_few(facts, own, compared.sums.canary.total, compared.sums.baseline.total);
    if !few.is_empty() {
        return word.says(Stand::Inconclusive, few);
    }
    if !(parts.is_above(own.ratio) && burns_against(facts, own.floor).is_some_and(Ordering::is_ge)) {
        let stand = if facts.idle.is_some() { Stand::Inconclusive } else { Stand::Pass };
        return word.says(stand, facts.idle.clone());
    }
    let (slo, limit, low) = (facts.slo(), own.ratio.as_f64(), parts.low);
    let ratio = parts.ratio().filter(|ratio| ratio.is_finite());
    if limit < low && SLICES_LEAST <= wave.slices {
        let burn = wave.canary_burn.unwrap_or(0.0);
        word.says(Stand::Pause, [Cause::WaveBurn { slo, scope, ratio, low, limit, burn }])
    } else {
        word.says(Stand::Inconclusive, [Cause::WaveBurnUnconfirmed { slo, scope, ratio, low, limit }])
    }
}

fn reading_of(scope: Scope) -> &'static str {
    match scope {
        Scope::Canary => "canary_burn_over_baseline",
        Scope::Service => "service_burn_over_baseline",
    }
}

/// A cause for each cohort with too few events.
fn too_few(facts: &Facts<'_>, own: WaveBurn, canary: f64, baseline: f64) -> Vec<Cause> {
    // With no event there is nothing to compare, whatever the rule file asks for.
    let need = f64::from(own.min_events.max(1));
    let of = |(cohort, have)| Cause::BudgetTooFewEvents { slo: facts.slo(), cohort, have, need };
    let sides = [(Cohort::Canary, canary), (Cohort::Baseline, baseline)];
    sides.into_iter().filter(|(_, have)| *have < need).map(of).collect()
}

/// How the canary's burn rate compares with `rate`, without rounding.
fn burns_against(facts: &Facts<'_>, rate: Fraction) -> Option<Ordering> {
    rate.times(facts.budget.slo.budget())?.compare(facts.canary.bad, facts.canary.total)
}

/// A ratio of burn rates as a fraction, and its lower bound.
struct Parts {
    above: f64,
    below: f64,
    low: f64,
}

impl Parts {
    fn of(compared: &Comparison, wave: &Attribution, scope: Scope, beside: Counts) -> Option<Self> {
        let low = wave.ratio_low?;
        let (above, below) = (compared.above, compared.below);
        match scope {
            Scope::Canary => Some(Self { above, below, low }),
            Scope::Service => {
                // The service's burn over what it would be without the wave is
                // 1 + (ratio − 1) n_c ÷ N: it is above m just where the ratio is above
                // 1 + (m − 1) N ÷ n_c.
                let canary = wave.canary.total;
                let beside = if wave.baseline_kind == BaselineKind::Concurrent { beside.total } else { 0.0 };
                let whole = canary + beside;
                let low = (low * canary + beside) / whole;
                Some(Self { above: above * canary + below * beside, below: below * whole, low })
            }
        }
    }

    fn ratio(&self) -> Option<f64> {
        (self.above > 0.0 || self.below > 0.0).then(|| self.above / self.below)
    }

    fn is_above(&self, limit: Fraction) -> bool {
        limit.compare(self.above, self.below).is_some_and(Ordering::is_gt)
    }
}

/// Does enough of the error budget remain for a wave of this class?
pub(super) fn reserve(facts: &Facts<'_>) -> Word {
    let mut word = Word::off(Policy::Reserve, "budget_remaining");
    let period = facts.burn.map(|burn| burn.period);
    let remaining = period.and_then(|period| period.remaining);
    word.reading.value = remaining;
    let Some(reserve) = facts.budget.policies.reserve else { return word };
    let reserve = match facts.class {
        Class::Standard => reserve,
        Class::Exploratory => Fraction::ZERO,
    };
    word.reading.limit = Some(reserve.as_f64());
    let counted = period.and_then(|period| period.span.counts.zip(period.total));
    let (Some(remaining), Some((counts, total))) = (remaining, counted) else {
        return word.says(Stand::Inconclusive, [facts.unknown()]);
    };
    // What remains is the reserve or more just where the bad events are at most the rest.
    let spent = |reserve: Fraction| {
        let rest = reserve.complement().and_then(|rest| rest.times(facts.budget.slo.budget()));
        rest.and_then(|rest| rest.compare(counts.bad, total)).unwrap_or(Ordering::Greater)
    };
    let slo = facts.slo();
    if spent(Fraction::ZERO).is_ge() {
        word.says(Stand::Hold, [Cause::BudgetExhausted { slo, remaining: remaining.min(0.0) }])
    } else if spent(reserve).is_gt() {
        word.says(Stand::Hold, [Cause::BudgetReserve { slo, remaining, reserve: reserve.as_f64() }])
    } else {
        word.says(Stand::Pass, None)
    }
}

/// The share of the error budget that all waves of the period spent, this one with them;
/// `None` where nobody knows.
pub(super) fn spent_share(facts: &Facts<'_>) -> Option<f64> {
    let spent = spent_by_others(facts.service?)? + facts.excess.unwrap_or(0.0).max(0.0);
    share(spent, facts.events?, facts.budget.slo.budget().as_f64())
}

/// `None` of what is no number: nobody is taken to have spent nothing for that.
fn spent_by_others(service: &ServiceReading) -> Option<f64> {
    Some(service.spent_by_others).filter(|spent| spent.is_finite() && *spent >= 0.0)
}

/// Did waves spend less than they may?
pub(super) fn waves_spend(facts: &Facts<'_>) -> Word {
    let mut word = Word::off(Policy::WavesSpend, "budget_spent_by_waves");
    word.reading.value = spent_share(facts);
    let Some(limit) = facts.budget.policies.waves_spend else { return word };
    word.reading.limit = Some(limit.as_f64());
    let others = facts.service.and_then(spent_by_others);
    let (Some(others), Some(events), Some(value)) = (others, facts.events, word.reading.value) else {
        return word.says(Stand::Inconclusive, [facts.unknown()]);
    };
    let allowed = limit.times(facts.budget.slo.budget());
    let within = |own: f64| {
        let ordering = allowed.and_then(|allowed| allowed.compare(others + own, events));
        ordering.is_some_and(Ordering::is_lt)
    };
    let slo = facts.slo();
    let own = facts.excess.unwrap_or(0.0).max(0.0);
    if !within(own) {
        let own = share(own, events, facts.budget.slo.budget().as_f64()).unwrap_or(0.0);
        word.says(Stand::Hold, [Cause::BudgetSpentByWaves { slo, spent: value, own, limit: limit.as_f64() }])
    } else if facts.excess.is_some() || within(facts.canary.bad) {
        word.says(Stand::Pass, None)
    } else {
        // Nobody can say how many of the canary's errors it would have had anyway.
        let few = Cause::BudgetTooFewEvents { slo, cohort: Cohort::Baseline, have: 0.0, need: 1.0 };
        word.says(Stand::Inconclusive, [few])
    }
}

/// Is somebody paged for the service?
pub(super) fn page(facts: &Facts<'_>) -> Word {
    let word = Word::off(Policy::Page, "service_burn_state");
    if !facts.budget.policies.page {
        return word;
    }
    let (Some(service), Some(burn)) = (facts.service, facts.burn) else {
        return word.says(Stand::Inconclusive, [facts.unknown()]);
    };
    let own = (burn.state == BurnState::Page).then(|| {
        let fires = burn.tiers.iter().filter(|tier| tier.firing && tier.severity == TierSeverity::Page);
        Cause::SloPage { slo: facts.slo(), tiers: fires.map(|tier| tier.name.clone()).collect() }
    });
    let other = |slo: &String| Cause::SloPage { slo: slo.clone(), tiers: Vec::new() };
    let pages: Vec<Cause> = own.into_iter().chain(service.paging.iter().map(other)).collect();
    if !pages.is_empty() {
        word.says(Stand::Pause, pages)
    } else if !burn.is_known() {
        word.says(Stand::Inconclusive, [facts.unknown()])
    } else {
        word.says(Stand::Pass, None)
    }
}

/// Would the canary burn too fast, had it all of the traffic?
pub(super) fn projected(facts: &Facts<'_>, wave: &Attribution) -> Word {
    let mut word = Word::off(Policy::Projected, "burn_at_full_traffic");
    (word.reading.value, word.reading.low) = wave.projected.unzip();
    let Some(own) = facts.budget.policies.projected else { return word };
    let limit = own.as_f64();
    word.reading.limit = Some(limit);
    let need = f64::from(facts.budget.policies.wave_burn.map_or(EVENTS_LEAST, |own| own.min_events).max(1));
    let have = wave.canary.total;
    match wave.projected {
        Some((burn, low)) if need <= have => {
            let slo = facts.slo();
            if burns_against(facts, own).is_some_and(Ordering::is_le) {
                word.says(Stand::Pass, None)
            } else if limit < low && SLICES_LEAST <= wave.slices {
                word.says(Stand::Pause, [Cause::ProjectedBurn { slo, burn, low, limit }])
            } else {
                word.says(Stand::Inconclusive, [Cause::ProjectedBurnUnconfirmed { slo, burn, low, limit }])
            }
        }
        _ => {
            let slo = facts.slo();
            word.says(Stand::Inconclusive, [Cause::BudgetTooFewEvents { slo, cohort: Cohort::Canary, have, need }])
        }
    }
}
