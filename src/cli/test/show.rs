//! What came of tests, for people and for machines.

use crate::cli::test::Came;
use crate::cli::test::End;
use crate::cli::test::Ran;
use crate::cli::test::Tally;
use crate::cli::test::Tested;
use crate::cli::test::compare::Difference;
use crate::cli::test::compare::Mismatch;
use crate::report::plain;
use crate::rules::duration_text;
use serde::Serialize;
use std::fmt::Write as _;

/// Most reasons of one moment that are shown to people: the first are the gravest.
const MAX_WHY: usize = 12;

/// The line above the tests of one file.
pub(super) fn file(file: &str) -> String {
    format!("{}\n", plain(file))
}

/// One line a test; below it what differs, if anything.
pub(super) fn test(ran: &Ran, colour: bool) -> String {
    let (word, code) = if matches!(ran.end, End::Passed) { ("ok  ", "32") } else { ("FAIL", "1;31") };
    let word = if colour { format!("\u{1b}[{code}m{word}\u{1b}[0m") } else { word.to_owned() };
    let mut page = format!("  {word}  {}  {:.2} s\n", plain(&ran.name), ran.took.as_secs_f64());
    for line in detail(&ran.end).lines() {
        let _ = writeln!(page, "        {}", plain(line));
    }
    page
}

/// What differs, or why nothing could be judged: a few lines, or none.
pub(super) fn detail(end: &End) -> String {
    match end {
        End::Passed => String::new(),
        End::Unjudged(message) => format!("not judged: {message}\n"),
        End::Differs(moments) => moments.iter().map(moment).collect(),
    }
}

/// The first of what differs, or why nothing could be judged, in one line; or nothing.
pub(super) fn headline(end: &End) -> String {
    match end {
        End::Passed => String::new(),
        End::Unjudged(message) => message.lines().next().unwrap_or_default().to_owned(),
        End::Differs(moments) => {
            let all = moments.iter().flat_map(|moment| moment.differences.iter().map(move |one| (moment.at, one)));
            let text = |(at, one): (std::time::Duration, &Difference)| {
                format!("at {}: {} is {}, not {}", duration_text(at), one.what, one.got, one.expected)
            };
            all.map(text).next().unwrap_or_default()
        }
    }
}

fn moment(moment: &Mismatch) -> String {
    let head = format!("at {} (line {})", duration_text(moment.at), moment.line);
    let rows = || moment.differences.iter();
    let widest = |texts: &mut dyn Iterator<Item = usize>| texts.max().unwrap_or(0);
    let first = widest(&mut rows().map(|one| one.what.chars().count() + 2).chain([head.chars().count()]));
    let second = widest(&mut rows().map(|one| one.expected.chars().count()).chain(["expected".len()]));
    let mut page = format!("{head:first$}  {:second$}  got\n", "expected");
    for one in rows() {
        let what = format!("  {}", one.what);
        let _ = writeln!(page, "{what:first$}  {:second$}  {}", one.expected, one.got);
        if let Some(numbers) = &one.numbers {
            let _ = writeln!(page, "    {numbers}");
        }
    }
    for (k, why) in moment.why.iter().take(MAX_WHY).enumerate() {
        let word = if k == 0 { "why" } else { "   " };
        let _ = writeln!(page, "  {word}  {why}");
    }
    if moment.why.len() > MAX_WHY {
        let _ = writeln!(page, "       … and {} more", moment.why.len() - MAX_WHY);
    }
    page
}

/// The last line.
pub(super) fn summary(tally: Tally) -> String {
    let Tally { passed, failed, refused } = tally;
    let files = if refused == 1 { "file" } else { "files" };
    let refused = if refused == 0 { String::new() } else { format!(", {refused} {files} refused") };
    format!("\n{passed} passed, {failed} failed{refused}\n")
}

#[derive(Serialize)]
struct All<'a> {
    passed: usize,
    failed: usize,
    refused: usize,
    files: Vec<FileShape<'a>>,
}

#[derive(Serialize)]
struct FileShape<'a> {
    file: &'a str,
    refused: bool,
    /// Of a refused file, as text; empty otherwise.
    message: &'a str,
    diagnostics: Vec<Fault<'a>>,
    tests: Vec<Test<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    code: &'a str,
    message: &'a str,
    help: &'a str,
}

#[derive(Serialize)]
struct Test<'a> {
    name: &'a str,
    line: usize,
    outcome: &'static str,
    seconds: f64,
    /// Why nothing was judged; `null` otherwise.
    error: Option<&'a str>,
    moments: Vec<Moment<'a>>,
}

#[derive(Serialize)]
struct Moment<'a> {
    at: String,
    line: usize,
    differences: Vec<One<'a>>,
    why: &'a [String],
}

#[derive(Serialize)]
struct One<'a> {
    what: &'a str,
    expected: &'a str,
    got: &'a str,
    numbers: Option<&'a str>,
}

/// Everything as one JSON document.
pub(super) fn json(all: &[Tested], tally: Tally) -> Result<String, serde_json::Error> {
    let Tally { passed, failed, refused } = tally;
    let all = All { passed, failed, refused, files: all.iter().map(FileShape::of).collect() };
    Ok(serde_json::to_string_pretty(&all)? + "\n")
}

impl<'a> FileShape<'a> {
    fn of(tested: &'a Tested) -> Self {
        let file = &tested.file;
        match &tested.came {
            Came::Refused { faults, page } => {
                let fault = |fault: &'a crate::rules::Diagnostic| Fault {
                    file: &fault.file,
                    line: fault.line,
                    column: fault.column,
                    code: fault.code,
                    message: &fault.message,
                    help: &fault.help,
                };
                let diagnostics = faults.iter().map(fault).collect();
                Self { file, refused: true, message: page, diagnostics, tests: Vec::new() }
            }
            Came::Ran(tests) => {
                let tests = tests.iter().map(Test::of).collect();
                Self { file, refused: false, message: "", diagnostics: Vec::new(), tests }
            }
        }
    }
}

impl<'a> Test<'a> {
    fn of(ran: &'a Ran) -> Self {
        let (outcome, error, moments) = match &ran.end {
            End::Passed => ("passed", None, [].as_slice()),
            End::Unjudged(message) => ("error", Some(message.as_str()), [].as_slice()),
            End::Differs(moments) => ("failed", None, moments.as_slice()),
        };
        let one = |one: &'a Difference| One {
            what: &one.what,
            expected: &one.expected,
            got: &one.got,
            numbers: one.numbers.as_deref(),
        };
        let moment = |moment: &'a Mismatch| Moment {
            at: duration_text(moment.at),
            line: moment.line,
            differences: moment.differences.iter().map(one).collect(),
            why: &moment.why,
        };
        let moments = moments.iter().map(moment).collect();
        Self { name: &ran.name, line: ran.line, outcome, seconds: ran.took.as_secs_f64(), error, moments }
    }
}
