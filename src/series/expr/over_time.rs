//! One value of the samples that a series has in a range, as Prometheus computes it.

use crate::series::Sample;
use crate::series::Window;
use crate::series::expr::Function;

/// A sample that is so much further from an end of the range than samples are
/// from each other is not taken for the last before that end.
const NEAR: f64 = 1.1;

/// `function` of `samples`, all in `window`; `None` where there are too few.
pub(super) fn apply(function: Function, samples: &[Sample], window: Window) -> Option<f64> {
    let last = samples.last()?.value;
    let values = || samples.iter().map(|sample| sample.value);
    Some(match function {
        Function::Rate => increase(samples, window)? / window.length().as_secs_f64(),
        Function::Increase => increase(samples, window)?,
        Function::Avg => mean(samples),
        // NaN gives way to any number.
        Function::Min => values().fold(f64::NAN, f64::min),
        Function::Max => values().fold(f64::NAN, f64::max),
        Function::Sum => values().sum(),
        Function::Count => count(samples),
        Function::Last => last,
        Function::Present => 1.0,
        Function::Stddev => variance(samples).sqrt(),
        Function::Stdvar => variance(samples),
        Function::Quantile(q) => quantile(q, values().collect()),
    })
}

/// What a counter grew in `window`, its resets taken out, extrapolated to the
/// ends of the window: to an end that is near, else by half the mean distance of
/// samples, and not to before the counter was zero.
fn increase(samples: &[Sample], window: Window) -> Option<f64> {
    let [first, .., last] = samples else { return None };
    let resets = samples.windows(2).filter(|pair| pair[1].value < pair[0].value).map(|pair| pair[0].value);
    let grown = last.value - first.value + resets.sum::<f64>();

    let seen_for = last.at.since(first.at).as_secs_f64();
    let mean_distance = seen_for / (count(samples) - 1.0);
    let reach = |to_end: f64| if to_end >= mean_distance * NEAR { mean_distance / 2.0 } else { to_end };
    let mut before = reach(first.at.since(window.from).as_secs_f64());
    if grown > 0.0 && first.value >= 0.0 {
        before = before.min(seen_for * (first.value / grown));
    }
    let after = reach(window.to.since(last.at).as_secs_f64());
    Some(grown * ((seen_for + before + after) / seen_for))
}

/// By increments, so that the sum of large values does not overflow.
fn mean(samples: &[Sample]) -> f64 {
    let sum: f64 = samples.iter().map(|sample| sample.value).sum();
    let count = count(samples);
    if sum.is_finite() || samples.iter().any(|sample| !sample.value.is_finite()) {
        return sum / count;
    }
    samples.iter().map(|sample| sample.value / count).sum()
}

fn variance(samples: &[Sample]) -> f64 {
    let mean = mean(samples);
    samples.iter().map(|sample| (sample.value - mean).powi(2)).sum::<f64>() / count(samples)
}

fn quantile(q: f64, mut values: Vec<f64>) -> f64 {
    if q.is_nan() || values.is_empty() {
        return f64::NAN;
    }
    if q < 0.0 {
        return f64::NEG_INFINITY;
    }
    if q > 1.0 {
        return f64::INFINITY;
    }
    // NaN comes first, whatever its sign.
    values.sort_by(|a, b| b.is_nan().cmp(&a.is_nan()).then_with(|| a.total_cmp(b)));
    let last = values.len() - 1;
    #[expect(clippy::cast_precision_loss, reason = "fewer samples than 2^53 fit into memory")]
    let rank = q * last as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "from 0 to `last`")]
    let below = rank.floor() as usize;
    let weight = rank - rank.floor();
    values[below.min(last)] * (1.0 - weight) + values[(below + 1).min(last)] * weight
}

#[expect(clippy::cast_precision_loss, reason = "fewer samples than 2^53 fit into memory")]
fn count(samples: &[Sample]) -> f64 {
    samples.len() as f64
}
