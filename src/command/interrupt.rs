//! Ctrl-C, SIGTERM and SIGHUP, unless they are ignored: the first prints the partial
//! report, the second exits at once.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use nix::sys::signal::Signal;
use tokio::signal::unix::{Signal as Arriving, SignalKind, signal};
use tokio::sync::oneshot;

use super::Exit;
use crate::{process, signals, terminal};

/// Whether the run is over, and an interruption has nothing left to ask for.
static OVER: AtomicBool = AtomicBool::new(false);

/// How many files are being written.
static FILES: AtomicUsize = AtomicUsize::new(0);

/// How long an interruption waits for them.
const FILE_PATIENCE: Duration = Duration::from_secs(2);

/// Writes a file that no interruption leaves half done.
pub fn whole<T>(write: impl FnOnce() -> T) -> T {
    FILES.fetch_add(1, Ordering::SeqCst);
    let written = write();
    FILES.fetch_sub(1, Ordering::SeqCst);
    written
}

/// Waits for the first interruption, which counts from this call on. After it
/// another one ends the process at once.
///
/// Where signals cannot be listened to, they keep their usual effect and this
/// waits for ever.
pub fn interruption() -> impl Future<Output = ()> + Send {
    let (ask, asked) = oneshot::channel();
    // Here and not at the first poll: work may be done before that.
    let listening: io::Result<Vec<Arriving>> = kinds().map(signal).collect();
    if let Ok(mut signals) = listening {
        // On its own, so that it works while the run is held up.
        tokio::spawn(async move {
            next(&mut signals).await;
            if !OVER.load(Ordering::SeqCst) && ask.send(()).is_ok() {
                next(&mut signals).await;
            }
            let file_done = async {
                while FILES.load(Ordering::SeqCst) > 0 {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
            };
            let _ = tokio::time::timeout(FILE_PATIENCE, file_done).await;
            terminal::restore();
            process::started::end_all();
            std::process::exit(Exit::Interrupted.code().into());
        });
    }
    async move {
        if asked.await.is_err() {
            std::future::pending().await
        }
    }
}

/// From here on the first interruption ends the process: what is left to do
/// may wait for a reader who stopped reading.
pub fn end_at_once() {
    OVER.store(true, Ordering::SeqCst);
}

/// What interrupts: what was ignored when we were started does not. nohup arranges that for a
/// terminal that hangs up, and a shell for Ctrl-C where it runs a command in the background.
fn kinds() -> impl Iterator<Item = SignalKind> {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP]
        .into_iter()
        .filter(|signal| !signals::was_ignored(*signal))
        .map(|signal| SignalKind::from_raw(signal as i32))
}

async fn next(signals: &mut [Arriving]) {
    std::future::poll_fn(|cx| {
        let came = |signal: &mut Arriving| signal.poll_recv(cx).is_ready();
        match signals.iter_mut().any(came) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
