//! What is known of one connection through the tap.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::conversation::{Conversation, Sides};
use super::process::Process;
use crate::finding::Finding;
use crate::forward::{ConnectionEnd, Side};

/// One connection.
#[derive(Debug)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// The client's process, where it is one of this machine; empty while it is looked for.
    pub process: Arc<OnceLock<Option<Process>>>,
    /// When the client connected.
    pub began: Instant,
    /// Why it could not be forwarded.
    pub refused: Option<Finding>,
    /// What was said.
    pub conversation: Conversation,
    /// When something was said, and the pauses.
    pub silence: Silence,
    /// Who ended it first, how and when; none where the tap did.
    pub end: Option<(ConnectionEnd, Instant)>,
    /// Whether the client had said goodbye before it ended.
    pub said_goodbye: bool,
    /// How many messages or records the client had sent when it took up encryption.
    pub sent_before_encrypted: u64,
    /// Why the SSH session that carried it ended.
    pub tunnel_lost: Option<String>,
}

impl Record {
    /// A connection that begins now.
    pub fn new(number: u64, client: SocketAddr) -> Self {
        Self {
            number,
            client,
            process: Arc::default(),
            began: Instant::now(),
            refused: None,
            conversation: Conversation::new(),
            silence: Silence::default(),
            end: None,
            said_goodbye: false,
            sent_before_encrypted: 0,
            tunnel_lost: None,
        }
    }

    /// The client's process, where it is known.
    pub fn process(&self) -> Option<&Process> {
        self.process.get().and_then(Option::as_ref)
    }

    /// Whether the client was let in: as far as can be seen, and in TLS as the number of its
    /// messages tells. A login that fails has three at most, a session has its query and its
    /// goodbye beside.
    pub fn is_let_in(&self) -> Option<bool> {
        let conversation = &self.conversation;
        if conversation.startup.is_some() || conversation.encrypted.is_none() {
            return Some(conversation.login.ready.is_some());
        }
        match conversation.messages.client - self.sent_before_encrypted {
            0..=3 => Some(false),
            4 => None,
            _ => Some(true),
        }
    }

    /// How long it has been quiet.
    pub fn quiet(&self, at: Instant) -> Duration {
        at - self.silence.last().unwrap_or(self.began)
    }
}

/// The pauses of a connection: times in which neither side said anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence {
    /// When each side last said something.
    pub last: Sides<Option<Instant>>,
    /// The longest pause that was followed by something.
    pub longest: Duration,
    /// The pause before the end.
    pub before_end: Option<Duration>,
}

impl Silence {
    /// Notes that a side said something.
    pub fn heard(&mut self, side: Side, at: Instant) {
        if let Some(last) = self.last() {
            self.longest = self.longest.max(at - last);
        }
        match side {
            Side::Client => self.last.client = Some(at),
            Side::Server => self.last.server = Some(at),
        }
    }

    /// When something was last said.
    pub fn last(&self) -> Option<Instant> {
        self.last.client.max(self.last.server)
    }
}
