//! Slices that are counted alike, how far they were read, and when there are more.

use crate::engine::budgets::spans::Spans;
use crate::engine::budgets::view::Upkeep;
use crate::engine::live::pause_after;
use crate::judge;
use crate::rules::Slo;
use crate::series::Counts;
use crate::series::Slices;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::gather::ServiceSlices;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Kept before the period begins: looks of yesterday, and what was a day before them.
const SLACK: Duration = Duration::from_hours(48);

/// How far back looks are answered: as long as a gate may live, and some days of outage.
pub(super) const LOOK_BACK: Duration = Duration::from_hours(35 * 24);

/// How long what a look wanted is kept beyond what is always: longer than any interval
/// between looks is in practice; what is forgotten is asked for again.
pub(super) const WANTED: Duration = Duration::from_hours(6);

/// Slices that are asked for once more with the next one: samples come late, and a scrape
/// that was retried later than `settle` is counted after all.
const AGAIN: u32 = 2;

/// So far back slices that nobody saw are asked for again, with each new one: a collector
/// that was cut off sends what it kept, and a part of a source comes back.
const LATE: Duration = Duration::from_hours(1);

/// Read at once: what a restart loses at most, and an answer that is soon there.
const CHUNK: Duration = Duration::from_hours(24);

/// Nothing is put off for longer than this or than a slice, whichever is more.
const PUT_OFF: Duration = Duration::from_mins(1);

/// How long a remark is shown after it was last made, and how many are.
const REMARKED: Duration = Duration::from_hours(24);
const REMARKS_MAX: usize = 5;

/// What is counted alike is read once, however many SLOs promise something of it.
#[derive(Debug)]
pub(super) struct Kept {
    /// Those SLOs: at least one.
    slos: Vec<Arc<Slo>>,
    pub(super) slices: Slices,
    /// What was asked for, whether anything was seen or not.
    pub(super) known: Spans,
    /// Whether the store was asked what it keeps, and since when.
    loaded: Option<Timestamp>,
    /// Slices of the last hour that nobody saw.
    late: Option<Window>,
    /// From when on a look wanted slices, and when it did.
    wanted: Option<(Timestamp, Timestamp)>,
    pub(super) upkeep: Upkeep,
    /// Up to where slices were counted by the server.
    estimated_to: Option<Timestamp>,
    /// What was remarked, and when last.
    remarked: BTreeMap<String, Timestamp>,
    failures: u32,
    /// When there is something to do.
    next_at: Timestamp,
    /// The keeper is about it.
    pub(super) busy: bool,
}

/// What the keeper does next for some slices.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Ask the store for those since then.
    Load(Timestamp),
    /// Ask the source for these.
    Ask(Arc<Slo>, Window),
    /// Nothing is missing.
    Rest,
}

impl Kept {
    pub(super) fn new(slo: Arc<Slo>, now: Timestamp) -> Self {
        Self {
            slices: Slices::new(slo.slice, now),
            slos: vec![slo],
            known: Spans::default(),
            loaded: None,
            late: None,
            wanted: None,
            upkeep: Upkeep { loading: Some(0.0), ..Upkeep::default() },
            estimated_to: None,
            remarked: BTreeMap::new(),
            failures: 0,
            next_at: now,
            busy: false,
        }
    }

    /// What is kept for `slos`, which are at least one, from now on.
    pub(super) fn serve(&mut self, slos: Vec<Arc<Slo>>, now: Timestamp) {
        if self.slos != slos && !slos.is_empty() {
            self.slos = slos;
            self.next_at = self.next_at.min(now);
        }
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        (!self.busy).then_some(self.next_at)
    }

    /// Where the clock was set back: what was asked for beyond `now` was answered before
    /// anybody had counted it, and what was put off was put off until another time.
    pub(super) fn mind_clock(&mut self, now: Timestamp) {
        self.known.forget_after(self.end(now));
        if now + self.slices.step().max(PUT_OFF) < self.next_at {
            self.next_at = now;
        }
    }

    /// What a look needs of these slices is missing: the keeper comes as soon as the
    /// source is not being left alone.
    pub(super) fn want(&mut self, from: Timestamp, now: Timestamp) {
        let earliest = self.wanted.map_or(from, |(before, _)| before.min(from));
        self.wanted = Some((earliest, now));
        if self.failures == 0 {
            self.next_at = self.next_at.min(now);
        }
    }

    /// What is kept at `now`: from where on, and up to the last slice whose samples have arrived.
    pub(super) fn span(&self, now: Timestamp) -> Window {
        let period = |slo: &Arc<Slo>| period_from(slo, now) - SLACK;
        let always = self.slos.iter().map(period).min().unwrap_or(now);
        let wanted = self.wanted.filter(|(_, at)| now <= *at + WANTED).map_or(always, |(from, _)| from);
        let step = self.slices.step();
        let to = self.end(now);
        let most = step.saturating_mul(u32::try_from(Slices::MAX).unwrap_or(u32::MAX));
        Window { from: always.min(wanted).floored(step).max(to - most), to }
    }

    /// The end of the last slice whose samples have arrived at `now`.
    fn end(&self, now: Timestamp) -> Timestamp {
        (now - self.settle()).floored(self.slices.step())
    }

    pub(super) fn step(&self, now: Timestamp) -> Step {
        let span = self.span(now);
        if self.loaded.is_none_or(|since| span.from < since) {
            return Step::Load(span.from);
        }
        if let (Some(late), Some(slo)) = (self.late, self.slos.first()) {
            return Step::Ask(Arc::clone(slo), late);
        }
        let (Some(gap), Some(slo)) = (self.known.last_gap(span), self.slos.first()) else { return Step::Rest };
        let step = self.slices.step();
        let from = (gap.from - step * AGAIN).max(span.from).max((gap.to - CHUNK).floored(step));
        Step::Ask(Arc::clone(slo), Window { from, to: gap.to })
    }

    /// Takes what the store kept since then, in order.
    pub(super) fn load(&mut self, since: Timestamp, rows: &[(Timestamp, Option<Counts>)], now: Timestamp) {
        let step = self.slices.step();
        let mut slices = Slices::new(step, since);
        for run in rows.chunk_by(|(one, _), (next, _)| *one + step == *next) {
            let (Some((first, _)), Some((last, _))) = (run.first(), run.last()) else { continue };
            let counts: Vec<Option<Counts>> = run.iter().map(|(_, counts)| *counts).collect();
            slices.put(*first, &counts);
            self.known.add(Window { from: *first, to: *last + step });
        }
        self.slices = slices;
        self.loaded = Some(since);
        self.known.forget_after(self.end(now));
        self.told(now);
    }

    /// `slices` of `window`, which begin there, with what was counted before where nobody sees
    /// anything now: what a source does not remember any more was there all the same.
    pub(super) fn with_counted(&self, window: Window, slices: Vec<Option<Counts>>) -> Vec<Option<Counts>> {
        let step = self.slices.step();
        let starts = std::iter::successors(Some(window.from), |at| Some(*at + step));
        let before = |from: Timestamp| self.slices.sum(Window { from, to: from + step }).counts;
        starts.zip(slices).map(|(at, counts)| counts.or_else(|| before(at))).collect()
    }

    /// Takes what the source gave for `window`.
    pub(super) fn put(&mut self, window: Window, answer: ServiceSlices, now: Timestamp) {
        self.slices.put(window.from, &answer.slices);
        self.known.add(window);
        self.late = self.unseen_before(window.from).filter(|_| window.to == self.end(now));
        self.failures = 0;
        if answer.estimated {
            self.estimated_to = self.estimated_to.max(Some(window.to));
        }
        self.remarked.extend(answer.remarks.into_iter().map(|remark| (remark, now)));
        self.upkeep.samples_fetched = self.upkeep.samples_fetched.saturating_add(answer.samples);
        self.upkeep.samples_last = answer.samples;
        self.upkeep.trouble = None;
        self.upkeep.asked_at = Some(now);
        self.told(now);
    }

    /// How far they were read.
    pub(super) fn through(&self, now: Timestamp) -> Option<Timestamp> {
        self.known.through(self.span(now).to)
    }

    /// Whether all was asked for from `from` on to where the source last answered. What
    /// was not is read from the latest to the earliest, and says little of the rest.
    pub(super) fn is_whole(&self, from: Timestamp, now: Timestamp) -> bool {
        let from = from.floored(self.slices.step()).max(self.span(now).from);
        self.through(now).is_some_and(|to| from < to && self.known.cover(Window { from, to }))
    }

    /// From the first to the last slice of the hour before `then` that was asked for and that
    /// nobody saw.
    fn unseen_before(&self, then: Timestamp) -> Option<Window> {
        let step = self.slices.step();
        let starts = std::iter::successors(Some((then - LATE).floored(step)), |at| Some(*at + step));
        let slices = starts.map(|from| Window { from, to: from + step }).take_while(|slice| slice.to <= then);
        let unseen = |slice: &Window| self.known.cover(*slice) && self.slices.sum(*slice).counts.is_none();
        slices.filter(unseen).reduce(|first, last| Window { from: first.from, to: last.to })
    }

    /// Nothing is missing at `now`.
    pub(super) fn rest(&mut self, now: Timestamp) {
        self.told(now);
    }

    /// Says how much is read, forgets what is too old, and when to come again.
    fn told(&mut self, now: Timestamp) {
        let span = self.span(now);
        self.slices.forget_before(span.from);
        self.known.forget_before(span.from);
        self.loaded = self.loaded.map(|since| since.max(span.from));
        let share = self.known.share_of(span);
        self.upkeep.loading = self.known.last_gap(span).map(|_| share);
        self.upkeep.estimated = self.estimated_to.is_some_and(|to| span.from < to);
        self.upkeep.remarks = self.remarks(now);
        let is_more = self.upkeep.loading.is_some() || self.late.is_some();
        self.next_at = if is_more { now } else { span.to + self.slices.step() + self.settle() };
    }

    /// The latest remarks, those of one time by their words.
    fn remarks(&mut self, now: Timestamp) -> Vec<String> {
        self.remarked.retain(|_, at| now <= *at + REMARKED);
        let mut latest: Vec<(&String, &Timestamp)> = self.remarked.iter().collect();
        latest.sort_by_key(|(_, at)| std::cmp::Reverse(**at));
        latest.truncate(REMARKS_MAX);
        let latest: BTreeMap<String, Timestamp> = latest.into_iter().map(|(text, at)| (text.clone(), *at)).collect();
        self.remarked = latest;
        self.remarked.keys().cloned().collect()
    }

    /// What settles soonest says when a slice is there: later samples are read again.
    fn settle(&self) -> Duration {
        self.slos.iter().map(|slo| slo.settle).min().unwrap_or_default()
    }

    /// Notes that something did not answer, and leaves it alone, longer each time.
    pub(super) fn failed(&mut self, trouble: String, now: Timestamp) {
        self.upkeep.trouble = Some(trouble);
        self.late = None;
        self.next_at = now + pause_after(self.failures);
        self.failures = self.failures.saturating_add(1);
    }
}

/// When the period began that `at` lies in.
pub(super) fn period_from(slo: &Slo, at: Timestamp) -> Timestamp {
    judge::account(slo, &Slices::new(slo.slice, at), at).period_from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules;

    const MINUTE: Duration = Duration::from_mins(1);

    const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

    const SEEN: Option<Counts> = Some(Counts { bad: 1.0, total: 100.0 });

    /// Slices of a week, all read up to `now`.
    fn read(now: Timestamp) -> Kept {
        let text = "version: 1\nname: shop\nobjective: 99.9%\nperiod: 7d\n\
            indicator: { ratio: { bad: errors_total, total: requests_total } }\n";
        let slo = rules::parse_slo("shop.yaml", text).unwrap().slo;
        let mut kept = Kept::new(Arc::new(slo), now);
        kept.load(kept.span(now).from, &[], now);
        while let Step::Ask(_, window) = kept.step(now) {
            answer(&mut kept, window, SEEN, now);
        }
        kept
    }

    fn answer(kept: &mut Kept, window: Window, counts: Option<Counts>, now: Timestamp) {
        let many = usize::try_from(window.length().as_secs() / 60).unwrap();
        kept.put(window, ServiceSlices { slices: vec![counts; many], ..ServiceSlices::default() }, now);
    }

    #[test]
    fn what_was_asked_for_by_a_clock_that_ran_ahead_is_asked_for_again() {
        let mut kept = read(NOON);
        let ahead = NOON + MINUTE * 60;
        let Step::Ask(_, window) = kept.step(ahead) else { panic!("an hour is missing") };
        answer(&mut kept, window, None, ahead);
        assert_eq!(kept.step(ahead), Step::Rest);

        // Ten minutes later somebody sets it.
        let now = NOON + MINUTE * 10;
        kept.mind_clock(now);
        assert!(kept.due().unwrap() <= now, "it does not wait for the hour that was skipped");
        let unknown = Window { from: NOON + MINUTE * 9, to: NOON + MINUTE * 10 };
        assert!(!kept.known.cover(unknown));
        kept.loaded = Some(kept.span(now).from);
        let next = now + MINUTE;
        let Step::Ask(_, window) = kept.step(next) else { panic!("a minute is missing") };
        assert_eq!(window, Window { from: NOON + MINUTE * 7, to: NOON + MINUTE * 10 });
        answer(&mut kept, window, SEEN, next);
        let Step::Ask(_, window) = kept.step(next) else { panic!("nine minutes were never counted") };
        assert_eq!(window, Window { from: NOON - MINUTE * 3, to: NOON + MINUTE * 7 });
        answer(&mut kept, window, SEEN, next);
        assert_eq!(kept.slices.sum(Window { from: NOON - MINUTE * 30, to: NOON + MINUTE * 10 }).seen, 40);
    }

    #[test]
    fn what_arrives_late_is_counted_after_all() {
        let mut kept = read(NOON);
        let minute = |count: u32| NOON + MINUTE * count;
        for count in 1..=20 {
            let now = minute(count);
            let Step::Ask(_, new) = kept.step(now) else { panic!("a minute is missing") };
            let merged = kept.with_counted(new, vec![None; 3]);
            kept.put(new, ServiceSlices { slices: merged, ..ServiceSlices::default() }, now);
            if let Step::Ask(_, late) = kept.step(now) {
                assert_eq!(late, Window { from: NOON - MINUTE, to: new.from });
                answer(&mut kept, late, None, now);
            }
            assert_eq!(kept.step(now), Step::Rest, "each minute asks once");
        }
        let now = minute(21);
        for _ in 0..2 {
            let Step::Ask(_, window) = kept.step(now) else { panic!("there is more") };
            answer(&mut kept, window, SEEN, now);
        }
        assert_eq!(kept.step(now), Step::Rest);
        let all = kept.slices.sum(Window { from: NOON - MINUTE * 30, to: minute(20) });
        assert_eq!((all.seen, all.slices), (50, 50));
    }

    #[test]
    fn what_was_counted_stays_counted_where_a_source_has_forgotten_it() {
        let kept = read(NOON);
        let window = Window { from: NOON - MINUTE * 3, to: NOON + MINUTE };
        let other = Some(Counts { bad: 2.0, total: 100.0 });
        let merged = kept.with_counted(window, vec![None, other, None, None]);
        assert_eq!(merged, [SEEN, other, None, None], "the last two were never counted");
    }

    #[test]
    fn that_a_server_counted_and_what_it_remarked_outlasts_the_next_answer() {
        let mut kept = read(NOON);
        let day = Window { from: NOON - MINUTE * 3, to: NOON };
        let told = ServiceSlices { remarks: vec!["so".to_owned()], estimated: true, ..ServiceSlices::default() };
        kept.put(day, told, NOON);
        let next = NOON + MINUTE;
        answer(&mut kept, Window { from: NOON - MINUTE, to: NOON }, SEEN, next);
        assert_eq!((kept.upkeep.estimated, &kept.upkeep.remarks[..]), (true, &["so".to_owned()][..]));
        let later = NOON + MINUTE * 60 * 24 * 10;
        kept.rest(later);
        assert_eq!((kept.upkeep.estimated, kept.upkeep.remarks.len()), (false, 0), "it is older than the period");
    }
}
