//! Made-up evidence with a seed: two healthy cohorts, interval by interval.

use std::collections::BTreeMap;
use wavegate::judge::Timing;
use wavegate::rules;
use wavegate::rules::CheckKind;
use wavegate::rules::RuleFile;
use wavegate::series::Buckets;
use wavegate::series::CheckEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Labels;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;
use wavegate::wave;
use wavegate::wave::Asked;
use wavegate::wave::Wave;
use wavegate::wave::WaveId;

/// Buckets of a histogram, about as many as a client library's finer defaults.
const BUCKETS: u32 = 20;
/// Requests of a baseline in 15 s; the canary has half of them.
const REQUESTS: f64 = 1500.0;

/// The rule file `text`, which is one of ours and valid.
pub(crate) fn rules_of(text: &str) -> RuleFile {
    rules::parse("bench.yaml", text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, text))).rules
}

/// A wave with one gate of `rules`, opened at `start`, of which nothing is known yet.
pub(crate) fn opened(rules: &RuleFile, start: Timestamp) -> Wave {
    let asked = Asked {
        class: None,
        rules: rules.name.clone(),
        digest: rules.digest.clone(),
        mode: rules.mode,
        requires: rules.requires.clone(),
        baseline: Some("2026-11-16".to_owned()),
        given: BTreeMap::new(),
        params: BTreeMap::new(),
        run: None,
        start: Some(start),
        deadline: None,
    };
    let gate = wave::attempt(&asked, 1, start);
    let id = WaveId::new("2026-11-23/3").expect("an id");
    Wave { id, rollout: Some("2026-11-23".to_owned()), gates: vec![gate] }
}

/// The first `count` intervals of `timing`, from a fixed seed.
pub(crate) fn evidence(rules: &RuleFile, timing: &Timing, count: u32) -> Vec<IntervalEvidence> {
    let mut chance = Chance(2026);
    let interval = |index| IntervalEvidence {
        budget: None,
        window: timing.window(index),
        checks: rules.checks.iter().map(|check| check_evidence(&check.kind, &mut chance)).collect(),
    };
    (1..=count).map(interval).collect()
}

fn check_evidence(kind: &CheckKind, chance: &mut Chance) -> CheckEvidence {
    let load = 1.0 + 0.2 * chance.bell();
    let mut side = |share: f64| Observed {
        measure: match kind {
            CheckKind::Ratio { .. } => {
                let total = (REQUESTS * load * share).round();
                Measure::Counts { bad: (total * 0.002 * (1.0 + 0.3 * chance.bell())).round(), total }
            }
            CheckKind::Histogram { .. } | CheckKind::Quantile { .. } => buckets(REQUESTS * load * share, chance),
            CheckKind::Gauge { .. } => Measure::Value(0.3 * load * (0.05 * chance.bell()).exp()),
            CheckKind::Threshold { .. } => Measure::Worst { value: 0.0, series: labels() },
        },
        instances: Vec::new(),
        seen: 6,
        expected: 6,
        nan: 0,
        infinite: 0,
    };
    CheckEvidence { canary: side(0.5), baseline: Some(side(1.0)), faults: Vec::new(), notices: Vec::new() }
}

/// `events` spread over the buckets in the shape of latencies.
fn buckets(events: f64, chance: &mut Chance) -> Measure {
    let bounds = (1..BUCKETS).map(|k| 0.001 * 1.6_f64.powf(f64::from(k))).chain([f64::INFINITY]).collect();
    let bell = |k: u32| (-(f64::from(k) - 9.0).powi(2) / 8.0).exp() / 5.0;
    let counts = (0..BUCKETS).map(|k| (events * bell(k) * (1.0 + 0.1 * chance.bell())).max(0.0).round()).collect();
    Measure::Buckets(Buckets::new(bounds, counts).expect("ordered bounds"))
}

fn labels() -> Labels {
    [("__name__", "container_restarts_total"), ("namespace", "checkout"), ("pod", "checkout-7d9c5b6f4-x2x8p")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into_iter()
        .collect()
}

/// `SplitMix64`.
struct Chance(u64);

impl Chance {
    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit a double exactly")]
        let unit = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        unit
    }

    /// About normal, mean 0 and deviation 1, never beyond 6.
    fn bell(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}
