//! What is shown while the demo runs: on a terminal the verdicts with their numbers,
//! drawn over what stood there; elsewhere a line for each change.

use crate::cli::colour_of_stderr;
use crate::cli::complain;
use crate::report;
use crate::report::plain;
use crate::wire::Headline;
use std::io::IsTerminal as _;
use std::io::Write as _;
use std::time::Duration;

/// How long nothing is said of a wave that goes on as it was.
const QUIET: Duration = Duration::from_secs(5);

/// The screen, and what is on it.
pub(super) struct Display {
    terminal: bool,
    /// Lines that were drawn last and may be drawn over.
    drawn: usize,
    /// What was said last of each wave, and when.
    said: Vec<(String, Duration)>,
}

impl Display {
    pub(super) fn new() -> Self {
        Self { terminal: std::io::stderr().is_terminal(), drawn: 0, said: Vec::new() }
    }

    /// Shows the documents of all waves, `elapsed` after the demo began, of at most `limit`.
    pub(super) fn show(
        &mut self,
        documents: &[String],
        elapsed: Duration,
        limit: Duration,
    ) -> Result<(), serde_json::Error> {
        if !self.terminal {
            return self.tell(documents, elapsed);
        }
        let (elapsed, limit) = (elapsed.as_secs(), limit.as_secs());
        let mut page = format!("{elapsed} s of at most {limit} s\n\n");
        for document in documents {
            page.push_str(&report::progress(document, colour_of_stderr())?);
            page.push('\n');
        }
        self.draw(&page);
        Ok(())
    }

    /// Takes what was drawn off the terminal.
    pub(super) fn clear(&mut self) {
        if self.terminal {
            self.draw("");
        }
    }

    fn tell(&mut self, documents: &[String], elapsed: Duration) -> Result<(), serde_json::Error> {
        self.said.resize(documents.len(), (String::new(), elapsed));
        for (document, (said, at)) in documents.iter().zip(&mut self.said) {
            let head = Headline::read(document.as_bytes())?;
            let standing = format!("wave {}: {} {}", plain(&head.wave_id), plain(&head.verdict), plain(&head.state));
            if standing != *said || (!head.settled && *at + QUIET <= elapsed) {
                complain(&format!("{:>3} s  {standing}: {}", elapsed.as_secs(), plain(&head.summary)));
                (*said, *at) = (standing, elapsed);
            }
        }
        Ok(())
    }

    /// Draws `page` where the last one began, at once, and takes away what stood there only
    /// line by line: nothing flickers. A line longer than the terminal is cut: what is over
    /// falls on the last column, which is emptied.
    fn draw(&mut self, page: &str) {
        let up = if self.drawn > 0 { format!("\u{1b}[{}A", self.drawn) } else { String::new() };
        let lines = page.replace('\n', "\u{1b}[K\n");
        let mut output = anstream::stderr();
        let _ = output.write_all(format!("{up}\r\u{1b}[?7l{lines}\u{1b}[?7h\u{1b}[J").as_bytes());
        let _ = output.flush();
        self.drawn = page.lines().count();
    }
}
