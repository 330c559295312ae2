//! `wavegate judge`: one gate, now or in the past, without a daemon.
//!
//! Every look from `--start` to `--at`, through the same code as the daemon's, so
//! that the document is the daemon's own.

use crate::cli::EXIT_FAIL;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_PAUSE;
use crate::cli::EXIT_UNREACHABLE;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::past::PastArguments;
use crate::cli::past::progress;
use crate::cli::past::progress_of_budget;
use crate::cli::past::tell_unknown;
use crate::cli::refused;
use crate::cli::runtime;
use crate::cli::show_report;
use crate::engine;
use crate::engine::PastAccount;
use crate::wave::Verdict;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The rule file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    past: PastArguments,
    /// For people, or the verdict document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let (rules, _) = arguments.past.rule_file(&arguments.file)?;
    let (source, past) = arguments.past.of(&rules)?;
    let slo_source = arguments.past.slo_source(&rules, &source)?;
    let account = PastAccount::new(&*slo_source, past.until).telling(progress_of_budget);
    let judged = engine::judge_past_by(&*source, &account, &rules, past, progress);
    let judged = runtime()?.block_on(judged).map_err(refused)?;
    on_terminal("");
    tell_unknown(&rules);
    show_report(&judged.document, arguments.format)?;
    if let Some(error) = &judged.outage {
        complain(&format!("error: {error}"));
    }
    Ok(match judged.verdict {
        Verdict::Pass => EXIT_PASS,
        Verdict::Fail => EXIT_FAIL,
        Verdict::Pause if judged.looks == 0 && judged.outage.is_some() => EXIT_UNREACHABLE,
        Verdict::Pause => EXIT_PAUSE,
    })
}
