//! One line with a sample in it, from left to right, no step back.

use crate::series::Timestamp;
use crate::series::exposition::Cause;
use crate::series::exposition::Exposed;
use crate::series::exposition::Format;
use crate::series::exposition::Limits;
use std::borrow::Cow;

/// The instants that we can write, years 1 to 9999, in milliseconds.
const MILLIS: std::ops::RangeInclusive<i64> = -62_135_596_800_000..=253_402_300_799_999;

/// Where reading stopped, in bytes from 0, and why.
type Stop = (usize, Cause);

/// Whether `byte` may stand between tokens.
pub(super) fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// Reads the sample of `line`, which has no line feed, into `sample`.
pub(super) fn read<'a>(line: &'a [u8], format: Format, limits: &Limits, sample: &mut Exposed<'a>) -> Result<(), Stop> {
    let text = std::str::from_utf8(line).map_err(|error| (error.valid_up_to(), Cause::NotUtf8))?;
    let mut cursor = Cursor { text, at: 0, label_bytes: limits.label_bytes };
    sample.labels.clear();
    cursor.skip_blanks();
    let name = cursor.bare(true)?;
    sample.name = Cow::Borrowed(name);
    let apart = cursor.peek().is_none_or(is_blank);
    cursor.skip_blanks();
    let braced = cursor.takes(b'{');
    if braced {
        labels(&mut cursor, limits, sample)?;
        cursor.skip_blanks();
    }
    // `http.500 7` is no metric `http` of .500 at the instant 7.
    if sample.name.is_empty() || !(braced || apart) {
        return Err((cursor.at, Cause::NoName));
    }
    sample.value = value(&mut cursor)?;
    sample.at = None;
    if !is_over(&mut cursor, format)? {
        sample.at = Some(timestamp(&mut cursor, format)?);
        if !is_over(&mut cursor, format)? {
            return Err((cursor.at, Cause::Trailing));
        }
    }
    Ok(())
}

/// What follows `{`, up to and with `}`.
fn labels<'a>(cursor: &mut Cursor<'a>, limits: &Limits, sample: &mut Exposed<'a>) -> Result<(), Stop> {
    loop {
        cursor.skip_blanks();
        if cursor.takes(b'}') {
            return Ok(());
        }
        let begin = cursor.at;
        let quoted = cursor.peek() == Some(b'"');
        let name = if quoted { cursor.quoted()? } else { Cow::Borrowed(cursor.bare(false)?) };
        if name.is_empty() {
            return Err((begin, Cause::NoLabelName));
        }
        cursor.skip_blanks();
        if cursor.takes(b'=') {
            cursor.skip_blanks();
            if cursor.peek() != Some(b'"') {
                return Err((cursor.at, Cause::NoQuote));
            }
            let value = cursor.quoted()?;
            if name == "__name__" || sample.labels.iter().any(|(other, _)| *other == name) {
                return Err((begin, Cause::LabelTwice));
            }
            if sample.labels.len() >= limits.labels {
                return Err((begin, Cause::TooManyLabels));
            }
            if !value.is_empty() {
                sample.labels.push((name, value));
            }
            cursor.skip_blanks();
        } else if !quoted || !matches!(cursor.peek(), Some(b',' | b'}')) {
            return Err((cursor.at, Cause::NoEquals));
        } else if sample.name.is_empty() {
            // A quoted text without a value is the metric's name.
            sample.name = name;
        } else {
            return Err((begin, Cause::NameTwice));
        }
        if !cursor.takes(b',') && cursor.peek() != Some(b'}') {
            return Err((cursor.at, Cause::NoComma));
        }
    }
}

fn value(cursor: &mut Cursor<'_>) -> Result<f64, Stop> {
    let begin = cursor.at;
    let word = cursor.word();
    if word.is_empty() {
        return Err((begin, Cause::NoValue));
    }
    word.parse().map_err(|_| (begin, Cause::BadValue))
}

fn timestamp(cursor: &mut Cursor<'_>, format: Format) -> Result<Timestamp, Stop> {
    let begin = cursor.at;
    let word = cursor.word();
    let millis = match format {
        Format::Text => word.parse::<i64>().ok(),
        Format::OpenMetrics => word.parse::<f64>().ok().and_then(millis),
    };
    let millis = millis.filter(|millis| MILLIS.contains(millis)).ok_or((begin, Cause::BadTimestamp))?;
    Ok(Timestamp::from_millis(millis))
}

fn millis(seconds: f64) -> Option<i64> {
    let millis = (seconds * 1000.0).round();
    #[expect(clippy::cast_precision_loss, reason = "both ends are below 2^53")]
    let range = *MILLIS.start() as f64..=*MILLIS.end() as f64;
    #[expect(clippy::cast_possible_truncation, reason = "whole and within `MILLIS`, so exact")]
    range.contains(&millis).then_some(millis as i64)
}

/// Whether nothing but an exemplar follows.
fn is_over(cursor: &mut Cursor<'_>, format: Format) -> Result<bool, Stop> {
    cursor.skip_blanks();
    match cursor.peek() {
        None => Ok(true),
        Some(b'#') if format == Format::OpenMetrics => {
            let begin = cursor.at;
            cursor.at += 1;
            cursor.skip_blanks();
            if cursor.peek() == Some(b'{') { Ok(true) } else { Err((begin, Cause::Trailing)) }
        }
        Some(_) => Ok(false),
    }
}

/// A place in a line. It stands on the border of a character at all times.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    label_bytes: usize,
}

impl<'a> Cursor<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Steps over `byte`, an ASCII one, where it is next.
    fn takes(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn skip_blanks(&mut self) {
        while self.peek().is_some_and(is_blank) {
            self.at += 1;
        }
    }

    /// What is next up to the first byte that `ends` it, which is an ASCII one.
    fn until(&mut self, ends: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let length = rest.bytes().position(|byte| byte.is_ascii() && ends(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    fn word(&mut self) -> &'a str {
        self.until(is_blank)
    }

    /// A name without quotes, or nothing; `:` belongs to names of metrics alone.
    fn bare(&mut self, is_metric: bool) -> Result<&'a str, Stop> {
        let begin = self.at;
        if self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            return Ok("");
        }
        let belongs = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || (is_metric && *byte == b':');
        let rest = self.text.get(begin..).unwrap_or_default();
        let length = rest.as_bytes().iter().position(|byte| !belongs(byte)).unwrap_or(rest.len());
        if length > self.label_bytes {
            return Err((begin, Cause::LabelTooLong));
        }
        self.at += length;
        Ok(rest.get(..length).unwrap_or_default())
    }

    /// A text in quotes, the first of which is next.
    fn quoted(&mut self) -> Result<Cow<'a, str>, Stop> {
        let begin = self.at;
        self.at += 1;
        let mut escaped: Option<String> = None;
        loop {
            let plain = self.until(|byte| matches!(byte, b'"' | b'\\'));
            if let Some(text) = &mut escaped {
                text.push_str(plain);
            }
            if self.at - begin > self.label_bytes.saturating_add(1) {
                return Err((begin, Cause::LabelTooLong));
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(escaped.map_or(Cow::Borrowed(plain), Cow::Owned));
                }
                Some(_) => {
                    let text = escaped.get_or_insert_with(|| plain.to_owned());
                    self.at += 1;
                    self.unescape(text);
                }
                None => return Err((begin, Cause::OpenQuote)),
            }
        }
    }

    /// What follows a backslash. An escape that is none is kept as it is written,
    /// as Prometheus does.
    fn unescape(&mut self, text: &mut String) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let Some(next) = rest.chars().next() else {
            text.push('\\');
            return;
        };
        self.at += next.len_utf8();
        match next {
            'n' => text.push('\n'),
            '"' | '\\' => text.push(next),
            other => text.extend(['\\', other]),
        }
    }
}
