//! TLS from outside: the two hellos, the alerts, and when what follows is encrypted.
//!
//! An alert of TLS 1.3 is encrypted once its sender has the keys, and looks like data (OpenSSL's
//! clients refuse a certificate in clear, the clients of Go, Java and rustls do not). It is told by its size: 2 bytes, the
//! content type and a tag of 16 bytes make a record of 19. No message of PostgreSQL is as short,
//! and no message of the handshake either; but a program may write one in two parts, of which
//! the second has two bytes. Therefore a record of 19 bytes is no alert where the record before
//! it was full, and is taken back when the same side goes on with something else. The doubt that
//! remains: a suite with shorter tags (CCM_8), records padded by their sender, and a message
//! whose last two bytes were written on their own.
//!
//! Such an alert is fatal where it comes instead of the side's handshake: as its first encrypted
//! record, or as the server's first after the client's, which did not close. Later it is as good
//! as always close_notify.

use std::time::Instant;

use super::hello::{TLS1_3, client_hello, server_hello};
use super::reader::{Head, Item};
use super::{Body, Conversation, Encryption, EncryptionAnswer, Event, Side, TlsAlert};

// Content types (RFC 8446, section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
const HEARTBEAT: u8 = 24;

// Handshake types (section 4).
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// The longest record: TLS 1.2 allows the most (RFC 5246, section 6.2.3).
const LONGEST_RECORD: u32 = (1 << 14) + 2048;
/// A full record of TLS 1.3: the data, its type and the tag.
const FULL_RECORD: u32 = (1 << 14) + 1 + 16;
/// An alert of TLS 1.3, encrypted.
const ENCRYPTED_ALERT: u32 = 2 + 1 + 16;
/// How much of a hello is kept. The longest are those that resume with a large ticket.
const LONGEST_HELLO: usize = 12 << 10;
/// How many alerts are kept.
const MOST_ALERTS: usize = 8;

/// `close_notify` and `user_canceled`, which are no errors (RFC 8446, section 6.1).
const CLOSURES: [u8; 2] = [0, 90];

/// What is remembered of one side's TLS.
#[derive(Debug, Default)]
pub(super) struct TlsSide {
    hello: Hello,
    /// Whether it sent ChangeCipherSpec.
    changed: bool,
    /// How many records of it were application data.
    data: u64,
    /// How many of them before the client's first.
    data_before_client: u64,
    /// Whether the last record was a full one.
    was_full: bool,
    /// Whether the last record was taken for an encrypted alert.
    is_suspected: bool,
}

/// The side's hello while it comes, which may span several records.
#[derive(Debug, Default)]
struct Hello {
    head: Vec<u8>,
    body: Vec<u8>,
    left: usize,
    is_done: bool,
}

impl Hello {
    /// Takes the next bytes of the handshake; a message once it is complete, its type first.
    fn next(&mut self, bytes: &mut &[u8]) -> Option<(u8, Vec<u8>)> {
        while self.head.len() < 4 {
            let (&first, rest) = bytes.split_first()?;
            self.head.push(first);
            *bytes = rest;
            if let &[_, a, b, c] = self.head.as_slice() {
                self.left = u32::from_be_bytes([0, a, b, c]) as usize;
            }
        }
        let (piece, rest) = bytes.split_at(self.left.min(bytes.len()));
        let room = LONGEST_HELLO.saturating_sub(self.body.len());
        self.body.extend(piece.iter().take(room));
        self.left -= piece.len();
        *bytes = rest;
        if self.left > 0 {
            return None;
        }
        let kind = self.head.first().copied().unwrap_or_default();
        self.head.clear();
        Some((kind, std::mem::take(&mut self.body)))
    }
}

#[cfg(test)]
impl TlsSide {
    /// How many bytes are kept.
    pub(super) fn kept(&self) -> usize {
        self.hello.head.len() + self.hello.body.len()
    }
}

impl Conversation {
    /// Reads what comes in a TLS record. `rest` is what follows in the same read.
    pub(super) fn record(
        &mut self,
        side: Side,
        at: Instant,
        item: Item<'_>,
        rest: &[u8],
        tell: &mut dyn FnMut(Event),
    ) {
        match item {
            Item::Head(head) => self.begin_record(side, at, head, rest, tell),
            Item::Piece(piece) => match self.end_mut(side).tag {
                HANDSHAKE => self.handshake(side, piece, tell),
                _ => self.end_mut(side).push(piece),
            },
            Item::End => {
                let (body, kept) = self.end_mut(side).end();
                if let (Body::Kept(_), &[level, number]) = (body, kept.as_slice()) {
                    let is_warning = level == 1 || CLOSURES.contains(&number);
                    self.alert(side, Some(number), is_warning, tell);
                }
            }
        }
    }

    fn begin_record(
        &mut self,
        side: Side,
        at: Instant,
        head: Head,
        rest: &[u8],
        tell: &mut dyn FnMut(Event),
    ) {
        let is_first = !self.end(side).tls_began;
        let is_record = (CHANGE_CIPHER_SPEC..=HEARTBEAT).contains(&head.tag)
            && head.version >> 8 == 3
            && head.length <= LONGEST_RECORD;
        let may_begin = matches!(head.tag, HANDSHAKE | ALERT);
        if !is_record || is_first && !may_begin {
            let prefix = self.end(side).reader.head().to_vec();
            self.lose(side, &prefix, rest, None, tell);
            return;
        }
        let is_tls13 = self.is_tls13();
        let end = self.end_mut(side);
        end.tls_began = true;
        end.tag = head.tag;
        let is_alert_sized = head.tag == APPLICATION_DATA && head.length == ENCRYPTED_ALERT;
        if std::mem::take(&mut end.tls.is_suspected) && !is_alert_sized {
            self.take_back(side);
        }
        if head.tag == APPLICATION_DATA && self.encrypted.is_some() && !is_alert_sized {
            match side {
                Side::Client => self.in_tls.from_client += 1,
                Side::Server => {
                    let longest = &mut self.in_tls.longest_of_server;
                    *longest = (*longest).max(head.length);
                }
            }
        }
        let end = self.end_mut(side);
        match head.tag {
            HANDSHAKE if !end.tls.hello.is_done => return,
            ALERT if head.length == 2 => {
                end.begin(Body::Kept(|_| 0));
                return;
            }
            ALERT => self.alert(side, None, true, tell),
            CHANGE_CIPHER_SPEC => {
                end.tls.changed = true;
                let both = self.client.tls.changed && self.server.tls.changed;
                let is_older = self
                    .server_hello
                    .is_some_and(|hello| hello.version < TLS1_3);
                if both && is_older {
                    self.encrypted_now(at, tell);
                }
            }
            APPLICATION_DATA if is_tls13 => self.data(side, at, head.length, tell),
            _ => {}
        }
        self.end_mut(side).reader.skip();
    }

    /// A record of application data in TLS 1.3.
    fn data(&mut self, side: Side, at: Instant, length: u32, tell: &mut dyn FnMut(Event)) {
        let client_began = self.client.tls.data > 0;
        let client_closed = self.client.tls.is_suspected;
        let end = self.end_mut(side);
        let before = end.tls.data;
        end.tls.data += 1;
        let was_full = std::mem::replace(&mut end.tls.was_full, length == FULL_RECORD);
        if side == Side::Server && !client_began {
            end.tls.data_before_client += 1;
        }
        let is_answer_to_client = side == Side::Server
            && client_began
            && !client_closed
            && before == end.tls.data_before_client;
        if length == ENCRYPTED_ALERT && !was_full {
            end.tls.is_suspected = true;
            let is_fatal = before == 0 || is_answer_to_client;
            self.alert(side, None, !is_fatal, tell);
        } else if side == Side::Client {
            self.encrypted_now(at, tell);
        }
    }

    pub(super) fn encrypted_now(&mut self, at: Instant, tell: &mut dyn FnMut(Event)) {
        if self.encrypted.is_none() {
            self.encrypted = Some(at);
            tell(Event::Encrypted);
        }
    }

    fn is_tls13(&self) -> bool {
        let hello = self.server_hello;
        hello.is_some_and(|hello| hello.version == TLS1_3 && !hello.is_retry)
    }

    fn handshake(&mut self, side: Side, mut piece: &[u8], tell: &mut dyn FnMut(Event)) {
        while !piece.is_empty() && !self.end(side).tls.hello.is_done {
            let Some((kind, body)) = self.end_mut(side).tls.hello.next(&mut piece) else {
                return;
            };
            match (side, kind) {
                (Side::Client, CLIENT_HELLO) => {
                    self.client.tls.hello.is_done = true;
                    if let Some(hello) = client_hello(&body) {
                        self.client_hello = Some(hello.clone());
                        tell(Event::ClientHello(hello));
                    }
                }
                (Side::Server, SERVER_HELLO) => {
                    let Some(hello) = server_hello(&body) else {
                        continue;
                    };
                    self.server.tls.hello.is_done = !hello.is_retry;
                    self.answer_to_direct(EncryptionAnswer::Accepted, tell);
                    self.server_hello = Some(hello);
                    tell(Event::ServerHello(hello));
                }
                _ => {}
            }
        }
    }

    fn answer_to_direct(&mut self, answer: EncryptionAnswer, tell: &mut dyn FnMut(Event)) {
        if self.pending() == Some(Encryption::DirectTls) {
            self.answered(answer, tell);
        }
    }

    fn alert(
        &mut self,
        from: Side,
        number: Option<u8>,
        is_warning: bool,
        tell: &mut dyn FnMut(Event),
    ) {
        if from == Side::Server {
            self.answer_to_direct(EncryptionAnswer::Refused, tell);
        }
        let alert = TlsAlert {
            from,
            number,
            is_warning,
        };
        // The last place is for the latest, which may be taken back.
        self.alerts.truncate(MOST_ALERTS - 1);
        self.alerts.push(alert);
        tell(Event::Alert(alert));
    }

    /// What was taken for the end of a side was none.
    fn take_back(&mut self, side: Side) {
        let mut alerts = self.alerts.iter();
        if let Some(at) = alerts.rposition(|alert| alert.from == side && alert.number.is_none()) {
            self.alerts.remove(at);
        }
    }
}
