//! When to ask again, and how long to wait before.
//!
//! Full jitter after Brooker, "Exponential Backoff And Jitter" (2015): a wait
//! drawn evenly from nothing to a doubling ceiling spreads many askers of one
//! source best. The draw is the only chance in this module, it moves no number
//! of a verdict, and it comes from the keys that the standard library draws for
//! its hash maps: no generator is needed for a handful of numbers a minute.

use crate::sources::Error;
use std::hash::BuildHasher;
use std::hash::Hasher;
use std::hash::RandomState;
use std::time::Duration;

/// The ceiling of the first wait.
const FIRST_CEILING: Duration = Duration::from_millis(250);
/// Doubling ends here; the whole question has half a minute at the defaults.
const LAST_CEILING: Duration = Duration::from_secs(5);
/// A source that asks for a longer pause than this is told so by leaving it
/// alone until the next look.
const MAX_RETRY_AFTER: Duration = Duration::from_secs(30);
/// A try that has less time than this is not worth its connection.
const SHORTEST_TRY: Duration = Duration::from_millis(50);

/// How long to wait after try number `tries` (the first is 1) ended in `error`
/// and `left` is what remains for the whole question; `None`: do not ask again.
///
/// `Retry-After` is a floor: when the time left does not reach it, asking again
/// would only be refused again.
pub(super) fn wait(error: &Error, tries: u32, retries: u32, left: Duration, chance: f64) -> Option<Duration> {
    if tries > retries.min(worth(error)) {
        return None;
    }
    let doublings = tries.saturating_sub(1).min(16);
    let jitter = FIRST_CEILING.saturating_mul(1 << doublings).min(LAST_CEILING).mul_f64(chance.clamp(0.0, 1.0));
    let wait = match retry_after(error) {
        Some(asked) if asked > MAX_RETRY_AFTER => return None,
        Some(asked) => asked + jitter,
        None => jitter,
    };
    (wait + SHORTEST_TRY <= left).then_some(wait)
}

/// A number from 0 to 1, another one each time.
pub(super) fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish();
    #[expect(clippy::cast_precision_loss, reason = "32 bits fit a double exactly")]
    let fraction = (bits >> 32) as f64 / f64::from(u32::MAX);
    fraction
}

/// `Retry-After` in seconds. Its other form, a date, is taken as absent: the wait
/// would hang on the agreement of two clocks.
pub(super) fn parse_retry_after(header: &str) -> Option<Duration> {
    header.trim().parse::<u32>().ok().map(|seconds| Duration::from_secs(seconds.into()))
}

/// How many more tries an error is worth at most.
fn worth(error: &Error) -> u32 {
    if matches!(error, Error::Execution { status: 422, .. }) {
        // Thanos reports a store that is away as 422; from anybody else it is the query's fault.
        return 1;
    }
    if error.is_transient() { u32::MAX } else { 0 }
}

fn retry_after(error: &Error) -> Option<Duration> {
    if let Error::Busy { retry_after, .. } | Error::GaveUp { retry_after, .. } = error { *retry_after } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::Asked;

    const PLENTY: Duration = Duration::from_hours(1);

    fn asked() -> Asked {
        Asked { source: "prometheus".to_owned(), query: "up".to_owned() }
    }

    fn timed_out() -> Error {
        Error::TimedOut { asked: asked(), after: Duration::from_secs(10) }
    }

    fn busy(seconds: Option<u64>) -> Error {
        Error::Busy { asked: asked(), message: String::new(), retry_after: seconds.map(Duration::from_secs) }
    }

    fn execution(status: u16) -> Error {
        Error::Execution { asked: asked(), status, message: String::new() }
    }

    #[track_caller]
    fn check(error: &Error, tries: u32, chance: f64, expect_millis: Option<u64>) {
        assert_eq!(wait(error, tries, 9, PLENTY, chance), expect_millis.map(Duration::from_millis));
    }

    #[test]
    fn ceilings_double_up_to_the_last() {
        check(&timed_out(), 1, 1.0, Some(250));
        check(&timed_out(), 2, 1.0, Some(500));
        check(&timed_out(), 3, 0.5, Some(500));
        check(&timed_out(), 9, 1.0, Some(5000));
        check(&timed_out(), 5, 0.0, Some(0));
    }

    #[test]
    fn retries_are_counted() {
        assert!(wait(&timed_out(), 2, 2, PLENTY, 0.0).is_some());
        assert_eq!(wait(&timed_out(), 3, 2, PLENTY, 0.0), None);
        assert_eq!(wait(&timed_out(), 1, 0, PLENTY, 0.0), None);
    }

    #[test]
    fn retry_after_is_a_floor_and_has_a_roof() {
        check(&busy(Some(7)), 1, 1.0, Some(7250));
        check(&busy(Some(30)), 1, 0.0, Some(30_000));
        check(&busy(Some(31)), 1, 0.0, None);
        check(&busy(None), 1, 1.0, Some(250));
    }

    #[test]
    fn nobody_waits_past_the_time_left() {
        assert_eq!(wait(&busy(Some(7)), 1, 2, Duration::from_secs(7), 0.0), None);
        assert_eq!(wait(&timed_out(), 1, 2, Duration::from_millis(40), 0.0), None);
    }

    #[test]
    fn only_422_of_thanos_is_asked_once_more() {
        check(&execution(422), 1, 0.0, Some(0));
        check(&execution(422), 2, 0.0, None);
        check(&execution(413), 1, 0.0, None);
    }

    #[test]
    fn chances_differ_and_stay_between_zero_and_one() {
        let drawn: Vec<f64> = (0..1000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|x| (0.0..=1.0).contains(x)));
        assert!(drawn.iter().any(|x| *x < 0.25) && drawn.iter().any(|x| *x > 0.75));
    }

    #[test]
    fn retry_after_is_read_as_seconds_only() {
        assert_eq!(parse_retry_after(" 120 "), Some(Duration::from_mins(2)));
        for other in ["", "-1", "1.5", "Sun, 06 Nov 1994 08:49:37 GMT", "99999999999"] {
            assert_eq!(parse_retry_after(other), None, "{other}");
        }
    }
}
