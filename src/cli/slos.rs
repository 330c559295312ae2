//! Where commands without a daemon find the SLO that a rule file names.

use crate::cli::Failure;
use crate::cli::complain;
use crate::cli::refused;
use crate::config::Config;
use crate::config::Inputs;
use crate::engine::BookError;
use crate::engine::SloBook;
use crate::engine::in_full;
use crate::engine::read_text;
use crate::engine::slo_folders;
use crate::engine::with_slo;
use crate::rules;
use crate::rules::Diagnostic;
use anyhow::anyhow;
use std::path::Path;
use std::path::PathBuf;

#[derive(Clone, Debug, Default, clap::Args)]
pub(super) struct Slos {
    /// The folder of SLO files; without it those of the configuration, `slos` beside the rule
    /// file's folder, then `slos` here.
    #[arg(long, value_name = "DIR")]
    slos: Option<PathBuf>,
}

impl Slos {
    /// The text of the rule file at `path` with the SLO that it names behind it. Where it
    /// names none, nothing is looked for.
    pub(super) fn text(&self, path: &Path, config: Option<&Path>) -> Result<String, Failure> {
        let text = read_text(path).map_err(refused)?;
        if rules::slo_of(&text).is_none() {
            return Ok(text);
        }
        let (mut folders, mut inline) = (slo_folders(path, self.slos.as_deref()), Vec::new());
        if self.slos.is_none() {
            let inputs = Inputs::of_process(config.map(Path::to_owned), Vec::new());
            let config = Config::load(&inputs).map_err(refused)?;
            inline.extend(config.slo_texts().into_iter().map(|(key, text)| (PathBuf::from(key), text)));
            let named = config.slos_dir.filter(|named| named.is_dir() && !folders.contains(named));
            folders.splice(0..0, named);
        }
        with_slo(&text, &inline, &folders).map_err(refused)
    }
}

/// The SLOs of the files and folders that were `given`, or else those of `config`; every
/// fault and warning is shown.
pub(super) fn book(given: &[PathBuf], config: &Config) -> Result<SloBook, Failure> {
    let mut book = SloBook::default();
    for path in given {
        told(book.with_path(path))?;
    }
    if given.is_empty() {
        let folder = config.slos_folder();
        if folder.is_dir() {
            told(book.with_path(folder))?;
        }
        for (key, text) in config.slo_texts() {
            told(book.with_text(PathBuf::from(key), text))?;
        }
    }
    if book.is_empty() {
        let wanted = "there is no SLO: name files or folders of them with --slos, or a configuration with --config";
        return Err(refused(anyhow!(wanted)));
    }
    Ok(book)
}

/// Shows the warnings that were found, or every fault.
fn told(found: Result<Vec<Diagnostic>, BookError>) -> Result<(), Failure> {
    for warning in found.map_err(|error| refused(anyhow!("{}", in_full(&error))))? {
        complain(&warning.to_string());
    }
    Ok(())
}
