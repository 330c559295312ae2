//! Events above a threshold: what is bad of a service that promises to be fast.
//!
//! Of a classic histogram two buckets are read, that of the threshold and that of all
//! events. Where there is no such bucket nothing is known: the events between
//! two bounds lie nobody knows where, and a guess would spend an error budget. Of a native
//! histogram the bounds are nobody's choice, and its buckets are narrow; there the events
//! of one bucket are divided as Prometheus' `histogram_fraction` does, and it is said.

use crate::series::Fault;
use crate::series::Notice;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::histogram;
use crate::series::histogram::Histogram;
use crate::series::spread::Span;
use crate::series::spread::Spread;
use crate::sources::Answer;
use crate::sources::gather::counters::Counters;
use crate::sources::gather::forms::Form;
use crate::sources::gather::forms::Forms;
use crate::sources::gather::instances::Apart;
use crate::sources::gather::instances::Counted;
use crate::sources::gather::instances::Part;
use crate::sources::gather::past;
use crate::sources::gather::plan::Counter;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use crate::sources::gather::reading::Reading;
use std::collections::BTreeMap;

/// What is said where the events of one bucket of a native histogram were divided.
const INTERPOLATED: &str =
    "the threshold lies within a bucket of a native histogram: its events are divided as histogram_fraction does";

/// What is said of bounds that were not asked for, or that nobody has.
pub(super) const NOT_KNOWN: &str = "not known";

/// The histograms of one cohort, and the threshold.
#[derive(Debug)]
pub(super) struct Above<'a> {
    pub(super) forms: Forms<'a>,
    threshold: f64,
    /// The name of the buckets.
    selector: &'a str,
    /// All of its buckets, where they are to be named.
    every: Option<&'a str>,
    /// The windows in which a histogram has no bucket of the threshold, in order.
    lacking: Vec<Window>,
    bounds: &'a Answer,
}

impl<'a> Above<'a> {
    /// What `answers` say of `classic` and `native` over `run`.
    pub(super) fn new(
        [classic, native]: [&'a Counter; 2],
        threshold: f64,
        every: Option<&'a str>,
        run: &[Window],
        began: Timestamp,
        answers: &'a Answers,
    ) -> Self {
        let forms = Forms::new(classic, native, run, began, answers);
        let lacks = |one: &&Histogram| bucket(one, threshold).is_none();
        let without: Vec<&Histogram> = forms.assembled.iter().filter(lacks).collect();
        let is_lacking = |window: &&Window| without.iter().any(|one| is_there(one, **window));
        let lacking = run.iter().filter(is_lacking).copied().collect();
        Self { forms, threshold, selector: &classic.selector, every, lacking, bounds: answers.get(None) }
    }

    /// What must be asked besides, now that the samples are known.
    pub(super) fn questions(&self) -> Vec<Question> {
        let own = [&self.forms.classic, &self.forms.native].into_iter().flat_map(Counters::questions);
        own.chain(self.question()).collect()
    }

    /// Takes the answers to [`Above::questions`].
    pub(super) fn learn(&mut self, answers: &'a Answers) {
        self.forms.classic.learn(answers);
        self.forms.native.learn(answers);
        self.bounds = answers.get(self.question().as_ref());
    }

    fn question(&self) -> Option<Question> {
        at_ends(&bounds_of(self.every?), &self.lacking)
    }

    /// What was counted in `window`, of histograms in `form`.
    pub(super) fn read<'s>(&'s self, reading: &mut Reading<'s>, form: Form, window: Window, apart: Apart<'s>) {
        let mut sums = (Counted::by(apart), Counted::by(apart));
        match form {
            Form::Classic if self.lacking.contains(&window) => {
                reading.faults.insert(self.fault(window));
                // The samples are there all the same.
                for one in self.forms.assembled.iter().flat_map(Histogram::series) {
                    let tally = reading.tally(&self.forms.classic, one, window);
                    sums.1.all.look(&tally);
                }
            }
            Form::Classic => self.classic(reading, window, &mut sums),
            Form::Native => self.native(reading, window, &mut sums),
        }
        reading.divide_events(&sums.0, &sums.1, Part::Good);
    }

    fn classic<'s>(&'s self, reading: &mut Reading<'s>, window: Window, sums: &mut (Counted<'s>, Counted<'s>)) {
        for one in self.forms.assembled.iter().filter(|one| is_there(one, window)) {
            let (Some(upto), Some(all)) = (bucket(one, self.threshold), bucket(one, f64::INFINITY)) else {
                let message = format!("not read: {} has no +Inf bucket", one.labels);
                reading.faults.insert(past::partial(&message));
                *sums = (Counted::by(Apart::Whole), Counted::by(Apart::Whole));
                return;
            };
            let [upto, all] = [upto, all].map(|series| reading.tally(&self.forms.classic, series, window));
            // Where one of the two could not be compared, neither is counted.
            let both = upto.increase().zip(all.increase());
            sums.0.add_events(&one.labels, &upto, both.map(|(upto, _)| upto));
            sums.1.add_events(&one.labels, &all, both.map(|(_, all)| all));
        }
    }

    fn native<'s>(&'s self, reading: &mut Reading<'s>, window: Window, sums: &mut (Counted<'s>, Counted<'s>)) {
        for one in self.forms.histograms() {
            let (tally, spread, fault) = self.forms.native.tally_native(one, window);
            reading.faults.extend(fault);
            let labels = one.counts().labels();
            reading.note(&tally, labels);
            let (upto, is_divided) = spread.as_ref().map_or((0.0, false), |spread| upto(spread, self.threshold));
            if is_divided {
                reading.notices.insert(Notice::Remark { message: INTERPOLATED.to_owned() });
            }
            sums.0.add_events(labels, &tally, tally.increase().map(|_| upto));
            sums.1.add(labels, &tally);
        }
    }

    fn fault(&self, window: Window) -> Fault {
        let partial = self.bounds.partial.as_deref().map(past::partial);
        partial.unwrap_or_else(|| not_a_bucket(self.selector, self.threshold, self.bounds, window.to))
    }
}

/// What there is of `buckets`, by bound.
pub(super) fn bounds_of(buckets: &str) -> String {
    format!("count by (le) (count_over_time({buckets}[1h]))")
}

/// That `threshold` is no bucket of `histogram`, whose bounds at `at` are in `answer`.
pub(super) fn not_a_bucket(histogram: &str, threshold: f64, answer: &Answer, at: Timestamp) -> Fault {
    let there = answer.series.iter().filter(|series| past::is_there(series, at));
    let bounds = there.filter_map(|series| series.labels().get("le")).filter_map(|le| Some((bits(le)?, le)));
    let bounds: BTreeMap<u64, &str> = bounds.collect();
    let named: Vec<&str> = bounds.into_values().collect();
    let bounds = if named.is_empty() { NOT_KNOWN.to_owned() } else { past::shortened(&named.join(", ")) };
    Fault::ThresholdNotABucket { threshold: past::shortened(&format!("{threshold} of {histogram}")), bounds }
}

/// Something that is ordered as the bound is.
fn bits(le: &str) -> Option<u64> {
    const SIGN: u64 = 1 << 63;
    let bits = histogram::parse_bound(le)?.to_bits();
    Some(if bits & SIGN == 0 { bits | SIGN } else { !bits })
}

fn bucket(one: &Histogram, bound: f64) -> Option<&crate::series::Series> {
    one.buckets.iter().find(|(other, _)| other.total_cmp(&(bound + 0.0)).is_eq()).map(|(_, series)| series)
}

fn is_there(one: &Histogram, window: Window) -> bool {
    one.series().any(|series| counter::is_seen(series, counter::padded(window)))
}

/// The events of `spread` at or below `threshold`, and whether those of a bucket were divided.
fn upto(spread: &Spread, threshold: f64) -> (f64, bool) {
    let (mut events, mut is_divided) = (0.0, false);
    for span in spread.spans() {
        let share = share_below(span, threshold);
        events += span.events * share;
        is_divided |= 0.0 < share && share < 1.0;
    }
    (events, is_divided)
}

/// The share of the events of `span` that is at or below `threshold`.
fn share_below(span: &Span, threshold: f64) -> f64 {
    let &Span { left, right, .. } = span;
    if right <= threshold {
        return 1.0;
    }
    // How much slower those of the last bucket were has no bound, so all of them are slow.
    if threshold <= left || right.is_infinite() {
        return 0.0;
    }
    if 0.0 < left {
        // Buckets of a native histogram grow by a factor: evenly on that scale.
        return ((threshold.ln() - left.ln()) / (right.ln() - left.ln())).clamp(0.0, 1.0);
    }
    if right < 0.0 && left.is_finite() {
        return (1.0 - (threshold.abs().ln() - right.abs().ln()) / (left.abs().ln() - right.abs().ln()))
            .clamp(0.0, 1.0);
    }
    // The bucket around zero, or the first one of bounds that were chosen by hand.
    let left = if left.is_finite() { left } else { right.min(0.0) };
    if threshold <= left { 0.0 } else { ((threshold - left) / (right - left)).clamp(0.0, 1.0) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_of_a_bucket_are_divided_only_where_the_threshold_lies_in_it() {
        let inf = f64::INFINITY;
        for (left, right, threshold, expect) in [
            (1.0, 2.0, 2.0, 1.0),
            (1.0, 2.0, 1.0, 0.0),
            (1.0, 2.0, 0.5, 0.0),
            (1.0, 4.0, 2.0, 0.5),
            (-1.0, 1.0, 0.5, 0.75),
            (-4.0, -1.0, -2.0, 0.5),
            (1.0, inf, 2.0, 0.0),
            (f64::MAX, inf, 2.0, 0.0),
            (f64::NEG_INFINITY, 2.0, 1.0, 0.5),
        ] {
            let found = share_below(&Span { left, right, events: 1.0 }, threshold);
            assert!((found - expect).abs() < 1e-12, "({left}, {right}] below {threshold}: {found}");
        }
    }

    #[test]
    fn bounds_are_ordered_as_numbers() {
        let mut bounds = ["10", "-1", "+Inf", "0.5", "-2", "9", "0"];
        bounds.sort_by_key(|le| bits(le));
        assert_eq!(bounds, ["-2", "-1", "0", "0.5", "9", "10", "+Inf"]);
    }
}
