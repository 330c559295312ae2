//! One cohort of one check: what was answered, and what that shows in a window.

use crate::series::Fault;
use crate::series::Notice;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::gauge;
use crate::series::gauge::Extreme;
use crate::series::native::Histograms;
use crate::sources;
use crate::sources::Answer;
use crate::sources::gather::above::Above;
use crate::sources::gather::counters::Counters;
use crate::sources::gather::forms::Form;
use crate::sources::gather::forms::Forms;
use crate::sources::gather::forms::Shown;
use crate::sources::gather::instances::Apart;
use crate::sources::gather::instances::Part;
use crate::sources::gather::past;
use crate::sources::gather::plan::Asked;
use crate::sources::gather::plan::at_ends;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use crate::sources::gather::reading::Reading;
use std::collections::BTreeMap;

/// The answers about one cohort over a run of windows.
#[derive(Debug)]
pub(super) enum Cohort<'a> {
    /// It could not be asked for; `counts` as in [`Asked::Unbound`].
    Unbound { counts: bool },
    /// Bad events of all events.
    Ratio { part: Counters<'a>, is: Part, total: Counters<'a>, existence: Option<Existence<'a>> },
    /// Events of a histogram above a threshold.
    Above(Box<Above<'a>>),
    /// Samples of a gauge.
    Up { gauge: Counters<'a> },
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
            Asked::Ratio { part, is, total, relaxed } => {
                let (mut part, mut total) = (counters(part), counters(total));
                for counters in [&mut part, &mut total] {
                    counters.find_births(run);
                }
                let existence = relaxed.as_deref().map(|relaxed| {
                    let lacks = |window: &&Window| !part.is_there(**window) && total.is_there(**window);
                    let lacking = run.iter().filter(lacks).copied().collect();
                    Existence { relaxed, lacking, answer: answers.get(None) }
                });
                Self::Ratio { part, is: *is, total, existence }
            }
            Asked::Above { classic, native, threshold, every } => {
                let every = every.as_deref();
                Self::Above(Box::new(Above::new([classic, native], *threshold, every, run, began, answers)))
            }
            Asked::Up { gauge } => Self::Up { gauge: counters(gauge) },
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
            Self::Ratio { part, total, .. } => vec![total.answer(), part.answer()],
            Self::Buckets(forms) => vec![forms.classic.answer(), forms.native.answer()],
            Self::Above(above) => vec![above.forms.classic.answer(), above.forms.native.answer()],
            Self::Rate { counters, .. } | Self::Up { gauge: counters } => vec![counters.answer()],
            Self::Mean { answer, .. } | Self::Worst { answer, .. } => vec![answer],
            Self::Rated { value, per } => [value.answers(), per.answers()].concat(),
        }
    }

    /// The series that are read, by labels, in as many lists for every cohort of a check.
    pub(super) fn series(&self) -> Vec<Vec<&'a Series>> {
        let all = |answer: &&'a Answer| answer.series.iter().collect();
        match self {
            Self::Buckets(forms) => forms.series(),
            Self::Above(above) => above.forms.series(),
            Self::Rated { value, per } => [value.series(), per.series()].concat(),
            Self::Unbound { .. }
            | Self::Ratio { .. }
            | Self::Up { .. }
            | Self::Rate { .. }
            | Self::Mean { .. }
            | Self::Worst { .. } => self.answers().iter().map(all).collect(),
        }
    }

    /// What there is of a histogram within reach of `window`.
    pub(super) fn shown(&self, window: Window) -> Shown {
        self.forms().map_or(Shown::Nothing, |forms| forms.shown(window))
    }

    fn forms(&self) -> Option<&Forms<'a>> {
        match self {
            Self::Buckets(forms) => Some(forms),
            Self::Above(above) => Some(&above.forms),
            Self::Unbound { .. }
            | Self::Ratio { .. }
            | Self::Up { .. }
            | Self::Rate { .. }
            | Self::Mean { .. }
            | Self::Worst { .. }
            | Self::Rated { .. } => None,
        }
    }

    /// Native histograms in `window`, where numbers are read.
    fn not_read(&self, window: Window) -> usize {
        let is_seen = |one: &&Histograms| counter::is_seen(one.counts(), window);
        match self {
            Self::Buckets(_) | Self::Above(_) => 0,
            Self::Rated { value, per } => value.not_read(window) + per.not_read(window),
            Self::Unbound { .. }
            | Self::Ratio { .. }
            | Self::Up { .. }
            | Self::Rate { .. }
            | Self::Mean { .. }
            | Self::Worst { .. } => {
                self.answers().iter().map(|answer| answer.native.iter().filter(is_seen).count()).sum()
            }
        }
    }

    /// Whether there is nothing in any window of one part of all events, and something of all in `window`.
    pub(super) fn lacks_part(&self, window: Window) -> bool {
        matches!(self, Self::Ratio { part, total, .. } if part.series().is_empty() && total.is_there(window))
    }

    /// Whether the answers are series as they are stored, not results of functions.
    pub(super) fn is_raw(&self) -> bool {
        match self {
            Self::Ratio { .. } | Self::Buckets(_) | Self::Above(_) | Self::Up { .. } | Self::Rate { .. } => true,
            Self::Unbound { .. } | Self::Mean { .. } | Self::Worst { .. } => false,
            Self::Rated { value, per } => value.is_raw() && per.is_raw(),
        }
    }

    /// What must be asked besides, now that the samples are known.
    pub(super) fn questions(&self) -> Vec<Question> {
        match self {
            Self::Ratio { part, total, existence, .. } => {
                let exists = existence.as_ref().and_then(Existence::question);
                [part.questions(), total.questions(), exists.into_iter().collect()].concat()
            }
            Self::Buckets(forms) => [forms.classic.questions(), forms.native.questions()].concat(),
            Self::Above(above) => above.questions(),
            // What a counter had before its first sample says nothing of its rate.
            Self::Unbound { .. }
            | Self::Up { .. }
            | Self::Rate { .. }
            | Self::Mean { .. }
            | Self::Worst { .. }
            | Self::Rated { .. } => Vec::new(),
        }
    }

    /// Takes the answers to [`Cohort::questions`].
    pub(super) fn learn(&mut self, answers: &'a Answers) {
        match self {
            Self::Ratio { part, total, existence, .. } => {
                part.learn(answers);
                total.learn(answers);
                if let Some(existence) = existence {
                    existence.answer = answers.get(existence.question().as_ref());
                }
            }
            Self::Above(above) => above.learn(answers),
            Self::Buckets(forms) => {
                forms.classic.learn(answers);
                forms.native.learn(answers);
            }
            Self::Unbound { .. }
            | Self::Up { .. }
            | Self::Rate { .. }
            | Self::Mean { .. }
            | Self::Worst { .. }
            | Self::Rated { .. } => {}
        }
    }

    /// What the cohort showed in `window`, in which a healthy series has
    /// `expected` raw samples, and of a histogram in which form; `None` where there
    /// is none that both cohorts have. What `apart` says is kept apart.
    pub(super) fn read<'s>(
        &'s self,
        window: Window,
        expected: u32,
        instance: &[String],
        apart: Apart<'s>,
        form: Option<Form>,
    ) -> Reading<'s> {
        if let Self::Rated { value, per } = self {
            let mut reading = value.read(window, expected, instance, apart, form);
            reading.divide(per.read(window, expected, instance, Apart::Whole, form));
            return reading;
        }
        let mut reading = self.count(window, expected, apart, form);
        let read = self.counters(form);
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

    /// As [`Cohort::read`], without what says whether the cohort is complete. Of two
    /// means it is nothing.
    pub(super) fn count<'s>(
        &'s self,
        window: Window,
        expected: u32,
        apart: Apart<'s>,
        form: Option<Form>,
    ) -> Reading<'s> {
        let excess = || self.counters(form).iter().find_map(|counters| counters.excess(window));
        let mut reading = Reading::nothing(if self.counts() { expected } else { 1 }, apart);
        match (self, form) {
            (Self::Unbound { .. } | Self::Rated { .. }, _) => {}
            _ if let Some(message) = excess() => reading.refuse(message),
            (Self::Ratio { part, is, total, existence }, _) => {
                reading.ratio(part, *is, total, window);
                reading.faults.extend(existence.as_ref().and_then(|existence| existence.fault(window)));
            }
            (Self::Buckets(_) | Self::Above(_), None) => drop(reading.notices.insert(Notice::NativeAndClassic)),
            (Self::Buckets(forms), Some(Form::Classic)) => {
                reading.histograms(&forms.classic, &forms.assembled, window);
            }
            (Self::Buckets(forms), Some(Form::Native)) => reading.native(&forms.native, forms.histograms(), window),
            (Self::Above(above), Some(form)) => above.read(&mut reading, form, window, apart),
            (Self::Up { gauge }, _) => reading.up(gauge, window),
            (Self::Rate { counters, per_second, instance }, _) => {
                reading.rate(counters, *per_second, instance, window);
            }
            (Self::Mean { answer, instance }, _) => reading.mean(answer, instance, window),
            (Self::Worst { answer, extreme }, _) => reading.worst(answer, *extreme, window),
        }
        reading
    }

    /// What is counted, of a histogram in `form`.
    fn counters(&self, form: Option<Form>) -> Vec<&Counters<'a>> {
        match self {
            Self::Ratio { part, total, .. } => vec![part, total],
            Self::Rate { counters, .. } | Self::Up { gauge: counters } => vec![counters],
            Self::Buckets(_)
            | Self::Above(_)
            | Self::Unbound { .. }
            | Self::Mean { .. }
            | Self::Worst { .. }
            | Self::Rated { .. } => {
                let forms = self.forms().zip(form);
                forms.map(|(forms, form)| forms.counters(form)).into_iter().collect()
            }
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
