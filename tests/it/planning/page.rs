//! A plan on a terminal, as JSON, and as a picture.

use crate::planning::planned;
use std::sync::LazyLock;
use wavegate::report;
use wavegate::rules;
use wavegate::rules::CheckTraffic;
use wavegate::wire;

/// The plan of the rule file for services on an ordinary day.
static DOCUMENT: LazyLock<String> = LazyLock::new(|| {
    let rules =
        rules::parse("http-service.yaml", include_str!("../../../rules/http-service.yaml")).expect("it ships").rules;
    wire::plan_document(&planned(&rules, CheckTraffic::default()), &[])
});

#[test]
fn the_page_of_a_service_reads_so() {
    insta::assert_snapshot!(report::plan(&DOCUMENT).unwrap());
}

#[test]
fn a_plan_is_the_same_bytes_each_time_and_its_shares_are_shares() {
    let document: serde_json::Value = serde_json::from_str(&DOCUMENT).unwrap();
    assert_eq!(document["decides"], true);
    for check in document["checks"].as_array().unwrap() {
        for point in check["curve"].as_array().unwrap() {
            let chances = point["by_quarter"].as_array().unwrap();
            assert!(chances.iter().all(|chance| (0.0..=1.0).contains(&chance.as_f64().unwrap())), "{point}");
        }
    }
    assert_eq!(report::svg(&DOCUMENT).unwrap(), report::svg(&DOCUMENT).unwrap());
}

#[test]
fn the_picture_is_well_formed_and_has_a_panel_for_each_check() {
    let picture = report::svg(&DOCUMENT).unwrap();
    assert_eq!(picture.matches("<g transform").count(), 5);
    well_formed(&picture);
    let hostile = DOCUMENT.replace("latency-tail", "<b>&\\u0007\\\"'");
    let picture = report::svg(&hostile).unwrap();
    assert!(picture.contains("&lt;b&gt;&amp;"), "{picture}");
    well_formed(&picture);
}

/// Every element is closed in its order, every attribute quoted, every entity known.
fn well_formed(xml: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = xml.trim_end();
    while let Some(start) = rest.find('<') {
        for entity in rest[..start].split('&').skip(1) {
            let known = ["amp;", "lt;", "gt;", "quot;", "apos;"];
            assert!(known.iter().any(|known| entity.starts_with(known)), "{entity}");
        }
        let end = start + rest[start..].find('>').expect("a tag ends");
        let tag = &rest[start + 1..end];
        assert!(!tag.contains('<') && tag.matches('"').count().is_multiple_of(2), "{tag}");
        let name = tag.trim_start_matches('/').split([' ', '/']).next();
        if tag.starts_with('/') {
            assert_eq!(open.pop(), name);
        } else if !tag.ends_with('/') {
            open.extend(name);
        }
        rest = &rest[end + 1..];
    }
    assert!(open.is_empty() && rest.is_empty(), "{open:?} {rest}");
}
