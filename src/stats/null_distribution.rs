//! What the rank sum does when both cohorts are alike, counted exactly.

/// `P(U <= u)` without ties for arms of `m` and `n` values, from the smaller tail.
pub(crate) fn u_at_most(u: u64, m: usize, n: usize) -> f64 {
    let pairs = (m * n) as u64;
    if u >= pairs {
        1.0
    } else if 2 * u < pairs {
        u_probabilities(m, n, u).iter().sum()
    } else {
        1.0 - u_probabilities(m, n, pairs - u - 1).iter().sum::<f64>()
    }
}

/// `P(U = u)` for `u` from 0 to `most`, by MW-2, the recursion on the largest value:
/// it belongs to the first arm (and is then above all `n`) or to the second. All
/// terms are positive, so no digits are lost.
pub(crate) fn u_probabilities(m: usize, n: usize, most: u64) -> Vec<f64> {
    let (m, n) = (m.max(n), m.min(n));
    let length = usize::try_from(most).unwrap_or(usize::MAX).min(m * n) + 1;
    let certain = || {
        let mut row = vec![0.0; length];
        row[0] = 1.0;
        row
    };
    // rows[j] is the distribution for arms of i and j.
    let mut rows = vec![certain(); n + 1];
    for i in 1..=m {
        for j in 1..=n {
            let (before, rest) = rows.split_at_mut(j);
            let (fewer, row) = (&before[j - 1], &mut rest[0]);
            let (of_first, of_second) = (share(i, i + j), share(j, i + j));
            let support = length.min(i * j + 1);
            for u in (j..support).rev() {
                row[u] = of_first * row[u - j] + of_second * fewer[u];
            }
            for u in 0..j.min(support) {
                row[u] = of_second * fewer[u];
            }
        }
    }
    rows.pop().unwrap_or_default()
}

/// MW-3: in how many ways `size` of the `scores` add up to each sum, by the shift
/// algorithm. Exact while the number of subsets fits 64 bits (up to 67 scores).
pub(crate) fn subset_sums(scores: &[usize], size: usize) -> Vec<u64> {
    let length = scores.iter().sum::<usize>() + 1;
    let mut ways = vec![vec![0_u64; length]; size + 1];
    ways[0][0] = 1;
    let mut reached = 0;
    for score in scores {
        reached += score;
        for chosen in (1..=size).rev() {
            let (fewer, more) = ways.split_at_mut(chosen);
            for sum in *score..=reached {
                more[0][sum] += fewer[chosen - 1][sum - score];
            }
        }
    }
    ways.pop().unwrap_or_default()
}

#[expect(clippy::cast_precision_loss, reason = "arms are far below 2^53")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probabilities_of_every_arrangement_add_up_to_one() {
        for (m, n) in [(1, 1), (2, 5), (7, 3), (12, 12), (49, 50)] {
            let total: f64 = u_probabilities(m, n, (m * n) as u64).iter().sum();
            assert!((total - 1.0).abs() < 1e-13, "{m} {n}: {total}");
        }
    }

    #[test]
    fn an_empty_arm_is_certain() {
        assert!((u_at_most(0, 0, 5) - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn subsets_of_equal_scores_have_one_sum() {
        assert_eq!(subset_sums(&[4, 4, 4], 2), [0, 0, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 0]);
    }
}
