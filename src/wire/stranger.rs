//! Who is it: a peer told by its first bytes.
//!
//! Pure: bytes in, a name out. What is asked of the peer, and what follows
//! from the name, is the business of `stage::protocol`.

use crate::{provider, secret, text};

/// Somebody who is not a PostgreSQL server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stranger {
    /// What it is.
    pub kind: PeerProtocol,
    /// What it says about itself: a banner, a status line, a version.
    pub says: String,
    /// Which program it is, where its answer over HTTP tells.
    pub product: Option<&'static str>,
}

/// The protocols that are recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerProtocol {
    /// A web server, proxy or load balancer that speaks HTTP in clear.
    Http,
    /// A web server that wants TLS first and says so in clear.
    HttpsExpected,
    /// A TLS server: an alert or a handshake record in answer to clear bytes.
    Tls,
    /// An SSH server.
    Ssh,
    /// MySQL or MariaDB.
    MySql,
    /// Redis or a relative of it.
    Redis,
    /// Memcached.
    Memcached,
    /// A mail server taking mail.
    Smtp,
    /// A file server.
    Ftp,
    /// A mailbox server, POP3.
    Pop3,
    /// A mailbox server, IMAP.
    Imap,
    /// A message broker, AMQP.
    Amqp,
    /// Remote desktop, VNC.
    Vnc,
    /// A telnet server.
    Telnet,
    /// A SOCKS proxy.
    Socks,
    /// A directory server.
    Ldap,
    /// Microsoft SQL Server.
    SqlServer,
    /// Oracle's listener.
    Oracle,
    /// A client: it sends what PostgreSQL clients send.
    PostgresClient,
    /// Readable text of no known protocol.
    Text,
    /// Bytes of no known protocol.
    Unknown,
}

impl PeerProtocol {
    /// What it is, as it stands in a sentence: "a web server (HTTP)".
    pub fn name(self) -> &'static str {
        match self {
            PeerProtocol::Http => "a web server or HTTP proxy",
            PeerProtocol::HttpsExpected => "a web server that expects HTTPS",
            PeerProtocol::Tls => "a TLS server that does not understand PostgreSQL's TLS request",
            PeerProtocol::Ssh => "an SSH server",
            PeerProtocol::MySql => "a MySQL or MariaDB server",
            PeerProtocol::Redis => "a Redis server",
            PeerProtocol::Memcached => "a memcached server",
            PeerProtocol::Smtp => "a mail server (SMTP)",
            PeerProtocol::Ftp => "a file server (FTP)",
            PeerProtocol::Pop3 => "a mailbox server (POP3)",
            PeerProtocol::Imap => "a mailbox server (IMAP)",
            PeerProtocol::Amqp => "a message broker (AMQP)",
            PeerProtocol::Vnc => "a remote desktop (VNC)",
            PeerProtocol::Telnet => "a telnet server",
            PeerProtocol::Socks => "a SOCKS proxy",
            PeerProtocol::Ldap => "a directory server (LDAP)",
            PeerProtocol::SqlServer => "Microsoft SQL Server",
            PeerProtocol::Oracle => "an Oracle listener",
            PeerProtocol::PostgresClient => "an echo service, or another PostgreSQL client",
            PeerProtocol::Text => "something that answers in text",
            PeerProtocol::Unknown => "something unknown",
        }
    }

    /// The protocol's short name, for machines.
    pub fn id(self) -> &'static str {
        match self {
            PeerProtocol::Http => "http",
            PeerProtocol::HttpsExpected => "https",
            PeerProtocol::Tls => "tls",
            PeerProtocol::Ssh => "ssh",
            PeerProtocol::MySql => "mysql",
            PeerProtocol::Redis => "redis",
            PeerProtocol::Memcached => "memcached",
            PeerProtocol::Smtp => "smtp",
            PeerProtocol::Ftp => "ftp",
            PeerProtocol::Pop3 => "pop3",
            PeerProtocol::Imap => "imap",
            PeerProtocol::Amqp => "amqp",
            PeerProtocol::Vnc => "vnc",
            PeerProtocol::Telnet => "telnet",
            PeerProtocol::Socks => "socks",
            PeerProtocol::Ldap => "ldap",
            PeerProtocol::SqlServer => "sqlserver",
            PeerProtocol::Oracle => "oracle",
            PeerProtocol::PostgresClient => "postgres-client",
            PeerProtocol::Text => "text",
            PeerProtocol::Unknown => "unknown",
        }
    }
}

/// Names the sender of these bytes; none where they may come from a
/// PostgreSQL server or pooler (a message, or the answer to SSLRequest).
pub fn recognise(bytes: &[u8]) -> Option<Stranger> {
    if bytes.is_empty() {
        return None;
    }
    let kind = known(bytes).or_else(|| (!may_be_postgres(bytes)).then(|| by_look(bytes)))?;
    Some(Stranger {
        kind,
        says: says(kind, bytes),
        product: match kind {
            PeerProtocol::Http | PeerProtocol::HttpsExpected => {
                provider::of_answer(&String::from_utf8_lossy(bytes))
            }
            _ => None,
        },
    })
}

/// Whether these bytes are the first of a protocol with a signature of its own.
pub fn is_known(bytes: &[u8]) -> bool {
    known(bytes).is_some()
}

/// Protocols with a signature of their own.
fn known(bytes: &[u8]) -> Option<PeerProtocol> {
    let starts = |prefix: &str| bytes.starts_with(prefix.as_bytes());
    let folded = |prefix: &str| {
        bytes
            .get(..prefix.len())
            .is_some_and(|head| head.eq_ignore_ascii_case(prefix.as_bytes()))
    };
    if starts("HTTP/") || folded("<!doctype html") || folded("<html") {
        return Some(if wants_https(bytes) {
            PeerProtocol::HttpsExpected
        } else {
            PeerProtocol::Http
        });
    }
    if starts("SSH-") {
        return Some(PeerProtocol::Ssh);
    }
    if is_tls(bytes) {
        return Some(PeerProtocol::Tls);
    }
    if is_mysql(bytes) {
        return Some(PeerProtocol::MySql);
    }
    if starts("-ERR") || starts("-NOAUTH") || starts("-DENIED") || starts("-LOADING") {
        // POP3 says -ERR too, but greets with +OK first.
        return Some(PeerProtocol::Redis);
    }
    if starts("+OK") {
        return Some(PeerProtocol::Pop3);
    }
    if starts("* OK") || starts("* BYE") || starts("* PREAUTH") {
        return Some(PeerProtocol::Imap);
    }
    if starts("ERROR\r\n") || starts("CLIENT_ERROR ") || starts("SERVER_ERROR ") {
        return Some(PeerProtocol::Memcached);
    }
    if is_reply_line(bytes) {
        let text = String::from_utf8_lossy(bytes).to_ascii_uppercase();
        return Some(match text.contains("FTP") && !text.contains("SMTP") {
            true => PeerProtocol::Ftp,
            false => PeerProtocol::Smtp,
        });
    }
    if starts("AMQP") {
        return Some(PeerProtocol::Amqp);
    }
    if starts("RFB ") {
        return Some(PeerProtocol::Vnc);
    }
    match bytes {
        // IAC WILL, WONT, DO or DONT.
        [0xff, 0xfb..=0xfe, ..] => Some(PeerProtocol::Telnet),
        [0x05, 0xff | 0x00] | [0x00, 0x5a..=0x5d, _, _, _, _, _, _] => Some(PeerProtocol::Socks),
        // A sequence holding a message id: an LDAP message.
        [0x30, _, 0x02, 0x01, ..] | [0x30, 0x84, _, _, _, _, 0x02, 0x01, ..] => {
            Some(PeerProtocol::Ldap)
        }
        // A TDS response, last packet.
        [0x04, 0x01, _, _, 0x00, 0x00, ..] => Some(PeerProtocol::SqlServer),
        // TNS refuse, resend, or error packet.
        [0x00, _, 0x00, 0x00, 0x04 | 0x0b, 0x00, 0x00, 0x00, ..] => Some(PeerProtocol::Oracle),
        // SSLRequest, GSSENCRequest, CancelRequest, or StartupMessage 3.x.
        [0, 0, _, _, 0x04, 0xd2, 0x16, _, ..] | [0, 0, _, _, 0x00, 0x03, 0x00, _, ..] => {
            Some(PeerProtocol::PostgresClient)
        }
        _ => None,
    }
}

/// Whether the bytes can begin what a PostgreSQL server, or pooler, sends
/// before a session is up: an answer to SSLRequest, or a message of a
/// plausible length (PostgreSQL documentation, "Message Formats").
pub fn may_be_postgres(bytes: &[u8]) -> bool {
    match bytes {
        [] | [b'S' | b'N'] => true,
        // ErrorResponse, NoticeResponse, Authentication, NegotiateProtocolVersion,
        // ParameterStatus: a type and a length of four bytes or more.
        [b'E' | b'N' | b'R' | b'v' | b'S', length @ ..] => match length {
            [a, b, c, d, ..] => (4..=MESSAGE_MAX).contains(&u32::from_be_bytes([*a, *b, *c, *d])),
            // Too short to tell; the high bytes of a length are zero.
            partial => partial.first().is_none_or(|&high| high == 0),
        },
        _ => false,
    }
}

/// The longest message that a server sends before a session is up and that
/// libpq takes (`MAX_ERRLEN`, libpq's `PQconnectPoll`).
pub const MESSAGE_MAX: u32 = 30_000;

fn by_look(bytes: &[u8]) -> PeerProtocol {
    let printable = |&b: &u8| matches!(b, 0x20..=0x7e | b'\r' | b'\n' | b'\t');
    match bytes.len() >= 4 && bytes.iter().all(printable) {
        true => PeerProtocol::Text,
        false => PeerProtocol::Unknown,
    }
}

/// A web server that was spoken to in clear where it wants TLS, by the words
/// of the widespread ones (they are not localised).
fn wants_https(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    [
        "HTTP request was sent to HTTPS port",
        "plain HTTP to an SSL-enabled server port",
        "HTTP request to an HTTPS server",
    ]
    .iter()
    .any(|words| text.contains(words))
}

/// A TLS record: an alert, or a handshake (RFC 8446, 5.1).
pub fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, 0x00..=0x04, _, _, ..])
}

/// The description of a TLS alert sent in clear, if the bytes are one (RFC 8446, 6).
pub fn clear_alert(bytes: &[u8]) -> Option<u8> {
    match bytes {
        [0x15, 0x03, _, 0, 2, _, description, ..] => Some(*description),
        _ => None,
    }
}

/// MySQL's greeting, or its refusal of a host: a packet of the announced
/// length, sequence number 0, then protocol version 10 or 9, or an error.
fn is_mysql(bytes: &[u8]) -> bool {
    match bytes {
        [a, b, 0, 0, 0x0a | 0x09, digit, ..] => {
            u16::from_le_bytes([*a, *b]) > 8 && digit.is_ascii_digit()
        }
        [_, _, 0, 0 | 1, 0xff, code @ ..] => match code {
            // 1040 to 1251, 1129 and 1130 among them: too many connections, host blocked.
            [a, b, ..] => (1000..4000).contains(&u16::from_le_bytes([*a, *b])),
            _ => false,
        },
        _ => false,
    }
}

/// `220 …`, or a refusal: three digits and a space or a hyphen (RFC 5321, RFC 959).
fn is_reply_line(bytes: &[u8]) -> bool {
    matches!(
        bytes,
        [
            b'2' | b'4' | b'5',
            b'0'..=b'5',
            b'0'..=b'9',
            b' ' | b'-',
            ..
        ]
    )
}

/// Its own words: the first line of text, or the bytes.
fn says(kind: PeerProtocol, bytes: &[u8]) -> String {
    match kind {
        PeerProtocol::MySql => mysql_words(bytes),
        PeerProtocol::Tls => clear_alert(bytes)
            .map(|alert| format!("TLS alert {alert}"))
            .unwrap_or_else(|| "a TLS record".to_owned()),
        PeerProtocol::Unknown
        | PeerProtocol::Telnet
        | PeerProtocol::Socks
        | PeerProtocol::Ldap
        | PeerProtocol::SqlServer
        | PeerProtocol::Oracle
        | PeerProtocol::PostgresClient => hex(bytes),
        _ => first_line(bytes),
    }
}

/// The version in MySQL's greeting, or the message in its refusal.
fn mysql_words(bytes: &[u8]) -> String {
    let body = match bytes.get(4) {
        Some(0xff) => bytes.get(7..),
        _ => bytes.get(5..),
    };
    let text: Vec<u8> = body
        .unwrap_or_default()
        .iter()
        .copied()
        .take_while(|&b| b != 0)
        .collect();
    text::clean_bytes(&text)
}

/// The first line, cleaned and bounded.
pub fn first_line(bytes: &[u8]) -> String {
    let hidden = secret::hide_part(bytes);
    let line = hidden.split(|&b| b == b'\n' || b == b'\r').next();
    text::clean_first_bytes(line.unwrap_or_default(), 200)
}

/// The first bytes in hexadecimal: `15 03 01`.
pub fn hex(bytes: &[u8]) -> String {
    secret::hide_part(bytes)
        .iter()
        .take(16)
        .map(|b| format!("{b:02x}"))
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8]) -> Option<PeerProtocol> {
        recognise(bytes).map(|stranger| stranger.kind)
    }

    #[test]
    fn strangers_are_known_by_their_first_bytes() {
        let table: &[(&[u8], PeerProtocol)] = &[
            (b"HTTP/1.1 400 Bad Request\r\n", PeerProtocol::Http),
            (
                b"<html>\r\n<head><title>400 The plain HTTP request was sent to HTTPS port",
                PeerProtocol::HttpsExpected,
            ),
            (b"SSH-2.0-OpenSSH_9.2\r\n", PeerProtocol::Ssh),
            (&[0x15, 3, 1, 0, 2, 2, 70], PeerProtocol::Tls),
            (b"J\0\0\0\x0a8.0.36\0\x08\0\0\0", PeerProtocol::MySql),
            (
                b"\x45\0\0\0\xff\x6a\x04Host '10.0.0.1' is not allowed",
                PeerProtocol::MySql,
            ),
            (b"-ERR unknown command\r\n", PeerProtocol::Redis),
            (b"ERROR\r\n", PeerProtocol::Memcached),
            (b"220 mail.test ESMTP Postfix\r\n", PeerProtocol::Smtp),
            (b"220 ProFTPD Server\r\n", PeerProtocol::Ftp),
            (b"+OK ready\r\n", PeerProtocol::Pop3),
            (b"* OK IMAP4rev1\r\n", PeerProtocol::Imap),
            (b"AMQP\0\0\x09\x01", PeerProtocol::Amqp),
            (b"RFB 003.008\n", PeerProtocol::Vnc),
            (&[0xff, 0xfd, 0x18], PeerProtocol::Telnet),
            (
                &[0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f],
                PeerProtocol::PostgresClient,
            ),
            (b"Not here, friend\r\n", PeerProtocol::Text),
            (&[0xde, 0xad, 0xbe, 0xef], PeerProtocol::Unknown),
            (b"Emergency maintenance\r\n", PeerProtocol::Text),
        ];
        for (bytes, expected) in table {
            assert_eq!(kind(bytes), Some(*expected), "{}", hex(bytes));
        }
    }

    #[test]
    fn what_postgres_says_is_no_stranger() {
        let table: &[&[u8]] = &[
            b"",
            b"S",
            b"N",
            b"E",
            b"R\0\0\0\x08\0\0\0\0",
            b"E\0\0\0\x20SFATAL\0",
            b"v\0\0\0\x0c\0\x03\0\0",
            b"R\0\0",
        ];
        for bytes in table {
            assert_eq!(kind(bytes), None, "{}", hex(bytes));
        }
    }

    #[test]
    fn its_own_words_are_kept() {
        let says = |bytes| recognise(bytes).unwrap().says;
        assert_eq!(says(b"SSH-2.0-dropbear\r\nmore"), "SSH-2.0-dropbear");
        assert_eq!(says(b"J\0\0\0\x0a8.0.36\0\x08"), "8.0.36");
    }
}
