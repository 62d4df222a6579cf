//! What two ends say to each other in PostgreSQL's protocol, read from the bytes as they
//! pass: how they agreed on encryption, who logged in and how, then the kinds and numbers of
//! messages. It never holds a password, a proof, SQL text, a parameter of a statement or a
//! row, and its size is bounded whatever the ends send.
//!
//! ```text
//! bytes of the client ─► Conversation::client ─┐
//!                                              ├─► what is known so far, and an Event as it happens
//! bytes of the server ─► Conversation::server ─┘
//! ```

mod body;
mod client;
mod error_fields;
mod hello;
mod reader;
#[cfg(any(test, fuzzing))]
pub(crate) mod same;
mod sasl_choice;
mod server;
mod tls;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::time::Instant;

pub use crate::forward::Side;

use self::body::Body;
use self::reader::Reader;
use self::tls::TlsSide;
use crate::wire::frames::decode;
use crate::wire::server_error::ServerError;

/// What a client asks for before its start-up message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Encryption {
    /// SSLRequest.
    Tls,
    /// A ClientHello as the first bytes (`sslnegotiation=direct`).
    DirectTls,
    /// GSSENCRequest.
    Gss,
}

/// What the server answers to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EncryptionAnswer {
    /// `S` or `G`; for direct TLS, a ServerHello.
    Accepted,
    /// `N`; for direct TLS, an alert.
    Refused,
    /// An ErrorResponse.
    Error,
    /// Something that is no answer to it.
    Unexpected,
}

/// One request for encryption and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EncryptionRequest {
    /// What was asked for.
    pub asked: Encryption,
    /// The answer, once there is one.
    pub answer: Option<EncryptionAnswer>,
}

/// A ClientHello (RFC 8446, section 4.1.2), as far as it tells clients apart.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The server name that it asks for (SNI).
    pub server_name: Option<String>,
    /// The versions it supports, as on the wire (0x0304 is TLS 1.3), the order kept; the legacy
    /// version where it has no such extension. GREASE values (RFC 8701) are left out.
    pub versions: Vec<u16>,
    /// Its cipher suites, without GREASE.
    pub ciphers: Vec<u16>,
    /// The types of its extensions, in order, without GREASE.
    pub extensions: Vec<u16>,
    /// Its groups (curves), without GREASE.
    pub groups: Vec<u16>,
    /// The groups that it sends a key share for.
    pub key_shares: Vec<u16>,
    /// Its signature algorithms.
    pub signatures: Vec<u16>,
    /// The protocols it offers (ALPN).
    pub alpn: Vec<String>,
    /// Whether it wants to resume a session (ticket or pre-shared key).
    pub resumes: bool,
}

/// A ServerHello, as far as it is of use here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// The version that was agreed on, as on the wire.
    pub version: u16,
    /// The cipher suite.
    pub cipher: u16,
    /// Whether it is a HelloRetryRequest.
    pub is_retry: bool,
}

/// A TLS alert.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TlsAlert {
    /// Who sent it.
    pub from: Side,
    /// Its number (RFC 8446, section 6), where it can be read; none where it is encrypted, and
    /// is told by the record's size alone.
    pub number: Option<u8>,
    /// Whether it is a warning (close_notify among them).
    pub is_warning: bool,
}

/// A start-up message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Startup {
    /// Major and minor version of the protocol.
    pub protocol: (u16, u16),
    /// All its parameters, in the order sent.
    pub parameters: Vec<(String, String)>,
}

impl Startup {
    /// The value of a parameter.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.parameters.iter();
        all.find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }
}

/// A way to authenticate that the server asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Method {
    /// The password in clear.
    Cleartext,
    /// The password's MD5 hash.
    Md5,
    /// SASL, with the mechanisms on offer.
    Sasl(Vec<String>),
    /// GSSAPI.
    Gss,
    /// SSPI.
    Sspi,
    /// Another one, by its number.
    Other(u32),
}

/// How a SASL exchange stands on channel binding (RFC 5802, the GS2 header).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelBinding {
    /// `n`: the client does not support it.
    Unsupported,
    /// `y`: it would, but thinks that the server does not.
    NotOffered,
    /// `p=…`: it is used, with this type.
    Used(String),
}

/// What a client puts for the user into its first SCRAM message (RFC 5802: `n=`); PostgreSQL
/// ignores it, and each driver has its own habit. The name itself is not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScramUser {
    /// Nothing.
    Empty,
    /// An asterisk.
    Star,
    /// A name.
    Name,
}

/// How far a client's login got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Login {
    /// What the server asked for, in order; empty where it let the client in without.
    pub asked: Vec<Method>,
    /// The SASL mechanism that the client chose.
    pub mechanism: Option<String>,
    /// What it said of channel binding.
    pub channel_binding: Option<ChannelBinding>,
    /// What it put for the user into its first SCRAM message.
    pub scram_user: Option<ScramUser>,
    /// Whether the client sent an answer (a password, a hash, a SASL message).
    pub has_answered: bool,
    /// When AuthenticationOk came.
    pub authenticated: Option<Instant>,
    /// When the first ReadyForQuery came.
    pub ready: Option<Instant>,
}

/// How many messages of each kind, and which statements were named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Statements {
    /// Query messages.
    pub simple: u64,
    /// Parse messages without a name.
    pub unnamed: u64,
    /// Parse messages with one.
    pub named: u64,
    /// The first few names, as they were sent.
    pub names: Vec<String>,
    /// Bind messages to a named statement.
    pub bound_to_named: u64,
    /// Execute messages.
    pub executed: u64,
    /// Copies to the server and from it.
    pub copies: u64,
    /// Rows and the like: DataRow and CopyData of the server.
    pub rows: u64,
}

/// Bytes that cannot be what they should be here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// Who sent them.
    pub from: Side,
    /// Where the conversation stood.
    pub phase: Phase,
    /// The first of them, where they came before the login: at most 32, and in an event those of
    /// them that were there when it was told. Where they follow the server's answer to a request
    /// for encryption and the client has sent nothing since, they begin with that answer.
    pub bytes: Vec<u8>,
    /// The length that a message claimed, where that is what is wrong.
    pub length: Option<u64>,
}

/// What happens in a conversation, as it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The client asked for encryption.
    EncryptionAsked(Encryption),
    /// The server answered.
    EncryptionAnswered(Encryption, EncryptionAnswer),
    /// The client began TLS.
    ClientHello(ClientHello),
    /// The server's choice.
    ServerHello(ServerHello),
    /// An alert.
    Alert(TlsAlert),
    /// What follows is encrypted.
    Encrypted,
    /// A CancelRequest, with the process it is about (its key is a secret, and not kept).
    CancelRequest {
        /// The server's process that is asked to stop.
        pid: u32,
    },
    /// The start-up message.
    Startup(Startup),
    /// The server does not support all of the protocol version or of its `_pq_.` options.
    Negotiated {
        /// The newest minor version it supports.
        minor: u16,
        /// The options it does not know.
        unknown: Vec<String>,
    },
    /// The server asked for authentication.
    AuthenticationAsked(Method),
    /// The client chose a SASL mechanism.
    MechanismChosen(String, ChannelBinding),
    /// The client is authenticated.
    Authenticated,
    /// The first ReadyForQuery: the login is done.
    Ready,
    /// An ErrorResponse. After the login only severity, SQLSTATE and, where it ends the session
    /// (FATAL, PANIC), the message are kept, since others may quote data.
    Error(Box<ServerError>),
    /// A NoticeResponse before the end of the login.
    Notice(Box<ServerError>),
    /// The first named statement.
    NamedStatement(String),
    /// Terminate: the client says goodbye.
    Terminate,
    /// Something that cannot be read; the rest is only counted.
    Unreadable(Unreadable),
}

/// Where a conversation stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// Before the start-up message.
    #[default]
    Opening,
    /// In TLS, of which the handshake may be visible.
    Tls,
    /// In GSS encryption.
    Gss,
    /// Between the start-up message and the first ReadyForQuery.
    Login,
    /// Logged in.
    Session,
    /// A CancelRequest was sent: nothing more comes.
    Cancel,
    /// Bytes that could not be read came, or an error of protocol 2, after which nothing of
    /// version 3 follows: the rest is only counted.
    Lost,
}

/// What is known of a conversation so far.
#[derive(Debug, Default)]
pub struct Conversation {
    /// Where it stands.
    pub phase: Phase,
    /// Every request for encryption, in order.
    pub encryption: Vec<EncryptionRequest>,
    /// The ClientHello (the first, where there is a retry).
    pub client_hello: Option<ClientHello>,
    /// The server's choice.
    pub server_hello: Option<ServerHello>,
    /// When the client first sent something encrypted that is no alert, so that it has accepted
    /// the server's certificate; for GSSAPI, when the server agreed to it.
    pub encrypted: Option<Instant>,
    /// The alerts that were seen, or told by their size.
    pub alerts: Vec<TlsAlert>,
    /// The start-up message.
    pub startup: Option<Startup>,
    /// The newest minor version of the protocol that the server supports, where it said so.
    pub negotiated: Option<u16>,
    /// The server's process that a CancelRequest was about.
    pub cancels: Option<u32>,
    /// How the login went.
    pub login: Login,
    /// The server's process (BackendKeyData).
    pub backend_pid: Option<u32>,
    /// What the server reported (ParameterStatus), the latest values.
    pub parameters: BTreeMap<String, String>,
    /// The names of what it reported, in the order of its first reports.
    pub reported: Vec<String>,
    /// The first errors, at most eight; one that ends the session is always among them.
    pub errors: Vec<ServerError>,
    /// How many errors by SQLSTATE, at most 64 of them.
    pub sqlstates: BTreeMap<String, u64>,
    /// The statements.
    pub statements: Statements,
    /// The state in the last ReadyForQuery: `I`, `T` (in a transaction) or `E` (in a failed one).
    pub transaction: Option<u8>,
    /// Requests (Query, Sync, …) that no ReadyForQuery has answered.
    pub unanswered: u64,
    /// Whether the client said goodbye.
    pub terminated: bool,
    /// The records of data in TLS since the client took it up.
    pub in_tls: TlsData,
    /// What could not be read.
    pub unreadable: Option<Unreadable>,
    /// The bytes of each side.
    pub bytes: Sides<u64>,
    /// The messages of each side, as far as they were readable.
    pub messages: Sides<u64>,
    client: End,
    server: End,
    /// The server's answer of one byte, until the client sends something.
    byte_of_answer: Option<u8>,
    /// Whether the next answer to a request for authentication is a SASLInitialResponse.
    awaits_sasl: bool,
    notices: u32,
    /// An error without a length, as far as it came.
    old_error: Option<Vec<u8>>,
    /// What the client began last.
    begun: Begun,
    /// Whether the server waits for the data of a copy.
    is_copying_in: bool,
    /// Whether the first bytes of what is unreadable are kept.
    keeps_unreadable: bool,
}

/// The reading of one side.
#[derive(Debug, Default)]
struct End {
    reader: Reader,
    /// The type of the current message or record.
    tag: u8,
    body: Body,
    /// What is kept of the body. Its memory is used again for the next.
    kept: Vec<u8>,
    /// Whether a TLS record came.
    tls_began: bool,
    tls: TlsSide,
}

impl End {
    /// A message begins, whose body is read so.
    fn begin(&mut self, body: Body) {
        self.kept.clear();
        self.body = body;
    }

    fn push(&mut self, piece: &[u8]) {
        self.body.push(piece, &mut self.kept);
    }

    /// The message is complete: how its body was read, and what was kept of it.
    fn end(&mut self) -> (Body, &mut Vec<u8>) {
        (std::mem::take(&mut self.body), &mut self.kept)
    }
}

/// How a statement is run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Begun {
    #[default]
    Query,
    Execute,
}

/// Records of data in TLS, by which a session can be told from a login that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TlsData {
    /// How many the client sent.
    pub from_client: u64,
    /// The longest of the server's, in bytes.
    pub longest_of_server: u32,
}

/// One value for each side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sides<T> {
    /// The client's.
    pub client: T,
    /// The server's.
    pub server: T,
}

/// The most that is kept of what cannot be read.
const MOST_UNREADABLE: usize = 32;

impl Conversation {
    /// The conversation inside the encryption, which begins anew behind what is known of it.
    pub fn inside(self) -> Self {
        Self {
            encryption: self.encryption,
            client_hello: self.client_hello,
            server_hello: self.server_hello,
            encrypted: self.encrypted,
            alerts: self.alerts,
            bytes: self.bytes,
            ..Self::default()
        }
    }

    /// A conversation of which nothing was said yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads what the client sent, and tells what happened. To be called before the bytes are
    /// passed on, since what the server says is read in the light of them.
    pub fn client(&mut self, at: Instant, bytes: &[u8], tell: &mut dyn FnMut(Event)) {
        self.bytes.client += bytes.len() as u64;
        if !bytes.is_empty() {
            self.byte_of_answer = None;
        }
        match self.phase {
            Phase::Lost => self.lost(Side::Client, bytes),
            Phase::Gss | Phase::Cancel => {}
            _ => self.read_client(at, bytes, tell),
        }
    }

    /// Reads what the server sent, and tells what happened. To be called before the bytes are
    /// passed on.
    pub fn server(&mut self, at: Instant, bytes: &[u8], tell: &mut dyn FnMut(Event)) {
        self.bytes.server += bytes.len() as u64;
        match self.phase {
            Phase::Lost => self.lost(Side::Server, bytes),
            Phase::Cancel => {}
            Phase::Gss if self.byte_of_answer.is_none() => {}
            _ => self.read_server(at, bytes, tell),
        }
    }

    fn end(&self, side: Side) -> &End {
        match side {
            Side::Client => &self.client,
            Side::Server => &self.server,
        }
    }

    fn end_mut(&mut self, side: Side) -> &mut End {
        match side {
            Side::Client => &mut self.client,
            Side::Server => &mut self.server,
        }
    }

    /// The request for encryption that the server has not answered.
    fn pending(&self) -> Option<Encryption> {
        let last = self.encryption.last()?;
        last.answer.is_none().then_some(last.asked)
    }

    /// Gives up: these bytes, and those that follow them, cannot be read.
    fn lose(
        &mut self,
        from: Side,
        bytes: &[u8],
        rest: &[u8],
        length: Option<u64>,
        tell: &mut dyn FnMut(Event),
    ) {
        // A client that logs in sends its password.
        self.keeps_unreadable = match (self.phase, from) {
            (Phase::Opening | Phase::Gss, _) => true,
            (Phase::Tls, _) => self.encrypted.is_none(),
            (Phase::Login, Side::Server) => self.login.authenticated.is_none(),
            _ => false,
        };
        let mut unreadable = Unreadable {
            from,
            phase: self.phase,
            bytes: Vec::new(),
            length,
        };
        if self.keeps_unreadable {
            let all = bytes.iter().chain(rest).copied();
            unreadable.bytes = all.take(MOST_UNREADABLE).collect();
        }
        self.phase = Phase::Lost;
        self.client = End::default();
        self.server = End::default();
        self.old_error = None;
        self.unreadable = Some(unreadable.clone());
        tell(Event::Unreadable(unreadable));
    }

    /// More of what cannot be read.
    fn lost(&mut self, side: Side, bytes: &[u8]) {
        if let Some(unreadable) = &mut self.unreadable
            && self.keeps_unreadable
            && unreadable.from == side
        {
            let room = MOST_UNREADABLE.saturating_sub(unreadable.bytes.len());
            unreadable.bytes.extend(bytes.iter().take(room));
        }
    }
}

/// Text of a peer that may have been cut off inside a character.
fn text(bytes: &[u8]) -> String {
    let whole = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => error.valid_up_to(),
        _ => bytes.len(),
    };
    decode(bytes.get(..whole).unwrap_or_default())
}
