//! `-vv`: what was sent and received on each connection, by the names of its messages.
//!
//! Nothing is recorded unless [`begin`] was called. Of a message its name and its size
//! are kept, of an error its SQLSTATE, of a query of ours its text; never what a message
//! holds, nor the size of one that holds a password.

use std::collections::VecDeque;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::Route;
use super::server_error::ServerError;
use crate::report::{Direction, WireConnection, WireEvent, ms};
use crate::run_id::RunId;
use crate::text;

/// The most connections of a run that are recorded.
const MOST_CONNECTIONS: usize = 40;
/// The most messages of one connection; of a longer one the last are left out.
const MOST_EVENTS: usize = 120;
/// How much of a query is shown, in characters.
const QUERY: usize = 60;
/// The longest SSH packet that is read (RFC 4253, section 6.1), with room.
const LONGEST_PACKET: usize = 256 * 1024;

static RECORDING: AtomicBool = AtomicBool::new(false);
static ALL: Mutex<Vec<Arc<Timeline>>> = Mutex::new(Vec::new());

/// Records every connection from here on.
pub fn begin() {
    RECORDING.store(true, Ordering::Relaxed);
}

/// A connection that is recorded; none where nothing is, or too many are.
pub fn open(route: &Route) -> Option<Arc<Timeline>> {
    if !RECORDING.load(Ordering::Relaxed) {
        return None;
    }
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let new = Arc::new(Timeline::new(route));
    let of_run = all.iter().filter(|one| one.run == new.run);
    if of_run.count() >= MOST_CONNECTIONS {
        return None;
    }
    all.push(Arc::clone(&new));
    Some(new)
}

/// What was recorded of the current run since it began; none where nothing is.
pub fn since(started: Instant) -> Option<Vec<WireConnection>> {
    let all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let run = RunId::current();
    let of_run = all
        .iter()
        .filter(|one| one.run == run && one.opened >= started);
    RECORDING
        .load(Ordering::Relaxed)
        .then(|| of_run.map(|one| one.shown(started)).collect())
}

/// One connection.
#[derive(Debug)]
pub struct Timeline {
    run: Option<RunId>,
    to: String,
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    events: Vec<Event>,
    left_out: usize,
    speaks: Speaks,
    sent: Packets,
    received: Packets,
    closed: bool,
}

#[derive(Debug)]
struct Event {
    at: Instant,
    direction: Direction,
    message: String,
    bytes: Option<usize>,
}

/// What is spoken on a connection, as far as its bytes tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Speaks {
    /// Nothing was said.
    #[default]
    Nothing,
    /// TLS was asked for, and the answer is to come.
    Asked,
    /// Messages of PostgreSQL or TLS, which those tell who read them.
    Told,
    /// SSH.
    Ssh,
    /// Something else.
    Other,
}

/// The SSH packets of one direction, until they are encrypted.
#[derive(Debug, Default)]
struct Packets {
    inbox: VecDeque<u8>,
    identified: bool,
    encrypted: bool,
}

impl Timeline {
    fn new(route: &Route) -> Self {
        let to = match route {
            Route::Direct(address) => address.to_string(),
            Route::Tunnel {
                host, port, via, ..
            } => format!("{host}:{port} through {via}"),
            Route::Command(_) => "a command of the SSH configuration".to_owned(),
        };
        Self {
            run: RunId::current(),
            to,
            opened: Instant::now(),
            state: Mutex::default(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn shown(&self, started: Instant) -> WireConnection {
        let state = self.state();
        let at = |at: Instant| ms(at.saturating_duration_since(started));
        let events = state.events.iter().map(|event| WireEvent {
            at_ms: at(event.at),
            direction: event.direction,
            message: event.message.clone(),
            bytes: event.bytes,
        });
        WireConnection {
            to: self.to.clone(),
            opened_ms: at(self.opened),
            events: events.collect(),
            left_out: state.left_out,
        }
    }

    /// Notes a message that was read or written as one.
    pub fn message(&self, direction: Direction, message: impl Into<String>, bytes: Option<usize>) {
        self.state().push(direction, message.into(), bytes);
    }

    /// Notes how the peer, or this side, ended the connection.
    pub fn end(&self, how: &str) {
        let mut state = self.state();
        if !std::mem::replace(&mut state.closed, true) {
            state.push(Direction::End, how.to_owned(), None);
        }
    }

    /// Notes a connection that broke.
    pub fn broke(&self, kind: io::ErrorKind) {
        self.end(&format!("broken: {kind}"));
    }

    /// Reads what passes on the connection itself, under any encryption.
    pub fn bytes(&self, direction: Direction, bytes: &[u8]) {
        let mut state = self.state();
        let sent = direction == Direction::Sent;
        match state.speaks {
            Speaks::Told => {}
            Speaks::Ssh => state.ssh(direction, bytes),
            Speaks::Other => state.more(direction, "data", bytes.len()),
            Speaks::Asked if !sent => {
                state.speaks = Speaks::Nothing;
                let answer = match bytes.first() {
                    Some(b'S') => "S (encryption accepted)",
                    Some(b'N') => "N (encryption refused)",
                    Some(b'E') => "ErrorResponse",
                    _ => "an answer of another protocol",
                };
                state.push(direction, answer.to_owned(), Some(bytes.len()));
            }
            Speaks::Nothing | Speaks::Asked => state.first(direction, bytes),
        }
    }

    /// Notes what is sent of PostgreSQL's protocol.
    pub fn sent(&self, mut bytes: &[u8]) {
        let mut state = self.state();
        state.speaks = Speaks::Told;
        while let Some((name, length, secret)) = frontend(bytes) {
            let size = (!secret).then_some(length.min(bytes.len()));
            state.push(Direction::Sent, name, size);
            bytes = bytes.get(length..).unwrap_or_default();
        }
    }

    /// Notes a message of PostgreSQL's protocol that was received.
    pub fn received(&self, tag: u8, body: &[u8]) {
        let name = backend(tag, body);
        self.message(Direction::Received, name, Some(body.len() + 5));
    }

    /// Notes a TLS message or alert (RFC 8446, B.1 and B.3).
    pub fn tls(&self, sent: bool, content: u8, bytes: &[u8]) {
        let direction = match sent {
            true => Direction::Sent,
            false => Direction::Received,
        };
        let name = match (content, bytes) {
            (HANDSHAKE, [kind, ..]) => format!("TLS {}", handshake(*kind)),
            (ALERT, [level, description, ..]) => {
                let level = if *level == 2 { "fatal alert" } else { "alert" };
                format!("TLS {level} {description}")
            }
            _ => return,
        };
        let mut state = self.state();
        state.speaks = Speaks::Told;
        state.push(direction, name, Some(bytes.len()));
    }
}

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

impl State {
    fn push(&mut self, direction: Direction, message: String, bytes: Option<usize>) {
        if self.events.len() >= MOST_EVENTS && direction != Direction::End {
            self.left_out += 1;
            return;
        }
        self.events.push(Event {
            at: Instant::now(),
            direction,
            message,
            bytes,
        });
    }

    /// Notes bytes without a name: those in a row are one event.
    fn more(&mut self, direction: Direction, what: &str, bytes: usize) {
        match self.events.last_mut() {
            Some(last) if last.direction == direction && last.message == what => {
                last.bytes = last.bytes.map(|sum| sum + bytes);
            }
            _ => self.push(direction, what.to_owned(), Some(bytes)),
        }
    }

    /// The first bytes of a connection, or those after an answer to a request for TLS.
    fn first(&mut self, direction: Direction, bytes: &[u8]) {
        let request = match (direction, bytes) {
            (Direction::Sent, [0, 0, 0, 8, 4, 210, 22, 47, ..]) => Some("SSLRequest"),
            (Direction::Sent, [0, 0, 0, 8, 4, 210, 22, 48, ..]) => Some("GSSENCRequest"),
            _ => None,
        };
        if let Some(request) = request {
            self.speaks = Speaks::Asked;
            return self.push(direction, request.to_owned(), Some(bytes.len()));
        }
        match bytes {
            [HANDSHAKE, 3, ..] | [0, 0, _, _, 0, 3, ..] if direction == Direction::Sent => {
                self.speaks = Speaks::Told;
            }
            bytes if bytes.starts_with(b"SSH-") => {
                self.speaks = Speaks::Ssh;
                self.ssh(direction, bytes);
            }
            bytes => {
                self.speaks = Speaks::Other;
                self.more(direction, "data", bytes.len());
            }
        }
    }

    /// SSH: the identification, then packets, of which the number can be read until the
    /// keys are in use (RFC 4253, sections 4.2, 6 and 12).
    fn ssh(&mut self, direction: Direction, bytes: &[u8]) {
        let side = match direction {
            Direction::Sent => &mut self.sent,
            _ => &mut self.received,
        };
        if side.encrypted {
            return self.more(direction, "SSH encrypted packets", bytes.len());
        }
        side.inbox.extend(bytes);
        let mut found = Vec::new();
        let mut rest = 0;
        loop {
            let inbox = side.inbox.make_contiguous();
            if side.encrypted {
                rest = inbox.len();
                side.inbox = VecDeque::new();
                break;
            }
            if !side.identified {
                let Some(end) = inbox.iter().position(|byte| *byte == b'\n') else {
                    side.encrypted = inbox.len() > LONGEST_PACKET;
                    break;
                };
                side.identified = inbox.starts_with(b"SSH-");
                let name = match side.identified {
                    true => "SSH identification",
                    false => "a line before it",
                };
                found.push((name.to_owned(), end + 1));
                side.inbox.drain(..=end);
                continue;
            }
            let &[a, b, c, d, _, number, ..] = &*inbox else {
                break;
            };
            let length = u32::from_be_bytes([a, b, c, d]) as usize + 4;
            if length > LONGEST_PACKET {
                side.encrypted = true;
                continue;
            }
            if inbox.len() < length {
                break;
            }
            side.encrypted = number == NEWKEYS;
            found.push((format!("SSH {}", packet(number)), length));
            side.inbox.drain(..length);
        }
        for (name, bytes) in found {
            self.push(direction, name, Some(bytes));
        }
        if rest > 0 {
            self.more(direction, "SSH encrypted packets", rest);
        }
    }
}

/// `SSH_MSG_NEWKEYS`, after which everything is encrypted.
const NEWKEYS: u8 = 21;

/// A message of SSH's transport by its number (RFC 4250, section 4.1.2; RFC 5656,
/// RFC 8308).
fn packet(number: u8) -> String {
    let name = match number {
        1 => "DISCONNECT",
        2 => "IGNORE",
        3 => "UNIMPLEMENTED",
        4 => "DEBUG",
        5 => "SERVICE_REQUEST",
        6 => "SERVICE_ACCEPT",
        7 => "EXT_INFO",
        20 => "KEXINIT",
        NEWKEYS => "NEWKEYS",
        30 => "KEX_ECDH_INIT",
        31 => "KEX_ECDH_REPLY",
        32 => "KEX_DH_GEX_INIT",
        33 => "KEX_DH_GEX_REPLY",
        34 => "KEX_DH_GEX_REQUEST",
        number => return format!("message {number}"),
    };
    name.to_owned()
}

/// A message of a TLS handshake by its number (RFC 8446, B.3; RFC 5246, A.4).
fn handshake(kind: u8) -> String {
    let name = match kind {
        0 => "HelloRequest",
        1 => "ClientHello",
        2 => "ServerHello",
        4 => "NewSessionTicket",
        8 => "EncryptedExtensions",
        11 => "Certificate",
        12 => "ServerKeyExchange",
        13 => "CertificateRequest",
        14 => "ServerHelloDone",
        15 => "CertificateVerify",
        16 => "ClientKeyExchange",
        20 => "Finished",
        24 => "KeyUpdate",
        kind => return format!("message {kind}"),
    };
    name.to_owned()
}

/// The message that bytes of ours begin with: its name, its length, and whether it
/// may hold a password.
fn frontend(bytes: &[u8]) -> Option<(String, usize, bool)> {
    let (tag, head) = match bytes {
        [0, ..] => (None, bytes.get(..8)?),
        [tag, rest @ ..] => (Some(*tag), rest.get(..4)?),
        [] => return None,
    };
    let length = u32::from_be_bytes(head.get(..4)?.try_into().ok()?) as usize;
    let Some(tag) = tag else {
        let code = u32::from_be_bytes(head.get(4..8)?.try_into().ok()?);
        let name = match code {
            80_877_102 => "CancelRequest".to_owned(),
            80_877_103 => "SSLRequest".to_owned(),
            80_877_104 => "GSSENCRequest".to_owned(),
            code => format!("StartupMessage {}.{}", code >> 16, code & 0xffff),
        };
        return Some((name, length.max(8), false));
    };
    let body = bytes
        .get(5..(length + 1).min(bytes.len()))
        .unwrap_or_default();
    let name = match tag {
        b'Q' => {
            let text = body.split(|byte| *byte == 0).next().unwrap_or_default();
            let text = text::clean_bytes(text);
            let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
            match text.char_indices().nth(QUERY) {
                Some((at, _)) => format!("Query {}…", &text[..at]),
                None => format!("Query {text}"),
            }
        }
        b'p' => "password or SASL response".to_owned(),
        b'X' => "Terminate".to_owned(),
        b'P' => "Parse".to_owned(),
        b'B' => "Bind".to_owned(),
        b'D' => "Describe".to_owned(),
        b'E' => "Execute".to_owned(),
        b'S' => "Sync".to_owned(),
        b'H' => "Flush".to_owned(),
        b'C' => "Close".to_owned(),
        tag => format!("message {}", tag.escape_ascii()),
    };
    Some((name, length + 1, tag == b'p'))
}

/// A message of the server (PostgreSQL documentation, "Message Formats").
fn backend(tag: u8, body: &[u8]) -> String {
    let name = match tag {
        b'R' => return authentication(body),
        b'E' => {
            let code = ServerError::parse(body).map(|error| text::clean(&error.code));
            let code: String = code.unwrap_or_default().chars().take(5).collect();
            return format!("ErrorResponse {code}");
        }
        b'S' => {
            let name = body.split(|byte| *byte == 0).next().unwrap_or_default();
            return format!("ParameterStatus {}", text::clean_bytes(name));
        }
        b'N' => "NoticeResponse",
        b'K' => "BackendKeyData",
        b'Z' => "ReadyForQuery",
        b'v' => "NegotiateProtocolVersion",
        b'T' => "RowDescription",
        b'D' => "DataRow",
        b'C' => "CommandComplete",
        b'I' => "EmptyQueryResponse",
        b'1' => "ParseComplete",
        b'2' => "BindComplete",
        b'A' => "NotificationResponse",
        tag => return format!("message {}", tag.escape_ascii()),
    };
    name.to_owned()
}

fn authentication(body: &[u8]) -> String {
    let code = body.get(..4).and_then(|code| code.try_into().ok());
    let name = match code.map(u32::from_be_bytes) {
        Some(0) => "AuthenticationOk",
        Some(3) => "AuthenticationCleartextPassword",
        Some(5) => "AuthenticationMD5Password",
        Some(7) => "AuthenticationGSS",
        Some(9) => "AuthenticationSSPI",
        Some(10) => "AuthenticationSASL",
        Some(11) => "AuthenticationSASLContinue",
        Some(12) => "AuthenticationSASLFinal",
        Some(code) => return format!("Authentication {code}"),
        None => "Authentication",
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::Address;
    use super::*;

    fn timeline() -> Timeline {
        let address: SocketAddr = "192.0.2.1:5432".parse().unwrap();
        Timeline::new(&Route::Direct(Address::Tcp(address)))
    }

    fn told(timeline: &Timeline) -> Vec<String> {
        let shown = timeline.shown(timeline.opened);
        let line = |event: &WireEvent| {
            let sign = match event.direction {
                Direction::Sent => '>',
                Direction::Received => '<',
                Direction::End => '.',
            };
            let size = event.bytes.map(|bytes| format!(" {bytes}"));
            format!("{sign} {}{}", event.message, size.unwrap_or_default())
        };
        shown.events.iter().map(line).collect()
    }

    #[test]
    fn nothing_is_recorded_unless_it_is_asked_for() {
        let address: SocketAddr = "192.0.2.1:5432".parse().unwrap();
        assert!(open(&Route::Direct(Address::Tcp(address))).is_none());
        assert!(since(Instant::now()).is_none());
    }

    #[test]
    fn a_login_is_told_by_its_messages() {
        let one = timeline();
        one.bytes(Direction::Sent, &[0, 0, 0, 8, 4, 210, 22, 47]);
        one.bytes(Direction::Received, b"N");
        let startup = b"\0\0\0\x13\0\x03\0\0user\0zebra\0\0";
        one.bytes(Direction::Sent, startup);
        one.sent(startup);
        one.bytes(Direction::Received, b"R\0\0\0\x08\0\0\0\x03");
        one.received(b'R', &[0, 0, 0, 3]);
        one.sent(b"p\0\0\0\x0chunter2\0");
        one.received(b'E', b"SFATAL\0C28P01\0Mno\0\0");
        one.sent(b"Q\0\0\0\x0dSELECT 1\0X\0\0\0\x04");
        one.end("closed by the peer");
        one.end("closed here");
        let told = told(&one);
        assert_eq!(
            told,
            [
                "> SSLRequest 8",
                "< N (encryption refused) 1",
                "> StartupMessage 3.0 19",
                "< AuthenticationCleartextPassword 9",
                "> password or SASL response",
                "< ErrorResponse 28P01 24",
                "> Query SELECT 1 14",
                "> Terminate 5",
                ". closed by the peer",
            ]
        );
        assert!(!told.join("\n").contains("hunter2"));
    }

    #[test]
    fn ssh_packets_have_names_until_they_are_encrypted() {
        let packet = |number: u8| {
            let mut bytes = vec![0, 0, 0, 12, 4, number];
            bytes.resize(16, 0);
            bytes
        };
        let one = timeline();
        one.bytes(Direction::Received, b"SSH-2.0-Op");
        one.bytes(Direction::Received, b"enSSH\r\n");
        one.bytes(Direction::Sent, b"SSH-2.0-x\r\n");
        let both = [packet(20), packet(21), vec![9; 40]].concat();
        // Cut anywhere.
        for part in both.chunks(7) {
            one.bytes(Direction::Received, part);
        }
        assert_eq!(
            told(&one),
            [
                "< SSH identification 17",
                "> SSH identification 11",
                "< SSH KEXINIT 16",
                "< SSH NEWKEYS 16",
                "< SSH encrypted packets 40",
            ]
        );
    }

    #[test]
    fn a_timeline_is_bounded() {
        let one = timeline();
        for _ in 0..MOST_EVENTS + 7 {
            one.received(b'Z', b"I");
        }
        one.end("closed by the peer");
        let shown = one.shown(one.opened);
        assert_eq!(shown.events.len(), MOST_EVENTS + 1);
        assert_eq!(shown.left_out, 7);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_cause_a_panic(parts: Vec<(bool, Vec<u8>)>, ssh: bool) {
            let one = timeline();
            if ssh {
                one.bytes(Direction::Received, b"SSH-2.0-x\r\n");
            }
            for (sent, bytes) in parts {
                let direction = if sent { Direction::Sent } else { Direction::Received };
                one.bytes(direction, &bytes);
                one.sent(&bytes);
                one.tls(sent, 22, &bytes);
                one.received(bytes.first().copied().unwrap_or_default(), &bytes);
            }
        }
    }
}
