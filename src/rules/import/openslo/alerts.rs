//! Alert policies: conditions on one window, as tiers of two.
//!
//! A policy of OpenSLO has one condition, so two windows that must both burn cannot be said
//! there. A tier needs a short window beside the long one; it gets one of a twelfth.

use crate::rules::duration;
use crate::rules::duration_text;
use crate::rules::import::draft::name;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::openslo::documents::Documents;
use crate::rules::import::slo_draft::DraftTier;
use crate::rules::import::slo_draft::Drafts;
use crate::rules::import::slo_draft::SLICE;
use crate::rules::import::slo_draft::usual;
use crate::series::Fraction;
use std::collections::BTreeSet;
use std::time::Duration;

/// The short window is so small a part of the long one, as 5 minutes are of an hour.
const PARTS: u64 = 12;

/// What people call what wakes them.
const PAGES: &[&str] = &["page", "critical", "high", "emergency", "sev1", "p1"];

/// The tiers of an SLO; `None` where it has no alert policy, or none that is a tier.
pub(super) fn tiers(
    drafts: &mut Drafts,
    documents: &Documents<'_>,
    place: &str,
    spec: &Foreign<'_>,
) -> Option<Vec<DraftTier>> {
    let policies = spec.items_at(&["alertPolicies"]);
    let mut tiers = Vec::new();
    let mut taken = BTreeSet::new();
    for policy in policies {
        let own = format!("{place} {}", policy.path);
        let resolved = match policy.text_at(&["alertPolicyRef"]).or_else(|| policy.text()) {
            Some(name) => documents.named("AlertPolicy", &name),
            None => policy.get("spec").ok_or_else(|| "it has no `spec`".to_owned()),
        };
        match resolved.and_then(|policy| tier(documents, &policy)) {
            Ok((tier, what)) => {
                drafts.lacks(&own, what);
                let mut distinct = tier.name.clone();
                while !taken.insert(distinct.clone()) {
                    distinct.push_str("-2");
                }
                tiers.push(DraftTier { name: distinct, ..tier });
            }
            Err(why) => drafts.lacks(&own, format!("it is left out: {why}")),
        }
    }
    (!tiers.is_empty()).then_some(tiers)
}

/// The tiers of an SLO that counts time slices of the length `slice`: those that it has, or
/// else the usual ones of `period`, with windows that are multiples of it. `None` where
/// the usual ones are.
pub(super) fn of_slices(
    drafts: &mut Drafts,
    place: &str,
    tiers: Option<Vec<DraftTier>>,
    (period, slice): (Duration, Duration),
) -> Option<Vec<DraftTier>> {
    let up = |span: Duration| {
        let slices = span.as_millis().div_ceil(slice.as_millis().max(1));
        slice.saturating_mul(u32::try_from(slices).unwrap_or(u32::MAX))
    };
    let odd = |tiers: &[DraftTier]| tiers.iter().any(|tier| up(tier.long) != tier.long || up(tier.short) != tier.short);
    let had = tiers.clone().unwrap_or_else(|| usual(period));
    if !odd(&had) {
        return tiers;
    }
    let mut fitted = Vec::new();
    for tier in had {
        let (long, short) = (up(tier.long), up(tier.short));
        if long <= short || period < long {
            let name = &tier.name;
            let what = format!("the tier `{name}` is left out: its windows hold no whole slices of its time slices");
            drafts.lacks(place, what);
            continue;
        }
        fitted.push(DraftTier { long, short, ..tier });
    }
    let slice = duration_text(slice);
    drafts.lacks(place, format!("the windows of its tiers are rounded up to multiples of its time slices of {slice}"));
    Some(fitted)
}

/// The tier that a policy comes to, and what it does not say.
fn tier(documents: &Documents<'_>, policy: &Foreign<'_>) -> Result<(DraftTier, String), String> {
    let conditions = policy.items_at(&["conditions"]);
    let [condition] = conditions.as_slice() else {
        return Err(format!("it has {} conditions, not one", conditions.len()));
    };
    let spec = match condition.text_at(&["conditionRef"]) {
        Some(name) => documents.named("AlertCondition", &name)?,
        None => condition.get("spec").ok_or("its condition has no `spec`")?,
    };
    let kind = spec.text_at(&["condition", "kind"]).unwrap_or_default();
    if kind != "burnrate" {
        return Err(format!("its condition is {}, and a tier is on the burn rate", quoted(&kind)));
    }
    let op = spec.text_at(&["condition", "op"]).unwrap_or_default();
    let at = if op == "gte" { ", above the threshold and not at it" } else { "" };
    if !["gt", "gte"].contains(&op.as_str()) {
        return Err(format!("its condition is met by burn rates that are {}, and a tier by those above", quoted(&op)));
    }
    let threshold = spec.text_at(&["condition", "threshold"]).unwrap_or_default();
    let factor = Fraction::decimal(&threshold).filter(|factor| *factor > Fraction::ZERO);
    factor.ok_or_else(|| format!("its threshold {} is no burn rate", quoted(&threshold)))?;
    let lookback = spec.text_at(&["condition", "lookbackWindow"]).unwrap_or_default();
    let long = duration(&lookback).ok_or_else(|| format!("its lookbackWindow {} is no duration", quoted(&lookback)))?;
    let minutes = (long.as_secs() / 60 / PARTS).max(1);
    let short = Duration::from_mins(minutes).max(SLICE);
    if long <= short {
        return Err(format!("its window of {} is too short for a shorter one", duration_text(long)));
    }
    let said = spec.text_at(&["severity"]).unwrap_or_default();
    let severity = if PAGES.contains(&said.to_ascii_lowercase().as_str()) { "page" } else { "ticket" };
    let own = name(&format!("{severity}_{}", duration_text(long)));
    let wait = spec.text_at(&["condition", "alertAfter"]);
    let wait = wait.map(|wait| format!(", once it lasted {wait}")).unwrap_or_default();
    let what = format!(
        "it looks at one window of {}{wait}; a tier looks at a short one too, here {}, and fires at once{at}",
        duration_text(long),
        duration_text(short)
    );
    Ok((DraftTier { name: own, severity, long, short, level: format!("factor: {threshold}x") }, what))
}
