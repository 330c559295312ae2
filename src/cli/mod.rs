//! The command line: one file a command, exit codes as constants, one writer.

mod check;
mod judge;
mod serve;

use clap::Parser;
use clap::Subcommand;
use clap::ValueEnum;
use std::io::IsTerminal as _;
use std::io::Write as _;

/// Pass, or done.
pub const EXIT_PASS: u8 = 0;
/// Something unexpected: a bug, or a machine in trouble.
pub const EXIT_UNEXPECTED: u8 = 1;
/// Usage, configuration or rules were refused.
pub const EXIT_REFUSED: u8 = 2;
/// The verdict is `fail`.
pub const EXIT_FAIL: u8 = 10;
/// The verdict is `pause`.
pub const EXIT_PAUSE: u8 = 11;
/// The source did not answer at any look.
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
  10  fail
  11  pause
  13  source unreachable";

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the daemon.
    Serve(serve::Arguments),
    /// Show every fault of rule files and configurations.
    Check(check::Arguments),
    /// Judge one gate, now or in the past, without a daemon.
    Judge(judge::Arguments),
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
        Command::Check(arguments) => check::run(&arguments),
        Command::Judge(arguments) => judge::run(&arguments),
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

/// Writes a line to standard error.
fn complain(text: &str) {
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Whether standard output is a terminal that takes colour.
fn colour() -> bool {
    std::io::stdout().is_terminal() && anstream::AutoStream::choice(&std::io::stdout()) != anstream::ColorChoice::Never
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
