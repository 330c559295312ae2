//! Which spans of time were asked for: windows that neither touch nor overlap, by time.

use crate::series::Timestamp;
use crate::series::Window;

/// Spans, each `(from, to]` of slices.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spans(Vec<Window>);

impl Spans {
    /// Adds `more`, joined with what it touches.
    pub(super) fn add(&mut self, more: Window) {
        if more.to <= more.from {
            return;
        }
        let before = self.0.partition_point(|span| span.to < more.from);
        let after = self.0.partition_point(|span| span.from <= more.to);
        let touched = self.0.get(before..after).unwrap_or_default();
        let from = touched.first().map_or(more.from, |first| first.from.min(more.from));
        let to = touched.last().map_or(more.to, |last| last.to.max(more.to));
        self.0.splice(before..after.max(before), [Window { from, to }]);
    }

    /// Whether all of `window` is in one of them; nothing always is.
    pub(super) fn cover(&self, window: Window) -> bool {
        window.to <= window.from || self.0.iter().any(|span| span.from <= window.from && window.to <= span.to)
    }

    /// The end of the last of them, but no later than `at`.
    pub(super) fn through(&self, at: Timestamp) -> Option<Timestamp> {
        self.0.iter().rev().find(|span| span.from < at).map(|span| span.to.min(at))
    }

    /// The latest part of `window` that is in none of them.
    pub(super) fn last_gap(&self, window: Window) -> Option<Window> {
        let Window { from, mut to } = window;
        let mut gap_from = from;
        for span in self.0.iter().rev().filter(|span| from < span.to && span.from < window.to) {
            if to <= span.to {
                to = span.from;
            } else {
                gap_from = span.to;
                break;
            }
        }
        (gap_from < to).then_some(Window { from: gap_from, to })
    }

    /// The share of `window` that is in them.
    #[expect(clippy::cast_precision_loss, reason = "a share that is shown")]
    pub(super) fn share_of(&self, window: Window) -> f64 {
        let within = |span: &Window| span.to.min(window.to).since(span.from.max(window.from)).as_millis();
        let seen: u128 = self.0.iter().map(within).sum();
        let all = window.length().as_millis();
        if all == 0 { 1.0 } else { seen as f64 / all as f64 }
    }

    /// Forgets what lies before `then`.
    pub(super) fn forget_before(&mut self, then: Timestamp) {
        self.0.retain_mut(|span| {
            span.from = span.from.max(then);
            span.from < span.to
        });
    }

    /// Forgets what lies after `then`.
    pub(super) fn forget_after(&mut self, then: Timestamp) {
        self.0.retain_mut(|span| {
            span.to = span.to.min(then);
            span.from < span.to
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn window((from, to): (i64, i64)) -> Window {
        Window { from: Timestamp::from_millis(from), to: Timestamp::from_millis(to) }
    }

    fn spans(list: &[(i64, i64)]) -> Spans {
        let mut spans = Spans::default();
        for span in list {
            spans.add(window(*span));
        }
        spans
    }

    #[test]
    fn spans_that_touch_become_one() {
        let check = |list: &[(i64, i64)], expect: &[(i64, i64)]| {
            assert_eq!(spans(list).0, expect.iter().map(|span| window(*span)).collect::<Vec<_>>());
        };
        check(&[], &[]);
        check(&[(3, 3)], &[]);
        check(&[(0, 1), (1, 2)], &[(0, 2)]);
        check(&[(4, 6), (0, 1), (1, 4)], &[(0, 6)]);
        check(&[(4, 6), (0, 1)], &[(0, 1), (4, 6)]);
        check(&[(0, 9), (2, 3)], &[(0, 9)]);
        check(&[(0, 1), (2, 3), (4, 5), (1, 4)], &[(0, 5)]);
    }

    #[test]
    fn the_latest_gap_comes_first() {
        let check = |list: &[(i64, i64)], asked: (i64, i64), expect: Option<(i64, i64)>| {
            assert_eq!(spans(list).last_gap(window(asked)), expect.map(window), "{list:?} {asked:?}");
        };
        check(&[], (0, 9), Some((0, 9)));
        check(&[(0, 9)], (0, 9), None);
        check(&[(0, 9)], (3, 5), None);
        check(&[(2, 9)], (0, 9), Some((0, 2)));
        check(&[(0, 7)], (0, 9), Some((7, 9)));
        check(&[(2, 4)], (0, 9), Some((4, 9)));
        check(&[(2, 4), (6, 9)], (0, 9), Some((4, 6)));
        check(&[(2, 4), (6, 12)], (3, 9), Some((4, 6)));
        check(&[(20, 30)], (3, 9), Some((3, 9)));
        check(&[(0, 2)], (3, 9), Some((3, 9)));
        check(&[], (3, 3), None);
    }

    #[test]
    fn the_last_that_is_known_is_where_one_ends() {
        let through =
            |list: &[(i64, i64)], at| spans(list).through(Timestamp::from_millis(at)).map(Timestamp::as_millis);
        assert_eq!(through(&[], 9), None);
        assert_eq!(through(&[(0, 4), (6, 8)], 9), Some(8));
        assert_eq!(through(&[(0, 4), (6, 8)], 7), Some(7));
        assert_eq!(through(&[(0, 4), (6, 8)], 6), Some(4));
        assert_eq!(through(&[(6, 8)], 5), None);
    }

    #[test]
    fn shares_count_only_what_is_asked() {
        let asked = window((10, 20));
        assert!((spans(&[(0, 12), (15, 17), (19, 40)]).share_of(asked) - 0.5).abs() < 1e-12);
        assert!(spans(&[(0, 12), (15, 17)]).cover(window((16, 17))));
        assert!(!spans(&[(0, 12), (15, 17)]).cover(window((11, 16))));
        let mut left = spans(&[(0, 12), (15, 17)]);
        left.forget_before(Timestamp::from_millis(16));
        assert_eq!(left, spans(&[(16, 17)]));
        let mut left = spans(&[(0, 12), (15, 17)]);
        left.forget_after(Timestamp::from_millis(15));
        assert_eq!(left, spans(&[(0, 12)]));
    }
}
