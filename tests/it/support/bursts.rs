//! Waves whose errors come in bursts, looked at every minute: how often a gate pauses them.
//!
//! slo.md §3.2: 1000 requests of the canary and 9000 of its baseline a minute, of which one in
//! a thousand fails, the canary's so many times as often; the rate of each minute is mixed by a
//! gamma of mean 1 and variance g.

use crate::support::budgets::Watch;
use crate::support::budgets::service;
use crate::support::budgets::wave;
use std::sync::Arc;
use wavegate::judge::Policy;
use wavegate::judge::Stand;
use wavegate::plan::traffic::Random;
use wavegate::rules::RuleFile;
use wavegate::series::BudgetEvidence;

/// Events of each cohort in a minute.
pub(crate) const CANARY: f64 = 1000.0;
pub(crate) const BASELINE: f64 = 9000.0;
const RATE: f64 = 1e-3;

/// Looks of a wave: one a minute, for an hour.
const LOOKS: u32 = 60;

/// One kind of wave.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bursts {
    /// The canary's rate over the baseline's.
    pub(crate) ratio: f64,
    /// Variance of the rates of minutes, as a share of their square.
    pub(crate) variance: f64,
    /// Whether a burst hits both cohorts; the harder case is that it does not.
    pub(crate) shared: bool,
}

/// How many of the waves were paused at any look, and when.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paused {
    /// Share of the waves.
    pub(crate) share: f64,
    /// Minute of the first pause, of half of those.
    pub(crate) median: Option<u32>,
}

impl Paused {
    /// The minutes that waves were first paused in, of `waves` of them.
    pub(crate) fn of(mut first: Vec<u32>, waves: u32) -> Self {
        first.sort_unstable();
        let count = u32::try_from(first.len()).expect("of u32 waves");
        Self { share: f64::from(count) / f64::from(waves), median: first.get(first.len() / 2).copied() }
    }
}

/// Draws `waves` of `bursts`, each judged by `rules` until it is paused.
pub(crate) fn paused(rules: &Arc<RuleFile>, bursts: Bursts, waves: u32) -> Paused {
    Paused::of((0..waves).filter_map(|number| first_pause(rules, bursts, number)).collect(), waves)
}

fn first_pause(rules: &Arc<RuleFile>, bursts: Bursts, number: u32) -> Option<u32> {
    let mut watch = Watch::new(rules);
    let is_paused = |[canary, baseline]: [f64; 2]| {
        let judgement = watch.look(|at| {
            let service = Some(service(rules, at, 0.0, 1e9));
            Some(BudgetEvidence { wave: wave([canary, CANARY], [baseline, BASELINE]), service })
        });
        let budget = judgement.budget.expect("the gate minds one");
        budget.policies.iter().any(|one| one.policy == Policy::WaveBurn && one.stand == Some(Stand::Pause))
    };
    minutes(bursts, number).map(is_paused).zip(1..).find_map(|(is_paused, minute)| is_paused.then_some(minute))
}

/// Bad events of the canary and of its baseline in each minute of a wave.
pub(crate) fn minutes(bursts: Bursts, number: u32) -> impl Iterator<Item = [f64; 2]> {
    let mut chance = Random::named(u64::from(number) << 32, &format!("{bursts:?}"));
    (0..LOOKS).map(move |_| {
        let mix = mixed(&mut chance, bursts.variance);
        let own = if bursts.shared { mix } else { mixed(&mut chance, bursts.variance) };
        let canary = chance.events(CANARY * RATE * bursts.ratio * mix).min(CANARY);
        [canary, chance.events(BASELINE * RATE * own).min(BASELINE)]
    })
}

/// A gamma of mean 1 and this variance.
fn mixed(chance: &mut Random, variance: f64) -> f64 {
    if variance <= 0.0 {
        return 1.0;
    }
    let shape = 1.0 / variance;
    // A shape below 1 is that of one more, times a power of a uniform (Ahrens, Dieter 1974).
    let drawn =
        if shape < 1.0 { chance.gamma(shape + 1.0) * chance.unit().powf(variance) } else { chance.gamma(shape) };
    drawn * variance
}
