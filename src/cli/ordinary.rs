//! What `plan` and `simulate` are asked alike: a rule file, its ordinary day, and changes.

use crate::cli::Failure;
use crate::cli::past;
use crate::cli::refused;
use crate::cli::slos::Slos;
use crate::plan::Change;
use crate::rules::RuleFile;
use crate::rules::Traffic;
use anyhow::anyhow;
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(super) struct Ordinary {
    /// The rule file.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    slos: Slos,
    /// Another ordinary day for every check, in the words of the file's `traffic:`:
    /// `canary=50/s`, `baseline=200/s`, `bad=0.2%`, `noise=5%`, `instances.canary=3`,
    /// `latency.p99=600ms`; given again for each.
    #[arg(long, value_name = "NAME=VALUE")]
    traffic: Vec<String>,
    /// A change to try in place of those that are tried by default: `errors=3x`, `cpu=+20%`,
    /// `latency=6pp`; given again for each.
    #[arg(long = "change", value_name = "CHECK=CHANGE")]
    changes: Vec<String>,
}

impl Ordinary {
    /// The rule file; what is wrong with it goes to standard error.
    pub(super) fn rule_file(&self) -> Result<RuleFile, Failure> {
        Ok(past::rule_file(&self.file, &self.slos, None)?.0)
    }

    /// Puts what was given into `traffic`.
    pub(super) fn state(&self, traffic: &mut Traffic) -> Result<(), Failure> {
        traffic.state(&self.traffic).map_err(|fault| refused(anyhow!("--traffic: {fault}")))
    }

    /// The changes that were given, each with the place of its check.
    pub(super) fn changes(&self, rules: &RuleFile) -> Result<Vec<(usize, Change)>, Failure> {
        let read = |text: &String| Change::read(rules, text).map_err(|fault| refused(anyhow!("--change: {fault}")));
        self.changes.iter().map(read).collect()
    }
}
