//! What is asked of a source: once, in parts, within limits; and how often it scrapes.

use crate::gather::BEGAN;
use crate::gather::block_on;
use crate::gather::counts;
use crate::gather::gather_from;
use crate::gather::memory::Memory;
use crate::gather::memory::at;
use crate::gather::memory::scrapes;
use crate::gather::ratio;
use crate::gather::rules;
use crate::gather::service;
use crate::gather::threshold;
use crate::gather::windows;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::rules::RuleFile;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::Fault;
use wavegate::series::Measure;
use wavegate::sources::Error;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;

#[test]
fn births_of_a_whole_run_are_asked_about_once() {
    let mut source = service(2.0);
    for (k, code) in ["501", "502", "503"].into_iter().enumerate() {
        let first = BEGAN + 20 + 30 * i64::try_from(k).unwrap();
        source.add(&format!("requests_total{{wave_id=new,pod=n,code={code}}}"), scrapes(first, 7800, 1.0));
    }
    gather_from(&source, &ratio(), &windows(8, 15));
    let asked = source.asked();
    let births = asked.iter().filter(|question| question.contains("[1h]")).count();
    // Of the bad and of all events: was it there, and was anything of the metric, which is one.
    assert_eq!((births, asked.len()), (3, 7), "{asked:#?}");
}

#[test]
fn an_answer_that_is_too_large_is_asked_for_in_parts() {
    let source = service(2.0);
    let whole = gather_from(&source, &ratio(), &windows(8, 15));
    // A window and the five minutes before it are twice 21 samples of each of two pods.
    let source = Memory { max_samples: Some(100), ..source };
    assert_eq!(gather_from(&source, &ratio(), &windows(8, 15)), whole);
    let source = Memory { max_samples: Some(20), ..source };
    let (rules, windows) = (ratio(), windows(8, 15));
    let (interval, scrape) = (Duration::from_secs(15), Duration::from_secs(15));
    let request = Request {
        rules: &rules,
        wave: "new",
        baseline: None,
        params: &NO_PARAMS,
        began: at(BEGAN),
        interval,
        scrape,
        windows: &windows,
    };
    let refused = block_on(gather::evidence(gather::Sources::only(&source), &request));
    assert!(matches!(refused, Err(Error::TooLarge { .. })), "{refused:?}");
}

#[test]
fn equal_questions_are_asked_once() {
    let twice = rules(
        "  - name: a\n    ratio: { bad: 'requests_total{code=~\"5..\"}', total: requests_total }\n\
         \x20 - name: b\n    ratio: { bad: 'requests_total{code=\"500\"}', total: requests_total }\n",
    );
    let source = service(2.0);
    gather_from(&source, &twice, &windows(8, 15));
    assert_eq!(source.asked().len(), 6, "{:#?}", source.asked());
}

#[test]
fn no_windows_are_no_evidence_and_no_question() {
    let source = service(2.0);
    assert_eq!((gather_from(&source, &ratio(), &[]), source.asked()), (vec![], vec![]));
}

#[test]
fn more_series_than_one_interval_is_folded_from_are_not_read() {
    let mut source = service(2.0);
    for k in 0..50_000 {
        source.add(&format!("requests_total{{wave_id=new,pod=n{k},code=200}}"), vec![(BEGAN + 50, 1.0)]);
    }
    // From the window that has them on, for as long as an increment may reach back to them.
    let windows = windows(26, 15);
    for (index, is_read) in [(2, true), (23, false), (24, true)] {
        let check = gather_from(&source, &ratio(), &windows[index..=index])[0].checks[0].clone();
        if is_read {
            assert_eq!((check.canary.measure, check.faults), (counts(2.0, 100.0), vec![]), "{index}");
        } else {
            assert_eq!((check.canary.measure, check.canary.seen), (Measure::Nothing, 0), "{index}");
            assert!(
                matches!(&check.faults[..], [Fault::PartialAnswer { message }] if message.contains("50000 series"))
            );
        }
        assert_eq!(check.baseline.unwrap().measure, counts(2.0, 100.0));
    }
}

#[test]
fn the_survey_is_the_median_distance_of_scrapes() {
    let surveyed = |source: &Memory, rules: &RuleFile| {
        let bindings = Bindings { wave: "new", baseline: Some("old"), params: &BTreeMap::new() };
        block_on(gather::survey(source, rules, &bindings, at(BEGAN))).unwrap()
    };
    assert_eq!(surveyed(&service(2.0), &ratio()), Some(Duration::from_secs(15)));
    let inside = threshold("sum by (pod) (requests_total) / 2", "max: 1");
    assert_eq!(surveyed(&service(2.0), &inside), Some(Duration::from_secs(15)), "of a selector in an expression");
    assert_eq!(surveyed(&Memory::default(), &ratio()), None);

    let mut jittered = Memory::default();
    let samples = [-290, -280, -269, -260, -60, -50, -40, -30];
    jittered.add("requests_total{wave_id=new,pod=n}", samples.iter().map(|second| (BEGAN + second, 1.0)).collect());
    assert_eq!(surveyed(&jittered, &ratio()), Some(Duration::from_secs(10)), "of the canary, without a baseline");
}

#[test]
fn the_survey_takes_the_slowest_of_the_checks() {
    let mut source = service(2.0);
    source.add("slow_total{wave_id=old,pod=o}", (0..20).map(|k| (BEGAN - 60 * k, 1.0)).collect());
    let both = rules(
        "  - name: a\n    ratio: { bad: requests_total, total: requests_total }\n\
         \x20 - name: b\n    gauge: 'rate(slow_total[$interval])'\n",
    );
    let bindings = Bindings { wave: "new", baseline: Some("old"), params: &BTreeMap::new() };
    let surveyed = block_on(gather::survey(&source, &both, &bindings, at(BEGAN))).unwrap();
    assert_eq!(surveyed, Some(Duration::from_mins(1)));
}
