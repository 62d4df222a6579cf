//! Ctrl-C, SIGTERM and SIGHUP: the first prints the partial report, the second exits at once.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::Exit;
use crate::{process, terminal};

/// Whether the run is over, and an interruption has nothing left to ask for.
static OVER: AtomicBool = AtomicBool::new(false);

/// Waits for the first interruption, which counts from this call on. After it
/// another one ends the process at once.
///
/// Where signals cannot be listened to, they keep their usual effect and this
/// waits for ever.
pub fn interruption() -> impl Future<Output = ()> + Send {
    let (ask, asked) = oneshot::channel();
    // Here and not at the first poll: work may be done before that.
    let listening: io::Result<Vec<Signal>> = kinds().into_iter().map(signal).collect();
    if let Ok(mut signals) = listening {
        // On its own, so that it works while the run is held up.
        tokio::spawn(async move {
            next(&mut signals).await;
            if !OVER.load(Ordering::SeqCst) && ask.send(()).is_ok() {
                next(&mut signals).await;
            }
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

/// What interrupts. Under nohup a terminal that hangs up does not.
fn kinds() -> Vec<SignalKind> {
    let mut kinds = vec![SignalKind::interrupt(), SignalKind::terminate()];
    if !hangup_ignored() {
        kinds.push(SignalKind::hangup());
    }
    kinds
}

/// Whether SIGHUP is ignored, as nohup arranges it; where that cannot be told,
/// it keeps its effect.
fn hangup_ignored() -> bool {
    let Ok(status) = std::fs::read_to_string("/proc/self/status") else {
        return true;
    };
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    ignored.is_none_or(|mask| mask & (1 << (nix::sys::signal::SIGHUP as i32 - 1)) != 0)
}

async fn next(signals: &mut [Signal]) {
    std::future::poll_fn(|cx| {
        let came = |signal: &mut Signal| signal.poll_recv(cx).is_ready();
        match signals.iter_mut().any(came) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}
