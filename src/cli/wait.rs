//! `wavegate wait`: blocks until a wave is settled; the exit code is the verdict.
//!
//! The daemon holds each question back until there is news. Whatever may pass by
//! itself, a daemon that restarts or is busy, is waited for like the verdict; what
//! will not, such as a wave that does not exist, ends the command at once.

use crate::cli::EXIT_FAIL;
use crate::cli::EXIT_PASS;
use crate::cli::EXIT_PAUSE;
use crate::cli::EXIT_TIMED_OUT;
use crate::cli::EXIT_UNREACHABLE;
use crate::cli::Failure;
use crate::cli::Format;
use crate::cli::client;
use crate::cli::client::Answer;
use crate::cli::client::Call;
use crate::cli::client::Client;
use crate::cli::client::Connection;
use crate::cli::client::Trouble;
use crate::cli::complain;
use crate::cli::on_terminal;
use crate::cli::runtime;
use crate::cli::show_report;
use crate::cli::unexpected;
use crate::report::plain;
use crate::wire::Headline;
use anyhow::Context as _;
use anyhow::anyhow;
use std::io::IsTerminal as _;
use std::time::Duration;
use tokio::time::Instant;

/// How long the daemon holds one question back: half of what it would, so that
/// proxies with a shorter temper do not cut it off.
const WAIT: Duration = Duration::from_secs(30);
/// A daemon, or a proxy before it, that holds nothing back is asked so often.
const AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// Shortest and longest pause where nobody answers.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(10));
/// A gate lives for 30 days at most.
const MAX_TIMEOUT: Duration = Duration::from_hours(30 * 24);

#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// The wave id.
    #[arg(value_name = "WAVE")]
    wave: String,
    /// One gate of it; without it the whole wave.
    #[arg(long, value_name = "NAME")]
    rules: Option<String>,
    /// How long to wait, such as 90s, 30m or 2h.
    #[arg(long, value_name = "TIME", default_value = "30m", value_parser = timeout)]
    timeout: Duration,
    /// For people, or the document of the API.
    #[arg(long, value_enum, default_value = "text")]
    format: Format,
    #[command(flatten)]
    connection: Connection,
}

pub(super) fn run(arguments: &Arguments) -> Result<u8, Failure> {
    let client = Client::new(&arguments.connection)?;
    let call = Call::get(&client::path(&arguments.wave, arguments.rules.as_deref(), "verdict")?);
    let mut waiting = Waiting::new(&arguments.wave);
    let ended = runtime()?.block_on(waiting.until_settled(&client, &call, arguments.timeout));
    on_terminal("");
    let settled = ended?;
    if let Some(document) = &waiting.document {
        show_report(document, arguments.format)?;
    }
    Ok(match settled {
        Some(verdict) => verdict,
        None if waiting.silence.is_some() => {
            complain(&format!("error: {}", waiting.last_line));
            EXIT_UNREACHABLE
        }
        None => {
            complain(&format!("error: not settled within {:?}", arguments.timeout));
            EXIT_TIMED_OUT
        }
    })
}

fn timeout(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok().and_then(|time| Duration::try_from(time).ok());
    let fits = parsed.filter(|time| !time.is_zero() && *time <= MAX_TIMEOUT);
    fits.ok_or_else(|| "must be a time up to 30 days, such as 90s, 30m or 2h".to_owned())
}

/// What is known so far, and what was said of it.
struct Waiting {
    wave: String,
    begun: Instant,
    /// The last document, and its tag.
    document: Option<String>,
    tag: Option<String>,
    /// The pause before the next try, while nobody answers.
    silence: Option<Duration>,
    /// What was said last.
    last_line: String,
    terminal: bool,
}

impl Waiting {
    fn new(wave: &str) -> Self {
        Self {
            wave: plain(wave),
            begun: Instant::now(),
            document: None,
            tag: None,
            silence: None,
            last_line: "nothing heard yet".to_owned(),
            terminal: std::io::stderr().is_terminal(),
        }
    }

    /// The exit code of the verdict, or `None` when the time is over.
    async fn until_settled(&mut self, client: &Client, call: &Call, timeout: Duration) -> Result<Option<u8>, Failure> {
        let end = self.begun + timeout;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            let call = match &self.tag {
                Some(tag) => call.clone().unless(tag.clone(), WAIT.min(left)),
                None => call.clone(),
            };
            let asked = Instant::now();
            let Some(answer) = self.shown(tokio::time::timeout_at(end, client.once(&call))).await else {
                // Cut off by our own clock: silence only where there was never an answer.
                if self.document.is_none() && self.silence.is_none() {
                    self.silent(&anyhow!("no answer from {}", client.server()));
                }
                return Ok(None);
            };
            let pause = match answer {
                Ok(answer) => {
                    self.silence = None;
                    if let Some(verdict) = self.heard(answer)? {
                        return Ok(Some(verdict));
                    }
                    AT_MOST_EVERY.saturating_sub(asked.elapsed())
                }
                Err(Trouble::Unreachable(error)) => self.silent(&error),
                Err(Trouble::Busy { after, error, .. }) => self.silent(&error).max(after),
                Err(trouble @ (Trouble::Refused(_) | Trouble::Unexpected(_))) => return Err(trouble.into()),
            };
            let _ = self.shown(tokio::time::timeout_at(end, tokio::time::sleep(pause))).await;
        }
    }

    /// Takes an answer; gives the exit code where it settles the matter.
    fn heard(&mut self, answer: Answer) -> Result<Option<u8>, Failure> {
        if answer.unchanged {
            return Ok(None);
        }
        let head = Headline::read(answer.body.as_bytes()).context("an answer that is no verdict");
        let head = head.map_err(unexpected)?;
        let verdict = head.settled.then_some(match &*head.verdict {
            "pass" => EXIT_PASS,
            "fail" => EXIT_FAIL,
            _ => EXIT_PAUSE,
        });
        let line = format!("{} {}: {}", plain(&head.verdict), plain(&head.state), plain(&head.summary));
        // What is settled is shown in full.
        if verdict.is_none() {
            self.say(line);
        }
        self.tag = answer.tag;
        self.document = Some(answer.body);
        Ok(verdict)
    }

    /// Notes that nobody answers, and gives the pause before the next try.
    fn silent(&mut self, error: &anyhow::Error) -> Duration {
        let pause = self.silence.map_or(RETRY.0, |last| (last * 2).min(RETRY.1));
        self.silence = Some(pause);
        self.say(format!("{error:#}"));
        pause
    }

    fn say(&mut self, line: String) {
        if line != self.last_line && !self.terminal {
            complain(&line);
        }
        self.last_line = line;
    }

    /// Waits for `work`, with the progress line on a terminal meanwhile; `None` when the time is over.
    async fn shown<T>(&self, work: impl Future<Output = Result<T, tokio::time::error::Elapsed>>) -> Option<T> {
        let mut work = std::pin::pin!(work);
        loop {
            if self.terminal {
                let waited =
                    jiff::SignedDuration::from_secs(i64::try_from(self.begun.elapsed().as_secs()).unwrap_or(0));
                let first = self.last_line.lines().next().unwrap_or_default();
                on_terminal(&format!("{waited:#}  wave {}  {first}", self.wave));
            }
            tokio::select! {
                done = &mut work => return done.ok(),
                () = tokio::time::sleep(Duration::from_secs(1)), if self.terminal => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<Duration>) {
        assert_eq!(timeout(text).ok(), expect, "{text}");
    }

    #[test]
    fn a_timeout_is_a_time_and_has_an_end() {
        check("30m", Some(Duration::from_mins(30)));
        check("90s", Some(Duration::from_secs(90)));
        check("1h30m", Some(Duration::from_mins(90)));
        check("0s", None);
        check("-5m", None);
        check("30", None);
        check("soon", None);
        check("721h", None);
        check("9999999999999h", None);
    }
}
