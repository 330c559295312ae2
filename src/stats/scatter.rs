//! Whether one cohort's values scatter as the other's do: a mean says nothing of a canary that
//! is sometimes twice and sometimes half of what it was.
//!
//! Deciles, not variances: they are what people mean by "some of the time", and one spike
//! moves none of them.

/// Fewer values than this have no deciles.
const VALUES_LEAST: usize = 10;

/// The distance between the outer deciles of a cohort may be this much of the other's: that
/// of equal ones rarely is, even where neighbouring values resemble each other.
const WIDER: f64 = 2.0;

/// The upper and lower decile of a cohort.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Deciles {
    /// A tenth of the values is at most this.
    pub low: f64,
    /// A tenth of the values is at least this.
    pub high: f64,
}

impl Deciles {
    /// `None` for fewer than ten values, or where one is not a number.
    ///
    /// Time `O(n)`.
    pub fn of(values: &[f64]) -> Option<Self> {
        let n = values.len();
        if n < VALUES_LEAST || values.iter().any(|value| value.is_nan()) {
            return None;
        }
        let mut values = values.to_vec();
        let place = (n - 1) / 10;
        let (below, high, _) = values.select_nth_unstable_by(n - 1 - place, f64::total_cmp);
        let high = *high;
        let low = *below.select_nth_unstable_by(place, f64::total_cmp).1;
        Some(Self { low, high })
    }

    /// The distance between them.
    pub fn width(&self) -> f64 {
        self.high - self.low
    }

    /// True where a tenth of these values lies more than `margin` (at least 0) above the
    /// other's upper decile, and they scatter more than twice as widely.
    pub fn reach_above(&self, other: &Self, margin: f64) -> bool {
        self.high > other.high + margin && self.width() > WIDER * other.width()
    }

    /// The same at the other end.
    pub fn reach_below(&self, other: &Self, margin: f64) -> bool {
        self.low < other.low - margin && self.width() > WIDER * other.width()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(width: f64) -> Vec<f64> {
        (0..60).map(|place| width * (f64::from(place * 37 % 60) / 59.0 - 0.5)).collect()
    }

    #[test]
    fn a_wider_cohort_reaches_beyond_on_both_sides() {
        let (narrow, wide) = (Deciles::of(&spread(1.0)).unwrap(), Deciles::of(&spread(10.0)).unwrap());
        assert!(wide.reach_above(&narrow, 1.0) && wide.reach_below(&narrow, 1.0));
        assert!(!narrow.reach_above(&wide, 0.0) && !wide.reach_above(&narrow, 5.0));
    }

    #[test]
    fn a_cohort_as_wide_reaches_beyond_nothing_however_far_it_lies() {
        let moved: Vec<f64> = spread(1.0).iter().map(|value| value + 100.0).collect();
        let (here, there) = (Deciles::of(&spread(1.0)).unwrap(), Deciles::of(&moved).unwrap());
        assert!(!there.reach_above(&here, 1.0) && !here.reach_below(&there, 1.0));
    }

    #[test]
    fn few_values_and_no_numbers_have_no_deciles() {
        assert!(Deciles::of(&[1.0; 9]).is_none());
        assert!(Deciles::of(&[f64::NAN; 20]).is_none());
        assert_eq!(Deciles::of(&[1.0; 10]), Some(Deciles { low: 1.0, high: 1.0 }));
    }
}
