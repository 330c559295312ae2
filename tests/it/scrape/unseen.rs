//! A target that was not looked at is never taken for one that has nothing to show.

use super::ALWAYS;
use super::raw_until;
use super::scraped;
use super::serving;
use super::settings;
use super::start;
use super::target;
use super::text;
use crate::support::http::TestServer;
use crate::support::http::answer;
use std::time::Duration;
use wavegate::rules::query::NO_PARAMS;
use wavegate::series::Fault;
use wavegate::series::Measure;
use wavegate::series::Notice;
use wavegate::series::Timestamp;
use wavegate::series::Window;
use wavegate::sources::Grid;
use wavegate::sources::Source as _;
use wavegate::sources::gather;
use wavegate::sources::gather::Request;

#[tokio::test]
async fn a_target_that_is_down_is_not_spoken_for_by_the_others() {
    let (well, gone) = (serving("lamps 4\n").await, serving("lamps 4\n").await);
    let (address, url) = (gone.address(), gone.url());
    gone.close().await;
    let new = [("wave_id", "new")];
    let old = target(&well.url(), &[("wave_id", "old")]);
    let source = start(&settings(vec![target(&well.url(), &new), target(&url, &new), old]));
    let up = scraped(&source, 2).await;
    let lamps = source.raw(r#"lamps{wave_id="new"}"#, ALWAYS).await.unwrap();
    assert_eq!(lamps.series.len(), 1);
    let said = lamps.partial.expect("an incomplete answer");
    assert!(said.contains(&format!("nothing is known of target {address}: no answer")), "{said}");
    assert!(said.ends_with("bring it back, or take it out of the source's `targets`"), "{said}");
    let last = up.series[0].samples()[1].at;
    let grid = Grid { from: last, to: last, step: Duration::from_secs(1) };
    assert!(source.grid(r#"max_over_time(lamps{wave_id="new"}[1m])"#, grid).await.unwrap().partial.is_some());
    // It does not matter to who cannot mean it.
    assert_eq!(source.raw(r#"lamps{wave_id="old"}"#, ALWAYS).await.unwrap().partial, None);
}

#[tokio::test]
async fn one_scrape_that_failed_is_a_gap_and_two_are_a_target_that_is_down() {
    let (well, ill) = (text("lamps 4\n"), answer(&["503 Service Unavailable"], ""));
    let served = TestServer::answering([&well, &ill, &well, &ill, &ill, &well].map(Clone::clone).to_vec()).await;
    let source = start(&settings(vec![target(&served.url(), &[])]));
    let up = scraped(&source, 6).await.series.remove(0);
    let mut known = Vec::new();
    for sample in &up.samples()[..6] {
        let raw = source.raw("lamps", Window { from: Timestamp::from_millis(0), to: sample.at }).await.unwrap();
        let at = Grid { from: sample.at, to: sample.at, step: Duration::from_secs(1) };
        let grid = source.grid("lamps", at).await.unwrap();
        assert_eq!(raw.partial.is_some(), grid.partial.is_some());
        known.push(raw.partial.is_none());
    }
    assert_eq!(known, [true, true, true, true, false, true]);
}

/// After a restart of the daemon, or of what is between it and a target, a counter
/// of many years appears in the middle of a wave.
#[tokio::test]
async fn a_counter_that_is_seen_for_the_first_time_is_new_only_where_somebody_looked() {
    let counted = |errors: &str| text(format!("requests_total{{code=\"200\"}} 1000000000\n{errors}"));
    let new = TestServer::answering(vec![counted("requests_total{code=\"500\"} 7\n")]).await;
    let late = counted("requests_total{code=\"500\"} 5000000\n");
    let ill = answer(&["503 Service Unavailable"], "");
    let old = TestServer::answering(vec![ill.clone(), ill.clone(), ill, late.clone(), late]).await;
    let source =
        start(&settings(vec![target(&new.url(), &[("wave_id", "new")]), target(&old.url(), &[("wave_id", "old")])]));
    let selector = r#"up{wave_id="old"}"#;
    let enough = raw_until(&source, selector, |up| up.series.iter().any(|one| one.samples().len() >= 5)).await;
    let tried: Vec<Timestamp> = enough.series[0].samples().iter().map(|sample| sample.at).collect();
    let rules = "version: 1\nname: t\ncohorts: { canary: 'wave_id=\"$wave\"', baseline: 'wave_id=\"$baseline\"' }\n\
        checks:\n  - name: errors\n    ratio: { bad: 'requests_total{code=\"500\"}', total: requests_total }\n";
    let rules = wavegate::rules::parse("t.yaml", rules).unwrap().rules;
    let window = Window { from: tried[2], to: tried[3] };
    let request = Request {
        rules: &rules,
        wave: "new",
        baseline: Some("old"),
        params: &NO_PARAMS,
        began: tried[0] - Duration::from_secs(1),
        interval: window.length(),
        scrape: Duration::from_secs(1),
        windows: &[window],
    };
    let evidence = gather::evidence(gather::Sources::only(&source), &request).await.unwrap();
    let check = &evidence[0].checks[0];
    let baseline = check.baseline.as_ref().unwrap();
    assert_eq!(baseline.measure, Measure::Nothing, "{check:?}");
    assert!(check.faults.iter().any(|fault| matches!(fault, Fault::PartialAnswer { .. })), "{check:?}");
    assert!(
        check.notices.iter().any(|notice| matches!(notice, Notice::StartsAtFirstSample { series: 2 })),
        "{check:?}"
    );
}
