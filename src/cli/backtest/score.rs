//! What all trials come to.

use crate::cli::backtest::trial::Trial;
use crate::engine::End;
use crate::engine::Story;
use crate::wire::Label;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often what happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ends {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) held_by_check: usize,
    pub(super) held_at_deadline: usize,
    pub(super) undecided: usize,
}

/// The score of one rule file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Score {
    /// Of good waves: those that failed are false fails, those held by a check false holds.
    pub(super) good: Ends,
    /// Of bad waves: those that passed are misses.
    pub(super) bad: Ends,
    /// Waves that passed while a counted check never had evidence.
    pub(super) blind_passes: usize,
    /// From the start to the first check that stopped a bad wave, in increasing order.
    pub(super) to_detect: Vec<Duration>,
    /// From the start to the pass of a good one, in increasing order.
    pub(super) to_pass: Vec<Duration>,
    /// By name, in the order in which the rules have them.
    pub(super) checks: Vec<(String, CheckScore)>,
}

/// The score of one check.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct CheckScore {
    /// Good waves on which it failed.
    pub(super) false_fails: usize,
    /// Bad waves on which it failed.
    pub(super) detections: usize,
    /// Bad waves on which it was among the first to fail.
    pub(super) first: usize,
    /// From the start until it failed on a bad wave, in increasing order.
    pub(super) to_detect: Vec<Duration>,
}

impl Ends {
    fn count(&mut self, end: End) {
        let which = match end {
            End::Passed => &mut self.passed,
            End::Failed => &mut self.failed,
            End::HeldByCheck => &mut self.held_by_check,
            End::HeldAtDeadline => &mut self.held_at_deadline,
            End::Undecided => &mut self.undecided,
        };
        *which += 1;
    }

    pub(super) fn all(&self) -> usize {
        self.passed + self.failed + self.held_by_check + self.held_at_deadline + self.undecided
    }
}

impl Score {
    /// The score of `stories` with what people say of each.
    pub(super) fn of<'s>(stories: impl Iterator<Item = (Label, &'s Story)>) -> Self {
        let mut score = Self::default();
        let mut places: BTreeMap<String, usize> = BTreeMap::new();
        for (label, story) in stories {
            score.blind_passes += usize::from(!story.blind.is_empty());
            match label {
                Label::Good => {
                    score.good.count(story.end);
                    score.to_pass.extend(story.passed_after);
                }
                Label::Bad => {
                    score.bad.count(story.end);
                    score.to_detect.extend(story.stopped_after);
                }
            }
            for check in &story.checks {
                let place = *places.entry(check.name.clone()).or_insert_with(|| {
                    score.checks.push((check.name.clone(), CheckScore::default()));
                    score.checks.len() - 1
                });
                let Some(after) = check.failed_after else { continue };
                let Some((_, own)) = score.checks.get_mut(place) else { continue };
                match label {
                    Label::Good => own.false_fails += 1,
                    Label::Bad => {
                        own.detections += 1;
                        own.first += usize::from(story.stopped_by.contains(&check.name));
                        own.to_detect.push(after);
                    }
                }
            }
        }
        score.to_detect.sort_unstable();
        score.to_pass.sort_unstable();
        for (_, check) in &mut score.checks {
            check.to_detect.sort_unstable();
        }
        score
    }

    /// A good wave that was stopped by a check, a bad one that passed, or a pass of who did not look.
    pub(super) fn has_findings(&self) -> bool {
        0 < self.good.failed + self.good.held_by_check + self.bad.passed + self.blind_passes
    }
}

/// The trials whose end changed, and whether for the worse; the worse ones first.
pub(super) fn changed(trials: &[Trial]) -> Vec<(&Trial, bool)> {
    let mut all: Vec<(&Trial, bool)> = Vec::new();
    for trial in trials {
        let Some(before) = trial.against.as_ref().filter(|before| before.end != trial.story.end) else { continue };
        all.push((trial, badness(trial.label, before.end) < badness(trial.label, trial.story.end)));
    }
    all.sort_by_key(|(_, is_worse)| !is_worse);
    all
}

/// How far an end is from what it should be: a bad wave is stopped by whoever stops it.
fn badness(label: Label, end: End) -> u8 {
    match (label, end) {
        (Label::Good, End::Passed) | (Label::Bad, End::Failed | End::HeldByCheck) => 0,
        (_, End::HeldAtDeadline | End::Undecided) => 1,
        (Label::Good, End::HeldByCheck) => 2,
        (Label::Good, End::Failed) | (Label::Bad, End::Passed) => 3,
    }
}

/// The value that `share` of `sorted` do not exceed (nearest rank); `None` of none.
pub(super) fn rank(sorted: &[Duration], share: (usize, usize)) -> Option<Duration> {
    let (part, whole) = share;
    let place = (sorted.len() * part).div_ceil(whole).max(1);
    sorted.get(place - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::CheckStory;
    use crate::judge::Outcome;

    fn minutes(count: u64) -> Duration {
        Duration::from_mins(count)
    }

    fn story(end: End, failed: &[(&str, Option<u64>)]) -> Story {
        let check = |(name, after): &(&str, Option<u64>)| CheckStory {
            name: (*name).to_owned(),
            counts: true,
            failed_after: after.map(minutes),
            outcome: Outcome::Inconclusive,
        };
        let stopped_after = failed.iter().filter_map(|(_, after)| after.map(minutes)).min();
        let first = failed.iter().filter(|(_, after)| after.is_some() && after.map(minutes) == stopped_after);
        Story {
            end,
            passed_after: (end == End::Passed).then(|| minutes(10)),
            stopped_after,
            stopped_by: first.map(|(name, _)| (*name).to_owned()).collect(),
            blind: Vec::new(),
            checks: failed.iter().map(check).collect(),
        }
    }

    #[test]
    fn a_median_is_a_value_that_was_there() {
        let all: Vec<Duration> = (1..=10).map(minutes).collect();
        for (upto, share, expect) in [
            (0, (1, 2), None),
            (1, (1, 2), Some(1)),
            (4, (1, 2), Some(2)),
            (10, (9, 10), Some(9)),
            (1, (9, 10), Some(1)),
        ] {
            assert_eq!(rank(&all[..upto], share), expect.map(minutes), "{share:?} of {upto}");
        }
    }

    #[test]
    fn good_waves_that_stop_and_bad_ones_that_pass_are_findings() {
        for (label, end, is_finding) in [
            (Label::Good, End::Passed, false),
            (Label::Good, End::Failed, true),
            (Label::Good, End::HeldByCheck, true),
            (Label::Good, End::HeldAtDeadline, false),
            (Label::Good, End::Undecided, false),
            (Label::Bad, End::Passed, true),
            (Label::Bad, End::Failed, false),
            (Label::Bad, End::HeldByCheck, false),
            (Label::Bad, End::HeldAtDeadline, false),
            (Label::Bad, End::Undecided, false),
        ] {
            let one = story(end, &[("errors", None)]);
            assert_eq!(Score::of([(label, &one)].into_iter()).has_findings(), is_finding, "{label:?} {end:?}");
        }
        let blind = Story { blind: vec!["errors".to_owned()], ..story(End::Passed, &[]) };
        assert!(Score::of([(Label::Good, &blind)].into_iter()).has_findings());
    }

    #[test]
    fn a_check_is_counted_where_it_failed_and_where_it_was_first() {
        let bad = story(End::Failed, &[("errors", Some(4)), ("cpu", Some(9))]);
        let good = story(End::HeldByCheck, &[("errors", None), ("cpu", Some(3))]);
        let score = Score::of([(Label::Bad, &bad), (Label::Good, &good)].into_iter());
        let errors = CheckScore { detections: 1, first: 1, to_detect: vec![minutes(4)], ..CheckScore::default() };
        let cpu = CheckScore { false_fails: 1, detections: 1, to_detect: vec![minutes(9)], ..CheckScore::default() };
        assert_eq!(score.checks, [("errors".to_owned(), errors), ("cpu".to_owned(), cpu)]);
        assert_eq!((score.to_detect, score.to_pass), (vec![minutes(4)], vec![]));
    }

    #[test]
    fn what_got_worse_stands_first() {
        let trial = |file: &str, label, now, before| Trial {
            file: file.to_owned(),
            label,
            story: story(now, &[]),
            against: Some(story(before, &[])),
        };
        let trials = [
            trial("same", Label::Bad, End::Failed, End::Failed),
            trial("found", Label::Bad, End::Failed, End::Passed),
            trial("as good", Label::Bad, End::HeldByCheck, End::Failed),
            trial("alarm", Label::Good, End::Failed, End::Passed),
            trial("slow", Label::Good, End::HeldAtDeadline, End::Passed),
        ];
        let found: Vec<(&str, bool)> = changed(&trials).iter().map(|(trial, worse)| (&*trial.file, *worse)).collect();
        assert_eq!(found, [("alarm", true), ("slow", true), ("found", false), ("as good", false)]);
    }
}
