//! Two cohorts sorted once, because the rank statistic and the Hodges-Lehmann
//! interval both start from the order.

/// The values of both cohorts in ascending order, each followed by `+inf`.
///
/// The sentinels let the walks over both arms run without asking for the end.
/// [`SortedCohorts::reload`] keeps the memory for the next pair.
#[derive(Clone, Debug, Default)]
pub struct SortedCohorts {
    canary: Vec<f64>,
    baseline: Vec<f64>,
}

impl SortedCohorts {
    /// `None` where a cohort is empty or a value is not finite.
    pub fn new(canary: &[f64], baseline: &[f64]) -> Option<Self> {
        let mut sorted = Self::default();
        sorted.reload(canary, baseline).then_some(sorted)
    }

    /// Takes other values into the same memory. False, and empty, where a cohort
    /// is empty or a value is not finite.
    pub fn reload(&mut self, canary: &[f64], baseline: &[f64]) -> bool {
        let loaded = load(&mut self.canary, canary) && load(&mut self.baseline, baseline);
        if !loaded {
            self.canary.clear();
            self.baseline.clear();
        }
        loaded
    }

    /// The canary's values in ascending order.
    pub fn canary(&self) -> &[f64] {
        values(&self.canary)
    }

    /// The baseline's values in ascending order.
    pub fn baseline(&self) -> &[f64] {
        values(&self.baseline)
    }

    /// Both arms with their sentinels.
    pub(crate) fn with_sentinels(&self) -> (&[f64], &[f64]) {
        (&self.canary, &self.baseline)
    }
}

fn values(padded: &[f64]) -> &[f64] {
    padded.split_last().map_or(&[], |(_, values)| values)
}

fn load(arm: &mut Vec<f64>, values: &[f64]) -> bool {
    arm.clear();
    if values.is_empty() || !values.iter().all(|value| value.is_finite()) {
        return false;
    }
    arm.reserve_exact(values.len() + 1);
    arm.extend_from_slice(values);
    arm.sort_unstable_by(f64::total_cmp);
    arm.push(f64::INFINITY);
    true
}
