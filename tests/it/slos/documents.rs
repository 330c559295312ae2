//! `GET /v1/slos` and `GET /v1/slos/{name}`: the shapes that callers parse.

use super::Past;
use super::account;
use super::list;
use super::whole;
use crate::wire::pretty;
use serde_json::Value;
use serde_json::json;
use std::time::Duration;
use wavegate::engine::AccountView;
use wavegate::judge;
use wavegate::wire;

#[test]
fn an_slo_shows_every_number() {
    insta::assert_snapshot!(pretty(&whole("checkout-availability", &Past::Burning, 6)));
}

#[test]
fn an_slo_that_nobody_saw_makes_no_number_up() {
    insta::assert_snapshot!(pretty(&whole("checkout-availability", &Past::Unseen, 2)));
}

#[test]
fn a_list_has_each_slo_with_its_windows_and_what_is_left() {
    insta::assert_snapshot!(pretty(&list(&[("a", Past::Calm), ("b", Past::Burning)])));
}

#[test]
fn the_budget_of_a_document_adds_up() {
    let slo: Value = serde_json::from_str(&whole("a", &Past::Calm, 120)).unwrap();
    let number = |pointer: &str| slo.pointer(pointer).and_then(Value::as_f64).unwrap_or_else(|| panic!("{pointer}"));
    assert_eq!(slo["objective"], "99.9%");
    assert!((number("/budget/consumed") + number("/remaining") - 1.0).abs() < 1e-12);
    assert!((number("/budget/bad") / number("/budget/allowed") - number("/budget/consumed")).abs() < 1e-9);
    let parts = slo["history"]["points"].as_array().unwrap();
    assert_eq!(parts.len(), 120);
    let bad: f64 = parts.iter().filter_map(|part| part["bad"].as_f64()).sum();
    assert!((bad - number("/budget/bad")).abs() < 1e-9, "{bad}");
    assert!(parts.iter().filter(|part| part["bad"].is_null()).count() == 4, "the day that nobody saw");
    assert_eq!(slo["waves"]["charged"].as_array().unwrap().len(), 2);
}

#[test]
fn a_metric_that_is_nowhere_and_a_threshold_that_is_no_bucket_say_so() {
    let mut view = account("a", &Past::Unseen);
    (view.upkeep.trouble, view.upkeep.loading) = (None, None);
    view.upkeep.remarks = vec!["threshold_not_a_bucket: 0.25 is not among 0.1, 0.3".to_owned()];
    let says = |view: &AccountView| wire::slos_document(&[view.shown()]);
    assert!(says(&view).contains(r#""summary":"threshold_not_a_bucket: 0.25 is not among 0.1, 0.3""#));
    view.upkeep.remarks.clear();
    assert!(says(&view).contains("not one sample in all of its period: are the names and labels of its indicator"));
}

#[test]
fn what_is_not_known_is_null_and_what_waves_did_not_spend_is_0() {
    let mut view = account("a", &Past::Calm);
    view.spent = None;
    let document: Value = serde_json::from_str(&wire::slo_document(&view.shown(), 0)).unwrap();
    assert_eq!((&document["spent_by_waves"], &document["waves"]["excess"]), (&json!(null), &json!(null)));
    let none = judge::waves_spent(&view.slo, &view.burn.period, &[]);
    assert!(none.excess.is_sign_positive() && none.share.is_some_and(f64::is_sign_positive), "not −0: {none:?}");
    // A source that fell silent is no source that was read.
    view.upkeep.through = Some(view.burn.through - Duration::from_hours(1));
    let document: Value = serde_json::from_str(&wire::slo_document(&view.shown(), 0)).unwrap();
    assert_eq!(document["through"], (view.burn.through - Duration::from_hours(1)).to_string());
}
