//! The keys of an SLO file, and those of its policies, which a rule file may change.

use crate::rules::keys::DURATION;
use crate::rules::keys::Key;
use crate::rules::keys::NAME;
use crate::rules::keys::QUERY;
use crate::rules::keys::Shape;

/// `99.9%`, kept exactly.
const SHARE: Shape = Shape::Written(r"^[0-9]+(\.[0-9]+)?%$");

/// `14.4x`, kept exactly.
const TIMES: Shape = Shape::Written(r"^[0-9]+(\.[0-9]+)?x$");

const LABEL: Shape = Shape::Written("^[A-Za-z_][A-Za-z0-9_]*$");

const SEVERITY: Shape = Shape::Words(&["page", "ticket"]);

const EMPTY: Shape = Shape::Words(&["good", "bad", "ignore"]);

const OFF: Shape = Shape::Words(&["off"]);

/// Keys without which a file promises nothing.
pub(in crate::rules) const REQUIRED: &[&str] = &["version", "name", "objective", "indicator"];

/// Those of the file itself. Keys that begin with `x-` are a place for anchors.
pub(in crate::rules) const SLO: &[Key] = &[
    Key::new("version", Shape::Only(1), "The version of this language."),
    Key::new("name", NAME, "What the SLO is called, in rule files, URLs and metrics.").like(&["checkout-availability"]),
    Key::new(
        "service",
        NAME,
        "Whose promise it is; the name of the SLO where it is not written. A page of any SLO of a service pauses the \
         gates of all of them.",
    )
    .like(&["checkout"]),
    Key::new("description", Shape::Text(4096), "For people.").like(&["Checkout answers."]),
    Key::new("source", NAME, "A source of the configuration. Needed where it has several.").like(&["prometheus"]),
    Key::new(
        "objective",
        SHARE,
        "The share of good events that is promised, above 0% and below 100%: at most 15 digits, kept exactly.",
    )
    .like(&["99.9%"]),
    Key::new(
        "period",
        Shape::Either(&[DURATION, Shape::Table(CALENDAR, &["calendar"])]),
        "Over what time: the time up to now, 1h to 366d, or from the last turn of the calendar on.",
    )
    .usual("30d")
    .like(&["28d", r#"{ "calendar": "month", "timezone": "Europe/Copenhagen" }"#]),
    Key::new("indicator", Shape::Table(INDICATOR, &[]), "What is counted: exactly one of `ratio`, `latency` and `up`."),
    Key::new(
        "budgeting",
        Shape::Either(&[Shape::Words(&["occurrences"]), Shape::Table(BUDGETING, &[])]),
        "How events become a share of the error budget: bad events of all events, or slices of time.",
    )
    .usual("occurrences"),
    Key::new(
        "slice",
        DURATION,
        "The resolution that is kept, 10s to 1h: every window is a multiple of it, and a period has at most 600000.",
    )
    .usual("1m"),
    Key::new("settle", DURATION, "How long samples take to arrive.").usual("1m"),
    Key::new("burn", Shape::Table(BURN, &[]), "When the budget burns so fast that somebody is told."),
    Key::new(
        "strata",
        Shape::List(&LABEL, 0, 8),
        "Labels by which cohorts are compared stratum by stratum: regions with other traffic are no difference.",
    )
    .like(&[r#"["region"]"#]),
    Key::new("policies", Shape::Table(POLICIES, &[]), "What waves wait for; each can be switched `off`."),
];

/// Of `period`, where it is one of the calendar.
pub(in crate::rules) const CALENDAR: &[Key] = &[
    Key::new("calendar", Shape::Words(&["week", "month", "quarter", "year"]), "What turns; weeks begin on Monday."),
    Key::new("timezone", Shape::Text(64), "Of the IANA database.").usual("UTC").like(&["Europe/Copenhagen"]),
];

/// Of `indicator`.
pub(in crate::rules) const INDICATOR: &[Key] = &[
    Key::new("ratio", Shape::Table(RATIO, &["total"]), "Two counters: all events, and those that are bad, or good.")
        .like(&[r#"{ "bad": "http_requests_total{code=~\"5..\"}", "total": "http_requests_total" }"#]),
    Key::new(
        "latency",
        Shape::Table(LATENCY, &["histogram", "threshold"]),
        "Events of a histogram above a bound are bad.",
    )
    .like(&[r#"{ "histogram": "http_request_duration_seconds", "threshold": "300ms" }"#]),
    Key::new("up", QUERY, "A gauge that is 1 while all is well and 0 else: each sample is an event.")
        .like(&["probe_success{job=\"shop\"}"]),
];

/// Of `indicator.ratio`.
pub(in crate::rules) const RATIO: &[Key] = &[
    Key::new("bad", QUERY, "The counter of bad events: a plain selector. Not beside `good`."),
    Key::new("good", QUERY, "The counter of good events: a plain selector. Not beside `bad`."),
    Key::new("total", QUERY, "The counter of all events: a plain selector."),
];

/// Of `indicator.latency`.
pub(in crate::rules) const LATENCY: &[Key] = &[
    Key::new("histogram", QUERY, "The histogram, classic or native, without `_bucket`.")
        .like(&["http_request_duration_seconds"]),
    Key::new(
        "threshold",
        Shape::Either(&[DURATION, Shape::Number(0.0, f64::MAX)]),
        "Above is bad: a duration of a histogram of seconds, or a number in its unit. A classic histogram must have \
         it as a bucket.",
    )
    .like(&["300ms", "0.3"]),
];

/// Of `budgeting`.
pub(in crate::rules) const BUDGETING: &[Key] = &[
    Key::new(
        "timeslices",
        Shape::Table(TIMESLICES, &["target"]),
        "Bad slices of all slices: one is good where its share of good events is at least `target`.",
    )
    .like(&[r#"{ "target": "95%", "slice": "5m", "empty": "good" }"#]),
    Key::new(
        "ratio_timeslices",
        Shape::Table(RATIO_TIMESLICES, &[]),
        "The mean over slices of their shares of bad events.",
    )
    .like(&[r#"{ "slice": "5m", "empty": "ignore" }"#]),
];

/// Of `budgeting.timeslices`.
pub(in crate::rules) const TIMESLICES: &[Key] = &[
    Key::new("target", SHARE, "The share of good events that makes a slice a good one.").like(&["95%"]),
    slice(),
    empty(),
];

/// Of `budgeting.ratio_timeslices`.
pub(in crate::rules) const RATIO_TIMESLICES: &[Key] = &[slice(), empty()];

const fn slice() -> Key {
    Key::new(
        "slice",
        DURATION,
        "The length of such a slice: a multiple of the file's `slice`. Every window is a multiple of it.",
    )
    .usual("5m")
}

const fn empty() -> Key {
    Key::new("empty", EMPTY, "What a slice is that was seen and had no event.").usual("ignore")
}

/// Of `burn`.
pub(in crate::rules) const BURN: &[Key] = &[
    Key::new(
        "tiers",
        Shape::List(&Shape::Table(TIER, &["name", "severity", "long", "short"]), 0, 16),
        "Pairs of windows; made from the period where they are not written.",
    ),
    Key::new("min_bad", Shape::Whole(1, 1_000_000), "A tier fires only with so many bad events in its long window.")
        .usual("5"),
    Key::new(
        "absolute",
        Shape::Table(ABSOLUTE, &["bad", "within"]),
        "So many bad events within a time, whatever the traffic: for services with little of it.",
    )
    .like(&[r#"{ "bad": 50, "within": "6h", "severity": "ticket" }"#]),
];

/// Of one of `burn.tiers`.
pub(in crate::rules) const TIER: &[Key] = &[
    Key::new("name", NAME, "What the tier is called.").like(&["page_fast"]),
    Key::new("severity", SEVERITY, "Whether somebody is woken."),
    Key::new("long", DURATION, "The window that tells that it matters; at most the period.").like(&["1h"]),
    Key::new("short", DURATION, "The window that tells that it goes on; shorter than `long`.").like(&["5m"]),
    Key::new("budget", SHARE, "The share of the period's error budget that may burn in `long`; or write `factor`.")
        .like(&["2%"]),
    Key::new("factor", TIMES, "The burn rate that both windows must be above; or write `budget`.").like(&["14.4x"]),
];

/// Of `burn.absolute`.
pub(in crate::rules) const ABSOLUTE: &[Key] = &[
    Key::new("bad", Shape::Whole(1, 1_000_000_000), "At least so many bad events.").like(&["50"]),
    Key::new("within", DURATION, "Within this time; at most the period.").like(&["6h"]),
    Key::new("severity", SEVERITY, "Whether somebody is woken.").usual("ticket"),
];

/// Of `policies`.
pub(in crate::rules) const POLICIES: &[Key] = &[wave_burn(), reserve(), waves_spend(), page(), projected()];

/// Of `budget` of a rule file: an SLO, and what is changed of its policies.
pub(in crate::rules) const BUDGET: &[Key] = &[
    Key::new("slo", NAME, "The name of an SLO.").like(&["checkout-availability"]),
    wave_burn(),
    reserve(),
    waves_spend(),
    page(),
    projected(),
];

/// Of `wave_burn`.
pub(in crate::rules) const WAVE_BURN: &[Key] = &[
    Key::new("ratio", TIMES, "How many times as fast as its baseline a wave may burn; at least 1x.").like(&["2x"]),
    Key::new("floor", TIMES, "A wave that burns slower than this is let be, whatever its baseline does.").like(&["1x"]),
    Key::new("scope", Shape::Words(&["canary", "service"]), "Whose burn is compared: the canary's, or the service's."),
    Key::new("strict", Shape::Flag, "Whether a pause needs a level of 0.5% in place of 5%."),
    Key::new("min_events", Shape::Whole(1, 1_000_000_000), "Fewer events of either cohort decide nothing.")
        .like(&["100"]),
];

const fn wave_burn() -> Key {
    Key::new(
        "wave_burn",
        Shape::Either(&[OFF, Shape::Table(WAVE_BURN, &[])]),
        "A wave that burns faster than its baseline pauses, until it does not. 2x, above 1x, of the canary.",
    )
    .like(&[r#"{ "ratio": "2x", "floor": "1x", "scope": "canary", "strict": false, "min_events": 100 }"#, "off"])
}

const fn reserve() -> Key {
    let about = "At least this share of the error budget remains, or a standard wave is held. 20% of an SLO that does \
                 not say.";
    Key::new("reserve", Shape::Either(&[SHARE, OFF]), about).like(&["20%", "off"])
}

const fn waves_spend() -> Key {
    let about = "Waves of one period together spend less than this share of its error budget, or they are held. 20% \
                 of an SLO that does not say.";
    Key::new("waves_spend", Shape::Either(&[SHARE, OFF]), about).like(&["20%", "off"])
}

const fn page() -> Key {
    let about = "Whether a burn of the service at which somebody is paged pauses its gates, until it is over.";
    Key::new("page", Shape::Words(&["pause", "off"]), about).like(&["pause", "off"])
}

const fn projected() -> Key {
    let about = "A canary that at 100 % of the traffic would burn faster than this pauses. The smallest factor of the \
                 page tiers of an SLO that does not say.";
    Key::new("projected", Shape::Either(&[TIMES, OFF]), about).like(&["6x", "off"])
}
