//! A `Canary` of Flagger: built-in or templated metrics with a range of accepted values.
//!
//! Flagger asks about the target alone, and beside it runs the primary: its series are
//! the baseline here, so that what hits both does not fail a wave. The built-in metrics
//! are those of the mesh that the canary names.

use crate::rules::import::argo::BREACH;
use crate::rules::import::argo::SYNTAX;
use crate::rules::import::argo::advice;
use crate::rules::import::argo::looks;
use crate::rules::import::argo::uneven;
use crate::rules::import::draft::Draft;
use crate::rules::import::draft::DraftCheck;
use crate::rules::import::draft::quoted;
use crate::rules::import::foreign::Foreign;
use crate::rules::import::template::Rewritten;
use crate::rules::import::template::Stands;
use crate::rules::import::template::rewrite;
use crate::rules::units;
use crate::rules::units::duration_text;
use std::collections::BTreeMap;
use std::time::Duration;

/// Failed checks until a rollback, where a canary does not say.
const FAILED: u32 = 5;

/// What `{{ interval }}` is where a metric does not say: it is not that of the analysis.
const RANGE: Duration = Duration::from_mins(1);

/// Keys of an analysis that are read, or are the work of a rollout and not of a gate.
const KNOWN: &[&str] = &[
    "interval",
    "threshold",
    "metrics",
    "maxWeight",
    "stepWeight",
    "stepWeights",
    "iterations",
    "match",
    "mirror",
    "mirrorWeight",
    "stepWeightPromotion",
    "sessionAffinity",
    "primaryReadyThreshold",
    "canaryReadyThreshold",
    "alerts",
];

/// The counters behind the built-in metrics of a mesh.
struct Mesh {
    /// As `spec.provider` names it, without a version.
    provider: &'static str,
    /// Counter of requests.
    requests: &'static str,
    /// Matchers of requests that did not fail.
    good: &'static str,
    /// Histogram of durations in milliseconds, without `_bucket`.
    duration: &'static str,
    /// Matchers that pick the target.
    target: &'static str,
}

const MESHES: &[Mesh] = &[
    Mesh {
        provider: "istio",
        requests: "istio_requests_total",
        good: r#"response_code!~"5.*""#,
        duration: "istio_request_duration_milliseconds",
        target: r#"reporter="destination", destination_workload_namespace="{{ namespace }}", destination_workload="{{ target }}""#,
    },
    Mesh {
        provider: "linkerd",
        requests: "response_total",
        good: r#"classification!="failure""#,
        duration: "response_latency_ms",
        target: r#"direction="inbound", namespace="{{ namespace }}", deployment="{{ target }}""#,
    },
    Mesh {
        provider: "appmesh",
        requests: "envoy_cluster_upstream_rq",
        good: r#"envoy_response_code!~"5.*""#,
        duration: "envoy_cluster_upstream_rq_time",
        target: r#"kubernetes_namespace="{{ namespace }}", kubernetes_pod_name=~"{{ target }}-[0-9a-zA-Z]+(-[0-9a-zA-Z]+)""#,
    },
    Mesh {
        provider: "contour",
        requests: "envoy_cluster_upstream_rq",
        good: r#"envoy_response_code!~"5.*""#,
        duration: "envoy_cluster_upstream_rq_time",
        target: r#"envoy_cluster_name=~"{{ namespace }}_{{ target }}-canary_[0-9a-zA-Z-]+""#,
    },
];

/// A canary's own names.
struct Names {
    known: BTreeMap<&'static str, String>,
    variables: BTreeMap<String, String>,
}

/// The draft of the canary of `trees`, or of its templates alone.
pub(super) fn draft(trees: &[Foreign<'_>]) -> Result<Draft, String> {
    let of_kind = |kind: &str| -> Vec<&Foreign<'_>> {
        trees.iter().filter(|tree| tree.text_at(&["kind"]).as_deref() == Some(kind)).collect()
    };
    let templates = of_kind("MetricTemplate");
    match of_kind("Canary").as_slice() {
        [] if templates.is_empty() => Err("there is no Canary and no MetricTemplate in it".to_owned()),
        [] => Ok(templates_alone(&templates)),
        [canary] => canary_draft(canary, &templates),
        _ => Err("there is more than one Canary in it: import each by itself, one gate a file".to_owned()),
    }
}

fn canary_draft(canary: &Foreign<'_>, templates: &[&Foreign<'_>]) -> Result<Draft, String> {
    let name = canary.text_at(&["metadata", "name"]).unwrap_or_default();
    let analysis = ["analysis", "canaryAnalysis"].iter().find_map(|key| canary.at(&["spec", key]));
    let analysis = analysis.ok_or("the Canary has no `spec.analysis`")?;
    let mut draft =
        Draft { origin: format!("Imported from the Flagger canary {}.", quoted(&name)), name, ..Draft::default() };
    draft.remarks.push(
        "Flagger asks about the target alone; here the primary is the baseline, and a canary that is no worse than \
         it is not failed. Flagger calls the verdict by a webhook of type `confirm-promotion` or `rollback`."
            .to_owned(),
    );
    let interval = analysis.text_at(&["interval"]).and_then(|text| units::duration(&text));
    let interval = interval.filter(|interval| Duration::from_secs(1) <= *interval).unwrap_or(Duration::from_mins(1));
    let steps = steps(&analysis);
    draft.schedule = Some(looks(interval, Duration::ZERO, steps));
    let failed = analysis.get("threshold").and_then(|count| count.count()).unwrap_or(FAILED).clamp(1, BREACH);
    let breach = format!("{failed} of {}", steps.clamp(failed, BREACH));
    for metric in analysis.items_at(&["metrics"]) {
        let own = Names::of(canary, &metric);
        let name = metric.text_at(&["name"]).unwrap_or_default();
        match query(canary, &metric, templates).and_then(|query| own.rewrite(&query)) {
            Ok(made) => add(&mut draft, &metric, &name, &made, &breach),
            Err(why) => draft.lacks(&metric.path, format!("{name}: {why}")),
        }
    }
    for (key, value) in analysis.entries() {
        match key.as_str() {
            "webhooks" => draft.lacks(&value.path, "calls of other services stay with Flagger"),
            key if KNOWN.contains(&key) => {}
            _ => draft.lacks(&value.path, "it is not read here"),
        }
    }
    Ok(draft)
}

/// A gauge for each template: without a canary nothing says what a good value is.
fn templates_alone(templates: &[&Foreign<'_>]) -> Draft {
    let mut draft = Draft { origin: "Imported from Flagger metric templates.".to_owned(), ..Draft::default() };
    draft.remarks.push(
        "A template alone names no range of accepted values: its value is compared with the primary's.".to_owned(),
    );
    for template in templates {
        let name = template.text_at(&["metadata", "name"]).unwrap_or_default();
        if draft.name.is_empty() {
            draft.name.clone_from(&name);
        }
        let own = Names { known: BTreeMap::from([("interval", "1m".to_owned())]), variables: BTreeMap::new() };
        match promql(template).and_then(|query| own.rewrite(&query)) {
            Ok(made) => {
                draft.params.extend(made.params.iter().map(|name| (name.clone(), None)));
                draft.checks.push(DraftCheck {
                    keys: vec![("gauge", quoted(&made.query)), ("worse", "either".to_owned())],
                    ..started(template, &name, &made)
                });
            }
            Err(why) => draft.lacks(&template.path, format!("{name}: {why}")),
        }
    }
    draft
}

/// How many times Flagger checks a canary that goes well.
fn steps(analysis: &Foreign<'_>) -> u32 {
    let count = |key: &str| analysis.get(key).and_then(|value| value.count());
    let weights = analysis.items_at(&["stepWeights"]).len();
    let by_weight = || Some(count("maxWeight")?.div_ceil(count("stepWeight").filter(|step| *step > 0)?));
    count("iterations")
        .or_else(|| u32::try_from(weights).ok().filter(|weights| *weights > 0))
        .or_else(by_weight)
        .unwrap_or(10)
        .clamp(1, 1000)
}

fn started(metric: &Foreign<'_>, name: &str, made: &Rewritten) -> DraftCheck {
    DraftCheck {
        place: if metric.path.is_empty() { name.to_owned() } else { metric.path.clone() },
        name: name.to_owned(),
        keys: Vec::new(),
        cohorts: made.cohorts.clone(),
        remarks: uneven(made.uneven).into_iter().collect(),
        params: made.params.clone(),
    }
}

/// A threshold for each end of the accepted range.
fn add(draft: &mut Draft, metric: &Foreign<'_>, name: &str, made: &Rewritten, breach: &str) {
    let end = |key: &str| metric.at(&["thresholdRange", key]).and_then(|bound| bound.number());
    // Of old a metric had a `threshold` that its value may not pass.
    let old = metric.get("threshold").and_then(|bound| bound.number());
    let (old_min, old_max) = if name == "request-success-rate" { (old, None) } else { (None, old) };
    let ends = [("min", end("min").or(old_min)), ("max", end("max").or(old_max))];
    let both = ends.iter().all(|(_, bound)| bound.is_some());
    if ends.iter().all(|(_, bound)| bound.is_none()) {
        draft.lacks(&metric.path, format!("{name}: it accepts every value"));
        return;
    }
    draft.params.extend(made.params.iter().map(|name| (name.clone(), None)));
    for (key, bound) in ends {
        let Some(bound) = bound else { continue };
        let mut check = started(metric, name, made);
        check.keys = vec![("threshold", quoted(&made.query)), (key, bound.to_string()), ("breach", breach.to_owned())];
        check.remarks.extend(advice(&made.query));
        if both {
            check.name = format!("{name}-{key}");
        }
        draft.checks.push(check);
    }
}

/// The query of a metric: a template's, its own, or a built-in one.
fn query(canary: &Foreign<'_>, metric: &Foreign<'_>, templates: &[&Foreign<'_>]) -> Result<String, String> {
    if let Some(query) = metric.text_at(&["query"]) {
        return Ok(query);
    }
    if let Some(reference) = metric.text_at(&["templateRef", "name"]) {
        let space = metric.text_at(&["templateRef", "namespace"]);
        let space = space.or_else(|| canary.text_at(&["metadata", "namespace"]));
        let named = |template: &&&Foreign<'_>| {
            let own = template.text_at(&["metadata", "namespace"]);
            let is_elsewhere = matches!((&own, &space), (Some(own), Some(space)) if own != space);
            template.text_at(&["metadata", "name"]).as_ref() == Some(&reference) && !is_elsewhere
        };
        let template = templates.iter().find(named);
        let template = template
            .ok_or_else(|| format!("its template {} is not in the file: put both into one", quoted(&reference)))?;
        return promql(template);
    }
    let provider = canary.text_at(&["spec", "provider"]).unwrap_or_else(|| "istio".to_owned());
    let mesh = MESHES.iter().find(|mesh| provider.split(':').next() == Some(mesh.provider)).ok_or_else(|| {
        format!("the built-in queries of {} are not known here: write its query as a MetricTemplate", quoted(&provider))
    })?;
    mesh.query(&metric.text_at(&["name"]).unwrap_or_default())
}

impl Mesh {
    fn query(&self, metric: &str) -> Result<String, String> {
        let Self { requests, good, duration, target, .. } = self;
        match metric {
            "request-success-rate" => Ok(format!(
                "sum(rate({requests}{{{target}, {good}}}[{{{{ interval }}}}])) / \
                 sum(rate({requests}{{{target}}}[{{{{ interval }}}}])) * 100"
            )),
            "request-duration" => Ok(format!(
                "histogram_quantile(0.99, sum(rate({duration}_bucket{{{target}}}[{{{{ interval }}}}])) by (le))"
            )),
            _ => Err("it is no built-in metric and names no template".to_owned()),
        }
    }
}

fn promql(template: &Foreign<'_>) -> Result<String, String> {
    let kind = template.text_at(&["spec", "provider", "type"]).unwrap_or_default();
    if kind != "prometheus" {
        return Err(format!("it asks {}, and here a source is a Prometheus", quoted(&kind)));
    }
    template.text_at(&["spec", "query"]).ok_or_else(|| "it has no query".to_owned())
}

impl Names {
    fn of(canary: &Foreign<'_>, metric: &Foreign<'_>) -> Self {
        let own = metric.text_at(&["interval"]).and_then(|text| units::duration(&text)).unwrap_or(RANGE);
        let mut known = BTreeMap::from([("interval", duration_text(own))]);
        let name = canary.text_at(&["metadata", "name"]);
        let service = canary.text_at(&["spec", "service", "name"]);
        let target = canary.text_at(&["spec", "targetRef", "name"]);
        let namespace = canary.text_at(&["metadata", "namespace"]).unwrap_or_else(|| "default".to_owned());
        known.insert("namespace", namespace);
        known.extend(service.or_else(|| target.clone()).map(|service| ("service", service)));
        known.extend(name.map(|name| ("name", name)));
        known.extend(target.map(|target| ("target", target)));
        known.extend(canary.text_at(&["spec", "ingressRef", "name"]).map(|ingress| ("ingress", ingress)));
        let variables = metric.get("templateVariables").map(|variables| variables.entries()).unwrap_or_default();
        let variables = variables.into_iter().filter_map(|(name, value)| Some((name, value.text()?))).collect();
        Self { known, variables }
    }

    fn rewrite(&self, query: &str) -> Result<Rewritten, String> {
        let mut made = rewrite(query, SYNTAX, &|name| self.stands(name))?;
        // Where a target's series are named after its canary service, the primary's are so too.
        made.cohorts.baseline = made.cohorts.baseline.replace("-primary-canary", "-primary");
        Ok(made)
    }

    fn stands(&self, name: &str) -> Option<Stands> {
        if let Some(variable) = name.strip_prefix("variables.") {
            let known = self.variables.get(variable).cloned();
            let param = || Stands::Param(variable.replace(|c: char| !c.is_ascii_alphanumeric(), "_"));
            return Some(known.map_or_else(param, Stands::Text));
        }
        let known = self.known.get(name).cloned();
        match (name, known) {
            ("target", Some(target)) => Some(Stands::Cohort { baseline: format!("{target}-primary"), canary: target }),
            ("target", None) => {
                Some(Stands::Cohort { canary: "$target".to_owned(), baseline: "$target-primary".to_owned() })
            }
            ("interval" | "namespace" | "name" | "service" | "ingress", Some(text)) => Some(Stands::Text(text)),
            ("namespace" | "name" | "service" | "ingress", None) => Some(Stands::Param(name.to_owned())),
            _ => None,
        }
    }
}
