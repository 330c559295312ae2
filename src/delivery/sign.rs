//! The signature that a receiver checks: HMAC-SHA256 over id, time and body.
//!
//! Reference: Standard Webhooks 1.0.0, "Signature scheme", symmetric (`v1`).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::Hmac;
use hmac::KeyInit as _;
use hmac::Mac as _;
use sha2::Sha256;
use std::fmt;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

/// What a secret begins with, so that scanners find one that was published.
pub(super) const PREFIX: &str = "whsec_";

/// Bytes of a secret: the standard's limits.
const BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A larger file is some other file.
const MAX_FILE_BYTES: u64 = 4096;

/// A key that an endpoint and we share.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there is no secret. None of it shows one.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The file is not readable.
    #[error("cannot read the file")]
    Read(#[source] std::io::Error),
    /// It does not look like one.
    #[error("a secret is `whsec_` and the base64 of 24 to 64 random bytes")]
    Shape,
}

impl Secret {
    /// The secret that `text` writes; white space around it does not count.
    ///
    /// # Errors
    /// [`SecretError::Shape`].
    pub fn parse(text: &str) -> Result<Self, SecretError> {
        let encoded = text.trim().strip_prefix(PREFIX).ok_or(SecretError::Shape)?;
        let key = STANDARD.decode(encoded).map_err(|_| SecretError::Shape)?;
        if BYTES.contains(&key.len()) { Ok(Self(key)) } else { Err(SecretError::Shape) }
    }

    /// The secret that a file holds.
    ///
    /// # Errors
    /// The file is not readable, or holds none.
    pub fn read(path: &Path) -> Result<Self, SecretError> {
        let mut text = String::new();
        let file = std::fs::File::open(path).map_err(SecretError::Read)?;
        file.take(MAX_FILE_BYTES).read_to_string(&mut text).map_err(SecretError::Read)?;
        Self::parse(&text)
    }

    fn sign(&self, id: &str, seconds: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        STANDARD.encode(mac.finalize().into_bytes())
    }
}

/// The header `webhook-signature`: one signature for each secret, so that while
/// secrets rotate a receiver finds that of the one it knows. `id` has no full stop
/// in it; `seconds` since the epoch are those of this try.
pub fn signature(secrets: &[Secret], id: &str, seconds: i64, body: &[u8]) -> String {
    let mut header = String::new();
    for secret in secrets {
        let gap = if header.is_empty() { "" } else { " " };
        // Writing to a string cannot fail.
        let _ = write!(header, "{gap}v1,{}", secret.sign(id, seconds, body));
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification and of every library of it.
    #[test]
    fn the_known_vector_comes_out() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let header = signature(&[secret], "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, br#"{"test": 2432232314}"#);
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn only_long_enough_secrets_with_their_prefix_are_secrets() {
        let of = |bytes: usize| format!("whsec_{}", STANDARD.encode(vec![7; bytes]));
        for bytes in [24, 32, 64] {
            assert!(Secret::parse(&format!("\n{} \n", of(bytes))).is_ok(), "{bytes}");
        }
        let bare = of(32).replace("whsec_", "");
        for bad in ["", "whsec_", &of(23), &of(65), &bare, "whsec_not base64", "whpk_AAAA", &format!("{}x", of(32))] {
            assert!(matches!(Secret::parse(bad), Err(SecretError::Shape)), "{bad}");
        }
    }

    #[test]
    fn a_secret_is_never_printed() {
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
