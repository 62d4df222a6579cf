//! How an SSH session lives and ends while it is idle.

use std::time::Duration;

use crate::stage::ssh::Bastion;
use crate::stage::ssh::client::SessionEnd;

/// How long the news of the hop that ended may lag behind the end of those
/// behind it.
const LAG: Duration = Duration::from_millis(100);

/// How an SSH session ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopEnd {
    /// What it ended with, in words.
    pub words: String,
    /// Whether its connection was reset: an SSH server never does that.
    pub reset: bool,
}

impl Bastion {
    /// Waits for the end of the SSH session, or of one on the way to it.
    pub async fn ended(&self) -> HopEnd {
        match self.last() {
            Some(last) => last.watch().ended().await,
            None => std::future::pending().await,
        };
        tokio::time::sleep(LAG).await;
        let mut ends = self
            .sessions()
            .iter()
            .filter_map(|session| session.watch().seen().end.clone());
        let end = ends.next().unwrap_or(SessionEnd::Closed);
        HopEnd {
            words: end.words(),
            reset: end == SessionEnd::Broken(std::io::ErrorKind::ConnectionReset),
        }
    }

    /// Asks the server for a sign of life; any answer is one.
    pub async fn answers(&self) -> bool {
        match self.last() {
            Some(session) => session.answers().await,
            None => false,
        }
    }

    /// How many forwards the server closed of its own accord. A database that
    /// ends its connection makes the server say EOF, and no more; one that is
    /// closed without our having closed our half was ended by the server
    /// itself (`ChannelTimeout`).
    pub fn closed_forwards(&self) -> usize {
        self.last()
            .map_or(0, |session| session.watch().seen().closed_forwards)
    }
}
