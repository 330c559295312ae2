//! The statistics against numbers that others computed: R, scipy and mpmath.
//!
//! Each record of `fixtures/reference/stats.json` names its source and its
//! tolerance. Every group is checked, so that none is skipped in silence; methods that
//! wavegate does not use are computed in [`beyond`].

#![expect(clippy::unwrap_used, reason = "a record that lacks what its group has is a failed test")]

mod beyond;

use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use wavegate::stats;
use wavegate::stats::BucketScore;
use wavegate::stats::EventWeights;
use wavegate::stats::MannWhitney;
use wavegate::stats::Method;
use wavegate::stats::PairedOptions;
use wavegate::stats::PlannedLook;
use wavegate::stats::Prior;
use wavegate::stats::RatioEProcess;
use wavegate::stats::Score;
use wavegate::stats::SortedCohorts;
use wavegate::stats::Spending;
use wavegate::stats::Spread;
use wavegate::stats::Tail;
use wavegate::stats::Track;

type Check = fn(&Record);

/// Every group that is checked, how many records it has, and by what.
const CHECKED: &[(&str, usize, Check)] = &[
    ("beta_binomial_mixture", 5, beyond::beta_binomial_mixture),
    ("binomial_floor_e", 4, binomial_floor_e),
    ("binomial_mixture_eprocess", 9, binomial_mixture_eprocess),
    ("binomial_mixture_eprocess_pass", 2, binomial_mixture_eprocess_pass),
    ("brunner_munzel", 6, brunner_munzel),
    ("confseq_normal_mixture", 3, beyond::confseq_normal_mixture),
    ("count_guard_histogram", 4, count_guard_histogram),
    ("count_guard_ratio", 7, count_guard_ratio),
    ("gamma_poisson_mixture", 3, beyond::gamma_poisson_mixture),
    ("gauge_detrended", 6, gauge_detrended),
    ("grouped_mw_van_elteren", 3, grouped_mw_van_elteren),
    ("gs_power", 4, gs_power),
    ("halfnormal_mixture", 6, beyond::halfnormal_mixture),
    ("hodges_lehmann", 8, hodges_lehmann),
    ("lan_demets", 6, lan_demets),
    ("mann_whitney_vif", 3, mann_whitney_vif),
    ("mannwhitney_asymptotic", 12, mannwhitney_asymptotic),
    ("mannwhitney_exact", 9, mannwhitney_exact),
    ("mannwhitney_exact_ties", 4, mannwhitney_exact_ties),
    ("mannwhitney_null_cdf", 4, mannwhitney_null_cdf),
    ("pod_t", 3, pod_t),
    ("signed_rank_approx", 4, beyond::signed_rank_approx),
    ("signed_rank_exact", 4, beyond::signed_rank_exact),
    ("t_to_z", 9, t_to_z),
];

#[test]
fn every_record_of_every_group_agrees() {
    let mut groups: BTreeMap<String, Vec<Record>> = BTreeMap::new();
    for value in vectors("stats.json") {
        let group = value["group"].as_str().unwrap().to_owned();
        groups.entry(group).or_default().push(Record(value));
    }
    let named: Vec<&str> = CHECKED.iter().map(|(name, _, _)| *name).collect();
    assert_eq!(groups.keys().map(String::as_str).collect::<Vec<_>>(), named);

    for (name, records, check) in CHECKED {
        assert_eq!(groups[*name].len(), *records, "records of {name}");
        groups[*name].iter().for_each(check);
    }
}

#[test]
fn binomial_tails_agree_with_mpmath() {
    let records = vectors("binomial_tails.json");
    assert!(records.len() >= 60);
    for record in &records {
        let number = |name: &str| record[name].as_f64().unwrap();
        let (x, n, p, expect) = (number("x"), number("n"), number("p"), number("ln"));
        let actual = match record["tail"].as_str().unwrap() {
            "lower" => stats::binomial_lower_ln(x, n, p),
            _ => stats::binomial_upper_ln(x, n, p),
        };
        // An error of the logarithm is a relative error of the tail.
        let bound = 1e-10 * expect.abs().min(1.0) + 1e-15 * expect.abs() + 1e-40;
        assert!((actual - expect).abs() <= bound, "{record}: {actual}, off by {:e}", actual - expect);
    }
}

#[test]
fn the_normal_tail_agrees_with_mpmath() {
    for record in vectors("normal_tail.json") {
        let (z, expect) = (record["z"].as_f64().unwrap(), record["ln"].as_f64().unwrap());
        let actual = stats::normal_upper_ln(z);
        assert!((actual - expect).abs() <= 4e-15 * expect.abs().max(z * z), "{z}: {actual} is not {expect}");
        let back = stats::normal_upper_inverse_ln(expect);
        assert!((back - z).abs() <= 1e-13 * z.abs().max(1.0), "{z}: came back as {back}");
    }
}

fn mannwhitney_exact(record: &Record) {
    record.each_tail(|tail| stats::mann_whitney(&record.series("canary"), &record.series("baseline"), tail).unwrap());
    let outcome = stats::mann_whitney(&record.series("canary"), &record.series("baseline"), Tail::Greater).unwrap();
    assert_eq!(outcome.method, Method::Exact, "{}", record.id());
}

fn mannwhitney_exact_ties(record: &Record) {
    record.each_tail(|tail| stats::mann_whitney(&record.series("canary"), &record.series("baseline"), tail).unwrap());
    let outcome = stats::mann_whitney(&record.series("canary"), &record.series("baseline"), Tail::Less).unwrap();
    assert_eq!(outcome.method, Method::ExactTies, "{}", record.id());
}

fn mannwhitney_asymptotic(record: &Record) {
    let sorted = SortedCohorts::new(&record.series("canary"), &record.series("baseline")).unwrap();
    let rank_sum = sorted.rank_sum().unwrap();
    record.each_tail(|tail| rank_sum.asymptotic(tail));
    if record.expected("p_greater_nocc").is_some() {
        let z = (rank_sum.u() - 0.5 * rank_sum.pairs()) / rank_sum.sigma();
        record.check("p_greater_nocc", stats::normal_upper(z));
        record.check("p_less_nocc", stats::normal_upper(-z));
        record.check("p_two-sided_nocc", 2.0 * stats::normal_upper(z.abs()));
    }
}

fn mannwhitney_null_cdf(record: &Record) {
    let size = |name: &str| usize::try_from(record.input(name).as_u64().unwrap()).unwrap();
    let expect = record.0["expected"]["cdf"].as_array().unwrap();
    for (u, expect) in record.input("u").as_array().unwrap().iter().zip(expect) {
        let actual = stats::mann_whitney_null(u.as_u64().unwrap(), size("m"), size("n")).unwrap();
        record.close(&format!("P(U <= {u})"), actual, expect.as_f64().unwrap());
    }
}

fn mann_whitney_vif(record: &Record) {
    assert_eq!(record.input("k").as_f64(), Some(20.0));
    let (canary, baseline) = (record.series("canary"), record.series("baseline"));
    let prior = Prior { autocorrelation: record.input("rho_prior").as_f64().unwrap(), points: 20.0 };
    let outcome = stats::mann_whitney_adjusted(Track::whole(&canary), Track::whole(&baseline), prior).unwrap();
    record.check("z_cc", outcome.z_cc);
    record.check("z_adj", outcome.z_adj);
    record.check("vif", outcome.vif);
    record.check("auc", outcome.auc);
}

fn brunner_munzel(record: &Record) {
    let placements = SortedCohorts::new(&record.series("canary"), &record.series("baseline")).unwrap().placements();
    let placements = placements.unwrap();
    let t = placements.t();
    record.check("W", t);
    record.check("auc", placements.auc);
    for (name, tail) in
        [("p_t", stats::student_upper_ln(t.abs(), placements.nu).exp()), ("p_normal", stats::normal_upper(t.abs()))]
    {
        let greater = if t > 0.0 { tail } else { 1.0 - tail };
        record.check(&format!("{name}_greater"), greater);
        record.check(&format!("{name}_less"), 1.0 - greater);
        record.check(&format!("{name}_two-sided"), 2.0 * tail);
    }
}

fn hodges_lehmann(record: &Record) {
    let (canary, baseline) = (record.series("canary"), record.series("baseline"));
    let tail_level = 0.5 * (1.0 - record.input("conf").as_f64().unwrap());
    let sorted = SortedCohorts::new(&canary, &baseline).unwrap();
    let rank_sum = sorted.rank_sum().unwrap();

    // An inflation that is not 1 asks for the asymptotic rank; this one moves nothing.
    let asymptotic = sorted.hodges_lehmann(tail_level, 1.0 + f64::EPSILON).unwrap();
    let rank = stats::asymptotic_rank(&rank_sum, tail_level, 1.0);
    assert_eq!(rank, record.expected("asym_k").unwrap().as_u64(), "{}", record.id());
    record.check("hl", asymptotic.estimate);
    record.check_pair("asym_ci", asymptotic.low, asymptotic.high);

    let Some(expect) = record.expected("exact_k") else { return };
    let (m, n) = (canary.len(), baseline.len());
    let rank = stats::exact_rank(m, n, tail_level);
    assert_eq!(rank, expect.as_u64(), "{}", record.id());
    record.check("exact_coverage", 1.0 - 2.0 * stats::mann_whitney_null(rank.unwrap() - 1, m, n).unwrap());
    let exact = stats::hodges_lehmann(&canary, &baseline, tail_level, 1.0).unwrap();
    record.check("hl", exact.estimate);
    record.check_pair("exact_ci", exact.low, exact.high);
}

fn grouped_mw_van_elteren(record: &Record) {
    let counts = |name: &str| -> Vec<Vec<f64>> { record.input(name).as_array().unwrap().iter().map(numbers).collect() };
    let mut score = BucketScore::default();
    let intervals = record.expected("per_interval").unwrap().as_array().unwrap();
    for ((canary, baseline), expect) in counts("canary_counts").iter().zip(counts("baseline_counts")).zip(intervals) {
        let ranks = stats::bucket_ranks(canary, &baseline).unwrap();
        record.close("U", ranks.u(), expect["U"].as_f64().unwrap());
        record.close("z", ranks.z(), expect["z"].as_f64().unwrap());
        record.close("auc", ranks.auc(), expect["auc"].as_f64().unwrap());
        assert!(score.add(canary, &baseline));
    }
    record.check("T", score.score(0.0));
    record.check("V", score.variance());
    record.check("z", score.z_model(0.0));
    record.check("auc_w", score.theta().unwrap());
}

fn binomial_mixture_eprocess(record: &Record) {
    record.each_interval(RatioEProcess::above(record.input("rho0").as_f64().unwrap()));
}

fn binomial_mixture_eprocess_pass(record: &Record) {
    record.each_interval(RatioEProcess::below(record.input("rho1").as_f64().unwrap()));
}

fn binomial_floor_e(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    record.check("log_e", stats::floor_log_e(number("x"), number("n"), number("p0")));
}

fn t_to_z(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    record.check("z", stats::student_to_normal(number("t"), number("nu")));
    record.check("log_sf_abs", stats::student_upper_ln(number("t").abs(), number("nu")));
}

fn planned(record: &Record, alpha: f64) -> Vec<PlannedLook> {
    let fractions = record.series("fractions");
    match record.input("spending").as_str().unwrap() {
        "linear" => Spending::Linear.looks(alpha, &fractions),
        "obf" => Spending::ObrienFleming.looks(alpha, &fractions),
        // Pocock's is not offered; the recursion below it is the same.
        "pocock" => {
            let spent = |s: f64| alpha * (1.0 + (std::f64::consts::E - 1.0) * s).ln();
            let before = std::iter::once(0.0).chain(fractions.iter().copied());
            let look = |(s, before): (&f64, f64)| PlannedLook { information: *s, risk: spent(*s) - spent(before) };
            fractions.iter().zip(before).map(look).collect()
        }
        other => panic!("{}: spending {other}", record.id()),
    }
}

fn lan_demets(record: &Record) {
    let bounds = stats::boundary(&planned(record, record.input("alpha_one_sided").as_f64().unwrap()));
    for (bound, expect) in bounds.iter().zip(numbers(record.expected("z").unwrap())) {
        record.close("z", *bound, expect);
    }
}

fn gs_power(record: &Record) {
    let fractions = record.series("fractions");
    let bounds = stats::boundary(&planned(record, record.input("alpha").as_f64().unwrap()));
    let chances = stats::crossing(&fractions, &bounds, record.input("drift").as_f64().unwrap());
    for (chance, expect) in chances.iter().zip(numbers(record.expected("cum_power").unwrap())) {
        record.close("cum_power", *chance, expect);
    }
}

fn gauge_detrended(record: &Record) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    assert_eq!((number("k"), number("winsor")), (20.0, 2.5));
    let prior = Prior { autocorrelation: number("rho0"), points: number("k") };
    let options = PairedOptions { prior, ..PairedOptions::at(15.0) };
    let mean = stats::paired_mean(Track::whole(&record.series("d")), &options).unwrap();
    record.check("mean", mean.mean);
    record.check("se", mean.se);
    record.check("nu", mean.nu);
    record.check("vif", mean.vif);
    record.check("z", mean.z_above(number("tolerance").ln_1p()));
}

/// The guard after each interval from the first that has enough.
fn guarded(record: &Record, scores: &[Score]) {
    let number = |name: &str| record.input(name).as_f64().unwrap();
    assert_eq!((number("k0"), number("k"), number("tau_seconds")), (4.0, 20.0, stats::PRIOR_SECONDS));
    let first = usize::try_from(record.expected("first_n").unwrap().as_u64().unwrap()).unwrap();
    let expect = |name: &str| numbers(record.expected(name).unwrap());
    assert_eq!(expect("z").len(), scores.len() + 1 - first);
    for (index, n) in (first..=scores.len()).enumerate() {
        let guard = stats::count_guard(&scores[..n], number("interval_seconds"), number("c0")).unwrap();
        record.close("c2", guard.disturbance, expect("c2")[index]);
        record.close("r", guard.autocorrelation, expect("r")[index]);
        record.close("nu", guard.nu, expect("nu")[index]);
        record.close("z", guard.z(), expect("z")[index]);
    }
}

fn count_guard_ratio(record: &Record) {
    let [xc, xb, nc, nb] = ["xc", "xb", "nc", "nb"].map(|name| record.series(name));
    let margin = record.input("rho0").as_f64().unwrap();
    let mut weights = EventWeights::default();
    let weights: Vec<f64> = xc.iter().zip(&xb).map(|(canary, baseline)| weights.next(canary + baseline)).collect();
    for (weight, expect) in weights.iter().zip(numbers(record.expected("weights").unwrap())) {
        record.close("weight", *weight, expect);
    }
    let score = |t: usize| stats::ratio_score((xc[t], nc[t]), (xb[t], nb[t]), margin, weights[t]);
    guarded(record, &(0..xc.len()).map(score).collect::<Vec<_>>());
}

fn count_guard_histogram(record: &Record) {
    let counts = |name: &str| -> Vec<Vec<f64>> { record.input(name).as_array().unwrap().iter().map(numbers).collect() };
    let margin = record.input("delta").as_f64().unwrap();
    let score = |(canary, baseline): (&Vec<f64>, &Vec<f64>)| {
        stats::rank_score(&stats::bucket_ranks(canary, baseline).unwrap(), margin)
    };
    guarded(record, &counts("canary").iter().zip(&counts("baseline")).map(score).collect::<Vec<_>>());
}

fn pod_t(record: &Record) {
    let (canary, baseline) = (record.series("canary"), record.series("baseline"));
    let mu0 = record.input("mu0").as_f64().unwrap();
    for (spread, prefix) in [(Spread::Pooled, ""), (Spread::Welch, "welch_")] {
        let difference = stats::mean_difference(&canary, &baseline, spread).unwrap();
        let t = difference.t_above(mu0);
        record.check(&format!("{prefix}t"), t);
        record.check(&format!("{prefix}nu"), difference.nu);
        record.check(&format!("{prefix}p_greater"), stats::student_upper_ln(t, difference.nu).exp());
    }
}

struct Record(Value);

impl Record {
    fn id(&self) -> &str {
        self.0["id"].as_str().unwrap()
    }

    fn input(&self, name: &str) -> &Value {
        let value = &self.0["input"][name];
        assert!(!value.is_null(), "{} has no {name}", self.id());
        value
    }

    fn series(&self, name: &str) -> Vec<f64> {
        numbers(self.input(name))
    }

    fn expected(&self, name: &str) -> Option<&Value> {
        self.0["expected"].get(name)
    }

    #[track_caller]
    fn check(&self, name: &str, actual: f64) {
        self.close(name, actual, self.expected(name).unwrap().as_f64().unwrap());
    }

    #[track_caller]
    fn check_pair(&self, name: &str, low: f64, high: f64) {
        let expect = numbers(self.expected(name).unwrap());
        self.close(name, low, expect[0]);
        self.close(name, high, expect[1]);
    }

    /// Within the record's own tolerance, taken as relative however small the number
    /// is, unless the record says where it is absolute.
    #[track_caller]
    fn close(&self, name: &str, actual: f64, expect: f64) {
        let (tolerance, absolute_below) = if let Some(text) = self.0["tol"].as_str() {
            let tolerance = text.split(' ').next().unwrap().parse().unwrap();
            (tolerance, if text.contains("abs 1e-9 if |log e|<1") { 1.0 } else { 0.0 })
        } else {
            (self.0["tol"].as_f64().unwrap(), 0.0)
        };
        let error = (actual - expect).abs();
        let bound: f64 = tolerance * if expect == 0.0 { 1.0 } else { expect.abs().max(absolute_below) };
        assert!(error <= bound, "{} {name}: {actual} is not {expect} (off by {error:e})", self.id());
    }

    fn each_tail(&self, test: impl Fn(Tail) -> MannWhitney) {
        for (name, tail) in [("p_greater", Tail::Greater), ("p_less", Tail::Less), ("p_two-sided", Tail::TwoSided)] {
            let outcome = test(tail);
            self.check("U_canary", outcome.u);
            for (name, actual) in [(name, outcome.p), ("auc", outcome.auc), ("cliffs_delta", outcome.cliffs_delta)] {
                if self.expected(name).is_some() {
                    self.check(name, actual);
                }
            }
        }
    }

    fn each_interval(&self, mut process: RatioEProcess) {
        let expect = numbers(self.expected("log_e").unwrap());
        let intervals = self.input("intervals_xc_xb_nc_nb").as_array().unwrap();
        assert_eq!(intervals.len(), expect.len());
        for (interval, expect) in intervals.iter().map(numbers).zip(expect) {
            process.update(interval[0], interval[1], interval[2], interval[3]);
            self.close("log_e", process.log_e(), expect);
        }
    }
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

fn vectors(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/reference").join(file);
    let text = fs::read_to_string(path).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    document["vectors"].as_array().unwrap().clone()
}
