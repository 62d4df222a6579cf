//! The answer to SSLRequest, and what it is.

use std::io;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncReadExt};

use crate::ctx::Ctx;
use crate::text;
use crate::wire::stranger::{self, MESSAGE_MAX, Stranger};

/// SSLRequest: length 8, code 80877103 (PostgreSQL documentation, "Message Formats").
pub const SSL_REQUEST: [u8; 8] = [0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f];

/// The most that is read of an answer.
const READ_MAX: usize = 16 * 1024;

/// How long the rest of an answer is waited for once it has begun.
const REST: Duration = Duration::from_millis(150);

/// How a peer's answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The connection is still open, and it said something.
    Open,
    /// It closed in order.
    Closed,
    /// It reset the connection.
    Reset,
    /// Time ran out before it said anything.
    Silent,
    /// Reading failed in another way.
    Failed(io::ErrorKind),
}

impl Ending {
    /// What an error of reading means.
    pub fn of_error(kind: io::ErrorKind) -> Self {
        use io::ErrorKind::*;
        match kind {
            ConnectionReset | ConnectionAborted => Ending::Reset,
            UnexpectedEof | BrokenPipe | NotConnected => Ending::Closed,
            // The kernel gave up resending what we said.
            TimedOut => Ending::Silent,
            other => Ending::Failed(other),
        }
    }
}

/// What a peer said first, and how that ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Its bytes; empty where it said nothing.
    pub bytes: Vec<u8>,
    /// How it ended.
    pub ending: Ending,
}

impl Heard {
    /// The connection ended without an answer.
    pub fn nothing(ending: Ending) -> Self {
        Self {
            bytes: Vec::new(),
            ending,
        }
    }

    /// Reads the first answer: one read, and where that is not a plain `S` or
    /// `N`, what follows at once.
    pub async fn listen<R: AsyncRead + Unpin>(io: &mut R, ctx: &Ctx, limit: Instant) -> Self {
        let mut bytes = vec![0; READ_MAX];
        let ending = match ctx.until(limit, io.read(&mut bytes)).await {
            Err(_) => return Self::nothing(Ending::Silent),
            Ok(Err(error)) => return Self::nothing(Ending::of_error(error.kind())),
            Ok(Ok(0)) => return Self::nothing(Ending::Closed),
            Ok(Ok(n)) => {
                bytes.truncate(n);
                Ending::Open
            }
        };
        let mut heard = Self { bytes, ending };
        if !matches!(heard.bytes.as_slice(), [b'S' | b'N']) {
            heard.go_on(io, ctx, limit).await;
        }
        heard
    }

    /// Reads on until the peer pauses.
    async fn go_on<R: AsyncRead + Unpin>(&mut self, io: &mut R, ctx: &Ctx, limit: Instant) {
        let limit = limit.min(Instant::now() + REST);
        let mut piece = [0; 4096];
        while self.bytes.len() < READ_MAX {
            match ctx.until(limit, io.read(&mut piece)).await {
                Err(_) => break,
                Ok(Ok(0)) => {
                    self.ending = Ending::Closed;
                    break;
                }
                Ok(Ok(n)) => self.bytes.extend(piece.iter().take(n)),
                Ok(Err(error)) => {
                    self.ending = Ending::of_error(error.kind());
                    break;
                }
            }
        }
    }
}

/// What an answer to SSLRequest is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// `S`, and any bytes after it, which should not be there.
    Tls {
        /// Those bytes.
        injected: Vec<u8>,
    },
    /// `N`, and any bytes after it, which should not be there.
    NoTls {
        /// Those bytes.
        injected: Vec<u8>,
    },
    /// An ErrorResponse, or the postmaster's bare text.
    Error(ErrorText),
    /// Another protocol.
    Stranger(Stranger),
    /// The type of a PostgreSQL message with an absurd length.
    Oversized(u32),
    /// A PostgreSQL message that has no place here.
    Malformed,
    /// Nothing was said.
    Nothing(Ending),
}

/// What an error says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ErrorText {
    /// The severity, not localised where the server sends it so.
    pub severity: Option<String>,
    /// The SQLSTATE.
    pub sqlstate: Option<String>,
    /// The message.
    pub message: String,
    /// Whether it came as a bare text behind the `E`, as protocol 2 had it.
    pub old_form: bool,
}

/// Names the answer to SSLRequest.
pub fn classify(heard: &Heard) -> Answer {
    let bytes = heard.bytes.as_slice();
    if bytes.is_empty() {
        return Answer::Nothing(heard.ending);
    }
    if let Some(stranger) = signed(bytes) {
        return Answer::Stranger(stranger);
    }
    match bytes {
        [b'S', injected @ ..] => Answer::Tls {
            injected: injected.to_vec(),
        },
        [b'N', injected @ ..] if !reads_as_text(bytes) => Answer::NoTls {
            injected: injected.to_vec(),
        },
        [b'E', ..] => error(bytes),
        _ => other(bytes),
    }
}

/// Names the first answer to a start-up message sent in clear, where it is
/// none of the messages that libpq takes there.
pub fn classify_first_message(heard: &Heard) -> Answer {
    let bytes = heard.bytes.as_slice();
    match bytes {
        [] => Answer::Nothing(heard.ending),
        _ => other(bytes),
    }
}

/// Strangers whose first letter is an answer's: `SSH-`, `SERVER_ERROR`, `ERROR`.
fn signed(bytes: &[u8]) -> Option<Stranger> {
    let stranger = stranger::recognise(bytes)?;
    let own = !matches!(
        stranger.kind,
        stranger::PeerProtocol::Text | stranger::PeerProtocol::Unknown
    );
    own.then_some(stranger)
}

/// Whether somebody seems to have said something that begins with an `N` by chance.
fn reads_as_text(bytes: &[u8]) -> bool {
    let texty = |b: &u8| matches!(b, 0x20..=0x7e | b'\r' | b'\n' | b'\t');
    bytes.len() > 1 && bytes.iter().all(texty)
}

fn other(bytes: &[u8]) -> Answer {
    if let Some(stranger) = signed(bytes) {
        return Answer::Stranger(stranger);
    }
    if let [
        kind @ (b'E' | b'N' | b'R' | b'v' | b'S' | b'K' | b'Z'),
        a,
        b,
        c,
        d,
        ..,
    ] = bytes
    {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        let texty = |b: &u8| matches!(b, 0x20..=0x7e | b'\r' | b'\n');
        if !bytes.iter().take(5).all(texty) {
            return match length {
                4..=MESSAGE_MAX => Answer::Malformed,
                _ if *kind == b'E' && bytes.get(1) == Some(&0) => Answer::Malformed,
                _ => Answer::Oversized(length),
            };
        }
    }
    match stranger::recognise(bytes) {
        Some(stranger) => Answer::Stranger(stranger),
        None => Answer::Malformed,
    }
}

/// An `E` and what follows it.
fn error(bytes: &[u8]) -> Answer {
    let rest = bytes.get(1..).unwrap_or_default();
    if let [a, b, c, d, body @ ..] = rest {
        let length = u32::from_be_bytes([*a, *b, *c, *d]);
        if (8..=MESSAGE_MAX).contains(&length) {
            let whole = body.get(..length as usize - 4);
            // Where reading ended before it did, so may its texts have.
            let clean = match whole {
                Some(_) => text::clean,
                None => text::clean_part,
            };
            return match fields(whole.unwrap_or(body), clean) {
                Some(error) => Answer::Error(error),
                None => Answer::Malformed,
            };
        }
    }
    // Protocol 2's form: a text that ends with a line break and a null.
    let text = rest.strip_suffix(&[0]).unwrap_or(rest);
    let readable = std::str::from_utf8(text)
        .is_ok_and(|text| !text.is_empty() && text.chars().all(|c| !c.is_control() || c == '\n'));
    if readable && rest.ends_with(b"\n\0") {
        return Answer::Error(ErrorText {
            message: text::clean(String::from_utf8_lossy(text).trim()),
            old_form: true,
            ..ErrorText::default()
        });
    }
    other(bytes)
}

/// The fields of an ErrorResponse (PostgreSQL documentation, "Error and
/// Notice Message Fields"); none where it is not made of fields.
fn fields(body: &[u8], clean: fn(&str) -> String) -> Option<ErrorText> {
    let mut error = ErrorText::default();
    for field in body.split(|&b| b == 0) {
        let (Some(kind), Some(value)) = (field.first(), field.get(1..)) else {
            continue;
        };
        let value = clean(&String::from_utf8_lossy(value));
        match kind {
            b'V' => error.severity = Some(value),
            b'S' => {
                error.severity.get_or_insert(value);
            }
            b'C' => error.sqlstate = Some(value),
            b'M' => error.message = value,
            b'A'..=b'Z' | b'a'..=b'z' => {}
            _ => return None,
        }
    }
    (!error.message.is_empty()).then_some(error)
}

/// Whether an error without a length is one of a server before 7.4, which
/// begins with its severity; that of a postmaster that cannot start a process
/// does not (`report_fork_failure_to_client`).
pub fn is_ancient(message: &str) -> bool {
    ["FATAL:", "ERROR:"]
        .iter()
        .any(|severity| message.trim_start().starts_with(severity))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::stranger::PeerProtocol;

    fn of(bytes: &[u8]) -> Answer {
        classify(&Heard {
            bytes: bytes.to_vec(),
            ending: Ending::Open,
        })
    }

    fn message(kind: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![kind];
        out.extend((body.len() as u32 + 4).to_be_bytes());
        out.extend(body);
        out
    }

    #[test]
    fn the_two_answers() {
        assert_eq!(of(b"S"), Answer::Tls { injected: vec![] });
        assert_eq!(of(b"N"), Answer::NoTls { injected: vec![] });
    }

    #[test]
    fn bytes_behind_the_answer_are_kept_unless_they_name_a_stranger() {
        let injected = message(b'R', &[0, 0, 0, 0]);
        let mut bytes = vec![b'S'];
        bytes.extend(&injected);
        assert_eq!(of(&bytes), Answer::Tls { injected });
        assert!(matches!(of(b"SSH-2.0-x\r\n"), Answer::Stranger(s) if s.kind == PeerProtocol::Ssh));
    }

    #[test]
    fn errors_in_both_forms() {
        let body = b"SFATAL\0VFATAL\0C57P03\0Mthe database system is starting up\0\0";
        let Answer::Error(error) = of(&message(b'E', body)) else {
            panic!()
        };
        assert_eq!(error.sqlstate.as_deref(), Some("57P03"));
        assert_eq!(error.message, "the database system is starting up");
        let Answer::Error(error) = of(b"Ecould not fork new process for connection: x\n\0") else {
            panic!()
        };
        assert!(error.old_form);
    }

    #[test]
    fn lengths_and_types_that_cannot_be() {
        assert_eq!(of(b"R\x7f\xff\xff\xff"), Answer::Oversized(0x7fff_ffff));
        assert_eq!(of(&message(b'R', &[0, 0, 0, 0])), Answer::Malformed);
        assert_eq!(of(&message(b'E', b"\x01\x02\x03\x04\0")), Answer::Malformed);
        assert_eq!(of(b"E\xff\xff\xff\xff"), Answer::Oversized(0xffff_ffff));
        assert!(matches!(of(b"Nope\r\n"), Answer::Stranger(s) if s.kind == PeerProtocol::Text));
        assert!(
            matches!(of(b"ERROR\r\n"), Answer::Stranger(s) if s.kind == PeerProtocol::Memcached)
        );
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_cause_a_panic(bytes: Vec<u8>) {
            of(&bytes);
            classify_first_message(&Heard { bytes, ending: Ending::Open });
        }
    }
}
