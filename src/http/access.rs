//! Who may call: bearer tokens, kept as SHA-256 only.
//!
//! Tokens are long and random, so a fast hash is enough; comparing hashes in
//! constant time, and all of them each time, tells a guesser nothing. Without
//! tokens only this machine may call: there is no [`Access`] for another address.

use crate::http::settings::TokenSettings;
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use sha2::Digest as _;
use sha2::Sha256;
use std::net::SocketAddr;
use std::path::PathBuf;
use subtle::Choice;
use subtle::ConditionallySelectable as _;
use subtle::ConstantTimeEq as _;

/// A shorter token can be guessed.
const MIN_TOKEN_BYTES: usize = 16;

/// A longer `token_file` is some other file.
const MAX_TOKEN_FILE_BYTES: u64 = 4096;

/// The rule of who may call.
#[derive(Clone, Debug)]
pub struct Access {
    tokens: Vec<Token>,
    loopback: bool,
}

#[derive(Clone)]
struct Token {
    name: String,
    sha256: [u8; 32],
}

impl std::fmt::Debug for Token {
    /// The name only: a hash is as good as a secret to whoever can search it.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A rule of access that is refused.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Anybody could open and override gates.
    #[error(
        "refusing to listen on {listen} without a token: whoever reaches it could decide waves; \
         configure one under [[tokens]] or listen on 127.0.0.1"
    )]
    Exposed {
        /// Where.
        listen: SocketAddr,
    },
    /// `sha256` is not 64 hexadecimal digits.
    #[error("token `{name}`: sha256 must be 64 hexadecimal digits")]
    Digest {
        /// Whose.
        name: String,
    },
    /// The token's file is not readable.
    #[error("token `{name}`: cannot read {}", path.display())]
    Read {
        /// Whose.
        name: String,
        /// Its file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// The token is no token.
    #[error("token `{name}`: the token in {} must be {MIN_TOKEN_BYTES} bytes at least and free of spaces", path.display())]
    Weak {
        /// Whose.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// Neither way to a token, or both.
    #[error("token `{name}`: needs either sha256 or token_file")]
    Neither {
        /// Whose.
        name: String,
    },
}

/// What the `Authorization` header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Caller<'a> {
    /// No token is asked for.
    Anyone,
    /// The holder of this token.
    Known(&'a str),
    /// No token was given.
    Unnamed,
    /// A token was given that is none of ours.
    Unknown,
}

impl Access {
    /// The rule for a server that listens on `listen`; reads the token files.
    ///
    /// # Errors
    ///
    /// A token that is not one, and an address other than loopback without tokens.
    pub fn new(listen: SocketAddr, tokens: &[TokenSettings]) -> Result<Self, Error> {
        let loopback = listen.ip().is_loopback();
        if tokens.is_empty() && !loopback {
            return Err(Error::Exposed { listen });
        }
        Ok(Self { tokens: tokens.iter().map(token).collect::<Result<_, _>>()?, loopback })
    }

    /// Who the caller is.
    pub(crate) fn caller(&self, headers: &HeaderMap) -> Caller<'_> {
        if self.tokens.is_empty() {
            return Caller::Anyone;
        }
        let Some(given) = bearer(headers) else {
            return Caller::Unnamed;
        };
        let given: [u8; 32] = Sha256::digest(given.as_bytes()).into();
        let (mut known, mut index) = (Choice::from(0), 0_u64);
        for (at, token) in (0_u64..).zip(&self.tokens) {
            let same = token.sha256.ct_eq(&given);
            index = u64::conditional_select(&index, &at, same);
            known |= same;
        }
        let holder = usize::try_from(index).ok().and_then(|index| self.tokens.get(index));
        holder.filter(|_| bool::from(known)).map_or(Caller::Unknown, |token| Caller::Known(&token.name))
    }

    /// Whether `/metrics` is open: on loopback, where a local Prometheus scrapes it.
    pub(crate) fn metrics_open(&self) -> bool {
        self.loopback
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn token(settings: &TokenSettings) -> Result<Token, Error> {
    let name = settings.name.clone();
    let sha256 = match (&settings.sha256, &settings.token_file) {
        (Some(digits), None) => hexadecimal(digits).ok_or_else(|| Error::Digest { name: name.clone() })?,
        (None, Some(path)) => {
            let read = |source| Error::Read { name: name.clone(), path: path.clone(), source };
            let text = read_token(path).map_err(read)?;
            let text = text.trim();
            if text.len() < MIN_TOKEN_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
                return Err(Error::Weak { name, path: path.clone() });
            }
            Sha256::digest(text.as_bytes()).into()
        }
        (None, None) | (Some(_), Some(_)) => return Err(Error::Neither { name }),
    };
    Ok(Token { name, sha256 })
}

fn read_token(path: &PathBuf) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?.take(MAX_TOKEN_FILE_BYTES).read_to_string(&mut text)?;
    Ok(text)
}

fn hexadecimal(digits: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}
