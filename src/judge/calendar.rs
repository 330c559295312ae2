//! When a gate may pass at all, which no evidence changes.
//!
//! A closed window delays a PASS and nothing else: looks go on, a FAIL is a FAIL, and the
//! first look after it may pass.

use crate::judge::Expected;
use crate::judge::Outcome;
use crate::judge::Timing;
use crate::rules::Closed;
use crate::series::Timestamp;

/// What keeps a gate from passing at one moment.
pub(super) type Calendar<'a> = &'a dyn Fn(Timestamp) -> Option<Closed>;

/// A PASS that is foreseen for a time that is closed comes with the first look after that;
/// `None` where no look is left then.
pub(super) fn once_open(calendar: Calendar<'_>, timing: &Timing, coming: Expected) -> Option<Expected> {
    if coming.outcome != Outcome::Pass || calendar(coming.at).is_none() {
        return Some(coming);
    }
    let mut from = coming.at;
    for at in timing.planned_looks().into_iter().map(|index| timing.window(index).to) {
        if at < from {
            continue;
        }
        match calendar(at) {
            None => return Some(Expected { at, ..coming }),
            Some(closed) => from = closed.until?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::Judgement;
    use crate::judge::Ruling;
    use crate::judge::State;
    use crate::judge::judge_by;
    use crate::rules;
    use crate::rules::OnDeadline;
    use crate::rules::RuleFile;
    use crate::series::CheckEvidence;
    use crate::series::IntervalEvidence;
    use crate::series::Labels;
    use crate::series::Measure;
    use crate::series::Observed;
    use std::time::Duration;

    const START: Timestamp = Timestamp::from_millis(1_795_341_600_000);

    fn minute(minutes: u64) -> Timestamp {
        START + Duration::from_mins(minutes)
    }

    fn rules(on_deadline: OnDeadline) -> RuleFile {
        let text = "version: 1\nname: gate\nschedule: { interval: 1m, warmup: 2m, min_duration: 5m, deadline: 30m }\n\
                    checks:\n  - name: restarts\n    threshold: restarts\n    max: 0\n    breach: 1 of 1\n";
        let mut rules = rules::parse("gate.yaml", text).unwrap().rules;
        rules.schedule.on_deadline = on_deadline;
        rules
    }

    /// What each look says of a canary that is at `value` of the minute.
    fn looks(rules: &RuleFile, calendar: Calendar<'_>, value: impl Fn(u32) -> f64) -> Vec<Judgement> {
        let timing = Timing::of(rules, START, None, None);
        let mut state = State::new(rules, timing);
        let seen = |measure| Observed { measure, instances: Vec::new(), seen: 1, expected: 1, nan: 0, infinite: 0 };
        let mut judged = Vec::new();
        for index in 1..=timing.last() {
            let canary = seen(Measure::Worst { value: value(index), series: Labels::default() });
            let baseline = Some(seen(Measure::Worst { value: 0.0, series: Labels::default() }));
            let check = CheckEvidence { canary, baseline, faults: Vec::new(), notices: Vec::new() };
            let interval = IntervalEvidence { window: timing.window(index), checks: vec![check], budget: None };
            let (next, judgement) = judge_by(calendar, rules, &state, &[interval], timing.window(index).to);
            state = next;
            judged.push(judgement);
            if judged.last().is_some_and(|last| last.ruling != Ruling::GoOn) {
                break;
            }
        }
        judged
    }

    /// Closed from minute `from` to minute `to`.
    fn closed(from: u64, to: u64) -> impl Fn(Timestamp) -> Option<Closed> {
        move |at| {
            let is_in = minute(from) <= at && at < minute(to);
            is_in.then(|| Closed { by: "Fri".to_owned(), until: Some(minute(to)) })
        }
    }

    fn codes(judgement: &Judgement) -> Vec<&'static str> {
        judgement.reasons.iter().map(|reason| reason.cause.code()).collect()
    }

    #[test]
    fn a_closed_window_delays_a_pass_until_it_opens_and_is_healthy() {
        let judged = looks(&rules(OnDeadline::Fail), &closed(0, 20), |_| 0.0);
        let last = judged.last().unwrap();
        assert_eq!((last.ruling, last.at), (Ruling::Pass, minute(20)));
        let waiting = &judged[judged.len() - 2];
        assert_eq!((waiting.ruling, waiting.healthy), (Ruling::GoOn, true));
        assert_eq!(codes(waiting), ["window_closed", "all_checks_passed"]);
        let first = &judged[0];
        assert_eq!(codes(first), ["warming_up", "window_closed"]);
        let at_once = looks(&rules(OnDeadline::Fail), &|_| None, |_| 0.0);
        assert!(at_once.len() < judged.len());
    }

    #[test]
    fn a_fail_is_a_fail_whatever_the_calendar() {
        let judged = looks(&rules(OnDeadline::Pause), &closed(0, 60), |index| if index < 8 { 0.0 } else { 9.0 });
        let last = judged.last().unwrap();
        assert_eq!(last.ruling, Ruling::Fail);
        assert_eq!(codes(last), ["threshold_breached"]);
    }

    #[test]
    fn a_wave_is_not_failed_for_the_calendar() {
        for on_deadline in [OnDeadline::Fail, OnDeadline::Pause] {
            let judged = looks(&rules(on_deadline), &closed(0, 60), |_| 0.0);
            let last = judged.last().unwrap();
            assert_eq!((last.ruling, last.at), (Ruling::Hold, minute(30)));
            assert_eq!(codes(last), ["deadline_reached", "window_closed", "all_checks_passed"]);
        }
    }

    #[test]
    fn a_wave_is_not_failed_where_the_downtime_leaves_no_look() {
        let mut down = RuleFile { downtime: Duration::from_secs(29 * 60 + 30), ..rules(OnDeadline::Fail) };
        down.schedule.min_duration = Duration::from_mins(30);
        let judged = looks(&down, &|_| None, |_| 0.0);
        let last = judged.last().unwrap();
        assert_eq!((last.ruling, last.looks, last.at), (Ruling::Hold, 0, minute(30)));
        assert_eq!(codes(last)[0], "deadline_reached");
    }

    #[test]
    fn what_is_foreseen_waits_for_the_window() {
        let judged = looks(&rules(OnDeadline::Fail), &closed(0, 20), |_| 0.0);
        let waiting = &judged[judged.len() - 2];
        assert_eq!(waiting.expected, Some(Expected { outcome: Outcome::Pass, at: minute(20) }));
        let never = looks(&rules(OnDeadline::Fail), &closed(0, 60), |_| 0.0);
        assert!(never.iter().all(|judgement| judgement.expected.is_none()), "{never:?}");
        // Two windows that touch, and one that has no end.
        let timing = Timing::of(&rules(OnDeadline::Fail), START, None, None);
        let coming = Expected { outcome: Outcome::Pass, at: minute(10) };
        let touching = |at| closed(0, 12)(at).or_else(|| closed(12, 15)(at));
        assert_eq!(once_open(&touching, &timing, coming), Some(Expected { at: minute(15), ..coming }));
        let endless = |_| Some(Closed { by: "x".to_owned(), until: None });
        assert_eq!(once_open(&endless, &timing, coming), None);
        let fail = Expected { outcome: Outcome::Fail, ..coming };
        assert_eq!(once_open(&endless, &timing, fail), Some(fail));
    }

    #[test]
    fn planned_downtime_is_left_out_as_the_warm_up_is() {
        let mut down = RuleFile { downtime: Duration::from_mins(12), ..rules(OnDeadline::Pause) };
        down.schedule.min_duration = Duration::from_mins(15);
        // Everything is broken while it is down.
        let judged = looks(&down, &|_| None, |index| if index <= 12 { 99.0 } else { 0.0 });
        assert_eq!(judged.last().unwrap().ruling, Ruling::Pass);
        let until = minute(12);
        for judgement in &judged[..12] {
            assert_eq!((judgement.looks, judgement.healthy), (0, true));
            assert_eq!(judgement.reasons[0].cause, crate::judge::Cause::PlannedDowntime { until });
        }
        let short = RuleFile { downtime: Duration::from_mins(1), ..rules(OnDeadline::Pause) };
        assert_eq!(codes(&looks(&short, &|_| None, |_| 0.0)[0]), ["warming_up"]);
    }
}
