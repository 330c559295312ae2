//! A hundred thousand files that are nearly right. Each gives rules, or faults whose
//! places lie inside of it; none makes the reader panic.
//!
//! The seeds are fixed, so a failure is the same failure tomorrow. For longer runs there is
//! `fuzz/fuzz_targets/rules.rs`.

use crate::rules::diagnostics::fixtures;
use std::thread;
use wavegate::plan::traffic::Random;
use wavegate::rules;
use wavegate::rules::Diagnostic;

/// How many files are tried.
const INPUTS: u64 = 100_000;

/// Longest file that is made, in bytes: what a hundred thousand can be.
const MAX_BYTES: usize = 1500;

/// A piece of a file ends at the check after so many bytes: one or two checks.
const PIECE_BYTES: usize = 150;

/// What may stand in a rule file where it should not.
const TOKENS: &[&str] = &[
    ":",
    ": ",
    "- ",
    "\n",
    "\n  ",
    "\n    ",
    "\r",
    "\r\n",
    "\t",
    "\"",
    "'",
    "`",
    "{",
    "}",
    "[",
    "]",
    "(",
    ")",
    ",",
    "&a ",
    "*a",
    "<<: ",
    "%",
    "pp",
    "x",
    "-",
    "0",
    "1e999",
    ".nan",
    "0x1f",
    "$",
    "$interval",
    "$wave",
    "${",
    "#",
    " # ",
    "|\n",
    ">-\n",
    "!!str ",
    "!",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "\0",
    "\u{85}",
    "\u{feff}",
    "\u{2028}",
    "\u{202e}",
    "\u{1b}[",
    "é",
    "\u{1f600}",
    "offset ",
    "@ ",
    "99999999999",
    "null",
    "~",
    "true",
    "rate(",
    "sum by (",
    "[5m]",
    "[5m:]",
    "[1e30]",
    "=~",
    "!~",
    "(a{99}){99}",
    "tolerance: ",
    "5%",
    "1.5x",
    "15s",
    "'1'",
    "\\",
    "\\n",
    "\\u00e9",
    "\\x",
    "name: a",
    "checks:",
];

/// The texts that are changed: files cut into pieces of a check or two, each with a head of
/// its own, so that every one of them is nearly a file, and many are one.
fn seeds() -> Vec<Vec<u8>> {
    let head = "version: 1\nname: a\nchecks:\n";
    let mut seeds = Vec::new();
    for (_, text) in ["rules", "fixtures/broken", "fixtures/warned"].into_iter().flat_map(fixtures) {
        let mut piece = String::new();
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            if piece.len() > PIECE_BYTES && line.starts_with("  - ") {
                seeds.push(std::mem::replace(&mut piece, head.to_owned()).into_bytes());
            }
            piece.push_str(line);
            piece.push('\n');
        }
        seeds.push(piece.into_bytes());
    }
    seeds.retain(|seed| !seed.is_empty());
    seeds
}

/// Evenly below `end`, which is not 0.
fn below(random: &mut Random, end: usize) -> usize {
    usize::try_from(random.bits() % end as u64).unwrap()
}

fn picked<'a, T: ?Sized>(random: &mut Random, from: &'a [impl AsRef<T>]) -> &'a T {
    from[below(random, from.len())].as_ref()
}

/// One to four changes of one of the seeds.
fn mutated(random: &mut Random, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = picked::<[u8]>(random, seeds).to_vec();
    for _ in 0..=below(random, 4) {
        let at = below(random, bytes.len() + 1);
        match below(random, 7) {
            0 => bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= 1 << (random.bits() % 8)),
            1 => drop(bytes.drain(at..(at + below(random, 12)).min(bytes.len()))),
            2 => drop(bytes.splice(at..at, picked::<str>(random, TOKENS).bytes())),
            3 => swapped(random, &mut bytes),
            4 => bytes.truncate(at.max(1)),
            _ => {
                let other = picked::<[u8]>(random, seeds);
                let begin = below(random, other.len());
                let end = (begin + below(random, 60)).min(other.len());
                let gone = (at + below(random, 30)).min(bytes.len());
                drop(bytes.splice(at..gone, other[begin..end].iter().copied()));
            }
        }
    }
    bytes.truncate(MAX_BYTES);
    bytes
}

/// Two lines change places.
fn swapped(random: &mut Random, bytes: &mut Vec<u8>) {
    let mut lines: Vec<Vec<u8>> = bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if !lines.is_empty() {
        let (one, other) = (below(random, lines.len()), below(random, lines.len()));
        lines.swap(one, other);
        *bytes = lines.concat();
    }
}

/// What the file is called.
const FILE: &str = "a.yaml";

/// Why `fault` is nowhere in `text`, or in what is extended and stands behind it, if it is not.
fn misplaced(fault: &Diagnostic, text: &str) -> Option<String> {
    let text = if fault.file == FILE { text } else { text.split_once("--- # base: ")?.1.split_once('\n')?.1 };
    let body = text.strip_prefix('\u{feff}').unwrap_or(text).replace("\r\n", "\n");
    let lines: Vec<&str> = body.split(['\n', '\r']).collect();
    // The end of a line is a place, and so is the end of the file: something is missing there.
    let Some(line) = fault.line.checked_sub(1).and_then(|line| lines.get(line)) else {
        return Some(format!("{} lines: {fault}", lines.len()));
    };
    let columns = line.chars().count() + 1;
    (fault.column == 0 || fault.column > columns || fault.width == 0).then(|| format!("{columns} columns: {fault}"))
}

/// Whether `text` loads, and what is wrong with the answer.
fn answer(text: &str) -> (bool, Option<String>) {
    let (loads, told) = match rules::parse(FILE, text) {
        Ok(parsed) => (true, parsed.warnings),
        Err(faults) if faults.is_empty() => return (false, Some("refused without a word".to_owned())),
        Err(faults) => (false, faults),
    };
    let shown = rules::render(&told, text);
    if shown.chars().any(|c| c.is_control() && c != '\n') {
        return (loads, Some(format!("control characters are shown: {shown:?}")));
    }
    (loads, told.iter().find_map(|fault| misplaced(fault, text)))
}

#[test]
fn no_change_of_a_file_makes_the_reader_panic_or_point_beside_it() {
    let seeds = seeds();
    let threads = thread::available_parallelism().map_or(2, usize::from) as u64;
    let (mut loaded, mut faults) = (0, Vec::new());
    thread::scope(|scope| {
        let run = |first: u64| {
            let seeds = &seeds;
            scope.spawn(move || {
                let (mut loaded, mut faults) = (0_u64, Vec::new());
                for seed in (first..INPUTS).step_by(usize::try_from(threads).unwrap()) {
                    // Each input has a stream of its own, so it is the same on any number of threads.
                    let bytes = mutated(&mut Random::named(seed, "rules"), seeds);
                    let text = String::from_utf8_lossy(&bytes);
                    let (loads, fault) = answer(&text);
                    loaded += u64::from(loads);
                    faults.extend(fault.map(|fault| format!("seed {seed}: {fault}\n{text}")));
                }
                (loaded, faults)
            })
        };
        for run in (0..threads).map(run).collect::<Vec<_>>() {
            let (some, wrong) = run.join().expect("no panic");
            loaded += some;
            faults.extend(wrong);
        }
    });
    assert!(faults.is_empty(), "{} of {INPUTS}, the first:\n{}", faults.len(), faults[0]);
    // Changes that break everything would find nothing behind the YAML reader.
    assert!(loaded > INPUTS / 100, "only {loaded} of {INPUTS} load");
}

/// Nothing builds the fuzz target here, so at least what it calls is what there is.
#[test]
fn the_fuzz_target_calls_what_exists() {
    let target = include_str!("../../../fuzz/fuzz_targets/rules.rs");
    let manifest = include_str!("../../../fuzz/Cargo.toml");
    for call in
        ["rules::parse(\"a.yaml\", &text)", "rules::render(&faults, &text)", "rules::render(&parsed.warnings, &text)"]
    {
        assert!(target.contains(call), "{call}");
    }
    let faults: Vec<Diagnostic> = rules::parse("a.yaml", "").map_or_else(|faults| faults, |parsed| parsed.warnings);
    assert!(!rules::render(&faults, "").is_empty());
    assert!(manifest.contains("\n[workspace]\n") && manifest.contains("wavegate = { path = \"..\" }"), "{manifest}");
    assert!(include_str!("../../../Cargo.toml").contains("exclude = [\"fuzz\"]"));
}
