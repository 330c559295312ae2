//! A series that scatters as much as chance makes it, without chance.

use crate::stats;
use crate::stats::Score;

/// `n` intervals like `score`, the excess of which varies by the deviation `noise` and keeps
/// nothing from one to the next: up, down, down, up has no mean, no slope and, over its
/// length, no autocorrelation. So a guard on it believes what it believes on the mean.
fn typical(score: Score, noise: f64, n: u32) -> Vec<Score> {
    const PATTERN: [f64; 4] = [1.0, -1.0, -1.0, 1.0];
    let one = |sign: &f64| Score { excess: score.excess + sign * noise, ..score };
    PATTERN.iter().cycle().map(one).take(n as usize).collect()
}

/// Intervals beyond which a guard believes of each what it believes of this many: a wave of weeks
/// has 20 000, and a plan asks at each of its looks.
const MOST: u32 = 1000;

/// What the guard believes of such intervals: the error of their sum, and its degrees of freedom.
pub(super) fn believed(score: Score, noise: f64, seconds: f64, prior: f64, n: u32) -> Option<(f64, f64)> {
    let made = n.min(MOST);
    let guard = stats::count_guard(&typical(score, noise, made), seconds, prior)?;
    Some((guard.error * (f64::from(n) / f64::from(made)).sqrt(), guard.nu))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_has_the_scatter_that_it_was_given_and_nothing_else() {
        let flat = Score { excess: 0.0, exposure: 1.0, variance: 1.0, leverage: 1.0 };
        let values: Vec<f64> = typical(flat, 2.0, 40).iter().map(|score| score.excess).collect();
        assert!(values.iter().sum::<f64>().abs() < 1e-12);
        assert!((values.iter().map(|value| value * value).sum::<f64>() / 40.0 - 4.0).abs() < 1e-12);
        let lagged: f64 = values.windows(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 160.0;
        assert!(lagged.abs() < 0.03, "{lagged}");
    }
}
