//! What is written of an error budget is small and reads back; what makes no sense is refused.

use crate::series::BudgetEvidence;
use crate::series::CheckEvidence;
use crate::series::Counts;
use crate::series::InstanceEvidence;
use crate::series::IntervalEvidence;
use crate::series::Measure;
use crate::series::Observed;
use crate::series::ServiceReading;
use crate::series::SpanReading;
use crate::series::Timestamp;
use crate::series::Window;
use crate::wire::read_evidence;
use crate::wire::write_evidence;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

fn at(ms: i64) -> Timestamp {
    Timestamp::from_millis(ms)
}

fn span(length: Duration, bad: f64, total: f64) -> SpanReading {
    let slices = u32::try_from(length.as_secs() / 60).unwrap();
    SpanReading { length, counts: Some(Counts { bad, total }), seen: slices, slices, bad_events: bad }
}

/// A service of 200 requests a second that promises 99.9 % over 30 days, with the four windows
/// of its two tiers that page.
fn service() -> ServiceReading {
    let through = at(1_790_000_040_000);
    let period = span(DAY * 30, 312_045.0, 518_400_123.0);
    ServiceReading {
        through,
        windows: vec![
            span(Duration::from_mins(5), 61.0, 60_012.0),
            span(Duration::from_mins(30), 355.0, 360_101.0),
            span(Duration::from_hours(1), 702.0, 720_044.0),
            span(Duration::from_hours(6), 4210.0, 4_320_512.0),
        ],
        period,
        events: period,
        period_from: through - DAY * 30,
        period_to: through,
        seen_from: Some(through - DAY * 30 + Duration::from_mins(1)),
        spent_by_others: 1234.5,
        paging: Vec::new(),
        before: None,
    }
}

fn counted(bad: f64, total: f64) -> Observed {
    Observed { measure: Measure::Counts { bad, total }, seen: 1, ..Observed::nothing(1) }
}

fn interval(budget: Option<BudgetEvidence>) -> IntervalEvidence {
    let window = Window { from: at(1_790_000_000_000), to: at(1_790_000_060_000) };
    IntervalEvidence { window, checks: Vec::new(), budget }
}

fn budget() -> BudgetEvidence {
    let baseline = Some(counted(11.0, 10_800.0));
    let wave = CheckEvidence { canary: counted(3.0, 1200.0), baseline, ..CheckEvidence::missing() };
    BudgetEvidence { wave, service: Some(service()) }
}

#[test]
fn a_budget_makes_an_interval_a_few_hundred_bytes_larger() {
    let without = write_evidence(&interval(None)).unwrap();
    let with = write_evidence(&interval(Some(budget()))).unwrap();
    assert_eq!(
        with,
        concat!(
            r#"{"from":1790000000000,"to":1790000060000,"checks":[],"budget":{"wave":"#,
            r#"{"canary":{"measure":{"counts":{"bad":3.0,"total":1200.0}},"seen":1,"expected":1},"#,
            r#""baseline":{"measure":{"counts":{"bad":11.0,"total":10800.0}},"seen":1,"expected":1}},"#,
            r#""service":{"through":1790000040000,"windows":[[300000,5,5,61.0,60012.0],"#,
            r#"[1800000,30,30,355.0,360101.0],[3600000,60,60,702.0,720044.0],"#,
            r#"[21600000,360,360,4210.0,4320512.0]],"period":[2592000000,43200,43200,312045.0,518400123.0],"#,
            r#""from":1787408040000,"seen_from":1787408100000,"others":1234.5}}}"#
        )
    );
    assert!(with.len() - without.len() < 512, "{} bytes", with.len() - without.len());
    assert_eq!(read_evidence(&with).unwrap(), interval(Some(budget())));
    assert_eq!(read_evidence(&without).unwrap(), interval(None), "as all evidence was before there were budgets");
}

#[test]
fn what_was_not_seen_stays_apart_from_what_was_empty() {
    let unseen = SpanReading { counts: None, seen: 0, bad_events: 0.0, ..span(DAY, 0.0, 0.0) };
    let empty = span(DAY, 0.0, 0.0);
    let reading = ServiceReading { period: unseen, events: empty, windows: vec![unseen], seen_from: None, ..service() };
    for service in [Some(reading), None] {
        let evidence = interval(Some(BudgetEvidence { service, ..budget() }));
        assert_eq!(read_evidence(&write_evidence(&evidence).unwrap()).unwrap(), evidence);
    }
}

#[test]
fn bad_events_stand_beside_slices_that_are_counted() {
    // One bad slice of five, which 61 events made bad; and slices that are none, with their events.
    let slices = SpanReading { bad_events: 61.0, ..span(Duration::from_mins(5), 1.0, 5.0) };
    let ignored = SpanReading { counts: None, bad_events: 7.0, ..span(Duration::from_mins(10), 0.0, 0.0) };
    let reading = ServiceReading { windows: vec![slices, ignored], ..service() };
    let evidence = interval(Some(BudgetEvidence { service: Some(reading), ..budget() }));
    let body = write_evidence(&evidence).unwrap();
    assert!(body.contains(r#""windows":[[300000,5,5,1.0,5.0,61.0],[600000,10,10,7.0]]"#), "{body}");
    assert_eq!(read_evidence(&body).unwrap(), evidence);
}

#[test]
fn a_reading_that_makes_no_sense_is_refused_on_both_ways() {
    #[track_caller]
    fn check(change: impl Fn(&mut ServiceReading), expect: &str) {
        let mut reading = service();
        change(&mut reading);
        let evidence = interval(Some(BudgetEvidence { service: Some(reading), ..budget() }));
        let fault = write_evidence(&evidence).unwrap_err();
        assert!(fault.contains(expect), "{fault}");
    }
    let counts = |bad, total| Some(Counts { bad, total });
    check(|reading| reading.period_from = reading.through + DAY, "in disorder");
    check(|reading| reading.period_to = reading.through - DAY, "in disorder");
    check(|reading| reading.seen_from = Some(reading.through + DAY), "in disorder");
    check(|reading| reading.seen_from = Some(reading.period_from - DAY), "in disorder");
    check(|reading| reading.windows.reverse(), "the shortest first");
    check(|reading| reading.windows[1] = reading.windows[0], "the shortest first");
    check(|reading| reading.windows[0].length = Duration::from_nanos(1), "whole milliseconds");
    check(|reading| reading.windows[3].length = Duration::MAX, "whole milliseconds");
    check(|reading| reading.period.seen += 1, "43201 slices were seen of 43200");
    check(|reading| reading.period.counts = counts(2.0, 1.0), "2 bad of 1 events");
    check(|reading| reading.events.counts = counts(-1.0, 1.0), "-1 bad");
    check(|reading| reading.windows[3].counts = counts(0.0, f64::INFINITY), "no count");
    check(|reading| reading.before = counts(f64::NAN, f64::NAN), "no count");
    check(|reading| reading.windows[0].bad_events = -1.0, "no count of bad events");
    check(|reading| reading.events.bad_events = f64::NAN, "no count of bad events");
    check(|reading| reading.spent_by_others = -1.0, "cannot have spent");
    check(|reading| reading.spent_by_others = f64::NAN, "cannot have spent");
    check(|reading| reading.paging = vec!["an SLO".to_owned()], "no SLO's name");

    for measure in [Measure::Value(1.0), Measure::Rated { value: 1.0, per: 1.0 }] {
        let as_a_whole = Observed { measure: measure.clone(), ..counted(0.0, 1.0) };
        let stratum = InstanceEvidence { name: "eu".to_owned(), measure };
        let by_stratum = Observed { instances: vec![stratum], ..counted(0.0, 1.0) };
        for canary in [as_a_whole, by_stratum] {
            let wave = CheckEvidence { canary, ..budget().wave };
            let fault = write_evidence(&interval(Some(BudgetEvidence { wave, service: None }))).unwrap_err();
            assert!(fault.contains("not judged by counts"), "{fault}");
        }
    }
}

#[test]
fn a_body_that_makes_no_sense_is_not_read() {
    #[track_caller]
    fn check(from: &str, to: &str, expect: &str) {
        let body = write_evidence(&interval(Some(budget()))).unwrap();
        let changed = body.replacen(from, to, 1);
        assert_ne!(changed, body);
        let fault = read_evidence(&changed).unwrap_err();
        assert!(fault.contains(expect), "{changed}: {fault}");
    }
    check("[300000,5,5,61.0,60012.0]", "[300000,5,6,61.0,60012.0]", "6 slices were seen of 5");
    check("[300000,5,5,61.0,60012.0]", "[300000,5]", "did not match");
    check("[300000,5,5,61.0,60012.0]", "[300000,5,5,61.0,60012.0,1,1]", "did not match");
    check("[300000,5,5,61.0,60012.0]", "[300000,5,5,61.0,60012.0,-1]", "no count of bad events");
    check("[300000,5,5,61.0,60012.0]", "[-300000,5,5,61.0,60012.0]", "did not match");
    check("[300000,5,5,61.0,60012.0]", "[300000,5,5,-61.0,60012.0]", "no count");
    check(r#""through":1790000040000"#, r#""through":1"#, "in disorder");
    check(r#""others":1234.5"#, r#""others":-0.5"#, "cannot have spent");
    check(r#""others":1234.5"#, r#""other":1"#, "unknown field `other`");
    check(r#""others":1234.5"#, r#""before":[2,1]"#, "2 bad of 1");
    check(r#""others":1234.5"#, r#""paging":[""]"#, "no SLO's name");
    check(r#""period":"#, r#""events":"#, "missing field `period`");
    check(r#"{"counts":{"bad":3.0,"total":1200.0}}"#, r#"{"value":1.0}"#, "not judged by counts");
    check(r#""budget":{"#, r#""budget":{"odd":1,"#, "unknown field `odd`");
}
