//! What a service served, slice by slice: the memory that error budgets are counted from.
//!
//! A slice has three states: events were counted; there was telemetry and no event; or
//! nobody saw anything. The last one is never taken for the second.
//!
//! A burn rate asks for sums over a minute and over a month at every look. Sums are kept of
//! every [`FEW`] slices and of every [`MANY`], whose borders lie at multiples since the
//! epoch, so a span takes a few hundred additions however long it is. Nothing is ever
//! subtracted: sums of whole counts are exact, sums of others have no more error than if
//! they were added one by one, `bad <= total` holds in them, and the same span of the same
//! slices has the same sum whatever else is kept.

use crate::series::Timestamp;
use crate::series::Window;
use std::ops::Range;
use std::time::Duration;

/// Slices that one sum of the lower level is of.
const FEW: usize = 64;
/// Slices that one sum of the upper level is of: a multiple of [`FEW`].
const MANY: usize = FEW * FEW;
/// Events of one slice: floats hold each whole number up to 2^53. More is nobody's traffic.
const EVENTS_MAX: f64 = 9_007_199_254_740_992.0;
/// Instants further from the epoch than this, in milliseconds, are taken for it: 70 million
/// years, so that no place on the grid overflows.
const FAR_AWAY: i64 = i64::MAX / 4;

/// Events of some span: `0 <= bad <= total`, finite.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counts {
    /// Bad events.
    pub bad: f64,
    /// All events.
    pub total: f64,
}

/// What a span of slices came to.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct SpanCounts {
    /// The sums over the slices that were seen; `None` where none was.
    pub counts: Option<Counts>,
    /// Slices that were seen.
    pub seen: u32,
    /// Slices of the span.
    pub slices: u32,
}

/// Slices of one length, one behind the other. A slice takes a little more than 16 bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct Slices {
    /// Milliseconds of a slice, at least 1.
    step: i64,
    /// The first slice, counted from the epoch.
    first: i64,
    /// The slice that `slots` begin with: the multiple of [`MANY`] at or before `first`.
    base: i64,
    slots: Vec<Slot>,
    /// Of each [`FEW`] slots.
    few: Vec<Sum>,
    /// Of each [`MANY`] slots.
    many: Vec<Sum>,
}

impl Slices {
    /// Slices that are kept: two years of minutes, which are 16 MB. Of more the oldest are forgotten.
    pub const MAX: usize = 1 << 20;

    /// None yet; the first will begin at `from`, moved down to a multiple of `step`. A step
    /// is of whole milliseconds, at least one.
    pub fn new(step: Duration, from: Timestamp) -> Self {
        let step = i64::try_from(step.as_millis()).unwrap_or(FAR_AWAY).clamp(1, FAR_AWAY);
        let mut empty = Self { step, first: 0, base: 0, slots: Vec::new(), few: Vec::new(), many: Vec::new() };
        empty.begin_at(empty.floor(from));
        empty
    }

    /// The length of a slice.
    pub fn step(&self) -> Duration {
        Duration::from_millis(self.step.unsigned_abs())
    }

    /// Where the first slice begins.
    pub fn from(&self) -> Timestamp {
        self.start_of(self.first)
    }

    /// Up to where there are slices.
    pub fn through(&self) -> Timestamp {
        self.start_of(self.end())
    }

    /// Puts `more` behind one another from `from` on, over what was there before. A gap
    /// that this leaves was not seen. `from` is moved down to a multiple of the step.
    ///
    /// What lies before [`Slices::from`] is dropped: it was forgotten. More than
    /// [`Slices::MAX`] push out the oldest. Counts that are negative, infinite or NaN were
    /// not seen, and of more bad events than events all are bad.
    pub fn put(&mut self, from: Timestamp, more: &[Option<Counts>]) {
        let place = self.floor(from);
        let forgotten = usize::try_from(self.first - place).unwrap_or(0);
        let dropped = forgotten.max(more.len().saturating_sub(Self::MAX));
        let Some(more) = more.get(dropped..).filter(|more| !more.is_empty()) else { return };
        let place = place + as_place(dropped);
        if place - self.end() >= as_place(Self::MAX) {
            // Nothing of what is kept would be left.
            self.begin_at(place);
        }
        let at = self.slot_of(place);
        let end = at + more.len();
        if self.slots.len() < end {
            self.slots.resize(end, Slot::UNSEEN);
        }
        for (slot, counts) in self.slots.iter_mut().skip(at).zip(more) {
            *slot = counts.map_or(Slot::UNSEEN, Slot::of);
        }
        self.add_up(at..end);
        self.forget(self.end() - as_place(Self::MAX));
    }

    /// What the slices that lie in `window` came to: a few hundred additions at most.
    pub fn sum(&self, window: Window) -> SpanCounts {
        let places = self.places(window);
        let slices = u32::try_from(places.end - places.start).unwrap_or(u32::MAX);
        self.pieces(self.kept(places)).map(|(_, sum)| sum).fold(Sum::NOTHING, Sum::plus).of(slices)
    }

    /// Where the first slice that lies in `window` and was seen begins; as quick as [`Slices::sum`].
    pub fn first_seen(&self, window: Window) -> Option<Timestamp> {
        let (slots, _) = self.pieces(self.kept(self.places(window))).find(|(_, sum)| sum.seen > 0)?;
        let within = self.slots.get(slots.clone())?.iter().position(|slot| slot.is_seen())?;
        Some(self.start_of(self.base + as_place(slots.start + within)))
    }

    /// Each slice that lies in `window` with its start, in order.
    pub fn iter(&self, window: Window) -> impl Iterator<Item = (Timestamp, Option<Counts>)> + '_ {
        let kept = self.kept(self.places(window));
        let start = self.base + as_place(kept.start);
        let slots = self.slots.get(kept).unwrap_or_default().iter();
        slots.zip(start..).map(|(slot, place)| (self.start_of(place), slot.counts()))
    }

    /// What groups of so many slices came to, from the last one that ends by `through` back
    /// to the first that has a slice in memory. Groups begin at multiples of their length.
    pub fn groups_back(&self, many: u32, through: Timestamp) -> impl Iterator<Item = SpanCounts> + '_ {
        let length = i64::from(many.max(1));
        let end = self.floor(through).div_euclid(length) * length;
        // Groups behind all that is kept were not seen, and the last that was may be kept in part.
        let behind = (end - self.end()).div_euclid(length).max(0);
        let beyond = std::iter::repeat_n(SpanCounts { slices: many, ..SpanCounts::default() }, index(behind));
        let last = end.min(self.end());
        let kept = self.slots.get(self.kept(self.first..last)).unwrap_or_default();
        let (whole, part) = kept.split_at(kept.len().saturating_sub(index(last.rem_euclid(length))));
        let groups = Some(part).filter(|part| !part.is_empty()).into_iter().chain(whole.rchunks(index(length)));
        beyond
            .chain(groups.map(move |group| group.iter().fold(Sum::NOTHING, |sum, slot| sum.plus(slot.sum())).of(many)))
    }

    /// Forgets slices that begin before `then`.
    pub fn forget_before(&mut self, then: Timestamp) {
        let floor = self.floor(then);
        self.forget(if self.start_of(floor) < then { floor + 1 } else { floor });
    }

    /// Forgets what lies before the slice `place`, and what borders on it is added up again:
    /// slots are moved once in [`MANY`] slices.
    fn forget(&mut self, place: i64) {
        if place <= self.first {
            return;
        }
        if self.end() <= place {
            return self.begin_at(place);
        }
        let gone = self.slot_of(self.first)..self.slot_of(place);
        for slot in self.slots.iter_mut().take(gone.end).skip(gone.start) {
            *slot = Slot::UNSEEN;
        }
        self.add_up(gone);
        self.first = place;
        let moved = index((aligned(place) - self.base) / as_place(MANY));
        if moved > 0 {
            self.slots.drain(..moved * MANY);
            self.few.drain(..moved * FEW);
            self.many.drain(..moved);
            self.base = aligned(place);
        }
    }

    /// Nothing is kept, and the first slice will be `place`.
    fn begin_at(&mut self, place: i64) {
        (self.first, self.base) = (place, aligned(place));
        (self.few, self.many) = (Vec::new(), Vec::new());
        self.slots.clear();
        self.slots.resize(self.slot_of(place), Slot::UNSEEN);
        self.add_up(0..self.slots.len());
    }

    /// Adds up anew what these slots are in.
    fn add_up(&mut self, slots: Range<usize>) {
        self.few.resize(self.slots.len().div_ceil(FEW), Sum::NOTHING);
        self.many.resize(self.slots.len().div_ceil(MANY), Sum::NOTHING);
        let touched = |length: usize| slots.start / length..slots.end.div_ceil(length);
        for (sum, slots) in
            self.few.iter_mut().zip(self.slots.chunks(FEW)).take(touched(FEW).end).skip(touched(FEW).start)
        {
            *sum = slots.iter().fold(Sum::NOTHING, |sum, slot| sum.plus(slot.sum()));
        }
        for (sum, few) in
            self.many.iter_mut().zip(self.few.chunks(FEW)).take(touched(MANY).end).skip(touched(MANY).start)
        {
            *sum = few.iter().copied().fold(Sum::NOTHING, Sum::plus);
        }
    }

    /// A stretch of slots as the largest pieces that sums are kept of, in order.
    fn pieces(&self, slots: Range<usize>) -> impl Iterator<Item = (Range<usize>, Sum)> + '_ {
        let Range { start: mut at, end } = slots;
        let piece = move |at: usize| {
            let whole = |length: usize| at.is_multiple_of(length) && at + length <= end;
            match () {
                () if whole(MANY) => Some((at..at + MANY, *self.many.get(at / MANY)?)),
                () if whole(FEW) => Some((at..at + FEW, *self.few.get(at / FEW)?)),
                () => Some((at..at + 1, self.slots.get(at)?.sum())),
            }
        };
        std::iter::from_fn(move || {
            let (slots, sum) = (at < end).then(|| piece(at)).flatten()?;
            at = slots.end;
            Some((slots, sum))
        })
    }

    /// The slices that lie in `window`, counted from the epoch.
    fn places(&self, window: Window) -> Range<i64> {
        let from = self.floor(window.from);
        let from = if self.start_of(from) < window.from { from + 1 } else { from };
        from..self.floor(window.to).max(from)
    }

    /// The slots of those that are kept.
    fn kept(&self, places: Range<i64>) -> Range<usize> {
        let within = |place: i64| self.slot_of(place.clamp(self.first, self.end()));
        within(places.start)..within(places.end)
    }

    /// The slice behind the last.
    fn end(&self) -> i64 {
        self.base + as_place(self.slots.len())
    }

    /// The slot of a slice that is not before the first.
    fn slot_of(&self, place: i64) -> usize {
        index(place - self.base)
    }

    /// The slice that `at` lies in or begins.
    fn floor(&self, at: Timestamp) -> i64 {
        at.as_millis().clamp(-FAR_AWAY, FAR_AWAY).div_euclid(self.step)
    }

    fn start_of(&self, place: i64) -> Timestamp {
        Timestamp::from_millis(place.saturating_mul(self.step))
    }
}

/// One slice in 16 bytes: a total below 0 was not seen.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Slot {
    bad: f64,
    total: f64,
}

impl Slot {
    const UNSEEN: Self = Self { bad: 0.0, total: -1.0 };

    fn of(counts: Counts) -> Self {
        let Counts { bad, total } = counts;
        let counted = bad.is_finite() && total.is_finite() && bad >= 0.0 && total >= 0.0;
        // Adding zero takes the sign off it.
        let total = total.min(EVENTS_MAX) + 0.0;
        if counted { Self { bad: bad.min(total) + 0.0, total } } else { Self::UNSEEN }
    }

    fn is_seen(self) -> bool {
        self.total >= 0.0
    }

    fn counts(self) -> Option<Counts> {
        self.is_seen().then_some(Counts { bad: self.bad, total: self.total })
    }

    fn sum(self) -> Sum {
        if self.is_seen() { Sum { bad: self.bad, total: self.total, seen: 1 } } else { Sum::NOTHING }
    }
}

/// What some slices came to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Sum {
    bad: f64,
    total: f64,
    seen: u32,
}

impl Sum {
    const NOTHING: Self = Self { bad: 0.0, total: 0.0, seen: 0 };

    fn plus(self, other: Self) -> Self {
        Self { bad: self.bad + other.bad, total: self.total + other.total, seen: self.seen + other.seen }
    }

    fn of(self, slices: u32) -> SpanCounts {
        let counts = (self.seen > 0).then_some(Counts { bad: self.bad, total: self.total });
        SpanCounts { counts, seen: self.seen, slices }
    }
}

/// The multiple of [`MANY`] at or before `place`.
fn aligned(place: i64) -> i64 {
    place.div_euclid(as_place(MANY)) * as_place(MANY)
}

fn as_place(slots: usize) -> i64 {
    i64::try_from(slots).unwrap_or(FAR_AWAY)
}

/// A number of slots, of which there are at most [`Slices::MAX`] and a few.
fn index(place: i64) -> usize {
    usize::try_from(place).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_mins(1);

    fn minute(count: i64) -> Timestamp {
        Timestamp::from_millis(count * 60_000)
    }

    fn span(from: i64, to: i64) -> Window {
        Window { from: minute(from), to: minute(to) }
    }

    #[expect(clippy::unnecessary_wraps, reason = "slices are optional")]
    fn counts(bad: f64, total: f64) -> Option<Counts> {
        Some(Counts { bad, total })
    }

    fn of(from: i64, slots: &[Option<Counts>]) -> Slices {
        let mut slices = Slices::new(MINUTE, minute(from));
        slices.put(minute(from), slots);
        slices
    }

    #[test]
    fn what_was_not_seen_is_not_taken_for_nothing() {
        let slices = of(10, &[counts(1.0, 5.0), counts(0.0, 0.0), None]);
        let sum = |from, to| slices.sum(span(from, to));
        assert_eq!(sum(10, 13), SpanCounts { counts: counts(1.0, 5.0), seen: 2, slices: 3 });
        assert_eq!(sum(11, 12), SpanCounts { counts: counts(0.0, 0.0), seen: 1, slices: 1 });
        assert_eq!(sum(12, 13), SpanCounts { counts: None, seen: 0, slices: 1 });
        assert_eq!(sum(0, 100), SpanCounts { counts: counts(1.0, 5.0), seen: 2, slices: 100 });
        assert_eq!(sum(20, 10), SpanCounts::default());
    }

    #[test]
    fn only_slices_that_lie_in_a_window_are_in_it() {
        let slices = of(0, &[counts(1.0, 1.0); 4]);
        let at = Timestamp::from_millis;
        let sum = |from, to| slices.sum(Window { from: at(from), to: at(to) }).seen;
        assert_eq!(sum(0, 240_000), 4);
        assert_eq!((sum(1, 240_000), sum(0, 239_999), sum(1, 119_999)), (3, 3, 0));
    }

    #[test]
    fn later_counts_go_over_earlier_ones_and_a_gap_was_not_seen() {
        let mut slices = of(0, &[counts(1.0, 5.0), counts(2.0, 6.0)]);
        slices.put(minute(1) + Duration::from_secs(59), &[counts(3.0, 7.0)]);
        slices.put(minute(3), &[counts(0.0, 1.0)]);
        let kept: Vec<_> = slices.iter(span(0, 9)).map(|(_, counts)| counts).collect();
        assert_eq!(kept, [counts(1.0, 5.0), counts(3.0, 7.0), None, counts(0.0, 1.0)]);
        assert_eq!((slices.from(), slices.through()), (minute(0), minute(4)));
    }

    #[test]
    fn what_was_forgotten_does_not_come_back() {
        let mut slices = of(-5, &[counts(1.0, 1.0); 10]);
        slices.forget_before(minute(0) - Duration::from_millis(1));
        assert_eq!((slices.from(), slices.sum(span(-5, 5)).seen), (minute(0), 5));
        slices.put(minute(-3), &[counts(9.0, 9.0), None, counts(9.0, 9.0), counts(0.0, 2.0)]);
        assert_eq!(slices.sum(span(-5, 5)).counts, counts(4.0, 6.0));
        slices.put(minute(-9), &[counts(9.0, 9.0)]);
        assert_eq!(slices.from(), minute(0));
        slices.forget_before(minute(7));
        assert_eq!((slices.from(), slices.through()), (minute(7), minute(7)));
    }

    #[test]
    fn what_is_no_count_was_not_seen_and_bad_is_at_most_all() {
        let odd = [(f64::NAN, 1.0), (1.0, f64::NAN), (0.0, f64::INFINITY), (0.0, -1.0), (-1.0, 1.0)];
        let slices = of(0, &odd.map(|(bad, total)| counts(bad, total)));
        assert_eq!(slices.sum(span(0, 5)), SpanCounts { counts: None, seen: 0, slices: 5 });
        let slices = of(0, &[counts(7.0, 2.0), counts(f64::MAX, f64::MAX), counts(-0.0, -0.0)]);
        let kept: Vec<_> = slices.iter(span(0, 3)).map(|(_, counts)| counts).collect();
        assert_eq!(kept, [counts(2.0, 2.0), counts(EVENTS_MAX, EVENTS_MAX), counts(0.0, 0.0)]);
        assert!(kept.iter().flatten().all(|counts| counts.bad.is_sign_positive()));
    }

    #[test]
    fn any_instant_and_any_step_is_taken() {
        let ends = [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX].map(Timestamp::from_millis);
        for step in [Duration::ZERO, Duration::from_millis(1), MINUTE, Duration::MAX] {
            for from in ends {
                for at in ends {
                    let mut slices = Slices::new(step, from);
                    slices.put(at, &[counts(1.0, 2.0), None, counts(0.0, 1.0)]);
                    let all = Window { from: Timestamp::from_millis(i64::MIN), to: Timestamp::from_millis(i64::MAX) };
                    let sum = slices.sum(all);
                    assert!(sum.seen <= 2 && sum.seen <= sum.slices, "{step:?} {from:?} {at:?} {sum:?}");
                    slices.first_seen(all);
                    assert_eq!(
                        slices.groups_back(7, slices.through()).take(9).count(),
                        slices.groups_back(7, slices.through()).count().min(9)
                    );
                    slices.forget_before(at);
                    slices.put(from, &[counts(1.0, 2.0)]);
                }
            }
        }
    }

    #[test]
    fn the_newest_push_out_the_oldest_and_memory_has_an_end() {
        let mut slices = of(0, &vec![counts(1.0, 1.0); Slices::MAX + 10]);
        let most = i64::try_from(Slices::MAX).unwrap();
        assert_eq!((slices.from(), slices.through()), (minute(10), minute(most + 10)));
        slices.put(minute(most + 10), &[counts(0.0, 5.0)]);
        assert_eq!(slices.from(), minute(11));
        assert_eq!(slices.sum(span(0, 2 * most)).seen as usize, Slices::MAX);
        slices.put(minute(1 << 40), &[counts(0.0, 5.0)]);
        assert_eq!((slices.from(), slices.slots.len() <= MANY), (minute(1 << 40), true));
    }

    #[test]
    fn groups_begin_at_multiples_and_go_back_to_the_first() {
        let slices = of(3, &[counts(1.0, 1.0); 9]);
        let groups: Vec<_> = slices.groups_back(5, minute(24)).map(|sum| (sum.seen, sum.slices)).collect();
        // 15..20 was not seen, 10..12 and 3..5 were in part.
        assert_eq!(groups, [(0, 5), (2, 5), (5, 5), (2, 5)]);
        assert_eq!(slices.groups_back(5, minute(0)).count(), 0);
    }
}
