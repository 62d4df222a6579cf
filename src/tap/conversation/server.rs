//! What the server sends: its answers to requests for encryption, the login, and the kinds of
//! its messages.

use std::ops::RangeInclusive;
use std::time::Instant;

use super::error_fields::{ErrorFields, Wanted};
use super::reader::{Framing, Head, Item};
use super::{
    Begun, Body, Conversation, Encryption, EncryptionAnswer, Event, Method, Phase, Side, text,
};
use crate::wire::server_error::ServerError;

/// libpq's limits (`PQconnectPoll`, `VALID_LONG_MESSAGE_TYPE`); before the login those of other
/// drivers, which take longer tokens of GSSAPI.
const LONGEST_SHORT: u32 = 30_000;
const LONGEST: u32 = 0x3fff_ffff;
/// The longest error without a length that is read.
const LONGEST_OLD_ERROR: usize = 512;

/// Bounds of what is kept.
const MOST_PARAMETERS: usize = 48;
const MOST_METHODS: usize = 8;
const MOST_MECHANISMS: usize = 16;
const MOST_ERRORS: usize = 8;
const MOST_SQLSTATES: usize = 64;
const MOST_NOTICES: u32 = 16;
const LONGEST_NAME: usize = 64;
const LONGEST_VALUE: usize = 128;

impl Conversation {
    pub(super) fn read_server(
        &mut self,
        at: Instant,
        mut bytes: &[u8],
        tell: &mut dyn FnMut(Event),
    ) {
        loop {
            if self.old_error.is_some() {
                self.read_old_error(bytes, tell);
                return;
            }
            if let (true, Some((&first, rest))) =
                (self.server.reader.is_at_start(), bytes.split_first())
            {
                match self.first_byte(first) {
                    First::Answer(answer) => {
                        bytes = rest;
                        self.byte_of_answer = Some(first);
                        self.answered(answer, tell);
                        if self.phase == Phase::Gss {
                            self.encrypted_now(at, tell);
                        }
                        continue;
                    }
                    First::Message => {}
                    First::Stranger => {
                        if self.pending().is_some() {
                            self.answered(EncryptionAnswer::Unexpected, tell);
                        }
                        let prefix: Vec<u8> = self.byte_of_answer.into_iter().collect();
                        self.lose(Side::Server, &prefix, bytes, None, tell);
                        return;
                    }
                }
            }
            let Some(item) = self.server.reader.next(&mut bytes) else {
                return;
            };
            match self.server.reader.framing() {
                Framing::Record => self.record(Side::Server, at, item, bytes, tell),
                _ => self.server_message(at, item, bytes, tell),
            }
            if self.phase == Phase::Lost {
                return;
            }
        }
    }

    /// What the first byte of a message is, and how the rest is framed.
    fn first_byte(&mut self, first: u8) -> First {
        let framing = match (self.pending(), self.phase, first) {
            (Some(Encryption::Tls), _, b'S') | (Some(Encryption::Gss), _, b'G') => {
                return First::Answer(EncryptionAnswer::Accepted);
            }
            (Some(Encryption::Tls | Encryption::Gss), _, b'N') => {
                return First::Answer(EncryptionAnswer::Refused);
            }
            (Some(Encryption::DirectTls), _, 0x14..=0x17) => Framing::Record,
            (Some(_), _, b'E') => Framing::Message,
            (Some(_), ..) => return First::Stranger,
            (None, Phase::Opening, b'E') => Framing::Message,
            // It waits for the client.
            (None, Phase::Opening, _) => return First::Stranger,
            (None, Phase::Tls | Phase::Gss, _) if self.byte_of_answer.is_some() => {
                return First::Stranger;
            }
            _ => return First::Message,
        };
        self.server.reader.set_framing(framing);
        First::Message
    }

    /// The server's answer to the last request for encryption.
    pub(super) fn answered(&mut self, answer: EncryptionAnswer, tell: &mut dyn FnMut(Event)) {
        let Some(request) = self.encryption.last_mut() else {
            return;
        };
        request.answer = Some(answer);
        let asked = request.asked;
        tell(Event::EncryptionAnswered(asked, answer));
        if answer != EncryptionAnswer::Accepted {
            return;
        }
        match asked {
            Encryption::Tls => {
                self.phase = Phase::Tls;
                self.server.reader.set_framing(Framing::Record);
                if self.client.reader.is_at_start() {
                    self.client.reader.set_framing(Framing::Record);
                }
            }
            Encryption::Gss => self.phase = Phase::Gss,
            Encryption::DirectTls => {}
        }
    }

    fn server_message(
        &mut self,
        at: Instant,
        item: Item<'_>,
        rest: &[u8],
        tell: &mut dyn FnMut(Event),
    ) {
        match item {
            Item::Head(head) => self.begin_server_message(head, rest, tell),
            Item::Piece(piece) => self.server.push(piece),
            Item::End => match self.server.end().0 {
                Body::Kept(_) => {
                    // Taken for a moment, and given back: a message allocates nothing.
                    let kept = std::mem::take(&mut self.server.kept);
                    self.end_server_message(at, &kept, tell);
                    self.server.kept = kept;
                }
                Body::Error(fields) => self.said(fields.finish(), tell),
                _ => {}
            },
        }
    }

    fn begin_server_message(&mut self, head: Head, rest: &[u8], tell: &mut dyn FnMut(Event)) {
        let is_before_login = self.login.authenticated.is_none() && self.login.ready.is_none();
        let lengths = match (is_before_login, head.tag) {
            (true, b'R' | b'v' | b'E' | b'N') => Some(8..=LONGEST_SHORT),
            (false, b'T' | b'D' | b'd' | b'V' | b'E' | b'N' | b'A') => Some(4..=LONGEST),
            (false, tag) if tag.is_ascii_alphanumeric() => Some(4..=LONGEST_SHORT),
            _ => None,
        };
        let is_possible = |lengths: &RangeInclusive<u32>| lengths.contains(&head.length);
        if !lengths.as_ref().is_some_and(is_possible) {
            let prefix = self.server.reader.head().to_vec();
            if is_before_login && head.tag == b'E' && self.begin_old_error(head.length) {
                return;
            }
            let length = lengths.map(|_| head.length.into());
            self.lose(Side::Server, &prefix, rest, length, tell);
            return;
        }
        self.messages.server += 1;
        self.server.tag = head.tag;
        let is_login = self.login.ready.is_none();
        let body = match head.tag {
            b'D' | b'd' => {
                self.statements.rows += 1;
                Body::Nothing
            }
            b'G' | b'H' | b'W' => {
                self.statements.copies += 1;
                self.is_copying_in = head.tag == b'G';
                // The server ignores what was sent ahead to end an extended query.
                if self.is_copying_in && self.begun == Begun::Execute {
                    self.unanswered = 0;
                }
                Body::Nothing
            }
            // Of a request its number, and the mechanisms of SASL.
            b'R' => Body::Kept(|kind| if kind == 10 { 1_024 } else { 4 }),
            b'K' | b'Z' => Body::Kept(|_| 4),
            b'S' => Body::Kept(|_| LONGEST_NAME + LONGEST_VALUE + 2),
            b'v' if is_login => Body::Kept(|_| 1_024),
            b'E' => {
                self.is_copying_in = false;
                Body::Error(Box::new(ErrorFields::new(match is_login {
                    true => Wanted::All,
                    false => Wanted::WithoutData,
                })))
            }
            b'N' if is_login => Body::Error(Box::new(ErrorFields::new(Wanted::All))),
            _ => Body::Nothing,
        };
        match body {
            Body::Nothing => self.server.reader.skip(),
            body => self.server.begin(body),
        }
    }

    fn end_server_message(&mut self, at: Instant, body: &[u8], tell: &mut dyn FnMut(Event)) {
        let first = body.first_chunk().copied().map(u32::from_be_bytes);
        match (self.server.tag, first) {
            (b'R', Some(kind)) => self.asked(at, kind, body.get(4..).unwrap_or_default(), tell),
            (b'K', Some(pid)) => self.backend_pid = Some(pid),
            (b'S', _) => self.reported(body),
            (b'v', Some(version)) => {
                let unknown = body.get(8..).unwrap_or_default();
                self.negotiated = Some(version as u16);
                tell(Event::Negotiated {
                    minor: version as u16,
                    unknown: strings(unknown),
                });
            }
            (b'Z', _) => {
                self.transaction = body.first().copied();
                self.is_copying_in = false;
                if self.login.ready.is_some() {
                    self.unanswered = self.unanswered.saturating_sub(1);
                    return;
                }
                self.login.ready = Some(at);
                self.phase = Phase::Session;
                tell(Event::Ready);
            }
            _ => {}
        }
    }

    fn asked(&mut self, at: Instant, kind: u32, rest: &[u8], tell: &mut dyn FnMut(Event)) {
        self.awaits_sasl = kind == 10;
        let method = match kind {
            0 => {
                if self.login.authenticated.is_none() {
                    self.login.authenticated = Some(at);
                    tell(Event::Authenticated);
                }
                return;
            }
            // Continuations of GSSAPI and of SASL.
            8 | 11 | 12 => return,
            3 => Method::Cleartext,
            5 => Method::Md5,
            7 => Method::Gss,
            9 => Method::Sspi,
            10 => Method::Sasl(strings(rest)),
            other => Method::Other(other),
        };
        if self.login.asked.len() < MOST_METHODS {
            self.login.asked.push(method.clone());
            tell(Event::AuthenticationAsked(method));
        }
    }

    /// ParameterStatus.
    fn reported(&mut self, body: &[u8]) {
        let mut parts = body.split(|&byte| byte == 0);
        let (Some(name), Some(value)) = (parts.next(), parts.next()) else {
            return;
        };
        let name = text(name.get(..LONGEST_NAME).unwrap_or(name));
        let value = text(value.get(..LONGEST_VALUE).unwrap_or(value));
        if self.reported.len() < 2 * MOST_PARAMETERS {
            self.reported.push(name.clone());
        }
        if self.parameters.len() < MOST_PARAMETERS || self.parameters.contains_key(&name) {
            self.parameters.insert(name, value);
        }
    }

    /// ErrorResponse or NoticeResponse.
    fn said(&mut self, error: ServerError, tell: &mut dyn FnMut(Event)) {
        if self.server.tag == b'N' {
            self.notices += 1;
            if self.notices <= MOST_NOTICES {
                tell(Event::Notice(Box::new(error)));
            }
            return;
        }
        if self.pending().is_some() {
            self.answered(EncryptionAnswer::Error, tell);
        }
        if let Some(count) = self.sqlstates.get_mut(&error.code) {
            *count += 1;
        } else if self.sqlstates.len() < MOST_SQLSTATES {
            self.sqlstates.insert(error.code.clone(), 1);
        }
        // What ends a session is worth more than one of its errors.
        if matches!(error.severity.as_str(), "FATAL" | "PANIC") {
            self.errors.truncate(MOST_ERRORS - 1);
        }
        if self.errors.len() < MOST_ERRORS {
            self.errors.push(error.clone());
        }
        tell(Event::Error(Box::new(error)));
    }

    /// An error as protocol 2 has it, a text up to a zero: what a postmaster sends that cannot
    /// start a process. Whether it is one is known at its end.
    fn begin_old_error(&mut self, length: u32) -> bool {
        let start = length.to_be_bytes();
        let is_text = start.iter().copied().all(is_text_byte);
        self.old_error = is_text.then(|| start.to_vec());
        is_text
    }

    fn read_old_error(&mut self, bytes: &[u8], tell: &mut dyn FnMut(Event)) {
        let Some(mut so_far) = self.old_error.take() else {
            return;
        };
        for (at, &byte) in bytes.iter().enumerate() {
            if byte == 0 {
                let message = text(&so_far).trim_end().to_owned();
                self.said(
                    ServerError {
                        message,
                        ..ServerError::default()
                    },
                    tell,
                );
                self.phase = Phase::Lost;
                return;
            }
            if !is_text_byte(byte) || so_far.len() >= LONGEST_OLD_ERROR {
                if self.pending().is_some() {
                    self.answered(EncryptionAnswer::Unexpected, tell);
                }
                so_far.insert(0, b'E');
                let rest = bytes.get(at..).unwrap_or_default();
                self.lose(Side::Server, &so_far, rest, None, tell);
                return;
            }
            so_far.push(byte);
        }
        self.old_error = Some(so_far);
    }
}

enum First {
    /// The whole of an answer to a request for encryption.
    Answer(EncryptionAnswer),
    /// The beginning of a message or record.
    Message,
    /// Nothing that may come here.
    Stranger,
}

/// A server's own texts have line feeds and tabs at most, and may be in any encoding.
fn is_text_byte(byte: u8) -> bool {
    byte >= b' ' && byte != 0x7f || byte == b'\n' || byte == b'\t'
}

/// Strings that end by a zero each, up to an empty one.
fn strings(body: &[u8]) -> Vec<String> {
    let all = body.split(|&byte| byte == 0);
    all.take_while(|string| !string.is_empty())
        .take(MOST_MECHANISMS)
        .map(|string| text(string.get(..LONGEST_NAME).unwrap_or(string)))
        .collect()
}
