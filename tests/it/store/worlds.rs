//! Made-up waves for the store to keep.

use std::time::Duration;
use wavegate::judge::Charged;
use wavegate::judge::Spent;
use wavegate::judge::Timing;
use wavegate::rules::Class;
use wavegate::rules::Digest;
use wavegate::rules::RulesName;
use wavegate::rules::SloName;
use wavegate::series::Buckets;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::Fault;
use wavegate::series::IntervalEvidence;
use wavegate::series::Labels;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Observed;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::store::AuditEntry;
use wavegate::store::Change;
use wavegate::store::Charge;
use wavegate::store::Message;
use wavegate::store::StoredGate;
use wavegate::store::StoredWave;
use wavegate::wave::Attestation;
use wavegate::wave::Decision;
use wavegate::wave::EventKind;
use wavegate::wave::Gate;
use wavegate::wave::GateState;
use wavegate::wave::Outage;
use wavegate::wave::Requirement;
use wavegate::wave::Verdict;
use wavegate::wave::WaveId;

pub(crate) const RULES_TEXT: &str = "version: 1\nname: checkout\n# ünïcode, 'quotes' and \"more\"\n";

/// 2026-11-22T12:00:00Z.
pub(crate) const NOON: Timestamp = Timestamp::from_millis(1_795_348_800_000);

pub(crate) fn wave_id(text: &str) -> WaveId {
    WaveId::new(text).unwrap()
}

pub(crate) fn rules_name(text: &str) -> RulesName {
    RulesName::new(text).unwrap()
}

/// The end of interval `index`.
pub(crate) fn look(index: u32) -> Timestamp {
    NOON + Duration::from_secs(15) * index
}

/// A gate `checkout` of wave `id`, just opened, with every optional part absent.
pub(crate) fn opening(id: &str) -> Change {
    let gate = Gate {
        class: Class::Standard,
        rules: rules_name("checkout"),
        digest: Digest::of(RULES_TEXT.as_bytes()),
        attempt: 1,
        run: None,
        baseline: None,
        params: std::collections::BTreeMap::new(),
        opened_at: NOON,
        start: NOON,
        deadline: None,
        timing: None,
        judged: 0,
        state: GateState::WarmingUp,
        verdict: Verdict::Pause,
        revision: 1,
        judgement: None,
        outage: None,
        decision: None,
        requires: Vec::new(),
        would: None,
        revised_at: NOON,
    };
    Change {
        charge: None,
        wave: wave_id(id),
        rollout: Some("rollout-7".to_owned()),
        gate,
        rules_text: Some(RULES_TEXT.to_owned()),
        evidence: Vec::new(),
        document: Some(document(id, 1, 1)),
        messages: vec![Message {
            id: format!("msg_{id}_1_1"),
            kind: EventKind::Opened,
            at: NOON,
            body: r#"{"type":"wave.opened"}"#.to_owned(),
        }],
        audit: vec![AuditEntry {
            at: NOON,
            by: "wavegate".to_owned(),
            action: "opened".to_owned(),
            detail: "Gate checkout was opened.".to_owned(),
        }],
    }
}

/// The change that judges one more interval than `before` and publishes it.
pub(crate) fn next_look(before: &Change) -> Change {
    let gate = &before.gate;
    let index = gate.judged + 1;
    let timing = Timing {
        start: gate.start,
        interval: Duration::from_secs(15),
        scrape: Duration::from_secs(15),
        warm: gate.start + Duration::from_mins(2),
        min_end: gate.start + Duration::from_mins(10),
        deadline: gate.start + Duration::from_hours(1),
    };
    Change {
        gate: Gate {
            timing: Some(timing),
            judged: index,
            state: GateState::Analyzing,
            revision: gate.revision + 1,
            revised_at: look(index),
            ..gate.clone()
        },
        rules_text: None,
        evidence: vec![(index, interval(index))],
        document: Some(document(before.wave.as_str(), gate.attempt, gate.revision + 1)),
        messages: Vec::new(),
        audit: Vec::new(),
        charge: Some(charge(before, index)),
        ..before.clone()
    }
}

/// What the wave of `before` spent up to its look `index`: each look adds to all of it.
pub(crate) fn charge(before: &Change, index: u32) -> Charge {
    let counts = |scale: f64| Counts { bad: f64::from(index) * scale / 7.0, total: f64::from(index) * 1000.0 };
    let spent = Spent {
        from: before.gate.start,
        to: look(index),
        canary: counts(3.0),
        baseline: counts(1.0),
        planned: Counts::default(),
        excess: f64::from(index) * 2.0 / 7.0,
    };
    let (wave, rules) = (before.wave.as_str().to_owned(), before.gate.rules.as_str().to_owned());
    Charge {
        slo: SloName::new("checkout-availability").unwrap(),
        digest: Digest::of(b"slo"),
        charged: Charged { wave, rules, attempt: before.gate.attempt, spent },
    }
}

/// The change that ends the gate of `before` without another look.
pub(crate) fn deciding(before: &Change, verdict: Verdict) -> Change {
    let at = before.gate.revised_at;
    let kind = if verdict == Verdict::Pass { EventKind::Passed } else { EventKind::Failed };
    Change {
        gate: Gate {
            state: GateState::Decided,
            verdict,
            revision: before.gate.revision + 1,
            decision: Some(Decision {
                verdict: Some(verdict),
                by: "ada".to_owned(),
                why: "it's \"fine\"\n".to_owned(),
                at,
            }),
            ..before.gate.clone()
        },
        rules_text: None,
        evidence: Vec::new(),
        document: Some(document(before.wave.as_str(), before.gate.attempt, before.gate.revision + 1)),
        messages: vec![Message {
            id: format!("msg_{}_{}_final", before.wave, before.gate.attempt),
            kind,
            at,
            body: "{}".to_owned(),
        }],
        audit: vec![AuditEntry {
            at,
            by: "ada".to_owned(),
            action: "decided".to_owned(),
            detail: "Decided by hand.".to_owned(),
        }],
        ..before.clone()
    }
}

/// The change that opens the attempt after `before`.
pub(crate) fn next_attempt(before: &Change) -> Change {
    let opening = opening(before.wave.as_str());
    let attempt = before.gate.attempt + 1;
    Change {
        gate: Gate { attempt, run: Some(format!("run-{attempt}")), ..opening.gate },
        document: Some(document(before.wave.as_str(), attempt, 1)),
        messages: Vec::new(),
        ..opening
    }
}

/// With every optional part present.
pub(crate) fn adorned(change: Change) -> Change {
    Change {
        gate: Gate {
            run: Some("uid/1234".to_owned()),
            baseline: Some("wave 'before'".to_owned()),
            deadline: Some(look(400)),
            class: Class::Exploratory,
            outage: Some(Outage { since: look(2), message: "connection refused\n\"it said\"".to_owned() }),
            requires: required(),
            ..change.gate
        },
        ..change
    }
}

/// One thing that is attested and one that is not.
pub(crate) fn required() -> Vec<Requirement> {
    let attested = Attestation {
        by: "ada".to_owned(),
        note: Some("it's \"there\"\n".to_owned()),
        url: Some("https://ci/4711".to_owned()),
        at: look(3),
    };
    vec![
        Requirement { name: "disk-snapshot".to_owned(), attested: Some(attested) },
        Requirement { name: "backup".to_owned(), attested: None },
    ]
}

pub(crate) fn document(id: &str, attempt: u32, revision: u32) -> String {
    format!(r#"{{"wave_id":{id:?},"attempt":{attempt},"revision":{revision}}}"#)
}

/// Evidence with every measure, fault and notice, different for each `index`.
pub(crate) fn interval(index: u32) -> IntervalEvidence {
    let shade = f64::from(index) / 7.0;
    let buckets = Buckets::new(vec![0.005, 0.1, 2.5, f64::INFINITY], vec![shade, 0.0, 1e-300, 3.0]).unwrap();
    let pod = [("pod".to_owned(), "a\"b\\c".to_owned()), ("zone".to_owned(), "å".to_owned())];
    let checks = vec![
        check(Measure::Counts { bad: shade, total: shade + 0.1 }, Some(Measure::Counts { bad: 0.0, total: 1e9 })),
        check(Measure::Buckets(buckets.clone()), Some(Measure::Buckets(buckets))),
        check(Measure::Value(-0.1 * shade), Some(Measure::Nothing)),
        check(Measure::Worst { value: 5e-324, series: Labels::from_iter(pod) }, None),
    ];
    IntervalEvidence { budget: None, window: Window { from: look(index - 1), to: look(index) }, checks }
}

fn check(canary: Measure, baseline: Option<Measure>) -> CheckEvidence {
    let observed = |measure| Observed { measure, instances: Vec::new(), seen: 3, expected: 4, nan: 1, infinite: 2 };
    CheckEvidence {
        canary: observed(canary),
        baseline: baseline.map(observed),
        faults: vec![Fault::PartialAnswer { message: "one store is away".to_owned() }],
        notices: vec![Notice::BoundsDiffer, Notice::StartsAtFirstSample { series: 2 }],
    }
}

/// What a store gives back of a wave with one gate whose changes were `history`.
pub(crate) fn stored(history: &[Change]) -> StoredWave {
    let last = history.last().unwrap();
    let evidence = history.iter().flat_map(|change| &change.evidence).map(|(_, interval)| interval.clone());
    let gate = StoredGate {
        gate: last.gate.clone(),
        rules_text: RULES_TEXT.to_owned(),
        evidence: if last.gate.state.is_final() { Vec::new() } else { evidence.collect() },
        document: last.document.clone().unwrap(),
    };
    StoredWave { id: last.wave.clone(), rollout: last.rollout.clone(), gates: vec![gate] }
}

/// A wave's opening and its first `looks` looks.
pub(crate) fn history(id: &str, looks: usize) -> Vec<Change> {
    let mut changes = vec![opening(id)];
    for _ in 0..looks {
        changes.push(next_look(changes.last().unwrap()));
    }
    changes
}
