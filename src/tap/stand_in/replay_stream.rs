//! A client's connection whose first bytes can be read once more: by TLS, after they were
//! looked at, and by the one who looks on, after TLS has read them.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::forward::Side;

/// A handshake is not longer.
const MOST: usize = 64 * 1024;

/// The connection.
pub struct ReplayStream {
    inner: TcpStream,
    again: Vec<u8>,
    log: BytesLog,
}

/// What passed, in order.
#[derive(Clone, Default)]
pub struct BytesLog(Arc<Mutex<Bytes>>);

#[derive(Default)]
struct Bytes {
    passed: Vec<(Side, Vec<u8>)>,
    length: usize,
    is_closed: bool,
}

impl BytesLog {
    fn note(&self, side: Side, bytes: &[u8]) {
        let Ok(mut log) = self.0.lock() else { return };
        if log.is_closed || bytes.is_empty() || log.length + bytes.len() > MOST {
            return;
        }
        log.length += bytes.len();
        log.passed.push((side, bytes.to_vec()));
    }

    /// Takes what passed; from then on nothing is kept. The client's first bytes are left out
    /// where they were looked at before.
    pub fn take(&self, without_first: bool) -> Vec<(Side, Vec<u8>)> {
        let Ok(mut log) = self.0.lock() else {
            return Vec::new();
        };
        log.is_closed = true;
        let mut passed = std::mem::take(&mut log.passed);
        if without_first && !passed.is_empty() {
            passed.remove(0);
        }
        passed
    }
}

impl ReplayStream {
    /// Listens in.
    pub fn new(inner: TcpStream) -> Self {
        Self {
            inner,
            again: Vec::new(),
            log: BytesLog::default(),
        }
    }

    /// Puts bytes back: they are read next, and noted.
    pub fn unread(&mut self, bytes: Vec<u8>) {
        self.again = bytes;
    }

    /// What passes from now on.
    pub fn log(&self) -> BytesLog {
        if let Ok(mut log) = self.log.0.lock() {
            *log = Bytes::default();
        }
        self.log.clone()
    }
}

impl AsyncRead for ReplayStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        if self.again.is_empty() {
            ready!(Pin::new(&mut self.inner).poll_read(cx, buf))?;
        } else {
            let n = self.again.len().min(buf.remaining());
            let bytes: Vec<u8> = self.again.drain(..n).collect();
            buf.put_slice(&bytes);
        }
        let read = buf.filled().get(before..).unwrap_or_default();
        self.log.note(Side::Client, read);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for ReplayStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.inner).poll_write(cx, bytes))?;
        self.log
            .note(Side::Server, bytes.get(..written).unwrap_or_default());
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
