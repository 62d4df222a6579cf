//! A server of its own, up to the login: what a client does with an untrusted certificate,
//! with a server without TLS, and when it is asked for SCRAM.
//!
//! It asks for SCRAM alone and ends the login after the client's first message, which holds
//! no proof of the password: nothing that could be guessed from ever arrives.

mod certificate;
mod replay_stream;

use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use openssl::ssl::{Ssl, SslAcceptor, SslMethod, SslVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::conversation::{Encryption, Phase, Side, TlsAlert};
use super::reply::error_response;
use super::watch::{Tap, TappedConnection};
use crate::forward::{self, Closer, ConnectionEnd, Watch, Watched};
use crate::wire::frames::put_message;
use crate::wire::scram::{SCRAM_SHA_256, SCRAM_SHA_256_PLUS};
use crate::wire::{BoxIo, tls};

pub use certificate::{Certificate, NotUsable};
use replay_stream::ReplayStream;

/// How long a client has for its login (`authentication_timeout`'s default).
const LOGIN_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a client's end is waited for after the stand-in's last word.
const CLOSE_WAIT: Duration = Duration::from_secs(2);

/// What the login ends with. SQLSTATE 28000 has no client try again at once.
const LOGIN_REFUSAL: &str = "this is dbdoctor, standing in for a database server: login stopped; no password \
                         was received (dbdoctor tap --stand-in)";

/// What a client that asks for TLS is offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer {
    /// The certificate.
    Certificate,
    /// Nothing: `N`.
    Nothing,
}

/// What clients are offered, one after the other.
pub struct StandIn {
    acceptor: Option<SslAcceptor>,
    /// Whether its certificate is one that no client can have reason to trust.
    pub is_untrusted: bool,
    /// Whether every second connection is refused TLS.
    alternates: bool,
}

impl StandIn {
    /// Offers this certificate, and with `alternates` no TLS to every second connection that
    /// asks for it; without a certificate, never.
    ///
    /// # Errors
    /// OpenSSL's, where it cannot use the certificate.
    pub fn new(certificate: Option<&Certificate>, alternates: bool) -> Result<Self, NotUsable> {
        let acceptor = certificate.map(acceptor).transpose()?;
        Ok(Self {
            acceptor,
            is_untrusted: certificate.is_some_and(|it| it.is_throw_away),
            alternates,
        })
    }

    fn offer(&self, asked_before: u64) -> Offer {
        match self.acceptor {
            Some(_) if !self.alternates || asked_before.is_multiple_of(2) => Offer::Certificate,
            _ => Offer::Nothing,
        }
    }
}

fn acceptor(certificate: &Certificate) -> Result<SslAcceptor, NotUsable> {
    let mut builder = SslAcceptor::mozilla_intermediate_v5(SslMethod::tls_server())?;
    // As old as a client may be: it is to be told apart, not kept out.
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_private_key(&certificate.key)?;
    let mut chain = certificate.chain.iter();
    if let Some(own) = chain.next() {
        builder.set_certificate(own)?;
    }
    for issuer in chain {
        builder.add_extra_chain_cert(issuer.clone())?;
    }
    builder.check_private_key()?;
    builder.set_alpn_select_callback(|_, offered| {
        openssl::ssl::select_next_proto(tls::ALPN, offered).ok_or(openssl::ssl::AlpnError::NOACK)
    });
    Ok(builder.build())
}

/// Answers connections, each in a task of its own, until it is dropped; at most `most` of
/// them, after whose end it returns.
pub async fn serve(
    listener: &TcpListener,
    stand_in: &Arc<StandIn>,
    tap: &Tap,
    connections: &mut JoinSet<()>,
    most: Option<u64>,
) {
    let asked = Arc::new(AtomicU64::new(0));
    let begin = |number, client, from| {
        let session = Session {
            watched: tap.accepted(number, from),
            stand_in: Arc::clone(stand_in),
            asked: Arc::clone(&asked),
        };
        session.run(client)
    };
    forward::accept(listener, connections, most, begin).await;
}

/// One client.
struct Session {
    watched: TappedConnection,
    stand_in: Arc<StandIn>,
    asked: Arc<AtomicU64>,
}

/// How a step ends the session.
enum Over {
    /// The client went, in order or not.
    Client(Option<ErrorKind>),
    /// The stand-in has said its last word.
    Done,
}

impl Over {
    fn of(error: &std::io::Error) -> Self {
        Self::Client(Some(error.kind()))
    }
}

impl Session {
    async fn run(mut self, client: TcpStream) {
        let _ = client.set_nodelay(true);
        let end = match tokio::time::timeout(LOGIN_TIMEOUT, self.talk(client)).await {
            Ok(Over::Client(error)) => (Side::Client, error),
            Ok(Over::Done) | Err(_) => (Side::Server, None),
        };
        self.watched.ended(ConnectionEnd {
            by: Closer::Side(end.0),
            error: end.1,
        });
    }

    async fn talk(&mut self, client: TcpStream) -> Over {
        let mut io = ReplayStream::new(client);
        let over = self.opening(&mut io).await;
        let mut io: BoxIo = match over {
            Ok(Opening::Plain) => Box::new(io),
            Ok(Opening::Tls(is_direct)) => match self.handshake(io, is_direct).await {
                Ok(io) => io,
                Err(over) => return over,
            },
            Err(over) => return over,
        };
        match self.login(&mut io).await {
            Err(over) => over,
            Ok(()) => Over::Done,
        }
    }

    /// Up to the start-up message, or to TLS.
    async fn opening(&mut self, io: &mut ReplayStream) -> Result<Opening, Over> {
        loop {
            let bytes = read(io).await?;
            self.watched.passing(Side::Client, &bytes);
            let Some(conversation) = self.watched.conversation() else {
                return Err(Over::Done);
            };
            let request = conversation.encryption.last().copied();
            match (conversation.phase, request) {
                (Phase::Login, _) => return Ok(Opening::Plain),
                (_, Some(request)) if request.answer.is_none() => match request.asked {
                    Encryption::DirectTls if self.stand_in.acceptor.is_some() => {
                        self.asked();
                        io.unread(bytes);
                        return Ok(Opening::Tls(true));
                    }
                    Encryption::DirectTls => return Err(Over::Done),
                    Encryption::Gss => self.say(io, b"N").await?,
                    Encryption::Tls => match self.stand_in.offer(self.asked()) {
                        Offer::Nothing => self.say(io, b"N").await?,
                        Offer::Certificate => {
                            self.say(io, b"S").await?;
                            return Ok(Opening::Tls(false));
                        }
                    },
                },
                (Phase::Opening, _) => {}
                _ => return Err(Over::Done),
            }
        }
    }

    /// How many have asked for TLS before.
    fn asked(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::Relaxed)
    }

    async fn say(
        &mut self,
        io: &mut (impl AsyncWriteExt + Unpin),
        bytes: &[u8],
    ) -> Result<(), Over> {
        self.watched.passing(Side::Server, bytes);
        let sent = async {
            io.write_all(bytes).await?;
            io.flush().await
        };
        sent.await.map_err(|error| Over::of(&error))
    }

    /// TLS; what follows in it is a conversation that begins anew.
    async fn handshake(&mut self, io: ReplayStream, is_direct: bool) -> Result<BoxIo, Over> {
        let Some(acceptor) = &self.stand_in.acceptor else {
            return Err(Over::Done);
        };
        let ssl = Ssl::new(acceptor.context()).map_err(|_| Over::Done)?;
        let log = io.log();
        let mut stream = tokio_openssl::SslStream::new(ssl, io).map_err(|_| Over::Done)?;
        let accepted = Pin::new(&mut stream).accept().await;
        for (side, bytes) in log.take(is_direct) {
            self.watched.passing(side, &bytes);
        }
        if let Err(error) = accepted {
            if let Some(alert) = tls::received_alert(&error) {
                self.watched.alert(alert_of(alert));
            }
            let kind = error.io_error().map(std::io::Error::kind);
            let reset = kind.filter(|kind| *kind == ErrorKind::ConnectionReset);
            return Err(Over::Client(reset));
        }
        self.watched.enter_tls();
        Ok(Box::new(stream))
    }

    /// The login, up to the client's first message of SCRAM.
    async fn login(&mut self, io: &mut BoxIo) -> Result<(), Over> {
        let in_tls = self
            .watched
            .conversation()
            .is_some_and(|it| it.client_hello.is_some());
        while self.phase() == Some(Phase::Opening) {
            self.hear(io).await?;
        }
        if self.phase() != Some(Phase::Login) {
            return Ok(());
        }
        let mut mechanisms = 10u32.to_be_bytes().to_vec();
        let offered = [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
        for mechanism in offered.iter().skip(usize::from(!in_tls)) {
            mechanisms.extend_from_slice(mechanism.as_bytes());
            mechanisms.push(0);
        }
        mechanisms.push(0);
        let mut request = Vec::new();
        put_message(&mut request, b'R', &mechanisms);
        self.say(io, &request).await?;
        while self.phase() == Some(Phase::Login)
            && self
                .watched
                .conversation()
                .is_some_and(|it| !it.login.has_answered)
        {
            self.hear(io).await?;
        }
        let error = error_response("28000", LOGIN_REFUSAL);
        self.say(io, &error).await?;
        let _ = tokio::time::timeout(CLOSE_WAIT, async {
            let _ = io.shutdown().await;
            while read(io).await.is_ok() {}
        })
        .await;
        Ok(())
    }

    fn phase(&self) -> Option<Phase> {
        self.watched.conversation().map(|it| it.phase)
    }

    async fn hear(&mut self, io: &mut BoxIo) -> Result<(), Over> {
        let bytes = read(io).await?;
        self.watched.passing(Side::Client, &bytes);
        Ok(())
    }
}

/// How the opening ended.
enum Opening {
    Plain,
    /// With TLS, that was begun without a request or after one.
    Tls(bool),
}

async fn read(io: &mut (impl AsyncReadExt + Unpin)) -> Result<Vec<u8>, Over> {
    let mut buffer = vec![0; 4096];
    match io.read(&mut buffer).await {
        Ok(0) => Err(Over::Client(None)),
        Ok(read) => {
            buffer.truncate(read);
            Ok(buffer)
        }
        Err(error) => Err(Over::of(&error)),
    }
}

fn alert_of(alert: tls::Alert) -> TlsAlert {
    TlsAlert {
        from: Side::Client,
        number: Some(tls::alert_number(alert)),
        is_warning: false,
    }
}
