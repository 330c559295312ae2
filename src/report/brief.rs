//! Where a wave stands, in a few lines.

use crate::report::terminal::cell;
use crate::report::terminal::painted;
use crate::report::terminal::plain;
use crate::report::text::Would;
use crate::report::text::observing;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde::Deserialize;
use std::fmt::Write as _;

/// The verdict of a wave's document, or a gate's, with a line for each gate; `colour`
/// paints the verdict.
///
/// # Errors
/// The document is not one of ours.
pub fn brief(document: &str, colour: bool) -> Result<String, serde_json::Error> {
    let wave: Head = serde_json::from_str(document)?;
    let mut page = String::new();
    let gate = wave.rules.map_or(String::new(), |rules| format!(", gate {}", plain(&rules)));
    let _ = writeln!(
        page,
        "{}  wave {}{gate}: {}",
        painted(&wave.verdict, colour),
        plain(&wave.wave_id),
        plain(&wave.state)
    );
    let _ = writeln!(page, "      {}", plain(&wave.summary));
    page.push_str(&observing(wave.would.as_ref()));
    if !wave.gates.is_empty() {
        let _ = writeln!(page, "\n{}", table(&wave.gates).trim_fmt());
    }
    Ok(page)
}

#[derive(Deserialize)]
struct Head {
    wave_id: String,
    #[serde(default)]
    rules: Option<String>,
    verdict: String,
    state: String,
    summary: String,
    #[serde(default)]
    would: Option<Would>,
    #[serde(default)]
    gates: Vec<Gate>,
}

#[derive(Deserialize)]
struct Gate {
    rules: String,
    attempt: u32,
    verdict: String,
    state: String,
    summary: String,
}

fn table(gates: &[Gate]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_header(["gate", "attempt", "verdict", "state", "summary"]);
    for gate in gates {
        table.add_row([
            plain(&gate.rules),
            gate.attempt.to_string(),
            plain(&gate.verdict),
            plain(&gate.state),
            cell(&gate.summary),
        ]);
    }
    if let Some(column) = table.column_mut(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
