//! Params of a wave: checked where they are given, kept with the gate, and in its queries.

use super::world::NOON;
use super::world::World;
use super::world::entry;
use super::world::json;
use super::world::named;
use super::world::open;
use super::world::queue;
use std::collections::BTreeMap;
use std::time::Duration;
use wavegate::engine::BookEntry;
use wavegate::engine::Open;
use wavegate::engine::Refusal;
use wavegate::engine::RuleBook;

/// A queue in a region, which a wave must name where `default` is none.
fn regional(name: &str, default: &str) -> BookEntry {
    let text = queue(name).text.replace("$wave\"", "$wave\", region=\"$region\"");
    entry(&format!("{text}params: {{ region: {default}, zone: a }}\n"))
}

async fn world() -> World {
    let world = World::new().await;
    let book = RuleBook::of([regional("any", "eu"), regional("one", "{}"), queue("checkout")]);
    world.handle.reload(book).await.unwrap();
    world
}

fn with(rules: &[&str], params: &[(&str, &str)]) -> Open {
    let params = params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Open { params, ..open("w", rules) }
}

#[tokio::test(start_paused = true)]
async fn params_that_do_not_fit_are_refused_at_their_place() {
    let world = world().await;
    for (rules, params, pointer, part) in [
        (&["any"][..], &[("regon", "us")][..], "/params/regon", "did you mean `region`"),
        (&["checkout"], &[("region", "us")], "/params/region", "they have none"),
        (&["one"], &[], "/params/region", "give a value"),
        (&["checkout", "one"], &[("zone", "b")], "/params/region", "give a value"),
        (&["any"], &[("region", "")], "/params/region", "1 to 256 bytes"),
        (&["any"], &[("region", "a\nb")], "/params/region", "control characters"),
        (&["any"], &[("a/b~c", "us")], "/params/a~1b~0c", "not a param"),
    ] {
        let refused = world.handle.open(with(rules, params)).await.unwrap_err();
        let Refusal::Unusable { pointer: at, message } = &refused else { panic!("{refused:?}") };
        assert!(at == pointer && message.contains(part), "{params:?}: {at} {message}");
    }
    assert!(world.handle.waves().is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_gate_has_its_own_and_contradicts_others() {
    let world = world().await;
    let us = with(&["any", "checkout", "one"], &[("region", "us")]);
    let opened = json(&world.handle.open(us.clone()).await.unwrap());
    let params = |gate: usize| opened["gates"][gate]["params"].to_string();
    assert_eq!([0, 1, 2].map(params), [r#"{"region":"us","zone":"a"}"#, "{}", r#"{"region":"us","zone":"a"}"#]);
    for same in [us, with(&["any"], &[]), with(&["any"], &[("zone", "a")])] {
        let again = json(&world.handle.open(same).await.unwrap());
        assert_eq!([0, 1, 2].map(|gate| again["gates"][gate]["attempt"].as_u64()), [Some(1); 3]);
    }
    let other = world.handle.open(with(&["checkout", "one"], &[("region", "eu")])).await.unwrap_err();
    let Refusal::Contradiction { pointer, message } = &other else { panic!("{other:?}") };
    assert!(pointer == "/params/region" && message.contains("us") && message.contains("eu"), "{other:?}");
}

#[tokio::test(start_paused = true)]
async fn they_are_in_every_query_and_outlive_a_restart_and_a_reload() {
    let world = world().await;
    world.handle.open(Open { start: Some(NOON), ..with(&["any"], &[]) }).await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    let world = world.restarted_after(Duration::from_secs(30)).await;
    world.handle.reload(RuleBook::of([regional("any", "us")])).await.unwrap();
    let passed = world.is_final("w", None).await;
    assert_eq!(json(&passed)["gates"][0]["params"], serde_json::json!({"region": "eu", "zone": "a"}));
    let asked = world.source.asked();
    assert!(!asked.is_empty() && asked.iter().all(|(query, ..)| query.contains("region=\"eu\"")), "{asked:?}");
    assert!(asked.iter().any(|(_, window, _)| NOON + Duration::from_mins(2) <= window.to), "{asked:?}");
}

#[tokio::test(start_paused = true)]
async fn a_hostile_value_is_a_labels_value_and_nothing_else() {
    for value in
        ["us\"} or {region=\"eu", "us\",wave_id=~\".*", ".*", "us|eu", "$wave", "us\\", "\\\"us", "{us}", "' OR 1"]
    {
        let world = world().await;
        world.handle.open(with(&["any"], &[("region", value)])).await.unwrap();
        tokio::time::sleep(Duration::from_mins(1)).await;
        let (query, ..) = world.source.asked().pop().unwrap();
        let selector = query.split_once('(').map_or(&*query, |(_, inside)| inside);
        let parsed = promql_parser::parser::parse(&query).unwrap_or_else(|fault| panic!("{value}: {query}: {fault}"));
        let text = format!("{parsed:?}");
        assert_eq!(text.matches("VectorSelector {").count(), 1, "{value}: {selector}");
        let bound = promql_parser::label::Matcher::new(promql_parser::label::MatchOp::Equal, "region", value);
        assert!(text.contains(&format!("{bound:?}")), "{value}: {query}\n{text}");
        assert_eq!(world.handle.rules().book().get(&named("any")).map(|entry| entry.rules.params.len()), Some(2));
    }
}

#[test]
fn a_request_without_params_gives_none() {
    assert_eq!(open("w", &["any"]).params, BTreeMap::new());
}
