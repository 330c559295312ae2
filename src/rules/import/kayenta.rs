//! A canary config of Kayenta: metrics with a direction and an allowed change.
//!
//! Kayenta compares what `${scope}` picks on either side; here that is `$wave` and
//! `$baseline`. A group's weight becomes the weight of its metrics, a metric that is
//! not critical asks a person, and one that is muted is only reported. Scores, and
//! thresholds on them, have no equal: every check counts by itself.

use crate::rules::import::Missing;
use crate::rules::import::draft::Draft;
use crate::rules::import::draft::DraftCheck;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::template::Quotient;
use crate::rules::import::template::Rewritten;
use crate::rules::import::template::Stands;
use crate::rules::import::template::Syntax;
use crate::rules::import::template::quotient;
use crate::rules::import::template::rewrite;
use std::collections::BTreeMap;
use std::collections::BTreeSet;

const SYNTAX: Syntax = Syntax { open: "${", close: "}" };

/// How much wider than the tolerance PASS is, as our defaults have it (5 % and 20 %).
const WIDER: f64 = 4.0;

/// The largest decrease that a margin may be.
const MOST_DECREASE: f64 = 0.99;

/// Keys of a metric's analysis that are read.
const KNOWN: &[&str] = &["direction", "critical", "muted", "effectSize", "mustHaveData"];

/// The draft of the one document of `trees`.
pub(super) fn draft(trees: &[Foreign<'_>]) -> Result<Draft, String> {
    let [config] = trees else { return Err("a canary config is one document".to_owned()) };
    let metrics = config.items_at(&["metrics"]);
    if metrics.is_empty() {
        return Err("there is no list `metrics`, so this is no canary config of Kayenta".to_owned());
    }
    let mut draft = Draft {
        origin: format!(
            "Imported from the Kayenta canary config {}.",
            quoted(&config.text_at(&["name"]).unwrap_or_default())
        ),
        name: config.text_at(&["name"]).unwrap_or_default(),
        description: config.text_at(&["description"]).filter(|text| !text.is_empty()),
        remarks: vec![
            "`${scope}` is the wave id here: open the wave with the control's scope as its baseline. How often to \
             look and for how long stood in the pipeline, not in the config: see `schedule`."
                .to_owned(),
            "Kayenta ranks the points of both sides as if they were independent. Here values of one moment are \
             compared, at every look; `test: mann_whitney` is the rank test."
                .to_owned(),
        ],
        ..Draft::default()
    };
    let weights = weights(config, &metrics);
    for metric in &metrics {
        match check(config, metric, &weights, &mut draft.missing) {
            Ok(check) => {
                draft.params.extend(check.params.iter().map(|name| (name.clone(), None)));
                draft.checks.push(check);
            }
            Err(why) => draft.lacks(&metric.path, format!("{}: {why}", metric.text_at(&["name"]).unwrap_or_default())),
        }
    }
    if let Some(thresholds) = config.at(&["classifier", "scoreThresholds"]) {
        draft.lacks(&thresholds.path, "there are no scores: each check that is not `report` counts by itself");
    }
    Ok(draft)
}

/// The weight of a metric of each group: the group's, shared by its metrics. Groups that
/// are not named share what is left of 100.
fn weights(config: &Foreign<'_>, metrics: &[Foreign<'_>]) -> BTreeMap<String, f64> {
    let groups = config.at(&["classifier", "groupWeights"]).map(|groups| groups.entries()).unwrap_or_default();
    let mut shares: BTreeMap<String, f64> =
        groups.iter().filter_map(|(group, weight)| Some((group.clone(), weight.number()?.max(0.0)))).collect();
    if shares.is_empty() {
        return shares;
    }
    let count = |members: usize| f64::from(u32::try_from(members.max(1)).unwrap_or(u32::MAX));
    let others: BTreeSet<String> =
        metrics.iter().filter_map(first_group).filter(|group| !shares.contains_key(group)).collect();
    let left = (100.0 - shares.values().sum::<f64>()).max(0.0) / count(others.len());
    shares.extend(others.into_iter().map(|group| (group, left)));
    for (group, share) in &mut shares {
        *share /= count(metrics.iter().filter(|metric| first_group(metric).as_ref() == Some(group)).count());
    }
    shares
}

fn first_group(metric: &Foreign<'_>) -> Option<String> {
    metric.items_at(&["groups"]).first()?.text()
}

fn check(
    config: &Foreign<'_>,
    metric: &Foreign<'_>,
    weights: &BTreeMap<String, f64>,
    missing: &mut Vec<Missing>,
) -> Result<DraftCheck, String> {
    let Rewritten { query, cohorts, params, uneven } = query(config, metric)?;
    if cohorts.baseline.is_empty() {
        return Err("its query does not name `${scope}`, so it is the same for both cohorts".to_owned());
    }
    let name = metric.text_at(&["name"]).unwrap_or_default();
    let mut check = DraftCheck { place: metric.path.clone(), name, cohorts, params, ..DraftCheck::default() };
    if uneven {
        check.remarks.push("Not every selector named the scope; now the cohort's matchers go into each.".to_owned());
    }
    let query = if is_counter(&query) {
        check.remarks.push("Kayenta compared the counter itself; here its rate.".to_owned());
        format!("rate({query}[$interval])")
    } else {
        query
    };
    let analysis = metric.at(&["analysisConfigurations", "canary"]);
    let direction = analysis.as_ref().and_then(|analysis| analysis.text_at(&["direction"]));
    match quotient(&query).filter(|quotient| !quotient.of_good && direction.as_deref() == Some("increase")) {
        Some(Quotient { bad, total, .. }) => {
            check.remarks.push("Kayenta compared a quotient of rates; here the events are counted.".to_owned());
            check.keys.push(("ratio", format!("{{ bad: {}, total: {} }}", quoted(&bad), quoted(&total))));
        }
        None => check.keys.push(("gauge", quoted(&query))),
    }
    let is = |key: &str| analysis.as_ref().and_then(|analysis| analysis.get(key)).is_some_and(|value| value.is_true());
    margins(&mut check, analysis.as_ref(), missing);
    let weight = first_group(metric).and_then(|group| weights.get(&group).copied());
    // A group without weight adds nothing to the score.
    let is_scored = weight.is_none_or(|weight| weight > 0.0);
    if is("muted") || !is_scored && !is("critical") {
        check.keys.push(("on_fail", "report".to_owned()));
    } else if !is("critical") {
        check.keys.push(("on_fail", "pause".to_owned()));
    }
    if let Some(weight) = weight.filter(|weight| *weight > 0.0) {
        check.keys.push(("weight", weight.to_string()));
    }
    let rest = analysis.map(|analysis| analysis.entries()).unwrap_or_default();
    for (key, value) in rest.iter().filter(|(key, _)| !KNOWN.contains(&key.as_str())) {
        let what = match key.as_str() {
            "nanStrategy" if value.text().as_deref() == Some("replace") => {
                "absent samples are never taken as 0: an absent counter of bad events is, by `ratio`"
            }
            // What is absent is left out here too.
            "nanStrategy" => continue,
            "outliers" => "outliers are not cut off: the mean of differences is judged by their own spread",
            _ => "it is not read here",
        };
        missing.push(Missing { place: value.path.clone(), what: what.to_owned() });
    }
    Ok(check)
}

/// The direction, and the margins that the effect sizes are.
fn margins(check: &mut DraftCheck, analysis: Option<&Foreign<'_>>, missing: &mut Vec<Missing>) {
    let direction = analysis.and_then(|analysis| analysis.text_at(&["direction"])).unwrap_or_default();
    let worse = match direction.as_str() {
        "increase" | "decrease" => direction,
        _ => "either".to_owned(),
    };
    check.keys.push(("worse", worse.clone()));
    let Some(effect) = analysis.and_then(|analysis| analysis.get("effectSize")) else { return };
    if effect.text_at(&["measure"]).is_some_and(|measure| measure != "meanRatio") {
        let what = "a gauge has no margin in probabilities: its default margins stand";
        missing.push(Missing { place: effect.path.clone(), what: what.to_owned() });
        return;
    }
    // The wider of the two where both directions are bad: we have one margin.
    let change = |kind: &str| {
        let up = effect.get(&format!("{kind}Increase")).and_then(|size| size.number()).map(|size| size - 1.0);
        let down = effect.get(&format!("{kind}Decrease")).and_then(|size| size.number()).map(|size| 1.0 - size);
        match worse.as_str() {
            "increase" => up,
            "decrease" => down,
            _ => {
                if let (Some(up), Some(down)) = (up, down)
                    && (up - down).abs() > 1e-9
                {
                    let what = format!("{kind}Increase and {kind}Decrease differ: the wider one stands for both");
                    missing.push(Missing { place: effect.path.clone(), what });
                }
                [up, down].into_iter().flatten().max_by(f64::total_cmp)
            }
        }
    };
    let [allowed, critical] = ["allowed", "critical"].map(change);
    let Some(tolerance) = allowed.filter(|size| *size > 0.0) else {
        if effect.entries().iter().any(|(key, _)| key != "measure") {
            let what = "it allows no change for the worse that could be told from chance: the default margins stand";
            missing.push(Missing { place: effect.path.clone(), what: what.to_owned() });
        }
        return;
    };
    let pass_within = critical.filter(|size| tolerance < *size).unwrap_or(WIDER * tolerance);
    if check.keys.iter().any(|(key, _)| *key == "ratio") {
        check.keys.push(("tolerance", factor(tolerance)));
        check.keys.push(("pass_within", factor(pass_within)));
        return;
    }
    // Nothing falls by more than all of it.
    let pass_within = if worse == "increase" { pass_within } else { pass_within.min(MOST_DECREASE) };
    if tolerance < pass_within {
        check.keys.push(("tolerance", percent(tolerance)));
        check.keys.push(("pass_within", percent(pass_within)));
    } else {
        let what = format!("nothing falls by {} and is still there: the default margins stand", percent(tolerance));
        missing.push(Missing { place: effect.path.clone(), what });
    }
}

fn factor(share: f64) -> String {
    format!("{}x", ((1.0 + share) * 1e6).round() / 1e6)
}

fn percent(share: f64) -> String {
    format!("{}%", (share * 1e6).round() / 1e4)
}

/// Whether `query` is a plain selector of a counter.
fn is_counter(query: &str) -> bool {
    let metric = query.split('{').next().unwrap_or_default();
    metric.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':') && metric.ends_with("_total")
}

/// The query of `metric`: PromQL as it is written, or the average of a metric.
fn query(config: &Foreign<'_>, metric: &Foreign<'_>) -> Result<Rewritten, String> {
    let own = metric.get("query").ok_or("it has no query")?;
    let source = own.text_at(&["type"]).unwrap_or_default();
    if source != "prometheus" {
        return Err(format!("it asks {}, and here a source is a Prometheus", quoted(&source)));
    }
    let template = own.text_at(&["customInlineTemplate"]).filter(|text| !text.is_empty()).or_else(|| {
        let name = own.text_at(&["customFilterTemplate"])?;
        config.at(&["templates"])?.text_at(&[&name])
    });
    let promql = template.as_deref().and_then(|text| text.strip_prefix("PromQL:"));
    let text = match promql {
        Some(promql) => promql.to_owned(),
        None => selector(&own, template)?,
    };
    rewrite(&text, SYNTAX, &|name| {
        Some(match name {
            "scope" => Stands::Cohort { canary: "$wave".to_owned(), baseline: "$baseline".to_owned() },
            name => Stands::Param(name.replace(|c: char| !c.is_ascii_alphanumeric(), "_")),
        })
    })
}

/// The metric with its filters, as Kayenta builds it.
fn selector(query: &Foreign<'_>, filter: Option<String>) -> Result<String, String> {
    let metric = query.text_at(&["metricName"]).ok_or("it names no metric")?;
    let mut filters: Vec<String> = filter.into_iter().collect();
    filters.extend(query.items_at(&["labelBindings"]).iter().filter_map(Foreign::text));
    match query.text_at(&["resourceType"]).as_deref() {
        _ if query.get("customInlineTemplate").or_else(|| query.get("customFilterTemplate")).is_some() => {}
        Some("gce_instance") => {
            filters.push("instance=~\"${scope}-.{4}\", zone=~\".+/zones/${location}-.{1}\"".to_owned());
        }
        Some("aws_ec2_instance") => filters.push("asg_groupName=\"${scope}\", zone=~\"${location}.{1}\"".to_owned()),
        _ => {}
    }
    let groups: Vec<String> = query.items_at(&["groupByFields"]).iter().filter_map(Foreign::text).collect();
    let selector = format!("{metric}{{{}}}", filters.join(", "));
    // An average over instances is what a gauge is anyway.
    Ok(if groups.is_empty() { selector } else { format!("avg({selector}) by ({})", groups.join(", ")) })
}
