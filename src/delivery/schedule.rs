//! When a message is tried again. A function of values: no clock and no chance.
//!
//! Reference: Standard Webhooks 1.0.0, "Delivery and retries"; RFC 9110, 10.2.3.

use crate::series::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use sha2::Digest as _;
use sha2::Sha256;
use std::time::Duration;

/// From one try to the next; the first is at once. After the last a message is
/// dead, three days after it was written.
pub const DELAYS: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// A receiver may put a try off for so long; more would outlive its interest.
const RETRY_AFTER_MAX: Duration = Duration::from_hours(24);

/// Delays are spread by this many thousandths to both sides, so that messages
/// which failed together do not come back together.
const JITTER: u64 = 200;

/// RFC 9110's three ways to write an instant; senders use the first.
const HTTP_DATES: [&str; 3] = ["%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long after the failed try number `tries`, from 1, the message with this id
/// is tried again; `None` when that was the last. Never before the schedule says
/// so, and not before the receiver's `retry_after`. The jitter is made of id and
/// number, so that it is the same wherever it is computed.
pub fn next_try(id: &str, tries: u32, retry_after: Option<Duration>) -> Option<Duration> {
    let delay = usize::try_from(tries).ok().and_then(|tries| DELAYS.get(tries))?;
    let asked = retry_after.unwrap_or_default().min(RETRY_AFTER_MAX);
    Some(spread(*delay, id, tries).max(asked))
}

fn spread(delay: Duration, id: &str, tries: u32) -> Duration {
    let digest = Sha256::digest(format!("{id}\n{tries}"));
    let chance = digest.iter().take(8).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    let thousandths = 1000 - JITTER + chance % (2 * JITTER + 1);
    let millis = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis.saturating_mul(thousandths) / 1000)
}

/// What a `Retry-After` header asks for at `now`, at most a day: seconds or an
/// HTTP date. `None` for anything else: a number with a point, sign or exponent too.
pub fn retry_after(value: &str, now: Timestamp) -> Option<Duration> {
    let value = value.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than fit are a long time as well.
        let seconds = value.parse().unwrap_or(u64::MAX);
        return Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX));
    }
    let read = |format| DateTime::strptime(format, value).ok()?.to_zoned(TimeZone::UTC).ok();
    let instant = HTTP_DATES.into_iter().find_map(read)?;
    let at = Timestamp::from_millis(instant.timestamp().as_millisecond());
    Some(at.since(now).min(RETRY_AFTER_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_341_600_000);

    #[test]
    fn the_delays_are_those_of_standard_webhooks() {
        let total: Duration = DELAYS.iter().sum();
        assert_eq!(total, Duration::from_mins(75 * 60 + 35) + Duration::from_secs(5));
        assert!(DELAYS.is_sorted());
    }

    #[test]
    fn jitter_is_the_same_every_time_and_within_a_fifth() {
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..1000 {
            let id = format!("msg_{number}");
            let delay = next_try(&id, 2, None).unwrap();
            assert_eq!(next_try(&id, 2, None), Some(delay));
            assert!((Duration::from_mins(4)..=Duration::from_mins(6)).contains(&delay), "{delay:?}");
            seen.insert(delay);
        }
        assert!(seen.len() > 300, "{} different delays", seen.len());
        assert!(*seen.first().unwrap() < Duration::from_secs(250) && *seen.last().unwrap() > Duration::from_secs(350));
    }

    #[test]
    fn ten_tries_are_all() {
        assert_eq!((1..=12).filter(|tries| next_try("m", *tries, None).is_some()).count(), 9);
        assert_eq!(next_try("m", 10, Some(Duration::from_secs(1))), None);
        assert_eq!(next_try("m", u32::MAX, None), None);
    }

    #[test]
    fn a_receiver_can_put_a_try_off_but_not_forward() {
        let after = |seconds| next_try("m", 1, Some(Duration::from_secs(seconds))).unwrap();
        assert_eq!(after(120), Duration::from_mins(2));
        assert!(after(0) >= Duration::from_secs(4));
        assert_eq!(after(u64::MAX), Duration::from_hours(24));
        assert!(next_try("m", 9, Some(Duration::from_secs(1))).unwrap() >= Duration::from_hours(19));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date_and_else_nothing() {
        let check = |value: &str, expect: Option<u64>| {
            assert_eq!(retry_after(value, NOW), expect.map(Duration::from_secs), "{value:?}");
        };
        check("120", Some(120));
        check(" 0 ", Some(0));
        check("86401", Some(86_400));
        check("99999999999999999999999999", Some(86_400));
        // NOW is Sunday, 2026-11-22T10:00:00Z.
        check("Sun, 22 Nov 2026 10:02:00 GMT", Some(120));
        check("Sunday, 22-Nov-26 10:02:00 GMT", Some(120));
        check("Sun Nov 22 10:02:00 2026", Some(120));
        check("Sun, 22 Nov 2026 09:00:00 GMT", Some(0));
        check("Sun, 22 Nov 2126 09:00:00 GMT", None);
        check("Fri, 22 Nov 2126 09:00:00 GMT", Some(86_400));
        let garbage =
            ["", "1e18", "inf", "NaN", "-1", "+5", "1.5", "soon", "120 s", "١٢٠", "Sun, 31 Feb 2026 10:02:00 GMT"];
        for value in garbage {
            check(value, None);
        }
    }
}
