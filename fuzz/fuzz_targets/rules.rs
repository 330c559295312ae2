//! Any bytes as a rule file: rules, or at least one fault, and no panic.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wavegate::rules;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    match rules::parse("a.yaml", &text) {
        Ok(parsed) => drop(rules::render(&parsed.warnings, &text)),
        Err(faults) => {
            assert!(!faults.is_empty(), "refused without a word");
            let shown = rules::render(&faults, &text);
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "control characters are shown");
        }
    }
});
