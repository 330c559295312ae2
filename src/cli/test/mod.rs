//! `wavegate test`: tests of rule files, as [`crate::rules::rule_test`] has them.
//!
//! ```text
//! find     which files
//! run      each test through the engine that the daemon judges by
//! compare  what was expected against the document that stood then
//! show     for people and for machines; junit for CI
//! ```

mod compare;
mod find;
mod junit;
mod run;
mod show;

use crate::cli::EXIT_FINDINGS;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_REFUSED;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::on_terminal;
use crate::cli::print;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::slos::Slos;
use crate::cli::test::compare::Mismatch;
use crate::cli::test::run::Loaded;
use crate::report::plain;
use crate::rules::Diagnostic;
use anyhow::Context as _;
use futures_util::Stream;
use futures_util::StreamExt as _;
use std::num::NonZero;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long nothing is said of what is under way: most tests are over by then.
const QUIET: Duration = Duration::from_secs(2);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Files of rule tests, and folders that hold such: `*_test.yaml`, `*_test.yml`, at any depth.
    #[arg(required = true, value_name = "DIR")]
    paths: Vec<PathBuf>,
    #[command(flatten)]
    slos: Slos,
    /// For people or for machines.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[arg(long, value_name = "FILE", help = "Write what came of it as JUnit XML too")]
    junit: Option<PathBuf>,
}

/// What came of one file.
struct Tested {
    file: String,
    came: Came,
}

enum Came {
    /// The file or its rules cannot be used: the faults, and how a person reads them.
    Refused { faults: Vec<Diagnostic>, page: String },
    /// Each of its tests, in order.
    Ran(Vec<Ran>),
}

/// One test that ran.
struct Ran {
    name: String,
    /// Where it stands in its file.
    line: usize,
    took: Duration,
    end: End,
}

enum End {
    /// Everything is as expected.
    Passed,
    /// Some is not.
    Differs(Vec<Mismatch>),
    /// Nothing could be judged, and why.
    Unjudged(String),
}

/// How many tests ended how, and how many files were refused.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
    refused: usize,
}

impl Tally {
    fn of(all: &[Tested]) -> Self {
        let mut tally = Self::default();
        for tested in all {
            match &tested.came {
                Came::Refused { .. } => tally.refused += 1,
                Came::Ran(tests) => {
                    let passed = tests.iter().filter(|ran| matches!(ran.end, End::Passed)).count();
                    tally.passed += passed;
                    tally.failed += tests.len() - passed;
                }
            }
        }
        tally
    }
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let files = find::files(&arguments.paths).map_err(refused)?;
    let all = runtime()?.block_on(test(&files, &arguments.slos, arguments.format));
    let tally = Tally::of(&all);
    match arguments.format {
        Format::Text => print(&show::summary(tally)),
        Format::Json => print(&show::json(&all, tally).map_err(crate::cli::unexpected)?),
    }
    if let Some(path) = &arguments.junit {
        let written = std::fs::write(path, junit::xml(&all));
        written.with_context(|| format!("cannot write `{}`", path.display())).map_err(refused)?;
    }
    Ok(match tally {
        Tally { refused: 1.., .. } => EXIT_REFUSED,
        Tally { failed: 1.., .. } => EXIT_FINDINGS,
        Tally { .. } => EXIT_PASS,
    })
}

/// Runs the tests of `files`, in order; text is shown as it comes.
async fn test(files: &[PathBuf], slos: &Slos, format: Format) -> Vec<Tested> {
    let began = Instant::now();
    let say = |text: &str| {
        if format == Format::Text {
            on_terminal("");
            print(text);
        }
    };
    let mut all = Vec::new();
    for path in files {
        let file = path.display().to_string();
        say(&show::file(&file));
        let came = match Loaded::read(path, slos) {
            Err((faults, page)) => {
                say(&page);
                Came::Refused { faults, page }
            }
            Ok(loaded) => {
                let loaded = Arc::new(loaded);
                let mut running = pin!(runs(&loaded));
                let mut tests = Vec::new();
                loop {
                    if began.elapsed() > QUIET {
                        on_terminal(&format!(
                            "{} of {} tests of {}",
                            tests.len(),
                            loaded.tests.tests.len(),
                            plain(&file)
                        ));
                    }
                    let Some(ran) = running.next().await else { break };
                    say(&show::test(&ran, crate::cli::colour()));
                    tests.push(ran);
                }
                Came::Ran(tests)
            }
        };
        all.push(Tested { file, came });
    }
    on_terminal("");
    all
}

/// What comes of each test of `loaded`, in their order; as many at a time as there are
/// processors, because a test waits for nothing else.
fn runs(loaded: &Arc<Loaded>) -> impl Stream<Item = Ran> {
    let at_a_time = std::thread::available_parallelism().map_or(1, NonZero::get);
    let tests = 0..loaded.tests.tests.len();
    let loaded = Arc::clone(loaded);
    let run = move |index: usize| {
        let loaded = Arc::clone(&loaded);
        let running = tokio::spawn(async move { loaded.run(&loaded.tests.tests[index]).await });
        async move {
            match running.await {
                Ok(ran) => ran,
                // A panic is a bug, and nothing here cancels a test.
                Err(failed) => std::panic::resume_unwind(failed.into_panic()),
            }
        }
    };
    futures_util::stream::iter(tests).map(run).buffered(at_a_time)
}
