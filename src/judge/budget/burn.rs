//! How fast an error budget burns, and what is left of it (slo.md §1).

use crate::rules::Budgeting;
use crate::rules::Slo;
use crate::rules::Tier;
use crate::rules::TierSeverity;
use crate::series::Counts;
use crate::series::Fraction;
use crate::series::ServiceReading;
use crate::series::SpanReading;
use crate::series::Timestamp;
use std::cmp::Ordering;
use std::time::Duration;

/// What a service's slices say.
#[derive(Clone, Debug, PartialEq)]
pub struct Burn {
    /// The gravest tier that fires.
    pub state: BurnState,
    /// Whether some window, but not all, had no event.
    pub partial: bool,
    /// Whether a tier would fire but for having too few bad events.
    pub suppressed: bool,
    /// The end of the last slice that was used.
    pub through: Timestamp,
    /// Each length of window, the shortest first.
    pub windows: Vec<WindowBurn>,
    /// In the order of the SLO file.
    pub tiers: Vec<TierReading>,
    /// Whether the rule of so many bad events fires; `None` where the SLO has none.
    pub absolute: Option<bool>,
    /// The period.
    pub period: PeriodBurn,
}

/// Who is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BurnState {
    /// Nobody.
    Ok,
    /// Somebody in working hours.
    Ticket,
    /// Somebody is woken.
    Page,
    /// No window had an event: nobody knows.
    NoData,
}

impl BurnState {
    /// Every state, as it is called in documents and metrics.
    pub const WORDS: [(Self, &'static str); 4] =
        [(Self::Ok, "ok"), (Self::Ticket, "ticket"), (Self::Page, "page"), (Self::NoData, "no_data")];

    /// Its word.
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(state, _)| *state == self).map_or("no_data", |(_, word)| word)
    }
}

/// One window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowBurn {
    /// What was counted in it.
    pub span: SpanReading,
    /// Bad of all; `None` of nothing.
    pub error_ratio: Option<f64>,
    /// [`WindowBurn::error_ratio`] over the error budget.
    pub burn: Option<f64>,
}

/// One tier.
#[derive(Clone, Debug, PartialEq)]
pub struct TierReading {
    /// Its name.
    pub name: String,
    /// Whom it wakes.
    pub severity: TierSeverity,
    /// The longer window.
    pub long: Duration,
    /// The shorter window.
    pub short: Duration,
    /// The burn rate that both must be above.
    pub factor: f64,
    /// The ratio of bad events that this is.
    pub threshold: f64,
    /// Of the longer window.
    pub long_burn: Option<f64>,
    /// Of the shorter window.
    pub short_burn: Option<f64>,
    /// Whether any ratio could be above the threshold.
    pub reachable: bool,
    /// Whether both are above, without rounding.
    pub firing: bool,
    /// Whether it would fire but for having too few bad events.
    pub suppressed: bool,
}

/// The period so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PeriodBurn {
    /// When it began.
    pub from: Timestamp,
    /// When it ends.
    pub to: Timestamp,
    /// What was counted in it.
    pub span: SpanReading,
    /// All events of the whole period: what was seen, or what it comes to if it goes on so
    /// where the period is not over or the source does not reach back to its begin.
    pub total: Option<f64>,
    /// The same of events, also where the SLO counts slices: what waves spent is told by those.
    pub events: Option<f64>,
    /// Whether [`PeriodBurn::total`] is such an estimate.
    pub forecast: bool,
    /// The share of the period that [`PeriodBurn::span`] was seen over, in [0, 1].
    pub covered: f64,
    /// Bad events that the objective allows: total × error budget.
    pub allowed: Option<f64>,
    /// The share of the error budget that is gone: bad ÷ allowed; may be above 1.
    pub consumed: Option<f64>,
    /// 1 less [`PeriodBurn::consumed`]; may be negative.
    pub remaining: Option<f64>,
    /// The burn rate over all that was seen of the period.
    pub burn: Option<f64>,
}

impl PeriodBurn {
    /// Until nothing remains at the burn rate `rate`: zero where nothing does, `None` where
    /// that is never or nobody knows. What leaves a rolling period meanwhile, and that a
    /// calendar's begins anew, is not in it.
    pub fn exhausted_in(&self, rate: Option<f64>) -> Option<Duration> {
        let remaining = self.remaining?;
        match rate {
            None if remaining > 0.0 => None,
            rate => lasts(remaining, self.to.since(self.from), rate.unwrap_or(0.0)),
        }
    }
}

impl Burn {
    /// Whether anybody knows how the service stands now: its shortest window was seen. One
    /// that nobody saw fires no tier, and is not taken for a quiet one.
    pub(super) fn is_known(&self) -> bool {
        let is_seen = |window: &WindowBurn| window.span.slices == 0 || window.span.seen > 0;
        self.state != BurnState::NoData && self.windows.first().is_none_or(is_seen)
    }
}

impl WindowBurn {
    /// The share of the error budget of a period of `length` that went in this window, if
    /// traffic is always the same: burn × window ÷ period. What [`PeriodBurn::consumed`] says
    /// is by events, and an hour of much traffic is more of it (slo.md §1, vector A11).
    pub fn consumed_by_time(&self, length: Duration) -> Option<f64> {
        let share = self.span.length.as_secs_f64() / length.as_secs_f64();
        self.burn.map(|burn| burn * share).filter(|share| share.is_finite())
    }

    /// How long the whole error budget of a period of `length` lasts at this rate: 50 hours at
    /// 14.4 of 30 days. `None` where it lasts for ever, or nobody knows.
    pub fn budget_lasts(&self, length: Duration) -> Option<Duration> {
        lasts(1.0, length, self.burn?)
    }
}

/// What `reading` says of `slo`.
///
/// A tier fires where the counts of both of its windows are above factor × error budget,
/// compared without rounding: a burn of exactly the factor does not fire, and a window that
/// counted nothing never does. Where the SLO takes the mean of ratios ([`Budgeting`]) that
/// mean is a float, and only the last comparison is exact. No field is ever NaN or infinite.
///
/// [`Budgeting`]: crate::rules::Budgeting
pub fn burn(slo: &Slo, reading: &ServiceReading) -> Burn {
    let budget = slo.budget();
    let windows: Vec<WindowBurn> = reading.windows.iter().map(|span| window(*span, budget)).collect();
    let tiers: Vec<TierReading> = slo.tiers.iter().map(|tier| read_tier(tier, slo, &windows)).collect();
    let absolute = slo.absolute.map(|rule| {
        let span = find(&windows, rule.within).map(|window| window.span);
        span.is_some_and(|span| span.bad_events >= f64::from(rule.bad))
    });

    // With no window to look at the period says whether anybody knows.
    let period = window(reading.period, budget);
    let known = |window: &&WindowBurn| window.error_ratio.is_some();
    let (seen, all) = match windows.len() {
        0 => (usize::from(period.error_ratio.is_some()), 1),
        all => (windows.iter().filter(known).count(), all),
    };
    let fired = tiers.iter().filter(|tier| tier.firing).map(|tier| tier.severity);
    let fired = fired.chain(slo.absolute.filter(|_| absolute == Some(true)).map(|rule| rule.severity)).max();
    Burn {
        state: match fired {
            Some(TierSeverity::Page) => BurnState::Page,
            Some(TierSeverity::Ticket) => BurnState::Ticket,
            None if seen == 0 => BurnState::NoData,
            None => BurnState::Ok,
        },
        partial: 0 < seen && seen < all,
        suppressed: tiers.iter().any(|tier| tier.suppressed),
        through: reading.through,
        period: read_period(slo, reading),
        windows,
        tiers,
        absolute,
    }
}

fn window(span: SpanReading, budget: Fraction) -> WindowBurn {
    let some = span.counts.filter(|counts| counts.total > 0.0);
    let error_ratio = some.map(|counts| counts.bad / counts.total).and_then(finite);
    let (part, whole) = as_floats(budget);
    // Multiplied first: 144 of 10 000 is 14.4 thousandths, and not a little less.
    let burn = some.map(|counts| counts.bad * whole / (counts.total * part)).and_then(finite);
    WindowBurn { span, error_ratio, burn }
}

fn find(windows: &[WindowBurn], length: Duration) -> Option<&WindowBurn> {
    windows.iter().find(|window| window.span.length == length)
}

fn read_tier(tier: &Tier, slo: &Slo, windows: &[WindowBurn]) -> TierReading {
    let budget = slo.budget();
    // A product of more digits than are kept is of a factor that nobody writes; it is then
    // compared as the nearest float.
    let threshold = tier.factor.times(budget);
    let nearest = threshold.map_or(tier.factor.as_f64() * budget.as_f64(), Fraction::as_f64);
    let above = |counts: Counts| match threshold {
        Some(exact) => exact.compare(counts.bad, counts.total) == Some(Ordering::Greater),
        None => counts.bad > nearest * counts.total,
    };
    let (long, short) = (find(windows, tier.long), find(windows, tier.short));
    let fires = |window: Option<&WindowBurn>| {
        window.and_then(|window| window.span.counts).is_some_and(|counts| counts.total > 0.0 && above(counts))
    };
    let both = fires(long) && fires(short);
    let enough = long.is_some_and(|window| window.span.bad_events >= f64::from(slo.min_bad));
    TierReading {
        name: tier.name.clone(),
        severity: tier.severity,
        long: tier.long,
        short: tier.short,
        factor: tier.factor.as_f64(),
        threshold: nearest,
        long_burn: long.and_then(|window| window.burn),
        short_burn: short.and_then(|window| window.burn),
        reachable: threshold.map_or(nearest < 1.0, |exact| exact < Fraction::ONE),
        firing: both && enough,
        suppressed: both && !enough,
    }
}

fn read_period(slo: &Slo, reading: &ServiceReading) -> PeriodBurn {
    let budget = slo.budget();
    let span = reading.period;
    let length = reading.period_to.since(reading.period_from);
    let stretch = stretch(slo, reading, length);
    let whole_period = |counts: Option<Counts>| finite(counts.filter(|counts| counts.total > 0.0)?.total * stretch);
    let so_far = span.counts.filter(|counts| counts.total > 0.0);
    let total = whole_period(so_far);
    let (part, whole) = as_floats(budget);
    let allowed = total.and_then(|total| finite(total * part / whole));
    let gone = |counts: Counts| finite(counts.bad * whole / (total? * part));
    let consumed = so_far.and_then(gone);
    let remaining = consumed.map(|consumed| 1.0 - consumed);
    PeriodBurn {
        from: reading.period_from,
        to: reading.period_to,
        span,
        total,
        events: match slo.budgeting {
            Budgeting::Occurrences => total,
            Budgeting::Timeslices { .. } | Budgeting::RatioTimeslices { .. } => whole_period(reading.events.counts),
        },
        forecast: stretch > 1.0,
        covered: covered(span, length),
        allowed,
        consumed,
        remaining,
        burn: window(span, budget).burn,
    }
}

/// How many times as long the period is as the part of it that ends now and begins with the
/// first slice that was seen. What was not seen within that part is not made up for: nobody
/// knows which traffic there was, nor how much of it was bad.
fn stretch(slo: &Slo, reading: &ServiceReading, length: Duration) -> f64 {
    let Some(seen_from) = reading.seen_from else { return 1.0 };
    // The first slice was seen from its begin on, which is one slice before its end.
    let known = reading.through.since((seen_from - slo.slice).max(reading.period_from));
    if known.is_zero() { 1.0 } else { (length.as_secs_f64() / known.as_secs_f64()).max(1.0) }
}

/// The share of the period that was seen.
fn covered(span: SpanReading, length: Duration) -> f64 {
    if span.slices == 0 || length.is_zero() {
        return 0.0;
    }
    let so_far = span.length.as_secs_f64() / length.as_secs_f64();
    (f64::from(span.seen) / f64::from(span.slices) * so_far).clamp(0.0, 1.0)
}

/// How long `share` of the error budget of a period of `length` lasts at `burn`: share × length
/// ÷ burn. Nothing lasts no time; `None` where it lasts for ever or for longer than time is told.
fn lasts(share: f64, length: Duration, burn: f64) -> Option<Duration> {
    if share <= 0.0 {
        return Some(Duration::ZERO);
    }
    Duration::try_from_secs_f64(share * length.as_secs_f64() / burn).ok()
}

#[expect(clippy::cast_precision_loss, reason = "a ratio is shown as the nearest float; what fires is compared exactly")]
fn as_floats(fraction: Fraction) -> (f64, f64) {
    let (part, whole) = fraction.parts();
    (part as f64, whole as f64)
}

fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}
