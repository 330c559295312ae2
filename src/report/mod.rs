//! Verdicts, plans and simulations for people, made from the published document and nothing else.

mod brief;
mod budget;
mod plan;
mod simulation;
mod slo;
mod slo_svg;
mod svg;
mod terminal;
mod text;
mod xml;

pub use brief::brief;
pub use plan::plan;
pub use simulation::simulation;
pub use slo::slo;
pub use slo::slos;
pub use slo_svg::slo_svg;
pub use svg::svg;
pub use terminal::cell;
pub use terminal::plain;
pub use text::numbers;
pub use text::progress;
pub use text::text;
pub use xml::xml_text;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use serde_json::json;

    /// A gate's document with everything in it that a report shows.
    fn gate() -> Value {
        let reason = json!({ "code": "c", "check": "k", "message": "m" });
        let pair = json!({ "canary": 1.0, "baseline": 2.0 });
        let check = json!({
            "name": "n", "kind": "gauge", "outcome": "pass", "on_fail": "pause", "estimate": 0.1, "low": null,
            "high": null, "unit": "u", "tolerance": 0.1, "pass_within": 0.2, "threshold": null, "n": pair,
            "effective_n": null, "notices": [reason],
        });
        let mut threshold = check.clone();
        threshold["threshold"] = json!({ "bound": 1, "side": "max", "canary": null, "beyond": 0, "samples": 1 });
        json!({
            "wave_id": "w", "rules": "r", "attempt": 1, "verdict": "pause", "state": "held", "summary": "s",
            "reasons": [reason], "checks": [check, threshold], "looks": 1, "planned_looks": 2, "caveat": "v",
            "requires": [
                { "name": "n", "attested": null },
                { "name": "n", "attested": { "by": "b", "note": "t", "url": "u", "at": "a" } },
            ],
            "would": { "verdict": "fail" }, "rules_digest": "d", "evaluated_at": "e", "start": "b", "deadline": "l",
        })
    }

    fn poison(value: &mut Value) {
        match value {
            Value::String(text) if text != "fail" => text.push_str("\u{1b}]0;\u{7}\r\n\u{202e}"),
            Value::Array(items) => items.iter_mut().for_each(poison),
            Value::Object(fields) => fields.values_mut().for_each(poison),
            Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    #[track_caller]
    fn check(mut document: Value) {
        poison(&mut document);
        let document = document.to_string();
        for page in [text(&document, false).unwrap(), brief(&document, false).unwrap()] {
            assert!(!page.contains(|c: char| c != '\n' && (c.is_control() || c == '\u{202e}')), "{page:?}");
        }
    }

    #[test]
    fn a_server_that_lies_cannot_move_the_terminal() {
        check(gate());
        let mut wave = gate();
        wave["gates"] = json!([gate()]);
        check(wave.clone());
        wave["gates"] = json!([gate(), gate()]);
        check(wave);
    }
}
