//! Forwards connections of this machine to the database, byte for byte: what `tunnel
//! --listen` and `tap` share.
//!
//! ```text
//! application ─► listener ─► pump ─► Way: dialled directly, or a forward of the last SSH hop
//!                             └─► Watch: sees every byte before it goes on
//! ```

mod pump;
mod way;

use std::fmt;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::cause::Cause;
use crate::finding::Finding;
use crate::wire::dial::errno_name;

pub use way::{Opened, Way};

/// A pause where the system has no more sockets to give.
const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(100);

/// The time that connections have to end when the forwarder does.
const SHUTDOWN_LIMIT: Duration = Duration::from_millis(100);

/// The time that they have to find out that what carried them is gone.
const LOSS_LIMIT: Duration = Duration::from_millis(500);

/// One of the two ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Side {
    /// The application.
    Client,
    /// The database, or what stands in front of it.
    Server,
}

impl Side {
    /// Its name in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Server => "server",
        }
    }
}

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closer {
    /// One of the ends.
    Side(Side),
    /// The SSH session that carried it.
    Tunnel,
}

/// Who ended a connection, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionEnd {
    /// Who.
    pub by: Closer,
    /// How, where it was not in order.
    pub error: Option<ErrorKind>,
}

impl fmt::Display for ConnectionEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = match self.by {
            Closer::Side(Side::Client) => "the application",
            Closer::Side(Side::Server) => "the database side",
            Closer::Tunnel => "the tunnel",
        };
        match self.error {
            None => write!(f, "closed by {by}"),
            Some(ErrorKind::ConnectionReset) => write!(f, "reset by {by}"),
            Some(kind) => write!(f, "broken by {by} ({kind})"),
        }
    }
}

/// Who looks on while connections are forwarded.
pub trait Watch: Clone + Send + Sync + 'static {
    /// What looks on at one connection.
    type Connection: Watched;

    /// A client connected; connections are numbered from 1.
    fn accepted(&self, number: u64, client: SocketAddr) -> Self::Connection;
}

/// Looks on at one connection. It is dropped when the connection is over, or with the
/// forwarder.
pub trait Watched: Send + 'static {
    /// The way to the database is open.
    fn forwarded(&mut self);

    /// It could not be opened. What is done about the client, who may still be waiting for a
    /// word, is its business.
    fn not_forwarded(&mut self, client: TcpStream, why: Finding)
    -> impl Future<Output = ()> + Send;

    /// Bytes arrived, and are about to be passed on.
    fn passing(&mut self, from: Side, bytes: &[u8]);

    /// The SSH session that carried it is gone, and this is why.
    fn tunnel_lost(&mut self, why: &str);

    /// The first of the two ends ended it.
    fn ended(&mut self, end: ConnectionEnd);
}

/// A listener on an address of this machine, and the address with its port.
///
/// # Errors
/// The finding, with its `cause`, for the system's refusal.
pub async fn listen(
    address: SocketAddr,
    cause: &'static Cause,
) -> Result<(TcpListener, SocketAddr), Finding> {
    let bound = async {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((listener, bound))
    };
    bound.await.map_err(|error: io::Error| {
        Finding::new(cause)
            .with("address", address.to_string())
            .with("port", address.port())
            .with("error", error.to_string())
            .with("errno", error.raw_os_error().map(errno_name))
    })
}

/// The warning that other machines can use the way to `target`, where they can.
pub fn exposed(bound: SocketAddr, cause: &'static Cause, target: &str) -> Option<Finding> {
    let exposed = Finding::new(cause)
        .with("address", bound.to_string())
        .with("target", target.to_owned());
    (!bound.ip().is_loopback()).then_some(exposed)
}

/// Forwards connections, each in a task of its own, until it is dropped; at most `most` of
/// them, after whose end it returns.
pub async fn forward<W: Watch>(
    listener: &TcpListener,
    way: &Way,
    watch: &W,
    connections: &mut JoinSet<()>,
    most: Option<u64>,
) {
    let begin =
        |number, client, from| pump::connection(client, way.clone(), watch.accepted(number, from));
    accept(listener, connections, most, begin).await;
}

/// Begins something with each connection, numbered from 1 and in a task of its own, until it
/// is dropped; with at most `most` of them, after whose end it returns.
pub async fn accept<F: Future<Output = ()> + Send + 'static>(
    listener: &TcpListener,
    connections: &mut JoinSet<()>,
    most: Option<u64>,
    begin: impl Fn(u64, TcpStream, SocketAddr) -> F,
) {
    let mut number = 0;
    while most.is_none_or(|most| number < most) {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((client, from)) => {
                    number += 1;
                    connections.spawn(begin(number, client, from));
                }
                Err(_) => tokio::time::sleep(ACCEPT_RETRY_PAUSE).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    while connections.join_next().await.is_some() {}
}

/// Ends the connections that are still open. Each tells its end, and where the way is gone,
/// finds that out by itself.
pub async fn shut_down(connections: &mut JoinSet<()>, is_way_gone: bool) {
    if is_way_gone {
        let all = async { while connections.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(LOSS_LIMIT, all).await;
    }
    let _ = tokio::time::timeout(SHUTDOWN_LIMIT, connections.shutdown()).await;
}
