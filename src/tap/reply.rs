//! What the tap itself says to a client.

use crate::wire::frames::put_message;

/// The most of a text that is sent.
const MOST: usize = 1_000;

/// An ErrorResponse that ends the session.
pub fn error_response(sqlstate: &str, message: &str) -> Vec<u8> {
    let message: String = message.chars().filter(|c| *c != '\0').take(MOST).collect();
    let mut body = Vec::new();
    for (kind, value) in [
        (b'S', "FATAL"),
        (b'V', "FATAL"),
        (b'C', sqlstate),
        (b'M', message.as_str()),
    ] {
        body.push(kind);
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    }
    body.push(0);
    let mut out = Vec::new();
    put_message(&mut out, b'E', &body);
    out
}
