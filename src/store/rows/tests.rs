//! What is written reads back the same, to the last bit; what is not sound is
//! refused on both ways.

use crate::judge::Charged;
use crate::judge::Spent;
use crate::judge::Timing;
use crate::rules::Class;
use crate::rules::Digest;
use crate::rules::RulesName;
use crate::rules::SloName;
use crate::series::Buckets;
use crate::series::BudgetEvidence;
use crate::series::CheckEvidence;
use crate::series::Counts;
use crate::series::Fault;
use crate::series::InstanceEvidence;
use crate::series::IntervalEvidence;
use crate::series::Labels;
use crate::series::Measure;
use crate::series::Notice;
use crate::series::Observed;
use crate::series::ServiceReading;
use crate::series::SpanReading;
use crate::series::Timestamp;
use crate::series::Window;
use crate::store::Charge;
use crate::store::rows::ChargeRow;
use crate::store::rows::GateRow;
use crate::store::rows::SliceRow;
use crate::wave::Attestation;
use crate::wave::Decision;
use crate::wave::Gate;
use crate::wave::GateState;
use crate::wave::Outage;
use crate::wave::Requirement;
use crate::wave::Verdict;
use crate::wave::Would;
use crate::wire::read_evidence;
use crate::wire::write_evidence;
use proptest::collection::btree_map;
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use std::time::Duration;

/// Finite numbers of every kind: subnormals, `-0.0`, the largest, and those that
/// need all their digits.
fn finite() -> impl Strategy<Value = f64> {
    let edges = [0.0, -0.0, f64::MIN_POSITIVE, 5e-324, -5e-324, f64::MAX, f64::MIN, f64::EPSILON, 0.1, 1e15, 1e16];
    prop_oneof![
        proptest::sample::select(edges.to_vec()),
        any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |number| number.is_finite()),
        (0.0..1e9),
    ]
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), Just("\"'\\\n\0\u{1f680}\u{202e}é".to_owned()), Just(String::new())]
}

fn buckets() -> impl Strategy<Value = Measure> {
    let bounds = vec(prop_oneof![8 => finite(), 1 => Just(f64::NEG_INFINITY)], 0..12);
    (bounds, vec(finite(), 13)).prop_map(|(mut bounds, counts)| {
        bounds.sort_by(f64::total_cmp);
        bounds.push(f64::INFINITY);
        // `-0.0` and `0.0` are one bound.
        bounds.dedup_by(|later, earlier| *later <= *earlier);
        let counts = counts.into_iter().map(f64::abs).take(bounds.len()).collect();
        Measure::Buckets(Buckets::new(bounds, counts).unwrap())
    })
}

fn measure() -> impl Strategy<Value = Measure> {
    let labels = btree_map(text(), text(), 0..4).prop_map(Labels::from_iter);
    prop_oneof![
        Just(Measure::Nothing),
        (finite(), finite()).prop_map(|(one, other)| {
            let (one, other) = (one.abs(), other.abs());
            Measure::Counts { bad: one.min(other), total: one.max(other) }
        }),
        buckets(),
        finite().prop_map(Measure::Value),
        (finite(), finite()).prop_map(|(value, per)| Measure::Rated { value, per: per.abs() }),
        (finite(), labels).prop_map(|(value, series)| Measure::Worst { value, series }),
    ]
}

fn observed() -> impl Strategy<Value = Observed> {
    let instance = (text(), measure()).prop_map(|(name, measure)| InstanceEvidence { name, measure });
    (measure(), vec(instance, 0..3), any::<u32>(), 1..=u32::MAX, any::<u32>(), any::<u32>()).prop_map(
        |(measure, instances, seen, expected, nan, infinite)| Observed {
            measure,
            instances,
            seen,
            expected,
            nan,
            infinite,
        },
    )
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        text().prop_map(|series| Fault::CohortsOverlap { series }),
        text().prop_map(|selector| Fault::BadNeverSeen { selector }),
        (text(), text()).prop_map(|(threshold, bounds)| Fault::ThresholdNotABucket { threshold, bounds }),
        text().prop_map(|message| Fault::PartialAnswer { message }),
    ]
}

fn notice() -> impl Strategy<Value = Notice> {
    prop_oneof![
        any::<u32>().prop_map(|series| Notice::StartsAtFirstSample { series }),
        any::<u32>().prop_map(|series| Notice::GapNotBridged { series }),
        Just(Notice::BoundsDiffer),
        Just(Notice::NativeAndClassic),
        Just(Notice::BadAboveTotal),
        Just(Notice::NoInstanceLabel),
        any::<u32>().prop_map(|instances| Notice::TooManyInstances { instances }),
        any::<u32>().prop_map(|bytes| Notice::InstanceNameTooLong { bytes }),
        any::<u64>().prop_map(|ago_ms| Notice::BaselineIsHistory { ago_ms }),
        text().prop_map(|message| Notice::Remark { message }),
    ]
}

/// Boxed, as what holds it is: the stack of a test is small for strategies of strategies.
fn check() -> BoxedStrategy<CheckEvidence> {
    (observed(), option::of(observed()), vec(fault(), 0..3), vec(notice(), 0..3))
        .prop_map(|(canary, baseline, faults, notices)| CheckEvidence { canary, baseline, faults, notices })
        .boxed()
}

fn counts() -> impl Strategy<Value = Counts> {
    (finite(), finite()).prop_map(|(one, other)| {
        let (one, other) = (one.abs(), other.abs());
        Counts { bad: one.min(other), total: one.max(other) }
    })
}

fn span() -> impl Strategy<Value = SpanReading> {
    let beside = option::of(finite().prop_map(f64::abs));
    (any::<u64>(), option::of(counts()), any::<[u32; 2]>(), beside).prop_map(|(ms, counts, seen, beside)| {
        let bad_events = beside.unwrap_or(counts.map_or(0.0, |counts| counts.bad));
        let (seen, slices) = (seen[0].min(seen[1]), seen[0].max(seen[1]));
        SpanReading { length: Duration::from_millis(ms), counts, seen, slices, bad_events }
    })
}

fn service() -> BoxedStrategy<ServiceReading> {
    let times = (any::<[i64; 4]>(), any::<bool>(), any::<bool>());
    let spans = (vec(span(), 0..6), span(), option::of(span()));
    let rest = (finite(), vec("[a-z][a-z0-9._-]{0,20}", 0..3), option::of(counts()));
    (times, spans, rest)
        .prop_map(|((mut times, rolls, seen), (mut windows, period, events), rest)| {
            times.sort_unstable();
            let [from, first, through, to] = times.map(Timestamp::from_millis);
            windows.sort_by_key(|window| window.length);
            windows.dedup_by_key(|window| window.length);
            ServiceReading {
                through,
                windows,
                period,
                events: events.unwrap_or(period),
                period_from: from,
                period_to: if rolls { through } else { to },
                seen_from: seen.then_some(first),
                spent_by_others: rest.0.abs(),
                paging: rest.1,
                before: rest.2,
            }
        })
        .boxed()
}

fn counted() -> impl Strategy<Value = Measure> {
    prop_oneof![Just(Measure::Nothing), counts().prop_map(|Counts { bad, total }| Measure::Counts { bad, total })]
}

/// A cohort as a whole and by stratum.
fn cohort() -> BoxedStrategy<Observed> {
    let stratum = (text(), counted()).prop_map(|(name, measure)| InstanceEvidence { name, measure });
    (counted(), vec(stratum, 0..3))
        .prop_map(|(measure, instances)| Observed { measure, instances, ..Observed::nothing(4) })
        .boxed()
}

fn budget() -> BoxedStrategy<BudgetEvidence> {
    (check(), cohort(), option::of(cohort()), option::of(service()))
        .prop_map(|(check, canary, baseline, service)| BudgetEvidence {
            wave: CheckEvidence { canary, baseline, ..check },
            service,
        })
        .boxed()
}

fn charge() -> impl Strategy<Value = Charge> {
    let names = ("[a-z0-9][a-z0-9._-]{0,63}", "[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}", 1..=u32::MAX);
    let events = (counts(), counts(), counts(), finite());
    (names, any::<[i64; 2]>(), events).prop_map(|((slo, rules, attempt), times, events)| {
        let [from, to] = [times[0].min(times[1]), times[0].max(times[1])].map(Timestamp::from_millis);
        let (canary, baseline, planned, excess) = events;
        let spent = Spent { from, to, canary, baseline, planned, excess };
        let charged = Charged { wave: "it's a wave".to_owned(), rules, attempt, spent };
        Charge { slo: SloName::new(&slo).unwrap(), digest: Digest::of(slo.as_bytes()), charged }
    })
}

fn interval() -> impl Strategy<Value = IntervalEvidence> {
    let parts = (any::<i64>(), any::<i64>(), vec(check(), 0..4), option::of(budget()));
    parts.prop_filter_map("a span", |(one, other, checks, budget)| {
        let (from, to) = (Timestamp::from_millis(one.min(other)), Timestamp::from_millis(one.max(other)));
        (from < to).then_some(IntervalEvidence { window: Window { from, to }, checks, budget })
    })
}

fn instant() -> impl Strategy<Value = Timestamp> {
    any::<i64>().prop_map(Timestamp::from_millis)
}

fn timing() -> impl Strategy<Value = Timing> {
    let interval = (1..=u32::MAX).prop_map(|ms| Duration::from_millis(ms.into()));
    (instant(), interval.clone(), interval, instant(), instant(), instant()).prop_map(
        |(start, interval, scrape, warm, min_end, deadline)| Timing {
            start,
            interval,
            scrape,
            warm,
            min_end,
            deadline,
        },
    )
}

fn standing() -> impl Strategy<Value = (GateState, Verdict)> {
    proptest::sample::select(vec![
        (GateState::Scheduled, Verdict::Pause),
        (GateState::WarmingUp, Verdict::Pause),
        (GateState::Analyzing, Verdict::Pause),
        (GateState::Held, Verdict::Pause),
        (GateState::Decided, Verdict::Pass),
        (GateState::Decided, Verdict::Fail),
        (GateState::Cancelled, Verdict::Pause),
    ])
}

fn gate() -> impl Strategy<Value = Gate> {
    let word = proptest::sample::select(vec![Some(Verdict::Pass), Some(Verdict::Fail), None]);
    let decision =
        (word, text(), text(), instant()).prop_map(|(verdict, by, why, at)| Decision { verdict, by, why, at });
    let outage = (instant(), text()).prop_map(|(since, message)| Outage { since, message });
    let counts = (1..=u32::MAX, any::<u32>(), 1..=u32::MAX);
    let instants = (instant(), instant(), option::of(instant()), instant());
    let params = btree_map(text(), text(), 0..3);
    let names = ("[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}", option::of(text()), option::of(text()), params);
    let attested = (text(), option::of(text()), option::of(text()), instant())
        .prop_map(|(by, note, url, at)| Attestation { by, note, url, at });
    let one = (text(), option::of(attested)).prop_map(|(name, attested)| Requirement { name, attested });
    let requires = vec(one, 0..4);
    let class = proptest::sample::select(vec![Class::Standard, Class::Exploratory]);
    let would = option::of(standing());
    let parts = (option::of(timing()), option::of(outage), option::of(decision), standing(), requires, would, class);
    (names, counts, instants, parts).prop_map(|(names, counts, instants, parts)| {
        let (timing, outage, decision, (mut state, mut verdict), requires, would, class) = parts;
        let would = would.map(|(state, verdict)| Would { verdict, state });
        if would.is_some() && (state == GateState::Held || verdict == Verdict::Fail) {
            (state, verdict) = (GateState::Decided, Verdict::Pass);
        }
        Gate {
            class,
            rules: RulesName::new(&names.0).unwrap(),
            digest: Digest::of(b"text"),
            attempt: counts.0,
            run: names.1,
            baseline: names.2,
            params: names.3,
            opened_at: instants.0,
            start: instants.1,
            deadline: instants.2,
            timing,
            judged: counts.1,
            state,
            verdict,
            revision: counts.2,
            judgement: None,
            outage,
            decision,
            requires,
            would,
            revised_at: instants.3,
        }
    })
}

proptest! {
    /// Compared as text, which tells `-0.0` from `0.0`.
    #[test]
    fn evidence_survives_to_the_last_bit(evidence in interval()) {
        let body = write_evidence(&evidence).unwrap();
        let back = read_evidence(&body).unwrap();
        prop_assert_eq!(format!("{back:?}"), format!("{evidence:?}"));
        prop_assert_eq!(write_evidence(&back).unwrap(), body);
    }

    #[test]
    fn gates_survive(gate in gate()) {
        let row = GateRow::try_from(&gate).unwrap();
        prop_assert_eq!(row.is_final(), gate.state.is_final());
        prop_assert_eq!(row.gate(Digest::of(b"text")).unwrap(), gate);
    }

    #[test]
    fn charges_survive(charge in charge()) {
        let row = ChargeRow::try_from(&charge).unwrap();
        prop_assert_eq!(Charge::try_from(row).unwrap(), charge);
    }

    #[test]
    fn slices_survive(start in instant(), counts in option::of(counts())) {
        prop_assert_eq!(SliceRow::try_from(&(start, counts)).unwrap().slice().unwrap(), (start, counts));
    }

    #[test]
    fn no_text_makes_reading_panic(body in any::<String>()) {
        let _ = read_evidence(&body);
    }
}

fn with_measure(measure: Measure) -> IntervalEvidence {
    let canary = Observed { measure, ..Observed::nothing(1) };
    let check = CheckEvidence { canary, baseline: None, faults: Vec::new(), notices: Vec::new() };
    let window = Window { from: Timestamp::from_millis(0), to: Timestamp::from_millis(1) };
    IntervalEvidence { window, checks: vec![check], budget: None }
}

#[test]
fn the_written_form_is_compact_and_stable() {
    let buckets = Buckets::new(vec![f64::NEG_INFINITY, 0.1, f64::INFINITY], vec![0.0, 2.5, 1.0]).unwrap();
    assert_eq!(
        write_evidence(&with_measure(Measure::Buckets(buckets))).unwrap(),
        r#"{"from":0,"to":1,"checks":[{"canary":{"measure":{"buckets":{"bounds":["-Inf",0.1,"+Inf"],"counts":[0.0,2.5,1.0]}},"seen":0,"expected":1}}]}"#
    );
}

#[test]
fn instances_make_an_interval_a_few_kilobytes_large() {
    let instance = |index: u32| InstanceEvidence {
        name: format!("checkout-7d9f8b6c5d-x2x{index:02}"),
        measure: Measure::Counts { bad: f64::from(index), total: 1234.0 + f64::from(index) },
    };
    let seen = Observed { measure: Measure::Counts { bad: 190.0, total: 24_870.0 }, seen: 1, ..Observed::nothing(1) };
    let canary = Observed { instances: (0..20).map(instance).collect(), ..seen.clone() };
    let check = CheckEvidence { canary, baseline: Some(seen), ..CheckEvidence::missing() };
    let window =
        Window { from: Timestamp::from_millis(1_790_000_000_000), to: Timestamp::from_millis(1_790_000_015_000) };
    let bytes = write_evidence(&IntervalEvidence { window, checks: vec![check; 3], budget: None }).unwrap().len();
    assert!(bytes < 6 * 1024, "{bytes} bytes");
}

#[test]
fn numbers_that_are_no_evidence_are_not_written() {
    #[track_caller]
    fn check(measure: Measure) {
        let fault = write_evidence(&with_measure(measure)).unwrap_err();
        assert!(fault.contains("is not a measure"), "{fault}");
    }
    check(Measure::Value(f64::NAN));
    check(Measure::Value(f64::INFINITY));
    check(Measure::Worst { value: f64::NEG_INFINITY, series: Labels::default() });
    check(Measure::Counts { bad: 2.0, total: 1.0 });
    check(Measure::Counts { bad: -1.0, total: 1.0 });
    check(Measure::Counts { bad: 0.0, total: f64::INFINITY });
    check(Measure::Counts { bad: f64::NAN, total: f64::NAN });
}

#[test]
fn bodies_that_make_no_sense_are_not_read() {
    #[track_caller]
    fn check(canary: &str, expect: &str) {
        let body = format!(r#"{{"from":0,"to":1,"checks":[{{"canary":{canary}}}]}}"#);
        let fault = read_evidence(&body).unwrap_err();
        assert!(fault.contains(expect), "{canary}: {fault}");
    }
    check(r#"{"measure":"nothing","seen":1,"expected":0}"#, "no sample is expected");
    check(r#"{"measure":"nothing","seen":-1,"expected":1}"#, "invalid value");
    check(r#"{"measure":"nothing","seen":1,"expected":1,"odd":1}"#, "unknown field `odd`");
    check(r#"{"measure":"sums","seen":1,"expected":1}"#, "unknown variant `sums`");
    check(r#"{"measure":{"value":1e999},"seen":1,"expected":1}"#, "out of range");
    check(r#"{"measure":{"value":null},"seen":1,"expected":1}"#, "invalid type: null");
    check(r#"{"measure":{"counts":{"bad":2.0,"total":1.0}},"seen":1,"expected":1}"#, "is not a measure");
    check(r#"{"measure":{"buckets":{"bounds":[1.0],"counts":[1.0]}},"seen":1,"expected":1}"#, "no histogram");
    let fault = read_evidence(r#"{"from":1,"to":1,"checks":[]}"#).unwrap_err();
    assert!(fault.contains("ends before it begins"), "{fault}");
}

#[test]
fn gates_that_cannot_be_are_refused_on_both_ways() {
    let sound = GateRow {
        rules: "r".to_owned(),
        attempt: 1,
        digest: Digest::of(b"text").as_str().to_owned(),
        run: None,
        baseline: None,
        params: "{}".to_owned(),
        class: "standard".to_owned(),
        opened_at: 0,
        start_at: 0,
        deadline_at: None,
        timing: None,
        judged: 0,
        state: "analyzing".to_owned(),
        verdict: "pause".to_owned(),
        revision: 1,
        outage: None,
        decision: None,
        requires: None,
        would: None,
        revised_at: 0,
    };
    let gate = sound.gate(Digest::of(b"text")).unwrap();
    let check = |change: &dyn Fn(&mut GateRow), expect: &str| {
        let mut row = sound.clone();
        change(&mut row);
        let fault = row.gate(Digest::of(b"text")).unwrap_err();
        assert!(fault.contains(expect), "{fault}");
    };
    check(&|row| row.rules = "a b".to_owned(), "no rule file's name");
    check(&|row| row.attempt = -1, "attempt is -1");
    check(&|row| row.attempt = 0, "count from 1");
    check(&|row| row.judged = 1 << 40, "judged is");
    check(&|row| row.state = "Analyzing".to_owned(), "no state");
    check(&|row| row.verdict = "pass".to_owned(), "cannot say pass");
    check(&|row| row.state = "decided".to_owned(), "cannot say pause");
    check(&|row| row.digest = "sha256:0".to_owned(), "has the digest");
    check(&|row| row.class = "Standard".to_owned(), "no class");
    check(&|row| row.params = r#"{"a":1}"#.to_owned(), "invalid type");
    check(&|row| row.outage = Some("{}".to_owned()), "missing field");
    check(&|row| row.decision = Some(r#"{"verdict":"pause","by":"","why":"","at":0}"#.to_owned()), "a person decides");
    let zero = r#"{"start":0,"interval_ms":0,"scrape_ms":1,"warm":0,"min_end":0,"deadline":0}"#;
    check(&|row| row.timing = Some(zero.to_owned()), "nonzero");

    let at = Timestamp::from_millis(0);
    for interval in [Duration::ZERO, Duration::from_micros(1500), Duration::from_hours(24 * 60)] {
        let timing = Timing { start: at, interval, scrape: interval, warm: at, min_end: at, deadline: at };
        let fault = GateRow::try_from(&Gate { timing: Some(timing), ..gate.clone() }).unwrap_err();
        assert!(fault.contains("whole milliseconds"), "{fault}");
    }
    assert!(GateRow::try_from(&Gate { revision: 0, ..gate.clone() }).is_err());
    assert!(GateRow::try_from(&Gate { verdict: Verdict::Fail, ..gate }).is_err());
}

#[test]
fn counts_that_cannot_be_are_refused_on_both_ways() {
    let hostile = [(2.0, 1.0), (-1.0, 1.0), (0.0, f64::INFINITY), (f64::NAN, 1.0), (0.0, f64::NAN)];
    let at = Timestamp::from_millis(7);
    let none = Counts::default();
    let spent = Spent { from: at, to: at, canary: none, baseline: none, planned: none, excess: -0.5 };
    let sound = Charge {
        slo: SloName::new("checkout").unwrap(),
        digest: Digest::of(b"slo"),
        charged: Charged { wave: "w".to_owned(), rules: "r".to_owned(), attempt: 1, spent },
    };
    let row = ChargeRow::try_from(&sound).unwrap();
    let with = |spent| Charge { charged: Charged { spent, ..sound.charged.clone() }, ..sound.clone() };
    for (bad, total) in hostile {
        let counts = Counts { bad, total };
        assert!(SliceRow::try_from(&(at, Some(counts))).unwrap_err().contains("no count"));
        assert!(SliceRow { start_at: 7, bad: Some(bad), total: Some(total) }.slice().is_err());
        for spent in
            [Spent { canary: counts, ..spent }, Spent { baseline: counts, ..spent }, Spent { planned: counts, ..spent }]
        {
            assert!(ChargeRow::try_from(&with(spent)).unwrap_err().contains("no count"));
        }
        assert!(Charge::try_from(ChargeRow { planned_bad: bad, planned_total: total, ..row.clone() }).is_err());
    }
    assert!(SliceRow { start_at: 7, bad: None, total: Some(1.0) }.slice().unwrap_err().contains("missing"));
    assert!(ChargeRow::try_from(&with(Spent { excess: f64::NAN, ..spent })).is_err());
    let before = Timestamp::from_millis(6);
    assert!(ChargeRow::try_from(&with(Spent { to: before, ..spent })).unwrap_err().contains("before it begins"));

    let check = |change: &dyn Fn(&mut ChargeRow), expect: &str| {
        let mut row = row.clone();
        change(&mut row);
        let fault = Charge::try_from(row).unwrap_err();
        assert!(fault.contains(expect), "{fault}");
    };
    check(&|row| row.slo = "a b".to_owned(), "no SLO's name");
    check(&|row| row.rules = String::new(), "no rule file's name");
    check(&|row| row.wave = String::new(), "no wave id");
    check(&|row| row.attempt = 0, "attempt is 0");
    check(&|row| row.digest = "sha256:0".to_owned(), "no digest");
    check(&|row| row.to_at = 6, "before it begins");
    check(&|row| row.excess = f64::INFINITY, "an excess of");
}
