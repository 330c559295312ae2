//! Conditions on one value, as bounds.
//!
//! `result[0] >= 0.95 && result[0] < 2` says what a good value is. A condition that is
//! anything but comparisons of the value with numbers has no equal here.

/// Bounds of a good value; a value equal to a bound is within.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Bounds {
    pub(super) min: Option<f64>,
    pub(super) max: Option<f64>,
    /// A value equal to a bound was bad there.
    pub(super) strict: bool,
    /// No value at all was good there.
    pub(super) empty_is_good: bool,
}

/// The bounds of a value that meets `condition`: comparisons joined by `&&`, with an
/// alternative for an empty result.
pub(super) fn of_success(condition: &str) -> Option<Bounds> {
    let mut bounds = Bounds::default();
    for term in alternatives(condition, &mut bounds.empty_is_good)?.split("&&") {
        let (operator, number) = comparison(term)?;
        bounds.take(operator, number)?;
    }
    bounds.said()
}

/// The bounds of a value that does not meet `condition`: comparisons joined by `||`.
pub(super) fn of_failure(condition: &str) -> Option<Bounds> {
    let mut bounds = Bounds::default();
    for term in condition.split("||") {
        let (operator, number) = comparison(term)?;
        let opposite = match operator {
            ">" => "<=",
            ">=" => "<",
            "<" => ">=",
            "<=" => ">",
            _ => return None,
        };
        bounds.take(opposite, number)?;
    }
    bounds.said()
}

impl Bounds {
    fn take(&mut self, operator: &str, number: f64) -> Option<()> {
        let (bound, strict) = match operator {
            "<=" => (&mut self.max, false),
            "<" => (&mut self.max, true),
            ">=" => (&mut self.min, false),
            ">" => (&mut self.min, true),
            _ => return None,
        };
        // Two bounds on one side: somebody means something that is not a bound.
        if bound.replace(number).is_some() {
            return None;
        }
        self.strict |= strict;
        Some(())
    }

    fn said(self) -> Option<Self> {
        (self.min.is_some() || self.max.is_some()).then_some(self)
    }
}

/// The alternative of `condition` that compares, where the others ask whether there is a value.
fn alternatives<'a>(condition: &'a str, empty_is_good: &mut bool) -> Option<&'a str> {
    let asks = |term: &str| {
        let term: String = term.chars().filter(|c| !c.is_whitespace()).collect();
        ["len(result)==0", "isNaN(result[0])", "isNaN(result)", "isNil(result)"].contains(&term.as_str())
    };
    let (asking, comparing): (Vec<&str>, Vec<&str>) = condition.split("||").partition(|term| asks(term));
    *empty_is_good = !asking.is_empty();
    match comparing.as_slice() {
        [one] => Some(one),
        _ => None,
    }
}

/// The operator and the number of a comparison of the value with a number.
fn comparison(term: &str) -> Option<(&'static str, f64)> {
    let term = unwrapped(term);
    for operator in ["<=", ">=", "==", "!=", "<", ">"] {
        let Some((left, right)) = term.split_once(operator) else { continue };
        let value = |text: &str| {
            let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
            let plain = text.strip_prefix("asFloat(").or_else(|| text.strip_prefix("asInt("));
            let plain = plain.and_then(|text| text.strip_suffix(')')).unwrap_or(&text);
            plain == "result[0]" || plain == "result"
        };
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        return match (value(left), number(right), number(left), value(right)) {
            (true, Some(number), _, _) => Some((operator, number)),
            (_, _, Some(number), true) => Some((turned(operator), number)),
            _ => None,
        };
    }
    None
}

fn turned(operator: &'static str) -> &'static str {
    match operator {
        "<=" => ">=",
        ">=" => "<=",
        "<" => ">",
        ">" => "<",
        other => other,
    }
}

fn unwrapped(term: &str) -> &str {
    let term = term.trim();
    let inner = term.strip_prefix('(').and_then(|term| term.strip_suffix(')'));
    inner.filter(|inner| !inner.contains(['(', ')'])).map_or(term, str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(bounds: Option<Bounds>) -> String {
        let Some(Bounds { min, max, strict, empty_is_good }) = bounds else { return "none".to_owned() };
        let strict = if strict { " strict" } else { "" };
        let empty = if empty_is_good { " empty" } else { "" };
        format!(
            "{}..{}{strict}{empty}",
            min.map_or(String::new(), |n| n.to_string()),
            max.map_or(String::new(), |n| n.to_string())
        )
    }

    #[test]
    fn a_condition_of_success_is_its_bounds() {
        for (condition, expect) in [
            ("result[0] >= 0.95", "0.95.."),
            ("result <= 0.05", "..0.05"),
            ("asFloat(result[0]) < 5", "..5 strict"),
            ("0.95 <= result[0]", "0.95.."),
            ("result[0] >= 0.5 && result[0] <= 2", "0.5..2"),
            ("len(result) == 0 || result[0] < 0.01", "..0.01 strict empty"),
            ("isNaN(result[0]) || result[0] <= 1", "..1 empty"),
            ("(result[0] <= 1)", "..1"),
            ("result[0] == 1", "none"),
            ("result[0] <= 1 && result[0] <= 2", "none"),
            ("all(result, # < 5)", "none"),
            ("result[0] <= 1 || result[1] <= 2", "none"),
            ("result[0] <= NaN", "none"),
            ("", "none"),
            ("true", "none"),
        ] {
            assert_eq!(shown(of_success(condition)), expect, "{condition}");
        }
    }

    #[test]
    fn a_condition_of_failure_is_the_bounds_of_what_is_left() {
        for (condition, expect) in [
            ("result[0] > 0.1", "..0.1"),
            ("result[0] >= 0.1", "..0.1 strict"),
            ("result[0] < 0.9 || result[0] > 1.1", "0.9..1.1"),
            ("result[0] < 0.9 && result[0] > 0.1", "none"),
        ] {
            assert_eq!(shown(of_failure(condition)), expect, "{condition}");
        }
    }
}
