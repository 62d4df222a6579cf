//! How an SSH session lives and ends while it is idle, hop by hop.

use std::time::Duration;

use crate::stage::ssh::Bastion;
use crate::stage::ssh::client::SessionEnd;

/// How long the news of the hop that ended may lag behind the end of those
/// behind it.
const LAG: Duration = Duration::from_millis(100);

/// How a tunnel ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HopEnd {
    /// The hop that it is put down to, counted from 0.
    pub hop: usize,
    /// Whether that hop closed its forward to the next one and kept its own
    /// session.
    pub forward: bool,
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
        let end = |session: &crate::stage::ssh::Session| session.watch().seen().end.clone();
        let mut ends = self.sessions().iter().map(end).enumerate();
        let (hop, end) = ends
            .find_map(|(hop, end)| Some((hop, end?)))
            .unwrap_or((self.sessions().len().saturating_sub(1), SessionEnd::Closed));
        match hop.checked_sub(1) {
            Some(before) if self.closed_forwards(before) > 0 => HopEnd {
                hop: before,
                forward: true,
                words: "it closed the forward to the next hop and kept the session".to_owned(),
                reset: false,
            },
            _ => HopEnd {
                hop,
                forward: false,
                words: end.words(),
                reset: end == SessionEnd::Broken(std::io::ErrorKind::ConnectionReset),
            },
        }
    }

    /// Asks every hop for a sign of life, the nearest first; any answer is
    /// one. The first hop that gives none in time, if any.
    pub async fn first_silent(&self, patience: Duration) -> Option<usize> {
        for hop in 0..self.sessions().len() {
            if !self.is_alive(hop, patience).await {
                return Some(hop);
            }
        }
        None
    }

    /// Asks one hop for a sign of life.
    pub async fn is_alive(&self, hop: usize, patience: Duration) -> bool {
        match self.sessions().get(hop) {
            Some(session) => matches!(
                tokio::time::timeout(patience, session.answers()).await,
                Ok(true)
            ),
            None => false,
        }
    }

    /// How many forwards this hop closed of its own accord. A database that
    /// ends its connection makes OpenSSH's server say EOF, and no more; one
    /// that is closed without our having closed our half was ended by the
    /// server itself (`ChannelTimeout`). Other servers close a forward whose
    /// target is gone, which proves nothing.
    pub fn closed_forwards(&self, hop: usize) -> usize {
        self.sessions()
            .get(hop)
            .filter(|session| session.is_openssh())
            .map_or(0, |session| session.watch().seen().closed_forwards)
    }

    /// The number of the last hop.
    pub fn last_hop(&self) -> usize {
        self.sessions().len().saturating_sub(1)
    }
}
