//! What a path names: a wave, a gate, an attempt, a revision.

use crate::engine::Refusal;
use crate::http::problem::Problem;
use crate::rules::RulesName;
use crate::wave::WaveId;
use axum::extract::FromRequestParts;
use axum::extract::RawPathParams;
use axum::http::StatusCode;
use axum::http::request::Parts;

/// The names in a path, percent-decoded: a wave id may hold slashes and quotes.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) wave: WaveId,
    pub(crate) rules: Option<RulesName>,
    /// As in the path, to be read by [`Target::attempt`].
    attempt: Option<String>,
    revision: Option<String>,
}

impl Target {
    /// The attempt and the gate it is of.
    pub(crate) fn attempt(&self) -> Result<(&RulesName, u32), Problem> {
        let attempt = self.attempt.as_deref().and_then(number);
        self.rules.as_ref().zip(attempt).ok_or_else(|| self.nothing())
    }

    /// The revision.
    pub(crate) fn revision(&self) -> Result<u32, Problem> {
        self.revision.as_deref().and_then(number).ok_or_else(|| self.nothing())
    }

    /// 404: the gate is there, the attempt or revision is not.
    pub(crate) fn nothing(&self) -> Problem {
        let rules = self.rules.as_ref().map_or("", RulesName::as_str);
        let attempt = self.attempt.as_deref().unwrap_or_default();
        let revision = self.revision.as_deref().map_or(String::new(), |revision| format!(" revision `{revision}`"));
        let detail = format!("gate `{rules}` of wave `{}` has no attempt `{attempt}`{revision}", self.wave);
        Problem::new(StatusCode::NOT_FOUND, "no_such_revision", detail)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Target {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let names = RawPathParams::from_request_parts(parts, state).await;
        let names = names.map_err(|_| wave_refused("not UTF-8"))?;
        let name = |wanted: &str| names.iter().find(|(name, _)| *name == wanted).map(|(_, value)| value);
        let text = name("wave_id").unwrap_or_default();
        let wave = WaveId::new(text).ok_or_else(|| wave_refused("not such a name"))?;
        // A name that no rule file can have is the name of no gate.
        let gate = |rules: &str| {
            let refusal = || Refusal::NoSuchGate { wave: text.to_owned(), rules: rules.to_owned() };
            RulesName::new(rules).ok_or_else(refusal)
        };
        Ok(Self {
            rules: name("rules").map(gate).transpose()?,
            attempt: name("attempt").map(str::to_owned),
            revision: name("revision").map(str::to_owned),
            wave,
        })
    }
}

fn wave_refused(what: &str) -> Problem {
    let most = WaveId::MAX_BYTES;
    let detail = format!("the wave id is {what}: it must be 1 to {most} bytes of UTF-8 without control characters");
    Problem::new(StatusCode::BAD_REQUEST, "invalid_wave_id", detail)
}

fn number(text: &str) -> Option<u32> {
    text.parse().ok().filter(|number| *number > 0 && text.starts_with(|c: char| c.is_ascii_digit()))
}
