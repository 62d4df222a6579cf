//! What TLS and X.509 are to every part that speaks them: protocol name,
//! server name, alerts, names of certificates.

use openssl::error::ErrorStack;
use openssl::ssl;
pub use openssl::ssl::SslAlert as Alert;
use openssl::x509::X509NameRef;

/// The protocol name `postgresql`, as ALPN sends it. libpq 17 and later always
/// send it.
pub const ALPN: &[u8] = b"\x0apostgresql";

/// Whether libpq sends this host as server name: not an address (RFC 6066, 3),
/// by libpq's own rough test.
pub fn sends_server_name(host: &str) -> bool {
    !host.is_empty()
        && !host.contains([':', '\0'])
        && !host.bytes().all(|b| b.is_ascii_digit() || b == b'.')
}

/// OpenSSL's number for errors of its TLS part (`ERR_LIB_SSL`).
const LIB_SSL: i32 = 20;

const ALERT_OFFSET: i32 = 1000;

/// The reason codes of an error stack.
pub fn reasons(stack: &ErrorStack) -> impl Iterator<Item = i32> + '_ {
    stack
        .errors()
        .iter()
        .filter(|error| error.library_code() == LIB_SSL)
        .map(|error| error.reason_code())
}

/// The peer's alert, where one ended the handshake or a read after it.
pub fn received_alert(error: &ssl::Error) -> Option<Alert> {
    reasons(error.ssl_error()?).find_map(Alert::from_reason_code)
}

/// An alert's number (RFC 8446, section 6).
pub fn alert_number(alert: Alert) -> u8 {
    (alert.reason_code() - ALERT_OFFSET) as u8
}

/// An alert's name (RFC 8446, 6.2).
pub fn alert_name(alert: u8) -> String {
    let known = Alert::from_reason_code(ALERT_OFFSET + i32::from(alert)).map(|a| a.to_string());
    match known.as_deref() {
        None | Some("unknown") => match alert {
            116 => "certificate required".to_owned(),
            120 => "no application protocol".to_owned(),
            other => format!("alert {other}"),
        },
        Some(name) => name.to_owned(),
    }
}

/// A distinguished name as people read it: `CN=db.test, O=Corp`, the most
/// particular part first.
pub fn name_text(name: &X509NameRef) -> String {
    let parts: Vec<String> = name
        .entries()
        .map(|entry| {
            let key = entry.object().nid().short_name().unwrap_or("?").to_owned();
            let value = match entry.data().to_string() {
                Ok(text) => text,
                Err(_) => String::from_utf8_lossy(entry.data().as_slice()).into_owned(),
            };
            format!("{key}={value}")
        })
        .collect();
    match parts.is_empty() {
        true => "an empty name".to_owned(),
        false => parts.into_iter().rev().collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_no_server_names() {
        assert!(sends_server_name("db.test"));
        for host in ["", "10.0.0.1", "::1", "1234"] {
            assert!(!sends_server_name(host), "{host}");
        }
    }

    #[test]
    fn alerts_have_names() {
        assert_eq!(alert_name(48), "unknown CA");
        assert_eq!(alert_name(116), "certificate required");
        assert_eq!(alert_name(200), "alert 200");
    }
}
