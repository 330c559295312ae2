//! Documents and events: the shapes that callers parse, in each state.

use std::time::Duration;
use wavegate::judge::Cause;
use wavegate::judge::CheckOutcome;
use wavegate::judge::Cohort;
use wavegate::judge::Effect;
use wavegate::judge::Expected;
use wavegate::judge::Judgement;
use wavegate::judge::Margins;
use wavegate::judge::Outcome;
use wavegate::judge::Reason;
use wavegate::judge::Ruling;
use wavegate::judge::Sizes;
use wavegate::judge::ThresholdReading;
use wavegate::judge::Timing;
use wavegate::judge::Unit;
use wavegate::judge::Warning;
use wavegate::rules::Digest;
use wavegate::rules::OnFail;
use wavegate::rules::RulesName;
use wavegate::series::Labels;
use wavegate::series::Notice;
use wavegate::series::Timestamp;
use wavegate::wave::Decision;
use wavegate::wave::EventKind;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Outage;
use wavegate::wave::Verdict;
use wavegate::wave::Wave;
use wavegate::wave::WaveId;
use wavegate::wire;
use wavegate::wire::Standing;

/// 2026-11-22T10:00:00Z
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_341_600_000);

pub(crate) fn minute(minutes: u64) -> Timestamp {
    START + Duration::from_secs(60 * minutes)
}

pub(crate) fn gate(rules: &str, state: GateState, verdict: Verdict) -> Gate {
    Gate {
        class: wavegate::rules::Class::Standard,
        rules: RulesName::new(rules).expect("a name"),
        digest: Digest::of(rules.as_bytes()),
        attempt: 1,
        run: Some("ci-4711".into()),
        baseline: Some("2026-11-15-eu-1".into()),
        params: std::collections::BTreeMap::new(),
        opened_at: START,
        start: START,
        deadline: None,
        timing: Some(Timing {
            scrape: Duration::from_secs(15),
            start: START,
            interval: Duration::from_secs(15),
            warm: minute(2),
            min_end: minute(10),
            deadline: minute(60),
        }),
        judged: 48,
        state,
        verdict,
        revision: 17,
        judgement: None,
        outage: None,
        decision: None,
        requires: Vec::new(),
        would: None,
        revised_at: minute(12),
    }
}

pub(crate) fn judged(rules: &str, state: GateState, verdict: Verdict, judgement: Judgement) -> Gate {
    Gate { judgement: Some(judgement), ..gate(rules, state, verdict) }
}

pub(crate) fn judgement(ruling: Ruling, healthy: bool, checks: Vec<CheckOutcome>, gate: Vec<Cause>) -> Judgement {
    let of_check = |check: &CheckOutcome| {
        let reason = |cause: &Cause| Reason { check: Some(check.name.clone()), cause: cause.clone() };
        check.reasons.iter().map(reason).collect::<Vec<_>>()
    };
    let own = gate.into_iter().map(|cause| Reason { check: None, cause });
    let reasons = own.chain(checks.iter().flat_map(of_check)).collect();
    let expected = checks.iter().filter(|_| healthy).find_map(|check| check.expected);
    Judgement { budget: None, at: minute(12), looks: 10, planned: 58, ruling, healthy, reasons, checks, expected }
}

fn ratio(outcome: Outcome, effect: Effect, reasons: Vec<Cause>) -> CheckOutcome {
    CheckOutcome {
        name: "errors".into(),
        kind: "ratio",
        outcome,
        on_fail: OnFail::Fail,
        effect: Some(effect),
        margins: Some(Margins { tolerance: 1.25, pass_within: 2.0 }),
        threshold: None,
        looks: 10,
        n: Sizes { canary: 48211.0, baseline: 190_544.0 },
        effective_n: None,
        alpha: Some(0.025),
        alpha_spent: Some(0.004),
        expected: None,
        coverage: Sizes { canary: 1.0, baseline: 0.995 },
        reasons,
        notices: vec![Notice::StartsAtFirstSample { series: 2 }],
        warnings: vec![Warning::AutocorrelationHigh { autocorrelation: 0.81 }],
        details: vec![("log_e", 1.5), ("log_e_needed", 3.688_879_454_113_936)],
    }
}

pub(crate) fn undecided() -> CheckOutcome {
    let effect = Effect { estimate: 1.1, low: 0.4, high: f64::INFINITY, unit: Unit::RateRatio };
    let open = Cause::NeedsMoreEvidence { effect: Some(effect), pass_within: 2.0 };
    let expected = Some(Expected { outcome: Outcome::Pass, at: minute(18) });
    CheckOutcome { expected, ..ratio(Outcome::Inconclusive, effect, vec![open]) }
}

pub(crate) fn failed() -> CheckOutcome {
    let effect = Effect { estimate: 9.8, low: 6.1, high: 15.2, unit: Unit::RateRatio };
    ratio(Outcome::Fail, effect, vec![Cause::ShiftAboveTolerance { effect, tolerance: 1.25, at: minute(12) }])
}

pub(crate) fn restarts(outcome: Outcome, reasons: Vec<Cause>) -> CheckOutcome {
    let series: Labels =
        [("__name__".to_owned(), "restarts".to_owned()), ("pod".to_owned(), "a\"b".to_owned())].into_iter().collect();
    CheckOutcome {
        name: "restarts".into(),
        kind: "threshold",
        effect: None,
        margins: None,
        on_fail: OnFail::Pause,
        threshold: Some(ThresholdReading {
            bound: 0.0,
            is_max: true,
            canary: Some((3.0, series)),
            baseline: None,
            beyond: 3,
            count: 3,
            samples: 5,
        }),
        alpha: None,
        expected: None,
        notices: Vec::new(),
        details: Vec::new(),
        n: Sizes { canary: 40.0, baseline: 0.0 },
        coverage: Sizes { canary: 1.0, baseline: 0.0 },
        outcome,
        reasons,
        ..undecided()
    }
}

fn breach() -> Vec<Cause> {
    let series = [("pod".to_owned(), "a\"b".to_owned())].into_iter().collect();
    vec![Cause::ThresholdBreached { value: 3.0, bound: 0.0, series, at: minute(12) }]
}

pub(crate) fn wave(gates: Vec<Gate>) -> Wave {
    Wave { id: WaveId::new("2026-11-22-eu-1").expect("an id"), rollout: Some("payments-7".into()), gates }
}

pub(crate) fn word(verdict: Option<Verdict>) -> Decision {
    Decision { verdict, by: "alice".into(), why: "errors are from the load test".into(), at: minute(14) }
}

/// Indents JSON and keeps its keys in the order they stand.
pub(crate) fn pretty(json: &str) -> String {
    let (mut out, mut depth, mut quoted, mut escaped) = (String::new(), 0_usize, false, false);
    let newline = |out: &mut String, depth: usize| out.extend(["\n", &"  ".repeat(depth)]);
    for c in json.chars() {
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' => {
                quoted = true;
                out.push(c);
            }
            '{' | '[' => {
                depth += 1;
                out.push(c);
                newline(&mut out, depth);
            }
            '}' | ']' => {
                depth -= 1;
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            other => out.push(other),
        }
    }
    out
}

/// The document of a gate, proved to be JSON and to say the same twice.
#[track_caller]
pub(crate) fn document(gate: &Gate) -> String {
    let wave = wave(vec![gate.clone()]);
    let document = wire::gate_document(&wave, gate);
    serde_json::from_str::<serde_json::Value>(&document).expect("valid JSON");
    assert_eq!(document, wire::gate_document(&wave, gate));
    pretty(&document)
}

#[test]
fn a_scheduled_gate_says_when_it_starts() {
    let gate = Gate { timing: None, judged: 0, revision: 1, ..gate("checkout", GateState::Scheduled, Verdict::Pause) };
    insta::assert_snapshot!(document(&gate));
}

#[test]
fn a_warming_gate_says_until_when() {
    let gate = Gate { judged: 3, revision: 2, ..gate("checkout", GateState::WarmingUp, Verdict::Pause) };
    insta::assert_snapshot!(document(&gate));
}

#[test]
fn an_analyzing_gate_shows_every_number() {
    let checks = vec![undecided(), restarts(Outcome::Pass, Vec::new())];
    let judgement = judgement(Ruling::GoOn, true, checks, Vec::new());
    insta::assert_snapshot!(document(&judged("checkout", GateState::Analyzing, Verdict::Pause, judgement)));
}

#[test]
fn a_blind_gate_is_not_healthy_and_says_since_when() {
    let outage = Outage { since: minute(13), message: "connection refused\u{1b}[2J".into() };
    let judgement = judgement(Ruling::GoOn, true, vec![undecided()], Vec::new());
    let gate = judged("checkout", GateState::Analyzing, Verdict::Pause, judgement);
    insta::assert_snapshot!(document(&Gate { outage: Some(outage), ..gate }));
}

#[test]
fn a_held_gate_asks_a_person() {
    let judgement = judgement(Ruling::Hold, true, vec![restarts(Outcome::Fail, breach())], Vec::new());
    insta::assert_snapshot!(document(&judged("checkout", GateState::Held, Verdict::Pause, judgement)));
}

#[test]
fn a_failed_gate_names_the_check() {
    let judgement = judgement(Ruling::Fail, true, vec![failed()], Vec::new());
    insta::assert_snapshot!(document(&judged("checkout", GateState::Decided, Verdict::Fail, judgement)));
}

#[test]
fn an_overridden_gate_shows_the_word_and_the_numbers() {
    let judgement = judgement(Ruling::Fail, true, vec![failed()], Vec::new());
    let gate = judged("checkout", GateState::Decided, Verdict::Pass, judgement);
    insta::assert_snapshot!(document(&Gate { decision: Some(word(Some(Verdict::Pass))), revision: 18, ..gate }));
}

#[test]
fn a_wave_is_the_worst_of_its_gates() {
    let passing = judgement(
        Ruling::Pass,
        true,
        vec![restarts(Outcome::Pass, Vec::new())],
        vec![Cause::AllChecksPassed { checks: 1 }],
    );
    let failing = judgement(Ruling::Fail, true, vec![failed()], Vec::new());
    let wave = wave(vec![
        judged("checkout", GateState::Decided, Verdict::Pass, passing),
        gate("ledger", GateState::WarmingUp, Verdict::Pause),
        judged("payments", GateState::Decided, Verdict::Fail, failing),
    ]);
    insta::assert_snapshot!(pretty(&wave_document(&wave)));
}

#[track_caller]
fn stands(gates: &[(GateState, Verdict)], verdict: Verdict, state: GateState, healthy: bool) {
    let gates = gates.iter().map(|(state, verdict)| gate("checkout", *state, *verdict)).collect();
    let standing = Standing::of_wave(&wave(gates));
    assert_eq!((standing.verdict, standing.state, standing.healthy), (verdict, state, healthy));
}

#[test]
fn a_wave_stands_where_its_least_finished_gate_stands() {
    use GateState::Analyzing;
    use GateState::Cancelled;
    use GateState::Decided;
    use GateState::Held;
    use GateState::Scheduled;
    use GateState::WarmingUp;
    use Verdict::Fail;
    use Verdict::Pass;
    use Verdict::Pause;

    stands(&[(Decided, Pass), (Decided, Pass)], Pass, Decided, true);
    stands(&[(Decided, Pass), (Analyzing, Pause)], Pause, Analyzing, true);
    stands(&[(Analyzing, Pause), (WarmingUp, Pause), (Scheduled, Pause)], Pause, Scheduled, true);
    stands(&[(Decided, Pass), (Held, Pause)], Pause, Held, false);
    stands(&[(Held, Pause), (Analyzing, Pause)], Pause, Analyzing, false);
    stands(&[(Decided, Pass), (Cancelled, Pause)], Pause, Cancelled, false);
    stands(&[(Decided, Fail), (Analyzing, Pause)], Fail, Decided, false);
    stands(&[(Decided, Fail), (Held, Pause), (Decided, Pass)], Fail, Decided, false);
    stands(&[], Pause, Scheduled, true);
}

#[test]
fn only_a_decided_gate_says_anything_but_pause() {
    for state in
        [GateState::Scheduled, GateState::WarmingUp, GateState::Analyzing, GateState::Held, GateState::Cancelled]
    {
        let standing = Standing::of_gate(&gate("checkout", state, Verdict::Pass));
        assert_eq!(standing.verdict, Verdict::Pause, "{state:?}");
    }
}

#[test]
fn the_next_evaluation_ends_with_the_deadline() {
    let at = |judged| {
        Standing::of_gate(&Gate { judged, ..gate("checkout", GateState::Held, Verdict::Pause) }).next_evaluation_at
    };
    assert_eq!(at(48), Some(minute(12) + Duration::from_secs(15)));
    assert_eq!(at(240), None);
    assert_eq!(at(u32::MAX), None);
}

#[track_caller]
fn summary(gates: Vec<Gate>, expect: &str) {
    let document: serde_json::Value = serde_json::from_str(&wave_document(&wave(gates))).expect("valid JSON");
    assert_eq!(document["summary"], expect);
}

#[test]
fn a_summary_is_one_line_that_says_why() {
    let analyzing = |healthy, check| {
        judged(
            "checkout",
            GateState::Analyzing,
            Verdict::Pause,
            judgement(Ruling::GoOn, healthy, vec![check, restarts(Outcome::Pass, Vec::new())], Vec::new()),
        )
    };
    summary(vec![analyzing(true, undecided())], "1 of 2 checks undecided; about 6 min to go");
    let nowhere = CheckOutcome { expected: None, ..undecided() };
    summary(vec![analyzing(true, nowhere)], "1 of 2 checks undecided; at most 48 min to go");

    let silent = CheckOutcome { reasons: vec![Cause::NoTelemetry { cohort: Cohort::Canary }], ..undecided() };
    summary(
        vec![analyzing(false, silent)],
        "errors: not a single sample of the canary could be used: do the matchers of the cohorts pick series?; 1 of 2 checks undecided; at most 48 min to go",
    );

    let late = judgement(Ruling::Hold, true, vec![undecided()], vec![Cause::DeadlineReached { deadline: minute(60) }]);
    summary(
        vec![judged("checkout", GateState::Held, Verdict::Pause, late.clone())],
        "held at the deadline: 1 of 1 checks undecided",
    );
    summary(
        vec![judged("checkout", GateState::Decided, Verdict::Fail, late)],
        "failed at the deadline: 1 of 1 checks undecided",
    );

    let cancelled = gate("checkout", GateState::Cancelled, Verdict::Pause);
    summary(
        vec![Gate { decision: Some(word(None)), ..cancelled.clone() }],
        "cancelled by alice: errors are from the load test",
    );
    summary(vec![cancelled], "cancelled");
}

#[test]
fn events_stay_small_whatever_the_names() {
    let hostile = "\"\\\u{202e}☠".repeat(2000);
    let long: String = hostile.chars().take(80).collect();
    let series: Labels = [(hostile.clone(), hostile.clone())].into_iter().collect();
    let cause = Cause::ThresholdBreached { value: f64::NAN, bound: 0.0, series, at: START };
    let checks = (0..20).map(|_| restarts(Outcome::Fail, vec![cause.clone()])).collect();
    let judgement = judgement(Ruling::Fail, true, checks, Vec::new());
    let gate = Gate {
        run: Some(hostile.clone()),
        baseline: Some(hostile.clone()),
        decision: Some(Decision { verdict: None, by: hostile.clone(), why: hostile.clone(), at: START }),
        ..judged("checkout", GateState::Cancelled, Verdict::Pause, judgement)
    };
    let wave = Wave { id: WaveId::new(&"\"".repeat(256)).unwrap(), rollout: Some(hostile), gates: vec![gate.clone()] };

    let body = wire::event_body(EventKind::Cancelled, &wave, &gate);

    assert!(body.len() <= wire::MAX_EVENT_BYTES, "{} bytes", body.len());
    let event: serde_json::Value = serde_json::from_str(&body).unwrap();
    assert_eq!(event["type"], "wave.cancelled");
    assert_eq!(event["data"]["wave_id"], "\"".repeat(256));
    assert!(event["data"]["reasons"][0]["message"].as_str().unwrap().contains(&long));
}

#[test]
fn an_event_tells_what_happened() {
    let judgement = judgement(Ruling::Fail, true, vec![failed()], Vec::new());
    let gate = judged("checkout", GateState::Decided, Verdict::Fail, judgement);
    insta::assert_snapshot!(pretty(&wire::event_body(EventKind::Failed, &wave(vec![gate.clone()]), &gate)));
}

/// The wave's document with those of its gates in it.
fn wave_document(wave: &Wave) -> String {
    let documents: Vec<String> = wave.gates.iter().map(|gate| wire::gate_document(wave, gate)).collect();
    let documents: Vec<&str> = documents.iter().map(String::as_str).collect();
    wire::wave_document(wave, &documents)
}
