//! What a gate keeps, in bytes, by the capacities of everything that grows.
//!
//! Counting allocations would take an allocator of our own, which is unsafe code; so each
//! state names its parts here, and the tests below hold them to what they may weigh.

use crate::judge::check::CheckState;
use crate::judge::counts::Totals;
use crate::judge::state::State;
use crate::series::Labels;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::sync::Arc;

/// Bytes behind a value, without its own.
pub(crate) trait Footprint {
    fn heap(&self) -> usize;
}

/// `fields!(State: looks, checks)`: those are what may have something behind them.
macro_rules! fields {
    ($name:ty: $($field:ident),+) => {
        impl crate::judge::footprint::Footprint for $name {
            fn heap(&self) -> usize {
                [$(crate::judge::footprint::Footprint::heap(&self.$field)),+].iter().sum()
            }
        }
    };
}
pub(crate) use fields;

/// `flat!(f64)`: there is nothing behind it.
macro_rules! flat {
    ($($name:ty),+) => {
        $(impl crate::judge::footprint::Footprint for $name {
            fn heap(&self) -> usize {
                0
            }
        })+
    };
}
pub(crate) use flat;

flat!(f64, usize, (f64, f64), (&'static str, f64), [f32; 2], [f32; 3], [f32; 4], Totals);

impl Footprint for String {
    fn heap(&self) -> usize {
        self.capacity()
    }
}

impl<T: Footprint> Footprint for Vec<T> {
    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Footprint::heap).sum::<usize>()
    }
}

impl<T: Footprint> Footprint for VecDeque<T> {
    fn heap(&self) -> usize {
        self.capacity() * size_of::<T>() + self.iter().map(Footprint::heap).sum::<usize>()
    }
}

/// A tree's nodes are at least half full, but for the root.
impl<K: Footprint, V: Footprint> Footprint for BTreeMap<K, V> {
    fn heap(&self) -> usize {
        let own = if self.is_empty() { 0 } else { (2 * self.len()).max(11) * (size_of::<K>() + size_of::<V>()) };
        own + self.iter().map(|(key, value)| key.heap() + value.heap()).sum::<usize>()
    }
}

impl<T: Footprint> Footprint for Option<T> {
    fn heap(&self) -> usize {
        self.as_ref().map_or(0, Footprint::heap)
    }
}

impl<T: Footprint> Footprint for Box<T> {
    fn heap(&self) -> usize {
        size_of::<T>() + T::heap(self)
    }
}

/// Two gates never share one, so that it counts in full.
impl<T> Footprint for Arc<[T]> {
    fn heap(&self) -> usize {
        size_of_val::<[T]>(self)
    }
}

impl Footprint for Labels {
    fn heap(&self) -> usize {
        2 * self.iter().map(|(name, value)| 2 * size_of::<String>() + name.len() + value.len()).sum::<usize>()
    }
}

fields!(State: looks, checks, budget);

mod tests {
    use super::*;
    use crate::judge::Timing;
    use crate::judge::judge;
    use crate::rules;
    use crate::rules::CheckKind;
    use crate::rules::GaugeTest;
    use crate::series::Buckets;
    use crate::series::CheckEvidence;
    use crate::series::InstanceEvidence;
    use crate::series::IntervalEvidence;
    use crate::series::Measure;
    use crate::series::Observed;
    use crate::series::Timestamp;

    const HOUR: u32 = 240;

    /// Kinds of checks, how many of them a gate of ten has, and what a point of each weighs.
    const TEN: [(&str, usize, usize); 7] = [
        ("ratio: { bad: b, total: t }", 2, 16),
        ("histogram: h", 2, 12),
        // A point for each of the two bounds of FAIL, and one for the PASS.
        ("histogram: h\n    quantile: p99", 1, 3 * 16),
        ("gauge: g", 2, 16),
        // With what the values are divided by.
        ("gauge: g\n    per: t", 1, 16 + 8),
        ("gauge: g\n    by: instance", 1, 16),
        ("threshold: x\n    max: 10", 1, 0),
    ];

    fn gate(checks: &[&str]) -> rules::RuleFile {
        let schedule = "{ min_duration: 60m, deadline: 60m }";
        let check = |(k, check): (usize, &&str)| format!("  - name: c{k}\n    {check}\n");
        let checks: String = checks.iter().enumerate().map(check).collect();
        let text = format!("version: 1\nname: gate\nschedule: {schedule}\nchecks:\n{checks}");
        rules::parse("gate.yaml", &text).unwrap().rules
    }

    fn observed(kind: &CheckKind, k: u32, instances: u32) -> Observed {
        let level = 100.0 + f64::from(k * 7919 % 101);
        let measure = match kind {
            CheckKind::Ratio { .. } => Measure::Counts { bad: f64::from(k % 3), total: 20.0 * level },
            CheckKind::Histogram { .. } | CheckKind::Quantile { .. } => {
                let bounds = (1..20).map(f64::from).chain([f64::INFINITY]).collect();
                let counts = (0..20).map(|bucket| (100.0 * level * 0.7_f64.powi(bucket)).floor()).collect();
                Measure::Buckets(Buckets::new(bounds, counts).unwrap())
            }
            CheckKind::Gauge { per: Some(_), .. } => Measure::Rated { value: level, per: 10.0 },
            CheckKind::Gauge { .. } => Measure::Value(level),
            CheckKind::Threshold { .. } => Measure::Worst { value: 1.0, series: Labels::default() },
        };
        let is_told_apart =
            matches!(kind, CheckKind::Ratio { .. } | CheckKind::Gauge { test: GaugeTest::ByInstance, .. });
        let count = if is_told_apart { instances } else { 0 };
        let instance = |k| InstanceEvidence { name: format!("10.0.0.{k}:8080"), measure: measure.clone() };
        Observed { instances: (0..count).map(instance).collect(), seen: 1, measure, ..Observed::nothing(1) }
    }

    /// The state after `intervals`, folded one by one as they come, so that it has the room
    /// to grow that it has in a daemon.
    fn after(rules: &rules::RuleFile, intervals: u32, instances: u32) -> State {
        let timing = Timing::new(&rules.schedule, Timestamp::from_millis(0), None, None);
        (1..=intervals).fold(State::new(rules, timing), |state, k| {
            let evidence = |check: &rules::Check| CheckEvidence {
                canary: observed(&check.kind, k, instances),
                baseline: Some(observed(&check.kind, k + 1, instances)),
                ..CheckEvidence::missing()
            };
            let window = timing.window(k);
            let checks = rules.checks.iter().map(evidence).collect();
            judge(rules, &state, &[IntervalEvidence { window, checks, budget: None }], window.to).0
        })
    }

    fn whole(state: &State) -> usize {
        size_of::<State>() + state.heap()
    }

    #[test]
    fn ten_checks_after_an_hour_weigh_less_than_256_kib() {
        let all: Vec<&str> = TEN.iter().flat_map(|(check, count, _)| vec![*check; *count]).collect();
        assert_eq!(all.len(), 10);
        let rules = gate(&all);
        for (instances, most) in [(0, 128), (20, 256)] {
            let bytes = whole(&after(&rules, HOUR, instances));
            assert!(bytes < most * 1024, "{bytes} bytes with {instances} instances");
        }
    }

    #[test]
    fn a_point_weighs_at_most_16_bytes() {
        for (check, _, weight) in TEN {
            let rules = gate(&[check]);
            // A copy has no room to grow: what is left is the points themselves.
            let bytes = |intervals| after(&rules, intervals, 0).clone().heap();
            let (half, hour) = (bytes(HOUR / 2), bytes(HOUR));
            let grown = hour - half;
            assert_eq!(grown, weight * (HOUR / 2) as usize, "{check}: {half} and {hour} bytes");
        }
    }

    #[test]
    fn an_instance_of_a_ratio_weighs_8_bytes_a_point() {
        let rules = gate(&["ratio: { bad: b, total: t }"]);
        let bytes = |instances| after(&rules, HOUR, instances).clone().heap();
        let points = (HOUR - 8) as usize;
        let one = (bytes(40) - bytes(20)) / 20;
        assert!((8 * points..8 * points + 1024).contains(&one), "{one} bytes an instance");
    }

    #[test]
    fn a_check_that_has_seen_nothing_weighs_little() {
        let rules = gate(&["gauge: g"]);
        let state = after(&rules, 0, 0);
        assert!(size_of::<CheckState>() + state.checks.heap() < 4096, "{}", state.checks.heap());
    }
}
