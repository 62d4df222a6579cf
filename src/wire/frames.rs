//! Frames of the Postgres protocol, version 3: reading them as carefully as
//! libpq does, and writing the few that dbdoctor sends.
//!
//! The bounds are libpq's (`PQconnectPoll` and `pqParseInput3`): a message of
//! the authentication phase is short, a peer that announces more is no
//! PostgreSQL server. Nothing a peer sends can make us read without end.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::wire::first_reply::{Ending, Heard};
use crate::wire::linger;
use crate::wire::secured::Wire;

/// The longest AuthenticationRequest and NegotiateProtocolVersion, in bytes of
/// the length field (libpq: `PQconnectPoll`).
const LONGEST_REQUEST: usize = 2_000;
/// The longest ErrorResponse before authentication (libpq: `MAX_ERRLEN`), and
/// the longest message of a kind that is never long (libpq:
/// `VALID_LONG_MESSAGE_TYPE`).
const LONGEST_SHORT: usize = 30_000;
/// The longest message that dbdoctor has a use for; libpq takes up to 1 GB.
const LONGEST: usize = 1 << 20;
/// How much of an error without a length is read (protocol 2 and older).
const LONGEST_OLD_ERROR: usize = 8_192;

/// How much is read at once.
const READ_SIZE: usize = 4_096;
/// How long the rest of an answer is waited for once it has begun.
const REST: Duration = Duration::from_millis(150);

/// One message from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The message's type.
    pub tag: u8,
    /// What follows the length.
    pub body: Vec<u8>,
}

/// Why no message could be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The peer ended the connection in order (FIN, or the end of TLS).
    Closed,
    /// The peer reset the connection.
    Reset,
    /// The peer sent a TLS alert: its number (RFC 8446, section 6) and OpenSSL's words.
    Alert(i32, String),
    /// Something else broke.
    Io(io::ErrorKind, String),
    /// Bytes that cannot be the beginning of a message here.
    Stranger(Vec<u8>),
    /// A message whose content is wrong: its type and what is wrong.
    Malformed(u8, String),
    /// A message that claims an absurd length: its type and the length.
    Oversized(u8, usize),
    /// An error in the form of protocol 2, without length or SQLSTATE: what a
    /// postmaster sends when it cannot start a process for the connection.
    OldError(String),
}

impl ReadError {
    /// The same as a peer's first words, where it was the first thing read;
    /// none where it is about a message of PostgreSQL's protocol.
    pub fn heard(&self) -> Option<Heard> {
        match self {
            ReadError::Closed => Some(Heard::nothing(Ending::Closed)),
            ReadError::Reset => Some(Heard::nothing(Ending::Reset)),
            ReadError::Io(kind, _) => Some(Heard::nothing(Ending::of_error(*kind))),
            ReadError::Stranger(bytes) => Some(Heard {
                bytes: bytes.clone(),
                ending: Ending::Open,
            }),
            _ => None,
        }
    }
}

impl std::fmt::Display for ReadError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            ReadError::Closed => f.write_str("the peer closed the connection"),
            ReadError::Reset => f.write_str("the peer reset the connection"),
            ReadError::Alert(_, text) | ReadError::Io(_, text) => f.write_str(text),
            ReadError::Stranger(bytes) => {
                write!(f, "unexpected bytes: {}", crate::text::clean_bytes(bytes))
            }
            ReadError::Malformed(tag, what) => {
                write!(f, "malformed message {}: {what}", show_tag(*tag))
            }
            ReadError::Oversized(tag, length) => {
                write!(f, "message {} of {length} bytes", show_tag(*tag))
            }
            ReadError::OldError(text) => f.write_str(text),
        }
    }
}

/// A message type as people read it.
fn show_tag(tag: u8) -> String {
    crate::text::clean_bytes(&[b'\'', tag, b'\''])
}

/// Which bounds apply to the next message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BoundsPhase {
    /// Before AuthenticationOk: only requests, errors and version negotiation.
    Authentication,
    /// After it.
    Session,
}

/// A transport, read message by message.
pub struct Frames {
    wire: Wire,
    inbox: Vec<u8>,
}

impl Frames {
    /// Reads messages from a transport on which nothing of the protocol was
    /// said since encryption was settled.
    pub fn new(wire: Wire) -> Self {
        Self {
            wire,
            inbox: Vec::new(),
        }
    }

    /// The transport below.
    pub fn wire(&self) -> &Wire {
        &self.wire
    }

    /// Sends bytes. A failure shows at the next read: the peer's last words
    /// explain more than a broken pipe does.
    pub async fn send(&mut self, bytes: &[u8]) {
        if let Some(timeline) = self.wire.log.timeline() {
            timeline.sent(bytes);
        }
        if self.wire.io.write_all(bytes).await.is_ok() {
            let _ = self.wire.io.flush().await;
        }
    }

    /// Reads the next message. May be dropped half-way and called again.
    pub async fn next(&mut self, phase: BoundsPhase) -> Result<Frame, ReadError> {
        loop {
            match head(&self.inbox, phase) {
                Ok(Head::Whole(length)) => {
                    let frame = self.take(length);
                    if let Some(timeline) = self.wire.log.timeline() {
                        timeline.received(frame.tag, &frame.body);
                    }
                    return Ok(frame);
                }
                Ok(Head::More) => self.fill().await?,
                Ok(Head::OldError) => {
                    let error = self.old_error().await;
                    return Err(self.in_another_tongue().unwrap_or(error));
                }
                Err(error) if phase == BoundsPhase::Authentication => {
                    return Err(self.in_another_tongue().unwrap_or(error));
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Another protocol that is known by its first words: `ERROR` of memcached
    /// and `RFB` of VNC begin as messages do.
    fn in_another_tongue(&self) -> Option<ReadError> {
        super::stranger::is_known(&self.inbox).then(|| ReadError::Stranger(self.inbox.clone()))
    }

    /// Whether bytes of a message are here that [`Frames::next`] has not returned.
    pub fn has_part(&self) -> bool {
        !self.inbox.is_empty()
    }

    /// Ends the session in order: Terminate, then the server's end. Nothing is sent
    /// after it, not even the end of TLS, which would find the server gone.
    pub async fn terminate(mut self) {
        let mut message = Vec::new();
        put_message(&mut message, b'X', &[]);
        self.send(&message).await;
        linger::until_end(&mut self.wire.io).await;
    }

    /// Takes a message whose length field says `length` off the inbox.
    fn take(&mut self, length: usize) -> Frame {
        let mut message: Vec<u8> = self.inbox.drain(..=length).collect();
        let body = message.split_off(5);
        Frame {
            tag: message.first().copied().unwrap_or_default(),
            body,
        }
    }

    async fn fill(&mut self) -> Result<(), ReadError> {
        self.inbox.reserve(READ_SIZE);
        match self.wire.io.read_buf(&mut self.inbox).await {
            Ok(0) => Err(self.ended(None)),
            Ok(_) => Ok(()),
            Err(error) => Err(self.ended(Some(error))),
        }
    }

    /// How the transport ended. TLS hides it, so the bytes below are asked.
    fn ended(&self, error: Option<io::Error>) -> ReadError {
        let seen = self.wire.log.seen();
        let reset = Some(io::ErrorKind::ConnectionReset);
        match error {
            _ if seen.read_error == reset => ReadError::Reset,
            None => ReadError::Closed,
            Some(error) if Some(error.kind()) == reset => ReadError::Reset,
            Some(error) => match alert(&error) {
                Some(number) => ReadError::Alert(number, error.to_string()),
                // TLS that ended without its own farewell.
                None if seen.closed => ReadError::Closed,
                None => ReadError::Io(error.kind(), error.to_string()),
            },
        }
    }

    async fn old_error(&mut self) -> ReadError {
        let end = |inbox: &[u8]| {
            inbox
                .iter()
                .skip(1)
                .position(|&b| b == b'\0' || b == b'\n')
                .map(|at| at + 1)
        };
        // A control character in the place of the length: no end of a text
        // is to be waited for.
        let hopeless = |inbox: &[u8]| {
            inbox
                .get(1..5)
                .is_some_and(|head| head.iter().any(|&b| b == 0x7f || b < b'\t'))
        };
        while end(&self.inbox).is_none()
            && !hopeless(&self.inbox)
            && self.inbox.len() < LONGEST_OLD_ERROR
        {
            if self.fill().await.is_err() {
                break;
            }
        }
        let until = end(&self.inbox).unwrap_or(self.inbox.len());
        // A server's zero follows at once; other peers' lines have none.
        if until + 1 == self.inbox.len() && self.inbox.last() == Some(&b'\n') {
            let _ = tokio::time::timeout(REST, self.fill()).await;
        }
        let text = self.inbox.get(1..until).unwrap_or_default();
        // A server's own ends by a zero; it may be in any encoding. Other
        // peers' lines begin with this letter too.
        let is_whole = [until, until + 1]
            .iter()
            .any(|&at| self.inbox.get(at) == Some(&0));
        if looks_like_text(text) && is_whole {
            ReadError::OldError(decode(text))
        } else if looks_like_text(text) && text.is_ascii() {
            ReadError::Stranger(self.inbox.clone())
        } else if let Some(&[b'E', a, b, c, d]) = self.inbox.get(..5) {
            // No text of old: an error with an absurd length.
            match u32::from_be_bytes([a, b, c, d]) as usize {
                length if length > LONGEST_SHORT => ReadError::Oversized(b'E', length),
                length => ReadError::Malformed(b'E', format!("its length is {length}")),
            }
        } else {
            ReadError::Stranger(self.inbox.clone())
        }
    }
}

/// The number of the alert that an error of the TLS layer stands for.
fn alert(error: &io::Error) -> Option<i32> {
    error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<openssl::ssl::Error>())
        .and_then(openssl::ssl::Error::ssl_error)?
        .errors()
        .iter()
        .map(|error| error.reason_code())
        // OpenSSL adds SSL_AD_REASON_OFFSET to the numbers of alerts.
        .find(|code| (1000..1256).contains(code))
        .map(|code| code - 1000)
}

/// What the inbox begins with.
#[derive(Debug, PartialEq, Eq)]
enum Head {
    /// A whole message; its length field says this.
    Whole(usize),
    /// Part of one.
    More,
    /// An error without a length.
    OldError,
}

fn head(inbox: &[u8], phase: BoundsPhase) -> Result<Head, ReadError> {
    let Some(&tag) = inbox.first() else {
        return Ok(Head::More);
    };
    if phase == BoundsPhase::Authentication && !matches!(tag, b'R' | b'E' | b'v') {
        return Err(ReadError::Stranger(inbox.to_vec()));
    }
    let Some(&[a, b, c, d]) = inbox.get(1..5) else {
        return Ok(Head::More);
    };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    match phase {
        BoundsPhase::Authentication if tag == b'E' => {
            if !(8..=LONGEST_SHORT).contains(&length) {
                return Ok(Head::OldError);
            }
        }
        BoundsPhase::Authentication => {
            if length > LONGEST_REQUEST {
                return Err(ReadError::Oversized(tag, length));
            }
            if length < 8 {
                return Err(ReadError::Malformed(tag, format!("its length is {length}")));
            }
        }
        BoundsPhase::Session => {
            // libpq: VALID_LONG_MESSAGE_TYPE.
            let may_be_long = matches!(tag, b'T' | b'D' | b'd' | b'V' | b'E' | b'N' | b'A');
            let longest = if may_be_long { LONGEST } else { LONGEST_SHORT };
            if length > longest {
                return Err(ReadError::Oversized(tag, length));
            }
            if length < 4 {
                return Err(ReadError::Malformed(tag, format!("its length is {length}")));
            }
        }
    }
    Ok(if inbox.len() > length {
        Head::Whole(length)
    } else {
        Head::More
    })
}

/// Whether bytes can be a message for people: no control characters but
/// white space, and not nothing.
fn looks_like_text(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes
            .iter()
            .all(|&b| b >= 0x20 && b != 0x7f || b.is_ascii_whitespace())
}

/// Text from a server. It is in the server's encoding as long as none was
/// agreed upon: UTF-8 as a rule, else read as Latin-1, which loses nothing.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}

/// Reads the fields of a message's body; every reader returns `None` at the end.
pub struct Fields<'a>(pub &'a [u8]);

impl<'a> Fields<'a> {
    /// The next `n` bytes.
    pub fn bytes(&mut self, n: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(n)?;
        self.0 = rest;
        Some(taken)
    }

    /// A byte.
    pub fn u8(&mut self) -> Option<u8> {
        self.bytes(1)?.first().copied()
    }

    /// A 16-bit integer.
    pub fn i16(&mut self) -> Option<i16> {
        Some(i16::from_be_bytes(self.bytes(2)?.try_into().ok()?))
    }

    /// A 32-bit integer.
    pub fn i32(&mut self) -> Option<i32> {
        Some(i32::from_be_bytes(self.bytes(4)?.try_into().ok()?))
    }

    /// A zero-terminated string.
    pub fn string(&mut self) -> Option<String> {
        let end = self.0.iter().position(|&b| b == 0)?;
        let text = decode(self.bytes(end)?);
        self.bytes(1)?;
        Some(text)
    }
}

/// Appends a message with a type.
pub fn put_message(out: &mut Vec<u8>, tag: u8, body: &[u8]) {
    out.push(tag);
    put_length(out, body.len() + 4);
    out.extend_from_slice(body);
}

/// Protocol 3.0, as the start-up message has it.
pub const PROTOCOL_3_0: u32 = 3 << 16;
/// Protocol 3.2 (there is no 3.1).
pub const PROTOCOL_3_2: u32 = (3 << 16) | 2;

/// The start-up message of a protocol version with its parameters. A zero byte
/// would end a value early, so it is cut there, as libpq's C strings are.
pub fn startup_message(version: u32, parameters: &[(String, String)]) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    for (name, value) in parameters {
        for text in [name, value] {
            body.extend(text.bytes().take_while(|&b| b != 0));
            body.push(0);
        }
    }
    body.push(0);
    let mut out = Vec::with_capacity(body.len() + 4);
    put_length(&mut out, body.len() + 4);
    out.extend_from_slice(&body);
    out
}

fn put_length(out: &mut Vec<u8>, length: usize) {
    let length = u32::try_from(length).unwrap_or(u32::MAX);
    out.extend_from_slice(&length.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authentication_is_bounded_as_libpq_bounds_it() {
        let auth = |bytes: &[u8]| head(bytes, BoundsPhase::Authentication);
        assert_eq!(auth(b""), Ok(Head::More));
        assert_eq!(auth(b"R\0\0\0\x08\0\0\0\0"), Ok(Head::Whole(8)));
        assert_eq!(auth(b"R\0\0\0\x08\0\0\0"), Ok(Head::More));
        assert!(matches!(
            auth(b"R\0\0\0\x07\0\0\0"),
            Err(ReadError::Malformed(..))
        ));
        assert_eq!(
            auth(b"R\0\0\x07\xd1"),
            Err(ReadError::Oversized(b'R', 2001))
        );
        assert_eq!(auth(b"Ecoul"), Ok(Head::OldError));
        assert!(matches!(auth(b"H"), Err(ReadError::Stranger(_))));
        assert!(matches!(auth(b"N\0\0\0\x08"), Err(ReadError::Stranger(_))));
    }

    #[test]
    fn a_session_allows_long_rows_only() {
        let session = |bytes: &[u8]| head(bytes, BoundsPhase::Session);
        assert_eq!(session(b"D\0\x01\0\0"), Ok(Head::More));
        assert!(matches!(
            session(b"Z\0\x01\0\0"),
            Err(ReadError::Oversized(..))
        ));
        assert!(matches!(
            session(b"D\x7f\0\0\0"),
            Err(ReadError::Oversized(..))
        ));
        assert!(matches!(
            session(b"Z\0\0\0\x03"),
            Err(ReadError::Malformed(..))
        ));
    }

    #[test]
    fn a_start_up_message_ends_values_at_a_zero() {
        let message = startup_message(PROTOCOL_3_0, &[("user".into(), "a\0b".into())]);
        assert_eq!(message, b"\0\0\0\x10\0\x03\0\0user\0a\0\0");
    }

    proptest::proptest! {
        #[test]
        fn a_whole_message_fits_into_the_inbox(inbox: Vec<u8>, session: bool) {
            let phase = if session { BoundsPhase::Session } else { BoundsPhase::Authentication };
            if let Ok(Head::Whole(length)) = head(&inbox, phase) {
                assert!(length >= 4 && length < inbox.len());
            }
        }
    }
}
