//! Error budgets in words: what was read, how sure that is, and what is allowed.

use crate::judge::BudgetOutcome;
use crate::judge::Burn;
use crate::judge::BurnState;
use crate::judge::Cause;
use crate::judge::Cohort;
use crate::rules::Scope;
use crate::series::Fraction;
use crate::wire::budget::burn::burn_now;
use crate::wire::prose;
use crate::wire::prose::number;
use crate::wire::prose::percent;
use crate::wire::prose::quote;
use std::fmt::Write as _;
use std::time::Duration;

/// [`prose::cause`], with what the look knows of the service beside it.
pub(in crate::wire) fn cause(cause: &Cause, budget: Option<&BudgetOutcome>) -> String {
    match (cause, budget) {
        (Cause::SloPage { slo, tiers }, Some(budget)) if budget.slo.as_str() == slo => {
            slo_page(slo, tiers, budget.burn.as_ref())
        }
        (cause, _) => prose::cause(cause),
    }
}

/// The wave surely burns faster than its baseline.
pub(in crate::wire) fn wave_burn(scope: Scope, ratio: Option<f64>, low: f64, limit: f64, burn: f64) -> String {
    let rate = number(burn);
    match ratio.filter(|ratio| ratio.is_finite()) {
        Some(ratio) => format!("{}; the canary burns at {rate}x", compared(scope, ratio, low, limit)),
        None => format!(
            "the canary burns the error budget at {rate}x and its baseline does not at all (at least {}x as fast; {}x \
             is allowed)",
            number(low),
            number(limit)
        ),
    }
}

/// The wave may burn faster than its baseline.
pub(in crate::wire) fn wave_burn_unconfirmed(scope: Scope, ratio: Option<f64>, low: f64, limit: f64) -> String {
    let seen = match ratio.filter(|ratio| ratio.is_finite()) {
        Some(ratio) => compared(scope, ratio, low, limit),
        None => format!(
            "the canary burns the error budget and its baseline does not at all (at least {}x as fast; {}x is allowed)",
            number(low),
            number(limit)
        ),
    };
    format!("not sure yet: {seen}")
}

fn compared(scope: Scope, ratio: f64, low: f64, limit: f64) -> String {
    let [ratio, low, limit] = [ratio, low, limit].map(number);
    match scope {
        Scope::Canary => format!(
            "the canary burns the error budget {ratio}x as fast as its baseline (at least {low}x; {limit}x is allowed)"
        ),
        Scope::Service => format!(
            "with the wave the service burns its error budget {ratio}x as fast as without it (at least {low}x; {limit}x \
             is allowed)"
        ),
    }
}

/// Too few events to compare.
pub(in crate::wire) fn too_few_events(cohort: Cohort, have: f64, need: f64) -> String {
    let whose = match cohort {
        Cohort::Canary => "canary",
        Cohort::Baseline => "baseline",
    };
    let (have, need) = (number(have), number(need));
    format!("{have} events of the {whose} are too few to say how fast it burns the error budget; it takes {need}")
}

/// An SLO of the service pages; `burn` where it is the gate's own.
pub(in crate::wire) fn slo_page(slo: &str, tiers: &[String], burn: Option<&Burn>) -> String {
    let named = if tiers.is_empty() { String::new() } else { format!(" ({})", quote(&tiers.join(", "))) };
    let fast = burn.map_or(String::new(), pace);
    format!("the service burns the error budget of {} so fast that somebody is paged{named}{fast}", quote(slo))
}

/// The fastest window of what fires, and when nothing is left.
fn pace(burn: &Burn) -> String {
    let firing = burn.tiers.iter().filter(|tier| tier.firing);
    let fastest = firing.max_by(|one, other| one.factor.total_cmp(&other.factor));
    let mut text = fastest.map_or(String::new(), |tier| match (tier.long_burn, tier.short_burn) {
        (Some(long), Some(short)) => format!(
            ": {}x over {} and {}x over {}, more than {}x",
            number(long),
            prose::length(tier.long),
            number(short),
            prose::length(tier.short),
            number(tier.factor)
        ),
        _ => String::new(),
    });
    if let Some(left) = burn.period.exhausted_in(burn_now(burn)) {
        let _ = write!(text, "; {}", runs_out(left));
    }
    text
}

/// Too little remains for a standard wave.
pub(in crate::wire) fn reserve(slo: &str, remaining: f64, reserve: f64) -> String {
    format!(
        "{} of the error budget of {} is left, and {} is the reserve that only an exploratory wave may use; a person decides",
        percent(remaining),
        quote(slo),
        percent(reserve)
    )
}

/// Nothing remains.
pub(in crate::wire) fn exhausted(slo: &str, remaining: f64) -> String {
    format!(
        "the error budget of {} is spent: {} of it is gone; a person decides whether the wave goes on",
        quote(slo),
        percent(1.0 - remaining)
    )
}

/// Waves spent what they may.
pub(in crate::wire) fn spent_by_waves(slo: &str, spent: f64, own: f64, limit: f64) -> String {
    format!(
        "waves spent {} of the error budget of {} in its period, this one {}; they must stay below {}; a person decides",
        percent(spent),
        quote(slo),
        percent(own),
        percent(limit)
    )
}

/// All of the traffic would be too much.
pub(in crate::wire) fn projected(burn: f64, low: f64, limit: f64) -> String {
    let [burn, low, limit] = [burn, low, limit].map(number);
    format!(
        "with all of the traffic the canary would burn the error budget at {burn}x (at least {low}x; {limit}x is \
         allowed)"
    )
}

/// Nobody knows.
pub(in crate::wire) fn unknown(slo: &str) -> String {
    format!(
        "nobody knows how the error budget of {0} stands: there is no data of its service; `wavegate slo {0}` says more",
        quote(slo)
    )
}

/// One line about an SLO.
pub(super) fn summary(burn: &Burn, spent: Option<f64>) -> String {
    if burn.state == BurnState::NoData {
        let nothing = burn.period.span.seen == 0;
        return String::from(if nothing {
            "not one sample in all of its period: are the names and labels of its indicator right?"
        } else {
            "no event in any window: nobody knows how it stands"
        });
    }
    let rate = burn_now(burn).map_or(String::from("burn unknown"), |burn| format!("burns {}x", number(burn)));
    let firing = burn.tiers.iter().filter(|tier| tier.firing).map(|tier| tier.name.as_str()).collect::<Vec<_>>();
    let mut parts = vec![if firing.is_empty() { rate } else { format!("{rate} ({})", quote(&firing.join(", "))) }];
    if burn.suppressed && firing.is_empty() {
        parts.push(String::from("a tier is held back by too few bad events"));
    }
    parts.extend(burn.period.remaining.map(|left| format!("{} of the budget left", percent(left))));
    parts.extend(spent.map(|spent| format!("waves spent {}", percent(spent))));
    let matters = |left: &Duration| left.is_zero() || burn.state != BurnState::Ok;
    parts.extend(burn.period.exhausted_in(burn_now(burn)).filter(matters).map(runs_out));
    parts.join("; ")
}

/// When nothing is left of the budget.
fn runs_out(left: Duration) -> String {
    if left.is_zero() { String::from("nothing is left") } else { format!("nothing is left in {}", lasts(left)) }
}

/// A span as people say it, to two digits or more: 50 h, not 3 days.
fn lasts(length: Duration) -> String {
    let seconds = length.as_secs_f64();
    match length.as_secs() {
        0..120 => format!("{seconds:.0} s"),
        120..7200 => format!("{:.0} min", seconds / 60.0),
        7200..360_000 => format!("{:.0} h", seconds / 3600.0),
        _ => format!("{:.0} days", seconds / 86_400.0),
    }
}

/// A share of the file, exactly as it was promised: `99.95%`.
pub(super) fn exact_percent(share: Fraction) -> String {
    /// More digits than a file can have; what does not end is cut there.
    const DIGITS: usize = 24;
    let (numerator, denominator) = share.parts();
    let Some(mut rest) = numerator.checked_mul(100) else { return percent(share.as_f64()) };
    let mut text = (rest / denominator).to_string();
    rest %= denominator;
    for digit in 0..DIGITS {
        let Some(shifted) = rest.checked_mul(10).filter(|shifted| *shifted != 0) else { break };
        if digit == 0 {
            text.push('.');
        }
        text.push_str(&(shifted / denominator).to_string());
        rest = shifted % denominator;
    }
    text.push('%');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_objective_is_said_as_it_was_promised() {
        for text in ["99.9", "99.95", "99", "50", "99.999999999", "0.1", "33.333"] {
            assert_eq!(exact_percent(Fraction::percent(text).unwrap()), format!("{text}%"));
        }
        assert_eq!(exact_percent(Fraction::percent("99.90").unwrap()), "99.9%");
        assert_eq!(exact_percent(Fraction::percent("099.5").unwrap()), "99.5%");
    }

    #[test]
    fn a_month_at_fourteen_times_lasts_fifty_hours() {
        let month = 30.0 * 86_400.0;
        for (burn, expect) in [(14.4, "50 h"), (360.0, "2 h"), (1.0, "30 days"), (0.5, "60 days"), (6.0, "5 days")] {
            assert_eq!(lasts(Duration::from_secs_f64(month / burn)), expect);
        }
        assert_eq!(lasts(Duration::from_secs(90)), "90 s");
        assert_eq!(lasts(Duration::from_mins(90)), "90 min");
    }

    #[test]
    fn a_burn_is_said_with_its_bound_and_what_is_allowed() {
        assert_eq!(
            wave_burn(Scope::Canary, Some(6.0), 4.494, 2.0, 6.0),
            "the canary burns the error budget 6x as fast as its baseline (at least 4.49x; 2x is allowed); the canary burns at 6x"
        );
        assert_eq!(
            wave_burn(Scope::Canary, None, 85.7, 2.0, 3.0),
            "the canary burns the error budget at 3x and its baseline does not at all (at least 85.7x as fast; 2x is \
             allowed)"
        );
        assert_eq!(
            wave_burn_unconfirmed(Scope::Service, Some(2.5), 1.66, 2.0),
            "not sure yet: with the wave the service burns its error budget 2.5x as fast as without it (at least 1.66x; \
             2x is allowed)"
        );
        assert_eq!(
            reserve("api", 0.15, 0.2),
            "15 % of the error budget of api is left, and 20 % is the reserve that only an exploratory wave may use; a \
             person decides"
        );
        assert_eq!(
            exhausted("api", -0.12),
            "the error budget of api is spent: 112 % of it is gone; a person decides whether the wave goes on"
        );
    }
}
