//! Chance with a seed, for made-up traffic.
//!
//! `SplitMix64` (Steele, Lea, Flood 2014): one multiplication-and-xorshift of a
//! counter, the same on every machine, good enough for what we draw here.

use std::f64::consts::TAU;

/// A stream of numbers that its seed decides.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of `seed` and `name`: each thing that varies has its own, so that
    /// changing one leaves the others as they were.
    pub fn named(seed: u64, name: &str) -> Self {
        // FNV-1a.
        let hash = name
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self(seed ^ hash)
    }

    /// 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Evenly in `(0, 1)`.
    #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
    pub fn unit(&mut self) -> f64 {
        ((self.bits() >> 11) as f64 + 0.5) / (1_u64 << 53) as f64
    }

    /// Normal with mean 0 and deviation 1 (Box and Muller 1958).
    pub fn normal(&mut self) -> f64 {
        (-2.0 * self.unit().ln()).sqrt() * (TAU * self.unit()).cos()
    }

    /// Poisson with mean `mean`: Knuth's product of uniforms, in stretches short
    /// enough that the product does not vanish.
    pub fn poisson(&mut self, mean: f64) -> u32 {
        const STRETCH: f64 = 16.0;
        let (mut left, mut events) = (mean, 0);
        while left > 0.0 {
            let floor = (-left.min(STRETCH)).exp();
            left -= STRETCH;
            let mut product = self.unit();
            while product > floor {
                product *= self.unit();
                events += 1;
            }
        }
        events
    }

    /// How many of `trials` succeed, each with `probability`.
    pub fn binomial(&mut self, trials: u32, probability: f64) -> u32 {
        let mut successes = 0;
        if probability > 0.0 {
            for _ in 0..trials {
                successes += u32::from(self.unit() < probability);
            }
        }
        successes
    }
}
