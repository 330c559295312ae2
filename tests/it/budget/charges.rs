//! What all waves of a period came to.

use crate::support::budgets::START;
use crate::support::budgets::rules;
use crate::support::budgets::service;
use std::time::Duration;
use wavegate::judge::Charged;
use wavegate::judge::Spent;
use wavegate::judge::burn;
use wavegate::judge::spent_by;
use wavegate::judge::waves_spent;
use wavegate::series::Counts;
use wavegate::series::Timestamp;

const HOUR: Duration = Duration::from_hours(1);

fn hour(hours: u32) -> Timestamp {
    START + HOUR * hours
}

/// A charge of `wave` by the gate `rules` from hour `from` to hour `to`.
fn charged(wave: &str, rules: &str, attempt: u32, [from, to]: [u32; 2], excess: f64) -> Charged {
    let baseline = Counts { bad: 60.0, total: 60_000.0 };
    let canary = Counts { bad: 10.0 + excess.max(-10.0), total: 10_000.0 };
    let spent = Spent { from: hour(from), to: hour(to), canary, baseline, planned: Counts::default(), excess };
    Charged { wave: wave.to_owned(), rules: rules.to_owned(), attempt, spent }
}

fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-9 * expected.abs().max(1.0), "{found} for {expected}");
}

#[test]
fn waves_are_charged_once_and_never_credited() {
    for (claim, charges, expected) in [
        ("nothing", vec![], 0.0),
        ("one", vec![charged("a", "g", 1, [0, 1], 30.0)], 30.0),
        (
            "luck is no credit of another",
            vec![charged("a", "g", 1, [0, 1], 30.0), charged("b", "g", 1, [0, 1], -20.0)],
            30.0,
        ),
        (
            "gates that look at the same errors count once",
            vec![charged("a", "g", 1, [0, 2], 30.0), charged("a", "h", 1, [0, 2], 40.0)],
            40.0,
        ),
        (
            "attempts follow on each other",
            vec![charged("a", "g", 1, [0, 2], 30.0), charged("a", "g", 2, [2, 4], 40.0)],
            70.0,
        ),
        (
            "one gate beside two attempts of another",
            vec![
                charged("a", "g", 1, [0, 4], 50.0),
                charged("a", "h", 1, [0, 2], 30.0),
                charged("a", "h", 2, [2, 4], 40.0),
            ],
            70.0,
        ),
        ("waves of one time add up", vec![charged("a", "g", 1, [0, 2], 30.0), charged("b", "g", 1, [1, 2], 5.0)], 35.0),
        ("no number at all", vec![charged("a", "g", 1, [0, 2], f64::NAN)], 0.0),
    ] {
        let found = spent_by(&charges, hour(0), hour(100), None);
        assert!((found - expected).abs() < 1e-9, "{claim}: {found}");
        let mut turned = charges.clone();
        turned.reverse();
        assert!((spent_by(&turned, hour(0), hour(100), None) - found).abs() < 1e-9, "{claim}, turned");
    }
    let both = [charged("a", "g", 1, [0, 2], 30.0), charged("b", "g", 1, [1, 2], 5.0)];
    close(spent_by(&both, hour(0), hour(100), Some(("a", hour(0)))), 5.0);
}

#[test]
fn a_wave_that_is_tried_again_does_not_forget_what_it_spent() {
    let all = [
        charged("a", "g", 1, [0, 2], 30.0),
        charged("a", "g", 2, [2, 4], 40.0),
        charged("a", "h", 1, [0, 5], 90.0),
        charged("a", "g", 3, [4, 6], 50.0),
        charged("b", "g", 1, [1, 2], 5.0),
    ];
    for (began, expected) in [(0, 5.0), (2, 35.0), (4, 75.0), (5, 95.0), (7, 125.0)] {
        close(spent_by(&all, hour(0), hour(100), Some(("a", hour(began)))), expected);
    }
}

#[test]
fn a_charge_leaves_the_period_as_it_came() {
    let one = [charged("a", "g", 1, [10, 20], 100.0)];
    for (from, until, expected) in
        [(0, 30, 100.0), (10, 20, 100.0), (15, 30, 50.0), (19, 30, 10.0), (20, 30, 0.0), (0, 12, 20.0)]
    {
        close(spent_by(&one, hour(from), hour(until), None), expected);
    }
    // A gate that was called off at its first moment has no length.
    let none = [charged("a", "g", 1, [10, 10], 3.0)];
    close(spent_by(&none, hour(10), hour(30), None), 3.0);
    close(spent_by(&none, hour(11), hour(30), None), 0.0);
}

#[test]
fn waves_that_overlap_share_the_chance_of_their_baseline() {
    let rules = rules("");
    let slo = &rules.budget.as_ref().unwrap().slo;
    let period = burn(slo, &service(&rules, hour(100), 0.0, 3e7)).period;
    let reach = |second: [u32; 2]| {
        let all = [charged("a", "g", 1, [10, 20], 30.0), charged("b", "g", 1, second, 12.0)];
        let found = waves_spent(slo, &period, &all);
        close(found.excess, 42.0);
        close(found.share.unwrap(), 42.0 / 30_000.0);
        assert_eq!(found.waves.len(), 2);
        close(found.waves.iter().filter_map(|one| one.share).sum(), found.share.unwrap());
        assert!(found.waves[0].charged.spent.from >= found.waves[1].charged.spent.from);
        found.high.unwrap() - found.share.unwrap()
    };
    let (together, half, apart) = (reach([10, 20]), reach([15, 25]), reach([20, 30]));
    assert!(together > half && half > apart, "{together} {half} {apart}");
    // As the sum of the variances says, and with the whole covariance.
    let variance = |shared: f64| {
        let baseline = 10_000.0_f64.powi(2) * 1e-3 * 0.999 / 60_000.0;
        let own = |bad: f64| bad * (1.0 - bad / 10_000.0);
        own(40.0) + own(22.0) + 2.0 * baseline + 2.0 * shared * baseline
    };
    let z = 1.644_853_626_951_472_2;
    for (found, shared) in [(together, 1.0), (half, 0.5), (apart, 0.0)] {
        let expected = z * f64::sqrt(variance(shared)) / 30_000.0;
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} for {expected}");
    }
}
