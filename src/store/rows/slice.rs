//! A slice as one row.

use crate::series::Counts;
use crate::series::Timestamp;
use crate::store::rows::Fault;

/// The columns of table `slices` but what it is counted by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::store) struct SliceRow {
    pub(in crate::store) start_at: i64,
    /// `NULL`, as `total` is, where nobody saw anything.
    pub(in crate::store) bad: Option<f64>,
    pub(in crate::store) total: Option<f64>,
}

impl SliceRow {
    /// The slice, with its start.
    pub(in crate::store) fn slice(self) -> Result<(Timestamp, Option<Counts>), Fault> {
        let counts = match (self.bad, self.total) {
            (None, None) => None,
            (Some(bad), Some(total)) => Some(sound(Counts { bad, total })?),
            (Some(_), None) | (None, Some(_)) => return Err("one of its counts is missing".to_owned()),
        };
        Ok((Timestamp::from_millis(self.start_at), counts))
    }
}

impl TryFrom<&(Timestamp, Option<Counts>)> for SliceRow {
    type Error = Fault;

    fn try_from((start, counts): &(Timestamp, Option<Counts>)) -> Result<Self, Fault> {
        let counts = counts.map(sound).transpose()?;
        let (bad, total) = counts.map(|counts| (counts.bad, counts.total)).unzip();
        Ok(Self { start_at: start.as_millis(), bad, total })
    }
}

/// What [`Counts`] says of itself in words.
pub(in crate::store::rows) fn sound(counts: Counts) -> Result<Counts, Fault> {
    let Counts { bad, total } = counts;
    if total.is_finite() && 0.0 <= bad && bad <= total {
        Ok(counts)
    } else {
        Err(format!("{bad} bad of {total} events is no count"))
    }
}
