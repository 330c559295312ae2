//! The past of an SLO in parts of one length: what a picture of it is drawn from.

use crate::rules::Slo;
use crate::series::Counts;
use crate::series::Timestamp;
use crate::wire::budget::burn::seconds;
use crate::wire::json::Instant;
use crate::wire::json::Number;
use serde::Serialize;

/// A part of an SLO's period: events, whatever the SLO counts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct History {
    /// Where it begins.
    pub from: Timestamp,
    /// Where it ends.
    pub to: Timestamp,
    /// Events; `None` where nothing was seen.
    pub counts: Option<Counts>,
}

/// Parts of one length, the last of which may be shorter.
#[derive(Debug, Serialize)]
pub(super) struct HistoryShape {
    from: Option<Instant>,
    to: Option<Instant>,
    step_seconds: Option<Number>,
    points: Vec<PointShape>,
}

#[derive(Debug, Serialize)]
struct PointShape {
    from: Instant,
    bad: Option<Number>,
    total: Option<Number>,
    burn: Option<Number>,
}

impl HistoryShape {
    /// `parts` of `slo` in at most `most` points; each is whole neighbours of them.
    pub(super) fn of(slo: &Slo, parts: &[History], most: usize) -> Self {
        let folded = fold(parts, most);
        let budget = slo.budget().as_f64();
        let point = |part: &History| {
            let counts = part.counts;
            let ratio = counts.filter(|counts| counts.total > 0.0).map(|counts| counts.bad / counts.total);
            PointShape {
                from: Instant(part.from),
                bad: counts.map(|counts| Number(counts.bad)),
                total: counts.map(|counts| Number(counts.total)),
                burn: ratio.map(|ratio| Number(ratio / budget)),
            }
        };
        Self {
            from: folded.first().map(|first| Instant(first.from)),
            to: folded.last().map(|last| Instant(last.to)),
            step_seconds: folded.first().map(|first| seconds(first.to.since(first.from))),
            points: folded.iter().map(point).collect(),
        }
    }
}

fn fold(parts: &[History], most: usize) -> Vec<History> {
    if most == 0 || parts.is_empty() {
        return Vec::new();
    }
    let together = parts.len().div_ceil(most);
    let one = |group: &[History]| {
        let (first, last) = (group.first()?, group.last()?);
        let seen = group.iter().filter_map(|part| part.counts);
        let sum = |sum: Option<Counts>, more: Counts| {
            let sum = sum.unwrap_or_default();
            Some(Counts { bad: sum.bad + more.bad, total: sum.total + more.total })
        };
        Some(History { from: first.from, to: last.to, counts: seen.fold(None, sum) })
    };
    parts.chunks(together).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn parts(count: u32) -> Vec<History> {
        let hour = Duration::from_hours(1);
        let part = |k: u32| {
            let from = Timestamp::from_millis(0) + hour * k;
            let counts = (!k.is_multiple_of(3)).then_some(Counts { bad: 1.0, total: 100.0 });
            History { from, to: from + hour, counts }
        };
        (0..count).map(part).collect()
    }

    #[test]
    fn parts_are_folded_and_none_is_lost() {
        let all =
            |parts: &[History]| parts.iter().filter_map(|part| part.counts).map(|counts| counts.total).sum::<f64>();
        for (count, most) in [(120, 120), (120, 60), (119, 60), (120, 7), (3, 60), (1, 1), (120, 1)] {
            let (parts, folded) = (parts(count), fold(&parts(count), most));
            assert!(folded.len() <= most && !folded.is_empty());
            assert!((all(&parts) - all(&folded)).abs() < 1e-9);
            assert_eq!((folded[0].from, folded.last().unwrap().to), (parts[0].from, parts.last().unwrap().to));
            assert!(folded.windows(2).all(|pair| pair[0].to == pair[1].from));
        }
    }

    #[test]
    fn what_was_not_seen_is_not_nothing() {
        assert_eq!(fold(&parts(1), 5)[0].counts, None);
        assert_eq!(fold(&parts(5), 0), []);
        assert_eq!(fold(&[], 5), []);
    }
}
