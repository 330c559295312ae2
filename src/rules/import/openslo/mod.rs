//! OpenSLO: documents of `openslo/v1`, which name each other.
//!
//! ```text
//! documents   by kind and name, and what stands inline
//! indicator   ratios of counters; a threshold on a gauge of 0 and 1
//! time        windows, periods and budgeting
//! alerts      conditions on one window, as tiers
//! ```
//!
//! `openslo/v1alpha` is another shape, and is refused: its SLOs are those that Sloth reads,
//! and OpenSLO has a converter for it.

mod alerts;
mod documents;
mod indicator;
mod time;

use crate::rules::import::foreign::Foreign;
use crate::rules::import::openslo::documents::Documents;
use crate::rules::import::slo_draft::Drafts;
use crate::rules::import::slo_draft::SLICE;
use crate::rules::import::slo_draft::SloDraft;
use crate::rules::import::slo_draft::objective;
use crate::rules::import::slo_draft::percent_of_share;
use std::time::Duration;

/// Most objectives of one SLO: people write one, or a handful of latencies.
const OBJECTIVES: usize = 16;

/// The SLOs of `trees`.
///
/// # Errors
/// In words: these are no documents of `openslo/v1`.
pub(super) fn drafts(trees: &[Foreign<'_>]) -> Result<Drafts, String> {
    let documents = Documents::of(trees)?;
    let mut drafts = Drafts { origin: "From documents of OpenSLO.".to_owned(), ..Drafts::default() };
    for (name, document) in documents.of_kind("SLO") {
        let place = format!("SLO {name}");
        if let Err(why) = slo(&mut drafts, &documents, name, document) {
            drafts.lacks(&place, format!("it is left out: {why}"));
        }
    }
    for (name, _) in documents.of_kind("AlertNotificationTarget") {
        drafts.lacks(&format!("AlertNotificationTarget {name}"), "webhooks are endpoints of the configuration");
    }
    Ok(drafts)
}

fn slo(drafts: &mut Drafts, documents: &Documents<'_>, name: &str, document: &Foreign<'_>) -> Result<(), String> {
    let place = format!("SLO {name}");
    let spec = document.get("spec").ok_or("it has no `spec`")?;
    let objectives = spec.items_at(&["objectives"]);
    if objectives.is_empty() || OBJECTIVES < objectives.len() {
        return Err(format!("it has {} objectives, not 1 to {OBJECTIVES}", objectives.len()));
    }
    let composite = ["indicator", "indicatorRef", "compositeWeight"];
    if objectives.iter().any(|objective| composite.iter().any(|key| objective.get(key).is_some())) {
        return Err("it is composed of several indicators, and an SLO has one here: write one file each".to_owned());
    }
    for path in spec.beside(&[
        "service",
        "description",
        "indicator",
        "indicatorRef",
        "timeWindow",
        "budgetingMethod",
        "objectives",
        "alertPolicies",
    ]) {
        drafts.lacks(&format!("{place} {path}"), "it is not known here");
    }
    for key in ["labels", "annotations"] {
        if document.at(&["metadata", key]).is_some() {
            drafts.lacks(&format!("{place} metadata.{key}"), "gates and their messages have none");
        }
    }
    let period = time::period(&spec)?;
    let tiers = alerts::tiers(drafts, documents, &place, &spec);
    let several = 1 < objectives.len();
    for (index, one) in objectives.iter().enumerate() {
        let part = format!("{place} {}", one.path);
        match draft(drafts, documents, &spec, one, &part) {
            Ok((draft, slice)) => {
                let own = one.text_at(&["displayName"]).unwrap_or_else(|| (index + 1).to_string());
                let name = if several { format!("{name}-{}", own.trim().replace(' ', "-")) } else { name.to_owned() };
                let remarks = period.remarks.iter().chain(&draft.remarks).cloned().collect();
                let mut tiers = tiers.clone();
                if let Some(slice) = slice {
                    tiers = alerts::of_slices(drafts, &part, tiers, (period.nominal, slice));
                }
                drafts.slos.push(SloDraft { name, period: period.text.clone(), tiers, remarks, ..draft });
            }
            Err(why) => drafts.lacks(&part, format!("it is left out: {why}")),
        }
    }
    Ok(())
}

/// An objective, and the length of the time slices that it counts.
fn draft(
    drafts: &mut Drafts,
    documents: &Documents<'_>,
    spec: &Foreign<'_>,
    one: &Foreign<'_>,
    place: &str,
) -> Result<(SloDraft, Option<Duration>), String> {
    let objective = objective(&percent(one)?)?;
    let budgeting = time::budgeting(spec, one)?;
    let known =
        ["displayName", "target", "targetPercent", "op", "value", "timeSliceTarget", "timeSliceWindow", "description"];
    for path in one.beside(&known) {
        drafts.lacks(&format!("{place} {path}"), "it is not known here");
    }
    let counters = indicator::counters(drafts, documents, spec, one, place)?;
    let slice = budgeting.as_ref().map(|budgeting| budgeting.slice);
    let (budgeting, remarks) = budgeting.map(|budgeting| (budgeting.text, budgeting.remark)).unzip();
    let draft = SloDraft {
        place: place.to_owned(),
        name: String::new(),
        service: spec.text_at(&["service"]),
        description: spec.text_at(&["description"]),
        objective,
        period: String::new(),
        counters,
        budgeting,
        slice: slice.map(time::kept).filter(|kept| *kept != SLICE),
        tiers: None,
        strata: Vec::new(),
        remarks: remarks.into_iter().collect(),
    };
    Ok((draft, slice))
}

/// The target of an objective in percent, exactly as it is written.
fn percent(objective: &Foreign<'_>) -> Result<String, String> {
    match (objective.text_at(&["target"]), objective.text_at(&["targetPercent"])) {
        (Some(share), None) => percent_of_share(&share).ok_or_else(|| format!("its target `{share}` is no decimal")),
        (None, Some(percent)) => Ok(percent),
        (None, None) => Err("it has no `target`".to_owned()),
        (Some(_), Some(_)) => Err("it has both `target` and `targetPercent`".to_owned()),
    }
}
