//! Gates that mind an error budget, and what they see, minute by minute.

use std::sync::Arc;
use std::time::Duration;
use wavegate::judge::Judgement;
use wavegate::judge::State;
use wavegate::judge::Timing;
use wavegate::judge::judge;
use wavegate::rules;
use wavegate::rules::Class;
use wavegate::rules::RuleFile;
use wavegate::series::BudgetEvidence;
use wavegate::series::CheckEvidence;
use wavegate::series::Counts;
use wavegate::series::IntervalEvidence;
use wavegate::series::Labels;
use wavegate::series::Measure;
use wavegate::series::Observed;
use wavegate::series::ServiceReading;
use wavegate::series::SpanReading;
use wavegate::series::Timestamp;
use wavegate::series::Window;

pub(crate) const START: Timestamp = Timestamp::from_millis(1_790_000_040_000);

const DAY: Duration = Duration::from_hours(24);

/// A gate of one threshold, with a look every minute of an hour, and the policies of `budget`.
pub(crate) fn rules(budget: &str) -> RuleFile {
    scheduled("{ interval: 1m, warmup: 0s, min_duration: 5m, deadline: 60m }", "99.9%", budget)
}

/// The same with another schedule and objective; `budget` are more keys of the rule file's
/// `budget`, or of the SLO where they begin on a line of their own.
pub(crate) fn scheduled(schedule: &str, objective: &str, budget: &str) -> RuleFile {
    let (of_slo, budget) = if budget.contains('\n') { (budget, "") } else { ("", budget) };
    let own = format!(
        "version: 1\nname: gate\nschedule: {schedule}\nbudget: {{ slo: shop{budget} }}\n\
         checks:\n  - name: restarts\n    threshold: restarts\n    max: 0\n"
    );
    let slo = format!(
        "version: 1\nname: shop\nobjective: {objective}\n\
         indicator:\n  ratio: {{ bad: 'errors_total', total: requests_total }}\n{of_slo}"
    );
    let text = rules::bundle_slo(&own, "shop", &slo);
    let parsed = rules::parse("gate.yaml", &text).unwrap_or_else(|faults| panic!("{}", rules::render(&faults, &text)));
    parsed.rules
}

/// A service that spent `bad` of `total` events in its period, and is quiet now.
pub(crate) fn service(rules: &RuleFile, through: Timestamp, bad: f64, total: f64) -> ServiceReading {
    let budget = rules.budget.as_ref().expect("the gate minds one");
    let mut lengths: Vec<Duration> = budget.slo.tiers.iter().flat_map(|tier| [tier.long, tier.short]).collect();
    lengths.sort();
    lengths.dedup();
    let span = |length: Duration, bad: f64, total: f64| {
        let slices = u32::try_from(length.as_secs() / 60).expect("a month has few minutes");
        SpanReading { length, counts: Some(Counts { bad, total }), seen: slices, slices, bad_events: bad }
    };
    let from = through - 30 * DAY;
    ServiceReading {
        through,
        windows: lengths.into_iter().map(|length| span(length, 0.0, 1000.0)).collect(),
        period: span(30 * DAY, bad, total),
        events: span(30 * DAY, bad, total),
        period_from: from,
        period_to: through,
        seen_from: Some(from + Duration::from_mins(1)),
        spent_by_others: 0.0,
        paging: Vec::new(),
        before: None,
    }
}

/// A cohort all of whose samples arrived.
pub(crate) fn seen(measure: Measure) -> Observed {
    Observed { measure, instances: Vec::new(), seen: 1, expected: 1, nan: 0, infinite: 0 }
}

/// Bad and all events of the canary, and of its baseline.
pub(crate) fn wave(canary: [f64; 2], baseline: [f64; 2]) -> CheckEvidence {
    let counts = |[bad, total]: [f64; 2]| seen(Measure::Counts { bad, total });
    CheckEvidence { canary: counts(canary), baseline: Some(counts(baseline)), faults: Vec::new(), notices: Vec::new() }
}

/// An interval in which the gate's own check is content.
pub(crate) fn interval(window: Window, budget: Option<BudgetEvidence>) -> IntervalEvidence {
    let worst = || seen(Measure::Worst { value: 0.0, series: Labels::default() });
    let baseline = Some(worst());
    let check = CheckEvidence { canary: worst(), baseline, faults: Vec::new(), notices: Vec::new() };
    IntervalEvidence { window, checks: vec![check], budget }
}

/// A gate that looks at one interval after another, as the daemon has it.
pub(crate) struct Watch {
    pub(crate) rules: Arc<RuleFile>,
    pub(crate) timing: Timing,
    state: State,
    index: u32,
}

impl Watch {
    pub(crate) fn new(rules: &Arc<RuleFile>) -> Self {
        Self::of_class(rules, Class::Standard)
    }

    pub(crate) fn of_class(rules: &Arc<RuleFile>, class: Class) -> Self {
        let timing = Timing::of(rules, START, None, None);
        Self { rules: Arc::clone(rules), timing, state: State::new(rules, timing).of_class(class), index: 0 }
    }

    /// The next interval, of which the budget sees what `budget` makes of its end.
    pub(crate) fn look(&mut self, budget: impl FnOnce(Timestamp) -> Option<BudgetEvidence>) -> Judgement {
        self.index += 1;
        let window = self.timing.window(self.index);
        let (state, judgement) = judge(&self.rules, &self.state, &[interval(window, budget(window.to))], window.to);
        self.state = state;
        judgement
    }
}
