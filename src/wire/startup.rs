//! The start-up: from the first message to ReadyForQuery, by hand.
//!
//! Every request of the server passes the gate that libpq has
//! (`check_expected_areq`: `require_auth`, `channel_binding`, `sslcertmode`)
//! before anything is answered, and everything seen is kept in an [`Exchange`],
//! also when it fails.

use std::collections::BTreeMap;

use postgres_protocol::authentication::md5_hash;
use zeroize::Zeroizing;

use crate::client::profile::Saslprep;
use crate::config::{AuthMethod, ChannelBinding, RequireAuth, SslCertMode};
use crate::secret::{self, Secret};
use crate::wire::frames::{
    BoundsPhase, Fields, Frame, Frames, PROTOCOL_3_0, ReadError, put_message, startup_message,
};
use crate::wire::scram::{
    Claim, ClientFinal, ClientFirst, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramError,
};
use crate::wire::secured::Wire;
use crate::wire::server_error::ServerError;
use crate::wire::session::Session;
use crate::wire::waits::Awaited;

/// How many parameters a server may report.
const MOST_PARAMETERS: usize = 256;
/// How many notices of the start-up are kept.
const MOST_NOTICES: usize = 16;

/// What the server asks for before it lets a client in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthRequest {
    /// Nothing: `trust`, `peer`, `cert`, `ident`, or an error comes first.
    Nothing,
    /// A password in clear: `password`, `ldap`, `pam`, `radius`, `bsd`.
    Cleartext,
    /// An MD5 hash of the password.
    Md5,
    /// One of these SASL mechanisms.
    Sasl(Vec<String>),
    /// Kerberos through GSSAPI.
    Gss,
    /// Kerberos through Windows.
    Sspi,
    /// Something by this number that no server since 9.4 asks for, or is unknown.
    Other(i32),
}

impl AuthRequest {
    /// The name that `require_auth` and the facts have for it.
    pub fn name(&self) -> String {
        match self {
            AuthRequest::Nothing => "none".to_owned(),
            AuthRequest::Cleartext => "password".to_owned(),
            AuthRequest::Md5 => "md5".to_owned(),
            AuthRequest::Sasl(list) if list.iter().any(|m| m.starts_with(SCRAM_SHA_256)) => {
                "scram-sha-256".to_owned()
            }
            AuthRequest::Sasl(list) => format!("SASL {}", list.join(" ")),
            AuthRequest::Gss => "gss".to_owned(),
            AuthRequest::Sspi => "sspi".to_owned(),
            AuthRequest::Other(2) => "Kerberos V5".to_owned(),
            AuthRequest::Other(6) => "SCM credentials".to_owned(),
            AuthRequest::Other(n) => format!("request {n}"),
        }
    }

    /// The method as `require_auth` knows it.
    fn method(&self) -> Option<AuthMethod> {
        match self {
            AuthRequest::Nothing => Some(AuthMethod::None),
            AuthRequest::Cleartext => Some(AuthMethod::Password),
            AuthRequest::Md5 => Some(AuthMethod::Md5),
            AuthRequest::Sasl(list) if list.iter().any(|m| m.starts_with(SCRAM_SHA_256)) => {
                Some(AuthMethod::ScramSha256)
            }
            AuthRequest::Sasl(list) if list.iter().any(|m| m == "OAUTHBEARER") => {
                Some(AuthMethod::Oauth)
            }
            AuthRequest::Gss => Some(AuthMethod::Gss),
            AuthRequest::Sspi => Some(AuthMethod::Sspi),
            AuthRequest::Sasl(_) | AuthRequest::Other(_) => None,
        }
    }
}

/// Everything seen of a start-up.
#[derive(Clone, Debug, Default)]
pub struct Exchange {
    /// The request for authentication, the first if there are several.
    pub asked: Option<AuthRequest>,
    /// The mechanism chosen of those offered.
    pub mechanism: Option<&'static str>,
    /// Whether channel binding was used.
    pub bound: bool,
    /// How often SCRAM hashed the password.
    pub iterations: Option<u32>,
    /// Whether an answer to a request was sent, in any form.
    pub answered: bool,
    /// Whether a proof made with the password was sent.
    pub password_used: bool,
    /// Whether the server proved that it knows the password.
    pub proven: bool,
    /// Whether AuthenticationOk came.
    pub authenticated: bool,
    /// Whether anything of the protocol came at all.
    pub replied: bool,
    /// Notices on the way.
    pub notices: Vec<ServerError>,
}

/// What ends a start-up without a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartupEnd {
    /// Reading failed.
    Read(ReadError),
    /// The server said no.
    Server(Box<ServerError>),
    /// A password is needed. Set [`Login::password`] and call [`Login::run`]
    /// again, or give up.
    PasswordNeeded,
    /// `require_auth` forbids what the server asks for, or demands more than
    /// it asked for.
    Forbidden,
    /// `sslcertmode=require`, and the server did not ask for a certificate or
    /// none was sent.
    CertificateNotUsed,
    /// Channel binding is required and cannot be.
    Unbindable(Unbindable),
    /// The server offers channel binding without TLS: somebody took TLS away.
    Stripped,
    /// The server wants what dbdoctor cannot do.
    Unserved,
    /// The newest protocol version that the server speaks is older than the
    /// target wants.
    Version(u32),
    /// The SCRAM exchange failed.
    Scram(ScramError),
    /// The server says yes before it proved itself, and channel binding is
    /// required.
    Unproven,
    /// The server violates the protocol.
    Protocol(String),
}

/// Why there can be no channel binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unbindable {
    /// The connection is not encrypted.
    NoTls,
    /// The server asks for something else than SCRAM, or for nothing.
    NotScram,
    /// The server offers SCRAM without channel binding.
    NotOffered,
    /// The certificate's signature has no digest to make the binding of.
    NoDigest,
}

/// What the target allows and sends.
#[derive(Clone, Debug)]
pub struct Rules {
    /// The start-up message's parameters.
    pub parameters: Vec<(String, String)>,
    /// The newest protocol version to ask for.
    pub newest: u32,
    /// The oldest to be content with.
    pub oldest: u32,
    /// The role, which MD5 is salted with.
    pub user: String,
    /// `require_auth`.
    pub require_auth: RequireAuth,
    /// `channel_binding`.
    pub channel_binding: ChannelBinding,
    /// `sslcertmode`.
    pub certificate_mode: SslCertMode,
    /// What is done to the password before it is hashed.
    pub saslprep: Saslprep,
}

/// A start-up in progress.
pub struct Login {
    rules: Rules,
    /// The password, once there is one.
    pub password: Option<Secret>,
    /// What was seen so far.
    pub exchange: Exchange,
    frames: Frames,
    sent: bool,
    /// The request that waits for a password.
    waiting: Option<Frame>,
    sasl: Sasl,
    parameters: BTreeMap<String, String>,
    /// Their names in the order of the messages.
    reported: Vec<String>,
    backend_pid: Option<i32>,
}

/// Where the SASL exchange stands.
enum Sasl {
    Idle,
    First(ClientFirst),
    Final(ClientFinal),
    Done,
}

/// The requests' numbers (PostgreSQL documentation, "Message Formats").
mod request {
    pub const OK: i32 = 0;
    pub const CLEARTEXT: i32 = 3;
    pub const MD5: i32 = 5;
    pub const GSS: i32 = 7;
    pub const GSS_CONTINUE: i32 = 8;
    pub const SSPI: i32 = 9;
    pub const SASL: i32 = 10;
    pub const SASL_CONTINUE: i32 = 11;
    pub const SASL_FINAL: i32 = 12;
}

impl Login {
    /// A start-up on a transport whose encryption is settled.
    pub fn new(wire: Wire, rules: Rules, password: Option<Secret>) -> Self {
        Self {
            rules,
            password,
            exchange: Exchange::default(),
            frames: Frames::new(wire),
            sent: false,
            waiting: None,
            sasl: Sasl::Idle,
            parameters: BTreeMap::new(),
            reported: Vec::new(),
            backend_pid: None,
        }
    }

    /// The transport below.
    pub fn wire(&self) -> &Wire {
        self.frames.wire()
    }

    /// The parameters that the server reported so far.
    pub fn parameters(&self) -> &BTreeMap<String, String> {
        &self.parameters
    }

    /// Goes on up to ReadyForQuery. After `Ok`, see [`Login::into_session`].
    pub async fn run(&mut self) -> Result<(), StartupEnd> {
        if !self.sent {
            self.sent = true;
            let message = startup_message(self.rules.newest, &self.rules.parameters);
            self.frames.send(&message).await;
        }
        while !self.exchange.authenticated {
            let frame = match self.waiting.take() {
                Some(frame) => frame,
                None => self
                    .frames
                    .next(BoundsPhase::Authentication)
                    .await
                    .map_err(StartupEnd::Read)?,
            };
            self.exchange.replied = true;
            self.note_wait();
            self.request(frame).await?;
        }
        loop {
            let frame = self
                .frames
                .next(BoundsPhase::Session)
                .await
                .map_err(StartupEnd::Read)?;
            if self.settle(frame)? {
                // PostgreSQL sends AuthenticationOk along with what follows it;
                // others may not.
                self.wire().log.note_wait(Awaited::Session);
                return Ok(());
            }
        }
    }

    /// Notes how long the message that is here was waited for.
    fn note_wait(&self) {
        let awaited = match (&self.sasl, self.exchange.answered) {
            (_, false) => Awaited::AuthRequest,
            (Sasl::First(_), true) => Awaited::Challenge,
            (_, true) => Awaited::Login,
        };
        self.wire().log.note_wait(awaited);
    }

    /// The session, and what was seen on the way to it.
    pub fn into_session(self) -> (Session, Exchange) {
        let mut session = Session::new(self.frames, self.parameters, self.backend_pid);
        session.reported = self.reported;
        (session, self.exchange)
    }

    /// Gives up in order: closes without a word, as libpq does before a session.
    pub fn into_exchange(self) -> Exchange {
        self.exchange
    }

    /// One message of the authentication phase.
    async fn request(&mut self, frame: Frame) -> Result<(), StartupEnd> {
        match frame.tag {
            b'E' => return Err(server_error(&frame)),
            b'v' => return self.negotiate(&frame),
            _ => {}
        }
        let mut fields = Fields(&frame.body);
        let number = fields
            .i32()
            .ok_or_else(|| malformed("authentication request"))?;
        match number {
            request::OK => self.accepted(),
            request::SASL_CONTINUE => self.sasl_continue(fields.0.to_vec()).await,
            request::SASL_FINAL => self.sasl_final(fields.0),
            request::GSS_CONTINUE => Err(malformed("authentication request")),
            _ => {
                let asked = match number {
                    request::CLEARTEXT => AuthRequest::Cleartext,
                    request::MD5 => AuthRequest::Md5,
                    request::GSS => AuthRequest::Gss,
                    request::SSPI => AuthRequest::Sspi,
                    request::SASL => AuthRequest::Sasl(mechanisms(&mut fields)?),
                    other => AuthRequest::Other(other),
                };
                // libpq would send the password once more.
                if self.exchange.answered {
                    return Err(StartupEnd::Protocol(format!(
                        "it requests authentication again ({}) after its first request was answered",
                        asked.name()
                    )));
                }
                self.exchange.asked.get_or_insert_with(|| asked.clone());
                self.gate(&asked)?;
                match asked {
                    AuthRequest::Sasl(list) => self.sasl_begin(frame, &list).await,
                    AuthRequest::Cleartext => self.cleartext(frame).await,
                    AuthRequest::Md5 => self.md5(frame).await,
                    _ => Err(StartupEnd::Unserved),
                }
            }
        }
    }

    /// NegotiateProtocolVersion, judged as libpq 18 does
    /// (`pqGetNegotiateProtocolVersion3`); no extension is ever asked for.
    fn negotiate(&self, frame: &Frame) -> Result<(), StartupEnd> {
        let mut fields = Fields(&frame.body);
        let (Some(theirs), Some(0)) = (fields.i32(), fields.i32()) else {
            return Err(malformed("negotiation of the protocol version"));
        };
        let theirs = u32::try_from(theirs).unwrap_or_default();
        if !(PROTOCOL_3_0..self.rules.newest).contains(&theirs) {
            return Err(malformed("negotiation of the protocol version"));
        }
        if theirs < self.rules.oldest {
            return Err(StartupEnd::Version(theirs));
        }
        Ok(())
    }

    /// libpq's `check_expected_areq` for everything but AuthenticationOk.
    fn gate(&self, asked: &AuthRequest) -> Result<(), StartupEnd> {
        let allowed = match asked.method() {
            Some(method) => self.rules.require_auth.allows(method),
            // What has no name in `require_auth` is not on any list of allowed methods.
            None => self.rules.require_auth.methods.is_empty() || self.rules.require_auth.negated,
        };
        if !allowed {
            return Err(StartupEnd::Forbidden);
        }
        if self.rules.channel_binding == ChannelBinding::Require
            && !matches!(asked, AuthRequest::Sasl(_))
        {
            let why = if self.wire().tls.is_none() {
                Unbindable::NoTls
            } else {
                Unbindable::NotScram
            };
            return Err(StartupEnd::Unbindable(why));
        }
        Ok(())
    }

    /// AuthenticationOk, and libpq's checks on it.
    fn accepted(&mut self) -> Result<(), StartupEnd> {
        if self.rules.certificate_mode == SslCertMode::Require {
            let used = self
                .wire()
                .tls
                .as_ref()
                .is_some_and(|tls| tls.client_certificate_asked && tls.client_certificate_sent);
            if !used {
                return Err(StartupEnd::CertificateNotUsed);
            }
        }
        let asked = self.exchange.asked.get_or_insert(AuthRequest::Nothing);
        let completed = match asked {
            AuthRequest::Nothing => false,
            AuthRequest::Sasl(_) => matches!(self.sasl, Sasl::Done),
            _ => self.exchange.answered,
        };
        if !completed && !self.rules.require_auth.allows(AuthMethod::None) {
            return Err(if self.exchange.answered {
                StartupEnd::Unproven
            } else {
                StartupEnd::Forbidden
            });
        }
        if self.rules.channel_binding == ChannelBinding::Require
            && !(self.exchange.bound && self.exchange.proven)
        {
            return Err(match (&self.wire().tls, self.exchange.bound) {
                (None, _) => StartupEnd::Unbindable(Unbindable::NoTls),
                (_, true) => StartupEnd::Unproven,
                (_, false) => StartupEnd::Unbindable(Unbindable::NotScram),
            });
        }
        self.exchange.authenticated = true;
        Ok(())
    }

    /// The password, which must not be empty (libpq: `PQnoPasswordSupplied`).
    fn need_password(&mut self, frame: Frame) -> Result<Secret, StartupEnd> {
        match &self.password {
            Some(password) if !password.is_empty() => Ok(password.clone()),
            _ => {
                self.waiting = Some(frame);
                Err(StartupEnd::PasswordNeeded)
            }
        }
    }

    async fn cleartext(&mut self, frame: Frame) -> Result<(), StartupEnd> {
        let password = self.need_password(frame)?;
        self.send_password(&password.expose_bytes()).await;
        Ok(())
    }

    async fn md5(&mut self, frame: Frame) -> Result<(), StartupEnd> {
        let salt = frame
            .body
            .get(4..8)
            .and_then(|s| <[u8; 4]>::try_from(s).ok());
        let salt = salt.ok_or_else(|| malformed("request for MD5"))?;
        let password = self.need_password(frame)?;
        let user = self.rules.user.as_bytes();
        let hash = secret::wiping(|| md5_hash(user, &password.expose_bytes(), salt));
        let hash = Zeroizing::new(hash);
        self.send_password(hash.as_bytes()).await;
        Ok(())
    }

    async fn send_password(&mut self, password: &[u8]) {
        let mut body = Zeroizing::new(Vec::with_capacity(password.len() + 1));
        body.extend(password.iter().copied().take_while(|&b| b != 0));
        body.push(0);
        self.answer(&body).await;
        self.exchange.password_used = true;
    }

    async fn answer(&mut self, body: &[u8]) {
        let mut message = Zeroizing::new(Vec::with_capacity(body.len() + 5));
        put_message(&mut message, b'p', body);
        self.frames.send(&message).await;
        self.exchange.answered = true;
    }

    /// Chooses a mechanism as libpq's `pg_SASL_init` does.
    async fn sasl_begin(&mut self, frame: Frame, offered: &[String]) -> Result<(), StartupEnd> {
        let required = self.rules.channel_binding == ChannelBinding::Require;
        let disabled = self.rules.channel_binding == ChannelBinding::Disable;
        let tls = self.wire().tls.clone();
        if required && tls.is_none() {
            return Err(StartupEnd::Unbindable(Unbindable::NoTls));
        }
        let plus = offered.iter().any(|m| m == SCRAM_SHA_256_PLUS);
        let plain = offered.iter().any(|m| m == SCRAM_SHA_256);
        let (mechanism, claim) = match &tls {
            None if plus => return Err(StartupEnd::Stripped),
            Some(tls) if plus && !disabled => match &tls.end_point {
                Some(data) => (SCRAM_SHA_256_PLUS, Claim::Bound(data.clone())),
                None => return Err(StartupEnd::Unbindable(Unbindable::NoDigest)),
            },
            _ if !plain => return Err(StartupEnd::Unserved),
            _ if required => return Err(StartupEnd::Unbindable(Unbindable::NotOffered)),
            Some(_) if !disabled => (SCRAM_SHA_256, Claim::NotOffered),
            _ => (SCRAM_SHA_256, Claim::Unsupported),
        };
        self.need_password(frame)?;
        let first = ClientFirst::new(claim.clone()).map_err(StartupEnd::Scram)?;
        let text = first.message();
        let mut body = mechanism.as_bytes().to_vec();
        body.push(0);
        body.extend_from_slice(&u32::try_from(text.len()).unwrap_or_default().to_be_bytes());
        body.extend_from_slice(text.as_bytes());
        self.exchange.mechanism = Some(mechanism);
        self.exchange.bound = matches!(claim, Claim::Bound(_));
        self.answer(&body).await;
        self.sasl = Sasl::First(first);
        Ok(())
    }

    async fn sasl_continue(&mut self, message: Vec<u8>) -> Result<(), StartupEnd> {
        let Sasl::First(first) = std::mem::replace(&mut self.sasl, Sasl::Idle) else {
            return Err(malformed("SASL continuation"));
        };
        let Some(password) = self.password.clone() else {
            return Err(StartupEnd::PasswordNeeded);
        };
        let challenge = first.read(&message).map_err(StartupEnd::Scram)?;
        self.exchange.iterations = Some(challenge.iterations);
        let saslprep = self.rules.saslprep;
        // A server may ask for very many iterations: not on the thread that
        // watches the time.
        let answer = tokio::task::spawn_blocking(move || {
            secret::wiping(|| first.answer(&challenge, &password.expose_bytes(), saslprep))
        })
        .await
        .map_err(|error| StartupEnd::Scram(ScramError::Local(error.to_string())))?;
        let (message, end) = answer.map_err(StartupEnd::Scram)?;
        self.answer(message.as_bytes()).await;
        self.exchange.password_used = true;
        self.sasl = Sasl::Final(end);
        Ok(())
    }

    fn sasl_final(&mut self, message: &[u8]) -> Result<(), StartupEnd> {
        let Sasl::Final(end) = std::mem::replace(&mut self.sasl, Sasl::Idle) else {
            return Err(malformed("end of SASL"));
        };
        end.check(message).map_err(StartupEnd::Scram)?;
        self.exchange.proven = true;
        self.sasl = Sasl::Done;
        Ok(())
    }

    /// One message between AuthenticationOk and ReadyForQuery; true at the end.
    fn settle(&mut self, frame: Frame) -> Result<bool, StartupEnd> {
        let mut fields = Fields(&frame.body);
        match frame.tag {
            b'Z' => return Ok(true),
            b'E' => return Err(server_error(&frame)),
            b'N' => {
                if let Some(notice) = ServerError::parse(&frame.body)
                    && self.exchange.notices.len() < MOST_NOTICES
                {
                    self.exchange.notices.push(notice);
                }
            }
            b'S' => {
                let (Some(name), Some(value)) = (fields.string(), fields.string()) else {
                    return Err(malformed("ParameterStatus"));
                };
                if self.parameters.len() >= MOST_PARAMETERS {
                    return Err(StartupEnd::Protocol(
                        "it sends an endless list of parameters".to_owned(),
                    ));
                }
                if !self.parameters.contains_key(&name) {
                    self.reported.push(name.clone());
                }
                self.parameters.insert(name, value);
            }
            b'K' => self.backend_pid = fields.i32(),
            // libpq takes notifications and leaves them to the application.
            b'A' => {}
            tag => {
                return Err(StartupEnd::Protocol(format!(
                    "unexpected message {} during start-up",
                    crate::text::clean_bytes(&[tag])
                )));
            }
        }
        Ok(false)
    }
}

fn server_error(frame: &Frame) -> StartupEnd {
    match ServerError::parse(&frame.body) {
        Some(error) => StartupEnd::Server(Box::new(error)),
        None => malformed("ErrorResponse"),
    }
}

fn malformed(what: &str) -> StartupEnd {
    StartupEnd::Protocol(format!("the {what} is malformed"))
}

/// The list of SASL mechanisms.
fn mechanisms(fields: &mut Fields<'_>) -> Result<Vec<String>, StartupEnd> {
    let mut list = Vec::new();
    loop {
        match fields.string() {
            Some(name) if name.is_empty() => return Ok(list),
            Some(name) => list.push(name),
            None => return Err(malformed("list of SASL mechanisms")),
        }
    }
}
