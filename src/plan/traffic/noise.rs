//! How a level moves about: each noise is a walk of a logarithm, one step an
//! interval, so that noises add up and a level stays positive.

use crate::plan::traffic::Random;
use std::collections::VecDeque;

/// One cause of movement.
#[derive(Clone, Copy, Debug)]
pub enum Noise {
    /// Each interval by itself; normal on the level, of which it is a share.
    Normal(f64),
    /// Each interval by itself; normal on the logarithm.
    Lognormal(f64),
    /// The first keeps of the last interval, the second is the deviation of the logarithm.
    Autoregressive(f64, f64),
    /// The mean of so many intervals, with a deviation of the logarithm.
    MovingAverage(usize, f64),
    /// Student's t with so many degrees of freedom, times a scale.
    Student(f64, f64),
    /// This share of the intervals has so many times the level.
    Spikes(f64, f64),
    /// A deviation of the logarithm, drawn once and for ever.
    Offset(f64),
    /// The level times a gamma(1) variable that holds for so many intervals.
    Bursts(u32),
    /// So many times the level for this share of the wave, beginning at random.
    Incident(f64, f64),
    /// From the level to so many times it, evenly over the wave.
    Trend(f64),
    /// Begins in an interval with this chance, lasts for so many intervals, and has so many
    /// times the level.
    Incidents(f64, u32, f64),
}

/// A place in a wave.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    /// Intervals up to here, from 1.
    pub(super) index: u32,
    /// Intervals of the wave.
    pub(super) last: u32,
}

impl Place {
    /// The share of the wave that is over.
    pub(super) fn share(self) -> f64 {
        f64::from(self.index) / f64::from(self.last)
    }
}

/// A noise on its way.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    noise: Noise,
    /// What it keeps between two intervals, or for ever.
    kept: f64,
    past: VecDeque<f64>,
    /// Intervals for which what began goes on.
    left: u32,
}

impl Walk {
    /// As if it had gone on for long.
    pub(super) fn new(noise: Noise, random: &mut Random) -> Self {
        let kept = match noise {
            Noise::Autoregressive(_, deviation) | Noise::Offset(deviation) => deviation * random.normal(),
            Noise::Incident(_, share) => random.unit() * (1.0 - share),
            Noise::Normal(_)
            | Noise::Lognormal(_)
            | Noise::MovingAverage(..)
            | Noise::Student(..)
            | Noise::Spikes(..)
            | Noise::Bursts(_)
            | Noise::Trend(_)
            | Noise::Incidents(..) => 0.0,
        };
        let width = if let Noise::MovingAverage(width, _) = noise { width } else { 0 };
        Self { noise, kept, past: (0..width).map(|_| random.normal()).collect(), left: 0 }
    }

    /// The logarithm of the level in the interval that ends here.
    pub(super) fn step(&mut self, random: &mut Random, place: Place) -> f64 {
        match self.noise {
            // So much noise that a level falls to a hundredth is not meant to reach 0.
            Noise::Normal(share) => (1.0 + share * random.normal()).max(0.01).ln(),
            Noise::Lognormal(deviation) => deviation * random.normal(),
            Noise::Autoregressive(keeps, deviation) => {
                let fresh = (1.0 - keeps * keeps).sqrt() * deviation * random.normal();
                self.kept = keeps * self.kept + fresh;
                self.kept
            }
            Noise::MovingAverage(_, deviation) => {
                self.past.pop_front();
                self.past.push_back(random.normal());
                let width = f64::from(u32::try_from(self.past.len()).unwrap_or(u32::MAX));
                deviation * self.past.iter().sum::<f64>() / width.sqrt()
            }
            Noise::Student(freedom, scale) => scale * random.student(freedom),
            Noise::Spikes(share, factor) => {
                if random.unit() < share {
                    factor.ln()
                } else {
                    0.0
                }
            }
            Noise::Offset(_) => self.kept,
            Noise::Bursts(intervals) => {
                if (place.index - 1).is_multiple_of(intervals) {
                    self.kept = random.exponential().ln();
                }
                self.kept
            }
            Noise::Incident(factor, share) => {
                let inside = self.kept <= place.share() && place.share() < self.kept + share;
                if inside { factor.ln() } else { 0.0 }
            }
            Noise::Trend(factor) => factor.ln() * place.share(),
            Noise::Incidents(chance, intervals, factor) => {
                // Drawn in every interval, so that a longer one leaves the later ones where they were.
                let begins = random.unit() < chance;
                self.left = if begins { intervals } else { self.left.saturating_sub(1) };
                if self.left > 0 { factor.ln() } else { 0.0 }
            }
        }
    }
}
