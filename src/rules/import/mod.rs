//! Other tools' files as rule files and SLO files of ours.
//!
//! What a file says is kept where we have its equal; where nothing equals it, a
//! comment stands in its place and [`Imported::missing`] names it: nothing is dropped
//! in silence. Every check is read again by our own parser before it is given out, so
//! an imported file is one that can be loaded.
//!
//! ```text
//! foreign   a tree of somebody else's keys
//! template  queries with placeholders: what tells the cohorts apart, what a wave sets
//! bound     conditions on one value (`result[0] <= 0.05`) as bounds
//! kayenta, argo, flagger
//! draft     the rule file that comes of it
//!
//! sloth, openslo, pyrra
//! slo_draft the SLO files that come of it
//! ```

mod argo;
mod bound;
mod draft;
mod flagger;
mod foreign;
mod kayenta;
mod openslo;
mod pyrra;
mod slo_draft;
mod sloth;
mod template;

use crate::rules::Diagnostic;
use crate::rules::Severity;
use crate::rules::import::foreign::Foreign;
pub use crate::rules::import::pyrra::PyrraWindow;
pub use crate::rules::import::pyrra::pyrra_windows;
use crate::rules::yaml;
use crate::rules::yaml::RawNode;
use std::time::Duration;

/// Whose rule file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tool {
    /// A canary config of Kayenta, in JSON.
    Kayenta,
    /// An `AnalysisTemplate` or `ClusterAnalysisTemplate` of Argo Rollouts.
    Argo,
    /// A `Canary` of Flagger with its `MetricTemplate`s, or those alone.
    Flagger,
}

/// Whose SLO file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SloTool {
    /// `prometheus/v1` of Sloth, or its `PrometheusServiceLevel`.
    Sloth,
    /// Documents of `openslo/v1`.
    OpenSlo,
    /// A `ServiceLevelObjective` of Pyrra.
    Pyrra,
}

/// What came of a file with SLOs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedSlos {
    /// In the order of the file; at least one.
    pub slos: Vec<ImportedSlo>,
    /// What had no equivalent, in the order of the file.
    pub missing: Vec<Missing>,
}

/// One SLO file of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportedSlo {
    /// The SLO's name, which no other of the import has.
    pub name: String,
    /// Its file.
    pub text: String,
}

/// What came of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// A rule file of ours.
    pub text: String,
    /// What had no equivalent, in the order of the file.
    pub missing: Vec<Missing>,
}

/// Something that is said there and cannot be said here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// Where it stands: a path of keys.
    pub place: String,
    /// What it was, and what becomes of it.
    pub what: String,
}

/// Most documents of one file: one of Flagger holds a canary and a handful of templates, one
/// of OpenSLO a service's SLOs with their indicators and alerts.
const DOCUMENTS: usize = 128;

/// The rule file that says what `text`, a file of `tool`, says.
///
/// # Errors
/// The file is not one of `tool`'s, or nothing in it can be judged.
pub fn import(tool: Tool, file: &str, text: &str) -> Result<Imported, Vec<Diagnostic>> {
    let documents = documents(file, text)?;
    let trees: Vec<Foreign<'_>> = documents.iter().map(Foreign::whole).collect();
    let draft = match tool {
        Tool::Kayenta => kayenta::draft(&trees),
        Tool::Argo => argo::draft(&trees),
        Tool::Flagger => flagger::draft(&trees),
    };
    let imported = draft.and_then(draft::Draft::write);
    imported.map_err(|message| vec![refused(file, 1, "not_importable", message, HELP)])
}

/// The SLO files that say what `text`, a file of `tool`, says. `period` is that of SLOs
/// whose file has none, which are Sloth's.
///
/// # Errors
/// The file is not one of `tool`'s, or no SLO in it can be kept.
pub fn import_slos(tool: SloTool, file: &str, text: &str, period: Duration) -> Result<ImportedSlos, Vec<Diagnostic>> {
    let documents = documents(file, text)?;
    let trees: Vec<Foreign<'_>> = documents.iter().map(Foreign::whole).collect();
    let drafts = match tool {
        SloTool::Sloth => sloth::drafts(&trees, period),
        SloTool::OpenSlo => openslo::drafts(&trees),
        SloTool::Pyrra => pyrra::drafts(&trees),
    };
    let imported = drafts.and_then(slo_draft::Drafts::write);
    imported.map_err(|message| vec![refused(file, 1, "not_importable", message, HELP)])
}

const HELP: &str = "name the file of the tool itself, as it is applied: no Helm template, no list of objects";

/// Every document of `text`, in order.
fn documents(file: &str, text: &str) -> Result<Vec<RawNode>, Vec<Diagnostic>> {
    let mut starts = vec![0];
    let mut offset = 0;
    for line in text.split_inclusive('\n') {
        offset += line.len();
        if line.trim_end() == "---" {
            starts.push(offset);
        }
    }
    let mut documents = Vec::new();
    for (index, start) in starts.iter().enumerate() {
        let end = starts.get(index + 1).copied().unwrap_or(text.len());
        let body = text[*start..end].trim_end_matches("---\n").trim_end_matches("---\r\n");
        if body.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
            continue;
        }
        let above = text[..*start].lines().count();
        let read = yaml::read(body).map_err(|fault| {
            let line = above + fault.spot.line;
            vec![Diagnostic { column: fault.spot.column, ..refused(file, line, fault.code, fault.message, fault.help) }]
        })?;
        documents.push(read);
    }
    if documents.is_empty() || DOCUMENTS < documents.len() {
        let message = format!("the file has {} documents, not 1 to {DOCUMENTS}", documents.len());
        return Err(vec![refused(file, 1, "not_importable", message, HELP)]);
    }
    Ok(documents)
}

fn refused(file: &str, line: usize, code: &'static str, message: String, help: &str) -> Diagnostic {
    let (file, help) = (file.to_owned(), help.to_owned());
    Diagnostic { file, line, column: 1, width: 1, code, message, help, severity: Severity::Error }
}
