//! Documents of SLOs: all of them for a list, and one with everything.

use crate::judge::Burn;
use crate::judge::BurnState;
use crate::judge::WaveShare;
use crate::judge::WavesSpent;
use crate::rules::Budgeting;
use crate::rules::CalendarUnit;
use crate::rules::EmptySlice;
use crate::rules::Period;
use crate::rules::Policies;
use crate::rules::Scope;
use crate::rules::Slo;
use crate::series::Timestamp;
use crate::wire::budget::CountsShape;
use crate::wire::budget::History;
use crate::wire::budget::burn::PeriodShape;
use crate::wire::budget::burn::TierShape;
use crate::wire::budget::burn::WindowShape;
use crate::wire::budget::burn::burn_now;
use crate::wire::budget::burn::seconds;
use crate::wire::budget::burn::severity;
use crate::wire::budget::history::HistoryShape;
use crate::wire::budget::says;
use crate::wire::json;
use crate::wire::json::Instant;
use crate::wire::json::Number;
use crate::wire::prose;
use serde::Serialize;

/// What is known of an SLO, to be written.
#[derive(Clone, Debug)]
pub struct SloView<'a> {
    /// What is promised.
    pub slo: &'a Slo,
    /// How the service stands.
    pub burn: &'a Burn,
    /// What waves spent of the period; `None` where nobody keeps that.
    pub spent: Option<&'a WavesSpent>,
    /// Waves that were charged by another text of the SLO: wave, rules, attempt.
    pub edited: Vec<(&'a str, &'a str, u32)>,
    /// Up to when there is anything to go by; `None` where nothing of the period was seen.
    pub through: Option<Timestamp>,
    /// How much of its past has been read; `None` once all has.
    pub loading: Option<Loading>,
    /// The source, where it does not answer.
    pub trouble: Option<Trouble<'a>>,
    /// What the source remarked.
    pub remarks: &'a [String],
    /// Samples that were fetched since the daemon began.
    pub samples_fetched: u64,
    /// Samples of the last answer.
    pub samples_last: u64,
    /// When the source last answered.
    pub asked_at: Option<Timestamp>,
    /// Whether the server counted, because raw samples are too many.
    pub estimated: bool,
    /// The period in parts.
    pub history: Vec<History>,
}

/// How much of an SLO's past has been read, in [0, 1).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loading(pub f64);

/// What a source said that did not answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trouble<'a>(pub &'a str);

/// `{"slos":[…]}`: each with its state, its windows and what is left.
pub fn slos_document(slos: &[SloView<'_>]) -> String {
    json::text(&ListShape { slos: slos.iter().map(ListedShape::of).collect() })
}

/// One SLO with all its numbers, its past in at most `points` points.
pub fn slo_document(view: &SloView<'_>, points: usize) -> String {
    json::text(&WholeShape::of(view, points))
}

#[derive(Serialize)]
struct ListShape<'a> {
    slos: Vec<ListedShape<'a>>,
}

#[derive(Serialize)]
struct ListedShape<'a> {
    slo: &'a str,
    service: &'a str,
    description: Option<&'a str>,
    objective: String,
    period: PeriodOf,
    state: &'static str,
    partial: bool,
    suppressed: bool,
    summary: String,
    burn: Option<Number>,
    remaining: Option<Number>,
    spent_by_waves: Option<Number>,
    exhausted_in_seconds: Option<Number>,
    windows: Vec<WindowShape>,
    /// `null` where nothing was seen.
    through: Option<Instant>,
    loading: Option<Number>,
    trouble: Option<String>,
    digest: &'a str,
}

impl<'a> ListedShape<'a> {
    fn of(view: &SloView<'a>) -> Self {
        let SloView { slo, burn, .. } = *view;
        Self {
            slo: slo.name.as_str(),
            service: &slo.service,
            description: slo.description.as_deref(),
            objective: says::exact_percent(slo.objective),
            period: PeriodOf::of(slo, burn),
            state: burn.state.word(),
            partial: burn.partial,
            suppressed: burn.suppressed,
            summary: summary(view),
            burn: burn_now(burn).map(Number),
            remaining: burn.period.remaining.map(Number),
            spent_by_waves: view.spent.and_then(|spent| spent.share).map(Number),
            exhausted_in_seconds: burn.period.exhausted_in(burn_now(burn)).map(seconds),
            windows: WindowShape::all(burn),
            through: view.through.map(Instant),
            loading: view.loading.map(|Loading(share)| Number(share)),
            trouble: view.trouble.map(|Trouble(message)| prose::quote(message)),
            digest: slo.digest.as_str(),
        }
    }
}

#[derive(Serialize)]
struct WholeShape<'a> {
    #[serde(flatten)]
    listed: ListedShape<'a>,
    error_budget: String,
    budgeting: BudgetingShape,
    source: Option<&'a str>,
    tiers: Vec<TierShape<'a>>,
    absolute: Option<AbsoluteShape>,
    budget: PeriodShape,
    waves: WavesShape<'a>,
    policies: PoliciesShape,
    upkeep: UpkeepShape,
    history: HistoryShape,
}

impl<'a> WholeShape<'a> {
    fn of(view: &SloView<'a>, points: usize) -> Self {
        let SloView { slo, burn, .. } = *view;
        Self {
            listed: ListedShape::of(view),
            error_budget: says::exact_percent(slo.budget()),
            budgeting: BudgetingShape::of(slo.budgeting),
            source: slo.source.as_deref(),
            tiers: burn.tiers.iter().map(TierShape::of).collect(),
            absolute: slo.absolute.map(|rule| AbsoluteShape {
                bad: rule.bad,
                within: prose::length(rule.within),
                severity: severity(rule.severity),
                firing: burn.absolute,
            }),
            budget: PeriodShape::of(&burn.period),
            waves: WavesShape::of(view),
            policies: PoliciesShape::of(&slo.policies),
            upkeep: UpkeepShape {
                slice: prose::length(slo.slice),
                settle: prose::length(slo.settle),
                asked_at: view.asked_at.map(Instant),
                samples_fetched: view.samples_fetched,
                samples_last: view.samples_last,
                estimated: view.estimated,
                remarks: view.remarks.iter().map(|remark| prose::quote(remark)).collect(),
            },
            history: HistoryShape::of(slo, &view.history, points),
        }
    }
}

/// Over what time it is promised, and which part of time that is now.
#[derive(Serialize)]
struct PeriodOf {
    rolling: Option<String>,
    calendar: Option<&'static str>,
    timezone: Option<String>,
    from: Instant,
    to: Instant,
}

impl PeriodOf {
    fn of(slo: &Slo, burn: &Burn) -> Self {
        let (rolling, calendar, timezone) = match &slo.period {
            Period::Rolling(length) => (Some(prose::length(*length)), None, None),
            Period::Calendar { unit, zone } => {
                let unit = match unit {
                    CalendarUnit::Week => "week",
                    CalendarUnit::Month => "month",
                    CalendarUnit::Quarter => "quarter",
                    CalendarUnit::Year => "year",
                };
                (None, Some(unit), zone.iana_name().map(str::to_owned))
            }
        };
        Self { rolling, calendar, timezone, from: Instant(burn.period.from), to: Instant(burn.period.to) }
    }
}

#[derive(Serialize)]
struct BudgetingShape {
    method: &'static str,
    target: Option<String>,
    slice: Option<String>,
    empty: Option<&'static str>,
}

impl BudgetingShape {
    fn of(budgeting: Budgeting) -> Self {
        let empty = |empty| match empty {
            EmptySlice::Good => "good",
            EmptySlice::Bad => "bad",
            EmptySlice::Ignore => "ignore",
        };
        match budgeting {
            Budgeting::Occurrences => Self { method: "occurrences", target: None, slice: None, empty: None },
            Budgeting::Timeslices { target, slice, empty: nothing } => Self {
                method: "timeslices",
                target: Some(says::exact_percent(target)),
                slice: Some(prose::length(slice)),
                empty: Some(empty(nothing)),
            },
            Budgeting::RatioTimeslices { slice, empty: nothing } => Self {
                method: "ratio_timeslices",
                target: None,
                slice: Some(prose::length(slice)),
                empty: Some(empty(nothing)),
            },
        }
    }
}

#[derive(Serialize)]
struct AbsoluteShape {
    bad: u32,
    within: String,
    severity: &'static str,
    firing: Option<bool>,
}

/// What all waves of the period spent, the latest first.
#[derive(Serialize)]
struct WavesShape<'a> {
    /// `null` where nobody keeps it.
    excess: Option<Number>,
    share: Option<Number>,
    low: Option<Number>,
    high: Option<Number>,
    charged: Vec<ChargedShape<'a>>,
}

#[derive(Serialize)]
struct ChargedShape<'a> {
    wave_id: &'a str,
    rules: &'a str,
    attempt: u32,
    from: Instant,
    to: Instant,
    canary: CountsShape,
    baseline: CountsShape,
    planned: CountsShape,
    excess: Number,
    share: Option<Number>,
    /// Whether the SLO has been edited since, so that it was charged by another text.
    edited_since: bool,
}

impl<'a> WavesShape<'a> {
    fn of(view: &SloView<'a>) -> Self {
        let spent = view.spent;
        let charged = |wave: &'a WaveShare| {
            let of = &wave.charged;
            let (id, rules) = (of.wave.as_str(), of.rules.as_str());
            ChargedShape {
                wave_id: id,
                rules,
                attempt: of.attempt,
                from: Instant(of.spent.from),
                to: Instant(of.spent.to),
                canary: CountsShape::of(of.spent.canary),
                baseline: CountsShape::of(of.spent.baseline),
                planned: CountsShape::of(of.spent.planned),
                excess: Number(wave.excess),
                share: wave.share.map(Number),
                edited_since: view.edited.contains(&(id, rules, of.attempt)),
            }
        };
        Self {
            excess: spent.map(|spent| Number(spent.excess)),
            share: spent.and_then(|spent| spent.share).map(Number),
            low: spent.and_then(|spent| spent.low).map(Number),
            high: spent.and_then(|spent| spent.high).map(Number),
            charged: spent.map_or(Vec::new(), |spent| spent.waves.iter().map(charged).collect()),
        }
    }
}

/// `null` is switched off.
#[derive(Serialize)]
struct PoliciesShape {
    wave_burn: Option<WaveBurnShape>,
    reserve: Option<Number>,
    waves_spend: Option<Number>,
    page: bool,
    projected: Option<Number>,
}

#[derive(Serialize)]
struct WaveBurnShape {
    ratio: Number,
    floor: Number,
    scope: &'static str,
    level: Number,
    min_events: u32,
}

impl PoliciesShape {
    fn of(policies: &Policies) -> Self {
        Self {
            wave_burn: policies.wave_burn.map(|rule| WaveBurnShape {
                ratio: Number(rule.ratio.as_f64()),
                floor: Number(rule.floor.as_f64()),
                scope: match rule.scope {
                    Scope::Canary => "canary",
                    Scope::Service => "service",
                },
                level: Number(rule.level),
                min_events: rule.min_events,
            }),
            reserve: policies.reserve.map(|share| Number(share.as_f64())),
            waves_spend: policies.waves_spend.map(|share| Number(share.as_f64())),
            page: policies.page,
            projected: policies.projected.map(|burn| Number(burn.as_f64())),
        }
    }
}

/// How the account is kept.
#[derive(Serialize)]
struct UpkeepShape {
    slice: String,
    settle: String,
    asked_at: Option<Instant>,
    samples_fetched: u64,
    samples_last: u64,
    estimated: bool,
    remarks: Vec<String>,
}

/// One line: first what makes its numbers incomplete.
fn summary(view: &SloView<'_>) -> String {
    let mut parts = Vec::new();
    if let Some(Trouble(message)) = view.trouble {
        parts.push(prose::quote(message));
    }
    if let Some(Loading(share)) = view.loading {
        parts.push(format!("{} of its past is read", prose::percent(share)));
    }
    let nothing = view.burn.state == BurnState::NoData;
    if nothing && parts.is_empty() {
        // Why nothing can be counted, where the source told.
        parts.extend(view.remarks.iter().map(|remark| prose::quote(remark)));
    }
    if !nothing || parts.is_empty() {
        parts.push(says::summary(view.burn, view.spent.and_then(|spent| spent.share)));
    }
    prose::clip(&parts.join("; "), 512)
}
