//! How often something happened in many waves, and when.

use crate::plan::traffic::Run;

/// How often something happened, and when.
#[derive(Clone, Debug)]
pub struct Tally {
    waves: u32,
    /// In minutes, in order.
    times: Vec<f64>,
}

impl Tally {
    /// Of what `pick` finds in each wave.
    pub fn of(runs: &[Run], pick: impl Fn(&Run) -> Option<f64>) -> Self {
        let mut times: Vec<f64> = runs.iter().filter_map(pick).collect();
        times.sort_by(f64::total_cmp);
        Self { waves: u32::try_from(runs.len()).unwrap_or(u32::MAX), times }
    }

    /// In how many waves.
    pub fn count(&self) -> u32 {
        u32::try_from(self.times.len()).unwrap_or(u32::MAX)
    }

    /// The share of the waves.
    pub fn share(&self) -> f64 {
        f64::from(self.count()) / f64::from(self.waves)
    }

    /// The standard error of a share of `share` in so many waves.
    pub fn error_at(&self, share: f64) -> f64 {
        (share * (1.0 - share) / f64::from(self.waves)).sqrt()
    }

    /// By when it had happened in half of all waves, in minutes; `None` where it did not.
    pub fn median(&self) -> Option<f64> {
        self.by(self.waves.div_ceil(2))
    }

    /// By when it had happened in nine of ten waves, in minutes; `None` where it did not.
    pub fn ninth_decile(&self) -> Option<f64> {
        self.by(self.waves - self.waves / 10)
    }

    /// By when it had happened in so many waves.
    fn by(&self, waves: u32) -> Option<f64> {
        self.times.get(usize::try_from(waves).ok()?.checked_sub(1)?).copied()
    }
}
