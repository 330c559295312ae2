//! How fast a service burns its error budget, as JSON.

use crate::judge::Burn;
use crate::judge::PeriodBurn;
use crate::judge::TierReading;
use crate::judge::WindowBurn;
use crate::rules::TierSeverity;
use crate::wire::json::Number;
use crate::wire::prose;
use serde::Serialize;
use std::time::Duration;

/// One window. Where an SLO counts slices, so are `bad` and `total`.
#[derive(Debug, Serialize)]
pub(super) struct WindowShape {
    window: String,
    seconds: Number,
    bad: Option<Number>,
    total: Option<Number>,
    error_ratio: Option<Number>,
    burn: Option<Number>,
    /// If it goes on as in this window.
    exhausted_in_seconds: Option<Number>,
    /// The whole error budget, at this rate.
    budget_lasts_seconds: Option<Number>,
    /// The share of the error budget that went in this window, were traffic always the same.
    consumed_by_time: Option<Number>,
    /// The share of its slices that were seen.
    coverage: Number,
}

impl WindowShape {
    pub(super) fn all(burn: &Burn) -> Vec<Self> {
        burn.windows.iter().map(|window| Self::of(burn, window)).collect()
    }

    fn of(burn: &Burn, window: &WindowBurn) -> Self {
        let (span, period) = (window.span, &burn.period);
        let length = period.to.since(period.from);
        Self {
            window: prose::length(span.length),
            seconds: seconds(span.length),
            bad: span.counts.map(|counts| Number(counts.bad)),
            total: span.counts.map(|counts| Number(counts.total)),
            error_ratio: window.error_ratio.map(Number),
            burn: window.burn.map(Number),
            exhausted_in_seconds: period.exhausted_in(window.burn).map(seconds),
            budget_lasts_seconds: window.budget_lasts(length).map(seconds),
            consumed_by_time: window.consumed_by_time(length).map(Number),
            coverage: Number(f64::from(span.seen) / f64::from(span.slices.max(1))),
        }
    }
}

/// One pair of windows.
#[derive(Debug, Serialize)]
pub(super) struct TierShape<'a> {
    name: &'a str,
    severity: &'static str,
    long: String,
    short: String,
    factor: Number,
    threshold: Number,
    long_burn: Option<Number>,
    short_burn: Option<Number>,
    firing: bool,
    /// Why one that is burnt fast enough does not fire.
    suppressed: Option<&'static str>,
    reachable: bool,
}

impl<'a> TierShape<'a> {
    pub(super) fn of(tier: &'a TierReading) -> Self {
        Self {
            name: &tier.name,
            severity: severity(tier.severity),
            long: prose::length(tier.long),
            short: prose::length(tier.short),
            factor: Number(tier.factor),
            threshold: Number(tier.threshold),
            long_burn: tier.long_burn.map(Number),
            short_burn: tier.short_burn.map(Number),
            firing: tier.firing,
            suppressed: tier.suppressed.then_some("suppressed_low_traffic"),
            reachable: tier.reachable,
        }
    }
}

/// The error budget of the period.
#[derive(Debug, Serialize)]
pub(super) struct PeriodShape {
    bad: Option<Number>,
    seen: Option<Number>,
    total: Option<Number>,
    /// Whether `total` is what it comes to if it goes on so.
    forecast: bool,
    covered: Number,
    allowed: Option<Number>,
    consumed: Option<Number>,
    remaining: Option<Number>,
    burn: Option<Number>,
}

impl PeriodShape {
    pub(super) fn of(period: &PeriodBurn) -> Self {
        let counts = period.span.counts;
        Self {
            bad: counts.map(|counts| Number(counts.bad)),
            seen: counts.map(|counts| Number(counts.total)),
            total: period.total.map(Number),
            forecast: period.forecast,
            covered: Number(period.covered),
            allowed: period.allowed.map(Number),
            consumed: period.consumed.map(Number),
            remaining: period.remaining.map(Number),
            burn: period.burn.map(Number),
        }
    }
}

/// How fast a service burns now, in one number: over the long window of the fastest tier that
/// fires, or of the fastest there is; without tiers, of the longest window or of the period.
pub(super) fn burn_now(burn: &Burn) -> Option<f64> {
    let fastest = |tiers: &mut dyn Iterator<Item = &TierReading>| {
        tiers.max_by(|one, other| one.factor.total_cmp(&other.factor)).map(|tier| tier.long_burn)
    };
    fastest(&mut burn.tiers.iter().filter(|tier| tier.firing))
        .or_else(|| fastest(&mut burn.tiers.iter()))
        .unwrap_or_else(|| burn.windows.last().map_or(burn.period.burn, |window| window.burn))
}

pub(super) fn seconds(length: Duration) -> Number {
    Number(length.as_secs_f64())
}

pub(super) fn severity(severity: TierSeverity) -> &'static str {
    match severity {
        TierSeverity::Ticket => "ticket",
        TierSeverity::Page => "page",
    }
}
