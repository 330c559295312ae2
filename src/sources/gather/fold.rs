//! Both cohorts of one check become evidence, window by window.
//!
//! Each window is folded by itself from samples that lie in it or at most
//! [`counter::STALENESS`] before, so its evidence is the same whichever run of
//! windows it was asked with.

use crate::series::CheckEvidence;
use crate::series::Fault;
use crate::series::Labels;
use crate::series::Notice;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::gauge;
use crate::series::histogram;
use crate::series::spread;
use crate::sources::gather::cohort::Cohort;
use crate::sources::gather::forms;
use crate::sources::gather::forms::Shown;
use crate::sources::gather::past::shortened;
use crate::sources::gather::plan::Plan;
use crate::sources::gather::question::Answers;
use crate::sources::gather::question::Question;
use crate::sources::gather::reading::Reading;
use std::collections::BTreeSet;

/// Remarks that are kept for one interval of one check: they repeat themselves.
const MAX_REMARKS: usize = 5;

/// What was answered about one check over a run of windows.
#[derive(Debug)]
pub(super) struct Material<'a> {
    plan: &'a Plan<'a>,
    canary: Cohort<'a>,
    baseline: Option<Cohort<'a>>,
    began: Timestamp,
    /// Series that answered for both cohorts, by labels.
    overlap: Vec<&'a Series>,
    /// Whether some of the baseline's series have no labels that would show it.
    blurred: bool,
    remarks: BTreeSet<Notice>,
}

impl<'a> Material<'a> {
    /// What `answers`, to the questions about the canary and to those about the baseline,
    /// say of `plan` over `run`, of a wave that began at `began`.
    pub(super) fn new(plan: &'a Plan<'a>, run: &[Window], began: Timestamp, answers: [&'a Answers; 2]) -> Self {
        let of = |asked, answers| Cohort::new(asked, plan.instance, run, began, answers);
        let canary = of(&plan.canary, answers[0]);
        let baseline = plan.baseline.as_ref().map(|asked| of(asked, answers[1]));
        let overlap = baseline.as_ref().map_or_else(Vec::new, |baseline| overlap(&canary, baseline, plan.instance));
        let blurred = baseline.as_ref().is_some_and(|baseline| is_blurred(baseline, plan.instance));
        let all = canary.answers().into_iter().chain(baseline.iter().flat_map(Cohort::answers));
        let remarks = all.flat_map(|answer| &answer.remarks).map(|text| Notice::Remark { message: shortened(text) });
        let remarks = remarks.collect();
        Self { plan, canary, baseline, began, overlap, blurred, remarks }
    }

    /// What must be asked besides, now that the samples are known.
    pub(super) fn questions(&self) -> [Vec<Question>; 2] {
        [Some(&self.canary), self.baseline.as_ref()].map(|cohort| cohort.map_or_else(Vec::new, Cohort::questions))
    }

    /// This with the answers to [`Material::questions`].
    pub(super) fn learn(mut self, answers: [&'a Answers; 2]) -> Self {
        self.canary.learn(answers[0]);
        if let Some(baseline) = &mut self.baseline {
            baseline.learn(answers[1]);
        }
        self
    }

    /// The evidence of `window`, in which a healthy series has `expected` raw samples.
    pub(super) fn evidence(&self, window: Window, expected: u32) -> CheckEvidence {
        let shown = self.baseline.as_ref().map_or(Shown::Nothing, |cohort| cohort.shown(window));
        let form = forms::common(self.canary.shown(window), shown);
        let [of_canary, of_baseline] = self.plan.apart;
        let instance = self.plan.instance;
        let mut canary = self.canary.read(window, expected, instance, of_canary, form);
        let baseline = self.baseline.as_ref();
        let mut baseline = baseline.map(|cohort| cohort.read(window, expected, instance, of_baseline, form));
        let mut notices: BTreeSet<Notice> = self.remarks.iter().take(MAX_REMARKS).cloned().collect();
        if align(&mut canary, baseline.as_mut()) {
            notices.insert(Notice::BoundsDiffer);
        }
        let mut faults: BTreeSet<Fault> = self.overlapping(window).into_iter().collect();
        let (mut gaps, mut starts) = (BTreeSet::new(), BTreeSet::new());
        for reading in [Some(&mut canary), baseline.as_mut()].into_iter().flatten() {
            faults.append(&mut reading.faults);
            notices.append(&mut reading.notices);
            gaps.append(&mut reading.gaps);
            starts.append(&mut reading.starts);
        }
        if !self.plan.ago.is_zero() && baseline.is_some() {
            let ago_ms = u64::try_from(self.plan.ago.as_millis()).unwrap_or(u64::MAX);
            notices.insert(Notice::BaselineIsHistory { ago_ms });
        }
        notices.extend(count(&gaps).map(|series| Notice::GapNotBridged { series }));
        notices.extend(count(&starts).map(|series| Notice::StartsAtFirstSample { series }));
        CheckEvidence {
            canary: canary.observed,
            baseline: baseline.map(|reading| reading.observed),
            faults: faults.into_iter().collect(),
            notices: notices.into_iter().collect(),
        }
    }

    /// What is in both cohorts. What the canary's instances were before the wave is
    /// history, and a baseline; what they were in the course of it is not, and where
    /// neither labels nor matchers show that it is left out, it may be in.
    fn overlapping(&self, window: Window) -> Option<Fault> {
        if !self.plan.ago.is_zero() && window.to - self.plan.ago <= self.began {
            return None;
        }
        let shared = || self.overlap.iter().find(|series| counter::is_seen(series, window));
        let hidden = || self.plan.touching.clone().filter(|_| self.blurred && !self.plan.ago.is_zero());
        let known = self.plan.same.clone().or_else(|| shared().map(|series| series.labels().to_string()));
        let series = known.or_else(hidden)?;
        Some(Fault::CohortsOverlap { series: shortened(&series) })
    }
}

/// How many `series` there are, where there are any.
fn count(series: &BTreeSet<&Labels>) -> Option<u32> {
    u32::try_from(series.len()).ok().filter(|count| *count > 0)
}

/// Puts the histograms of both cohorts on the same bounds; whether any differed.
fn align(canary: &mut Reading<'_>, mut baseline: Option<&mut Reading<'_>>) -> bool {
    let mine = (std::mem::take(&mut canary.cumulative), canary.spread.take());
    let others = baseline.as_mut().map(|one| (std::mem::take(&mut one.cumulative), one.spread.take()));
    let others = others.unwrap_or_default();
    // Of one form, or of one cohort alone.
    let (mine, others, differ) = if mine.1.is_some() || others.1.is_some() {
        spread::align(mine.1.as_ref(), others.1.as_ref())
    } else {
        let (mine, others, differ) = histogram::align(mine.0, others.0);
        (mine.buckets(), others.buckets(), differ)
    };
    canary.set_buckets(mine);
    if let Some(reading) = baseline {
        reading.set_buckets(others);
    }
    differ
}

/// The series that answered for both cohorts, by labels.
///
/// Labels tell a series only where it is one: what a function or an aggregation
/// gives out may have the same labels for both cohorts, or none, and be of
/// different series. It counts where it has a metric name or tells an instance.
fn overlap<'a>(canary: &Cohort<'a>, baseline: &Cohort<'a>, instance: &[String]) -> Vec<&'a Series> {
    let pairs = canary.series().into_iter().zip(baseline.series());
    let mut shared: Vec<&Series> = pairs.flat_map(|(mine, others)| in_both(mine, &others)).collect();
    shared.retain(|series| is_one(canary, series, instance));
    shared.sort_by(|a, b| a.labels().cmp(b.labels()));
    shared
}

fn is_one(cohort: &Cohort<'_>, series: &Series, instance: &[String]) -> bool {
    cohort.is_raw() || series.labels().get("__name__").is_some() || gauge::is_named(series.labels(), instance)
}

/// Whether `cohort` has series that are made of others.
fn is_blurred(cohort: &Cohort<'_>, instance: &[String]) -> bool {
    cohort.series().into_iter().flatten().any(|series| !is_one(cohort, series, instance))
}

fn in_both<'a>(mine: Vec<&'a Series>, others: &[&Series]) -> Vec<&'a Series> {
    let is_other = |series: &&Series| others.binary_search_by(|other| other.labels().cmp(series.labels())).is_ok();
    mine.into_iter().filter(is_other).collect()
}
