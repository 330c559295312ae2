//! The form in which every estimate leaves this module.

/// An estimate between its two bounds, each at the one-sided level asked for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The estimate.
    pub estimate: f64,
    /// Lower bound; `-inf` (or 0 for a ratio) where the data cannot give one.
    pub low: f64,
    /// Upper bound; `+inf` where the data cannot give one.
    pub high: f64,
}
