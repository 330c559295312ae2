//! Metrics of SLOs: what a service burns and has left, as this daemon counts it.
//!
//! What is not known has no sample, so that no alert sees a number that was made up. A
//! label's value is the name of an SLO in force or the length of one of its windows; both
//! are bounded by the configuration, and go when the SLO does.

use crate::telemetry::metrics::add;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicU64;

/// How an SLO stands, as numbers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SloStands<'a> {
    /// Its name.
    pub slo: &'a str,
    /// The word of its state, one of `states`.
    pub state: &'static str,
    /// Every word that a state may have.
    pub states: &'a [&'static str],
    /// The length of each window, such as `1h`, and its burn rate where it is known.
    pub windows: &'a [(String, Option<f64>)],
    /// The share of the error budget that remains; may be negative.
    pub remaining: Option<f64>,
    /// The share that waves of the period spent.
    pub spent_by_waves: Option<f64>,
    /// Seconds since 1970 up to which data was read; `None` where none was.
    pub through: Option<f64>,
    /// Samples that were fetched for it since the daemon began.
    pub samples_fetched: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Name {
    slo: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Window {
    slo: String,
    window: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Standing {
    slo: String,
    state: &'static str,
}

type Real = Gauge<f64, AtomicU64>;

/// The metrics of all SLOs.
#[derive(Debug)]
pub(super) struct Slos {
    burn: Family<Window, Real>,
    remaining: Family<Name, Real>,
    spent: Family<Name, Real>,
    state: Family<Standing, Gauge>,
    through: Family<Name, Real>,
    samples: Family<Name, Counter>,
    /// What was said of each: a label that is not said again must go.
    said: Mutex<BTreeMap<String, Said>>,
}

#[derive(Debug, Default)]
struct Said {
    windows: BTreeSet<String>,
    states: BTreeSet<&'static str>,
}

impl Slos {
    pub(super) fn register(r: &mut Registry) -> Self {
        Self {
            burn: add(r, "slo_burn_rate", "Burn rate of an SLO's error budget by window", Family::default()),
            remaining: add(
                r,
                "slo_error_budget_remaining_ratio",
                "Share of an SLO's error budget that remains; negative where more is gone than there was",
                Family::default(),
            ),
            spent: add(
                r,
                "slo_error_budget_spent_by_waves_ratio",
                "Share of an SLO's error budget that waves of its period spent",
                Family::default(),
            ),
            state: add(r, "slo_state", "1 for the state that an SLO is in, 0 for the others", Family::default()),
            through: add(
                r,
                "slo_data_through_timestamp_seconds",
                "Up to when an SLO's data was read",
                Family::default(),
            ),
            samples: add(r, "slo_samples_fetched", "Samples fetched from sources for an SLO", Family::default()),
            said: Mutex::default(),
        }
    }

    pub(super) fn stand(&self, slos: &[SloStands<'_>]) {
        // Held to the end: two that ask at once must not undo each other's labels.
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        let gone = said.extract_if(.., |slo, _| !slos.iter().any(|stands| stands.slo == slo));
        for (slo, said) in gone {
            self.forget(slo, said);
        }
        for stands in slos {
            self.say(stands, said.entry(stands.slo.to_owned()).or_default());
        }
    }

    fn say(&self, stands: &SloStands<'_>, said: &mut Said) {
        let slo = stands.slo.to_owned();
        let finite = |burn: &Option<f64>| burn.filter(|burn| burn.is_finite());
        let known: BTreeMap<&String, f64> =
            stands.windows.iter().filter_map(|(window, burn)| Some((window, finite(burn)?))).collect();
        for (&window, burn) in &known {
            self.burn.get_or_create(&Window { slo: slo.clone(), window: window.clone() }).set(*burn);
        }
        for window in said.windows.iter().filter(|window| !known.contains_key(window)) {
            self.burn.remove(&Window { slo: slo.clone(), window: window.clone() });
        }
        said.windows = known.into_keys().cloned().collect();
        for &state in stands.states {
            let labels = Standing { slo: slo.clone(), state };
            self.state.get_or_create(&labels).set(i64::from(state == stands.state));
        }
        said.states.extend(stands.states);
        let name = Name { slo };
        set(&self.remaining, &name, stands.remaining);
        set(&self.spent, &name, stands.spent_by_waves);
        set(&self.through, &name, stands.through);
        let samples = self.samples.get_or_create(&name);
        samples.inc_by(stands.samples_fetched.saturating_sub(samples.get()));
    }

    fn forget(&self, slo: String, said: Said) {
        for window in said.windows {
            self.burn.remove(&Window { slo: slo.clone(), window });
        }
        for state in said.states {
            self.state.remove(&Standing { slo: slo.clone(), state });
        }
        let name = Name { slo };
        for family in [&self.remaining, &self.spent, &self.through] {
            family.remove(&name);
        }
        self.samples.remove(&name);
    }
}

/// A sample where `value` is known, and none where it is not.
fn set(family: &Family<Name, Real>, name: &Name, value: Option<f64>) {
    match value.filter(|value| value.is_finite()) {
        Some(value) => {
            family.get_or_create(name).set(value);
        }
        None => {
            family.remove(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::telemetry::Metrics;
    use crate::telemetry::SloStands;

    const STATES: [&str; 4] = ["ok", "ticket", "page", "no_data"];

    fn lines(metrics: &Metrics) -> Vec<String> {
        let text = metrics.encode();
        text.lines().filter(|line| line.starts_with("wavegate_slo_")).map(str::to_owned).collect()
    }

    #[test]
    fn an_slo_says_what_is_known_and_no_more() {
        let metrics = Metrics::new();
        let windows = [("5m".to_owned(), Some(14.4)), ("1h".to_owned(), None)];
        let stands = SloStands {
            slo: "api",
            state: "page",
            states: &STATES,
            windows: &windows,
            remaining: Some(-0.5),
            spent_by_waves: Some(0.03),
            through: Some(1_790_000_000.0),
            samples_fetched: 240,
        };
        metrics.slos_stand(std::slice::from_ref(&stands));
        metrics.slos_stand(&[SloStands { samples_fetched: 250, ..stands }]);
        let mut said = lines(&metrics);
        said.sort();
        assert_eq!(
            said,
            [
                "wavegate_slo_burn_rate{slo=\"api\",window=\"5m\"} 14.4",
                "wavegate_slo_data_through_timestamp_seconds{slo=\"api\"} 1790000000.0",
                "wavegate_slo_error_budget_remaining_ratio{slo=\"api\"} -0.5",
                "wavegate_slo_error_budget_spent_by_waves_ratio{slo=\"api\"} 0.03",
                "wavegate_slo_samples_fetched_total{slo=\"api\"} 250",
                "wavegate_slo_state{slo=\"api\",state=\"no_data\"} 0",
                "wavegate_slo_state{slo=\"api\",state=\"ok\"} 0",
                "wavegate_slo_state{slo=\"api\",state=\"page\"} 1",
                "wavegate_slo_state{slo=\"api\",state=\"ticket\"} 0",
            ]
        );
    }

    #[test]
    fn what_is_unknown_again_and_what_is_gone_leaves_nothing() {
        let metrics = Metrics::new();
        let windows = [("5m".to_owned(), Some(1.0))];
        let stands = SloStands { slo: "api", state: "ok", states: &STATES, windows: &windows, ..SloStands::default() };
        let web = SloStands { slo: "web", ..stands.clone() };
        let unsound = SloStands { remaining: Some(f64::NAN), through: Some(1.0), ..stands.clone() };
        metrics.slos_stand(&[unsound, web.clone()]);
        assert!(!metrics.encode().contains("NaN"));
        metrics.slos_stand(&[SloStands { windows: &[], ..stands }, web.clone()]);
        assert!(!lines(&metrics).iter().any(|line| line.starts_with("wavegate_slo_burn_rate{slo=\"api\"")));
        metrics.slos_stand(&[web]);
        let said = lines(&metrics);
        assert!(said.iter().all(|line| line.contains("slo=\"web\"")) && said.len() == 6, "{said:?}");
        metrics.slos_stand(&[]);
        assert_eq!(lines(&metrics), Vec::<String>::new());
    }
}
