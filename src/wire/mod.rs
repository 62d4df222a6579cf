//! What carries the bytes: a transport to the database, watched from below.
//!
//! ```text
//! TCP, unix socket, a command or SSH channel ─► Tee (remembers) ─► [TLS] ─► frames of the Postgres protocol
//! ```

pub mod command;
pub mod dial;
pub mod first_reply;
pub mod frames;
pub mod handshake_log;
pub mod linger;
pub mod local_end;
pub mod scram;
pub mod secured;
pub mod server_error;
pub mod session;
pub mod startup;
pub mod stranger;
pub mod tcp_info;
pub mod tee;
pub mod timeline;
pub mod tls;
pub mod vector_reader;
pub mod waits;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use crate::config::Keepalives;
use crate::ctx::Ctx;

pub use tee::{Tee, TeeLog};

/// Anything that carries bytes both ways.
pub trait Io: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// Any transport.
pub type BoxIo = Box<dyn Io>;

/// An address that can be dialled.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// TCP.
    Tcp(SocketAddr),
    /// A unix socket's file.
    Unix(PathBuf),
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Address::Tcp(address) => address.fmt(f),
            Address::Unix(path) => path.display().fmt(f),
        }
    }
}

/// Whether an address is of the IPv6 Internet (2000::/3, RFC 4291, section 2.4),
/// and not of this machine or a private network.
pub fn is_public_ipv6(ip: &std::net::IpAddr) -> bool {
    matches!(ip, std::net::IpAddr::V6(ip) if ip.segments()[0] & 0xe000 == 0x2000)
}

/// How a transport reaches its peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// A connection of this machine.
    Direct(Address),
    /// A `direct-tcpip` channel: the last hop connects to this host and port.
    Tunnel {
        /// The name or address as the bastion is told it.
        host: String,
        /// The port.
        port: u16,
        /// The bastion, as people call it.
        via: String,
        /// How to open it once more.
        again: Reopen,
    },
    /// The standard streams of a command that the user's configuration names.
    Command(Arc<command::CommandLog>),
}

/// A future that is boxed, as a closure returns it.
type Opening = Pin<Box<dyn Future<Output = Option<BoxIo>> + Send>>;

/// Opens a tunnel's channel once more, to learn more about a failure.
#[derive(Clone, Default)]
pub struct Reopen(Option<Arc<dyn Fn(Ctx) -> Opening + Send + Sync>>);

impl Reopen {
    /// By this function.
    pub fn by<F, O>(open: F) -> Self
    where
        F: Fn(Ctx) -> O + Send + Sync + 'static,
        O: Future<Output = Option<BoxIo>> + Send + 'static,
    {
        Self(Some(Arc::new(move |ctx| Box::pin(open(ctx)))))
    }
}

impl std::fmt::Debug for Reopen {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reopen")
    }
}

/// Routes are compared by where they lead.
impl PartialEq for Reopen {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Reopen {}

impl Route {
    /// Whether TLS is never used here, whatever `sslmode` says (PostgreSQL
    /// documentation, `sslmode`: ignored for unix sockets).
    pub fn is_unix(&self) -> bool {
        matches!(self, Route::Direct(Address::Unix(_)))
    }

    /// Opens the same route once more; none where that fails or is not known
    /// how.
    pub async fn again(&self, keepalives: &Keepalives, ctx: &Ctx) -> Option<Stream> {
        match self {
            Route::Direct(address) => {
                let limit = ctx.limit();
                dial::knock(address, keepalives, None, limit)
                    .await
                    .result
                    .ok()
            }
            Route::Tunnel { again, .. } => {
                let io = again.0.as_ref()?(ctx.clone()).await?;
                Some(Stream::new(io, self.clone(), None))
            }
            // Its bytes are SSH, and are never asked for twice.
            Route::Command(_) => None,
        }
    }
}

/// A connected transport on which nothing has been said yet.
pub struct Stream {
    /// The bytes, watched.
    pub io: Tee,
    /// What was seen of them, readable while others own `io`.
    pub log: Arc<TeeLog>,
    /// How it reaches the peer.
    pub route: Route,
    /// The socket itself, to ask the kernel about it; none for a channel.
    pub socket: Option<Arc<socket2::Socket>>,
}

impl Stream {
    /// Puts a connected transport under watch.
    pub fn new(io: BoxIo, route: Route, socket: Option<Arc<socket2::Socket>>) -> Self {
        let (io, log) = Tee::new(io);
        log.seen().timeline = timeline::open(&route);
        Self {
            io,
            log,
            route,
            socket,
        }
    }
}
