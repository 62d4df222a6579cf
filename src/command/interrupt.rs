//! Ctrl-C and SIGTERM: the first asks for what is known, the second ends it.

use tokio::signal::unix::{Signal, SignalKind, signal};

use super::Exit;

/// Waits for the first interruption, which counts from this call on. After it
/// another one ends the process at once.
///
/// Where signals cannot be listened to, they keep their usual effect and this
/// waits for ever.
pub fn interruption() -> impl Future<Output = ()> + Send {
    // Here and not at the first poll: work may be done before that.
    let listening = signal(SignalKind::interrupt()).and_then(|interrupt| {
        signal(SignalKind::terminate()).map(|terminate| (interrupt, terminate))
    });
    first(listening)
}

async fn first(listening: std::io::Result<(Signal, Signal)>) {
    let Ok((mut interrupt, mut terminate)) = listening else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        std::process::exit(Exit::Interrupted as i32);
    });
}
