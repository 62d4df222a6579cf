//! What the client sends: its requests before the login, its answers to the server's, and the
//! kinds of its messages.

use std::ops::RangeInclusive;
use std::time::Instant;

use super::reader::{Framing, Head, Item};
use super::sasl_choice::SaslChoice;
use super::{
    Begun, Body, ChannelBinding, Conversation, Encryption, EncryptionRequest, Event, Method, Phase,
    Side, Startup, text,
};
use crate::secret::HIDDEN;
use crate::text::own;

/// The lengths of a start-up packet, with itself (PostgreSQL: `MAX_STARTUP_PACKET_LENGTH`).
const STARTUP_LENGTHS: RangeInclusive<u32> = 8..=10_004;

// Start-up packets that are no start-up message (PostgreSQL: `pqcomm.h`).
const CANCEL: u32 = 80_877_102;
const TLS: u32 = 80_877_103;
const GSS: u32 = 80_877_104;

/// A TLS record with a handshake message.
const TLS_HANDSHAKE: u8 = 0x16;

/// PostgreSQL's limits (`SocketBackend`, `PG_MAX_AUTH_TOKEN_LENGTH`).
const LONGEST: u32 = 0x3fff_ffff;
const LONGEST_SHORT: u32 = 10_000;
const LONGEST_ANSWER: u32 = 70_000;

/// Most requests for encryption in a conversation; clients send two.
const MOST_REQUESTS: usize = 8;
/// Most start-up parameters that are kept.
const MOST_PARAMETERS: usize = 100;
/// Most names of statements that are kept.
const MOST_NAMES: usize = 8;
/// The longest name of a statement that is kept, in bytes.
const LONGEST_NAME: usize = 64;

impl Conversation {
    pub(super) fn read_client(
        &mut self,
        at: Instant,
        mut bytes: &[u8],
        tell: &mut dyn FnMut(Event),
    ) {
        loop {
            if self.client.reader.is_at_start()
                && self.phase == Phase::Opening
                && bytes.first() == Some(&TLS_HANDSHAKE)
            {
                self.begin_tls(tell);
            }
            let Some(item) = self.client.reader.next(&mut bytes) else {
                return;
            };
            match self.client.reader.framing() {
                Framing::Record => self.record(Side::Client, at, item, bytes, tell),
                Framing::Startup => self.startup_packet(item, bytes, tell),
                Framing::Message => self.client_message(item, bytes, tell),
            }
            if matches!(self.phase, Phase::Lost | Phase::Cancel) {
                return;
            }
        }
    }

    /// A ClientHello: after SSLRequest, of which the client has not awaited the answer, or
    /// without one.
    fn begin_tls(&mut self, tell: &mut dyn FnMut(Event)) {
        self.client.reader.set_framing(Framing::Record);
        if self.pending() != Some(Encryption::Tls) {
            self.phase = Phase::Tls;
            self.ask(Encryption::DirectTls, tell);
        }
    }

    fn ask(&mut self, asked: Encryption, tell: &mut dyn FnMut(Event)) {
        self.encryption.push(EncryptionRequest {
            asked,
            answer: None,
        });
        tell(Event::EncryptionAsked(asked));
    }

    fn startup_packet(&mut self, item: Item<'_>, rest: &[u8], tell: &mut dyn FnMut(Event)) {
        match item {
            Item::Head(head) if !STARTUP_LENGTHS.contains(&head.length) => {
                let head_bytes = head.length.to_be_bytes();
                // Text has no length.
                let is_text = head_bytes
                    .iter()
                    .all(|b| (b' '..=b'~').contains(b) || b"\r\n".contains(b));
                let length = (!is_text).then_some(head.length.into());
                self.lose(Side::Client, &head_bytes, rest, length, tell);
            }
            Item::Head(_) => {
                self.messages.client += 1;
                self.client.begin(Body::Kept(|code| match code {
                    CANCEL => 8,
                    TLS | GSS => 4,
                    _ => STARTUP_LENGTHS.end().saturating_sub(4) as usize,
                }));
            }
            Item::Piece(piece) => self.client.push(piece),
            Item::End => {
                let (_, kept) = self.client.end();
                if let Some((&code, body)) = std::mem::take(kept).split_first_chunk::<4>() {
                    self.end_startup_packet(u32::from_be_bytes(code), body, tell);
                }
            }
        }
    }

    fn end_startup_packet(&mut self, code: u32, body: &[u8], tell: &mut dyn FnMut(Event)) {
        match code {
            TLS | GSS if self.encryption.len() >= MOST_REQUESTS => {
                self.lose(Side::Client, &code.to_be_bytes(), &[], None, tell);
            }
            TLS => self.ask(Encryption::Tls, tell),
            GSS => self.ask(Encryption::Gss, tell),
            CANCEL => {
                let pid = body.first_chunk().copied().map_or(0, u32::from_be_bytes);
                self.cancels = Some(pid);
                self.phase = Phase::Cancel;
                tell(Event::CancelRequest { pid });
            }
            version => {
                // The other versions' parameters have another form.
                let parameters = match version >> 16 {
                    3 => parameters(body),
                    _ => Vec::new(),
                };
                let startup = Startup {
                    protocol: ((version >> 16) as u16, version as u16),
                    parameters,
                };
                self.startup = Some(startup.clone());
                self.phase = Phase::Login;
                self.client.reader.set_framing(Framing::Message);
                if self.server.reader.is_at_start() {
                    self.server.reader.set_framing(Framing::Message);
                }
                tell(Event::Startup(startup));
            }
        }
    }

    fn client_message(&mut self, item: Item<'_>, rest: &[u8], tell: &mut dyn FnMut(Event)) {
        match item {
            Item::Head(head) => self.begin_client_message(head, rest, tell),
            Item::Piece(piece) => self.client.push(piece),
            Item::End => match self.client.end().0 {
                Body::Name { is_named, .. } => self.parsed(is_named, tell),
                Body::Bind { is_named, .. } => {
                    self.statements.bound_to_named += u64::from(is_named == Some(true));
                }
                Body::Sasl(choice) => self.chose(choice, tell),
                _ => {}
            },
        }
    }

    fn begin_client_message(&mut self, head: Head, rest: &[u8], tell: &mut dyn FnMut(Event)) {
        let longest = match head.tag {
            b'Q' | b'P' | b'B' | b'F' | b'd' => LONGEST,
            b'C' | b'D' | b'E' | b'H' | b'S' | b'X' | b'c' | b'f' => LONGEST_SHORT,
            b'p' => LONGEST_ANSWER,
            _ => 0,
        };
        if !(4..=longest).contains(&head.length) {
            let prefix = self.client.reader.head().to_vec();
            let length = (longest > 0).then_some(head.length.into());
            self.lose(Side::Client, &prefix, rest, length, tell);
            return;
        }
        self.messages.client += 1;
        match head.tag {
            b'Q' => {
                self.statements.simple += 1;
                self.unanswered += 1;
                self.begun = Begun::Query;
            }
            b'P' => {
                let is_full = self.statements.names.len() >= MOST_NAMES;
                let longest = if is_full { 0 } else { LONGEST_NAME };
                self.client.begin(Body::name(longest));
                return;
            }
            b'B' => {
                self.client.begin(Body::bind());
                return;
            }
            b'E' => {
                self.statements.executed += 1;
                self.begun = Begun::Execute;
            }
            // A server that waits for the data of a copy ignores it.
            b'S' if self.is_copying_in => {}
            b'S' | b'F' => self.unanswered += 1,
            b'c' | b'f' => self.is_copying_in = false,
            b'X' if !self.terminated => {
                self.terminated = true;
                tell(Event::Terminate);
            }
            b'p' => {
                self.login.has_answered = true;
                if std::mem::take(&mut self.awaits_sasl) {
                    let offered = match self.login.asked.last() {
                        Some(Method::Sasl(offered)) => offered.as_slice(),
                        _ => &[],
                    };
                    let choice = SaslChoice::among(offered);
                    self.client.begin(Body::Sasl(choice));
                    return;
                }
            }
            _ => {}
        }
        self.client.reader.skip();
    }

    fn parsed(&mut self, is_named: Option<bool>, tell: &mut dyn FnMut(Event)) {
        if is_named != Some(true) {
            self.statements.unnamed += 1;
            return;
        }
        self.statements.named += 1;
        let names = &mut self.statements.names;
        if names.len() < MOST_NAMES {
            let name = text(&self.client.kept);
            if names.is_empty() {
                tell(Event::NamedStatement(name.clone()));
            }
            if !names.contains(&name) {
                names.push(name);
            }
        }
    }

    fn chose(&mut self, choice: SaslChoice, tell: &mut dyn FnMut(Event)) {
        if let Some((mechanism, binding, user)) = choice.chosen() {
            self.login.scram_user = user;
            self.login.mechanism = Some(mechanism.clone());
            self.login.channel_binding = binding.clone();
            let binding = binding.unwrap_or(ChannelBinding::Unsupported);
            tell(Event::MechanismChosen(mechanism, binding));
        }
    }
}

/// The parameters of a start-up message: names and values, each ended by a zero.
fn parameters(body: &[u8]) -> Vec<(String, String)> {
    let mut strings = body.split(|&byte| byte == 0);
    let mut all = Vec::new();
    while all.len() < MOST_PARAMETERS
        && let Some(name) = strings.next().filter(|name| !name.is_empty())
        && let Some(value) = strings.next()
    {
        all.push((text(name), without_secrets(&text(name), &text(value))));
    }
    all
}

/// A parameter's value as it is, but for what an application put there by mistake: its
/// password as a parameter of its own, or a whole URL as the database.
fn without_secrets(name: &str, value: &str) -> String {
    let shown = own(&format!("{name}={value}"));
    let value = shown
        .strip_prefix(name)
        .and_then(|rest| rest.strip_prefix('='));
    value.unwrap_or(HIDDEN).to_owned()
}
