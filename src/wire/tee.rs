//! A transport that remembers what passed through it, below everything that
//! might hide it.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::timeline::Timeline;
use super::waits::{Awaited, Wait};
use super::{BoxIo, linger};
use crate::report::Direction;

/// How many of the peer's first bytes are kept.
const KEPT: usize = 4096;

/// How many waits are kept; a login has a few, and each key one.
const MOST_WAITS: usize = 64;

/// What a [`Tee`] saw.
#[derive(Debug, Default)]
pub struct TeeSnapshot {
    /// The peer's first bytes, up to 4,096.
    pub first_bytes: Vec<u8>,
    /// All bytes received.
    pub received: u64,
    /// All bytes sent.
    pub sent: u64,
    /// When the peer's first byte came.
    pub first_byte_at: Option<Instant>,
    /// When the peer's last byte came.
    pub last_byte_at: Option<Instant>,
    /// When this side last sent something.
    last_write_at: Option<Instant>,
    /// The longest pause before bytes of the peer since a wait was last noted:
    /// from what was sent or received before them. What this side computes
    /// before it sends is no part of one.
    longest_pause: Duration,
    /// How many bytes had been received when it began.
    pub received_before_pause: u64,
    /// The waits of the steps that are over, in order.
    pub waits: Vec<Wait>,
    /// Whether the peer closed its side in order (FIN).
    pub closed: bool,
    /// The error that ended reading.
    pub read_error: Option<io::ErrorKind>,
    /// The first error of a write. It is remembered here and not raised: the
    /// peer's last words are still to be read, and under TLS 1.3 they may be
    /// the alert that explains it.
    pub write_error: Option<io::ErrorKind>,
    /// Where what passes is recorded, under `-vv`.
    pub timeline: Option<Arc<Timeline>>,
}

/// The shared memory of a [`Tee`].
#[derive(Debug, Default)]
pub struct TeeLog(Mutex<TeeSnapshot>);

impl TeeLog {
    /// What was seen so far.
    pub fn seen(&self) -> MutexGuard<'_, TeeSnapshot> {
        self.0
            .lock()
            .unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Where what passes is recorded, under `-vv`.
    pub fn timeline(&self) -> Option<Arc<Timeline>> {
        self.seen().timeline.clone()
    }

    /// Notes that a step is over, and how long it had to wait for the peer.
    pub fn note_wait(&self, awaited: Awaited) {
        let mut seen = self.seen();
        let took = std::mem::take(&mut seen.longest_pause);
        if seen.waits.len() < MOST_WAITS {
            seen.waits.push(Wait { awaited, took });
        }
    }
}

/// A transport under watch. Dropped before the peer ended it, it is left in
/// order ([`linger`]).
pub struct Tee {
    inner: BoxIo,
    log: Arc<TeeLog>,
    /// What is read once more, before anything new.
    again: Vec<u8>,
}

impl Tee {
    /// Watches a transport.
    pub fn new(inner: BoxIo) -> (Self, Arc<TeeLog>) {
        let log = Arc::new(TeeLog::default());
        (
            Self {
                inner,
                log: Arc::clone(&log),
                again: Vec::new(),
            },
            log,
        )
    }

    /// The transport itself, where nothing was read yet and nobody is to watch.
    pub fn into_inner(mut self) -> BoxIo {
        std::mem::replace(&mut self.inner, Box::new(tokio::io::empty()))
    }

    /// Puts bytes back that were read too early: they are read next.
    pub fn unread(&mut self, bytes: Vec<u8>) {
        self.again.splice(0..0, bytes);
    }
}

impl Drop for Tee {
    fn drop(&mut self) {
        let open = {
            let seen = self.log.seen();
            if let Some(timeline) = &seen.timeline {
                timeline.end("closed here");
            }
            let broken = seen.read_error.is_some() || seen.write_error.is_some();
            // One that never answered is not waited for.
            seen.received > 0 && !seen.closed && !broken
        };
        if open {
            linger::leave(std::mem::replace(
                &mut self.inner,
                Box::new(tokio::io::empty()),
            ));
        }
    }
}

impl AsyncRead for Tee {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.again.is_empty() {
            let n = self.again.len().min(buf.remaining());
            let bytes: Vec<u8> = self.again.drain(..n).collect();
            buf.put_slice(&bytes);
            return Poll::Ready(Ok(()));
        }
        let room = buf.remaining();
        let before = buf.filled().len();
        let result = std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, buf));
        let mut seen = self.log.seen();
        let ended = result.is_ok() && room > 0 && buf.filled().len() == before;
        // The kernel tells of a reset once: where the write was told, the read
        // behind it finds an ordinary end.
        let result = match seen.write_error {
            Some(kind @ io::ErrorKind::ConnectionReset) if ended => Err(kind.into()),
            _ => result,
        };
        match &result {
            Ok(()) => {
                let new = &buf.filled()[before..];
                if new.is_empty() {
                    seen.closed |= room > 0;
                    if let Some(timeline) = seen.timeline.as_ref().filter(|_| room > 0) {
                        timeline.end("closed by the peer");
                    }
                } else {
                    if let Some(timeline) = &seen.timeline {
                        timeline.bytes(Direction::Received, new);
                    }
                    let now = Instant::now();
                    if let Some(before) = seen.last_write_at.max(seen.last_byte_at) {
                        let pause = now.saturating_duration_since(before);
                        if pause > seen.longest_pause {
                            seen.longest_pause = pause;
                            seen.received_before_pause = seen.received;
                        }
                    }
                    seen.first_byte_at.get_or_insert(now);
                    seen.last_byte_at = Some(now);
                    seen.received += new.len() as u64;
                    let keep = (KEPT - seen.first_bytes.len()).min(new.len());
                    seen.first_bytes.extend_from_slice(&new[..keep]);
                }
            }
            Err(error) => {
                seen.read_error = Some(error.kind());
                if let Some(timeline) = &seen.timeline {
                    timeline.broke(error.kind());
                }
            }
        }
        Poll::Ready(result)
    }
}

impl AsyncWrite for Tee {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.log.seen().write_error.is_some() {
            return Poll::Ready(Ok(buf.len()));
        }
        let result = std::task::ready!(Pin::new(&mut self.inner).poll_write(cx, buf));
        let mut seen = self.log.seen();
        Poll::Ready(Ok(match result {
            Ok(written) => {
                seen.last_write_at = Some(Instant::now());
                seen.sent += written as u64;
                if let (Some(timeline), Some(bytes)) = (&seen.timeline, buf.get(..written)) {
                    timeline.bytes(Direction::Sent, bytes);
                }
                written
            }
            Err(error) => {
                seen.write_error = Some(error.kind());
                buf.len()
            }
        }))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.log.seen().write_error.is_some() {
            return Poll::Ready(Ok(()));
        }
        if let Err(error) = std::task::ready!(Pin::new(&mut self.inner).poll_flush(cx)) {
            self.log.seen().write_error = Some(error.kind());
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    #[tokio::test]
    async fn first_bytes_and_the_end_are_remembered() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (mut tee, log) = Tee::new(Box::new(ours));
        theirs.write_all(b"hello").await.unwrap();
        drop(theirs);
        let mut all = Vec::new();
        tee.read_to_end(&mut all).await.unwrap();
        let seen = log.seen();
        assert_eq!(seen.first_bytes, b"hello");
        assert!(seen.closed);
    }

    #[tokio::test]
    async fn a_failed_write_is_remembered_and_not_raised() {
        let (ours, theirs) = tokio::io::duplex(64);
        let (mut tee, log) = Tee::new(Box::new(ours));
        drop(theirs);
        tee.write_all(b"x").await.unwrap();
        tee.flush().await.unwrap();
        assert_eq!(log.seen().write_error, Some(io::ErrorKind::BrokenPipe));
    }

    #[tokio::test]
    async fn a_wait_is_the_peers_time_alone() {
        let (ours, mut theirs) = tokio::io::duplex(64);
        let (mut tee, log) = Tee::new(Box::new(ours));
        let pause = Duration::from_millis(60);
        let mut buffer = [0; 1];
        // This side takes its time before it sends.
        theirs.write_all(b"x").await.unwrap();
        tee.read_exact(&mut buffer).await.unwrap();
        tokio::time::sleep(pause).await;
        tee.write_all(b"x").await.unwrap();
        theirs.write_all(b"x").await.unwrap();
        tee.read_exact(&mut buffer).await.unwrap();
        log.note_wait(Awaited::AuthRequest);
        // The peer does.
        tee.write_all(b"x").await.unwrap();
        tokio::time::sleep(pause).await;
        theirs.write_all(b"x").await.unwrap();
        tee.read_exact(&mut buffer).await.unwrap();
        log.note_wait(Awaited::Login);
        let waits = &log.seen().waits;
        assert_eq!(waits[0].awaited, Awaited::AuthRequest);
        assert!(waits[0].took < pause && waits[1].took >= pause, "{waits:?}");
    }

    /// A socket whose write is told of a reset: its read then ends.
    struct Reset;

    impl AsyncRead for Reset {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    impl AsyncWrite for Reset {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[tokio::test]
    async fn a_reset_that_the_write_was_told_of_is_one_for_the_read() {
        let (mut tee, _) = Tee::new(Box::new(Reset));
        tee.write_all(b"x").await.unwrap();
        let error = tee.read(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }
}
