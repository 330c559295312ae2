//! What came of tests as `JUnit` XML, which every CI system shows.
//!
//! Reference: <https://github.com/testmoapp/junitxml>, which says what readers agree on.

use crate::cli::test::Came;
use crate::cli::test::End;
use crate::cli::test::Ran;
use crate::cli::test::Tested;
use crate::cli::test::show;
use crate::report::xml_text;
use std::fmt::Write as _;
use std::time::Duration;

/// One suite a file. A refused file is one test that has an error.
pub(super) fn xml(all: &[Tested]) -> String {
    let mut suites = String::new();
    let mut whole = Counts::default();
    for tested in all {
        let mut counts = Counts::default();
        let mut cases = String::new();
        match &tested.came {
            Came::Refused { page, .. } => {
                counts.add(1, 0, 1, Duration::ZERO);
                let message = page.lines().next().unwrap_or_default();
                let trouble = Trouble { element: "error", kind: "refused", message, text: page };
                case(&mut cases, &tested.file, "the file is read", Duration::ZERO, Some(&trouble));
            }
            Came::Ran(tests) => tests.iter().for_each(|ran| one(&mut cases, &mut counts, &tested.file, ran)),
        }
        let _ = writeln!(
            suites,
            "  <testsuite name=\"{}\"{}>\n{cases}  </testsuite>",
            xml_text(&tested.file),
            counts.text()
        );
        whole.add(counts.tests, counts.failures, counts.errors, counts.time);
    }
    let head = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    format!("{head}\n<testsuites name=\"wavegate test\"{}>\n{suites}</testsuites>\n", whole.text())
}

fn one(cases: &mut String, counts: &mut Counts, file: &str, ran: &Ran) {
    let detail = show::detail(&ran.end);
    let headline = show::headline(&ran.end);
    let trouble = |element, kind| Some(Trouble { element, kind, message: &headline, text: &detail });
    let (failures, errors, trouble) = match &ran.end {
        End::Passed => (0, 0, None),
        End::Differs(_) => (1, 0, trouble("failure", "differs")),
        End::Unjudged(_) => (0, 1, trouble("error", "not_judged")),
    };
    counts.add(1, failures, errors, ran.took);
    case(cases, file, &ran.name, ran.took, trouble.as_ref());
}

/// Why a test did not pass.
struct Trouble<'a> {
    element: &'a str,
    kind: &'a str,
    /// In one line.
    message: &'a str,
    /// In full.
    text: &'a str,
}

fn case(cases: &mut String, file: &str, name: &str, took: Duration, trouble: Option<&Trouble<'_>>) {
    let time = took.as_secs_f64();
    let _ =
        write!(cases, "    <testcase name=\"{}\" classname=\"{}\" time=\"{time:.3}\"", xml_text(name), xml_text(file));
    match trouble {
        None => cases.push_str("/>\n"),
        Some(Trouble { element, kind, message, text: whole }) => {
            let (message, whole) = (xml_text(message), xml_text(whole));
            let inner = format!("<{element} type=\"{kind}\" message=\"{message}\">{whole}</{element}>");
            let _ = writeln!(cases, ">\n      {inner}\n    </testcase>");
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Counts {
    tests: usize,
    failures: usize,
    errors: usize,
    time: Duration,
}

impl Counts {
    fn add(&mut self, tests: usize, failures: usize, errors: usize, time: Duration) {
        self.tests += tests;
        self.failures += failures;
        self.errors += errors;
        self.time += time;
    }

    /// As attributes.
    fn text(&self) -> String {
        let Self { tests, failures, errors, time } = self;
        let time = time.as_secs_f64();
        format!(" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{time:.3}\"")
    }
}
