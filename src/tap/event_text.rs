//! Events in words, one line each. The client is the subject where none is named.

use std::fmt::{self, Display, Formatter};

use super::conversation::{
    ChannelBinding, ClientHello, Encryption, EncryptionAnswer, Event, Method, Phase, ServerHello,
    Side, Startup, TlsAlert, Unreadable,
};
use super::event::version_name;
use crate::text::{clean, clean_bytes};
use crate::wire::server_error::ServerError;
use crate::wire::stranger;
use crate::wire::tls::alert_name;

/// How much of a peer's name or value is shown, in characters.
const LONGEST: usize = 64;
/// How much of an error's message is shown.
const LONGEST_MESSAGE: usize = 400;
/// How many items of a list are shown.
const MOST: usize = 12;

impl Display for Event {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Event::EncryptionAsked(Encryption::DirectTls) => {
                f.write_str("starts TLS without asking first")
            }
            Event::EncryptionAsked(asked) => write!(f, "asks for {}", encryption(*asked)),
            Event::EncryptionAnswered(asked, answer) => answered(f, *asked, *answer),
            Event::ClientHello(hello) => client_hello(f, hello),
            Event::ServerHello(hello) => server_hello(f, hello),
            Event::Alert(alert) => alerted(f, alert),
            Event::Encrypted => f.write_str("encrypted from here on"),
            Event::CancelRequest { pid } => {
                write!(f, "asks to cancel the statement of server process {pid}")
            }
            Event::Startup(startup) => logs_in(f, startup),
            Event::Negotiated { minor, unknown } => {
                write!(f, "the server supports at most protocol 3.{minor}")?;
                match unknown.is_empty() {
                    true => Ok(()),
                    false => write!(f, ", and does not support {}", list(unknown, ", ")),
                }
            }
            Event::AuthenticationAsked(method) => {
                write!(f, "the server asks for {}", asked(method))
            }
            Event::MechanismChosen(mechanism, binding) => {
                write!(f, "chooses {} ", short(mechanism, LONGEST))?;
                match binding {
                    ChannelBinding::Unsupported => f.write_str("without channel binding"),
                    ChannelBinding::NotOffered => f.write_str(
                        "without channel binding, which the client supports and the server does \
                         not offer",
                    ),
                    ChannelBinding::Used(kind) => {
                        write!(f, "with channel binding ({})", short(kind, LONGEST))
                    }
                }
            }
            Event::Authenticated => f.write_str("the server accepts the authentication"),
            Event::Ready => f.write_str("logged in"),
            Event::Error(error) | Event::Notice(error) => said(f, error),
            Event::NamedStatement(name) => {
                write!(f, "prepares named statements: {}", short(name, LONGEST))
            }
            Event::Terminate => f.write_str("ends the session (Terminate)"),
            Event::Unreadable(unreadable) => cannot_be(f, unreadable),
        }
    }
}

fn encryption(asked: Encryption) -> &'static str {
    match asked {
        Encryption::Tls => "TLS",
        Encryption::DirectTls => "TLS without a request",
        Encryption::Gss => "GSSAPI encryption",
    }
}

fn answered(f: &mut Formatter<'_>, asked: Encryption, answer: EncryptionAnswer) -> fmt::Result {
    let asked = encryption(asked);
    match answer {
        EncryptionAnswer::Accepted => write!(f, "the server accepts {asked}"),
        EncryptionAnswer::Refused => write!(f, "the server refuses {asked}"),
        EncryptionAnswer::Error => write!(
            f,
            "the server answers the request for {asked} with an error"
        ),
        EncryptionAnswer::Unexpected => {
            write!(f, "the answer to the request for {asked} is not valid")
        }
    }
}

fn client_hello(f: &mut Formatter<'_>, hello: &ClientHello) -> fmt::Result {
    let newest = hello.versions.iter().max().copied().unwrap_or_default();
    write!(f, "{} ClientHello ", version_name(newest))?;
    match &hello.server_name {
        Some(name) => write!(f, "for {}", short(name, 255))?,
        None => f.write_str("without a server name")?,
    }
    if !hello.alpn.is_empty() {
        write!(f, ", ALPN {}", list(&hello.alpn, ", "))?;
    }
    match hello.resumes {
        true => f.write_str(", resuming a session"),
        false => Ok(()),
    }
}

fn server_hello(f: &mut Formatter<'_>, hello: &ServerHello) -> fmt::Result {
    match hello.is_retry {
        true => f.write_str("the server asks for another key share (HelloRetryRequest)"),
        false => write!(f, "the server chooses {}", hello.version_name()),
    }
}

fn alerted(f: &mut Formatter<'_>, alert: &TlsAlert) -> fmt::Result {
    let who = the(alert.from);
    match (alert.number, alert.is_warning) {
        (Some(0), _) => write!(f, "{who} closes TLS"),
        (Some(number), true) => write!(
            f,
            "{who} warns with TLS alert {number}: {}",
            alert_name(number)
        ),
        (Some(number), false) => write!(
            f,
            "{who} ends TLS with alert {number}: {}",
            alert_name(number)
        ),
        (None, true) => write!(f, "{who} closes TLS (inferred from the record size)"),
        (None, false) => write!(f, "{who} ends the TLS handshake with an encrypted alert"),
    }
}

fn logs_in(f: &mut Formatter<'_>, startup: &Startup) -> fmt::Result {
    let (major, minor) = startup.protocol;
    if major != 3 {
        return write!(f, "asks for protocol {major}.{minor}");
    }
    let user = short(startup.get("user").unwrap_or_default(), LONGEST);
    match user.is_empty() {
        true => f.write_str("requests login without a user name")?,
        false => write!(f, "requests login as {user}")?,
    }
    match startup.get("database") {
        Some(database) => write!(f, " to {}", short(database, LONGEST))?,
        None => write!(f, " without naming a database (defaults to {user})")?,
    }
    let others = startup.parameters.iter();
    let others = others.filter(|(name, _)| name != "user" && name != "database");
    // Together: what a secret's name is worth shows beside its value.
    let mut others: Vec<String> = others
        .map(|(name, value)| short(&format!("{name}={value}"), LONGEST))
        .collect();
    if minor != 0 {
        others.push(format!("protocol 3.{minor}"));
    }
    match others.is_empty() {
        true => Ok(()),
        false => write!(f, " ({})", list(&others, ", ")),
    }
}

fn asked(method: &Method) -> String {
    match method {
        Method::Cleartext => "the password in plain text".to_owned(),
        Method::Md5 => "the password's MD5 hash".to_owned(),
        Method::Sasl(mechanisms) => list(mechanisms, " or "),
        Method::Gss => "GSSAPI".to_owned(),
        Method::Sspi => "SSPI".to_owned(),
        Method::Other(number) => format!("authentication of type {number}"),
    }
}

fn said(f: &mut Formatter<'_>, error: &ServerError) -> fmt::Result {
    let head = [&error.severity, &error.code].map(|part| short(part, 32));
    let head: Vec<String> = head.into_iter().filter(|part| !part.is_empty()).collect();
    match head.is_empty() {
        true => f.write_str("error")?,
        false => f.write_str(&head.join(" "))?,
    }
    if !error.message.is_empty() {
        write!(f, ": {}", short(&error.message, LONGEST_MESSAGE))?;
    }
    match error.message.is_empty() && !error.routine().is_empty() {
        true => write!(f, " in {}", short(error.routine(), LONGEST)),
        false => Ok(()),
    }
}

fn the(side: Side) -> &'static str {
    match side {
        Side::Client => "the client",
        Side::Server => "the server",
    }
}

fn cannot_be(f: &mut Formatter<'_>, unreadable: &Unreadable) -> fmt::Result {
    let who = the(unreadable.from);
    let instead = match unreadable.phase {
        Phase::Opening if unreadable.from == Side::Client => "a start-up message",
        Phase::Opening => "an answer",
        Phase::Tls => "TLS",
        _ => "a message",
    };
    write!(f, "{who} sends ")?;
    match known(unreadable) {
        Some(what) => write!(f, "{what} instead of {instead}")?,
        None => write!(f, "something other than {instead}")?,
    }
    if let Some(length) = unreadable.length {
        write!(f, ", with a stated length of {length} bytes")?;
    }
    match unreadable.bytes.is_empty() {
        true => Ok(()),
        false => write!(f, ": {}", clean_bytes(&unreadable.bytes)),
    }
}

/// What the bytes are, where they are of another protocol.
fn known(unreadable: &Unreadable) -> Option<&'static str> {
    let bytes = unreadable.bytes.as_slice();
    match unreadable.from {
        Side::Client => CLIENTS
            .iter()
            .find(|(start, _)| bytes.starts_with(start))
            .map(|&(_, what)| what),
        Side::Server if stranger::is_known(bytes) => {
            stranger::recognise(bytes).map(|stranger| match stranger.kind {
                stranger::PeerProtocol::Http | stranger::PeerProtocol::HttpsExpected => {
                    "an HTTP response"
                }
                stranger::PeerProtocol::Ssh => "an SSH banner",
                stranger::PeerProtocol::MySql => "a MySQL greeting",
                stranger::PeerProtocol::Tls => "TLS",
                _ => "another protocol",
            })
        }
        Side::Server => None,
    }
}

/// What other clients begin with (PROXY protocol: sections 2.1 and 2.2).
const CLIENTS: &[(&[u8], &str)] = &[
    (b"PROXY ", "a PROXY protocol header (version 1)"),
    (
        b"\r\n\r\n\0\r\nQUIT\n",
        "a PROXY protocol header (version 2)",
    ),
    (b"GET ", "an HTTP request"),
    (b"POST ", "an HTTP request"),
    (b"HEAD ", "an HTTP request"),
    (b"PUT ", "an HTTP request"),
    (b"OPTIONS ", "an HTTP request"),
    (b"CONNECT ", "an HTTP request"),
    (b"PRI * HTTP/2", "an HTTP/2 request"),
    (b"SSH-", "an SSH banner"),
];

/// A peer's text as it is shown: clean, and so many characters at most.
fn short(text: &str, longest: usize) -> String {
    let text = clean(text);
    match text.char_indices().nth(longest) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

fn list(items: &[String], between: &str) -> String {
    let shown: Vec<String> = items
        .iter()
        .take(MOST)
        .map(|item| short(item, LONGEST))
        .collect();
    match items.len().checked_sub(MOST) {
        None | Some(0) => shown.join(between),
        Some(more) => format!("{} and {more} more", shown.join(between)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::tap::conversation::Conversation;

    /// The lines of what these bytes of a client say.
    fn lines(bytes: &[u8]) -> Vec<String> {
        let mut lines = Vec::new();
        Conversation::new().client(Instant::now(), bytes, &mut |event| {
            lines.push(event.to_string());
        });
        lines
    }

    #[test]
    fn a_start_up_message_is_one_line() {
        let startup = |parameters: &[(&str, &str)], protocol| {
            let parameters = parameters
                .iter()
                .map(|(a, b)| ((*a).to_owned(), (*b).to_owned()));
            Event::Startup(Startup {
                protocol,
                parameters: parameters.collect(),
            })
            .to_string()
        };
        assert_eq!(
            startup(
                &[
                    ("user", "app"),
                    ("database", "orders"),
                    ("application_name", "web")
                ],
                (3, 2)
            ),
            "requests login as app to orders (application_name=web, protocol 3.2)"
        );
        assert_eq!(
            startup(&[("user", "app")], (3, 0)),
            "requests login as app without naming a database (defaults to app)"
        );
        assert_eq!(startup(&[], (2, 0)), "asks for protocol 2.0");
        let hostile = "\u{1b}[2J\u{202e}x\n".repeat(1_000);
        let many = vec![("a", hostile.as_str()); 90];
        let line = startup(&many, (3, 0));
        assert!(
            line.ends_with(" and 78 more)") && line.len() < 1_200,
            "{line}"
        );
        assert!(!line.contains(['\u{1b}', '\n', '\u{202e}']), "{line}");
        let line = startup(&[("user", "app"), ("password", "CANARY")], (3, 0));
        assert!(!line.contains("CANARY"), "{line}");
    }

    #[test]
    fn what_is_no_start_up_message_is_named() {
        for (bytes, words) in [
            (
                &b"GET / HTTP/1.1\r\n"[..],
                "an HTTP request instead of a start-up message: GET /",
            ),
            (
                b"PROXY TCP4 10.0.0.1\r\n",
                "a PROXY protocol header (version 1) instead",
            ),
            (
                b"\r\n\r\n\0\r\nQUIT\n\x21\x11",
                "a PROXY protocol header (version 2) instead",
            ),
            (
                b"\x7f\xff\xff\xff",
                "with a stated length of 2147483647 bytes",
            ),
        ] {
            let lines = lines(bytes);
            assert!(lines.len() == 1 && lines[0].contains(words), "{lines:?}");
        }
    }

    #[test]
    fn errors_have_their_severity_and_code() {
        let error = |message: &str| ServerError {
            severity: "FATAL".to_owned(),
            code: "28P01".to_owned(),
            message: message.to_owned(),
            routine: Some("auth_failed".to_owned()),
            ..ServerError::default()
        };
        let line = |error| Event::Error(Box::new(error)).to_string();
        assert_eq!(
            line(error("password authentication failed for user \"app\"")),
            "FATAL 28P01: password authentication failed for user \"app\""
        );
        assert_eq!(line(error("")), "FATAL 28P01 in auth_failed");
        let old = ServerError {
            message: "could not fork".to_owned(),
            ..ServerError::default()
        };
        assert_eq!(line(old), "error: could not fork");
    }

    #[test]
    fn alerts_are_named() {
        let line = |number, is_warning| {
            Event::Alert(TlsAlert {
                from: Side::Client,
                number,
                is_warning,
            })
            .to_string()
        };
        assert_eq!(
            line(Some(48), false),
            "the client ends TLS with alert 48: unknown CA"
        );
        assert_eq!(line(Some(0), true), "the client closes TLS");
        assert_eq!(
            line(None, false),
            "the client ends the TLS handshake with an encrypted alert"
        );
    }

    #[test]
    fn the_choice_of_scram_is_told() {
        let used = ChannelBinding::Used("tls-server-end-point".to_owned());
        let event = Event::MechanismChosen("SCRAM-SHA-256-PLUS".to_owned(), used);
        assert_eq!(
            event.to_string(),
            "chooses SCRAM-SHA-256-PLUS with channel binding (tls-server-end-point)"
        );
        let names = ["SCRAM-SHA-256-PLUS".to_owned(), "SCRAM-SHA-256".to_owned()];
        assert_eq!(
            Event::AuthenticationAsked(Method::Sasl(names.into())).to_string(),
            "the server asks for SCRAM-SHA-256-PLUS or SCRAM-SHA-256"
        );
    }
}
