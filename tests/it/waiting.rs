//! Documents of gates that wait for what no check can show, and of gates that only observe.

use crate::wire::START;
use crate::wire::document;
use crate::wire::failed;
use crate::wire::gate;
use crate::wire::judged;
use crate::wire::judgement;
use crate::wire::minute;
use crate::wire::pretty;
use crate::wire::restarts;
use crate::wire::undecided;
use crate::wire::wave;
use crate::wire::word;
use wavegate::judge::Cause;
use wavegate::judge::Outcome;
use wavegate::judge::Ruling;
use wavegate::report;
use wavegate::wave::Attestation;
use wavegate::wave::EventKind;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Outage;
use wavegate::wave::Requirement;
use wavegate::wave::Verdict;
use wavegate::wave::Would;
use wavegate::wire;
use wavegate::wire::Standing;

fn required() -> Vec<Requirement> {
    let attested = Attestation {
        by: "ci".into(),
        note: Some("all disks".into()),
        url: Some("https://ci/4711".into()),
        at: minute(11),
    };
    vec![
        Requirement { name: "disk-snapshot".into(), attested: Some(attested) },
        Requirement { name: "helm-values-backup".into(), attested: None },
    ]
}

#[test]
fn a_gate_that_would_pass_says_what_is_not_attested() {
    let checks = vec![restarts(Outcome::Pass, Vec::new())];
    let judgement = judgement(Ruling::Pass, true, checks, vec![Cause::AllChecksPassed { checks: 1 }]);
    let gate = judged("checkout", GateState::Analyzing, Verdict::Pause, judgement);
    insta::assert_snapshot!(document(&Gate { requires: required(), ..gate }));
}

#[test]
fn what_is_not_attested_is_said_from_the_beginning_and_no_pass_is_foreseen() {
    let warming = Gate { requires: required(), judged: 0, ..gate("checkout", GateState::WarmingUp, Verdict::Pause) };
    let codes = |gate: &Gate| {
        let document: serde_json::Value = serde_json::from_str(&document(gate)).unwrap();
        let reasons = document["reasons"].as_array().unwrap();
        let codes: Vec<String> = reasons.iter().map(|reason| reason["code"].as_str().unwrap().to_owned()).collect();
        (codes.join(", "), document["expected"].is_null(), document["summary"].as_str().unwrap().to_owned())
    };
    assert_eq!(codes(&warming).0, "warming_up, attestation_missing");
    let judgement = judgement(Ruling::GoOn, true, vec![undecided()], Vec::new());
    let gate = judged("checkout", GateState::Analyzing, Verdict::Pause, judgement);
    let (said, nothing_foreseen, summary) = codes(&Gate { requires: required(), ..gate.clone() });
    assert_eq!((said.as_str(), nothing_foreseen), ("needs_more_evidence, attestation_missing", true));
    assert_eq!(summary, "1 of 1 checks undecided; at most 48 min to go");
    let cancelled = Gate { requires: required(), state: GateState::Cancelled, decision: Some(word(None)), ..gate };
    assert_eq!(codes(&cancelled).0, "cancelled, needs_more_evidence");
}

#[test]
fn a_closed_window_says_by_what_and_until_when() {
    let closed = Cause::WindowClosed { by: "Sat-Sun\u{1b}".into(), until: Some(minute(40)) };
    let checks = vec![restarts(Outcome::Pass, Vec::new())];
    let causes = vec![closed, Cause::AllChecksPassed { checks: 1 }];
    let judgement = judgement(Ruling::GoOn, true, checks, causes);
    insta::assert_snapshot!(document(&judged("checkout", GateState::Analyzing, Verdict::Pause, judgement)));
}

#[test]
fn planned_downtime_says_until_when() {
    let judgement = judgement(Ruling::GoOn, true, Vec::new(), vec![Cause::PlannedDowntime { until: minute(20) }]);
    let gate = judged("checkout", GateState::WarmingUp, Verdict::Pause, judgement);
    let document: serde_json::Value = serde_json::from_str(&document(&gate)).unwrap();
    assert_eq!(document["summary"], "planned downtime until 2026-11-22T10:20:00Z");
    assert_eq!(document["reasons"][0]["code"], "planned_downtime");
}

/// A gate that observes, over or not, and would have failed.
fn observing(state: GateState) -> Gate {
    let judgement = judgement(Ruling::Fail, true, vec![failed()], Vec::new());
    let verdict = if state == GateState::Decided { Verdict::Pass } else { Verdict::Pause };
    let would = Some(Would { verdict: Verdict::Fail, state: GateState::Decided });
    Gate { would, ..judged("checkout", state, verdict, judgement) }
}

#[test]
fn a_gate_that_observes_passes_and_says_what_it_would() {
    insta::assert_snapshot!(document(&observing(GateState::Decided)));
}

#[test]
fn an_event_of_a_gate_that_observes_says_what_it_would() {
    let gate = observing(GateState::Decided);
    insta::assert_snapshot!(pretty(&wire::event_body(EventKind::Passed, &wave(vec![gate.clone()]), &gate)));
}

#[test]
fn a_gate_that_observes_neither_holds_up_nor_fails_its_wave() {
    let held = Would { verdict: Verdict::Pause, state: GateState::Held };
    let outage = Some(Outage { since: START, message: "down".into() });
    let looking = Gate { outage, would: Some(held), ..observing(GateState::Analyzing) };
    let passed = gate("a", GateState::Decided, Verdict::Pass);
    let standing = Standing::of_wave(&wave(vec![passed.clone(), looking.clone()]));
    assert_eq!((standing.verdict, standing.state, standing.healthy), (Verdict::Pass, GateState::Decided, true));
    // Settled for those who wait, and not final: it is still looking.
    assert_eq!((standing.settled(), standing.is_final()), (true, false));
    let over = Standing::of_wave(&wave(vec![passed, observing(GateState::Decided)]));
    assert_eq!((over.verdict, over.healthy, over.is_final()), (Verdict::Pass, true, true));
    let failed = gate("a", GateState::Decided, Verdict::Fail);
    let standing = Standing::of_wave(&wave(vec![failed, looking]));
    assert_eq!((standing.verdict, standing.is_final()), (Verdict::Fail, true));
}

#[test]
fn a_report_says_aloud_that_nobody_obeys() {
    let gate = observing(GateState::Decided);
    let document = wire::gate_document(&wave(vec![gate.clone()]), &gate);
    for page in [report::text(&document, false).unwrap(), report::brief(&document, false).unwrap()] {
        assert!(page.starts_with("PASS ") && page.contains("\n      OBSERVING  would say FAIL\n"), "{page}");
    }
}

#[test]
fn a_report_shows_who_attested_what() {
    let gate = Gate { requires: required(), ..gate("checkout", GateState::WarmingUp, Verdict::Pause) };
    let page = report::text(&wire::gate_document(&wave(vec![gate.clone()]), &gate), false).unwrap();
    let requires = "\nrequires\n  disk-snapshot: attested by ci at 2026-11-22T10:11:00Z  all disks  https://ci/4711\n  \
                    helm-values-backup: not attested\n";
    assert!(page.contains(requires), "{page}");
}
