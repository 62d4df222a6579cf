//! `native-tls` with `postgres-native-tls` and `tokio-postgres`: the login as many
//! Rust programs do it, with the platform's TLS library.
//!
//! It verifies what the target requires. Where it does not support that (revocation
//! lists) or could break a promise about passwords (`require_auth`), it stops before
//! that step. It verifies name and chain before it sends a client certificate.

use std::error::Error as _;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use native_tls::{Certificate, Identity, Protocol, TlsConnector};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_postgres::config::{ChannelBinding, SslMode as Ssl, SslNegotiation as Negotiation};
use tokio_postgres::tls::TlsConnect;
use tokio_postgres::{Config, NoTls};

use super::earned::{self, Earned};
use super::{Outcome, Scene, Step, late};
use crate::config::{
    self, Destination, Endpoint, NamedFile, Place, Roots, SslCertMode, SslMode, SslNegotiation,
    Target, TlsVersion,
};
use crate::report::Stage;
use crate::stage::tunnel;
use crate::wire::{Address, BoxIo, Tee, linger};

/// Tries it.
pub async fn ask(scene: &Scene<'_>, earned: Earned, limit: Instant) -> Outcome {
    let began = Instant::now();
    let connected = scene.connected;
    let target = &connected.target;
    if target.ssh.is_some() && connected.bastion.is_none() {
        return Outcome::Skipped("the SSH tunnel is not available".to_owned());
    }
    if super::psql::typed(scene) {
        return Outcome::Skipped("the password was typed and is not stored".to_owned());
    }
    // A run that passed names its host; else the list is gone through.
    let endpoints = match scene.passed {
        true => vec![&connected.endpoint],
        false => earned::endpoints(scene),
    };
    let mut job = NativeAttempt {
        scene,
        target,
        earned,
        goal: goal(scene, earned),
        limit,
        step: Step::Connect,
    };
    match tokio::time::timeout_at(limit.into(), job.hosts(&endpoints)).await {
        Ok(outcome) => outcome,
        Err(_) => Outcome::Failed(job.step, late(limit, began)),
    }
}

/// How far it goes: no further than the run, and with `require_auth` not to
/// where a server asks for a password by a method of its own choice.
fn goal(scene: &Scene<'_>, earned: Earned) -> Step {
    let free = scene.connected.target.require_auth.methods.is_empty();
    match scene.until {
        _ if earned.only_verification() => Step::Tls,
        until if until > Stage::Tls && free => Step::Login,
        _ => Step::Tls,
    }
}

struct NativeAttempt<'a> {
    scene: &'a Scene<'a>,
    target: &'a Target,
    earned: Earned,
    goal: Step,
    limit: Instant,
    /// What is being worked on.
    step: Step,
}

/// What one connection came to.
enum Went {
    Through(Step),
    Wrong(Step, String),
    Not(String),
}

impl NativeAttempt<'_> {
    /// libpq's order: the next host only after a failure to connect.
    async fn hosts(&mut self, endpoints: &[&Endpoint]) -> Outcome {
        let mut last = Outcome::Skipped("the target names no host".to_owned());
        for endpoint in endpoints {
            last = self.host(endpoint).await;
            if !matches!(last, Outcome::Failed(Step::Connect, _)) {
                break;
            }
        }
        last
    }

    /// The encryptions that `sslmode` allows, in libpq's order.
    async fn host(&mut self, endpoint: &Endpoint) -> Outcome {
        let unix = matches!(endpoint.place, Place::Unix(_)) && self.target.ssh.is_none();
        let modes: &[Ssl] = match self.target.tls.mode {
            _ if unix => &[Ssl::Disable],
            // There is nothing to verify without TLS.
            _ if self.earned.only_verification() => &[Ssl::Require],
            SslMode::Disable => &[Ssl::Disable],
            SslMode::Allow => &[Ssl::Disable, Ssl::Require],
            SslMode::Prefer => &[Ssl::Prefer, Ssl::Disable],
            SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => &[Ssl::Require],
        };
        let mut first = None;
        for mode in modes {
            match self.attempt(endpoint, *mode).await {
                Went::Through(step) => return Outcome::Passed(step),
                Went::Not(why) => return Outcome::Skipped(why),
                Went::Wrong(Step::Connect, error) => {
                    return Outcome::Failed(Step::Connect, error);
                }
                Went::Wrong(step, error) => {
                    first.get_or_insert((step, error));
                }
            }
        }
        match first {
            Some((step, error)) => Outcome::Failed(step, error),
            None => Outcome::Skipped("no route to this host".to_owned()),
        }
    }

    async fn attempt(&mut self, endpoint: &Endpoint, mode: Ssl) -> Went {
        let plain = mode == Ssl::Disable;
        if plain && self.goal < Step::Login {
            return Went::Not(match self.target.require_auth.methods.is_empty() {
                true => "TLS is not used".to_owned(),
                false => "it does not support require_auth".to_owned(),
            });
        }
        let connector = match plain {
            true => None,
            false => match connector(self.target, endpoint, self.earned) {
                Ok(connector) => Some(connector),
                Err(went) => return went,
            },
        };
        self.step = Step::Connect;
        let io = match self.dial(endpoint).await {
            Ok(io) => io,
            Err(error) => return Went::Wrong(Step::Connect, error),
        };
        let config = self.config(endpoint, mode);
        self.step = if plain { Step::Login } else { Step::Tls };
        let Some(connector) = connector else {
            return settle(config.connect_raw(io, NoTls).await, Step::Login, self.limit).await;
        };
        let shaken = Arc::new(AtomicBool::new(false));
        let tls = Watched {
            inner: postgres_native_tls::TlsConnector::new(connector, &endpoint.host),
            shaken: Arc::clone(&shaken),
            stop: self.goal == Step::Tls,
        };
        let result = config.connect_raw(io, tls).await;
        let reached = shaken.load(Ordering::Relaxed);
        match (reached, self.goal) {
            (true, Step::Tls) => Went::Through(Step::Tls),
            (true, _) => settle(result, Step::Login, self.limit).await,
            // `prefer` that was told no goes on in clear.
            (false, _) if result.is_ok() => settle(result, Step::Login, self.limit).await,
            (false, _) => {
                let server_said = result
                    .as_ref()
                    .err()
                    .is_some_and(|e| e.as_db_error().is_some());
                let step = if server_said { Step::Login } else { Step::Tls };
                settle(result, step, self.limit).await
            }
        }
    }

    async fn dial(&self, endpoint: &Endpoint) -> Result<BoxIo, String> {
        let connected = self.scene.connected;
        if let Some(bastion) = &connected.bastion {
            let ctx = connected.ctx.anew();
            return tunnel::open(bastion, endpoint, &ctx, self.limit)
                .await
                .map_err(|failure| tunnel::refused(&failure, bastion, endpoint).summary());
        }
        // Never looked up again: another answer would not have been judged.
        let same = |to: &Destination| to.place == endpoint.place && to.port == endpoint.port;
        let known = connected.addresses.iter().find(|(to, _)| same(to));
        let mut last = "no address found".to_owned();
        for address in known.map_or(&[][..], |(_, addresses)| addresses) {
            match tokio::time::timeout(connected.ctx.timeout, dial(address)).await {
                Ok(Ok(stream)) => return Ok(Box::new(Tee::new(stream).0)),
                Ok(Err(error)) => last = format!("{address}: {error}"),
                Err(_) => last = format!("{address}: no answer"),
            }
        }
        Err(last)
    }

    fn config(&self, endpoint: &Endpoint, mode: Ssl) -> Config {
        let target = self.target;
        let mut config = Config::new();
        config
            .user(&target.user)
            .dbname(&target.dbname)
            .application_name(&target.application_name)
            .ssl_mode(mode)
            .ssl_negotiation(match target.tls.negotiation {
                SslNegotiation::Postgres => Negotiation::Postgres,
                SslNegotiation::Direct => Negotiation::Direct,
            })
            .channel_binding(match target.channel_binding {
                config::ChannelBinding::Disable => ChannelBinding::Disable,
                config::ChannelBinding::Prefer => ChannelBinding::Prefer,
                config::ChannelBinding::Require => ChannelBinding::Require,
            });
        if let Some(options) = &target.options {
            config.options(options);
        }
        if let Some(password) = &endpoint.password {
            config.password(password.secret.expose_bytes());
        }
        config
    }
}

async fn dial(address: &Address) -> std::io::Result<BoxIo> {
    Ok(match address {
        Address::Tcp(address) => Box::new(TcpStream::connect(address).await?),
        Address::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

/// Closes an open session, and puts a failed one into words.
async fn settle<S, T>(
    result: Result<
        (tokio_postgres::Client, tokio_postgres::Connection<S, T>),
        tokio_postgres::Error,
    >,
    failed: Step,
    limit: Instant,
) -> Went
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin,
{
    match result {
        Ok((client, connection)) => {
            drop(client);
            let soon = limit.min(Instant::now() + Duration::from_secs(1));
            let _ = tokio::time::timeout_at(soon.into(), connection).await;
            Went::Through(Step::Login)
        }
        Err(error) => Went::Wrong(failed, words(&error)),
    }
}

/// An error with what it stems from.
fn words(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} ({})", said.message(), said.code().code());
    }
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = error.source();
    }
    text
}

/// native-tls set up to verify what the target has verified.
fn connector(target: &Target, endpoint: &Endpoint, earned: Earned) -> Result<TlsConnector, Went> {
    let settings = &target.tls;
    let not = |why: &str| Err(Went::Not(why.to_owned()));
    let wrong = |error: native_tls::Error| Went::Wrong(Step::Tls, error.to_string());
    let mut builder = TlsConnector::builder();
    builder
        .use_sni(settings.sni)
        .danger_accept_invalid_hostnames(settings.mode != SslMode::VerifyFull);
    postgres_native_tls::set_postgresql_alpn(&mut builder);
    // libpq verifies the chain wherever there are roots, whatever sslmode says.
    let roots = match &settings.roots {
        Roots::System | Roots::SystemAnd(_) | Roots::Mozilla(_) | Roots::Nobody => true,
        Roots::Nowhere => false,
        Roots::File(file) => {
            builder.disable_built_in_roots(true);
            let there = file.path.exists();
            if there {
                let Ok(pem) = config::files::read(&file.path) else {
                    return not("cannot read the root certificates");
                };
                for root in Certificate::stack_from_pem(&pem).map_err(wrong)? {
                    builder.add_root_certificate(root);
                }
            }
            there
        }
    };
    if !roots {
        if settings.mode >= SslMode::VerifyCa {
            return not("no root certificates to verify with");
        }
        builder.danger_accept_invalid_certs(true);
    }
    if roots && (exists(settings.crl.as_ref()) || settings.crl_dir.is_some()) {
        return not("it does not support revocation lists, which this target uses");
    }
    if settings.mode == SslMode::VerifyFull && endpoint.host.is_empty() {
        return not("no host name to verify");
    }
    if let Some(version) = settings.min_version {
        builder.min_protocol_version(Some(protocol(version)));
    }
    if let Some(version) = settings.max_version {
        builder.max_protocol_version(Some(protocol(version)));
    }
    if !earned.only_verification()
        && settings.certificate_mode != SslCertMode::Disable
        && exists(settings.certificate.as_ref())
        && let (Some(certificate), Some(key)) = (&settings.certificate, &settings.key)
    {
        let read = |file: &NamedFile| config::files::read(&file.path);
        let (Ok(certificate), Ok(key)) = (read(certificate), read(key)) else {
            return not("cannot read the client certificate or its key");
        };
        if String::from_utf8_lossy(&key).contains("ENCRYPTED") {
            return not("it does not support encrypted client keys");
        }
        let identity = Identity::from_pkcs8(&certificate, &key)
            .map_err(|error| Went::Wrong(Step::Tls, format!("the client key: {error}")))?;
        builder.identity(identity);
    }
    builder.build().map_err(wrong)
}

fn exists(file: Option<&NamedFile>) -> bool {
    file.is_some_and(|file| file.path.exists())
}

fn protocol(version: TlsVersion) -> Protocol {
    match version {
        TlsVersion::V1_0 => Protocol::Tlsv10,
        TlsVersion::V1_1 => Protocol::Tlsv11,
        TlsVersion::V1_2 => Protocol::Tlsv12,
        TlsVersion::V1_3 => Protocol::Tlsv13,
    }
}

/// A TLS connector that tells that the handshake is through, and stops there
/// where nothing more is wanted.
struct Watched {
    inner: postgres_native_tls::TlsConnector,
    shaken: Arc<AtomicBool>,
    stop: bool,
}

/// The handshake was all that was wanted.
#[derive(Debug, thiserror::Error)]
#[error("no further")]
struct Enough;

impl TlsConnect<BoxIo> for Watched {
    type Stream = Ordered;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Stream, Self::Error>> + Send>>;

    fn connect(self, stream: BoxIo) -> Self::Future {
        Box::pin(async move {
            let stream = self.inner.connect(stream).await?;
            self.shaken.store(true, Ordering::Relaxed);
            match self.stop {
                true => Err(Enough.into()),
                false => Ok(Ordered {
                    inner: stream,
                    ending: None,
                }),
            }
        })
    }
}

/// A TLS stream that is left as ours are: tokio-postgres ends TLS right after
/// Terminate, and the server is gone by then.
struct Ordered {
    inner: postgres_native_tls::TlsStream<BoxIo>,
    /// When the server's end is no longer awaited, once it is.
    ending: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl tokio_postgres::tls::TlsStream for Ordered {
    fn channel_binding(&self) -> tokio_postgres::tls::ChannelBinding {
        self.inner.channel_binding()
    }
}

impl AsyncRead for Ordered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buf)
    }
}

impl AsyncWrite for Ordered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        let ending = this
            .ending
            .get_or_insert_with(|| Box::pin(tokio::time::sleep(linger::LINGER)));
        let late = ending.as_mut().poll(cx).is_ready();
        loop {
            let mut ignored = [0; 4096];
            let mut ignored = ReadBuf::new(&mut ignored);
            match Pin::new(&mut this.inner).poll_read(cx, &mut ignored) {
                Poll::Ready(Ok(())) if !ignored.filled().is_empty() => {}
                Poll::Pending if !late => return Poll::Pending,
                _ => return Poll::Ready(Ok(())),
            }
        }
    }
}
