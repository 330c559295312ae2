//! What the defaults of a probe can tell in the hour that a gate has by default, with
//! the few hundred requests that it makes in it; on seeded waves.

use std::time::Duration;
use wavegate::judge::Ruling;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::series::Buckets;
use wavegate::series::CheckEvidence;
use wavegate::series::IntervalEvidence;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::Timestamp;

const RULES: &str = "version: 1\nname: shop\nchecks:\n  - name: journey\n    \
    probe: { canary: 'https://canary.shop/', baseline: 'https://shop/' }\n";

const WAVES: u32 = 40;

/// Requests of an interval of 15 s.
const REQUESTS: u32 = 3;

/// How waves end whose canary fails this share of requests, and is slower by this many
/// standard deviations; and the longest that one took to pass.
fn ruled(failing: f64, slower: f64) -> (u32, u32, Duration) {
    let rules = rules::parse("shop.yaml", RULES).unwrap().rules;
    let start = Timestamp::from_millis(1_790_000_000_000);
    let timing = Timing::new(&rules.schedule, start, None, None);
    let (mut passed, mut failed, mut longest) = (0, 0, Duration::ZERO);
    for wave in 0..WAVES {
        let mut random = Random::named(u64::from(wave), "probes");
        let mut state = State::new(&rules, timing);
        for index in 1..=timing.last() {
            let window = timing.window(index);
            let errors = pair(
                Measure::Counts { bad: random.binomial(REQUESTS, failing).into(), total: REQUESTS.into() },
                Measure::Counts { bad: 0.0, total: REQUESTS.into() },
            );
            let latency = pair(took(&mut random, slower), took(&mut random, 0.0));
            let interval = IntervalEvidence { window, checks: vec![errors, latency], budget: None };
            let (next, judgement) = judge(&rules, &state, &[interval], window.to);
            state = next;
            match judgement.ruling {
                Ruling::Pass => (passed, longest) = (passed + 1, longest.max(window.to.since(start))),
                Ruling::Fail => failed += 1,
                Ruling::GoOn | Ruling::Hold => continue,
            }
            break;
        }
    }
    (passed, failed, longest)
}

fn pair(canary: Measure, baseline: Measure) -> CheckEvidence {
    let seen =
        |measure| Observed { measure, instances: Vec::new(), seen: REQUESTS, expected: REQUESTS, nan: 0, infinite: 0 };
    CheckEvidence { canary: seen(canary), baseline: Some(seen(baseline)), faults: vec![], notices: vec![] }
}

/// Latencies that vary by a third, in buckets of 1.41.
fn took(random: &mut Random, slower: f64) -> Measure {
    let bounds: Vec<f64> = (0..20).map(|k| 0.01 * 2.0_f64.powf(f64::from(k) / 2.0)).chain([f64::INFINITY]).collect();
    let mut counts = vec![0.0; bounds.len()];
    for _ in 0..REQUESTS {
        let seconds = 0.08 * (0.33 * (random.normal() + slower)).exp();
        counts[bounds.partition_point(|bound| *bound < seconds)] += 1.0;
    }
    Measure::Buckets(Buckets::new(bounds, counts).unwrap())
}

#[test]
fn a_good_canary_passes_within_the_hour_by_the_defaults() {
    let (passed, failed, longest) = ruled(0.0, 0.0);
    assert_eq!((passed, failed), (WAVES, 0));
    assert!(longest < Duration::from_mins(50), "{longest:?}");
}

#[test]
fn a_canary_that_is_plainly_worse_fails_by_the_defaults() {
    let (_, failed, _) = ruled(0.08, 0.0);
    assert!(failed >= WAVES * 9 / 10, "{failed} by errors");
    let (_, failed, _) = ruled(0.0, 0.8);
    assert!(failed >= WAVES * 9 / 10, "{failed} by latency");
}
