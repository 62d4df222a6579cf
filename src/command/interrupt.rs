//! Ctrl-C and SIGTERM: the first prints the partial report, the second exits at once.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

use super::Exit;

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
    let listening = signal(SignalKind::interrupt()).and_then(|interrupt| {
        signal(SignalKind::terminate()).map(|terminate| (interrupt, terminate))
    });
    if let Ok((mut interrupt, mut terminate)) = listening {
        // On its own, so that it works while the run is held up.
        tokio::spawn(async move {
            next(&mut interrupt, &mut terminate).await;
            if !OVER.load(Ordering::SeqCst) && ask.send(()).is_ok() {
                next(&mut interrupt, &mut terminate).await;
            }
            std::process::exit(Exit::Interrupted as i32);
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

async fn next(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
