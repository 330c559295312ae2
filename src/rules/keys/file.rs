//! The keys of a rule file.

use crate::rules::keys::DURATION;
use crate::rules::keys::Key;
use crate::rules::keys::NAME;
use crate::rules::keys::PERCENT;
use crate::rules::keys::QUERY;
use crate::rules::keys::RATE;
use crate::rules::keys::Shape;
use crate::rules::keys::check::CHECK;
use crate::rules::keys::check::DEFAULTS;
use crate::rules::keys::slo::BUDGET;

/// Those of the file itself. Keys that begin with `x-` are a place for anchors.
pub(in crate::rules) const FILE: &[Key] = &[
    Key::new("version", Shape::Only(1), "The version of this language."),
    Key::new("name", NAME, "What the gate is called, in URLs and reports.").like(&["checkout"]),
    Key::new("description", Shape::Text(4096), "For people.").like(&["Gate for the checkout service."]),
    Key::new(
        "extends",
        Shape::Written(r"^[A-Za-z0-9_][A-Za-z0-9._-]*\.ya?ml$"),
        "A file of the same folder whose keys stand where this file is silent. Checks of one name are merged.",
    )
    .like(&["_base.yaml"]),
    Key::new(
        "mode",
        Shape::Words(&["enforce", "observe"]),
        "`observe` judges and reports everything, and always passes.",
    )
    .usual("enforce"),
    Key::new("source", NAME, "A source of the configuration. Needed where it has several.").like(&["prometheus"]),
    Key::new("cohorts", Shape::Table(COHORTS, &[]), "Who is judged against whom."),
    Key::new("schedule", Shape::Table(SCHEDULE, &[]), "When looks happen, counted from the start of the wave."),
    Key::new("risk", Shape::Table(RISK, &[]), "The risks that are promised, over the whole wave."),
    Key::new("telemetry", Shape::Table(TELEMETRY, &[]), "How much of the evidence must be there."),
    Key::new(
        "windows",
        Shape::Table(WINDOWS, &[]),
        "When the gate may pass: in no span of `deny`, and in one of `allow` where that is given.",
    )
    .like(&[r#"{ "deny": ["Fri", "Sat-Sun"], "timezone": "Europe/Copenhagen" }"#]),
    Key::new(
        "downtime",
        DURATION,
        "Planned, from the start of the wave: kept out of the evidence and of what the wave spends of the error \
         budget. Shorter than `min_duration`.",
    )
    .usual("0s")
    .like(&["20m"]),
    Key::new("requires", Shape::List(&NAME, 0, 16), "What must be attested before the gate may pass.")
        .like(&[r#"["disk-snapshot", "helm-values-backup"]"#]),
    Key::new(
        "params",
        Shape::Names("^[A-Za-z][A-Za-z0-9_]{0,63}$", &PARAM, 32),
        "Variables that a wave may set, `$name` in the values of labels. `{}` where a wave must.",
    )
    .like(&[r#"{ "region": "eu-1", "cell": {} }"#]),
    Key::new(
        "budget",
        Shape::Table(BUDGET, &["slo"]),
        "The error budget that the gate minds: an SLO, and what is changed of its policies.",
    )
    .like(&[r#"{ "slo": "checkout-availability", "reserve": "off" }"#]),
    Key::new(
        "discover",
        Shape::Flag,
        "Whether a new value of the wave's label in the source opens the gate by itself.",
    )
    .usual("false"),
    Key::new("traffic", Shape::Table(TRAFFIC, &[]), "An ordinary day, for planning and simulation alone."),
    Key::new("defaults", Shape::Table(DEFAULTS, &[]), "What checks have that do not say it themselves."),
    Key::new(
        "checks",
        Shape::List(&Shape::Table(CHECK, &["name"]), 1, 200),
        "Each is one metric with its policy. All must pass.",
    ),
];

/// Of `cohorts`.
pub(in crate::rules) const COHORTS: &[Key] = &[
    Key::new("canary", QUERY, "Label matchers of the upgraded instances.")
        .usual(r#"wave_id="$wave""#)
        .like(&[r#"wave_id="$wave""#]),
    Key::new(
        "baseline",
        Shape::Either(&[QUERY, Shape::Table(HISTORY, &["offset"])]),
        "Label matchers of the others; `none` where there are none; `{ offset: 1w }` for the past.",
    )
    .usual(r#"wave_id="$baseline""#)
    .like(&[r#"wave_id="$baseline""#, r#"wave_id!="$wave""#, "none", r#"{ "offset": "1w" }"#]),
    Key::new(
        "instance",
        Shape::Either(&[LABEL, Shape::List(&LABEL, 1, 8)]),
        "The label that tells one instance from another; of several the first that a series has.",
    )
    .like(&["pod"]),
];

const LABEL: Shape = Shape::Written("^[A-Za-z_][A-Za-z0-9_]*$");

/// Of `cohorts.baseline`, where it is the past.
pub(in crate::rules) const HISTORY: &[Key] = &[
    Key::new("offset", DURATION, "How long ago: 1h to 30d, in whole intervals.").like(&["1d", "1w"]),
    Key::new("match", QUERY, "Label matchers of the past; without it those of the canary.")
        .like(&[r#"job="checkout""#]),
];

/// Of `schedule`.
pub(in crate::rules) const SCHEDULE: &[Key] = &[
    Key::new("interval", DURATION, "The distance of looks; as often as you scrape.").usual("15s"),
    Key::new("warmup", DURATION, "Left out of the evidence.").usual("2m"),
    Key::new("min_duration", DURATION, "No PASS before.").usual("10m"),
    Key::new("deadline", DURATION, "No look after.").usual("60m"),
    Key::new(
        "on_deadline",
        Shape::Words(&["pause", "fail"]),
        "What happens at the deadline when nothing is decided: a person is asked, or the wave fails.",
    )
    .usual("pause"),
    Key::new("settle", DURATION, "How long samples take to arrive; two intervals where it is not written.")
        .like(&["30s"]),
];

/// Of `risk`.
pub(in crate::rules) const RISK: &[Key] = &[
    Key::new("false_fail", PERCENT, "Of failing a good canary, over all statistical checks and looks.").usual("5%"),
    Key::new("false_pass", PERCENT, "Of passing one that is worse than `pass_within`, a check.").usual("5%"),
    Key::new(
        "spending",
        Shape::Words(&["linear", "obf"]),
        "How `false_fail` is given to the looks: in proportion to the time, or little at first.",
    )
    .usual("linear"),
];

/// Of `telemetry`.
pub(in crate::rules) const TELEMETRY: &[Key] = &[Key::new(
    "coverage",
    PERCENT,
    "Less than this of the expected samples, over the window or the last five minutes, and a check is blind.",
)
.usual("90%")];

/// Of `windows`.
pub(in crate::rules) const WINDOWS: &[Key] = &[
    Key::new("deny", Shape::List(&WINDOW, 1, 32), "The gate does not pass in any of these.")
        .like(&[r#"["Fri 15:00-24:00", "Sat-Sun", "2026-12-20/2027-01-05"]"#]),
    Key::new("allow", Shape::List(&WINDOW, 1, 32), "The gate passes only in one of these.")
        .like(&[r#"["Mon-Thu 09:00-16:00"]"#, r#"[{ "cron": "0 9 * * Mon", "for": "2h" }]"#]),
    Key::new("timezone", Shape::Text(64), "Of the IANA database.").usual("UTC").like(&["Europe/Copenhagen"]),
];

const WINDOW: Shape = Shape::Either(&[Shape::Text(128), Shape::Table(CRON, &["cron", "for"])]);

/// Of a window that a cron pattern begins.
pub(in crate::rules) const CRON: &[Key] = &[
    Key::new("cron", Shape::Text(128), "When it begins: minute, hour, day of month, month, weekday.")
        .like(&["0 9 * * Mon"]),
    Key::new("for", DURATION, "How long it lasts: 1m to 31d.").like(&["2h"]),
];

const PARAM: Shape = Shape::Either(&[Shape::Text(256), Shape::Table(PARAMS, &[])]);

/// Of one of `params`.
pub(in crate::rules) const PARAMS: &[Key] = &[
    Key::new("default", Shape::Text(256), "Where a wave does not say. Without it a wave must."),
    Key::new("description", Shape::Text(1024), "For people."),
];

/// Of `traffic`.
pub(in crate::rules) const TRAFFIC: &[Key] = &[
    traffic::CANARY,
    traffic::BASELINE,
    traffic::INSTANCES,
    traffic::BAD,
    traffic::LATENCY,
    traffic::NOISE,
    traffic::AUTOCORRELATION,
    traffic::OFFSETS,
    traffic::DIURNAL,
    traffic::INCIDENTS,
    traffic::BURSTS,
    Key::new(
        "checks",
        Shape::Names("^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", &Shape::Table(CHECK_TRAFFIC, &[]), 200),
        "Of some checks alone, by their names.",
    )
    .like(&[r#"{ "cpu": { "noise": "8%" } }"#]),
];

/// Of one of `traffic.checks`.
pub(in crate::rules) const CHECK_TRAFFIC: &[Key] = &[
    traffic::CANARY,
    traffic::BASELINE,
    traffic::INSTANCES,
    traffic::BAD,
    traffic::LATENCY,
    traffic::NOISE,
    traffic::AUTOCORRELATION,
    traffic::OFFSETS,
    traffic::DIURNAL,
    traffic::INCIDENTS,
    traffic::BURSTS,
];

/// Of `traffic.instances`.
pub(in crate::rules) const INSTANCES: &[Key] = &[
    Key::new("canary", Shape::Whole(1, 10_000), "Instances of the canary.").usual("3"),
    Key::new("baseline", Shape::Whole(1, 10_000), "Instances of the baseline.").usual("12"),
];

/// Of `traffic.latency`.
pub(in crate::rules) const LATENCY: &[Key] = &[
    Key::new("median", DURATION, "Half of the values of a histogram are below.").usual("80ms"),
    Key::new("p99", DURATION, "One of a hundred is above.").usual("600ms"),
];

/// What the whole file and one check can say alike.
mod traffic {
    use super::INSTANCES as INSTANCE_KEYS;
    use super::Key;
    use super::LATENCY as LATENCY_KEYS;
    use super::PERCENT;
    use super::RATE;
    use super::Shape;

    pub(super) const CANARY: Key = Key::new("canary", RATE, "Events of the canary.").usual("50/s");
    pub(super) const BASELINE: Key = Key::new("baseline", RATE, "Events of the baseline.").usual("200/s");
    pub(super) const INSTANCES: Key =
        Key::new("instances", Shape::Table(INSTANCE_KEYS, &[]), "How many instances there are.");
    pub(super) const BAD: Key = Key::new("bad", PERCENT, "The share of events that are bad.").usual("0.2%");
    pub(super) const LATENCY: Key =
        Key::new("latency", Shape::Table(LATENCY_KEYS, &[]), "What the values of a histogram are, in time.");
    pub(super) const NOISE: Key = Key::new(
        "noise",
        PERCENT,
        "How far the values of both cohorts lie apart in one interval: a standard deviation, as a share of the value.",
    )
    .usual("5%");
    pub(super) const AUTOCORRELATION: Key =
        Key::new("autocorrelation", Shape::Number(0.0, 0.99), "How much of one interval's noise the next one keeps.")
            .usual("0.3");
    pub(super) const OFFSETS: Key = Key::new(
        "offsets",
        PERCENT,
        "How far the levels of instances lie apart: a standard deviation, as a share of the level.",
    )
    .usual("0%");
    pub(super) const DIURNAL: Key =
        Key::new("diurnal", PERCENT, "How far traffic swings over a day around its mean.").usual("0%");
    pub(super) const INCIDENTS: Key =
        Key::new("incidents", RATE, "Incidents that hit both cohorts alike.").usual("0/h");
    pub(super) const BURSTS: Key = Key::new("bursts", RATE, "Bursts that hit one cohort alone.").usual("0/h");
}
