//! What is known of one connection through the tap.

use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::conversation::{Conversation, Sides};
use super::process::Process;
use crate::finding::Finding;
use crate::forward::{Closer, ConnectionEnd, Side};

/// One connection.
#[derive(Debug)]
pub struct Record {
    /// Its number, from 1.
    pub number: u64,
    /// The client's address.
    pub client: SocketAddr,
    /// The client's process, where it is one of this machine; empty while it is looked for.
    pub process: Arc<OnceLock<Option<Process>>>,
    /// The only process that is known at the client's address, where its own is not: one may be
    /// over before it is found.
    pub taken_for: Option<Process>,
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
            taken_for: None,
            began: Instant::now(),
            refused: None,
            conversation: Conversation::new(),
            silence: Silence::default(),
            end: None,
            said_goodbye: false,
            tunnel_lost: None,
        }
    }

    /// The client's process, where it is known.
    pub fn process(&self) -> Option<&Process> {
        self.process.get().and_then(Option::as_ref)
    }

    /// Whose connection it is, as far as is known.
    fn owner(&self) -> Option<&Process> {
        self.process().or(self.taken_for.as_ref())
    }

    /// The client as people call it: its process, else its address.
    pub fn label(&self) -> String {
        match self.owner() {
            Some(process) => process.to_string(),
            None => self.client.ip().to_string(),
        }
    }

    /// Whether another connection is of the same client.
    pub fn is_of_same_client(&self, other: &Self) -> bool {
        match (self.owner(), other.owner()) {
            (None, None) => self.client.ip() == other.client.ip(),
            (own, others) => own == others,
        }
    }

    /// Whether this side was the first to end it.
    pub fn is_ended_by(&self, side: Side) -> bool {
        self.end
            .is_some_and(|(end, _)| end.by == Closer::Side(side))
    }

    /// How long it lived; none while it is open.
    pub fn lived(&self) -> Option<Duration> {
        self.end.map(|(_, at)| at - self.began)
    }

    /// Whether the client was let in; none where that cannot be told. In TLS the sizes tell:
    /// after a login the server reports its parameters in one go, more than an error is long,
    /// and the client goes on to send statements.
    pub fn is_let_in(&self) -> Option<bool> {
        /// AuthenticationOk, a dozen parameters, the key and ReadyForQuery are longer.
        const REPORT: u32 = 330;
        /// An error, and a session ticket, are shorter.
        const ERROR: u32 = 290;
        /// The start-up message and two of SCRAM.
        const LOGIN: u64 = 3;
        let conversation = &self.conversation;
        if conversation.startup.is_some() || conversation.encrypted.is_none() {
            return Some(conversation.login.ready.is_some());
        }
        let seen = conversation.in_tls;
        if seen.longest_of_server > REPORT || seen.from_client > LOGIN + 1 {
            return Some(true);
        }
        let refused = seen.from_client <= LOGIN && seen.longest_of_server < ERROR;
        refused.then_some(false)
    }

    /// The silence that its end breaks. What the server says as it ends it is part of the end.
    pub fn silence_before_end(&self, at: Instant) -> Duration {
        let quiet = self.quiet(at);
        let last = self.conversation.errors.last();
        let is_farewell = last.is_some_and(|error| error.severity != "ERROR")
            && self.silence.last.server > self.silence.last.client;
        match is_farewell && quiet < CLOSE_AFTER_ERROR {
            true => self.silence.before_last,
            false => quiet,
        }
    }

    /// How long it has been quiet.
    pub fn quiet(&self, at: Instant) -> Duration {
        at - self.silence.last().unwrap_or(self.began)
    }
}

/// A server closes within so long of its last word.
const CLOSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// What comes within so long of each other is one thing said.
const TOGETHER: Duration = Duration::from_millis(200);

/// The pauses of a connection: times in which neither side said anything.
#[derive(Clone, Copy, Debug, Default)]
pub struct Silence {
    /// When each side last said something.
    pub last: Sides<Option<Instant>>,
    /// The pause before what was said last.
    pub before_last: Duration,
    /// The longest pause that was followed by something.
    pub longest: Duration,
    /// The pause before the end.
    pub before_end: Option<Duration>,
}

impl Silence {
    /// Notes that a side said something.
    pub fn heard(&mut self, side: Side, at: Instant) {
        if let Some(last) = self.last() {
            // Bytes that belong together come in pieces.
            let pause = at - last;
            if pause > TOGETHER {
                self.before_last = pause;
            }
            self.longest = self.longest.max(pause);
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
