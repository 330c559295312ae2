//! Distributions that made-up waves draw from.
//!
//! The Poisson draw costs the same for any mean: at 1000 requests a second an
//! interval has 15 000 of them.

use crate::plan::traffic::Random;
use statrs::function::gamma::ln_gamma;

/// Below this mean a product of uniforms is quicker, and the rejection is not valid.
const SMALL_MEAN: f64 = 10.0;

impl Random {
    /// Exponential with mean 1.
    pub fn exponential(&mut self) -> f64 {
        -self.unit().ln()
    }

    /// Gamma with `1 <= shape` and scale 1 (Marsaglia and Tsang 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            if v > 0.0 && self.unit().ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Student's t with `2 <= freedom` degrees of freedom.
    pub fn student(&mut self, freedom: f64) -> f64 {
        self.normal() / (self.gamma(0.5 * freedom) / (0.5 * freedom)).sqrt()
    }

    /// Poisson with mean `mean`, as a count to reckon with: transformed rejection
    /// with squeeze (PTRS, Hörmann 1993).
    pub fn events(&mut self, mean: f64) -> f64 {
        if mean < SMALL_MEAN {
            return f64::from(self.poisson(mean));
        }
        let slope = 0.931 + 2.53 * mean.sqrt();
        let bend = 0.02483 * slope - 0.059;
        let ln_inverse_alpha = (1.1239 + 1.1328 / (slope - 3.4)).ln();
        let surely = 0.9277 - 3.6224 / (slope - 2.0);
        loop {
            let across = self.unit() - 0.5;
            let up = self.unit();
            let edge = 0.5 - across.abs();
            let count = ((2.0 * bend / edge + slope) * across + mean + 0.43).floor();
            if edge >= 0.07 && up <= surely {
                return count;
            }
            if count < 0.0 || (edge < 0.013 && up > edge) {
                continue;
            }
            let ln_density = count * mean.ln() - mean - ln_gamma(count + 1.0);
            if up.ln() + ln_inverse_alpha - (bend / (edge * edge) + slope).ln() <= ln_density {
                return count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean and variance of 20 000 draws lie within five standard errors.
    #[track_caller]
    fn check(mean: f64, variance: f64, kurtosis: f64, mut draw: impl FnMut(&mut Random) -> f64) {
        const DRAWS: u32 = 20_000;
        let mut random = Random::named(1, "moments");
        let draws: Vec<f64> = (0..DRAWS).map(|_| draw(&mut random)).collect();
        let count = f64::from(DRAWS);
        let found = draws.iter().sum::<f64>() / count;
        assert!((found - mean).abs() < 5.0 * (variance / count).sqrt(), "mean {found}, not {mean}");
        let found = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / count;
        let error = variance * ((kurtosis - 1.0) / count).sqrt();
        assert!((found - variance).abs() < 5.0 * error, "variance {found}, not {variance}");
    }

    #[test]
    fn counts_have_the_moments_of_a_poisson_at_any_mean() {
        for mean in [0.02, 3.0, 9.9, 10.0, 40.0, 15_000.0] {
            check(mean, mean, 3.0 + 1.0 / mean, |random| random.events(mean));
        }
    }

    #[test]
    fn the_continuous_draws_have_their_moments() {
        check(1.0, 1.0, 9.0, Random::exponential);
        check(1.25, 1.25, 3.0 + 6.0 / 1.25, |random| random.gamma(1.25));
        check(0.0, 1.25, 4.0, |random| random.student(10.0));
    }
}
