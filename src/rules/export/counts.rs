//! What is counted in a window, as PromQL.
//!
//! Bad events and all events are two questions. A counter of bad events that has no series
//! counts 0 as long as there are events at all; where there are none, nothing is counted,
//! and a window without events has 0 of 0 and never a ratio (slo.md §1.4).

use crate::rules::Indicator;
use crate::rules::query::Selector;
use crate::rules::query::counts::written;

/// The counts of one window.
pub(super) struct Counts {
    pub(super) bad: String,
    pub(super) total: String,
}

/// What `indicator` counts in `window`, which is as `5m`.
pub(super) fn counts(indicator: &Indicator, window: &str) -> Counts {
    let sum = |function: &str, selector: &Selector| format!("sum({function}({}[{window}]))", written(selector));
    let increase = |selector: &Selector| sum("increase", selector);
    match indicator {
        Indicator::Bad { bad, total } => {
            let total = increase(total);
            Counts { bad: format!("{} or 0 * {total}", increase(bad)), total }
        }
        Indicator::Good { good, total } => {
            let total = increase(total);
            // Good events without a series are none, where such a counter exists at all: a
            // name with a fault would else page as if everything were bad. The daemon asks
            // the same of the same hour.
            let exists = format!("count(count_over_time({}[1h]))", good.relaxed());
            let none = format!("(0 * {total} and on() {exists})");
            let bad = format!("clamp_min({total} - ({} or {none}), 0)", increase(good));
            Counts { bad, total }
        }
        Indicator::Latency { histogram, threshold } => {
            // Classic or native, whichever is there. A classic one without the bucket has no
            // bad events and no good ones: that is told by the alert on absence.
            let (all, within) = (increase(&histogram.count_of_all()), increase(&histogram.bucket_within(*threshold)));
            let native = increase(histogram);
            let count = format!("histogram_count({native})");
            let above = format!("(1 - histogram_fraction(-Inf, {threshold}, {native}))");
            Counts {
                bad: format!("clamp_min({all} - {within}, 0) or ({count} > 0) * {above} or 0 * {count}"),
                total: format!("{all} or {count}"),
            }
        }
        Indicator::Up { gauge } => {
            let total = sum("count_over_time", gauge);
            let up = sum("sum_over_time", gauge);
            Counts { bad: format!("clamp_min({total} - {up}, 0)"), total }
        }
    }
}
