//! How an SSH session lives and dies while it is left alone.

use std::time::Duration;

use crate::finding::shown;
use crate::stage::ssh::Bastion;

/// How long the news of the hop that ended may lag behind the end of those
/// behind it.
const LAG: Duration = Duration::from_millis(100);

impl Bastion {
    /// Waits for the end of the SSH session, or of one on the way to it; what
    /// it ended with, if anything was said.
    pub async fn ended(&self) -> Option<String> {
        let last = self.last()?.watch().ended().await;
        tokio::time::sleep(LAG).await;
        match self.fate() {
            Some(fate) => fate.evidence.get("error").map(shown),
            None => Some(last.words()),
        }
    }

    /// Asks the server for a sign of life; any answer is one.
    pub async fn answers(&self) -> bool {
        match self.last() {
            Some(session) => session.answers().await,
            None => false,
        }
    }

    /// Whether the server closed a forward of its own accord. A database that
    /// ends its connection makes the server say EOF, and no more; one that is
    /// closed without our having closed our half was ended by the server
    /// itself (`ChannelTimeout`).
    pub fn closed_a_forward(&self) -> bool {
        self.last()
            .is_some_and(|session| session.watch().seen().closed_forwards > 0)
    }
}
