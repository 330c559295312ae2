//! Simulates the tables of the design: how often a good wave fails, a bad one passes,
//! and how soon a bad one fails, cell by cell beside what the design measured.
//!
//! `cargo run --release --example calibration -- 1 3 --waves 3000` prints the tables 1
//! and 3 with 3000 waves a cell. The same seed prints the same, on any machine.
//! ABOVE marks a wrong verdict that comes more often than promised, by more than two
//! standard errors; WEAK a right one that comes 10 points less often than in the
//! design, LATE one whose median is more than a look later.

mod cell;
mod counts;
mod gauges;
mod latencies;
mod margins;
mod short;
mod stress;
mod waves;

use crate::cell::Cell;
use clap::Parser;
use std::io;
use std::io::IsTerminal as _;
use std::io::Write as _;
use tokio::time::Instant;

#[path = "../../tests/it/support"]
mod support {
    pub(crate) mod simulation;
}

/// Simulates waves and prints what became of them.
#[derive(Debug, Parser)]
struct Arguments {
    /// The tables to print; all of them where none is named.
    #[arg(value_parser = TABLES.map(|table| table.name))]
    tables: Vec<String>,
    /// Waves of each cell. 1000 tell 0.5 % from 1.2 %.
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    waves: u32,
    /// Another seed is other waves.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One table.
struct Table {
    name: &'static str,
    title: &'static str,
    cells: fn() -> Vec<Cell>,
}

const TABLES: [Table; 11] = [
    Table {
        name: "1",
        title: "one gauge, nothing changed: FAIL at any look (60 looks where the design had 12), level 0.5 %",
        cells: gauges::unchanged,
    },
    Table { name: "1b", title: "ten gauges, nothing changed: any FAIL at any look, level 5 %", cells: gauges::ten },
    Table {
        name: "2",
        title: "one gauge, shifted: power and median minutes at 0.5 % (60 looks where the design had 12)",
        cells: gauges::shifted,
    },
    Table {
        name: "instances",
        title: "gauges by instance, a point a minute for an hour, 0.5 %",
        cells: gauges::by_instance,
    },
    Table { name: "3", title: "error ratio, base 0.1 %, 15 s, an hour, 0.5 %", cells: counts::ratios },
    Table { name: "4", title: "latency histogram, 15 s, an hour, 0.5 %", cells: latencies::histograms },
    Table { name: "5", title: "exactly on the PASS margin, false_pass 5 %, and true PASS", cells: margins::margins },
    Table { name: "short", title: "12-minute waves at 15 s and 1 % (medians in minutes)", cells: short::short },
    Table {
        name: "waves",
        title: "whole waves of ten mixed checks with the default margins, 5 %",
        cells: waves::mixed,
    },
    Table { name: "stress", title: "what real fleets do, one check, 15 s, an hour, 1 %", cells: stress::stress },
    Table { name: "keys", title: "checks with a key of their own, 15 s, an hour, 1 %", cells: stress::keys },
];

fn main() -> io::Result<()> {
    let Arguments { tables, waves, seed } = Arguments::parse();
    let wanted = |table: &&Table| tables.is_empty() || tables.iter().any(|name| name == table.name);
    let begin = Instant::now();
    let mut broken = 0;
    let mut stdout = io::stdout();
    for table in TABLES.iter().filter(wanted) {
        let Table { name, title, cells } = table;
        writeln!(stdout, "\nTable {name}: {title}; {waves} waves a cell\n")?;
        writeln!(stdout, "| {:<44} | {:<20} | says | {:<20} | {:<12} | |", "wave", "check", "measured", "design")?;
        writeln!(stdout, "| --- | --- | --- | --- | --- | --- |")?;
        let cells = cells();
        for (index, cell) in cells.iter().enumerate() {
            progress(&format!("table {name}, cell {} of {}: {}", index + 1, cells.len(), cell.name()))?;
            let (lines, marked) = cell.lines(seed, waves);
            progress("")?;
            broken += marked;
            for line in lines {
                writeln!(stdout, "{line}")?;
            }
        }
        writeln!(io::stderr(), "table {name} done after {} s", begin.elapsed().as_secs())?;
    }
    writeln!(stdout, "\n{broken} figures are marked.")
}

/// Says on a terminal what is being simulated, over what it said before.
fn progress(what: &str) -> io::Result<()> {
    let mut stderr = io::stderr();
    if stderr.is_terminal() {
        write!(stderr, "\r\x1b[K{what}")?;
        stderr.flush()?;
    }
    Ok(())
}
