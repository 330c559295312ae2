//! A backtest as tables, or as JSON.

use crate::cli::backtest::Backtest;
use crate::cli::backtest::score::Ends;
use crate::cli::backtest::score::Score;
use crate::cli::backtest::score::changed;
use crate::cli::backtest::score::rank;
use crate::cli::backtest::trial::Trial;
use crate::engine::End;
use crate::engine::Story;
use crate::report::plain;
use crate::wire::Label;
use comfy_table::CellAlignment;
use comfy_table::Table;
use comfy_table::presets;
use serde_json::Value;
use serde_json::json;
use std::fmt::Write as _;
use std::time::Duration;

const MEDIAN: (usize, usize) = (1, 2);
const P90: (usize, usize) = (9, 10);

/// For people: what changed, the scores side by side, the checks, and what went wrong.
pub(super) fn text(backtest: &Backtest) -> String {
    let mut page = String::new();
    let (name, against) = (plain(&backtest.names.0), backtest.names.1.as_deref().map(plain));
    let (good, bad) = (backtest.score.good.all(), backtest.score.bad.all());
    if let Some(against) = &against {
        let _ = write!(page, "{}", changes(backtest, &name, against));
    }
    let _ = write!(page, "{} recordings, {good} good and {bad} bad", good + bad);
    let _ = match backtest.unlabelled {
        0 => writeln!(page),
        count => writeln!(page, "; {count} more have no label and are left out"),
    };
    let mut columns = vec![(name, &backtest.score)];
    columns.extend(against.into_iter().zip(&backtest.against));
    let _ = writeln!(page, "\n{}", scores(&columns).trim_fmt());
    for (name, score) in &columns {
        let _ = writeln!(page, "\n{}", checks(name, score).trim_fmt());
    }
    let wrong: Vec<&Trial> = backtest.trials.iter().filter(|trial| is_wrong(trial)).collect();
    if !wrong.is_empty() {
        let _ = writeln!(page, "\nTo look at:");
        for trial in wrong {
            let _ = writeln!(page, "  {} ({}): {}", plain(&trial.file), trial.label.word(), told(&trial.story));
        }
    }
    page
}

fn is_wrong(trial: &Trial) -> bool {
    let right = match trial.label {
        Label::Good => trial.story.end == End::Passed,
        Label::Bad => matches!(trial.story.end, End::Failed | End::HeldByCheck),
    };
    !right || !trial.story.blind.is_empty()
}

fn changes(backtest: &Backtest, name: &str, against: &str) -> String {
    let all = changed(&backtest.trials);
    if all.is_empty() {
        return format!("No wave changes its verdict from {against} to {name}.\n\n");
    }
    let what = if all.len() == 1 { "1 wave changes its" } else { &format!("{} waves change their", all.len()) };
    let mut page = format!("{what} verdict from {against} to {name}:\n");
    let mut table = plain_table();
    for (trial, is_worse) in all {
        let word = if is_worse { "worse" } else { "" };
        let before = trial.against.as_ref().map_or(String::new(), told);
        let file = format!("{} ({})", plain(&trial.file), trial.label.word());
        table.add_row([format!("  {word}"), file, before, "->".to_owned(), told(&trial.story)]);
    }
    let _ = writeln!(page, "{}\n", table.trim_fmt());
    page
}

fn scores(columns: &[(String, &Score)]) -> Table {
    let mut table = plain_table();
    let mut header = vec![String::new()];
    header.extend(columns.iter().map(|(name, _)| name.clone()));
    table.set_header(header);
    let mut row = |what: &str, of: &dyn Fn(&Score) -> String| {
        let mut cells = vec![what.to_owned()];
        cells.extend(columns.iter().map(|(_, score)| of(score)));
        table.add_row(cells);
    };
    row("false fails", &|score| format!("{} of {}", score.good.failed, score.good.all()));
    row("false holds (a check asks a person)", &|score| {
        format!("{} of {}", score.good.held_by_check, score.good.all())
    });
    row("misses", &|score| format!("{} of {}", score.bad.passed, score.bad.all()));
    row("blind passes", &|score| format!("{} of {}", score.blind_passes, score.good.all() + score.bad.all()));
    row("bad waves stopped by a check", &|score| {
        format!("{} of {}", score.bad.failed + score.bad.held_by_check, score.bad.all())
    });
    let open = |ends: &Ends| format!("{} held at the deadline, {} undecided", ends.held_at_deadline, ends.undecided);
    row("good waves not decided", &|score| open(&score.good));
    row("bad waves not decided", &|score| open(&score.bad));
    row("time to detect, median / p90", &|score| times(&score.to_detect));
    row("time to pass, median / p90", &|score| times(&score.to_pass));
    for column in 1..=columns.len() {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn checks(name: &str, score: &Score) -> Table {
    let mut table = plain_table();
    table.set_header([name, "fails on good", "fails on bad", "first to fail", "time to detect, median / p90"]);
    for (name, check) in &score.checks {
        table.add_row([
            plain(name),
            check.false_fails.to_string(),
            check.detections.to_string(),
            check.first.to_string(),
            times(&check.to_detect),
        ]);
    }
    for column in 1..=4 {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    table
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn told(story: &Story) -> String {
    let by = story.stopped_by.iter().map(|name| plain(name)).collect::<Vec<_>>().join(", ");
    let after = |at: Option<Duration>| at.map_or(String::new(), |at| format!(" after {}", span(at)));
    match story.end {
        End::Passed if story.blind.is_empty() => format!("pass{}", after(story.passed_after)),
        End::Passed => format!("pass{}, blind: {}", after(story.passed_after), story.blind.join(", ")),
        End::Failed if by.is_empty() => "fail at the deadline".to_owned(),
        End::Failed => format!("fail{} ({by})", after(story.stopped_after)),
        End::HeldByCheck => format!("held{} ({by})", after(story.stopped_after)),
        End::HeldAtDeadline => "held at the deadline".to_owned(),
        End::Undecided => "undecided when the recording ends".to_owned(),
    }
}

fn times(sorted: &[Duration]) -> String {
    match (rank(sorted, MEDIAN), rank(sorted, P90)) {
        (Some(median), Some(p90)) => format!("{} / {}", span(median), span(p90)),
        _ => "-".to_owned(),
    }
}

/// Minutes and seconds.
fn span(length: Duration) -> String {
    let seconds = length.as_secs();
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// For machines: durations in seconds.
pub(super) fn json(backtest: &Backtest) -> Result<String, serde_json::Error> {
    let waves: Vec<Value> = backtest.trials.iter().map(wave).collect();
    let changed: Vec<Value> = changed(&backtest.trials)
        .iter()
        .map(|(trial, is_worse)| json!({ "file": trial.file, "worse": is_worse }))
        .collect();
    serde_json::to_string_pretty(&json!({
        "rules": backtest.names.0,
        "against": backtest.names.1,
        "changed": changed,
        "unlabelled": backtest.unlabelled,
        "score": of_score(&backtest.score),
        "against_score": backtest.against.as_ref().map(of_score),
        "waves": waves,
    }))
}

fn of_score(score: &Score) -> Value {
    let ends = |ends: &Ends| {
        json!({
            "passed": ends.passed,
            "failed": ends.failed,
            "held_by_check": ends.held_by_check,
            "held_at_deadline": ends.held_at_deadline,
            "undecided": ends.undecided,
        })
    };
    let times = |sorted: &[Duration]| {
        json!({
            "median_seconds": rank(sorted, MEDIAN).map(|at| at.as_secs_f64()),
            "p90_seconds": rank(sorted, P90).map(|at| at.as_secs_f64()),
            "waves": sorted.len(),
        })
    };
    let check = |(name, check): &(String, crate::cli::backtest::score::CheckScore)| {
        json!({
            "name": name,
            "false_fails": check.false_fails,
            "detections": check.detections,
            "first_to_fail": check.first,
            "time_to_detect": times(&check.to_detect),
        })
    };
    json!({
        "false_fails": score.good.failed,
        "false_holds": score.good.held_by_check,
        "misses": score.bad.passed,
        "blind_passes": score.blind_passes,
        "good": ends(&score.good),
        "bad": ends(&score.bad),
        "time_to_detect": times(&score.to_detect),
        "time_to_pass": times(&score.to_pass),
        "checks": score.checks.iter().map(check).collect::<Vec<_>>(),
    })
}

fn wave(trial: &Trial) -> Value {
    let story = |story: &Story| {
        json!({
            "end": end(story.end),
            "passed_after_seconds": story.passed_after.map(|at| at.as_secs_f64()),
            "stopped_after_seconds": story.stopped_after.map(|at| at.as_secs_f64()),
            "stopped_by": story.stopped_by,
            "blind": story.blind,
        })
    };
    json!({
        "file": trial.file,
        "label": trial.label.word(),
        "rules": story(&trial.story),
        "against": trial.against.as_ref().map(story),
    })
}

fn end(end: End) -> &'static str {
    match end {
        End::Passed => "passed",
        End::Failed => "failed",
        End::HeldByCheck => "held_by_check",
        End::HeldAtDeadline => "held_at_deadline",
        End::Undecided => "undecided",
    }
}
