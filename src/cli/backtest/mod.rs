//! `wavegate backtest`: rules scored on waves of which people know what they were.
//!
//! ```text
//! trial  one recording by one rule file
//! score  what all of them come to
//! show   as tables, or as JSON
//! ```

mod score;
mod show;
mod trial;

use crate::cli::EXIT_FINDINGS;
use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::backtest::score::Score;
use crate::cli::backtest::score::changed;
use crate::cli::backtest::trial::Job;
use crate::cli::backtest::trial::Trial;
use crate::cli::on_terminal;
use crate::cli::past::rule_file;
use crate::cli::print;
use crate::cli::recordings;
use crate::cli::refused;
use crate::cli::slos::Slos;
use crate::cli::unexpected;
use crate::rules::RuleFile;
use anyhow::anyhow;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// A folder of recordings, each with a label of its own or in `labels.yaml` beside them.
    #[arg(value_name = "DIR")]
    folder: PathBuf,
    /// Judge by this rule file; without it by the rules that each recording holds.
    #[arg(long, value_name = "FILE")]
    rules: Option<PathBuf>,
    /// Compare with these rules: which waves change their verdict.
    #[arg(long, value_name = "FILE")]
    against: Option<PathBuf>,
    #[command(flatten)]
    slos: Slos,
    /// For people or for machines.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

/// What is shown: the same for text and for JSON.
struct Backtest {
    /// What the rules are called, and those that they are compared with.
    names: (String, Option<String>),
    trials: Vec<Trial>,
    /// Recordings that nobody has labelled.
    unlabelled: usize,
    score: Score,
    against: Option<Score>,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let read = |path: &Option<PathBuf>| -> Result<Option<RuleFile>, Failure> {
        Ok(path.as_deref().map(|path| rule_file(path, &arguments.slos, None)).transpose()?.map(|(rules, _)| rules))
    };
    let (rules, against) = (read(&arguments.rules)?, read(&arguments.against)?);
    let labels = recordings::labels(&arguments.folder)?;
    let paths = recordings::in_folder(&arguments.folder)?;
    let job = Job { rules: rules.as_ref(), against: against.as_ref(), labels: &labels };
    let all = in_parallel(
        &paths,
        |path| job.run(path),
        |done| {
            on_terminal(&format!("judged {done} of {} recordings", paths.len()));
        },
    );
    on_terminal("");
    let mut trials = Vec::with_capacity(all.len());
    for result in all {
        trials.push(result.map_err(refused)?);
    }
    let labelled: Vec<Trial> = trials.into_iter().flatten().collect();
    if labelled.is_empty() {
        let folder = arguments.folder.display();
        return Err(refused(anyhow!(
            "no recording of {folder} has a label: give one by `record --label`, or in labels.yaml"
        )));
    }
    let name = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
    let backtest = Backtest {
        names: (name(&arguments.rules).unwrap_or_else(|| "recorded rules".to_owned()), name(&arguments.against)),
        unlabelled: paths.len() - labelled.len(),
        score: Score::of(labelled.iter().map(|trial| (trial.label, &trial.story))),
        against: against
            .is_some()
            .then(|| Score::of(labelled.iter().filter_map(|trial| Some((trial.label, trial.against.as_ref()?))))),
        trials: labelled,
    };
    match arguments.format {
        Format::Text => print(&show::text(&backtest)),
        Format::Json => print(&(show::json(&backtest).map_err(unexpected)? + "\n")),
    }
    let worse = changed(&backtest.trials).iter().any(|(_, is_worse)| *is_worse);
    Ok(if backtest.score.has_findings() || worse { EXIT_FINDINGS } else { EXIT_PASS })
}

/// `work` on each of `items`, as many at a time as the machine has cores; the results in
/// the order of the items, whoever was first. `progress` hears how many are done.
fn in_parallel<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    progress: impl Fn(usize) + Sync,
) -> Vec<R> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(items.len().max(1));
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some((index, item)) = take(items, &next) {
                    let result = work(item);
                    results.lock().unwrap_or_else(PoisonError::into_inner).push((index, result));
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1);
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

fn take<'t, T>(items: &'t [T], next: &AtomicUsize) -> Option<(usize, &'t T)> {
    let index = next.fetch_add(1, Ordering::Relaxed);
    items.get(index).map(|item| (index, item))
}
