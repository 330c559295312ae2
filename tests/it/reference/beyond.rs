//! Methods that wavegate does not use, computed from its special functions, so that their
//! records check those and are not passed over.

use super::Record;
use statrs::function::gamma::ln_gamma;
use wavegate::stats;

/// Robbins (1970): wavegate's ratios have a changing split.
pub(super) fn beta_binomial_mixture(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    let (a, b, p0) = (number("a"), number("b"), number("p0"));
    let (won, lost) = (number("successes"), number("failures"));
    let ln_beta = |a: f64, b: f64| ln_gamma(a) + ln_gamma(b) - ln_gamma(a + b);
    record.check("log_e", ln_beta(a + won, b + lost) - ln_beta(a, b) - won * p0.ln() - lost * (-p0).ln_1p());
}

/// Counts against a rate that is known.
pub(super) fn gamma_poisson_mixture(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    let (events, exposure, rate0) = (number("events"), number("exposure"), number("lambda0"));
    let (shape, rate) = (number("shape"), number("rate"));
    let mixture =
        shape * rate.ln() - ln_gamma(shape) + ln_gamma(shape + events) - (shape + events) * (rate + exposure).ln();
    record.check("log_e", mixture - events * rate0.ln() + rate0 * exposure);
}

/// The boundary of gates without a deadline.
pub(super) fn halfnormal_mixture(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    let (z, h) = (number("z"), number("h"));
    let q = h / (1.0 + h);
    let below = stats::normal_upper_ln(-z * q.sqrt());
    record.check("log_e", std::f64::consts::LN_2 - 0.5 * h.ln_1p() + 0.5 * z * z * q + below);
}

/// The normal mixture of a confidence sequence (Howard and others, 1810.08240).
pub(super) fn confseq_normal_mixture(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    let (s, v, needed) = (number("s"), number("v"), -number("alpha").ln());
    // The precision of the mixture that is best at v_opt.
    let rho = |alpha: f64| {
        let doubled = -2.0 * alpha.ln();
        number("v_opt") / (doubled + doubled.ln_1p())
    };
    let (two, one) = (rho(number("alpha_opt")), rho(2.0 * number("alpha_opt")));
    record.check("two_sided_log", 0.5 * (two / (v + two)).ln() + s * s / (2.0 * (v + two)));
    record.check("two_sided_bound", ((v + two) * ((v / two).ln_1p() + 2.0 * needed)).sqrt());
    let log = |s: f64| {
        let below = stats::normal_upper_ln(-s / (v + one).sqrt());
        0.5 * (4.0 * one / (v + one)).ln() + s * s / (2.0 * (v + one)) + below
    };
    record.check("one_sided_log", log(s));
    let (mut low, mut high) = (0.0, 1e3);
    for _ in 0..100 {
        let middle = 0.5 * (low + high);
        if log(middle) < needed { low = middle } else { high = middle }
    }
    record.check("one_sided_bound", low);
}

/// Wilcoxon's signed ranks, normal: without ("wilcox") and with ("pratt") the zeros ranked.
pub(super) fn signed_rank_approx(record: &Record) {
    let differences = record.series("d");
    let without: Vec<f64> = differences.iter().copied().filter(|d| *d != 0.0).collect();
    for (zeros, values) in [("wilcox", &without), ("pratt", &differences)] {
        let ranks = SignedRanks::of(values);
        for (corrected, by) in [("", 0.0), ("_cc", 1.0)] {
            let z = |sign: f64| (ranks.sum - by * sign) / ranks.squares.sqrt();
            for (tail, p) in [
                ("greater", stats::normal_upper(z(1.0))),
                ("less", stats::normal_upper(-z(-1.0))),
                ("two-sided", (2.0 * stats::normal_upper(z(ranks.sum.signum()).abs())).min(1.0)),
            ] {
                let name = format!("p_{tail}_{zeros}{corrected}");
                if record.expected(&name).is_some() {
                    record.check(&name, p);
                }
            }
        }
    }
    let ranks = SignedRanks::of(&without);
    record.check("W_plus", ranks.positive);
    record.check("W_minus", ranks.positive - ranks.sum);
    record.check("pseudomedian", stats::median(&walsh_averages(&differences)));
}

/// Without ties or zeros each sign of each rank is as likely.
pub(super) fn signed_rank_exact(record: &Record) {
    let differences = record.series("d");
    let ranks = SignedRanks::of(&differences);
    record.check("W_plus", ranks.positive);
    record.check("W_minus", ranks.positive - ranks.sum);
    // The chance of each sum of positive ranks.
    let mut chances = vec![1.0];
    for rank in 1..=differences.len() {
        let moved = |sum: usize| sum.checked_sub(rank).and_then(|from| chances.get(from)).copied().unwrap_or(0.0);
        let next = |sum: usize| 0.5 * (chances.get(sum).copied().unwrap_or(0.0) + moved(sum));
        chances = (0..chances.len() + rank).map(next).collect();
    }
    let at_most = |sum: f64| (0_u32..).zip(&chances).filter(|(w, _)| f64::from(*w) <= sum).map(|(_, p)| p).sum::<f64>();
    let (greater, less) = (at_most(ranks.positive - ranks.sum), at_most(ranks.positive));
    record.check("p_greater", greater);
    record.check("p_less", less);
    record.check("p_two-sided", (2.0 * greater.min(less)).min(1.0));
    // The interval ends at Walsh averages, as that of Hodges and Lehmann at differences.
    let averages = walsh_averages(&differences);
    let rank = (0_u32..1000).find(|sum| at_most(f64::from(*sum)) >= 0.025).unwrap();
    assert_eq!(Some(u64::from(rank)), record.expected("k").unwrap().as_u64(), "{}", record.id());
    let rank = usize::try_from(rank).unwrap();
    record.check_pair("exact_ci95", averages[rank - 1], averages[averages.len() - rank]);
    record.check("pseudomedian", stats::median(&averages));
}

/// Mid-ranks of sizes, with the signs of the values.
struct SignedRanks {
    positive: f64,
    sum: f64,
    /// Of the squares: the variance of `sum` when each sign is as likely.
    squares: f64,
}

impl SignedRanks {
    fn of(values: &[f64]) -> Self {
        let mut ranks = Self { positive: 0.0, sum: 0.0, squares: 0.0 };
        for value in values.iter().filter(|value| **value != 0.0) {
            let size = value.abs();
            let below = values.iter().filter(|other| other.abs() < size).count();
            let up_to = values.iter().filter(|other| other.abs() <= size).count();
            let rank = 0.5 * f64::from(u32::try_from(below + up_to + 1).unwrap());
            ranks.positive += if *value > 0.0 { rank } else { 0.0 };
            ranks.sum += rank * value.signum();
            ranks.squares += rank * rank;
        }
        ranks
    }
}

/// The means of all pairs, each value with itself too, ascending.
fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut averages = Vec::new();
    for (index, first) in values.iter().enumerate() {
        averages.extend(values[index..].iter().map(|second| 0.5 * (first + second)));
    }
    averages.sort_by(f64::total_cmp);
    averages
}
