//! Instances told apart, and what a value is divided by, without a Prometheus.

use super::scraped;
use super::serving;
use super::settings;
use super::start;
use super::target;
use super::text;
use crate::support::http::TestServer;
use std::time::Duration;
use wavegate::rules;
use wavegate::rules::CheckKind;
use wavegate::rules::RuleFile;
use wavegate::rules::query::GaugeQuery;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::CheckEvidence;
use wavegate::series::Measure;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Error;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;
use wavegate::sources::scrape::Scrape;

fn rules(check: &str) -> RuleFile {
    let text = format!(
        "version: 1\nname: t\ncohorts: {{ canary: 'wave_id=\"$wave\"', baseline: 'wave_id=\"$baseline\"' }}\n\
         checks:\n  - name: c\n    {check}\n"
    );
    rules::parse("t.yaml", &text).unwrap().rules
}

/// The lag for each of `per`.
fn divided(per: &str) -> RuleFile {
    let mut rules = rules("gauge: max_over_time(lag[1m])");
    if let CheckKind::Gauge { per: divisor, .. } = &mut rules.checks[0].kind {
        *divisor = Some(GaugeQuery::parse(per).unwrap());
    }
    rules
}

/// The evidence of one window that ends `at`.
async fn evidence(source: &Scrape, rules: &RuleFile, at: Timestamp) -> Result<CheckEvidence, Error> {
    let window = Window { from: at - Duration::from_secs(30), to: at };
    let request = Request {
        rules,
        wave: "new",
        baseline: Some("old"),
        params: &NO_PARAMS,
        began: window.from,
        interval: window.length(),
        scrape: Duration::from_secs(1),
        windows: &[window],
    };
    Ok(gather::evidence(gather::Sources::only(source), &request).await?.remove(0).checks.remove(0))
}

#[tokio::test]
async fn each_target_is_an_instance() {
    let counting = |by: u32| {
        let body = |k: u32| text(format!("failed_total {}\nrequests_total {}\n", k * by, k * 100));
        TestServer::answering((1..40).map(body).collect())
    };
    let (good, bad, old) = (counting(1).await, counting(50).await, counting(1).await);
    let new = [("wave_id", "new")];
    let old = target(&old.url(), &[("wave_id", "old")]);
    let source = start(&settings(vec![target(&good.url(), &new), target(&bad.url(), &new), old]));
    let up = scraped(&source, 3).await;
    let last = up.series.iter().filter_map(|one| Some(one.samples().get(2)?.at)).max().unwrap();
    let check = evidence(&source, &rules("ratio: { bad: failed_total, total: requests_total }"), last).await.unwrap();
    let instances = &check.canary.instances;
    let mut names = [good.address().to_string(), bad.address().to_string()];
    names.sort();
    assert_eq!(instances.iter().map(|one| one.name.clone()).collect::<Vec<_>>(), names, "{check:?}");
    for one in instances {
        let share = if one.name == bad.address().to_string() { 0.5 } else { 0.01 };
        assert!(
            matches!(one.measure, Measure::Counts { bad, total } if (bad - share * total).abs() < 1e-9 && total > 0.0),
            "{check:?}"
        );
    }
}

#[tokio::test]
async fn a_divisor_beyond_the_subset_needs_prometheus_like_a_value() {
    let served = serving("lag 6\nitems 4\n").await;
    let source = start(&settings(vec![target(&served.url(), &[("wave_id", "new")])]));
    let last = scraped(&source, 2).await.series[0].samples()[1].at;
    let check = evidence(&source, &divided("sum by (instance) (items)"), last).await.unwrap();
    assert_eq!(check.canary.measure, Measure::Rated { value: 6.0, per: 4.0 });
    let error = evidence(&source, &divided("topk(3, items)"), last).await.unwrap_err();
    assert!(matches!(error, Error::NeedsPrometheus { .. }), "{error:?}");
}
