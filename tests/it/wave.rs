//! The life of a gate: what each event makes of it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use proptest::prelude::*;
use std::time::Duration;
use wavegate::judge::Cause;
use wavegate::judge::Cohort;
use wavegate::judge::Judgement;
use wavegate::judge::Reason;
use wavegate::judge::Ruling;
use wavegate::judge::Timing;
use wavegate::rules::Digest;
use wavegate::rules::RulesName;
use wavegate::series::Timestamp;
use wavegate::wave;
use wavegate::wave::Asked;
use wavegate::wave::Effect;
use wavegate::wave::Event;
use wavegate::wave::EventKind;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Opening;
use wavegate::wave::Verdict;
use wavegate::wave::Wave;
use wavegate::wave::WaveId;

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn name() -> RulesName {
    RulesName::new("checkout").unwrap()
}

fn asked() -> Asked {
    Asked {
        rules: name(),
        digest: Digest::of(b"rules"),
        baseline: Some("base".to_owned()),
        run: None,
        start: Some(START),
        deadline: None,
    }
}

fn timing() -> Timing {
    Timing {
        start: START,
        interval: Duration::from_secs(15),
        scrape: Duration::from_secs(15),
        warm: START + Duration::from_secs(30),
        min_end: START + Duration::from_mins(1),
        deadline: START + Duration::from_secs(150),
    }
}

fn judged(index: u32, ruling: Ruling, healthy: bool) -> Event {
    judged_at_look(index, ruling, healthy)
}

/// A judgement of the interval `look`, or of the third where that is 0.
fn judged_at_look(look: u32, ruling: Ruling, healthy: bool) -> Event {
    let index = if look == 0 { 3 } else { look };
    let cause = match ruling {
        Ruling::GoOn => Cause::TooFewSamples { have: 1.0, need: 8.0 },
        Ruling::Pass => Cause::AllChecksPassed { checks: 1 },
        Ruling::Fail => Cause::NonFinite { cohort: Cohort::Canary, count: 1 },
        Ruling::Hold => Cause::DeadlineReached { deadline: timing().deadline },
    };
    Event::Judged(Box::new(Judgement {
        at: timing().window(index).to,
        looks: look,
        planned: 10,
        ruling,
        healthy,
        reasons: vec![Reason { check: None, cause }],
        checks: Vec::new(),
        expected: None,
    }))
}

fn decided(verdict: Verdict) -> Event {
    Event::Decided { verdict, by: "ada".to_owned(), why: "seen it".to_owned() }
}

fn silent() -> Event {
    Event::Silent { message: "refused".to_owned() }
}

/// The gate and everything that was announced after `events`.
fn live(events: Vec<Event>) -> (Gate, Vec<EventKind>) {
    let gate = wave::attempt(&asked(), 1, START);
    let mut wave = Wave { id: WaveId::new("eu-1").unwrap(), rollout: None, gates: vec![gate] };
    let mut announced = Vec::new();
    for (event, second) in std::iter::once(Event::Timed(timing())).chain(events).zip(1..) {
        let (next, effects) = wave::step(&wave, &name(), event, START + Duration::from_secs(second));
        announced.extend(effects.iter().filter_map(|effect| match effect {
            Effect::Announce(kind) => Some(*kind),
            Effect::Publish | Effect::Audit { .. } => None,
        }));
        wave = next;
    }
    (wave.gates[0].clone(), announced)
}

#[track_caller]
fn check(events: Vec<Event>, state: GateState, verdict: Verdict, announced: &[EventKind]) -> Gate {
    let (gate, kinds) = live(events);
    assert_eq!((gate.state, gate.verdict), (state, verdict));
    assert_eq!(kinds, announced);
    gate
}

#[test]
fn a_gate_warms_up_analyzes_and_passes() {
    let gate = check(Vec::new(), GateState::WarmingUp, Verdict::Pause, &[]);
    assert_eq!(gate.timing, Some(timing()));
    check(vec![judged(1, Ruling::GoOn, true)], GateState::WarmingUp, Verdict::Pause, &[]);
    check(vec![judged(3, Ruling::GoOn, true)], GateState::Analyzing, Verdict::Pause, &[]);
    let passed = vec![judged(3, Ruling::GoOn, true), judged(4, Ruling::Pass, true)];
    check(passed, GateState::Decided, Verdict::Pass, &[EventKind::Passed]);
}

#[test]
fn each_change_of_health_is_told_once() {
    let events = vec![silent(), silent(), silent(), judged(1, Ruling::GoOn, true), judged(2, Ruling::GoOn, true)];
    let gate = check(events, GateState::WarmingUp, Verdict::Pause, &[EventKind::Paused, EventKind::Resumed]);
    assert_eq!(gate.outage, None);
}

#[test]
fn an_outage_keeps_its_beginning_and_the_last_words() {
    let last = Event::Silent { message: "timed out".to_owned() };
    let (gate, _) = live(vec![silent(), last]);
    let outage = gate.outage.unwrap();
    assert_eq!((outage.since, outage.message.as_str()), (START + Duration::from_secs(2), "timed out"));
}

#[test]
fn a_held_gate_is_passed_by_a_person_alone_and_failed_by_a_look_too() {
    let held = || vec![judged(3, Ruling::Hold, true)];
    check(held(), GateState::Held, Verdict::Pause, &[EventKind::Paused]);
    let looked = [held(), vec![judged(4, Ruling::Pass, true)]].concat();
    check(looked, GateState::Held, Verdict::Pause, &[EventKind::Paused]);
    let failed = [held(), vec![judged(4, Ruling::Fail, true)]].concat();
    check(failed, GateState::Decided, Verdict::Fail, &[EventKind::Paused, EventKind::Failed]);
    let passed = [held(), vec![decided(Verdict::Pass)]].concat();
    let gate = check(passed, GateState::Decided, Verdict::Pass, &[EventKind::Paused, EventKind::Passed]);
    assert_eq!(gate.decision.unwrap().by, "ada");
}

#[test]
fn a_person_overrides_a_failure_but_passes_nothing_that_nobody_looked_at() {
    let failed = || vec![judged(3, Ruling::Fail, true)];
    let overridden = [failed(), vec![decided(Verdict::Pass)]].concat();
    check(overridden, GateState::Decided, Verdict::Pass, &[EventKind::Failed, EventKind::Passed]);
    check(vec![decided(Verdict::Pass)], GateState::WarmingUp, Verdict::Pause, &[]);
    check(vec![decided(Verdict::Fail)], GateState::Decided, Verdict::Fail, &[EventKind::Failed]);
}

#[test]
fn a_gate_with_looks_undone_is_held_at_the_end_whatever_the_rules_say() {
    // Two changes: it went blind, and then a person is asked.
    let told = [EventKind::Paused, EventKind::Paused];
    let gate = check(vec![silent(), Event::Expired], GateState::Held, Verdict::Pause, &told);
    let reasons = gate.judgement.unwrap().reasons;
    assert_eq!(reasons[0].cause.code(), "deadline_reached");
}

#[test]
fn a_gate_that_was_held_at_the_end_says_so_at_every_later_look() {
    let events = vec![judged(3, Ruling::GoOn, true), silent(), Event::Expired, judged(4, Ruling::GoOn, true)];
    let (gate, _) = live(events);
    assert_eq!(gate.state, GateState::Held);
    assert_eq!(gate.judgement.as_ref().unwrap().reasons[0].cause.code(), "deadline_reached");
    let mut restored = gate.clone();
    restored.judgement.as_mut().unwrap().reasons.remove(0);
    wave::restore(&mut restored, START);
    assert_eq!(restored, gate);
}

#[test]
fn a_person_is_asked_once_also_where_the_gate_was_not_healthy() {
    let events = vec![judged(3, Ruling::GoOn, false), judged(4, Ruling::Hold, false), judged(5, Ruling::Hold, true)];
    check(events, GateState::Held, Verdict::Pause, &[EventKind::Paused, EventKind::Paused]);
}

#[test]
fn a_gate_held_at_the_end_is_not_failed_by_the_deadline_that_held_it() {
    let last = |cause| {
        let Event::Judged(mut judgement) = judged(10, Ruling::Fail, true) else { unreachable!("a judgement") };
        judgement.reasons = vec![Reason { check: None, cause }];
        vec![silent(), Event::Expired, Event::Judged(judgement)]
    };
    let by_deadline = last(Cause::DeadlineReached { deadline: timing().deadline });
    check(by_deadline, GateState::Held, Verdict::Pause, &[EventKind::Paused, EventKind::Paused]);
    let by_a_check = last(Cause::NonFinite { cohort: Cohort::Canary, count: 1 });
    let told = [EventKind::Paused, EventKind::Paused, EventKind::Failed];
    check(by_a_check, GateState::Decided, Verdict::Fail, &told);
}

#[test]
fn what_expiry_said_is_said_again_after_a_restart() {
    let (gate, _) = live(vec![judged(3, Ruling::GoOn, true), silent(), Event::Expired]);
    let mut restored = gate.clone();
    restored.judgement.as_mut().unwrap().reasons.remove(0);
    wave::restore(&mut restored, START);
    assert_eq!(restored, gate);
}

#[test]
fn a_cancelled_gate_stays_cancelled() {
    let cancel = || Event::Cancelled { by: "ada".to_owned(), why: "wrong wave".to_owned() };
    let events =
        vec![cancel(), judged(1, Ruling::Pass, true), decided(Verdict::Pass), decided(Verdict::Fail), cancel()];
    check(events, GateState::Cancelled, Verdict::Pause, &[EventKind::Cancelled]);
}

#[test]
fn a_revision_is_made_for_a_planned_look_and_for_news_alone() {
    // Every look of these is the same planned one.
    let same_look = |healthy| judged_at_look(0, Ruling::GoOn, healthy);
    let revision = |events| live(events).0.revision;
    let first = revision(vec![same_look(true)]);
    assert_eq!(revision(vec![same_look(true), same_look(true)]), first);
    assert_eq!(revision(vec![same_look(true), same_look(false)]), first + 1);
    assert_eq!(revision(vec![same_look(true), judged(4, Ruling::GoOn, true)]), first + 1);
}

#[track_caller]
fn opens(current: &Gate, asked: &Asked, reopens: bool, expect: &str) {
    let found = match wave::open(Some(current), asked, reopens, START + Duration::from_hours(2)) {
        Opening::Same => "same".to_owned(),
        Opening::New { gate, cancelled } => format!("attempt {}, cancels {}", gate.attempt, cancelled.is_some()),
        Opening::Contradiction { field, .. } => format!("contradicts {field}"),
    };
    assert_eq!(found, expect);
}

#[test]
fn the_same_request_again_means_the_same_attempt() {
    let open = wave::attempt(&asked(), 1, START);
    let silent_about = Asked { baseline: None, start: None, ..asked() };
    opens(&open, &asked(), true, "same");
    opens(&open, &silent_about, true, "same");
    let done = Gate { state: GateState::Decided, verdict: Verdict::Pass, ..open };
    opens(&done, &asked(), false, "same");
    opens(&done, &asked(), true, "attempt 2, cancels false");
}

#[test]
fn a_run_says_outright_which_attempt_is_meant() {
    let run = |run: &str| Asked { run: Some(run.to_owned()), ..asked() };
    let open = wave::attempt(&run("a"), 1, START);
    opens(&open, &run("a"), true, "same");
    opens(&open, &run("b"), false, "attempt 2, cancels true");
    let done = Gate { state: GateState::Decided, verdict: Verdict::Fail, ..open };
    opens(&done, &run("a"), true, "same");
    opens(&done, &run("b"), false, "attempt 2, cancels false");
}

#[test]
fn a_contradiction_names_the_field() {
    let open = wave::attempt(&asked(), 1, START);
    opens(&open, &Asked { baseline: Some("other".to_owned()), ..asked() }, true, "contradicts baseline");
    opens(&open, &Asked { start: Some(START + Duration::from_secs(1)), ..asked() }, true, "contradicts start");
    opens(&open, &Asked { deadline: Some(START + Duration::from_hours(1)), ..asked() }, true, "contradicts deadline");
}

fn any_event() -> impl Strategy<Value = Event> {
    let ruling = prop::sample::select(vec![Ruling::GoOn, Ruling::Pass, Ruling::Fail, Ruling::Hold]);
    prop_oneof![
        (1..10_u32, ruling, any::<bool>()).prop_map(|(index, ruling, healthy)| judged(index, ruling, healthy)),
        Just(silent()),
        Just(Event::Expired),
        prop::sample::select(vec![Verdict::Pass, Verdict::Fail, Verdict::Pause]).prop_map(decided),
        Just(Event::Cancelled { by: "ada".to_owned(), why: String::new() }),
    ]
}

proptest! {
    #[test]
    fn a_final_gate_is_left_by_a_persons_word_alone(events in prop::collection::vec(any_event(), 1..30)) {
        let (before, _) = live(events[..events.len() - 1].to_vec());
        let (after, _) = live(events.clone());
        let by_person = matches!(events[events.len() - 1], Event::Decided { .. });
        if before.state.is_final() && !by_person {
            prop_assert_eq!(&before, &after);
        }
        prop_assert!(before.revision <= after.revision);
        if after.state != GateState::Decided {
            prop_assert_eq!(after.verdict, Verdict::Pause);
        }
    }

    #[test]
    fn nothing_passes_without_a_look_or_a_person(events in prop::collection::vec(any_event(), 0..30)) {
        let looked = events.iter().any(|event| matches!(event, Event::Judged(it) if it.ruling == Ruling::Pass));
        let said = events.iter().any(|event| matches!(event, Event::Decided { verdict: Verdict::Pass, .. }));
        let (gate, _) = live(events);
        prop_assert!(gate.verdict != Verdict::Pass || looked || said);
    }
}
