//! Pyrra: its `ServiceLevelObjective`.
//!
//! Its indicators name plain selectors, as ours do. Its burn alerts keep four factors and
//! scale the windows with the period, where ours keep the windows: so the windows that it
//! would have had are written out.

use crate::rules::duration;
use crate::rules::duration_text;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::slo_draft::DraftTier;
use crate::rules::import::slo_draft::Drafts;
use crate::rules::import::slo_draft::SLICE;
use crate::rules::import::slo_draft::SloDraft;
use crate::rules::import::slo_draft::is_label;
use crate::rules::import::slo_draft::objective;
use crate::rules::query::Selector;
use crate::rules::query::counts::Counted;
use crate::rules::query::counts::Counters;
use crate::rules::query::counts::of_bad;
use crate::rules::query::counts::of_good;
use crate::rules::query::counts::written;
use std::time::Duration;

/// One of Pyrra's pairs of windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PyrraWindow {
    /// The burn rate that both windows must be above.
    pub factor: u32,
    /// `critical`, or else `warning`.
    pub critical: bool,
    /// What tells that it goes on.
    pub short: Duration,
    /// What tells that it matters.
    pub long: Duration,
    /// How long both must be above it.
    pub lasting: Duration,
}

/// Factor, whether critical, and the long window, the short one and the time of 28 days, in minutes.
const OF_28_DAYS: [(u32, bool, u64, u64, u64); 4] =
    [(14, true, 60, 5, 2), (7, true, 360, 30, 15), (2, false, 1440, 120, 60), (1, false, 5760, 360, 180)];

const DAYS_28: Duration = Duration::from_hours(28 * 24);

/// The pairs of windows that Pyrra makes for `period`: those of 28 days, scaled with it and
/// rounded to minutes, half of one up (its `slo/rules.go`).
pub fn pyrra_windows(period: Duration) -> [PyrraWindow; 4] {
    let scaled = |minutes: u64| {
        // In whole seconds, rounded once: 28 days are 40 320 minutes.
        let (of, at) = (u128::from(DAYS_28.as_secs()), u128::from(minutes) * period.as_millis() / 1000);
        let rounded = (2 * at + of) / (2 * of);
        Duration::from_secs(60 * u64::try_from(rounded).unwrap_or(u64::MAX / 60))
    };
    OF_28_DAYS.map(|(factor, critical, long, short, lasting)| PyrraWindow {
        factor,
        critical,
        short: scaled(short),
        long: scaled(long),
        lasting: scaled(lasting),
    })
}

/// The SLOs of `trees`.
///
/// # Errors
/// In words: this is no file of Pyrra's.
pub(super) fn drafts(trees: &[Foreign<'_>]) -> Result<Drafts, String> {
    let mut drafts = Drafts { origin: "From a ServiceLevelObjective of Pyrra's.".to_owned(), ..Drafts::default() };
    for tree in trees {
        let kind = tree.text_at(&["kind"]).unwrap_or_default();
        if kind != "ServiceLevelObjective" {
            return Err(format!("a document is no `kind: ServiceLevelObjective` but {}", quoted(&kind)));
        }
        let name = tree.text_at(&["metadata", "name"]).unwrap_or_default();
        match draft(&mut drafts, tree, &name) {
            Ok(draft) => drafts.slos.push(draft),
            Err(why) => drafts.lacks(&name, format!("it is left out: {why}")),
        }
    }
    Ok(drafts)
}

fn draft(drafts: &mut Drafts, tree: &Foreign<'_>, name: &str) -> Result<SloDraft, String> {
    let spec = tree.get("spec").ok_or("it has no `spec`")?;
    let objective = objective(&spec.text_at(&["target"]).unwrap_or_default())?;
    let window = spec.text_at(&["window"]).unwrap_or_default();
    let period = duration(&window).ok_or_else(|| format!("its window {} is no duration", quoted(&window)))?;
    let Some(indicators) = spec.get("indicator") else { return Err("it has no `indicator`".to_owned()) };
    let kinds = indicators.entries();
    let [(kind, indicator)] = kinds.as_slice() else {
        return Err(format!("its `indicator` is of {} kinds, not of one", kinds.len()));
    };
    let counters = counters(kind, indicator)?;
    let mut remarks = Vec::new();
    if let Some(namespace) = tree.text_at(&["metadata", "namespace"]) {
        remarks.push(format!("Its namespace was {}.", quoted(&namespace)));
    }
    for path in tree.beside(&["apiVersion", "kind", "metadata", "spec", "status"]) {
        drafts.lacks(&format!("{name} {path}"), "it is not known here");
    }
    for key in ["labels", "annotations"] {
        if let Some(labels) = tree.at(&["metadata", key]).filter(|labels| !labels.entries().is_empty()) {
            drafts.lacks(&format!("{name} {}", labels.path), "gates and their messages have none");
        }
    }
    for path in spec.beside(&["target", "window", "description", "indicator", "alerting"]) {
        let of_rules = ["performanceOverAccuracy", "partial_response_strategy", "ruleOutput"];
        let what = if of_rules.iter().any(|key| path.ends_with(key)) {
            "it is of how Pyrra makes its rules; here slices are kept and nothing is recorded elsewhere"
        } else {
            "it is not known here"
        };
        drafts.lacks(&format!("{name} {path}"), what);
    }
    let strata = grouping(drafts, name, indicator);
    let tiers = alerting(drafts, name, &spec, period);
    Ok(SloDraft {
        place: name.to_owned(),
        name: name.to_owned(),
        service: None,
        description: spec.text_at(&["description"]),
        objective,
        period: duration_text(period),
        counters,
        budgeting: None,
        slice: None,
        tiers: Some(tiers),
        strata,
        remarks,
    })
}

fn counters(kind: &str, indicator: &Foreign<'_>) -> Result<Counters, String> {
    let selector = |keys: &[&str]| {
        let path = keys.join(".");
        let text = indicator.text_at(keys).ok_or_else(|| format!("its {kind} has no `{path}`"))?;
        Selector::parse(&text).map_err(|faults| {
            let why = faults.into_iter().next().map(|fault| fault.message).unwrap_or_default();
            format!("its {kind}, `{path}`: {why}")
        })
    };
    let counted = |keys: &[&str]| Ok::<_, String>(Counted::Increments(selector(keys)?));
    match kind {
        "ratio" => of_bad(&counted(&["errors", "metric"])?, &counted(&["total", "metric"])?),
        "latency" => of_good(&counted(&["success", "metric"])?, &counted(&["total", "metric"])?),
        "latencyNative" => {
            let histogram = written(&selector(&["total", "metric"])?);
            let latency = indicator.text_at(&["latency"]).unwrap_or_default();
            let threshold = duration(&latency).filter(|span| !span.is_zero());
            let threshold = threshold.ok_or_else(|| format!("its latency {} is no duration", quoted(&latency)))?;
            Ok(Counters::Latency { histogram, threshold: duration_text(threshold) })
        }
        "bool_gauge" | "boolGauge" => Ok(Counters::Up { gauge: written(&selector(&["metric"])?) }),
        other => Err(format!("its indicator is {}, which is not known here", quoted(other))),
    }
}

fn grouping(drafts: &mut Drafts, name: &str, indicator: &Foreign<'_>) -> Vec<String> {
    let Some(grouping) = indicator.get("grouping") else { return Vec::new() };
    let labels: Vec<String> = grouping.items().iter().filter_map(Foreign::text).collect();
    if labels.is_empty() {
        return Vec::new();
    }
    let what =
        "Pyrra makes an SLO of each value; here they are one, whose cohorts are compared value by value (`strata`)";
    drafts.lacks(&format!("{name} {}", grouping.path), what);
    labels.into_iter().filter(|label| is_label(label)).collect()
}

fn alerting(drafts: &mut Drafts, name: &str, spec: &Foreign<'_>, period: Duration) -> Vec<DraftTier> {
    let alerting = spec.get("alerting");
    let said = |key: &str| alerting.as_ref().and_then(|alerting| alerting.text_at(&[key]));
    for path in alerting.iter().flat_map(|alerting| alerting.beside(&["disabled", "burnrates"])) {
        let what = if path.ends_with("severities") {
            "a tier pages or asks for a ticket: critical became `page`, warning `ticket`"
        } else if path.ends_with("burnRateType") {
            "its factors may follow the traffic; a tier has one factor"
        } else if path.ends_with("absent") || path.ends_with("absentName") {
            "an SLO without data is `no_data` here, always"
        } else {
            "it is of the alerts that Pyrra makes; `wavegate export` names its own"
        };
        drafts.lacks(&format!("{name} {path}"), what);
    }
    if said("disabled").is_some_and(|flag| flag == "true") || said("burnrates").is_some_and(|flag| flag == "false") {
        return Vec::new();
    }
    let windows = pyrra_windows(period);
    let waits: Vec<String> = windows.iter().map(|window| duration_text(window.lasting)).collect();
    let what = format!("its alerts wait for {} (`for`); a tier fires when both its windows do", waits.join(", "));
    drafts.lacks(&format!("{name} spec.window"), what);
    let mut tiers = Vec::new();
    for (window, tier) in windows.into_iter().zip(["page_fast", "page_slow", "ticket_fast", "ticket_slow"]) {
        let PyrraWindow { factor, critical, short, long, .. } = window;
        if short < SLICE || long <= short || period < long {
            let what = format!(
                "its windows of factor {factor} are too short for {} to tell them apart",
                quoted(&duration_text(period))
            );
            drafts.lacks(&format!("{name} spec.window"), what);
            continue;
        }
        let severity = if critical { "page" } else { "ticket" };
        tiers.push(DraftTier { name: tier.to_owned(), severity, long, short, level: format!("factor: {factor}x") });
    }
    tiers
}
