//! A plan as JSON, with the sentences that it takes to be acted on.

use crate::plan::Ignored;
use crate::plan::power::CheckPlan;
use crate::plan::power::Fails;
use crate::plan::power::How;
use crate::plan::power::Measured;
use crate::plan::power::Note;
use crate::plan::power::POWER;
use crate::plan::power::Plan;
use crate::plan::power::Scale;
use crate::plan::power::Undecided;
use crate::plan::power::Which;
use crate::rules;
use crate::rules::CheckTraffic;
use crate::rules::OnFail;
use crate::wire::json::Number;
use crate::wire::json::text;
use serde::Serialize;
use std::fmt::Write as _;
use std::time::Duration;

/// Figures of a document: more would be noise of the model.
const PLACES: f64 = 1e4;

#[derive(Serialize)]
struct Document<'a> {
    rules: &'a str,
    decides: bool,
    traffic: &'static str,
    power: Number,
    interval_seconds: Number,
    deadline_seconds: Number,
    quarters_seconds: [Number; 4],
    measured: bool,
    traffic_block: Option<String>,
    checks: Vec<Check<'a>>,
    unplanned: Vec<Unplanned<'a>>,
    notes: Vec<Remark>,
}

/// A check without a plan.
#[derive(Serialize)]
struct Unplanned<'a> {
    name: &'a str,
    message: &'static str,
}

#[derive(Serialize)]
struct Check<'a> {
    name: &'a str,
    kind: &'a str,
    on_fail: &'a str,
    unit: &'a str,
    tolerance: Sized,
    pass_within: Sized,
    false_fail: Number,
    false_pass: Number,
    floor: Option<Number>,
    traffic: Traffic,
    measured: Option<Seen>,
    detects: Option<Sized>,
    slower: Option<Number>,
    fails: Vec<Outcome>,
    passes: Chances,
    curve: Vec<Point>,
    undecided: Option<Stuck>,
    notes: Vec<Remark>,
}

/// A change, and how it is written.
#[derive(Serialize)]
struct Sized {
    value: Number,
    text: String,
}

#[derive(Serialize)]
struct Traffic {
    canary_per_second: Number,
    baseline_per_second: Number,
    bad: Number,
    latency_median_seconds: Number,
    latency_p99_seconds: Number,
    noise: Number,
    autocorrelation: Number,
    text: String,
}

#[derive(Serialize)]
struct Outcome {
    change: Sized,
    which: &'static str,
    #[serde(flatten)]
    chances: Chances,
}

#[derive(Serialize)]
struct Chances {
    by_quarter: [Number; 4],
    median_seconds: Option<Number>,
}

#[derive(Serialize)]
struct Point {
    change: Number,
    by_quarter: [Number; 4],
}

#[derive(Serialize)]
struct Stuck {
    code: &'static str,
    message: String,
    help: String,
    power: Number,
    passes: Number,
    deadline_seconds: Option<Number>,
    pass_within: Option<Number>,
    canary_per_second: Option<Number>,
    weight: Option<Number>,
}

#[derive(Serialize)]
pub(super) struct Remark {
    code: &'static str,
    message: &'static str,
}

/// The document of `plan`, with what was `measured` of its traffic; all of it is stated where
/// nothing was.
pub fn plan_document(plan: &Plan, measured: &[Measured]) -> String {
    let of = |name: &str| measured.iter().find(|one| one.check == name).map(seen);
    text(&Document {
        rules: &plan.rules,
        decides: plan.decides(),
        traffic: match (measured.is_empty(), plan.stated) {
            (false, _) => "measured",
            (true, true) => "stated",
            (true, false) => "assumed",
        },
        power: Number(POWER),
        interval_seconds: seconds(plan.interval),
        deadline_seconds: seconds(plan.deadline),
        quarters_seconds: plan.quarters.map(seconds),
        measured: !measured.is_empty(),
        traffic_block: (!measured.is_empty()).then(|| block(measured)),
        checks: plan.checks.iter().map(|check| shown(check, of(&check.name), plan.deadline)).collect(),
        unplanned: plan.unplanned.iter().map(|(name, _, why)| Unplanned { name, message: why.text() }).collect(),
        notes: remarks(&plan.ignored),
    })
}

fn shown(check: &CheckPlan, measured: Option<Seen>, deadline: Duration) -> Check<'_> {
    Check {
        name: &check.name,
        kind: check.kind,
        on_fail: match check.on_fail {
            OnFail::Fail => "fail",
            OnFail::Pause => "pause",
            OnFail::Report => "report",
        },
        unit: match check.scale {
            Scale::Factor if check.floor.is_some() => "times_floor",
            Scale::Factor => "rate_ratio",
            Scale::Points => "probability_above_half",
            Scale::More | Scale::Less => "relative_change",
            Scale::Absolute => "absolute_change",
        },
        tolerance: sized(check, check.tolerance),
        pass_within: sized(check, check.pass_within),
        false_fail: rounded(check.alpha),
        false_pass: rounded(check.beta),
        floor: check.floor.map(Number),
        traffic: traffic(check, &check.traffic),
        measured,
        detects: check.detects.map(|change| sized(check, change)),
        slower: check.slower.map(|times| rounded(times - 1.0)),
        fails: check.fails.iter().map(|fails| outcome(check, fails)).collect(),
        passes: chances(check.passes.by_quarter, check.passes.median),
        curve: check
            .curve
            .iter()
            .map(|point| Point { change: rounded(point.change), by_quarter: point.by_quarter.map(rounded) })
            .collect(),
        undecided: check.undecided.as_ref().map(|undecided| stuck(check, undecided, deadline)),
        notes: check.notes.iter().map(|note| remark(*note)).collect(),
    }
}

fn outcome(check: &CheckPlan, fails: &Fails) -> Outcome {
    Outcome {
        change: sized(check, fails.change),
        which: match fails.which {
            Which::Detected => "detected",
            Which::PassWithin if check.floor.is_some() => "twice_tolerance",
            Which::PassWithin => "pass_within",
            Which::TwicePassWithin => "twice_pass_within",
            Which::Asked => "asked",
        },
        chances: chances(fails.by_quarter, fails.median),
    }
}

fn chances(by_quarter: [f64; 4], median: Option<Duration>) -> Chances {
    Chances { by_quarter: by_quarter.map(rounded), median_seconds: median.map(seconds) }
}

fn sized(check: &CheckPlan, value: f64) -> Sized {
    Sized { value: rounded(value), text: check.text(value) }
}

fn traffic(check: &CheckPlan, traffic: &CheckTraffic) -> Traffic {
    let kind = check.kind;
    let mut rates = format!("{}/s canary", short(traffic.rates[0]));
    if check.floor.is_none() {
        let _ = write!(rates, ", {}/s baseline", short(traffic.rates[1]));
    }
    let latency = || format!("median {}, p99 {}", latency(traffic.latency[0]), latency(traffic.latency[1]));
    let text = match kind {
        "ratio" => format!("{rates}, {}% bad", short(100.0 * traffic.bad)),
        "gauge" => {
            let (noise, memory) = (short(100.0 * traffic.noise), short(traffic.autocorrelation));
            format!("noise {noise}%, autocorrelation {memory}")
        }
        _ => format!("{rates}, {}", latency()),
    };
    Traffic {
        canary_per_second: rounded(traffic.rates[0]),
        baseline_per_second: rounded(traffic.rates[1]),
        bad: Number(traffic.bad),
        latency_median_seconds: rounded(traffic.latency[0]),
        latency_p99_seconds: rounded(traffic.latency[1]),
        noise: rounded(traffic.noise),
        autocorrelation: rounded(traffic.autocorrelation),
        text,
    }
}

fn stuck(check: &CheckPlan, undecided: &Undecided, deadline: Duration) -> Stuck {
    let (message, help) = cannot_decide(check, undecided, deadline);
    let remedy = undecided.remedy;
    Stuck {
        code: "cannot_decide",
        message,
        help,
        power: rounded(undecided.power),
        passes: rounded(undecided.passes),
        deadline_seconds: remedy.deadline.map(seconds),
        pass_within: remedy.pass_within.map(rounded),
        canary_per_second: remedy.canary_rate.map(rounded),
        weight: remedy.weight.map(rounded),
    }
}

/// Why a check cannot decide in its wave, and what to change so that it can.
pub fn cannot_decide(check: &CheckPlan, undecided: &Undecided, deadline: Duration) -> (String, String) {
    let percent = |share: f64| format!("{:.0} %", 100.0 * share);
    let shown = traffic(check, &check.traffic).text;
    let by = span(deadline);
    let mut message = format!("this check cannot decide in this wave: with {shown}, ");
    let passes = percent(undecided.passes);
    // Of a change as it stands in the rule file; alone there is only a share of bad events.
    let sized = |size: f64| match check.floor {
        Some(floor) => format!("{}% of bad events", short(100.0 * floor * size)),
        None => format!("a change of {}", check.text(size)),
    };
    if let Some(points) = undecided.too_few {
        let _ = write!(message, "only {points} intervals are seen by {by}, fewer than its min_points");
    } else if undecided.power < POWER {
        let least = match check.detects {
            Some(change) => format!("90 % needs {}", sized(change)),
            None => "nothing fails in 90 %".to_owned(),
        };
        let (margin, found) = (sized(check.pass_within), percent(undecided.power));
        let _ = write!(
            message,
            "{margin} fails by {by} in {found} of the waves ({least}), and an unchanged canary passes in {passes}"
        );
    } else {
        let _ = write!(message, "an unchanged canary passes by {by} in {passes} of the waves");
    }
    let remedy = undecided.remedy;
    let ways: Vec<String> = [
        remedy.deadline.map(|deadline| format!("set the deadline to {}", span(deadline))),
        remedy.pass_within.map(|margin| format!("set its pass_within to {}", check.text(margin))),
        remedy.canary_rate.map(|rate| format!("send the canary {}/s", short(rate))),
        remedy.weight.map(|weight| format!("set its weight to {}", short(weight))),
    ]
    .into_iter()
    .flatten()
    .collect();
    let help = if let Some(floor) = check.floor.filter(|floor| check.traffic.bad >= *floor) {
        let (bad, floor) = (short(100.0 * check.traffic.bad), short(100.0 * floor));
        format!(
            "an ordinary day has {bad}% of bad events, and a PASS needs fewer than its floor of {floor}%: raise `floor`"
        )
    } else if ways.is_empty() {
        "neither a longer wave, nor wider margins, nor more traffic is enough within reason: set `on_fail: report`, \
             so that the wave does not wait for it, or watch something with more events"
            .to_owned()
    } else if let [only] = &ways[..] {
        format!("it is enough to {only}")
    } else {
        format!("any one of these is enough: {}", ways.join("; "))
    };
    (message, help)
}

/// What of a rule file is not in a plan or a simulation.
pub(super) fn remarks(ignored: &[Ignored]) -> Vec<Remark> {
    let one = |ignored: &Ignored| {
        let (code, message) = match ignored {
            Ignored::Observe => {
                ("observe", "`mode: observe` is ignored: this is what the checks would say if they were obeyed")
            }
            Ignored::Windows => ("windows", "`windows` is ignored: there is no time of day here"),
            Ignored::Requires => ("requires", "`requires` is ignored: everything is taken to be attested"),
            Ignored::Budget => ("budget", "`budget` is ignored: no error budget is spent here"),
        };
        Remark { code, message }
    };
    ignored.iter().map(one).collect()
}

fn remark(note: Note) -> Remark {
    let (code, message) = match note {
        Note::RelativeMarginsOnly => {
            ("relative_margins_only", "it has margins of two kinds; only the relative ones are planned")
        }
        Note::NoiseInUnits => ("noise_in_units", "its margins are absolute, so the noise is read in the query's unit"),
        Note::RanksAsMeans => {
            ("ranks_as_means", "its rank test is planned as a test of means, which finds nearly the same")
        }
        Note::JudgedAsCohorts => {
            ("judged_as_cohorts", "there are too few instances to judge them, so it is planned by cohorts")
        }
        Note::WithoutPer => {
            ("without_per", "what it is divided by (`per`) is not planned: both must be beyond a margin")
        }
        Note::OnlySimulated => {
            ("only_simulated", "offsets, swings, incidents and bursts are not in a plan; `wavegate simulate` has them")
        }
        Note::NothingDetected => ("nothing_detected", "no change that is looked for is found with a chance of 90 %"),
    };
    Remark { code, message }
}

#[derive(Serialize)]
struct Seen {
    how: &'static str,
    message: &'static str,
    intervals: Number,
}

fn seen(measured: &Measured) -> Seen {
    let (how, message) = match measured.how {
        How::Halves => ("halves", "one half of the baseline's instances against the other"),
        How::InTime => {
            ("in_time", "one cohort in time: its instances cannot be halved, so what a pair shares is in the noise")
        }
        How::Stated => ("stated", "too little was seen of it: what the file states, or the default"),
    };
    Seen { how, message, intervals: Number(f64::from(u32::try_from(measured.intervals).unwrap_or(u32::MAX))) }
}

/// What was measured as a block of a rule file, in its units and its ranges.
fn block(measured: &[Measured]) -> String {
    let mut block = String::from("traffic:\n  checks:\n");
    for Measured { check, kind, traffic, .. } in measured.iter().filter(|one| one.how != How::Stated) {
        let rates = traffic.rates.map(|rate| short(rate.clamp(1e-6, 1e9)));
        let rates = format!("canary: {}/s, baseline: {}/s", rates[0], rates[1]);
        let own = match *kind {
            "gauge" => {
                let noise = short((100.0 * traffic.noise).clamp(1e-4, 1000.0));
                format!("noise: {noise}%, autocorrelation: {}", short(traffic.autocorrelation.clamp(0.0, 0.99)))
            }
            "ratio" => format!("{rates}, bad: {}%", short((100.0 * traffic.bad).clamp(0.0, 99.9))),
            _ => {
                let [median, p99] =
                    millis(traffic.latency).map(|millis| rules::duration_text(Duration::from_millis(millis)));
                format!("{rates}, latency: {{ median: {median}, p99: {p99} }}")
            }
        };
        let [canary, baseline] = traffic.instances.map(|count| count.clamp(1, 10_000));
        let _ = writeln!(block, "    {check}: {{ {own}, instances: {{ canary: {canary}, baseline: {baseline} }} }}");
    }
    block
}

/// Whole milliseconds, which is what durations are written in, and a p99 above its median.
fn millis([median, p99]: [f64; 2]) -> [u64; 2] {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held to a year")]
    let whole = |seconds: f64| (1000.0 * seconds).round().clamp(1.0, 3e10) as u64;
    let median = whole(median);
    [median, whole(p99).max(median + 1)]
}

fn rounded(value: f64) -> Number {
    // Small numbers keep their figures.
    let unit = if value.abs() < 0.1 && value != 0.0 { PLACES * 100.0 } else { PLACES };
    Number((value * unit).round() / unit)
}

fn seconds(span: Duration) -> Number {
    Number(span.as_secs_f64())
}

fn latency(seconds: f64) -> String {
    if seconds < 1.0 { format!("{}ms", short(1000.0 * seconds)) } else { format!("{}s", short(seconds)) }
}

/// A number to three figures.
fn short(value: f64) -> String {
    Scale::Absolute.text(value)
}

/// A span as a rule file has it: `1h30m`, to the second.
fn span(span: Duration) -> String {
    let mut seconds = span.as_secs();
    let mut text = String::new();
    for (unit, size) in [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)] {
        if seconds >= size {
            let _ = write!(text, "{}{unit}", seconds / size);
            seconds %= size;
        }
    }
    if text.is_empty() { "0s".to_owned() } else { text }
}
