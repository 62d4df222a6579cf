//! A handshake that failed, told by OpenSSL's reason codes and the peer's
//! alerts, never by their texts.

use std::io;

use openssl::error::ErrorStack;
use openssl::ssl;

use crate::wire::tls::{alert_number, reasons, received_alert};

/// What ended a handshake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandshakeFailure {
    /// The peer's fatal alert.
    Alert(u8),
    /// This side refused the certificate; the verify code is kept elsewhere.
    Verify,
    /// No common version, or none is left on this side.
    Version,
    /// What this side allows and what the peer chose do not fit.
    Algorithm(&'static str),
    /// What came is not TLS.
    NotTls,
    /// What came is TLS, and out of place or damaged.
    Violation,
    /// The connection ended in order.
    Closed,
    /// The connection was reset.
    Reset,
    /// Another error of the transport.
    Io(io::ErrorKind),
    /// The time was used up.
    Late,
    /// An error of TLS that has no name here.
    Other,
}

// Reason codes of OpenSSL (`openssl/sslerr.h`); they are part of its API.
const CERTIFICATE_VERIFY_FAILED: i32 = 134;
const UNEXPECTED_EOF: i32 = 294;
/// No common version, or none left on this side.
const VERSION_REASONS: [i32; 9] = [
    116, // bad protocol version number
    166, // version too high
    191, // no protocols available
    252, // unknown protocol
    254, // unknown SSL version
    258, // unsupported protocol
    259, // unsupported SSL version
    266, // wrong SSL version
    396, // version too low
];
/// Bytes that are no TLS record.
const NOT_TLS_REASONS: [i32; 4] = [
    155, // HTTPS proxy request
    156, // HTTP request
    245, // unexpected record
    267, // wrong version number
];

/// Messages that are out of place, damaged, or of an impossible length.
const VIOLATION_REASONS: [i32; 34] = [
    100, // app data in handshake
    103, // bad change cipher spec
    105, // bad hello request
    110, // bad extension
    111, // bad digest length
    115, // bad packet length
    123, // bad signature
    133, // ccs received early
    135, // cert length mismatch
    146, // data length too long
    147, // decryption failed
    149, // digest check failed
    150, // encrypted length too long
    152, // excessive message size
    153, // extra data in message
    159, // length mismatch
    160, // length too short
    182, // not on record boundary
    198, // packet length too long
    205, // invalid alert
    213, // record length mismatch
    217, // unsolicited extension
    227, // parse tlsext
    240, // bad packet
    244, // unexpected message
    246, // unknown alert type
    260, // invalid ccs message
    262, // unexpected ccs message
    271, // bad length
    281, // decryption failed or bad record mac
    298, // record too small
    332, // bad handshake length
    404, // length too long
    443, // bad record type
];

/// Reason codes of algorithms that do not fit, with what they are about.
fn algorithm(reason: i32) -> Option<&'static str> {
    Some(match reason {
        161 | 181 | 185 | 193 | 215 | 230 | 248 | 261 => "cipher",
        394 => "Diffie-Hellman group of sufficient size",
        101 | 108 | 295 | 306 | 315 | 378 | 410 => "key-exchange group",
        118 | 333 | 360 | 370 | 376 => "signature algorithm",
        338 => "secure renegotiation (RFC 5746)",
        _ => return None,
    })
}

/// Names the failure of a handshake.
pub fn classify(error: &ssl::Error) -> HandshakeFailure {
    if let Some(error) = error.io_error() {
        return match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
                HandshakeFailure::Reset
            }
            io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => HandshakeFailure::Closed,
            kind => HandshakeFailure::Io(kind),
        };
    }
    let Some(stack) = error.ssl_error() else {
        return match error.code() {
            ssl::ErrorCode::SYSCALL | ssl::ErrorCode::ZERO_RETURN => HandshakeFailure::Closed,
            _ => HandshakeFailure::Other,
        };
    };
    if stack.errors().is_empty() {
        return HandshakeFailure::Closed;
    }
    if let Some(alert) = received_alert(error) {
        return HandshakeFailure::Alert(alert_number(alert));
    }
    for reason in reasons(stack) {
        match reason {
            CERTIFICATE_VERIFY_FAILED => return HandshakeFailure::Verify,
            UNEXPECTED_EOF => return HandshakeFailure::Closed,
            reason if VERSION_REASONS.contains(&reason) => return HandshakeFailure::Version,
            reason if NOT_TLS_REASONS.contains(&reason) => return HandshakeFailure::NotTls,
            reason if VIOLATION_REASONS.contains(&reason) => return HandshakeFailure::Violation,
            reason => {
                if let Some(what) = algorithm(reason) {
                    return HandshakeFailure::Algorithm(what);
                }
            }
        }
    }
    HandshakeFailure::Other
}

/// An error stack as one line, for the evidence.
pub fn error_text(stack: &ErrorStack) -> String {
    let texts: Vec<String> = stack
        .errors()
        .iter()
        .map(|error| {
            let reason = error.reason().map(str::to_owned);
            let text = reason.unwrap_or_else(|| format!("error {:x}", error.code()));
            match error.data() {
                Some(data) if !data.is_empty() => format!("{text} ({data})"),
                _ => text,
            }
        })
        .collect();
    match texts.is_empty() {
        true => "OpenSSL gives no reason".to_owned(),
        false => texts.join("; "),
    }
}

/// A handshake's error as one line.
pub fn text(error: &ssl::Error) -> String {
    match (error.io_error(), error.ssl_error()) {
        (Some(error), _) => error.to_string(),
        (None, Some(stack)) => error_text(stack),
        (None, None) => error.to_string(),
    }
}
