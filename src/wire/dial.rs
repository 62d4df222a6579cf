//! One dial of one address, with everything that the kernel says about it.

use std::io;
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use socket2::{Domain, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpSocket, UnixStream};

use crate::config::Keepalives;
use crate::config::local_end::LocalEnd;
use crate::listeners;
use crate::wire::local_end::{self, BindFault, Unbound};
use crate::wire::tcp_info::{self, Icmp};
use crate::wire::{Address, Route, Stream};

/// The longest path of a unix socket, in bytes: `sun_path` less its zero.
pub const LONGEST_SOCKET_PATH: usize = 107;

/// How often a unix socket with a full backlog is tried again.
const BACKLOG_PAUSE: Duration = Duration::from_millis(20);

/// How long it is tried: libpq does not try again at all.
const BACKLOG_PATIENCE: Duration = Duration::from_millis(500);

/// How long a free file descriptor is waited for.
const DESCRIPTOR_PATIENCE: Duration = Duration::from_millis(300);

/// What became of a dial.
pub struct ConnectAttempt {
    /// The open connection, or why there is none.
    pub result: Result<Stream, ConnectError>,
    /// How long it took.
    pub took: Duration,
}

/// Why an address did not accept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectError {
    /// What it came to.
    pub why: Why,
    /// The ICMP message behind it, where the kernel kept one.
    pub icmp: Option<Icmp>,
    /// How long it took.
    pub took: Duration,
    /// How long ago the same address last accepted a connection of this process.
    pub accepted_ago: Option<Duration>,
}

/// The ways to miss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
    /// The kernel's error number.
    Errno(i32),
    /// Nothing came back in time.
    Late,
    /// The path of the unix socket does not fit; its length in bytes.
    PathTooLong(usize),
    /// The local end that was asked for cannot be used.
    Unbound(Box<Unbound>),
    /// An error without a number.
    Other(String),
}

impl Why {
    fn of(error: &io::Error) -> Self {
        match error.raw_os_error() {
            Some(errno) => Why::Errno(errno),
            None => Why::Other(error.to_string()),
        }
    }
}

impl Why {
    /// The error in the system's words, where nothing is known of how it came.
    pub fn text(&self) -> String {
        match self {
            Why::Errno(libc::EAGAIN) => {
                "its queue of pending connections is full (EAGAIN)".to_owned()
            }
            Why::Errno(errno) => io::Error::from_raw_os_error(*errno).to_string(),
            Why::Late => "nothing came back in time".to_owned(),
            Why::PathTooLong(length) => {
                format!("the path has {length} bytes, but at most {LONGEST_SOCKET_PATH} fit")
            }
            Why::Unbound(unbound) => unbound.to_string(),
            Why::Other(text) => text.clone(),
        }
    }
}

/// The name of an error number, `ECONNREFUSED`.
pub fn errno_name(errno: i32) -> String {
    format!("{:?}", Errno::from_raw(errno))
}

impl ConnectError {
    /// The name of the error number, where it failed with one.
    pub fn errno_name(&self) -> Option<String> {
        match self.why {
            Why::Errno(errno) => Some(errno_name(errno)),
            Why::Unbound(ref unbound) => match unbound.fault {
                BindFault::Refused(_, errno) => Some(errno_name(errno)),
                _ => None,
            },
            _ => None,
        }
    }

    /// Whether the local end rules this address out, and not those of the other
    /// family: ssh goes on to them.
    pub fn other_family(&self) -> bool {
        matches!(&self.why, Why::Unbound(unbound) if unbound.fault == BindFault::Family)
    }

    /// The error in the system's words.
    pub fn text(&self) -> String {
        let text = match &self.why {
            Why::Late => format!("nothing came back within {}", seconds(self.took)),
            why => why.text(),
        };
        match &self.icmp {
            Some(icmp) => format!("{text}; {}", icmp.name()),
            None => text,
        }
    }

    /// One word or two for a list of addresses.
    pub fn outcome(&self) -> &'static str {
        match &self.why {
            Why::Late | Why::Errno(libc::ETIMEDOUT | libc::EAGAIN) => "timeout",
            Why::Errno(libc::ECONNREFUSED) => "refused",
            Why::Errno(libc::ENOENT) => "missing",
            _ if self.icmp.is_some_and(|icmp| icmp.prohibited()) => "rejected",
            Why::Errno(libc::EHOSTUNREACH | libc::ENETUNREACH) => "unreachable",
            Why::Errno(libc::EPERM | libc::EACCES) => "rejected",
            _ => "failed",
        }
    }
}

/// A duration as people say it.
pub fn seconds(time: Duration) -> String {
    match time.as_millis() {
        ms if ms < 1_000 => format!("{ms} ms"),
        _ => format!("{:.1} s", time.as_secs_f64()),
    }
}

/// Dials an address until `limit`, from a local end where one is set.
pub async fn knock(
    address: &Address,
    keepalives: &Keepalives,
    local_end: Option<&LocalEnd>,
    limit: Instant,
) -> ConnectAttempt {
    let started = Instant::now();
    let result = match address {
        Address::Tcp(to) => tcp(*to, keepalives, local_end, limit).await,
        Address::Unix(path) => unix(path, limit).await,
    };
    let took = started.elapsed();
    let result = match result {
        Ok((io, socket)) => {
            remember(address);
            Ok(Stream::new(
                io,
                Route::Direct(address.clone()),
                Some(Arc::new(socket)),
            ))
        }
        Err((why, icmp)) => Err(ConnectError {
            why,
            icmp,
            took,
            accepted_ago: last_accepted(address),
        }),
    };
    ConnectAttempt { result, took }
}

/// When each address last accepted: one that accepted and refuses now lost its
/// listener, which one that never accepted did not.
static ACCEPTED: Mutex<Vec<(Address, Instant)>> = Mutex::new(Vec::new());

fn remember(address: &Address) {
    /// More addresses than a run dials.
    const MOST: usize = 64;
    if let Ok(mut accepted) = ACCEPTED.lock() {
        accepted.retain(|(known, _)| known != address);
        if accepted.len() < MOST {
            accepted.push((address.clone(), Instant::now()));
        }
    }
}

fn last_accepted(address: &Address) -> Option<Duration> {
    let accepted = ACCEPTED.lock().ok()?;
    let (_, at) = accepted.iter().find(|(known, _)| known == address)?;
    Some(at.elapsed())
}

type Opened = Result<(crate::wire::BoxIo, Socket), (Why, Option<Icmp>)>;

async fn tcp(
    to: SocketAddr,
    keepalives: &Keepalives,
    local_end: Option<&LocalEnd>,
    limit: Instant,
) -> Opened {
    let plain = |error: io::Error| (Why::of(&error), None);
    let socket = open(Domain::for_address(to), limit).await.map_err(plain)?;
    socket.set_tcp_nodelay(true).map_err(plain)?;
    set_keepalives(&socket, keepalives).map_err(plain)?;
    tcp_info::keep_icmp(&socket, &to);
    // The second descriptor outlives a failed connect, so that the kernel can
    // still be asked about it.
    let watched = socket.try_clone().map_err(plain)?;
    if let Some(end) = local_end {
        let from = bound(&watched, end, to, limit).await;
        let from = from.map_err(|why| (why, None))?.ip();
        let opened = connect(socket, watched, to, limit).await;
        // The kernel calls it an invalid argument (EINVAL), or sends a packet
        // that nobody can answer.
        let lost = from.is_loopback() && !listeners::is_local(to.ip());
        return opened.map_err(|error| match lost {
            true => (Unbound::of(end, BindFault::Loopback(from)), None),
            false => error,
        });
    }
    connect(socket, watched, to, limit).await
}

/// The socket's connection; `watched` is a second descriptor of it.
async fn connect(socket: Socket, watched: Socket, to: SocketAddr, limit: Instant) -> Opened {
    let connect = TcpSocket::from_std_stream(socket.into()).connect(to);
    match tokio::time::timeout_at(limit.into(), connect).await {
        Ok(Ok(stream)) => Ok((Box::new(stream), watched)),
        // A reset in answer to SYN is ECONNREFUSED: this one came after the
        // connection was established, and is the next stage's to tell. EPIPE
        // is one behind the peer's end of its direction: it closed.
        Ok(Err(error)) if was_open(&error) => Ok((Box::new(AlreadyEnded(error.kind())), watched)),
        Ok(Err(error)) => Err((Why::of(&error), tcp_info::icmp(&watched))),
        Err(_) => match tcp_info::icmp(&watched) {
            // A soft error: the kernel had an answer and went on trying.
            Some(icmp) => Err((Why::Errno(errno_of(&icmp)), Some(icmp))),
            None => Err((Why::Late, None)),
        },
    }
}

/// Binds the socket elsewhere, since a name may be looked up for it.
async fn bound(
    socket: &Socket,
    end: &LocalEnd,
    to: SocketAddr,
    limit: Instant,
) -> Result<SocketAddr, Why> {
    let socket = socket.try_clone().map_err(|error| Why::of(&error))?;
    let this = end.clone();
    let bound = tokio::task::spawn_blocking(move || local_end::bind(&socket, &this, to));
    match tokio::time::timeout_at(limit.into(), bound).await {
        Ok(Ok(bound)) => bound,
        Ok(Err(error)) => Err(Why::Other(error.to_string())),
        // Only a name has to be looked up: else the time was too short for anything.
        Err(_) if end.value.parse::<std::net::IpAddr>().is_ok() => Err(Why::Late),
        Err(_) => {
            let silent = BindFault::Unresolved("no answer from the name servers".to_owned());
            Err(Unbound::of(end, silent))
        }
    }
}

/// Whether a failed connect was a connection for a moment.
fn was_open(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset};
    matches!(
        error.kind(),
        ConnectionReset | ConnectionAborted | BrokenPipe
    )
}

/// A connection that ended before the first byte, with this error.
struct AlreadyEnded(io::ErrorKind);

impl AsyncRead for AlreadyEnded {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Poll::Ready(Err(self.0.into()))
    }
}

impl AsyncWrite for AlreadyEnded {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A new socket. Where descriptors are short, the dials of other addresses give
/// theirs back in a moment: libpq, which dials one by one, would not run out.
async fn open(domain: Domain, limit: Instant) -> io::Result<Socket> {
    let patience = limit.min(Instant::now() + DESCRIPTOR_PATIENCE);
    loop {
        let opened = Socket::new(domain, Type::STREAM, None);
        let short = matches!(&opened, Err(error)
            if matches!(error.raw_os_error(), Some(libc::EMFILE | libc::ENFILE)));
        if !short || Instant::now() >= patience {
            let socket = opened?;
            socket.set_nonblocking(true)?;
            return Ok(socket);
        }
        tokio::time::sleep(BACKLOG_PAUSE).await;
    }
}

/// The error number that the kernel would have given for an ICMP message.
fn errno_of(icmp: &Icmp) -> i32 {
    match icmp {
        icmp if icmp.port_unreachable() => libc::ECONNREFUSED,
        Icmp {
            v6: false,
            code: 0 | 6 | 9 | 11,
            ..
        } => libc::ENETUNREACH,
        Icmp {
            v6: true, code: 0, ..
        } => libc::ENETUNREACH,
        icmp if icmp.v6 && icmp.prohibited() => libc::EACCES,
        _ => libc::EHOSTUNREACH,
    }
}

/// As libpq sets them (`setKeepalivesIdle` and its kin in fe-connect.c); a
/// value of 0 stands for one that is not given.
fn set_keepalives(socket: &Socket, keepalives: &Keepalives) -> io::Result<()> {
    let some = |n: u32| (n > 0).then_some(n);
    if keepalives.enabled {
        let mut set = TcpKeepalive::new();
        if let Some(idle) = some(keepalives.idle) {
            set = set.with_time(Duration::from_secs(idle.into()));
        }
        if let Some(interval) = some(keepalives.interval) {
            set = set.with_interval(Duration::from_secs(interval.into()));
        }
        if let Some(count) = some(keepalives.count) {
            set = set.with_retries(count);
        }
        socket.set_tcp_keepalive(&set)?;
    }
    #[cfg(target_os = "linux")]
    if let Some(limit) = some(keepalives.user_timeout) {
        socket.set_tcp_user_timeout(Some(Duration::from_millis(limit.into())))?;
    }
    Ok(())
}

async fn unix(path: &Path, limit: Instant) -> Opened {
    let plain = |error: io::Error| (Why::of(&error), None);
    let bytes = path.as_os_str().as_bytes();
    if bytes.len() > LONGEST_SOCKET_PATH {
        return Err((Why::PathTooLong(bytes.len()), None));
    }
    let address = socket_address(bytes).map_err(plain)?;
    let limit = limit.min(Instant::now() + BACKLOG_PATIENCE);
    loop {
        let socket = open(Domain::UNIX, limit).await.map_err(plain)?;
        match socket.connect(&address) {
            Ok(()) => {
                let watched = socket.try_clone().map_err(plain)?;
                let stream = UnixStream::from_std(socket.into()).map_err(plain)?;
                return Ok((Box::new(stream), watched));
            }
            // The listener's backlog is full; there is nothing to wait on.
            Err(error) if error.raw_os_error() == Some(libc::EAGAIN) => {
                if Instant::now() + BACKLOG_PAUSE >= limit {
                    return Err(plain(error));
                }
                tokio::time::sleep(BACKLOG_PAUSE).await;
            }
            Err(error) => return Err(plain(error)),
        }
    }
}

/// A path, or with `@` in front a name in the abstract namespace (PostgreSQL
/// documentation, parameter `host`).
fn socket_address(path: &[u8]) -> io::Result<SockAddr> {
    match path.strip_prefix(b"@") {
        Some(name) => {
            let mut with_zero = vec![0];
            with_zero.extend_from_slice(name);
            SockAddr::unix(Path::new(std::ffi::OsStr::from_bytes(&with_zero)))
        }
        None => SockAddr::unix(Path::new(std::ffi::OsStr::from_bytes(path))),
    }
}

/// Ends a connection that was only a look: both directions are closed in
/// order, and no byte was sent.
pub fn close_socket(stream: Stream) {
    if let Some(socket) = &stream.socket {
        let _ = SockRef::from(&**socket).shutdown(std::net::Shutdown::Both);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keepalives() -> Keepalives {
        Keepalives {
            enabled: true,
            idle: 30,
            interval: 0,
            count: 3,
            user_timeout: 1000,
        }
    }

    fn limit() -> Instant {
        Instant::now() + Duration::from_secs(5)
    }

    #[tokio::test]
    async fn the_socket_is_set_up_as_libpq_does() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = Address::Tcp(listener.local_addr().unwrap());
        let stream = knock(&to, &keepalives(), None, limit())
            .await
            .result
            .ok()
            .unwrap();
        let socket = stream.socket.unwrap();
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_keepalive_time().unwrap().as_secs(), 30);
        assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    }

    #[tokio::test]
    async fn refusals_keep_their_number() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let to = Address::Tcp(listener.local_addr().unwrap());
        drop(listener);
        let miss = knock(&to, &keepalives(), None, limit())
            .await
            .result
            .err()
            .unwrap();
        assert_eq!(miss.errno_name().as_deref(), Some("ECONNREFUSED"));
        assert_eq!(miss.outcome(), "refused");
    }

    #[tokio::test]
    async fn unix_sockets_miss_in_their_own_ways() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".s.PGSQL.5432");
        let to = Address::Unix(path.clone());
        let miss = knock(&to, &keepalives(), None, limit())
            .await
            .result
            .err()
            .unwrap();
        assert_eq!(miss.why, Why::Errno(libc::ENOENT));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        let miss = knock(&to, &keepalives(), None, limit())
            .await
            .result
            .err()
            .unwrap();
        assert_eq!(miss.why, Why::Errno(libc::ECONNREFUSED));
        let long = Address::Unix(dir.path().join("x".repeat(120)));
        let miss = knock(&long, &keepalives(), None, limit())
            .await
            .result
            .err()
            .unwrap();
        assert!(matches!(miss.why, Why::PathTooLong(_)));
    }

    #[tokio::test]
    async fn a_full_backlog_is_told_by_its_number() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".s.PGSQL.5432");
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
        listener.bind(&SockAddr::unix(&path).unwrap()).unwrap();
        listener.listen(0).unwrap();
        let _waiting = std::os::unix::net::UnixStream::connect(&path).unwrap();
        let miss = knock(&Address::Unix(path), &keepalives(), None, limit()).await;
        let miss = miss.result.err().unwrap();
        assert_eq!(miss.why, Why::Errno(libc::EAGAIN));
        assert!(miss.text().contains("queue"));
    }

    #[tokio::test]
    async fn abstract_sockets_are_dialled() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("dbdoctor-test-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind_addr(&address).unwrap();
        let to = Address::Unix(format!("@{name}").into());
        assert!(
            knock(&to, &keepalives(), None, limit())
                .await
                .result
                .is_ok()
        );
    }
}
