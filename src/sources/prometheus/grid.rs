//! A grid of points, cut into queries that a server answers.

use crate::series::Timestamp;
use crate::sources::Grid;

/// Points of one range query. Prometheus allows 11 000 and cannot be told otherwise.
const MAX_POINTS_A_QUERY: i64 = 10_000;
/// Points of a whole grid: a month at 15 s. More is not one look's question.
const MAX_POINTS: i64 = 200_000;

/// A stretch of a grid that one query answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// Its first point.
    pub(super) from: Timestamp,
    /// Its last point.
    pub(super) to: Timestamp,
    /// Milliseconds between two.
    pub(super) step: i64,
}

impl Part {
    /// Whether `at` is one of the points.
    pub(super) fn has(&self, at: Timestamp) -> bool {
        self.from <= at
            && at <= self.to
            && at.as_millis().checked_sub(self.from.as_millis()).is_some_and(|after| after % self.step == 0)
    }
}

/// The grid in stretches of at most [`MAX_POINTS_A_QUERY`] points, none twice.
pub(super) fn parts(grid: Grid) -> Result<Vec<Part>, String> {
    let (from, to) = (grid.from.as_millis(), grid.to.as_millis());
    let step = i64::try_from(grid.step.as_millis()).unwrap_or(i64::MAX);
    if step == 0 || !grid.step.subsec_nanos().is_multiple_of(1_000_000) {
        return Err(format!("its step of {:?} is not a whole number of milliseconds", grid.step));
    }
    let span = to.checked_sub(from).filter(|span| *span >= 0 && span % step == 0);
    let Some(span) = span else {
        return Err(format!("{} is not a whole number of steps of {:?} after {}", grid.to, grid.step, grid.from));
    };
    let steps = span / step;
    if steps >= MAX_POINTS {
        return Err(format!(
            "it has {steps} steps, and {MAX_POINTS} points are the most; lengthen the step or shorten the range"
        ));
    }
    let points = steps + 1;
    let first_points = (0..points).step_by(usize::try_from(MAX_POINTS_A_QUERY).unwrap_or(usize::MAX));
    let part = |first: i64| {
        let last = (first + MAX_POINTS_A_QUERY).min(points) - 1;
        let at = |point: i64| Timestamp::from_millis(from + point * step);
        Part { from: at(first), to: at(last), step }
    };
    Ok(first_points.map(part).collect())
}

/// Every point of the grid, in order.
pub(in crate::sources) fn points(grid: Grid) -> Result<Vec<Timestamp>, String> {
    let stamps = |part: Part| {
        let mut next = Some(part.from);
        std::iter::from_fn(move || {
            let at = next.filter(|at| *at <= part.to)?;
            next = at.as_millis().checked_add(part.step).map(Timestamp::from_millis);
            Some(at)
        })
    };
    Ok(parts(grid)?.into_iter().flat_map(stamps).collect())
}

/// Milliseconds as the decimal seconds that the API takes, exactly.
pub(super) fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn grid(from: i64, to: i64, step: Duration) -> Grid {
        Grid { from: Timestamp::from_millis(from), to: Timestamp::from_millis(to), step }
    }

    #[track_caller]
    fn check(from: i64, to: i64, step_millis: u64, expect: &[(i64, i64)]) {
        let parts = parts(grid(from, to, Duration::from_millis(step_millis))).unwrap();
        let ends: Vec<_> = parts.iter().map(|part| (part.from.as_millis(), part.to.as_millis())).collect();
        assert_eq!(ends, expect);
    }

    #[test]
    fn parts_cover_a_grid_without_a_gap_or_a_point_twice() {
        check(1000, 1000, 15_000, &[(1000, 1000)]);
        check(0, 30_000, 15_000, &[(0, 30_000)]);
        check(0, 9_999, 1, &[(0, 9_999)]);
        check(0, 10_000, 1, &[(0, 9_999), (10_000, 10_000)]);
        check(-5, 24_994, 1, &[(-5, 9_994), (9_995, 19_994), (19_995, 24_994)]);
    }

    #[test]
    fn no_query_asks_for_more_points_than_a_server_was_seen_to_give() {
        let all = include_str!("../../../fixtures/reference/slo.json");
        let all: serde_json::Value = serde_json::from_str(all).unwrap();
        let records = all["vectors"].as_array().unwrap().iter().filter(|record| record["kind"] == "range_limit");
        let mut checked = 0;
        for record in records {
            let seconds = |key: &str| record["input"][key].as_i64().unwrap() * 1000;
            let (from, to, step) = (seconds("start"), seconds("end"), seconds("step"));
            let parts = parts(grid(from, to, Duration::from_millis(step.unsigned_abs()))).unwrap();
            let points = |part: &Part| (part.to.as_millis() - part.from.as_millis()) / step + 1;
            assert_eq!(parts.iter().map(points).sum::<i64>(), record["expected"]["points"].as_i64().unwrap());
            // As the server counts: whole steps between the ends.
            let accepted = |points: i64| points - 1 <= 11_000;
            let whole = accepted(parts.iter().map(points).sum());
            assert_eq!(record["expected"]["accepted_by_prometheus"], whole, "{record}");
            assert!(parts.iter().all(|part| accepted(points(part))), "{record}");
            checked += 1;
        }
        assert_eq!(checked, 3);
    }

    #[test]
    fn grids_without_an_answer_are_refused() {
        let refused = |from, to, step| parts(grid(from, to, step)).unwrap_err();
        assert!(refused(0, 10, Duration::ZERO).contains("whole number of milliseconds"));
        assert!(refused(0, 10, Duration::from_micros(1500)).contains("whole number of milliseconds"));
        assert!(refused(0, 10, Duration::from_millis(3)).contains("whole number of steps"));
        assert!(refused(10, 0, Duration::from_millis(5)).contains("whole number of steps"));
        assert!(refused(i64::MIN, i64::MAX, Duration::from_secs(1)).contains("whole number of steps"));
        assert!(refused(0, i64::MAX - 7, Duration::from_millis(8)).contains("200000 points"));
        assert!(refused(0, i64::MAX, Duration::from_millis(1)).contains("200000 points"));
        assert!(refused(0, 200_000, Duration::from_millis(1)).contains("200000 points"));
        assert_eq!(parts(grid(0, 199_999, Duration::from_millis(1))).unwrap().len(), 20);
    }

    #[test]
    fn only_its_points_are_on_a_part() {
        let part = Part { from: Timestamp::from_millis(-30), to: Timestamp::from_millis(30), step: 30 };
        let on: Vec<i64> = (-61..=61).filter(|at| part.has(Timestamp::from_millis(*at))).collect();
        assert_eq!(on, [-30, 0, 30]);
    }

    #[test]
    fn seconds_are_exact() {
        for (millis, expect) in [
            (0, "0.000"),
            (1, "0.001"),
            (-500, "-0.500"),
            (-1500, "-1.500"),
            (1_700_000_000_123, "1700000000.123"),
            (i64::MIN, "-9223372036854775.808"),
        ] {
            assert_eq!(seconds(millis), expect);
        }
    }
}
