//! What reading a rule file costs: one that ships, and the dearest of those that are
//! refused. Before the times it prints how much memory each refusal took at its peak;
//! the limits are 100 ms and 32 MB.

#![expect(clippy::print_stdout, reason = "a peak of memory is no time, and criterion measures times")]

use criterion::Criterion;
use std::fmt::Write as _;
use std::hint::black_box;
use wavegate::rules;

fn main() {
    let mut criterion = Criterion::default().configure_from_args();
    let shipped = include_str!("../rules/http-service.yaml");
    criterion.bench_function("rules/a shipped file", |bench| {
        bench.iter(|| rules::parse("http-service.yaml", black_box(shipped)).is_ok());
    });
    for (name, text) in hostile() {
        let before = peak_kib();
        assert!(rules::parse("a.yaml", &text).is_err(), "{name} is refused");
        println!("rules/{name}: {} KiB more at the peak, of a text of {}", peak_kib() - before, text.len() / 1024);
        criterion.bench_function(&format!("rules/{name}"), |bench| {
            bench.iter(|| rules::parse("a.yaml", black_box(&text)).is_err());
        });
    }
    criterion.final_summary();
}

/// The dearest of what `tests/it/rules/hostile.rs` has, of each kind one.
fn hostile() -> Vec<(&'static str, String)> {
    let mut laughs = String::from("a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n");
    for i in 1..10 {
        let before = format!("*a{}, ", i - 1).repeat(9);
        let _ = writeln!(laughs, "a{i}: &a{i} [{before}]");
    }
    let keys: String = (0..9_990).fold(String::new(), |text, i| text + &format!("k{i}: 1\n"));
    let pattern = r#"'m{a=~"\\w{99}|(b{50}){50}|c{999}", d!~"\\pL{99}"}'"#;
    let checks = (0..200).fold("version: 1\nname: a\nchecks:\n".to_owned(), |text, i| {
        text + &format!("  - {{ name: c{i}, gauge: {pattern} }}\n")
    });
    // As many as fit, each as large as may be, and one fault behind them.
    let within = (0..8).fold("version: 1\nname: a\nchecks:\n".to_owned(), |text, i| {
        text + &format!("  - {{ name: c{i}, gauge: 'm{{a=~\"\\\\w{{10}}\"}} - n{i}' }}\n")
    });
    vec![
        ("laughs", laughs),
        ("a long text a hundred times", format!("a: &a {}\nb: [{}]\n", "x".repeat(60_000), "*a, ".repeat(100))),
        ("brackets", "[".repeat(1024 * 1024)),
        ("lists in lists", "- ".repeat(512 * 1024)),
        ("levels", format!("a: {}1{}\n", "[".repeat(63), "]".repeat(63))),
        ("twenty thousand values", format!("[{}]", "1,".repeat(20_000))),
        ("ten thousand keys", keys),
        ("a million lines", "\n".repeat(1024 * 1024)),
        ("a text of a megabyte", format!("a: \"{}\"\n", "\\u00e9".repeat(170_000))),
        ("parentheses", format!("version: 1\nname: a\nchecks: [{{ name: b, gauge: '{}' }}]\n", "(".repeat(16_000))),
        ("patterns that are too large", checks),
        ("patterns that just fit", format!("{within}  - {{ name: d }}\n")),
    ]
}

/// The most memory that this process had, as the kernel counts; 0 where it does not say.
fn peak_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
