//! Slices of a service from raw samples, a run of them for each question.

use crate::rules::Indicator;
use crate::rules::Slo;
use crate::series::Counts;
use crate::series::Fault;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::Timestamp;
use crate::series::Window;
use crate::sources::Error;
use crate::sources::Source;
use crate::sources::gather::above;
use crate::sources::gather::cohort::Cohort;
use crate::sources::gather::forms;
use crate::sources::gather::forms::Shown;
use crate::sources::gather::instances::Apart;
use crate::sources::gather::past;
use crate::sources::gather::plan::Asked;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use crate::sources::gather::reading::Reading;
use std::collections::BTreeSet;
use std::time::Duration;

/// A service has no beginning: whatever is born in it is asked about.
const NO_BEGINNING: Timestamp = Timestamp::from_millis(i64::MIN);

/// What is said where more bad events than events were counted.
pub(super) const BAD_ABOVE_TOTAL: &str = "more bad events than events were counted; all were taken for bad";

/// Some runs that were asked for at once.
pub(super) struct Round {
    /// In the order of the question.
    pub(super) runs: Vec<Run>,
    /// Samples of all answers.
    pub(super) samples: u64,
    /// Samples of the largest answer.
    pub(super) largest: usize,
}

impl Round {
    /// Adds the samples of `answers`.
    pub(super) fn count(&mut self, answers: &Answers) {
        self.samples = self.samples.saturating_add(answers.samples());
        self.largest = self.largest.max(answers.largest());
    }
}

/// One run of slices.
#[derive(Default)]
pub(super) struct Run {
    pub(super) slices: Vec<Option<Counts>>,
    /// Whether an answer lacks data: then no slice is known.
    pub(super) is_partial: bool,
    pub(super) remarks: BTreeSet<String>,
    /// A slice whose histograms have no bucket of the threshold.
    pub(super) lacking: Option<Window>,
}

/// The slices of `runs`, from raw samples.
pub(super) async fn counted(
    source: &dyn Source,
    slo: &Slo,
    asked: &Asked,
    runs: &[Vec<Window>],
) -> Result<Round, Error> {
    let questions = runs.iter().flat_map(|run| asked.questions(run));
    let answers = Answers::to(questions, Some(source), Duration::ZERO).await?;
    let mut cohorts: Vec<Cohort<'_>> =
        runs.iter().map(|run| Cohort::new(asked, &[], run, NO_BEGINNING, &answers)).collect();
    let exists: Vec<Option<Existence>> = runs
        .iter()
        .zip(&cohorts)
        .map(|(run, cohort)| Existence::of(&slo.indicator, run.iter().rfind(|window| cohort.lacks_part(**window))))
        .collect();
    let besides = exists.iter().flatten().filter_map(|one| one.question.clone());
    let more: Vec<Question> = cohorts.iter().flat_map(Cohort::questions).chain(besides).collect();
    let more = Answers::to(more, Some(source), Duration::ZERO).await?;
    for cohort in &mut cohorts {
        cohort.learn(&more);
    }
    let mut counted: Vec<Run> = runs.iter().zip(&cohorts).map(|(run, cohort)| Run::of(cohort, run)).collect();
    for (run, exists) in counted.iter_mut().zip(exists) {
        run.doubt(exists.as_ref(), &more);
    }
    let largest = answers.largest();
    Ok(Round { runs: counted, samples: answers.samples().saturating_add(more.samples()), largest })
}

/// The question whether a counter exists at all that has no series in a whole run.
pub(super) struct Existence {
    relaxed: String,
    /// Whether the counter is that of good events: without it everything would be bad.
    is_good: bool,
    at: Timestamp,
    pub(super) question: Option<Question>,
}

impl Existence {
    /// At the end of `window`, the last of a run that has events and no counter of a part of them.
    pub(super) fn of(indicator: &Indicator, window: Option<&Window>) -> Option<Self> {
        let (part, is_good) = match indicator {
            Indicator::Bad { bad, .. } => (bad, false),
            Indicator::Good { good, .. } => (good, true),
            Indicator::Latency { .. } | Indicator::Up { .. } => return None,
        };
        let window = window?;
        let relaxed = part.relaxed();
        let question = past::existence(&relaxed, std::slice::from_ref(window));
        Some(Self { relaxed, is_good, at: window.to, question })
    }
}

impl Run {
    fn of(cohort: &Cohort<'_>, windows: &[Window]) -> Self {
        let mut run = Self::default();
        let answers = cohort.answers();
        run.remarks.extend(answers.iter().flat_map(|answer| &answer.remarks).map(|text| past::shortened(text)));
        if let Some(message) = answers.iter().find_map(|answer| answer.partial.as_deref()) {
            run.is_partial = true;
            run.remarks.extend(words(&past::partial(message)));
            run.slices = vec![None; windows.len()];
            return run;
        }
        run.slices =
            windows.iter().map(|window| run_slice(&mut run.remarks, &mut run.lacking, cohort, *window)).collect();
        run
    }

    /// Takes slices of `other` where there are none here.
    pub(super) fn fill(&mut self, other: Self) {
        self.is_partial |= other.is_partial;
        self.remarks.extend(other.remarks);
        self.slices.iter_mut().zip(other.slices).for_each(|(slice, another)| *slice = slice.or(another));
    }

    /// Forgets what rests on a counter that exists nowhere, and says so.
    pub(super) fn doubt(&mut self, exists: Option<&Existence>, answers: &Answers) {
        let Some(Existence { relaxed, is_good, at, question }) = exists else { return };
        let answer = answers.get(question.as_ref());
        if past::exists(answer, *at) || self.is_partial {
            return;
        }
        let unseen = Fault::BadNeverSeen { selector: relaxed.clone() };
        self.remarks.extend(words(&answer.partial.as_deref().map_or(unseen, past::partial)));
        if *is_good {
            self.slices.fill(None);
        }
    }
}

/// What `cohort` showed in `window`.
fn run_slice(
    remarks: &mut BTreeSet<String>,
    lacking: &mut Option<Window>,
    cohort: &Cohort<'_>,
    window: Window,
) -> Option<Counts> {
    let form = forms::common(cohort.shown(window), Shown::Nothing);
    let reading = cohort.count(window, 1, Apart::Whole, form);
    remarks.extend(reading.notices.iter().filter_map(remark));
    remarks.extend(reading.faults.iter().filter_map(words));
    if reading.faults.iter().any(|fault| matches!(fault, Fault::ThresholdNotABucket { .. })) {
        *lacking = Some(window);
    }
    counts(&reading)
}

/// Samples without an increment are known to be no event, unless something forbids it.
fn counts(reading: &Reading<'_>) -> Option<Counts> {
    if !reading.faults.is_empty() || reading.is_beyond || reading.observed.seen == 0 {
        return None;
    }
    let Measure::Counts { bad, total } = reading.observed.measure else { return Some(Counts::default()) };
    Some(Counts { bad, total })
}

/// A fault in words. That the threshold is no bucket is said once, with the bounds.
pub(super) fn words(fault: &Fault) -> Option<String> {
    match fault {
        Fault::BadNeverSeen { selector } => {
            Some(format!("bad_never_seen: the source has no series like {selector}; is the name right?"))
        }
        Fault::PartialAnswer { message } => Some(format!("partial_answer: {message}")),
        Fault::ThresholdNotABucket { bounds, .. } if bounds == above::NOT_KNOWN => None,
        Fault::ThresholdNotABucket { threshold, bounds } => {
            Some(format!("threshold_not_a_bucket: {threshold} is not among its buckets, which are {bounds}"))
        }
        Fault::CohortsOverlap { .. } => None,
    }
}

/// A notice in words, where a reader of a month of slices should know of it. Gaps and
/// births show in the slices themselves.
fn remark(notice: &Notice) -> Option<String> {
    match notice {
        Notice::Remark { message } => Some(message.clone()),
        Notice::BadAboveTotal => Some(BAD_ABOVE_TOTAL.to_owned()),
        Notice::NativeAndClassic => Some(
            "native_and_classic: some histograms are native and others classic, and neither form is all".to_owned(),
        ),
        Notice::StartsAtFirstSample { .. }
        | Notice::GapNotBridged { .. }
        | Notice::BoundsDiffer
        | Notice::NoInstanceLabel
        | Notice::TooManyInstances { .. }
        | Notice::InstanceNameTooLong { .. }
        | Notice::BaselineIsHistory { .. } => None,
    }
}

/// As far as a duration can be multiplied.
pub(super) fn short(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}
