//! The rule files in force, and how the last reload went.

use crate::engine::BookEntry;
use crate::engine::Reload;
use crate::engine::Shelf;
use crate::http::Api;
use crate::http::Gates;
use crate::http::problem::Problem;
use crate::rules::Diagnostic;
use crate::rules::Mode;
use crate::rules::RulesName;
use crate::series::Timestamp;
use axum::Json;
use axum::body::Body;
use axum::extract::RawPathParams;
use axum::extract::State;
use axum::http::Response;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use serde::Serialize;

#[derive(Serialize)]
struct List<'a> {
    /// Of all files together.
    digest: &'a str,
    rules: Vec<Listed<'a>>,
    last_reload: LastReload<'a>,
}

#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    digest: &'a str,
    description: Option<&'a str>,
    mode: &'static str,
    loaded_at: String,
    warnings: usize,
}

#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    listed: Listed<'a>,
    text: &'a str,
}

#[derive(Serialize)]
struct LastReload<'a> {
    at: String,
    ok: bool,
    error: Option<&'a str>,
    diagnostics: Vec<Fault<'a>>,
}

#[derive(Serialize)]
struct Fault<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    severity: &'static str,
    code: &'static str,
    message: &'a str,
    help: &'a str,
}

/// Every file by name.
pub(crate) async fn list<G: Gates>(State(api): State<Api<G>>) -> Response<Body> {
    let shelf = api.gates.rules();
    let listed = |entry| {
        let (entry, at) = shelf.entry(entry)?;
        Some(Listed::of(&shelf, entry, at))
    };
    let rules = shelf.book().iter().filter_map(|entry| listed(&entry.rules.name)).collect();
    let digest = shelf.digest();
    Json(List { digest: digest.as_str(), rules, last_reload: LastReload::of(shelf.last_reload()) }).into_response()
}

/// One file with its text.
pub(crate) async fn one<G: Gates>(State(api): State<Api<G>>, names: RawPathParams) -> Result<Response<Body>, Problem> {
    let name = names.iter().find(|(name, _)| *name == "rules").map_or("", |(_, value)| value);
    let shelf = api.gates.rules();
    let found = RulesName::new(name).and_then(|name| shelf.entry(&name));
    let (entry, at) = found.ok_or_else(|| {
        let detail = format!("there are no rules `{name}`; loaded are: {}", shelf.book().names());
        Problem::new(StatusCode::NOT_FOUND, "no_such_rules", detail)
    })?;
    Ok(Json(Whole { listed: Listed::of(&shelf, entry, at), text: &entry.text }).into_response())
}

impl<'a> Listed<'a> {
    fn of(shelf: &Shelf, entry: &'a BookEntry, at: Timestamp) -> Self {
        let BookEntry { rules, .. } = entry;
        Self {
            name: rules.name.as_str(),
            digest: rules.digest.as_str(),
            description: rules.description.as_deref(),
            mode: match rules.mode {
                Mode::Enforce => "enforce",
                Mode::Observe => "observe",
            },
            loaded_at: at.to_string(),
            warnings: shelf.book().warnings(&rules.name),
        }
    }
}

impl<'a> LastReload<'a> {
    fn of(reload: &'a Reload) -> Self {
        let trouble = reload.trouble.as_ref();
        Self {
            at: reload.at.to_string(),
            ok: trouble.is_none(),
            error: trouble.map(|trouble| trouble.message.as_str()),
            diagnostics: trouble.map_or_else(Vec::new, |trouble| trouble.diagnostics.iter().map(Fault::of).collect()),
        }
    }
}

impl<'a> Fault<'a> {
    fn of(diagnostic: &'a Diagnostic) -> Self {
        let Diagnostic { file, line, column, code, message, help, severity, .. } = diagnostic;
        Self { file, line: *line, column: *column, severity: severity.as_str(), code, message, help }
    }
}
