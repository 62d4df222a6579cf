//! One connection, from the way to the database to its end.

use std::io::ErrorKind;
use std::sync::Mutex;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{Closer, ConnectionEnd, Opened, Side, Watched, Way};

/// How much is read at once.
const BUFFER: usize = 16 * 1024;

/// How long an end may keep its direction open after the other closed its own: what the
/// kernel allows a closed socket (`net.ipv4.tcp_fin_timeout`).
const HALF_CLOSED: Duration = Duration::from_secs(60);

/// How long the last words are waited for of an end that takes no more.
const DRAIN_LIMIT: Duration = Duration::from_secs(1);

/// The time that bytes on their way have before a reset discards what is not delivered.
const DELIVERY: Duration = Duration::from_millis(20);

/// Forwards one connection.
pub(super) async fn connection<W: Watched>(client: TcpStream, way: Way, mut watched: W) {
    let _ = client.set_nodelay(true);
    match way.open().await {
        Ok(server) => {
            watched.forwarded();
            carry(client, server, &way, watched).await;
        }
        Err(why) => watched.not_forwarded(client, why).await,
    }
}

/// Passes bytes, ends of directions and resets on as they come.
async fn carry<W: Watched>(mut client: TcpStream, server: Opened, way: &Way, watched: W) {
    let watched = Mutex::new(watched);
    let reset = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = tokio::io::split(server.io);
        let upward = pump(from_client, to_server, Side::Client, &watched);
        let downward = pump(from_server, to_client, Side::Server, &watched);
        tokio::pin!(upward, downward);
        let (side, first) = tokio::select! {
            biased; // what the application closed is closed by it, whatever came meanwhile
            end = &mut upward => (Side::Client, end),
            end = &mut downward => (Side::Server, end),
        };
        let (by, error) = match first {
            DirectionEnd::Read(error) => (side, error),
            DirectionEnd::Written(kind) => (side.other(), Some(kind)),
        };
        let other = async {
            match side {
                Side::Client => downward.await,
                Side::Server => upward.await,
            }
        };
        tokio::pin!(other);
        let mut end = ConnectionEnd {
            by: Closer::Side(by),
            error,
        };
        // Who takes no more may have said why.
        if let DirectionEnd::Written(_) = first
            && let Ok(DirectionEnd::Read(error)) = timeout(DRAIN_LIMIT, &mut other).await
        {
            end.error = error;
        }
        if by == Side::Server
            && let Some(why) = way.lost().await
        {
            end.by = Closer::Tunnel;
            see(&watched, |watched| watched.tunnel_lost(&why));
        }
        see(&watched, |watched| watched.ended(end));
        match (first, end.error) {
            (_, Some(_)) => true,
            (DirectionEnd::Written(_), None) => false,
            (DirectionEnd::Read(_), None) => matches!(
                timeout(HALF_CLOSED, other).await,
                Ok(DirectionEnd::Read(Some(_)) | DirectionEnd::Written(_))
            ),
        }
    };
    if reset {
        tokio::time::sleep(DELIVERY).await;
        let _ = SockRef::from(&client).set_linger(Some(Duration::ZERO));
        if let Some(socket) = &server.socket {
            let _ = socket.set_linger(Some(Duration::ZERO));
        }
    }
}

/// Shows the one who looks on something. A panic there is a defect that ends the run anyway.
fn see<W>(watched: &Mutex<W>, show: impl FnOnce(&mut W)) {
    if let Ok(mut watched) = watched.lock() {
        show(&mut watched);
    }
}

impl Side {
    /// The one at the other end.
    pub fn other(self) -> Self {
        match self {
            Self::Client => Self::Server,
            Self::Server => Self::Client,
        }
    }
}

/// Where one direction came to its end.
#[derive(Clone, Copy, Debug)]
enum DirectionEnd {
    /// Nothing more is read.
    Read(Option<ErrorKind>),
    /// Nothing more can be written.
    Written(ErrorKind),
}

/// Copies one direction to its end and passes the end on.
async fn pump<W: Watched>(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    side: Side,
    watched: &Mutex<W>,
) -> DirectionEnd {
    let mut buffer = vec![0; BUFFER];
    loop {
        let read = match from.read(&mut buffer).await {
            Ok(0) => {
                let _ = to.shutdown().await;
                return DirectionEnd::Read(None);
            }
            Ok(read) => read,
            Err(error) => return DirectionEnd::Read(Some(error.kind())),
        };
        let bytes = buffer.get(..read).unwrap_or_default();
        see(watched, |watched| watched.passing(side, bytes));
        let written = async {
            to.write_all(bytes).await?;
            to.flush().await
        };
        if let Err(error) = written.await {
            return DirectionEnd::Written(error.kind());
        }
    }
}
