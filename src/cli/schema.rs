//! `wavegate schema`: the JSON Schema of rule files, for editors.

use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::print;
use crate::cli::unexpected;
use crate::rules;

pub(super) fn run() -> Result<u8, Failure> {
    let text = serde_json::to_string_pretty(&rules::schema()).map_err(unexpected)?;
    print(&(text + "\n"));
    Ok(EXIT_PASS)
}
