//! What carries the bytes: a transport to the database, watched from below.
//!
//! ```text
//! TCP, unix socket or SSH channel ─► Tee (remembers) ─► [TLS] ─► frames of the Postgres protocol
//! ```

pub mod frames;
pub mod kernel;
pub mod scram;
pub mod server_error;
pub mod session;
pub mod startup;
pub mod stranger;
pub mod tee;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

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
    },
}

impl Route {
    /// Whether TLS is never used here, whatever `sslmode` says (PostgreSQL
    /// documentation, `sslmode`: ignored for unix sockets).
    pub fn is_unix(&self) -> bool {
        matches!(self, Route::Direct(Address::Unix(_)))
    }
}

/// A connected transport on which nothing has been said yet.
pub struct Stream {
    /// The bytes, watched.
    pub io: Tee<BoxIo>,
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
        Self {
            io,
            log,
            route,
            socket,
        }
    }
}
