//! The keys of a check, and which kind has which.

use crate::rules::keys::DURATION;
use crate::rules::keys::FACTOR;
use crate::rules::keys::Key;
use crate::rules::keys::NAME;
use crate::rules::keys::PERCENT;
use crate::rules::keys::POINTS;
use crate::rules::keys::QUERY;
use crate::rules::keys::Shape;

/// A kind of check.
pub(in crate::rules) struct Kind {
    /// The key that says so, with what is looked at.
    pub(in crate::rules) name: &'static str,
    /// What it may say besides. `name` and `on_fail` every check has.
    pub(in crate::rules) keys: &'static [&'static str],
    /// What its margins are written as.
    pub(in crate::rules) margin: Option<Shape>,
}

/// Every kind.
pub(in crate::rules) const KINDS: &[Kind] = &[
    Kind {
        name: "ratio",
        keys: &["worse", "tolerance", "pass_within", "weight", "min_points", "floor"],
        margin: Some(FACTOR),
    },
    Kind {
        name: "histogram",
        keys: &["worse", "tolerance", "pass_within", "weight", "min_points", "quantile"],
        margin: Some(Shape::Either(&[POINTS, PERCENT])),
    },
    Kind {
        name: "gauge",
        keys: &[
            "worse",
            "tolerance",
            "pass_within",
            "weight",
            "min_points",
            "drift",
            "strict",
            "by",
            "test",
            "scale",
            "per",
        ],
        margin: Some(GAUGE_MARGIN),
    },
    Kind { name: "threshold", keys: &["max", "min", "breach"], margin: None },
    Kind { name: "probe", keys: &["errors", "latency", "weight", "min_points"], margin: None },
];

/// What every check may say.
pub(in crate::rules) const COMMON: &[&str] = &["name", "match", "on_fail"];

/// Of a check, whatever its kind.
pub(in crate::rules) const CHECK: &[Key] = &[
    Key::new("name", NAME, "What the check is called.").like(&["errors"]),
    Key::new("ratio", Shape::Table(RATIO, &["bad", "total"]), "Bad events of all events: two counters.")
        .like(&[r#"{ "bad": "http_requests_total{code=~\"5..\"}", "total": "http_requests_total" }"#]),
    Key::new("histogram", QUERY, "Every event's value: a histogram, classic or native, without `_bucket`.")
        .like(&["http_request_duration_seconds"]),
    Key::new("gauge", QUERY, "One value a cohort and interval: any PromQL.")
        .like(&["rate(process_cpu_seconds_total[$interval])"]),
    Key::new("threshold", QUERY, "The worst series against `max` or `min`: any PromQL.")
        .like(&["increase(kube_pod_container_status_restarts_total[5m])"]),
    Key::new("probe", Shape::Table(PROBE, &["canary", "baseline"]), "Requests of the daemon's own."),
    errors(),
    latency(),
    worse(),
    tolerance(),
    pass_within(),
    floor(),
    weight(),
    min_points(),
    Key::new("quantile", Shape::Written(r"^p[0-9]+(\.[0-9]+)?$"), "Judge the tail of the histogram beyond this.")
        .like(&["p99"]),
    drift(),
    strict(),
    by(),
    test(),
    scale(),
    per(),
    max(),
    min(),
    breach(),
    Key::new("match", Shape::Table(MATCH, &["canary"]), "Cohorts of this check alone, in place of the file's."),
    on_fail(),
];

/// Of `ratio`.
pub(in crate::rules) const RATIO: &[Key] = &[
    Key::new("bad", QUERY, "The counter of bad events: a plain selector."),
    Key::new("total", QUERY, "The counter of all events: a plain selector."),
];

/// Of `probe`.
pub(in crate::rules) const PROBE: &[Key] = &[
    Key::new("canary", ADDRESS, "What is requested of the canary.").like(&["https://canary.shop/health"]),
    Key::new("baseline", ADDRESS, "What is requested of the baseline.").like(&["https://shop/health"]),
    Key::new("every", DURATION, "The distance of two requests: 1s to 2m.").usual("5s"),
    Key::new("timeout", DURATION, "For one request; at most `every`.").usual("2s"),
];

const ADDRESS: Shape = Shape::Written("^[Hh][Tt][Tt][Pp][Ss]?://");

/// Of `errors` of a probe.
pub(in crate::rules) const PROBE_ERRORS: &[Key] = &[
    Key::new("tolerance", FACTOR, TOLERANCE).usual("1.25x"),
    Key::new("pass_within", FACTOR, PASS_WITHIN).usual("2x"),
    Key::new("floor", PERCENT, FLOOR).usual("2%"),
];

/// Of `latency` of a probe.
pub(in crate::rules) const PROBE_LATENCY: &[Key] = &[
    Key::new("tolerance", POINTS, TOLERANCE).usual("5pp"),
    Key::new("pass_within", POINTS, PASS_WITHIN).usual("15pp"),
];

/// Of `match`.
pub(in crate::rules) const MATCH: &[Key] = &[
    Key::new("canary", QUERY, "Label matchers of the canary.").like(&[r#"pod=~"checkout-$wave-.*""#]),
    Key::new("baseline", QUERY, "Label matchers of the baseline. Without it a threshold is judged alone."),
];

/// Of a margin of two parts.
pub(in crate::rules) const PARTS: &[Key] = &[
    Key::new("relative", PERCENT, "A relative change.").like(&["5%"]),
    Key::new("absolute", Shape::Number(0.0, f64::MAX), "A change in the unit of the query.").like(&["0.2"]),
];

const GAUGE_MARGIN: Shape =
    Shape::Either(&[PERCENT, Shape::Number(0.0, f64::MAX), Shape::Table(PARTS, &["relative", "absolute"])]);

const MARGIN: Shape = Shape::Either(&[
    FACTOR,
    POINTS,
    PERCENT,
    Shape::Number(0.0, f64::MAX),
    Shape::Table(PARTS, &["relative", "absolute"]),
]);

const TOLERANCE: &str = "The change that is let be: FAIL needs the lower bound above it.";
const PASS_WITHIN: &str = "PASS needs the upper bound below this.";
const FLOOR: &str = "A canary ratio below this is good enough, whatever the baseline's.";

/// Of `defaults`: what every check has, and what checks of one kind have.
pub(in crate::rules) const DEFAULTS: &[Key] = &[
    worse(),
    on_fail(),
    weight(),
    min_points(),
    Key::new("ratio", Shape::Table(RATIO_DEFAULTS, &[]), "Of `ratio` checks."),
    Key::new("histogram", Shape::Table(HISTOGRAM_DEFAULTS, &[]), "Of `histogram` checks without `quantile`."),
    Key::new("quantile", Shape::Table(QUANTILE_DEFAULTS, &[]), "Of `histogram` checks with `quantile`."),
    Key::new("gauge", Shape::Table(GAUGE_DEFAULTS, &[]), "Of `gauge` checks."),
    Key::new("threshold", Shape::Table(THRESHOLD_DEFAULTS, &[]), "Of `threshold` checks."),
    Key::new("probe", Shape::Table(PROBE_DEFAULTS, &[]), "Of `probe` checks."),
];

/// Of `defaults.ratio`.
pub(in crate::rules) const RATIO_DEFAULTS: &[Key] = &[
    worse(),
    Key::new("tolerance", FACTOR, TOLERANCE).usual("1.25x"),
    Key::new("pass_within", FACTOR, PASS_WITHIN).usual("2x"),
    floor(),
    weight(),
    min_points(),
    on_fail(),
];

/// Of `defaults.histogram`.
pub(in crate::rules) const HISTOGRAM_DEFAULTS: &[Key] = &[
    worse(),
    Key::new("tolerance", POINTS, TOLERANCE).usual("2pp"),
    Key::new("pass_within", POINTS, PASS_WITHIN).usual("6pp"),
    weight(),
    min_points(),
    on_fail(),
];

/// Of `defaults.quantile`.
pub(in crate::rules) const QUANTILE_DEFAULTS: &[Key] = &[
    Key::new("tolerance", PERCENT, TOLERANCE).usual("10%"),
    Key::new("pass_within", PERCENT, PASS_WITHIN).usual("50%"),
    weight(),
    min_points(),
    on_fail(),
];

/// Of `defaults.gauge`.
pub(in crate::rules) const GAUGE_DEFAULTS: &[Key] = &[
    worse(),
    Key::new("tolerance", GAUGE_MARGIN, TOLERANCE).usual("5%"),
    Key::new("pass_within", GAUGE_MARGIN, PASS_WITHIN).usual("20%"),
    weight(),
    min_points(),
    drift(),
    strict(),
    by(),
    test(),
    scale(),
    per(),
    on_fail(),
];

/// Of `defaults.threshold`.
pub(in crate::rules) const THRESHOLD_DEFAULTS: &[Key] = &[max(), min(), breach(), on_fail()];

/// Of `defaults.probe`.
pub(in crate::rules) const PROBE_DEFAULTS: &[Key] = &[errors(), latency(), weight(), min_points(), on_fail()];

const fn errors() -> Key {
    Key::new("errors", Shape::Table(PROBE_ERRORS, &[]), "Margins of a probe's errors.")
}

const fn latency() -> Key {
    Key::new("latency", Shape::Table(PROBE_LATENCY, &[]), "Margins of a probe's latency.")
}

const fn worse() -> Key {
    Key::new("worse", Shape::Words(&["increase", "decrease", "either"]), "Which way is worse.").usual("increase")
}

const fn tolerance() -> Key {
    Key::new(
        "tolerance",
        MARGIN,
        "The change that is let be: FAIL needs the lower bound above it. A factor for a ratio, percentage points for \
         a histogram, a percentage for a quantile or a gauge; a plain number is in the unit of a gauge's query.",
    )
    .like(&["1.25x", "2pp", "10%", "0.2"])
}

const fn pass_within() -> Key {
    Key::new(
        "pass_within",
        MARGIN,
        "PASS needs the upper bound below this, which is written as `tolerance` is and lies two to four times as far.",
    )
    .like(&["2x", "6pp", "50%", "0.6"])
}

const fn floor() -> Key {
    Key::new("floor", PERCENT, FLOOR).usual("0.1%")
}

const fn weight() -> Key {
    Key::new("weight", Shape::Number(0.001, 1000.0), "The share of the false_fail risk.").usual("1")
}

const fn min_points() -> Key {
    let about = "Intervals with evidence before anything is said: 8 of a gauge, else 4, where it is not written.";
    Key::new("min_points", Shape::Whole(2, 1000), about).like(&["8"])
}

const fn drift() -> Key {
    Key::new("drift", Shape::Flag, "Also judge where the value is heading: memory, queues.").usual("false")
}

const fn strict() -> Key {
    Key::new("strict", Shape::Flag, "Take disturbances that last for minutes into account, at the cost of time.")
        .usual("false")
}

const fn by() -> Key {
    Key::new("by", Shape::Words(&["instance"]), "Means of instances against means of instances.")
}

const fn test() -> Key {
    Key::new("test", Shape::Words(&["mann_whitney"]), "The rank test, corrected for autocorrelation and looks.")
}

const fn scale() -> Key {
    Key::new("scale", Shape::Words(&["absolute"]), "Differences, as a share of the baseline's median.")
}

const fn per() -> Key {
    Key::new("per", QUERY, "Judge the value as it is, and for each of what this counts.")
        .like(&["rate(http_requests_total[$interval])"])
}

const fn max() -> Key {
    Key::new("max", Shape::Number(f64::MIN, f64::MAX), "Values above are a breach.")
}

const fn min() -> Key {
    Key::new("min", Shape::Number(f64::MIN, f64::MAX), "Values below are a breach.")
}

const fn breach() -> Key {
    Key::new("breach", Shape::Written("^ *[0-9]+ +of +[0-9]+ *$"), "How many of how many samples, at most 60.")
        .usual("3 of 5")
}

const fn on_fail() -> Key {
    Key::new(
        "on_fail",
        Shape::Words(&["fail", "pause", "report"]),
        "What a failing check does: the wave fails, a person is asked, or it is only shown.",
    )
    .usual("fail")
}
