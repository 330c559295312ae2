//! Claims that hold for every input, tried on many.

/// Of the statistics.
#[expect(clippy::float_cmp, reason = "these claims are about the very same double")]
mod stats {
    use proptest::prelude::*;
    use wavegate::stats::BucketScore;
    use wavegate::stats::RatioEProcess;
    use wavegate::stats::RatioTail;
    use wavegate::stats::SortedCohorts;
    use wavegate::stats::Tail;
    use wavegate::stats::binomial_lower_ln;
    use wavegate::stats::binomial_upper_ln;
    use wavegate::stats::floor_log_e;
    use wavegate::stats::hodges_lehmann;
    use wavegate::stats::mann_whitney;
    use wavegate::stats::rate_ratio_interval;

    /// Values with ties, outliers and both signs.
    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            4 => (-8_i32..8).prop_map(f64::from),
            4 => -100.0..100.0_f64,
            1 => prop_oneof![Just(0.0), Just(-0.0), Just(1e-300), Just(-1e300), Just(f64::MAX), Just(5e-324)],
        ]
    }

    fn cohort() -> impl Strategy<Value = Vec<f64>> {
        prop::collection::vec(value(), 1..60)
    }

    /// Canary bad, baseline bad, canary total, baseline total.
    fn interval() -> impl Strategy<Value = [f64; 4]> {
        (0_u32..1000, 0_u32..1000, 0.0..=1.0_f64, 0.0..=1.0_f64).prop_map(|(canary, baseline, bad_c, bad_b)| {
            let (canary, baseline) = (f64::from(canary), f64::from(baseline));
            [(canary * bad_c * bad_c).floor(), (baseline * bad_b * bad_b).floor(), canary, baseline]
        })
    }

    fn log_e(start: RatioEProcess, intervals: &[[f64; 4]]) -> f64 {
        let mut process = start;
        for [bad_c, bad_b, total_c, total_b] in intervals {
            process.update(*bad_c, *bad_b, *total_c, *total_b);
        }
        process.log_e()
    }

    /// HL-1 and an order statistic as defined, by forming all differences.
    fn all_differences(canary: &[f64], baseline: &[f64]) -> Vec<f64> {
        let mut all: Vec<f64> = canary.iter().flat_map(|c| baseline.iter().map(move |b| c - b)).collect();
        all.sort_by(f64::total_cmp);
        all
    }

    fn close(a: f64, b: f64, tolerance: f64) -> bool {
        a == b || (a - b).abs() <= tolerance * (1.0 + a.abs().max(b.abs()))
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(300) })]

        #[test]
        fn rank_p_values_are_probabilities(canary in cohort(), baseline in cohort()) {
            for tail in [Tail::Greater, Tail::Less, Tail::TwoSided] {
                let outcome = mann_whitney(&canary, &baseline, tail).unwrap();
                prop_assert!((0.0..=1.0).contains(&outcome.p), "{outcome:?}");
                prop_assert!((0.0..=1.0).contains(&outcome.auc));
                prop_assert!(outcome.z.is_finite());
            }
        }

        #[test]
        fn swapping_the_cohorts_mirrors_the_rank_test(canary in cohort(), baseline in cohort()) {
            let greater = mann_whitney(&canary, &baseline, Tail::Greater).unwrap();
            let less = mann_whitney(&baseline, &canary, Tail::Less).unwrap();
            prop_assert!(close(greater.p, less.p, 1e-12), "{greater:?} {less:?}");
            prop_assert!(close(greater.auc, 1.0 - less.auc, 1e-12));
            prop_assert_eq!(greater.method, less.method);
            let both = mann_whitney(&canary, &baseline, Tail::TwoSided).unwrap();
            let swapped = mann_whitney(&baseline, &canary, Tail::TwoSided).unwrap();
            prop_assert!(close(both.p, swapped.p, 1e-12));
        }

        #[test]
        fn the_order_of_samples_does_not_matter(canary in cohort(), baseline in cohort()) {
            let (mut turned, mut sorted) = (canary.clone(), baseline.clone());
            turned.reverse();
            sorted.sort_by(f64::total_cmp);
            prop_assert_eq!(
                mann_whitney(&canary, &baseline, Tail::Greater), mann_whitney(&turned, &sorted, Tail::Greater)
            );
            prop_assert_eq!(hodges_lehmann(&canary, &baseline, 0.01, 1.5), hodges_lehmann(&turned, &sorted, 0.01, 1.5));
        }

        #[test]
        fn hodges_lehmann_is_an_order_statistic_of_all_differences(
            canary in cohort(), baseline in cohort(), tail_level in 1e-6..0.5_f64, vif in 1.0..4.0_f64,
        ) {
            let all = all_differences(&canary, &baseline);
            let shift = hodges_lehmann(&canary, &baseline, tail_level, vif).unwrap();
            let (lower, upper) = (all[(all.len() - 1) / 2], all[all.len() / 2]);
            let median = if lower < upper { 0.5 * lower + 0.5 * upper } else { upper };
            prop_assert_eq!(shift.estimate, median);
            let rank_sum = SortedCohorts::new(&canary, &baseline).unwrap().rank_sum().unwrap();
            match wavegate::stats::asymptotic_rank(&rank_sum, tail_level, vif) {
                Some(rank) => {
                    let rank = usize::try_from(rank).unwrap();
                    prop_assert_eq!(shift.low, all[rank - 1]);
                    prop_assert_eq!(shift.high, all[all.len() - rank]);
                }
                None => prop_assert!(shift.low == f64::NEG_INFINITY && shift.high == f64::INFINITY),
            }
            prop_assert!(shift.low <= shift.estimate && shift.estimate <= shift.high);
        }

        #[test]
        fn hodges_lehmann_moves_and_scales_with_the_canary(
            canary in prop::collection::vec(-64_i16..64, 1..40), baseline in prop::collection::vec(-64_i16..64, 1..40),
            move_by in -1000_i16..1000, power in -8_i32..8,
        ) {
            // Whole numbers and powers of two: nothing is rounded.
            let scale = 2_f64.powi(power);
            let plain = |values: &[i16]| values.iter().map(|v| f64::from(*v)).collect::<Vec<_>>();
            let moved: Vec<f64> = canary.iter().map(|v| f64::from(*v + move_by)).collect();
            let scaled = |values: &[i16]| values.iter().map(|v| f64::from(*v) * scale).collect::<Vec<_>>();
            let shift = hodges_lehmann(&plain(&canary), &plain(&baseline), 0.05, 1.0).unwrap();
            let after = hodges_lehmann(&moved, &plain(&baseline), 0.05, 2.0).unwrap();
            let before = hodges_lehmann(&plain(&canary), &plain(&baseline), 0.05, 2.0).unwrap();
            prop_assert_eq!(after.estimate, before.estimate + f64::from(move_by));
            let larger = hodges_lehmann(&scaled(&canary), &scaled(&baseline), 0.05, 1.0).unwrap();
            prop_assert_eq!((larger.estimate, larger.low, larger.high), (shift.estimate * scale, shift.low * scale, shift.high * scale));
            let swapped = hodges_lehmann(&plain(&baseline), &plain(&canary), 0.05, 1.0).unwrap();
            prop_assert_eq!((swapped.estimate, swapped.low, swapped.high), (-shift.estimate, -shift.high, -shift.low));
        }

        #[test]
        fn the_order_of_intervals_does_not_matter_to_the_evidence(
            intervals in prop::collection::vec(interval(), 0..30), margin in 0.2..4.0_f64,
        ) {
            let turned: Vec<_> = intervals.iter().rev().copied().collect();
            for start in [RatioEProcess::above(margin), RatioEProcess::below(margin)] {
                let (forth, back) = (log_e(start.clone(), &intervals), log_e(start, &turned));
                prop_assert!(close(forth, back, 1e-10), "{forth} {back}");
            }
        }

        #[test]
        fn evidence_for_a_worse_canary_is_evidence_against_a_worse_baseline(
            intervals in prop::collection::vec(interval(), 0..20), margin in 0.2..4.0_f64,
        ) {
            let swapped: Vec<_> = intervals.iter().map(|[a, b, c, d]| [*b, *a, *d, *c]).collect();
            let above = log_e(RatioEProcess::above(margin), &intervals);
            let below = log_e(RatioEProcess::below(1.0 / margin), &swapped);
            prop_assert!(close(above, below, 1e-9), "{above} {below}");
        }

        #[test]
        fn the_two_binomial_tails_make_one(n in 1_u32..2_000_000, share in 0.0..1.0_f64, p in 0.0..=1.0_f64) {
            let n = f64::from(n);
            let x = (n * share).floor();
            let (lower, upper) = (binomial_lower_ln(x, n, p), binomial_upper_ln(x + 1.0, n, p));
            prop_assert!(lower <= 0.0 && upper <= 0.0);
            prop_assert!((lower.exp() + upper.exp() - 1.0).abs() < 1e-9, "{lower} {upper}");
            // The mirror image.
            let mirrored = binomial_upper_ln(n - x, n, 1.0 - p);
            prop_assert!(close(lower, mirrored, 1e-6), "{lower} {mirrored}");
        }

        #[test]
        fn binomial_tails_are_monotone(n in 0.5..1e6_f64, share in 0.0..1.0_f64, more in 0.0..1.0_f64, p in 1e-9..1.0_f64) {
            let x = n * share;
            let larger = x + (n - x) * more;
            let slack = 1e-9;
            prop_assert!(binomial_lower_ln(x, n, p) <= binomial_lower_ln(larger, n, p) + slack);
            prop_assert!(binomial_upper_ln(x, n, p) + slack >= binomial_upper_ln(larger, n, p));
            let likelier = p + (1.0 - p) * more;
            prop_assert!(binomial_lower_ln(x, n, p) + slack >= binomial_lower_ln(x, n, likelier));
            prop_assert!(binomial_upper_ln(x, n, p) <= binomial_upper_ln(x, n, likelier) + slack);
        }

        #[test]
        fn the_rate_ratio_lies_between_bounds_that_are_its_tails(
            bad_c in 0_u32..5000, bad_b in 0_u32..5000, total_c in 5000_u32..1_000_000, total_b in 5000_u32..1_000_000,
            level in 1e-6..0.4_f64,
        ) {
            let [bad_c, bad_b, total_c, total_b] = [bad_c, bad_b, total_c, total_b].map(f64::from);
            let Some(ratio) = rate_ratio_interval(bad_c, bad_b, total_c, total_b, level) else {
                prop_assert_eq!(bad_c + bad_b, 0.0);
                return Ok(());
            };
            prop_assert!(ratio.low <= ratio.estimate && ratio.estimate <= ratio.high, "{ratio:?}");
            // At the upper bound, so few bad canary events have a chance of just the level.
            if ratio.high.is_finite() {
                let mut tail = RatioTail::new(ratio.high);
                tail.update(bad_c, bad_b, total_c, total_b);
                prop_assert!((tail.ln_p() - level.ln()).abs() < 1e-6, "{} {}", tail.ln_p().exp(), level);
            }
        }

        #[test]
        fn no_number_whatever_makes_the_counts_panic_or_answer_nan(
            numbers in prop::array::uniform4(prop_oneof![any::<f64>(), 0.0..1e6_f64]), level in any::<f64>(),
        ) {
            let [a, b, c, d] = numbers;
            for mut process in [RatioEProcess::above(level), RatioEProcess::below(level)] {
                process.update(a, b, c, d);
                prop_assert!(!process.log_e().is_nan());
            }
            let mut tail = RatioTail::new(level);
            tail.update(a, b, c, d);
            prop_assert!(!tail.ln_p().is_nan());
            prop_assert!(!floor_log_e(a, b, level).is_nan());
            prop_assert!(!binomial_lower_ln(a, b, level).is_nan());
            prop_assert!(!binomial_upper_ln(a, b, level).is_nan());
            if let Some(ratio) = rate_ratio_interval(a, b, c, d, level) {
                prop_assert!(!(ratio.low.is_nan() || ratio.high.is_nan() || ratio.estimate.is_nan()), "{ratio:?}");
            }
            let mut score = BucketScore::default();
            score.add(&[a, b], &[c, d]);
            prop_assert!(!score.z_model(0.02).is_nan());
            if let Some(theta) = score.interval(level) {
                prop_assert!(theta.low <= theta.estimate && theta.estimate <= theta.high, "{theta:?}");
            }
        }

        #[test]
        fn swapping_the_cohorts_mirrors_the_bucket_score(
            intervals in prop::collection::vec(prop::collection::vec((0_u32..200, 0_u32..200), 6), 1..10),
        ) {
            let (mut plain, mut swapped) = (BucketScore::default(), BucketScore::default());
            for interval in &intervals {
                let canary: Vec<f64> = interval.iter().map(|(c, _)| f64::from(*c)).collect();
                let baseline: Vec<f64> = interval.iter().map(|(_, b)| f64::from(*b)).collect();
                plain.add(&canary, &baseline);
                swapped.add(&baseline, &canary);
            }
            prop_assert_eq!(plain.z_model(0.0), -swapped.z_model(0.0));
            prop_assert_eq!(plain.variance(), swapped.variance());
            prop_assert!(plain.variance() >= 0.0);
        }
    }
}
