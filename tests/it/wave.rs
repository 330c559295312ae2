//! The life of a gate: what each event makes of it.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, as it should")]

use proptest::prelude::*;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::judge::Cause;
use wavegate::judge::Cohort;
use wavegate::judge::Judgement;
use wavegate::judge::Reason;
use wavegate::judge::Ruling;
use wavegate::judge::Timing;
use wavegate::rules::Class;
use wavegate::rules::Digest;
use wavegate::rules::Mode;
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
use wavegate::wire::Standing;

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn name() -> RulesName {
    RulesName::new("checkout").unwrap()
}

fn asked() -> Asked {
    Asked {
        class: None,
        rules: name(),
        digest: Digest::of(b"rules"),
        mode: Mode::Enforce,
        requires: Vec::new(),
        baseline: Some("base".to_owned()),
        given: BTreeMap::new(),
        params: BTreeMap::new(),
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
        budget: None,
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

fn attested(name: &str) -> Event {
    Event::Attested { name: name.to_owned(), by: "ci".to_owned(), note: None, url: Some("https://ci/1".to_owned()) }
}

/// A request for a gate that waits for attestations, or only observes.
fn asked_for(mode: Mode, requires: &[&str]) -> Asked {
    Asked { mode, requires: requires.iter().map(|name| (*name).to_owned()).collect(), ..asked() }
}

/// The gate and everything that was announced after `events`.
fn live(events: Vec<Event>) -> (Gate, Vec<EventKind>) {
    live_as(&asked(), events)
}

fn live_as(asked: &Asked, events: Vec<Event>) -> (Gate, Vec<EventKind>) {
    let gate = wave::attempt(asked, 1, START);
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
fn a_pass_waits_for_what_is_not_attested() {
    let passing = |index| judged(index, Ruling::Pass, true);
    let two = asked_for(Mode::Enforce, &["snapshot", "backup"]);
    let state = |events| {
        let (gate, announced) = live_as(&two, events);
        (gate.state, gate.verdict, announced)
    };
    let waits = (GateState::Analyzing, Verdict::Pause, Vec::new());
    assert_eq!(state(vec![passing(3), attested("snapshot"), passing(4)]), waits);
    let both = || vec![passing(3), attested("snapshot"), attested("backup")];
    // The word alone passes nothing: the next look does.
    assert_eq!(state(both()), waits);
    let passed = (GateState::Decided, Verdict::Pass, vec![EventKind::Passed]);
    assert_eq!(state([both(), vec![passing(5)]].concat()), passed);
    // A FAIL is never delayed.
    let failed = (GateState::Decided, Verdict::Fail, vec![EventKind::Failed]);
    assert_eq!(state(vec![passing(3), judged(4, Ruling::Fail, true)]), failed);
}

#[test]
fn a_look_counts_what_was_attested_by_its_own_moment() {
    let one = asked_for(Mode::Enforce, &["snapshot"]);
    let gate = wave::attempt(&one, 1, START);
    let wave = Wave { id: WaveId::new("eu-1").unwrap(), rollout: None, gates: vec![gate] };
    let look = timing().window(5).to;
    for (at, state) in [(look, GateState::Decided), (look + Duration::from_millis(1), GateState::Analyzing)] {
        let mut wave = wave::step(&wave, &name(), Event::Timed(timing()), START).0;
        wave = wave::step(&wave, &name(), attested("snapshot"), at).0;
        wave = wave::step(&wave, &name(), judged(5, Ruling::Pass, true), look).0;
        assert_eq!(wave.gates[0].state, state, "attested at {at}, looked at {look}");
    }
}

#[test]
fn a_gate_that_lacks_an_attestation_at_the_deadline_asks_a_person() {
    let one = asked_for(Mode::Enforce, &["snapshot"]);
    let looks = || (1..=10).map(|index| judged(index, if index < 4 { Ruling::GoOn } else { Ruling::Pass }, true));
    let (held, announced) = live_as(&one, looks().collect());
    assert_eq!((held.state, held.verdict, announced), (GateState::Held, Verdict::Pause, vec![EventKind::Paused]));
    assert_eq!(held.judgement.as_ref().unwrap().reasons[0].cause.code(), "deadline_reached");
    let mut restored = held.clone();
    restored.judgement.as_mut().unwrap().reasons.remove(0);
    wave::restore(&mut restored, timing().deadline);
    assert_eq!(restored, held);
    // It was asked, so it is not passed behind the person's back.
    let late = || looks().chain([attested("snapshot")]).collect::<Vec<_>>();
    assert_eq!(live_as(&one, late()).0.state, GateState::Held);
    let (passed, _) = live_as(&one, [late(), vec![decided(Verdict::Pass)]].concat());
    assert_eq!((passed.state, passed.verdict), (GateState::Decided, Verdict::Pass));
}

#[test]
fn the_same_attestation_again_is_no_news_and_another_word_is() {
    let one = asked_for(Mode::Enforce, &["snapshot"]);
    let gate = wave::attempt(&one, 1, START);
    let wave = Wave { id: WaveId::new("eu-1").unwrap(), rollout: None, gates: vec![gate] };
    let (said, effects) = wave::step(&wave, &name(), attested("snapshot"), START);
    let line = Effect::Audit {
        by: "ci".to_owned(),
        action: "attested",
        detail: "revision 2: snapshot: https://ci/1".to_owned(),
    };
    assert_eq!(effects, [Effect::Publish, line]);
    let later = START + Duration::from_mins(1);
    assert_eq!(wave::step(&said, &name(), attested("snapshot"), later), (said.clone(), Vec::new()));
    assert_eq!(wave::step(&said, &name(), attested("nothing"), later), (said.clone(), Vec::new()));
    let other = Event::Attested { name: "snapshot".to_owned(), by: "ada".to_owned(), note: None, url: None };
    let (corrected, effects) = wave::step(&said, &name(), other, later);
    assert_eq!((corrected.gates[0].revision, effects.len()), (3, 2));
    assert_eq!(corrected.gates[0].requires[0].attested.as_ref().unwrap().by, "ada");
}

#[test]
fn a_new_attempt_has_nothing_attested_yet() {
    let one = Asked { run: Some("a".to_owned()), ..asked_for(Mode::Enforce, &["snapshot"]) };
    let (old, _) = live_as(&one, vec![attested("snapshot")]);
    assert_eq!(old.missing().count(), 0);
    let next = Asked { run: Some("b".to_owned()), ..one };
    let Opening::New { gate, .. } = wave::open(Some(&old), &next, false, START) else { panic!("a new attempt") };
    assert_eq!(gate.missing().collect::<Vec<_>>(), ["snapshot"]);
}

#[track_caller]
fn observes(events: Vec<Event>, state: GateState, would: (GateState, Verdict), announced: &[EventKind]) -> Gate {
    let (gate, kinds) = live_as(&asked_for(Mode::Observe, &[]), events);
    let said = gate.would.unwrap();
    assert_eq!((gate.state, (said.state, said.verdict)), (state, would));
    assert_eq!(kinds, announced);
    gate
}

#[test]
fn a_gate_that_observes_passes_once_and_remembers_what_it_would_have_said() {
    use GateState::Analyzing;
    use GateState::Decided;
    use GateState::Held;
    let passed = [EventKind::Passed];
    let looks = |ruling| vec![judged(3, Ruling::GoOn, false), judged(4, ruling, true)];
    observes(looks(Ruling::Pass), Decided, (Decided, Verdict::Pass), &passed);
    let gate = observes(looks(Ruling::Fail), Decided, (Decided, Verdict::Fail), &passed);
    assert_eq!((gate.verdict, gate.as_enforced().verdict), (Verdict::Pass, Verdict::Fail));
    // Nobody is asked, so it looks on, and a later FAIL is remembered.
    observes(looks(Ruling::Hold), Analyzing, (Held, Verdict::Pause), &[]);
    let later = [looks(Ruling::Hold), vec![judged(5, Ruling::Fail, true)]].concat();
    observes(later, Decided, (Decided, Verdict::Fail), &passed);
    // At its last look, or with looks undone at the end, it is over.
    let to_the_end: Vec<Event> = (1..=10).map(|index| judged(index, Ruling::Hold, true)).collect();
    observes(to_the_end, Decided, (Held, Verdict::Pause), &passed);
    observes(vec![silent(), Event::Expired], Decided, (Held, Verdict::Pause), &passed);
    observes(vec![silent(), silent()], GateState::WarmingUp, (GateState::WarmingUp, Verdict::Pause), &[]);
}

#[test]
fn a_gate_that_observes_is_called_off_and_not_decided_by_people() {
    use GateState::Cancelled;
    use GateState::WarmingUp;
    for verdict in [Verdict::Pass, Verdict::Fail] {
        observes(vec![decided(verdict)], WarmingUp, (WarmingUp, Verdict::Pause), &[]);
    }
    let cancel = Event::Cancelled { by: "ada".to_owned(), why: "enough".to_owned() };
    observes(vec![cancel], Cancelled, (Cancelled, Verdict::Pause), &[EventKind::Cancelled]);
    let run = |run: &str| Asked { run: Some(run.to_owned()), ..asked_for(Mode::Observe, &[]) };
    let open = wave::attempt(&run("a"), 1, START);
    let Opening::New { cancelled, .. } = wave::open(Some(&open), &run("b"), false, START) else { panic!("new") };
    assert_eq!(cancelled.unwrap().would.unwrap().state, Cancelled);
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
    let params = |value: &str| BTreeMap::from([("region".to_owned(), value.to_owned())]);
    let eu = Gate { params: params("eu"), ..open.clone() };
    opens(&eu, &Asked { given: params("eu"), ..asked() }, true, "same");
    opens(&eu, &asked(), true, "same");
    opens(&eu, &Asked { given: params("us"), ..asked() }, true, "contradicts params/region");
    let class = |class| Asked { class: Some(class), ..asked() };
    opens(&open, &class(Class::Standard), true, "same");
    opens(&open, &class(Class::Exploratory), true, "contradicts class");
    let exploratory = Gate { class: Class::Exploratory, ..open.clone() };
    opens(&exploratory, &class(Class::Exploratory), true, "same");
    opens(&exploratory, &class(Class::Standard), true, "contradicts class");
    opens(&exploratory, &asked(), true, "same");
    opens(&open, &Asked { start: Some(START + Duration::from_secs(1)), ..asked() }, true, "contradicts start");
    opens(&open, &Asked { deadline: Some(START + Duration::from_hours(1)), ..asked() }, true, "contradicts deadline");
}

#[test]
fn a_contradiction_tells_both_classes() {
    let open = wave::attempt(&asked(), 1, START);
    let exploratory = Asked { class: Some(Class::Exploratory), ..asked() };
    let expect = Opening::Contradiction {
        field: "class".to_owned(),
        open: "standard".to_owned(),
        asked: "exploratory".to_owned(),
    };
    assert_eq!(wave::open(Some(&open), &exploratory, true, START), expect);
    let done = Gate { state: GateState::Decided, verdict: Verdict::Pass, ..open.clone() };
    opens(&done, &exploratory, false, "attempt 2, cancels false");
    assert_eq!((open.class, wave::attempt(&exploratory, 2, START).class), (Class::Standard, Class::Exploratory));
}

fn any_event() -> impl Strategy<Value = Event> {
    let ruling = prop::sample::select(vec![Ruling::GoOn, Ruling::Pass, Ruling::Fail, Ruling::Hold]);
    prop_oneof![
        (1..10_u32, ruling, any::<bool>()).prop_map(|(index, ruling, healthy)| judged(index, ruling, healthy)),
        Just(silent()),
        Just(Event::Expired),
        prop::sample::select(vec![Verdict::Pass, Verdict::Fail, Verdict::Pause]).prop_map(decided),
        Just(Event::Cancelled { by: "ada".to_owned(), why: String::new() }),
        Just(attested("snapshot")),
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

    /// What is said to those who ask is the same at every moment, and what it would have
    /// been is what an enforced gate says after the same events.
    #[test]
    fn a_gate_that_observes_holds_up_nobody(events in prop::collection::vec(any_event(), 0..30)) {
        let by_nobody = |event: &Event| !matches!(event, Event::Decided { .. });
        let events: Vec<Event> = events.into_iter().filter(by_nobody).collect();
        let (gate, announced) = live_as(&asked_for(Mode::Observe, &[]), events.clone());
        let standing = Standing::of_gate(&gate);
        prop_assert!(standing.verdict == Verdict::Pass && standing.healthy && standing.settled());
        prop_assert_eq!(standing.is_final(), gate.state.is_final());
        let told = matches!(announced.as_slice(), [] | [EventKind::Passed | EventKind::Cancelled]);
        prop_assert!(told, "{:?}", announced);
        let (enforced, _) = live_as(&asked(), events);
        let would = gate.would.unwrap();
        // At its end it stops, where a gate that is held looks on for a person.
        if would.state != GateState::Held || enforced.state == GateState::Held {
            prop_assert_eq!((would.state, would.verdict), (enforced.state, enforced.verdict));
        }
    }

    #[test]
    fn nothing_passes_without_what_it_requires_or_a_person(events in prop::collection::vec(any_event(), 0..30)) {
        let said = |event: &Event| matches!(event, Event::Attested { .. } | Event::Decided { .. });
        let word = events.iter().any(said);
        let (gate, _) = live_as(&asked_for(Mode::Enforce, &["snapshot"]), events);
        prop_assert!(gate.verdict != Verdict::Pass || word);
    }

    /// But for a gate that only observes: see `a_gate_that_observes_holds_up_nobody`.
    #[test]
    fn nothing_passes_without_a_look_or_a_person(events in prop::collection::vec(any_event(), 0..30)) {
        let looked = events.iter().any(|event| matches!(event, Event::Judged(it) if it.ruling == Ruling::Pass));
        let said = events.iter().any(|event| matches!(event, Event::Decided { verdict: Verdict::Pass, .. }));
        let (gate, _) = live(events);
        prop_assert!(gate.verdict != Verdict::Pass || looked || said);
    }
}
