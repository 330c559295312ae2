//! When no gate may pass: freezes, weekends, nights.
//!
//! A rule file names spans by the clock on the wall of one time zone. A moment lies
//! in a span when that clock, at that moment, shows a time of it; so a clock that is
//! put forward skips what it skips, and one that is put back shows an hour twice.
//! In reading order: whether a moment is closed, then [`read`], then the [`span`].

mod read;
mod span;

pub(super) use read::windows;
pub(super) use read::zone;

use crate::rules::windows::span::Span;
use crate::series::Timestamp;
use jiff::Zoned;
use jiff::tz::TimeZone;
use std::time::Duration;

/// How far ahead an opening is looked for: a freeze that is longer has no end that
/// anybody waits for.
const HORIZON: Duration = Duration::from_hours(366 * 24);

/// Most changes that are looked at on the way: two a day for a year, thrice over.
const MAX_CHANGES: usize = 2_200;

/// Spans of time, denied or allowed, in one time zone.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    deny: Vec<Entry>,
    /// `None` where every moment is allowed that is not denied.
    allow: Option<Vec<Entry>>,
    zone: TimeZone,
}

/// One entry of a rule file.
#[derive(Clone, Debug, PartialEq)]
struct Entry {
    /// As it was written.
    text: String,
    span: Span,
}

/// Why it is closed at one moment.
enum Closing<'a> {
    /// By an entry of `deny`.
    Denied(&'a Entry),
    /// No entry of `allow` holds.
    NotAllowed,
}

/// What keeps a gate from passing at one moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Closed {
    /// The entry of `deny` as it was written, or all of `allow`, of which none holds.
    pub by: String,
    /// When it opens; `None` where it does not within a year.
    pub until: Option<Timestamp>,
}

impl Windows {
    /// What keeps a gate from passing at `at`; `None` where nothing does.
    pub fn closed(&self, at: Timestamp) -> Option<Closed> {
        let now = self.shown(at)?;
        let by = match self.closing(&now)? {
            Closing::Denied(entry) => entry.text.clone(),
            Closing::NotAllowed => {
                let allowed: Vec<&str> = self.allow.iter().flatten().map(|entry| entry.text.as_str()).collect();
                format!("outside of {}", allowed.join(", "))
            }
        };
        Some(Closed { by, until: self.opens(now) })
    }

    /// The clock on the wall; `None` for a moment beyond every calendar.
    fn shown(&self, at: Timestamp) -> Option<Zoned> {
        let instant = jiff::Timestamp::from_millisecond(at.as_millis()).ok()?;
        Some(instant.to_zoned(self.zone.clone()))
    }

    /// Why it is closed; `None` where it is open.
    fn closing(&self, now: &Zoned) -> Option<Closing<'_>> {
        if let Some(entry) = self.deny.iter().find(|entry| entry.span.contains(now)) {
            return Some(Closing::Denied(entry));
        }
        let allowed = self.allow.as_ref().is_none_or(|allow| allow.iter().any(|entry| entry.span.contains(now)));
        (!allowed).then_some(Closing::NotAllowed)
    }

    /// The first moment after `now`, at which it is closed, at which it is open.
    fn opens(&self, mut now: Zoned) -> Option<Timestamp> {
        let horizon = now.timestamp().checked_add(HORIZON).ok()?;
        for _ in 0..MAX_CHANGES {
            let next = match self.closing(&now) {
                None => return Some(Timestamp::from_millis(now.timestamp().as_millisecond())),
                Some(Closing::Denied(entry)) => entry.span.next_change(&now)?,
                // It may also open within a span that is denied: then that is seen next.
                Some(Closing::NotAllowed) => {
                    self.allow.iter().flatten().filter_map(|entry| entry.span.next_change(&now)).min()?
                }
            };
            if next > horizon {
                return None;
            }
            now = next.to_zoned(self.zone.clone());
        }
        None
    }
}
