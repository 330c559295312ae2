//! README is followed as a new user would: every command of a section, in an empty folder.

use crate::support::month;
use crate::support::prometheus::PrometheusServer;
use crate::support::waves;
use std::path::Path;
use std::process::Command;

/// The address that README gives its Prometheus.
const PROMETHEUS: &str = "http://127.0.0.1:9191";

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("readable")
}

/// The text from the heading `## title` to the next of its rank.
fn section<'t>(readme: &'t str, title: &str) -> &'t str {
    let begin = readme.find(&format!("\n## {title}\n")).expect("the section") + 1;
    let end = readme[begin..].find("\n## ").map_or(readme.len(), |end| begin + end);
    &readme[begin..end]
}

/// The fenced blocks of `section` with their languages.
fn blocks(section: &str) -> Vec<(&str, &str)> {
    let parts: Vec<&str> = section.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    fenced.map(|block| block.split_once('\n').expect("a language and a text")).collect()
}

/// As the command runs in README's own shell.
fn run(script: &str) -> (String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let binary = Path::new(env!("CARGO_BIN_EXE_wavegate"));
    let script = format!("export PATH='{}':$PATH\n{script}", binary.parent().expect("a folder").display());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(folder.path())
        .env_remove("WAVEGATE_CONFIG")
        .output()
        .expect("bash runs");
    let text = |bytes| String::from_utf8(bytes).expect("text");
    let (stdout, stderr) = (text(output.stdout), text(output.stderr));
    assert!(output.status.success(), "{}\n{stdout}\n{stderr}", output.status);
    (stdout, stderr)
}

/// Runs every command of the section `title` against `server`, in one shell, and finds each
/// line that README shows in what they print.
fn walked(title: &str, server: &PrometheusServer) -> (String, String) {
    let readme = readme();
    let section = section(&readme, title);
    let commands: Vec<&str> =
        blocks(section).into_iter().filter(|(language, _)| *language == "sh").map(|(_, text)| text).collect();
    assert!(commands.concat().contains(PROMETHEUS));
    let (stdout, stderr) = run(&commands.concat().replace(PROMETHEUS, &server.url()));
    for (_, shown) in blocks(section).into_iter().filter(|(language, _)| language.is_empty()) {
        for line in shown.lines().map(str::trim_end) {
            let said = stdout.lines().any(|said| said.trim_end() == line);
            assert!(said, "README shows a line that no command prints:\n{line}\n--- printed\n{stdout}{stderr}");
        }
    }
    (stdout, stderr)
}

#[track_caller]
fn says(words: &[&str], (stdout, stderr): &(String, String)) {
    for word in words {
        assert!(stdout.contains(word) || stderr.contains(word), "no {word:?}\n{stdout}{stderr}");
    }
}

#[test]
fn the_tuning_section_leads_from_an_empty_folder_to_backtested_rules() {
    let server = PrometheusServer::backfilled(&waves::openmetrics(&waves::shown()));
    let printed = walked("Tuning rules", &server);
    says(&["PASS   wave bad", "2 passed, 0 failed", "waves/bad.recording: fail", "checkout.yaml: ok"], &printed);
}

#[test]
fn the_section_on_error_budgets_pauses_a_wave_that_burns() {
    let waves = waves::openmetrics(&waves::shown());
    let month = month::openmetrics();
    // Two files of one server, as one.
    let (waves, month) = (waves.trim_end_matches("# EOF\n"), month.split_once('\n').expect("a first line").1);
    let server = PrometheusServer::backfilled_for_weeks(&format!("{waves}{month}"));
    let printed = walked("Error budgets", &server);
    says(&["rules/checkout.yaml: ok", "PAUSE  wave bad", "[wave_burn]", "exit code 11", "SUCCESS"], &printed);
}
