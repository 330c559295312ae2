//! Evidence from a real Prometheus.

use crate::support::prometheus::PrometheusServer;
use crate::support::waves::Wave;
use crate::support::waves::openmetrics;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::query::Bindings;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::CheckEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;
use wavegate::sources::prometheus::Endpoint;
use wavegate::sources::prometheus::Prometheus;
use wavegate::sources::prometheus::Settings;

const SCRAPE: Duration = Duration::from_secs(15);

/// New instances that have no 5xx series before their first error, and a restart
/// of every instance in the fourth minute.
fn wave() -> Wave {
    let start = Timestamp::parse("2026-01-05T10:00:00Z").unwrap();
    Wave {
        canary_from_minute: 0,
        errors_exported_at_zero: false,
        restarts_at_minutes: vec![3],
        minutes_after: 12,
        ..Wave::new("new", start)
    }
}

async fn evidence(source: &Prometheus, windows: &[Window]) -> Vec<IntervalEvidence> {
    let text = include_str!("../../../rules/http-service.yaml");
    let rules = rules::parse("http-service.yaml", text).unwrap().rules;
    let (wave, baseline) = (wave(), wave().baseline());
    let began = wave.start;
    let request = Request {
        rules: &rules,
        wave: &wave.id,
        baseline: Some(&baseline),
        params: &NO_PARAMS,
        began,
        interval: SCRAPE,
        scrape: SCRAPE,
        windows,
    };
    let bindings = Bindings { wave: &wave.id, baseline: Some(&baseline), params: &BTreeMap::new() };
    let surveyed = gather::survey(source, &rules, &bindings, began).await.unwrap();
    assert_eq!(surveyed, Some(SCRAPE));
    gather::evidence(gather::Sources::only(source), &request).await.unwrap()
}

/// The names of the canary's instances, and what they counted together.
fn instances(check: &CheckEvidence) -> (Vec<String>, f64) {
    assert!(!check.baseline.as_ref().unwrap().instances.is_empty());
    let counted = |measure: &Measure| if let Measure::Counts { total, .. } = measure { *total } else { panic!() };
    let all = &check.canary.instances;
    (all.iter().map(|one| one.name.clone()).collect(), all.iter().map(|one| counted(&one.measure)).sum())
}

#[tokio::test]
async fn a_real_server_gives_each_window_the_same_evidence_however_it_is_asked() {
    let server = PrometheusServer::backfilled(&openmetrics(&[wave()]));
    let source = Prometheus::new("main", Settings::new(Endpoint::parse(&server.url()).unwrap())).unwrap();
    let window = |k: u32| Window { from: wave().start + SCRAPE * k, to: wave().start + SCRAPE * (k + 1) };
    let windows: Vec<Window> = (0..40).map(window).collect();

    let at_once = evidence(&source, &windows).await;
    let mut in_parts = Vec::new();
    for run in [&windows[..1], &windows[1..2], &windows[2..11], &windows[11..12], &windows[12..40]] {
        in_parts.extend(evidence(&source, run).await);
    }
    assert_eq!(at_once, in_parts);

    // 51 and 102 requests a second; the instances are new, so all of them count, restarts or not.
    let (mut requests, mut apart) = ((0.0, 0.0), Vec::new());
    for one in &at_once {
        let [errors, latency, tail, cpu, memory] = &one.checks[..] else { panic!("five checks") };
        for check in &one.checks {
            assert_eq!(check.faults, [], "{:?}", one.window);
        }
        assert!(!errors.notices.iter().any(|notice| matches!(notice, Notice::GapNotBridged { .. })));
        let baseline = errors.baseline.as_ref().unwrap();
        let (Measure::Counts { total: canary, .. }, Measure::Counts { total: baseline, .. }) =
            (&errors.canary.measure, &baseline.measure)
        else {
            panic!("{errors:?}")
        };
        requests = (requests.0 + canary, requests.1 + baseline);
        apart.push(instances(errors));
        assert!(matches!(&latency.canary.measure, Measure::Buckets(buckets) if buckets.bounds().len() == 12));
        assert_eq!((&tail.canary.measure, &tail.baseline), (&latency.canary.measure, &latency.baseline));
        assert!(matches!(memory.canary.measure, Measure::Value(bytes) if (1.0e8..1.0e9).contains(&bytes)));
        // The first sample of a new instance gives no rate.
        if one.window.from > wave().start {
            assert!(matches!(cpu.canary.measure, Measure::Value(cores) if (0.1..0.6).contains(&cores)), "{cpu:?}");
        }
    }
    for (found, expect) in [(requests.0, 51.0 * 600.0), (requests.1, 102.0 * 600.0)] {
        assert!((found / expect - 1.0_f64).abs() < 0.15, "{found} of {expect}");
    }
    let pods = ["new-canary-0", "new-canary-1", "new-canary-2"].map(str::to_owned);
    assert!(apart[1..].iter().all(|(names, _)| *names == pods), "{apart:?}");
    assert!((apart.iter().map(|(_, total)| total).sum::<f64>() - requests.0).abs() < 1e-6, "{apart:?}");
}
