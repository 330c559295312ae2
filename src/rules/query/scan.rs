//! The text of a query before the parser sees it.
//!
//! promql-parser 0.11.1 names no place in the text when it refuses, panics on a
//! range of `1e30` seconds and on `offset inf`, reads `[99999999999m5s]` as five
//! seconds, and refuses `\d` between backticks. So the tokens are looked at here
//! first: what is wrong is said with its place, sizes are bounded, and `$interval`,
//! which is not PromQL, becomes a duration that nobody wrote.

use crate::rules::nearest::nearest;
use crate::rules::query::fault::QueryFault;
use crate::rules::query::pattern;
use crate::rules::query::write;
use crate::rules::units;
use std::ops::Range;
use std::time::Duration;

/// Longest query: one screen of PromQL is under 4 KiB.
const MAX_BYTES: usize = 16 * 1024;

/// Most tokens: every walk of the tree recurses no deeper than this.
const MAX_TOKENS: usize = 500;

/// Longest range, offset or step: more is outside any source's retention of raw samples.
const MAX_RANGE: Duration = Duration::from_hours(366 * 24);

/// Where `$interval` begins to look for a duration that the query does not hold.
const PLACEHOLDER_MS: u64 = 900_000_007;

/// A query that the parser may see.
pub(super) struct Scanned {
    /// For the parser: `$interval` replaced, comments gone, backticks quoted.
    pub(super) text: String,
    /// What stands for `$interval`; no other duration of the query is equal to it.
    pub(super) placeholder: Duration,
    /// How often `$interval` stands in the query.
    pub(super) intervals: usize,
    /// Names of functions and metrics, and where they stand.
    words: Vec<(String, Range<usize>)>,
}

/// Scans a whole query; each of `params` may stand in the value of a label.
pub(super) fn query(text: &str, params: &[String]) -> Result<Scanned, Vec<QueryFault>> {
    Scanner::new(text, false, params).run()
}

/// Scans a whole query whose variables are in place: in a label's value `$interval`
/// is text like any other.
pub(super) fn bound(text: &str) -> Result<Scanned, Vec<QueryFault>> {
    Scanner { is_bound: true, ..Scanner::new(text, false, &[]) }.run()
}

/// Scans what stands between the braces of a selector; `$wave`, `$baseline` and each of
/// `params` may stand in it.
pub(super) fn matchers(text: &str, params: &[String]) -> Result<Scanned, Vec<QueryFault>> {
    Scanner::new(text, true, params).run()
}

/// The name that `text` begins with; empty where it begins with none.
pub(super) fn name_at(text: &str) -> &str {
    let begins = text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len());
    if begins { &text[..end] } else { "" }
}

impl Scanned {
    /// Where the first `word` stands.
    pub(super) fn place_of(&self, word: &str) -> Option<Range<usize>> {
        self.words.iter().find(|(other, _)| other == word).map(|(_, at)| at.clone())
    }

    /// The parser's refusal, with the place of the function where it names one.
    pub(super) fn refusal(&self, message: &str) -> QueryFault {
        let instant = message.strip_prefix("expected type matrix in call to function '");
        if let Some((name, _)) = instant.and_then(|rest| rest.split_once('\'')) {
            let at = self.place_of(name).unwrap_or(0..0);
            let message = format!("`{name}` reads samples over a time, and it is given one value");
            let help = "write a range inside, and `sum` outside: `sum(increase(requests_total[$interval]))`";
            return QueryFault::new("needs_range", at, message, help);
        }
        let named = message.strip_prefix("unknown function with name '").and_then(|rest| rest.strip_suffix('\''));
        let place = named.and_then(|name| Some((name, self.place_of(name)?)));
        match place {
            Some((name, at)) => QueryFault::new(
                "unknown_function",
                at,
                format!("`{name}` is not a function of PromQL"),
                "see the functions of Prometheus: https://prometheus.io/docs/prometheus/latest/querying/functions/",
            ),
            None if message == "invalid promql query" => {
                QueryFault::whole("not_promql", "this is not PromQL", "try the query in Prometheus' own page first")
            }
            None => QueryFault::whole("not_promql", &format!("this is not PromQL: {message}"), "mend the query"),
        }
    }
}

struct Scanner<'a> {
    text: &'a str,
    /// The whole text stands in braces that are not part of it.
    in_matchers: bool,
    /// Variables that a wave may set.
    params: &'a [String],
    /// Values of labels are what they are, and hold no variables.
    is_bound: bool,
    at: usize,
    out: String,
    /// Places in `out` where the placeholder goes.
    holes: Vec<usize>,
    open: Vec<(char, usize)>,
    tokens: Vec<(Token, Range<usize>)>,
    durations: Vec<Duration>,
    faults: Vec<QueryFault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token {
    Word,
    Number,
    Text,
    Interval,
    Sign(char),
}

impl<'a> Scanner<'a> {
    fn new(text: &'a str, in_matchers: bool, params: &'a [String]) -> Self {
        Self {
            text,
            in_matchers,
            params,
            is_bound: false,
            at: 0,
            out: String::with_capacity(text.len()),
            holes: Vec::new(),
            open: Vec::new(),
            tokens: Vec::new(),
            durations: Vec::new(),
            faults: Vec::new(),
        }
    }

    fn run(mut self) -> Result<Scanned, Vec<QueryFault>> {
        if self.text.len() > MAX_BYTES {
            let message = format!("the query has {} bytes, the limit is {MAX_BYTES}", self.text.len());
            return Err(vec![QueryFault::whole("query_too_long", &message, "make it a recording rule")]);
        }
        while let Some(next) = self.rest().chars().next() {
            self.token(next);
            if self.tokens.len() > MAX_TOKENS {
                let message = format!("the query has more than {MAX_TOKENS} tokens");
                return Err(vec![QueryFault::whole("query_too_long", &message, "make it a recording rule")]);
            }
        }
        for (bracket, at) in std::mem::take(&mut self.open) {
            self.fault("unbalanced", at..at + 1, format!("this `{bracket}` is never closed"), "close it");
        }
        if self.tokens.is_empty() && self.faults.is_empty() {
            self.fault("empty_query", 0..0, "there is no query".to_owned(), "write one");
        }
        if self.faults.is_empty() { Ok(self.finish()) } else { Err(self.faults) }
    }

    fn finish(self) -> Scanned {
        let free = |ms: &u64| !self.durations.contains(&Duration::from_millis(*ms));
        // As many candidates as there can be durations, and one more: one is free.
        let candidates = PLACEHOLDER_MS..=PLACEHOLDER_MS + self.durations.len() as u64;
        let placeholder = candidates.clone().find(free).unwrap_or(*candidates.end());
        let mut text = self.out;
        for hole in self.holes.iter().rev() {
            text.insert_str(*hole, &format!("{placeholder}ms"));
        }
        let words = self.tokens.iter().filter(|(token, _)| *token == Token::Word);
        let words = words.map(|(_, at)| (self.text[at.clone()].to_owned(), at.clone())).collect();
        Scanned { text, placeholder: Duration::from_millis(placeholder), intervals: self.holes.len(), words }
    }

    fn token(&mut self, next: char) {
        match next {
            c if c.is_ascii_whitespace() => self.take(Self::span(self.rest(), |c| c.is_ascii_whitespace())),
            '#' => {
                self.at += Self::span(self.rest(), |c| c != '\n' && c != '\r');
                self.out.push(' ');
            }
            '"' | '\'' | '`' => self.string(next),
            '$' => self.variable(),
            c if c.is_ascii_digit() => self.number(),
            '.' if self.rest()[1..].starts_with(|c: char| c.is_ascii_digit()) => self.number(),
            c if c.is_ascii_alphabetic() || c == '_' || c == ':' && self.takes_colons() => self.word(),
            '(' | '[' | '{' if !self.in_matchers => self.opening(next),
            ')' | ']' | '}' if !self.in_matchers => self.closing(next),
            '+' | '-' | '*' | '/' | '%' | '^' | '=' | '!' | '<' | '>' | '~' | ',' | '@' | ':' => self.sign(next),
            other => {
                let at = self.at..self.at + other.len_utf8();
                let message = format!("`{}` has no meaning in PromQL", other.escape_default());
                self.fault("unexpected_character", at, message, "take it out, or put text in quotes");
                self.at += other.len_utf8();
            }
        }
    }

    /// A quoted text. Between backticks there are no escapes.
    fn string(&mut self, quote: char) {
        let begin = self.at;
        let mut escaped = false;
        let end = self.rest()[1..].char_indices().find_map(|(i, c)| {
            let closes = c == quote && !escaped;
            escaped = c == '\\' && quote != '`' && !escaped;
            closes.then_some(begin + 1 + i)
        });
        let Some(end) = end else {
            let message = format!("the text that begins with this {quote} never ends");
            self.fault("unbalanced", begin..begin + 1, message, "close the quotes");
            self.at = self.text.len();
            return;
        };
        let inside = &self.text[begin + 1..end];
        if quote != '`'
            && let Some(escape) = pattern::foreign_escape(inside)
        {
            let at = begin + 1 + escape.start..begin + 1 + escape.end;
            self.fault("not_promql", at, "this escape has no meaning in PromQL".to_owned(), "take the `\\` out");
            self.at = end + 1;
            return;
        }
        if !self.is_bound && (self.in_matchers || self.within('{')) {
            self.variables_in(begin + 1, inside);
        }
        if self.follows("=~") || self.follows("!~") {
            self.faults.extend(pattern::fault(&self.text[begin..=end], begin..end + 1));
        }
        if quote == '`' {
            write::quoted(&mut self.out, inside);
        } else {
            self.out.push_str(&self.text[begin..=end]);
        }
        self.at = end + 1;
        self.tokens.push((Token::Text, begin..self.at));
    }

    /// The variables in a text between braces. A `$` before anything but a name is an
    /// anchor. A name of a label, or of a metric, in quotes holds none.
    fn variables_in(&mut self, begin: usize, inside: &str) {
        let is_value = matches!(self.tokens.last(), Some((Token::Sign('=' | '~'), _)));
        for (i, _) in inside.match_indices('$') {
            let rest = &inside[i + 1..];
            let braced = rest.strip_prefix('{').map(name_at).filter(|name| !name.is_empty());
            let name = braced.unwrap_or_else(|| name_at(rest));
            let is_known = is_value && braced.is_none() && self.variables().any(|known| known == name);
            if name.is_empty() || is_known {
                continue;
            }
            let width = 1 + name.len() + if braced.is_some() { 2 } else { 0 };
            let at = begin + i..(begin + i + width).min(begin + inside.len());
            self.unknown_variable(name, at);
        }
    }

    /// A `$` outside of quotes: `$interval`, in brackets.
    fn variable(&mut self) {
        let begin = self.at;
        let name = name_at(&self.rest()[1..]);
        self.at += 1 + name.len();
        let at = begin..self.at;
        if name != "interval" {
            self.unknown_variable(name, at);
        } else if !self.within('[') {
            let message = "`$interval` stands only in brackets".to_owned();
            self.fault("misplaced_variable", at, message, "write it as a range: `rate(requests_total[$interval])`");
        } else {
            self.holes.push(self.out.len());
            self.tokens.push((Token::Interval, at));
        }
    }

    /// What may stand in the value of a label here.
    fn variables(&self) -> impl Iterator<Item = &'a str> {
        let cohort: &[&str] = if self.in_matchers { &["wave", "baseline"] } else { &[] };
        cohort.iter().copied().chain(self.params.iter().map(String::as_str))
    }

    fn unknown_variable(&mut self, name: &str, at: Range<usize>) {
        let known: Vec<&str> = self.variables().collect();
        let help = match name {
            _ if known.contains(&name) && self.text[at.start..].starts_with("${") => {
                format!("write `${name}`, without braces")
            }
            _ if known.contains(&name) => "a variable stands for the value of a label: 'region=\"$region\"'".to_owned(),
            "wave" | "baseline" => {
                "the cohort matchers are added to every selector by themselves; other ones go into the check's `match`"
                    .to_owned()
            }
            _ => match nearest(name, &known) {
                Some(near) => format!("did you mean `${near}`?"),
                None if self.in_matchers && self.params.is_empty() => {
                    "in cohort matchers there are `$wave` and `$baseline`".to_owned()
                }
                None if self.params.is_empty() => {
                    "in a query there is `$interval`, in brackets; `$wave` and `$baseline` are for cohort matchers"
                        .to_owned()
                }
                None => format!("a wave can set what `params` declares: add `{name}` there"),
            },
        };
        self.fault("unknown_variable", at, format!("there is no variable `${name}` here"), &help);
    }

    /// A number or a duration.
    fn number(&mut self) {
        let begin = self.at;
        let rest = self.rest();
        let hex = rest.starts_with("0x") || rest.starts_with("0X");
        let mut last = ' ';
        let width = Self::span(rest, |c| {
            let exponent_sign = matches!(c, '+' | '-') && matches!(last, 'e' | 'E') && !hex;
            last = c;
            c.is_ascii_alphanumeric() || c == '.' || exponent_sign
        });
        let text = &rest[..width];
        let at = begin..begin + width;
        let is_span = self.within('[') || self.after_offset();
        let has_unit = !hex && text.ends_with(|c: char| c.is_ascii_alphabetic());
        if is_span || has_unit {
            let octal = text.len() > 1 && text.starts_with('0') && text.bytes().all(|b| b.is_ascii_digit());
            let seconds = text.parse::<f64>().ok().filter(|_| !octal).and_then(|s| Duration::try_from_secs_f64(s).ok());
            match seconds.or_else(|| units::duration(text)) {
                Some(span) if !is_span || span >= Duration::from_millis(1) && span <= MAX_RANGE => {
                    self.durations.push(span);
                }
                Some(_) => {
                    let message = format!("`{text}` is not between 1 ms and 366 days");
                    self.fault("bad_duration", at.clone(), message, "write a range like `5m`");
                }
                None => {
                    let message = format!("`{text}` is not a duration");
                    self.fault("bad_duration", at.clone(), message, "write one like `15s`, `5m` or `1h30m`");
                }
            }
        }
        self.take(width);
        self.tokens.push((Token::Number, at));
    }

    fn word(&mut self) {
        let begin = self.at;
        let colons = self.takes_colons();
        let in_braces = self.in_matchers || self.within('{');
        let width = Self::span(self.rest(), |c| c.is_ascii_alphanumeric() || c == '_' || c == ':' && colons);
        let word = &self.rest()[..width];
        let at = begin..begin + width;
        let next = self.text[at.end..].trim_start();
        let after_at = matches!(self.tokens.last(), Some((Token::Sign('@'), _)));
        match word.to_ascii_lowercase().as_str() {
            "start" | "end" if after_at => {
                let message = format!("`@ {word}()` depends on when the query runs");
                self.fault("not_repeatable", at.clone(), message, "a look reads fixed windows: leave `@` away");
            }
            "inf" | "nan" if self.after_offset() => {
                let message = format!("`{word}` is not a duration");
                self.fault("bad_duration", at.clone(), message, "write one like `15s`, `5m` or `1h30m`");
            }
            "or" if in_braces && !next.starts_with(['=', '!']) => {
                let message = "`or` between matchers is not PromQL".to_owned();
                let help = "write one regular expression, or two selectors with `or` between them";
                self.fault("not_promql", at.clone(), message, help);
            }
            "info" if !in_braces && next.starts_with('(') => {
                let message = "`info` joins series that carry no cohort".to_owned();
                self.fault("unsupported_function", at.clone(), message, "join with `* on (…) group_left` instead");
            }
            _ => {}
        }
        self.take(width);
        self.tokens.push((Token::Word, at));
    }

    fn sign(&mut self, sign: char) {
        if sign == '-' && self.after_offset() {
            let at = self.at..self.at + 1;
            let message = "a negative offset reads samples from after the look".to_owned();
            self.fault("not_repeatable", at, message, "leave the offset away");
        }
        let at = self.at..self.at + 1;
        self.take(1);
        self.tokens.push((Token::Sign(sign), at));
    }

    fn opening(&mut self, bracket: char) {
        self.open.push((bracket, self.at));
        self.sign(bracket);
    }

    fn closing(&mut self, bracket: char) {
        let partner = match bracket {
            ')' => '(',
            ']' => '[',
            _ => '{',
        };
        if self.within(partner) {
            self.open.pop();
        } else {
            let at = self.at..self.at + 1;
            self.fault("unbalanced", at, format!("this `{bracket}` closes nothing"), "open it, or take it out");
        }
        self.sign(bracket);
    }

    /// Whether a name may hold colons here: a metric's may, a label's may not.
    fn takes_colons(&self) -> bool {
        !self.in_matchers && !self.within('{') && !self.within('[')
    }

    /// Whether the innermost open bracket is `bracket`.
    fn within(&self, bracket: char) -> bool {
        self.open.last().is_some_and(|(open, _)| *open == bracket)
    }

    /// Whether the two signs of `operator` stand right before.
    fn follows(&self, operator: &str) -> bool {
        let before = self.tokens.iter().rev().map(|(token, _)| *token);
        before.take(2).eq(operator.chars().rev().map(Token::Sign))
    }

    /// Whether `offset`, perhaps with a plus, stands right before.
    fn after_offset(&self) -> bool {
        let mut before = self.tokens.iter().rev().skip_while(|(token, _)| *token == Token::Sign('+'));
        let Some((Token::Word, at)) = before.next() else { return false };
        let is_name = matches!(before.next(), None | Some((Token::Sign('{' | ','), _)));
        self.text[at.clone()].eq_ignore_ascii_case("offset") && !is_name
    }

    fn fault(&mut self, code: &'static str, at: Range<usize>, message: String, help: &str) {
        // Of what is no PromQL at all, the first character says enough.
        if code == "unexpected_character" && self.faults.iter().any(|fault| fault.code == code) {
            return;
        }
        self.faults.push(QueryFault::new(code, at, message, help));
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// Copies the next `width` bytes.
    fn take(&mut self, width: usize) {
        self.out.push_str(&self.text[self.at..self.at + width]);
        self.at += width;
    }

    fn span(text: &str, belongs: impl FnMut(char) -> bool) -> usize {
        let mut belongs = belongs;
        text.find(|c: char| !belongs(c)).unwrap_or(text.len())
    }
}
