//! The main run's tunnel for a program that can only connect to a port: a loopback
//! listener for processes of this user only. A connection from any other user is
//! closed before the tunnel is opened.

use std::future::Future;
use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::sockets;
use crate::wire::BoxIo;

/// How many connections are led through: `sslmode` and hosts make several.
const MOST_CONNECTIONS: usize = 8;

/// The listener; it is gone when this is dropped.
pub struct LoopbackForward {
    /// Its port on 127.0.0.1.
    pub port: u16,
    task: JoinHandle<()>,
}

impl LoopbackForward {
    /// Listens; each connection is led to what `dial` opens for it.
    ///
    /// # Errors
    /// Where there is no port, or the system does not tell who connects to it.
    pub async fn open<D, F>(dial: D) -> io::Result<Self>
    where
        D: Fn() -> F + Send + 'static,
        F: Future<Output = Option<BoxIo>> + Send + 'static,
    {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let local = listener.local_addr()?;
        // Our own connection must be known for ours.
        let (_probe, accepted) = tokio::try_join!(TcpStream::connect(local), listener.accept())?;
        if !is_ours(accepted.1, local).await {
            return Err(io::Error::other(
                "cannot determine which user connects to the listener",
            ));
        }
        let task = tokio::spawn(async move {
            let mut streams = tokio::task::JoinSet::new();
            while streams.len() < MOST_CONNECTIONS {
                let Ok((mut near, peer)) = listener.accept().await else {
                    break;
                };
                if !is_ours(peer, local).await {
                    continue;
                }
                let far = dial();
                streams.spawn(async move {
                    if let Some(mut far) = far.await {
                        let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
            drop(listener);
            while streams.join_next().await.is_some() {}
        });
        Ok(Self {
            port: local.port(),
            task,
        })
    }
}

impl Drop for LoopbackForward {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Whether the other end of a connection belongs to a process of this user.
async fn is_ours(peer: SocketAddr, local: SocketAddr) -> bool {
    let owner = tokio::task::spawn_blocking(move || sockets::owner(peer, local)).await;
    owner.ok().flatten() == Some(nix::unistd::geteuid().as_raw())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::process::Command;

    use super::*;

    /// A forward to an echo, and how often it was opened.
    async fn echo() -> (LoopbackForward, Arc<AtomicUsize>) {
        let opened = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&opened);
        let forward = LoopbackForward::open(move || {
            count.fetch_add(1, Ordering::SeqCst);
            let (near, far) = tokio::io::duplex(64);
            tokio::spawn(async move {
                let (mut read, mut write) = tokio::io::split(far);
                let _ = tokio::io::copy(&mut read, &mut write).await;
            });
            async move { Some(Box::new(near) as BoxIo) }
        });
        (forward.await.unwrap(), opened)
    }

    async fn round_trip(port: u16) {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(b"hello").await.unwrap();
        let mut heard = [0; 5];
        stream.read_exact(&mut heard).await.unwrap();
        assert_eq!(&heard, b"hello");
    }

    #[tokio::test]
    async fn our_own_connections_go_through() {
        let (forward, opened) = echo().await;
        round_trip(forward.port).await;
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    }

    /// Needs root, to switch to another user.
    #[tokio::test]
    async fn other_users_are_dropped_unheard() {
        if !nix::unistd::geteuid().is_root() {
            return;
        }
        let (forward, opened) = echo().await;
        for _ in 0..MOST_CONNECTIONS + 1 {
            let script = format!(
                "exec 3<>/dev/tcp/127.0.0.1/{}; echo hello >&3; head -c 5 <&3",
                forward.port
            );
            let stranger = Command::new("setpriv")
                .args(["--reuid=65534", "--clear-groups", "bash", "-c", &script])
                .output();
            let heard = tokio::time::timeout(Duration::from_secs(10), stranger);
            assert_eq!(heard.await.unwrap().unwrap().stdout, b"");
        }
        assert_eq!(opened.load(Ordering::SeqCst), 0);
        // And they have used nothing up.
        round_trip(forward.port).await;
    }
}
