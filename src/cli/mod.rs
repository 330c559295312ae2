//! The command line: one file a command, exit codes as constants, one writer.

mod attest;
mod backtest;
mod cancel;
mod check;
mod client;
mod decide;
mod demo;
mod export;
mod healthcheck;
mod import;
mod judge;
mod list;
mod open;
mod ordinary;
mod params;
mod past;
mod plan;
mod record;
mod recordings;
mod replay;
mod sarif;
mod schema;
mod serve;
mod simulate;
mod slo;
mod slos;
mod status;
mod test;
mod wait;

use crate::report;
use anyhow::Context as _;
use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use std::io::Write as _;

/// Pass, or done.
pub const EXIT_PASS: u8 = 0;
/// Something unexpected: a bug, or a machine in trouble.
pub const EXIT_UNEXPECTED: u8 = 1;
/// Usage, configuration or rules were refused.
pub const EXIT_REFUSED: u8 = 2;
/// Done, with findings.
pub const EXIT_FINDINGS: u8 = 3;
/// The verdict is `fail`.
pub const EXIT_FAIL: u8 = 10;
/// The verdict is `pause`; of `wait`, that a person is asked or the gate was called off.
pub const EXIT_PAUSE: u8 = 11;
/// The time to wait is over, and nothing is settled.
pub const EXIT_TIMED_OUT: u8 = 12;
/// `judge`: the source did not answer at any look. Other commands: the daemon does not
/// answer or cannot now; of `wait`, still not when its time was over.
pub const EXIT_UNREACHABLE: u8 = 13;

/// Judges each wave of a fleet upgrade from its metrics: pass, fail or pause.
#[derive(Debug, Parser)]
#[command(name = "wavegate", version, about, after_help = AFTER_HELP)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

const AFTER_HELP: &str = "\
Exit codes:
  0   pass, or done
  1   unexpected
  2   usage, configuration or rules refused
  3   done, with findings (test: a test failed; import, export: something had no equivalent;
      plan: a check cannot decide; simulate: a promise is not kept; backtest: a false fail, a
      miss, or a verdict that got worse)
  10  fail
  11  pause (wait: held or cancelled)
  12  timed out
  13  unreachable (judge: the source at every look; wait: the daemon when the time was over)";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve(serve::Arguments),
    /// See a bad wave stopped and a good one passed: targets, daemon, verdicts, a webhook.
    Demo(demo::Arguments),
    /// Show every fault of rule files, SLO files and configurations.
    Check(check::Arguments),
    /// Print the JSON Schema of rule files or SLO files, for editors.
    Schema(schema::Arguments),
    /// Make rule files or SLO files of another tool's: Kayenta, Argo, Flagger; Sloth, OpenSLO, Pyrra.
    Import(import::Arguments),
    /// Make recording and alert rules for Prometheus of SLO files.
    Export(export::Arguments),
    /// Judge one gate, now or in the past, without a daemon.
    Judge(judge::Arguments),
    /// Run tests of rule files: given series, expected verdicts.
    Test(test::Arguments),
    /// Write what a gate was judged by to a file.
    Record(record::Arguments),
    /// Judge recordings again: by the rules they hold, or by others.
    Replay(replay::Arguments),
    /// Score rules on labelled recordings.
    Backtest(backtest::Arguments),
    /// Count false fails and detections of a rule file on seeded traffic. Exit code 3: a promise is not kept.
    Simulate(simulate::Arguments),
    /// Show what the checks of a rule file can detect, and by when. Exit code 3: a check cannot decide.
    Plan(plan::Arguments),
    /// Open the gates of a wave.
    Open(open::Arguments),
    /// Show every wave.
    List(list::Arguments),
    /// Show where a wave stands, and why.
    Status(status::Arguments),
    /// Show how SLOs stand: burn rates, what is left, what waves spent.
    Slo(slo::Arguments),
    /// Wait until a wave is settled; the exit code is the verdict.
    Wait(wait::Arguments),
    /// Pass or fail a gate: one that is held, or has failed.
    Decide(decide::Arguments),
    /// Say that what a gate requires before it may pass is there.
    Attest(attest::Arguments),
    /// Call a gate off.
    Cancel(cancel::Arguments),
    /// Say whether the daemon beside us answers.
    #[command(hide = true)]
    Healthcheck(healthcheck::Arguments),
}

/// How a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people.
    Text,
    /// For machines.
    Json,
}

/// Runs what the arguments of the process ask for; gives back the exit code.
pub fn run() -> u8 {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // clap writes help to standard output and faults to standard error.
            let _ = error.print();
            return if error.use_stderr() { EXIT_REFUSED } else { EXIT_PASS };
        }
    };
    let result = match cli.command {
        Command::Serve(arguments) => serve::run(arguments),
        Command::Demo(arguments) => demo::run(&arguments),
        Command::Check(arguments) => check::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Import(arguments) => import::run(&arguments),
        Command::Export(arguments) => export::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
        Command::Test(arguments) => test::run(&arguments),
        Command::Record(arguments) => record::run(&arguments),
        Command::Replay(arguments) => replay::run(&arguments),
        Command::Backtest(arguments) => backtest::run(&arguments),
        Command::Simulate(arguments) => simulate::run(&arguments),
        Command::Plan(arguments) => plan::run(&arguments),
        Command::Open(arguments) => open::run(&arguments),
        Command::List(arguments) => list::run(&arguments),
        Command::Status(arguments) => status::run(&arguments),
        Command::Slo(arguments) => slo::run(&arguments),
        Command::Wait(arguments) => wait::run(&arguments),
        Command::Decide(arguments) => decide::run(&arguments),
        Command::Attest(arguments) => attest::run(&arguments),
        Command::Cancel(arguments) => cancel::run(&arguments),
        Command::Healthcheck(arguments) => healthcheck::run(&arguments),
    };
    result.unwrap_or_else(|failure| {
        complain(&format!("error: {:#}", failure.error));
        failure.code
    })
}

/// What ends a command early, and with which exit code.
struct Failure {
    code: u8,
    error: anyhow::Error,
}

/// What was asked for cannot be used: exit code 2.
fn refused(error: impl Into<anyhow::Error>) -> Failure {
    Failure { code: EXIT_REFUSED, error: error.into() }
}

/// Something went wrong that nobody asked for: exit code 1.
fn unexpected(error: impl Into<anyhow::Error>) -> Failure {
    Failure { code: EXIT_UNEXPECTED, error: error.into() }
}

/// Nobody answered who could have: exit code 13.
fn unreachable(error: impl Into<anyhow::Error>) -> Failure {
    Failure { code: EXIT_UNREACHABLE, error: error.into() }
}

/// A runtime for commands that wait.
fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(unexpected)
}

/// Writes to standard output; a reader that has gone away is no fault of ours.
fn print(text: &str) {
    let mut output = anstream::stdout();
    let _ = output.write_all(text.as_bytes());
    let _ = output.flush();
}

/// A verdict document: where it stands, in a few lines.
fn show_brief(document: &str, format: Format) -> Result<(), Failure> {
    show(document, format, report::brief)
}

/// A verdict document with all its numbers.
fn show_report(document: &str, format: Format) -> Result<(), Failure> {
    show(document, format, report::text)
}

/// What a simulation came to.
fn show_simulation(document: &str) -> Result<(), Failure> {
    show(document, Format::Text, report::simulation)
}

fn show(
    document: &str,
    format: Format,
    written: fn(&str, bool) -> Result<String, serde_json::Error>,
) -> Result<(), Failure> {
    match format {
        Format::Text => {
            let page = written(document, colour());
            print(&page.context("an answer that is no verdict").map_err(unexpected)?);
        }
        Format::Json => print(&format!("{document}\n")),
    }
    Ok(())
}

/// Writes over the last line of standard error where that is a terminal, and nothing
/// elsewhere. A line longer than the terminal is cut, not wrapped; what is over falls on
/// the last column, which is emptied.
fn on_terminal(line: &str) {
    let mut output = anstream::stderr();
    if output.is_terminal() {
        let _ = write!(output, "\r\u{1b}[K\u{1b}[?7l{line}\u{1b}[K\u{1b}[?7h");
        let _ = output.flush();
    }
}

/// Writes a line to standard error.
fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Whether standard output is a terminal that takes colour.
fn colour() -> bool {
    takes_colour(&std::io::stdout())
}

/// Whether standard error is one.
fn colour_of_stderr() -> bool {
    takes_colour(&std::io::stderr())
}

fn takes_colour(stream: &impl anstream::stream::RawStream) -> bool {
    stream.is_terminal() && anstream::AutoStream::choice(stream) != anstream::ColorChoice::Never
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
