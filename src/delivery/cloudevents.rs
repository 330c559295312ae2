//! A message as a CloudEvent: what it says of itself in headers, its data as the body.
//!
//! Reference: CloudEvents 1.0, HTTP protocol binding, 3.1 binary mode.

use crate::wire::EventParts;
use std::fmt::Write as _;

/// The source of every event of ours: a URI reference.
const SOURCE: &str = "/wavegate";

/// Headers and body of the CloudEvent that `body`, one of `wire::event_body`, tells.
/// `None` where it is none.
pub(super) fn binary<'a>(id: &str, body: &'a str) -> Option<(Vec<(&'static str, String)>, &'a str)> {
    let EventParts { kind, timestamp, wave_id, data } = EventParts::read(body)?;
    let headers = vec![
        ("ce-specversion", String::from("1.0")),
        ("ce-id", id.to_owned()),
        ("ce-source", String::from(SOURCE)),
        ("ce-type", escaped(&kind)),
        ("ce-time", escaped(&timestamp)),
        ("ce-subject", escaped(&wave_id)),
    ];
    Some((headers, data))
}

/// Percent-encoded as the binding wants it: all but printable ASCII, and of that
/// the space, the quote and the percent sign.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_graphic() && !matches!(byte, b'"' | b'%') {
            escaped.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_is_the_data_byte_by_byte() {
        let body = r#"{"type":"wave.failed","timestamp":"2026-11-22T10:00:00Z","data":{"wave_id":"é \"%\n","x":1.50}}"#;
        let (headers, data) = binary("msg_1", body).unwrap();
        assert_eq!(data, r#"{"wave_id":"é \"%\n","x":1.50}"#);
        let told: Vec<_> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
        let expect = [
            "ce-specversion: 1.0",
            "ce-id: msg_1",
            "ce-source: /wavegate",
            "ce-type: wave.failed",
            "ce-time: 2026-11-22T10:00:00Z",
            "ce-subject: %C3%A9%20%22%25%0A",
        ];
        assert_eq!(told, expect);
        assert!(binary("msg_1", "{}").is_none());
    }
}
