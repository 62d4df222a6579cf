//! How a connection is left: the peer ends it, and only then is the socket closed.
//!
//! A server that is sent anything after it closed answers with a reset, and so
//! does this machine where a socket is closed before all was read. A forward may
//! die of either (`kubectl port-forward` since 1.23, kubernetes/kubectl#1169).

use std::sync::Mutex;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::BoxIo;

/// How long the peer's end is awaited. A server that was told ends within
/// milliseconds; the rest is the way there and back.
pub const LINGER: Duration = Duration::from_millis(300);

/// The connections whose end is awaited.
static OPEN: Mutex<Vec<JoinHandle<()>>> = Mutex::new(Vec::new());

/// Reads up to the peer's end, for a moment.
pub async fn until_end<R: AsyncRead + Unpin>(io: &mut R) {
    let mut ignored = vec![0; 4096];
    let end = async { while io.read(&mut ignored).await.is_ok_and(|read| read > 0) {} };
    let _ = tokio::time::timeout(LINGER, end).await;
}

/// Ends our direction and awaits the peer's in the background.
pub(super) fn leave(mut io: BoxIo) {
    let Ok(runtime) = tokio::runtime::Handle::try_current() else {
        return;
    };
    let task = runtime.spawn(async move {
        let _ = io.shutdown().await;
        until_end(&mut io).await;
    });
    if let Ok(mut open) = OPEN.lock() {
        open.retain(|task| !task.is_finished());
        open.push(task);
    }
}

/// Waits for the connections that were left to end. Called last: nothing is
/// printed after it, and a command that is run next finds them gone.
pub async fn finish() {
    let open = OPEN.lock().map(|mut open| std::mem::take(&mut *open));
    for task in open.unwrap_or_default() {
        let _ = task.await;
    }
}
