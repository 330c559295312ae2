//! Many series become one value a cohort: instances, their mean, the worst.
//!
//! Series of one instance add up (one queue a worker, one counter a path), and
//! instances are averaged, so that cohorts of different size compare.

use crate::series::Labels;
use crate::series::Series;
use crate::series::Timestamp;
use crate::series::Window;
use crate::series::counter;
use crate::series::counter::Tally;
use std::collections::BTreeMap;

/// What one series showed at one point of a grid.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Point {
    /// No value.
    Nothing,
    /// A finite value.
    Value(f64),
    /// NaN.
    NotANumber,
    /// An infinite value.
    Infinite,
}

/// What `series` shows exactly at `at`: a neighbour of a grid point is not its value.
pub fn point(series: &Series, at: Timestamp) -> Point {
    let sample = series.samples().binary_search_by_key(&at, |sample| sample.at);
    if let Some(sample) = sample.ok().and_then(|index| series.samples().get(index)) {
        Point::Value(sample.value)
    } else if series.nan().binary_search(&at).is_ok() {
        Point::NotANumber
    } else if series.infinite().binary_search(&at).is_ok() {
        Point::Infinite
    } else {
        Point::Nothing
    }
}

/// The samples of `series` in `window`, each as an event, and how many of them are at least 1.
pub fn ups(series: &Series, window: Window) -> (Tally, u32) {
    let tally = counter::present(series, window);
    let good = counter::inside(series, window).iter().filter(|sample| sample.value >= 1.0).count();
    (tally, u32::try_from(good).unwrap_or(u32::MAX))
}

/// The mean over instances of one cohort.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mean {
    /// It; `None` without a value, or where a sum overflows.
    pub value: Option<f64>,
    /// More than one series carries no instance label: they were taken as one instance.
    pub is_nameless: bool,
}

/// Sums `values` within an instance and averages over instances. An instance is
/// the first of the labels `names` that a series has. In the order of labels.
pub fn mean<'a>(values: impl IntoIterator<Item = (&'a Labels, f64)>, names: &[String]) -> Mean {
    let mut instances: BTreeMap<Option<(usize, &str)>, (f64, u32)> = BTreeMap::new();
    for (labels, value) in values {
        let (sum, series) = instances.entry(instance(labels, names)).or_default();
        *sum += value;
        *series = series.saturating_add(1);
    }
    let sum: f64 = instances.values().map(|(sum, _)| sum).sum();
    let value = u32::try_from(instances.len()).ok().filter(|count| *count > 0).map(|count| sum / f64::from(count));
    Mean {
        value: value.filter(|value| value.is_finite()),
        is_nameless: instances.get(&None).is_some_and(|(_, series)| *series > 1),
    }
}

/// Whether a label of `labels` tells its instance.
pub fn is_named(labels: &Labels, names: &[String]) -> bool {
    instance(labels, names).is_some()
}

/// Which instance a series belongs to: the first of the labels `names` that it has.
pub fn instance<'a>(labels: &'a Labels, names: &[String]) -> Option<(usize, &'a str)> {
    names.iter().enumerate().find_map(|(rank, name)| labels.get(name).map(|value| (rank, value)))
}

/// Which end of the values is the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extreme {
    /// The largest: an upper bound is judged.
    Largest,
    /// The smallest: a lower bound is judged.
    Smallest,
}

/// The worst of `values`; of equal ones that with the first labels.
pub fn worst<'a>(values: impl IntoIterator<Item = (&'a Labels, f64)>, extreme: Extreme) -> Option<(&'a Labels, f64)> {
    values.into_iter().min_by(|(labels, value), (other_labels, other)| {
        let order = match extreme {
            Extreme::Largest => other.total_cmp(value),
            Extreme::Smallest => value.total_cmp(other),
        };
        order.then_with(|| labels.cmp(other_labels))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Sample;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[track_caller]
    fn check_mean(values: &[(&[(&str, &str)], f64)], value: Option<f64>, is_nameless: bool) {
        let owned: Vec<(Labels, f64)> = values.iter().map(|(pairs, value)| (labels(pairs), *value)).collect();
        let names = ["pod".to_owned(), "instance".to_owned()];
        let expect = Mean { value, is_nameless };
        assert_eq!(mean(owned.iter().map(|(labels, value)| (labels, *value)), &names), expect);
    }

    #[test]
    fn series_add_up_within_an_instance_and_instances_are_averaged() {
        check_mean(
            &[(&[("pod", "a"), ("path", "/")], 1.0), (&[("pod", "a"), ("path", "/x")], 3.0), (&[("pod", "b")], 10.0)],
            Some(7.0),
            false,
        );
    }

    #[test]
    fn the_first_label_that_a_series_has_is_its_instance() {
        check_mean(
            &[
                (&[("pod", "a"), ("instance", "n:1")], 1.0),
                (&[("pod", "b"), ("instance", "n:1")], 2.0),
                (&[("instance", "n:1")], 6.0),
            ],
            Some(3.0),
            false,
        );
    }

    #[test]
    fn series_without_an_instance_are_one_and_that_is_said_where_they_are_many() {
        check_mean(&[(&[], 4.0)], Some(4.0), false);
        check_mean(&[(&[("x", "1")], 4.0), (&[("x", "2")], 5.0)], Some(9.0), true);
        check_mean(&[(&[("pod", "")], 4.0), (&[("pod", "a")], 6.0)], Some(5.0), false);
    }

    #[test]
    fn no_value_and_no_finite_value_are_nothing() {
        check_mean(&[], None, false);
        check_mean(&[(&[("pod", "a")], f64::MAX), (&[("pod", "b")], f64::MAX)], None, false);
    }

    #[test]
    fn the_worst_is_at_the_end_that_is_judged_and_ties_go_by_labels() {
        let (a, b, c) = (labels(&[("pod", "a")]), labels(&[("pod", "b")]), labels(&[("pod", "c")]));
        let values = [(&c, 3.0), (&b, 3.0), (&a, -1.0)];
        assert_eq!(worst(values, Extreme::Largest), Some((&b, 3.0)));
        assert_eq!(worst(values, Extreme::Smallest), Some((&a, -1.0)));
        assert_eq!(worst([], Extreme::Smallest), None);
    }

    #[test]
    fn a_point_is_read_at_its_own_instant_and_nowhere_else() {
        let at = Timestamp::from_millis;
        let values = [(0, 1.0), (15, f64::NAN), (30, f64::INFINITY)];
        let samples = values.iter().map(|&(millis, value)| Sample { at: at(millis), value }).collect();
        let series = Series::new(Labels::default(), samples);
        assert_eq!(point(&series, at(0)), Point::Value(1.0));
        assert_eq!(point(&series, at(1)), Point::Nothing);
        assert_eq!(point(&series, at(15)), Point::NotANumber);
        assert_eq!(point(&series, at(30)), Point::Infinite);
    }
}
