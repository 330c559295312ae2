//! What each instance of a cohort showed, for the checks that ask for it.
//!
//! A ratio looks for one bad instance among the canary's that has no like among the
//! baseline's (EP-6), and a gauge that is
//! judged by instance compares means of instances (P-1). Both follow an instance from
//! window to window by its name. So series without one are left out here, and one name
//! is one instance, whichever of the labels says it.
//!
//! An error budget that is compared stratum by stratum keeps strata apart in the same
//! place. There a series without the label is a stratum too: every event is in one.

use crate::series::InstanceEvidence;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::counter::Tally;
use crate::series::counter::Total;
use crate::series::gauge;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

/// Instances whose events are kept apart. A gate remembers some hundred numbers of
/// each, and every interval is stored with them: with more than this, one bad instance
/// is a small part of a wave, and the price would be paid by every gate.
const MAX_COUNTED: usize = 64;

/// Instances of one cohort whose values are kept apart: of each only sums are remembered.
const MAX_VALUED: usize = 1000;

/// The longest name in bytes: the names of pods and of hosts are at most 253.
const MAX_NAME_BYTES: usize = 256;

/// What is said where the good events are more than all, as no count should be.
const GOOD_ABOVE_TOTAL: &str = "more good events than events were counted; none was taken for bad";

/// What is kept apart within a cohort.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Apart<'a> {
    /// Nothing.
    Whole,
    /// Instances: the first of the labels that a series has is its name.
    Instances(&'a [String]),
    /// Strata: all of the labels are its name.
    Strata(&'a [String]),
}

impl<'a> Apart<'a> {
    /// The name of what `series` belongs to; `None` where it is not kept apart.
    fn name(self, series: &'a Labels) -> Option<Cow<'a, str>> {
        match self {
            Self::Whole | Self::Strata([]) => None,
            Self::Instances(labels) => gauge::instance(series, labels).map(|(_, name)| Cow::Borrowed(name)),
            Self::Strata([label]) => Some(Cow::Borrowed(series.get(label).unwrap_or_default())),
            Self::Strata(labels) => {
                let pair = |label: &String| format!("{label}={:?}", series.get(label).unwrap_or_default());
                Some(Cow::Owned(labels.iter().map(pair).collect::<Vec<_>>().join(",")))
            }
        }
    }
}

/// What the counters of one selector counted, all of them and by name.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    /// All of them.
    pub(super) all: Total,
    apart: Apart<'a>,
    named: BTreeMap<Cow<'a, str>, Total>,
}

impl<'a> Counted<'a> {
    /// No counter yet, of which `apart` will be kept apart.
    pub(super) fn by(apart: Apart<'a>) -> Self {
        Self { all: Total::default(), apart, named: BTreeMap::new() }
    }

    /// This and what one more series counted, in the order of labels.
    pub(super) fn add(&mut self, series: &'a Labels, tally: &Tally) {
        self.all.add(tally);
        if let Some(name) = self.apart.name(series) {
            self.named.entry(name).or_default().add(tally);
        }
    }

    /// As [`Counted::add`], where so many `events` were counted, whatever `tally` says.
    pub(super) fn add_events(&mut self, series: &'a Labels, tally: &Tally, events: Option<f64>) {
        let named = self.apart.name(series).map(|name| self.named.entry(name).or_default());
        for total in std::iter::once(&mut self.all).chain(named) {
            total.look(tally);
            total.increase = events.map(|events| total.increase.unwrap_or(0.0) + events).or(total.increase);
        }
    }
}

/// Which part of all events a counter counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// The bad ones.
    Bad,
    /// The good ones: the others are bad.
    Good,
}

/// The events of each name that has any sample of `total`; in the order of names.
pub(super) fn counts(
    part: &Counted<'_>,
    total: &Counted<'_>,
    is: Part,
    notices: &mut BTreeSet<Notice>,
) -> Vec<InstanceEvidence> {
    let here: BTreeMap<&str, &Total> =
        total.named.iter().filter(|(_, total)| total.seen > 0).map(|(name, total)| (&**name, total)).collect();
    if !is_within(here.keys().copied(), MAX_COUNTED, notices) {
        return Vec::new();
    }
    let nothing = Total::default();
    let one = |(name, total): (&str, &Total)| {
        let measure = events(part.named.get(name).unwrap_or(&nothing), total, is, notices)?;
        Some(InstanceEvidence { name: name.to_owned(), measure })
    };
    here.into_iter().filter_map(one).collect()
}

/// Bad events of all events, of which `part` is one part; `None` where these are unknown.
pub(super) fn events(part: &Total, total: &Total, is: Part, notices: &mut BTreeSet<Notice>) -> Option<Measure> {
    let all = total.increase.filter(|all| all.is_finite())?;
    let of_them = part.increase.unwrap_or(0.0);
    if of_them > all {
        notices.insert(match is {
            Part::Bad => Notice::BadAboveTotal,
            Part::Good => Notice::Remark { message: GOOD_ABOVE_TOTAL.to_owned() },
        });
    }
    let of_them = of_them.min(all);
    Some(Measure::Counts { bad: if is == Part::Bad { of_them } else { all - of_them }, total: all })
}

/// The value of each instance, `values` of one instance added up; in the order of names.
pub(super) fn values<'a>(
    values: &[(&'a Labels, f64)],
    apart: Apart<'a>,
    notices: &mut BTreeSet<Notice>,
) -> Vec<InstanceEvidence> {
    let mut sums: BTreeMap<Cow<'a, str>, f64> = BTreeMap::new();
    for (series, value) in values {
        if let Some(name) = apart.name(series) {
            *sums.entry(name).or_default() += value;
        }
    }
    if !is_within(sums.keys().map(|name| &**name), MAX_VALUED, notices) {
        return Vec::new();
    }
    let finite = sums.into_iter().filter(|(_, value)| value.is_finite());
    finite.map(|(name, value)| InstanceEvidence { name: name.into_owned(), measure: Measure::Value(value) }).collect()
}

/// Whether all of `names` are kept. Some of them would be a choice that nobody made.
fn is_within<'a>(names: impl ExactSizeIterator<Item = &'a str>, most: usize, notices: &mut BTreeSet<Notice>) -> bool {
    let short = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
    let instances = names.len();
    let longest = names.map(str::len).max().unwrap_or(0);
    if instances > most {
        notices.insert(Notice::TooManyInstances { instances: short(instances) });
    }
    if longest > MAX_NAME_BYTES {
        notices.insert(Notice::InstanceNameTooLong { bytes: short(longest) });
    }
    instances <= most && longest <= MAX_NAME_BYTES
}
