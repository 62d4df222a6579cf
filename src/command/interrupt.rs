//! Ctrl-C and SIGTERM: the first asks for what is known, the second ends it.

use tokio::signal::unix::{SignalKind, signal};

use super::Exit;

/// Waits for the first interruption. From then on another one ends the
/// process at once.
///
/// Where signals cannot be listened to, they keep their usual effect and this
/// waits for ever.
pub async fn interruption() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
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
