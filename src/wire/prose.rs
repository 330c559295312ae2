//! Sentences for people, made from typed causes and their numbers.
//!
//! Each says what was seen, how sure that is and what would have been accepted,
//! in this order, with numbers cut to three digits: the exact ones stand beside
//! it in `detail`.

use crate::judge::Cause;
use crate::judge::Cohort;
use crate::judge::Effect;
use crate::judge::Unit;
use crate::judge::Warning;
use crate::series::Notice;
use crate::wire::budget;
use std::fmt::Write as _;
use std::time::Duration;

/// What the verdict rests on.
pub(crate) const BRIEF_MEMORY: &str = "intervals and promised risks hold at every look, for metrics of which an interval \
     resembles the one before by up to 0.7 (autocorrelation)";

/// The longest text of a foreign mouth that we repeat, in characters.
pub(crate) const MAX_QUOTE: usize = 256;

/// Why a check or a gate stands where it stands.
#[expect(clippy::too_many_lines, reason = "one sentence for each cause")]
pub(crate) fn cause(cause: &Cause) -> String {
    match cause {
        Cause::WaveBurn { scope, ratio, low, limit, burn, .. } => {
            budget::wave_burn(*scope, *ratio, *low, *limit, *burn)
        }
        Cause::WaveBurnUnconfirmed { scope, ratio, low, limit, .. } => {
            budget::wave_burn_unconfirmed(*scope, *ratio, *low, *limit)
        }
        Cause::BudgetTooFewEvents { cohort, have, need, .. } => budget::too_few_events(*cohort, *have, *need),
        Cause::SloPage { slo, tiers } => budget::slo_page(slo, tiers, None),
        Cause::BudgetReserve { slo, remaining, reserve } => budget::reserve(slo, *remaining, *reserve),
        Cause::BudgetExhausted { slo, remaining } => budget::exhausted(slo, *remaining),
        Cause::BudgetSpentByWaves { slo, spent, own, limit } => budget::spent_by_waves(slo, *spent, *own, *limit),
        Cause::ProjectedBurn { burn, low, limit, .. } => budget::projected(*burn, *low, *limit),
        Cause::ProjectedBurnUnconfirmed { burn, low, limit, .. } => {
            format!("not sure yet: {}", budget::projected(*burn, *low, *limit))
        }
        Cause::BudgetUnknown { slo } => budget::unknown(slo),
        Cause::ShiftAboveTolerance { effect, tolerance, .. } => shift(effect, *tolerance),
        Cause::TailAboveTolerance { effect, above, tolerance, .. } => format!(
            "{} of the canary's events lie above {} for each of the baseline's (at least {}); tolerated is {}",
            number(effect.estimate),
            number(*above),
            number(effect.low),
            number(*tolerance)
        ),
        Cause::InstanceAboveTolerance { instance, bad, total, ratio, tolerance, .. } => format!(
            "instance {} of the canary has {} bad of {} events ({}), surely more than {} times the baseline's rate",
            quote(instance),
            number(*bad),
            number(*total),
            percent(*ratio),
            number(*tolerance)
        ),
        Cause::RecentShift { points } => {
            format!("all in all within, but the last {points} intervals alone are not: something has just changed")
        }
        Cause::WiderScatter { canary, baseline, unit } => format!(
            "the canary's values scatter over {} where the baseline's do over {}, and a tenth of them are beyond what a \
             pass allows",
            margin(*unit, *canary),
            margin(*unit, *baseline)
        ),
        Cause::ThresholdBreached { value, bound, series, .. } => format!(
            "the canary is at {}, beyond the bound {}, in series {}",
            number(*value),
            number(*bound),
            quote(&series.to_string())
        ),
        Cause::Environment { canary, baseline, bound } => format!(
            "the canary is at {} and the baseline at {}, both beyond the bound {}: not the canary's doing",
            number(*canary),
            number(*baseline),
            number(*bound)
        ),
        Cause::BreachToConfirm { value, bound } => {
            format!(
                "the canary is at {}, beyond the bound {}; one more interval confirms it",
                number(*value),
                number(*bound)
            )
        }
        Cause::NeedsMoreEvidence { effect: Some(effect), pass_within } => undecided(effect, *pass_within),
        Cause::NeedsMoreEvidence { effect: None, .. } => {
            String::from("no bad event yet, and too few events to say that the ratio is below its floor")
        }
        Cause::SamplesBeyondBound { beyond, samples, bound } => format!(
            "{beyond} of the canary's last {samples} samples are beyond the bound {}; a pass needs all inside",
            number(*bound)
        ),
        Cause::NoScale { canary } => format!(
            "the baseline's median is 0 and the canary's is {}: a relative margin of nothing has no size",
            number(*canary)
        ),
        Cause::PartialAnswer { message } => format!("the source says that its answer lacks data: {}", quote(message)),
        Cause::BeyondBuckets { share } => format!(
            "{} of the events lie above the largest bucket, where slower does not show: add larger buckets",
            percent(*share)
        ),
        Cause::TooFewSamples { have, need } => {
            format!("{} samples are too few to say anything; it takes {}", number(*have), number(*need))
        }
        Cause::MinDuration { until } => {
            format!("looks good so far; a pass waits for the minimum duration, until {until}")
        }
        Cause::WarmingUp { until } => format!("warming up: nothing counts before {until}"),
        Cause::PlannedDowntime { until } => format!("planned downtime: nothing counts before {until}"),
        Cause::WindowClosed { by, until: Some(until) } => {
            format!("no pass before {until}: the window is closed ({})", quote(by))
        }
        Cause::WindowClosed { by, until: None } => {
            format!("no pass: the window is closed ({}) and does not open within a year", quote(by))
        }
        Cause::NoTelemetry { cohort } => {
            // Intervals are used in pairs: where one cohort has nothing, the other's count for nothing.
            format!(
                "not a single sample of the {} could be used: do the matchers of the cohorts pick series?",
                name(*cohort)
            )
        }
        Cause::NoTraffic { cohort } => {
            format!("the {} had no event for five minutes: there is nothing to judge", name(*cohort))
        }
        Cause::LowCoverage { cohort, coverage, need, recent, nan } => {
            low_coverage(*cohort, [*coverage, *need], *recent, *nan)
        }
        Cause::NonFinite { cohort, count } => {
            format!("{count} infinite {} of the {} in the window", plural(*count, "sample", "samples"), name(*cohort))
        }
        Cause::CohortsOverlap { series } => format!("one series answered for both cohorts: {}", quote(series)),
        Cause::BadNeverSeen { selector } => {
            format!("the source knows no series like {}: zero errors cannot be told from a wrong name", quote(selector))
        }
        Cause::ThresholdNotABucket { threshold, bounds } => format!(
            "{} is not a bucket of the histogram, and what lies between two is not guessed; its buckets are {}",
            quote(threshold),
            clip(bounds, 256)
        ),
        Cause::AllChecksPassed { checks: 1 } => String::from("the one counted check passed"),
        Cause::AllChecksPassed { checks } => format!("all {checks} counted checks passed"),
        Cause::DeadlineReached { deadline } => format!("the deadline {deadline} came with nothing decided"),
    }
}

fn low_coverage(cohort: Cohort, [coverage, need]: [f64; 2], recent: bool, nan: u32) -> String {
    let span = if recent { "over the last five minutes" } else { "since the warm-up" };
    let numbers = match nan {
        0 => String::new(),
        nan => format!("; {nan} {} not a number", plural(nan, "was", "were")),
    };
    let (coverage, need) = (percent(coverage), percent(need));
    format!("{coverage} of the {}'s expected samples arrived {span}; it takes {need}{numbers}", name(cohort))
}

/// How the numbers of a check came about.
pub(crate) fn notice(notice: &Notice) -> String {
    match notice {
        Notice::StartsAtFirstSample { series } => format!(
            "{series} {} during the wave and count from their first sample, not from zero",
            plural(*series, "counter began", "counters began")
        ),
        Notice::GapNotBridged { series } => format!(
            "{series} {} silent for more than five minutes; what was counted meanwhile is left out",
            plural(*series, "counter was", "counters were")
        ),
        Notice::BoundsDiffer => String::from("histograms with different buckets were merged on the bounds they share"),
        Notice::NativeAndClassic => String::from(
            "some histograms are native and others have classic buckets alone; they cannot be compared and were not read",
        ),
        Notice::BadAboveTotal => String::from("more bad than total events were counted; bad was taken as total"),
        Notice::NoInstanceLabel => {
            String::from("series of a cohort carry no instance label and were taken as one instance")
        }
        Notice::TooManyInstances { instances } => {
            format!("a cohort has {instances} instances, too many to judge each by itself")
        }
        Notice::InstanceNameTooLong { bytes } => format!(
            "an instance has a name of {bytes} bytes, too long to keep: no instance of its cohort is judged by itself"
        ),
        Notice::BaselineIsHistory { ago_ms } => format!(
            "the baseline is history, {} before: what has changed since then by itself is taken for the canary's",
            offset(*ago_ms)
        ),
        Notice::Remark { message } => format!("the source remarks: {}", quote(message)),
    }
}

const WEEK: u64 = 7 * 86_400_000;

/// A span as rule files have it, with whole weeks as weeks.
pub(crate) fn offset(millis: u64) -> String {
    if millis.is_multiple_of(WEEK) { in_units(millis, &[("w", WEEK)]) } else { plain_length(millis) }
}

/// A length of time as rule files have it: `1h30m`, `30d`.
pub(crate) fn length(length: Duration) -> String {
    plain_length(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

fn plain_length(millis: u64) -> String {
    in_units(millis, &[("d", WEEK / 7), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)])
}

fn in_units(mut millis: u64, units: &[(&str, u64)]) -> String {
    let mut text = String::new();
    for (unit, size) in units {
        if *size <= millis {
            let _ = write!(text, "{}{unit}", millis / size);
            millis %= size;
        }
    }
    if text.is_empty() { String::from("0s") } else { text }
}

/// What a reader of a number should know.
pub(crate) fn warning(warning: &Warning) -> String {
    match warning {
        Warning::AutocorrelationHigh { autocorrelation } => format!(
            "an interval resembles the one before by {}: above 0.7 the promised risks are exceeded",
            number(*autocorrelation)
        ),
        Warning::JudgedAsCohorts { canary, baseline, need: [canaries, baselines] } => format!(
            "judged as cohorts, not by instance: there were {canary} canary and {baseline} baseline instances at the \
             first look, and it takes {canaries} and {baselines}"
        ),
        Warning::ValuesDropped { intervals } => format!(
            "{intervals} {} a value at or below 0 and left out, because ratios are judged; write `scale: absolute` for \
             what may be 0",
            plural(*intervals, "interval had", "intervals had")
        ),
        Warning::JudgedAlone { floor } => {
            format!("judged alone, without a baseline: the canary's own ratio against its floor of {}", percent(*floor))
        }
        Warning::TrafficDiffers { ratio } => {
            format!("a canary instance has {} times the traffic of a baseline instance", number(*ratio))
        }
    }
}

/// A word that is not ours, on one line and of bounded length: what a hostile
/// label or a proxy's error page may put into a document.
pub(crate) fn quote(text: &str) -> String {
    clip(text, MAX_QUOTE)
}

/// The first `most` characters of `text`, controls replaced.
pub(crate) fn clip(text: &str, most: usize) -> String {
    let mut kept: String =
        text.chars().take(most).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect();
    if text.chars().nth(most).is_some() {
        kept.pop();
        kept.push('…');
    }
    kept
}

/// `value` to three digits, plainly.
pub(crate) fn number(value: f64) -> String {
    if !value.is_finite() {
        return String::from(if value.is_nan() {
            "not a number"
        } else if value > 0.0 {
            "+Inf"
        } else {
            "-Inf"
        });
    }
    let size = value.abs();
    if size != 0.0 && !(1e-6..1e12).contains(&size) {
        return format!("{value:.2e}");
    }
    let decimals = [100.0, 10.0, 1.0, 0.1, 0.01, 0.001, 0.0001].iter().filter(|bound| size < **bound).count();
    let mut text = format!("{value:.decimals$}");
    if text.contains('.') {
        text.truncate(text.trim_end_matches('0').trim_end_matches('.').len());
    }
    if text == "-0" { String::from("0") } else { text }
}

/// `share` as a percentage.
pub(crate) fn percent(share: f64) -> String {
    format!("{} %", number(share * 100.0))
}

fn shift(effect: &Effect, tolerance: f64) -> String {
    // The check may look either way: the bound that passed the tolerance tells which.
    // With a split that moves, the pooled estimate may lie on the other side of it.
    let above = effect.low >= tolerance || effect.estimate > tolerance && effect.high > tolerance;
    let (side, bound) = if above { ("at least", effect.low) } else { ("at most", effect.high) };
    let mut text = seen(effect);
    let _ = write!(text, " ({side} {}); tolerated is {}", margin(effect.unit, bound), margin(effect.unit, tolerance));
    text
}

fn undecided(effect: &Effect, pass_within: f64) -> String {
    let side = if pass_within < neutral(effect.unit) { "above" } else { "below" };
    let (low, high) = (margin(effect.unit, effect.low), margin(effect.unit, effect.high));
    let range =
        if effect.high.is_finite() { format!("between {low} and {high}") } else { format!("{low} or more, unbounded") };
    format!("{}, {range}; a pass needs it {side} {}", seen(effect), margin(effect.unit, pass_within))
}

/// The estimate as a clause.
fn seen(effect: &Effect) -> String {
    match effect.unit {
        Unit::RateRatio if effect.estimate == f64::INFINITY => {
            "the canary has errors and the baseline none, so the rate ratio is unbounded".to_owned()
        }
        Unit::RateRatio => format!("the canary's error rate is {} times the baseline's", number(effect.estimate)),
        Unit::Probability => {
            format!("a canary event is larger than a baseline event in {} of pairs", percent(effect.estimate))
        }
        Unit::TailRatio => {
            format!("beyond the bound the canary has {} times the baseline's share of events", number(effect.estimate))
        }
        Unit::Share => format!("{} of the canary's events are bad", percent(effect.estimate)),
        Unit::AbsoluteChange => {
            let place = if effect.estimate < 0.0 { "below" } else { "above" };
            format!("the canary is {} {place} the baseline", number(effect.estimate.abs()))
        }
        Unit::RelativeChange => {
            let place = if effect.estimate < 0.0 { "below" } else { "above" };
            format!("the canary is {} {place} the baseline", percent(effect.estimate.abs()))
        }
    }
}

fn margin(unit: Unit, value: f64) -> String {
    match unit {
        Unit::AbsoluteChange if value > 0.0 => format!("+{}", number(value)),
        Unit::RateRatio | Unit::TailRatio | Unit::AbsoluteChange => number(value),
        Unit::Probability | Unit::Share => percent(value),
        Unit::RelativeChange => signed_percent(value),
    }
}

fn signed_percent(value: f64) -> String {
    if value > 0.0 { format!("+{}", percent(value)) } else { percent(value) }
}

/// The value of "no change".
fn neutral(unit: Unit) -> f64 {
    match unit {
        Unit::RateRatio | Unit::TailRatio => 1.0,
        Unit::Probability => 0.5,
        Unit::RelativeChange | Unit::AbsoluteChange | Unit::Share => 0.0,
    }
}

fn name(cohort: Cohort) -> &'static str {
    match cohort {
        Cohort::Canary => "canary",
        Cohort::Baseline => "baseline",
    }
}

fn plural(count: u32, one: &'static str, many: &'static str) -> &'static str {
    if count == 1 { one } else { many }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Timestamp;

    #[track_caller]
    fn reads(value: f64, expect: &str) {
        assert_eq!(number(value), expect);
    }

    #[test]
    fn numbers_are_cut_to_three_digits() {
        reads(0.0, "0");
        reads(-0.0, "0");
        reads(9.8123, "9.81");
        reads(1.25, "1.25");
        reads(48211.4, "48211");
        reads(0.050_049, "0.05");
        reads(0.001_234, "0.00123");
        reads(-12.345, "-12.3");
        reads(1e-9, "1.00e-9");
        reads(4.2e15, "4.20e15");
        reads(f64::INFINITY, "+Inf");
        reads(f64::NAN, "not a number");
    }

    #[track_caller]
    fn says(cause: &Cause, expect: &str) {
        assert_eq!(super::cause(cause), expect);
    }

    fn effect(unit: Unit, estimate: f64, low: f64, high: f64) -> Effect {
        Effect { estimate, low, high, unit }
    }

    #[test]
    fn a_shift_says_estimate_bound_and_tolerance() {
        let at = Timestamp::from_millis(0);
        let shift = |effect, tolerance| Cause::ShiftAboveTolerance { effect, tolerance, at };
        says(
            &shift(effect(Unit::RateRatio, 9.8, 6.1, 15.2), 1.25),
            "the canary's error rate is 9.8 times the baseline's (at least 6.1); tolerated is 1.25",
        );
        says(
            &shift(effect(Unit::RateRatio, 0.4, 0.3, 0.55), 0.8),
            "the canary's error rate is 0.4 times the baseline's (at most 0.55); tolerated is 0.8",
        );
        says(
            &shift(effect(Unit::RateRatio, 0.9, 1.25, 15.2), 1.25),
            "the canary's error rate is 0.9 times the baseline's (at least 1.25); tolerated is 1.25",
        );
        says(
            &shift(effect(Unit::RateRatio, f64::INFINITY, 13.3, f64::INFINITY), 1.25),
            "the canary has errors and the baseline none, so the rate ratio is unbounded (at least 13.3); \
             tolerated is 1.25",
        );
        says(
            &shift(effect(Unit::Probability, 0.61, 0.57, 0.65), 0.52),
            "a canary event is larger than a baseline event in 61 % of pairs (at least 57 %); tolerated is 52 %",
        );
        says(
            &shift(effect(Unit::RelativeChange, 0.41, 0.35, 0.48), 0.05),
            "the canary is 41 % above the baseline (at least +35 %); tolerated is +5 %",
        );
        says(
            &shift(effect(Unit::RelativeChange, -0.41, -0.48, -0.35), -0.05),
            "the canary is 41 % below the baseline (at most -35 %); tolerated is -5 %",
        );
    }

    #[test]
    fn an_open_interval_is_said_to_be_open() {
        says(
            &Cause::NeedsMoreEvidence {
                effect: Some(effect(Unit::RateRatio, 1.1, 0.4, f64::INFINITY)),
                pass_within: 2.0,
            },
            "the canary's error rate is 1.1 times the baseline's, 0.4 or more, unbounded; a pass needs it below 2",
        );
    }

    #[test]
    fn foreign_words_stay_on_one_short_line() {
        let hostile = "a\u{1b}[31m\n".to_owned() + &"x".repeat(1000);
        let said = quote(&hostile);
        assert_eq!(said.chars().count(), MAX_QUOTE);
        assert!(said.starts_with("a\u{fffd}[31m\u{fffd}xxx") && said.ends_with('…'));
        assert_eq!(quote("plain"), "plain");
    }
}
