//! Many columns as one: aggregation over series, and two operands as one value.

use crate::series::Labels;
use crate::series::expr::Aggregation;
use crate::series::expr::Column;
use crate::series::expr::Grouping;
use crate::series::expr::NAME;
use crate::series::expr::Operator;
use crate::series::expr::Unevaluated;
use crate::series::expr::Value;
use crate::series::expr::Vector;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Adds `column` under `labels`. Two columns of the same labels are one series
/// where no point has a value in both.
pub(super) fn put(columns: &mut Vector, labels: Labels, column: Column) -> Result<(), Unevaluated> {
    match columns.entry(labels) {
        Entry::Vacant(free) => {
            free.insert(column);
        }
        Entry::Occupied(mut there) => {
            if there.get().iter().zip(&column).any(|(a, b)| a.is_some() && b.is_some()) {
                return Err(Unevaluated::SameLabels { labels: there.key().to_string() });
            }
            for (mine, other) in there.get_mut().iter_mut().zip(column) {
                *mine = mine.or(other);
            }
        }
    }
    Ok(())
}

/// One column a group. Sums of floats depend on their order: it is that of labels.
pub(super) fn aggregate(aggregation: Aggregation, grouping: &Grouping, columns: Vector) -> Vector {
    let mut groups: BTreeMap<Labels, Vec<Column>> = BTreeMap::new();
    for (labels, column) in columns {
        groups.entry(grouping.of(&labels)).or_default().push(column);
    }
    let one = |members: Vec<Column>| {
        let points = members.first().map_or(0, Vec::len);
        let at = |point: usize| members.iter().filter_map(move |column| column.get(point).copied().flatten());
        (0..points).map(|point| aggregation.of(at(point))).collect()
    };
    groups.into_iter().map(|(labels, members)| (labels, one(members))).collect()
}

impl Grouping {
    fn of(&self, labels: &Labels) -> Labels {
        let stays = |name: &str| match self {
            Self::By(names) => names.iter().any(|other| other == name),
            Self::Without(names) => name != NAME && !names.iter().any(|other| other == name),
        };
        let rest = labels.iter().filter(|(name, _)| stays(name));
        rest.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl Aggregation {
    fn of(self, values: impl Iterator<Item = f64> + Clone) -> Option<f64> {
        values.clone().next()?;
        let count = || values.clone().fold(0.0, |count, _| count + 1.0);
        Some(match self {
            Self::Sum => values.sum(),
            Self::Avg => values.clone().sum::<f64>() / count(),
            // NaN gives way to any number.
            Self::Min => values.fold(f64::NAN, f64::min),
            Self::Max => values.fold(f64::NAN, f64::max),
            Self::Count => count(),
        })
    }
}

/// `left operator right`.
pub(super) fn binary(operator: Operator, gives_bool: bool, left: Value, right: Value) -> Result<Value, Unevaluated> {
    let of = |left: f64, right: f64, kept: f64| operator.of(left, right, gives_bool, kept);
    // Only a comparison that leaves values out leaves the others what they are.
    let keeps_name = operator.compares() && !gives_bool;
    let labelled = |labels: Labels| if keeps_name { labels } else { labels.without(NAME) };
    let each = |columns: Vector, value: &dyn Fn(f64) -> Option<f64>| {
        let mut result = Vector::new();
        for (labels, column) in columns {
            put(&mut result, labelled(labels), column.into_iter().map(|one| one.and_then(value)).collect())?;
        }
        Ok(Value::Vector(result))
    };
    match (left, right) {
        // Between numbers PromQL knows no comparison that leaves out.
        (Value::Scalar(left), Value::Scalar(right)) => {
            Ok(Value::Scalar(operator.of(left, right, true, left).unwrap_or(f64::NAN)))
        }
        (Value::Vector(columns), Value::Scalar(right)) => each(columns, &|left| of(left, right, left)),
        (Value::Scalar(left), Value::Vector(columns)) => each(columns, &|right| of(left, right, right)),
        (Value::Vector(left), Value::Vector(right)) => {
            let right = nameless(right)?;
            let mut result = Vector::new();
            // Two metrics of the left must not meet one of the right.
            nameless(left.clone())?;
            for (labels, column) in left {
                let Some(other) = right.get(&labels.without(NAME)) else { continue };
                let pairs = column.into_iter().zip(other);
                let column = pairs.map(|(left, right)| left.zip(*right).and_then(|(l, r)| of(l, r, l))).collect();
                put(&mut result, labelled(labels), column)?;
            }
            Ok(Value::Vector(result))
        }
    }
}

fn nameless(columns: Vector) -> Result<Vector, Unevaluated> {
    let mut result = Vector::new();
    for (labels, column) in columns {
        put(&mut result, labels.without(NAME), column)?;
    }
    Ok(result)
}

impl Operator {
    fn compares(self) -> bool {
        match self {
            Self::Add | Self::Subtract | Self::Multiply | Self::Divide | Self::Remainder | Self::Power => false,
            Self::Equal | Self::NotEqual | Self::Less | Self::AtMost | Self::Greater | Self::AtLeast => true,
        }
    }

    /// The result; of a comparison that holds `kept`, of one that does not nothing,
    /// or 1 and 0 where it `gives_bool`.
    #[expect(clippy::float_cmp, reason = "PromQL compares floats exactly")]
    fn of(self, left: f64, right: f64, gives_bool: bool, kept: f64) -> Option<f64> {
        let holds = match self {
            Self::Add => return Some(left + right),
            Self::Subtract => return Some(left - right),
            Self::Multiply => return Some(left * right),
            Self::Divide => return Some(left / right),
            Self::Remainder => return Some(left % right),
            Self::Power => return Some(left.powf(right)),
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::AtMost => left <= right,
            Self::Greater => left > right,
            Self::AtLeast => left >= right,
        };
        match (gives_bool, holds) {
            (true, true) => Some(1.0),
            (true, false) => Some(0.0),
            (false, true) => Some(kept),
            (false, false) => None,
        }
    }
}
