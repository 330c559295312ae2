//! Why a source gave no evidence, told apart by who can mend it.
//!
//! Each message says what was asked of which source, what came back, and what
//! to do. Nothing here holds a credential: URLs are cut to host and path, and
//! what a server wrote is cut to its first [`EXCERPT_CHARS`] characters without
//! the control characters that could forge a log line or move a terminal.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// How much of a query or of a server's words a message repeats: two lines of
/// a terminal, enough to recognise it.
pub const EXCERPT_CHARS: usize = 200;

/// A source that did not answer, or not usably.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The settings cannot be used; nothing was asked.
    #[error("source `{name}` cannot be used as configured: {problem}")]
    Settings {
        /// The source's name.
        name: String,
        /// Every fault found.
        problem: String,
        /// What the operating system or the TLS library said, where it was asked.
        #[source]
        cause: Option<Box<dyn std::error::Error + Send + Sync>>,
    },
    /// The rule file names a source that the configuration does not have.
    #[error("there is no source `{name}`; configured are: {known}")]
    NotConfigured {
        /// As the rule file has it; empty where it names none and there is not exactly one.
        name: String,
        /// What there is, comma separated.
        known: String,
    },
    /// As many probes as there may be are under way; nothing is requested.
    #[error("{limit} probes are under way, and that of {canary} is one more; it begins when another gate is final")]
    TooManyProbes {
        /// What would have been requested.
        canary: String,
        /// The most at a time.
        limit: usize,
    },
    /// What a look needs of an error budget has not been read, or cannot be.
    #[error("the error budget of `{slo}` {problem}")]
    Account {
        /// The SLO.
        slo: String,
        /// `is being read: 40 % of 32 days`
        problem: String,
    },
    /// A credential file could not be read, or not used; nothing was asked.
    #[error("source `{name}` cannot read its credential from {}; mount the file and let this process read it", path.display())]
    Credential {
        /// The source's name.
        name: String,
        /// The file of the settings.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A grid that no source can answer; nothing was asked.
    #[error("{asked} cannot be evaluated on this grid: {problem}")]
    Grid {
        /// What would have been asked.
        asked: Asked,
        /// What is wrong with the grid.
        problem: String,
    },
    /// No connection: name, network, refused, reset before an answer began.
    #[error("{asked} got no answer from {host}; is the address right and the server up?")]
    Unreachable {
        /// What was asked.
        asked: Asked,
        /// Scheme, host and path of the source.
        host: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// A connection that TLS refused: wrong CA, wrong name, no TLS there.
    #[error("{asked} could not agree on TLS with {host}; check its certificate and `ca_file`")]
    Tls {
        /// What was asked.
        asked: Asked,
        /// Scheme, host and path of the source.
        host: String,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// No complete answer within our own timeout.
    #[error("{asked} was not answered within {after:?}; narrow the query or raise `timeout` of the source")]
    TimedOut {
        /// What was asked.
        asked: Asked,
        /// How long one try waited.
        after: Duration,
    },
    /// The answer began and broke off, or its compression was corrupt.
    #[error("{asked} got an answer that broke off after {bytes} bytes")]
    Interrupted {
        /// What was asked.
        asked: Asked,
        /// Bytes of body that arrived, after decompression.
        bytes: usize,
        /// Why.
        #[source]
        cause: reqwest::Error,
    },
    /// 400: the source does not accept the query. The rule file's fault.
    #[error("{asked} was refused as a bad query: {message}; correct the query in the rule file")]
    Refused {
        /// What was asked.
        asked: Asked,
        /// In the source's words.
        message: String,
    },
    /// Beyond what a source without a Prometheus server evaluates. The rule file's fault, or the configuration's.
    #[error("{asked}: {problem}; use a source of kind prometheus, or a simpler query")]
    NeedsPrometheus {
        /// What was asked.
        asked: Asked,
        /// Which part of it is beyond.
        problem: String,
    },
    /// 401 or 403: who we are is not enough.
    #[error("{asked} was denied with {status}: {message}; check the credentials and the tenant header of the source")]
    Denied {
        /// What was asked.
        asked: Asked,
        /// 401 or 403.
        status: u16,
        /// In the source's words.
        message: String,
    },
    /// 404, or a redirect: no Prometheus API at this address.
    #[error("{asked} found no Prometheus API at {host} ({status}: {message}); check `url` and its path prefix")]
    NotFound {
        /// What was asked.
        asked: Asked,
        /// Scheme, host and path of the source.
        host: String,
        /// 404 or the status of the redirect.
        status: u16,
        /// In the source's words, or where it points.
        message: String,
    },
    /// 413 or 422: the query was understood and could not be executed.
    #[error("{asked} could not be executed ({status}): {message}; ask for fewer series or a shorter range")]
    Execution {
        /// What was asked.
        asked: Asked,
        /// 413 or 422.
        status: u16,
        /// In the source's words.
        message: String,
    },
    /// 429: too many questions.
    #[error("{asked} was put off with 429: {message}; lower `max_concurrent` or raise the source's limit")]
    Busy {
        /// What was asked.
        asked: Asked,
        /// In the source's words.
        message: String,
        /// When the source wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// 499, 503 or 504: the source, or what stands before it, gave up.
    #[error("{asked} was given up by the source ({status}): {message}")]
    GaveUp {
        /// What was asked.
        asked: Asked,
        /// 499, 503 or 504.
        status: u16,
        /// In the source's words.
        message: String,
        /// When the source wants to be asked again.
        retry_after: Option<Duration>,
    },
    /// Any other status: the source failed.
    #[error("{asked} failed in the source ({status}): {message}; its own log says more")]
    Failed {
        /// What was asked.
        asked: Asked,
        /// The HTTP status.
        status: u16,
        /// In the source's words.
        message: String,
    },
    /// A success that is not JSON: a login page, a load balancer, another server.
    #[error(
        "{asked} was answered by something that is not Prometheus ({status}, {content_type}): {excerpt}; check `url` and what stands before it"
    )]
    NotJson {
        /// What was asked.
        asked: Asked,
        /// The HTTP status.
        status: u16,
        /// As the header has it.
        content_type: String,
        /// How the body begins.
        excerpt: String,
    },
    /// More than a limit of the settings allows.
    #[error("{asked} was answered with {excess}; narrow the query or raise the limit of the source")]
    TooLarge {
        /// What was asked.
        asked: Asked,
        /// Which limit.
        excess: Excess,
    },
    /// JSON, but not the shape that the API promises.
    #[error("{asked} was answered with JSON that is not the Prometheus API's")]
    Malformed {
        /// What was asked.
        asked: Asked,
        /// Where and why.
        #[source]
        cause: serde_json::Error,
    },
    /// Two answers where there can be only one, or points that were not asked for.
    #[error("{asked} was answered inconsistently: {problem}")]
    Inconsistent {
        /// What was asked.
        asked: Asked,
        /// What does not fit.
        problem: String,
    },
}

impl Error {
    /// Whether the same question may well be answered in a moment. Never true for
    /// what a person must mend: the query, the credentials, the address.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::TooManyProbes { .. }
            | Self::Account { .. }
            | Self::Unreachable { .. }
            | Self::TimedOut { .. }
            | Self::Interrupted { .. }
            | Self::Busy { .. }
            | Self::GaveUp { .. }
            | Self::NotJson { .. } => true,
            Self::Failed { status, .. } => *status >= 500,
            // A body that ends too early was cut by something on the way.
            Self::Malformed { cause, .. } => cause.is_eof(),
            Self::NotConfigured { .. }
            | Self::Settings { .. }
            | Self::Credential { .. }
            | Self::Grid { .. }
            | Self::Tls { .. }
            | Self::Refused { .. }
            | Self::NeedsPrometheus { .. }
            | Self::Denied { .. }
            | Self::NotFound { .. }
            | Self::Execution { .. }
            | Self::TooLarge { .. }
            | Self::Inconsistent { .. } => false,
        }
    }

    /// The message with those of its causes, as one line for a person.
    pub fn in_full(&self) -> String {
        let mut text = self.to_string();
        let mut cause = std::error::Error::source(self);
        while let Some(inner) = cause {
            text.push_str(": ");
            text.push_str(&excerpt(&inner.to_string()));
            cause = inner.source();
        }
        text
    }

    /// A stable name for logs and metrics, out of a bounded set.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotConfigured { .. } => "not_configured",
            Self::Settings { .. } => "settings",
            Self::TooManyProbes { .. } => "too_many_probes",
            Self::Account { .. } => "account",
            Self::Credential { .. } => "credential",
            Self::Grid { .. } => "grid",
            Self::Unreachable { .. } => "unreachable",
            Self::Tls { .. } => "tls",
            Self::TimedOut { .. } => "timed_out",
            Self::Interrupted { .. } => "interrupted",
            Self::Refused { .. } => "refused",
            Self::NeedsPrometheus { .. } => "needs_prometheus",
            Self::Denied { .. } => "denied",
            Self::NotFound { .. } => "not_found",
            Self::Execution { .. } => "execution",
            Self::Busy { .. } => "busy",
            Self::GaveUp { .. } => "gave_up",
            Self::Failed { .. } => "failed",
            Self::NotJson { .. } => "not_json",
            Self::TooLarge { .. } => "too_large",
            Self::Malformed { .. } => "malformed",
            Self::Inconsistent { .. } => "inconsistent",
        }
    }
}

/// What was asked of whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The source's name.
    pub source: String,
    /// The PromQL, as sent.
    pub query: String,
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of source `{}`", excerpt(&self.query), self.source)
    }
}

/// A limit that an answer was above.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// Bytes of the body, after decompression.
    Bytes(usize),
    /// Series.
    Series(usize),
    /// Samples over all series.
    Samples(usize),
    /// Labels of one series.
    Labels(usize),
    /// Bytes of one label's name or value.
    LabelBytes(usize),
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bytes(limit) => write!(f, "more than {limit} bytes"),
            Self::Series(limit) => write!(f, "more than {limit} series"),
            Self::Samples(limit) => write!(f, "more than {limit} samples"),
            Self::Labels(limit) => write!(f, "a series of more than {limit} labels"),
            Self::LabelBytes(limit) => write!(f, "a label of more than {limit} bytes"),
        }
    }
}

/// The first [`EXCERPT_CHARS`] characters of `text`, with runs of white space and
/// control characters as one space; `…` where something was left out.
pub(super) fn excerpt(text: &str) -> String {
    shortened(text, EXCERPT_CHARS)
}

/// As [`excerpt`], of `limit` characters.
pub(super) fn shortened(text: &str, limit: usize) -> String {
    let mut short = String::new();
    let mut chars = 0;
    let visible = |c: char| !c.is_whitespace() && !c.is_control() && !is_directional(c);
    for word in text.split(|c| !visible(c)).filter(|word| !word.is_empty()) {
        let gap = if short.is_empty() { "" } else { " " };
        for c in gap.chars().chain(word.chars()) {
            if chars == limit {
                short.push('…');
                return short;
            }
            short.push(c);
            chars += 1;
        }
    }
    short
}

/// The characters that reorder what a terminal shows after them.
fn is_directional(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        assert_eq!(shortened(text, 8), expect);
    }

    #[test]
    fn excerpts_are_one_short_line() {
        check("", "");
        check("short", "short");
        check("12345678", "12345678");
        check("123456789", "12345678…");
        check("a\r\n\tb", "a b");
        check("\u{1b}[31mred", "[31mred");
        check("a\u{202e}b", "a b");
        check("éééééééééé", "éééééééé…");
        check("   padded   ", "padded");
    }
}
