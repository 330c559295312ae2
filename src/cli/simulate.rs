//! `wavegate simulate`: how often these rules are wrong, and how soon they are right, on
//! seeded traffic.

use crate::cli::EXIT_FINDINGS;
use crate::cli::EXIT_PASS;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::on_terminal;
use crate::cli::ordinary::Ordinary;
use crate::cli::print;
use crate::cli::show_simulation;
use crate::plan;
use crate::plan::MAX_WAVES;
use crate::plan::Progress;
use crate::plan::Simulation;
use crate::wire;
use std::num::NonZero;
use std::thread;
use std::time::Duration;
use tokio::time::Instant;

/// What is over sooner needs no progress.
const PATIENCE: Duration = Duration::from_secs(2);
/// Between two drawings of it.
const REDRAW: Duration = Duration::from_millis(200);
/// Characters of the bar.
const BAR: u32 = 24;

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    ordinary: Ordinary,
    /// Waves of each row: 500 tell 5 % from 7.5 %, four times as many half of that.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_WAVES)))]
    waves: u32,
    /// Another seed is other waves; the same one is the same output.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Good waves on harder days too: autocorrelation, shared incidents, bursts, offsets.
    #[arg(long)]
    stress: bool,
    /// For people or for machines.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let mut rules = arguments.ordinary.rule_file()?;
    arguments.ordinary.state(&mut rules.traffic)?;
    let changes = arguments.ordinary.changes(&rules)?;
    let Arguments { waves, seed, stress, .. } = *arguments;
    let simulation = Simulation { waves, seed, apart: true, stress, changes };
    let threads = thread::available_parallelism().unwrap_or(NonZero::<usize>::MIN);
    let mut bar = Bar::new();
    let report = plan::simulate(&rules, &simulation, threads, &mut |progress| bar.draw(progress));
    on_terminal("");
    let document = wire::simulation_document(&rules, &report);
    match arguments.format {
        Format::Text => show_simulation(&document)?,
        Format::Json => print(&format!("{document}\n")),
    }
    Ok(if report.is_kept() { EXIT_PASS } else { EXIT_FINDINGS })
}

/// A bar that is drawn over itself on a terminal, once it is worth it.
struct Bar {
    began: Instant,
    drawn: Option<Instant>,
}

impl Bar {
    fn new() -> Self {
        Self { began: Instant::now(), drawn: None }
    }

    fn draw(&mut self, Progress { done, of }: Progress) {
        let spent = self.began.elapsed();
        if spent < PATIENCE || self.drawn.is_some_and(|drawn| drawn.elapsed() < REDRAW) {
            return;
        }
        self.drawn = Some(Instant::now());
        on_terminal(&line(done, of, spent));
    }
}

/// How far it is, and how long it will take if it goes on like this.
fn line(done: u64, of: u64, spent: Duration) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a share of some million waves, for the eye")]
    let share = (done as f64 / of.max(1) as f64).clamp(0.0, 1.0);
    let full = (1..=BAR).filter(|step| f64::from(*step) <= share * f64::from(BAR)).count();
    let rest = (1..=BAR).count() - full;
    let left = if share > 0.0 { spent.mul_f64((1.0 - share) / share) } else { Duration::ZERO };
    let (minutes, seconds) = (left.as_secs() / 60, left.as_secs() % 60);
    let bar = format!("{}{}", "█".repeat(full), "░".repeat(rest));
    format!("{bar} {:>3.0} %  {done} of {of} waves, {minutes}:{seconds:02} to go", 100.0 * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_says_how_far_it_is_and_how_long_it_will_take() {
        let text = line(250, 1000, Duration::from_secs(30));
        assert_eq!(text, format!("{}{}  25 %  250 of 1000 waves, 1:30 to go", "█".repeat(6), "░".repeat(18)));
        assert!(line(0, 0, Duration::ZERO).contains("  0 %"));
        assert!(line(9, 9, Duration::from_secs(3)).contains("100 %  9 of 9 waves, 0:00"));
    }
}
