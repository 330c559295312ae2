//! One cohort of one check: what was answered, and what that shows in a window.

use crate::series::Buckets;
use crate::series::Fault;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::Observed;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::counter::Tally;
use crate::series::counter::Total;
use crate::series::gauge;
use crate::series::gauge::Extreme;
use crate::series::gauge::Point;
use crate::series::histogram;
use crate::series::histogram::Cumulative;
use crate::series::histogram::Histogram;
use crate::series::native::Histograms;
use crate::series::spread::Spread;
use crate::sources;
use crate::sources::Answer;
use crate::sources::gather::counters::Counters;
use crate::sources::gather::counters::MAX_SERIES;
use crate::sources::gather::forms::Form;
use crate::sources::gather::forms::Forms;
use crate::sources::gather::forms::Shown;
use crate::sources::gather::instances;
use crate::sources::gather::instances::Named;
use crate::sources::gather::past;
use crate::sources::gather::plan::Asked;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// The answers about one cohort over a run of windows.
#[derive(Debug)]
pub(super) enum Cohort<'a> {
    /// It could not be asked for; `counts` as in [`Asked::Unbound`].
    Unbound { counts: bool },
    /// Bad events of all events.
    Ratio { bad: Counters<'a>, total: Counters<'a>, existence: Existence<'a> },
    /// Histograms, classic or native.
    Buckets(Box<Forms<'a>>),
    /// Counters, by instance.
    Rate { counters: Counters<'a>, per_second: bool, instance: &'a [String] },
    /// Values on the grid, averaged over instances.
    Mean { answer: &'a Answer, instance: &'a [String] },
    /// Values on the grid, of which the worst counts.
    Worst { answer: &'a Answer, extreme: Extreme },
    /// Two means over instances: a value, and what it is divided by.
    Rated { value: Box<Cohort<'a>>, per: Box<Cohort<'a>> },
}

/// Whether the metric of bad events exists at all.
#[derive(Debug)]
pub(super) struct Existence<'a> {
    relaxed: &'a str,
    /// The windows that have events and no series of bad ones, in order.
    lacking: Vec<Window>,
    answer: &'a Answer,
}

/// What one cohort showed in one window, on its way to evidence.
#[derive(Debug)]
pub(super) struct Reading<'a> {
    pub(super) observed: Observed,
    /// A classic histogram's counts, until both cohorts are on the same bounds.
    pub(super) cumulative: Cumulative,
    /// A native histogram's, likewise; `None` where none is read.
    pub(super) spread: Option<Spread>,
    pub(super) faults: BTreeSet<Fault>,
    pub(super) notices: BTreeSet<Notice>,
    /// Series with a gap. In a ratio one series may be among the bad and among all.
    pub(super) gaps: BTreeSet<&'a Labels>,
    /// Series that start at their first sample.
    pub(super) starts: BTreeSet<&'a Labels>,
    /// The labels by which instances are kept apart; none where they are not.
    apart: &'a [String],
}

impl<'a> Cohort<'a> {
    /// What `answers` say of `asked` over `run`.
    pub(super) fn new(
        asked: &'a Asked,
        instance: &'a [String],
        run: &[Window],
        began: Timestamp,
        answers: &'a Answers,
    ) -> Self {
        let counters = |counter| Counters::new(counter, run, began, answers);
        let values = |expr| answers.get(at_ends(expr, run).as_ref());
        match asked {
            Asked::Unbound { counts } => Self::Unbound { counts: *counts },
            Asked::Ratio { bad, total, relaxed } => {
                let (mut bad, mut total) = (counters(bad), counters(total));
                for counters in [&mut bad, &mut total] {
                    counters.find_births(run);
                }
                let lacks = |window: &&Window| !bad.is_there(**window) && total.is_there(**window);
                let lacking = run.iter().filter(lacks).copied().collect();
                Self::Ratio { bad, total, existence: Existence { relaxed, lacking, answer: answers.get(None) } }
            }
            Asked::Buckets { classic, native } => {
                Self::Buckets(Box::new(Forms::new(classic, native, run, began, answers)))
            }
            Asked::Rate { counter, per_second } => {
                Self::Rate { counters: counters(counter), per_second: *per_second, instance }
            }
            Asked::Mean { expr } => Self::Mean { answer: values(expr), instance },
            Asked::Worst { expr, extreme } => Self::Worst { answer: values(expr), extreme: *extreme },
            Asked::Rated { value, per } => {
                let mean = |asked| Box::new(Self::new(asked, instance, run, began, answers));
                Self::Rated { value: mean(value), per: mean(per) }
            }
        }
    }

    /// The answers that carry this cohort's samples.
    pub(super) fn answers(&self) -> Vec<&'a Answer> {
        match self {
            Self::Unbound { .. } => Vec::new(),
            Self::Ratio { bad, total, .. } => vec![total.answer(), bad.answer()],
            Self::Buckets(forms) => vec![forms.classic.answer(), forms.native.answer()],
            Self::Rate { counters, .. } => vec![counters.answer()],
            Self::Mean { answer, .. } | Self::Worst { answer, .. } => vec![answer],
            Self::Rated { value, per } => [value.answers(), per.answers()].concat(),
        }
    }

    /// The series that are read, by labels, in as many lists for every cohort of a check.
    pub(super) fn series(&self) -> Vec<Vec<&'a Series>> {
        let all = |answer: &&'a Answer| answer.series.iter().collect();
        match self {
            Self::Buckets(forms) => vec![forms.classic.series().to_vec(), forms.native.series().to_vec()],
            Self::Rated { value, per } => [value.series(), per.series()].concat(),
            Self::Unbound { .. } | Self::Ratio { .. } | Self::Rate { .. } | Self::Mean { .. } | Self::Worst { .. } => {
                self.answers().iter().map(all).collect()
            }
        }
    }

    /// What there is of a histogram within reach of `window`.
    pub(super) fn shown(&self, window: Window) -> Shown {
        if let Self::Buckets(forms) = self { forms.shown(window) } else { Shown::Nothing }
    }

    /// Native histograms in `window`, where numbers are read.
    fn not_read(&self, window: Window) -> usize {
        let is_seen = |one: &&Histograms| counter::is_seen(one.counts(), window);
        match self {
            Self::Buckets(_) => 0,
            Self::Rated { value, per } => value.not_read(window) + per.not_read(window),
            Self::Unbound { .. } | Self::Ratio { .. } | Self::Rate { .. } | Self::Mean { .. } | Self::Worst { .. } => {
                self.answers().iter().map(|answer| answer.native.iter().filter(is_seen).count()).sum()
            }
        }
    }

    /// Whether the answers are series as they are stored, not results of functions.
    pub(super) fn is_raw(&self) -> bool {
        match self {
            Self::Ratio { .. } | Self::Buckets(_) | Self::Rate { .. } => true,
            Self::Unbound { .. } | Self::Mean { .. } | Self::Worst { .. } => false,
            Self::Rated { value, per } => value.is_raw() && per.is_raw(),
        }
    }

    /// What must be asked besides, now that the samples are known.
    pub(super) fn questions(&self) -> Vec<Question> {
        match self {
            Self::Ratio { bad, total, existence } => {
                [bad.questions(), total.questions(), existence.question().into_iter().collect()].concat()
            }
            Self::Buckets(forms) => [forms.classic.questions(), forms.native.questions()].concat(),
            // What a counter had before its first sample says nothing of its rate.
            Self::Unbound { .. } | Self::Rate { .. } | Self::Mean { .. } | Self::Worst { .. } | Self::Rated { .. } => {
                Vec::new()
            }
        }
    }

    /// Takes the answers to [`Cohort::questions`].
    pub(super) fn learn(&mut self, answers: &'a Answers) {
        match self {
            Self::Ratio { bad, total, existence } => {
                bad.learn(answers);
                total.learn(answers);
                existence.answer = answers.get(existence.question().as_ref());
            }
            Self::Buckets(forms) => {
                forms.classic.learn(answers);
                forms.native.learn(answers);
            }
            Self::Unbound { .. } | Self::Rate { .. } | Self::Mean { .. } | Self::Worst { .. } | Self::Rated { .. } => {}
        }
    }

    /// What the cohort showed in `window`, in which a healthy series has
    /// `expected` raw samples, and of a histogram in which form; `None` where there
    /// is none that both cohorts have. Instances are kept apart by the labels `apart`.
    pub(super) fn read<'s>(
        &'s self,
        window: Window,
        expected: u32,
        instance: &[String],
        apart: &'s [String],
        form: Option<Form>,
    ) -> Reading<'s> {
        if let Self::Rated { value, per } = self {
            let mut reading = value.read(window, expected, instance, apart, form);
            reading.divide(per.read(window, expected, instance, &[], form));
            return reading;
        }
        let read = self.counters(form);
        let excess = || read.iter().find_map(|counters| counters.excess(window));
        let mut reading = Reading::nothing(if self.counts() { expected } else { 1 }, apart);
        match self {
            Self::Unbound { .. } | Self::Rated { .. } => {}
            _ if let Some(message) = excess() => reading.refuse(message),
            Self::Ratio { bad, total, existence } => reading.ratio(bad, total, existence, window),
            Self::Buckets(forms) => match form {
                Some(Form::Classic) => reading.histograms(&forms.classic, &forms.assembled, window),
                Some(Form::Native) => reading.native(&forms.native, forms.histograms(), window),
                None => drop(reading.notices.insert(Notice::NativeAndClassic)),
            },
            Self::Rate { counters, per_second, instance } => reading.rate(counters, *per_second, instance, window),
            Self::Mean { answer, instance } => reading.mean(answer, instance, window),
            Self::Worst { answer, extreme } => reading.worst(answer, *extreme, window),
        }
        if self.is_raw() {
            reading.thin(&presence(&read, window, instance));
        }
        let not_read = Some(self.not_read(window)).filter(|series| *series > 0);
        reading.notices.extend(not_read.map(|series| Notice::Remark { message: sources::not_read(series) }));
        for message in self.answers().iter().filter_map(|answer| answer.partial.as_deref()) {
            reading.observed.seen = 0;
            reading.faults.insert(past::partial(message));
        }
        reading
    }

    /// What is counted, of a histogram in `form`.
    fn counters(&self, form: Option<Form>) -> Vec<&Counters<'a>> {
        match self {
            Self::Ratio { bad, total, .. } => vec![bad, total],
            Self::Buckets(forms) => form.map(|form| forms.counters(form)).into_iter().collect(),
            Self::Rate { counters, .. } => vec![counters],
            Self::Unbound { .. } | Self::Mean { .. } | Self::Worst { .. } | Self::Rated { .. } => Vec::new(),
        }
    }

    fn counts(&self) -> bool {
        matches!(self, Self::Unbound { counts: true }) || self.is_raw()
    }
}

/// Whether each instance with a sample in `window`, or in the five minutes before,
/// has one in it. One that vanishes is missing for so long; then it is taken for
/// gone, because fleets shrink too.
fn presence(read: &[&Counters<'_>], window: Window, instance: &[String]) -> Vec<bool> {
    let reach = counter::padded(window);
    let mut present = BTreeMap::new();
    for series in read.iter().flat_map(|counters| counters.series()) {
        if counter::is_seen(series, reach) {
            let here = present.entry(gauge::instance(series.labels(), instance)).or_insert(false);
            *here |= counter::is_seen(series, window);
        }
    }
    present.into_values().collect()
}

impl Existence<'_> {
    fn question(&self) -> Option<Question> {
        past::existence(self.relaxed, &self.lacking)
    }

    /// What forbids to take no series of bad events for no bad events.
    fn fault(&self, window: Window) -> Option<Fault> {
        if !self.lacking.contains(&window) || past::exists(self.answer, window.to) {
            return None;
        }
        let unseen = || Fault::BadNeverSeen { selector: self.relaxed.to_owned() };
        Some(self.answer.partial.as_deref().map_or_else(unseen, past::partial))
    }
}

impl<'a> Reading<'a> {
    fn nothing(expected: u32, apart: &'a [String]) -> Self {
        Self {
            observed: Observed::nothing(expected),
            cumulative: Cumulative::default(),
            spread: None,
            faults: BTreeSet::new(),
            notices: BTreeSet::new(),
            gaps: BTreeSet::new(),
            starts: BTreeSet::new(),
            apart,
        }
    }

    /// Nothing was seen, for the reason that `message` gives.
    fn refuse(&mut self, message: String) {
        self.observed = Observed::nothing(self.observed.expected);
        self.faults.insert(Fault::PartialAnswer { message });
    }

    /// What `series`, one of `counters`, counted.
    fn tally(&mut self, counters: &Counters<'_>, series: &'a Series, window: Window) -> Tally {
        let (tally, fault) = counters.tally(series, window);
        self.faults.extend(fault);
        self.note(&tally, series.labels());
        tally
    }

    fn note(&mut self, tally: &Tally, series: &'a Labels) {
        self.gaps.extend(tally.gap.then_some(series));
        self.starts.extend(tally.start.then_some(series));
    }

    fn ratio(&mut self, bad: &Counters<'a>, total: &Counters<'a>, existence: &Existence<'_>, window: Window) {
        let mut count = |counters: &Counters<'a>| {
            let (mut sum, mut named) = (Total::default(), Named::by(self.apart));
            for series in counters.series() {
                let tally = self.tally(counters, series, window);
                sum.add(&tally);
                named.add(series.labels(), &tally);
            }
            (sum, named)
        };
        let ((bad, named_bad), (total, named_total)) = (count(bad), count(total));
        self.faults.extend(existence.fault(window));
        if let Some(events) = instances::events(&bad, &total, &mut self.notices) {
            self.observed.measure = events;
        }
        self.observed.instances = instances::counts(&named_bad, &named_total, &mut self.notices);
        self.look(&total);
        self.look(&Total { seen: 0, ..bad });
    }

    fn histograms(&mut self, counters: &Counters<'a>, histograms: &'a [Histogram], window: Window) {
        let mut sum = Total::default();
        for one in histograms {
            let mut counts = Vec::with_capacity(one.buckets.len());
            for (bound, series) in &one.buckets {
                let tally = self.tally(counters, series, window);
                sum.look(&tally);
                counts.extend(tally.increase().map(|increase| (*bound, increase)));
            }
            if counts.len() > histogram::MAX_BOUNDS {
                self.cumulative = Cumulative::default();
                self.refuse(format!("not read: more than {} buckets in one histogram", histogram::MAX_BOUNDS));
                return;
            }
            self.cumulative.add(counts);
        }
        self.look(&sum);
    }

    fn native(&mut self, counters: &Counters<'_>, histograms: &'a [Histograms], window: Window) {
        let (mut sum, mut all) = (Total::default(), None);
        for one in histograms {
            let (tally, spread, fault) = counters.tally_native(one, window);
            self.faults.extend(fault);
            self.note(&tally, one.counts().labels());
            sum.look(&tally);
            if let Some(spread) = spread {
                all.get_or_insert_with(Spread::default).add(&spread);
            }
        }
        self.spread = all;
        self.look(&sum);
    }

    /// Takes the counts by bucket, now that both cohorts are on the same bounds.
    pub(super) fn set_buckets(&mut self, buckets: Option<Buckets>) {
        if let Some(buckets) = buckets {
            self.observed.measure = Measure::Buckets(buckets);
        }
    }

    fn rate(&mut self, counters: &Counters<'a>, per_second: bool, instance: &[String], window: Window) {
        let mut sum = Total::default();
        let mut rates = Vec::new();
        let seconds = if per_second { 1.0 } else { window.length().as_secs_f64() };
        for series in counters.series() {
            let tally = self.tally(counters, series, window);
            sum.look(&tally);
            rates.extend(tally.rate().map(|rate| (series.labels(), rate * seconds)));
        }
        self.look(&sum);
        self.average(rates, instance);
    }

    fn mean(&mut self, answer: &Answer, instance: &[String], window: Window) {
        let values = self.values(&answer.series, window);
        self.average(values, instance);
    }

    fn worst(&mut self, answer: &Answer, extreme: Extreme, window: Window) {
        let values = self.values(&answer.series, window);
        if let Some((series, value)) = gauge::worst(values, extreme) {
            self.observed.measure = Measure::Worst { value, series: series.clone() };
        }
    }

    /// The values at the end of `window`, each series having one or none.
    fn values<'s>(&mut self, all: &'s [Series], window: Window) -> Vec<(&'s Labels, f64)> {
        let mut values = Vec::new();
        for series in all {
            match gauge::point(series, window.to) {
                Point::Nothing => {}
                Point::Value(value) => values.push((series.labels(), value)),
                Point::NotANumber => self.observed.nan = self.observed.nan.saturating_add(1),
                Point::Infinite => self.observed.infinite = self.observed.infinite.saturating_add(1),
            }
        }
        if values.len() > MAX_SERIES {
            self.refuse(format!("not read: more than {MAX_SERIES} series in one interval"));
            return Vec::new();
        }
        self.observed.seen = u32::from(!values.is_empty());
        values
    }

    fn average(&mut self, values: Vec<(&Labels, f64)>, instance: &[String]) {
        self.observed.instances = instances::values(&values, self.apart, &mut self.notices);
        let mean = gauge::mean(values, instance);
        if let Some(value) = mean.value {
            self.observed.measure = Measure::Value(value);
        }
        if mean.is_nameless {
            self.notices.insert(Notice::NoInstanceLabel);
        }
    }

    /// Takes the mean for each of `per`: where either is unknown, both are.
    fn divide(&mut self, mut per: Self) {
        self.observed.measure = match (&self.observed.measure, &per.observed.measure) {
            (Measure::Value(value), Measure::Value(per)) if *per >= 0.0 => Measure::Rated { value: *value, per: *per },
            _ => Measure::Nothing,
        };
        let share = |observed: &Observed| f64::from(observed.seen) / f64::from(observed.expected);
        if share(&per.observed) < share(&self.observed) {
            (self.observed.seen, self.observed.expected) = (per.observed.seen, per.observed.expected);
        }
        self.observed.nan = self.observed.nan.max(per.observed.nan);
        self.observed.infinite = self.observed.infinite.max(per.observed.infinite);
        self.faults.append(&mut per.faults);
        self.notices.append(&mut per.notices);
        self.gaps.append(&mut per.gaps);
        self.starts.append(&mut per.starts);
    }

    /// Counts samples instance by instance where some of them are missing and some are
    /// there: the fullest alone would stand for the dead.
    fn thin(&mut self, present: &[bool]) {
        let all = u32::try_from(present.len()).unwrap_or(u32::MAX);
        let here = u32::try_from(present.iter().filter(|here| **here).count()).unwrap_or(u32::MAX);
        if 0 < here && here < all {
            self.observed.seen = self.observed.seen.saturating_mul(here);
            self.observed.expected = self.observed.expected.saturating_mul(all);
        }
    }

    fn look(&mut self, total: &Total) {
        self.observed.seen = self.observed.seen.max(total.seen);
        self.observed.nan = self.observed.nan.saturating_add(total.nan);
        self.observed.infinite = self.observed.infinite.saturating_add(total.infinite);
    }
}
