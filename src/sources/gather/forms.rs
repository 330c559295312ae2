//! The two forms of a histogram, and which of them is read.
//!
//! A target may expose classic buckets, a native histogram, or both, and a fleet
//! may change from one to the other in the middle of a wave, so both are asked
//! for: where one does not exist, that is an answer without a series. A form is
//! read of both cohorts or of neither, and only where it misses nothing that the
//! other one has; native before classic, for its buckets are finer. All of this is
//! decided window by window, from samples that its evidence may depend on anyway.

use crate::series::Labels;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::histogram;
use crate::series::histogram::Histogram;
use crate::series::native::Histograms;
use crate::sources::gather::counters::Counters;
use crate::sources::gather::plan::Counter;
use crate::sources::gather::question::Answers;
use std::collections::BTreeMap;

/// How a histogram is exposed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A counter for each bucket.
    Classic,
    /// One series of whole histograms.
    Native,
}

/// The histograms of one cohort in both forms.
#[derive(Debug)]
pub(super) struct Forms<'a> {
    /// The bucket counters.
    pub(super) classic: Counters<'a>,
    /// The bucket counters by histogram.
    pub(super) assembled: Vec<Histogram>,
    /// The native histograms.
    pub(super) native: Counters<'a>,
    /// Of each classic histogram the native one with the same labels.
    twins: Vec<Option<usize>>,
}

/// What one cohort has within reach of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    /// No histogram.
    Nothing,
    /// Histograms, all of them in this form and not all in the other.
    All(Form),
    /// Histograms, all of them in both forms.
    Both,
    /// Some in one form alone and some in the other.
    Mixed,
}

impl<'a> Forms<'a> {
    /// What `answers` say of `classic` and `native` over `run`.
    pub(super) fn new(
        classic: &'a Counter,
        native: &'a Counter,
        run: &[Window],
        began: Timestamp,
        answers: &'a Answers,
    ) -> Self {
        let mut classic = Counters::new(classic, run, began, answers);
        let mut native = Counters::native(native, run, began, answers);
        let assembled = histogram::assemble(classic.answer().series.iter().cloned());
        let buckets: Vec<&Series> = assembled.iter().flat_map(Histogram::series).collect();
        classic.find_births_of(&buckets, run);
        native.find_births(run);
        let unnamed = |labels: &Labels| labels.without("__name__");
        let places = native.series().iter().enumerate();
        let places: BTreeMap<Labels, usize> = places.map(|(place, one)| (unnamed(one.labels()), place)).collect();
        let twins = assembled.iter().map(|one| places.get(&unnamed(&one.labels)).copied()).collect();
        Self { classic, assembled, native, twins }
    }

    /// The counters of `form`.
    pub(super) fn counters(&self, form: Form) -> &Counters<'a> {
        match form {
            Form::Classic => &self.classic,
            Form::Native => &self.native,
        }
    }

    /// The series that are read, by labels, those of each form by themselves.
    pub(super) fn series(&self) -> Vec<Vec<&'a Series>> {
        vec![self.classic.series().to_vec(), self.native.series().to_vec()]
    }

    /// The native histograms.
    pub(super) fn histograms(&self) -> &'a [Histograms] {
        &self.native.answer().native
    }

    /// What there is within reach of `window`.
    pub(super) fn shown(&self, window: Window) -> Shown {
        let reach = counter::padded(window);
        let is_classic = |one: &Histogram| one.series().any(|series| counter::is_seen(series, reach));
        let mut natives: Vec<bool> =
            self.native.series().iter().map(|series| counter::is_seen(series, reach)).collect();
        let (mut both, mut classic_alone) = (false, false);
        for twin in self.assembled.iter().zip(&self.twins).filter(|(one, _)| is_classic(one)).map(|(_, twin)| twin) {
            // Taken out, so that what is left has no classic twin.
            let is_both = twin.and_then(|place| natives.get_mut(place)).is_some_and(std::mem::take);
            both |= is_both;
            classic_alone |= !is_both;
        }
        match (classic_alone, natives.contains(&true)) {
            (true, true) => Shown::Mixed,
            (true, false) => Shown::All(Form::Classic),
            (false, true) => Shown::All(Form::Native),
            (false, false) if both => Shown::Both,
            (false, false) => Shown::Nothing,
        }
    }
}

/// The form that shows everything of both cohorts, if one does.
pub(super) fn common(canary: Shown, baseline: Shown) -> Option<Form> {
    match (canary, baseline) {
        (Shown::Mixed, _) | (_, Shown::Mixed) => None,
        (Shown::All(one), Shown::All(other)) => (one == other).then_some(one),
        (Shown::All(form), Shown::Both | Shown::Nothing) | (Shown::Both | Shown::Nothing, Shown::All(form)) => {
            Some(form)
        }
        (Shown::Both, _) | (_, Shown::Both) => Some(Form::Native),
        (Shown::Nothing, Shown::Nothing) => Some(Form::Classic),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_is_read_of_both_cohorts_and_native_before_classic() {
        let (classic, native) = (Shown::All(Form::Classic), Shown::All(Form::Native));
        for (canary, baseline, expect) in [
            (classic, classic, Some(Form::Classic)),
            (native, native, Some(Form::Native)),
            (native, classic, None),
            (Shown::Both, Shown::Both, Some(Form::Native)),
            (Shown::Both, classic, Some(Form::Classic)),
            (Shown::Both, native, Some(Form::Native)),
            (Shown::Mixed, Shown::Both, None),
            (Shown::Mixed, Shown::Nothing, None),
            (Shown::Nothing, classic, Some(Form::Classic)),
            (Shown::Nothing, native, Some(Form::Native)),
            (Shown::Nothing, Shown::Both, Some(Form::Native)),
            (Shown::Nothing, Shown::Nothing, Some(Form::Classic)),
        ] {
            assert_eq!(common(canary, baseline), expect, "{canary:?} {baseline:?}");
            assert_eq!(common(baseline, canary), expect, "{baseline:?} {canary:?}");
        }
    }
}
